"""PART=i/n and `omezarr finish`: programs that know nothing of each other make one store, byte for byte that of one program, in
any order, again after a kill, on machines of other names; nothing opens before, and no part of anything else gets in.
(tests/writer/test_job.c has every kind of image.)"""

import json
import os
import random
import re
import shutil
import signal
import subprocess

import faults
import gdaltest
import pytest
from osgeo import gdal

PROGRAM = os.path.join(os.environ["GDAL_DRIVER_PATH"].split(":")[0], "omezarr")


def run(*command, folder=None, **environment):
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300, env=dict(os.environ, **environment))


def part(folder, i, n, *options, source="s.tif", target="p.ome.zarr", front=(), **environment):
    options = [word for option in (f"PART={i}/{n}", *options) for word in ("-co", option)]
    return run(*front, "gdal_translate", "-q", "-of", "OMEZARR", *options, source, str(folder / target), folder=folder, **environment)


def omezarr(folder, *command, **environment):
    return run(PROGRAM, *command, folder=folder, **environment)


def hidden(folder):
    return sorted(name for name in os.listdir(folder) if name.startswith("."))


def opens(path):
    return run("gdalinfo", str(path)).returncode == 0


@pytest.fixture
def place(tmp_path):
    """A folder with a source of real pixels, with a place on the earth."""
    gdaltest.mem(gdaltest.smooth_array((3, 300, 410), "uint16"), geotransform=(5e5, 10, 0, 6e6, 0, -10), code="EPSG:32633", driver="GTiff",
                 path=str(tmp_path / "s.tif"))
    return tmp_path


def whole(place, *options, source="s.tif", target="one.ome.zarr"):
    """The digest of one run. By a program, too: GDAL's text of a CRS depends on what the process has opened before."""
    options = [word for option in options for word in ("-co", option)]
    ended = run("gdal_translate", "-q", "-of", "OMEZARR", *options, source, target, folder=place)
    assert ended.returncode == 0, ended.stderr
    return gdaltest.tree_digest(place / target) if (place / target).is_dir() else (place / target).read_bytes()


CASES = {
    "mean": ["BLOCKSIZE=32"],
    "gauss": ["BLOCKSIZE=32", "OVERVIEW_RESAMPLING=GAUSS"],
    "lanczos, factor 3": ["BLOCKSIZE=16", "OVERVIEW_RESAMPLING=LANCZOS", "SCALE_FACTORS=3,6"],
    "mode": ["BLOCKSIZE=32", "OVERVIEW_RESAMPLING=MODE"],
    "nearest": ["BLOCKSIZE=32", "OVERVIEW_RESAMPLING=NEAREST"],
    "shards": ["BLOCKSIZE=16", "SHARD=64", "OVERVIEW_RESAMPLING=CUBIC"],
    "0.4": ["BLOCKSIZE=32", "NGFF_VERSION=0.4"],
    "0.6": ["BLOCKSIZE=32", "NGFF_VERSION=0.6"],
    "scales": ["BLOCKSIZE=32", "LAYOUT=SCALES", "SIZES=FLOOR", "STATISTICS=YES"],
    "planes": ["BLOCKSIZE=32", "AXES=t:3", "WINDOW=PERCENTILE"],
}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("n", [1, 3, 7])
def test_parts_in_any_order_are_the_bytes_of_one_run(place, name, n):
    expected = whole(place, *CASES[name])
    for i in random.Random(n).sample(range(1, n + 1), n):
        made = part(place, i, n, *CASES[name])
        assert made.returncode == 0 and made.stderr == "", made.stderr
        assert not (place / "p.ome.zarr").exists() and hidden(place) == [".p.ome.zarr.partial"]
    ended = omezarr(place, "finish", "p.ome.zarr")
    assert ended.returncode == 0, ended.stderr
    assert gdaltest.tree_digest(place / "p.ome.zarr") == expected and hidden(place) == []


def sources(place):
    """Sources of other kinds: a mask, an alpha channel, nodata of floating-point pixels, a palette."""
    with gdaltest.config_option("GDAL_TIFF_INTERNAL_MASK", "YES"):
        dataset = gdaltest.mem(gdaltest.smooth_array((3, 200, 230), "uint8"), driver="GTiff", path=str(place / "mask.tif"))
        dataset.CreateMaskBand(gdal.GMF_PER_DATASET)
        dataset.GetRasterBand(1).GetMaskBand().WriteRaster(0, 0, 230, 200, (gdaltest.random_array((200, 230), "uint8") // 100 * 127).tobytes())
        del dataset
    alpha = gdaltest.smooth_array((4, 200, 230), "uint8")
    alpha[3, 40:90, 30:170] = 0
    gdaltest.mem(alpha, driver="GTiff", path=str(place / "alpha.tif"), options=["PHOTOMETRIC=RGB", "ALPHA=YES"])
    nodata = gdaltest.smooth_array((1, 200, 230), "float32")
    nodata[0, 64:140, 32:200] = -9999
    gdaltest.mem(nodata, nodata=-9999, driver="GTiff", path=str(place / "nodata.tif"))


@pytest.mark.parametrize("name", ["mask.tif", "alpha.tif", "nodata.tif"])
@pytest.mark.parametrize("method", ["AVERAGE", "GAUSS"])
def test_masks_opacity_and_nodata_are_those_of_one_run(place, name, method):
    sources(place)
    options = ["BLOCKSIZE=16", f"OVERVIEW_RESAMPLING={method}"]
    expected = whole(place, *options, source=name)
    for i in (3, 1, 4, 2):
        assert part(place, i, 4, *options, source=name).returncode == 0
    assert omezarr(place, "finish", "p.ome.zarr").returncode == 0
    assert gdaltest.tree_digest(place / "p.ome.zarr") == expected


def test_one_file_is_made_of_parts(place):
    expected = whole(place, "BLOCKSIZE=32", target="one.ozx")
    for i in (2, 1):
        assert part(place, i, 2, "BLOCKSIZE=32", target="p.ozx").returncode == 0
    assert omezarr(place, "finish", "p.ozx").returncode == 0
    assert (place / "p.ozx").read_bytes() == expected and hidden(place) == []


def test_what_is_returned_for_a_part_has_no_pixels(place):
    made = gdaltest.create_copy(place / "p.ome.zarr", gdal.Open(str(place / "s.tif")), "PART=1/2")
    assert made.GetMetadataItem("PART", "PLAN") == "1/2" and (made.RasterXSize, made.RasterYSize, made.RasterCount) == (410, 300, 3)
    with pytest.raises(RuntimeError, match="omezarr finish"):
        made.GetRasterBand(1).ReadRaster(0, 0, 1, 1)


def test_status_finish_and_abandon(place):
    assert omezarr(place, "status", "p.ome.zarr").returncode == 3
    assert omezarr(place, "finish", "p.ome.zarr").returncode == 3
    assert omezarr(place, "abandon", "p.ome.zarr").returncode == 3
    for i in (2, 5):
        assert part(place, i, 6).returncode == 0
    told = omezarr(place, "status", "p.ome.zarr")
    assert told.returncode == 1 and told.stdout == "p.ome.zarr: 4 of 6 parts are missing: 1, 3-4, 6\n"
    early = omezarr(place, "finish", "p.ome.zarr")
    assert early.returncode == 1 and "4 of 6 parts are missing: 1, 3, 4, 6" in early.stderr and not opens(place / "p.ome.zarr")
    for i in (1, 3, 4, 6):
        assert part(place, i, 6).returncode == 0
    told = omezarr(place, "status", "p.ome.zarr")
    assert told.returncode == 0 and told.stdout == "p.ome.zarr: all 6 parts are there\n"
    assert omezarr(place, "finish", "-co", "BLOCKSIZE=64", "p.ome.zarr").returncode == 3
    assert omezarr(place, "finish", "-co", "VERIFY=STORE", "-co", "NUM_THREADS=1", "p.ome.zarr").returncode == 0
    assert opens(place / "p.ome.zarr") and hidden(place) == []
    twice = omezarr(place, "finish", "p.ome.zarr")
    assert twice.returncode == 3 and "no parts are there" in twice.stderr and opens(place / "p.ome.zarr")
    assert part(place, 1, 2, target="q.ome.zarr").returncode == 0
    assert omezarr(place, "abandon", "q.ome.zarr").returncode == 0 and hidden(place) == []


def test_parts_of_other_options_another_source_or_number_are_refused(place):
    shutil.copy(place / "s.tif", place / "other.tif")
    assert part(place, 1, 2, "BLOCKSIZE=32").returncode == 0
    kept = gdaltest.snapshot(place)
    for refused in (part(place, 2, 2, "BLOCKSIZE=64"), part(place, 2, 2, "BLOCKSIZE=32", "NAME=other"), part(place, 2, 3, "BLOCKSIZE=32"),
                    part(place, 2, 2, "BLOCKSIZE=32", source="other.tif"),
                    run("gdal_translate", "-q", "-of", "OMEZARR", "s.tif", "p.ome.zarr", folder=place)):
        assert refused.returncode != 0 and "holds the parts (PART) of another run" in refused.stderr
    assert gdaltest.snapshot(place) == kept
    assert part(place, 2, 2, "BLOCKSIZE=32", "MEMORY=50MB", "NUM_THREADS=1").returncode == 0
    assert omezarr(place, "finish", "p.ome.zarr").returncode == 0


@pytest.mark.parametrize("options, words", [(["PART=1/2", "RESUME=YES"], "PART"), (["PART=1/2", "VERIFY=SOURCE"], "PART"),
                                            (["PART=1/2", "LAYOUT=BIOFORMATS2RAW"], "PART"), (["PART=5/2"], "3/16")])
def test_what_does_not_go_with_parts_is_said(place, options, words):
    messages = gdaltest.refused(place / "p.ome.zarr", gdal.Open(str(place / "s.tif")), *options)
    assert words in str(messages) and hidden(place) == []


def test_a_source_that_is_in_no_file_has_no_parts(place):
    messages = gdaltest.refused(place / "p.ome.zarr", gdaltest.mem(gdaltest.random_array((1, 20, 20), "uint8")), "PART=1/2")
    assert "the same for all parts" in str(messages)


def test_machines_of_other_names_make_one_store(place):
    if run("unshare", "-u", "true").returncode != 0:
        pytest.skip("a machine of another name needs the right to unshare")
    expected = whole(place, "BLOCKSIZE=32")
    for i in (1, 2, 3):
        name = ("unshare", "-u", "sh", "-c", f'hostname node{i} && exec "$@"', "sh")
        killed = part(place, i, 3, "BLOCKSIZE=32", front=name, LD_PRELOAD=f"{faults.FAULTS}/liblocalfault.so", FAULT="12:kill",
                      FAULT_ROOT=str(place))
        if os.path.exists(f"{faults.FAULTS}/liblocalfault.so"):
            assert killed.returncode == -signal.SIGKILL
        assert part(place, i, 3, "BLOCKSIZE=32", front=("unshare", "-u", "sh", "-c", f'hostname other{i} && exec "$@"', "sh")).returncode == 0
    assert omezarr(place, "finish", "p.ome.zarr").returncode == 0
    assert gdaltest.tree_digest(place / "p.ome.zarr") == expected and hidden(place) == []


def test_an_old_store_stays_until_the_parts_are_put_together(place):
    gdaltest.write(place / "p.ome.zarr", gdaltest.mem(gdaltest.random_array((1, 50, 60), "uint8")), "BLOCKSIZE=16")
    old = gdaltest.tree_digest(place / "p.ome.zarr")
    assert "OVERWRITE=YES" in part(place, 1, 2).stderr
    for i in (1, 2):
        assert part(place, i, 2, "OVERWRITE=YES").returncode == 0
        assert gdaltest.tree_digest(place / "p.ome.zarr") == old
    expected = whole(place)
    assert omezarr(place, "finish", "p.ome.zarr").returncode == 0
    assert gdaltest.tree_digest(place / "p.ome.zarr") == expected and hidden(place) == []


def test_the_report_has_the_digests_of_one_run(place):
    whole(place, "BLOCKSIZE=32", f"REPORT={place}/one.json")
    for i in (2, 1):
        assert part(place, i, 2, "BLOCKSIZE=32", f"REPORT={place}/p.json").returncode == 0
        assert not (place / "p.json").exists()
    assert omezarr(place, "finish", "p.ome.zarr").returncode == 0
    one, parts = (json.loads((place / name).read_text()) for name in ("one.json", "p.json"))
    for report in (one, parts):
        report.pop("store", None)
        report.pop("options", None)
    assert one == parts


def need_faults():
    if not os.path.exists(f"{faults.FAULTS}/liblocalfault.so"):
        pytest.skip("the functions in front of libc's are not built here (only on Linux, without sanitizers)")


SMALL = ["-co", "BLOCKSIZE=16", "-co", "SCALE_FACTORS=2,4", "-co", "NUM_THREADS=1", "-co", "OVERVIEW_RESAMPLING=GAUSS"]


@pytest.fixture
def small(tmp_path):
    """A small source, the digest of its store, and a way to begin again."""
    place = tmp_path / "place"
    place.mkdir()
    gdaltest.mem(gdaltest.smooth_array((1, 70, 90), "uint8"), driver="GTiff", path=str(tmp_path / "s.tif"))
    assert run("gdal_translate", "-q", "-of", "OMEZARR", *SMALL, "../s.tif", "p.ome.zarr", folder=place).returncode == 0
    digest = gdaltest.tree_digest(place / "p.ome.zarr")
    shutil.rmtree(place / "p.ome.zarr")
    return place, digest


def translate(place, i, n, *options):
    return ["gdal_translate", "-q", "-of", "OMEZARR", *SMALL, *options, "-co", f"PART={i}/{n}", "../s.tif", str(place / "p.ome.zarr")]


def begin(place, what):
    """What is there before: one part of two, or both, also beside an old store. The command that is tried, and the old store."""
    more = ["-co", "OVERWRITE=YES"] if what == "the end of an overwrite" else []
    shutil.rmtree(place)
    place.mkdir()
    if more:
        gdaltest.write(place / "p.ome.zarr", gdaltest.mem(gdaltest.random_array((1, 20, 20), "uint8")), "BLOCKSIZE=16")
    for i in (1,) if what == "a part" else (1, 2):
        assert run(*translate(place, i, 2, *more), folder=place).returncode == 0
    tried = translate(place, 2, 2) if what == "a part" else [PROGRAM, "finish", str(place / "p.ome.zarr")]
    return tried, digest_of(place / "p.ome.zarr")


def digest_of(path):
    return gdaltest.tree_digest(path) if path.exists() else None


@pytest.mark.parametrize("action", ["kill", "fail", "lost"])
@pytest.mark.parametrize("what", ["a part", "the end", "the end of an overwrite"])
def test_no_fault_ends_in_a_lie_or_blocks(small, what, action):
    """Calls of a part, and of finish, that write: killed, failed, or done and reported as failed. Then the same again."""
    if not os.path.exists(f"{faults.FAULTS}/liblocalfault.so"):
        pytest.skip("the functions in front of libc's are not built here (only on Linux, without sanitizers)")
    place, expected = small
    with_faults = {"LD_PRELOAD": f"{faults.FAULTS}/liblocalfault.so", "FAULT_ROOT": str(place)}
    tried, _ = begin(place, what)
    log = place.parent / "calls"
    assert run(*tried, folder=place, FAULT_LOG=str(log), **with_faults).returncode == 0
    n_calls = sum(not line.startswith("r") for line in log.read_text().splitlines())
    calls = range(1, n_calls + 1)
    if not faults.IS_WHOLE:
        calls = sorted(random.Random(f"{faults.SEED} {what} {action}").sample(calls, min(n_calls, 16)))
    for call in calls:
        tried, old = begin(place, what)
        ended = run(*tried, folder=place, FAULT=f"{call}:{action}", **with_faults)
        now = digest_of(place / "p.ome.zarr")
        assert action != "kill" or ended.returncode == -signal.SIGKILL
        assert now in ((None,) if what == "a part" else (None, old, expected)), f"call {call} left something else"
        assert ended.returncode != 0 or what == "a part" or now == expected, f"call {call}: a lie"
        ended = run(*tried, folder=place)
        is_late = now == expected and "no parts are there" in ended.stderr
        assert ended.returncode == 0 or is_late, f"call {call}: {ended.stderr}"
        if what == "a part":
            assert omezarr(place, "finish", "p.ome.zarr").returncode == 0, f"call {call}"
        assert digest_of(place / "p.ome.zarr") == expected, f"call {call}"


def test_the_example_of_the_docs_runs(place):
    """What docs/parts.md shows for one machine."""
    text = open(os.path.join(os.path.dirname(__file__), "..", "..", "docs", "parts.md"), encoding="utf-8").read()
    script = re.search(r"```sh\n(seq .*?)```", text, re.S).group(1)
    shutil.move(place / "s.tif", place / "in.tif")
    ended = run("sh", "-ec", f'PATH="{os.path.dirname(PROGRAM)}:$PATH"\n' + script, folder=place)
    assert ended.returncode == 0, ended.stderr
    assert gdaltest.tree_digest(place / "out.ome.zarr") == whole(place, source="in.tif")
