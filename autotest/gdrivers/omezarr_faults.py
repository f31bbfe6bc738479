"""A part of the fault sweep that fits into a test run: `scripts/fault_sweep.sh` is all of it. No lie: never exit status 0
over a store that is not the one of a run without faults, and after a kill nothing opens but the old store or the new."""

import os

import faults
import gdaltest
import pytest
from osgeo import gdal

if not os.path.exists(f"{faults.FAULTS}/gdal_vsifault.so"):
    pytest.skip("the fault plugin is not built for this GDAL", allow_module_level=True)

# Steps are coprime to the three calls per object (open, write, close), so that each kind of call is met.
EVERY = {"0.5": 10, "0.4": 16, "sharded": 17, "overwrite": 13, "overwrite 0.4": 25, "spilled": 70, "Create + close": 23, "update": 9, "update 0.4": 17, "resume": 29}
N_ENDS = 10  # first and last calls are all met: claim and publication


@pytest.fixture(params=[(s, place) for s in faults.OURS for place in faults.PLACES], ids=lambda p: f"{p[0].name}-{p[1]}".replace(" ", ""))
def sweep(request, tmp_path):
    return faults.Sweep(*request.param, tmp_path)


def judge(sweep, found):
    bad = [details for name in faults.BAD if not faults.may_happen(name, sweep) for details in found.get(name, [])]
    print({name: len(list_) for name, list_ in found.items()})
    assert bad == []


def test_no_fault_ends_in_a_lie(sweep):
    every = EVERY[sweep.scenario.name]
    found = sweep.all(("fail", "kill"), every)
    judge(sweep, found)
    assert sum(map(len, found.values())) >= 2 * (sweep.n_calls // every)
    judge(sweep, sweep.all(("forever", "short", "lost", "killed"), every=4 * every + 1, first=2))


def test_no_fault_at_the_end_ends_in_a_lie(sweep):
    judge(sweep, sweep.all(("fail", "kill", "killed", "lost"), first=max(1, sweep.n_calls - N_ENDS), every=2 if sweep.scenario.has_old or sweep.is_resume else 3))


@pytest.mark.parametrize("place", faults.PLACES)
def test_threads_lie_no_more_than_one(place, tmp_path):
    sweep = faults.Sweep(faults.OURS[0], place, tmp_path, threads=4)
    judge(sweep, sweep.all(("fail", "kill"), every=13))


@pytest.mark.parametrize("place", ["local", "vsi"])
def test_an_honest_failure_leaves_nothing_and_the_next_run_succeeds(place, tmp_path):
    sweep = faults.Sweep(faults.OURS[0], place, tmp_path)
    for n in range(3, sweep.n_calls, 11):
        code, said, out, _ = sweep.run(f"next{n}", f"{n}:fail")
        assert code == 1 and "ERROR" in said and os.listdir(out) == [], (n, said)
        gdaltest.write(f"{out}/{sweep.name}", gdal.Open(sweep.source), *sweep.scenario.options)
        assert sweep.state(out) == "new"


def test_after_a_kill_the_next_run_succeeds(tmp_path):
    sweep = faults.Sweep(faults.OURS[0], "local", tmp_path)
    for n in range(6, sweep.n_calls - 1, 17):
        code, _, out, _ = sweep.run(f"next{n}", f"{n}:kill")
        assert code == -9 and f".{sweep.name}.partial" in os.listdir(out)
        gdaltest.write(f"{out}/{sweep.name}", gdal.Open(sweep.source), *sweep.scenario.options, "OVERWRITE=YES")
        assert os.listdir(out) == [sweep.name] and sweep.state(out) == "new"
