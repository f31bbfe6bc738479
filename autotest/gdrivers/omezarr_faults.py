"""The fault sweep: calls that write, with every kind of fault, and calls that read, with errors and short reads, while GDAL makes,
replaces, changes, goes on with, verifies and reads small stores. No lie: never exit status 0 over anything but the store, report
or pixels of a run without faults, and after a kill nothing opens but the old store or the new. Nothing blocked: after every
fault and every kill the same command, and one with OVERWRITE=YES, end whole. Files of others stay. The counts are printed at the
end of the run."""

import os

import faults
import gdaltest
import pytest
from osgeo import gdal

if not os.path.exists(f"{faults.FAULTS}/liblocalfault.so"):
    pytest.skip("the functions in front of libc's are not built here (only on Linux, without sanitizers)", allow_module_level=True)


def need(place):
    if place != "local" and not os.path.exists(f"{faults.FAULTS}/gdal_vsifault.so"):
        pytest.skip("tests/faults/vsifault.cpp does not compile with this GDAL: its class of file systems is another")


@pytest.mark.parametrize("scenario, place", [(s, p) for s in faults.OURS for p in faults.places_of(s)],
                         ids=lambda thing: getattr(thing, "name", thing).replace(" ", ""))
def test_no_fault_ends_in_a_lie(scenario, place, tmp_path, record_property):
    need(place)
    sweep = faults.Sweep(scenario, place, tmp_path)
    assert faults.tell(record_property, sweep, sweep.all()) == []


@pytest.mark.parametrize("place", faults.PLACES)
def test_no_fault_of_the_record_ends_in_a_lie(place, tmp_path, record_property):
    """So many chunks that some are noted before the end."""
    need(place)
    scenario = faults.Scenario("record", "translate", ["BLOCKSIZE=16", "SCALE_FACTORS=4", "SHARD=NONE", "RESUME=YES"], shape=(1, 352, 352))
    sweep = faults.Sweep(scenario, place, tmp_path)
    found = sweep.all(at="record", most=30)
    assert faults.tell(record_property, sweep, found) == [] and sum(map(len, found.values())) > 25


def test_threads_lie_no_more_than_one(tmp_path, record_property):
    need("vsi")
    scenario = faults.OURS[0]._replace(name="4 threads", source=None, shape=(1, 50, 60))
    sweep = faults.Sweep(scenario, "vsi", tmp_path, threads=4)
    assert faults.tell(record_property, sweep, sweep.all(("fail", "kill"))) == []


@pytest.mark.skipif(gdaltest.AT_LEAST(3, 7), reason="what GDAL 3.6 does with faults is known")
@pytest.mark.parametrize("scenario", faults.PEERS, ids=lambda scenario: scenario.program)
def test_the_sweep_finds_lies(scenario, tmp_path, record_property):
    sweep = faults.Sweep(scenario, "local", tmp_path)
    found = sweep.all(most=None)
    faults.tell(record_property, sweep, found)
    assert found["LIE"] and found["honest, but torn"]


@pytest.mark.parametrize("place", ["local", "vsi"])
def test_an_honest_failure_leaves_nothing_and_the_next_run_succeeds(place, tmp_path):
    need(place)
    sweep = faults.Sweep(faults.OURS[0], place, tmp_path)
    for n in range(3, len(sweep.calls), 11):
        code, said, out, _ = sweep.run(f"next{n}", f"{n}:fail")
        assert code == 1 and "ERROR" in said and os.listdir(out) == [], (n, said)
        gdaltest.write(f"{out}/{sweep.name}", gdal.Open(sweep.source), *sweep.scenario.options)
        assert sweep.state(out) == "new"


def test_after_a_kill_the_next_run_succeeds(tmp_path):
    sweep = faults.Sweep(faults.OURS[0], "local", tmp_path)
    for n in range(6, len(sweep.calls) - 1, 17):
        code, _, out, _ = sweep.run(f"next{n}", f"{n}:kill")
        assert code == -9 and f".{sweep.name}.partial" in os.listdir(out)
        gdaltest.write(f"{out}/{sweep.name}", gdal.Open(sweep.source), *sweep.scenario.options, "OVERWRITE=YES")
        assert os.listdir(out) == [sweep.name] and sweep.state(out) == "new"
