"""Every order of writing: WriteRaster of windows, Fill, WriteBlock, the dataset's RasterIO, flushing, reading, on a new
store and on one that is there. What GDAL's block cache holds and has not written yet counts. GTiff with the same blocks,
under the same calls, says what must come out."""

import ctypes
import random

import gdaltest
import numpy as np
import pytest
from osgeo import gdal

BLOCK = 16


def create_both(folder, width, height, n_bands, dtype):
    data_type = gdaltest.TYPES[dtype]
    ours = gdaltest.OMEZARR.Create(f"{folder}/a.ome.zarr", width, height, n_bands, data_type, [f"BLOCKSIZE={BLOCK}"])
    theirs = gdal.GetDriverByName("GTiff").Create(
        f"{folder}/a.tif", width, height, n_bands, data_type,
        ["TILED=YES", f"BLOCKXSIZE={BLOCK}", f"BLOCKYSIZE={BLOCK}", "INTERLEAVE=BAND", "PHOTOMETRIC=MINISBLACK",
         "ALPHA=NO"])
    for dataset in (ours, theirs):
        assert dataset.GetRasterBand(1).GetBlockSize() == [BLOCK, BLOCK]
    return ours, theirs


def update_both(folder):
    return [gdal.OpenEx(f"{folder}/{name}", gdal.OF_RASTER | gdal.OF_UPDATE) for name in ("a.ome.zarr", "a.tif")]


def write_block(band, x, y, block):
    status = gdaltest.libgdal().GDALWriteBlock(ctypes.c_void_p(int(band.this)), ctypes.c_int(x), ctypes.c_int(y),
                                               ctypes.c_void_p(block.ctypes.data))
    assert status == 0


def random_call(chance, width, height, n_bands, dtype, has_mask):
    """A name, for the message, and a function of a dataset; what it returns must be the same."""
    band = chance.randint(1, n_bands)
    w, h = chance.randint(1, width), chance.randint(1, height)
    x, y = chance.randint(0, width - w), chance.randint(0, height - h)
    value = chance.choice([0, 0, 7, 7, 9])
    kind = chance.choice(["write", "write", "write_all", "fill", "fill", "block", "flush", "flush_band", "read",
                          "read_all"] + ["mask_write", "mask_write", "mask_fill", "mask_read"] * has_mask)

    def call(dataset):
        of = dataset.GetRasterBand(band)
        if kind == "write":
            of.WriteRaster(x, y, w, h, np.full((h, w), value + 1, dtype).tobytes())
        elif kind == "write_all":
            dataset.WriteRaster(x, y, w, h, np.full((n_bands, h, w), value + 2, dtype).tobytes())
        elif kind == "fill":
            of.Fill(value)
        elif kind == "block":
            of.FlushCache()  # a block goes past the cache, and what waits there comes over it later
            write_block(of, x // BLOCK, y // BLOCK, np.full((BLOCK, BLOCK), value + 3, dtype))
        elif kind == "flush":
            dataset.FlushCache()
        elif kind == "flush_band":
            of.FlushCache()
        elif kind == "read":
            return of.ReadRaster(x, y, w, h)
        elif kind == "read_all":
            return dataset.ReadRaster(x, y, w, h)
        elif kind == "mask_write":
            of.GetMaskBand().WriteRaster(x, y, w, h, np.full((h, w), 255 if value == 7 else 0, "uint8").tobytes())
        elif kind == "mask_fill":
            of.GetMaskBand().Fill(255 if value == 7 else 0)
        elif kind == "mask_read":
            return of.GetMaskBand().ReadRaster(x, y, w, h)
        return None

    return f"{kind}(band {band}, window {x} {y} {w} {h}, value {value})", call


@pytest.mark.parametrize("seed", range(150))
def test_any_order_gives_the_pixels_of_gtiff(tmp_vsimem, seed):
    chance = random.Random(seed)
    width, height, n_bands = chance.randint(17, 50), chance.randint(17, 50), chance.choice([1, 1, 2, 4])
    dtype = chance.choice(["uint8", "int16", "float32"])
    both = create_both(tmp_vsimem, width, height, n_bands, dtype)
    calls = []
    nodata = chance.choice([None, None, 7, 9])  # said first: later, GTiff takes what was filled with 0 for unwritten
    for i in range(n_bands if nodata is not None else 0):
        both[0].GetRasterBand(i + 1).SetNoDataValue(nodata)
        both[1].GetRasterBand(i + 1).SetNoDataValue(nodata)
    has_mask = nodata is None and chance.random() < 0.4
    with gdaltest.config_option("GDAL_TIFF_INTERNAL_MASK", "YES"):
        assert not has_mask or [d.CreateMaskBand(gdal.GMF_PER_DATASET) for d in both] == [0, 0]
    for _ in range(2):  # new, then changed in place
        for _ in range(chance.randint(1, 12)):
            name, call = random_call(chance, width, height, n_bands, dtype, has_mask)
            calls.append(name)
            ours, theirs = (call(dataset) for dataset in both)
            assert ours == theirs, calls
        calls.append("close")
        del both
        both = update_both(tmp_vsimem)
        assert both[0].ReadRaster() == both[1].ReadRaster(), calls
        masks = [dataset.GetRasterBand(1).GetMaskBand().ReadRaster() for dataset in both]
        assert masks[0] == masks[1] or nodata is not None, calls
        has_mask = has_mask and both[0].GetRasterBand(1).GetMaskFlags() == gdal.GMF_PER_DATASET  # one that is 255 is none


def test_a_write_that_waits_is_overwritten_by_fill(tmp_vsimem):
    path = f"{tmp_vsimem}/a.ome.zarr"
    dataset = gdaltest.OMEZARR.Create(path, 30, 20, 1, gdal.GDT_Byte)
    dataset.GetRasterBand(1).WriteRaster(0, 0, 30, 20, b"\x09" * 600)
    dataset.GetRasterBand(1).Fill(0)
    assert dataset.ReadRaster() == b"\0" * 600
    del dataset
    assert gdaltest.open_band(path).ReadRaster() == b"\0" * 600


def test_fill_of_a_store_that_is_there(tmp_vsimem):
    path = f"{tmp_vsimem}/a.ome.zarr"
    gdaltest.write(path, gdaltest.mem(np.full((20, 30), 9, "uint8")))
    dataset = gdal.OpenEx(path, gdal.OF_RASTER | gdal.OF_UPDATE)
    dataset.GetRasterBand(1).Fill(0)
    del dataset
    assert gdaltest.open_band(path).ReadRaster() == b"\0" * 600


@pytest.mark.parametrize("dtype, first, value, other", [("uint8", None, 0, 255), ("int16", 5, 5, 0), ("uint16", 9, 9, None),
                                                        ("float32", float("nan"), float("nan"), 0)])
def test_what_was_filled_stays_when_nodata_changes(tmp_vsimem, dtype, first, value, other):
    path = f"{tmp_vsimem}/a.ome.zarr"
    dataset = gdaltest.OMEZARR.Create(path, 50, 40, 1, gdaltest.TYPES[dtype], [f"BLOCKSIZE={BLOCK}"])
    band = dataset.GetRasterBand(1)
    if first is not None:
        band.SetNoDataValue(first)
    band.Fill(value)
    band.WriteRaster(20, 20, 1, 1, np.array(3, dtype).tobytes())
    if other is None:
        band.DeleteNoDataValue()
    else:
        band.SetNoDataValue(other)
    expected = np.full((40, 50), value, dtype)
    expected[20, 20] = 3
    np.testing.assert_array_equal(gdaltest.pixels(band), expected)
    del band, dataset
    np.testing.assert_array_equal(gdaltest.pixels(gdaltest.open_band(path)), expected)


@pytest.mark.parametrize("dtype, nodata, value, pixel", [("uint8", 300, 300, 255), ("uint8", 5.5, 5.5, 6),
                                                         ("int16", -40000, -40000, -32768)])
def test_fill_with_a_nodata_value_that_no_pixel_can_have(tmp_vsimem, dtype, nodata, value, pixel):
    path = f"{tmp_vsimem}/a.ome.zarr"
    dataset = gdaltest.OMEZARR.Create(path, 50, 40, 1, gdaltest.TYPES[dtype])
    dataset.GetRasterBand(1).SetNoDataValue(nodata)
    dataset.GetRasterBand(1).Fill(value)
    del dataset
    assert (gdaltest.pixels(gdaltest.open_band(path)) == pixel).all()


WAITING = {
    "window": lambda dataset: dataset.GetRasterBand(1).WriteRaster(0, 0, 60, 60, b"\x01" * 3600),
    "dataset": lambda dataset: dataset.WriteRaster(0, 0, 60, 60, b"\x01" * 3600),
    "fill": lambda dataset: dataset.GetRasterBand(1).Fill(1),
    "mask": lambda dataset: dataset.GetRasterBand(1).GetMaskBand().WriteRaster(0, 0, 1, 1, b"\xff"),
    "fill of the mask": lambda dataset: dataset.GetRasterBand(1).GetMaskBand().Fill(255),
}


@pytest.mark.parametrize("what", WAITING)
def test_overviews_are_not_shown_while_a_write_waits(tmp_vsimem, what):
    path = f"{tmp_vsimem}/a.ome.zarr"
    source = gdaltest.mem(np.full((60, 60), 9, "uint8"))
    source.CreateMaskBand(gdal.GMF_PER_DATASET)  # all 0
    gdaltest.write(path, source, f"BLOCKSIZE={BLOCK}")
    dataset = gdal.OpenEx(path, gdal.OF_RASTER | gdal.OF_UPDATE)
    assert dataset.GetRasterBand(1).GetOverviewCount() == 2
    WAITING[what](dataset)
    assert dataset.GetRasterBand(1).GetOverviewCount() == 0
