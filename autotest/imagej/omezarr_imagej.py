"""What the ImageJ plugin's tests have saved (driver/imagej, SaveTest.java), read by zarr-python and judged by the validators.
Expected values come from the formula that both sides know (Images.value)."""

import os
import pathlib
import subprocess
import sys

import gdaltest
import numpy as np
import pytest
from osgeo import gdal

here = pathlib.Path(__file__).parent
stores = pathlib.Path(os.environ.get("OMEZARR_IMAGEJ_STORES", here.parent.parent / "driver/imagej/target/stores"))

pytestmark = pytest.mark.skipif(not stores.is_dir(), reason="the tests of driver/imagej have not run")


def values(n_t, n_c, n_z, height, width):
    t, c, z, y, x = np.ogrid[:n_t, :n_c, :n_z, :height, :width]
    return 1000 * t + 400 * c + 50 * z + 3 * y + x


def axes_of(path):
    return [(axis["name"], axis["type"], axis.get("unit")) for axis in gdaltest.ome(path)["multiscales"][0]["axes"]]


def channels_of(path):
    return gdaltest.ome(path)["omero"]["channels"]


@pytest.mark.parametrize("store", ["hyperstack.ome.zarr", "version04.ome.zarr"])
def test_hyperstack(store):
    path = stores / store
    level = gdaltest.zarr_levels(path)[0]
    assert level.dtype == "uint16"
    np.testing.assert_array_equal(level, values(2, 2, 3, 30, 40))
    assert axes_of(path) == [("t", "time", "second"), ("c", "channel", None), ("z", "space", "nanometer"),
                             ("y", "space", "micrometer"), ("x", "space", "micrometer")]
    scale, translation = gdaltest.transforms(path)[0]
    assert scale == [2.5, 1, 1.5, 0.3, 0.2]
    np.testing.assert_allclose(translation, [0, 0, -1.5, 1.2, -2], rtol=1e-15)
    ome = gdaltest.ome(path)
    assert ome["multiscales"][0]["name"] == "cells.tif"
    found = [(c["label"], c["color"], c["window"]["start"], c["window"]["end"], c["active"], c["inverted"]) for c in channels_of(path)]
    assert found == [("DAPI", "FF0000", 100, 2000, True, False), ('GFP, "green" µ', "00FF80", 50.5, 900, False, False)]
    assert ome["omero"]["rdefs"]["model"] == "color"


def test_plane_of_8_bit_with_inverted_lut():
    path = stores / "plane.ome.zarr"
    level = gdaltest.zarr_levels(path)[0]
    assert level.dtype == "uint8"
    np.testing.assert_array_equal(level, values(1, 1, 1, 50, 70)[0, 0, 0] % 256)
    assert axes_of(path) == [("y", "space", None), ("x", "space", None)]  # "pixel" is no unit
    assert gdaltest.transforms(path)[0][0] == [1, 1]
    channel, = channels_of(path)
    assert (channel["color"], channel["inverted"]) == ("FFFFFF", True)
    assert (channel["window"]["start"], channel["window"]["end"]) == (10, 200)


def test_float_with_nan():
    path = stores / "float.ome.zarr"
    level = gdaltest.zarr_levels(path)[0]
    expected = (values(1, 1, 4, 30, 40)[0, 0] / 4 - 100).astype("float32")
    expected[1, 1, 3] = np.nan
    assert level.dtype == "float32"
    np.testing.assert_array_equal(level, expected)
    assert axes_of(path) == [(axis, "space", "angstrom") for axis in "zyx"]
    window = channels_of(path)[0]["window"]
    assert (window["start"], window["end"]) == (-20.5, 33.25)


@pytest.mark.parametrize("store", ["rgb.ome.zarr", "rgb_frames.ome.zarr"])
def test_rgb(store):
    path = stores / store
    level = gdaltest.zarr_levels(path)[0]
    expected = (values(2, 1, 2, 30, 40) + np.arange(3).reshape(1, 3, 1, 1, 1)) % 256
    assert level.dtype == "uint8"
    np.testing.assert_array_equal(level, expected)
    assert [axis[0] for axis in axes_of(path)] == list("tczyx")
    assert [(c["color"], c["window"]["start"], c["window"]["end"]) for c in channels_of(path)] == [
        ("FF0000", 0, 255), ("00FF00", 0, 255), ("0000FF", 0, 255)]


def test_signed_16_bit():
    path = stores / "signed.ome.zarr"
    level = gdaltest.zarr_levels(path)[0]
    count = np.arange(30 * 40).reshape(30, 40)
    assert level.dtype == "int16"
    np.testing.assert_array_equal(level, [-count, count])
    window = channels_of(path)[0]["window"]
    assert (window["start"], window["end"]) == (-500, 700)


def test_grey_channels():
    path = stores / "grey.ome.zarr"
    np.testing.assert_array_equal(gdaltest.zarr_levels(path)[0], values(1, 3, 1, 30, 40)[0, :, 0])
    assert gdaltest.ome(path)["omero"]["rdefs"]["model"] == "greyscale"
    assert [c["label"] for c in channels_of(path)] == ["Channel 1", "Channel 2", "Channel 3"]
    assert {(c["window"]["start"], c["window"]["end"]) for c in channels_of(path)} == {(5, 500)}


def test_virtual_stack():
    path = stores / "virtual.ome.zarr"
    levels = gdaltest.zarr_levels(path)
    np.testing.assert_array_equal(levels[0], values(2, 2, 20, 500, 600))
    # The mean of four pixels of the formula is that of the first plus 2, which is a whole number.
    np.testing.assert_array_equal(levels[1], values(2, 2, 20, 500, 600)[..., ::2, ::2] + 2)


def test_overlay_as_labels():
    """Rectangle 1 on all planes, an oval 2 over it on slice 2 of frame 1, 4 at the lower left edge; no line 3."""
    path = stores / "labels.ome.zarr/labels/overlay"
    level = gdaltest.zarr_levels(path)[0]
    assert level.shape == (2, 3, 30, 40)
    y, x = np.mgrid[:30, :40]
    expected = np.where((x >= 3) & (x < 13) & (y >= 4) & (y < 9), 1, 0)
    expected[28:, :3] = 4
    for t, z in np.ndindex(2, 3):
        if (t, z) != (0, 1):
            np.testing.assert_array_equal(level[t, z], expected)
    # ImageJ's own mask of the oval: its middle is inside, its corners are not, and it lies within its box.
    oval = level[0, 1] == 2
    assert oval[2:11, 8:17].sum() == oval.sum() and 55 < oval.sum() < 75
    assert oval[6, 12] and oval[6, 8] and not oval[2, 8] and not oval[10, 16]
    np.testing.assert_array_equal(level[0, 1][~oval], expected[~oval])
    label = gdaltest.ome(path)["image-label"]
    assert [(one["label-value"], one["name"]) for one in label["properties"]] == [(1, "nucleus"), (2, "ROI 2"), (4, "ROI 4")]
    yellow = [255, 255, 0, 255]  # in which ImageJ draws ROIs without a colour
    assert {one["label-value"]: one["rgba"] for one in label["colors"]} == {1: yellow, 2: [10, 20, 30, 255], 4: yellow}
    assert gdaltest.transforms(path)[0][0] == [2.5, 1.5, 0.3, 0.2]


def test_one_file():
    dataset = gdal.Open(str(stores / "one.ozx"))
    np.testing.assert_array_equal(gdaltest.pixels(dataset).reshape(2, 2, 3, 30, 40), values(2, 2, 3, 30, 40))


def test_same_bytes_as_gdal(tmp_path):
    """The same library with the same options: all that makes up the arrays is the same, byte for byte."""
    source = gdaltest.mem(values(1, 1, 20, 200, 300)[0, 0].astype("uint16"))
    store = tmp_path / "volume.ome.zarr"
    gdaltest.write(store, source, "AXES=z:20", "COMPRESS=ZSTD", "LEVEL=3", "BLOCKSIZE=z:8,y:64,x:64")
    chunks = {name: data for name, data in gdaltest.snapshot(store).items() if "/c/" in str(name)}
    theirs = {name: data for name, data in gdaltest.snapshot(stores / "volume.ome.zarr").items() if "/c/" in str(name)}
    assert len(chunks) > 60 and theirs.keys() == chunks.keys()
    assert theirs == chunks


def test_stores_are_valid():
    found = sorted(str(path) for path in stores.glob("*.ome.zarr"))
    assert len(found) >= 9
    result = subprocess.run([sys.executable, str(here.parent / "validate_ngff.py"), "-q", *found], capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr
