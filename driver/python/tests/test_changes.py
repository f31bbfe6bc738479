"""Stores that come to be in steps: documents first, levels later, attributes of others, newer versions in place."""

import hashlib
import json
import pathlib

import numpy as np
import pytest
from conftest import attributes, level, mean

import omezarr


@pytest.fixture
def data(rng):
    return rng.integers(1, 2**16, (40, 50), dtype=np.uint16)


def multiscales(data, factors=(2,), method="mean"):
    return omezarr.to_multiscales(omezarr.to_ngff_image(data, ("y", "x")), list(factors), method, 16)


def objects(store):
    """Digests of all that is no document."""
    documents = {"zarr.json", ".zarray", ".zattrs", ".zgroup", ".zmetadata"}
    return {str(path.relative_to(store)): (hashlib.sha256(path.read_bytes()).hexdigest(), path.stat().st_mtime_ns)
            for path in pathlib.Path(store).rglob("*") if path.is_file() and path.name not in documents}


# -- Attributes of others --------------------------------------------------------------------------------------------

@pytest.mark.parametrize("version", ["0.4", "0.5", "0.6"])
def test_root_attributes_go_with_an_image(tmp_path, data, version):
    m = multiscales(data)
    m.root_attributes = {"acquisition": {"direction": [0, -1.5]}, "n": 2**60 + 1}
    omezarr.to_ngff_zarr(tmp_path / "a.ome.zarr", m, version)
    read = omezarr.from_ngff_zarr(tmp_path / "a.ome.zarr", validate=True)
    assert read.root_attributes == m.root_attributes
    omezarr.to_ngff_zarr(tmp_path / "b.ome.zarr", read, version)
    assert omezarr.from_ngff_zarr(tmp_path / "b.ome.zarr").root_attributes == m.root_attributes
    omezarr.update_root_attributes(tmp_path / "b.ome.zarr", {"n": 1, "new": None})
    again = omezarr.from_ngff_zarr(tmp_path / "b.ome.zarr")
    assert again.root_attributes == {**m.root_attributes, "n": 1, "new": None}
    assert np.array_equal(np.asarray(again.images[0].source), data)
    assert [f for f in omezarr.verify(tmp_path / "b.ome.zarr") if f.kind != "note"] == []


def test_root_attributes_that_are_not_the_callers(tmp_path, data):
    m = multiscales(data)
    for wrong in ({"ome": {}}, {"multiscales": []}, {"omezarr": {}}, {"a": float("nan")}, {"a": object()}):
        m.root_attributes = wrong
        with pytest.raises(ValueError, match="root_attributes"):
            omezarr.to_ngff_zarr(tmp_path / "a.ome.zarr", m)
    assert not (tmp_path / "a.ome.zarr").exists()
    with pytest.raises(ValueError, match="root group"):
        omezarr.update_root_attributes(tmp_path / "a.ome.zarr", {"a": 1})


# -- Orientation -----------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("version", ["0.4", "0.5", "0.6"])
def test_orientations_go_with_an_image(tmp_path, data, version):
    lps = {"y": "anterior-to-posterior", "x": "right-to-left"}
    image = omezarr.to_ngff_image(data, ("y", "x"), axes_orientations="LPS")
    assert image.axes_orientations == lps
    omezarr.to_ngff_zarr(tmp_path / "a.ome.zarr", omezarr.to_multiscales(image, [], None, 16), version)
    axes = attributes(tmp_path / "a.ome.zarr")["multiscales"][0]
    axes = axes["axes"] if "axes" in axes else axes["coordinateSystems"][0]["axes"]
    assert [axis["orientation"] for axis in axes] == [{"type": "anatomical", "value": lps[d]} for d in "yx"]
    read = omezarr.from_ngff_zarr(tmp_path / "a.ome.zarr", validate=True)
    assert read.images[0].axes_orientations == lps and [axis.orientation for axis in read.metadata.axes] == [lps["y"], lps["x"]]
    omezarr.to_ngff_zarr(tmp_path / "b.ome.zarr", read, version)
    omezarr.update_root_attributes(tmp_path / "b.ome.zarr", {"a": 1})
    assert omezarr.from_ngff_zarr(tmp_path / "b.ome.zarr").images[0].axes_orientations == lps
    if version != "0.6":
        omezarr.to_ngff_zarr(tmp_path / "c.ome.zarr", read, version, compress="ZSTD")
        omezarr.upgrade(tmp_path / "c.ome.zarr", "0.6")
        assert omezarr.from_ngff_zarr(tmp_path / "c.ome.zarr").images[0].axes_orientations == lps


def test_orientations_in_other_words(tmp_path, data):
    class Word:
        value = "left-to-right"

    class Orientation:
        value = Word

    image = omezarr.to_ngff_image(data, ("y", "x"), axes_orientations="LPS")
    m = omezarr.to_multiscales(image, [2], "mean", 16, orientation={"x": Orientation(), "z": Orientation()})
    assert [level.axes_orientations for level in m.images] == [{"x": "left-to-right"}] * 2
    with pytest.raises(ValueError, match="LPS, RAS"):
        omezarr.to_multiscales(image, [2], "mean", 16, orientation="UP")
    with pytest.raises(ValueError, match="no orientation of an axis"):
        omezarr.to_multiscales(image, [2], "mean", 16, orientation={"x": "up"})


# -- Documents first -------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("version", ["0.4", "0.5", "0.6"])
def test_documents_alone(tmp_path, data, version):
    class Unread:
        shape, dtype = (10**6, 10**6), np.dtype("float32")

        def __getitem__(self, key):
            raise AssertionError("it is read")

    store = tmp_path / "a.ome.zarr"
    m = omezarr.to_multiscales(omezarr.to_ngff_image(Unread(), ("y", "x"), {"y": 2, "x": 2}), [2, 4], "mean", 4096)
    omezarr.to_ngff_zarr(store, m, version, metadata_only=True)
    assert objects(store) == {}
    read = omezarr.from_ngff_zarr(store, validate=True)
    assert [image.shape for image in read.images] == [(10**6, 10**6), (500000, 500000), (250000, 250000)]
    assert read.images[0].source[5, 5] == 0
    assert omezarr.verify(store) == []
    with pytest.raises(ValueError, match="metadata_only"):
        omezarr.to_ngff_zarr(tmp_path / "a.ozx", m, metadata_only=True)


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_pixels_that_others_bring_later_are_read(tmp_path, data, version):
    zarr = pytest.importorskip("zarr")
    store = tmp_path / "a.ome.zarr"
    omezarr.to_ngff_zarr(store, multiscales(np.zeros_like(data)), version, metadata_only=True)
    zarr.open_array(str(store), path="scale0/image", mode="r+")[:20] = data[:20]
    read = omezarr.from_ngff_zarr(store)
    assert np.array_equal(read.images[0].source[:20], data[:20]) and not read.images[1].source[...].any()
    omezarr.to_ngff_zarr(store, omezarr.to_multiscales(read.images[0], [2], "mean", 16), version, overwrite=False, start_level=1)
    whole = np.where(np.arange(40)[:, None] < 20, data, 0).astype(data.dtype)
    assert np.array_equal(level(store, 1), mean(whole, 2)) and np.array_equal(level(store), whole)


# -- Levels later ----------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("version", ["0.4", "0.5", "0.6"])
def test_levels_are_added_and_what_is_there_stays(tmp_path, data, version):
    store = tmp_path / "a.ome.zarr"
    first = multiscales(data, ())
    first.root_attributes = {"mine": 1}
    omezarr.to_ngff_zarr(store, first, version, compress="GZIP")
    before = objects(store)
    base = omezarr.from_ngff_zarr(store).images[0]
    for start, factors in ((1, [2]), (1, [2, 4]), (2, [2, 4, 8])):
        omezarr.to_ngff_zarr(store, omezarr.to_multiscales(base, factors, "mean", 16), version, overwrite=False, start_level=start)
        now = objects(store)
        assert before.items() <= now.items(), "objects were written again"
        before = before if start == 1 else now
    read = omezarr.from_ngff_zarr(store, validate=True)
    assert [image.shape for image in read.images] == [(40, 50), (20, 25), (10, 13), (5, 7)] and read.root_attributes == {"mine": 1}
    assert np.array_equal(level(store), data) and np.array_equal(level(store, 1), mean(data, 2))
    assert np.array_equal(level(store, 2), mean(mean(data, 2), 2))
    assert [f for f in omezarr.verify(store) if f.kind != "note"] == []


def test_levels_that_are_given_stay_below_those_that_are_made(tmp_path, data):
    store, m = tmp_path / "a.ome.zarr", multiscales(data)
    m.images[1].data = np.full((20, 25), 7, np.uint16)
    omezarr.to_ngff_zarr(store, m)
    three = multiscales(data, (2, 4))
    omezarr.to_ngff_zarr(store, three, overwrite=False, start_level=2)
    assert (level(store, 1) == 7).all() and (level(store, 2) == 7).all()
    omezarr.to_ngff_zarr(store, three, overwrite=False, start_level=1, metadata_only=True)
    assert not level(store, 1).any() and not level(store, 2).any() and np.array_equal(level(store), data)
    omezarr.to_ngff_zarr(store, three, overwrite=False, start_level=1)
    assert np.array_equal(level(store, 1), mean(data, 2))


def test_levels_that_cannot_be_added(tmp_path, data):
    store, m = tmp_path / "a.ome.zarr", multiscales(data)
    with pytest.raises(ValueError, match="no readable array of level 0"):
        omezarr.to_ngff_zarr(store, m, overwrite=False, start_level=1)
    omezarr.to_ngff_zarr(store, multiscales(data, ()))
    kept = objects(store)
    for arguments, words in (({"overwrite": True, "start_level": 1}, "overwrite=False"), ({"start_level": 2}, "out of range")):
        with pytest.raises(ValueError, match=words):
            omezarr.to_ngff_zarr(store, m, **{"overwrite": False, **arguments})
    for other, words in ((multiscales(data[:30]), "shape"), (multiscales(data.astype("f4")), "type")):
        with pytest.raises(ValueError, match=words):
            omezarr.to_ngff_zarr(store, other, overwrite=False, start_level=1)
    given = multiscales(data)
    given.images[1].data = np.zeros((20, 25), np.uint16)
    with pytest.raises(NotImplementedError, match="level 1 was given"):
        omezarr.to_ngff_zarr(store, given, overwrite=False, start_level=1)
    assert objects(store) == kept and len(omezarr.from_ngff_zarr(store).images) == 1


def test_a_level_is_not_read_from_what_it_replaces(tmp_path, data):
    store = tmp_path / "a.ome.zarr"
    omezarr.to_ngff_zarr(store, multiscales(data))
    m = multiscales(data)
    m.images[1] = omezarr.from_ngff_zarr(store).images[1]
    with pytest.raises(ValueError, match="replaces before its data is computed"):
        omezarr.to_ngff_zarr(store, m, overwrite=False, start_level=1)
    assert np.array_equal(level(store, 1), mean(data, 2))


def test_what_python_has_no_place_for_is_not_changed(tmp_path, data):
    store = tmp_path / "a.ome.zarr"
    omezarr.to_ngff_zarr(store, multiscales(data, ()))
    root = json.loads((store / "zarr.json").read_text())
    root["attributes"]["omezarr"]["crs"] = {"wkt": "x"}
    (store / "zarr.json").write_text(json.dumps(root))
    with pytest.raises(NotImplementedError, match="omezarr.crs.*gdaladdo"):
        omezarr.to_ngff_zarr(store, multiscales(data), overwrite=False, start_level=1)
    del root["attributes"]["omezarr"]
    (store / "zarr.json").write_text(json.dumps(root))
    with pytest.raises(NotImplementedError, match="this library has written"):
        omezarr.to_ngff_zarr(store, multiscales(data), overwrite=False, start_level=1)


# -- Newer versions --------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("steps", [("0.4", "0.5"), ("0.4", "0.6"), ("0.5", "0.6"), ("0.4", "0.5", "0.6")])
def test_upgrade_keeps_chunks_and_pixels(tmp_path, data, steps):
    store, m = tmp_path / "a.ome.zarr", multiscales(data, (2, 4))
    m.root_attributes = {"mine": 2**60 + 1}
    omezarr.to_ngff_zarr(store, m, steps[0], compress="ZSTD")
    before = objects(store)
    for version in steps[1:]:
        assert omezarr.upgrade(store, version) is True and omezarr.upgrade(store, version) is False
        assert objects(store) == before and attributes(store)["version"] == version
        read = omezarr.from_ngff_zarr(store, validate=True)
        assert read.metadata.version == version and read.root_attributes == m.root_attributes
        assert np.array_equal(level(store), data) and np.array_equal(level(store, 1), mean(data, 2))
        assert [f for f in omezarr.verify(store) if f.kind != "note"] == []
        assert [image.scale for image in read.images] == [image.scale for image in m.images]
        assert [image.translation for image in read.images] == [image.translation for image in m.images]


def test_upgrade_in_a_store_of_python(data):
    store = {}
    omezarr.to_ngff_zarr(store, multiscales(data), "0.4", compress="ZSTD", overwrite=False)
    chunks = {key: value for key, value in store.items() if "/.z" not in key and not key.startswith(".z")}
    assert omezarr.upgrade(store, "0.6")
    assert {key: value for key, value in store.items() if not key.endswith("zarr.json")} == chunks
    assert np.array_equal(omezarr.from_ngff_zarr(store, validate=True).images[0].source, data)


def test_upgrade_refuses_by_its_reason(tmp_path, data):
    store = tmp_path / "a.ome.zarr"
    omezarr.to_ngff_zarr(store, multiscales(data), "0.4", compress="ZLIB")
    with pytest.raises(NotImplementedError, match="no codec zlib.*gdal_translate -of OMEZARR -co NGFF_VERSION=0.5"):
        omezarr.upgrade(store)
    assert omezarr.from_ngff_zarr(store).metadata.version == "0.4" and not list(store.rglob("zarr.json"))
    with pytest.raises(ValueError, match="0.5 or 0.6, not 0.7"):
        omezarr.upgrade(store, "0.7")
    with pytest.raises(FileNotFoundError):
        omezarr.upgrade(tmp_path / "nothing")
