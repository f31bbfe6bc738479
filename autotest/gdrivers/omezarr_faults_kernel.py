"""A sample of the sweep below libc (autotest/sweep_strace.py): unmodified programs, system calls that fail, SIGKILL at system
calls; on all threads. The seed is printed at the end of the run."""

import os
import sys

import pytest

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import faults  # noqa: E402
import sweep_strace  # noqa: E402

SECONDS = 80 if os.environ.get("OMEZARR_FAULTS") != "all" else None


def test_no_system_call_that_fails_ends_in_a_lie(tmp_path, record_property):
    if not os.path.exists(f"{faults.FAULTS}/liblocalfault.so"):
        pytest.skip("the functions in front of libc's, which make the start of a resumed run, are not built here")
    if sweep_strace.why_not():
        pytest.skip(sweep_strace.why_not())
    rows, bad = sweep_strace.sweep_all(tmp_path, seconds=SECONDS)
    for row in rows:
        record_property("faults", row)
    assert bad == []
    assert sum(row[4][0] + row[4][1] for row in rows) > 50
