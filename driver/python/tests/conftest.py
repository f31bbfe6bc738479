"""What several tests share: pictures, and a reader that is not ours where one is installed."""

import importlib.util
import json
import os
import pathlib

import numpy as np
import pytest

import omezarr


def pytest_addoption(parser):
    parser.addoption("--expected-skips", metavar="FILE", help="fail on a skip that is not on this list (autotest/pymod/skips.py)")


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session):
    path = session.config.getoption("expected_skips")
    if path is None or hasattr(session.config, "workerinput"):
        return
    place = pathlib.Path(__file__).parents[3] / "autotest" / "pymod" / "skips.py"
    spec = importlib.util.spec_from_file_location("skips", place)
    skips = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(skips)
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    session.config.bad_skips = skips.unexpected(reporter.stats.get("skipped", []), skips.read(pathlib.Path(__file__).parent / path))
    if session.config.bad_skips and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter):
    for line in getattr(terminalreporter.config, "bad_skips", []):
        terminalreporter.write_line(f"SKIP FAILED, not on the list of expected skips: {line}", red=True)


@pytest.fixture
def rng():
    return np.random.default_rng(20261130)


def level(store, number=0):
    """The pixels of a level as zarr-python reads them; where it is not installed, as our reader does."""
    try:
        import zarr
    except ImportError:
        return np.asarray(omezarr.from_ngff_zarr(store).images[number].source)
    return zarr.open_group(str(store), mode="r")[path(store, number)][...]


def path(store, number=0):
    return attributes(store)["multiscales"][0]["datasets"][number]["path"]


def attributes(store):
    """The OME metadata as it lies in the root's document."""
    document = os.path.join(store, "zarr.json")
    if os.path.exists(document):
        with open(document) as file:
            return json.load(file)["attributes"]["ome"]
    with open(os.path.join(store, ".zattrs")) as file:
        return json.load(file)


def mean(pixels, factor):
    """Mean of each window, in integers, rounded half up; windows at the far ends are smaller."""
    out = np.empty([-(-n // factor) for n in pixels.shape], pixels.dtype)
    for index in np.ndindex(*out.shape):
        window = pixels[tuple(slice(i * factor, (i + 1) * factor) for i in index)].astype(object)
        out[index] = (2 * int(window.sum()) + window.size) // (2 * window.size)
    return out


def mode(pixels, factor):
    """Most frequent value of each window, the smallest of several."""
    out = np.empty([-(-n // factor) for n in pixels.shape], pixels.dtype)
    for index in np.ndindex(*out.shape):
        values, counts = np.unique(pixels[tuple(slice(i * factor, (i + 1) * factor) for i in index)], return_counts=True)
        out[index] = values[counts.argmax()]
    return out
