"""In CI nothing is left out in silence: with CI=true a skipped test has failed, but for what is listed."""

import os
from collections.abc import Generator

import pytest

MAY_BE_SKIPPED = ("the labelled worlds lie in ../shared",)
"""Beginnings of the reasons that hold in CI too: what is no part of the project."""


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Turns a skip into a failure with the same sentence."""
    report = yield
    if os.environ.get("CI") == "true" and report.skipped and not hasattr(report, "wasxfail"):
        place, line, said = report.longrepr if isinstance(report.longrepr, tuple) else ("", 0, "")
        reason = said.removeprefix("Skipped: ")
        if not reason.startswith(MAY_BE_SKIPPED):
            report.outcome = "failed"
            report.longrepr = f"{place}:{line}: skipped in CI: {reason}"
    return report
