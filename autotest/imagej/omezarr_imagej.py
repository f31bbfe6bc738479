"""What the ImageJ plugin's tests have saved (driver/imagej, SaveTest.java), read by zarr-python and judged by the validators.
Expected values come from the formula that both sides know (Images.value)."""

import json
import os
import pathlib
import shutil
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


@pytest.mark.parametrize("name,options", [
    ("volume", ["COMPRESS=ZSTD", "LEVEL=3", "BLOCKSIZE=z:8,y:64,x:64"]),
    ("volume_shards", ["COMPRESS=BLOSC", "SHARD=128", "BLOCKSIZE=z:8,y:64,x:64"]),
    ("volume_04", ["COMPRESS=GZIP", "NGFF_VERSION=0.4", "BLOCKSIZE=z:8,y:64,x:64"]),
])
def test_same_bytes_as_gdal(tmp_path, name, options):
    """The same library with the same options: all files of the arrays, documents too, are the same, byte for byte."""
    source = gdaltest.mem(values(1, 1, 20, 200, 300)[0, 0].astype("uint16"))
    store = tmp_path / f"{name}.ome.zarr"
    gdaltest.write(store, source, "AXES=z:20", *options)
    ours, theirs = (gdaltest.snapshot(path) for path in (store, stores / store.name))
    assert theirs.keys() == ours.keys()
    documents = [file for file in ours if file.endswith((".zarray", "zarr.json")) and "shape" in json.loads(ours[file])]
    assert len(documents) == len(gdaltest.zarr_levels(store)) > 1
    of_arrays = [file for file in ours if any(file.startswith(os.path.dirname(document) + "/") for document in documents)]
    assert len(of_arrays) > (60 if name != "volume_shards" else 8)
    assert {file: theirs[file] for file in of_arrays} == {file: ours[file] for file in of_arrays}


# -- What ImageJ opens -------------------------------------------------------------------------------------------------

STACK = np.random.default_rng(1).integers(0, 60000, (2, 3, 4, 60, 70), dtype="uint16")


def group_by_ome_zarr(path, version, mode):
    formats, zarr = (pytest.importorskip(name) for name in ("ome_zarr.format", "zarr"))
    fmt = formats.format_from_version(version)
    return zarr.open_group(path, mode=mode, zarr_format=fmt.zarr_format), fmt


def by_ome_zarr(path, version):
    writer = pytest.importorskip("ome_zarr.writer")
    group, fmt = group_by_ome_zarr(path, version, "w")
    writer.write_image(STACK, group, axes="tczyx", fmt=fmt, scale_factors=(2,), storage_options={"chunks": (1, 1, 2, 32, 32)})
    return STACK


def by_zarr(path, version):
    """The versions that no writer of NGFF makes any more: 0.1 has chunks named by dots, 0.1 and 0.2 no axes, none has a scale."""
    zarr = pytest.importorskip("zarr")
    group = zarr.open_group(path, mode="w", zarr_format=2)
    array = group.create_array("0", shape=STACK.shape, chunks=(1, 1, 2, 32, 32), dtype="uint16",
                               chunk_key_encoding={"name": "v2", "separator": "." if version == "0.1" else "/"})
    array[...] = STACK
    group.attrs["multiscales"] = [{"version": version, "datasets": [{"path": "0"}], **({"axes": list("tczyx")} if version == "0.3" else {})}]
    return STACK


def plate_by_ome_zarr(path, version):
    """Two wells of two fields."""
    writer = pytest.importorskip("ome_zarr.writer")
    plate, fmt = group_by_ome_zarr(path, version, "w")
    writer.write_plate_metadata(plate, ["A", "B"], ["1", "2", "3"], ["A/1", "B/3"], fmt=fmt)
    for row, well in enumerate(("A/1", "B/3")):
        group = plate.require_group(well)
        writer.write_well_metadata(group, ["0", "1"], fmt=fmt)
        for field in range(2):
            writer.write_image(STACK + 100 * row + field, group.require_group(str(field)), axes="tczyx", fmt=fmt, scale_factors=(2,))
    return STACK + 101


def by_ngff_zarr(path, version):
    ngff_zarr = pytest.importorskip("ngff_zarr")
    image = ngff_zarr.to_ngff_image(STACK[0, 0], dims=["z", "y", "x"], scale={"z": 2.0, "y": 0.5, "x": 0.25},
                                    axes_units={axis: "micrometer" for axis in "zyx"})
    ngff_zarr.to_ngff_zarr(path, ngff_zarr.to_multiscales(image, scale_factors=[2]), version=version)
    return STACK[:1, :1]


def by_gdal(path, version):
    source = gdaltest.mem(STACK[0, :, 0].astype("float64") / 7)
    gdaltest.write(path, source, f"NGFF_VERSION={version}", "BLOCKSIZE=32", "COMPRESS=BLOSC", "CHANNEL_COLORS=FF00FF,00FFFF,FFFF00",
                   *(["SHARD=64"] if version == "0.5" else []))
    return (STACK[:1, :, :1].astype("float64") / 7).astype("float32")


def labels_by_ome_zarr(path, version):
    by_ome_zarr(path, version)
    writer = pytest.importorskip("ome_zarr.writer")
    group, fmt = group_by_ome_zarr(path, version, "a")
    labels = np.repeat(np.repeat(np.arange(35, dtype="int32").reshape(5, 7), 12, 0), 10, 1)
    writer.write_labels(labels, group, name="cells", axes="yx", fmt=fmt, scale_factors=(2,))
    return labels.reshape(1, 1, 1, 60, 70)


PARTS = {labels_by_ome_zarr: "labels/cells", plate_by_ome_zarr: "B/3/1"}


def test_imagej_opens_stores_of_others(tmp_path):
    java, repository = shutil.which("java"), pathlib.Path.home() / ".m2/repository"
    makers = [(make, version) for make in (by_ome_zarr, plate_by_ome_zarr, by_ngff_zarr, by_gdal, labels_by_ome_zarr)
              for version in ("0.4", "0.5")]
    makers += [(by_zarr, version) for version in ("0.1", "0.2", "0.3")]
    paths = [str(tmp_path / f"{i}.ome.zarr") for i in range(len(makers))]
    expected = [make(path, version) for (make, version), path in zip(makers, paths)]
    names = [path + (f":{PARTS[make]}" if make in PARTS else "") for (make, _), path in zip(makers, paths)]
    classes = [stores.parent / "classes", stores.parent / "test-classes", repository / "net/imagej/ij/1.54p/ij-1.54p.jar",
               repository / "net/java/dev/jna/jna/5.14.0/jna-5.14.0.jar"]
    result = subprocess.run([java, "-Djava.awt.headless=true", f"-Djna.library.path={here.parent.parent / 'build'}", "-cp",
                             os.pathsep.join(map(str, classes)), "omezarr.imagej.Shown", str(tmp_path), *names],
                            capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    shown = [json.loads(line[6:]) for line in result.stdout.splitlines() if line.startswith("shown ")]
    assert len(shown) == len(makers)
    for i, (told, want) in enumerate(zip(shown, expected)):
        t, c, z, y, x = want.shape
        assert told["sizes"] == [x, y, c, z, t], makers[i]
        planes = np.fromfile(tmp_path / str(i), "<f4").reshape(t, z, c, y, x)
        np.testing.assert_array_equal(planes.swapaxes(1, 2), want.astype("float32"), err_msg=str(makers[i]))
        assert told["bits"] == (16 if want.dtype == "uint16" or makers[i][0] is labels_by_ome_zarr else 32)  # labels that fit
        if makers[i][0] is by_ngff_zarr:
            assert (told["pixel"], told["unit"]) == ([0.25, 0.5, 2], "micron")
        if makers[i][0] is by_gdal:
            assert told["colors"] == ["FF00FF", "00FFFF", "FFFF00"]


def test_stores_are_valid():
    found = sorted(str(path) for path in stores.glob("*.ome.zarr"))
    assert len(found) >= 9
    result = subprocess.run([sys.executable, str(here.parent / "validate_ngff.py"), "-q", *found], capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr
