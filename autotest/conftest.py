"""What every test file gets: the plugin of the build tree, exceptions on, the module's folder as the current one, and
scratch places on disk (tmp_path) and in memory (tmp_vsimem)."""

import collections
import os
import sys

import pytest

here = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(here, "pymod"))
os.environ.setdefault("GDAL_DRIVER_PATH", os.path.join(os.path.dirname(here), "build", "driver", "gdal"))

from osgeo import gdal, ogr, osr  # noqa: E402  (GDAL loads plugins when it is imported)

gdal.UseExceptions()
ogr.UseExceptions()
osr.UseExceptions()


def pytest_addoption(parser):
    parser.addoption("--expected-skips", metavar="FILE", help="fail on a skip that is not on this list (pymod/skips.py)")


def pytest_configure(config):
    # A missing plugin must not look like a row of skipped tests.
    if gdal.GetDriverByName("OMEZARR") is None:
        pytest.exit(f"GDAL has no driver OMEZARR; GDAL_DRIVER_PATH is {os.environ['GDAL_DRIVER_PATH']}", 3)


def pytest_report_header(config):
    return f"{gdal.VersionInfo('--version')}; plugin from {os.environ['GDAL_DRIVER_PATH']}"


@pytest.fixture(autouse=True)
def in_own_folder(request, monkeypatch):
    monkeypatch.chdir(request.path.parent)


@pytest.fixture(autouse=True)
def honour_marks(request):
    for mark in request.node.iter_markers("require_driver"):
        if gdal.GetDriverByName(mark.args[0]) is None:
            pytest.skip(f"this GDAL has no driver {mark.args[0]}")
    for mark in request.node.iter_markers("require_gdal"):
        if int(gdal.VersionInfo()) < mark.args[0] * 1000000 + mark.args[1] * 10000:
            pytest.skip(f"GDAL {mark.args[0]}.{mark.args[1]} or newer")
    for _ in request.node.iter_markers("root"):
        if os.geteuid() != 0:
            pytest.skip("needs root")


@pytest.fixture
def tmp_vsimem(request):
    folder = f"/vsimem/{os.getpid()}_{abs(hash(request.node.nodeid)):x}"
    gdal.Mkdir(folder, 0o755)
    yield folder
    gdal.RmdirRecursive(folder)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session):
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    path = session.config.getoption("expected_skips")
    if path is None or hasattr(session.config, "workerinput"):
        return
    import skips

    session.config.bad_skips = skips.unexpected(reporter.stats.get("skipped", []), skips.read(session.config.rootpath.parent / path))
    if session.config.bad_skips and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter):
    for line in getattr(terminalreporter.config, "bad_skips", []):
        terminalreporter.write_line(f"SKIP FAILED, not on the list of expected skips: {line}", red=True)
    reports = [report for reports in terminalreporter.stats.values() for report in reports if getattr(report, "when", "") == "call"]
    seconds = collections.Counter()
    for report in reports:
        seconds[report.nodeid.split("::")[0]] += report.duration
    if len(seconds) > 1:
        terminalreporter.section("seconds of the slowest files, of all workers")
        for name, n in seconds.most_common(12):
            terminalreporter.write_line(f"{n:6.0f} {name}")
    rows = [value for report in reports for name, value in report.user_properties if name == "faults"]
    if rows:
        import faults

        terminalreporter.section("calls that write and calls that read, with faults")
        for line in faults.table(rows):
            terminalreporter.write_line(line)
