"""Fault sweeps: an unmodified program writes a raster while its Nth write-side call fails, once or for ever, writes short,
loses its answer, or kills the process; for every N. What it said is compared with what it left.

Three places: plain files (functions in front of libc's, LD_PRELOAD), a VSI file system with folders and renaming
(/vsifault/), and an object store (/vsifaultobject/). See tests/faults/.

A resumed run starts from what a run left that was killed in the middle; where it does not end in a store either, the next
one must, in the bytes of a run that nothing disturbed.

    python autotest/pymod/faults.py [--peers] [--every K] [--scenario NAME]...    the whole sweep as a table
"""

import collections
import concurrent.futures
import contextlib
import os
import shutil
import subprocess
import sys
import tempfile

here = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, here)
BUILD = os.path.join(os.path.dirname(os.path.dirname(here)), "build")
os.environ.setdefault("GDAL_DRIVER_PATH", os.path.join(BUILD, "driver", "gdal"))

from osgeo import gdal  # noqa: E402

import gdaltest  # noqa: E402
import numpy as np  # noqa: E402

FAULTS = os.path.join(os.environ["GDAL_DRIVER_PATH"].split(":")[0], "..", "..", "tests", "faults")
PLACES = ("local", "vsi", "object")
ACTIONS = ("fail", "forever", "short", "lost", "kill", "killed")

Scenario = collections.namedtuple("Scenario", "name program options has_old")

CREATE = """
import sys
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
    Scenario("0.5", "translate", ["BLOCKSIZE=64"], False),
    Scenario("0.4", "translate", ["BLOCKSIZE=64", "NGFF_VERSION=0.4"], False),
    Scenario("sharded", "translate", ["BLOCKSIZE=32", "SHARD=64"], False),
    Scenario("overwrite", "translate", ["BLOCKSIZE=64", "OVERWRITE=YES"], True),
    Scenario("overwrite 0.4", "translate", ["BLOCKSIZE=64", "OVERWRITE=YES", "NGFF_VERSION=0.4"], True),
    Scenario("spilled", "translate", ["BLOCKSIZE=16", "SCALE_FACTORS=3,9", "OVERVIEW_RESAMPLING=GAUSS", "MEMORY=1", "SHARD=NONE"], False),
    Scenario("Create + close", "create", ["BLOCKSIZE=64", "MEMORY=8KB"], False),
    Scenario("update", "update", ["BLOCKSIZE=64", "SHARD=NONE"], True),
    Scenario("update 0.4", "update", ["BLOCKSIZE=64", "NGFF_VERSION=0.4"], True),
    Scenario("resume", "translate", ["BLOCKSIZE=16", "SCALE_FACTORS=4", "SHARD=NONE", "RESUME=YES"], False),
]
PEERS = [
    Scenario("Zarr", "Zarr", ["BLOCKSIZE=64,64"], False),
    Scenario("GTiff", "GTiff", ["TILED=YES", "BLOCKXSIZE=64", "BLOCKYSIZE=64"], False),
]


class Sweep:
    """One scenario at one place. folder: a scratch place of its own."""

    def __init__(self, scenario, place, folder, threads=1):
        self.scenario, self.place, self.folder = scenario, place, str(folder)
        self.threads = threads
        self.is_ours = scenario.program in ("translate", "create", "update")
        self.name = {"GTiff": "a.tif", "Zarr": "a.zarr"}.get(scenario.program, "a.ome.zarr")
        self.is_resume = "RESUME=YES" in scenario.options
        # A record is written from about 350 objects on: so many that there is one, and few that come after it.
        self.array = gdaltest.random_array((1, 352, 352) if self.is_resume else (1, 130, 150), "uint8", 7)
        self.source = f"{folder}/source.tif"
        gdaltest.mem(self.array, (500000, 10, 0, 5000000, 0, -10), driver="GTiff", path=self.source).FlushCache()
        self.old = None
        self.old_array = None
        if scenario.has_old:
            os.mkdir(f"{folder}/old")
            is_update = scenario.program == "update"
            self.old_array = gdaltest.random_array(self.array.shape if is_update else (1, 90, 100), "uint8", 8)
            gdaltest.write(f"{folder}/old/{self.name}", gdaltest.mem(self.old_array),
                           *(scenario.options if is_update else ["BLOCKSIZE=32"] + [o for o in scenario.options if o.startswith("NGFF")]))
            self.old = self.tree(f"{folder}/old/{self.name}")
        self.start = None
        if self.is_resume:
            self.make_start()
        code, said, out, n_calls = self.run("whole")
        assert code == 0, (scenario, place, said)
        self.n_calls = n_calls
        self.new = self.tree(f"{out}/{self.name}")
        assert self.who_opens(f"{out}/{self.name}") == {"new"}, "the run without a fault"
        assert os.listdir(out) == [self.name]
        if self.is_resume:
            assert self.new == self.fresh and n_calls < self.n_fresh_calls / 2, "the resumed run"

    def make_start(self):
        """What a run leaves that was killed soon after its record had named some objects."""
        log = f"{self.folder}/log"
        code, said, out, self.n_fresh_calls = self.run("fresh", log=log)
        assert code == 0, said
        self.fresh = self.tree(f"{out}/{self.name}")
        with open(log) as lines:
            notes = [int(line.split()[0]) for line in lines if "open" in line.split()[1] and "record" in line]
        code, _, out, _ = self.run("start", f"{notes[1] + 20}:kill")  # the first note only says who it is
        assert code == -9
        self.start = out

    def tree(self, path):
        if os.path.isfile(path):
            with open(path, "rb") as file:
                return {"": file.read()}
        return {name: text for name, text in gdaltest.snapshot(path).items() if text != "folder"}

    def run(self, label, fault=None, again=False, log=None):
        """Exit status, messages, the folder that holds what was left, and the number of calls. again: on what was left."""
        work = f"{self.folder}/{label}"
        out = f"{work}/out"
        os.makedirs(out, exist_ok=again)
        if self.start is not None and not again:
            shutil.copytree(self.start, out, dirs_exist_ok=True)
        if self.old is not None and not again:
            shutil.copytree(f"{self.folder}/old/{self.name}", f"{out}/{self.name}")
        target = {"local": "", "vsi": "/vsifault/", "object": "/vsifaultobject/"}[self.place] + f"{out}/{self.name}"
        options = list(self.scenario.options) + ([f"NUM_THREADS={self.threads}"] if self.is_ours else [])
        if self.scenario.program == "create":
            command = [sys.executable, "-c", CREATE, self.source, target, *options]
        elif self.scenario.program == "update":
            command = [sys.executable, "-c", UPDATE, self.source, target]
        else:
            driver = "OMEZARR" if self.is_ours else self.scenario.program
            command = ["gdal_translate", "-q", "-of", driver]
            for option in options:
                command += ["-co", option]
            command += [self.source, target]
        environment = dict(os.environ, FAULT_COUNT=f"{work}/count", GDAL_HTTP_RETRY_DELAY="0.001", GDAL_PAM_ENABLED="NO", CPL_TMPDIR=work,
                           GDAL_DRIVER_PATH=os.environ["GDAL_DRIVER_PATH"].split(":")[0] + ":" + FAULTS)
        if fault:
            environment["FAULT"] = fault
        if log:
            environment["FAULT_LOG"] = log
        if self.place == "local":
            environment.update(LD_PRELOAD=f"{FAULTS}/liblocalfault.so", FAULT_ROOT=out)
        done = subprocess.run(command, env=environment, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=120)
        n_calls = int(open(f"{work}/count").read()) if os.path.exists(f"{work}/count") else 0
        return done.returncode, done.stderr, out, n_calls

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
        if os.path.exists(f"{self.folder}/{label}/count"):
            os.remove(f"{self.folder}/{label}/count")
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
            again, more, _, n_calls = self.run(label, again=True)
            if self.state(out) != "new" or os.listdir(out) != [self.name] or again != 0:
                result, said = "not resumable", f"{said} again: {more}"
            elif n_calls > self.n_fresh_calls / 2:
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

    def all(self, actions, every=1, first=1, workers=2):
        """Outcome -> list of details, over all N (every k-th from the first on)."""
        found = collections.defaultdict(list)
        jobs = [(n, action) for action in actions for n in range(first, self.n_calls + 1, every)]
        with concurrent.futures.ThreadPoolExecutor(workers) as pool:
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


def main(arguments):
    every = int(arguments[arguments.index("--every") + 1]) if "--every" in arguments else 1
    wanted = [arguments[i + 1] for i, a in enumerate(arguments) if a == "--scenario"]
    scenarios = [s for s in OURS + (PEERS if "--peers" in arguments else []) if not wanted or s.name in wanted]
    gdal.UseExceptions()
    n_bad = 0
    with tempfile.TemporaryDirectory() as folder:
        for scenario in scenarios:
            for place in PLACES:
                os.mkdir(f"{folder}/{scenario.name}-{place}".replace(" ", ""))
                try:
                    sweep = Sweep(scenario, place, f"{folder}/{scenario.name}-{place}".replace(" ", ""))
                except AssertionError as error:
                    print(f"{scenario.name:15} {place:7} not possible: {str(error)[:100]!r}", flush=True)
                    continue
                found = sweep.all(ACTIONS, every)
                counts = ", ".join(f"{len(found[name])} {name}" for name in sorted(found))
                print(f"{scenario.name:15} {place:7} {sweep.n_calls:4} calls: {counts}", flush=True)
                leftovers = [d for name in found if name.startswith("honest") for d in found[name] if d[6] and d[3] in ("fail", "short")]
                if leftovers and not sweep.is_resume:  # which keeps what is done
                    print("    left after an honest failure:", len(leftovers), leftovers[:4])
                for name in BAD:
                    for details in found[name][:6]:
                        print("   ", name, *details)
                    if scenario in OURS and not may_happen(name, sweep):
                        n_bad += len(found[name])
    print("0 lies" if n_bad == 0 else f"{n_bad} outcomes that must not be")
    return n_bad > 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
