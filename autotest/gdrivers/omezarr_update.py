"""Update mode: a store that is there gets other pixels or another description in place. What comes out is compared with
a store newly made of the changed pixels; what was not changed must not be touched."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys

import faults
import gdaltest
import numpy as np
import pytest
from osgeo import gdal

from omezarr_readers import VALIDATOR

GT = (500000.0, 10.0, 0.0, 5000000.0, 0.0, -10.0)
DIRTY = ".omezarr-dirty"


def update(path):
    return gdal.OpenEx(str(path), gdal.OF_UPDATE | gdal.OF_RASTER)


def chunk_files(path):
    """All objects but the root's documents, which hold statistics too."""
    return {name: data for name, data in gdaltest.snapshot(path).items() if os.sep in name and data != "folder"}


def window(random_state, shape):
    height, width = shape[-2:]
    y, x = random_state.randrange(height), random_state.randrange(width)
    return y, x, random_state.randint(1, min(25, height - y)), random_state.randint(1, min(25, width - x))


CASES = {
    "grey": ((1, 90, 70), "uint8", [], {}),
    "rgb 0.4": ((3, 90, 70), "uint8", ["NGFF_VERSION=0.4"], {}),
    "rgba": ((4, 90, 70), "uint8", [], {}),
    "nodata": ((2, 90, 70), "int16", ["LAYOUT=SCALES"], {"nodata": 7}),
    "nodata per band": ((2, 90, 70), "uint16", [], {"nodata": [7, 9]}),
    "float nan gauss": ((1, 90, 70), "float32", ["COMPRESS=GZIP", "OVERVIEW_RESAMPLING=GAUSS"], {"nodata": float("nan")}),
    "flat 0.4": ((2, 90, 70), "float64", ["LAYOUT=FLAT", "NGFF_VERSION=0.4", "COMPRESS=LZ4"], {}),
    "sharded": ((2, 90, 70), "uint16", ["SHARD=32"], {}),
    "axes": ((6, 40, 30), "uint16", ["AXES=z:3,c:2"], {}),
    "axes in another order": ((6, 40, 30), "uint16", ["AXES=c:2,z:3"], {}),
    "z is halved, too": ((6, 90, 70), "uint16", ["AXES=c:2,z:3", "SCALE_FACTORS=ISOTROPIC"], {}),
    "factors": ((1, 90, 70), "uint16", ["SCALE_FACTORS=3,6"], {}),
    "many bands in one chunk": ((5, 60, 50), "uint8", ["BLOCKSIZE=3,16,16"], {}),
    "64 bit": ((1, 60, 50), "int64", [], {"nodata": -5}),
}


def make(path, array, options, **kwargs):
    """As CreateCopy makes it, with colours that stay the same when it is opened again."""
    source = gdaltest.mem(array, geotransform=GT, code="EPSG:32633", **kwargs)
    colours = [gdal.GCI_RedBand, gdal.GCI_GreenBand, gdal.GCI_BlueBand, gdal.GCI_AlphaBand]
    for i in range(array.shape[0]):
        is_rgb = array.shape[0] in (3, 4)
        source.GetRasterBand(i + 1).SetColorInterpretation(colours[i] if is_rgb else gdal.GCI_GrayIndex)
    return gdaltest.write(path, source, *options)


@pytest.mark.parametrize("where", ["disk", "memory"])
@pytest.mark.parametrize("name", CASES)
def test_changed_windows_make_the_store_of_the_changed_pixels(tmp_path, tmp_vsimem, name, where):
    shape, dtype, options, kwargs = CASES[name]
    options = options if any("BLOCKSIZE" in o for o in options) else ["BLOCKSIZE=16", *options]
    array, other = gdaltest.random_array(shape, dtype), gdaltest.random_array(shape, dtype, seed=2)
    if "nodata" in kwargs:
        array[:, 10:60, 20:50] = 7
    path = f"{tmp_vsimem}/a.ome.zarr" if where == "memory" else str(tmp_path / "a.ome.zarr")
    make(path, array, options, **kwargs)
    # Opened again, bands are in the order of NGFF's axes.
    array = gdaltest.pixels(gdal.Open(path)).copy()
    state = random.Random(3)
    dataset = update(path)
    for _ in range(4):
        y, x, height, width = window(state, shape)
        b = state.randrange(shape[0])
        array[b, y:y + height, x:x + width] = other[b, y:y + height, x:x + width]
        part = np.ascontiguousarray(array[b, y:y + height, x:x + width])
        dataset.GetRasterBand(b + 1).WriteRaster(x, y, width, height, part.tobytes())
    np.testing.assert_array_equal(gdaltest.pixels(dataset), array)
    del dataset
    found = gdaltest.our_levels(path)
    np.testing.assert_array_equal(found[0], array)
    options = ["AXES=c:2,z:3" if option.startswith("AXES") else option for option in options]
    expected = make(tmp_path / "b.ome.zarr", array, options, **kwargs)
    for got, want in zip(found, gdaltest.our_levels(expected), strict=True):
        np.testing.assert_array_equal(got, want)
    if where == "disk":
        assert chunk_files(path) == chunk_files(expected)
        assert os.listdir(tmp_path) and sorted(os.listdir(tmp_path)) == ["a.ome.zarr", "b.ome.zarr"]
        assert not os.path.exists(os.path.join(path, DIRTY))


def test_mask_and_pixels_change_together_or_alone(tmp_path):
    array = gdaltest.random_array((2, 50, 40), "uint16")
    mask = (gdaltest.random_array((50, 40), "uint8") > 100).astype("uint8") * 255

    def masked(path, array, mask):
        source = gdaltest.mem(array)
        source.CreateMaskBand(gdal.GMF_PER_DATASET)
        source.GetRasterBand(1).GetMaskBand().WriteRaster(0, 0, 40, 50, mask.tobytes())
        return gdaltest.write(path, source, "BLOCKSIZE=16")

    path = masked(tmp_path / "a.ome.zarr", array, mask)
    dataset = update(path)
    assert dataset.GetRasterBand(1).GetMaskBand().ReadRaster() == mask.tobytes()
    mask[3:9, 5:30] = 255
    dataset.GetRasterBand(1).GetMaskBand().WriteRaster(5, 3, 25, 6, np.ascontiguousarray(mask[3:9, 5:30]).tobytes())
    array[1, 20:30, 10:20] = 999
    dataset.GetRasterBand(2).WriteRaster(10, 20, 10, 10, np.ascontiguousarray(array[1, 20:30, 10:20]).tobytes())
    del dataset
    assert chunk_files(path) == chunk_files(masked(tmp_path / "b.ome.zarr", array, mask))


def test_a_mask_can_be_added(tmp_path):
    array = gdaltest.random_array((1, 50, 40), "uint16")
    path = gdaltest.write(tmp_path / "a.ome.zarr", gdaltest.mem(array), "BLOCKSIZE=16")
    dataset = update(path)
    assert dataset.CreateMaskBand(gdal.GMF_PER_DATASET) == gdal.CE_None
    dataset.GetRasterBand(1).GetMaskBand().WriteRaster(0, 0, 20, 50, b"\xff" * 1000)
    del dataset
    found = gdaltest.open_band(path)
    assert found.GetMaskFlags() == gdal.GMF_PER_DATASET
    mask = gdaltest.pixels(found.GetMaskBand())
    assert (mask[:, :20] == 255).all() and (mask[:, 20:] == 0).all()
    level = gdaltest.our_levels(path)[1][0]
    assert (level[:, 10:] == 0).all() and (level[:, :10] != 0).any()


# -- Description -----------------------------------------------------------------------------------------------------


def rich_source():
    array = gdaltest.smooth_array((2, 80, 60), "int16")
    source = gdaltest.mem(array, geotransform=GT, code="EPSG:32633", nodata=[-1, -2])
    source.SetMetadataItem("WHO", "me")
    source.SetMetadata(["A=1"], "OTHER")
    source.SetMetadata(["<x>é</x>"], "xml:XMP")
    for i in (1, 2):
        band = source.GetRasterBand(i)
        band.SetDescription(f"band {i}")
        band.SetUnitType("m")
        band.SetScale(0.1 * i)
        band.SetOffset(-3.7)
        band.SetMetadataItem("SENSOR", "x")
        band.SetColorInterpretation(gdal.GCI_GrayIndex)
    source.GetRasterBand(2).SetCategoryNames(["none", "one"])
    rat = gdal.RasterAttributeTable()
    rat.CreateColumn("v", gdal.GFT_Real, gdal.GFU_Generic)
    rat.SetRowCount(1)
    rat.SetValueAsDouble(0, 0, 0.1)
    source.GetRasterBand(2).SetDefaultRAT(rat)
    return source


VARIANTS = [[], ["NGFF_VERSION=0.4"], ["LAYOUT=SCALES"], ["LAYOUT=FLAT"], ["SHARD=32", "COMPRESS=ZSTD", "LEVEL=3"], ["CHECKSUM=YES"],
            ["ORIGIN=SOUTHING", "NAME=a name", "CHANNEL_NAMES=a\\,b,c", "WINDOW=1:5", "STATISTICS=NO"]]


@pytest.mark.parametrize("options", VARIANTS, ids=lambda o: " ".join(o) or "default")
def test_a_change_and_its_opposite_leave_the_same_bytes(tmp_path, options):
    path = gdaltest.write(tmp_path / "a.ome.zarr", rich_source(), "BLOCKSIZE=16", *options)
    before = gdaltest.snapshot(tmp_path)
    del_item = "NEW"
    dataset = update(path)
    del dataset
    assert gdaltest.snapshot(tmp_path) == before
    dataset = update(path)
    dataset.SetMetadataItem(del_item, "1")
    del dataset
    changed = gdaltest.snapshot(tmp_path)
    assert [k for k in changed if changed[k] != before.get(k)] and set(changed) == set(before)
    assert gdal.Open(path).GetMetadataItem(del_item) == "1"
    dataset = update(path)
    dataset.SetMetadataItem(del_item, None)
    del dataset
    assert gdaltest.snapshot(tmp_path) == before


def test_a_change_of_a_stack_keeps_the_names_of_its_channels(tmp_path):
    path = gdaltest.write(tmp_path / "a.ome.zarr", gdaltest.mem(gdaltest.random_array((6, 40, 30), "uint8")), "AXES=c:2,z:3",
                          "CHANNEL_NAMES=a,b", "CHANNEL_COLORS=FF0000,00FF00")
    before = gdaltest.snapshot(tmp_path)
    for value in ("1", None):
        dataset = update(path)
        dataset.SetMetadataItem("NEW", value)
        del dataset
        assert (gdaltest.snapshot(tmp_path) == before) == (value is None)


def test_metadata_of_a_store_made_without_any_can_be_set(tmp_path):
    path = gdaltest.write(tmp_path / "a.ome.zarr", rich_source(), "COPY_SRC_MDD=NO")
    assert gdal.Open(path).GetMetadataItem("WHO") is None
    dataset = update(path)
    dataset.SetMetadata(["B=2"], "OTHER")
    del dataset
    assert gdal.Open(path).GetMetadata("OTHER") == {"B": "2"}


def test_every_description_can_be_changed_and_statistics_stay(tmp_path):
    path = gdaltest.write(tmp_path / "a.ome.zarr", rich_source(), "BLOCKSIZE=16")
    pixel_files = {k: v for k, v in chunk_files(path).items() if "/c/" in k and "/image/" in k}
    dataset = update(path)
    dataset.SetGeoTransform((100.0, 2.0, 0.0, 900.0, 0.0, -3.0))
    dataset.SetSpatialRef(gdaltest.crs("EPSG:3857"))
    dataset.SetMetadata({"NEW": "x"})
    first, second = dataset.GetRasterBand(1), dataset.GetRasterBand(2)
    first.SetDescription("other")
    first.SetScale(7)
    first.SetOffset(8)
    first.SetUnitType("ft")
    first.SetColorInterpretation(gdal.GCI_RedBand)
    first.SetMetadata({"BAND": "y"})
    second.SetCategoryNames(["a", "b", "c"])
    second.SetDefaultRAT(None)
    del first, second, dataset
    found = gdal.Open(path)
    assert found.GetGeoTransform() == (100.0, 2.0, 0.0, 900.0, 0.0, -3.0)
    assert found.GetSpatialRef().GetAuthorityCode(None) == "3857"
    assert found.GetMetadata() == {"NEW": "x"}
    assert found.GetMetadata("OTHER") == {"A": "1"}
    first, second = found.GetRasterBand(1), found.GetRasterBand(2)
    assert (first.GetDescription(), first.GetScale(), first.GetOffset(), first.GetUnitType(),
            first.GetColorInterpretation(), first.GetNoDataValue()) == ("other", 7, 8, "ft", gdal.GCI_RedBand, -1)
    assert first.GetMetadataItem("BAND") == "y" and first.GetMetadataItem("SENSOR") is None
    assert second.GetCategoryNames() == ["a", "b", "c"] and second.GetDefaultRAT() is None
    assert first.GetMetadataItem("STATISTICS_MEAN") is not None
    # All places that say where the image lies say the same, and the pixels are as they were.
    root = gdaltest.attributes(path)
    assert [t[0][1:] for t in gdaltest.transforms(path)][0] == [3.0, 2.0]
    for level, folder in enumerate(gdaltest.level_paths(path)):
        array = gdaltest.attributes(folder)
        factor = 2 ** level
        assert array["gdal:geotransform"] == [100.0, 2.0 * factor, 0.0, 900.0, 0.0, -3.0 * factor]
        assert array["spatial:transform"] == [2.0 * factor, 0.0, 100.0, 0.0, -3.0 * factor, 900.0]
        assert array["proj:code"] == "EPSG:3857"
        assert array["_CRS"]["url"].endswith("/3857")
        assert root["multiscales"]["layout"][level]["spatial:transform"] == array["spatial:transform"]
        x = np.fromfile(os.path.join(os.path.dirname(folder), "x", "c", "0"), "<f8")
        assert x[0] == 100 + factor and x[1] == 100 + 3 * factor
    assert {k: v for k, v in chunk_files(path).items() if "/c/" in k and "/image/" in k} == pixel_files
    consolidated = gdaltest.read_json(path + "/zarr.json")["consolidated_metadata"]["metadata"]
    for node, document in consolidated.items():
        assert document == gdaltest.read_json(f"{path}/{node}/zarr.json")


def test_a_georeference_can_come_and_go(tmp_path):
    array = gdaltest.random_array((1, 60, 50), "uint8")
    path = gdaltest.write(tmp_path / "a.ome.zarr", gdaltest.mem(array), "BLOCKSIZE=16")
    plain = set(gdaltest.files_of(path))
    dataset = update(path)
    dataset.SetGeoTransform(GT)
    dataset.SetSpatialRef(gdaltest.crs("EPSG:32633"))
    del dataset
    found = gdal.Open(path)
    assert found.GetGeoTransform() == GT and found.GetSpatialRef().GetAuthorityCode(None) == "32633"
    assert {"scale0/x/zarr.json", "scale0/x/c/0", "scale0/y/c/0"} <= set(gdaltest.files_of(path)) - plain
    dataset = update(path)
    dataset.SetGCPs([gdal.GCP(1, 2, 3, 4, 5), gdal.GCP(6, 7, 8, 9, 10), gdal.GCP(1, 7, 8, 19, 10)],
                    gdaltest.crs("EPSG:4326"))
    dataset.SetSpatialRef(None)
    dataset.SetGeoTransform((0, 1, 0, 0, 0, 1))  # as gdal_edit.py -unsetgt
    del dataset
    assert set(gdaltest.files_of(path)) == plain
    found = gdal.Open(path)
    assert found.GetGCPCount() == 3 and found.GetGeoTransform(can_return_null=True) is None


def test_a_new_nodata_value_makes_the_levels_again_and_the_fill_value_stays(tmp_path):
    array = gdaltest.random_array((1, 90, 70), "uint16")
    array[:, 20:40, 20:50] = 7
    path = gdaltest.write(tmp_path / "a.ome.zarr", gdaltest.mem(array), "BLOCKSIZE=16")
    expected = gdaltest.write(tmp_path / "b.ome.zarr", gdaltest.mem(array, nodata=7), "BLOCKSIZE=16")
    dataset = update(path)
    dataset.GetRasterBand(1).SetNoDataValue(7)
    del dataset
    for got, want in zip(gdaltest.our_levels(path), gdaltest.our_levels(expected), strict=True):
        np.testing.assert_array_equal(got, want)
    assert gdaltest.open_band(path).GetNoDataValue() == 7
    assert said(path)[0]["mean"] == pytest.approx(array[array != 7].mean(dtype=float), rel=1e-12)
    assert all(gdaltest.array_json(p)["fill_value"] == 0 for p in gdaltest.level_paths(path))
    dataset = update(path)
    dataset.GetRasterBand(1).DeleteNoDataValue()
    del dataset
    again = gdaltest.write(tmp_path / "c.ome.zarr", gdaltest.mem(array), "BLOCKSIZE=16")
    assert chunk_files(path) == chunk_files(again)


def test_what_others_put_into_the_store_stays(tmp_path):
    path = gdaltest.write(tmp_path / "a.ome.zarr", rich_source(), "BLOCKSIZE=16")
    document = gdaltest.read_json(path + "/zarr.json")
    document["attributes"]["mine"] = {"big": 9007199254740993, "list": [1, 2.5, "é"]}
    with open(path + "/zarr.json", "w") as file:
        json.dump(document, file)
    os.makedirs(path + "/labels")
    with open(path + "/labels/zarr.json", "w") as file:
        json.dump({"zarr_format": 3, "node_type": "group", "attributes": {"ome": {"version": "0.5", "labels": []}}}, file)
    dataset = update(path)
    dataset.SetMetadataItem("WHO", "you")
    dataset.GetRasterBand(1).WriteRaster(0, 0, 1, 1, b"\x01\x00")
    del dataset
    assert gdaltest.attributes(path)["mine"] == {"big": 9007199254740993, "list": [1, 2.5, "é"]}
    assert os.path.exists(path + "/labels/zarr.json")
    assert gdal.Open(path).GetMetadataItem("WHO") == "you"


@pytest.mark.parametrize("options", VARIANTS[:5], ids=lambda o: " ".join(o) or "default")
def test_validators_and_other_readers_take_a_changed_store(tmp_path, options):
    pytest.importorskip("yaozarrs")
    pytest.importorskip("tensorstore")
    path = gdaltest.write(tmp_path / "a.ome.zarr", rich_source(), "BLOCKSIZE=16", *options)
    dataset = update(path)
    dataset.SetGeoTransform((100.0, 2.0, 0.0, 900.0, 0.0, -3.0))
    dataset.GetRasterBand(1).SetNoDataValue(3)
    dataset.GetRasterBand(2).WriteRaster(10, 10, 20, 20, np.arange(400, dtype="int16").tobytes())
    del dataset
    assert subprocess.run(["gdaladdo", "-q", "-r", "average", path, "2", "3", "6"]).returncode == 0
    done = subprocess.run([sys.executable, VALIDATOR, "--strict", path], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-4000:]
    ours = gdaltest.our_levels(path)
    for theirs in (gdaltest.zarr_levels(path), gdaltest.tensorstore_levels(path)):
        for got, want in zip(theirs, ours, strict=True):
            np.testing.assert_array_equal(got, want)


# -- Overviews -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("options", [[], ["LAYOUT=SCALES"], ["LAYOUT=FLAT", "NGFF_VERSION=0.4"], ["SHARD=32"]],
                         ids=lambda o: " ".join(o) or "default")
def test_gdaladdo_adds_replaces_and_cleans(tmp_path, options):
    array = gdaltest.smooth_array((2, 100, 120), "uint16")
    options = ["BLOCKSIZE=32", *options]
    path = gdaltest.write(tmp_path / "a.ome.zarr", gdaltest.mem(array, geotransform=GT), *options, "SCALE_FACTORS=2")
    base = {k: v for k, v in chunk_files(path).items() if k.split(os.sep)[0] in ("scale0", "0")}

    def expect(name, *more):
        expected = gdaltest.write(tmp_path / name, gdaltest.mem(array, geotransform=GT), *options, *more)
        assert chunk_files(path) == chunk_files(expected)
        for got, want in zip(gdaltest.our_levels(path), gdaltest.our_levels(expected), strict=True):
            np.testing.assert_array_equal(got, want)

    for arguments in (["-r", "gauss", path, "4"],):
        assert subprocess.run(["gdaladdo", "-q", *arguments]).returncode == 0
    expect("b.ome.zarr", "SCALE_FACTORS=2,4", "OVERVIEW_RESAMPLING=GAUSS")
    assert {k: v for k, v in chunk_files(path).items() if k.split(os.sep)[0] in ("scale0", "0")}.keys() == base.keys()
    assert subprocess.run(["gdaladdo", "-q", "-clean", path]).returncode == 0
    expect("c.ome.zarr", "OVERVIEWS=NONE")
    assert subprocess.run(["gdaladdo", "-q", "-r", "mode", path, "3"]).returncode == 0
    expect("d.ome.zarr", "SCALE_FACTORS=3", "OVERVIEW_RESAMPLING=MODE")


def test_levels_are_there_as_soon_as_they_are_built(tmp_path):
    array = gdaltest.random_array((2, 100, 120), "uint16")
    path = gdaltest.write(tmp_path / "a.ome.zarr", gdaltest.mem(array), "BLOCKSIZE=32", "OVERVIEWS=NONE")
    expected = gdaltest.write(tmp_path / "b.ome.zarr", gdaltest.mem(array), "BLOCKSIZE=32", "SCALE_FACTORS=2,4")
    levels = [level.squeeze() for level in gdaltest.zarr_levels(expected)]
    dataset = update(path)
    band = dataset.GetRasterBand(2)
    assert band.GetOverviewCount() == 0
    assert dataset.BuildOverviews("AVERAGE", [2]) == gdal.CE_None and band.GetOverviewCount() == 1
    first = band.GetOverview(0)
    assert dataset.BuildOverviews("AVERAGE", [4]) == gdal.CE_None and band.GetOverviewCount() == 2
    for overview, level in ((first, levels[1]), (band.GetOverview(0), levels[1]), (band.GetOverview(1), levels[2])):
        np.testing.assert_array_equal(gdaltest.pixels(overview), level[1])
    assert chunk_files(path) == chunk_files(expected)  # with the dataset still open
    array[1, :50] = 7
    band.WriteRaster(0, 0, 120, 50, array[1, :50].tobytes())
    assert band.GetOverviewCount() == 0
    del first, overview, band, dataset
    gdaltest.write(expected, gdaltest.mem(array), "BLOCKSIZE=32", "SCALE_FACTORS=2,4", "OVERWRITE=YES")
    assert chunk_files(path) == chunk_files(expected)


def test_levels_that_cannot_be_built_are_an_error_at_once(tmp_path):
    path = gdaltest.write(tmp_path / "a.ome.zarr", gdaltest.mem(gdaltest.random_array((1, 100, 120), "uint8")), "BLOCKSIZE=32", "OVERVIEWS=NONE")
    dataset = update(path)
    for chunk in chunk_files(path):
        os.remove(os.path.join(path, chunk))
    with pytest.raises(RuntimeError, match="missing, but it was stored"):
        dataset.BuildOverviews("AVERAGE", [2])
    run = subprocess.run(["gdaladdo", "-q", path, "2"], stderr=subprocess.PIPE, text=True)
    assert run.returncode != 0 and "missing, but it was stored" in run.stderr


def test_gdaladdo_keeps_levels_whose_factor_is_not_the_ratio_of_sizes(tmp_path):
    """1000 columns and 8 of the last level: 125, but the factor is 128."""
    array = gdaltest.smooth_array((1, 40, 1000), "uint8")
    path = gdaltest.write(tmp_path / "a.ome.zarr", gdaltest.mem(array), "BLOCKSIZE=16", "SCALE_FACTORS=2,128")
    assert subprocess.run(["gdaladdo", "-q", "-r", "average", path, "4"]).returncode == 0
    expected = gdaltest.write(tmp_path / "b.ome.zarr", gdaltest.mem(array), "BLOCKSIZE=16", "SCALE_FACTORS=2,4,128")
    assert chunk_files(path) == chunk_files(expected)
    assert gdaltest.transforms(path) == gdaltest.transforms(expected)


@pytest.mark.parametrize("factors", ["z:2,y:2,x:2;z:4,y:4,x:4", "y:2,x:1;y:4,x:2"])
def test_gdaladdo_keeps_levels_that_halve_other_axes(tmp_path, factors):
    """GDAL names a level by its factor of y and x alone."""
    array = gdaltest.smooth_array((8, 90, 70), "uint16")
    path = gdaltest.write(tmp_path / "a.ome.zarr", gdaltest.mem(array), "BLOCKSIZE=16", "AXES=z:8", f"SCALE_FACTORS={factors}")
    before = gdaltest.zarr_levels(path)
    assert [level.shape for level in before[1:3]] == ([(4, 45, 35), (2, 23, 18)] if factors[0] == "z" else [(8, 45, 70), (8, 23, 35)])
    assert subprocess.run(["gdaladdo", "-q", "-r", "average", path, "8"]).returncode == 0
    after = gdaltest.zarr_levels(path)
    assert len(after) == len(before) + 1
    for level in before:
        assert any(level.shape == other.shape and (level == other).all() for other in after)


def test_stale_overviews_are_not_shown(tmp_path):
    array = gdaltest.random_array((1, 100, 120), "uint8")
    path = gdaltest.write(tmp_path / "a.ome.zarr", gdaltest.mem(array), "BLOCKSIZE=32")
    dataset = update(path)
    band = dataset.GetRasterBand(1)
    assert band.GetOverviewCount() == 2
    np.testing.assert_array_equal(gdaltest.pixels(band.GetOverview(0)), gdaltest.our_levels(path)[1][0])
    band.Fill(9)
    band.FlushCache()
    assert band.GetOverviewCount() == 0
    assert set(band.ReadRaster(0, 0, 120, 100, 12, 10)) == {9}
    del band, dataset
    assert all((level == 9).all() for level in gdaltest.our_levels(path))


# -- Statistics and windows ----------------------------------------------------------------------------------------------


def said(path, channel=0):
    return gdaltest.attributes(path)["omezarr"].get("statistics", [None] * 9)[channel], gdaltest.ome(path)["omero"]["channels"][channel]["window"]


def check_said(path, channel, values, dtype, together=None):
    """Statistics and window of a channel against NumPy. together: what shares the window with it."""
    values = values.astype(float)
    statistics, window = said(path, channel)
    assert (statistics["n_valid"], statistics["min"], statistics["max"]) == (values.size, values.min(), values.max())
    assert statistics["mean"] == pytest.approx(values.mean(), rel=1e-12) and statistics["std_dev"] == pytest.approx(values.std(), rel=1e-9)
    start, end = np.percentile(values if together is None else together, [2, 98])
    assert [window["start"], window["end"]] == pytest.approx([start, end], rel=1e-9)
    limits = (0, 255) if dtype == "uint8" else (min(values.min(), start), max(values.max(), end))
    assert [window["min"], window["max"]] == pytest.approx(limits, rel=1e-9)


def test_the_smallest_case_of_a_changed_window(tmp_path):
    array = np.arange(64, dtype="uint16").reshape(1, 8, 8)
    path = gdaltest.write(tmp_path / "a.ome.zarr", gdaltest.mem(array), "BLOCKSIZE=4")
    array[0, :, :4] = 60000
    dataset = update(path)
    dataset.GetRasterBand(1).WriteRaster(0, 0, 4, 8, array[0, :, :4].tobytes())
    del dataset
    assert said(path)[1]["max"] == 60000
    check_said(path, 0, array, "uint16")


@pytest.mark.parametrize("kind", ["plain", "nodata", "mask", "alpha", "rgb"])
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "float32"])
def test_a_change_of_a_part_finds_statistics_and_windows_anew(tmp_path, dtype, kind):
    bands = {"alpha": 2, "rgb": 3}.get(kind, 1)
    array = gdaltest.smooth_array((bands, 260, 270), dtype)  # float: level 0 is the smallest with enough pixels
    valid = np.random.default_rng(3).random(array.shape[1:]) < 0.97
    if kind == "nodata":
        array[0][~valid] = 7
    if kind == "alpha":
        array[1] = valid * 200
    source = gdaltest.mem(array, nodata=7 if kind == "nodata" else None)
    if kind == "alpha":
        source.GetRasterBand(2).SetColorInterpretation(gdal.GCI_AlphaBand)
    if kind == "rgb":
        for number in range(3):
            source.GetRasterBand(number + 1).SetColorInterpretation(gdal.GCI_RedBand + number)
    if kind == "mask":
        source.CreateMaskBand(gdal.GMF_PER_DATASET)
        source.GetRasterBand(1).GetMaskBand().WriteRaster(0, 0, 270, 260, (valid * np.uint8(255)).tobytes())
    path = gdaltest.write(tmp_path / "a.ome.zarr", source, "BLOCKSIZE=64", "WINDOW=PERCENTILE")
    part = np.full((90, 100), 120 if dtype == "uint8" else 30000, dtype)
    array[0, 20:110, 30:130] = part
    dataset = update(path)
    dataset.GetRasterBand(1).WriteRaster(30, 20, 100, 90, part.tobytes())
    del dataset
    counts = array[0] != 7 if kind == "nodata" else valid if kind in ("mask", "alpha") else np.ones_like(valid)
    if kind == "rgb":
        for number in range(3):
            check_said(path, number, array[number], dtype, array.astype(float))
    else:
        check_said(path, 0, array[0][counts], dtype)


def test_a_window_that_was_given_stays(tmp_path):
    path = gdaltest.write(tmp_path / "a.ome.zarr", gdaltest.mem(gdaltest.smooth_array((1, 100, 120), "uint16")), "BLOCKSIZE=32", "WINDOW=10:90")
    dataset = update(path)
    dataset.GetRasterBand(1).WriteRaster(0, 0, 1, 1, b"\xff\xff")
    del dataset
    window = said(path)[1]
    assert (window["start"], window["end"], window["max"]) == (10, 90, 65535)


def test_without_statistics_there_are_none_after_a_change(tmp_path):
    path = gdaltest.write(tmp_path / "a.ome.zarr", gdaltest.mem(gdaltest.smooth_array((1, 100, 120), "uint16")), "BLOCKSIZE=32", "STATISTICS=NO")
    dataset = update(path)
    dataset.GetRasterBand(1).WriteRaster(0, 0, 1, 1, b"\xff\xff")
    del dataset
    assert gdaltest.open_band(path).GetMetadataItem("STATISTICS_MEAN") is None and said(path)[1]["max"] == 65535


def write_vrt(folder, side, patch):
    """side x side pixels with a patch at (4000, 5000); the rest is zeros that nobody stores."""
    gdaltest.mem(patch, driver="GTiff", path=f"{folder}/patch.tif").FlushCache()
    height, width = patch.shape
    with open(f"{folder}/s.vrt", "w", encoding="utf-8") as file:
        file.write(f'<VRTDataset rasterXSize="{side}" rasterYSize="{side}"><VRTRasterBand dataType="UInt16" band="1"><SimpleSource>'
                   f"<SourceFilename>{folder}/patch.tif</SourceFilename><SourceBand>1</SourceBand>"
                   f'<SrcRect xOff="0" yOff="0" xSize="{width}" ySize="{height}"/><DstRect xOff="4000" yOff="5000" xSize="{width}" ySize="{height}"/>'
                   "</SimpleSource></VRTRasterBand></VRTDataset>")
    return gdal.Open(f"{folder}/s.vrt")


def test_of_a_large_image_a_small_level_says_the_window(tmp_path):
    """800 MB are not read for one pixel: statistics go, the limits grow, start and end are those of a level."""
    patch = np.random.default_rng(2).integers(1000, 2000, (3000, 4000)).astype("uint16")
    path = gdaltest.write(tmp_path / "a.ome.zarr", write_vrt(tmp_path, 20000, patch))
    assert said(path)[1]["max"] == patch.max()
    dataset = update(path)
    dataset.GetRasterBand(1).WriteRaster(19999, 19999, 1, 1, b"\x60\xea")
    del dataset
    assert gdaltest.open_band(path).GetMetadataItem("STATISTICS_MEAN") is None
    window = said(path)[1]
    assert (window["min"], window["max"]) == (0, 60000)
    level = next(level for level in reversed(gdaltest.zarr_levels(path)) if level.size >= 65536)
    assert [window["start"], window["end"]] == pytest.approx(np.percentile(level.astype(float), [2, 98]), rel=1e-9)


def test_a_damaged_chunk_elsewhere_does_not_stop_a_change(tmp_path):
    array = gdaltest.smooth_array((1, 200, 200), "uint16")
    path = gdaltest.write(tmp_path / "a.ome.zarr", gdaltest.mem(array), "BLOCKSIZE=32", "SHARD=NONE", "OVERVIEW_COUNT=0")
    os.truncate(f"{path}/scale0/image/c/5/5", 20)
    with gdaltest.collected_messages() as messages:
        dataset = update(path)
        dataset.GetRasterBand(1).WriteRaster(0, 0, 1, 1, b"\xff\xff")
        del dataset
    assert messages.errors() == [] and len(messages.warnings()) == 1
    assert "statistics are dropped" in messages.warnings()[0] and "c/5/5" in messages.warnings()[0]
    assert gdaltest.open_band(path).GetMetadataItem("STATISTICS_MEAN") is None and said(path)[1]["max"] == 65535


def test_statistics_are_new_where_all_changes(tmp_path):
    path = gdaltest.write(tmp_path / "a.ome.zarr", gdaltest.mem(gdaltest.smooth_array((1, 100, 120), "uint16")), "BLOCKSIZE=32")
    dataset = update(path)
    dataset.GetRasterBand(1).Fill(5)
    del dataset
    assert float(gdaltest.open_band(path).GetMetadataItem("STATISTICS_MEAN")) == 5


# -- Failure ---------------------------------------------------------------------------------------------------------


def kill_while_closing(path, n, value):
    """A process that changes all pixels and is killed before its nth call that writes."""
    faults.killed_at(n, path, [sys.executable, "-c", "from osgeo import gdal\n"
                               f"d = gdal.OpenEx({path!r}, gdal.OF_UPDATE); d.GetRasterBand(1).Fill({value}); d.FlushCache(); d = None\n"])


@pytest.mark.parametrize("value,n", [(77, 400), (0, 40), (0, 200)])  # chunks of 0 go
def test_a_killed_change_is_told_and_mended(tmp_path, value, n):
    array = gdaltest.smooth_array((1, 300, 300), "uint16") + np.uint16(1)
    path = gdaltest.write(tmp_path / "a.ome.zarr", gdaltest.mem(array), "BLOCKSIZE=16", "SHARD=NONE")
    kill_while_closing(path, n, value)
    assert os.path.exists(os.path.join(path, DIRTY))
    with gdaltest.collected_messages() as messages:
        dataset = gdal.Open(path)
    assert dataset is not None and "interrupted" in "".join(messages.warnings())
    mixed = gdaltest.pixels(dataset)
    assert set(np.unique(mixed[mixed != array[0]])) == {value}  # every chunk is the old or the new one
    assert (mixed == array[0]).any()
    del dataset
    dataset = update(path)  # the next change, even one of nothing, makes the levels again
    del dataset
    assert not os.path.exists(os.path.join(path, DIRTY))
    with gdaltest.collected_messages() as messages:
        found = gdaltest.our_levels(path)
    assert not messages
    expected = gdaltest.write(tmp_path / "b.ome.zarr", gdaltest.mem(mixed), "BLOCKSIZE=16", "SHARD=NONE")
    for got, want in zip(found, gdaltest.our_levels(expected), strict=True):
        np.testing.assert_array_equal(got, want)
    assert sorted(os.listdir(tmp_path)) == ["a.ome.zarr", "b.ome.zarr"]


@pytest.mark.parametrize("shard", ["SHARD=NONE", "SHARD=64"])
def test_what_is_missing_is_not_taken_for_fill_after_a_change_that_failed(tmp_path, shard):
    """The mark of the failed change is there, but no chunk of full size was taken away."""
    array = gdaltest.random_array((1, 100, 120), "uint8") | np.uint8(1)
    path = gdaltest.write(tmp_path / "a.ome.zarr", gdaltest.mem(array), "BLOCKSIZE=32", "OVERVIEWS=NONE", shard)
    lost = [name for name in chunk_files(path) if name.startswith(os.path.join("scale0", "image", "c"))][0]
    os.remove(os.path.join(path, lost))
    for _ in range(2):
        run = subprocess.run(["gdaladdo", "-q", path, "2"], capture_output=True, text=True)
        assert run.returncode != 0 and "missing, but it was stored" in run.stderr
    assert os.path.exists(os.path.join(path, DIRTY))
    with pytest.raises(RuntimeError, match="recorded it as stored"):
        gdal.Open(path).ReadRaster()
    filled = gdal.OpenEx(path, gdal.OF_UPDATE, open_options=["MISSING_CHUNKS=FILL"])
    assert filled.BuildOverviews("AVERAGE", [2]) == gdal.CE_None
    del filled
    found = gdaltest.our_levels(path)
    assert len(found) == 2 and (found[0] == 0).any() and not os.path.exists(os.path.join(path, DIRTY))


def changed_under_strace(path, folder, *arguments):
    """Another program changes a pixel and a description; the calls that strace saw, and what the program said."""
    if shutil.which("strace") is None:
        pytest.skip("no strace")
    program = f"""from osgeo import gdal
dataset = gdal.Open({path!r}, gdal.GA_Update)
dataset.GetRasterBand(1).WriteRaster(0, 0, 1, 1, b"7")
dataset.SetMetadataItem("changed", "yes")
"""
    done = subprocess.run(["strace", "-f", "-qq", "-o", str(folder / "trace"), "-e", "trace=openat,fsync,syncfs,rename,unlink",
                           *arguments, sys.executable, "-c", program], env=os.environ, capture_output=True, text=True)
    if "ptrace" in done.stderr:
        pytest.skip("no ptrace here")
    with open(folder / "trace") as file:
        return file.read().splitlines(), done.stderr


def test_the_mark_is_on_the_disk_before_anything_is_replaced(tmp_path):
    path = gdaltest.write(tmp_path / "a.ome.zarr", gdaltest.mem(gdaltest.random_array((1, 90, 90), "uint8")), "BLOCKSIZE=32")
    calls, _ = changed_under_strace(path, tmp_path)
    first = lambda *words: next(i for i, call in enumerate(calls) if all(word in call for word in words))
    made, replaced = first("openat", DIRTY, "O_CREAT"), first("rename(", ".new-")
    synced = [i for i, call in enumerate(calls) if "fsync(" in call and made < i < replaced]
    assert len(synced) == 2, "the mark, and the folder that names it"
    last = max(i for i, call in enumerate(calls) if "rename(" in call)
    assert last < first("syncfs(") < first("unlink(", DIRTY)


@pytest.mark.parametrize("call,is_changed", [("fsync", False), ("syncfs", True)])
def test_what_does_not_reach_the_disk_is_told(tmp_path, call, is_changed):
    path = gdaltest.write(tmp_path / "a.ome.zarr", gdaltest.mem(gdaltest.random_array((1, 90, 90), "uint8")), "BLOCKSIZE=32")
    before = gdaltest.snapshot(path)
    _, said = changed_under_strace(path, tmp_path, "-e", f"inject={call}:error=EIO")
    assert "Input/output error" in said and DIRTY in said
    assert os.path.exists(f"{path}/{DIRTY}") == is_changed
    assert (gdaltest.snapshot(path) != before) == is_changed


def test_a_process_killed_before_the_end_has_changed_nothing(tmp_path):
    array = gdaltest.random_array((1, 300, 300), "uint8")
    path = gdaltest.write(tmp_path / "a.ome.zarr", gdaltest.mem(array), "BLOCKSIZE=64")
    before = gdaltest.snapshot(path)
    code = ("from osgeo import gdal; import os, signal\n"
            f"d = gdal.OpenEx({path!r}, gdal.OF_UPDATE); d.GetRasterBand(1).Fill(9); d.SetMetadataItem('A', 'B')\n"
            "d.FlushCache(); os.kill(os.getpid(), signal.SIGKILL)\n")
    assert subprocess.run([sys.executable, "-c", code], env=os.environ).returncode == -signal.SIGKILL
    assert gdaltest.snapshot(path) == before
    dataset = update(path)
    dataset.GetRasterBand(1).Fill(3)  # the dead claim is cleared
    del dataset
    assert sorted(os.listdir(tmp_path)) == ["a.ome.zarr"]
    assert (gdaltest.our_levels(path)[0] == 3).all()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_of_two_writers_one_is_refused(tmp_path):
    path = gdaltest.write(tmp_path / "a.ome.zarr", gdaltest.mem(gdaltest.random_array((1, 30, 30), "uint8")))
    one, two = update(path), update(path)
    one.GetRasterBand(1).WriteRaster(0, 0, 1, 1, b"\x01")
    one.FlushCache()
    with pytest.raises(RuntimeError, match="another program is writing"):
        two.GetRasterBand(1).WriteRaster(0, 0, 1, 1, b"\x02")
        two.FlushCache()
    with gdaltest.collected_messages():
        del two
    del one
    assert gdaltest.open_band(path).ReadRaster(0, 0, 1, 1) == b"\x01"
    assert os.listdir(tmp_path) == ["a.ome.zarr"]


def test_a_failing_change_is_told(tmp_path):
    """A folder stands where a document goes; in a process of its own, as destructors cannot raise."""
    path = gdaltest.write(tmp_path / "a.ome.zarr", gdaltest.mem(gdaltest.random_array((1, 90, 90), "uint8")),
                          "BLOCKSIZE=16", "SHARD=NONE")
    chunk = os.path.join(path, "scale0", "image", "c", "0", "0")
    os.remove(chunk)
    os.makedirs(os.path.join(chunk, "in the way"))
    code = ("from osgeo import gdal; gdal.DontUseExceptions()\n"
            f"d = gdal.OpenEx({path!r}, gdal.OF_UPDATE); d.GetRasterBand(1).Fill(9); d = None\n")
    run = subprocess.run([sys.executable, "-c", code], env=os.environ, capture_output=True, text=True)
    assert "cannot replace" in run.stderr and "c/0/0" in run.stderr, run.stderr
    assert os.path.exists(os.path.join(path, DIRTY))
    shutil.rmtree(chunk)
    dataset = update(path)
    dataset.GetRasterBand(1).Fill(9)
    del dataset
    assert all((level == 9).all() for level in gdaltest.our_levels(path))


def test_stores_of_others_are_refused(tmp_path):
    zarr = pytest.importorskip("zarr")
    path = str(tmp_path / "a.ome.zarr")
    root = zarr.open_group(path, mode="w", zarr_format=3)
    root.create_array("0", data=np.zeros((4, 5), "uint8"))
    root.attrs["ome"] = {"version": "0.5", "multiscales": [{"axes": [{"name": "y", "type": "space"},
                         {"name": "x", "type": "space"}], "datasets": [{"path": "0", "coordinateTransformations": [
                             {"type": "scale", "scale": [1, 1]}]}]}]}
    assert gdal.Open(path) is not None
    before = gdaltest.snapshot(tmp_path)
    with pytest.raises(RuntimeError, match="gdal_translate"):
        update(path)
    assert gdaltest.snapshot(tmp_path) == before


@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_archives_are_refused_and_untouched(tmp_path, kind):
    store = gdaltest.write(tmp_path / "a.ome.zarr", gdaltest.mem(gdaltest.random_array((1, 90, 90), "uint8")), "BLOCKSIZE=32")
    archive = shutil.make_archive(str(tmp_path / "a"), kind, store)
    with open(archive, "rb") as file:
        before = file.read()
    with pytest.raises(RuntimeError, match="archives are only read") as refusal:
        update(f"OMEZARR:/vsi{kind}/{archive}")
    assert archive in str(refusal.value)
    with open(archive, "rb") as file:
        assert file.read() == before


def test_arrays_that_do_not_fit_the_options_are_refused(tmp_path):
    path = gdaltest.write(tmp_path / "a.ome.zarr", gdaltest.mem(gdaltest.random_array((1, 90, 90), "uint8")),
                          "BLOCKSIZE=16", "COMPRESS=GZIP")
    document = gdaltest.read_json(path + "/zarr.json")
    document["attributes"]["omezarr"]["options"] = ["BLOCKSIZE=32", "COMPRESS=GZIP"]
    with open(path + "/zarr.json", "w") as file:
        json.dump(document, file)
    with pytest.raises(RuntimeError, match="a.ome.zarr.*not"):
        update(path)


# -- GDAL's own programs ---------------------------------------------------------------------------------------------


def run_tool(*arguments):
    run = subprocess.run(arguments, env=os.environ, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert "ERROR" not in run.stderr, run.stderr


def test_other_statistics_than_those_of_the_pixels_are_told_and_not_kept(tmp_path):
    path = gdaltest.write(tmp_path / "a.ome.zarr", rich_source(), "BLOCKSIZE=16")
    before = gdaltest.open_band(path).GetMetadataItem("STATISTICS_MEAN")
    done = subprocess.run(["gdal_edit.py", "-setstats", "1", "2", "1.5", "0.5", path], capture_output=True, text=True)
    assert done.returncode == 0 and path in done.stderr and "statistics" in done.stderr
    assert gdaltest.open_band(path).GetMetadataItem("STATISTICS_MEAN") == before
    done = subprocess.run(["gdal_edit.py", "-stats", path], capture_output=True, text=True)  # those of its pixels
    assert done.returncode == 0 and done.stderr == ""


def test_levels_of_some_bands_are_told_to_be_of_all(tmp_path):
    path = gdaltest.write(tmp_path / "a.ome.zarr", rich_source(), "BLOCKSIZE=16", "OVERVIEWS=NONE")
    done = subprocess.run(["gdaladdo", "-q", "-b", "1", path, "2"], capture_output=True, text=True)
    assert done.returncode == 0 and "all 2" in done.stderr
    assert gdaltest.open_band(path, 2).GetOverviewCount() == 1


def test_gdal_edit(tmp_path):
    path = gdaltest.write(tmp_path / "a.ome.zarr", rich_source(), "BLOCKSIZE=16")
    run_tool("gdal_edit.py", "-mo", "KEY=VALUE", "-a_srs", "EPSG:25832", "-a_ullr", "0", "80", "60", "0", "-a_nodata", "5",
             path)
    found = gdal.Open(path)
    assert found.GetMetadataItem("KEY") == "VALUE"
    assert found.GetSpatialRef().GetAuthorityCode(None) == "25832"
    assert found.GetGeoTransform() == (0, 1, 0, 80, 0, -1)
    assert found.GetRasterBand(2).GetNoDataValue() == 5
    del found
    run_tool("gdal_edit.py", "-unsetnodata", "-unsetmd", path)
    found = gdal.Open(path)
    assert found.GetRasterBand(1).GetNoDataValue() is None and found.GetMetadataItem("KEY") is None


def test_gdalwarp_and_rasterize_into_a_store(tmp_path):
    array = gdaltest.smooth_array((1, 120, 150), "uint8")
    patch = gdaltest.mem(np.full((1, 20, 30), 200, "uint8"), driver="GTiff", path=str(tmp_path / "p.tif"),
                         geotransform=(500100.0, 10.0, 0.0, 4999900.0, 0.0, -10.0), code="EPSG:32633")
    del patch
    outputs = []
    for path in (tmp_path / "a.tif", tmp_path / "a.ome.zarr"):
        driver = gdal.GetDriverByName("GTiff" if path.suffix == ".tif" else "OMEZARR")
        driver.CreateCopy(str(path), gdaltest.mem(array, geotransform=GT, code="EPSG:32633"))
        run_tool("gdalwarp", "-q", str(tmp_path / "p.tif"), str(path))
        outputs.append(gdaltest.pixels(gdal.Open(str(path))))
    np.testing.assert_array_equal(outputs[1], outputs[0])
    assert (outputs[1] == 200).sum() == 600
