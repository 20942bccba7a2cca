"""Seeds and the fault table, told at the end of a run."""

import os
import random

import pytest

from tests.faults.table import TABLE

SEED = int(os.environ.get("HAULPROOF_SEED") or random.SystemRandom().randrange(2**32))


@pytest.fixture
def seed() -> int:
    """HAULPROOF_SEED, or a new one; printed, so that a run can be repeated."""
    print(f"HAULPROOF_SEED={SEED}")
    return SEED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the table when there is one."""
    if TABLE.rows:
        terminalreporter.section("faults")
        terminalreporter.write_line(f"HAULPROOF_SEED={SEED}")
        for line in TABLE.lines():
            terminalreporter.write_line(line)
