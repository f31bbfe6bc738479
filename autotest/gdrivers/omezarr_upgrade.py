"""`omezarr upgrade`: a store's documents by a newer NGFF, its chunks untouched: as readers and validators of others have it, for
stores of ours and of others; killed at every call that writes."""

import json
import os
import shutil
import signal
import subprocess
import sys

import faults
import gdaltest
import numpy as np
import pytest
from osgeo import gdal

TOOL = os.path.join(os.environ["GDAL_DRIVER_PATH"], "omezarr")
VALIDATOR = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "validate_ngff.py")
STEPS = pytest.mark.parametrize("first,to", [("0.4", "0.5"), ("0.4", "0.6"), ("0.5", "0.6")])
DOCUMENTS = {"zarr.json", ".zarray", ".zattrs", ".zgroup", ".zmetadata"}
IMAGE = gdaltest.smooth_array((3, 70, 90), "uint16")


def omezarr(*arguments):
    return subprocess.run([TOOL, *map(str, arguments)], capture_output=True, text=True, stdin=subprocess.DEVNULL)


def upgrade(store, to):
    done = omezarr("upgrade", "--to", to, store)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout + done.stderr
    return done.stdout


def chunks(store):
    found = {}
    for name in gdaltest.files_of(store):
        if os.path.basename(name) not in DOCUMENTS:
            with open(f"{store}/{name}", "rb") as file:
                found[name] = (os.stat(f"{store}/{name}").st_mtime_ns, file.read())
    return found


def image(path, version, *options):
    source = gdaltest.mem(IMAGE, (500000, 10, 0, 5000000, 0, -10), "EPSG:32633", nodata=3)
    return gdaltest.write(path, source, "BLOCKSIZE=32", f"NGFF_VERSION={version}", "COMPRESS=ZSTD", *options)


def with_label(store):
    gdaltest.write(f'OMEZARR:"{store}":labels/cells', gdaltest.mem((IMAGE[0] > 300).astype("uint8")), "BLOCKSIZE=32")
    return store


def says(store):
    dataset = gdal.Open(store)
    return (dataset.GetGeoTransform(), dataset.GetSpatialRef().GetAuthorityCode(None), [dataset.GetRasterBand(i).GetNoDataValue() for i in (1, 2, 3)],
            [dataset.GetRasterBand(i).GetOverviewCount() for i in (1, 2, 3)], dataset.GetMetadata(), gdaltest.pixels(dataset).tobytes())


# -- Stores of ours ----------------------------------------------------------------------------------------------------------


@STEPS
@pytest.mark.parametrize("layout", ["OVERVIEWS", "FLAT"])
def test_pixels_positions_and_metadata_stay(tmp_path, first, to, layout):
    store = with_label(image(tmp_path / "a.ome.zarr", first, f"LAYOUT={layout}"))
    before, said, levels = chunks(store), says(store), gdaltest.zarr_levels(store)
    label, transforms = gdaltest.zarr_levels(store + "/labels/cells"), gdaltest.transforms(store)
    assert upgrade(store, to) == f"{store}: NGFF {to} now\n" and upgrade(store, to) == f"{store}: NGFF {to} or newer already\n"
    assert chunks(store) == before and says(store) == said
    for group, expected in ((store, levels), (store + "/labels/cells", label)):
        assert gdaltest.ome(group)["version"] == to
        for found, array in zip(gdaltest.zarr_levels(group), expected, strict=True):
            np.testing.assert_array_equal(found, array)
    assert [(scale, translation or [0, 0, 0]) for scale, translation in gdaltest.transforms(store)] == transforms
    assert gdaltest.ome(store + "/labels") == {"version": to, "labels": ["cells"]}
    assert not [name for name in gdaltest.files_of(store) if os.path.basename(name).startswith(".z")]
    for command in ("verify", "validate"):
        done = omezarr(command, store)
        assert done.returncode == 0, done.stdout


@STEPS
def test_the_copies_in_the_root_are_those_of_the_documents(tmp_path, first, to):
    store = with_label(image(tmp_path / "a.ome.zarr", first))
    upgrade(store, to)
    copies = gdaltest.read_json(store + "/zarr.json")["consolidated_metadata"]["metadata"]
    found = {}
    for name in gdaltest.files_of(store):
        if name.endswith("/zarr.json"):
            document = gdaltest.read_json(f"{store}/{name}")
            document.pop("consolidated_metadata", None)
            found[name.removesuffix("/zarr.json")] = document
    for copy in copies.values():
        copy.pop("consolidated_metadata", None)
    assert copies == found and len(found) > 6


@STEPS
def test_several_images_in_one_store(tmp_path, first, to):
    tifffile = pytest.importorskip("tifffile")
    with tifffile.TiffWriter(tmp_path / "a.ome.tif", ome=True) as file:
        for seed in (1, 2):
            file.write(gdaltest.random_array((2, 40, 50), "uint8", seed), metadata={"axes": "CYX"})
    store = str(tmp_path / "a.ome.zarr")
    gdal.Translate(store, str(tmp_path / "a.ome.tif"), format="OMEZARR",
                   creationOptions=["LAYOUT=BIOFORMATS2RAW", "BLOCKSIZE=16", "SERIES=ALL", f"NGFF_VERSION={first}", "COMPRESS=ZSTD"])
    before, levels = chunks(store), [gdaltest.zarr_levels(f"{store}/{i}") for i in (0, 1)]
    upgrade(store, to)
    assert chunks(store) == before
    assert gdaltest.ome(store) == {"version": to, "bioformats2raw.layout": 3}
    assert gdaltest.ome(store + "/OME") == {"version": to, "series": ["0", "1"]}
    for i in (0, 1):
        for found, expected in zip(gdaltest.zarr_levels(f"{store}/{i}"), levels[i], strict=True):
            np.testing.assert_array_equal(found, expected)
    for command in ("verify", "validate"):
        done = omezarr(command, store)
        assert done.returncode == 0, done.stdout


def test_validators_of_others_agree(tmp_path):
    """All in one run, because it takes them seconds to start."""
    if not gdaltest.have("ngff_zarr", "ome_zarr_models", "yaozarrs"):
        pytest.skip("no validators of others")
    stores = []
    for first, to in (("0.4", "0.5"), ("0.4", "0.6"), ("0.5", "0.6")):
        stores.append(with_label(image(tmp_path / f"{first}-{to}.ome.zarr", first)))
        upgrade(stores[-1], to)
    done = subprocess.run([sys.executable, VALIDATOR, "-q", *stores], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_change_in_place_goes_on_after_it(tmp_path):
    store = image(tmp_path / "a.ome.zarr", "0.5")
    upgrade(store, "0.6")
    dataset = gdal.Open(store, gdal.GA_Update)
    dataset.GetRasterBand(1).WriteRaster(0, 0, 2, 2, np.full((2, 2), 9, np.uint16).tobytes())
    dataset = None
    assert (gdaltest.zarr_levels(store)[0][0, :2, :2] == 9).all() and gdaltest.ome(store)["version"] == "0.6"
    assert omezarr("verify", store).returncode == 0


# -- Stores of others --------------------------------------------------------------------------------------------------------


def store_of_others(path, array, scale=(1, 1), **of_array):
    zarr = pytest.importorskip("zarr")
    group = zarr.open_group(str(path), mode="w", zarr_format=2)
    made = group.create_array("0", shape=array.shape, dtype=array.dtype, **of_array)
    made[...] = array
    group.attrs["multiscales"] = [{"version": "0.4", "axes": [{"name": "y", "type": "space", "unit": "micrometer"}, {"name": "x", "type": "space"}],
                                   "datasets": [{"path": "0", "coordinateTransformations": [{"type": "scale", "scale": list(scale)}]}],
                                   "coordinateTransformations": [{"type": "scale", "scale": [2, 3]}, {"type": "translation", "translation": [5, 7]}]}]
    group.attrs["exact"] = 2**60 + 1
    return str(path)


@pytest.mark.parametrize("to", ["0.5", "0.6"])
@pytest.mark.parametrize("dtype,of_array", [
    ("<u2", {"order": "F"}), (">u2", {}), (">f4", {"order": "F"}), ("|b1", {}), ("<f8", {"fill_value": float("nan")}), ("<u2", {"chunk_key_encoding":
     {"name": "v2", "separator": "/"}}), ("|u1", {"compressors": None}), ("<i4", {"codec": "gzip"}), ("<u4", {"codec": "blosc"}), ("<c8", {})])
def test_arrays_of_others(tmp_path, to, dtype, of_array):
    numcodecs = pytest.importorskip("numcodecs")
    of_array = dict(of_array)
    codec = of_array.pop("codec", None)
    if codec:
        of_array["compressors"] = numcodecs.GZip(3) if codec == "gzip" else numcodecs.Blosc("lz4", 5, numcodecs.Blosc.AUTOSHUFFLE)
    array = (np.arange(37 * 23).reshape(37, 23) % 251).astype(dtype)
    store = store_of_others(tmp_path / "a.ome.zarr", array, chunks=(10, 8), **of_array)
    before = chunks(store)
    upgrade(store, to)
    assert chunks(store) == before
    (found,) = gdaltest.zarr_levels(store)
    np.testing.assert_array_equal(found, array)
    assert found.dtype == array.dtype.newbyteorder("=") or found.dtype == array.dtype
    assert gdaltest.attributes(store)["exact"] == 2**60 + 1
    assert gdaltest.array_json(store + "/0")["dimension_names"] == ["y", "x"]
    if to == "0.6":  # all that 0.4 says of the position in the one place that 0.6 has
        assert gdaltest.transforms(store) == [([2, 3], [5, 7])]
    done = omezarr("validate", store)
    assert done.returncode == 0, done.stdout
    if dtype != "<c8":
        np.testing.assert_array_equal(gdaltest.pixels(gdal.Open(store))[0], array)


@pytest.mark.parametrize("to", ["0.5", "0.6"])
def test_a_plate(tmp_path, to):
    zarr = pytest.importorskip("zarr")
    plate = zarr.open_group(str(tmp_path / "p.ome.zarr"), mode="w", zarr_format=2)
    plate.attrs["plate"] = {"version": "0.4", "name": "p", "columns": [{"name": "1"}], "rows": [{"name": "A"}], "field_count": 1,
                            "wells": [{"path": "A/1", "rowIndex": 0, "columnIndex": 0}]}
    plate.create_group("A").create_group("1").attrs["well"] = {"version": "0.4", "images": [{"path": "0"}]}
    store = str(tmp_path / "p.ome.zarr")
    shutil.copytree(store_of_others(tmp_path / "one.ome.zarr", IMAGE[0], chunks=(32, 32)), store + "/A/1/0")
    upgrade(store, to)
    assert gdaltest.ome(store)["plate"]["wells"] and gdaltest.ome(store + "/A/1") == {"version": to, "well": {"images": [{"path": "0"}]}}
    np.testing.assert_array_equal(gdaltest.zarr_levels(store + "/A/1/0")[0], IMAGE[0])
    done = omezarr("validate", store)
    assert done.returncode == 0, done.stdout
    part = omezarr("upgrade", "--to", "0.6", store + "/A/1/0")
    assert part.returncode == 1 and "part of the store" in part.stderr


def test_what_is_refused_is_not_touched(tmp_path):
    pytest.importorskip("zarr")
    numcodecs = pytest.importorskip("numcodecs")
    array = np.arange(64, dtype=np.uint16).reshape(8, 8)
    for name, of_array in (("lz4", {"compressors": numcodecs.LZ4()}), ("delta", {"filters": [numcodecs.Delta("<u2")]})):
        store = store_of_others(tmp_path / f"{name}.ome.zarr", array, chunks=(8, 8), **of_array)
        before = gdaltest.snapshot(store)
        done = omezarr("upgrade", store)
        assert done.returncode == 1 and f"gdal_translate -of OMEZARR -co NGFF_VERSION=0.5 {store} NEW.ome.zarr" in done.stderr
        assert gdaltest.snapshot(store) == before
    assert omezarr("upgrade", tmp_path / "nothing").returncode == 3
    assert omezarr("upgrade").returncode == 2 and omezarr("upgrade", "--to", "0.4", store).returncode == 2


# -- Killed --------------------------------------------------------------------------------------------------------------------


@STEPS
def test_killed_at_every_call_that_writes(tmp_path, first, to):
    """Old or new, and the next run makes the rest of it."""
    original = with_label(image(tmp_path / "original.ome.zarr", first))
    pixels = [level.tobytes() for level in gdaltest.zarr_levels(original)]
    kept, whole, n_killed = chunks(original), str(tmp_path / "whole.ome.zarr"), 0
    shutil.copytree(original, whole)
    upgrade(whole, to)
    for n in range(1, 400):
        folder = tmp_path / "run"
        folder.mkdir()
        store = str(folder / "a.ome.zarr")
        shutil.copytree(original, store)
        environment = dict(os.environ, LD_PRELOAD=f"{faults.FAULTS}/liblocalfault.so", FAULT=f"{n}:kill", FAULT_ROOT=str(folder))
        done = subprocess.run([TOOL, "upgrade", "--to", to, store], env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True)
        assert done.returncode in (0, -signal.SIGKILL), done.stderr
        assert {name: value[1] for name, value in chunks(store).items() if not name.startswith(".")} == {name: value[1] for name, value in kept.items()}
        assert [level.tobytes() for level in gdaltest.zarr_levels(store)] == pixels
        assert gdaltest.ome(store)["multiscales"][0].get("version", gdaltest.ome(store).get("version")) in (first, to)
        was_killed = done.returncode != 0
        if was_killed:
            n_killed += 1
            upgrade(store, to)
        assert {name: json.dumps(value) for name, value in documents(store).items()} == {name: json.dumps(value) for name, value in documents(whole).items()}
        shutil.rmtree(folder)
        if not was_killed:
            break
    assert n_killed > (10 if first == "0.4" else 3)


def documents(store):
    return {name: gdaltest.read_json(f"{store}/{name}") for name in gdaltest.files_of(store) if os.path.basename(name) in DOCUMENTS}
