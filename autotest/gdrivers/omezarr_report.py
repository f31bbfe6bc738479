"""REPORT=file.json: what it says is what is there. Digests are taken again by the lines of docs/verify.md, with hashlib and
zarr-python; everything else from the store's documents, from numpy and from the source."""

import json
import math
import os
import pathlib
import re
import subprocess
import sys

import faults
import gdaltest
import numpy as np
import pytest
from osgeo import gdal

pytest.importorskip("zarr")
import zarr  # noqa: E402

GT = (500000.0, 10.0, 0.0, 5000000.0, 0.0, -10.0)
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


@pytest.fixture(scope="module")
def digests():
    """pixel_digest and tree_digest, as docs/verify.md has them."""
    with open(os.path.join(ROOT, "docs", "verify.md")) as file:
        code = re.search(r"```python\n(.*?def pixel_digest.*?)```", file.read(), re.S).group(1)
    names = {}
    exec(code, names)
    return names


def report_of(path):
    with open(path) as file:
        return json.load(file)


def write(tmp_path, source, *options, name="a"):
    """The store and its report."""
    store = gdaltest.write(tmp_path / f"{name}.ome.zarr", source, f"REPORT={tmp_path / name}.json", *options)
    return store, report_of(f"{tmp_path / name}.json")


def array_paths(store, report):
    """Paths of levels and masks, from the documents of the store."""
    levels = [level["path"] for level in gdaltest.ome(store)["multiscales"][0]["datasets"]]
    masks = [f"ovr_mask/{name}" for name in os.listdir(f"{store}/ovr_mask")] if os.path.exists(f"{store}/ovr_mask") else []
    return levels, [m for m in masks if os.path.isdir(f"{store}/{m}")]


def check_digests(store, report, digests):
    levels, masks = array_paths(store, report)
    told = {entry["path"]: entry["sha256"] for entry in report["pixels"]}
    assert list(told)[: len(levels)] == levels and set(told) == set(levels) | set(masks)
    for path in told:
        assert told[path] == digests["pixel_digest"](zarr.open_array(f"{store}/{path}", mode="r")), path
    assert report["tree"]["sha256"] == digests["tree_digest"](store)


def check_counts(store, report):
    counts = report["counts"]
    names = gdaltest.files_of(store)
    sizes = {name: os.path.getsize(f"{store}/{name}") for name in names}
    assert counts["objects"] == len(names) and counts["bytes"] == sum(sizes.values())
    for entry in counts["arrays"]:
        array = zarr.open_array(f"{store}/{entry['path']}", mode="r")
        chunks = [n for n in names if n.startswith(entry["path"] + "/") and not n.endswith(("zarr.json", ".zarray", ".zattrs"))]
        n_chunks = math.prod(math.ceil(n / c) for n, c in zip(array.shape, array.chunks))
        assert entry["bytes"] == sum(sizes[n] for n in chunks), entry
        assert entry["raw_bytes"] == array[...].nbytes
        assert entry["stored_chunks"] + entry["empty_chunks"] == n_chunks
        if getattr(array, "shards", None) is None:
            assert entry["stored_chunks"] == len(chunks)
    levels = [e for e in counts["arrays"] if not e["path"].startswith("ovr_mask/")]
    assert counts["raw_bytes"] == sum(e["raw_bytes"] for e in levels)


def check_plan(store, report):
    plan = report["plan"]
    multiscales = gdaltest.ome(store)["multiscales"][0]
    assert plan["axes"] == "".join(axis["name"] for axis in multiscales["axes"])
    for level, (scale, translation) in zip(plan["levels"], gdaltest.transforms(store), strict=True):
        array = zarr.open_array(f"{store}/{level['path']}", mode="r")
        assert level["shape"] == list(array.shape) and level["chunk"] == list(array.chunks)
        shards = getattr(array, "shards", None)
        assert level["shard"] == (list(shards) if shards else None)
        assert level["scale"] == scale and level["translation"] == translation
        assert plan["data_type"] == array.dtype.name
        fill = plan["fill_value"]
        fill = complex(*fill) if isinstance(fill, list) else float(fill) if array.dtype.kind == "f" else fill
        assert np.array_equal(fill, array.fill_value, equal_nan=array.dtype.kind == "f")


def masked():
    source = gdaltest.mem(gdaltest.smooth_array((2, 70, 60), "uint16"), GT, "EPSG:32633")
    source.CreateMaskBand(gdal.GMF_PER_DATASET)
    mask = np.full((70, 60), 255, "uint8")
    mask[:40, :40] = 0
    source.GetRasterBand(1).GetMaskBand().WriteRaster(0, 0, 60, 70, mask.tobytes())
    return source


def sparse():
    """Whole chunks of 0 in one band, none in the other."""
    array = gdaltest.smooth_array((2, 100, 90), "uint16")
    array[0, :70, :80] = 0
    return gdaltest.mem(array, GT, "EPSG:32633")


def with_nan():
    array = gdaltest.random_array((1, 70, 60), "float32")
    array[0, :50, 10:60] = np.nan
    return gdaltest.mem(array, GT, "EPSG:32633", nodata=float("nan"))


def plain(dtype="uint8", shape=(3, 75, 61)):
    return lambda: gdaltest.mem(gdaltest.random_array(shape, dtype), GT, "EPSG:32633")


CASES = {
    "default": (plain(), []),
    "scales": (plain("int16"), ["LAYOUT=SCALES"]),
    "flat": (plain("float64"), ["LAYOUT=FLAT"]),
    "sharded": (sparse, ["SHARD=64"]),
    "sharded_flat": (plain("uint16"), ["SHARD=y:64,x:32", "LAYOUT=FLAT", "COMPRESS=NONE"]),
    "masked": (masked, ["COMPRESS=GZIP"]),
    "masked_sharded": (masked, ["SHARD=c:2,y:64,x:64"]),
    "sparse": (sparse, []),
    "nan": (with_nan, []),
    "nan_04": (with_nan, ["NGFF_VERSION=0.4"]),
    "nodata_of_one_band": (lambda: gdaltest.mem(gdaltest.smooth_array((2, 70, 60), "int16"), nodata=[100, None]), []),
    "04": (plain("uint16"), ["NGFF_VERSION=0.4", "COMPRESS=ZLIB"]),
    "04_scales": (sparse, ["NGFF_VERSION=0.4", "LAYOUT=SCALES"]),
    "04_flat": (masked, ["NGFF_VERSION=0.4", "LAYOUT=FLAT", "COMPRESS=LZ4"]),
    "stack": (plain("uint16", (12, 40, 50)), ["AXES=t:2,c:2,z:3", "BLOCKSIZE=1,2,3,16,16"]),
    "complex": (plain("complex64"), []),
    "gauss": (plain("uint16"), ["OVERVIEW_RESAMPLING=GAUSS"]),
    "verified": (sparse, ["VERIFY=SOURCE", "SYNC=YES"]),
    "wide": (plain("uint64", (1, 50, 50)), ["STATISTICS=NO"]),
}


@pytest.mark.parametrize("name", CASES)
def test_report_says_what_is_there(tmp_path, name, digests):
    make, options = CASES[name]
    block = [] if name == "stack" else ["BLOCKSIZE=32"]
    source = make()
    store, report = write(tmp_path, source, *block, *options)
    assert report["omezarr_report"] == 1 and re.fullmatch(r"libngff \d+\.\d+\.\d+", report["writer"])
    assert report["store"] == store
    assert set(report["options"]) == {f"REPORT={tmp_path / 'a'}.json", *block, *options}
    check_digests(store, report, digests)
    check_counts(store, report)
    check_plan(store, report)
    assert sorted(os.listdir(tmp_path)) == ["a.json", "a.ome.zarr"]


def test_shell_takes_the_tree_digest(tmp_path):
    store, report = write(tmp_path, plain()(), "BLOCKSIZE=32", "NGFF_VERSION=0.4")
    with open(os.path.join(ROOT, "docs", "verify.md")) as file:
        command = re.search(r"# (find .*\| sha256sum)", file.read()).group(1)
    out = subprocess.run(["bash", "-c", command], cwd=store, capture_output=True, text=True, check=True).stdout
    assert out.split()[0] == report["tree"]["sha256"]


def test_statistics_are_those_of_the_pixels(tmp_path):
    array = gdaltest.smooth_array((2, 70, 60), "int16")
    _, report = write(tmp_path, gdaltest.mem(array, nodata=[100, None]))
    for entry, band, valid in zip(report["statistics"], array, [array[0] != 100, np.full((70, 60), True)], strict=True):
        values = band[valid].astype("float64")
        assert entry["n_valid"] == valid.sum() and entry["min"] == values.min() and entry["max"] == values.max()
        assert entry["mean"] == pytest.approx(values.mean(), rel=1e-14)
        assert entry["std_dev"] == pytest.approx(values.std(), rel=1e-12)
    _, report = write(tmp_path, gdaltest.mem(array), "STATISTICS=NO", name="b")
    assert report["statistics"] == [None, None]


def without_run(report):
    return {key: value for key, value in report.items() if key not in ("store", "options")}


@pytest.mark.parametrize("name", ["sharded", "masked", "nan_04", "stack", "gauss"])
def test_same_report_for_all_threads_memories_and_ways_of_writing(tmp_path, name):
    make, options = CASES[name]
    options = options if name == "stack" else [*options, "BLOCKSIZE=32"]
    first = without_run(write(tmp_path, make(), *options)[1])
    for i, run in enumerate([["NUM_THREADS=1"], ["NUM_THREADS=0", "MEMORY=1MB"], ["NUM_THREADS=8", "VERIFY=STORE"]]):
        other = without_run(write(tmp_path, make(), *options, *run, name=f"run{i}")[1])
        other["warnings"] = [w for w in other["warnings"] if not w.startswith("MEMORY=")]
        assert other == first, run


def created(path, report, source, options, order):
    """The same raster through Create(), block by block."""
    band = source.GetRasterBand(1)
    made = gdaltest.OMEZARR.Create(path, source.RasterXSize, source.RasterYSize, source.RasterCount, band.DataType,
                                   [*options, f"REPORT={report}"])
    made.SetGeoTransform(source.GetGeoTransform())
    made.SetSpatialRef(source.GetSpatialRef())
    for number in range(1, source.RasterCount + 1):
        made.GetRasterBand(number).SetColorInterpretation(source.GetRasterBand(number).GetColorInterpretation())
        for y in order(range(0, source.RasterYSize, 32)):
            for x in order(range(0, source.RasterXSize, 32)):
                w, h = min(32, source.RasterXSize - x), min(32, source.RasterYSize - y)
                made.GetRasterBand(number).WriteRaster(x, y, w, h, source.GetRasterBand(number).ReadRaster(x, y, w, h))
    assert not os.path.exists(report)
    made = None
    return report_of(report)


@pytest.mark.parametrize("options", [[], ["SHARD=64"], ["NGFF_VERSION=0.4", "LAYOUT=FLAT"]])
def test_create_writes_one_when_it_is_closed(tmp_path, options, digests):
    source = plain("uint16")()
    _, expected = write(tmp_path, source, "BLOCKSIZE=32", *options)
    for name, order in ("b", list), ("c", lambda r: reversed(list(r))):
        path = str(tmp_path / f"{name}.ome.zarr")
        report = created(path, f"{tmp_path / name}.json", source, ["BLOCKSIZE=32", *options], order)
        check_digests(path, report, digests)
        check_counts(path, report)
        assert report["pixels"] == expected["pixels"] and report["tree"] == expected["tree"]


def test_create_that_fails_at_its_end_leaves_none(tmp_path):
    """In a process of its own, without exceptions: a destructor cannot raise, so the error is on stderr."""
    path = str(tmp_path / "a.ome.zarr")
    code = ("from osgeo import gdal; import os; gdal.DontUseExceptions()\n"
            f"d = gdal.GetDriverByName('OMEZARR').Create({path!r}, 100, 100, 1, 1, ['BLOCKSIZE=32', 'REPORT={tmp_path}/r.json'])\n"
            "d.GetRasterBand(1).Fill(7)\n"
            f"print(*sorted(os.listdir({str(tmp_path)!r})))\n"
            f"os.mkdir({path!r}); open({path!r} + '/theirs', 'w').close()\n"  # the store cannot get its name
            "d = None")
    run = subprocess.run([sys.executable, "-c", code], env=os.environ, capture_output=True, text=True)
    assert run.stdout.split() == [".a.ome.zarr.partial", ".r.json.partial"] and "untouched" in run.stderr
    assert os.listdir(tmp_path) == ["a.ome.zarr"]


def test_created_type_that_zarr_lacks_is_told(tmp_path):
    with gdaltest.collected_messages() as messages:
        made = gdaltest.OMEZARR.Create(str(tmp_path / "a.ome.zarr"), 40, 40, 1, gdal.GDT_CInt16, [f"REPORT={tmp_path}/a.json"])
        made = None
    report = report_of(tmp_path / "a.json")
    (warning,) = [text for text in messages.warnings() if "CInt16" in text]
    assert report["not_kept"] == [warning]
    assert len(report["warnings"]) == 1 and "complex64" in report["warnings"][0]


def test_store_changed_to_the_same_pixels_has_the_same_digests(tmp_path, digests):
    source = plain("uint16")()
    _, expected = write(tmp_path, source, "BLOCKSIZE=32", "SHARD=64")
    other = gdaltest.pixels(source).copy()
    other[:, 20:50, 20:50] = 1
    store = gdaltest.write(tmp_path / "b.ome.zarr", gdaltest.mem(other, GT, "EPSG:32633"), "BLOCKSIZE=32", "SHARD=64")
    changed = gdal.Open(store, gdal.GA_Update)
    for number in range(1, 4):
        changed.GetRasterBand(number).WriteRaster(0, 0, 61, 75, source.GetRasterBand(number).ReadRaster())
    changed = None
    for entry in expected["pixels"]:
        assert digests["pixel_digest"](zarr.open_array(f"{store}/{entry['path']}", mode="r")) == entry["sha256"]
    assert digests["tree_digest"](store) == expected["tree"]["sha256"]  # all pixels were written: statistics too


RESUMED = {
    "plain": ((1, 800, 700), "uint16", ["SHARD=NONE"]),
    "sharded": ((2, 1000, 1000), "uint16", ["SHARD=64"]),
    "04": ((1, 1200, 1000), "float32", ["NGFF_VERSION=0.4"]),
}


@pytest.mark.parametrize("name", [*RESUMED, "mask"])
def test_resumed_run_has_the_report_of_a_whole_one(tmp_path, name, digests):
    shape, dtype, options = RESUMED.get(name, ((2, 600, 500), "uint8", ["SHARD=NONE"]))
    source, path, report = str(tmp_path / "source.tif"), str(tmp_path / "a.ome.zarr"), str(tmp_path / "a.json")
    array = gdaltest.random_array(shape, dtype)
    array[:, 100:300, 200:400] = 0
    array[:, :, -40:] = 0  # the shards at the edge, which have no chunk there, are not stored; the next row's first ones are
    with gdaltest.config_option("GDAL_TIFF_INTERNAL_MASK", "YES"):
        made = gdaltest.mem(array, GT, "EPSG:32633", driver="GTiff", path=source)
        if name == "mask":
            made.CreateMaskBand(gdal.GMF_PER_DATASET)
            mask = (gdaltest.random_array(shape[1:], "uint8") > 60).astype("uint8") * 255
            mask[:300, :300] = 0
            made.GetRasterBand(1).GetMaskBand().WriteRaster(0, 0, shape[2], shape[1], mask.tobytes())
        made = None
    options = ["BLOCKSIZE=16", *options]
    _, expected = write(tmp_path, gdal.Open(source), *options, name="whole")
    faults.kill_copy(source, path, [*options, f"REPORT={report}"], 1500)
    assert not os.path.exists(report)
    first = os.path.getsize(tmp_path / ".a.ome.zarr.partial" / ".record")
    assert first > 2000  # much of it is taken over
    gdaltest.write(path, gdal.Open(source), *options, "RESUME=YES", f"REPORT={report}")
    resumed = report_of(report)
    assert without_run(resumed) == without_run(expected)
    check_digests(path, resumed, digests)
    assert not [n for n in os.listdir(tmp_path) if n.startswith(".")]


# -- Places --------------------------------------------------------------------------------------------------------


def test_in_memory(tmp_vsimem):
    path = f"{tmp_vsimem}/a.ome.zarr"
    for _ in range(2):  # an older report is replaced
        gdaltest.write(path, plain()(), "BLOCKSIZE=32", "OVERWRITE=YES", f"REPORT={tmp_vsimem}/r.json")
        assert sorted(gdal.ReadDir(tmp_vsimem)) == ["a.ome.zarr", "r.json"]
    file = gdal.VSIFOpenL(f"{tmp_vsimem}/r.json", "rb")
    report = json.loads(gdal.VSIFReadL(1, 1 << 20, file))
    gdal.VSIFCloseL(file)
    names = [n for n in gdal.ReadDirRecursive(path) if not n.endswith("/")]
    assert report["counts"]["objects"] == len(names) and report["store"] == path


def test_relative_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    gdaltest.write("a.ome.zarr", plain()(), "REPORT=r.json")
    assert sorted(os.listdir()) == ["a.ome.zarr", "r.json"] and report_of("r.json")["store"] == "a.ome.zarr"


@pytest.mark.parametrize("place,words", [("missing/r.json", "No such file or directory"), ("r.json/", "name of a file"),
                                         ("folder", "choose another name"), ("notes.txt", "choose another name"),
                                         ("a.ome.zarr/r.json", "lies in the store"), ("a.ome.zarr", "lies in the store")])
def test_place_that_cannot_be_is_refused_before_anything_is_written(tmp_path, place, words):
    os.mkdir(tmp_path / "folder")
    (tmp_path / "notes.txt").write_text("mine")
    before = gdaltest.snapshot(tmp_path)
    message = gdaltest.refused(tmp_path / "a.ome.zarr", plain()(), f"REPORT={tmp_path}/{place}")
    assert "REPORT=" in message and words in message and str(tmp_path) in message
    assert gdaltest.snapshot(tmp_path) == before
    with pytest.raises(RuntimeError, match=words):
        gdaltest.OMEZARR.Create(str(tmp_path / "a.ome.zarr"), 40, 40, 1, 1, [f"REPORT={tmp_path}/{place}"])
    assert gdaltest.snapshot(tmp_path) == before


@pytest.mark.parametrize("place,words", [("/vsizip/{}/a.zip/r.json", "archives"), ("/vsistdout_redirect/{}/r.json", "many objects"),
                                         ("/vsicurl/http://127.0.0.1:9/r.json", "web servers")])
def test_places_that_gdal_cannot_replace_files_at_are_refused(tmp_path, place, words):
    message = gdaltest.refused(tmp_path / "a.ome.zarr", plain()(), "REPORT=" + place.format(tmp_path))
    assert words in message and os.listdir(tmp_path) == []


def test_report_over_the_source_is_refused(tmp_path):
    source = str(tmp_path / "source.tif")
    gdaltest.mem(np.ones((1, 40, 40), "uint8"), driver="GTiff", path=source)
    before = gdaltest.snapshot(tmp_path)
    assert "choose another name" in gdaltest.refused(tmp_path / "a.ome.zarr", gdal.Open(source), f"REPORT={source}")
    assert gdaltest.snapshot(tmp_path) == before


def test_dry_run_writes_none(tmp_path):
    message = gdaltest.refused(tmp_path / "a.ome.zarr", plain()(), "DRY_RUN=YES", f"REPORT={tmp_path}/r.json")
    assert "DRY_RUN=YES and REPORT=" in message
    assert os.listdir(tmp_path) == []


def test_exit_status_of_gdal_translate(tmp_path):
    source = str(tmp_path / "source.tif")
    gdaltest.mem(np.ones((1, 40, 40), "uint8"), driver="GTiff", path=source)
    command = ["gdal_translate", "-q", "-of", "OMEZARR", source, str(tmp_path / "a.ome.zarr")]
    refused = subprocess.run([*command, "-co", f"REPORT={tmp_path}/nowhere/r.json"], capture_output=True, text=True)
    assert refused.returncode != 0 and "nowhere" in refused.stderr
    assert os.listdir(tmp_path) == ["source.tif"]
    assert subprocess.run([*command, "-co", f"REPORT={tmp_path}/r.json"]).returncode == 0
    assert sorted(os.listdir(tmp_path)) == ["a.ome.zarr", "r.json", "source.tif"]


# -- Failures --------------------------------------------------------------------------------------------------------


def cut_source(tmp_path):
    """A file whose second half is missing."""
    path = str(tmp_path / "cut.tif")
    gdaltest.mem(gdaltest.random_array((1, 400, 400), "uint16"), driver="GTiff", path=path)
    os.truncate(path, os.path.getsize(path) // 2)
    return path


@pytest.mark.parametrize("old", [False, True])
def test_failed_and_cancelled_runs_leave_no_report(tmp_path, old):
    path, report = tmp_path / "a.ome.zarr", f"REPORT={tmp_path}/r.json"
    cut = cut_source(tmp_path)
    if old:
        gdaltest.write(path, plain()(), report)
    before = gdaltest.snapshot(tmp_path)
    gdaltest.refused(path, gdal.Open(cut), report, "BLOCKSIZE=32", "OVERWRITE=YES")
    assert gdaltest.snapshot(tmp_path) == before
    for stop in 0, 0.3, 0.9, 1:
        with pytest.raises(RuntimeError):
            gdaltest.create_copy(path, plain("uint16", (3, 300, 300))(), report, "BLOCKSIZE=16", "OVERWRITE=YES",
                                 callback=lambda share, *_: share < stop)
        assert gdaltest.snapshot(tmp_path) == before


def test_failed_run_that_is_kept_for_resume_leaves_no_report(tmp_path):
    cut = cut_source(tmp_path)
    gdaltest.refused(tmp_path / "a.ome.zarr", gdal.Open(cut), f"REPORT={tmp_path}/r.json", "BLOCKSIZE=32", "RESUME=YES")
    assert sorted(os.listdir(tmp_path)) == [".a.ome.zarr.partial", "cut.tif"]


def test_what_verify_finds_leaves_no_report(tmp_path):
    """A source whose pixels are others when it is read again."""
    from_file = str(tmp_path / "source.tif")
    gdaltest.mem(gdaltest.random_array((1, 300, 300), "uint16"), driver="GTiff", path=from_file)
    source = gdal.Open(from_file, gdal.GA_Update)
    done = []

    def change(share, *_):
        if share >= 0.5 and not done:
            done.append(source.GetRasterBand(1).WriteRaster(0, 0, 1, 1, b"\1\2"))
        return True

    with pytest.raises(RuntimeError, match="VERIFY=SOURCE"):
        gdaltest.create_copy(tmp_path / "a.ome.zarr", source, f"REPORT={tmp_path}/r.json", "VERIFY=SOURCE", callback=change)
    assert done and os.listdir(tmp_path) == ["source.tif"]


def test_report_that_gets_no_name_is_an_error_that_names_the_whole_store(tmp_path):
    """Somebody makes a folder at its place while the run goes on."""
    path, report = tmp_path / "a.ome.zarr", tmp_path / "r.json"
    source = plain()()

    def take_place(share, *_):
        if share > 0.5:
            report.mkdir(exist_ok=True)
        return True

    with pytest.raises(RuntimeError, match="the store is whole and published"):
        gdaltest.create_copy(path, source, f"REPORT={report}", callback=take_place)
    assert (gdaltest.pixels(gdal.Open(str(path))) == gdaltest.pixels(source)).all()
    assert sorted(os.listdir(tmp_path)) == [".r.json.partial", "a.ome.zarr", "r.json"]
    assert report_of(tmp_path / ".r.json.partial")["store"] == str(path)


@pytest.fixture(params=[[], ["NGFF_VERSION=0.4"]], ids=["0.5", "0.4"])
def faulty(request, tmp_path):
    """Runs gdal_translate while its Nth call that writes fails: exit status, what is left, number of calls."""
    if not os.path.exists(f"{faults.FAULTS}/liblocalfault.so"):
        pytest.skip("the faults are not built here")
    source = str(tmp_path / "source.tif")
    gdaltest.mem(gdaltest.random_array((1, 40, 40), "uint8"), driver="GTiff", path=source)

    def run(n, action):
        out = tmp_path / f"{n}-{action}"
        out.mkdir()
        environment = dict(os.environ, FAULT_LOG=f"{out}.log", FAULT=f"{n}:{action}", FAULT_ROOT=str(out), GDAL_PAM_ENABLED="NO",
                           LD_PRELOAD=f"{faults.FAULTS}/liblocalfault.so")
        options = [word for o in ["BLOCKSIZE=32", f"REPORT={out}/r.json", *request.param] for word in ("-co", o)]
        done = subprocess.run(["gdal_translate", "-q", "-of", "OMEZARR", *options, source, f"{out}/a.ome.zarr"], env=environment,
                              capture_output=True, text=True)
        calls = pathlib.Path(f"{out}.log").read_text().splitlines()
        return done.returncode, done.stderr, out, sum(not call.startswith("r") for call in calls)

    return run


def test_no_fault_ends_in_a_report_of_what_is_not_there(faulty, digests):
    code, _, out, n_calls = faulty(10**6, "fail")
    assert code == 0 and n_calls > 30
    whole = report_of(out / "r.json")
    n_honest = n_late = 0
    for k, action in enumerate(("fail", "short", "lost", "kill")):
        for n in (n for n in range(1, n_calls + 1) if (n // 2 + k) % 2 == 0):  # each call with two of the four
            code, said, out, _ = faulty(n, action)
            left = sorted(os.listdir(out))
            if "r.json" in left or code == 0:  # then the store is there, and is the one that it tells of
                assert report_of(out / "r.json")["tree"] == whole["tree"], (n, action)
                assert digests["tree_digest"](str(out / "a.ome.zarr")) == whole["tree"]["sha256"], (n, action)
            if code == 1 and "a.ome.zarr" not in left:
                n_honest += 1
                assert left == [] and "ERROR" in said, (n, action, left)
            elif code == 1 and "whole and published" in said:
                n_late += 1
                assert left == [".r.json.partial", "a.ome.zarr"] or left == ["a.ome.zarr", "r.json"], (n, action, left)
            assert code in ((-9, 0) if action == "kill" else (0, 1)), (n, action, said)
    assert n_honest > n_calls / 2 and n_late > 0


# -- What was not kept -----------------------------------------------------------------------------------------------


def rich():
    source = gdaltest.mem(gdaltest.smooth_array((2, 70, 60), "uint8"), GT, "EPSG:32633")
    source.SetMetadata({"PATIENT": "somebody", "AREA_OR_POINT": "Point"})
    source.SetMetadata({"EXIF_Model": "camera"}, "EXIF")
    source.SetMetadata({"HEIGHT_OFF": "1", "LINE_OFF": "2"}, "RPC")
    for number in 1, 2:
        source.GetRasterBand(number).SetMetadata({"SENSOR": "x"}, "SPECTRAL")
    return source


def test_domains_that_were_left_out_are_named(tmp_path):
    _, report = write(tmp_path, rich())
    assert [text for text in report["not_kept"] if "COPY_SRC_MDD" in text] == []
    _, report = write(tmp_path, rich(), "COPY_SRC_MDD=NO", name="b")
    left_out = [text for text in report["not_kept"] if text.endswith(": COPY_SRC_MDD=NO")]
    assert left_out == ['Metadata domain "" of the dataset: COPY_SRC_MDD=NO', 'Metadata domain "EXIF" of the dataset: COPY_SRC_MDD=NO',
                        'Metadata domain "SPECTRAL" of 2 bands: COPY_SRC_MDD=NO']
    assert "somebody" not in json.dumps(report) and "camera" not in json.dumps(report)


def test_what_describes_the_sources_own_file_is_named(tmp_path):
    source = str(tmp_path / "source.tif")
    gdaltest.mem(np.ones((2, 40, 40), "uint8"), driver="GTiff", path=source, options=["COMPRESS=LZW"])
    _, report = write(tmp_path, gdal.Open(source))
    assert any(text.startswith('Metadata domain "IMAGE_STRUCTURE" of the dataset') for text in report["not_kept"])
    assert all(text.endswith(": how the source is stored") for text in report["not_kept"])


def test_subdatasets_and_overviews_are_counted(tmp_path):
    source = str(tmp_path / "source.tif")
    array = np.ones((1, 200, 200), "uint8")
    gdaltest.mem(array, driver="GTiff", path=source)
    two = gdal.GetDriverByName("GTiff").Create(source, 200, 200, 1, 1, ["APPEND_SUBDATASET=YES"])
    two.GetRasterBand(1).WriteRaster(0, 0, 200, 200, array.tobytes())
    two = None
    opened = gdal.Open(source)
    n = len(opened.GetSubDatasets())
    assert n == 2
    _, report = write(tmp_path, opened, name="all")
    assert not [text for text in report["not_kept"] if "ubdatasets" in text]  # both pages are written
    _, report = write(tmp_path, opened, "PLANES=ONE")
    assert "Subdatasets of the source: 2" in report["not_kept"]
    assert "source.tif" not in json.dumps(report["not_kept"])
    opened = gdal.Open(source, gdal.GA_Update)
    opened.BuildOverviews("NEAREST", [2, 4])
    opened = None
    _, report = write(tmp_path, gdal.Open(source), "SCALE_FACTORS=2,4", "PLANES=ONE", name="b")
    assert "Overviews of the source: 2; levels are made anew" in report["not_kept"]
    _, report = write(tmp_path, gdal.Open(source), "SCALE_FACTORS=2,4", "OVERVIEWS=FORCE_USE_EXISTING", "PLANES=ONE", name="c")
    assert not [text for text in report["not_kept"] if "Overviews" in text]


def bands_of_types():
    vrt = gdal.GetDriverByName("VRT").Create("", 40, 40, 0)
    for data_type in gdal.GDT_Byte, gdal.GDT_Int16:
        vrt.AddBand(data_type)
    return vrt


LOSSES = {
    "types": bands_of_types,
    "complex integers": lambda: gdal.GetDriverByName("MEM").Create("", 40, 40, 1, gdal.GDT_CInt16),
    "nodata out of range": lambda: gdaltest.mem(np.ones((1, 40, 40), "uint8"), nodata=-9999),
    "geotransform": lambda: gdaltest.mem(np.ones((1, 40, 40), "uint8"), (0, 1, 2, 0, 1, 2)),
}


@pytest.mark.parametrize("name", LOSSES)
def test_every_warning_of_the_driver_is_in_the_report(tmp_path, name):
    with gdaltest.collected_messages() as messages:
        _, report = write(tmp_path, LOSSES[name]())
    told = [text for text in report["not_kept"] if "IMAGE_STRUCTURE" not in text and "xml:VRT" not in text] + report["warnings"]
    assert messages.warnings() and sorted(messages.warnings()) == sorted(told)


def test_warning_of_the_plan_is_in_the_report(tmp_path):
    with gdaltest.collected_messages() as messages:
        _, report = write(tmp_path, plain()(), "MEMORY=1KB")
    (warning,) = messages.warnings()
    assert warning.startswith("MEMORY=") and report["warnings"] == [warning]


@pytest.mark.require_driver("JPEG")
def test_warnings_while_the_source_is_read_are_in_the_report(tmp_path):
    """The end of a JPEG is missing: libjpeg makes it grey and says so."""
    path = str(tmp_path / "cut.jpg")
    gdal.GetDriverByName("JPEG").CreateCopy(path, gdaltest.mem(gdaltest.random_array((1, 300, 300), "uint8")))
    os.truncate(path, os.path.getsize(path) * 3 // 4)
    with gdaltest.collected_messages() as messages, gdaltest.config_option("GDAL_ERROR_ON_LIBJPEG_WARNING", "NO"):
        _, report = write(tmp_path, gdal.Open(path))
    said = [text for text in messages.warnings() if "remature end" in text]
    assert said and all(f"While the source was read: {text}" in report["not_kept"] for text in said)


def test_nothing_is_lost_from_a_plain_raster(tmp_path):
    _, report = write(tmp_path, plain()())
    assert [text for text in report["not_kept"] if "IMAGE_STRUCTURE" not in text] == [] and report["warnings"] == []


# -- Object stores ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def s3():
    pytest.importorskip("boto3")
    pytest.importorskip("moto.server")
    import s3proxy

    servers = s3proxy.Moto()
    options = dict(servers.options(), GDAL_HTTP_RETRY_DELAY="0.01")
    for name, value in options.items():
        gdal.SetConfigOption(name, value)
    yield servers.client
    for name in options:
        gdal.SetConfigOption(name, None)
    servers.close()


def keys(client):
    """Of this test: the server may be that of other tests in this process."""
    return sorted(entry["Key"] for entry in client.list_objects_v2(Bucket="bucket", Prefix="report/").get("Contents", []))


def test_object_store(s3, tmp_path, digests):
    store, local = write(tmp_path, plain()(), "BLOCKSIZE=32")
    for _ in range(2):  # the second replaces both
        gdaltest.write("/vsis3/bucket/report/a.ome.zarr", plain()(), "BLOCKSIZE=32", "OVERWRITE=YES", "REPORT=/vsis3/bucket/report/r.json")
        report = json.loads(s3.get_object(Bucket="bucket", Key="report/r.json")["Body"].read())
        assert without_run(report) == without_run(local)
        assert report["store"] == "/vsis3/bucket/report/a.ome.zarr"
        assert [k for k in keys(s3) if not k.startswith("report/a.ome.zarr/")] == ["report/r.json"]
    s3.put_object(Bucket="bucket", Key="report/notes.txt", Body=b"somebody's notes, longer than the start")
    before = keys(s3)
    message = gdaltest.refused("/vsis3/bucket/report/b.ome.zarr", plain()(), "REPORT=/vsis3/bucket/report/notes.txt")
    assert "choose another name" in message and keys(s3) == before
    message = gdaltest.refused("/vsis3/bucket/report/b.ome.zarr", plain()(), "REPORT=/vsis3/nowhere/r.json")
    assert "/vsis3/nowhere/.r.json.partial" in message and keys(s3) == before
    with pytest.raises(RuntimeError):
        gdaltest.create_copy("/vsis3/bucket/report/b.ome.zarr", plain("uint16", (1, 300, 300))(), "BLOCKSIZE=32",
                             "REPORT=/vsis3/bucket/report/c.json", callback=lambda share, *_: share < 0.5)
    assert keys(s3) == before
