"""Viewers and readers of others open four stores: RGB with a CRS, 16-bit channels, an elevation with nodata, a t, c, z stack. Where a
program gives out pixels they are compared with the source, where it draws its picture is compared with colours that NumPy
computes from the source."""

import os

import numpy as np
import pytest
import viewers
from viewers import LEVELS, STORES


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


def pixels(folder, name):
    return np.load(folder / f"{name}.ome.zarr.npy")


def own_axes(store):
    """The planes as the store's array has them: without axes of one entry, but c of channels."""
    return store.array.reshape([n for n in store.planes.shape if n > 1])


def check_picture(path, store, origin, zoom=1.0, tolerance=3):
    """origin: the screen's (y, x) of the image's corner."""
    image = pytest.importorskip("PIL.Image")
    picture = np.asarray(image.open(path).convert("RGB")).astype(int)
    assert picture.std() > 10, "the picture is blank"
    t, z = (n // 2 for n in (store.planes.shape[0], store.planes.shape[2]))
    for y, x in viewers.places():
        found = picture[int(origin[0] + y * zoom), int(origin[1] + x * zoom)]
        expected = store.color(t, z, y, x)
        assert np.abs(found - expected).max() <= tolerance, f"at {y}, {x}: {found} instead of {expected}"


@every_store
def test_napari(napari, name):
    store, found = STORES[name], viewers.answer(napari, name)
    array = pixels(napari, name)  # c, then the other axes
    np.testing.assert_array_equal(array.squeeze(), np.moveaxis(store.planes, 1, 0).squeeze())
    assert [label.split(": ")[-1] for label in found["names"]] == store.names
    assert found["windows"] == [list(window) for window in store.windows]
    assert np.allclose(np.multiply(found["colors"], 255), store.colors, atol=1)
    assert [level[-2:] for level in found["levels"]] == LEVELS
    assert np.allclose(found["scale"][-2:], store.pixel[1:])
    assert ("micrometer" if name in ("channels", "stack") else "meter") in found["units"][-1]
    image = pytest.importorskip("PIL.Image").open(napari / f"{name}.ome.zarr.png")
    check_picture(image.filename, store, ((image.height - 256) / 2, (image.width - 320) / 2))


@every_store
def test_ome_zarr_py(ome_zarr, name):
    store, found = STORES[name], viewers.answer(ome_zarr, name)
    np.testing.assert_array_equal(pixels(ome_zarr, name), own_axes(store))
    assert [level[-2:] for level in found["levels"]] == LEVELS
    scales = [level[0]["scale"] for level in found["transforms"]]
    assert [scale[-1] for scale in scales] == pytest.approx([store.pixel[2] * f for f in (1, 2, 4, 8)])
    if len(store.names) > 1:
        assert found["windows"] == [list(window) for window in store.windows] and found["names"] == store.names


@every_store
def test_bioio(bioio, name):
    store, found = STORES[name], viewers.answer(bioio, name)
    assert found["dims"] == "TCZYX" and found["levels"] == len(LEVELS)
    np.testing.assert_array_equal(pixels(bioio, name), store.planes)
    assert found["pixel"][1:] == pytest.approx(store.pixel[1:])
    if name == "stack":
        assert found["pixel"][0] == 8
    if len(store.names) > 1:
        assert found["names"] == store.names


@every_store
def test_xarray(xarray, name):
    store, found = STORES[name], viewers.answer(xarray, name)
    expected = own_axes(store)
    np.testing.assert_array_equal(pixels(xarray, name), np.where(expected == store.nodata, np.nan, expected) if store.nodata else expected)
    assert found["dtype"] == store.array.dtype.name
    assert found["dims"] == {1: ["y", "x"], 3: ["c", "y", "x"], 24: ["t", "c", "z", "y", "x"]}[len(store.array)]
    assert sorted(level[-2:] for level in found["levels"]) == sorted(LEVELS)
    if store.geotransform:
        assert found["corner"] == [store.geotransform[3] + store.geotransform[5] / 2, store.geotransform[0] + store.geotransform[1] / 2]


@every_store
def test_rioxarray(rioxarray, name):
    store, found = STORES[name], viewers.answer(rioxarray, name)
    assert found["crs"] == store.code
    assert found["encoded_nodata"] == found["raw_nodata"] == store.nodata
    if store.geotransform:
        x, dx, _, y, _, dy = store.geotransform
        assert found["transform"] == [dx, 0, x, 0, dy, y]
        assert found["bounds"] == [x, y + 256 * dy, x + 320 * dx, y]
