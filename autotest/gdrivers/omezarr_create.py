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
    if array.ndim == 3 and array.shape[0] in (3, 4) and array.dtype == np.uint8:  # what Create takes them for
        for i, meaning in enumerate([gdal.GCI_RedBand, gdal.GCI_GreenBand, gdal.GCI_BlueBand, gdal.GCI_AlphaBand]):
            if i < array.shape[0]:
                source.GetRasterBand(i + 1).SetColorInterpretation(meaning)
    elif source.GetRasterBand(1).GetColorInterpretation() == gdal.GCI_Undefined:
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
    "rgb": ((3, 90, 70), "uint8", [], {}),
    "rgba": ((4, 90, 70), "uint8", [], {}),
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
    source.GetRasterBand(1).SetColorInterpretation(gdal.GCI_GrayIndex)
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
    assert gdal.Open(str(tmp_path / "b.ome.zarr")).GetRasterBand(1).GetOverviewCount() == 0


def test_an_unknown_method_is_refused_with_the_list(tmp_path):
    dataset = create(tmp_path / "b.ome.zarr", gdaltest.random_array((1, 100, 120), "uint16"), "BLOCKSIZE=32")
    with pytest.raises(RuntimeError, match="AVERAGE_MAGPHASE.*GAUSS"):
        dataset.BuildOverviews("AVERAGE_MAGPHASE", [2])
    del dataset
    assert gdal.Open(str(tmp_path / "b.ome.zarr")).GetRasterBand(1).GetOverviewCount() == 2


# -- What is refused -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("option", ["COMPRESS=JPEG", "BLOCKSIZE=-1", "NGFF_VERSION=0.3", "DRY_RUN=YES", "DRY_RUN=TRUE", "VERIFY=source",
                                    "OVERVIEWS=FORCE_USE_EXISTING", "NO_SUCH_OPTION=1"])
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
