"""One rule for the whole suite: with HAULPROOF_REQUIRE_REAL_PARTS=1 a skip is a failure.

A test may skip itself when a real part (a system package, a privilege) is absent on a developer's
machine. CI sets the switch, so that nothing goes untested there unnoticed.
"""

import os
from collections.abc import Generator

import pytest

REAL_PARTS_REQUIRED = os.environ.get("HAULPROOF_REQUIRE_REAL_PARTS") == "1"


def _refuse_skip(report: pytest.TestReport | pytest.CollectReport) -> None:
    if REAL_PARTS_REQUIRED and report.skipped:
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        report.outcome = "failed"
        report.longrepr = f"HAULPROOF_REQUIRE_REAL_PARTS=1, and this was skipped: {reason}"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A test that skipped itself, or whose fixture did."""
    report = yield
    _refuse_skip(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """A module that skipped itself while it was collected."""
    report = yield
    _refuse_skip(report)
    return report
