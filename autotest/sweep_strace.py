#!/usr/bin/env python3
"""A fault sweep below libc: unmodified programs run under strace, which lets the Nth system call of a kind fail, or kills the
process there, for every call that touches the place of the store. It knows nothing of this project's code, nor of libc's.

    autotest/sweep_strace.py                 a sample of three minutes, of a seed that is printed
    autotest/sweep_strace.py --all           every call, every error (hours; --jobs N)
    autotest/sweep_strace.py --only warp     scenarios whose names hold the word
    autotest/sweep_strace.py --seed N        the sample of that seed again

A first run counts the calls. Each fault is injected into one of those that name a path below the place, or a descriptor of
one; its own log tells whether it hit such a call. Then the same command runs again, and one with OVERWRITE=YES: both must end
whole. What ends with status 0 must be, byte for byte, what a run without faults leaves and says. Exit status 0 only if there
are no lies, no blocked places, and no lost files of others. --seccomp-bpf is not used: with it strace injects no signals."""

import argparse
import collections
import concurrent.futures
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time

here = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(here, "pymod"))
os.environ.setdefault("GDAL_DRIVER_PATH", os.path.join(os.path.dirname(here), "build", "driver", "gdal"))

try:
    import numpy as np  # noqa: E402
except ImportError:  # check.sh puts it into a Python of its own
    own = os.path.join(os.path.dirname(here), "build", "venv", "bin", "python")
    if sys.executable == own or not os.path.exists(own):
        sys.exit("numpy is not installed; run `./check.sh quick` before, which installs it into build/venv")
    os.execv(own, [own] + sys.argv)

import faults  # noqa: E402
import gdaltest  # noqa: E402
from osgeo import gdal  # noqa: E402

# The errors of each kind of call that a file system may give. Not lseek, fcntl, mmap and what else a disk does not refuse.
LOOKS = ("EIO", "EACCES", "ESTALE", "ENOMEM")
OPENS = ("EIO", "EACCES", "EMFILE", "EINTR", "ESTALE", "ENFILE")
READS = ("EIO", "EINTR", "ESTALE")
NAMES = ("EIO", "EACCES", "ENOSPC", "ESTALE")
ERRORS = {
    "open": OPENS, "openat": OPENS, "openat2": OPENS, "creat": OPENS,
    "stat": LOOKS, "lstat": LOOKS, "fstat": LOOKS, "newfstatat": LOOKS, "statx": LOOKS, "access": LOOKS, "faccessat": LOOKS,
    "faccessat2": LOOKS, "readlink": LOOKS, "readlinkat": LOOKS, "statfs": LOOKS, "chdir": LOOKS, "fchdir": LOOKS,
    "read": READS, "pread64": READS, "preadv": READS, "readv": READS, "getdents64": ("EIO", "EACCES", "ESTALE"),
    "write": ("EIO", "ENOSPC", "EINTR", "EDQUOT"), "pwrite64": ("EIO", "ENOSPC", "EINTR"), "writev": ("EIO", "ENOSPC"),
    "copy_file_range": ("EIO", "ENOSPC"), "ftruncate": ("EIO", "ENOSPC"), "fallocate": ("EIO", "ENOSPC"), "close": ("EIO", "EDQUOT"),
    "fsync": ("EIO",), "fdatasync": ("EIO",), "syncfs": ("EIO",), "flock": ("EIO", "ENOLCK"),
    "mkdir": NAMES, "mkdirat": NAMES, "link": NAMES, "linkat": NAMES, "symlink": NAMES, "symlinkat": NAMES,
    "rename": (*NAMES, "EXDEV"), "renameat": (*NAMES, "EXDEV"), "renameat2": (*NAMES, "EXDEV", "EINVAL"),
    "unlink": ("EIO", "EACCES", "EBUSY"), "unlinkat": ("EIO", "EACCES", "EBUSY", "ENOTEMPTY"), "rmdir": ("EIO", "EACCES", "ENOTEMPTY"),
    "chmod": ("EIO", "EPERM"), "fchmod": ("EIO", "EPERM"), "utimensat": ("EIO", "EPERM"),
}
PROGRAMS = {"OMEZARR": ("a.ome.zarr", "a.ozx"), "Zarr": ("a.zarr",), "GTiff": ("a.tif",)}

# command: "@" is the place, "%" the folder of the sources. makes: how the place is laid. again: the command with OVERWRITE=YES.
Case = collections.namedtuple("Case", "name name_of_store command old dtype source is_refused", defaults=((), "uint8", None, False))


def translate(name, *options, driver="OMEZARR"):
    return ["gdal_translate", "-q", "-of", driver, *[word for option in options for word in ("-co", option)], "%/source.tif", f"@/{name}"]


def cases():
    a, z = "a.ome.zarr", "a.ozx"
    block, shard = ["BLOCKSIZE=16"], ["BLOCKSIZE=8", "SHARD=16", "OVERVIEW_COUNT=1"]
    info = ["gdalinfo", "-json", "-checksum", "-if", "OMEZARR"]
    warp = ["gdalwarp", "-q", "--config", "GDAL_NUM_THREADS", "1", "%/patch.tif", f"@/{a}"]
    verify = [os.path.join(faults.BUILD, "driver", "gdal", "omezarr"), "verify", f"@/{a}"]
    one = ["NUM_THREADS=1"]
    return [
        Case("new", a, translate(a, *block, *one)),
        Case("new 0.4 masked", a, translate(a, *block, *one, "NGFF_VERSION=0.4"), (), "uint8", "masked"),
        Case("new sharded", a, translate(a, *shard, *one)),
        Case("new, 4 threads", a, translate(a, *block, "NUM_THREADS=4")),
        Case("new by gdalwarp", a, ["gdalwarp", "-q", "-of", "OMEZARR", "-co", "BLOCKSIZE=16", "-co", "NUM_THREADS=1", "%/source.tif", f"@/{a}"]),
        Case("new ozx", z, translate(z, *block, *one)),
        Case("overwrite", a, translate(a, *block, *one, "OVERWRITE=YES"), block),
        Case("overwrite ozx", z, translate(z, *block, *one, "OVERWRITE=YES"), block),
        Case("resume", a, translate(a, *block, *one, "RESUME=YES"), "partial"),
        Case("foreign files", a, translate(a, *block, *one, "OVERWRITE=YES"), block, "uint8", None, True),
        Case("float32", a, translate(a, *block, *one), (), "float32"),
        Case("uint32", a, translate(a, *block, *one), (), "uint32"),
        Case("VERIFY", a, translate(a, *block, *one, "VERIFY=SOURCE")),
        Case("REPORT", a, translate(a, *block, *one, "REPORT=@/report.json")),
        Case("warp into", a, warp, block),
        Case("warp into sharded", a, warp, shard),
        Case("warp into masked", a, warp, block, "uint8", "masked"),
        Case("rasterize", a, ["gdal_rasterize", "-q", "-burn", "255", "-b", "1", "%/point.geojson", f"@/{a}"], shard),
        Case("gdaladdo", a, ["gdaladdo", "-q", "-r", "average", f"@/{a}", "2"], [*block, "OVERVIEWS=NONE"]),
        Case("read", a, [*info, f"@/{a}"], block),
        Case("read sharded", a, [*info, f"@/{a}"], shard),
        Case("read masked", a, [*info, f"@/{a}"], block, "uint8", "masked"),
        Case("read ozx", z, [*info, f"@/{z}"], block),
        Case("omezarr verify", a, verify, shard),
        Case("GDAL's Zarr", "a.zarr", translate("a.zarr", "BLOCKSIZE=16,16", driver="Zarr")),
        Case("GTiff", "a.tif", translate("a.tif", "TILED=YES", "BLOCKXSIZE=16", "BLOCKYSIZE=16", driver="GTiff")),
    ]


def why_not():
    """Why strace cannot be used here, or None."""
    if not shutil.which("strace"):
        return "there is no strace"
    done = subprocess.run(["strace", "-f", "-qq", "-o", os.devnull, "-e", "trace=getcwd,openat", "-e", "inject=getcwd:error=EIO:when=1", "/bin/true"],
                          capture_output=True, text=True)
    return None if done.returncode == 0 else f"strace does not work here: {done.stderr.strip()[-200:]}"


class Sweep:
    """One case. Its place has the same path in every run of a thread, so that all runs make the same calls."""

    def __init__(self, case, folder):
        self.case, self.folder = case, folder
        os.makedirs(f"{folder}/start")
        self.is_ours = case.name_of_store in PROGRAMS["OMEZARR"]
        self.is_reader = case.command[0] == "gdalinfo" or "verify" in case.command
        self.is_change = bool(case.old) and "%/source.tif" not in case.command and not self.is_reader
        self.path_of_store = case.name_of_store
        self.make_sources()
        self.make_start()
        self.before = gdaltest.snapshot(f"{folder}/start")
        self.lock = threading.Lock()
        place = self.lay("count")
        self.code, self.said, log = self.run(place, trace=["-e", "trace=all"])
        assert self.code == int(case.is_refused), (case, self.code, self.said)
        self.calls, self.paths = self.read_log(log, place)
        self.after, self.side = self.look(place)
        self.again = self.overwritten = None
        if self.is_change or self.is_reader or case.is_refused:
            self.run(place)
            self.again = self.look(place)[0]
        if self.is_ours and not self.is_reader and not case.is_refused:
            assert self.run(place, overwrite=True)[0] == 0
            self.overwritten = self.look(place)[0]

    def make_sources(self):
        case, folder = self.case, self.folder
        array = gdaltest.random_array((1, 20, 30), case.dtype, 7)
        for name, part, place in (("source", array, (0, 20)), ("patch", array[:, 7:13, 9:19], (9, 13))):
            made = gdaltest.mem(part, (place[0], 1, 0, place[1], 0, -1), driver="GTiff", path=f"{folder}/{name}.tif")
            if case.source == "masked" and name == "source":
                made.CreateMaskBand(gdal.GMF_PER_DATASET)
                made.GetRasterBand(1).GetMaskBand().WriteRaster(0, 0, 30, 20, np.where(array[0] > 99, 255, 0).astype("uint8").tobytes())
            made = None
        with open(f"{folder}/point.geojson", "w") as file:
            file.write('{"type":"FeatureCollection","features":[{"type":"Feature","properties":{},"geometry":{"type":"Point","coordinates":[9.5,9.5]}}]}')

    def make_start(self):
        case, start = self.case, f"{self.folder}/start"
        if case.old == "partial":
            os.mkdir(f"{self.folder}/partial")
            started = faults.Sweep(next(s for s in faults.OURS if s.name == "resume"), "local", f"{self.folder}/partial")
            shutil.copytree(started.start, start, dirs_exist_ok=True)
            shutil.copy2(started.source, f"{self.folder}/source.tif")
            self.case = case._replace(command=[word.replace("%/source.tif", started.source) for word in case.command])
        elif case.old:
            with gdaltest.collected_messages():
                old = gdal.Open(f"{self.folder}/source.tif")
                gdaltest.write(f"{start}/{case.name_of_store}", old, *case.old)
        if case.is_refused:
            for name, text in faults.FOREIGN.items():
                path = f"{start}/{case.name_of_store}/{name}"
                os.makedirs(os.path.dirname(path), exist_ok=True)
                with open(path, "wb") as file:
                    file.write(text)
        with open(f"{start}/beside.txt", "wb") as file:
            file.write(b"mine")

    def lay(self, label):
        """The place, as it is before a run."""
        work = f"{self.folder}/{label}"
        shutil.rmtree(work, ignore_errors=True)
        shutil.copytree(f"{self.folder}/start", f"{work}/place", symlinks=True)
        return f"{work}/place"

    def run(self, place, trace=None, overwrite=False):
        """Exit status (1 also where a program says ERROR and ends with 0), what was said, strace's log."""
        command = list(self.case.command)
        if overwrite:
            options = [w for w in command if "=" in w and w.split("=")[0] in ("BLOCKSIZE", "SHARD", "NGFF_VERSION", "OVERVIEW_COUNT", "REPORT", "VERIFY")]
            command = translate(self.case.name_of_store, *options, "NUM_THREADS=1", "OVERWRITE=YES")
        command = [word.replace("@", place).replace("%", self.folder) for word in command]
        work, log = os.path.dirname(place), f"{os.path.dirname(place)}/log"
        if trace:
            command = ["strace", "-f", "-y", "-qq", "-s", "4096", "-o", log, *trace, *command]
        environment = dict(os.environ, GDAL_PAM_ENABLED="NO", CPL_TMPDIR=work, GDAL_NUM_THREADS="1")
        done = subprocess.run(command, env=environment, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=300, errors="replace")
        said = (done.stdout + done.stderr).replace(place, "@")
        code = -9 if done.returncode in (-9, 137) else done.returncode
        return (1 if code == 0 and "ERROR" in done.stderr else code), said, log

    @staticmethod
    def touches(line, place):
        """True for a path below the place, or a descriptor of one; what is written may name it, too."""
        return re.search(r'(?<!\\)["<]' + re.escape(place), line)

    def read_log(self, path, place):
        """(call, which of its kind in its thread) of the calls that touch the place, and (call, path) of these."""
        counts, found, paths = collections.Counter(), [], []
        with open(path, errors="replace") as log:
            for line in log:
                matched = re.match(r"(\d+) +(\w+)\(", line)
                if matched:
                    thread, call = matched.groups()
                    counts[thread, call] += 1
                    if call in ERRORS and self.touches(line, place) and (call, counts[thread, call]) not in found:
                        found.append((call, counts[thread, call]))
                        path = re.search(r'(?<!\\)["<](' + re.escape(place) + r'[^">]*)', line).group(1).replace(place, "@")
                        paths += [(call, path)] * ((call, path) not in paths)
        return found, paths

    def faults(self):
        """Each error once at each call, and some at all calls of a kind on a path, as permissions and bad disks make them."""
        return [(call, n, error) for call, n in self.calls for error in (*ERRORS[call], "SIGKILL")] + \
            [(call, path, error) for call, path in self.paths for error in ERRORS[call][:2]]

    def look(self, place):
        """All that is there, and the report apart, without the folder's name in it."""
        found = gdaltest.snapshot(place)
        report = found.pop("report.json", None)
        return found, report.replace(place.encode(), b"@") if report else None

    def store_of(self, found):
        name = self.case.name_of_store
        return {path: text for path, text in found.items() if text != "folder" and (path == name or path.startswith(name + "/"))}

    def judge(self, code, said, place, found, side):
        """What one fault is called, by what the program said and what it left."""
        store = self.store_of(found)
        is_new, is_old = store == self.store_of(self.after) and (side == self.side or code != 0), store == self.store_of(self.before)
        if self.is_reader or self.case.is_refused:
            if not is_old:
                return "LIE"
            return "kill" if code == -9 else "CRASH" if code < 0 else "LIE" if code == 0 and (self.case.is_refused or said != self.said) else \
                "harmless" if code == 0 else "honest"
        name = self.case.name_of_store
        state = "new" if is_new else "old" if is_old and store else "marked" if f"{name}/.omezarr-dirty" in store else \
            "absent" if not store else self.opens(place)
        if code == 0:
            return "harmless" if state == "new" else "LIE"
        if code == -9:
            return f"kill: {state}"
        if code < 0:
            return "CRASH"
        return {"torn": "honest, but torn", "absent": "honest" if not self.store_of(self.before) else "honest, old lost"}.get(state, "honest")

    def opens(self, place):
        """Of a store that is neither the old nor the new one byte for byte. One that is not ours may be right all the same."""
        path = f"{place}/{self.case.name_of_store}"
        if self.is_ours:
            has_root = os.path.isfile(path) or os.path.exists(f"{path}/zarr.json") or os.path.exists(f"{path}/.zattrs")
            return "torn" if has_root else "absent"
        with gdaltest.collected_messages():
            try:
                dataset = gdal.OpenEx(path, gdal.OF_RASTER, allowed_drivers=[self.case.command[3]])
                if dataset.RasterCount == 0:  # GDAL's Zarr of a folder whose array is not there
                    return "absent"
                array = gdaltest.pixels(dataset)
            except (RuntimeError, AttributeError):
                return "absent"
        return "new" if (array == gdaltest.pixels(gdal.Open(f"{self.folder}/source.tif"))).all() else "torn"

    def outcome(self, fault, label):
        call, n, error = fault
        place = self.lay(label)
        how = "signal=SIGKILL" if error == "SIGKILL" else f"error={error}"
        when = ":when=1" if error == "EINTR" else ""  # a call that is interrupted for ever is tried for ever
        where = ["-e", f"inject={call}:{how}:when={n}"] if isinstance(n, int) else \
            ["-P", n.replace("@", place), "-e", f"inject={call}:{how}{when}"]
        code, said, log = self.run(place, ["-e", f"trace={call}", *where])
        if not self.has_hit(log, place, error):
            return ["missed"], None
        found, side = self.look(place)
        results = [self.judge(code, said, place, found, side)]
        details = [self.case.name, f"{call}:{error}:{n}", self.hit, code, said.strip()[:300]]
        for path, text in [("beside.txt", b"mine")] + [(f"{self.case.name_of_store}/{p}", t) for p, t in faults.FOREIGN.items() if self.case.is_refused]:
            if found.get(path) != text and len(results) == 1:
                results.append("OTHERS' FILES LOST")
        if self.is_reader or set(results) & set(faults.BAD) or found in (self.before, self.after):
            return results, details
        saved = f"{os.path.dirname(place)}/saved"
        shutil.copytree(place, saved, symlinks=True)
        again, more, _ = self.run(place)
        end = self.look(place)[0]
        is_there = bool(self.store_of(found)) and self.store_of(found) in (self.store_of(self.before), self.store_of(self.after))
        is_whole = again == self.code and end in (self.after, self.again)
        if self.is_change:  # where all had been done there is nothing to change, and so no claim to take over
            is_whole = again == 0 and self.store_of(end) in (self.store_of(self.after), self.store_of(self.again))
        if not is_whole and not self.is_ours:
            is_whole = again == 0 and self.store_of(end) == self.store_of(self.after)
        if not is_whole and not (again == 1 and is_there and "exists" in more and self.store_of(end) == self.store_of(found)):
            return [*results, "BLOCKED"], [*details, "THEN plain", again, sorted(set(os.listdir(place))), more.strip()[:300]]
        if self.overwritten is not None:
            shutil.rmtree(place)
            os.rename(saved, place)
            again, more, _ = self.run(place, overwrite=True)
            if again != 0 or self.look(place)[0] != self.overwritten:
                return [*results, "BLOCKED"], [*details, "THEN OVERWRITE=YES", again, sorted(set(os.listdir(place))), more.strip()[:300]]
        return results, details

    def has_hit(self, log, place, error):
        """True if the call that was hit touches the place. A killed call has no end in the log: the last line is its."""
        line = ""
        with open(log, errors="replace") as lines:
            for one in lines:
                if "(INJECTED)" in one or (error == "SIGKILL" and re.match(r"\d+ +\w+\(", one)):
                    line = one
                    if "(INJECTED)" in one and self.touches(one, place):
                        break
        self.hit = line.strip().replace(place, "@").split(" ", 1)[-1][:160]
        return bool(self.touches(line, place))


def sweep_all(folder, only="", seed=faults.SEED, seconds=180, jobs=1, tell=lambda text: None):
    """Rows for faults.table, and the details of what must not be. seconds None: everything."""
    sweeps = []
    for i, case in enumerate(case for case in cases() if only in case.name):
        sweeps.append(Sweep(case, f"{folder}/{i}"))
    tell(f"{len(sweeps)} scenarios, {sum(len(s.calls) for s in sweeps)} calls that touch the place, {sum(len(s.faults()) for s in sweeps)} faults")
    work = [(sweep, fault) for sweep in sweeps for fault in sweep.faults()]
    random.Random(seed).shuffle(work)
    end = None if seconds is None else time.monotonic() + seconds
    counts = {sweep.case.name: collections.Counter() for sweep in sweeps}
    bad = []
    lock = threading.Lock()

    def do(number):
        for sweep, fault in work[number::jobs]:
            if end is not None and time.monotonic() > end:
                return
            results, details = sweep.outcome(fault, f"run{number}")
            with lock:
                counts[sweep.case.name].update(results if details else [results[0]])
                counts[sweep.case.name]["kills" if fault[2] == "SIGKILL" else "faults"] += bool(details)
                for result in results:
                    if result in faults.BAD:
                        tell(f"{result}: {details}")
                        bad.extend([(result, details)] * sweep.is_ours)

    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        list(pool.map(do, range(jobs)))
    rows = []
    for sweep in sweeps:
        count = counts[sweep.case.name]
        n_faults, n_kills = count.pop("faults", 0), count.pop("kills", 0)
        sums = [sum(count[name] for name in names) for names in (faults.LIES, ("BLOCKED",), ("OTHERS' FILES LOST",))]
        rows.append([sweep.case.name, "kernel", [len(sweep.calls), 0], dict(count), [n_faults, n_kills, *sums], sweep.is_ours])
    return rows, bad


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--only", default="")
    parser.add_argument("--seed", default=faults.SEED)
    parser.add_argument("--seconds", type=int, default=180)
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    given = parser.parse_args()
    if why_not():
        print(f"skipped: {why_not()}")
        return 77
    gdal.UseExceptions()
    with tempfile.TemporaryDirectory(prefix="sweep") as folder:
        rows, bad = sweep_all(folder, given.only, given.seed, None if given.all else given.seconds, given.jobs, lambda text: print(text, flush=True))
    for line in faults.table(rows, "all calls" if given.all else f"a sample: --seed {given.seed}"):
        print(line)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
