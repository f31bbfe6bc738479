"""Whatever goes wrong ends in a clear error, nothing that opens, nothing left behind, and an untouched old store."""

import contextlib
import os
import resource
import signal
import subprocess
import sys
import threading
import time

import faults
import gdaltest
import numpy as np
import pytest
from osgeo import gdal


def source(seed=1, shape=(3, 300, 280), dtype="uint8"):
    return gdaltest.mem(gdaltest.random_array(shape, dtype, seed), (500000, 10, 0, 5000000, 0, -10), "EPSG:32633")


def tiff(path, *options, shape=(3, 300, 280)):
    gdaltest.mem(gdaltest.random_array(shape, "uint8"), driver="GTiff", path=str(path), options=options).FlushCache()
    return str(path)


def vrt_with_missing_source(folder):
    gone = tiff(folder / "gone.tif")
    dataset = gdal.GetDriverByName("VRT").CreateCopy(str(folder / "broken.vrt"), gdal.Open(gone))
    del dataset
    os.unlink(gone)
    return str(folder / "broken.vrt")


def truncated_tiff(folder, share=0.6):
    path = tiff(folder / "cut.tif", "TILED=YES", "BLOCKXSIZE=64", "BLOCKYSIZE=64")
    os.truncate(path, int(os.path.getsize(path) * share))
    return path


BROKEN = {"truncated": truncated_tiff, "missing": vrt_with_missing_source}


@pytest.fixture
def place(tmp_path):
    """An empty folder for the output, beside the sources."""
    (tmp_path / "out").mkdir()
    return tmp_path / "out"


# -- The source ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("threads", ["NUM_THREADS=1", "NUM_THREADS=4"])
@pytest.mark.parametrize("kind", BROKEN)
def test_a_source_that_cannot_be_read_leaves_nothing(tmp_path, place, kind, threads):
    broken = gdal.Open(BROKEN[kind](tmp_path))
    message = gdaltest.refused(place / "a.ome.zarr", broken, "BLOCKSIZE=64", threads)
    assert message
    assert os.listdir(place) == []


@pytest.mark.parametrize("kind", BROKEN)
def test_a_source_that_cannot_be_read_leaves_the_old_store(tmp_path, place, kind):
    gdaltest.write(place / "a.ome.zarr", source(2), "BLOCKSIZE=64")
    before = gdaltest.snapshot(place)
    gdaltest.refused(place / "a.ome.zarr", gdal.Open(BROKEN[kind](tmp_path)), "BLOCKSIZE=64", "OVERWRITE=YES")
    assert gdaltest.snapshot(place) == before


def test_no_bands_are_refused(place):
    message = gdaltest.refused(place / "a.ome.zarr", gdal.GetDriverByName("MEM").Create("", 10, 10, 0))
    assert "band" in message.lower()
    assert os.listdir(place) == []


@pytest.mark.parametrize("data_type", [gdal.GDT_CInt16, gdal.GDT_CInt32])
def test_a_type_that_zarr_lacks_is_widened_with_a_warning(place, data_type):
    complex_integers = gdal.GetDriverByName("MEM").Create("", 10, 10, 1, data_type)
    with gdaltest.collected_messages() as messages:
        dataset = gdaltest.create_copy(place / "a.ome.zarr", complex_integers)
    wide = {gdal.GDT_CInt16: gdal.GDT_CFloat32, gdal.GDT_CInt32: gdal.GDT_CFloat64}[data_type]
    assert dataset.GetRasterBand(1).DataType == wide
    assert len(messages.warnings()) == 2 and gdal.GetDataTypeName(data_type) in messages.warnings()[0]


def test_a_chunk_over_2_gib_is_refused(tmp_path, place):
    path = str(tmp_path / "large.vrt")
    gdal.GetDriverByName("VRT").Create(path, 60000, 60000, 1).FlushCache()
    message = gdaltest.refused(place / "a.ome.zarr", gdal.Open(path), "BLOCKSIZE=50000")
    assert "BLOCKSIZE" in message or "chunk" in message.lower()
    assert os.listdir(place) == []


# -- The destination -----------------------------------------------------------------------------------------------------


def test_an_existing_store_is_refused_without_overwrite(place):
    gdaltest.write(place / "a.ome.zarr", source(1))
    before = gdaltest.snapshot(place)
    message = gdaltest.refused(place / "a.ome.zarr", source(2))
    assert "OVERWRITE" in message
    assert gdaltest.snapshot(place) == before


@pytest.mark.parametrize("version", ["0.5", "0.4"])
def test_overwrite_replaces_a_larger_store_without_a_trace(place, version):
    old = gdaltest.mem(gdaltest.random_array((3, 700, 600), "uint16"))
    gdaltest.write(place / "a.ome.zarr", old, "BLOCKSIZE=64")
    gdaltest.write(place / "a.ome.zarr", source(), "OVERWRITE=YES", "BLOCKSIZE=64", f"NGFF_VERSION={version}")
    gdaltest.write(place / "b.ome.zarr", source(), "BLOCKSIZE=64", f"NGFF_VERSION={version}")
    assert sorted(os.listdir(place)) == ["a.ome.zarr", "b.ome.zarr"]
    assert gdaltest.tree_digest(place / "a.ome.zarr") == gdaltest.tree_digest(place / "b.ome.zarr")


def foreign_folder(path):
    path.mkdir()
    (path / "notes.txt").write_text("mine")
    (path / "sub").mkdir()
    (path / "sub" / "more.txt").write_text("mine too")


def file(path):
    path.write_text("mine")


def plain_zarr_v2(path):
    path.mkdir()
    (path / ".zgroup").write_text('{"zarr_format": 2}')
    (path / ".zattrs").write_text('{"title": "somebody\'s measurements"}')


def plain_zarr_v3(path):
    path.mkdir()
    (path / "zarr.json").write_text('{"zarr_format": 3, "node_type": "group", "attributes": {"title": "x"}}')


def link_to_a_foreign_folder(path):
    foreign_folder(path.parent / "target")
    path.symlink_to(path.parent / "target")


# From GDAL 3.11 on, core lets the Zarr driver delete what it identifies at a destination before we are asked.
by_core = pytest.mark.xfail(gdaltest.AT_LEAST(3, 11), reason="GDAL's core has its own Zarr driver delete a plain Zarr first")


@pytest.mark.parametrize("options", [[], ["OVERWRITE=YES"]])
@pytest.mark.parametrize("make", [foreign_folder, file, pytest.param(plain_zarr_v2, marks=by_core),
                                  pytest.param(plain_zarr_v3, marks=by_core), link_to_a_foreign_folder])
def test_what_is_not_ours_is_refused_and_untouched(place, make, options):
    make(place / "a.ome.zarr")
    before = gdaltest.snapshot(place)
    gdaltest.refused(place / "a.ome.zarr", source(), *options)
    assert gdaltest.snapshot(place) == before


def test_a_foreign_file_inside_a_store_prevents_an_overwrite(place):
    gdaltest.write(place / "a.ome.zarr", source(1))
    (place / "a.ome.zarr" / "notes.txt").write_text("mine")
    before = gdaltest.snapshot(place)
    assert "notes.txt" in gdaltest.refused(place / "a.ome.zarr", source(2), "OVERWRITE=YES")
    assert gdaltest.snapshot(place) == before


@pytest.mark.parametrize("options", [[], ["OVERWRITE=YES"]])
def test_a_store_is_not_copied_onto_itself(place, options):
    store = gdaltest.write(place / "a.ome.zarr", source(), "BLOCKSIZE=64")
    before = gdaltest.snapshot(place)
    for name in (store, store + "/", f"{place}/../out/a.ome.zarr", store + "/zarr.json"):
        opened = gdal.Open(name)
        gdaltest.refused(store, opened, *options)
        opened = None
        assert gdaltest.snapshot(place) == before


def test_a_store_is_not_copied_into_itself(place):
    store = gdaltest.write(place / "a.ome.zarr", source(), "BLOCKSIZE=64")
    before = gdaltest.snapshot(place)
    gdaltest.refused(store + "/inside.ome.zarr", gdal.Open(store))
    assert gdaltest.snapshot(place) == before


def test_another_driver_onto_our_store_leaves_it(place):
    store = gdaltest.write(place / "a.ome.zarr", source())
    before = gdaltest.snapshot(place)
    with gdaltest.collected_messages():
        with contextlib.suppress(RuntimeError):
            assert gdal.GetDriverByName("GTiff").CreateCopy(store, source(2)) is None
    assert gdaltest.snapshot(place) == before


@pytest.mark.parametrize("options", [["LEVEL=99"], ["OVERWRITE=YES", "LEVEL=99"], ["OVERWRITE=YES", "COMPRES=ZSTD"], ["OVERWRITE=YES", "DRY_RUN=YES"]])
def test_bad_options_and_dry_runs_leave_the_old_store(place, options):
    gdaltest.write(place / "a.ome.zarr", source(1))
    before = gdaltest.snapshot(place)
    with gdaltest.collected_messages():
        with contextlib.suppress(RuntimeError):
            gdaltest.create_copy(place / "a.ome.zarr", source(2), *options)
    assert gdaltest.snapshot(place) == before


@contextlib.contextmanager
def small_file_system(folder, options):
    folder.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)], capture_output=True, text=True)
    if done.returncode != 0:
        pytest.skip("cannot mount: " + done.stderr.strip())
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.root
@pytest.mark.parametrize("options", ["size=16k", "size=64k", "size=256k", "size=600k", "nr_inodes=4", "nr_inodes=20", "nr_inodes=60"])
def test_a_full_disk_leaves_nothing(tmp_path, options):
    with small_file_system(tmp_path / "small", options) as folder:
        gdaltest.refused(folder / "a.ome.zarr", source(), "BLOCKSIZE=64", "COMPRESS=NONE")
        assert os.listdir(folder) == []


@pytest.mark.root
@pytest.mark.parametrize("options", ["size=400k", "nr_inodes=40"])
def test_a_full_disk_leaves_the_old_store(tmp_path, options):
    with small_file_system(tmp_path / "small", options) as folder:
        gdaltest.write(folder / "a.ome.zarr", source(1, (1, 100, 100)), "BLOCKSIZE=64")
        before = gdaltest.snapshot(folder)
        gdaltest.refused(folder / "a.ome.zarr", source(2), "BLOCKSIZE=64", "COMPRESS=NONE", "OVERWRITE=YES")
        assert gdaltest.snapshot(folder) == before


KINDS = {"0.5": [], "0.4": ["NGFF_VERSION=0.4"], "sharded": ["SHARD=128"]}


@pytest.mark.root
@pytest.mark.parametrize("kind", KINDS)
def test_every_size_of_a_disk_gives_a_whole_store_or_an_error_and_nothing(tmp_path, kind):
    options = ["BLOCKSIZE=64", "COMPRESS=NONE", *KINDS[kind]]
    gdaltest.write(tmp_path / "whole", source(1, (1, 200, 180)), *options)
    whole = gdaltest.tree_digest(tmp_path / "whole")
    ends = []
    for limit in [f"size={n}k" for n in range(4, 400, 28)] + [f"nr_inodes={n}" for n in range(2, 60, 5)]:
        with small_file_system(tmp_path / f"small-{limit}", limit) as folder:
            with gdaltest.collected_messages() as messages:
                try:
                    gdaltest.create_copy(folder / "a.ome.zarr", source(1, (1, 200, 180)), *options)
                    ends.append(gdaltest.tree_digest(folder / "a.ome.zarr") == whole)
                    assert ends[-1] and os.listdir(folder) == ["a.ome.zarr"], limit
                except RuntimeError as error:
                    ends.append(False)
                    assert str(folder) in str(error) and "No space left" in str(error), (limit, error)
                    assert os.listdir(folder) == [], limit
    assert True in ends and False in ends


@pytest.mark.root
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_create_on_a_full_disk_leaves_nothing_and_says_so(tmp_path):
    with small_file_system(tmp_path / "small", "size=100k") as folder:
        with gdaltest.collected_messages() as messages:
            dataset = gdaltest.OMEZARR.Create(str(folder / "a.ome.zarr"), 300, 280, 1, gdal.GDT_Byte, ["COMPRESS=NONE", "BLOCKSIZE=64"])
            with contextlib.suppress(RuntimeError):
                dataset.GetRasterBand(1).WriteRaster(0, 0, 300, 280, gdaltest.random_array((280, 300), "uint8").tobytes())
            if hasattr(dataset, "Close"):  # GDAL 3.8; a Close() that raises closes again later on 3.10
                gdal.DontUseExceptions()
                dataset.Close()
                gdal.UseExceptions()
            dataset = None  # on 3.6 what fails now reaches the handler
        assert any("No space left" in text and str(folder) in text for text in messages.errors()), messages
        assert os.listdir(folder) == []


@pytest.mark.root
def test_a_read_only_place_is_refused(tmp_path):
    with small_file_system(tmp_path / "small", "ro") as folder:
        message = gdaltest.refused(folder / "a.ome.zarr", source())
        assert str(folder) in message
        assert os.listdir(folder) == []


@pytest.mark.parametrize("name", ["/vsizip/{}/a.zip/a.ome.zarr", "/vsizip/{}/a.zip", "/vsitar/{}/a.tar/a", "/vsigzip/{}/a.gz",
                                  "/vsicurl/http://127.0.0.1:9/a.ome.zarr", "/vsistdout/", "/vsistdin/",
                                  "/vsisubfile/0_10,{}/a"])
@pytest.mark.parametrize("way", ["copy", "create"])
def test_archives_and_streams_are_refused_at_once(place, name, way):
    path = name.format(place)
    begin = time.monotonic()
    with pytest.raises(RuntimeError, match="write to a folder") as refusal:
        if way == "copy":
            gdaltest.create_copy(path, source())
        else:
            gdaltest.OMEZARR.Create(path, 20, 20)
    assert path.rstrip("/") in str(refusal.value)
    assert time.monotonic() - begin < 5, "no request is tried again and again"
    assert os.listdir(place) == [] and not os.path.exists("/vsistdout")


def test_a_place_below_a_file_is_refused(place):
    (place / "file").write_text("mine")
    gdaltest.refused(place / "file" / "a.ome.zarr", source())
    gdaltest.refused("/dev/full/a.ome.zarr", source())
    assert os.listdir(place) == ["file"]


def environment():
    return dict(os.environ, GDAL_PAM_ENABLED="NO")


def translate(*arguments, **kwargs):
    return subprocess.run(["gdal_translate", "-q", "-of", "OMEZARR", *map(str, arguments)], env=environment(), capture_output=True,
                          text=True, stdin=subprocess.DEVNULL, **kwargs)


def test_a_limit_on_file_size_is_an_error(tmp_path, place):
    def limit():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (3000, 3000))

    done = translate("-co", "COMPRESS=NONE", "-co", "BLOCKSIZE=64", tiff(tmp_path / "a.tif"), place / "a.ome.zarr", preexec_fn=limit)
    assert done.returncode != 0 and "ERROR" in done.stderr
    assert os.listdir(place) == []


@pytest.mark.parametrize("n_files", [20, 40])
def test_few_file_handles_are_enough(tmp_path, place, n_files):
    def limit():
        resource.setrlimit(resource.RLIMIT_NOFILE, (n_files, n_files))

    done = translate("-co", "NUM_THREADS=8", "-co", "BLOCKSIZE=16", "-co", "SHARD=64", tiff(tmp_path / "a.tif", "TILED=YES"), place / "a.ome.zarr", preexec_fn=limit)
    assert done.returncode == 0, done.stderr
    np.testing.assert_array_equal(gdaltest.our_levels(place / "a.ome.zarr")[0], gdaltest.random_array((3, 300, 280), "uint8"))


@pytest.mark.parametrize("options", [[], ["OVERWRITE=YES"]])
def test_the_old_store_of_a_stopped_overwrite_is_told(place, options):
    """What two renames leave where there is no exchange."""
    gdaltest.write(place / ".a.ome.zarr.retired", source(1))
    before = gdaltest.snapshot(place)
    message = gdaltest.refused(place / "a.ome.zarr", source(2), *options)
    assert ".a.ome.zarr.retired" in message and "rename" in message
    assert gdaltest.snapshot(place) == before


# -- Names ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["with space.ome.zarr", "ünïcødé 图像.ome.zarr", "a#b?c=d&e%20f.ome.zarr", "quote'\".ome.zarr", "new\nline.ome.zarr", "-dash", "no_extension", ".hidden"])
def test_odd_names_work(place, name):
    array = gdaltest.random_array((2, 40, 50), "uint8")
    store = gdaltest.write(place / name, gdaltest.mem(array))
    assert os.listdir(place) == [name]
    np.testing.assert_array_equal(gdaltest.our_levels(store)[0], array)


IN_LOCALE = """
import locale, sys
from osgeo import gdal
gdal.UseExceptions()
locale.setlocale(locale.LC_ALL, sys.argv[1])
print(locale.localeconv()["decimal_point"])
source = gdal.Open(sys.argv[2])
for number, options in enumerate((["AXES=z:3", "AXIS_SCALE=z:2.5"], ["WINDOW=0.5:1.5,0.5:1.5,0.5:1.5", "NGFF_VERSION=0.4"], [])):
    gdal.GetDriverByName("OMEZARR").CreateCopy(f"{sys.argv[3]}/{number}", source, 0, options + ["BLOCKSIZE=64"])
"""


def a_locale_with_a_decimal_comma(folder):
    """Made here, so that the machine need not have one: glibc takes it from LOCPATH."""
    done = subprocess.run(["localedef", "-i", "de_DE", "-f", "UTF-8", str(folder / "de_DE.UTF-8")], capture_output=True, text=True)
    if done.returncode not in (0, 1) or not (folder / "de_DE.UTF-8" / "LC_NUMERIC").exists():
        pytest.skip("no locale with a decimal comma can be made: " + done.stderr[-200:])
    return dict(environment(), LOCPATH=str(folder))


def test_a_decimal_comma_changes_no_byte(tmp_path):
    with_comma = a_locale_with_a_decimal_comma(tmp_path)
    path = str(tmp_path / "a.tif")
    gdal.GetDriverByName("GTiff").CreateCopy(path, source(4, (3, 90, 80), "uint16")).FlushCache()
    for name, point in (("C", "."), ("de_DE.UTF-8", ",")):
        (tmp_path / name / "out").mkdir(parents=True, exist_ok=True)
        done = subprocess.run([sys.executable, "-c", IN_LOCALE, name, path, str(tmp_path / name / "out")], env=with_comma, capture_output=True, text=True)
        assert done.returncode == 0 and done.stdout == point + "\n", done.stderr
    assert len(gdaltest.files_of(tmp_path / "C" / "out")) > 50
    assert gdaltest.tree_digest(tmp_path / "C" / "out") == gdaltest.tree_digest(tmp_path / "de_DE.UTF-8" / "out")


def test_a_trailing_slash_and_a_relative_path_are_the_same_place(place, monkeypatch):
    monkeypatch.chdir(place)
    gdaltest.write("a.ome.zarr/", source())
    gdaltest.write("./b.ome.zarr", source())
    assert sorted(os.listdir(place)) == ["a.ome.zarr", "b.ome.zarr"]
    assert gdaltest.tree_digest("a.ome.zarr") == gdaltest.tree_digest("b.ome.zarr")


@pytest.mark.parametrize("name", ["OMEZARR:{}/a.ome.zarr", 'OMEZARR:"{}/a.ome.zarr"'])
def test_the_prefix_may_name_a_destination(place, name):
    source_path = tiff(place.parent / "a.tif")
    done = subprocess.run(["gdal_translate", "-q", "-of", "OMEZARR", source_path, name.format(place)], env=environment(),
                          capture_output=True, text=True)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
    assert os.listdir(place) == ["a.ome.zarr"]


@pytest.mark.parametrize("part", ["1", "scale0/image", "T=0"])
def test_a_part_of_a_store_is_no_destination(place, part):
    name = f'OMEZARR:"{place}/a.ome.zarr":{part}'
    with pytest.raises(RuntimeError, match="only whole stores"):
        gdaltest.create_copy(name, source())
    with pytest.raises(RuntimeError, match="only whole stores"):
        gdaltest.OMEZARR.Create(name, 20, 20)
    assert os.listdir(place) == []


@pytest.mark.parametrize("name", ["n" * 244 + ".ome.zarr", "n" * 255, "n" * 300, "/".join(["d" * 200] * 21)])
def test_a_long_name_works_or_is_refused_and_leaves_nothing(place, name):
    if len(name) > os.pathconf(place, "PC_NAME_MAX"):
        message = gdaltest.refused(place / name, source())
        assert name[:100] in message
        if len(name) < 1000:  # a longer path fills the message alone
            assert "File name too long" in message
        assert os.listdir(place) == []
    else:
        gdaltest.write(place / name, source())
        assert os.listdir(place) == [name]
        assert len(gdaltest.our_levels(place / name)) == 1


# -- Cancel and kill -------------------------------------------------------------------------------------------------------


def test_progress_is_monotone_from_0_to_1_on_the_callers_thread(place):
    calls = []

    def progress(share, message, data):
        calls.append((share, threading.get_ident()))
        return 1

    gdaltest.create_copy(place / "a.ome.zarr", source(shape=(3, 700, 600)), "BLOCKSIZE=64", "NUM_THREADS=4", callback=progress)
    shares = [share for share, _ in calls]
    assert shares == sorted(shares) and shares[0] >= 0 and shares[-1] == 1.0
    assert len(shares) > 10
    assert {thread for _, thread in calls} == {threading.get_ident()}


@pytest.mark.parametrize("old", [False, True])
@pytest.mark.parametrize("threads", ["NUM_THREADS=1", "NUM_THREADS=4"])
def test_cancel_at_any_call_leaves_nothing_new(place, threads, old):
    picture = source(shape=(2, 260, 300))
    options = ["BLOCKSIZE=64", threads, "OVERWRITE=YES"]
    if old:
        gdaltest.write(place / "a.ome.zarr", source(2))
    before = gdaltest.snapshot(place)
    n_threads = len(os.listdir("/proc/self/task"))
    n = 0
    while True:
        n += 1
        calls = []

        def progress(share, message, data):
            calls.append(share)
            return 1 if len(calls) < n else 0

        with gdaltest.collected_messages() as messages:
            try:
                dataset = gdaltest.create_copy(place / "a.ome.zarr", picture, *options, callback=progress)
            except RuntimeError as error:
                messages.append((gdal.CE_Failure, str(error)))
                dataset = None
        if dataset is not None:
            break
        assert len(calls) == n, "called again after it said stop"
        assert any("User terminated" in text for text in messages.errors())
        # The kernel lists a thread for a moment after it was joined.
        assert gdaltest.comes_true(lambda: len(os.listdir("/proc/self/task")) <= n_threads), "a thread was not joined"
        assert gdaltest.snapshot(place) == before, f"cancel at call {n} ({calls[-1]})"
    assert n > 2  # how many calls there are depends on how many regions the calling thread gets
    dataset = None
    assert os.listdir(place) == ["a.ome.zarr"]


def test_cancelling_says_so(place):
    with pytest.raises(RuntimeError, match="(?i)terminated|cancel|interrupt|stopped"):
        gdaltest.create_copy(place / "a.ome.zarr", source(), callback=lambda share, message, data: 0)


@pytest.mark.parametrize("old", [False, True])
@pytest.mark.parametrize("call", [5, 100, 1500])
def test_kill_leaves_nothing_that_opens_and_the_next_run_succeeds(tmp_path, place, call, old):
    path = tiff(tmp_path / "a.tif", "TILED=YES", shape=(3, 500, 480))
    store = place / "a.ome.zarr"
    if old:
        gdaltest.write(store, source(2))
    before = gdaltest.snapshot(place)
    faults.kill_copy(path, store, ["BLOCKSIZE=32", "SHARD=NONE", "OVERWRITE=YES"], call)
    if old:
        assert {k: v for k, v in gdaltest.snapshot(place).items() if not k.startswith(".")} == before
    else:
        assert not store.exists()
    for left in os.listdir(place):
        assert left.startswith(("a.ome.zarr", ".a.ome.zarr.partial", ".a.ome.zarr.new-", ".a.ome.zarr.gone-"))
        if left != "a.ome.zarr":
            with pytest.raises(RuntimeError):
                gdal.Open(str(place / left))
    gdaltest.write(store, source(3), "OVERWRITE=YES")
    assert os.listdir(place) == ["a.ome.zarr"]
    np.testing.assert_array_equal(gdaltest.our_levels(store)[0], gdaltest.random_array((3, 300, 280), "uint8", 3))


def test_two_writers_at_one_place_one_wins(tmp_path, place):
    path = tiff(tmp_path / "a.tif", "TILED=YES", shape=(3, 1500, 1500))
    command = ["gdal_translate", "-q", "-of", "OMEZARR", "-co", "BLOCKSIZE=64", path, str(place / "a.ome.zarr")]
    writers = [subprocess.Popen(command, env=environment(), stdin=subprocess.DEVNULL, stderr=subprocess.PIPE) for _ in range(2)]
    errors = [writer.communicate()[1] for writer in writers]
    assert sorted(writer.returncode == 0 for writer in writers) == [False, True], errors
    assert os.listdir(place) == ["a.ome.zarr"]
    np.testing.assert_array_equal(gdaltest.our_levels(place / "a.ome.zarr")[0], gdaltest.random_array((3, 1500, 1500), "uint8"))


@pytest.mark.root
def test_a_writer_in_another_container_is_not_dead(tmp_path):
    """There is no process of its number here, though the machine's name is the same."""
    if subprocess.run(["unshare", "-p", "-f", "--mount-proc", "true"]).returncode != 0:
        pytest.skip("no PID namespaces")
    path = str(tmp_path / "a.ome.zarr")
    first = gdaltest.OMEZARR.Create(path, 50, 60, 1)
    other = str(tmp_path / "b.tif")
    gdaltest.mem(gdaltest.random_array((1, 20, 20), "uint8"), driver="GTiff", path=other)
    second = subprocess.run(["unshare", "-p", "-f", "--mount-proc", "gdal_translate", "-q", "-of", "OMEZARR", other, path],
                            capture_output=True, text=True)
    assert second.returncode == 1 and "another program" in second.stderr
    del first
    assert gdal.Open(path).RasterXSize == 50


def test_small_writers_race_and_exactly_one_wins_each_time(tmp_path, place):
    """50 races of two processes; tests/store/test_claim.c kills one at every call."""
    sources = [tiff(tmp_path / f"{n}.tif", shape=(n + 1, 60, 50)) for n in range(2)]
    digests = [gdaltest.tree_digest(gdaltest.write(tmp_path / f"whole{n}", gdal.Open(path))) for n, path in enumerate(sources)]
    for n in range(50):
        store = place / f"{n}.ome.zarr"
        writers = [subprocess.Popen(["gdal_translate", "-q", "-of", "OMEZARR", path, str(store)], env=environment(), stdin=subprocess.DEVNULL,
                                    stderr=subprocess.PIPE, text=True) for path in sources]
        errors = [writer.communicate()[1] for writer in writers]
        wins = [writer.returncode == 0 for writer in writers]
        assert sorted(wins) == [False, True], errors
        assert "another program" in errors[wins.index(False)] or "OVERWRITE=YES" in errors[wins.index(False)]
        assert gdaltest.tree_digest(store) == digests[wins.index(True)]
        assert len(os.listdir(place)) == n + 1
