"""TIFFs of several pages as one raster, and as one OME-Zarr: all planes, or one warning. Files are written by tifffile, and
pixels are compared with the arrays that it was given."""

import json
import os
import re
import shutil
import struct
import subprocess
import sys
import zipfile
import zlib

import gdaltest
import numpy as np
import pytest
import webserver
from osgeo import gdal

tifffile = pytest.importorskip("tifffile")
PLANES = np.random.default_rng(5).integers(0, 60000, (12, 40, 56), dtype="uint16")
GREY = {"photometric": "minisblack", "metadata": None}
WAYS = {
    "classic": {},
    "big-endian": {"byteorder": ">"},
    "BigTIFF": {"bigtiff": True},
    "BigTIFF, big-endian": {"bigtiff": True, "byteorder": ">"},
    "deflate": {"compression": "zlib"},
    "deflate, big-endian, predictor": {"compression": "zlib", "byteorder": ">", "predictor": True},
    "tiled": {"tile": (16, 32), "bigtiff": True},
    "tiled, deflate": {"tile": (32, 16), "compression": "zlib"},
    "strips of 7 rows": {"rowsperstrip": 7},
    "strips of 7 rows, deflate": {"rowsperstrip": 7, "compression": "zlib"},
    "strips of 8 rows, BigTIFF, big-endian": {"rowsperstrip": 8, "compression": "zlib", "bigtiff": True, "byteorder": ">"},
    "tiles that end with the pages": {"tile": (48, 64), "compression": "zlib", "predictor": True},
}
every_way = pytest.mark.parametrize("way", WAYS)


def stack(path, pages=PLANES, **how):
    """A TIFF of one page for each plane, one after the other."""
    with tifffile.TiffWriter(path, bigtiff=how.pop("bigtiff", False), byteorder=how.pop("byteorder", "<")) as file:
        for page in pages:
            file.write(page, contiguous=False, **{**GREY, **how})
    return str(path)


def copied(path, source, *options):
    """The store that gdal_translate makes, and what GDAL warned of."""
    with gdaltest.collected_messages() as messages:
        made = gdal.Translate(str(path), source, format="OMEZARR", creationOptions=["BLOCKSIZE=32", "SCALE_FACTORS=2", *options])
    assert made is not None
    return str(path), messages.warnings()


def level(store, number=0):
    return gdaltest.zarr_levels(store)[number]


def axes(store):
    return "".join(axis["name"] for axis in gdaltest.ome(store)["multiscales"][0]["axes"])


# -- Pages that say nothing of themselves ------------------------------------------------------------------------------


@every_way
def test_all_pages_are_planes(tmp_path, way):
    source = stack(f"{tmp_path}/a.tif", **WAYS[way])
    store, warnings = copied(tmp_path / "a.zarr", source, "VERIFY=SOURCE")
    assert warnings == [] and axes(store) == "zyx"
    np.testing.assert_array_equal(level(store), PLANES)
    assert level(store, 1).shape == (12, 20, 28)


@every_way
def test_a_stack_opens_as_one_raster(tmp_path, way):
    opened = gdal.Open(f"OMEZARR:{stack(f'{tmp_path}/a.tif', **WAYS[way])}")
    assert opened.RasterCount == 12
    np.testing.assert_array_equal(gdaltest.pixels(opened), PLANES)
    window = np.frombuffer(opened.ReadRaster(5, 3, 17, 29), "uint16").reshape(12, 29, 17)
    np.testing.assert_array_equal(window, PLANES[:, 3:32, 5:22])
    as_float = np.frombuffer(opened.GetRasterBand(4).ReadRaster(buf_type=gdal.GDT_Float64), "float64").reshape(40, 56)
    np.testing.assert_array_equal(as_float, PLANES[3])
    assert opened.GetRasterBand(4).GetMetadata()["DIM_z_INDEX"] == "3"


@pytest.mark.parametrize("dtype", ["uint8", "int16", "uint32", "int32", "float32", "float64", "complex64"])
@pytest.mark.parametrize("order", "<>")
def test_every_type_is_read(tmp_path, dtype, order):
    pages = (PLANES[:3] / 7).astype(dtype)
    for how in ({}, {"compression": "zlib"}):
        source = stack(f"{tmp_path}/{len(how)}.tif", pages, byteorder=order, **how)
        np.testing.assert_array_equal(gdaltest.pixels(gdal.Open(f"OMEZARR:{source}")), pages)


@pytest.mark.parametrize("planarconfig", ["contig", "separate"])
@pytest.mark.parametrize("how", [{}, {"compression": "zlib", "tile": (16, 16)}], ids=["rows", "tiles"])
def test_samples_of_pages_are_channels(tmp_path, planarconfig, how):
    pages = np.random.default_rng(6).integers(0, 255, (5, 40, 56, 3), dtype="uint8")
    written = pages if planarconfig == "contig" else np.ascontiguousarray(pages.transpose(0, 3, 1, 2))
    source = stack(f"{tmp_path}/a.tif", written, photometric="rgb", planarconfig=planarconfig, **how)
    store, warnings = copied(tmp_path / "a.zarr", source, "VERIFY=SOURCE")
    assert warnings == [] and axes(store) == "czyx"
    np.testing.assert_array_equal(level(store), pages.transpose(3, 0, 1, 2))
    assert [c["color"] for c in gdaltest.ome(store)["omero"]["channels"]] == ["FF0000", "00FF00", "0000FF"]


@pytest.mark.parametrize("how", [["COMPRESS=LZW", "PREDICTOR=2"], ["COMPRESS=PACKBITS"], ["COMPRESS=ZSTD", "BLOCKYSIZE=8"],
                                 ["COMPRESS=LZMA", "TILED=YES", "BLOCKXSIZE=32", "BLOCKYSIZE=16"], ["NBITS=12", "COMPRESS=DEFLATE"]])
def test_pages_that_gdal_wrote(tmp_path, how):
    pages = PLANES >> 4
    for i, page in enumerate(pages):
        options = [*how, "ENDIANNESS=BIG", "APPEND_SUBDATASET=YES"][:None if i else -1]
        gdal.GetDriverByName("GTiff").CreateCopy(f"{tmp_path}/a.tif", gdaltest.mem(page), options=options)
    np.testing.assert_array_equal(gdaltest.pixels(gdal.Open(f"OMEZARR:{tmp_path}/a.tif")), pages)


def test_pages_of_jpeg_are_those_that_gdal_reads(tmp_path):
    colours = np.random.default_rng(6).integers(0, 255, (5, 3, 48, 56), dtype="uint8")
    for i, picture in enumerate(colours):
        options = ["COMPRESS=JPEG", "PHOTOMETRIC=YCBCR", "BLOCKYSIZE=16", "APPEND_SUBDATASET=YES"][:None if i else -1]
        gdal.GetDriverByName("GTiff").CreateCopy(f"{tmp_path}/a.tif", gdaltest.mem(picture), options=options)
    alone = np.stack([gdaltest.pixels(gdal.Open(f"GTIFF_DIR:{i + 1}:{tmp_path}/a.tif")) for i in range(5)])
    opened = gdal.Open(f"OMEZARR:{tmp_path}/a.tif")
    np.testing.assert_array_equal(gdaltest.pixels(opened).reshape(3, 5, 48, 56), alone.transpose(1, 0, 2, 3))
    assert len(open_pages()) == 2


def open_pages():
    return [name for name in gdal.ReadDir("/vsimem/") or [] if name.startswith("omezarr-page") and name.endswith(".tif")]


def test_small_pages_are_opened_together_and_others_alone(tmp_path):
    """Pages of three codings, with texts of their own, in turn: two kinds of several pages, and two that are alone."""
    path, pages = f"{tmp_path}/a.tif", PLANES[:9]
    with tifffile.TiffWriter(path) as file:
        for i, page in enumerate(pages):
            how = {"rowsperstrip": 7} if i == 4 else {"predictor": True} if i % 2 else {"tile": (16, 16)} if i == 8 else {}
            file.write(page, contiguous=False, compression="zlib", description=f"page {i}", **how, **GREY)
    opened = gdal.Open(f"OMEZARR:{path}")
    np.testing.assert_array_equal(gdaltest.pixels(opened), pages)
    assert len(open_pages()) == 5  # the first one, whose type and blocks are those of all, 4, 8, and the two kinds
    opened = None
    assert open_pages() == []


@pytest.mark.parametrize("how", [{"planarconfig": "separate", "tile": (16, 16)}, {"planarconfig": "separate", "rowsperstrip": 20},
                                 {"planarconfig": "contig", "rowsperstrip": 10}], ids=["tiles", "strips", "contig"])
def test_pages_that_are_opened_together_have_all_samples(tmp_path, how):
    pages = np.random.default_rng(6).integers(0, 60000, (5, 3, 40, 56), dtype="uint16")
    written = pages if how["planarconfig"] == "separate" else np.ascontiguousarray(pages.transpose(0, 2, 3, 1))
    opened = gdal.Open(f"OMEZARR:{stack(f'{tmp_path}/a.tif', written, compression='zlib', photometric='rgb', **how)}")
    np.testing.assert_array_equal(gdaltest.pixels(opened), pages.transpose(1, 0, 2, 3).reshape(15, 40, 56))
    assert len(open_pages()) == 2


@pytest.mark.parametrize("separate", [False, True])
@pytest.mark.parametrize("axes", ["z", "t"])
def test_opacity_of_pages_counts_in_levels(tmp_path, separate, axes):
    """As that of one page: colours under opacity 0 are no part of a mean, opacity itself is a plain mean."""
    random = np.random.default_rng(9)
    pages = random.integers(0, 255, (3, 40, 56, 4), dtype="uint8")
    pages[..., 3] *= random.integers(0, 2, (3, 40, 56), dtype="uint8")
    written = np.ascontiguousarray(np.moveaxis(pages, 3, 1)) if separate else pages
    source = stack(f"{tmp_path}/a.tif", written, photometric="rgb", extrasamples=["unassalpha"], compression="zlib",
                   planarconfig="separate" if separate else "contig")
    store, warnings = copied(tmp_path / "a.zarr", source, "AXES=c:4,t:3" if axes == "t" else "PLANES=ALL")
    assert warnings == []
    colours, opacity = pages[..., :3].astype(float), pages[..., 3:].astype(float)
    cells = lambda array: array.reshape(3, 20, 2, 28, 2, -1).sum((2, 4))
    n_valid = cells((opacity > 0).astype(float))
    mean = np.floor(cells(colours * (opacity > 0)) / np.maximum(n_valid, 1) + 0.5)
    expected = np.concatenate([mean, np.floor(cells(opacity) / 4 + 0.5)], axis=3).astype("uint8")
    np.testing.assert_array_equal(level(store), np.moveaxis(pages, 3, 1 if axes == "t" else 0))
    np.testing.assert_array_equal(level(store, 1), np.moveaxis(expected, 3, 1 if axes == "t" else 0))
    opened = gdal.Open(store)
    alpha = [i for i in range(1, 13) if opened.GetRasterBand(i).GetColorInterpretation() == gdal.GCI_AlphaBand]
    assert alpha == ([4, 8, 12] if axes == "t" else [10, 11, 12])


def test_pages_of_another_size_are_left_out_by_name(tmp_path):
    source = stack(f"{tmp_path}/a.tif", [*PLANES[:5], PLANES[5, :20, :30], PLANES[6, :20, :30].astype("uint8")])
    store, warnings = copied(tmp_path / "a.zarr", source, f"REPORT={tmp_path}/r.json")
    np.testing.assert_array_equal(level(store), PLANES[:5])
    assert len(warnings) == 1 and "2 are left out" in warnings[0] and "OMEZARR:" in warnings[0]
    assert any("2 are left out" in text for text in gdaltest.read_json(f"{tmp_path}/r.json")["not_kept"])
    names = [name for name, _ in gdal.Open(f"OMEZARR:{source}").GetSubDatasets()]
    np.testing.assert_array_equal(gdaltest.pixels(gdal.Open(names[1])), PLANES[5:6, :20, :30])
    np.testing.assert_array_equal(gdaltest.pixels(gdal.Open(names[2])), PLANES[6:7, :20, :30].astype("uint8"))
    with pytest.raises(RuntimeError, match="#0 to #2"):
        gdal.Open(f'OMEZARR:"{source}":#3')


def test_pyramids_of_pages_are_levels(tmp_path):
    """Levels that no program would make of the pages: they were taken, not made."""
    source, how = f"{tmp_path}/a.tif", {"tile": (16, 16), "compression": "zlib", **GREY}
    with tifffile.TiffWriter(source) as file:
        for page in PLANES:
            file.write(page, subifds=1, contiguous=False, **how)
            file.write(65535 - page[::2, ::2], subfiletype=1, **how)
    assert gdaltest.open_band(f"OMEZARR:{source}", 12).GetOverviewCount() == 1
    made, _ = copied(tmp_path / "made.zarr", source)
    taken, warnings = copied(tmp_path / "taken.zarr", source, "OVERVIEWS=AUTO")
    np.testing.assert_array_equal(level(taken, 1), 65535 - PLANES[:, ::2, ::2])
    assert warnings == [] and (level(made, 1) != level(taken, 1)).any()


def test_planes_are_chosen_by_index(tmp_path):
    source = stack(f"{tmp_path}/a.tif")
    np.testing.assert_array_equal(gdaltest.pixels(gdal.Open(f'OMEZARR:"{source}":Z=2-4')), PLANES[2:5])
    np.testing.assert_array_equal(gdaltest.pixels(gdal.OpenEx(f"OMEZARR:{source}", open_options=["Z=7"])), PLANES[7:8])
    with pytest.raises(RuntimeError, match="indexes go from 0 to 11"):
        gdal.Open(f'OMEZARR:"{source}":Z=12')


def test_a_window_of_a_stack_has_all_planes(tmp_path):
    source = f"OMEZARR:{stack(f'{tmp_path}/a.tif', compression='zlib')}"
    with gdaltest.collected_messages() as messages:
        gdal.Translate(f"{tmp_path}/a.zarr", source, format="OMEZARR", srcWin=[8, 4, 40, 30])
        gdal.Translate(f"{tmp_path}/b.zarr", source, format="OMEZARR", bandList=[3, 4, 5])
    assert messages.warnings() == []
    np.testing.assert_array_equal(level(f"{tmp_path}/a.zarr"), PLANES[:, 4:34, 8:48])
    np.testing.assert_array_equal(gdaltest.pixels(gdal.Open(f"{tmp_path}/b.zarr")), PLANES[2:5])


def test_axes_say_what_pages_are(tmp_path):
    store, _ = copied(tmp_path / "a.zarr", stack(f"{tmp_path}/a.tif"), "AXES=t:2,c:2,z:3")
    assert axes(store) == "tczyx"
    np.testing.assert_array_equal(level(store), PLANES.reshape(2, 2, 3, 40, 56))


def test_the_georeference_of_pages_is_kept(tmp_path):
    """Pages of one place are one image; a page of another place is another one."""
    path = f"{tmp_path}/a.tif"
    for i in range(4):
        made = gdaltest.mem(PLANES[i], [500000, 10, 0, 4600000 if i < 3 else 0, 0, -10], "EPSG:32631")
        gdal.GetDriverByName("GTiff").CreateCopy(path, made, options=["APPEND_SUBDATASET=YES"] if i else [])
    store, warnings = copied(tmp_path / "a.zarr", path)
    opened = gdal.Open(store)
    assert opened.GetGeoTransform() == (500000, 10, 0, 4600000, 0, -10) and opened.GetSpatialRef().GetAuthorityCode(None) == "32631"
    np.testing.assert_array_equal(gdaltest.pixels(opened), PLANES[:3])
    assert len(warnings) == 1 and "1 is left out" in warnings[0]


def test_nodata_of_pages_is_kept(tmp_path):
    path = f"{tmp_path}/a.tif"
    for i in range(3):
        gdal.GetDriverByName("GTiff").CreateCopy(path, gdaltest.mem(PLANES[i], nodata=7), options=["APPEND_SUBDATASET=YES"] if i else [])
    opened = gdal.Open(f"OMEZARR:{path}")
    assert [opened.GetRasterBand(i + 1).GetNoDataValue() for i in range(3)] == [7, 7, 7]


def test_nodata_in_a_side_file_is_that_of_all_pages(tmp_path):
    path = stack(f"{tmp_path}/a.tif")
    band = gdaltest.open_band(path)
    band.SetNoDataValue(7)
    band.dataset_of_band.FlushCache()
    band = None
    assert os.path.exists(f"{path}.aux.xml")
    opened = gdal.Open(f"OMEZARR:{path}")
    assert {opened.GetRasterBand(i + 1).GetNoDataValue() for i in range(12)} == {7}


def test_a_mask_is_no_page(tmp_path):
    """An ordinary raster, as before: GDAL's own mask and overviews are pages of the file, and none of its images."""
    source = gdaltest.mem(PLANES[0])
    source.CreateMaskBand(gdal.GMF_PER_DATASET)
    source.GetRasterBand(1).GetMaskBand().WriteRaster(0, 0, 56, 40, ((PLANES[0] > 30000) * 255).astype("uint8").tobytes())
    with gdaltest.config_option("GDAL_TIFF_INTERNAL_MASK", "YES"):
        gdal.GetDriverByName("GTiff").CreateCopy(f"{tmp_path}/a.tif", source)
    opened = gdal.Open(f"{tmp_path}/a.tif", gdal.GA_Update)
    opened.BuildOverviews("NEAREST", [2])
    opened = None
    store, warnings = copied(tmp_path / "a.zarr", f"{tmp_path}/a.tif")
    assert warnings == [] and axes(store) == "yx"
    band = gdaltest.open_band(store)
    np.testing.assert_array_equal(gdaltest.pixels(band.GetMaskBand()) > 0, PLANES[0] > 30000)


# -- Planes that no page has -------------------------------------------------------------------------------------------


def one_page(path):
    """Takes the other pages from the chain, as ImageJ writes stacks beyond 4 GB: their pixels stay where they are."""
    pointers, _ = next_pointers(path)
    return patched(path, pointers[0], 0)


@pytest.mark.parametrize("order", "<>")
def test_imagej_stack_of_one_page(tmp_path, order):
    """GDAL shows one band, and no subdatasets."""
    path = f"{tmp_path}/a.tif"
    tifffile.imwrite(path, PLANES.reshape(2, 3, 2, 40, 56), imagej=True, byteorder=order, metadata={"axes": "TZCYX"})
    one_page(path)
    assert gdal.Open(path).RasterCount == 1 and not gdal.Open(path).GetSubDatasets()
    store, warnings = copied(tmp_path / "a.zarr", path, "VERIFY=SOURCE")
    assert warnings == [] and axes(store) == "tczyx"
    np.testing.assert_array_equal(level(store), PLANES.reshape(2, 3, 2, 40, 56).transpose(0, 2, 1, 3, 4))
    _, warnings = copied(tmp_path / "b.zarr", path, "PLANES=ONE")
    assert len(warnings) == 1 and "11 are left out" in warnings[0] and f'OMEZARR:"{path}"' in warnings[0]
    _, warnings = copied(tmp_path / "c.zarr", gdal.Translate("", path, format="VRT", srcWin=[0, 0, 30, 30]))
    assert len(warnings) == 1 and "11 are left out" in warnings[0]


def test_imagej_stack_beyond_4_gb(tmp_path):
    """A sparse file: 2200 planes of 2 MiB, of which three hold something."""
    path, plane = f"{tmp_path}/a.tif", 1024 * 1024 * 2
    text = "ImageJ=1.53\nimages=2200\nslices=2200\nunit=micron\nspacing=2\n"
    tifffile.imwrite(path, np.zeros((1024, 1024), "uint16"), byteorder=">", description=text, **GREY)
    with tifffile.TiffFile(path) as file:
        begin = file.pages[0].dataoffsets[0]
    with open(path, "r+b") as file:
        file.truncate(begin + 2200 * plane)
        for number in (0, 1100, 2199):
            file.seek(begin + number * plane)
            file.write(np.full(1024, number + 1, ">u2").tobytes())
    opened = gdal.Open(f"OMEZARR:{path}")
    assert opened.RasterCount == 2200
    for number in (0, 1, 1100, 2198, 2199):
        row = np.frombuffer(opened.GetRasterBand(number + 1).ReadRaster(0, 0, 1024, 1), "uint16")
        assert (row == (number + 1 if number in (0, 1100, 2199) else 0)).all()
    assert opened.GetRasterBand(2200).GetMetadata()["DIM_z_VALUE"] == "4398"


def test_text_of_a_stack_on_a_page_alone_is_a_warning(tmp_path):
    """GDAL's copying takes the description along: the planes that it speaks of are not there."""
    tifffile.imwrite(f"{tmp_path}/a.tif", PLANES, imagej=True)
    gdal.Translate(f"{tmp_path}/b.tif", f"{tmp_path}/a.tif", format="GTiff")
    store, warnings = copied(tmp_path / "b.zarr", f"{tmp_path}/b.tif")
    np.testing.assert_array_equal(level(store), PLANES[0])
    assert len(warnings) == 1 and "one plane" in warnings[0] and "b.tif" in warnings[0]


def test_one_plane_has_the_scale_of_its_description(tmp_path):
    path = f"{tmp_path}/a.ome.tif"
    metadata = {"axes": "YX", "PhysicalSizeX": 0.25, "PhysicalSizeY": 0.5, "Channel": {"Name": ["DAPI"]}}
    tifffile.imwrite(path, PLANES[0], photometric="minisblack", metadata=metadata)
    store, warnings = copied(tmp_path / "a.zarr", path, "VERIFY=SOURCE")
    assert warnings == [] and axes(store) == "yx" and gdaltest.transforms(store)[0][0] == [0.5, 0.25]
    assert [a["unit"] for a in gdaltest.ome(store)["multiscales"][0]["axes"]] == ["micrometer"] * 2
    assert gdaltest.ome(store)["omero"]["channels"][0]["label"] == "DAPI"
    np.testing.assert_array_equal(level(store), PLANES[0])


def test_one_file_of_a_set_has_all_planes(tmp_path):
    """GDAL sees a page in each file."""
    text = ('<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06" UUID="urn:uuid:{}"><Image ID="Image:0"><Pixels ID="Pixels:0" '
            'DimensionOrder="XYZCT" Type="uint16" SizeX="56" SizeY="40" SizeZ="3" SizeC="1" SizeT="1"><Channel ID="Channel:0:0"/>' +
            "".join(f'<TiffData IFD="0" FirstZ="{z}" PlaneCount="1"><UUID FileName="{z}.ome.tif">urn:uuid:{z}</UUID></TiffData>' for z in range(3)) +
            "</Pixels></Image></OME>")
    for z in range(3):
        tifffile.imwrite(f"{tmp_path}/{z}.ome.tif", PLANES[z], description=text.format(z), **GREY)
    path = f"{tmp_path}/0.ome.tif"
    assert not gdal.Open(path).GetSubDatasets()
    store, warnings = copied(tmp_path / "a.zarr", path, "VERIFY=SOURCE")
    np.testing.assert_array_equal(level(store), PLANES[:3])
    assert warnings == []
    window = gdal.Translate("", path, format="VRT", srcWin=[0, 0, 30, 30])
    for source, options in ((path, ["PLANES=ONE"]), (window, [])):
        _, warnings = copied(tmp_path / f"{len(options)}.zarr", source, *options)
        assert len(warnings) == 1 and "2 are left out" in warnings[0] and f'OMEZARR:"{path}"' in warnings[0]


def pages_with_masks(path, masks):
    with gdaltest.config_option("GDAL_TIFF_INTERNAL_MASK", "YES"):
        for i, mask in enumerate(masks):
            page = gdaltest.mem(PLANES[i])
            page.CreateMaskBand(gdal.GMF_PER_DATASET)
            page.GetRasterBand(1).GetMaskBand().WriteRaster(0, 0, 56, 40, (mask * 255).astype("uint8").tobytes())
            gdal.GetDriverByName("GTiff").CreateCopy(path, page, options=["APPEND_SUBDATASET=YES"] if i else [])


def test_masks_of_pages_that_differ_are_a_warning(tmp_path):
    pages_with_masks(f"{tmp_path}/a.tif", [PLANES[0] > 30000, PLANES[1] > 30000, PLANES[2] > 30000])
    store, warnings = copied(tmp_path / "a.zarr", f"{tmp_path}/a.tif", f"REPORT={tmp_path}/r.json")
    np.testing.assert_array_equal(level(store), PLANES[:3])
    assert len(warnings) == 1 and "masks of its pages, 3," in warnings[0] and "not the same" in warnings[0]
    assert warnings[0] in gdaltest.read_json(f"{tmp_path}/r.json")["not_kept"]


def test_one_mask_of_all_pages_is_that_of_the_store(tmp_path):
    valid = PLANES[0] > 30000
    pages_with_masks(f"{tmp_path}/a.tif", [valid] * 3)
    store, warnings = copied(tmp_path / "a.zarr", f"{tmp_path}/a.tif", "VERIFY=SOURCE")
    assert warnings == []
    np.testing.assert_array_equal(level(store), PLANES[:3])
    for opened in (gdal.Open(store), gdal.Open(f"OMEZARR:{tmp_path}/a.tif")):
        for i in range(1, 4):
            assert opened.GetRasterBand(i).GetMaskFlags() == gdal.GMF_PER_DATASET
            np.testing.assert_array_equal(gdaltest.pixels(opened.GetRasterBand(i).GetMaskBand()), valid * 255)
    counted = np.where(valid, PLANES[:3], 0).reshape(3, 20, 2, 28, 2).astype(float).sum((2, 4))
    n = valid.reshape(20, 2, 28, 2).sum((1, 3))
    np.testing.assert_array_equal(level(store, 1), np.floor(counted / np.maximum(n, 1) + 0.5))


def test_one_plane_keeps_its_mask_whatever_its_description(tmp_path):
    metadata = {"axes": "YX", "PhysicalSizeX": 0.25, "PhysicalSizeY": 0.5}
    tifffile.imwrite(f"{tmp_path}/a.ome.tif", PLANES[0], photometric="minisblack", metadata=metadata)
    source = gdal.GetDriverByName("MEM").CreateCopy("", gdal.Open(f"{tmp_path}/a.ome.tif"))
    source.CreateMaskBand(gdal.GMF_PER_DATASET)
    source.GetRasterBand(1).GetMaskBand().WriteRaster(0, 0, 56, 40, ((PLANES[0] > 30000) * 255).astype("uint8").tobytes())
    with gdaltest.config_option("GDAL_TIFF_INTERNAL_MASK", "YES"):
        gdal.GetDriverByName("GTiff").CreateCopy(f"{tmp_path}/b.ome.tif", source)
    store, _ = copied(tmp_path / "a.zarr", f"{tmp_path}/b.ome.tif")
    band = gdaltest.open_band(store)
    np.testing.assert_array_equal(gdaltest.pixels(band.GetMaskBand()) > 0, PLANES[0] > 30000)


# -- On a server -------------------------------------------------------------------------------------------------------


def test_a_stack_on_a_server(tmp_path):
    os.mkdir(f"{tmp_path}/www")
    for name, how in {"tiles.tif": {"tile": (16, 16), "compression": "zlib"}, "rows.tif": {}}.items():
        stack(f"{tmp_path}/www/{name}", **how)
        with webserver.serve(f"{tmp_path}/www") as server, gdaltest.config_option("GDAL_HTTP_RETRY_DELAY", "0.01"):
            np.testing.assert_array_equal(gdaltest.pixels(gdal.Open(f"OMEZARR:{server.url}/{name}")), PLANES)
            store, warnings = copied(tmp_path / name, f"/vsicurl/{server.url}/{name}")
        assert warnings == []
        np.testing.assert_array_equal(level(store), PLANES)


@pytest.mark.parametrize("how", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED], ids=["stored", "deflated"])
def test_a_stack_in_a_zip(tmp_path, how):
    with zipfile.ZipFile(f"{tmp_path}/a.zip", "w", how) as file:
        file.write(stack(f"{tmp_path}/a.tif", compression="zlib"), "folder/a.tif")
    store, warnings = copied(tmp_path / "a.zarr", f"/vsizip/{tmp_path}/a.zip/folder/a.tif", "VERIFY=SOURCE")
    assert warnings == []
    np.testing.assert_array_equal(level(store), PLANES)


@pytest.mark.parametrize("how", [{}, {"predictor": True, "rowsperstrip": 7}], ids=["opened together", "opened alone"])
def test_a_page_that_cannot_be_decoded_is_an_error_with_its_name(tmp_path, how):
    source = stack(f"{tmp_path}/a.tif", compression="zlib", **how)
    with tifffile.TiffFile(source) as file:
        at = file.pages[7].dataoffsets[0]
    with open(source, "r+b") as file:
        file.seek(at)
        file.write(bytes(40))
    refusal = gdaltest.refused(f"{tmp_path}/a.zarr", gdal.Open(source))
    assert f"{source}: page 8 cannot be read" in refusal
    assert not os.path.exists(f"{tmp_path}/a.zarr")


def huge_tiles(path, pages):
    """Makes the tiles of these pages 65520 pixels wide and high, without a byte more."""
    places = [page.tags[tag].valueoffset for page in pages for tag in ("TileWidth", "TileLength")]
    with open(path, "r+b") as file:
        for place in places:
            file.seek(place)
            file.write(struct.pack("<H", 65520))


def test_huge_tiles_of_small_pages_are_refused(tmp_path):
    """Of pages that would be opened together, too: GDAL takes memory for a whole tile."""
    path = tmp_path / "a.tif"
    with tifffile.TiffWriter(path) as file:
        file.write(PLANES[0], **GREY)
        for plane in PLANES[1:3]:
            file.write(plane, contiguous=False, tile=(64, 64), compression="zlib", **GREY)
    with tifffile.TiffFile(path) as file:
        pages = file.pages[1:]
    huge_tiles(path, pages)
    refusal = gdaltest.refused(f"{tmp_path}/a.zarr", gdal.Open(str(path)))
    assert f"{path}: page 2" in refusal and "tiles are larger" in refusal


def test_huge_tiles_of_a_level_are_refused(tmp_path):
    path = tmp_path / "a.tif"
    with tifffile.TiffWriter(path) as file:
        for plane in PLANES[:3]:
            file.write(plane, contiguous=False, subifds=1, tile=(16, 16), compression="zlib", **GREY)
            file.write(plane[::2, ::2], subfiletype=1, tile=(16, 16), compression="zlib", **GREY)
    with tifffile.TiffFile(path) as file:
        pages = [file.pages[1].pages[0]]
    huge_tiles(path, pages)
    stack = gdal.OpenEx(f"OMEZARR:{path}")
    assert np.array_equal(gdaltest.pixels(stack.GetRasterBand(2)), PLANES[1])
    assert np.array_equal(gdaltest.pixels(stack.GetRasterBand(1).GetOverview(0)), PLANES[0, ::2, ::2])
    with pytest.raises(RuntimeError, match="page 2 .*tiles of its level of 28 x 20 pixels are larger"):
        gdaltest.pixels(stack.GetRasterBand(2).GetOverview(0))


# -- Verify ------------------------------------------------------------------------------------------------------------


def test_verify_finds_a_plane_that_is_not_the_page(tmp_path):
    program = os.path.join(os.environ["GDAL_DRIVER_PATH"].split(os.pathsep)[0], "omezarr")
    source = stack(f"{tmp_path}/a.tif")
    store, _ = copied(tmp_path / "a.zarr", source)
    other = PLANES.copy()
    other[9, 39, 55] ^= 1
    for pages, code, said in ((PLANES, 0, "has the pixels of the source"), (other, 1, "band 10, column 55, row 39")):
        stack(source, pages)
        done = subprocess.run([program, "verify", store, source], capture_output=True, text=True)
        assert done.returncode == code and said in done.stdout, done.stdout + done.stderr


def test_verify_says_which_part_it_compared(tmp_path):
    program = os.path.join(os.environ["GDAL_DRIVER_PATH"].split(os.pathsep)[0], "omezarr")
    source = stack(f"{tmp_path}/a.tif", [*PLANES[:5], PLANES[5, :20, :30]])
    store, _ = copied(tmp_path / "a.zarr", source)
    done = subprocess.run([program, "verify", store, source], capture_output=True, text=True)
    assert done.returncode == 0 and "has the pixels of 1 of the 2 pages or images of the source" in done.stdout


def test_plan_tells_all_planes(tmp_path):
    program = os.path.join(os.environ["GDAL_DRIVER_PATH"].split(os.pathsep)[0], "omezarr")
    done = subprocess.run([program, "plan", stack(f"{tmp_path}/a.tif")], capture_output=True, text=True)
    assert done.returncode == 0 and re.search(r"12\D+40\D+56", done.stdout), done.stdout + done.stderr


# -- Files that are not as they say ------------------------------------------------------------------------------------


def next_pointers(path):
    """Where the offset of the next page stands, of each page, by tifffile."""
    with tifffile.TiffFile(path) as file:
        return [page.offset + 2 + 12 * len(page.tags) for page in file.pages], [page.offset for page in file.pages]


def patched(path, at, value):
    with open(path, "r+b") as file:
        file.seek(at)
        file.write(struct.pack("<I", value))
    return path


def test_pages_in_a_loop_are_refused(tmp_path):
    path = stack(f"{tmp_path}/a.tif")
    pointers, offsets = next_pointers(path)
    patched(path, pointers[6], offsets[2])
    with pytest.raises(RuntimeError, match="page 8 is at .* where page 3 is.*loop"):
        gdal.Open(f"OMEZARR:{path}")
    refusal = gdaltest.refused(f"{tmp_path}/a.zarr", gdal.Open(path))
    assert "loop" in refusal and "PLANES=ONE" in refusal
    assert not os.path.exists(f"{tmp_path}/a.zarr")
    assert axes(copied(tmp_path / "b.zarr", path, "PLANES=ONE")[0]) == "yx"


def test_a_page_behind_the_end_is_refused(tmp_path):
    path = stack(f"{tmp_path}/a.tif")
    patched(path, next_pointers(path)[0][6], os.path.getsize(path) + 1000)
    with pytest.raises(RuntimeError, match=f"page 8 .* file has {os.path.getsize(path)}"):
        gdal.Open(f"OMEZARR:{path}")


def test_a_truncated_stack_is_refused(tmp_path):
    path = stack(f"{tmp_path}/a.tif")
    size = next_pointers(path)[1][-1] + 400
    os.truncate(path, size)
    with pytest.raises(RuntimeError, match=f"page 12 .*pixels are bytes .* file has {size}"):
        gdal.Open(f"OMEZARR:{path}")


def test_a_directory_of_too_many_tags_is_refused(tmp_path):
    path = stack(f"{tmp_path}/a.tif", bigtiff=True)
    with tifffile.TiffFile(path) as file:
        at = file.pages[3].offset
    with open(path, "r+b") as file:
        file.seek(at)
        file.write(struct.pack("<Q", 1 << 40))
    with pytest.raises(RuntimeError, match="page 4, at .* 1099511627776 tags"):
        gdal.Open(f"OMEZARR:{path}")


def test_every_cut_of_a_stack_is_an_error_or_a_stack(tmp_path):
    """Whatever is missing at the end, opening ends, with all pages or with an error that names the file."""
    whole = open(stack(f"{tmp_path}/a.tif", PLANES[:3, :8, :8], compression="zlib"), "rb").read()
    n_opened = 0
    for size in range(0, len(whole), 7):
        with open(f"{tmp_path}/b.tif", "wb") as file:
            file.write(whole[:size])
        try:
            gdaltest.pixels(gdal.Open(f"OMEZARR:{tmp_path}/b.tif"))
            n_opened += 1
        except RuntimeError as error:
            assert "b.tif" in str(error)
    assert n_opened == 0


def test_a_stack_is_not_opened_for_update(tmp_path):
    with pytest.raises(RuntimeError, match="reading only"):
        gdal.Open(f"OMEZARR:{stack(f'{tmp_path}/a.tif')}", gdal.GA_Update)


# -- Lists of files ----------------------------------------------------------------------------------------------------


def slices(folder, planes=PLANES, name="s{}.tif", **how):
    """One file for each plane, numbered from 0 without zeros before the number, so that the order of letters is wrong."""
    return [stack(folder / name.format(i), plane.reshape(-1, *plane.shape[-2:]), **how) for i, plane in enumerate(planes)]


@pytest.mark.parametrize("how", [{}, {"compression": "zlib"}, {"byteorder": ">", "bigtiff": True}])
def test_files_that_fit_a_pattern_are_one_stack_in_natural_order(tmp_path, how):
    slices(tmp_path, **how)
    tifffile.imwrite(tmp_path / "other.tif", PLANES[0])
    store, warned = copied(tmp_path / "out.ome.zarr", f"OMEZARR:{tmp_path}/s*.tif", "VERIFY=SOURCE")
    assert axes(store) == "zyx" and not warned
    assert (level(store) == PLANES).all()


def test_zeros_before_a_number_do_not_count(tmp_path):
    for i, plane in enumerate(PLANES):
        stack(tmp_path / (f"s{i:03}.tif" if i % 2 else f"s{i}.tif"), plane[None])
    store, _ = copied(tmp_path / "out.ome.zarr", f"OMEZARR:{tmp_path}/s*.tif")
    assert (level(store) == PLANES).all()


def test_a_list_says_the_order_and_axes_what_the_files_are(tmp_path):
    names = [os.path.basename(path) for path in slices(tmp_path)]
    (tmp_path / "list.txt").write_text("\n".join(reversed(names)) + "\n\n")
    store, _ = copied(tmp_path / "out.ome.zarr", f"OMEZARR:{tmp_path}/list.txt", "AXES=t:12")
    assert axes(store) == "tyx"
    assert (level(store) == PLANES[::-1]).all()
    assert gdal.Open(f"OMEZARR:{tmp_path}/list.txt").GetFileList()[-1] == str(tmp_path / "s0.tif")


def test_files_of_several_planes_are_times(tmp_path):
    times = PLANES.reshape(3, 4, *PLANES.shape[1:])
    slices(tmp_path, times, "t{}.tif")
    store, _ = copied(tmp_path / "out.ome.zarr", f"OMEZARR:{tmp_path}/t?.tif")
    assert axes(store) == "tzyx"
    assert (level(store) == times).all()


def test_files_of_colours_are_planes_along_z(tmp_path):
    colours = np.random.default_rng(6).integers(0, 255, (11, 20, 30, 3), dtype="uint8")
    for i, picture in enumerate(colours):
        tifffile.imwrite(tmp_path / f"s{i}.tif", picture, photometric="rgb", metadata=None)
    store, _ = copied(tmp_path / "out.ome.zarr", f"OMEZARR:{tmp_path}/s*.tif")
    assert axes(store) == "czyx"
    assert (level(store) == np.moveaxis(colours, 3, 0)).all()


@pytest.mark.parametrize("driver", ["PNG", "JP2OpenJPEG", "HFA"])
def test_a_list_of_rasters_of_any_format_is_a_stack(tmp_path, driver):
    extension, options = {"PNG": ("png", []), "JP2OpenJPEG": ("jp2", ["QUALITY=100", "REVERSIBLE=YES"]), "HFA": ("img", [])}[driver]
    if gdal.GetDriverByName(driver) is None:
        pytest.skip(f"GDAL has no {driver}")
    for i, plane in enumerate(PLANES):
        gdal.GetDriverByName(driver).CreateCopy(f"{tmp_path}/s{i}.{extension}", gdaltest.mem(plane), options=options)
    store, warned = copied(tmp_path / "out.ome.zarr", f"OMEZARR:{tmp_path}/s*.{extension}", "VERIFY=SOURCE")
    assert axes(store) == "zyx" and not warned
    assert (level(store) == PLANES).all()


def test_levels_of_files_are_levels_of_their_stack(tmp_path):
    """Overviews that differ from what would be made, so that it is seen that they are taken."""
    for i in range(3):
        file = gdal.GetDriverByName("HFA").CreateCopy(f"{tmp_path}/s{i}.img", gdaltest.mem(PLANES[i]))
        file.BuildOverviews("NEAREST", [2])
        file.GetRasterBand(1).GetOverview(0).WriteRaster(0, 0, 28, 20, (PLANES[i, ::2, ::2] // 2).tobytes())
        file = None
    store, _ = copied(tmp_path / "out.ome.zarr", f"OMEZARR:{tmp_path}/s*.img", "OVERVIEWS=AUTO")
    assert (level(store, 1) == PLANES[:3, ::2, ::2] // 2).all()


def test_a_list_may_mix_formats_and_pictures_have_channels(tmp_path):
    colours = np.random.default_rng(6).integers(0, 255, (3, 20, 30, 3), dtype="uint8")
    for i, picture in enumerate(colours):
        if i == 1:
            tifffile.imwrite(tmp_path / "s1.tif", picture, photometric="rgb", metadata=None)
        else:
            gdal.GetDriverByName("PNG").CreateCopy(f"{tmp_path}/s{i}.png", gdaltest.mem(np.moveaxis(picture, 2, 0)))
    (tmp_path / "list.txt").write_text("s0.png\ns1.tif\ns2.png\n")
    store, _ = copied(tmp_path / "out.ome.zarr", f"OMEZARR:{tmp_path}/list.txt")
    assert axes(store) == "czyx"
    assert (level(store) == np.moveaxis(colours, 3, 0)).all()


def test_a_list_of_other_files_is_refused_with_the_name_of_the_first_that_is_other(tmp_path):
    slices(tmp_path)
    cases = {"s7.tif": lambda path: tifffile.imwrite(path, PLANES[0, 1:]), "s3.tif": lambda path: open(path, "w").write("no TIFF"),
             "s1.tif": lambda path: tifffile.imwrite(path, PLANES[0].astype("uint8"))}
    for name, spoil in cases.items():
        spoil(str(tmp_path / name))
        with gdaltest.collected_messages(), pytest.raises(RuntimeError, match=re.escape(name)):
            gdal.Open(f"OMEZARR:{tmp_path}/s*.tif")
    for name, words in (("nothing*.tif", "correct the pattern"), ("empty.txt", "names no file"), ("away.txt", "s99.tif")):
        (tmp_path / "empty.txt").write_text("\n")
        (tmp_path / "away.txt").write_text("s99.tif\n")
        with gdaltest.collected_messages(), pytest.raises(RuntimeError, match=words):
            gdal.Open(f"OMEZARR:{tmp_path}/{name}")


# -- Pages that are decoded as a whole ---------------------------------------------------------------------------------


def test_pages_of_one_strip_get_blocks_of_few_planes_where_memory_is_small(tmp_path):
    pages = (np.arange(8 * 900 * 900) % 65521).astype("uint16").reshape(8, 900, 900)
    source = "OMEZARR:" + stack(tmp_path / "a.tif", pages, rowsperstrip=900, compression="zlib")
    ways = {("MEMORY=30MB",): (4, None), ("MEMORY=60MB", "BLOCKSIZE=z:8,y:256,x:256"): (8, None),
            ("MEMORY=30MB", "BLOCKSIZE=z:8,y:256,x:256"): (8, r"\(1 x 900 x 900\) is read \d+ times.*MEMORY is 30 MB")}
    for i, (options, (depth, warning)) in enumerate(ways.items()):
        with gdaltest.collected_messages() as messages:
            made = gdal.Translate(f"{tmp_path}/{i}.ome.zarr", source, format="OMEZARR", creationOptions=["NUM_THREADS=2", *options])
        assert made is not None
        made = None
        assert len(messages.warnings()) == (warning is not None)
        assert warning is None or re.search(warning, messages.warnings()[0])
        array = json.loads((tmp_path / f"{i}.ome.zarr" / "scale0" / "image" / "zarr.json").read_text())
        assert array["chunk_grid"]["configuration"]["chunk_shape"][0] == depth
        assert (level(f"{tmp_path}/{i}.ome.zarr") == pages).all()
    # the blocks that were chosen are those of the store from then on
    changed = gdal.Open(f"{tmp_path}/0.ome.zarr", gdal.GA_Update)
    changed.GetRasterBand(3).WriteRaster(100, 100, 5, 5, np.full((5, 5), 7, "uint16").tobytes())
    changed = None
    pages[2, 100:105, 100:105] = 7
    assert (level(f"{tmp_path}/0.ome.zarr") == pages).all()


def pages_of_one(path, n_pages, side=2048, rows=64):
    """A BigTIFF whose pages all have the same strips: large for who reads it, small on the disk."""
    page = np.add.outer(np.arange(side) * 4, np.arange(side) * 4) + np.random.default_rng(1).integers(0, 64, (side, side))
    strips = [zlib.compress(page[y:y + rows].astype("<u2").tobytes(), 1) for y in range(0, side, rows)]
    sizes, header = [len(strip) for strip in strips], 16
    offsets = [header + sum(sizes[:n]) for n in range(len(sizes))]
    arrays = header + sum(sizes)
    LONG8, LONG, SHORT = 16, 4, 3
    tags = ((256, LONG, 1, side), (257, LONG, 1, side), (258, SHORT, 1, 16), (259, SHORT, 1, 8), (262, SHORT, 1, 1),
            (273, LONG8, len(strips), arrays), (277, SHORT, 1, 1), (278, LONG, 1, rows), (279, LONG8, len(strips), arrays + 8 * len(strips)))
    directory = struct.pack("<Q", len(tags)) + b"".join(struct.pack("<HHQQ", *tag) for tag in tags)
    first = arrays + 16 * len(strips)
    with open(path, "wb") as file:
        file.write(struct.pack("<2sHHHQ", b"II", 43, 8, 0, first) + b"".join(strips) + struct.pack(f"<{2 * len(strips)}Q", *offsets, *sizes))
        for n in range(1, n_pages + 1):
            file.write(directory + struct.pack("<Q", first + n * (len(directory) + 8) if n < n_pages else 0))
    return str(path)


# A process of its own between, since a child begins with the memory of what it was forked from.
MEMORY_OF = """
import resource, subprocess, sys
subprocess.run(sys.argv[1:], check=True)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="ru_maxrss is in KiB on Linux")
def test_memory_does_not_grow_with_the_number_of_pages(tmp_path):
    """c-blosc takes memory for each chunk; a heap that keeps what lies between grew by 50 MiB here, and without end. What a
    busy machine lets wait differs by 15 MiB."""
    taken = {}
    for n_pages in 60, 300:
        source = pages_of_one(tmp_path / f"{n_pages}.tif", n_pages)
        options = ["COMPRESS=BLOSC", "BLOSC_CNAME=lz4", "BLOSC_CLEVEL=5", "BLOCKSIZE=512", "NUM_THREADS=2"]
        command = ["gdal_translate", "-q", "-of", "OMEZARR", *(word for option in options for word in ("-co", option)), source,
                   str(tmp_path / "out.ome.zarr")]
        done = subprocess.run([sys.executable, "-c", MEMORY_OF, *command], capture_output=True, text=True, check=True)
        taken[n_pages] = float(done.stdout)
        shutil.rmtree(tmp_path / "out.ome.zarr")
    assert taken[300] < taken[60] + 40, taken
