from pathlib import Path
from typing import Any

import pytest

from edge_agent.configuration import Configuration, ConfigurationRefused, read_configuration


def test_without_a_file_the_defaults_hold(tmp_path: Path) -> None:
    assert read_configuration(tmp_path, {"can": None}) == Configuration()


def test_the_command_line_is_over_the_file(tmp_path: Path) -> None:
    (tmp_path / "agent.toml").write_text('can = ["socketcan:can0"]\nsegment_samples = 30\n')

    assert read_configuration(
        tmp_path, {"can": ["socketcan:can1"], "clock": None}
    ) == Configuration(can=("socketcan:can1",), segment_samples=30)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("cans = []", "cans is not one of"),
        ("segment_samples = 0", "not from 1 to 3600"),
        ("segment_samples = true", "wrong type"),
        ('can = "can0"', "wrong type"),
        ("can = [1]", "lists of addresses"),
        ('clock = "atomic"', "clock is system or source"),
        ("resend_after_s = nan", "not from 0"),
        ("[", "no TOML"),
        ("x = '\xff'", "no TOML"),
    ],
)
def test_a_file_that_cannot_be_used_says_what_to_change(
    tmp_path: Path, text: str, says: str
) -> None:
    (tmp_path / "agent.toml").write_bytes(text.encode("latin-1"))

    with pytest.raises(ConfigurationRefused, match=says):
        read_configuration(tmp_path, {})


@pytest.mark.parametrize("values", [{"drain_timeout_s": -1.0}, {"resend_after_s": 1e9}])
def test_the_command_line_is_held_to_the_same_ranges(
    tmp_path: Path, values: dict[str, Any]
) -> None:
    with pytest.raises(ConfigurationRefused, match=r"the command line: .* is not from"):
        read_configuration(tmp_path, values)
