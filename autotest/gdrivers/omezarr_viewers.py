"""Viewers and readers of others open four stores: RGB with a CRS, 16-bit channels, an elevation with nodata, a t, c, z stack. Where a
program gives out pixels they are compared with the source, where it draws its picture is compared with colours that NumPy
computes from the source."""

import hashlib
import json

import numpy as np
import pytest
import viewers
from viewers import BEHIND, FORMS, LEVELS, READS, STORES


def program(name, package, display=False):
    """A fixture: the folder with the answers of a program of autotest/viewers/readers.py."""

    @pytest.fixture(scope="session")
    def answers(tmp_path_factory):
        reason = viewers.why_not(name, package, display)
        if reason:
            pytest.skip(reason)
        return viewers.python_program(tmp_path_factory, name, display)

    return answers


napari = program("napari", "napari", display=True)
ome_zarr = program("ome_zarr", "ome-zarr")
bioio = program("bioio", "bioio-ome-zarr")
xarray = program("xarray", "xarray")
rioxarray = program("rioxarray", "rioxarray")
every_store = pytest.mark.parametrize("name", STORES)


def stores_and_forms(program):
    """name: the store's folder; store: what is in it."""
    names = [*STORES, *READS[program]]
    return pytest.mark.parametrize("name,store", [(name, STORES[FORMS[name][0] if name in FORMS else name]) for name in names], ids=names)


def pixels(folder, name):
    return np.load(folder / f"{name}.ome.zarr.npy")


def own_axes(store):
    """The planes as the store's array has them: without axes of one entry, but c of channels."""
    return store.array.reshape([n for n in store.planes.shape if n > 1])


def check_picture(path, store, origin=None, zoom=1, blend=np.sum, hole=None):
    """origin: the screen's (y, x) of the image's corner; without it the image is in the middle. hole: the colour of nodata."""
    image = pytest.importorskip("PIL.Image")
    picture = np.asarray(image.open(path).convert("RGB")).astype(int)
    assert picture.std() > 10, "the picture is blank"
    if origin is None:
        origin = [(screen - n * zoom) / 2 for screen, n in zip(picture.shape, store.array.shape[1:])]
    plane = viewers.middle(store)
    for y, x in viewers.places():
        found = picture[int(origin[0] + y * zoom), int(origin[1] + x * zoom)]
        expected = store.color(plane.get("t", 0), plane.get("z", 0), y, x, blend)
        if hole is not None and store.array[0, y, x] == store.nodata:
            expected = hole
        assert np.abs(found - expected).max() <= 3, f"at {y}, {x}: {found} instead of {expected}"


@stores_and_forms("napari")
def test_napari(napari, name, store):
    found = viewers.answer(napari, name)
    array = pixels(napari, name)  # c, then the other axes
    np.testing.assert_array_equal(array.squeeze(), np.moveaxis(store.planes, 1, 0).squeeze())
    assert [label.split(": ")[-1] for label in found["names"]] == store.names
    assert found["windows"] == [list(window) for window in store.windows]
    assert np.allclose(np.multiply(found["colors"], 255), store.colors, atol=1)
    assert [level[-2:] for level in found["levels"]] == LEVELS
    assert np.allclose(found["scale"][-2:], store.pixel[1:])
    assert found["units"][-1].count("micrometer" if store.code is None else "meter") == 1
    check_picture(napari / f"{name}.ome.zarr.png", store)


@stores_and_forms("ome_zarr")
def test_ome_zarr_py(ome_zarr, name, store):
    found = viewers.answer(ome_zarr, name)
    np.testing.assert_array_equal(pixels(ome_zarr, name), own_axes(store))
    assert [level[-2:] for level in found["levels"]] == LEVELS
    scales = [level[0]["scale"] for level in found["transforms"]]
    assert [scale[-1] for scale in scales] == pytest.approx([store.pixel[2] * f for f in (1, 2, 4, 8)])
    if len(store.names) > 1:
        assert found["windows"] == [list(window) for window in store.windows] and found["names"] == store.names


@stores_and_forms("bioio")
def test_bioio(bioio, name, store):
    found = viewers.answer(bioio, name)
    assert found["dims"] == "TCZYX" and found["levels"] == len(LEVELS)
    np.testing.assert_array_equal(pixels(bioio, name), store.planes)
    assert found["pixel"][1:] == pytest.approx(store.pixel[1:])
    if name == "stack":
        assert found["pixel"][0] == 2
    if len(store.names) > 1:
        assert found["names"] == store.names


@stores_and_forms("xarray")
def test_xarray(xarray, name, store):
    found = viewers.answer(xarray, name)
    expected = own_axes(store)
    if name == "channels_04":  # in Zarr v2 xarray takes fill_value for nodata, and so 0 for missing and integers for floats
        expected = np.where(expected == 0, np.nan, expected.astype("float32"))
    elif store.nodata is not None:
        expected = np.where(expected == store.nodata, np.float32(np.nan), expected)
    np.testing.assert_array_equal(pixels(xarray, name), expected)
    assert found["dtype"] == expected.dtype.name
    assert found["dims"] == {1: ["y", "x"], 3: ["c", "y", "x"], 24: ["t", "c", "z", "y", "x"]}[len(store.array)]
    assert sorted(level[-2:] for level in found["levels"]) == sorted(LEVELS)
    if store.geotransform:
        assert found["corner"] == [store.geotransform[3] + store.geotransform[5] / 2, store.geotransform[0] + store.geotransform[1] / 2]


@stores_and_forms("rioxarray")
def test_rioxarray(rioxarray, name, store):
    found = viewers.answer(rioxarray, name)
    assert found["crs"] == store.code
    assert found["encoded_nodata"] == found["raw_nodata"] == store.nodata
    if store.geotransform:
        x, dx, _, y, _, dy = store.geotransform
        assert found["transform"] == [dx, 0, x, 0, dy, y]
        assert found["bounds"] == [x, y + 256 * dy, x + 320 * dx, y]


# -- In Chromium -------------------------------------------------------------------------------------------------------------


def page(package):
    """A fixture: the answer and the picture of a program of autotest/viewers/browser.mjs, by the name of the job."""

    @pytest.fixture(scope="session")
    def answers(tmp_path_factory):
        reason = viewers.why_no_browser(package)
        if reason:
            pytest.skip(reason)
        folder = viewers.browser(tmp_path_factory)

        def look(name):
            with open(folder / f"{name}.json") as file:
                found = json.load(file)
            assert found["errors"] == []
            return found, folder / f"{name}.png"

        return look

    return answers


viv = page("viv")
ome_zarr_js = page("ome-zarr.js")
openlayers = page("ol")
neuroglancer = page("neuroglancer")


@every_store
def test_viv(viv, name):
    store = STORES[name]
    found, picture = viv(f"viv.{name}")
    assert [level[-2:] for level in found["levels"]] == LEVELS and found["names"] == store.names
    check_picture(picture, store)


def test_viv_draws_a_stack_from_its_smallest_level(viv):
    """It asks every level for the z index of level 0, and draws nothing where a level has fewer."""
    check_picture(viv("viv.stack_small")[1], STORES["stack"], zoom=1 / 8)


@every_store
def test_ome_zarr_js(ome_zarr_js, name):
    store = STORES[name]
    found, picture = ome_zarr_js(f"ome_zarr_js.{name}")
    assert found["digest"] == hashlib.sha256(np.ascontiguousarray(store.array)).hexdigest() and found["dtype"] == store.array.dtype.name
    assert [level[-2:] for level in found["levels"]] == LEVELS and found["names"] == store.names
    assert [scale[-1] for scale in found["scales"]] == pytest.approx([store.pixel[2] * f for f in (1, 2, 4, 8)])
    check_picture(picture, store, origin=(0, 0), blend=np.max)  # it takes the largest of the channels, not their sum


@every_store
def test_openlayers(openlayers, name):
    store = STORES[name]
    found, picture = openlayers(f"openlayers.{name}")
    size = 1
    if store.code:
        x, size, _, y, _, _ = store.geotransform
        assert found["code"] == store.code and found["extent"] == [x, y - 256 * size, x + 320 * size, y]
    assert found["levels"] == [8 * size, 4 * size, 2 * size, size]
    check_picture(picture, store, hole=BEHIND)


def neuroglancer_origin(found):
    left, top, width, height = found["box"]  # of its panel
    return top + (height - 256) / 2, left + (width - 320) / 2


@every_store
def test_neuroglancer(neuroglancer, name):
    store = STORES[name]
    found, picture = neuroglancer(f"neuroglancer.{name}")
    assert found["layers"] == store.names
    check_picture(picture, store, neuroglancer_origin(found))


def test_neuroglancer_takes_names_windows_and_colours_of_0_4(neuroglancer):
    found, picture = neuroglancer("neuroglancer.channels_04")
    assert [name.split()[-1] for name in found["layers"]] == STORES["channels"].names
    check_picture(picture, STORES["channels"], neuroglancer_origin(found))
