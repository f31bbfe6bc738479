"""NGFF 0.6: coordinate systems, the transform of each level into the image's own, and the affine from there to the earth."""

import json
import os
import re
import subprocess
import sys
import zipfile

import gdaltest
import numpy as np
import pytest
from osgeo import gdal

TOOL = os.path.join(os.environ["GDAL_DRIVER_PATH"].split(":")[0], "omezarr")
VALIDATOR = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "validate_ngff.py")
ARRAY = gdaltest.random_array((12, 70, 90), "uint16")
STACK = ["AXES=t:2,c:3,z:2", "AXIS_SCALE=t:0.5,z:2", "AXIS_UNITS=t:s,z:m"]
LOCAL = 'LOCAL_CS["mine",UNIT["metre",1]]'
PLACES = {  # geotransform, CRS, options, name of the system, its last axes and their unit
    "north-up": ((500000, 10, 0, 4600000, 0, -10), "EPSG:32633", [], "EPSG:32633", ("northing", "easting"), "meter"),
    "turned": ((500000, 8, 6, 4600000, 6, -8), "EPSG:32633", [], "EPSG:32633", ("northing", "easting"), "meter"),
    "sheared": ((10.5, 2, 0.25, 20.25, 0.5, 3), "EPSG:3857", [], "EPSG:3857", ("northing", "easting"), "meter"),
    "south-up": ((500000, 10, 0, 4600000, 0, 20), "EPSG:32633", [], "EPSG:32633", ("northing", "easting"), "meter"),
    "southing": ((500000, 10, 0, 4600000, 0, -10), "EPSG:32633", ["ORIGIN=SOUTHING"], "EPSG:32633", ("northing", "easting"), "meter"),
    "degrees": ((-106.06, 0.0015, 0, 40.62, 0, -0.0015), "EPSG:4326", [], "EPSG:4326", ("latitude", "longitude"), None),
    "of no register": ((5, 2, 0, 7, 0, -2), "+proj=tmerc +lat_0=1 +lon_0=2 +datum=WGS84 +units=m", [], "unknown", ("northing", "easting"),
                       "meter"),
    "without a CRS": ((5, 2, 0, 7, 0, -2), None, [], "world", ("northing", "easting"), None),
    "four levels": ((500000, 10, 0, 4600000, 0, -10), "EPSG:32633", ["SCALE_FACTORS=2,3,6"], "EPSG:32633", ("northing", "easting"), "meter"),
}


def store_of(path, place, *options, array=ARRAY[:1]):
    transform, code, more = PLACES[place][:3]
    return gdaltest.write(path, gdaltest.mem(array, transform, code), "NGFF_VERSION=0.6", "BLOCKSIZE=32", *more, *options)


def colors():
    table = gdal.ColorTable()
    for value in range(5):
        table.SetColorEntry(value, (50 * value, 0, 255 - 50 * value, 255))
    return table


def matrix(transform):
    """A transform of the specification as a matrix with a column for the constant, and a last row."""
    if transform["type"] == "sequence":
        whole = None
        for part in transform["transformations"]:
            whole = matrix(part) if whole is None else matrix(part) @ whole
        return whole
    values = np.array(transform[transform["type"]], float)
    if transform["type"] == "affine":
        return np.vstack([values, [0] * values.shape[0] + [1]])
    found = np.eye(len(values) + 1)
    if transform["type"] == "scale":
        found[:-1, :-1] = np.diag(values)
    else:
        assert transform["type"] == "translation"
        found[:-1, -1] = values
    return found


@pytest.mark.parametrize("place", PLACES)
def test_each_pixel_of_each_level_lies_where_the_geotransform_says(tmp_path, place):
    """In 0.6 coordinates are those of centres; a level's pixel lies in the middle of those that it was made of."""
    store = store_of(tmp_path / "a.ome.zarr", place)
    image = gdaltest.ome(store)["multiscales"][0]
    (x0, a, b, y0, d, e), _, _, name, names, unit = PLACES[place]
    own, earth = image["coordinateSystems"]
    assert earth["name"] == name and tuple(axis["name"] for axis in earth["axes"]) == names
    assert {axis.get("unit") for axis in earth["axes"]} == {unit} and [axis["name"] for axis in own["axes"]] == ["y", "x"]
    (to_earth,) = image["coordinateTransformations"]
    assert (to_earth["input"], to_earth["output"]) == ({"name": own["name"]}, {"name": name})
    for number, dataset in enumerate(image["datasets"]):
        (to_own,) = dataset["coordinateTransformations"]
        assert (to_own["input"], to_own["output"]) == ({"path": dataset["path"]}, {"name": own["name"]})
        factor = ([1, 2, 3, 6] if place == "four levels" else [1, 2, 4])[number]
        for row, column in ((0, 0), (3, 5), (7, 1)):
            north, east, _ = matrix(to_earth) @ matrix(to_own) @ (row, column, 1)
            line, pixel = factor * (row + 0.5), factor * (column + 0.5)
            np.testing.assert_allclose((east, north), (x0 + a * pixel + b * line, y0 + d * pixel + e * line), rtol=1e-14, atol=1e-9)
    reader = gdal.Open(store)
    np.testing.assert_allclose(reader.GetGeoTransform(), PLACES[place][0], rtol=1e-15)


def test_other_axes_keep_their_place_on_the_earth(tmp_path):
    image = gdaltest.ome(store_of(tmp_path / "a.ome.zarr", "turned", *STACK, array=ARRAY))["multiscales"][0]
    own, earth = (system["axes"] for system in image["coordinateSystems"])
    assert own[:3] == earth[:3] == [{"name": "t", "type": "time", "unit": "second"}, {"name": "c", "type": "channel", "discrete": True},
                                    {"name": "z", "type": "space", "unit": "meter"}]
    found = matrix(image["coordinateTransformations"][0])
    np.testing.assert_array_equal(found[:3], np.eye(6)[:3])
    np.testing.assert_array_equal(found[3:5, :3], 0)
    scale = image["datasets"][0]["coordinateTransformations"][0]["scale"]
    np.testing.assert_allclose(scale, [0.5, 1, 2, 10, 10])


def test_an_image_that_lies_nowhere_has_one_system(tmp_path):
    store = gdaltest.write(tmp_path / "a.ome.zarr", gdaltest.mem(ARRAY), "NGFF_VERSION=0.6", "BLOCKSIZE=32", "AXIS_TRANSLATION=y:3.5", *STACK)
    image = gdaltest.ome(store)["multiscales"][0]
    assert len(image["coordinateSystems"]) == 1 and "coordinateTransformations" not in image and "axes" not in image
    parts = image["datasets"][0]["coordinateTransformations"][0]
    assert parts["type"] == "sequence" and [part["type"] for part in parts["transformations"]] == ["scale", "translation"]
    assert parts["transformations"][1]["translation"] == [0, 0, 0, 3.5, 0]


@pytest.fixture(scope="module")
def every_kind(tmp_path_factory):
    """A store of each kind, and the pixels of each that has an image in its root."""
    folder = tmp_path_factory.mktemp("kinds")
    stores = {store_of(folder / f"{place}.ome.zarr", place): ARRAY[:1] for place in PLACES}
    stores[store_of(folder / "stack.ome.zarr", "turned", *STACK, array=ARRAY)] = ARRAY
    for layout in "SCALES", "FLAT":
        stores[store_of(folder / f"{layout}.ome.zarr", "north-up", f"LAYOUT={layout}", array=ARRAY[:3])] = ARRAY[:3]
    stores[store_of(folder / "shards.ome.zarr", "north-up", "SHARD=64", "COMPRESS=BLOSC")] = ARRAY[:1]
    labelled = store_of(folder / "labelled.ome.zarr", "north-up", "LAYOUT=FLAT")
    cells = gdaltest.mem((ARRAY[0] % 5).astype("uint8"))
    cells.GetRasterBand(1).SetRasterColorTable(colors())
    gdaltest.write(f'OMEZARR:"{labelled}":labels/cells', cells, "BLOCKSIZE=32")
    stores[labelled] = ARRAY[:1]
    stores[store_of(folder / "series.ome.zarr", "north-up", "LAYOUT=BIOFORMATS2RAW", *STACK, array=ARRAY)] = None
    return stores


def test_we_call_them_valid(every_kind):
    done = subprocess.run([TOOL, "validate", "--strict", *every_kind], capture_output=True, text=True)
    assert done.returncode == 0 and done.stdout.count("valid") == len(every_kind) and "invalid" not in done.stdout, done.stdout + done.stderr
    for store in every_kind:
        assert subprocess.run([TOOL, "verify", store], capture_output=True).returncode == 0


def test_validators_of_others_call_them_valid(every_kind):
    if not gdaltest.have("ngff_zarr"):
        pytest.skip("no validators of others")
    done = subprocess.run([sys.executable, VALIDATOR, *every_kind], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert int(re.search(r"json-schema: (\d+) passed, 0 failed", done.stdout)[1]) >= len(every_kind)
    assert re.search(r"ngff-zarr: \d+ passed, 0 failed", done.stdout)


def test_ngff_zarr_reads_pixels_and_places(every_kind):
    ngff_zarr = pytest.importorskip("ngff_zarr")
    for store, array in every_kind.items():
        if array is None:
            continue
        images = ngff_zarr.from_ngff_zarr(store, validate=True).images
        np.testing.assert_array_equal(np.asarray(images[0].data).reshape(array.shape), array)
        ours = gdaltest.ome(store)["multiscales"][0]
        for image, dataset in zip(images, ours["datasets"], strict=True):
            found = matrix(dataset["coordinateTransformations"][0])
            scale = [image.scale[axis["name"]] for axis in ours["coordinateSystems"][0]["axes"]]
            np.testing.assert_allclose(np.diag(found)[:-1], scale)
            translation = [image.translation.get(axis["name"], 0) for axis in ours["coordinateSystems"][0]["axes"]]
            np.testing.assert_allclose(found[:-1, -1], translation)


def test_the_version_is_the_same_in_every_group(every_kind):
    """The specification: within a hierarchy there is one version."""
    for store in every_kind:
        said = [gdaltest.read_json(os.path.join(folder, "zarr.json")).get("attributes", {}).get("ome", {}).get("version")
                for folder, _, files in os.walk(store) if "zarr.json" in files]
        assert {version for version in said if version} == {"0.6"}, store
        assert gdal.Open(store).GetMetadataItem("NGFF_VERSION", "IMAGE_STRUCTURE") == "0.6"


def test_a_change_keeps_the_version_and_the_place(tmp_path):
    store = store_of(tmp_path / "a.ome.zarr", "turned")
    before = gdaltest.ome(store)
    dataset = gdal.Open(store, gdal.GA_Update)
    dataset.GetRasterBand(1).WriteRaster(0, 0, 1, 1, np.uint16(7).tobytes())
    dataset = None
    assert gdaltest.ome(store)["multiscales"] == before["multiscales"] and gdaltest.ome(store)["version"] == "0.6"
    dataset = gdal.Open(store, gdal.GA_Update)
    dataset.SetGeoTransform((1000, 1, 0, 2000, 0, -1))
    dataset = None
    affine = matrix(gdaltest.ome(store)["multiscales"][0]["coordinateTransformations"][0])
    np.testing.assert_allclose(affine @ (0, 0, 1), (1999.5, 1000.5, 1))
    assert gdaltest.zarr_levels(store)[0][0, 0] == 7


def test_a_store_of_another_version_is_not_changed_into_this_one(tmp_path):
    """The block says what the store was made with; the document, what it is."""
    store = store_of(tmp_path / "a.ome.zarr", "north-up")
    root = json.loads((tmp_path / "a.ome.zarr" / "zarr.json").read_text())
    root["attributes"]["omezarr"]["options"].remove("NGFF_VERSION=0.6")
    (tmp_path / "a.ome.zarr" / "zarr.json").write_text(json.dumps(root))
    with gdaltest.collected_messages() as messages, pytest.raises(RuntimeError, match="version"):
        dataset = gdal.Open(store, gdal.GA_Update)
        dataset.GetRasterBand(1).WriteRaster(0, 0, 1, 1, np.uint16(7).tobytes())
        dataset.FlushCache()
        raise RuntimeError(" ".join(text for _, text in messages))
    dataset = None
    assert json.loads((tmp_path / "a.ome.zarr" / "zarr.json").read_text()) == root


def test_one_file_says_the_version_in_its_comment(tmp_path):
    for version in "0.5", "0.6":
        store = gdaltest.write(tmp_path / f"{version}.ozx", gdaltest.mem(ARRAY[0]), f"NGFF_VERSION={version}", "BLOCKSIZE=32")
        with zipfile.ZipFile(store) as file:
            assert json.loads(file.comment)["ome"]["version"] == version == json.loads(file.read("zarr.json"))["attributes"]["ome"]["version"]
        np.testing.assert_array_equal(gdaltest.pixels(gdal.Open(store))[0], ARRAY[0])


def test_a_killed_run_is_resumed_in_its_version_only(tmp_path):
    source = gdaltest.mem(ARRAY[0], driver="GTiff", path=str(tmp_path / "a.tif"))
    source.FlushCache()
    with gdaltest.collected_messages(), pytest.raises(RuntimeError):
        assert gdaltest.create_copy(tmp_path / "a.ome.zarr", source, "NGFF_VERSION=0.6", "BLOCKSIZE=32", "RESUME=YES",
                                    callback=lambda done, *_: done < 0.5)
        raise RuntimeError("cancelled")  # where GDAL has no exceptions
    text = gdaltest.refused(tmp_path / "a.ome.zarr", source, "NGFF_VERSION=0.5", "BLOCKSIZE=32", "RESUME=YES")
    assert "other options" in str(text)
    store = gdaltest.write(tmp_path / "a.ome.zarr", source, "NGFF_VERSION=0.6", "BLOCKSIZE=32", "RESUME=YES")
    assert gdaltest.ome(store)["version"] == "0.6"
    np.testing.assert_array_equal(gdaltest.zarr_levels(store)[0], ARRAY[0])
