"""Nodata, NaN, masks, alpha and palettes: what counts in a level, and that it is kept."""

import subprocess

import gdaltest
import ngffmodel
import numpy as np
import pytest
from osgeo import gdal

from omezarr_pixels import assert_levels, assert_read_by_all


def holes(array, nodata, share=0.4, seed=3):
    array = array.copy()
    array[np.random.default_rng(seed).random(array.shape) < share] = nodata
    array[..., : array.shape[-2] // 3, : array.shape[-1] // 3] = nodata  # windows without a valid pixel
    return array


NODATA = [("uint8", 0), ("uint8", 255), ("int16", -32768), ("uint16", 65535), ("int32", -9999), ("uint32", 4294967295),
          ("float32", -9999.0), ("float64", -1.7976931348623157e308), ("float32", float("nan"))]
NODATA_64 = [("int64", -(2**63)), ("int64", 2**53 + 1), ("uint64", 2**64 - 1)]


@pytest.mark.parametrize("method", ["AVERAGE", "MODE", "RMS", "MIN", "MAX", "GAUSS"])
@pytest.mark.parametrize("dtype,nodata", NODATA + NODATA_64)
def test_nodata_is_never_blended_into_a_level(tmp_path, dtype, nodata, method):
    array = holes(gdaltest.smooth_array((1, 90, 70), dtype), nodata)
    store = gdaltest.write(tmp_path / "a.ome.zarr", gdaltest.mem(array, nodata=nodata), "BLOCKSIZE=16",
                           f"OVERVIEW_RESAMPLING={method}")
    found = gdaltest.our_levels(store)
    np.testing.assert_array_equal(found[0], array)
    for number in range(1, len(found)):
        want = ngffmodel.reduce(found[number - 1][0], (2, 2), method, nodata=nodata)
        is_hole = np.isnan(want) if want.dtype.kind == "f" and np.isnan(nodata) else want == want.dtype.type(nodata)
        got_hole = np.isnan(found[number][0]) if is_hole.dtype == bool and dtype.startswith("float") and np.isnan(nodata) \
            else found[number][0] == want.dtype.type(nodata)
        np.testing.assert_array_equal(got_hole, is_hole, err_msg=f"holes of level {number}")
        got, want = found[number][0][~is_hole], want[~is_hole]
        if method in ("GAUSS", "RMS") or dtype.startswith("float"):
            np.testing.assert_allclose(got.astype(float), want.astype(float), rtol=2e-6, atol=1 if method == "GAUSS" else 0)
        else:
            np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize("dtype,nodata", NODATA + NODATA_64)
def test_nodata_is_kept_exactly(tmp_path, dtype, nodata):
    store = gdaltest.write(tmp_path / "a.ome.zarr", gdaltest.mem(np.full((4, 4), nodata, dtype), nodata=nodata))
    found = gdaltest.open_band(store).GetNoDataValue()
    assert found == nodata or (np.isnan(nodata) and np.isnan(found))
    fill = gdaltest.array_json(gdaltest.level_paths(store)[0])["fill_value"]
    assert fill == "NaN" if isinstance(nodata, float) and np.isnan(nodata) else fill == nodata


def test_nodata_per_band_is_kept_and_obeyed(tmp_path):
    array = gdaltest.smooth_array((3, 60, 50), "int16")
    values = [-1, None, 32767]
    array[0] = holes(array[0], -1)
    array[2] = holes(array[2], 32767)
    store = gdaltest.write(tmp_path / "a.ome.zarr", gdaltest.mem(array, nodata=values), "BLOCKSIZE=16")
    dataset = gdal.Open(store)
    assert [dataset.GetRasterBand(i + 1).GetNoDataValue() for i in range(3)] == values
    factors = ngffmodel.plain_factors(60, 50, 16)
    expected = [ngffmodel.pyramid(array[i], factors, nodata=values[i]) for i in range(3)]
    assert_levels(gdaltest.our_levels(store), [np.stack(level) for level in zip(*expected)])
    assert gdaltest.array_json(gdaltest.level_paths(store)[0])["fill_value"] == 0


def test_a_band_that_is_all_nodata_differs_from_fill_and_is_stored(tmp_path):
    array = np.stack([np.full((20, 20), 9, "uint8"), np.full((20, 20), 7, "uint8")])
    store = gdaltest.write(tmp_path / "a.ome.zarr", gdaltest.mem(array, nodata=[9, 7]), "BLOCKSIZE=8")
    for level in gdaltest.our_levels(store):
        assert (level[0] == 9).all() and (level[1] == 7).all()


@pytest.mark.parametrize("dtype,a,b,nodata", [("uint8", 9, 11, 10), ("int16", -1, 1, 0), ("uint8", 255, 255, None),
                                              ("uint8", 254, 255, 255), ("uint8", 0, 0, None)])
def test_a_mean_that_would_equal_nodata_is_nudged(tmp_path, dtype, a, b, nodata):
    array = np.array([[a, b], [a, b]], dtype)
    if nodata is None or nodata in (a, b):
        nodata = nodata if nodata is not None else 1
    store = gdaltest.write(tmp_path / "a.ome.zarr", gdaltest.mem(array, nodata=nodata), "OVERVIEW_COUNT=1")
    found = int(gdaltest.our_levels(store)[1].item())
    valid = [v for v in (a, b) if v != nodata]
    mean = sum(valid) / len(valid)
    assert found != nodata and abs(found - mean) <= 1


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_nan_is_nodata_also_where_none_is_declared(tmp_path, dtype):
    array = holes(gdaltest.smooth_array((1, 50, 40), dtype), np.nan)
    store = gdaltest.write(tmp_path / "a.ome.zarr", gdaltest.mem(array), "BLOCKSIZE=16")
    for got, want in zip(gdaltest.our_levels(store), ngffmodel.pyramid(array, ngffmodel.plain_factors(50, 40, 16))):
        valid = ~np.isnan(want)
        np.testing.assert_allclose(got[valid], want[valid], rtol=1e-6)
    assert gdaltest.open_band(store).GetNoDataValue() is None


def test_nan_and_another_nodata_value_are_both_left_out(tmp_path):
    array = holes(holes(gdaltest.smooth_array((1, 50, 40), "float32"), np.nan, 0.2), -9999, 0.2, seed=5)
    store = gdaltest.write(tmp_path / "a.ome.zarr", gdaltest.mem(array, nodata=-9999.0), "BLOCKSIZE=16")
    found = gdaltest.our_levels(store)
    want = ngffmodel.reduce(found[0][0], (2, 2), nodata=-9999.0)
    valid = ngffmodel.valid_pyramid(ngffmodel.is_valid(array[0], -9999.0), [(1, 1), (2, 2)])[1]
    np.testing.assert_allclose(found[1][0][valid], want[valid], rtol=1e-6)
    assert (found[1][0][~valid] == -9999).all()


# -- Masks ---------------------------------------------------------------------------------------------------------------


def masked_source(array, mask):
    source = gdaltest.mem(array)
    source.CreateMaskBand(gdal.GMF_PER_DATASET)
    source.GetRasterBand(1).GetMaskBand().WriteRaster(0, 0, mask.shape[1], mask.shape[0], mask.tobytes())
    return source


def round_mask(height, width):
    y, x = np.mgrid[0:height, 0:width]
    return (((y - height / 2) ** 2 + (x - width / 2) ** 2 < (min(height, width) / 3) ** 2) * 255).astype("uint8")


@pytest.mark.parametrize("version", ["0.5", "0.4"])
@pytest.mark.parametrize("layout", ["OVERVIEWS", "SCALES", "FLAT"])
@pytest.mark.parametrize("bands", [1, 3])
def test_a_mask_decides_what_counts_and_has_levels_of_its_own(tmp_path, bands, layout, version):
    array = gdaltest.smooth_array((bands, 130, 97), "uint8")
    mask = round_mask(130, 97)
    store = gdaltest.write(tmp_path / "a.ome.zarr", masked_source(array, mask), "BLOCKSIZE=32", f"LAYOUT={layout}",
                           f"NGFF_VERSION={version}")
    factors = ngffmodel.plain_factors(130, 97, 32)
    masks = ngffmodel.valid_pyramid(mask > 0, factors)
    expected = [array]
    for number in range(1, len(factors)):
        expected.append(np.stack([ngffmodel.reduce(band, (2, 2), valid=masks[number - 1]) for band in expected[-1]]))
    assert_read_by_all(store, expected)
    dataset = gdal.Open(store)
    for number in range(1, bands + 1):
        band = dataset.GetRasterBand(number)
        assert band.GetMaskFlags() == gdal.GMF_PER_DATASET
        np.testing.assert_array_equal(gdaltest.pixels(band.GetMaskBand()), mask)
        for level in range(band.GetOverviewCount()):
            np.testing.assert_array_equal(gdaltest.pixels(band.GetOverview(level).GetMaskBand()), masks[level + 1] * np.uint8(255))


def test_a_mask_that_is_all_valid_is_not_stored(tmp_path):
    array = gdaltest.smooth_array((2, 40, 40), "uint8")
    store = gdaltest.write(tmp_path / "a.ome.zarr", masked_source(array, np.full((40, 40), 255, "uint8")), "BLOCKSIZE=16")
    assert gdaltest.open_band(store).GetMaskFlags() == gdal.GMF_ALL_VALID
    assert not [name for name in gdaltest.files_of(store) if "ovr_mask" in name]


def test_without_a_valid_child_a_masked_level_is_zero(tmp_path):
    array = np.full((1, 64, 64), 200, "uint8")
    mask = np.zeros((64, 64), "uint8")
    mask[0, 0] = 255
    store = gdaltest.write(tmp_path / "a.ome.zarr", masked_source(array, mask), "BLOCKSIZE=32")
    level = gdaltest.our_levels(store)[1][0]
    assert level[0, 0] == 200 and level.sum() == 200


@pytest.mark.parametrize("factors", ["2,4", "3,6"])
@pytest.mark.parametrize("method", ["NEAREST", "AVERAGE", "MODE", "MIN", "MAX", "GAUSS"])
def test_no_method_shows_a_pixel_that_the_mask_hides(tmp_path, method, factors):
    """Hidden pixels are 99, the others at most 50: 99 is nowhere valid. The masks are those of a model."""
    random = np.random.default_rng(4)
    mask = (random.random((77, 59)) < 0.5).astype("uint8") * np.uint8(255)
    array = np.where(mask > 0, random.integers(10, 51, mask.shape), 99).astype("uint8")
    store = gdaltest.write(tmp_path / "a.ome.zarr", masked_source(array[None], mask), "BLOCKSIZE=16", f"SCALE_FACTORS={factors}",
                           f"OVERVIEW_RESAMPLING={method}")
    ratios = [(1, 1), *((int(f),) * 2 for f in factors.split(","))]
    masks = ngffmodel.valid_pyramid(mask > 0, ratios, method)
    band = gdaltest.open_band(store)
    for level in range(2):
        overview = band.GetOverview(level)
        found, valid = gdaltest.pixels(overview), gdaltest.pixels(overview.GetMaskBand())
        np.testing.assert_array_equal(valid, masks[level + 1] * np.uint8(255))
        assert found[valid > 0].max() <= 50 and found[valid > 0].min() >= 10


def test_the_smallest_case_of_nearest_and_a_mask(tmp_path):
    array, mask = np.array([[[99, 10], [10, 10]]], "uint8"), np.array([[0, 255], [255, 255]], "uint8")
    store = gdaltest.write(tmp_path / "a.ome.zarr", masked_source(array, mask), "SCALE_FACTORS=2", "OVERVIEW_RESAMPLING=NEAREST")
    band = gdaltest.open_band(store)
    overview = band.GetOverview(0)
    assert (gdaltest.pixels(overview).tolist(), gdaltest.pixels(overview.GetMaskBand()).tolist()) == ([[99]], [[0]])


# -- One mask for all planes ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("axes", ["z:2", "t:2", "z:2,c:1", "t:2,c:1,z:1"])
def test_the_smallest_case_of_a_mask_and_planes(tmp_path, axes):
    array, mask = np.array([[[10, 200], [200, 200]]] * 2, "uint16"), np.array([[255, 0], [0, 0]], "uint8")
    with gdaltest.collected_messages() as messages:
        store = gdaltest.write(tmp_path / "a.ome.zarr", masked_source(array, mask), f"AXES={axes}", "SCALE_FACTORS=2", "VERIFY=SOURCE")
    assert not messages.warnings()
    dataset = gdal.Open(store)
    for number in (1, 2):
        band = dataset.GetRasterBand(number)
        assert band.GetMaskFlags() == gdal.GMF_PER_DATASET
        assert gdaltest.pixels(band.GetMaskBand()).tolist() == mask.tolist()
        assert gdaltest.pixels(band.GetOverview(0)).tolist() == [[10]]
        assert gdaltest.pixels(band.GetOverview(0).GetMaskBand()).tolist() == [[255]]
    found = gdaltest.attributes(store)["omezarr"]["statistics"][0]
    assert (found["n_valid"], found["mean"]) == (2, 10)


@pytest.mark.parametrize("version", ["0.5", "0.4"])
@pytest.mark.parametrize("axes,blocks,factors", [("z:6", "z:2,y:16,x:16", "2,4"), ("z:6", "z:4,y:16,x:16", "z:2,y:2,x:2;z:2,y:4,x:4"),
                                                 ("z:6", "z:2,y:16,x:16", "z:3,y:3,x:3"), ("t:3,c:2", "16", "2,4"), ("t:2,c:3", "16", "3,6"),
                                                 ("t:2,c:1,z:3", "z:2,y:16,x:16", "2,4")])
def test_one_mask_counts_in_every_plane_and_level(tmp_path, axes, blocks, factors, version):
    array, mask = gdaltest.smooth_array((6, 77, 59), "uint8"), round_mask(77, 59)
    store = gdaltest.write(tmp_path / "a.ome.zarr", masked_source(array, mask), f"AXES={axes}", f"BLOCKSIZE={blocks}", f"SCALE_FACTORS={factors}",
                           f"NGFF_VERSION={version}", "SHARD=NONE", "VERIFY=SOURCE")
    sizes = [int(part.split(":")[1]) for part in axes.split(",")]
    planes = array.reshape([*sizes, 77, 59])
    z = axes.split(",")[-1].startswith("z")
    levels, masks, last = [planes], [mask > 0], (1, 1, 1)
    for step in factors.split(";") if ";" in factors else factors.split(",") if ":" not in factors else [factors]:
        named = dict(part.split(":") for part in step.split(",")) if ":" in step else {"y": step, "x": step}
        now = tuple(int(named.get(axis, 1)) for axis in "zyx")
        ratio = tuple(a // b for a, b in zip(now, last))
        ratio = ((1,) * (len(sizes) - 1) + ratio) if z else ((1,) * len(sizes) + ratio[1:])
        valid = np.broadcast_to(masks[-1], levels[-1].shape)
        levels.append(ngffmodel.reduce(levels[-1], ratio, valid=valid))
        masks.append(ngffmodel.valid_pyramid(masks[-1], [(1, 1), ratio[-2:]])[1])
        last = now
    zarr_levels = [level.reshape(want.shape) for level, want in zip(gdaltest.zarr_levels(store), levels)]
    assert_levels(zarr_levels, levels)
    dataset = gdal.Open(store)
    for number in range(1, 7):
        band = dataset.GetRasterBand(number)
        assert band.GetMaskFlags() == gdal.GMF_PER_DATASET
        np.testing.assert_array_equal(gdaltest.pixels(band.GetMaskBand()), mask)
        for level in range(band.GetOverviewCount()):
            overview = band.GetOverview(level).GetMaskBand()
            want = next(m for m in masks if m.shape == (overview.YSize, overview.XSize))
            np.testing.assert_array_equal(gdaltest.pixels(overview), want * np.uint8(255))


def test_a_mask_of_a_stack_is_made_and_changed_block_by_block(tmp_path):
    array, mask = gdaltest.smooth_array((4, 50, 40), "uint8"), round_mask(50, 40)
    options = ["AXES=z:4", "BLOCKSIZE=z:2,y:16,x:16", "SCALE_FACTORS=2", "SHARD=NONE"]
    dataset = gdaltest.OMEZARR.Create(str(tmp_path / "a.ome.zarr"), 40, 50, 4, gdal.GDT_Byte, options)
    assert dataset.CreateMaskBand(gdal.GMF_PER_DATASET) == 0
    for number in range(4):
        dataset.GetRasterBand(number + 1).WriteRaster(0, 0, 40, 50, array[number].tobytes())
    dataset.GetRasterBand(1).GetMaskBand().WriteRaster(0, 0, 40, 50, mask.tobytes())
    del dataset
    for is_changed in (False, True):
        if is_changed:  # one pixel of one plane, and a block of the mask
            array[2, 7, 30], mask[20:40, 10:20] = 200, 0
            dataset = gdal.OpenEx(str(tmp_path / "a.ome.zarr"), gdal.OF_RASTER | gdal.OF_UPDATE)
            dataset.GetRasterBand(3).WriteRaster(30, 7, 1, 1, b"\xc8")
            dataset.GetRasterBand(1).GetMaskBand().WriteRaster(10, 20, 10, 20, bytes(200))
            del dataset
        found = gdaltest.our_levels(tmp_path / "a.ome.zarr")
        assert_levels(found, [array, np.stack([ngffmodel.reduce(plane, (2, 2), valid=mask > 0) for plane in array])])
        band = gdaltest.open_band(tmp_path / "a.ome.zarr", 4)
        np.testing.assert_array_equal(gdaltest.pixels(band.GetMaskBand()), mask)


def masks_that_differ(tmp_path):
    """Each of two bands has a mask of its own."""
    array = gdaltest.smooth_array((2, 20, 20), "uint8")
    path = str(tmp_path / "s.vrt")
    gdaltest.mem(array, driver="GTiff", path=path + ".tif").FlushCache()
    source = f"<SimpleSource><SourceFilename>{path}.tif</SourceFilename><SourceBand>%d</SourceBand></SimpleSource>"
    bands = "".join(f'<VRTRasterBand dataType="Byte" band="{i}">{source % i}<MaskBand><VRTRasterBand dataType="Byte">{source % (3 - i)}'
                    "</VRTRasterBand></MaskBand></VRTRasterBand>" for i in (1, 2))
    with open(path, "w", encoding="utf-8") as file:
        file.write(f'<VRTDataset rasterXSize="20" rasterYSize="20">{bands}</VRTDataset>')
    return gdal.Open(path)


@pytest.mark.parametrize("axes", [[], ["AXES=z:2"]])
def test_masks_that_differ_are_named_or_refused_never_left_out_in_silence(tmp_path, axes):
    source = masks_that_differ(tmp_path)
    assert source.GetRasterBand(1).GetMaskFlags() == 0
    with gdaltest.collected_messages() as messages:
        gdaltest.write(tmp_path / "a.ome.zarr", source, *axes)
    text = "\n".join(messages.warnings())
    assert "The mask of band 1 is not written" in text and "levels and statistics" in text and "-mask mask,1" in text
    assert "mask of band 1" in gdaltest.refused(tmp_path / "b.ome.zarr", source, *axes, strict=1)
    assert "mask of band 1" in gdaltest.refused(tmp_path / "b.ome.zarr", source, *axes, "VERIFY=SOURCE")
    one = subprocess.run(["gdal_translate", "-q", "-of", "OMEZARR", "-b", "1", "-mask", "mask,1", source.GetDescription(), str(tmp_path / "c.ome.zarr")])
    assert one.returncode == 0 and gdaltest.open_band(tmp_path / "c.ome.zarr").GetMaskFlags() in (gdal.GMF_PER_DATASET, gdal.GMF_ALL_VALID)


# -- Kernels with lobes ----------------------------------------------------------------------------------------------------


def lanczos_matrix(n, factor):
    """Weights of the source pixels (columns) of each target pixel: sinc(d) sinc(d / 3), d in target pixels, cut at the edge."""
    centre = factor * np.arange(-(-n // factor))[:, None] + (factor - 1) / 2
    d = np.abs(np.arange(n) - centre) / factor
    weights = np.where(d < 3, np.sinc(d) * np.sinc(d / 3), 0)
    return weights / weights.sum(1, keepdims=True)


def nearest_valid(array, valid, y, x):
    """In the window of 2 x 2, the first of several."""
    return next(array[v, u] for v in (2 * y, 2 * y + 1) for u in (2 * x, 2 * x + 1)
                if v < array.shape[0] and u < array.shape[1] and valid[v, u])


@pytest.mark.parametrize("kind", ["mask", "alpha", "nodata"])
def test_where_the_weights_of_lanczos_cancel_the_nearest_valid_pixel_stands(tmp_path, kind):
    random = np.random.default_rng(11)
    valid = random.random((401, 300)) < 0.4
    array = random.integers(60, 120, valid.shape).astype("uint8")
    if kind == "nodata":
        array[~valid] = 0
        source = gdaltest.mem(array, nodata=0)
    elif kind == "mask":
        source = masked_source(array[None], valid.astype("uint8") * np.uint8(255))
    else:
        source = gdaltest.mem(np.stack([array, valid.astype("uint8") * np.uint8(255)]))
        source.GetRasterBand(2).SetColorInterpretation(gdal.GCI_AlphaBand)
    store = gdaltest.write(tmp_path / "a.ome.zarr", source, "BLOCKSIZE=64", "SCALE_FACTORS=2", "OVERVIEW_RESAMPLING=LANCZOS")
    found = gdaltest.our_levels(store)[1][0]
    rows, columns = lanczos_matrix(401, 2), lanczos_matrix(300, 2)
    share = rows @ valid @ columns.T
    value = rows @ np.where(valid, array.astype(float), 0) @ columns.T / np.where(share == 0, 1, share)
    windows = ngffmodel.valid_pyramid(valid, [(1, 1), (2, 2)])[1]
    cancelled = np.argwhere(windows & (share <= 0))
    assert len(cancelled) > 3
    for y, x in cancelled:
        assert found[y, x] == nearest_valid(array, valid, y, x)
    sure = windows & (share > 0.05)
    assert np.abs(found[sure].astype(float) - np.clip(np.rint(value[sure]), 0, 255)).max() <= 1


# -- Alpha ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("colours", [1, 3])
def test_colour_counts_where_alpha_is_not_zero_and_alpha_is_a_plain_mean(tmp_path, colours):
    array = gdaltest.smooth_array((colours + 1, 100, 81), "uint8")
    array[-1] = round_mask(100, 81)
    array[-1, 40:50, 30:35] = 128
    source = gdaltest.mem(array)
    source.GetRasterBand(colours + 1).SetColorInterpretation(gdal.GCI_AlphaBand)
    store = gdaltest.write(tmp_path / "a.ome.zarr", source, "BLOCKSIZE=32")
    factors = ngffmodel.plain_factors(100, 81, 32)
    expected = [array]
    for number in range(1, len(factors)):
        below = expected[-1]
        colour = [ngffmodel.reduce(band, (2, 2), valid=below[-1] != 0) for band in below[:-1]]
        expected.append(np.stack(colour + [ngffmodel.reduce(below[-1], (2, 2))]))
    assert_read_by_all(store, expected)
    band = gdaltest.open_band(store)
    assert band.GetMaskFlags() == gdal.GMF_PER_DATASET | gdal.GMF_ALPHA


@pytest.mark.parametrize("method", ["NEAREST", "MODE", "AVERAGE", "RMS", "MIN", "MAX", "GAUSS", "BILINEAR", "CUBIC", "CUBICSPLINE", "LANCZOS"])
def test_alpha_is_a_mean_but_a_mode_under_mode_and_the_nearest_under_nearest(tmp_path, method):
    random = np.random.default_rng(9)
    array = random.integers(0, 256, (2, 61, 83)).astype("uint8")
    array[1] = random.choice(np.array([0, 0, 3, 128, 255], "uint8"), array.shape[1:])
    source = gdaltest.mem(array)
    source.GetRasterBand(2).SetColorInterpretation(gdal.GCI_AlphaBand)
    store = gdaltest.write(tmp_path / "a.ome.zarr", source, "BLOCKSIZE=16", "SCALE_FACTORS=2,6", f"OVERVIEW_RESAMPLING={method}")
    expected = ngffmodel.pyramid(array[1], [(1, 1), (2, 2), (6, 6)], method if method in ("MODE", "NEAREST") else "AVERAGE")
    for found, want in zip(gdaltest.our_levels(store), expected):
        np.testing.assert_array_equal(found[1], want)


@pytest.mark.parametrize("axes", ["z:4", "z:2,c:2", "c:2,z:2", "t:4", "t:2,c:2"])
def test_alpha_with_z_or_t_is_refused(tmp_path, axes):
    source = gdaltest.mem(np.full((4, 2, 2), 10, "uint8"))
    source.GetRasterBand(4).SetColorInterpretation(gdal.GCI_AlphaBand)
    text = gdaltest.refused(tmp_path / "a.ome.zarr", source, f"AXES={axes}", "SCALE_FACTORS=2")
    assert "Band 4 is alpha" in text and "-colorinterp_4 undefined" in text
    assert not list(tmp_path.iterdir())


# -- Palettes --------------------------------------------------------------------------------------------------------------


def test_palette_data_use_the_mode_never_a_mean(tmp_path):
    array = np.random.default_rng(2).integers(0, 5, (1, 80, 60)).astype("uint8")
    source = gdaltest.mem(array)
    table = gdal.ColorTable()
    for value in range(5):
        table.SetColorEntry(value, (value * 50, 255 - value * 50, 7, 255))
    source.GetRasterBand(1).SetColorTable(table)
    source.GetRasterBand(1).SetColorInterpretation(gdal.GCI_PaletteIndex)
    store = gdaltest.write(tmp_path / "a.ome.zarr", source, "BLOCKSIZE=16")
    assert_read_by_all(store, ngffmodel.pyramid(array, ngffmodel.plain_factors(80, 60, 16), "MODE"))
    band = gdaltest.open_band(store)
    assert band.GetColorInterpretation() == gdal.GCI_PaletteIndex
    found = band.GetColorTable()
    assert [found.GetColorEntry(i) for i in range(5)] == [table.GetColorEntry(i) for i in range(5)]


def test_mode_takes_the_smallest_value_on_ties(tmp_path):
    array = np.array([[5, 3, 9, 9], [5, 3, 1, 1]], "uint8")
    store = gdaltest.write(tmp_path / "a.ome.zarr", gdaltest.mem(array), "OVERVIEW_COUNT=1", "OVERVIEW_RESAMPLING=MODE")
    assert gdaltest.our_levels(store)[1].tolist() == [[[3, 1]]]
