"""How pixels are read: windows, buffer types and spacings, bands in any order, sampling, masks, chunks of several planes,
threads, errors in the middle. What is expected comes from GDAL's MEM driver, given the same pixels and the same call, and
from NumPy; stores of others' shapes are written by zarr-python."""

import concurrent.futures
import ctypes
import os
import random
import shutil
import subprocess
import sys

import gdaltest
import numpy as np
import pytest
from osgeo import gdal

zarr = pytest.importorskip("zarr")


# -- Stores ----------------------------------------------------------------------------------------------------------


def write_store(root, levels, dims, chunks, **how):
    """A 0.5 store by zarr-python; one array per level."""
    group = zarr.open_group(str(root), mode="w", zarr_format=3)
    kinds = {"t": "time", "c": "channel"}
    datasets = []
    for number, level in enumerate(levels):
        chunk = tuple(min(c, n) for c, n in zip(chunks, level.shape))
        array = group.create_array(str(number), shape=level.shape, chunks=chunk, dtype=level.dtype, fill_value=0,
                                   config={"write_empty_chunks": False}, **how)
        array[...] = level
        factor = levels[0].shape[-1] / level.shape[-1]
        scale = [1.0] * (len(dims) - 2) + [10 * factor, 10 * factor]
        datasets.append({"path": str(number), "coordinateTransformations": [{"type": "scale", "scale": scale}]})
    axes = [{"name": d, "type": kinds.get(d, "space")} for d in dims]
    group.attrs["ome"] = {"version": "0.5", "multiscales": [{"axes": axes, "datasets": datasets}]}
    return str(root)


def sparse_array(shape, dtype, seed=1):
    """With a hole of zeros, so that chunks are missing."""
    array = gdaltest.random_array(shape, dtype, seed)
    array[..., : shape[-2] // 2, shape[-1] // 3 : 2 * shape[-1] // 3] = 0
    return array


KINDS = {
    "one plane per chunk": ("cyx", (4, 70, 90), "uint16", (1, 16, 32), {}),
    "all planes in a chunk": ("cyx", (4, 70, 90), "uint8", (4, 32, 16), {}),
    "some planes in a chunk": ("czyx", (3, 5, 40, 50), "int16", (2, 2, 16, 16), {}),
    "shards": ("cyx", (3, 70, 90), "uint16", (2, 16, 16), {"shards": (4, 32, 48)}),
    "time": ("tczyx", (3, 2, 2, 33, 35), "float32", (2, 1, 2, 8, 16), {}),
    "one chunk": ("yx", (50, 60), "float64", (64, 64), {}),
    "one row of chunks": ("yx", (40, 64), "int32", (8, 64), {}),
    "complex": ("cyx", (2, 40, 50), "complex64", (2, 16, 16), {}),
    "bytes": ("yx", (61, 47), "uint8", (16, 16), {}),
}


@pytest.fixture(scope="module", params=KINDS)
def both(request, tmp_path_factory):
    """The path of a store, and the same planes in MEM."""
    dims, shape, dtype, chunks, how = KINDS[request.param]
    array = sparse_array(shape, dtype)
    root = write_store(tmp_path_factory.mktemp("store") / "a.zarr", [array], dims, chunks, **how)
    return root, gdaltest.mem(array.reshape((-1,) + shape[-2:]))


# -- RasterIO as C sees it -------------------------------------------------------------------------------------------


class ExtraArg(ctypes.Structure):
    _fields_ = [("version", ctypes.c_int), ("algorithm", ctypes.c_int), ("progress", ctypes.c_void_p),
                ("progress_data", ctypes.c_void_p), ("has_window", ctypes.c_int), ("x", ctypes.c_double),
                ("y", ctypes.c_double), ("width", ctypes.c_double), ("height", ctypes.c_double),
                ("later_versions", ctypes.c_char * 64)]


def raster_io(dataset, bands, window, size, data_type, buffer, first, spaces, algorithm=0, fractions=None):
    """Reads into buffer, from its byte number `first` on, with these bytes per pixel, line and band."""
    extra = ExtraArg(1, algorithm, None, None, fractions is not None, *(fractions or (0, 0, 0, 0)))
    spacing = [ctypes.c_int64(space) for space in spaces]
    return gdaltest.libgdal().GDALDatasetRasterIOEx(
        ctypes.c_void_p(int(dataset.this)), 0, *[ctypes.c_int(n) for n in window],
        ctypes.c_void_p(buffer.ctypes.data + first), ctypes.c_int(size[0]), ctypes.c_int(size[1]),
        ctypes.c_int(data_type), ctypes.c_int(len(bands)), (ctypes.c_int * len(bands))(*bands), *spacing,
        ctypes.byref(extra))


def random_spaces(chance, size, n_bands, pixel_bytes):
    """Bytes per pixel, line and band with the axes in any order, gaps and negative steps; the first pixel's place, and
    the bytes of all."""
    extents, spaces, step, first = [size[0], size[1], n_bands], [0, 0, 0], pixel_bytes, 0
    order = chance.choice([(0, 1, 2), (2, 0, 1), (0, 2, 1), (1, 0, 2), (2, 1, 0)])
    for axis in order:
        step += chance.choice([0, 0, 1, 3]) * pixel_bytes
        spaces[axis] = step
        step *= extents[axis]
        if chance.random() < 0.3 and step < 1 << 24:
            first += (extents[axis] - 1) * spaces[axis]
            spaces[axis] = -spaces[axis]
    return spaces, first, step


def random_window(chance, dataset):
    width, height = chance.randint(1, dataset.RasterXSize), chance.randint(1, dataset.RasterYSize)
    if chance.random() < 0.2:
        width, height = dataset.RasterXSize, dataset.RasterYSize
    return (chance.randint(0, dataset.RasterXSize - width), chance.randint(0, dataset.RasterYSize - height), width, height)


def random_bands(chance, count):
    if chance.random() < 0.3:
        return list(range(1, count + 1))
    return [chance.randint(1, count) for _ in range(chance.randint(1, 2 * count))]


def assert_same(dataset, model, *call):
    """The same call on both fills the same bytes, and leaves the same bytes alone."""
    bands, window, size, data_type, spaces, first, n_bytes, *rest = call
    got, want = np.full(n_bytes, 0xA5, "uint8"), np.full(n_bytes, 0xA5, "uint8")
    status = raster_io(model, bands, window, size, data_type, want, first, spaces, *rest)
    assert raster_io(dataset, bands, window, size, data_type, got, first, spaces, *rest) == status
    assert status == 0 or rest == [6], "only the mode of complex numbers is refused"
    assert got.tobytes() == want.tobytes(), call


def types_of(dataset):
    return [1, 2, 3, 4, 5, 6, 7, 10, 11] + [12, 13] + [dataset.GetRasterBand(1).DataType] * 6


@pytest.mark.parametrize("threads", ["1", "3"])
def test_windows_types_spacings_and_bands_as_MEM_reads_them(both, threads):
    chance = random.Random(int(threads))
    dataset, model = gdal.OpenEx(both[0], open_options=["NUM_THREADS=" + threads]), both[1]
    for _ in range(150):
        window, bands = random_window(chance, dataset), random_bands(chance, dataset.RasterCount)
        data_type = chance.choice(types_of(dataset))
        size = window[2:]
        spaces = random_spaces(chance, size, len(bands), gdal.GetDataTypeSize(data_type) // 8)
        assert_same(dataset, model, bands, window, size, data_type, *spaces)


def test_nearest_pixels_as_GDAL_takes_them(both, tmp_vsimem):
    """Smaller and larger buffers, and windows that are not whole pixels; the store has no overviews. MEM has a rule of
    its own for such windows, so GTiff is the model."""
    chance = random.Random(5)
    dataset = gdal.Open(both[0])
    model = gdal.GetDriverByName("GTiff").CreateCopy(tmp_vsimem + "/a.tif", both[1])
    for _ in range(150):
        window, bands = random_window(chance, dataset), random_bands(chance, dataset.RasterCount)
        size = [max(1, round(n * chance.choice([1 / 3, 1 / 2, 1, 2, chance.uniform(0.02, 3)]))) for n in window[2:]]
        data_type = chance.choice(types_of(dataset))
        spaces = random_spaces(chance, size, len(bands), gdal.GetDataTypeSize(data_type) // 8)
        fractions = None
        if chance.random() < 0.4:
            x, y = window[0] + chance.random() * 0.9, window[1] + chance.random() * 0.9
            fractions = (x, y, max(0.05, window[2] - 1 + chance.random() * 0.1), max(0.05, window[3] - 1))
        assert_same(dataset, model, bands, window, size, data_type, *spaces, 0, fractions)


@pytest.mark.parametrize("algorithm", range(1, 8))
def test_other_resampling_as_GDAL_does_it(both, algorithm):
    chance = random.Random(algorithm)
    dataset, model = gdal.Open(both[0]), both[1]
    for _ in range(15):
        window, bands = random_window(chance, dataset), random_bands(chance, dataset.RasterCount)[:3]
        size = [max(1, round(n * chance.uniform(0.2, 1.5))) for n in window[2:]]
        data_type = dataset.GetRasterBand(1).DataType
        spaces = random_spaces(random.Random(0), size, len(bands), gdal.GetDataTypeSize(data_type) // 8)
        spaces = [abs(s) for s in spaces[0]], 0, spaces[2]
        assert_same(dataset, model, bands, window, size, data_type, *spaces, algorithm)


def test_every_block_has_its_pixels(both):
    dataset, model = gdal.Open(both[0]), both[1]
    for number in range(1, dataset.RasterCount + 1):
        band = dataset.GetRasterBand(number)
        width, height = band.GetBlockSize()
        for y in range(0, band.YSize, height):
            for x in range(0, band.XSize, width):
                inside = min(width, band.XSize - x), min(height, band.YSize - y)
                size = gdal.GetDataTypeSize(band.DataType) // 8
                block = np.frombuffer(band.ReadBlock(x // width, y // height), f"V{size}").reshape(height, width)
                want = model.GetRasterBand(number).ReadRaster(x, y, *inside)
                assert block[: inside[1], : inside[0]].tobytes() == want


# -- Types that GDAL lacks -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("planes", [1, 2])
def test_halves(tmp_path, planes):
    array = sparse_array((2, 40, 50), "float16")
    array[0, 0, :4] = [np.inf, -np.inf, 65504, 2.0**-24]
    dataset = gdal.Open(write_store(tmp_path / "a.zarr", [array], "cyx", (planes, 16, 16)))
    for dtype in ("float32", "float64"):
        got = np.frombuffer(dataset.ReadRaster(buf_type=gdaltest.TYPES[dtype]), dtype).reshape(array.shape)
        np.testing.assert_array_equal(got, array.astype(dtype))
    interleaved = np.frombuffer(dataset.ReadRaster(3, 4, 41, 30, buf_type=6, buf_pixel_space=8, buf_line_space=8 * 41,
                                                   buf_band_space=4), "float32").reshape(30, 41, 2)
    np.testing.assert_array_equal(interleaved.transpose(2, 0, 1), array[:, 4:34, 3:44].astype("float32"))
    half_size = np.frombuffer(dataset.ReadRaster(buf_xsize=25, buf_ysize=20, buf_type=6), "float32").reshape(2, 20, 25)
    np.testing.assert_array_equal(half_size, array[:, 1::2, 1::2].astype("float32"))
    got = np.frombuffer(dataset.GetRasterBand(2).ReadBlock(1, 1), gdaltest.NAMES[dataset.GetRasterBand(2).DataType])
    np.testing.assert_array_equal(got.reshape(16, 16), array[1, 16:32, 16:32].astype(got.dtype))


def test_signed_bytes(tmp_path):
    array = sparse_array((2, 40, 50), "int8")
    dataset = gdal.Open(write_store(tmp_path / "a.zarr", [array], "cyx", (1, 16, 16)))
    got = np.frombuffer(dataset.ReadRaster(), "int8").reshape(array.shape)
    np.testing.assert_array_equal(got, array)
    if gdaltest.AT_LEAST(3, 7):
        assert dataset.GetRasterBand(1).DataType == gdaltest.TYPES["int8"]
        got = np.frombuffer(dataset.ReadRaster(buf_type=gdaltest.TYPES["int16"]), "int16").reshape(array.shape)
        np.testing.assert_array_equal(got, array)
    else:
        assert dataset.GetRasterBand(1).GetMetadataItem("PIXELTYPE", "IMAGE_STRUCTURE") == "SIGNEDBYTE"


# -- Levels ----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def levels(tmp_path_factory):
    """Levels of 512, 256, 128 and 64 pixels that hold 10, 20, 30 and 40: a pixel tells where it was read."""
    arrays = [np.full((2, 512 >> i, 512 >> i), 10 * (i + 1), "uint8") for i in range(4)]
    return write_store(tmp_path_factory.mktemp("levels") / "a.zarr", arrays, "cyx", (1, 64, 64))


@pytest.fixture(scope="module")
def tiff_levels(tmp_path_factory):
    """The same as GTiff: what this GDAL does with levels where its versions differ."""
    path = str(tmp_path_factory.mktemp("levels") / "a.tif")
    dataset = gdaltest.mem(np.full((2, 512, 512), 10, "uint8"), (0, 10, 0, 0, 0, 10), driver="GTiff", path=path)
    dataset.BuildOverviews("NEAREST", [2, 4, 8])
    for number in (1, 2):
        for i in range(3):
            band = dataset.GetRasterBand(number).GetOverview(i)
            band.WriteRaster(0, 0, band.XSize, band.YSize, bytes([10 * (i + 2)]) * band.XSize * band.YSize)
    dataset = None
    return path


def values(dataset):
    return sorted(set(dataset.ReadRaster()))


@pytest.mark.parametrize("size, value, algorithm", [
    (size, value, algorithm)
    for size, value in ((512, 10), (400, 10), (300, 20), (256, 20), (200, 20), (128, 30), (100, 30), (64, 40), (10, 40))
    for algorithm in (gdal.GRIORA_NearestNeighbour, gdal.GRIORA_Bilinear, gdal.GRIORA_Average)
    if size != 300 or algorithm == gdal.GRIORA_NearestNeighbour])
def test_RasterIO_takes_the_level_for_its_size(levels, size, value, algorithm):
    """GDAL's rule: the smallest level whose pixels are at most 1.2 times as large as those wanted, if pixels are picked;
    at most as large, from some version on, if they are resampled: 300 is left to the test of gdal_translate then."""
    dataset = gdal.Open(levels)
    for source in (dataset, dataset.GetRasterBand(1)):
        for data_type in (gdal.GDT_Byte, gdal.GDT_Float64):
            got = source.ReadRaster(buf_xsize=size, buf_ysize=size, buf_type=data_type, resample_alg=algorithm)
            dtype = "uint8" if data_type == gdal.GDT_Byte else "float64"
            assert set(np.frombuffer(got, dtype)) == {value}


@pytest.mark.parametrize("options, value", [
    (dict(width=128, height=128), 30), (dict(width=300, height=300), 20), (dict(width=64, height=64, resampleAlg="bilinear"), 40),
    (dict(width=25, height=25, srcWin=[100, 100, 50, 50]), 20), (dict(srcWin=[1, 2, 300, 300]), 10)])
def test_translate_takes_the_level_for_its_size(levels, options, value):
    assert values(gdal.Translate("", levels, format="MEM", **options)) == [value]


@pytest.mark.parametrize("ovr, size, value", [("0", 256, 20), ("1", 128, 30), ("2", 64, 40)])
def test_translate_ovr(tmp_path, levels, ovr, size, value):
    subprocess.run(["gdal_translate", "-q", "-ovr", ovr, levels, tmp_path / "a.tif"], check=True)
    out = gdal.Open(str(tmp_path / "a.tif"))
    assert (out.RasterXSize, out.RasterYSize) == (size, size) and values(out) == [value]


@pytest.mark.parametrize("resampling", ["near", "bilinear", "average"])
@pytest.mark.parametrize("ovr", ["NONE", "AUTO", "AUTO-1"])
@pytest.mark.parametrize("size", ["64", "75", "300"])
def test_translate_takes_levels_as_from_GTiff(tmp_path, levels, tiff_levels, ovr, size, resampling):
    found = []
    for source in (levels, tiff_levels):
        out = str(tmp_path / "out.tif")
        subprocess.run(["gdal_translate", "-q", "-ovr", ovr, "-r", resampling, "-outsize", size, size, source, out], check=True)
        found.append(values(gdal.Open(out)))
    assert found[0] == found[1] and len(found[0]) == 1


@pytest.mark.parametrize("level, size, value", [("0", 256, 20), ("1", 128, 30), ("2", 64, 40)])
def test_OVERVIEW_LEVEL(levels, level, size, value):
    dataset = gdal.OpenEx(levels, open_options=["OVERVIEW_LEVEL=" + level])
    assert (dataset.RasterXSize, dataset.RasterYSize) == (size, size) and values(dataset) == [value]
    window = dataset.ReadRaster(3, 5, 40, 30, buf_type=gdal.GDT_UInt16)
    assert set(np.frombuffer(window, "uint16")) == {value}


def test_OVERVIEW_LEVEL_NONE_is_as_from_GTiff(levels, tiff_levels):
    ours, model = (gdal.OpenEx(name, open_options=["OVERVIEW_LEVEL=NONE"]) for name in (levels, tiff_levels))
    assert set(ours.ReadRaster(buf_xsize=64, buf_ysize=64)) == set(model.ReadRaster(buf_xsize=64, buf_ysize=64))


@pytest.mark.parametrize("options, value", [
    (dict(width=128, height=128), 30), (dict(width=64, height=64), 40), (dict(width=500, height=500), 10),
    (dict(width=128, height=128, overviewLevel="NONE"), 10), (dict(width=128, height=128, overviewLevel=0), 20),
    (dict(width=128, height=128, overviewLevel="AUTO-1"), 20)])
def test_warp_takes_the_level_for_its_size(levels, options, value):
    assert values(gdal.Warp("", levels, format="MEM", resampleAlg="near", **options)) == [value]


def test_GetOverview_reads_its_level(levels):
    dataset = gdal.Open(levels)
    band = dataset.GetRasterBand(2)
    assert [set(band.GetOverview(i).ReadRaster()) for i in range(band.GetOverviewCount())] == [{20}, {30}, {40}]


def test_only_the_objects_of_the_window_are_read(tmp_path, levels):
    """All others are damaged: reading one of them would fail."""
    root = str(tmp_path / "a.zarr")
    shutil.copytree(levels, root)
    for folder, _, files in os.walk(root):
        for name in files:
            path = os.path.join(folder, name)
            if name != "zarr.json" and os.path.relpath(path, root) not in ("1/c/0/1/2", "1/c/0/1/3"):
                open(path, "wb").write(b"damaged")
    dataset = gdal.Open(root)
    # Level 1, rows 64 to 128, columns 128 to 256
    got = dataset.GetRasterBand(1).ReadRaster(256, 128, 256, 128, buf_xsize=128, buf_ysize=64)
    assert set(got) == {20}
    with pytest.raises(RuntimeError, match=r"1/c/0/2/2"):
        dataset.GetRasterBand(1).ReadRaster(256, 128, 256, 136, buf_xsize=128, buf_ysize=68)


# -- Where levels lie ------------------------------------------------------------------------------------------------
# GDAL stretches an overview over the whole raster. Levels of an odd size reach past it: each pixel covers exactly f.


@pytest.fixture(scope="module")
def odd(tmp_path_factory):
    """An image that no factor divides, with a mask; its levels and masks by zarr-python."""
    source = gdaltest.mem(gdaltest.random_array((2, 333, 1025), "uint16"))
    source.CreateMaskBand(gdal.GMF_PER_DATASET)
    mask = np.where(gdaltest.random_array((333, 1025), "uint8", 7) < 60, 0, 255).astype("uint8")
    source.GetRasterBand(1).GetMaskBand().WriteRaster(0, 0, 1025, 333, mask.tobytes())
    root = gdaltest.write(tmp_path_factory.mktemp("odd") / "a.ome.zarr", source, "BLOCKSIZE=32")
    masks = [zarr.open_array(f"{root}/ovr_mask/{name}", mode="r")[...] for name in ("scale0", "ovr_2x", "ovr_4x", "ovr_8x", "ovr_16x")]
    return root, gdaltest.zarr_levels(root), masks


def places(start, extent, n, factor, n_level):
    """The level's pixel under the centre of each of n pixels that a window of the image becomes."""
    centres = start + (np.arange(n) + 0.5) * extent / n
    return np.minimum(np.floor(centres / factor + 1e-9).astype(int), n_level - 1)


def random_view(chance, factor):
    """A window (perhaps not of whole pixels) and a buffer for which GDAL takes the level of this factor."""
    while True:
        x, y, width, height = random_window(chance, ODD)
        size = [int(n / (factor * chance.uniform(1, 1.6))) for n in (width, height)]
        if min(size) > 0 and all(factor <= n / m <= 1.6 * factor for n, m in zip((width, height), size)):
            break
    if chance.random() < 0.5:
        return (x, y, width, height), size, None
    return (x, y, width, height), size, (x + chance.random() * 0.9, y + chance.random() * 0.9, width - 0.95, height - 0.95)


class ODD:
    RasterXSize, RasterYSize = 1025, 333


@pytest.mark.parametrize("access", [gdal.GA_ReadOnly, gdal.GA_Update])
@pytest.mark.parametrize("number", [1, 2, 3, 4])
def test_views_take_the_pixels_that_lie_there(odd, number, access):
    """Also of a store that is open for update, as long as nothing is changed."""
    root, levels, masks = odd
    factor, level, mask = 2**number, levels[number], masks[number]
    assert level.shape == (2, -(-333 // factor), -(-1025 // factor)) and mask.shape == level.shape[1:]
    chance, dataset = random.Random(number), gdal.Open(root, access)
    views = [random_view(chance, factor) for _ in range(60 if access == gdal.GA_ReadOnly else 20)]
    views.append(((0, 0, 1025, 333), [level.shape[2], level.shape[1]], None)) # as large as the level
    for window, size, fractions in views:
        x, y, width, height = fractions or window
        columns = places(x, width, size[0], factor, level.shape[2])
        rows = places(y, height, size[1], factor, level.shape[1])
        got = np.zeros((2, size[1], size[0]), "uint16")
        spaces = (2, 2 * size[0], 2 * size[0] * size[1])
        assert raster_io(dataset, [1, 2], window, size, gdal.GDT_UInt16, got, 0, spaces, 0, fractions) == 0
        np.testing.assert_array_equal(got, level[:, rows][:, :, columns], str((window, size, fractions)))
        if fractions is None:
            one = dataset.GetRasterBand(2).ReadRaster(*window, *size)
            np.testing.assert_array_equal(np.frombuffer(one, "uint16").reshape(got.shape[1:]), got[1])
            valid = dataset.GetRasterBand(2).GetMaskBand().ReadRaster(*window, *size)
            np.testing.assert_array_equal(np.frombuffer(valid, "uint8").reshape(got.shape[1:]), mask[rows][:, columns])


@pytest.fixture(scope="module")
def ramp(tmp_path_factory):
    """Each pixel holds the x of its centre: so does every mean of a symmetric window, and every level."""
    array = np.tile((np.arange(4993) + 0.5).astype("float32"), (160, 1))
    return gdaltest.write(tmp_path_factory.mktemp("ramp") / "a.ome.zarr", gdaltest.mem(array, (0, 1, 0, 0, 0, -1)),
                          "BLOCKSIZE=64", "OVERVIEW_COUNT=5")


@pytest.mark.parametrize("how", ["RasterIO", "RasterIO of the dataset", "gdal_translate -outsize", "gdal_translate -projwin"])
@pytest.mark.parametrize("algorithm", ["near", "bilinear", "cubic", "average"])
@pytest.mark.parametrize("factor", [4, 16, 32])
def test_a_view_is_where_its_pixels_are(ramp, how, algorithm, factor):
    """Within half a pixel of the level where whole pixels are picked, nearer where they are weighted. GDAL's stretching is
    up to 31 pixels off at the right."""
    resample = {"near": gdal.GRIORA_NearestNeighbour, "bilinear": gdal.GRIORA_Bilinear, "cubic": gdal.GRIORA_Cubic,
                "average": gdal.GRIORA_Average}[algorithm]
    dataset, start, extent = gdal.Open(ramp), 0, 4993
    if how.endswith("projwin"):
        start, extent = 2001, 2992
    width, height = int(extent / factor / 1.3), int(160 / factor / 1.2)
    if how.startswith("RasterIO"):
        source = dataset if how.endswith("dataset") else dataset.GetRasterBand(1)
        got = source.ReadRaster(buf_xsize=width, buf_ysize=height, resample_alg=resample)
    else:
        window = {"projWin": [start, 0, start + extent, -160]} if how.endswith("projwin") else {}
        got = gdal.Translate("", ramp, format="MEM", width=width, height=height, resampleAlg=algorithm, **window).ReadRaster()
    got = np.frombuffer(got, "float32").reshape(height, width)
    assert (got == got[0]).all()
    error = np.abs(got[0] - (start + (np.arange(width) + 0.5) * extent / width))
    if algorithm in ("near", "average"):
        assert error.max() <= factor / 2 + 0.01
    else:
        assert error[3:-3].max() < factor / 10


# -- Masks -----------------------------------------------------------------------------------------------------------


def test_masks_are_read_like_bands(tmp_path):
    array = gdaltest.smooth_array((2, 90, 100), "uint8")
    source = gdaltest.mem(array)
    source.CreateMaskBand(gdal.GMF_PER_DATASET)
    mask = np.where(np.add.outer(np.arange(90), np.arange(100)) % 40 < 17, 0, 255).astype("uint8")
    source.GetRasterBand(1).GetMaskBand().WriteRaster(0, 0, 100, 90, mask.tobytes())
    store = gdaltest.write(tmp_path / "a.ome.zarr", source, "BLOCKSIZE=32")
    dataset = gdal.Open(store)
    got = dataset.GetRasterBand(2).GetMaskBand()
    in_memory = gdaltest.mem(mask)
    model = in_memory.GetRasterBand(1)
    for x, y, width, height in [(0, 0, 100, 90), (7, 9, 50, 60), (32, 32, 32, 32), (99, 89, 1, 1)]:
        assert got.ReadRaster(x, y, width, height) == model.ReadRaster(x, y, width, height)
        assert got.ReadRaster(x, y, width, height, buf_type=gdal.GDT_Float32) == \
            model.ReadRaster(x, y, width, height, buf_type=gdal.GDT_Float32)
        assert got.ReadRaster(x, y, width, height, width * 2, height * 3) == \
            model.ReadRaster(x, y, width, height, width * 2, height * 3)
    level = np.frombuffer(got.GetOverview(0).ReadRaster(), "uint8").reshape(45, 50)
    np.testing.assert_array_equal(level, mask.reshape(45, 2, 50, 2).max((1, 3)))
    assert got.ReadRaster(0, 0, 100, 90, 50, 45) == level.tobytes()
    block = np.frombuffer(got.ReadBlock(3, 2), "uint8").reshape(32, 32)
    np.testing.assert_array_equal(block[:26, :4], mask[64:, 96:])


# -- Caches ----------------------------------------------------------------------------------------------------------


def test_reading_leaves_the_block_cache_alone(levels):
    dataset = gdal.Open(levels)
    before = gdal.GetCacheUsed()
    dataset.ReadRaster()
    dataset.ReadRaster(buf_type=gdal.GDT_Float64)
    dataset.GetRasterBand(1).ReadRaster(buf_xsize=100, buf_ysize=100)
    dataset.GetRasterBand(2).ReadRaster(5, 5, 1, 1)
    assert gdal.GetCacheUsed() == before


def test_a_chunk_of_several_bands_is_decoded_once_for_them(tmp_path):
    """Once one band's block is read, the object is not needed any more."""
    array = gdaltest.random_array((4, 40, 50), "uint16")
    root = write_store(tmp_path / "a.zarr", [array], "cyx", (4, 16, 16))
    dataset = gdal.Open(root)
    assert dataset.GetRasterBand(2).ReadRaster(0, 0, 16, 16) == array[1, :16, :16].tobytes()
    os.unlink(f"{root}/0/c/0/0/0")
    for number in (1, 3, 4):
        assert dataset.GetRasterBand(number).ReadBlock(0, 0) == array[number - 1, :16, :16].tobytes()
    assert dataset.ReadRaster(0, 0, 16, 16) == array[:, :16, :16].tobytes()
    assert dataset.GetRasterBand(2).ReadRaster(0, 3, 16, 1) == array[1, 3, :16].tobytes()


@pytest.mark.parametrize("cachemax, n_kept", [(1 << 20, 4), (64 << 20, 8)])
def test_no_more_chunks_are_kept_than_GDAL_CACHEMAX_allows(tmp_path, cachemax, n_kept):
    """Eight chunks of 256 kB beside each other; one that is kept is read again though its object is gone."""
    array = gdaltest.random_array((512, 8 * 512), "uint8")
    root = write_store(tmp_path / "a.zarr", [array], "yx", (512, 512))
    before, found = gdal.GetCacheMax(), 0
    gdal.SetCacheMax(cachemax)
    try:
        band = gdaltest.open_band(root)
        for row in range(4):
            for x in range(8):
                assert band.ReadRaster(512 * x, row, 9, 1) == array[row, 512 * x : 512 * x + 9].tobytes()
        shutil.rmtree(f"{root}/0/c")
        for x in range(8):
            pixels = np.frombuffer(band.ReadRaster(512 * x, 7, 9, 1), "uint8")
            found += (pixels == array[7, 512 * x : 512 * x + 9]).all()  # else fill: no record says that it was there
    finally:
        gdal.SetCacheMax(before)
    assert found <= n_kept and (found == 8 or n_kept < 8)


def test_a_line_needs_a_chunk_once(tmp_path):
    array = gdaltest.random_array((40, 50), "uint16")
    root = write_store(tmp_path / "a.zarr", [array], "yx", (16, 16))
    dataset = gdal.Open(root)
    band = dataset.GetRasterBand(1)
    assert band.ReadRaster(0, 0, 50, 1) == array[0].tobytes()
    shutil.rmtree(f"{root}/0/c/0")
    for y in range(16):
        assert band.ReadRaster(0, y, 50, 1) == array[y].tobytes()


# -- Threads ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", ["0", "1", "2", "8", "ALL_CPUS", "all_cpus", None])
def test_NUM_THREADS_changes_no_pixel(both, value):
    dataset = gdal.OpenEx(both[0], open_options=[] if value is None else ["NUM_THREADS=" + value])
    for number in range(1, dataset.RasterCount + 1):
        assert dataset.GetRasterBand(number).ReadRaster() == both[1].GetRasterBand(number).ReadRaster()


@pytest.mark.parametrize("value", ["many", "-1", "1025", "2.5", ""])
def test_bad_NUM_THREADS_is_refused_by_name(levels, value):
    with pytest.raises(RuntimeError, match=f"NUM_THREADS={value}: .*ALL_CPUS"):
        gdal.OpenEx(levels, open_options=["NUM_THREADS=" + value])


def test_bad_GDAL_NUM_THREADS_is_a_warning(levels):
    with gdaltest.config_option("GDAL_NUM_THREADS", "lots"), gdaltest.collected_messages() as messages:
        assert values(gdal.Open(levels)) == [10]
    assert messages.errors() == [] and len(messages.warnings()) == 1
    assert "GDAL_NUM_THREADS=lots" in messages.warnings()[0]


def test_NUM_THREADS_is_in_the_list_of_options():
    assert "name='NUM_THREADS'" in gdaltest.OMEZARR.GetMetadataItem("DMD_OPENOPTIONLIST")


COUNT_THREADS = """
import os, sys, time
from osgeo import gdal
count = lambda: len(os.listdir("/proc/self/task"))
before = count()
dataset = gdal.OpenEx(sys.argv[1], open_options=sys.argv[3:])
if sys.argv[2]:
    gdal.SetConfigOption("GDAL_NUM_THREADS", sys.argv[2])
    dataset = gdal.OpenEx(sys.argv[1], open_options=sys.argv[3:])
dataset.ReadRaster()
while_open = count() - before
dataset = None
for _ in range(2000):  # the kernel lists a thread for a moment after it was joined
    if count() == before:
        break
    time.sleep(0.005)
print(while_open, count() - before)
"""


@pytest.mark.parametrize("config, options, has_some", [
    ("", ["NUM_THREADS=1"], False), ("", ["NUM_THREADS=3"], True), ("1", [], False), ("3", [], True),
    ("1", ["NUM_THREADS=3"], True), ("3", ["NUM_THREADS=1"], False)])
def test_threads_are_there_while_a_dataset_needs_them(levels, config, options, has_some):
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", COUNT_THREADS, levels, config, *options],
                          capture_output=True, text=True, check=True)
    while_open, after = map(int, done.stdout.split())
    assert (while_open >= 2) if has_some else (while_open == 0)
    assert after == 0


FORK = """
import os, signal, sys
from osgeo import gdal
gdal.UseExceptions()
dataset = gdal.OpenEx(sys.argv[1], open_options=["NUM_THREADS=4"])
expected = dataset.ReadRaster()
def child(work):
    process = os.fork()
    if process == 0:
        signal.alarm(60)
        try:
            os._exit(0 if work() else 1)
        finally:
            os._exit(2)
    return os.waitpid(process, 0)[1]
def close():
    global dataset
    dataset = None
    return True
def use():
    return dataset.ReadRaster() == expected and gdal.Open(sys.argv[1]).ReadRaster() == expected and close()
print(child(close), child(use), use())
"""


def test_a_child_of_fork_uses_and_closes_what_it_has_inherited(tmp_path):
    """As Python's multiprocessing does on Linux. Its threads are not there; it waited for them for ever."""
    path = gdaltest.write(tmp_path / "a.ome.zarr", gdaltest.mem(gdaltest.smooth_array((3, 200, 300), "uint16")), "BLOCKSIZE=32")
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", FORK, path], capture_output=True, text=True, timeout=200)
    assert done.stdout.split() == ["0", "0", "True"], done.stderr


def read_windows(dataset, array, seed):
    chance = random.Random(seed)
    for _ in range(60):
        x, y, width, height = random_window(chance, dataset)
        got = np.frombuffer(dataset.ReadRaster(x, y, width, height), array.dtype).reshape(-1, height, width)
        if not np.array_equal(got, array[:, y : y + height, x : x + width]):
            return False
    return True


@pytest.mark.parametrize("chunks", [(1, 32, 32), (3, 32, 32)])
def test_several_threads_with_their_own_handles(tmp_path, chunks):
    array = sparse_array((3, 150, 170), "uint16")
    root = write_store(tmp_path / "a.zarr", [array], "cyx", chunks)

    def work(seed):
        return read_windows(gdal.OpenEx(root, open_options=[f"NUM_THREADS={seed % 4}"]), array, seed)

    with concurrent.futures.ThreadPoolExecutor(5) as pool:
        assert all(pool.map(work, range(10)))


@pytest.mark.require_gdal(3, 10)
@pytest.mark.parametrize("chunks", [(1, 32, 32), (3, 32, 32)])
def test_several_threads_with_one_thread_safe_handle(tmp_path, chunks):
    array = sparse_array((3, 150, 170), "uint16")
    root = write_store(tmp_path / "a.zarr", [array, array[:, ::2, ::2]], "cyx", chunks)
    dataset = gdal.OpenEx(root, gdal.OF_RASTER | gdal.OF_THREAD_SAFE)
    assert dataset.IsThreadSafe(gdal.OF_RASTER)
    with concurrent.futures.ThreadPoolExecutor(5) as pool:
        assert all(pool.map(lambda seed: read_windows(dataset, array, seed), range(10)))
    overview = dataset.GetRasterBand(2).GetOverview(0)
    assert overview.ReadRaster() == array[1, ::2, ::2].tobytes()


# -- Progress and errors ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", [{}, {"buf_type": gdal.GDT_Float64}, {"buf_xsize": 100, "buf_ysize": 70}])
def test_progress_rises_to_one_and_can_cancel(both, how):
    dataset = gdal.Open(both[0])
    seen = []
    dataset.ReadRaster(callback=lambda done, text, data: seen.append(done) or 1, **how)
    assert seen == sorted(seen) and seen[-1] == 1.0
    with pytest.raises(RuntimeError):
        dataset.ReadRaster(callback=lambda done, text, data: 0, **how)
    assert dataset.GetRasterBand(1).ReadRaster() == both[1].GetRasterBand(1).ReadRaster()


@pytest.fixture
def damaged(tmp_path):
    """The last but one chunk of band 2 is no zstd frame."""
    array = gdaltest.random_array((2, 64, 64), "uint16")
    root = write_store(tmp_path / "damaged.zarr", [array], "cyx", (1, 16, 16))
    open(f"{root}/0/c/1/3/2", "wb").write(b"not what was here")
    return root, array


@pytest.mark.parametrize("threads", ["1", "4"])
@pytest.mark.parametrize("how", [{}, {"buf_type": gdal.GDT_Float64}, {"buf_xsize": 48, "buf_ysize": 48},
                                 {"resample_alg": gdal.GRIORA_Cubic, "buf_xsize": 48, "buf_ysize": 48}])
def test_a_damaged_chunk_fails_the_request_that_needs_it(damaged, threads, how):
    root, array = damaged
    dataset = gdal.OpenEx(root, open_options=["NUM_THREADS=" + threads])
    for source in (dataset, dataset.GetRasterBand(2)):
        with pytest.raises(RuntimeError, match="damaged.zarr/0/c/1/3/2"):
            source.ReadRaster(**how)
    assert dataset.GetRasterBand(1).ReadRaster() == array[0].tobytes()
    assert dataset.GetRasterBand(2).ReadRaster(0, 0, 64, 48) == array[1, :48].tobytes()
    with pytest.raises(RuntimeError, match="damaged.zarr/0/c/1/3/2"):
        dataset.GetRasterBand(2).ReadBlock(2, 3)


def test_gdal_translate_fails_on_a_damaged_chunk(damaged, tmp_path):
    done = subprocess.run(["gdal_translate", "-q", damaged[0], tmp_path / "out.tif"], capture_output=True, text=True)
    assert done.returncode != 0
    assert "damaged.zarr/0/c/1/3/2" in done.stderr
