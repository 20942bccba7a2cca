"""``haulproof sim truck`` as a user or another program runs it."""

import json
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from firmware_sim.cli import main
from tests.firmware_sim import recordings
from tests.firmware_sim.bench.listeners import Heard, can_client

RUN = "import sys; from firmware_sim.cli import main; sys.exit(main(sys.argv[1:]))"
ROOT = Path(__file__).parents[2]


def started(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", RUN, "truck", *arguments],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def ports_of(line: str) -> tuple[int, int]:
    told = json.loads(line)
    return int(told["can"].split(":")[2].split("/")[0]), int(told["nmea"].split(":")[2])


def test_json_lines_tell_the_addresses_first_and_the_counts_last() -> None:
    with started("--drive", str(recordings.ETI), "--speed", "1000", "--json") as sim:
        assert sim.stdout is not None
        first = sim.stdout.readline()
        can_port, nmea_port = ports_of(first)
        with can_client(can_port):
            Heard(nmea_port).until_closed()
        last = json.loads(sim.stdout.readlines()[-1])
        assert sim.wait(30) == 0

    told = json.loads(first)
    assert (told["format"], told["framing"], told["items"]) == ("candump", "recorded", 2_645)
    assert told["t_zero_ms"] == 1_619_180_563_128
    assert last == {
        "frames": 2_645,
        "fixes": 0,
        "unheard_frames": 0,
        "unheard_fixes": 0,
        "ended": True,
    }


def test_interrupt_ends_cleanly_with_130_and_without_the_end_sentence() -> None:
    with started("--json") as sim:
        assert sim.stdout is not None
        assert sim.stderr is not None
        can_port, nmea_port = ports_of(sim.stdout.readline())
        with can_client(can_port) as bus:
            heard = Heard(nmea_port)
            assert bus.recv(20) is not None
            sim.send_signal(signal.SIGINT)
            assert heard.until_closed() == b""
        assert sim.wait(30) == 130
        assert json.loads(sim.stdout.readlines()[-1])["ended"] is False
        assert sim.stderr.read() == ""


def test_words_for_people_name_the_drive_its_signals_and_the_addresses(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["truck", "--drive", str(recordings.DRIVE5), "--wait-timeout", "0"]) == 3

    told = capsys.readouterr()
    assert "drive5_urban_13min.csv: csv, 736 records over 790 s" in told.out
    assert "Left out: accel_z, accel_event, accel_event_cat" in told.out
    assert "can   socketcand://127.0.0.1:" in told.out
    assert told.err.startswith("haulproof sim: Nobody connected")


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--drive", "nowhere.csv"], 2, "can't be opened: no such file"),
        (["--drive", __file__], 2, "no format that is known here|no known signal"),
        (["--speed", "0"], 2, "--speed is a number above 0"),
        (["--speed", "nan"], 2, "--speed is a number above 0"),
        (["--no-such-option"], 2, "No such option"),
    ],
    ids=["missing file", "no drive", "no speed", "no number", "no option"],
)
def test_mistakes_are_answered_with_a_sentence_and_their_code(
    arguments: list[str], code: int, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["truck", *arguments]) == code

    told = capsys.readouterr()
    assert told.out == ""
    assert any(word in told.err for word in words.split("|"))
    assert "Traceback" not in told.err


def test_taken_port_is_an_error_of_the_environment(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert main(["truck", "--can-port", str(port), "--wait-timeout", "1"]) == 3

    assert "in use" in capsys.readouterr().err


def test_help_shows_examples(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["truck", "--help"]) == 0

    assert "haulproof sim truck --speed 60" in capsys.readouterr().out
