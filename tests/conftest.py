"""Rules for the whole suite: what is left out, and when that is a failure.

A test may skip itself when a real part (a system package, say) is absent on a developer's machine.
CI sets HAULPROOF_REQUIRE_REAL_PARTS=1, and then a skip is a failure, so that nothing goes untested
there unnoticed. Tests marked *root* are only for root: who is not root does not collect them.
"""

import os
from collections.abc import Generator

import pytest
from hypothesis import settings

settings.register_profile("without-clock", deadline=None)
settings.load_profile("without-clock")

REAL_PARTS_REQUIRED = os.environ.get("HAULPROOF_REQUIRE_REAL_PARTS") == "1"


def _refuse_skip(report: pytest.TestReport | pytest.CollectReport) -> None:
    if REAL_PARTS_REQUIRED and report.skipped:
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        report.outcome = "failed"
        report.longrepr = f"HAULPROOF_REQUIRE_REAL_PARTS=1, and this was skipped: {reason}"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what only root can set up."""
    if os.geteuid() == 0:
        return
    left_out = [item for item in items if item.get_closest_marker("root") is not None]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item not in left_out]


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
