"""Fault sweeps: an unmodified program writes a raster while its Nth write-side call fails, once or for ever, writes short,
loses its answer, or kills the process; for every N. What it said is compared with what it left. The pictures are the
smallest that still have several chunks, a level above them, and what the scenario is about.

Three places: plain files (functions in front of libc's, LD_PRELOAD), a VSI file system with folders and renaming
(/vsifault/), and an object store (/vsifaultobject/). See tests/faults/.

A resumed run starts from what a run left that was killed in the middle; where it does not end in a store either, the next
one must, in the bytes of a run that nothing disturbed.
"""

import collections
import concurrent.futures
import contextlib
import os
import shutil
import subprocess
import sys

import gdaltest
import numpy as np
import osgeo
from osgeo import gdal

FAULTS = os.path.join(os.environ["GDAL_DRIVER_PATH"].split(":")[0], "..", "..", "tests", "faults")
PLACES = ("local", "vsi", "object")
ACTIONS = ("fail", "forever", "short", "lost", "kill")

# before: what is there already, an "old" store or a "partial" one.
Scenario = collections.namedtuple("Scenario", "name program options before source shape", defaults=(None, None, (1, 20, 30)))

CREATE = """
import sys
sys.path.append(sys.argv.pop(1))
from osgeo import gdal
gdal.DontUseExceptions()
said = []
gdal.PushErrorHandler(lambda level, number, text: said.append(text) if level >= gdal.CE_Failure else None)
source = gdal.Open(sys.argv[1])
target = gdal.GetDriverByName("OMEZARR").Create(sys.argv[2], source.RasterXSize, source.RasterYSize, 1, gdal.GDT_Byte, sys.argv[3:])
if target is not None:
    target.SetGeoTransform(source.GetGeoTransform())
    target.GetRasterBand(1).WriteRaster(0, 0, source.RasterXSize, source.RasterYSize, source.ReadRaster())
    target = None  # GDAL 3.6: an error at closing reaches only the error handler
for text in said:
    print("ERROR", text, file=sys.stderr)
sys.exit(bool(said))
"""

UPDATE = """
import sys
sys.path.append(sys.argv.pop(1))
from osgeo import gdal
gdal.DontUseExceptions()
said = []
gdal.PushErrorHandler(lambda level, number, text: said.append(text) if level >= gdal.CE_Failure else None)
source = gdal.Open(sys.argv[1])
target = gdal.OpenEx(sys.argv[2], gdal.OF_RASTER | gdal.OF_UPDATE, allowed_drivers=["OMEZARR"])
if target is not None:
    target.GetRasterBand(1).WriteRaster(0, 0, source.RasterXSize, source.RasterYSize, source.ReadRaster())
    target.SetMetadataItem("changed", "yes")
    target = None
for text in said:
    print("ERROR", text, file=sys.stderr)
sys.exit(bool(said))
"""

OURS = [
    Scenario("0.5", "translate", ["BLOCKSIZE=16"], None, "north-up"),
    Scenario("0.4", "translate", ["BLOCKSIZE=16", "NGFF_VERSION=0.4"], None, "masked"),
    Scenario("sharded", "translate", ["BLOCKSIZE=8", "SHARD=16", "OVERVIEW_COUNT=1"]),
    Scenario("overwrite", "translate", ["BLOCKSIZE=16", "OVERWRITE=YES"], "old"),
    Scenario("overwrite 0.4", "translate", ["BLOCKSIZE=16", "OVERWRITE=YES", "NGFF_VERSION=0.4"], "old"),
    Scenario("resume", "translate", ["BLOCKSIZE=16", "RESUME=YES"], "partial"),
    Scenario("Create + close", "create", ["BLOCKSIZE=16", "MEMORY=1"]),
    Scenario("ozx", "translate", ["BLOCKSIZE=16"]),
    Scenario("overwrite ozx", "translate", ["BLOCKSIZE=16", "OVERWRITE=YES"], "old"),
    Scenario("resume ozx", "translate", ["BLOCKSIZE=16", "RESUME=YES"], "partial"),
    Scenario("spilled", "translate", ["BLOCKSIZE=8", "SCALE_FACTORS=3", "OVERVIEW_RESAMPLING=GAUSS", "MEMORY=1"], None, None, (1, 30, 60)),
    Scenario("update", "update", ["BLOCKSIZE=16"], "old"),
    Scenario("update 0.4", "update", ["BLOCKSIZE=16", "NGFF_VERSION=0.4"], "old"),
]
PEERS = [
    Scenario("GDAL's Zarr", "Zarr", ["BLOCKSIZE=16,16"]),
    Scenario("GTiff", "GTiff", ["TILED=YES", "BLOCKXSIZE=16", "BLOCKYSIZE=16"]),
]


def places_of(scenario):
    """One file is not written to object stores."""
    return ["vsi"] if scenario.name == "spilled" else PLACES[:2] if "ozx" in scenario.name else PLACES


def chunks(calls):
    """Of the chunks of level 0 (0.5) that these calls open: path -> number of the first call."""
    numbers = {}
    for number, call, path in calls:
        if call in ("open", "fopen") and "scale0/image/c/" in path:
            numbers.setdefault(path, number)
    return numbers


class Sweep:
    """One scenario at one place. folder: a scratch place of its own."""

    def __init__(self, scenario, place, folder, threads=1):
        self.scenario, self.place, self.folder = scenario, place, str(folder)
        self.threads = threads
        self.is_ours = scenario.program in ("translate", "create", "update")
        self.name = {"GTiff": "a.tif", "Zarr": "a.zarr"}.get(scenario.program, "a.ozx" if "ozx" in scenario.name else "a.ome.zarr")
        self.is_resume = "RESUME=YES" in scenario.options
        self.array = gdaltest.random_array(scenario.shape, "uint8", 7)
        self.source = f"{folder}/source.tif"
        geotransform = (500000, 10, 0, 5000000, 0, -10) if scenario.source == "north-up" else None
        source = gdaltest.mem(self.array, geotransform, driver="GTiff", path=self.source, options=["TILED=YES", "BLOCKXSIZE=16", "BLOCKYSIZE=16"])
        if scenario.source == "masked":
            source.CreateMaskBand(gdal.GMF_PER_DATASET)
            mask = np.where(self.array[0] > 99, 255, 0).astype("uint8")
            source.GetRasterBand(1).GetMaskBand().WriteRaster(0, 0, mask.shape[1], mask.shape[0], mask.tobytes())
        source = None
        self.old = None
        self.old_array = None
        if scenario.before == "old":
            os.mkdir(f"{folder}/old")
            is_update = scenario.program == "update"
            self.old_array = gdaltest.random_array(scenario.shape if is_update else (1, 20, 12), "uint8", 8)
            gdaltest.write(f"{folder}/old/{self.name}", gdaltest.mem(self.old_array),
                           *(scenario.options if is_update else ["BLOCKSIZE=16"] + [o for o in scenario.options if o.startswith("NGFF")]))
            self.old = self.tree(f"{folder}/old/{self.name}")
        self.start = None
        self.n_chunks = 0
        if scenario.before == "partial":
            self.make_start()
        code, said, out, self.calls = self.run("whole")
        assert code == 0, (scenario, place, said)
        self.new = self.tree(f"{out}/{self.name}")
        assert self.who_opens(f"{out}/{self.name}") == {"new"}, "the run without a fault"
        assert os.listdir(out) == [self.name]
        self.n_chunks = self.n_chunks or len(chunks(self.calls))
        if scenario.before == "partial":
            assert self.new == self.fresh and len(chunks(self.calls)) == 2, "the resumed run"

    def make_start(self):
        """What is left by a run that failed and one that went on and was killed: of four chunks two are in the record, and
        a third is there."""
        _, _, out, calls = self.run("fresh")
        self.fresh, self.n_chunks = self.tree(f"{out}/{self.name}"), len(chunks(calls))
        third = list(chunks(calls).values())[2]
        tries = 5 if self.place == "object" else 1
        code, _, self.start, _ = self.run("failed", f"{third}-{third + tries - 1}:fail")
        assert code == 1
        _, _, _, calls = self.run("gone on with")
        _, fourth = chunks(calls).values()
        code, _, self.start, _ = self.run("killed", f"{fourth}:kill")
        assert code == -9

    def tree(self, path):
        if os.path.isfile(path):
            with open(path, "rb") as file:
                return {"": file.read()}
        return {name: text for name, text in gdaltest.snapshot(path).items() if text != "folder"}

    def run(self, label, fault=None, again=False):
        """Exit status, messages, the folder that holds what was left, and the calls. again: on what was left."""
        work = f"{self.folder}/{label}"
        out = f"{work}/out"
        os.makedirs(out, exist_ok=again)
        if self.start is not None and not again:
            shutil.copytree(self.start, out, dirs_exist_ok=True)
        if self.old is not None and not again:
            old = f"{self.folder}/old/{self.name}"
            (shutil.copytree if os.path.isdir(old) else shutil.copy)(old, f"{out}/{self.name}")
        target = {"local": "", "vsi": "/vsifault/", "object": "/vsifaultobject/"}[self.place] + f"{out}/{self.name}"
        options = list(self.scenario.options) + ([f"NUM_THREADS={self.threads}"] if self.is_ours else [])
        python, modules = [sys.executable, "-ESc"], os.path.dirname(os.path.dirname(osgeo.__file__))  # half the start
        if self.scenario.program == "create":
            command = [*python, CREATE, modules, self.source, target, *options]
        elif self.scenario.program == "update":
            command = [*python, UPDATE, modules, self.source, target]
        else:
            driver = "OMEZARR" if self.is_ours else self.scenario.program
            command = ["gdal_translate", "-q", "-of", driver]
            for option in options:
                command += ["-co", option]
            command += [self.source, target]
        environment = dict(os.environ, FAULT_LOG=f"{work}/{'again' if again else 'log'}", GDAL_HTTP_RETRY_DELAY="0.001", GDAL_PAM_ENABLED="NO", CPL_TMPDIR=work,
                           GDAL_DRIVER_PATH=os.environ["GDAL_DRIVER_PATH"].split(":")[0] + ":" + FAULTS)
        if fault:
            environment["FAULT"] = fault
        if self.place == "local":
            environment.update(LD_PRELOAD=f"{FAULTS}/liblocalfault.so", FAULT_ROOT=out)
        done = subprocess.run(command, env=environment, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=120)
        calls = []
        with contextlib.suppress(FileNotFoundError), open(environment["FAULT_LOG"]) as lines:
            for line in lines:
                number, call, path = line.rstrip("\n").split(" ", 2)
                calls.append((int(number), call, path.split("/out/")[-1] or calls[-1][2]))  # libc's writes have no path: the file opened last
        return done.returncode, done.stderr, out, calls

    def who_opens(self, path):
        """The pixels that any reader finds there: "new", "old", "wrong"; empty if nothing opens."""
        found = set()

        def judge(array):
            array = np.asarray(array).reshape(-1, *np.asarray(array).shape[-2:])
            same = [name for name, whole in (("new", self.array), ("old", self.old_array))
                    if whole is not None and array.shape == whole.shape and (array == whole).all()]
            found.add(same[0] if same else "wrong")

        with gdaltest.collected_messages():
            for driver in ("OMEZARR", "Zarr", "GTiff"):
                with contextlib.suppress(RuntimeError, AttributeError):
                    dataset = gdal.OpenEx(path, gdal.OF_RASTER, allowed_drivers=[driver])
                    if dataset.RasterCount == 0:
                        continue
                    try:
                        judge(gdaltest.pixels(dataset))
                        if driver == "OMEZARR":
                            gdaltest.our_levels(path)
                    except RuntimeError:
                        found.add("wrong")
        if os.path.isdir(path) and gdaltest.have("zarr"):
            import zarr

            for name in ("scale0/image", "0", "a/Band1", "a"):  # of a group that opens: is it an image?
                try:
                    array = zarr.open(path, mode="r")[name]
                    is_array = isinstance(array, zarr.Array)
                except Exception:
                    continue
                try:
                    if is_array:
                        judge(array[...])
                except Exception:
                    found.add("wrong")
        return found

    def state(self, out):
        """What is at the destination: "new", "old" (bit for bit), "absent", "torn"; "new pixels",
        "old pixels": all readers find these, and there is another object too, such as the claim of who was killed;
        "marked": a change in place that has not ended, and says so."""
        path = f"{out}/{self.name}"
        tree = self.tree(path) if os.path.exists(path) else None
        if tree is not None and tree == self.new:
            return "new"
        if tree is not None and tree == self.old:
            return "old"
        if self.scenario.program == "update" and tree is not None and ".omezarr-dirty" in tree:
            return "marked"
        opens = self.who_opens(path) if tree is not None else set()
        return "absent" if not opens else f"{opens.pop()} pixels" if opens in ({"new"}, {"old"}) else "torn"

    def outcome(self, n, action):
        """What became of one fault: a name of the table below, and the details."""
        label = f"{n}-{action}"
        code, said, out, _ = self.run(label, f"{n}:{action}")
        assert (code == -9) == action.startswith("kill"), f"{label} was not met"
        state = self.state(out)
        if state == "marked":  # the next change mends it
            again, more, _, _ = self.run(label, again=True)
            if again != 0 or self.state(out) != "new":
                state, said = "torn", f"{said} not mended: {more}"
        left = sorted(name for name in os.listdir(out) if name != self.name) if os.path.isdir(out) else []
        if self.place == "object" and state == "absent" and os.path.exists(f"{out}/{self.name}"):
            left.append("objects")
        result = self.name_outcome(code, said, state, action)
        if self.is_resume and state == "absent":
            again, more, _, calls = self.run(label, again=True)
            if self.state(out) != "new" or os.listdir(out) != [self.name] or again != 0:
                result, said = "not resumable", f"{said} again: {more}"
            elif len(chunks(calls)) == self.n_chunks:
                result += ", begun again"
        shutil.rmtree(f"{self.folder}/{label}", ignore_errors=True)
        return result, (self.scenario.name, self.place, n, action, code, state, left, said.strip()[:300])

    def name_outcome(self, code, said, state, action):
        # A driver that is not ours may write other bytes after a fault; only its pixels are judged.
        is_new = state == "new" or (not self.is_ours and state == "new pixels")
        loses_old = self.old is not None and state == "absent"
        if code == -9:
            return "kill: marked" if state == "marked" else "kill: torn" if state == "torn" else "kill: old lost" if loses_old else \
                "kill: new" if is_new else "kill: old" if state.startswith("old") else "kill: nothing" if state == "absent" else "kill: new pixels"
        if code == 0:
            return "harmless" if is_new else "LIE"
        if code < 0:
            return "CRASH"
        if state == "torn":
            return "honest, but torn"
        if "ERROR" not in said:
            return "silent failure"
        if state == "marked":
            return "honest, marked"
        return "honest, old lost" if loses_old else "honest" if not is_new else "honest, but done"

    def all(self, actions=ACTIONS, at=""):
        """Outcome -> list of details, for every N whose path holds the word. A kill after a call is one before the next: only
        the last needs it."""
        calls = [call for call in self.calls if at in call[2]]
        jobs = [(n, action) for action in actions for n, call, _ in calls if action != "short" or "write" in call]
        jobs += [(calls[-1][0], "killed")] * ("kill" in actions)
        found = collections.defaultdict(list)
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            for result, details in pool.map(lambda job: self.outcome(*job), jobs):
                found[result].append(details)
        return found


BAD = ("not resumable", "LIE", "CRASH", "silent failure", "honest, but torn", "kill: torn", "honest, old lost", "kill: old lost")


def may_happen(result, sweep):
    """What a place cannot promise: see the README. An object store has no exchange, so an overwrite deletes the old root
    first; a VSI file system with folders has two renames, and between them the old store is only at its second name, until the next run."""
    if sweep.scenario.program == "update":
        return False
    if sweep.place == "object":
        return result in ("honest, old lost", "kill: old lost")
    return sweep.place == "vsi" and result in ("kill: old lost", "honest, old lost")


def tell(record_property, sweep, found):
    """Hands the counts to the end of the run, and returns what must not be."""
    bad = [details for name in BAD if not may_happen(name, sweep) for details in found[name]]
    counts = {name: len(found[name]) for name in sorted(found) if found[name]}
    record_property("faults", [sweep.scenario.name, sweep.place, len(sweep.calls), counts, len(bad), sweep.is_ours])
    return bad


def table(rows):
    """Of all that tell has told: the lines for people."""
    n_kills = n_all = n_bad = 0
    for name, place, n_calls, counts, bad, is_ours in sorted(rows, key=lambda row: (not row[5], row[:2])):
        yield f"{name:14} {place:6} {n_calls:4} calls: {', '.join(f'{n} {outcome}' for outcome, n in counts.items())}"
        if not is_ours:
            continue
        n_all += sum(counts.values())
        n_kills += sum(n for outcome, n in counts.items() if outcome.startswith("kill"))
        n_bad += bad
    yield f"of this driver: {n_all - n_kills} faults, {n_kills} kills, {n_bad} lies"
