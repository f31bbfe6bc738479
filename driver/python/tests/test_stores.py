"""What appears on the disk, and when: whole stores or nothing, exceptions by cause, reading back."""

import json
import os
import pickle
import shutil
import subprocess
import sys
import threading
import warnings

import numpy as np
import pytest
from conftest import attributes, level

import omezarr


@pytest.fixture
def data(rng):
    return rng.integers(0, 2**16, (3, 40, 50), dtype=np.uint16)


def multiscales(data, dims=("c", "y", "x")):
    return omezarr.to_multiscales(omezarr.to_ngff_image(data, dims), [2], "mean", 16)


@pytest.mark.parametrize("version", ["0.4", "0.5", "0.6"])
@pytest.mark.parametrize("layout", ["SCALES", "FLAT", "OVERVIEWS", "BIOFORMATS2RAW"])
def test_round_trip(tmp_path, data, version, layout):
    store = tmp_path / "a.ome.zarr"
    omezarr.to_ngff_zarr(store, multiscales(data), version=version, layout=layout)
    opened = omezarr.from_ngff_zarr(store, validate=True)
    assert opened.metadata.version == version
    assert np.array_equal(np.asarray(opened.images[0].data), data)
    assert opened.images[0].dims == ("c", "y", "x") and len(opened.images) == 2
    assert [f for f in omezarr.verify(store) if f.kind != "note"] == []


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_what_a_copy_leaves_behind_is_told(tmp_path, data, version):
    store, document = tmp_path / "a.ome.zarr", {"0.4": ".zattrs", "0.5": "zarr.json"}[version]
    omezarr.to_ngff_zarr(store, multiscales(data), version=version)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        omezarr.to_ngff_zarr(tmp_path / "b.ome.zarr", omezarr.from_ngff_zarr(store))
    root = json.loads((store / document).read_text())
    attributes = root if version == "0.4" else root["attributes"]
    attributes["license"] = "CC0"
    attributes["omezarr"]["crs"] = {"wkt": "x"}
    (store / document).write_text(json.dumps(root))
    with pytest.warns(omezarr.OmeZarrWarning, match="not written: omezarr.crs; gdal_translate"):
        omezarr.to_ngff_zarr(tmp_path / "b.ome.zarr", omezarr.from_ngff_zarr(store))
    assert omezarr.from_ngff_zarr(tmp_path / "b.ome.zarr").root_attributes == {"license": "CC0"}


def test_a_folder_above_that_cannot_be_made_is_an_error_of_ours(tmp_path, data):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(omezarr.StorageError, match="file/x cannot be made: .*; is .*file a folder that you may write to") as found:
        omezarr.to_ngff_zarr(tmp_path / "file" / "x" / "a.ome.zarr", multiscales(data))
    assert isinstance(found.value.__cause__, OSError) and found.value.status < 0
    assert (tmp_path / "file").read_text() == "mine"


def test_all_that_is_refused_is_an_error_of_ours(tmp_path, data):
    for wrong in (lambda: omezarr.to_ngff_image("a.npy"), lambda: omezarr.to_ngff_image(data.astype("U4"), ("c", "y", "x")),
                  lambda: omezarr.to_ngff_zarr(7, multiscales(data)), lambda: omezarr.to_ngff_zarr(tmp_path / "a", multiscales(data), compres="ZSTD")):
        with pytest.raises(TypeError) as found:
            wrong()
        assert isinstance(found.value, omezarr.Error)


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_attributes_of_others_stay_where_a_store_is_overwritten(tmp_path, data, version):
    m = multiscales(data)
    m.root_attributes = {"mine": 1, "other": 2}
    omezarr.to_ngff_zarr(tmp_path / "a.ome.zarr", m, version)
    m.root_attributes = {"other": 3}
    omezarr.to_ngff_zarr(tmp_path / "a.ome.zarr", m)
    assert omezarr.from_ngff_zarr(tmp_path / "a.ome.zarr").root_attributes == {"mine": 1, "other": 3}


def test_the_name_is_the_metadata_s(tmp_path, data):
    m = multiscales(data)
    m.metadata.name = "cells"
    omezarr.to_ngff_zarr(tmp_path / "a.ome.zarr", m)
    assert omezarr.from_ngff_zarr(tmp_path / "a.ome.zarr").metadata.name == "cells"


def test_folders_above_are_made_and_go_again_after_a_failure(tmp_path, data):
    store = tmp_path / "new" / "er" / "a.ome.zarr"

    class Broken:
        shape, dtype = data.shape, data.dtype

        def __getitem__(self, key):
            raise ZeroDivisionError("a source that fails")

    with pytest.raises(ZeroDivisionError):
        omezarr.to_ngff_zarr(store, multiscales(Broken()))
    assert list(tmp_path.iterdir()) == []
    omezarr.to_ngff_zarr(store, multiscales(data))
    assert np.array_equal(level(store), data)


def test_others_judge_the_store_valid(tmp_path, data):
    nz = pytest.importorskip("ngff_zarr")
    for version in ("0.4", "0.5", "0.6"):
        omezarr.to_ngff_zarr(tmp_path / "a.ome.zarr", multiscales(data), version=version)
        theirs = nz.from_ngff_zarr(tmp_path / "a.ome.zarr", validate=True)
        assert np.array_equal(np.asarray(theirs.images[0].data), data)
        assert theirs.images[1].translation["y"] == 0.5


def test_ozx_is_one_file(tmp_path, data):
    omezarr.to_ngff_zarr(tmp_path / "a.ozx", multiscales(data))
    assert os.path.isfile(tmp_path / "a.ozx")
    assert np.array_equal(np.asarray(omezarr.from_ngff_zarr(tmp_path / "a.ozx").images[0].data), data)


def test_store_is_written_again_from_a_store(tmp_path, data):
    omezarr.to_ngff_zarr(tmp_path / "a.ome.zarr", multiscales(data), version="0.4")
    omezarr.to_ngff_zarr(tmp_path / "b.ome.zarr", omezarr.from_ngff_zarr(tmp_path / "a.ome.zarr"))
    for i in range(2):
        assert np.array_equal(level(tmp_path / "a.ome.zarr", i), level(tmp_path / "b.ome.zarr", i))


def test_overwrite(tmp_path, data):
    store = tmp_path / "a.ome.zarr"
    omezarr.to_ngff_zarr(store, multiscales(data))
    with pytest.raises(FileExistsError, match="a.ome.zarr"):
        omezarr.to_ngff_zarr(store, multiscales(data + 1), overwrite=False)
    assert np.array_equal(level(store), data)
    omezarr.to_ngff_zarr(store, multiscales(data + 1))
    assert np.array_equal(level(store), data + 1)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("")
    with pytest.raises(FileExistsError, match="mine"):
        omezarr.to_ngff_zarr(tmp_path / "mine", multiscales(data))
    assert os.listdir(tmp_path / "mine") == ["thesis.txt"]


@pytest.mark.parametrize("call, error", [
    (lambda s, d: omezarr.to_ngff_zarr(s, d, compress="LZW"), ValueError),
    (lambda s, d: omezarr.to_ngff_zarr(s, d, compression="ZSTD"), TypeError),
    (lambda s, d: omezarr.to_ngff_zarr(s, d, dry_run=True), ValueError),
    (lambda s, d: omezarr.to_ngff_zarr(s, d, version="0.4", chunks_per_shard=2), ValueError),
    (lambda s, d: omezarr.to_ngff_zarr(5, d), TypeError),
    (lambda s, d: omezarr.to_ngff_zarr("/proc/no/folder", d), OSError),
    (lambda s, d: omezarr.from_ngff_zarr(s), FileNotFoundError),
    (lambda s, d: omezarr.to_multiscales(d, [0]), ValueError),
    (lambda s, d: omezarr.to_multiscales(d, [2], "fuzzy"), ValueError),
    (lambda s, d: omezarr.to_ngff_image(d, ("y", "x")), ValueError),
    (lambda s, d: omezarr.to_ngff_image(d, scale={"q": 1}), ValueError),
])
def test_errors_are_exceptions_of_their_kind(tmp_path, data, call, error):
    with pytest.raises(error):
        call(tmp_path / "a.ome.zarr", data)
    assert os.listdir(tmp_path) == []


def test_progress_rises_to_one(tmp_path, data):
    told = []
    omezarr.to_ngff_zarr(tmp_path / "a.ome.zarr", multiscales(data), progress=told.append)
    assert told == sorted(told) and told[-1] == 1.0 and len(told) > 2


def test_progress_that_raises_stops_and_leaves_nothing(tmp_path, data):
    def stop(share):
        raise RuntimeError("enough")

    with pytest.raises(RuntimeError, match="enough"):
        omezarr.to_ngff_zarr(tmp_path / "a.ome.zarr", multiscales(data), progress=stop)
    assert os.listdir(tmp_path) == []


@pytest.mark.skipif(os.name == "nt", reason="signals")
@pytest.mark.parametrize("is_closing", [False, True])
def test_ctrl_c_leaves_nothing(tmp_path, is_closing):
    script = f"""if True:
        import os, signal, numpy as np, omezarr
        signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs inherit that it is ignored
        def stop(share):
            os.kill(os.getpid(), signal.SIGINT)
        data = np.random.default_rng(1).integers(0, 255, (4, 1024, 1024), dtype=np.uint8)
        class Source:
            shape, dtype, asked = data.shape, data.dtype, 0
            def __getitem__(self, key):
                Source.asked += 1
                if not {is_closing} and Source.asked == 3:
                    stop(0)
                return data[key]
        m = omezarr.to_multiscales(omezarr.to_ngff_image(Source(), ("c", "y", "x")), [2], None, 256)
        progress = None
        if {is_closing}:
            import omezarr._handles as h
            close = h.Writer.close
            h.Writer.close = lambda self, progress: (stop(0), close(self, progress))
        omezarr.to_ngff_zarr("a.ome.zarr", m, progress=progress)
    """
    run = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True)
    assert "KeyboardInterrupt" in run.stderr
    assert os.listdir(tmp_path) == []


def test_verify_source_finds_a_source_that_changes(tmp_path, data):
    class Changing:
        shape, dtype, asked = data.shape, data.dtype, 0

        def __getitem__(self, key):
            self.asked += 1
            return data[key] + np.uint16(self.asked > 12)

    image = omezarr.to_ngff_image(Changing(), ("c", "y", "x"))
    with pytest.raises(ValueError, match="differ"):
        omezarr.to_ngff_zarr(tmp_path / "a.ome.zarr", omezarr.to_multiscales(image, [], None, 16), verify="SOURCE")
    assert os.listdir(tmp_path) == []
    omezarr.to_ngff_zarr(tmp_path / "a.ome.zarr", multiscales(data), verify="SOURCE", sync=True)


def test_verify_compares_a_store_with_any_source(tmp_path, data):
    path = tmp_path / "a.ome.zarr"
    omezarr.to_ngff_zarr(path, multiscales(data))
    assert omezarr.verify(path, source=data) == []
    assert omezarr.verify(path, source=omezarr.from_ngff_zarr(path)) == []
    turned = omezarr.to_ngff_image(data.transpose(1, 2, 0), ("y", "x", "c"))
    assert omezarr.verify(path, source=turned) == []
    for place in ((0, 0, 0), tuple(n - 1 for n in data.shape), (1, 3, 5)):
        other = data.copy()
        other[place] ^= 1
        at = ", ".join(f"{d}={n}" for d, n in zip("cyx", place))
        assert omezarr.verify(path, source=other) == [("different", f"{at}: the store has not the source's pixel")]
    for source, words in ((data[:, 1:], "pixels, the store"), (data.astype("float32"), "type float32, the store uint16"),
                          (omezarr.to_ngff_image(data, ("z", "y", "x")), "axes z, y, x, the store c, y, x")):
        (finding,) = omezarr.verify(path, source=source)
        assert finding.kind == "different" and words in finding.text


def test_verify_computes_a_block_of_a_source_once(tmp_path):
    pixels = np.arange(8 * 64 * 64, dtype=np.uint16).reshape(8, 64, 64)
    asked = []

    class Counting:
        shape, dtype, chunks = pixels.shape, pixels.dtype, (8, 20, 64)

        def __getitem__(self, key):
            asked.append(tuple((k.start, k.stop) for k in key))
            return pixels[key]

    image = omezarr.to_ngff_image(pixels, ("z", "y", "x"))
    omezarr.to_ngff_zarr(tmp_path / "a.ome.zarr", omezarr.to_multiscales(image, [], None, 16))
    assert omezarr.verify(tmp_path / "a.ome.zarr", source=omezarr.to_ngff_image(Counting(), ("z", "y", "x"))) == []
    assert sorted(asked) == [((0, 8), (y, min(y + 20, 64)), (0, 64)) for y in (0, 20, 40, 60)]


def test_verify_compares_masks_and_hears_a_source_that_raises(tmp_path, data):
    valid = np.ones(data.shape[1:], bool)
    valid[2, 3] = False
    image = omezarr.to_ngff_image(np.ma.array(data, mask=np.broadcast_to(~valid, data.shape)), ("c", "y", "x"))
    omezarr.to_ngff_zarr(tmp_path / "a.ome.zarr", image)
    assert omezarr.verify(tmp_path / "a.ome.zarr", source=image) == []
    assert omezarr.verify(tmp_path / "a.ome.zarr", source=data) == [("different", "y=2, x=3: the store has not the source's mask")]

    class Raising:
        shape, dtype = data.shape, data.dtype

        def __getitem__(self, key):
            raise LookupError("the tape is torn")

    with pytest.raises(LookupError, match="torn"):
        omezarr.verify(tmp_path / "a.ome.zarr", source=omezarr.to_ngff_image(Raising(), ("c", "y", "x")))


def test_resume_goes_on_where_a_killed_run_stopped(tmp_path):
    script = """if True:
        import os, sys, numpy as np, omezarr
        data = np.random.default_rng(1).integers(0, 255, (8, 64, 64), dtype=np.uint8)
        class Source:
            shape, dtype, asked = data.shape, data.dtype, 0
            def __getitem__(self, key):
                Source.asked += 1
                if sys.argv[1] == "kill" and Source.asked == 6:
                    os._exit(1)
                return data[key]
            def __repr__(self):
                return "the same"
        m = omezarr.to_multiscales(omezarr.to_ngff_image(Source(), ("c", "y", "x")), [2], None, (1, 64, 64))
        omezarr.to_ngff_zarr("a.ome.zarr", m, resume=True, num_threads=1, shard="NONE")
        print(Source.asked)
    """
    run = lambda how: subprocess.run([sys.executable, "-c", script, how], cwd=tmp_path, capture_output=True, text=True)
    assert run("kill").returncode == 1 and not os.path.exists(tmp_path / "a.ome.zarr")
    again = run("go on")
    assert again.returncode == 0, again.stderr
    assert int(again.stdout) < 8  # of 8 regions
    data = np.random.default_rng(1).integers(0, 255, (8, 64, 64), dtype=np.uint8)
    assert np.array_equal(level(tmp_path / "a.ome.zarr"), data)


# -- Reading -------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("key", [
    (), 0, -1, (1, 2), (slice(None), 3), (..., 5), (slice(1, 3), slice(-7, None), slice(3, 40, 7)), (0, slice(None, None, -1)),
    (slice(2, 2),), (slice(None), slice(30, 2, -3), slice(None)), (np.int64(2), ..., slice(49, 60)),
], ids=str)
def test_a_level_is_sliced_as_numpy_is(tmp_path, data, key):
    omezarr.to_ngff_zarr(tmp_path / "a.ome.zarr", multiscales(data))
    found = omezarr.from_ngff_zarr(tmp_path / "a.ome.zarr").images[0].source
    assert np.array_equal(found[key], data[key]) and np.shape(found[key]) == np.shape(data[key])


@pytest.mark.parametrize("key", [3, (0, 0, 0, 0), (0, 40), "a", ([1, 2],), (..., ...)], ids=str)
def test_a_wrong_index_is_an_index_error(tmp_path, data, key):
    omezarr.to_ngff_zarr(tmp_path / "a.ome.zarr", multiscales(data))
    with pytest.raises(IndexError):
        omezarr.from_ngff_zarr(tmp_path / "a.ome.zarr").images[0].source[key]


def test_a_level_pickles_as_its_path(tmp_path, data):
    omezarr.to_ngff_zarr(tmp_path / "a.ome.zarr", multiscales(data))
    found = omezarr.from_ngff_zarr(tmp_path / "a.ome.zarr").images[1].source
    assert len(pickle.dumps(found)) < 1000
    assert np.array_equal(pickle.loads(pickle.dumps(found))[...], found[...])


def test_one_level_is_read_by_many_threads(tmp_path, data):
    omezarr.to_ngff_zarr(tmp_path / "a.ome.zarr", multiscales(data))
    found, wrong = omezarr.from_ngff_zarr(tmp_path / "a.ome.zarr").images[0].source, []

    def read(seed):
        rng = np.random.default_rng(seed)
        for _ in range(30):
            y, x = rng.integers(0, 30, 2)
            if not np.array_equal(found[:, y:y + 9, x:x + 9], data[:, y:y + 9, x:x + 9]):
                wrong.append((y, x))

    threads = [threading.Thread(target=read, args=(i,)) for i in range(4)]
    [t.start() for t in threads]
    [t.join() for t in threads]
    assert wrong == []


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_a_forked_child_reads_what_its_parent_has_opened(tmp_path, data):
    omezarr.to_ngff_zarr(tmp_path / "a.ome.zarr", multiscales(data))
    found = omezarr.from_ngff_zarr(tmp_path / "a.ome.zarr").images[0].source
    assert np.array_equal(found[...], data)  # by several threads, which the child has not
    child = os.fork()
    if child == 0:
        os._exit(0 if np.array_equal(found[...], data) else 1)
    assert os.waitpid(child, 0)[1] == 0


@pytest.mark.parametrize("with_dask", [False, True])
def test_a_store_may_be_overwritten_by_what_was_read_from_it(tmp_path, data, with_dask):
    store = tmp_path / "a.ome.zarr"
    omezarr.to_ngff_zarr(store, multiscales(data))
    opened = omezarr.from_ngff_zarr(store)
    array = opened.images[0].source
    if with_dask:
        array = pytest.importorskip("dask.array").from_array(array, chunks=(1, 40, 50)) + np.uint16(1)
    omezarr.to_ngff_zarr(store, omezarr.to_multiscales(omezarr.to_ngff_image(array, ("c", "y", "x")), [2], "mean", 8))
    assert np.array_equal(level(store), data + np.uint16(with_dask))


def test_labels_and_parts(tmp_path, data):
    store = tmp_path / "a.ome.zarr"
    omezarr.to_ngff_zarr(store, multiscales(data), version="0.4", layout="BIOFORMATS2RAW")
    assert np.array_equal(np.asarray(omezarr.from_ngff_zarr(store, part="0").images[0].data), data)
    assert np.array_equal(np.asarray(omezarr.from_ngff_zarr(store / "0").images[0].data), data)
    with pytest.raises(FileNotFoundError):
        omezarr.from_ngff_zarr(store, part="1")


def test_label_image_has_its_mark(tmp_path):
    labels = np.arange(1024, dtype=np.uint16).reshape(32, 32) // 300
    omezarr.to_ngff_zarr(tmp_path / "a.ome.zarr", omezarr.to_multiscales(labels, [2], "mode", 16), labels=True)
    assert "image-label" in attributes(tmp_path / "a.ome.zarr")


def test_broken_metadata_is_found(tmp_path, data):
    store = tmp_path / "a.ome.zarr"
    omezarr.to_ngff_zarr(store, multiscales(data), version="0.4")
    document = attributes(store)
    document["multiscales"][0]["version"] = 4
    (store / ".zattrs").write_text(json.dumps(document))
    assert any(f.kind == "invalid" and "version" in f.text for f in omezarr.validate(store))
    with pytest.raises(ValueError, match="version"):
        omezarr.from_ngff_zarr(store, validate=True)
    (store / "scale0" / "image" / "0").mkdir(exist_ok=True)
    (store / "scale0" / "image" / "stray").write_text("")
    assert any(f.kind == "stray" for f in omezarr.verify(store))


def test_a_lost_mask_is_a_finding(tmp_path):
    """Who opens the store is refused; who looks what is missing is told."""
    store = tmp_path / "a.ome.zarr"
    data = np.ma.masked_array(np.full((32, 32), 10, np.uint8))
    data[:16] = np.ma.masked
    omezarr.to_ngff_zarr(store, omezarr.to_multiscales(data, [2], "mean", 16))
    assert omezarr.verify(store) == []
    shutil.rmtree(store / "ovr_mask")
    with pytest.raises(ValueError, match="mask is missing"):
        omezarr.from_ngff_zarr(store)
    assert any(f.kind == "damage" and "mask" in f.text for f in omezarr.verify(store))
    with pytest.raises(omezarr.Error):
        omezarr.verify(tmp_path / "nothing.ome.zarr")


# -- xarray, notebooks ---------------------------------------------------------------------------------------------

def test_to_xarray_and_back(tmp_path, data):
    xarray = pytest.importorskip("xarray")
    image = omezarr.to_ngff_image(data, ("c", "y", "x"), {"y": 0.5, "x": 0.25}, {"y": 3.0}, "cells", {"y": "um", "x": "um"},
                                  ["a", "b", "c"])
    omezarr.to_ngff_zarr(tmp_path / "a.ome.zarr", omezarr.to_multiscales(image, [2], "mean", 16))
    tree = omezarr.from_ngff_zarr(tmp_path / "a.ome.zarr").to_xarray()
    assert isinstance(tree, xarray.DataTree)
    level1 = tree["scale1"]["cells"]
    assert level1.coords["y"].values[:2].tolist() == [3.25, 4.25] and level1.coords["x"].attrs == {"units": "micrometer"}
    assert np.array_equal(tree["scale0"]["cells"].values, data)
    assert tree["scale0"]["cells"].coords["c"].values.tolist() == ["a", "b", "c"]
    omezarr.to_ngff_zarr(tmp_path / "b.ome.zarr", omezarr.to_multiscales(tree, chunks=16))
    for i in range(2):
        assert np.array_equal(level(tmp_path / "a.ome.zarr", i), level(tmp_path / "b.ome.zarr", i))
    assert (attributes(tmp_path / "a.ome.zarr")["multiscales"][0]["datasets"] ==
            attributes(tmp_path / "b.ome.zarr")["multiscales"][0]["datasets"])


def test_notebooks_show_a_small_picture_of_what_is_stored(tmp_path):
    import base64
    import re
    import struct
    import zlib

    data = np.zeros((64, 96), np.uint8)
    data[:, 48:] = 200
    m = omezarr.to_multiscales(data, [2], "mean", 32)
    assert "<img" not in m._repr_html_()  # looking at its levels would make them
    omezarr.to_ngff_zarr(tmp_path / "a.ome.zarr", m)
    html = omezarr.from_ngff_zarr(tmp_path / "a.ome.zarr")._repr_html_()
    png = base64.b64decode(re.search(r"base64,([^\"]*)", html).group(1))
    assert struct.unpack(">II", png[16:24]) == (48, 32)
    n = struct.unpack(">I", png[33:37])[0]
    rows = np.frombuffer(zlib.decompress(png[41:41 + n]), np.uint8).reshape(32, 1 + 48 * 3)
    assert (rows[:, 1:73] == 0).all() and (rows[:, 73:] == 255).all()
