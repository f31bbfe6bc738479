"""docs/python.md: every example is run, and prints what the page says, but for white space."""

import doctest
import pathlib

import pytest

PAGE = pathlib.Path(__file__).parents[3] / "docs" / "python.md"


class AsOnThePage(doctest.OutputChecker):
    """Dataclasses print in one line, the page has them indented."""

    def check_output(self, want, got, flags):
        def plain(text):
            return "".join(text.split()).replace(",)", ")").replace(",]", "]")

        return super().check_output(plain(want), plain(got), flags)


@pytest.mark.skipif(not PAGE.exists(), reason="the page is not beside the tests")
def test_page(tmp_path, monkeypatch):
    pytest.importorskip("dask")
    monkeypatch.chdir(tmp_path)
    test = doctest.DocTestParser().get_doctest(PAGE.read_text(encoding="utf-8"), {}, "python.md", str(PAGE), 0)
    assert len(test.examples) >= 12
    runner = doctest.DocTestRunner(AsOnThePage(), optionflags=doctest.ELLIPSIS)
    report = []
    runner.run(test, out=report.append)
    assert runner.failures == 0, "".join(report)
