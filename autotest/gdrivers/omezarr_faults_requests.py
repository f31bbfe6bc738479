"""The fault sweep of requests that read: GDAL opens, changes, replaces, resumes and makes stores on an object store (moto, behind
a proxy) while its Nth GET, HEAD or LIST is refused, fails, is cut or not answered, once or for ever. A lie is success with
anything but the undisturbed objects or pixels; afterwards the same command, and one with OVERWRITE=YES, must end whole."""

import collections
import os
import random
import zlib

import faults
import gdaltest
import pytest
import s3proxy
from osgeo import gdal

ACTIONS = (403, "bare 403", 500, 503, "reset", "cut")
SHARED = ["BLOCKSIZE=16"]
SHARDS = ["BLOCKSIZE=8", "SHARD=16", "OVERVIEW_COUNT=1"]
# name, operation, options, what is there before: "old", "foreign", or nothing
CASES = [
    ("read", "read", SHARED, "old"),
    ("read sharded", "read", SHARDS, "old"),
    ("read masked 0.4", "read", [*SHARED, "NGFF_VERSION=0.4"], "old"),
    ("new", "translate", SHARED, None),
    ("overwrite", "translate", [*SHARED, "OVERWRITE=YES"], "old"),
    ("foreign files", "translate", [*SHARED, "OVERWRITE=YES"], "foreign"),
    ("VERIFY", "translate", [*SHARED, "VERIFY=SOURCE"], None),
    ("patch", "patch", SHARED, "old"),
]
N_SAMPLE = 14


@pytest.fixture(scope="module")
def there():
    if not os.path.exists(f"{faults.FAULTS}/liblocalfault.so"):
        pytest.skip("tests/faults is not built here (only on Linux, without sanitizers)")
    pytest.importorskip("boto3")
    pytest.importorskip("moto.server")
    there = s3proxy.Moto()
    yield there
    there.close()


class Case:
    def __init__(self, there, case, folder):
        self.there, self.folder = there, folder
        self.name, self.op, self.options, before = case
        self.key = f"{self.name.replace(' ', '_')}.ome.zarr/"
        self.target = f"{there.root}/{self.key[:-1]}"
        self.source = f"{folder}/source.tif"
        array = gdaltest.random_array((1, 20, 30), "uint8", 7)
        source = gdaltest.mem(array, driver="GTiff", path=self.source, options=["TILED=YES", "BLOCKXSIZE=16", "BLOCKYSIZE=16"])
        if "masked" in self.name:
            source.CreateMaskBand(gdal.GMF_PER_DATASET)
            source.GetRasterBand(1).GetMaskBand().WriteRaster(0, 0, 30, 20, (array[0] // 100 * 255).tobytes())
        source = None
        self.old = {}
        if before:
            local = gdaltest.write(f"{folder}/old.ome.zarr", gdal.Open(self.source) if self.op == "read" else gdaltest.mem(
                gdaltest.random_array((1, 20, 30), "uint8", 8)), *[option for option in self.options if "OVERWRITE" not in option])
            self.old = {name: text for name, text in gdaltest.snapshot(local).items() if text != "folder"}
        self.foreign = faults.FOREIGN if before == "foreign" else {}
        self.old.update(self.foreign)
        self.lay()
        first = len(there.proxy.requests)
        self.code, self.said = self.run()
        self.is_refused = bool(self.foreign)
        assert self.code == int(self.is_refused), self.said
        self.n_reads = sum(method in ("GET", "HEAD") for method, _ in there.proxy.requests[first:])
        self.new = there.objects(self.key)
        self.ends = [self.new]
        if self.op == "patch":
            self.run()
            self.ends.append(there.objects(self.key))
        self.overwritten = None
        if self.op != "read" and not self.is_refused:
            assert self.run(overwrite=True)[0] == 0
            self.overwritten = there.objects(self.key)

    def lay(self, objects=None):
        for key in self.there.sizes(self.key):
            self.there.delete(self.key + key)
        for key in self.there.sizes("." + self.key[:-1]):
            self.there.delete("." + self.key[:-1] + key)
        for name, text in (self.old if objects is None else objects).items():
            self.there.put(self.key + name, text)

    def run(self, overwrite=False):
        options = [*self.options, "NUM_THREADS=1"]
        op, options = ("translate", [o for o in options if "OVERWRITE" not in o] + ["OVERWRITE=YES"]) if overwrite else (self.op, options)
        request = {"name": op, "source": self.source, "target": self.target, "options": options}
        environment = dict(self.there.options(), GDAL_HTTP_RETRY_DELAY="0.001", NO_PROXY="127.0.0.1", no_proxy="127.0.0.1")
        code = faults.zygotes.run(request, environment, f"{self.folder}/said")
        with open(f"{self.folder}/said.err", errors="replace") as errors, open(f"{self.folder}/said.out") as told:
            return (code, told.read()) if code == 0 else (code, errors.read())

    def faults(self):
        chance = random.Random(zlib.crc32(f"{faults.SEED} {self.name} requests".encode()))
        every = [(n, action, count) for n in range(1, self.n_reads + 1) for action in ACTIONS for count in (1, 10**6)]
        return every if faults.IS_WHOLE else chance.sample(every, min(N_SAMPLE, len(every)))

    def outcome(self, n, action, count):
        self.lay()
        with self.there.proxy.rule(action, "READ", n, count) as rule:
            code, said = self.run()
        if rule.n_done == 0:
            return ["missed"], ""
        found = self.there.objects(self.key)
        left = self.there.sizes("." + self.key[:-1])
        results = [self.judge(code, said, found)]
        if any(found.get(name) != text for name, text in self.foreign.items()):
            results.append("OTHERS' FILES LOST")
        if self.op == "read" or set(results) & set(faults.BAD) - {"honest, old lost"} or (not left and found in (self.old, self.new)):
            return results, said
        claims = {key: self.there.client.get_object(Bucket="bucket", Key="." + self.key[:-1] + key)["Body"].read() for key in left}
        code, more = self.run()
        end = self.there.objects(self.key)
        if not (code == self.code and end in self.ends) and not (code == 1 and found == self.new and end == found and "exists" in more):
            return [*results, "BLOCKED"], f"{said} THEN {more}"
        if self.overwritten is not None:
            self.lay(found)
            for key, text in claims.items():
                self.there.put("." + self.key[:-1] + key, text)
            code, more = self.run(overwrite=True)
            if code != 0 or self.there.objects(self.key) != self.overwritten:
                return [*results, "BLOCKED"], f"{said} THEN {more}"
        return results, said

    def judge(self, code, said, found):
        found = {key: text for key, text in found.items() if not key.startswith((".omezarr-claim", ".omezarr-takeover"))}  # left where nothing answers
        if self.op == "read":
            return "LIE" if found != self.old or (code == 0 and said != self.said) else "harmless" if code == 0 else "honest" if "ERROR" in said else "silent failure"
        if code < 0:
            return "CRASH"
        if code == 0:
            return "harmless" if found == self.new and not self.is_refused else "LIE"
        if "ERROR" not in said:
            return "silent failure"
        if found in (self.old, self.new) or ".omezarr-dirty" in found:
            return "honest"
        return "honest, but torn" if "zarr.json" in found else "honest, old lost" if self.old else "honest"


@pytest.mark.parametrize("case", CASES, ids=lambda case: case[0].replace(" ", ""))
def test_no_request_that_fails_ends_in_a_lie(there, case, tmp_path, record_property):
    case = Case(there, case, tmp_path)
    counts, bad, n = collections.Counter(), [], 0
    for fault in case.faults():
        results, said = case.outcome(*fault)
        n += 1
        counts.update(results)
        # An object store has no exchange: an overwrite deletes the old root first.
        bad += [(result, fault, said) for result in results if result in faults.BAD and result != "honest, old lost"]
    sums = [sum(result in names for result, *_ in bad) for names in (faults.LIES, ("BLOCKED",), ("OTHERS' FILES LOST",))]
    record_property("faults", [case.name, "S3", [0, case.n_reads], dict(counts), [n, 0, *sums], True])
    assert bad == [], "\n".join(map(str, bad))
