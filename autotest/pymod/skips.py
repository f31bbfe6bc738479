"""Which skips are expected: a test that does not run must not look like one that passed.

A file of rows "pattern of the reason  |  why that is right here", as --expected-skips names it. A skip whose reason no
row matches makes the run fail."""

import fnmatch


def read(path):
    """[(pattern, why)] of the file; lines that begin with # are comments."""
    rows = []
    with open(path) as file:
        for line in file:
            if line.strip() and not line.startswith("#"):
                pattern, bar, why = line.partition("|")
                if not bar or not why.strip():
                    raise ValueError(f"{path}: no reason after | in: {line.strip()}")
                rows.append((pattern.strip(), why.strip()))
    return rows


def reason_of(report):
    """The reason of a skipped report, as the test gave it."""
    text = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    return text.removeprefix("Skipped: ")


def unexpected(reports, rows):
    """["test: reason"] of the skips that no row matches."""
    return [f"{report.nodeid}: {reason_of(report)}" for report in reports
            if not any(fnmatch.fnmatchcase(reason_of(report), pattern) for pattern, _ in rows)]
