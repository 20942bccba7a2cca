"""The demo, as a person or a program calls it."""

import json
import shutil
import signal
import subprocess
from contextlib import suppress
from pathlib import Path

import pytest

from tests.e2e.shells import environment

FIELDS = [
    "drive",
    "samples",
    "segments",
    "trips",
    "distance_km",
    "receipts",
    "log_size",
    "evidence_file",
    "policy_file",
    "verified",
    "tamper_detected",
    "lost",
    "seconds",
]
DRIVES = Path(__file__).parents[1] / "data" / "drives"


def demo(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["haulproof", "demo", *words],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )


@pytest.mark.timeout(300)
def test_the_demo_brings_a_verified_trip_through_a_killed_exchange(tmp_path: Path) -> None:
    done = demo("--json", "--dir", str(tmp_path / "kept"))

    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout.splitlines()[-1])
    assert list(result) == FIELDS
    assert result["trips"] == 1
    assert result["distance_km"] == pytest.approx(7.150, rel=0.01)
    assert result["verified"] is True
    assert result["tamper_detected"] is True
    assert result["lost"] == 0
    assert "SIGKILL" in done.stderr
    evidence, policy = result["evidence_file"], result["policy_file"]
    verified = subprocess.run(
        ["haulproof", "verify", evidence, "--policy", policy, "--recompute", "--independent"],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert verified.returncode == 0, verified.stdout


@pytest.mark.timeout(300)
def test_a_recording_that_never_moves_ends_well_and_shows_its_wandering_fixes() -> None:
    drive = DRIVES / "truckgps" / "candump-2023-08-08_152318.log"
    done = demo("--drive", str(drive))

    assert done.returncode == 0, done.stderr
    assert "No trip, because the vehicle never drove 200 m." in done.stdout
    assert "fixes wander over" in done.stdout
    policy = Path(done.stdout.partition("--policy ")[2].split()[0])
    kept = {path for path in policy.parent.parent.rglob("*") if path.is_file()}
    assert kept == {policy, policy.with_name("trip.evidence")}
    shutil.rmtree(policy.parent.parent)


@pytest.mark.timeout(120)
def test_a_demo_that_is_ended_leaves_neither_processes_nor_files(tmp_path: Path) -> None:
    with subprocess.Popen(
        ["haulproof", "demo"],
        env={**environment(), "TMPDIR": str(tmp_path)},
        stdout=subprocess.PIPE,
        text=True,
    ) as running:
        assert running.stdout is not None
        for line in running.stdout:
            if "An exchange is up" in line:
                break
        assert len(processes_in(tmp_path)) > 5
        running.send_signal(signal.SIGTERM)
        running.communicate(timeout=60)

    assert running.returncode == 130
    assert list(tmp_path.iterdir()) == []
    assert processes_in(tmp_path) == []


def processes_in(folder: Path) -> list[str]:
    """Command lines that name the folder."""
    found = []
    for entry in Path("/proc").iterdir():
        with suppress(OSError):
            words = (entry / "cmdline").read_bytes().decode(errors="replace")
            if str(folder) in words:
                found.append(words)
    return found


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("empty.csv", ""),
        ("prose.txt", "It was a dark and stormy night.\n"),
        ("unknown.csv", "colour,shape\nred,round\n"),
    ],
)
def test_a_file_that_is_no_drive_is_wrong_usage(tmp_path: Path, name: str, content: str) -> None:
    file = tmp_path / name
    file.write_text(content)
    done = demo("--drive", str(file))

    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    done = demo("--drive", str(tmp_path / "nowhere.csv"))

    assert done.returncode == 2
    assert "nowhere.csv" in done.stderr


def test_a_folder_with_an_earlier_demo_is_not_played_over(tmp_path: Path) -> None:
    (tmp_path / "demo").mkdir()
    done = demo("--dir", str(tmp_path))

    assert done.returncode == 2
    assert "earlier demo" in done.stderr
