"""Statistics where sums of doubles would cancel, against Python's fractions (NumPy's long double is too coarse for
1e15 +- 1); and display windows of types wider than 16 bits, which come from the valid pixels of a small level."""

import math
from fractions import Fraction

import gdaltest
import numpy as np
import pytest
from osgeo import gdal


def statistics_of(store):
    return gdaltest.read_json(f"{store}/zarr.json")["attributes"]["omezarr"]["statistics"]


def exact_moments(values):
    """Mean and deviation, correctly rounded but for the last square root. All numbers are brought over one power of
    two, so that the sums are Python's whole numbers."""
    values = [Fraction(v) for v in values.reshape(-1).tolist()]
    scale = max(v.denominator for v in values)
    whole = [int(v * scale) for v in values]
    mean = Fraction(sum(whole), len(whole))
    variance = Fraction(sum(v * v for v in whole), len(whole)) - mean * mean
    extra = 10**40
    return float(mean / scale), float(Fraction(math.isqrt(int(variance * extra * extra)), extra * scale))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_infinities_count_in_levels_and_not_in_statistics(tmp_path, dtype):
    array = np.array([[np.inf, 1, 2, 3], [1, 1, 4, -np.inf], [np.inf, -np.inf, 5, 5], [7, 7, 5, 5]], dtype)
    store = gdaltest.write(tmp_path / "a.ome.zarr", gdaltest.mem(array), "SCALE_FACTORS=2", "WINDOW=MINMAX")
    np.testing.assert_array_equal(gdaltest.our_levels(store)[1][0], np.array([[np.inf, -np.inf], [np.nan, 5]], dtype))
    finite = array[np.isfinite(array)].astype(float)
    found = statistics_of(store)[0]
    assert (found["n_valid"], found["min"], found["max"]) == (finite.size, finite.min(), finite.max())
    assert found["mean"] == pytest.approx(finite.mean(), rel=1e-12)
    window = gdaltest.ome(store)["omero"]["channels"][0]["window"]
    assert (window["start"], window["end"]) == (finite.min(), finite.max())


def test_a_window_that_red_green_and_blue_share_widens_the_limits_of_each(tmp_path):
    array = np.stack([np.arange(6400, dtype="uint16").reshape(80, 80) % top for top in (100, 4000, 60000)])
    source = gdaltest.mem(array)
    for number in range(3):
        source.GetRasterBand(number + 1).SetColorInterpretation(gdal.GCI_RedBand + number)
    store = gdaltest.write(tmp_path / "a.ome.zarr", source)
    start, end = np.percentile(array.astype(float), [2, 98])
    for number, channel in enumerate(gdaltest.ome(store)["omero"]["channels"]):
        window = channel["window"]
        assert [window["start"], window["end"]] == pytest.approx([start, end], rel=1e-9)
        assert [window["min"], window["max"]] == pytest.approx([min(array[number].min(), start), max(array[number].max(), end)], rel=1e-9)


def test_the_window_of_alpha_is_its_range(tmp_path):
    array = np.stack([np.arange(400, dtype="uint16").reshape(20, 20), np.full((20, 20), 700, "uint16")])
    array[1, 0, :5] = 0, 3, 60, 900, 20
    source = gdaltest.mem(array)
    source.GetRasterBand(2).SetColorInterpretation(gdal.GCI_AlphaBand)
    window = gdaltest.ome(gdaltest.write(tmp_path / "a.ome.zarr", source))["omero"]["channels"][1]["window"]
    assert window == {"min": 0, "max": 900, "start": 0, "end": 900}


def near(value, rel):
    return pytest.approx(value, rel=rel, abs=0)


def write_array(tmp_path, array, *options, **about):
    return gdaltest.write(tmp_path / "a.ome.zarr", gdaltest.mem(array, **about), "BLOCKSIZE=64", *options)


def neighbours(dtype, center, shape=(150, 170)):
    """center - 1, center and center + 1."""
    return (np.random.default_rng(3).integers(-1, 2, shape).astype("int64") + center).astype(dtype)


@pytest.mark.parametrize("dtype,center", [("uint32", 10**9), ("int32", -(10**9)), ("uint32", 2**32 - 2), ("int64", 2**53 + 1), ("int64", 2**62 + 3), ("int64", -(2**62) + 1),
                                          ("uint64", 10**9), ("uint64", 2**61 + 5), ("uint16", 65534), ("int16", -32767), ("uint8", 254)])
def test_integers_about_a_large_mean_keep_their_deviation(tmp_path, dtype, center):
    array = neighbours(dtype, center)
    found = statistics_of(write_array(tmp_path, array))[0]
    mean, deviation = exact_moments(array)
    assert found["n_valid"] == array.size
    assert found["mean"] == near(mean, 2.3e-16)
    assert found["std_dev"] == near(deviation, 1e-15)


@pytest.mark.parametrize("dtype", ["uint64", "int64", "uint32", "int32"])
def test_integers_over_the_whole_range_are_exact(tmp_path, dtype):
    array = gdaltest.random_array((120, 130), dtype)
    found = statistics_of(write_array(tmp_path, array))[0]
    mean, deviation = exact_moments(array)
    assert found["mean"] == near(mean, 1e-15)
    assert found["std_dev"] == near(deviation, 1e-15)


def test_uint64_beyond_the_range_of_int64(tmp_path):
    array = np.full((100, 100), 2**64 - 1, "uint64")
    array[::2] -= np.uint64(2)
    found = statistics_of(write_array(tmp_path, array))[0]
    assert (found["mean"], found["std_dev"]) == (float(2**64 - 2), 1.0)


@pytest.mark.parametrize("dtype,offset,spread", [("float32", 1e6, 1.0), ("float32", -3e7, 4.0), ("float64", 1e9, 1.0), ("float64", 1e15, 1.0), ("float64", 1e-100, 1e-103), ("float64", 1e150, 1e149)])
def test_floats_with_an_offset_keep_their_deviation(tmp_path, dtype, offset, spread):
    array = (offset + spread * np.random.default_rng(5).standard_normal((200, 210))).astype(dtype)
    array[20:50, 30:60] = np.nan
    array[100:110, :64] = np.nan  # rows of a chunk without any valid pixel
    valid = array[np.isfinite(array)]
    found = statistics_of(write_array(tmp_path, array))[0]
    mean, deviation = exact_moments(valid)
    assert found["n_valid"] == valid.size
    assert found["mean"] == near(mean, 2.3e-16)
    assert found["std_dev"] == near(deviation, 1e-14)


def test_a_chunk_far_from_the_others_does_not_spoil_the_deviation(tmp_path):
    array = np.full((128, 128), 1e9, "float64") + np.random.default_rng(1).integers(-1, 2, (128, 128))
    array[:64, :64] = -1e9
    found = statistics_of(write_array(tmp_path, array))[0]
    assert found["std_dev"] == near(exact_moments(array)[1], 1e-14)


def test_statistics_of_negative_zero_do_not_depend_on_the_order(tmp_path):
    array = np.zeros((128, 128), "float32")
    array[:, 64:] = -0.0
    for threads in ("0", "1", "2", "8"):
        store = gdaltest.write(tmp_path / threads, gdaltest.mem(array), "BLOCKSIZE=32", f"NUM_THREADS={threads}")
        with open(f"{store}/zarr.json", encoding="utf-8") as file:
            assert "-0" not in file.read().split('"statistics"')[1].split("]")[0]


@pytest.mark.parametrize("dtype", ["float32", "float64", "uint32", "int64"])
def test_statistics_are_the_same_bits_for_any_threads(tmp_path, dtype):
    array = gdaltest.random_array((3, 300, 310), dtype)
    found = set()
    for threads in ("0", "1", "2", "8"):
        store = gdaltest.write(tmp_path / threads, gdaltest.mem(array), "BLOCKSIZE=32", f"NUM_THREADS={threads}")
        found.add(repr(statistics_of(store)))
    assert len(found) == 1


# -- Windows of wide types ---------------------------------------------------------------------------------------------


def expected_window(values):
    return [float(v) for v in np.percentile(values.astype("float64"), [2, 98])]


def window_of(store, channel=0):
    window = gdaltest.ome(store)["omero"]["channels"][channel]["window"]
    return [window["start"], window["end"]]


def hidden_square(shape):
    """Half of all pixels, in one piece and in specks."""
    hidden = np.zeros(shape, bool)
    hidden[: shape[0] // 3] = True
    hidden[::7, ::5] = True
    return hidden


@pytest.mark.parametrize("dtype", ["float32", "float64", "uint32", "int32"])
@pytest.mark.parametrize("version", ["NGFF_VERSION=0.5", "NGFF_VERSION=0.4"])
@pytest.mark.parametrize("compress", ["COMPRESS=AUTO", "COMPRESS=NONE"])
def test_masked_pixels_of_wide_types_are_in_no_window(tmp_path, dtype, version, compress):
    array = gdaltest.smooth_array((300, 310), dtype)
    hidden = hidden_square(array.shape)
    array[hidden] = 1000000
    source = gdaltest.mem(array)
    source.CreateMaskBand(gdal.GMF_PER_DATASET)
    source.GetRasterBand(1).GetMaskBand().WriteRaster(0, 0, 310, 300, np.where(hidden, 0, 255).astype("uint8").tobytes())
    store = gdaltest.write(tmp_path / "a.ome.zarr", source, "BLOCKSIZE=64", "OVERVIEWS=NONE", version, compress)
    assert window_of(store) == pytest.approx(expected_window(array[~hidden]), rel=1e-12)


@pytest.mark.parametrize("dtype", ["float32", "uint32"])
@pytest.mark.parametrize("shard", [(), ("SHARD=128",)])
def test_transparent_pixels_of_wide_types_are_in_no_window(tmp_path, dtype, shard):
    array = np.stack([gdaltest.smooth_array((300, 310), dtype)] * 2)
    hidden = hidden_square(array.shape[1:])
    array[0][hidden] = 1000000
    array[1] = np.where(hidden, 0, 5)
    source = gdaltest.mem(array)
    source.GetRasterBand(1).SetColorInterpretation(gdal.GCI_GrayIndex)
    source.GetRasterBand(2).SetColorInterpretation(gdal.GCI_AlphaBand)
    store = gdaltest.write(tmp_path / "a.ome.zarr", source, "BLOCKSIZE=64", "OVERVIEWS=NONE", *shard)
    assert window_of(store) == pytest.approx(expected_window(array[0][~hidden]), rel=1e-12)


def test_a_level_with_too_few_valid_pixels_gives_way_to_a_larger_one(tmp_path):
    """Level 1 has 84,100 pixels, but the mask leaves fewer than 65,536: so level 0 decides."""
    array = np.random.default_rng(2).random((580, 580)).astype("float32")
    hidden = np.zeros(array.shape, bool)
    hidden[:, 290:] = True
    array[hidden] = 1e9
    source = gdaltest.mem(array)
    source.CreateMaskBand(gdal.GMF_PER_DATASET)
    source.GetRasterBand(1).GetMaskBand().WriteRaster(0, 0, 580, 580, np.where(hidden, 0, 255).astype("uint8").tobytes())
    store = gdaltest.write(tmp_path / "a.ome.zarr", source, "BLOCKSIZE=100", "OVERVIEW_RESAMPLING=AVERAGE")
    assert window_of(store) == pytest.approx(expected_window(array[~hidden]), rel=1e-9)
