"""Sources with holes (sparse GeoTIFF, VRT with gaps): what is not stored there is not read, and the store has the pixels,
the levels, the counts and the bytes of a source that stores all of it."""

import gdaltest
import ngffmodel
import numpy as np
import pytest
import webserver
from osgeo import gdal

from omezarr_pixels import assert_levels

WIDTH, HEIGHT, TILE = 210, 170, 16
GT = (500000.0, 10.0, 0.0, 5000000.0, 0.0, -10.0)
TILED = ["TILED=YES", f"BLOCKXSIZE={TILE}", f"BLOCKYSIZE={TILE}"]


def tiles_with_data(seed=1, share=0.2):
    """Rows and columns of tiles, some alone, some side by side."""
    random = np.random.default_rng(seed)
    grid = random.random((-(-HEIGHT // TILE), -(-WIDTH // TILE))) < share
    grid[4:8, 5:9] = True  # whole tiles of a level
    return grid


def picture(dtype, hole, bands=1):
    """Pixels where tiles have data, holes elsewhere; band i has its own tiles from the second on."""
    array = gdaltest.smooth_array((bands, HEIGHT, WIDTH), dtype)
    grids = []
    for number in range(bands):
        grids.append(tiles_with_data(number + 1))
        inside = np.kron(grids[-1], np.ones((TILE, TILE), bool))[:HEIGHT, :WIDTH]
        array[number][~inside] = hole
    return array, grids


def geotiff(path, array, grids=None, nodata=None, options=()):
    """grids: only these tiles of each band are stored; None: all are."""
    bands = array.shape[0]
    if grids:
        options = ["SPARSE_OK=TRUE", *options]
    dataset = gdal.GetDriverByName("GTiff").Create(str(path), WIDTH, HEIGHT, bands, gdaltest.TYPES[array.dtype.name],
                                                   [*TILED, "COMPRESS=LZW", "INTERLEAVE=BAND", *options])
    dataset.SetGeoTransform(GT)
    dataset.SetSpatialRef(gdaltest.crs("EPSG:32633"))
    for number in range(bands):
        band = dataset.GetRasterBand(number + 1)
        if nodata is not None:
            band.SetNoDataValue(nodata)
        for row, column in np.argwhere(grids[number] if grids else np.ones_like(tiles_with_data())):
            y, x = int(row) * TILE, int(column) * TILE
            part = np.ascontiguousarray(array[number, y : y + TILE, x : x + TILE])
            band.WriteRaster(x, y, part.shape[1], part.shape[0], part.tobytes())
    del band, dataset  # closed: only then a whole file has all its tiles
    return gdal.Open(str(path))


def n_holes(dataset):
    return sum(dataset.GetRasterBand(i + 1).GetDataCoverageStatus(x, y, TILE, TILE)[0] == gdal.GDAL_DATA_COVERAGE_STATUS_EMPTY
               for i in range(dataset.RasterCount) for y in range(0, HEIGHT - TILE, TILE) for x in range(0, WIDTH - TILE, TILE))


def same_store(tmp_path, sparse, dense, *options):
    """Both copies have the same bytes. The names of the sources must not count."""
    assert n_holes(sparse) > 50 and n_holes(dense) == 0
    options = [*options, *([] if any("BLOCKSIZE" in option for option in options) else [f"BLOCKSIZE={TILE}"])]
    paths = [gdaltest.write(tmp_path / name / "a.ome.zarr", source, *options)
             for name, source in (("sparse", sparse), ("dense", dense)) if not (tmp_path / name).mkdir()]
    assert gdaltest.tree_digest(paths[0]) == gdaltest.tree_digest(paths[1])
    return paths[0]


@pytest.mark.parametrize("options", [["STATISTICS=YES"], ["STATISTICS=NO", "WINDOW=MINMAX"], ["OVERVIEW_RESAMPLING=GAUSS"],
                                     ["SCALE_FACTORS=3,6", "OVERVIEW_RESAMPLING=LANCZOS"], ["SHARD=64"], ["SCALE_FACTORS=2,5,10"],
                                     ["NGFF_VERSION=0.4", "NUM_THREADS=0"], ["OVERVIEW_RESAMPLING=NEAREST", "NUM_THREADS=1"]])
@pytest.mark.parametrize("dtype,nodata", [("uint8", None), ("uint8", 7), ("int16", -9999), ("uint16", 0), ("float32", None),
                                          ("float32", float("nan")), ("float64", -1.5)])
def test_a_sparse_geotiff_makes_the_store_of_a_whole_one(tmp_path, dtype, nodata, options):
    array, grids = picture(dtype, 0 if nodata is None else nodata)
    store = same_store(tmp_path, geotiff(tmp_path / "s.tif", array, grids, nodata),
                       geotiff(tmp_path / "d.tif", array, None, nodata), *options)
    np.testing.assert_array_equal(gdaltest.our_levels(store)[0], array)


@pytest.mark.parametrize("dtype,nodata", [("uint8", None), ("uint16", None), ("int16", None), ("int16", -9999), ("float32", None)])
def test_zeros_of_holes_count_and_nodata_does_not(tmp_path, dtype, nodata):
    array, grids = picture(dtype, 0 if nodata is None else nodata)
    store = gdaltest.write(tmp_path / "a.ome.zarr", geotiff(tmp_path / "s.tif", array, grids, nodata), f"BLOCKSIZE={TILE}",
                           "OVERVIEW_COUNT=0", "WINDOW=PERCENTILE", "STATISTICS=YES")
    values = array[array != nodata].astype(float)
    found = gdaltest.attributes(store)["omezarr"]["statistics"][0]
    assert found["n_valid"] == values.size
    assert (found["min"], found["max"]) == (values.min(), values.max())
    assert found["mean"] == pytest.approx(values.mean(), rel=1e-12)
    assert found["std_dev"] == pytest.approx(values.std(), rel=1e-12)
    window = gdaltest.ome(store)["omero"]["channels"][0]["window"]
    assert [window["start"], window["end"]] == pytest.approx(np.percentile(values, [2, 98]), rel=1e-9)


@pytest.mark.parametrize("nodata", [None, 7])
@pytest.mark.parametrize("options", [[], ["AXES=z:3"], ["AXES=t:3", "BLOCKSIZE=t:2,y:16,x:16"]])
def test_bands_with_holes_of_their_own(tmp_path, nodata, options):
    array, grids = picture("uint8", nodata or 0, 3)
    store = same_store(tmp_path, geotiff(tmp_path / "s.tif", array, grids, nodata),
                       geotiff(tmp_path / "d.tif", array, None, nodata), *options)
    np.testing.assert_array_equal(gdaltest.our_levels(store)[0], array)


def vrt(path, array, bands_xml, width=WIDTH, height=HEIGHT, mask=""):
    """A VRT whose sources are 64 x 48 pixels of array at (80, 64)."""
    patch = str(path) + ".tif"
    gdaltest.mem(np.ascontiguousarray(array[:, 64:112, 80:144]), driver="GTiff", path=patch).FlushCache()
    source = (f"<SimpleSource><SourceFilename>{patch}</SourceFilename><SourceBand>%d</SourceBand>"
              '<SrcRect xOff="0" yOff="0" xSize="64" ySize="48"/><DstRect xOff="80" yOff="64" xSize="64" ySize="48"/></SimpleSource>')
    bands = "".join(f'<VRTRasterBand dataType="Byte" band="{i + 1}">{xml}{source % (i + 1)}</VRTRasterBand>'
                    for i, xml in enumerate(bands_xml))
    if mask:
        mask = f'<MaskBand><VRTRasterBand dataType="Byte">{source % mask}</VRTRasterBand></MaskBand>'
    with open(path, "w", encoding="utf-8") as file:
        file.write(f'<VRTDataset rasterXSize="{width}" rasterYSize="{height}">{bands}{mask}</VRTDataset>')
    return gdal.Open(str(path))


@pytest.mark.parametrize("xml,hole", [("", 0), ("<NoDataValue>255</NoDataValue>", 255),
                                      ("<NoDataValue>255</NoDataValue><HideNoDataValue>1</HideNoDataValue>", 255)])
def test_gaps_of_a_vrt_read_as_gdal_reads_them(tmp_path, xml, hole):
    array = gdaltest.smooth_array((1, HEIGHT, WIDTH), "uint8")
    source = vrt(tmp_path / "s.vrt", array, [xml])
    assert n_holes(source) > 50
    expected = np.full_like(array, hole)
    expected[:, 64:112, 80:144] = array[:, 64:112, 80:144]
    store = gdaltest.write(tmp_path / "a.ome.zarr", source, f"BLOCKSIZE={TILE}")
    np.testing.assert_array_equal(gdaltest.our_levels(store)[0], expected)


def test_bands_of_a_vrt_have_holes_of_different_nodata(tmp_path):
    array, holes = gdaltest.smooth_array((3, HEIGHT, WIDTH), "uint8"), [5, 9, None]
    source = vrt(tmp_path / "s.vrt", array, [f"<NoDataValue>{v}</NoDataValue>" if v else "" for v in holes])
    expected = np.stack([np.full((HEIGHT, WIDTH), v or 0, "uint8") for v in holes])
    expected[:, 64:112, 80:144] = array[:, 64:112, 80:144]
    store = gdaltest.write(tmp_path / "a.ome.zarr", source, f"BLOCKSIZE={TILE}")
    factors = ngffmodel.plain_factors(HEIGHT, WIDTH, TILE)
    levels = [ngffmodel.pyramid(expected[i], factors, nodata=holes[i]) for i in range(3)]
    assert_levels(gdaltest.our_levels(store), [np.stack(level) for level in zip(*levels)])


def test_a_nodata_value_beyond_the_type_is_what_gdal_makes_of_it(tmp_path):
    """GTiff fills the holes of bytes with 255 for a nodata value of 300, which is none for the store."""
    array, grids = picture("uint8", 0)
    source = geotiff(tmp_path / "s.tif", array, grids, 300)
    expected = gdaltest.pixels(source)
    store = gdaltest.write(tmp_path / "a.ome.zarr", source, f"BLOCKSIZE={TILE}")
    np.testing.assert_array_equal(gdaltest.our_levels(store)[0], expected)


def test_a_mask_with_gaps_is_invalid_there(tmp_path):
    array = gdaltest.smooth_array((2, HEIGHT, WIDTH), "uint8")
    array[1] = 255
    array[1, 70:90, 100:120] = 0
    source = vrt(tmp_path / "s.vrt", array, [""], mask=2)
    mask = np.zeros((HEIGHT, WIDTH), "uint8")
    mask[64:112, 80:144] = array[1, 64:112, 80:144]
    pixels = np.where(mask[None] * 0 + np.pad(np.ones((1, 48, 64)), ((0, 0), (64, HEIGHT - 112), (80, WIDTH - 144))) > 0, array[:1], 0)
    store = gdaltest.write(tmp_path / "a.ome.zarr", source, f"BLOCKSIZE={TILE}")
    band = gdaltest.open_band(store)
    np.testing.assert_array_equal(gdaltest.pixels(band), pixels[0])
    np.testing.assert_array_equal(gdaltest.pixels(band.GetMaskBand()), mask)
    half = np.pad(mask, ((0, HEIGHT % 2), (0, WIDTH % 2))).reshape(-(-HEIGHT // 2), 2, -(-WIDTH // 2), 2).max((1, 3))
    np.testing.assert_array_equal(gdaltest.pixels(band.GetOverview(0).GetMaskBand()), half)


def test_alpha_is_zero_in_holes(tmp_path):
    array, grids = picture("uint8", 0, 4)
    sources = [geotiff(tmp_path / name, array, g, options=["PHOTOMETRIC=RGB", "ALPHA=YES"]) for name, g in (("s.tif", grids), ("d.tif", None))]
    store = same_store(tmp_path, *sources)
    np.testing.assert_array_equal(gdaltest.our_levels(store)[0], array)


def test_a_resumed_copy_leaves_the_same_holes(tmp_path):
    array, grids = picture("uint16", 0)
    geotiff(tmp_path / "s.tif", array, grids)
    expected = gdaltest.write(tmp_path / "whole" / "a.ome.zarr" if not (tmp_path / "whole").mkdir() else "", gdal.Open(str(tmp_path / "s.tif")),
                              f"BLOCKSIZE={TILE}", "NUM_THREADS=0")
    options = [f"BLOCKSIZE={TILE}", "RESUME=YES", "NUM_THREADS=0"]
    with gdaltest.collected_messages():
        try:
            stopped = gdaltest.create_copy(tmp_path / "a.ome.zarr", gdal.Open(str(tmp_path / "s.tif")), *options,
                                           callback=lambda share, *_: share < 0.5)
        except RuntimeError:
            stopped = None
    assert stopped is None and (tmp_path / ".a.ome.zarr.partial").exists()
    store = gdaltest.write(tmp_path / "a.ome.zarr", gdal.Open(str(tmp_path / "s.tif")), *options)
    found, wanted = (gdaltest.snapshot(path) for path in (store, expected))
    assert found == {**wanted, **{name: found[name] for name in found if name == "zarr.json"}}  # which names the options
    np.testing.assert_array_equal(gdaltest.our_levels(store)[0], array)


# -- Holes of stores -------------------------------------------------------------------------------------------------


@pytest.fixture
def holed(tmp_path):
    """Of a sparse GeoTIFF, and a store of it whose chunks are its tiles."""
    array, grids = picture("int16", -5, 2)
    sparse = geotiff(tmp_path / "s.tif", array, grids, -5)
    return sparse, lambda *options: gdaltest.write(tmp_path / "a.ome.zarr", sparse, *(options or [f"BLOCKSIZE={TILE}"]))


@pytest.mark.parametrize("options", [[f"BLOCKSIZE={TILE}"], [f"BLOCKSIZE={TILE}", "SHARD=64"], [f"BLOCKSIZE={TILE}", "NGFF_VERSION=0.4"]])
def test_a_store_says_what_it_does_not_have(holed, tmp_path, options):
    """As the GeoTIFF does, chunk by chunk; so a copy of it skips what is not there."""
    sparse, write = holed
    store = gdal.Open(write(*options))
    assert n_holes(store) == n_holes(sparse) > 50
    for band in (1, 2):
        want = [sparse.GetRasterBand(band).GetDataCoverageStatus(*window) for window in ((0, 0, WIDTH, HEIGHT), (3, 5, 61, 40))]
        assert [store.GetRasterBand(band).GetDataCoverageStatus(*window) for window in ((0, 0, WIDTH, HEIGHT), (3, 5, 61, 40))] == want
    gdal.Translate(str(tmp_path / "t.tif"), store, creationOptions=[*TILED, "SPARSE_OK=TRUE", "INTERLEAVE=BAND"])
    back = gdal.Open(str(tmp_path / "t.tif"))
    assert n_holes(back) == n_holes(sparse)
    np.testing.assert_array_equal(gdaltest.pixels(back), gdaltest.pixels(sparse))


def test_a_level_and_a_mask_have_holes(tmp_path):
    source = gdaltest.mem(np.ones((64, 128), "uint8"))
    source.CreateMaskBand(gdal.GMF_PER_DATASET)
    source.GetRasterBand(1).GetMaskBand().WriteRaster(64, 0, 64, 64, b"\xff" * 4096)
    dataset = gdal.Open(gdaltest.write(tmp_path / "a.ome.zarr", source, "BLOCKSIZE=32"))
    mask, level = dataset.GetRasterBand(1).GetMaskBand(), dataset.GetRasterBand(1).GetOverview(0)
    assert [mask.GetDataCoverageStatus(x, 0, 64, 64)[0] for x in (0, 64)] == [4, 2]
    assert [level.GetMaskBand().GetDataCoverageStatus(x, 0, 32, 32)[0] for x in (0, 32)] == [4, 2]
    assert [level.GetDataCoverageStatus(x, 0, 32, 32)[0] for x in (0, 32)] == [4, 2]  # nothing valid is 0


def test_what_reads_as_something_is_no_hole(holed):
    """What is not stored is the store's nodata value; with another one, which the side file says, it is pixels."""
    path = holed[1]()
    dataset = gdal.Open(path)
    for band in (1, 2):
        dataset.GetRasterBand(band).SetNoDataValue(9)
    assert n_holes(dataset) == 0
    del dataset
    store = gdal.Open(path)
    assert store.GetRasterBand(1).GetNoDataValue() == 9 and n_holes(store) == 0


def test_holes_of_other_stores_are_looked_for_on_disks_only(tmp_path, monkeypatch):
    """By the record of its writer a store of ours knows its holes also on a server; nobody else's does, and no request is
    made to find out."""
    zarr = pytest.importorskip("zarr")
    array, grids = picture("int16", 0)
    group = zarr.open_group(str(tmp_path / "b.zarr"), mode="w", zarr_format=3)
    stored = group.create_array("0", shape=array.shape[1:], chunks=(TILE, TILE), dtype="int16", fill_value=0, dimension_names=["y", "x"])
    stored[...] = array[0]
    group.attrs["ome"] = {"version": "0.5", "multiscales": [{"axes": [{"name": n, "type": "space"} for n in "yx"], "datasets": [
        {"path": "0", "coordinateTransformations": [{"type": "scale", "scale": [1, 1]}]}]}]}
    sparse = geotiff(tmp_path / "s.tif", array, grids)
    gdaltest.write(tmp_path / "a.zarr", sparse, f"BLOCKSIZE={TILE}")
    assert n_holes(gdal.Open(str(tmp_path / "b.zarr"))) == n_holes(gdal.Open(str(tmp_path / "a.zarr"))) == n_holes(sparse)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    gdal.VSICurlClearCache()
    with webserver.serve(tmp_path) as web:
        ours, other = (gdal.Open(f'OMEZARR:"/vsicurl/{web.url}/{name}.zarr"') for name in "ab")
        web.asked.clear()
        assert n_holes(other) == 0 and web.asked == []
        assert n_holes(ours) == n_holes(sparse) and len(web.asked) <= 1  # .omezarr-dirty
    gdal.VSICurlClearCache()


def test_nothing_of_a_terapixel_is_done(tmp_path):
    """A million by a million pixels, of which 64 x 48 are something: what it took to read the rest would be hours."""
    side = 1_000_000
    array = gdaltest.smooth_array((1, HEIGHT, WIDTH), "uint8")
    source = vrt(tmp_path / "s.vrt", array, ["<NoDataValue>0</NoDataValue>"], side, side)
    store = gdaltest.write(tmp_path / "a.ome.zarr", source, "BLOCKSIZE=4096")
    dataset = gdal.Open(store)
    band = dataset.GetRasterBand(1)
    assert (band.XSize, band.YSize) == (side, side)
    found = np.frombuffer(band.ReadRaster(0, 0, WIDTH, HEIGHT), "uint8").reshape(HEIGHT, WIDTH)
    np.testing.assert_array_equal(found[64:112, 80:144], array[0, 64:112, 80:144])
    assert found.sum(dtype="int64") == array[0, 64:112, 80:144].sum(dtype="int64")
    chunks = [name for name in gdaltest.files_of(store) if "image/c/" in name]
    assert len(chunks) == band.GetOverviewCount() + 1  # one of each level
    assert gdaltest.attributes(store)["omezarr"]["statistics"][0]["n_valid"] == np.count_nonzero(array[0, 64:112, 80:144])
