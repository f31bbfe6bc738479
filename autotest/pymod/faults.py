"""Fault sweeps: a program makes, changes, resumes, verifies or reads a raster while its Nth call fails, once or for ever, does
half, loses its answer, or kills the process; for every N of the calls that write and of the calls that read. What it said is
compared with what it left, and then the same command, and one with OVERWRITE=YES, must end whole. The pictures are the smallest
that still have several chunks, a level above them, and what the scenario is about.

Three places: plain files (functions in front of libc's, LD_PRELOAD), a VSI file system with folders and renaming
(/vsifault/), and an object store (/vsifaultobject/). See tests/faults/.

Of all faults of calls that write, and of some errors for each call that reads, a sample is tried, chosen by a seed that is printed;
OMEZARR_FAULTS=all in the environment gives every error to every call, OMEZARR_FAULTS_SEED=N takes another sample.

A resumed run starts from what a run left that was killed in the middle; where it does not end in a store either, the next
one must, in the bytes of a run that nothing disturbed.
"""

import atexit
import collections
import concurrent.futures
import contextlib
import os
import queue
import random
import shutil
import signal
import subprocess
import zlib

import gdaltest
import numpy as np
import zygote
from osgeo import gdal

BUILD = os.path.join(os.environ["GDAL_DRIVER_PATH"].split(":")[0], "..", "..")
FAULTS = os.path.join(BUILD, "tests", "faults")
PLACES = ("local", "vsi", "object")
ACTIONS = ("fail", "forever", "short", "lost", "kill")
ERRORS = {"EIO": "r%d:EIO", "EACCES": "r%d:EACCES", "EMFILE": "r%d:EMFILE", "EINTR": "r%d:EINTR", "ESTALE": "r%d:ESTALE",
          "short": "r%d:short", "on this path": "r%d*:EACCES", "EIO for ever": "r%d-999999:EIO", "EMFILE for ever": "r%d-999999:EMFILE"}
IS_WHOLE = os.environ.get("OMEZARR_FAULTS") == "all"
SEED = os.environ.setdefault("OMEZARR_FAULTS_SEED", "1")
MOST = 40  # faults of one scenario at one place, each with up to two further runs

# before: what is there already, an "old" store, one with "foreign" files in it, or a "partial" one.
# In options @ is the folder of the destination.
Scenario = collections.namedtuple("Scenario", "name program options before source shape dtype", defaults=(None, None, (1, 20, 30), "uint8"))
CHANGES = ("update", "patch", "describe", "addo")
READERS = ("read", "verify")
FOREIGN = {"notes.txt": b"mine", "mydir/thesis.doc": b"years of work"}

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
    Scenario("patch", "patch", ["BLOCKSIZE=16"], "old"),
    Scenario("patch sharded", "patch", ["BLOCKSIZE=8", "SHARD=16", "OVERVIEW_COUNT=1"], "old"),
    Scenario("patch masked", "patch", ["BLOCKSIZE=16"], "old", "masked"),
    Scenario("gdaladdo", "addo", ["BLOCKSIZE=16", "OVERVIEWS=NONE"], "old"),
    Scenario("describe", "describe", ["BLOCKSIZE=16"], "old"),
    Scenario("float32", "translate", ["BLOCKSIZE=16"], None, None, (1, 20, 30), "float32"),
    Scenario("uint32", "translate", ["BLOCKSIZE=16", "NGFF_VERSION=0.4"], None, None, (1, 20, 30), "uint32"),
    Scenario("foreign files", "translate", ["BLOCKSIZE=16", "OVERWRITE=YES"], "foreign"),
    Scenario("VERIFY", "translate", ["BLOCKSIZE=16", "VERIFY=SOURCE"]),
    Scenario("REPORT", "translate", ["BLOCKSIZE=16", "REPORT=@/report.json"]),
    Scenario("read", "read", ["BLOCKSIZE=16"], "old"),
    Scenario("read sharded", "read", ["BLOCKSIZE=8", "SHARD=16", "OVERVIEW_COUNT=1"], "old"),
    Scenario("read masked", "read", ["BLOCKSIZE=16", "NGFF_VERSION=0.4"], "old", "masked"),
    Scenario("read ozx", "read", ["BLOCKSIZE=16"], "old"),
    Scenario("omezarr verify", "verify", ["BLOCKSIZE=8", "SHARD=16", "OVERVIEW_COUNT=1"], "old"),
]
PEERS = [
    Scenario("GDAL's Zarr", "Zarr", ["BLOCKSIZE=16,16"]),
    Scenario("GTiff", "GTiff", ["TILED=YES", "BLOCKXSIZE=16", "BLOCKYSIZE=16"]),
]


def places_of(scenario):
    """One file is not written to object stores, where shards are not changed either."""
    if scenario.name == "spilled":
        return ["vsi"]
    return PLACES[:2] if "ozx" in scenario.name or scenario.name == "patch sharded" else PLACES


def chunks(calls):
    """Of the chunks of level 0 (0.5) that these calls open: path -> number of the first call."""
    numbers = {}
    for number, call, path in calls:
        if call in ("open", "fopen") and "scale0/image/c/" in path:
            numbers.setdefault(path, number)
    return numbers


class Zygotes:
    """As many as there are threads that ask at once."""

    def __init__(self):
        self.all, self.idle = [], queue.LifoQueue()

    def run(self, op, environment, output):
        try:
            one = self.idle.get_nowait()
        except queue.Empty:
            path = os.environ["GDAL_DRIVER_PATH"].split(":")[0] + ":" + FAULTS
            one = zygote.Zygote(dict(os.environ, GDAL_DRIVER_PATH=path, LD_PRELOAD=f"{FAULTS}/liblocalfault.so",
                                     GDAL_HTTP_RETRY_DELAY="0.001", GDAL_PAM_ENABLED="NO"))
            self.all.append(one)
            atexit.register(one.close)
        try:
            return one.run(op, environment, output)
        finally:
            self.idle.put(one)


zygotes = Zygotes()


def killed_at(n, folder, command):
    """Runs a program that is killed before its nth call that writes below the folder."""
    environment = dict(os.environ, LD_PRELOAD=f"{FAULTS}/liblocalfault.so", FAULT=f"{n}:kill", FAULT_ROOT=str(folder))
    done = subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    assert done.returncode == -signal.SIGKILL, f"not killed at call {n}: {done.returncode} {done.stderr}"


def copy_command(source, path, options):
    arguments = [word for option in options for word in ("-co", option)]
    return ["gdal_translate", "-q", "-of", "OMEZARR", *arguments, source, str(path)]


def kill_copy(source, path, options, n):
    """gdal_translate, killed so."""
    killed_at(n, os.path.dirname(path), copy_command(source, path, options))


def run_copy(source, path, options, **environment):
    environment = dict(os.environ, LD_PRELOAD=f"{FAULTS}/liblocalfault.so", FAULT_ROOT=os.path.dirname(path), **environment)
    return subprocess.run(copy_command(source, path, options), env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True)


def fail_copy(source, path, options, n):
    """What gdal_translate says when its nth call that writes fails."""
    done = run_copy(source, path, options, FAULT=f"{n}:fail")
    assert done.returncode == 1, done.stderr
    return done.stderr


def calls_of_copy(source, path, options):
    """The calls of gdal_translate that write: number, name and path of each."""
    log = f"{path}.log"
    done = run_copy(source, path, options, FAULT_LOG=log)
    assert (done.returncode, done.stderr) == (0, "")
    with open(log) as lines:
        calls = [line.rstrip("\n").split(" ", 2) for line in lines if not line.startswith("r")]
    os.remove(log)
    return [(int(number), call, place) for number, call, place in calls]


class Sweep:
    """One scenario at one place. folder: a scratch place of its own."""

    def __init__(self, scenario, place, folder, threads=1):
        self.scenario, self.place, self.folder = scenario, place, str(folder)
        self.threads = threads
        self.is_ours = scenario.program not in ("GTiff", "Zarr")
        self.is_change, self.is_reader = scenario.program in CHANGES, scenario.program in READERS
        self.is_refused = scenario.before == "foreign"
        self.name = {"GTiff": "a.tif", "Zarr": "a.zarr"}.get(scenario.program, "a.ozx" if "ozx" in scenario.name else "a.ome.zarr")
        self.is_resume = "RESUME=YES" in scenario.options
        self.array = gdaltest.random_array(scenario.shape, scenario.dtype, 7)
        self.source = f"{folder}/source.tif"
        self.make_source(self.array, self.source)
        self.old = None
        self.old_array = None
        self.foreign = FOREIGN if scenario.before == "foreign" else {}
        if scenario.before in ("old", "foreign"):
            self.make_old()
        self.start = None
        self.n_chunks = 0
        if scenario.before == "partial":
            self.make_start()
        code, said, out, self.calls = self.run("whole")
        assert (code != 0) == self.is_refused, (scenario, place, said)
        self.said, self.read_calls = said, self.reads
        self.before = self.starts()
        self.new = self.tree(f"{out}/{self.name}")
        self.side = self.side_files(out)
        if self.is_reader or self.is_refused:
            assert self.new == self.old
            return
        assert self.who_opens(f"{out}/{self.name}") == {"new"}, "the run without a fault"
        self.names = sorted(os.listdir(out))
        assert self.names == sorted([self.name, *self.side])
        self.after = gdaltest.snapshot(out)
        self.n_chunks = self.n_chunks or len(chunks(self.calls))
        if scenario.before == "partial":
            assert self.new == self.fresh and 0 < len(chunks(self.calls)) < self.n_chunks, "the resumed run"
        self.again = self.overwritten = None
        if self.is_ours:  # what the two commands after a fault end in
            if self.is_change:
                assert self.run("whole", again=True)[0] == 0
                self.again = self.tree(f"{out}/{self.name}")
            assert self.run("whole", again=True, overwrite=True)[0] == 0
            self.overwritten = self.tree(f"{out}/{self.name}")
            assert self.is_change or self.overwritten == self.new

    def make_source(self, array, path):
        scenario = self.scenario
        geotransform = (500000, 10, 0, 5000000, 0, -10) if scenario.source == "north-up" else None
        source = gdaltest.mem(array, geotransform, driver="GTiff", path=path, options=["TILED=YES", "BLOCKXSIZE=16", "BLOCKYSIZE=16"])
        if scenario.source == "masked":
            source.CreateMaskBand(gdal.GMF_PER_DATASET)
            mask = np.where(array[0] > 99, 255, 0).astype("uint8")
            source.GetRasterBand(1).GetMaskBand().WriteRaster(0, 0, mask.shape[1], mask.shape[0], mask.tobytes())

    def make_old(self):
        scenario, folder = self.scenario, self.folder
        os.mkdir(f"{folder}/old")
        keeps_size = self.is_change or self.is_reader
        self.old_array = gdaltest.random_array(scenario.shape if keeps_size else (1, 20, 12), scenario.dtype, 8)
        self.make_source(self.old_array, f"{folder}/old.tif")
        options = scenario.options if keeps_size else ["BLOCKSIZE=16"] + [o for o in scenario.options if o.startswith("NGFF")]
        gdaltest.write(f"{folder}/old/{self.name}", gdal.Open(f"{folder}/old.tif"), *options)
        for name, text in self.foreign.items():
            os.makedirs(os.path.dirname(f"{folder}/old/{self.name}/{name}"), exist_ok=True)
            with open(f"{folder}/old/{self.name}/{name}", "wb") as file:
                file.write(text)
        self.old = self.tree(f"{folder}/old/{self.name}")
        if scenario.program in ("describe", "addo", "read", "verify"):
            self.array = self.old_array
        elif scenario.program == "patch":
            window = (slice(None), slice(7, 13), slice(9, 19))
            changed = self.old_array.copy()
            changed[window] = self.array[window]
            self.array = changed

    def make_start(self):
        """What is left by a run that failed and one that went on and was killed: of four chunks some are in the record."""
        _, _, out, calls = self.run("fresh")
        self.fresh, self.n_chunks = self.tree(f"{out}/{self.name}"), len(chunks(calls))
        third = list(chunks(calls).values())[2]
        tries = 5 if self.place == "object" else 1
        code, _, self.start, _ = self.run("failed", f"{third}-{third + tries - 1}:fail")
        assert code == 1
        _, _, _, calls = self.run("gone on with")
        fourth = list(chunks(calls).values())[-1]
        code, _, self.start, _ = self.run("killed", f"{fourth}:kill")
        assert code == -9

    def starts(self):
        """All that is there before the run."""
        return gdaltest.snapshot(self.start if self.start is not None else f"{self.folder}/old") if self.start or self.old else {}

    def tree(self, path):
        if os.path.isfile(path):
            with open(path, "rb") as file:
                return {"": file.read()}
        return {name: text for name, text in gdaltest.snapshot(path).items() if text != "folder"}

    def side_files(self, out):
        """The report, without the name of the folder that this run is in."""
        found = {}
        if os.path.exists(f"{out}/report.json"):
            with open(f"{out}/report.json", "rb") as file:
                found["report.json"] = file.read().replace(out.encode(), b"@")
        return found

    def operation(self, out, overwrite):
        scenario = self.scenario
        prefix = {"local": "", "vsi": "/vsifault/", "object": "/vsifaultobject/"}[self.place]
        target = f"{prefix}{out}/{self.name}"
        options = [option.replace("@", prefix + out) for option in scenario.options] + [f"NUM_THREADS={self.threads}"]
        name = scenario.program
        if overwrite:
            name = "create" if name == "create" else "translate"
            options = [option for option in options if option[:7] not in ("RESUME=", "OVERWRI")] + ["OVERWRITE=YES"]
        if name == "verify":
            name, options = "run", [f"{BUILD}/driver/gdal/omezarr", "verify", target]
        return {"name": name, "source": self.source, "target": target, "options": options}

    def run(self, label, fault=None, again=False, overwrite=False):
        """Exit status, messages, the folder that holds what was left, and the calls that write. again: on what was left;
        overwrite: as a new store instead."""
        work = f"{self.folder}/{label}"
        out = f"{work}/out"
        os.makedirs(out, exist_ok=again)
        if self.start is not None and not again:
            shutil.copytree(self.start, out, dirs_exist_ok=True)
        if self.old is not None and not again:
            old = f"{self.folder}/old/{self.name}"
            (shutil.copytree if os.path.isdir(old) else shutil.copy)(old, f"{out}/{self.name}")
        environment = dict(FAULT_LOG=f"{work}/{'again' if again else 'log'}", CPL_TMPDIR=work)
        if fault:
            environment["FAULT"] = fault
        if self.place == "local":
            environment["FAULT_ROOT"] = out
        if self.is_ours:
            code = zygotes.run(self.operation(out, overwrite), environment, f"{work}/said")
            texts = []
            for name in ("said.err", "said.out"):
                with open(f"{work}/{name}", errors="replace") as file:
                    texts.append(file.read().replace(out, "@"))
            said, self_said = texts[0] + (texts[1] if self.scenario.program == "verify" else ""), texts[1]
        else:
            code, said, self_said = self.run_peer(out, dict(os.environ, **environment))
        calls, self.reads = [], []
        with contextlib.suppress(FileNotFoundError), open(environment["FAULT_LOG"]) as lines:
            for line in lines:
                number, call, path = line.rstrip("\n").split(" ", 2)
                known = self.reads if number.startswith("r") else calls
                known.append((int(number.lstrip("r")), call, path.split("/out/")[-1] or known[-1][2]))  # libc's writes have no path: the file opened last
        return (code, self_said, out, calls) if self.is_reader and code == 0 else (code, said, out, calls)

    def run_peer(self, out, environment):
        environment.update(LD_PRELOAD=f"{FAULTS}/liblocalfault.so", GDAL_PAM_ENABLED="NO")
        command = ["gdal_translate", "-q", "-of", self.scenario.program]
        for option in self.scenario.options:
            command += ["-co", option]
        done = subprocess.run([*command, self.source, f"{out}/{self.name}"], env=environment, capture_output=True, text=True,
                              stdin=subprocess.DEVNULL, timeout=120)
        return done.returncode, done.stderr, ""

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
        if tree is not None and tree == self.old:
            return "old"
        if tree is not None and tree == self.new:
            return "new" if self.side == self.side_files(out) else "new pixels"
        if self.is_change and tree is not None and ".omezarr-dirty" in tree:
            return "marked"
        opens = self.who_opens(path) if tree is not None else set()
        return "absent" if not opens else f"{opens.pop()} pixels" if opens in ({"new"}, {"old"}) else "torn"

    def outcome(self, fault):
        """What became of one fault: the names of the table below that it earned, and the details."""
        label = fault.replace(":", "-").replace("*", "+")
        code, said, out, _ = self.run(label, fault)
        is_kill = ":kill" in fault
        assert (code == -9) == is_kill, f"{self.scenario.name} {self.place} {label} was not met: {code} {said}"
        state = self.state(out)
        left = sorted(name for name in os.listdir(out) if name not in (self.name, *self.side)) if os.path.isdir(out) else []
        if self.place == "object" and state == "absent" and os.path.exists(f"{out}/{self.name}"):
            left.append("objects")
        results = [self.name_outcome(code, said, state)]
        for name, text in self.foreign.items():
            path = f"{out}/{self.name}/{name}"
            if not os.path.exists(path) or open(path, "rb").read() != text:
                results.append("OTHERS' FILES LOST")
                break
        if not self.is_reader and not set(results) & set(BAD):
            problem, more = self.next_runs(label, out, state)
            if problem:
                results.append(problem)
                said = f"{said.strip()[:300]} THEN {more}"
            elif more:
                results[0] += f", {more}"
        shutil.rmtree(f"{self.folder}/{label}", ignore_errors=True)
        return results, (self.scenario.name, self.place, fault, self.name_call(fault), code, state, left, said.strip()[:700])

    def name_call(self, fault):
        number = int(fault.lstrip("r").split(":")[0].split("-")[0].rstrip("*"))
        for calls in (self.read_calls if fault.startswith("r") else self.calls,):
            for n, call, path in calls:
                if n == number:
                    return f"{call} {path}"
        return "?"

    def next_runs(self, label, out, state):
        """The same command, and one with OVERWRITE=YES, on what was left: both must end whole. What is as before the first
        run, or as after one without a fault, needs no second."""
        left = gdaltest.snapshot(out) if os.path.isdir(out) else {}
        if left in (self.before, getattr(self, "after", None)):
            return None, None
        is_there = state.startswith(("new", "old"))
        saved = f"{self.folder}/{label}/saved"
        shutil.copytree(out, saved, symlinks=True)
        code, said, _, calls = self.run(label, again=True)
        end = self.tree(f"{out}/{self.name}") if os.path.exists(f"{out}/{self.name}") else None
        if self.is_refused:
            return (None, None) if code == 1 and end == self.old else ("BLOCKED", f"plain: {code}, {said.strip()}")
        if self.is_change and end is not None:  # where all had been done there is nothing to change, and so no claim to take over
            end.pop(".omezarr-claim", None)
        is_whole = code == 0 and end is not None and end in (self.new, self.again)
        is_whole = is_whole or (not self.is_ours and code == 0 and self.state(out) in ("new", "new pixels"))
        if not is_whole and not (code == 1 and is_there and "exists" in said and self.state(out).startswith(("new", "old")) and "OVERWRITE=YES" not in self.scenario.options):
            return "BLOCKED", f"plain: {code}, {self.state(out)}, {os.listdir(out)}, {said.strip()}"
        remark = "begun again" if self.is_resume and state == "absent" and len(chunks(calls)) == self.n_chunks else None
        if not self.is_ours:
            return None, remark
        shutil.rmtree(out)
        os.rename(saved, out)
        code, said, _, _ = self.run(label, again=True, overwrite=True)
        end = self.tree(f"{out}/{self.name}") if os.path.exists(f"{out}/{self.name}") else None
        if code != 0 or end != self.overwritten:
            return "BLOCKED", f"OVERWRITE=YES: {code}, {os.listdir(out)}, {said.strip()}"
        return None, remark or ("litter" if sorted(os.listdir(out)) != self.names else None)

    def name_outcome(self, code, said, state):
        # A driver that is not ours may write other bytes after a fault; only its pixels are judged.
        is_new = state == "new" or (not self.is_ours and state == "new pixels")
        if self.is_reader:
            is_told = "ERROR" in said or (self.scenario.program == "verify" and said.strip())
            return "CRASH" if code < 0 else "LIE" if state != "old" or (code == 0 and said != self.said) else \
                "harmless" if code == 0 else "honest" if is_told else "silent failure"
        if self.is_refused:
            return "LIE" if code == 0 else "CRASH" if code < 0 and code != -9 else "honest, but torn" if state not in ("old", "old pixels") else \
                "kill: old" if code == -9 else "honest" if "ERROR" in said else "silent failure"
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

    def faults_of_writes(self, actions=ACTIONS, at=""):
        """For every N whose path holds the word. A kill after a call is one before the next: only the last needs it."""
        calls = [call for call in self.calls if at in call[2]]
        faults = [f"{n}:{action}" for action in actions for n, call, _ in calls if action != "short" or "write" in call]
        return faults + [f"{n}:killed" for n, *_ in calls[-1:] if "kill" in actions]

    def faults_of_reads(self, share):
        """Every error for every call, or of each call the given number of errors."""
        chance = random.Random(zlib.crc32(f"{SEED} {self.scenario.name} {self.place}".encode()))
        faults = []
        for n, call, _ in self.read_calls:
            errors = [error for error in ERRORS if error != "short" or "read" in call and call != "readdir"]
            faults += [ERRORS[error] % n for error in (errors if IS_WHOLE else chance.sample(errors, share))]
        return faults

    def all(self, actions=ACTIONS, at="", share=1, most=MOST):
        """Outcome -> list of details, of the faults of calls that write and of calls that read. most: of them a sample, None for
        all."""
        faults = self.faults_of_writes(actions, at) + (self.faults_of_reads(share) if not at else [])
        if most is not None and not IS_WHOLE:
            faults = random.Random(f"{SEED} {self.scenario.name} {self.place}").sample(faults, min(most, len(faults)))
        found = collections.defaultdict(list)
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            for results, details in pool.map(self.outcome, faults):
                for result in results:
                    found[result].append(details)
        self.n_faults = sum(":kill" not in fault for fault in faults)
        self.n_kills = len(faults) - self.n_faults
        return found


LIES = ("LIE", "CRASH", "silent failure", "honest, but torn", "kill: torn", "honest, old lost", "kill: old lost")
BAD = (*LIES, "BLOCKED", "OTHERS' FILES LOST")


def may_happen(result, sweep):
    """What a place cannot promise: see docs/guarantees.md. An object store has no exchange, so an overwrite deletes the old root
    first; a VSI file system with folders has two renames, and between them the old store is only at its second name, until the next run."""
    if sweep.is_change:
        return False
    return sweep.place in ("object", "vsi") and result in ("honest, old lost", "kill: old lost")


def tell(record_property, sweep, found):
    """Hands the counts to the end of the run, and returns what must not be."""
    bad = {name: found[name] for name in BAD if found[name] and not may_happen(name, sweep)}
    counts = {name: len(found[name]) for name in sorted(found) if found[name]}
    sums = [sum(len(bad.get(name, ())) for name in names) for names in (LIES, ("BLOCKED",), ("OTHERS' FILES LOST",))]
    record_property("faults", [sweep.scenario.name, sweep.place, [len(sweep.calls), len(sweep.read_calls)], counts,
                               [sweep.n_faults, sweep.n_kills, *sums], sweep.is_ours])
    return [(name, details) for name, all_details in bad.items() for details in all_details]


def table(rows, remark=None):
    """Of all that tell has told: the lines for people."""
    sums = collections.defaultdict(lambda: [0] * 5)
    for name, place, n_calls, counts, row, is_ours in sorted(rows, key=lambda row: (not row[5], row[:2])):
        calls = f"{n_calls[0]:3} system calls" if place == "kernel" else f"{n_calls[0]:3} calls write, {n_calls[1]:3} read"
        yield f"{name:17} {place:6} {calls}: {', '.join(f'{n} {outcome}' for outcome, n in counts.items())}"
        who = "this driver" if is_ours else name
        sums[who] = [a + b for a, b in zip(sums[who], row)]
    for who, (n_faults, n_kills, n_lies, n_blocked, n_lost) in sums.items():
        yield f"of {who}: {n_faults} faults, {n_kills} kills: {n_lies} lies, {n_blocked} blocked places, {n_lost} times files of others lost"
    yield remark or ("every error at every call that reads" if IS_WHOLE else f"of the calls that read, and of system calls, a sample: OMEZARR_FAULTS_SEED={SEED}")
