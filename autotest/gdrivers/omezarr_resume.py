"""RESUME=YES: a copy that was killed, failed or cancelled goes on, and ends in the bytes of one that was not."""

import os
import shutil
import subprocess
import sys

import faults
import gdaltest
import numpy as np
import pytest
from osgeo import gdal

GT = (500000.0, 10.0, 0.0, 5000000.0, 0.0, -10.0)


# Each with the calls that write after which the copy is killed: some hundred chunks (of "tiles", which are made as a whole,
# those of one) are noted then.
CASES = {
    "plain": ((1, 500, 470), "uint16", [], {}, (1000, 800, 600)),
    "rgb 0.4 rows": ((3, 400, 450), "uint8", ["NGFF_VERSION=0.4"], {"options": ["INTERLEAVE=PIXEL"]}, (1500, 1000, 1000)),
    "gauss": ((1, 400, 350), "float32", ["OVERVIEW_RESAMPLING=GAUSS"], {"nodata": -1}, (600, 400, 200)),
    "sharded": ((2, 500, 500), "uint16", ["SHARD=64"], {}, (150, 120, 90)),
    "tiles of 256": ((1, 600, 600), "uint16", [], {"options": ["TILED=YES", "BLOCKXSIZE=256", "BLOCKYSIZE=256"]}, (1200, 1000, 900)),
}


@pytest.mark.parametrize("name", CASES)
def test_killed_copies_go_on_to_the_same_bytes(tmp_path, name):
    shape, dtype, options, kwargs, calls = CASES[name]
    source = str(tmp_path / "source.tif")
    array = gdaltest.random_array(shape, dtype)
    array[:, 40:150, 60:300] = 0 if "nodata" not in kwargs else -1
    gdaltest.mem(array, GT, "EPSG:32633", driver="GTiff", path=source, **kwargs)
    options = ["BLOCKSIZE=16", *([] if "SHARD=64" in options else ["SHARD=NONE"]), *options]
    expected = gdaltest.write(tmp_path / "whole.ome.zarr", gdal.Open(source), *options)
    path = str(tmp_path / "a.ome.zarr")
    for n in calls:
        faults.kill_copy(source, path, [*options, "RESUME=YES"], n)
        with pytest.raises(RuntimeError):
            gdal.Open(path)
    gdaltest.write(path, gdal.Open(source), *options, "RESUME=YES")
    assert gdaltest.tree_digest(path) == gdaltest.tree_digest(expected)
    assert not [n for n in os.listdir(tmp_path) if n.startswith(".")]


@pytest.fixture
def killed(tmp_path):
    """Source, destination and options of a copy that was killed."""
    source, path = str(tmp_path / "source.tif"), str(tmp_path / "a.ome.zarr")
    gdaltest.mem(gdaltest.random_array((1, 500, 500), "uint16"), GT, "EPSG:32633", driver="GTiff", path=source)
    options = ["BLOCKSIZE=16", "SHARD=NONE"]
    faults.kill_copy(source, path, options, 1000)  # also one without RESUME=YES can be gone on with
    return source, path, options


def times_of_chunks(store):
    folder = os.path.join(store, "scale0", "image", "c")
    names = [os.path.join(row, name) for row in os.listdir(folder) for name in os.listdir(os.path.join(folder, row))]
    return {name: os.stat(os.path.join(folder, name)).st_mtime_ns for name in names}


def test_work_is_spared(killed, tmp_path):
    source, path, options = killed
    before = times_of_chunks(os.path.join(tmp_path, ".a.ome.zarr.partial", "store"))
    assert len(before) > 100
    gdaltest.write(path, gdal.Open(source), *options, "RESUME=YES")
    after = times_of_chunks(path)
    same = [name for name in before if after[name] == before[name]]
    assert len(same) > len(before) // 2  # the last ones that were stored had not been noted yet


def test_a_changed_source_or_option_is_refused(killed, tmp_path):
    source, path, options = killed
    before = gdaltest.snapshot(tmp_path / ".a.ome.zarr.partial")
    assert "RESUME" in gdaltest.refused(path, gdal.Open(source), *options, "RESUME=YES", "LEVEL=3")
    shutil.copy(source, tmp_path / "other.tif")
    assert "RESUME" in gdaltest.refused(path, gdal.Open(str(tmp_path / "other.tif")), *options, "RESUME=YES")
    status = os.stat(source)
    os.utime(source, ns=(status.st_atime_ns, status.st_mtime_ns + 1000))
    assert "another source" in gdaltest.refused(path, gdal.Open(source), *options, "RESUME=YES")
    os.utime(source, ns=(status.st_atime_ns, status.st_mtime_ns))
    after = gdaltest.snapshot(tmp_path / ".a.ome.zarr.partial")
    assert {k: v for k, v in after.items() if k != ".owner"} == {k: v for k, v in before.items() if k != ".owner"}
    gdaltest.write(path, gdal.Open(source), *options, "RESUME=YES")


@pytest.mark.parametrize("before, after", [("-b 1", "-b 2"), ("-srcwin 0 0 900 900", "-srcwin 600 0 900 900"),
                                           ("-outsize 900 900", "-outsize 900 900 -r average")])
def test_other_pixels_of_the_same_file_are_another_source(tmp_path, before, after):
    """gdal_translate makes a VRT without a name of its arguments; only what is in it differs."""
    source, path = str(tmp_path / "source.tif"), str(tmp_path / "a.ome.zarr")
    gdaltest.mem(gdaltest.random_array((2, 1500, 1500), "uint16"), driver="GTiff", path=source)
    options = ["BLOCKSIZE=16", "SHARD=NONE"]
    with pytest.raises(RuntimeError):
        gdaltest.create_copy(path, gdal.Translate("", source, options="-of VRT " + before), *options, "RESUME=YES",
                             callback=lambda share, *_: share < 0.5)
    with pytest.raises(RuntimeError, match="another source"):
        gdaltest.create_copy(path, gdal.Translate("", source, options="-of VRT " + after), *options, "RESUME=YES")
    gdaltest.write(path, gdal.Translate("", source, options="-of VRT " + before), *options, "RESUME=YES")


def test_other_open_options_are_another_source(tmp_path):
    source, path = str(tmp_path / "source.ome.zarr"), str(tmp_path / "a.ome.zarr")
    gdaltest.write(source, gdaltest.mem(gdaltest.random_array((2, 900, 900), "uint16")), "AXES=t:2")
    options = ["BLOCKSIZE=16", "SHARD=NONE"]
    with pytest.raises(RuntimeError):
        gdaltest.create_copy(path, gdal.OpenEx(source, open_options=["T=0"]), *options, "RESUME=YES", callback=lambda share, *_: share < 0.5)
    with pytest.raises(RuntimeError, match="another source"):
        gdaltest.create_copy(path, gdal.OpenEx(source, open_options=["T=1"]), *options, "RESUME=YES")
    gdaltest.write(path, gdal.OpenEx(source, open_options=["T=0"]), *options, "RESUME=YES")


def test_without_resume_all_begins_again(killed, tmp_path):
    source, path, options = killed
    gdaltest.write(path, gdal.Open(source), *options)
    assert sorted(os.listdir(tmp_path)) == ["a.ome.zarr", "source.tif"]


@pytest.mark.parametrize("resume", ["RESUME=YES", "RESUME=NO"])
@pytest.mark.parametrize("left", ["new", "gone", "old owner"])
def test_what_killed_programs_have_left_is_removed(killed, tmp_path, resume, left):
    source, path, options = killed
    partial = tmp_path / ".a.ome.zarr.partial"
    before = times_of_chunks(partial / "store")
    if left == "old owner":  # a number that has another process by now: this one
        (partial / ".owner").write_text(f"{os.getpid()} {gdaltest.machine()} 0:0 x\n")
    else:
        shutil.copytree(partial, tmp_path / f".a.ome.zarr.{left}-1-0-0-1")
    gdaltest.write(path, gdal.Open(source), *options, resume)
    after = times_of_chunks(path)
    same = [name for name in before if after[name] == before[name]]
    assert len(same) > len(before) // 2 if resume == "RESUME=YES" else not same  # the last ones had not been noted yet
    assert sorted(os.listdir(tmp_path)) == ["a.ome.zarr", "source.tif"]


@pytest.mark.parametrize("options", [[], ["OVERWRITE=YES"]])
def test_a_copy_that_could_not_get_its_name_gets_it_by_resume(tmp_path, options):
    """All is written when a folder takes the place: what is done is kept, and not made again."""
    source, path = str(tmp_path / "source.tif"), tmp_path / "a.ome.zarr"
    gdaltest.mem(gdaltest.random_array((1, 900, 900), "uint16"), driver="GTiff", path=source)
    options = ["BLOCKSIZE=32", "SHARD=NONE", "RESUME=YES", *options]

    def take_the_place(share, *_):
        if share > 0.9:
            path.mkdir(exist_ok=True)
            (path / "theirs").touch()
        return True

    with pytest.raises(RuntimeError, match="left untouched"):
        gdaltest.create_copy(path, gdal.Open(source), *options, callback=take_the_place)
    before = gdaltest.tree_digest(tmp_path / ".a.ome.zarr.partial" / "store")
    shutil.rmtree(path)
    places = {n: os.stat(tmp_path / ".a.ome.zarr.partial" / "store" / "scale0" / "image" / "c" / "0" / n).st_ino for n in "012"}
    gdaltest.write(path, gdal.Open(source), *options)
    assert gdaltest.tree_digest(path) == before
    assert {n: os.stat(path / "scale0" / "image" / "c" / "0" / n).st_ino for n in "012"} == places
    assert sorted(os.listdir(tmp_path)) == ["a.ome.zarr", "source.tif"]


def test_threads_and_memory_may_differ(killed, tmp_path):
    source, path, options = killed
    gdaltest.write(path, gdal.Open(source), *options, "RESUME=YES", "NUM_THREADS=1", "MEMORY=1MB")
    expected = gdaltest.write(tmp_path / "b.ome.zarr", gdal.Open(source), *options)
    assert gdaltest.tree_digest(path) == gdaltest.tree_digest(expected)


def test_a_cancelled_copy_is_kept_only_with_resume(tmp_path):
    source, path = str(tmp_path / "source.tif"), tmp_path / "a.ome.zarr"
    gdaltest.mem(gdaltest.random_array((1, 900, 900), "uint16"), driver="GTiff", path=source)
    options = ["BLOCKSIZE=32", "SHARD=NONE"]
    with pytest.raises(RuntimeError):
        gdaltest.create_copy(path, gdal.Open(source), *options, callback=lambda share, *_: share < 0.5)
    assert os.listdir(tmp_path) == ["source.tif"]
    with pytest.raises(RuntimeError):
        gdaltest.create_copy(path, gdal.Open(source), *options, "RESUME=YES", callback=lambda share, *_: share < 0.5)
    assert sorted(os.listdir(tmp_path)) == [".a.ome.zarr.partial", "source.tif"]
    told = []
    assert gdaltest.create_copy(path, gdal.Open(source), *options, "RESUME=YES",
                                callback=lambda share, *_: told.append(share) or True) is not None
    assert told == sorted(told) and told[-1] == 1
    expected = gdaltest.write(tmp_path / "b.ome.zarr", gdal.Open(source), *options)
    assert gdaltest.tree_digest(path) == gdaltest.tree_digest(expected)


def test_the_old_store_lives_until_the_resumed_one_is_whole(killed, tmp_path):
    source, path, options = killed
    old = gdaltest.write(tmp_path / "old.ome.zarr", gdaltest.mem(np.ones((1, 9, 9), "uint8")))
    shutil.move(old, path)
    before = gdaltest.tree_digest(path)
    assert "OVERWRITE" in gdaltest.refused(path, gdal.Open(source), *options, "RESUME=YES")
    assert gdaltest.tree_digest(path) == before
    gdaltest.write(path, gdal.Open(source), *options, "RESUME=YES", "OVERWRITE=YES")
    assert gdal.Open(path).RasterXSize == 500
    assert sorted(os.listdir(tmp_path)) == ["a.ome.zarr", "source.tif"]


def test_a_source_without_files_and_create_are_refused(tmp_path):
    array = gdaltest.random_array((1, 30, 30), "uint8")
    assert "files" in gdaltest.refused(tmp_path / "a.ome.zarr", gdaltest.mem(array), "RESUME=YES")
    with pytest.raises(RuntimeError, match="RESUME"):
        gdaltest.OMEZARR.Create(str(tmp_path / "a.ome.zarr"), 30, 30, 1, gdal.GDT_Byte, ["RESUME=YES"])
    assert os.listdir(tmp_path) == []


def test_sync_reaches_the_disk_before_the_store_is_visible(tmp_path):
    """strace sees syncfs before the rename that publishes, and the folder synced after it."""
    if shutil.which("strace") is None:
        pytest.skip("no strace")
    source = str(tmp_path / "source.tif")
    gdaltest.mem(gdaltest.random_array((1, 90, 90), "uint8"), driver="GTiff", path=source)
    for option, expected in (("SYNC=NO", []), ("SYNC=YES", ["syncfs", "rename", "fsync"])):
        trace = str(tmp_path / "trace")
        path = str(tmp_path / f"{option}.ome.zarr")
        run = subprocess.run(["strace", "-f", "-o", trace, "-e", "trace=syncfs,fsync,rename,renameat2", "gdal_translate", "-q",
                              "-of", "OMEZARR", "-co", option, source, path], env=os.environ, capture_output=True, text=True)
        if "ptrace" in run.stderr:
            pytest.skip("no ptrace here")
        assert run.returncode == 0, run.stderr
        lines = [line for line in open(trace) if "(" in line]
        calls = ["publish" if f'"{path}"' in line and "rename" in line else line.split()[1].split("(")[0] for line in lines]
        if not expected:
            assert "syncfs" not in calls and "fsync" not in calls
        else:
            assert "syncfs" in calls and "fsync" in calls[calls.index("publish"):], calls
            assert calls.index("syncfs") < calls.index("publish")


@pytest.mark.parametrize("old", [False, True])
def test_what_cannot_be_synced_is_not_published(tmp_path, old):
    if shutil.which("strace") is None:
        pytest.skip("no strace")
    (tmp_path / "out").mkdir()
    source, path = str(tmp_path / "source.tif"), str(tmp_path / "out" / "a.ome.zarr")
    gdaltest.mem(gdaltest.random_array((1, 90, 90), "uint8"), driver="GTiff", path=source)
    if old:
        gdaltest.write(path, gdaltest.mem(gdaltest.random_array((1, 20, 20), "uint8")))
    before = gdaltest.snapshot(tmp_path / "out")
    run = subprocess.run(["strace", "-f", "-o", str(tmp_path / "trace"), "-e", "trace=syncfs", "-e", "inject=syncfs:error=EIO",
                          "gdal_translate", "-q", "-of", "OMEZARR", "-co", "SYNC=YES", "-co", "OVERWRITE=YES", source, path],
                         env=os.environ, capture_output=True, text=True)
    if "ptrace" in run.stderr:
        pytest.skip("no ptrace here")
    assert run.returncode == 1 and "not published" in run.stderr and "Input/output error" in run.stderr
    assert gdaltest.snapshot(tmp_path / "out") == before
