"""Every pixel of every level: all types, layouts, versions and codecs, odd sizes, every reducer, arbitrary factors;
against the NumPy model, read by our driver, zarr-python and tensorstore."""

import threading

import gdaltest
import ngffmodel
import numpy as np
import pytest
from osgeo import gdal

TYPES = gdaltest.writable_types()
LAYOUTS = ["OVERVIEWS", "SCALES", "FLAT"]
CODECS = {
    "zstd": ["COMPRESS=ZSTD"],
    "zstd-19": ["COMPRESS=ZSTD", "LEVEL=19"],
    "gzip": ["COMPRESS=GZIP"],
    "none": ["COMPRESS=NONE"],
    "blosc-zstd-bit": ["COMPRESS=BLOSC", "BLOSC_CNAME=zstd", "BLOSC_SHUFFLE=BIT"],
    "blosc-lz4": ["COMPRESS=BLOSC", "BLOSC_CNAME=lz4", "LEVEL=5"],
    "blosc-lz4hc-noshuffle": ["COMPRESS=BLOSC", "BLOSC_CNAME=lz4hc", "BLOSC_SHUFFLE=NONE"],
    "blosc-zlib": ["COMPRESS=BLOSC", "BLOSC_CNAME=zlib"],
    "blosc-blosclz": ["COMPRESS=BLOSC", "BLOSC_CNAME=blosclz", "LEVEL=9"],
    "none-crc32c": ["COMPRESS=NONE", "CHECKSUM=YES"],
    "blosc-crc32c": ["COMPRESS=BLOSC", "CHECKSUM=YES"],
    "zstd-unchecked": ["COMPRESS=ZSTD", "CHECKSUM=NO"],
    "zlib": ["COMPRESS=ZLIB"],
    "lz4": ["COMPRESS=LZ4"],
}
ONLY_04 = {"zlib", "lz4"}
ONLY_05 = {"none-crc32c", "blosc-crc32c"}


def assert_levels(found, expected, tolerance=0):
    assert [level.shape for level in found] == [level.shape for level in expected]
    for number, (got, want) in enumerate(zip(found, expected)):
        assert got.dtype == want.dtype
        if tolerance:
            np.testing.assert_allclose(got.astype(float), want.astype(float), atol=tolerance, rtol=0, err_msg=f"level {number}")
        else:
            np.testing.assert_array_equal(got, want, err_msg=f"level {number}")


def assert_read_by_all(store, expected, tolerance=0, tensorstore=True):
    """Our driver gives (band, y, x); the arrays of a one-band image have no channel axis."""
    assert_levels(gdaltest.our_levels(store), expected, tolerance)
    raw = [level[0] for level in expected] if expected[0].shape[0] == 1 else expected
    if gdaltest.have("zarr"):
        assert_levels(gdaltest.zarr_levels(store), raw, tolerance)
    if gdaltest.have("tensorstore") and tensorstore:
        assert_levels(gdaltest.tensorstore_levels(store), raw, tolerance)


@pytest.mark.parametrize("codec,version", [(codec, version) for version in ("0.5", "0.4") for codec in CODECS
                                           if codec not in (ONLY_04 if version == "0.5" else ONLY_05)])
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", TYPES)
def test_every_type_layout_version_and_codec_reads_back(tmp_path, dtype, codec, layout, version):
    array = gdaltest.random_array((2, 53, 75), dtype)
    store = gdaltest.write(tmp_path / "a.ome.zarr", gdaltest.mem(array), f"LAYOUT={layout}", f"NGFF_VERSION={version}",
                           "BLOCKSIZE=32", *CODECS[codec])
    # tensorstore's Zarr v2 driver has no lz4
    assert_read_by_all(store, ngffmodel.pyramid(array, ngffmodel.plain_factors(53, 75, 32)), tensorstore=codec != "lz4")


@pytest.mark.parametrize("version", ["0.5", "0.4"])
@pytest.mark.parametrize("dtype", ["complex64", "complex128"])
def test_complex_pixels_are_kept_and_one_warning_says_that_viewers_will_not_show_them(tmp_path, dtype, version):
    array = gdaltest.random_array((2, 40, 50), dtype)
    with gdaltest.collected_messages() as messages:
        store = gdaltest.write(tmp_path / "a.ome.zarr", gdaltest.mem(array), "BLOCKSIZE=32", f"NGFF_VERSION={version}")
    assert len(messages.warnings()) == 1, messages
    assert_read_by_all(store, ngffmodel.pyramid(array, [(1, 1), (2, 2)], "NEAREST"))


@pytest.mark.skipif(gdaltest.AT_LEAST(3, 7), reason="GDAL has Int8")
def test_signed_bytes_of_old_gdal_are_int8(tmp_path):
    array = gdaltest.random_array((1, 40, 50), "int8")
    source = gdal.GetDriverByName("MEM").Create("", 50, 40, 1, gdal.GDT_Byte)
    source.GetRasterBand(1).SetMetadataItem("PIXELTYPE", "SIGNEDBYTE", "IMAGE_STRUCTURE")
    source.GetRasterBand(1).WriteRaster(0, 0, 50, 40, array.tobytes())
    store = gdaltest.write(tmp_path / "a.ome.zarr", source, "BLOCKSIZE=32")
    assert_read_by_all(store, ngffmodel.pyramid(array, [(1, 1), (2, 2)]))


@pytest.mark.require_gdal(3, 11)
def test_float16_is_kept(tmp_path):
    array = np.random.default_rng(1).integers(-512, 512, (1, 40, 50)).astype("float16")
    store = gdaltest.write(tmp_path / "a.ome.zarr", gdaltest.mem(array), "BLOCKSIZE=32")
    np.testing.assert_array_equal(gdaltest.our_levels(store)[0], array)


SIZES = [(1, 1), (1, 7), (7, 1), (2, 2), (1, 513), (513, 1), (511, 513), (512, 512), (97, 101), (3, 2049), (640, 5)]


@pytest.mark.parametrize("block", [512, 64, 16, 7])
@pytest.mark.parametrize("height,width", SIZES)
def test_any_size_gives_levels_of_ceil_size_until_both_sides_fit_one_chunk(tmp_path, height, width, block):
    array = gdaltest.random_array((1, height, width), "uint16")
    store = gdaltest.write(tmp_path / "a.ome.zarr", gdaltest.mem(array), f"BLOCKSIZE={block}")
    factors = ngffmodel.plain_factors(height, width, block)
    assert_read_by_all(store, ngffmodel.pyramid(array, factors))
    assert [scale for scale, _ in gdaltest.transforms(store)] == [[fy, fx] for fy, fx in factors]


@pytest.mark.parametrize("bands", [1, 2, 3, 4, 5, 17, 300])
def test_any_number_of_bands_becomes_axis_c(tmp_path, bands):
    array = gdaltest.random_array((bands, 33, 20), "uint8")
    store = gdaltest.write(tmp_path / "a.ome.zarr", gdaltest.mem(array), "BLOCKSIZE=16")
    assert_read_by_all(store, ngffmodel.pyramid(array, ngffmodel.plain_factors(33, 20, 16)))
    axes = [axis["name"] for axis in gdaltest.ome(store)["multiscales"][0]["axes"]]
    assert axes == (["y", "x"] if bands == 1 else ["c", "y", "x"])


# -- Reducers and factors ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["uint8", "int16", "uint32", "int64", "uint64", "float32", "float64"])
@pytest.mark.parametrize("method", ["AVERAGE", "NEAREST", "MODE", "RMS", "MIN", "MAX"])
def test_window_reducers_equal_the_model(tmp_path, method, dtype):
    array = gdaltest.random_array((1, 77, 50), dtype)
    array[:, 10:40, 5:30] = array[:, 10:11, 5:6]  # something that repeats, for MODE
    store = gdaltest.write(tmp_path / "a.ome.zarr", gdaltest.mem(array), "BLOCKSIZE=16", f"OVERVIEW_RESAMPLING={method}")
    expected = ngffmodel.pyramid(array, ngffmodel.plain_factors(77, 50, 16), method)
    if method == "RMS" and dtype.startswith("float"):
        for got, want in zip(gdaltest.our_levels(store), expected):
            np.testing.assert_allclose(got, want, rtol=1e-6)
    else:
        assert_read_by_all(store, expected)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "float32"])
@pytest.mark.parametrize("factors", ["2,4", "3,9", "5,25", "4,8"])
def test_gauss_with_margins_equals_the_model(tmp_path, dtype, factors):
    array = gdaltest.smooth_array((1, 201, 130), dtype)
    pairs = [(1, 1)] + [(int(f), int(f)) for f in factors.split(",")]
    store = gdaltest.write(tmp_path / "a.ome.zarr", gdaltest.mem(array), "BLOCKSIZE=32", "OVERVIEW_RESAMPLING=GAUSS",
                           f"SCALE_FACTORS={factors}")
    found = gdaltest.our_levels(store)
    for number in range(1, len(found)):  # each step from our own level below: float32 near-ties may differ by one
        source = max(j for j in range(number) if pairs[number][0] % pairs[j][0] == 0)
        ratio = (pairs[number][0] // pairs[source][0],) * 2
        want = ngffmodel.reduce(found[source][0], ratio, "GAUSS")
        difference = np.abs(found[number][0].astype(float) - want.astype(float))
        if dtype == "float32":
            assert difference.max() <= 2e-6 * np.abs(want).max() * 2
        else:
            assert difference.max() <= 1 and (difference > 0).mean() <= 0.001


@pytest.mark.parametrize("method", ["BILINEAR", "CUBIC", "CUBICSPLINE", "LANCZOS"])
def test_kernels_are_those_of_gdal_away_from_the_edge(tmp_path, method):
    array = gdaltest.smooth_array((1, 128, 96), "float32")
    store = gdaltest.write(tmp_path / "a.ome.zarr", gdaltest.mem(array), "BLOCKSIZE=64", f"OVERVIEW_RESAMPLING={method}")
    reference = gdaltest.mem(array)
    reference.BuildOverviews(method, [2])
    want = gdaltest.pixels(reference.GetRasterBand(1).GetOverview(0))
    got = gdaltest.our_levels(store)[1][0]
    np.testing.assert_allclose(got[4:-4, 4:-4], want[4:-4, 4:-4], atol=1e-3)


@pytest.mark.parametrize("method", ["AVERAGE", "GAUSS", "BILINEAR", "CUBIC", "CUBICSPLINE", "LANCZOS", "RMS"])
@pytest.mark.parametrize("dtype,value", [("uint8", 255), ("uint32", 2000000000), ("int64", 2**53 + 1), ("float32", 0.1)])
def test_a_constant_image_stays_constant(tmp_path, method, dtype, value):
    array = np.full((1, 75, 101), value, dtype)
    store = gdaltest.write(tmp_path / "a.ome.zarr", gdaltest.mem(array), "BLOCKSIZE=16", f"OVERVIEW_RESAMPLING={method}")
    # Kernels compute in float32, and in float64 for 64-bit integers: a few units in the last place.
    tolerance = {"int64": 1e-15, "float32": 4e-7}.get(dtype, 0) if method not in ("AVERAGE", "RMS") else 0
    for level in gdaltest.our_levels(store):
        np.testing.assert_allclose(level, np.full(level.shape, value, dtype), rtol=tolerance)


@pytest.mark.parametrize("factors", ["3", "5", "3,9", "2,6", "2,5", "2,3", "2,4,8,16,32", "7,14,28", "100"])
@pytest.mark.parametrize("size", [(100, 100), (9, 9), (61, 140)])
def test_arbitrary_factors_equal_the_model(tmp_path, size, factors):
    array = gdaltest.random_array((1,) + size, "uint16")
    store = gdaltest.write(tmp_path / "a.ome.zarr", gdaltest.mem(array), "BLOCKSIZE=32", f"SCALE_FACTORS={factors}")
    pairs = [(1, 1)] + [(int(f), int(f)) for f in factors.split(",")]
    assert_read_by_all(store, ngffmodel.pyramid(array, pairs))
    for (scale, translation), (fy, fx) in zip(gdaltest.transforms(store), pairs):
        assert scale == [fy, fx]
        assert (translation or [0, 0]) == [(fy - 1) / 2, (fx - 1) / 2]


def test_factors_may_differ_by_axis(tmp_path):
    array = gdaltest.random_array((1, 90, 70), "int16")
    store = gdaltest.write(tmp_path / "a.ome.zarr", gdaltest.mem(array), "SCALE_FACTORS=y:2,x:1;y:4,x:3", "BLOCKSIZE=32")
    assert_read_by_all(store, ngffmodel.pyramid(array, [(1, 1), (2, 1), (4, 3)]))
    assert gdaltest.transforms(store)[2] == ([4, 3], [1.5, 1])


@pytest.mark.parametrize("count", [0, 1, 3])
def test_overview_count_decides_the_number_of_levels(tmp_path, count):
    array = gdaltest.random_array((1, 40, 50), "uint8")
    store = gdaltest.write(tmp_path / "a.ome.zarr", gdaltest.mem(array), f"OVERVIEW_COUNT={count}")
    assert_read_by_all(store, ngffmodel.pyramid(array, [(2**i, 2**i) for i in range(count + 1)]))


def test_means_of_large_numbers_are_exact(tmp_path):
    big = np.array([[2000000000, 2000000000], [2000000000, 2000000001]], "uint32")
    store = gdaltest.write(tmp_path / "a.ome.zarr", gdaltest.mem(big), "OVERVIEW_COUNT=1")
    assert gdaltest.our_levels(store)[1].item() == 2000000000
    for dtype, value in (("int64", 2**53 + 1), ("int64", -(2**62) - 3), ("uint64", 2**64 - 1)):
        array = np.full((2, 2), value, dtype)
        store = gdaltest.write(tmp_path / f"{dtype}{value}.ome.zarr", gdaltest.mem(array), "OVERVIEW_COUNT=1")
        assert gdaltest.our_levels(store)[1].item() == value


def test_halves_are_rounded_up_also_below_zero(tmp_path):
    array = np.array([[-3, -2, 2, 3], [-3, -2, 2, 3]], "int16")
    store = gdaltest.write(tmp_path / "a.ome.zarr", gdaltest.mem(array), "OVERVIEW_COUNT=1")
    assert gdaltest.our_levels(store)[1].tolist() == [[[-2, 3]]]


# -- Bands of different types ------------------------------------------------------------------------------------------


def mixed_source(types, value=7):
    source = gdal.GetDriverByName("MEM").Create("", 20, 10, 0)
    for number, name in enumerate(types):
        source.AddBand(gdaltest.TYPES[name])
        source.GetRasterBand(number + 1).Fill(value + number)
    return source


@pytest.mark.parametrize("types,union", [(("uint8", "uint16"), "uint16"), (("uint8", "int16"), "int16"),
                                         (("uint16", "int16"), "int32"), (("uint8", "float32"), "float32"),
                                         (("int32", "float32"), "float64")])
def test_bands_of_different_types_become_their_union_with_a_warning(tmp_path, types, union):
    with gdaltest.collected_messages() as messages:
        store = gdaltest.write(tmp_path / "a.ome.zarr", mixed_source(types))
    assert messages.warnings()
    level = gdaltest.our_levels(store)[0]
    assert level.dtype == union and level[0, 0, 0] == 7 and level[1, 0, 0] == 8


@pytest.mark.parametrize("interleave", ["BAND", "PIXEL"])
@pytest.mark.parametrize("driver", ["GTiff", "MEM"])
def test_pixels_that_the_source_has_not_flushed_are_written(tmp_path, driver, interleave):
    options = ["TILED=YES", "BLOCKXSIZE=64", "BLOCKYSIZE=64", f"INTERLEAVE={interleave}"] if driver == "GTiff" else []
    source = gdal.GetDriverByName(driver).Create(str(tmp_path / "a.tif") if driver == "GTiff" else "", 200, 150, 3, gdal.GDT_UInt16, options)
    for number in range(3):
        source.GetRasterBand(number + 1).Fill(100 + number)
    store = gdaltest.write(tmp_path / "a.ome.zarr", source, "BLOCKSIZE=64", "NUM_THREADS=4")
    level = gdaltest.our_levels(store)[0]
    assert [(band == 100 + number).all() for number, band in enumerate(level)] == [True] * 3


def test_strict_refuses_bands_of_different_types(tmp_path):
    gdaltest.refused(tmp_path / "a.ome.zarr", mixed_source(("uint8", "uint16")), strict=1)
    assert not list(tmp_path.iterdir())


# -- Chunks and shards ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("options,chunk", [(["BLOCKSIZE=64"], [1, 64, 64]), (["BLOCKSIZE=2,32,16"], [2, 32, 16]),
                                           (["BLOCKSIZE=y:20,x:30"], [1, 20, 30]), (["BLOCKXSIZE=40", "BLOCKYSIZE=24"], [1, 24, 40]),
                                           (["CHUNKS=64"], [1, 64, 64])])
def test_blocksize_is_the_chunk(tmp_path, options, chunk):
    array = gdaltest.random_array((3, 100, 130), "uint8")
    store = gdaltest.write(tmp_path / "a.ome.zarr", gdaltest.mem(array), "OVERVIEW_COUNT=1", *options)
    assert_read_by_all(store, ngffmodel.pyramid(array, [(1, 1), (2, 2)]))
    grid = gdaltest.array_json(gdaltest.level_paths(store)[0])["chunk_grid"]
    assert grid["configuration"]["chunk_shape"] == chunk


@pytest.mark.parametrize("codec", ["COMPRESS=NONE", "COMPRESS=ZSTD", "COMPRESS=BLOSC", "CHECKSUM=YES"])
@pytest.mark.parametrize("shard", ["64", "1,32,64", "y:128,x:32", "3,64,64"])
def test_shards_read_back(tmp_path, shard, codec):
    array = gdaltest.random_array((3, 205, 141), "uint16")
    array[:, 32:96, 64:] = 0  # some chunks are not stored
    store = gdaltest.write(tmp_path / "a.ome.zarr", gdaltest.mem(array), "BLOCKSIZE=32", f"SHARD={shard}", codec)
    assert_read_by_all(store, ngffmodel.pyramid(array, ngffmodel.plain_factors(205, 141, 32)))
    codecs = gdaltest.array_json(gdaltest.level_paths(store)[0])["codecs"]
    assert [c["name"] for c in codecs] == ["sharding_indexed"]


def test_shard_auto_keeps_a_small_store_unsharded_and_a_large_one_below_ten_thousand_objects(tmp_path):
    small = gdaltest.write(tmp_path / "small.ome.zarr", gdaltest.mem(gdaltest.random_array((1, 100, 100), "uint8")))
    assert [c["name"] for c in gdaltest.array_json(gdaltest.level_paths(small)[0])["codecs"]][0] == "bytes"
    many = gdaltest.random_array((1, 960, 960), "uint8")
    store = gdaltest.write(tmp_path / "many.ome.zarr", gdaltest.mem(many), "BLOCKSIZE=8")
    assert len(gdaltest.files_of(store)) < 10000
    assert_levels(gdaltest.our_levels(store), ngffmodel.pyramid(many, ngffmodel.plain_factors(960, 960, 8)))


def test_shard_auto_groups_bands_of_a_small_picture(tmp_path):
    array = gdaltest.random_array((10500, 3, 2), "uint8")
    store = gdaltest.write(tmp_path / "a.ome.zarr", gdaltest.mem(array))
    assert len(gdaltest.files_of(store)) < 10000
    assert_read_by_all(store, [array])


@pytest.mark.parametrize("fill,nodata", [(0, None), (0, 0), (37, 37)])
def test_chunks_that_hold_only_fill_are_not_stored(tmp_path, fill, nodata):
    array = gdaltest.random_array((1, 128, 128), "uint8")
    array[0, :64, :64] = fill
    store = gdaltest.write(tmp_path / "a.ome.zarr", gdaltest.mem(array, nodata=nodata), "BLOCKSIZE=64", "OVERVIEW_COUNT=0")
    chunks = [name for name in gdaltest.files_of(store) if "/c/" in name and "image" in name]
    assert len(chunks) == 3, chunks
    assert gdaltest.array_json(gdaltest.level_paths(store)[0])["fill_value"] == fill
    assert_levels(gdaltest.our_levels(store), [array])


def test_minus_zero_is_not_fill(tmp_path):
    array = np.full((1, 16, 16), -0.0, "float32")
    store = gdaltest.write(tmp_path / "a.ome.zarr", gdaltest.mem(array))
    assert np.signbit(gdaltest.our_levels(store)[0]).all()


def test_infinity_and_the_smallest_numbers_are_kept(tmp_path):
    for dtype in ("float32", "float64"):
        array = np.array([[np.inf, -np.inf, np.finfo(dtype).tiny, np.finfo(dtype).max]], dtype)
        store = gdaltest.write(tmp_path / f"{dtype}.ome.zarr", gdaltest.mem(array))
        np.testing.assert_array_equal(gdaltest.our_levels(store)[0][0], array)


# -- Same input, same bytes ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["plain", "shards", "gauss", "mask", "rows"])
def test_the_bytes_do_not_depend_on_threads_or_memory(tmp_path, kind):
    array = gdaltest.smooth_array((3, 700, 900), "uint16")
    options = {"shards": ["SHARD=128"], "gauss": ["OVERVIEW_RESAMPLING=GAUSS"]}.get(kind, [])
    source = gdaltest.mem(array, (500000, 10, 0, 5000000, 0, -10), "EPSG:32633",
                          driver="GTiff", path=str(tmp_path / "a.tif"), options=["TILED=YES"] if kind != "rows" else [])
    if kind == "mask":
        source.CreateMaskBand(gdal.GMF_PER_DATASET)
        mask = (np.indices((700, 900)).sum(0) % 7 > 2).astype("uint8") * 255
        source.GetRasterBand(1).GetMaskBand().WriteRaster(0, 0, 900, 700, mask.tobytes())
    source.FlushCache()
    source = None
    digests = {}
    for variant in (["NUM_THREADS=1"], ["NUM_THREADS=0"], ["NUM_THREADS=2"], ["NUM_THREADS=8"],
                    ["NUM_THREADS=2", "MEMORY=1GB"], ["NUM_THREADS=8", "MEMORY=1MB"]):
        store = tmp_path / "-".join(variant).replace("=", "_")
        with gdaltest.collected_messages():  # too small a MEMORY is raised with a warning
            gdaltest.write(store, gdal.Open(str(tmp_path / "a.tif")), "BLOCKSIZE=64", *options, *variant)
        digests[" ".join(variant)] = gdaltest.tree_digest(store)
    assert len(set(digests.values())) == 1, digests


def test_the_bytes_do_not_depend_on_the_blocks_of_the_source(tmp_path):
    array = gdaltest.smooth_array((3, 300, 500), "uint8")
    digests = set()
    for name, options in {"strips": [], "tiles": ["TILED=YES", "BLOCKXSIZE=128", "BLOCKYSIZE=64"],
                          "pixel": ["INTERLEAVE=PIXEL", "TILED=YES"], "one": ["BLOCKYSIZE=300", "INTERLEAVE=BAND"]}.items():
        gdaltest.mem(array, driver="GTiff", path=str(tmp_path / f"{name}.tif"), options=options).FlushCache()
        source = gdal.Open(str(tmp_path / f"{name}.tif"))
        digests.add(gdaltest.tree_digest(gdaltest.write(tmp_path / name, source, "BLOCKSIZE=64", "COPY_SRC_MDD=NO")))
    assert len(digests) == 1


@pytest.mark.parametrize("compression", ["DEFLATE", "LZW", "NONE"])
def test_compressed_sources_read_by_several_threads_give_the_same_pixels(tmp_path, compression):
    array = gdaltest.smooth_array((3, 600, 700), "uint16")
    gdaltest.mem(array, driver="GTiff", path=str(tmp_path / "a.tif"),
                 options=["TILED=YES", "BLOCKXSIZE=64", "BLOCKYSIZE=64", f"COMPRESS={compression}"]).FlushCache()
    store = gdaltest.write(tmp_path / "a.ome.zarr", gdal.Open(str(tmp_path / "a.tif")), "BLOCKSIZE=64", "NUM_THREADS=4")
    assert_levels(gdaltest.our_levels(store), ngffmodel.pyramid(array, ngffmodel.plain_factors(600, 700, 64)))


def test_two_copies_at_once_leave_the_block_cache_as_it_was(tmp_path):
    """A ends while B copies, so that each would restore what the other has set; and the limit is a user's meanwhile."""
    before = gdal.GetCacheMax()
    source = gdaltest.mem(gdaltest.random_array((3, 600, 600), "uint8"), driver="GTiff", path=str(tmp_path / "a.tif"),
                          options=["TILED=YES", "INTERLEAVE=PIXEL"])
    del source
    second_began, first_ended = threading.Event(), threading.Event()
    seen, failures = [], []

    def first(share, message, data):
        seen.append(gdal.GetCacheMax())
        return int(share < 0.2 or second_began.wait(60))

    def second(share, message, data):
        seen.append(gdal.GetCacheMax())
        second_began.set()
        return int(share < 0.2 or first_ended.wait(60))

    def copy(name, progress, ended):
        try:
            gdaltest.create_copy(tmp_path / name, gdal.Open(str(tmp_path / "a.tif")), "BLOCKSIZE=64", callback=progress)
        except Exception as error:
            failures.append(error)
        if ended:
            first_ended.set()

    threads = [threading.Thread(target=copy, args=arguments)
               for arguments in (("b.ome.zarr", first, True), ("c.ome.zarr", second, False))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert not failures and set(seen) == {before} and gdal.GetCacheMax() == before


def cached_by(tmp_path, path):
    """The most that GDAL's block cache holds while a source is copied, and after."""
    seen = []
    source = gdal.Open(path)
    gdaltest.create_copy(tmp_path / "out.ome.zarr", source, "BLOCKSIZE=256", "COMPRESS=NONE", "NUM_THREADS=1", "OVERWRITE=YES",
                         callback=lambda *_: seen.append(gdal.GetCacheUsed()) or 1)
    seen.append(gdal.GetCacheUsed())
    return max(seen)


@pytest.mark.parametrize("options", [["TILED=YES"], ["TILED=YES", "BLOCKXSIZE=240", "BLOCKYSIZE=176"], ["INTERLEAVE=BAND"], []], ids=str)
def test_the_block_cache_does_not_fill_with_the_source(tmp_path, options):
    """48 MiB of pixels, of which a few MiB are needed at once."""
    path = str(tmp_path / "a.tif")
    gdaltest.mem(np.zeros((4, 4096, 3072), "uint8"), driver="GTiff", path=path, options=options).FlushCache()
    gdal.Translate(str(tmp_path / "a.vrt"), path, format="VRT")
    for name in (path, str(tmp_path / "a.vrt")):
        assert cached_by(tmp_path, name) < 16 << 20, name


def test_the_block_cache_of_the_process_is_as_it_was(tmp_path):
    before = gdal.GetCacheMax()
    gdaltest.write(tmp_path / "a.ome.zarr", gdaltest.mem(gdaltest.random_array((3, 600, 600), "uint8")), "BLOCKSIZE=64")
    gdaltest.refused(tmp_path / "b.ome.zarr", gdaltest.mem(np.zeros((2, 2), "uint8")), "LEVEL=99")
    assert gdal.GetCacheMax() == before
