"""What NGFF has no place for, kept without loss; and what viewers use: omero, names, colours, windows, statistics."""

import json
import os

import gdaltest
import numpy as np
import pytest
from osgeo import gdal


def store_of(tmp_path, source, *options):
    store = gdaltest.write(tmp_path / "a.ome.zarr", source, *options)
    assert sorted(os.listdir(tmp_path)) == ["a.ome.zarr"], "nothing lies beside the store"
    return store


def plain_source(bands=1, dtype="uint8", shape=(40, 50)):
    return gdaltest.mem(gdaltest.smooth_array((bands,) + shape, dtype))


VERSIONS = pytest.mark.parametrize("version", ["NGFF_VERSION=0.5", "NGFF_VERSION=0.4"])


@VERSIONS
def test_metadata_domains_are_kept(tmp_path, version):
    source = plain_source(2)
    source.SetMetadata({"TITLE": "Grüße <&> \"'", "EMPTY": "", "LINES": "one\ntwo", "A": "x=y"})
    source.SetMetadata({"k": "v"}, "OTHER")
    source.SetMetadata(["<x:xmpmeta xmlns:x='adobe:ns:meta/'>äöü</x:xmpmeta>"], "xml:XMP")
    source.SetMetadata(['{"a": [1, 2.5, "é"]}'], "json:THING")
    source.GetRasterBand(2).SetMetadata({"BAND": "two"})
    source.GetRasterBand(2).SetMetadata({"q": "r"}, "BANDDOMAIN")
    dataset = gdal.Open(store_of(tmp_path, source, version))
    found = dataset.GetMetadata()
    for key in ("TITLE", "LINES", "A", "EMPTY"):
        assert found.get(key) == source.GetMetadata()[key], key
    assert dataset.GetMetadata("OTHER") == {"k": "v"}
    for domain in ("xml:XMP", "json:THING"):
        assert dataset.GetMetadata_List(domain) == source.GetMetadata_List(domain)
    assert dataset.GetRasterBand(2).GetMetadataItem("BAND") == "two"
    assert dataset.GetRasterBand(2).GetMetadata("BANDDOMAIN") == {"q": "r"}
    assert dataset.GetRasterBand(1).GetMetadataItem("BAND") is None


def test_metadata_can_be_left_out(tmp_path):
    source = plain_source()
    source.SetMetadata({"PATIENT": "somebody"})
    store = store_of(tmp_path, source, "COPY_SRC_MDD=NO")
    for name in gdaltest.files_of(store):
        with open(f"{store}/{name}", "rb") as file:
            assert b"somebody" not in file.read()


@VERSIONS
def test_an_item_of_more_than_64_kib_is_kept_outside_the_root_metadata(tmp_path, version):
    text = "<x>" + "0123456789abcdef" * 10000 + "</x>"
    source = plain_source()
    source.SetMetadata([text], "xml:BIG")
    store = store_of(tmp_path, source, version)
    assert gdal.Open(store).GetMetadata("xml:BIG")[0] == text
    root = f"{store}/zarr.json" if version.endswith("0.5") else f"{store}/.zattrs"
    assert os.path.getsize(root) < 100000


@VERSIONS
def test_scale_offset_unit_and_description_are_kept(tmp_path, version):
    source = plain_source(2, "int16")
    band = source.GetRasterBand(2)
    band.SetScale(0.1)
    band.SetOffset(-273.15)
    band.SetUnitType("K")
    band.SetDescription("Température")
    dataset = gdal.Open(store_of(tmp_path, source, version))
    found = dataset.GetRasterBand(2)
    assert (found.GetScale(), found.GetOffset(), found.GetUnitType(), found.GetDescription()) == (0.1, -273.15, "K", "Température")
    assert dataset.GetRasterBand(1).GetScale() in (None, 1) and dataset.GetRasterBand(1).GetDescription() == ""


def test_category_names_are_kept(tmp_path):
    source = plain_source()
    source.GetRasterBand(1).SetCategoryNames(["water", "", "Wald, dicht", "#3"])
    assert gdaltest.open_band(store_of(tmp_path, source)).GetCategoryNames() == ["water", "", "Wald, dicht", "#3"]


def test_colour_tables_are_kept(tmp_path):
    source = plain_source(1, "uint16")
    table = gdal.ColorTable()
    for i in range(300):
        table.SetColorEntry(i, (i % 256, 255 - i % 256, i // 2, 128 if i == 7 else 255))
    source.GetRasterBand(1).SetColorTable(table)
    band = gdaltest.open_band(store_of(tmp_path, source))
    found = band.GetColorTable()
    assert found.GetCount() == table.GetCount()
    assert all(found.GetColorEntry(i) == table.GetColorEntry(i) for i in range(300))


def test_raster_attribute_tables_are_kept(tmp_path):
    table = gdal.RasterAttributeTable()
    table.CreateColumn("Value", gdal.GFT_Integer, gdal.GFU_MinMax)
    table.CreateColumn("Name", gdal.GFT_String, gdal.GFU_Name)
    table.CreateColumn("Share", gdal.GFT_Real, gdal.GFU_Generic)
    table.SetRowCount(3)
    for row, (value, name, share) in enumerate([(1, "Öl", 0.1), (-5, "", 1e300), (2**31 - 1, "x", -1 / 3)]):
        table.SetValueAsInt(row, 0, value)
        table.SetValueAsString(row, 1, name)
        table.SetValueAsDouble(row, 2, share)
    table.SetLinearBinning(2.5, 0.5)
    source = plain_source()
    source.GetRasterBand(1).SetDefaultRAT(table)
    band = gdaltest.open_band(store_of(tmp_path, source))
    found = band.GetDefaultRAT()  # belongs to the band
    assert found.GetColumnCount() == 3 and found.GetRowCount() == 3
    for column in range(3):
        assert found.GetNameOfCol(column) == table.GetNameOfCol(column)
        assert found.GetTypeOfCol(column) == table.GetTypeOfCol(column)
        assert found.GetUsageOfCol(column) == table.GetUsageOfCol(column)
    for row in range(3):
        assert found.GetValueAsInt(row, 0) == table.GetValueAsInt(row, 0)
        assert found.GetValueAsString(row, 1) == table.GetValueAsString(row, 1)
        assert found.GetValueAsDouble(row, 2) == table.GetValueAsDouble(row, 2)
    assert found.GetLinearBinning() == table.GetLinearBinning()


def test_nbits_is_kept(tmp_path):
    source = plain_source(1, "uint16")
    source.GetRasterBand(1).SetMetadataItem("NBITS", "12", "IMAGE_STRUCTURE")
    assert gdaltest.open_band(store_of(tmp_path, source)).GetMetadataItem("NBITS", "IMAGE_STRUCTURE") == "12"


INTERPRETATIONS = [gdal.GCI_GrayIndex, gdal.GCI_RedBand, gdal.GCI_GreenBand, gdal.GCI_BlueBand, gdal.GCI_Undefined, gdal.GCI_CyanBand, gdal.GCI_YCbCr_YBand]


def test_colour_interpretation_is_kept(tmp_path):
    source = plain_source(len(INTERPRETATIONS))
    for number, value in enumerate(INTERPRETATIONS):
        source.GetRasterBand(number + 1).SetColorInterpretation(value)
    dataset = gdal.Open(store_of(tmp_path, source))
    assert [dataset.GetRasterBand(i + 1).GetColorInterpretation() for i in range(len(INTERPRETATIONS))] == INTERPRETATIONS


# -- omero ---------------------------------------------------------------------------------------------------------------


def channels(store):
    return gdaltest.ome(store)["omero"]["channels"]


def rgb_source(dtype="uint8", bands=3):
    source = plain_source(bands, dtype)
    for number, value in enumerate([gdal.GCI_RedBand, gdal.GCI_GreenBand, gdal.GCI_BlueBand, gdal.GCI_AlphaBand][:bands]):
        source.GetRasterBand(number + 1).SetColorInterpretation(value)
    return source


@VERSIONS
def test_rgb_is_red_green_and_blue_with_one_window(tmp_path, version):
    found = channels(store_of(tmp_path, rgb_source(), version))
    assert [c["color"].upper() for c in found] == ["FF0000", "00FF00", "0000FF"]
    assert [(c["window"]["start"], c["window"]["end"], c["window"]["min"], c["window"]["max"]) for c in found] == [(0, 255, 0, 255)] * 3
    assert all(c["label"] for c in found)


def test_wide_rgb_shares_one_window_over_all_three(tmp_path):
    source = rgb_source("uint16")
    array = np.stack([np.arange(2000).reshape(40, 50) + 5000 * i for i in range(3)]).astype("uint16")
    for i in range(3):
        source.GetRasterBand(i + 1).WriteRaster(0, 0, 50, 40, array[i].tobytes())
    found = channels(store_of(tmp_path, source))
    windows = [(c["window"]["start"], c["window"]["end"]) for c in found]
    assert len(set(windows)) == 1
    low, high = np.percentile(array, [2, 98])
    assert abs(windows[0][0] - low) <= 3 and abs(windows[0][1] - high) <= 3
    for c, band in zip(found, array):  # the slider of a viewer, which the window must lie on
        assert c["window"]["min"] == min(band.min(), windows[0][0]) and c["window"]["max"] == max(band.max(), windows[0][1])


def test_a_window_that_was_asked_for_lies_between_min_and_max(tmp_path):
    window = channels(store_of(tmp_path, plain_source(1, "uint16"), "WINDOW=-10:70000"))[0]["window"]
    assert window == {"min": -10, "start": -10, "end": 70000, "max": 70000}


@pytest.mark.parametrize("dtype", ["uint8", "int16", "uint16", "float32", "int32"])
def test_a_window_is_the_2_to_98_percent_of_the_valid_pixels(tmp_path, dtype):
    array = (np.random.default_rng(1).normal(120, 20, (1, 200, 300))).clip(1, 250).astype(dtype)
    store = store_of(tmp_path, gdaltest.mem(array), "OVERVIEW_COUNT=0")
    window = channels(store)[0]["window"]
    low, high = np.percentile(array, [2, 98])
    assert abs(window["start"] - low) <= 1 and abs(window["end"] - high) <= 1
    expected = (0, 255) if dtype == "uint8" else (array.min(), array.max())
    assert (window["min"], window["max"]) == pytest.approx(expected)


def test_nodata_and_nan_are_never_in_a_window(tmp_path):
    array = np.random.default_rng(1).integers(100, 201, (1, 60, 70)).astype("float32")
    array[0, :30] = -9999
    array[0, :, :20] = np.nan
    window = channels(store_of(tmp_path, gdaltest.mem(array, nodata=-9999.0)))[0]["window"]
    assert 100 <= window["start"] <= 105 and 195 <= window["end"] <= 200
    assert (window["min"], window["max"]) == (100, 200)


def test_masked_pixels_are_never_in_a_window(tmp_path):
    array = np.full((1, 64, 64), 60000, "uint16")
    array[0, :32] = np.arange(32 * 64).reshape(32, 64)
    source = gdaltest.mem(array)
    source.CreateMaskBand(gdal.GMF_PER_DATASET)
    mask = np.zeros((64, 64), "uint8")
    mask[:32] = 255
    source.GetRasterBand(1).GetMaskBand().WriteRaster(0, 0, 64, 64, mask.tobytes())
    window = channels(store_of(tmp_path, source))[0]["window"]
    assert window["max"] == 2047 and window["end"] <= 2047


def test_equal_values_give_a_window_of_one(tmp_path):
    for value, dtype in ((7, "uint16"), (-3.5, "float32"), (0, "uint8")):
        store = gdaltest.write(tmp_path / f"{dtype}", gdaltest.mem(np.full((1, 9, 9), value, dtype)))
        window = channels(store)[0]["window"]
        assert (window["start"], window["end"]) == (value, value + 1)


@pytest.mark.parametrize("dtype,highest", [("uint8", 255), ("uint16", 65535), ("int16", 32767)])
def test_a_window_of_the_highest_value_alone_stays_within_the_type(tmp_path, dtype, highest):
    store = gdaltest.write(tmp_path / "a.ome.zarr", gdaltest.mem(np.full((1, 9, 9), highest, dtype)))
    window = channels(store)[0]["window"]
    assert (window["start"], window["end"], window["max"]) == (highest - 1, highest, highest)


@pytest.mark.parametrize("dtype,value", [("float64", 1e300), ("float32", -3e38), ("int64", 2**62), ("uint64", 2**64 - 1)])
def test_equal_values_beyond_whole_numbers_of_a_double_give_a_window_too(tmp_path, dtype, value):
    store = gdaltest.write(tmp_path / "a.ome.zarr", gdaltest.mem(np.full((1, 9, 9), value, dtype)))
    window = channels(store)[0]["window"]
    assert window["min"] <= window["start"] < window["end"] <= window["max"]


def test_no_valid_pixel_gives_a_window_from_0_to_1(tmp_path):
    for dtype, nodata in (("uint16", 5), ("float32", float("nan"))):
        store = gdaltest.write(tmp_path / dtype, gdaltest.mem(np.full((1, 9, 9), nodata, dtype), nodata=nodata))
        window = channels(store)[0]["window"]
        assert (window["start"], window["end"]) == (0, 1)


@pytest.mark.parametrize("option,expected", [("WINDOW=MINMAX", (1000, 2999)), ("WINDOW=DTYPE", (0, 65535)), ("WINDOW=5:500", (5, 500))])
def test_window_option(tmp_path, option, expected):
    array = np.arange(1000, 3000).reshape(1, 40, 50).astype("uint16")
    window = channels(store_of(tmp_path, gdaltest.mem(array), option))[0]["window"]
    assert (window["start"], window["end"]) == expected


def test_channel_names_and_colours(tmp_path):
    source = plain_source(2)
    source.GetRasterBand(1).SetDescription("NIR")
    store = gdaltest.write(tmp_path / "a", source)
    assert channels(store)[0]["label"] == "NIR"
    store = gdaltest.write(tmp_path / "b", source, "CHANNEL_NAMES=one,two", "CHANNEL_COLORS=123456,ABCDEF")
    assert [c["label"] for c in channels(store)] == ["one", "two"]
    assert [c["color"].upper() for c in channels(store)] == ["123456", "ABCDEF"]


def test_above_256_channels_there_is_no_omero(tmp_path):
    store = gdaltest.write(tmp_path / "a", plain_source(257, shape=(8, 8)))
    assert "omero" not in gdaltest.ome(store)
    store = gdaltest.write(tmp_path / "b", plain_source(256, shape=(8, 8)))
    assert len(channels(store)) == 256


def test_name_is_the_name_of_the_multiscales(tmp_path):
    assert gdaltest.ome(gdaltest.write(tmp_path / "a", plain_source()))["multiscales"][0]["name"] == "image"
    store = gdaltest.write(tmp_path / "b", plain_source(), "NAME=Gruß \"x\"")
    assert gdaltest.ome(store)["multiscales"][0]["name"] == 'Gruß "x"'


# -- Statistics ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["uint8", "int16", "uint32", "float32", "float64"])
def test_statistics_are_exact_over_valid_pixels_and_need_no_scan(tmp_path, dtype):
    array = gdaltest.smooth_array((2, 130, 90), dtype)
    array[:, 20:60, 10:50] = 99
    store = store_of(tmp_path, gdaltest.mem(array, nodata=99), "BLOCKSIZE=32")
    dataset = gdal.Open(store)
    for number in range(2):
        valid = array[number][array[number] != 99].astype("float64")
        found = dataset.GetRasterBand(number + 1).GetStatistics(False, False)  # no approximation, no computing
        assert found == pytest.approx([valid.min(), valid.max(), valid.mean(), valid.std()], rel=1e-9)
        percent = dataset.GetRasterBand(number + 1).GetMetadataItem("STATISTICS_VALID_PERCENT")
        assert float(percent) == pytest.approx(100 * valid.size / array[number].size, abs=0.01)
    dataset = None
    assert sorted(os.listdir(tmp_path)) == ["a.ome.zarr"]


def test_statistics_can_be_left_out(tmp_path):
    store = store_of(tmp_path, plain_source(), "STATISTICS=NO")
    assert gdaltest.open_band(store).GetMetadataItem("STATISTICS_MEAN") is None


def test_stale_statistics_of_the_source_do_not_win(tmp_path):
    source = plain_source()
    source.GetRasterBand(1).SetMetadata({"STATISTICS_MINIMUM": "-5", "STATISTICS_MAXIMUM": "-4", "STATISTICS_MEAN": "-4.5", "STATISTICS_STDDEV": "1"})
    found = gdaltest.open_band(store_of(tmp_path, source)).GetStatistics(False, False)
    assert found[0] == gdaltest.pixels(source).min()


# -- The documents -----------------------------------------------------------------------------------------------------------


def test_no_document_holds_nan_or_infinity(tmp_path):
    array = np.full((2, 20, 20), np.nan, "float32")
    array[1, 3, 3] = np.inf
    store = store_of(tmp_path, gdaltest.mem(array, (0, 1, 0, 0, 0, -1), nodata=float("nan")))

    def refuse(text):
        raise AssertionError(f"{text} is not JSON")

    for name in gdaltest.files_of(store):
        if name.endswith(("json", ".zattrs", ".zarray", ".zgroup", ".zmetadata")):
            with open(f"{store}/{name}") as file:
                json.load(file, parse_constant=refuse)


@pytest.mark.parametrize("layout,version,expected", [("OVERVIEWS", "0.5", True), ("SCALES", "0.5", True), ("FLAT", "0.5", True),
                                                     ("OVERVIEWS", "0.4", True)])
def test_consolidated_metadata_equals_the_single_documents(tmp_path, layout, version, expected):
    source = gdaltest.mem(gdaltest.smooth_array((3, 100, 90), "uint8"), (500000, 10, 0, 5000000, 0, -10), "EPSG:32633")
    store = store_of(tmp_path, source, "BLOCKSIZE=32", f"LAYOUT={layout}", f"NGFF_VERSION={version}")
    if version == "0.4":
        found = gdaltest.read_json(f"{store}/.zmetadata")["metadata"]
        singles = {name: gdaltest.read_json(f"{store}/{name}") for name in gdaltest.files_of(store) if os.path.basename(name) in (".zattrs", ".zarray", ".zgroup")}
        assert found == singles
        return
    found = gdaltest.read_json(f"{store}/zarr.json").get("consolidated_metadata")
    assert bool(found) == expected
    if expected:
        singles = {os.path.dirname(name): gdaltest.read_json(f"{store}/{name}") for name in gdaltest.files_of(store) if name.endswith("/zarr.json")}
        for single in singles.values():
            single.pop("consolidated_metadata", None)
        assert {k: {n: v for n, v in m.items() if n != "consolidated_metadata"} for k, m in found["metadata"].items()} == singles


@pytest.mark.parametrize("option,is_there", [("CONSOLIDATED=YES", True), ("CONSOLIDATED=NO", False)])
@pytest.mark.parametrize("layout", ["OVERVIEWS", "SCALES", "FLAT"])
def test_consolidated_option(tmp_path, layout, option, is_there):
    store = store_of(tmp_path, plain_source(), f"LAYOUT={layout}", option)
    assert ("consolidated_metadata" in gdaltest.read_json(f"{store}/zarr.json")) == is_there


def test_v3_never_has_numcodecs_codecs_and_fill_value_is_never_null(tmp_path):
    for codec in ("ZSTD", "BLOSC", "GZIP", "NONE"):
        store = gdaltest.write(tmp_path / codec, plain_source(2, "uint16"), f"COMPRESS={codec}")
        for name in gdaltest.files_of(store):
            if name.endswith("zarr.json"):
                document = gdaltest.read_json(f"{store}/{name}")
                assert "numcodecs" not in json.dumps(document)
                assert document["node_type"] == "group" or document["fill_value"] is not None


def test_zstd_frames_carry_their_content_size(tmp_path):
    store = store_of(tmp_path, plain_source(), "COMPRESS=ZSTD")
    chunk = next(name for name in gdaltest.files_of(store) if "image/c/" in name)
    with open(f"{store}/{chunk}", "rb") as file:
        head = file.read(5)
    assert head[:4] == b"\x28\xb5\x2f\xfd"
    assert head[4] >> 6 != 0 or head[4] & 0x20  # frame content size flag, or single segment


def test_pam_is_not_needed(tmp_path):
    source = rgb_source()
    source.GetRasterBand(1).SetDescription("first")
    with gdaltest.config_option("GDAL_PAM_ENABLED", "NO"):
        dataset = gdal.Open(store_of(tmp_path, source))
        assert dataset.GetRasterBand(1).GetDescription() == "first"
