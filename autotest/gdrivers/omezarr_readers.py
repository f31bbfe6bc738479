"""Other people's readers and validators: every validator strictly, for every version, layout and kind of picture; the
pixels by ngff-zarr, and by GDAL's own Zarr driver."""

import os
import subprocess
import sys

import gdaltest
import ngffmodel
import numpy as np
import pytest
from osgeo import gdal

from omezarr_validity import masked_source, round_mask

NORTH_UP = (500000, 10, 0, 5000000, 0, -10)
ROTATED = (500000.25, 8.5, 2.25, 5000000.75, 1.5, -9.0)
VALIDATOR = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "validate_ngff.py")


def picture(bands=3, dtype="uint8", geotransform=NORTH_UP, code="EPSG:32633", shape=(99, 101), nodata=None):
    return gdaltest.mem(gdaltest.smooth_array((bands,) + shape, dtype), geotransform, code, nodata)


def rgba():
    source = picture(4)
    for number, value in enumerate([gdal.GCI_RedBand, gdal.GCI_GreenBand, gdal.GCI_BlueBand, gdal.GCI_AlphaBand]):
        source.GetRasterBand(number + 1).SetColorInterpretation(value)
    return source


def palette():
    source = picture(1)
    table = gdal.ColorTable()
    for value in range(256):
        table.SetColorEntry(value, (value, 255 - value, 7, 255))
    source.GetRasterBand(1).SetColorTable(table)
    return source


def with_metadata():
    source = picture(2)
    source.SetMetadata(["<x>" + "y" * 100000 + "</x>"], "xml:XMP")
    source.GetRasterBand(1).SetDescription("NIR")
    source.SetGCPs([gdal.GCP(1, 2, 0, 3, 4), gdal.GCP(5, 6, 0, 70, 80), gdal.GCP(7, 8, 0, 9, 50)], gdaltest.crs("EPSG:4326"))
    return source


def masked(bands):
    source = masked_source(gdaltest.smooth_array((bands, 99, 101), "uint8"), round_mask(99, 101))
    source.SetGeoTransform(NORTH_UP)
    source.SetSpatialRef(gdaltest.crs("EPSG:32633"))
    return source


KINDS = {
    "one band": (lambda: picture(1), []),
    "three bands": (picture, []),
    "rgba": (rgba, []),
    "mask": (lambda: masked(3), []),
    "one masked band": (lambda: masked(1), []),
    "palette": (palette, []),
    "nodata": (lambda: picture(2, "float32", nodata=-9999.0), []),
    "nan": (lambda: picture(1, "float64", nodata=float("nan")), []),
    "no place": (lambda: picture(3, geotransform=None, code=None), []),
    "degrees": (lambda: picture(1, geotransform=(10, 0.5, 0, 40, 0, -0.25), code="EPSG:4326"), []),
    "feet": (lambda: picture(1, code="EPSG:2263"), []),
    "rotated": (lambda: picture(3, geotransform=ROTATED), []),
    "south up": (lambda: picture(3, geotransform=(500000, 10, 0, 4990000, 0, 10)), []),
    "southing": (picture, ["ORIGIN=SOUTHING"]),
    "metadata": (with_metadata, []),
    "one pixel": (lambda: picture(1, shape=(1, 1)), []),
    "z stack": (lambda: picture(6, "uint16"), ["AXES=z:6", "AXIS_SCALE=z:2", "AXIS_UNITS=z:um,y:um,x:um"]),
    "five axes": (lambda: picture(12), ["AXES=t:2,c:3,z:2", "AXIS_SCALE=t:0.5", "AXIS_UNITS=t:s,z:um"]),
    "300 bands": (lambda: picture(300, shape=(20, 30)), []),
    "factors": (picture, ["SCALE_FACTORS=3,9"]),
    "int64": (lambda: picture(2, "int64"), []),
    "blosc": (lambda: picture(2, "uint16"), ["COMPRESS=BLOSC", "BLOSC_CNAME=lz4"]),
    "gzip": (picture, ["COMPRESS=GZIP"]),
    "none": (picture, ["COMPRESS=NONE"]),
}
ONLY_05 = {"shards": (picture, ["SHARD=64"]), "crc32c": (lambda: picture(2, "uint16"), ["CHECKSUM=YES"])}
VARIANTS = [("0.5", "OVERVIEWS"), ("0.5", "SCALES"), ("0.5", "FLAT"), ("0.4", "OVERVIEWS"), ("0.4", "SCALES"), ("0.4", "FLAT")]


def test_every_validator_passes_strictly(tmp_path):
    """One program judges all, since each start of it imports the validators."""
    for module in ("ngff_zarr", "ome_zarr_models", "yaozarrs", "zarr", "tensorstore"):
        pytest.importorskip(module)
    stores = []
    for version, layout in VARIANTS:
        for name, (make, options) in dict(KINDS, **(ONLY_05 if version == "0.5" else {})).items():
            folder = tmp_path / f"{version} {layout}"
            folder.mkdir(exist_ok=True)
            with gdaltest.collected_messages():
                stores.append(gdaltest.write(folder / (name.replace(" ", "_") + ".ome.zarr"), make(), "BLOCKSIZE=32",
                                             f"NGFF_VERSION={version}", f"LAYOUT={layout}", *options))
    # A unit should be there, and is not where there is none to name: the only warning that may be.
    unitless = [path for path in stores if os.path.basename(path) in ("degrees.ome.zarr", "no_place.ome.zarr")]
    for strict, group in (([], unitless), (["--strict"], [path for path in stores if path not in unitless])):
        done = subprocess.run([sys.executable, VALIDATOR, *strict, *group], capture_output=True, text=True)
        assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
        warned = [line for line in done.stdout.splitlines() if line.startswith("  warn ")]
        assert all("unit None" in line for line in warned), warned
    for tool in ("json-schema", "spec-extra", "ome-zarr-models", "yaozarrs", "ngff-zarr", "zarr-python", "tensorstore"):
        assert f"{tool}: 0 passed" not in done.stdout and f"{tool}:" in done.stdout, done.stdout[-3000:]


def test_the_validators_find_a_broken_store(tmp_path):
    """The test above would not notice a validator that passes everything."""
    pytest.importorskip("yaozarrs")
    store = gdaltest.write(tmp_path / "a.ome.zarr", picture(), "CONSOLIDATED=NO")
    path = f"{store}/zarr.json"
    with open(path) as file:
        text = file.read()
    with open(path, "w") as file:
        file.write(text.replace('"scale"', '"scape"'))
    assert subprocess.run([sys.executable, VALIDATOR, store], capture_output=True).returncode == 1


@pytest.mark.parametrize("version,layout", VARIANTS)
@pytest.mark.parametrize("options", [[], ["AXES=z:3", "AXIS_UNITS=z:um,y:um,x:um"]])
def test_ngff_zarr_reads_the_same_pixels_positions_and_units(tmp_path, version, layout, options):
    nz = pytest.importorskip("ngff_zarr")
    array = gdaltest.smooth_array((3, 99, 101), "uint16")
    source = gdaltest.mem(array, NORTH_UP, None if options else "EPSG:32633")
    store = gdaltest.write(tmp_path / "a.ome.zarr", source, "BLOCKSIZE=32", f"NGFF_VERSION={version}", f"LAYOUT={layout}", *options)
    pyramid = nz.from_ngff_zarr(store, validate=True)
    if not options:
        expected = ngffmodel.pyramid(array, ngffmodel.plain_factors(99, 101, 32))
        for image, want in zip(pyramid.images, expected):
            np.testing.assert_array_equal(np.asarray(image.data), want)
    for image, (scale, translation) in zip(pyramid.images, gdaltest.transforms(store)):
        assert [image.scale[d] for d in image.dims] == scale
        assert [image.translation[d] for d in image.dims] == (translation or [0, 0, 0])
        assert image.axes_units["x"] == ("micrometer" if options else "meter")
    assert len(pyramid.images) == len(gdaltest.level_paths(store))


# -- GDAL's own Zarr driver ------------------------------------------------------------------------------------------------


def open_zarr(name):
    return gdal.OpenEx(name, gdal.OF_RASTER, allowed_drivers=["Zarr"])


@pytest.mark.require_driver("Zarr")
@pytest.mark.parametrize("layout", ["OVERVIEWS", "SCALES", "FLAT"])
@pytest.mark.parametrize("bands", [1, 3])
@pytest.mark.parametrize("codec", ["ZSTD", "BLOSC", "NONE", "GZIP", "ZLIB", "LZ4"])
def test_gdals_zarr_driver_reads_every_level_of_0_4(tmp_path, bands, layout, codec):
    gdaltest.require_zarr_codec(codec)
    array = gdaltest.smooth_array((bands, 99, 101), "uint8")
    store = gdaltest.write(tmp_path / "a.ome.zarr", gdaltest.mem(array, NORTH_UP, "EPSG:32633"), "BLOCKSIZE=32", "NGFF_VERSION=0.4",
                           f"LAYOUT={layout}", f"COMPRESS={codec}")
    paths = [d["path"] for d in gdaltest.ome(store)["multiscales"][0]["datasets"]]
    expected = ngffmodel.pyramid(array, ngffmodel.plain_factors(99, 101, 32))
    for number, (path, want) in enumerate(zip(paths, expected)):
        if bands == 1 or gdaltest.AT_LEAST(3, 8):
            found = gdaltest.pixels(open_zarr(f'ZARR:"{store}":/{path}'))
        else:  # one band of an array of three dimensions
            found = np.concatenate([gdaltest.pixels(open_zarr(f'ZARR:"{store}":/{path}:{band}')) for band in range(bands)])
        np.testing.assert_array_equal(found, want, err_msg=path)
        dataset = open_zarr(f'ZARR:"{store}":/{path}' + (":0" if bands > 1 and not gdaltest.AT_LEAST(3, 8) else ""))
        assert dataset.GetSpatialRef().IsSame(gdaltest.crs("EPSG:32633"), ["IGNORE_DATA_AXIS_TO_SRS_AXIS_MAPPING=YES"])
        if layout != "FLAT" or number == 0:
            f = 2**number
            assert dataset.GetGeoTransform() == pytest.approx((500000, 10 * f, 0, 5000000, 0, -10 * f))


@pytest.mark.require_driver("Zarr")
@pytest.mark.require_gdal(3, 13)
@pytest.mark.parametrize("bands", [1, 3])
@pytest.mark.parametrize("geotransform", [NORTH_UP, (500000, 10, 0, 4990000, 0, 10), ROTATED])
@pytest.mark.parametrize("options", [[], ["SHARD=64"], ["COMPRESS=BLOSC"], ["COMPRESS=GZIP"], ["COMPRESS=NONE"]])
def test_gdal_313_opens_the_default_layout_as_one_raster_with_overviews_and_no_warning(tmp_path, options, geotransform, bands):
    array = gdaltest.smooth_array((bands, 999, 1001), "uint8")
    store = gdaltest.write(tmp_path / "a.ome.zarr", gdaltest.mem(array, geotransform, "EPSG:32633"), "BLOCKSIZE=256" if not options[:1] == ["SHARD=64"] else "BLOCKSIZE=32", *options)
    with gdaltest.collected_messages() as messages:
        dataset = open_zarr(store)
        levels = [gdaltest.pixels(dataset)]
        for number in range(dataset.GetRasterBand(1).GetOverviewCount()):
            levels.append(np.stack([gdaltest.pixels(dataset.GetRasterBand(i + 1).GetOverview(number)) for i in range(bands)]))
    assert messages == []
    expected = ngffmodel.pyramid(array, ngffmodel.plain_factors(999, 1001, 256 if "SHARD=64" not in options else 32))
    assert len(levels) == len(expected)
    for got, want in zip(levels, expected):
        np.testing.assert_array_equal(got, want)
    assert dataset.GetGeoTransform() == pytest.approx(geotransform)
    assert dataset.GetSpatialRef().IsSame(gdaltest.crs("EPSG:32633"))


@pytest.mark.require_driver("Zarr")
@pytest.mark.require_gdal(3, 11)
@pytest.mark.parametrize("version,layout", VARIANTS)
@pytest.mark.parametrize("kind", ["three bands", "mask", "rotated", "no place", "degrees", "nodata"])
def test_no_layout_crashes_newer_gdals_zarr_driver(tmp_path, kind, version, layout):
    """In a process of its own, because GDAL 3.13.3 does crash on some stores."""
    make, options = KINDS[kind]
    store = gdaltest.write(tmp_path / "a.ome.zarr", make(), "BLOCKSIZE=32", f"NGFF_VERSION={version}", f"LAYOUT={layout}", *options)
    names = [store] + [f'ZARR:"{store}":/{d["path"]}' for d in gdaltest.ome(store)["multiscales"][0]["datasets"]] + [os.path.dirname(p) for p in gdaltest.level_paths(store)]
    script = "import sys\nfrom osgeo import gdal\ngdal.DontUseExceptions()\nfor name in sys.argv[1:]:\n    d = gdal.OpenEx(name, 2, allowed_drivers=['Zarr'])\n    d and d.RasterCount and d.ReadRaster()\n"
    done = subprocess.run([sys.executable, "-c", script, *names], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
