"""Create(): pixels in any order, any number of times, read back before the end; at close the same store as CreateCopy
makes of the same pixels. And GDAL's own programs that write block by block."""

import os
import random
import signal
import subprocess
import sys

import gdaltest
import ngffmodel
import numpy as np
import pytest
from osgeo import gdal, osr

GT = (500000.0, 10.0, 0.0, 5000000.0, 0.0, -10.0)


def create(path, array, *options, **kwargs):
    """A dataset of ours with these pixels, still open."""
    return gdaltest.mem(array, driver="OMEZARR", path=str(path), options=options, **kwargs)


def write_in_pieces(dataset, array, size, seed=1):
    """All pixels as windows of this size, each band on its own, in random order."""
    bands, height, width = array.shape
    pieces = [(b, x, y) for b in range(bands) for y in range(0, height, size) for x in range(0, width, size)]
    random.Random(seed).shuffle(pieces)
    for b, x, y in pieces:
        part = np.ascontiguousarray(array[b, y:y + size, x:x + size])
        dataset.GetRasterBand(b + 1).WriteRaster(x, y, part.shape[1], part.shape[0], part.tobytes())


def copy_of(path, array, *options, **kwargs):
    """The same by CreateCopy."""
    source = gdaltest.mem(array, **kwargs)
    if source.RasterCount == 1:  # what Create takes it for
        source.GetRasterBand(1).SetColorInterpretation(gdal.GCI_GrayIndex)
    return gdaltest.write(path, source, *options)


@pytest.mark.parametrize("dtype", gdaltest.writable_types(with_complex=True))
def test_every_type_is_byte_for_byte_what_create_copy_makes(tmp_path, dtype):
    array = gdaltest.random_array((2, 75, 53), dtype)
    expected = copy_of(tmp_path / "a.ome.zarr", array, "BLOCKSIZE=16", geotransform=GT, code="EPSG:32633")
    dataset = create(tmp_path / "b.ome.zarr", array, "BLOCKSIZE=16", geotransform=GT, code="EPSG:32633")
    dataset = None  # noqa: F841
    assert gdaltest.tree_digest(tmp_path / "b.ome.zarr") == gdaltest.tree_digest(expected)


CASES = {
    "three bands": ((3, 90, 70), "uint8", [], {}),
    "four bands": ((4, 90, 70), "uint8", [], {}),
    "one band": ((1, 90, 70), "uint8", ["NGFF_VERSION=0.4"], {}),
    "nodata": ((2, 90, 70), "int16", ["LAYOUT=SCALES"], {"nodata": 7}),
    "nodata per band": ((2, 90, 70), "uint16", [], {"nodata": [7, 9]}),
    "float": ((1, 90, 70), "float32", ["COMPRESS=GZIP", "OVERVIEW_RESAMPLING=GAUSS"], {"nodata": float("nan")}),
    "sharded": ((2, 90, 70), "uint16", ["SHARD=32"], {}),
    "axes": ((6, 40, 30), "uint16", ["AXES=z:3,c:2"], {}),
    "factors": ((1, 90, 70), "uint16", ["SCALE_FACTORS=3,6"], {}),
}


@pytest.mark.parametrize("name", CASES)
def test_random_pieces_and_rewriting_make_the_same_store(tmp_path, name):
    shape, dtype, options, kwargs = CASES[name]
    array = gdaltest.random_array(shape, dtype)
    if "nodata" in kwargs:
        array[:, 10:60, 20:50] = 7
    options = ["BLOCKSIZE=16", *options]
    expected = copy_of(tmp_path / "a.ome.zarr", array, *options, **kwargs)
    dataset = create(tmp_path / "b.ome.zarr", gdaltest.random_array(shape, dtype, seed=2), *options, **kwargs)
    write_in_pieces(dataset, gdaltest.random_array(shape, dtype, seed=3), 23)
    write_in_pieces(dataset, array, 11)
    np.testing.assert_array_equal(gdaltest.pixels(dataset), array)
    del dataset
    assert gdaltest.tree_digest(tmp_path / "b.ome.zarr") == gdaltest.tree_digest(expected)


def test_blocks_are_chunks(tmp_path):
    array = gdaltest.random_array((1, 50, 70), "uint16")
    dataset = gdaltest.OMEZARR.Create(str(tmp_path / "a.ome.zarr"), 70, 50, 1, gdal.GDT_UInt16, ["BLOCKSIZE=32"])
    band = dataset.GetRasterBand(1)
    assert band.GetBlockSize() == [32, 32]
    for y in (1, 0):
        for x in (2, 0, 1):
            part = np.ascontiguousarray(array[0, 32 * y:32 * y + 32, 32 * x:32 * x + 32])
            band.WriteRaster(32 * x, 32 * y, part.shape[1], part.shape[0], part.tobytes())
    band.FlushCache()  # ReadBlock goes past GDAL's block cache
    block = np.frombuffer(band.ReadBlock(2, 1), "uint16").reshape(32, 32)
    np.testing.assert_array_equal(block[:18, :6], array[0, 32:, 64:])
    del band, dataset
    np.testing.assert_array_equal(gdaltest.our_levels(tmp_path / "a.ome.zarr")[0], array)


def test_what_is_set_in_any_order_is_kept(tmp_path):
    path = str(tmp_path / "a.ome.zarr")
    dataset = gdaltest.OMEZARR.Create(path, 40, 30, 2, gdal.GDT_Int16)
    first, second = dataset.GetRasterBand(1), dataset.GetRasterBand(2)
    first.WriteRaster(0, 0, 40, 30, np.full((30, 40), 5, "int16").tobytes())
    dataset.SetSpatialRef(gdaltest.crs("EPSG:32633"))
    dataset.SetGeoTransform(GT)
    dataset.SetMetadataItem("WHO", "me")
    dataset.SetMetadata(["A=1"], "OTHER")
    first.SetDescription("height")
    first.SetUnitType("m")
    first.SetScale(0.5)
    first.SetOffset(-3)
    first.SetNoDataValue(-1)
    first.SetMetadataItem("SENSOR", "x")
    second.SetColorInterpretation(gdal.GCI_BlueBand)
    table = gdal.ColorTable()
    table.SetColorEntry(1, (1, 2, 3, 255))
    second.SetCategoryNames(["none", "one"])
    rat = gdal.RasterAttributeTable()
    rat.CreateColumn("v", gdal.GFT_Integer, gdal.GFU_Generic)
    rat.SetRowCount(1)
    rat.SetValueAsInt(0, 0, 42)
    second.SetDefaultRAT(rat)
    del first, second, dataset
    found = gdal.Open(path)
    assert found.GetGeoTransform() == GT
    assert found.GetSpatialRef().GetAuthorityCode(None) == "32633"
    assert found.GetMetadataItem("WHO") == "me" and found.GetMetadata("OTHER") == {"A": "1"}
    first, second = found.GetRasterBand(1), found.GetRasterBand(2)
    assert (first.GetDescription(), first.GetUnitType(), first.GetScale(), first.GetOffset(), first.GetNoDataValue(),
            first.GetMetadataItem("SENSOR")) == ("height", "m", 0.5, -3, -1, "x")
    assert second.GetColorInterpretation() == gdal.GCI_BlueBand
    assert second.GetCategoryNames() == ["none", "one"]
    assert second.GetDefaultRAT().GetValueAsInt(0, 0) == 42
    assert not os.path.exists(path + ".aux.xml")


def test_gcps_and_palette(tmp_path):
    path = str(tmp_path / "a.ome.zarr")
    dataset = gdaltest.OMEZARR.Create(path, 40, 30, 1, gdal.GDT_Byte)
    dataset.SetGCPs([gdal.GCP(1, 2, 3, 4, 5), gdal.GCP(6, 7, 8, 9, 10), gdal.GCP(1, 7, 8, 19, 10)],
                    gdaltest.crs("EPSG:4326"))
    table = gdal.ColorTable()
    table.SetColorEntry(0, (10, 20, 30, 255))
    table.SetColorEntry(1, (1, 2, 3, 255))
    dataset.GetRasterBand(1).SetColorTable(table)
    del dataset
    found = gdal.Open(path)
    assert [(g.GCPX, g.GCPY, g.GCPZ, g.GCPPixel, g.GCPLine) for g in found.GetGCPs()] == [
        (1, 2, 3, 4, 5), (6, 7, 8, 9, 10), (1, 7, 8, 19, 10)]
    assert found.GetGCPSpatialRef().GetAuthorityCode(None) == "4326"
    assert found.GetRasterBand(1).GetColorTable().GetColorEntry(1) == (1, 2, 3, 255)


def test_mask_band(tmp_path):
    array = gdaltest.random_array((2, 50, 40), "uint16")
    mask = (gdaltest.random_array((50, 40), "uint8") > 100).astype("uint8") * 255
    source = gdaltest.mem(array)
    source.CreateMaskBand(gdal.GMF_PER_DATASET)
    source.GetRasterBand(1).GetMaskBand().WriteRaster(0, 0, 40, 50, mask.tobytes())
    expected = gdaltest.write(tmp_path / "a.ome.zarr", source, "BLOCKSIZE=16")
    dataset = create(tmp_path / "b.ome.zarr", array, "BLOCKSIZE=16")
    assert dataset.GetRasterBand(1).GetMaskFlags() == gdal.GMF_ALL_VALID
    assert dataset.CreateMaskBand(gdal.GMF_PER_DATASET) == gdal.CE_None
    band = dataset.GetRasterBand(1).GetMaskBand()
    band.WriteRaster(0, 0, 40, 50, mask.tobytes())
    assert band.ReadRaster(0, 0, 40, 50) == mask.tobytes()
    del band, dataset
    assert gdaltest.tree_digest(tmp_path / "b.ome.zarr") == gdaltest.tree_digest(expected)


def test_sparse_image_stores_only_what_was_written(tmp_path):
    path = str(tmp_path / "a.ome.zarr")
    dataset = gdaltest.OMEZARR.Create(path, 20000, 20000, 1, gdal.GDT_Byte)
    dataset.GetRasterBand(1).SetNoDataValue(255)
    dataset.GetRasterBand(1).Fill(255)
    dataset.GetRasterBand(1).WriteRaster(10000, 10000, 1, 1, b"\x07")
    assert dataset.GetRasterBand(1).ReadRaster(9999, 10000, 3, 1) == b"\xff\x07\xff"
    del dataset
    chunks = [f for f in gdaltest.files_of(path) if "/c/" in f and f.startswith(("scale0/image", "ovr_"))]
    levels = len(gdaltest.level_paths(path))
    assert len(chunks) == levels  # one chunk of each level
    assert gdaltest.open_band(path).ReadRaster(9999, 10000, 3, 1) == b"\xff\x07\xff"


def test_fill_and_never_written(tmp_path):
    path = str(tmp_path / "a.ome.zarr")
    dataset = gdaltest.OMEZARR.Create(path, 100, 100, 2, gdal.GDT_Float32, ["BLOCKSIZE=32"])
    dataset.GetRasterBand(2).Fill(2.5)
    del dataset
    for level in gdaltest.our_levels(path):
        assert (level[0] == 0).all() and (level[1] == 2.5).all()


def test_nothing_is_visible_before_the_end(tmp_path):
    path = str(tmp_path / "a.ome.zarr")
    dataset = create(path, gdaltest.random_array((1, 300, 300), "uint8"), "BLOCKSIZE=64")
    dataset.FlushCache()
    dataset.GetRasterBand(1).FlushCache()
    assert not os.path.exists(path)
    with pytest.raises(RuntimeError):
        gdal.Open(path)
    del dataset
    assert gdal.Open(path).RasterXSize == 300
    assert os.listdir(tmp_path) == ["a.ome.zarr"]


def test_a_killed_process_leaves_nothing_that_opens_and_the_next_one_cleans_up(tmp_path):
    path = str(tmp_path / "a.ome.zarr")
    code = ("from osgeo import gdal; import os, signal\n"
            f"d = gdal.GetDriverByName('OMEZARR').Create({path!r}, 500, 500, 1, 1, ['BLOCKSIZE=64', 'MEMORY=100KB'])\n"
            "d.GetRasterBand(1).Fill(9); d.FlushCache(); os.kill(os.getpid(), signal.SIGKILL)\n")
    run = subprocess.run([sys.executable, "-c", code], env=os.environ, stderr=subprocess.DEVNULL)
    assert run.returncode == -signal.SIGKILL
    assert not os.path.exists(path)
    assert os.listdir(tmp_path) == [".a.ome.zarr.partial"]
    create(path, gdaltest.random_array((1, 30, 30), "uint8"))
    assert os.listdir(tmp_path) == ["a.ome.zarr"]


def test_little_memory_spills_and_stays_right(tmp_path):
    path = str(tmp_path / "a.ome.zarr")
    array = gdaltest.random_array((1, 2000, 2000), "uint16")
    dataset = gdaltest.OMEZARR.Create(path, 2000, 2000, 1, gdal.GDT_UInt16, ["BLOCKSIZE=256", "MEMORY=1MB"])
    with gdaltest.config_option("GDAL_CACHEMAX", "1MB"):
        write_in_pieces(dataset, array, 500)
    dataset.FlushCache()
    scratch = os.path.join(tmp_path, ".a.ome.zarr.partial", ".scratch")
    assert len(os.listdir(scratch)) > 20
    del dataset
    expected = ngffmodel.pyramid(array, ngffmodel.plain_factors(2000, 2000, 256))
    for got, want in zip(gdaltest.our_levels(path), expected, strict=True):
        np.testing.assert_array_equal(got, want)


# -- What the application does not say -------------------------------------------------------------------------------

R, G, B, A = gdal.GCI_RedBand, gdal.GCI_GreenBand, gdal.GCI_BlueBand, gdal.GCI_AlphaBand


def meanings(path):
    dataset = gdal.Open(str(path))
    return [dataset.GetRasterBand(i + 1).GetColorInterpretation() for i in range(dataset.RasterCount)]


@pytest.mark.parametrize("n_bands", [1, 2, 3, 4, 5])
def test_bands_mean_what_the_application_says_and_no_more(tmp_path, n_bands):
    path = tmp_path / "a.ome.zarr"
    del_me = create(path, gdaltest.random_array((n_bands, 20, 20), "uint8"))
    del del_me
    assert meanings(path) == ([gdal.GCI_GrayIndex] if n_bands == 1 else [gdal.GCI_Undefined] * n_bands)


@pytest.mark.parametrize("said", [{1: R}, {4: A}, {3: gdal.GCI_GrayIndex}, {1: R, 2: G, 3: B, 4: A}, {1: R, 4: gdal.GCI_Undefined}])
def test_what_is_said_of_one_band_is_said_of_no_other(tmp_path, said):
    path = tmp_path / "a.ome.zarr"
    dataset = create(path, gdaltest.random_array((4, 20, 20), "uint8"))
    for band, meaning in said.items():
        dataset.GetRasterBand(band).SetColorInterpretation(meaning)
    del dataset
    assert meanings(path) == [said.get(band, gdal.GCI_Undefined) for band in (1, 2, 3, 4)]


def infrared():
    """Red, green, blue, near infrared; half of the last is 0."""
    array = gdaltest.random_array((4, 100, 120), "uint8", seed=5)
    array[3, :, :60] = 0
    return array


@pytest.mark.parametrize("of", ["create", "gdalwarp", "gdal_merge"])
def test_a_fourth_band_is_no_transparency_of_the_levels(tmp_path, of):
    array, path = infrared(), str(tmp_path / "a.ome.zarr")
    source = str(tmp_path / "source.tif")
    gdaltest.mem(array, driver="GTiff", path=source, geotransform=GT, code="EPSG:32633",
                 options=["PHOTOMETRIC=MINISBLACK"])
    if of == "create":
        dataset = create(path, array, "BLOCKSIZE=32")
        assert dataset.GetRasterBand(1).GetMaskFlags() == gdal.GMF_ALL_VALID
        del dataset
    elif of == "gdalwarp":
        run = subprocess.run(["gdalwarp", "-of", "OMEZARR", "-co", "BLOCKSIZE=32", source, path], env=os.environ,
                             capture_output=True, text=True)
        assert (run.returncode, run.stderr) == (0, ""), run.stderr
    else:
        pytest.importorskip("osgeo_utils")
        run = subprocess.run([gdaltest.PYTHON, "-m", "osgeo_utils.gdal_merge", "-q", "-of", "OMEZARR", "-co",
                              "BLOCKSIZE=32", "-o", path, source], env=os.environ, capture_output=True, text=True)
        if "No module named" in run.stderr or "numpy.core.multiarray" in run.stderr:
            pytest.skip(run.stderr.strip().splitlines()[-1])
        assert run.returncode == 0, run.stderr
    for got, want in zip(gdaltest.our_levels(path), ngffmodel.pyramid(array, ngffmodel.plain_factors(100, 120, 32)),
                         strict=True):
        np.testing.assert_array_equal(got, want)
    assert meanings(path)[3] != A


@pytest.mark.parametrize("setci", [False, True])
@pytest.mark.parametrize("colors", [[R, G, B, gdal.GCI_Undefined], [gdal.GCI_GrayIndex] + [gdal.GCI_Undefined] * 2,
                                    [R, G, B], [R, G, B, A]])
def test_gdalwarp_says_colours_when_asked_and_alpha_always(tmp_path, colors, setci):
    array = gdaltest.random_array((len(colors), 60, 50), "uint8")
    if colors[-1] == A:
        array[3] = 255
    source = gdaltest.mem(array, geotransform=GT, code="EPSG:32633")
    for i, color in enumerate(colors):
        source.GetRasterBand(i + 1).SetColorInterpretation(color)
    path = tmp_path / "a.ome.zarr"
    assert gdal.Warp(str(path), source, format="OMEZARR", setColorInterpretation=setci) is not None
    expected = [c if setci or c == A else gdal.GCI_Undefined for c in colors]
    assert meanings(path) == expected
    np.testing.assert_array_equal(gdaltest.our_levels(path)[0], array)


def test_southing_is_checked_at_the_end(tmp_path):
    source = gdaltest.mem(gdaltest.random_array((1, 60, 50), "uint8"), geotransform=GT, code="EPSG:32633")
    warped = gdal.Warp("", source, format="MEM", dstSRS="EPSG:3857", srcNodata="none", dstNodata=0)
    path = str(tmp_path / "a.ome.zarr")
    gdal.Warp(path, source, format="OMEZARR", dstSRS="EPSG:3857", dstNodata=0,
              creationOptions=["ORIGIN=SOUTHING", "BLOCKSIZE=32"])
    x, dx, _, y, _, dy = warped.GetGeoTransform()
    for level, (scale, translation) in enumerate(gdaltest.transforms(path)):
        f = 2 ** level
        np.testing.assert_allclose(scale[-2:], [-dy * f, dx * f], rtol=1e-12)
        np.testing.assert_allclose(translation[-2:], [-(y + dy * f / 2), x + dx * f / 2], rtol=1e-12)
    np.testing.assert_array_equal(gdaltest.our_levels(path)[0][0], gdaltest.pixels(warped.GetRasterBand(1)))


def test_southing_knows_nodata_before_the_position(tmp_path):
    path = str(tmp_path / "a.ome.zarr")
    dataset = gdaltest.OMEZARR.Create(path, 40, 40, 1, gdal.GDT_Int16, ["ORIGIN=SOUTHING", "BLOCKSIZE=16"])
    band = dataset.GetRasterBand(1)
    band.SetNoDataValue(-7)
    band.WriteRaster(0, 0, 1, 1, np.int16(3).tobytes())
    assert band.ReadRaster(0, 0, 2, 1) == np.array([3, -7], "int16").tobytes()
    dataset.SetGeoTransform(GT)
    del band, dataset
    level = gdaltest.our_levels(path)[0][0]
    assert level[0, 0] == 3 and (level.ravel()[1:] == -7).all()


@pytest.mark.parametrize("geotransform", [None, (0, 1, 0, 0, 0, 1), (0, 1, 0.5, 0, 0.5, -1)])
def test_southing_without_a_position_makes_nothing(tmp_path, geotransform):
    code = ("from osgeo import gdal; gdal.DontUseExceptions()\n"
            f"d = gdal.GetDriverByName('OMEZARR').Create({str(tmp_path / 'a.ome.zarr')!r}, 30, 30, 1, 1,"
            " ['ORIGIN=SOUTHING'])\n"
            f"g = {geotransform!r}\n"
            "if g: d.SetGeoTransform(g)\n"
            "d.GetRasterBand(1).Fill(9); d = None\n")
    run = subprocess.run([sys.executable, "-c", code], env=os.environ, capture_output=True, text=True)
    assert "a.ome.zarr: ORIGIN=SOUTHING needs a north-up geotransform" in run.stderr, run.stderr
    assert os.listdir(tmp_path) == []


# -- Overviews -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["NEAREST", "AVERAGE", "GAUSS", "MODE", "RMS", "CUBIC", "CUBICSPLINE", "LANCZOS",
                                    "BILINEAR"])
def test_build_overviews_on_the_open_dataset_decides_the_levels(tmp_path, method):
    array = gdaltest.smooth_array((1, 100, 120), "uint16")
    expected = copy_of(tmp_path / "a.ome.zarr", array, "BLOCKSIZE=32", "SCALE_FACTORS=2,8",
                       f"OVERVIEW_RESAMPLING={method}")
    dataset = create(tmp_path / "b.ome.zarr", array, "BLOCKSIZE=32")
    assert dataset.BuildOverviews(method, [8, 2]) == gdal.CE_None
    del dataset
    assert gdaltest.tree_digest(tmp_path / "b.ome.zarr") == gdaltest.tree_digest(expected)


def test_no_overviews_on_request(tmp_path):
    dataset = create(tmp_path / "b.ome.zarr", gdaltest.random_array((1, 100, 120), "uint16"), "BLOCKSIZE=32")
    assert dataset.BuildOverviews("NEAREST", []) == gdal.CE_None
    del dataset
    assert gdaltest.open_band(tmp_path / "b.ome.zarr").GetOverviewCount() == 0


def test_an_unknown_method_is_refused_with_the_list(tmp_path):
    dataset = create(tmp_path / "b.ome.zarr", gdaltest.random_array((1, 100, 120), "uint16"), "BLOCKSIZE=32")
    with pytest.raises(RuntimeError, match="AVERAGE_MAGPHASE.*GAUSS"):
        dataset.BuildOverviews("AVERAGE_MAGPHASE", [2])
    del dataset
    assert gdaltest.open_band(tmp_path / "b.ome.zarr").GetOverviewCount() == 2


# -- What is refused -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("option", ["COMPRESS=JPEG", "BLOCKSIZE=-1", "NGFF_VERSION=0.3", "DRY_RUN=YES", "DRY_RUN=TRUE", "VERIFY=source",
                                    "OVERVIEWS=FORCE_USE_EXISTING", "COMPRES=ZSTD"])
def test_bad_options_are_refused_before_anything_is_written(tmp_path, option):
    with pytest.raises(RuntimeError, match=option.split("=")[0]), gdaltest.collected_messages():
        gdaltest.OMEZARR.Create(str(tmp_path / "a.ome.zarr"), 10, 10, 1, gdal.GDT_Byte, [option])
    assert os.listdir(tmp_path) == []


def test_no_bands_is_refused(tmp_path):
    with pytest.raises(RuntimeError, match="band"):
        gdaltest.OMEZARR.Create(str(tmp_path / "a.ome.zarr"), 10, 10, 0, gdal.GDT_Byte)
    assert os.listdir(tmp_path) == []


def test_an_existing_store_needs_overwrite_and_lives_until_the_end(tmp_path):
    path = str(tmp_path / "a.ome.zarr")
    create(path, np.full((1, 30, 30), 1, "uint8"))
    before = gdaltest.tree_digest(path)
    with pytest.raises(RuntimeError, match="OVERWRITE"):
        gdaltest.OMEZARR.Create(path, 10, 10, 1, gdal.GDT_Byte)
    assert gdaltest.tree_digest(path) == before
    dataset = create(path, np.full((1, 40, 40), 2, "uint8"), "OVERWRITE=YES")
    assert gdaltest.tree_digest(path) == before
    del dataset
    assert (gdaltest.our_levels(path)[0] == 2).all()


def test_a_folder_that_is_no_store_is_never_touched(tmp_path):
    os.mkdir(tmp_path / "a.ome.zarr")
    (tmp_path / "a.ome.zarr" / "letter.txt").write_text("dear")
    with pytest.raises(RuntimeError):
        gdaltest.OMEZARR.Create(str(tmp_path / "a.ome.zarr"), 10, 10, 1, gdal.GDT_Byte, ["OVERWRITE=YES"])
    assert (tmp_path / "a.ome.zarr" / "letter.txt").read_text() == "dear"


def test_failing_close_is_told_and_leaves_nothing(tmp_path):
    """In a process of its own, without exceptions: a destructor cannot raise, so the error is on stderr."""
    folder = tmp_path / "gone"
    folder.mkdir()
    code = ("from osgeo import gdal; import os; gdal.DontUseExceptions()\n"
            f"d = gdal.GetDriverByName('OMEZARR').Create({str(folder / 'a.ome.zarr')!r}, 300, 300, 1, 1)\n"
            "d.GetRasterBand(1).Fill(9); d.FlushCache()\n"
            f"os.rename({str(folder)!r}, {str(tmp_path / 'elsewhere')!r})\n"
            "d = None; gdal.Error(gdal.CE_Failure, gdal.CPLE_AppDefined, 'others are still heard')\n")
    run = subprocess.run([sys.executable, "-c", code], env=os.environ, capture_output=True, text=True)
    assert "a.ome.zarr" in run.stderr and "No such file" in run.stderr, run.stderr
    assert "others are still heard" in run.stderr  # our threads are quiet, the process is not
    assert not os.path.exists(folder)


@pytest.mark.parametrize("option, told", [("VERIFY=SOURCE", "VERIFY=STORE"), ("DRY_RUN=YES", "gdal_translate"),
                                          ("OVERVIEWS=FORCE_USE_EXISTING", "made at closing")])
def test_what_only_a_copy_can_do_has_a_message_of_its_own(tmp_path, option, told):
    path = str(tmp_path / "a.ome.zarr")
    with pytest.raises(RuntimeError) as problem:
        gdaltest.OMEZARR.Create(path, 10, 10, 1, gdal.GDT_Byte, [option])
    message = str(problem.value)
    assert message.startswith(f"{path}: {option} ") and told in message
    for other in ("VERIFY=SOURCE", "DRY_RUN", "FORCE_USE_EXISTING"):
        assert other in option or other not in message


# -- What fails outside ----------------------------------------------------------------------------------------------


def broken_tiff(path, n_good):
    """A GTiff of two tiles in a row, the first n_good of which can be read."""
    gdaltest.mem(gdaltest.random_array((1, 256, 512), "uint8"), driver="GTiff", path=path, geotransform=GT,
                 code="EPSG:32633", options=["TILED=YES", "COMPRESS=DEFLATE"])
    band = gdaltest.open_band(path)
    offset = int(band.GetMetadataItem(f"BLOCK_OFFSET_{n_good}_0", "TIFF"))
    del band
    with open(path, "r+b") as file:
        file.seek(offset)
        file.write(b"\xff" * 64)


def test_a_gdalwarp_that_wrote_nothing_and_failed_leaves_nothing(tmp_path):
    source, path = str(tmp_path / "source.tif"), tmp_path / "a.ome.zarr"
    broken_tiff(source, 0)
    run = subprocess.run(["gdalwarp", "-q", "-of", "OMEZARR", source, str(path)], env=os.environ, capture_output=True,
                         text=True)
    assert run.returncode == 1
    assert f"{path} is not made: no pixel was written" in run.stderr, run.stderr
    assert os.listdir(tmp_path) == ["source.tif"]


GIVEN_UP = """
from osgeo import gdal
gdal.DontUseExceptions()
def fail():
    gdal.Error(gdal.CE_Failure, gdal.CPLE_AppDefined, 'of somebody else')
def make(*options):
    return gdal.GetDriverByName('OMEZARR').Create({path!r}, 40, 30, 1, 1, list(options))
"""


@pytest.mark.parametrize("how, is_made", [
    ("d = make(); d = None", True),
    ("fail(); d = make(); d = None", True),
    ("d = make(); fail(); d = None", False),
    ("d = make(); fail(); gdal.ErrorReset(); d = None", True),
    ("d = make(); d.GetRasterBand(1).Fill(0); fail(); d = None", True),
    ("d = make(); d.GetRasterBand(1).WriteRaster(1, 1, 1, 1, b'1'); fail(); d = None", True),
    ("d = make(); d.GetRasterBand(1).ReadRaster(); fail(); d = None", False),
])
def test_an_error_outside_counts_only_where_no_pixel_came(tmp_path, how, is_made):
    path = str(tmp_path / "a.ome.zarr")
    run = subprocess.run([sys.executable, "-c", GIVEN_UP.format(path=path) + how], env=os.environ, capture_output=True,
                         text=True)
    assert ("is not made" in run.stderr) == (not is_made), run.stderr
    assert os.listdir(tmp_path) == (["a.ome.zarr"] if is_made else [])


# -- GDAL's own programs ---------------------------------------------------------------------------------------------


@pytest.fixture
def picture(tmp_path):
    array = gdaltest.smooth_array((3, 120, 150), "uint8")
    path = str(tmp_path / "source.tif")
    gdaltest.mem(array, driver="GTiff", path=path, geotransform=GT, code="EPSG:32633")
    return path


def assert_same(found, expected):
    np.testing.assert_array_equal(gdaltest.pixels(gdal.Open(str(found))), gdaltest.pixels(gdal.Open(str(expected))))


def test_gdalwarp(tmp_path, picture):
    args = dict(dstSRS="EPSG:4326", resampleAlg="bilinear", dstNodata=0)
    gdal.Warp(str(tmp_path / "a.tif"), picture, format="GTiff", **args)
    gdal.Warp(str(tmp_path / "a.ome.zarr"), picture, format="OMEZARR", creationOptions=["BLOCKSIZE=64"], **args)
    assert_same(tmp_path / "a.ome.zarr", tmp_path / "a.tif")
    found = gdal.Open(str(tmp_path / "a.ome.zarr"))
    assert found.GetSpatialRef().GetAuthorityCode(None) == "4326"
    assert found.GetGeoTransform() == pytest.approx(gdal.Open(str(tmp_path / "a.tif")).GetGeoTransform(), rel=1e-14)
    assert found.GetRasterBand(1).GetNoDataValue() == 0
    assert found.GetRasterBand(1).GetOverviewCount() > 0


def test_gdal_rasterize(tmp_path):
    from osgeo import ogr
    polygons = str(tmp_path / "p.geojson")
    layer = ogr.GetDriverByName("GeoJSON").CreateDataSource(polygons)
    shapes = layer.CreateLayer("p", osr.SpatialReference(), ogr.wkbPolygon)
    feature = ogr.Feature(shapes.GetLayerDefn())
    feature.SetGeometry(ogr.CreateGeometryFromWkt("POLYGON((10 10,60 20,40 70,10 10))"))
    shapes.CreateFeature(feature)
    del feature, shapes, layer
    args = dict(outputBounds=[0, 0, 100, 80], xRes=1, yRes=1, burnValues=[200], initValues=[7],
                outputType=gdal.GDT_Byte)
    gdal.Rasterize(str(tmp_path / "a.tif"), polygons, format="GTiff", **args)
    gdal.Rasterize(str(tmp_path / "a.ome.zarr"), polygons, format="OMEZARR", creationOptions=["BLOCKSIZE=32"], **args)
    assert_same(tmp_path / "a.ome.zarr", tmp_path / "a.tif")


def test_gdal_calc_and_gdal_merge(tmp_path, picture):
    pytest.importorskip("osgeo_utils")
    for name in ("gdal_calc", "gdal_merge"):
        outputs = []
        for path in (tmp_path / f"{name}.tif", tmp_path / f"{name}.ome.zarr"):
            driver = "GTiff" if path.suffix == ".tif" else "OMEZARR"
            args = (["-A", picture, "--calc", "A*0.5", "--type", "Float32", "--format", driver, "--outfile", str(path),
                     "--quiet"] if name == "gdal_calc" else ["-q", "-of", driver, "-o", str(path), picture])
            run = subprocess.run([gdaltest.PYTHON, "-m", f"osgeo_utils.{name}", *args], env=os.environ,
                                 capture_output=True, text=True)
            if "No module named" in run.stderr or "numpy.core.multiarray" in run.stderr:
                pytest.skip(run.stderr.strip().splitlines()[-1])
            assert run.returncode == 0, run.stderr
            outputs.append(path)
        assert_same(outputs[1], outputs[0])


def test_create_in_memory_and_on_many_bands(tmp_vsimem):
    array = gdaltest.random_array((40, 30, 20), "uint16")
    path = f"{tmp_vsimem}/a.ome.zarr"
    create(path, array, "BLOCKSIZE=16")
    np.testing.assert_array_equal(gdaltest.our_levels(path)[0], array)
