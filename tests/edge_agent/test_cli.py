"""The agent's command line, and the process that it starts."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from edge_agent.cli import main
from edge_agent.enrolment import read_key
from edge_agent.outbox import Outbox
from schemas.catalogue import EVENT_END_OF_SOURCE
from schemas.segment import FLAG_RECOVERED
from tests.edge_agent.bench_truck import playing
from tests.edge_agent.broker import CARRIER, DEVICE, make_broker
from tests.edge_agent.decode.test_nmea import sentence
from tests.edge_agent.fake_exchange import ORIGIN, FakeExchange, unbroken
from tests.edge_agent.opened import SPEED, opened, sealer
from tests.edge_agent.recorded import WANDERING
from tests.edge_agent.sources.test_socketcand import server
from tests.edge_agent.test_run import truck

AGENT = (sys.executable, "-m", "edge_agent")
NAMES = ("--carrier", CARRIER, "--device", DEVICE, "--origin", ORIGIN)
UNWANTED = {"numpy", "typer", "rich", "pydantic", "structlog", "fastapi", "psycopg"}


@asynccontextmanager
async def agent(
    folder: Path, can: str, nmea: str, *more: str
) -> AsyncIterator[asyncio.subprocess.Process]:
    """A running agent process, killed when the block is left."""
    arguments = ("run", "--dir", folder, "--can", can, "--nmea", nmea, "--clock", "source")
    process = await asyncio.create_subprocess_exec(
        *AGENT,
        *map(str, arguments),
        *("--json", "--resend-after", "0.5"),
        *more,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()


async def ended(process: asyncio.subprocess.Process) -> tuple[int, dict[str, object], str]:
    """Exit code, the JSON line, and what was logged."""
    async with asyncio.timeout(60):
        stdout, stderr = await process.communicate()
    assert process.returncode is not None
    return process.returncode, json.loads(stdout.splitlines()[-1]), stderr.decode()


def test_the_process_loads_nothing_that_a_truck_has_no_room_for() -> None:
    script = "import sys, edge_agent.cli; print(' '.join(sys.modules))"
    loaded = subprocess.run(
        [sys.executable, "-c", script], check=True, capture_output=True, text=True
    ).stdout.split()

    assert "edge_agent.uplink" in loaded
    assert not UNWANTED & {name.partition(".")[0] for name in loaded}


def test_a_run_loads_nothing_more_while_it_retries(tmp_path: Path, agent_dir: Path) -> None:
    """stamina would load structlog at its first retry, were its hooks not set."""
    script = (
        "import sys, edge_agent.run as run\n"
        "run._SOURCE_RETRY_S = 0.5\n"
        "from edge_agent.cli import main\n"
        f"code = main(['run', '--dir', {str(agent_dir)!r}, '--can', 'socketcand://127.0.0.1:1/can0',"
        " '--clock', 'source', '--drain-timeout', '0'])\n"
        "print(code, *sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    code, *loaded = run.stdout.split()

    assert code == "3"
    assert "trying again" in run.stderr
    assert not UNWANTED & {name.partition(".")[0] for name in loaded}


def test_a_drive_ends_with_every_receipt_and_exit_code_0(
    exchange: FakeExchange, agent_dir: Path
) -> None:
    async def scenario() -> tuple[int, dict[str, object], str]:
        async with (
            exchange.serving(),
            playing(WANDERING, 500) as bench,
            agent(agent_dir, bench.can, bench.nmea) as process,
        ):
            return await ended(process)

    code, summary, log = asyncio.run(scenario())

    assert code == 0
    assert (summary["samples"], summary["waiting"], summary["receipted"]) == (102, 0, 2)
    lines = [json.loads(line) for line in log.splitlines()]
    assert lines[-1]["event"] == "done"
    assert "40.59" not in log
    assert "correct horse" not in log


def test_a_kill_in_the_middle_leaves_a_stated_gap_and_an_unbroken_chain(
    exchange: FakeExchange, agent_dir: Path
) -> None:
    async def scenario() -> dict[str, object]:
        async with exchange.serving(), playing(truck(), 150) as bench:
            async with agent(agent_dir, bench.can, bench.nmea) as process:
                await exchange.until(lambda: len(exchange.segments()) > 3)
                process.kill()
                await process.communicate()
            async with agent(agent_dir, bench.can, bench.nmea) as process:
                code, summary, _ = await ended(process)
                assert code == 0
                return summary

    summary = asyncio.run(scenario())
    segments, (gap,) = exchange.segments(), exchange.gaps()
    boots = list(dict.fromkeys(segment.boot for segment in segments))
    recovered = [s for s in segments if s.flags & FLAG_RECOVERED]

    assert summary["waiting"] == 0
    assert unbroken(exchange.statements)
    assert len(boots) == 2
    assert {s.boot for s in recovered} <= {boots[0]}
    newest = max(s.t0 + (s.block.n - 1) * 1_000 for s in segments if s.boot == boots[0])
    oldest = min(s.t0 for s in segments if s.boot == boots[1])
    assert (gap.from_ms, gap.to_ms, gap.boot) == (newest, oldest, boots[1])
    assert [e.event_id for s in segments[-2:] for e in s.events] == [EVENT_END_OF_SOURCE]


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_a_signal_is_an_orderly_end(
    exchange: FakeExchange, agent_dir: Path, number: signal.Signals, code: int
) -> None:
    async def scenario() -> int:
        async with (
            exchange.serving(),
            playing(truck(), 60) as bench,
            agent(agent_dir, bench.can, bench.nmea) as process,
        ):
            await exchange.until(lambda: len(exchange.segments()) > 0)
            process.send_signal(number)
            return (await ended(process))[0]

    assert asyncio.run(scenario()) == code
    events = [e.event_id for s in exchange.segments() for e in s.events]
    assert events[-1] == EVENT_END_OF_SOURCE


def test_a_bus_without_any_known_signal_says_so_and_ends_with_2(
    exchange: FakeExchange, agent_dir: Path
) -> None:
    async def scenario() -> tuple[int, dict[str, object], str]:
        async def serve_end(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(sentence("PHLPEND"))
            await writer.drain()
            writer.close()

        receiver = await asyncio.start_server(serve_end, "127.0.0.1", 0)
        async with receiver, server(b"< frame 18FFAA00 5.000000 0011 >" * 10) as can:
            nmea = receiver.sockets[0].getsockname()[1]
            urls = f"socketcand://127.0.0.1:{can}/can0", f"tcp://127.0.0.1:{nmea}"
            async with agent(agent_dir, *urls) as process:
                return await ended(process)

    code, summary, log = asyncio.run(scenario())

    assert code == 2
    assert "no known signal was seen on" in log.splitlines()[-1]
    assert summary["statements"] == 0


def test_without_receipts_the_statements_stay_and_the_exit_code_is_3(
    exchange: FakeExchange, agent_dir: Path
) -> None:
    exchange.deaf = True

    async def scenario() -> tuple[int, dict[str, object], str]:
        async with (
            exchange.serving(),
            playing(WANDERING, 1_000) as bench,
            agent(agent_dir, bench.can, bench.nmea, "--drain-timeout", "0.5") as process,
        ):
            return await ended(process)

    code, _, log = asyncio.run(scenario())

    assert code == 3
    assert "2 statements have no receipt yet and stay in" in log.splitlines()[-1]


def test_two_agents_do_not_share_a_folder(
    exchange: FakeExchange, agent_dir: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    async def scenario() -> tuple[int, str]:
        async with (
            exchange.serving(),
            playing(truck(), 20) as bench,
            agent(agent_dir, bench.can, bench.nmea),
        ):
            await exchange.until(lambda: exchange.received > 0)
            assert main(["status", "--dir", str(agent_dir), "--json"]) == 0
            async with agent(agent_dir, bench.can, bench.nmea) as second:
                _, stderr = await second.communicate()
                assert second.returncode is not None
                return second.returncode, stderr.decode()

    code, said = asyncio.run(scenario())
    status = json.loads(capfd.readouterr().out.splitlines()[-1])

    assert code == 3
    assert "another agent is running there" in said
    assert status["running"] is True


def test_enrol_and_status_before_the_first_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["enrol", "--dir", str(tmp_path / "t"), *NAMES, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"request": str(tmp_path / "t/request.json")}
    assert main(["status", "--dir", str(tmp_path / "t"), "--json"]) == 0
    status = json.loads(capsys.readouterr().out)

    assert status["device"] == f"hp:{CARRIER}/{DEVICE}"
    assert status["running"] is False
    assert list(status)[:1] == ["seconds_since_receipt"]


def test_status_counts_by_state(agent_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Outbox.open(agent_dir / "outbox.sqlite").close()
    main(["status", "--dir", str(agent_dir)])

    assert "waiting: 0" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("run",), 2, "run agent enrol first"),
        (("run", "--can", "nonsense"), 2, "is no bus"),
        (("status",), 2, "run agent enrol first"),
        (("enrol", "--carrier", "A", "--device", "b", "--origin", "c"), 2, "names of a-z"),
    ],
)
def test_what_a_newcomer_gets_wrong_is_one_sentence(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: tuple[str, ...],
    code: int,
    says: str,
) -> None:
    command, *rest = arguments
    if says == "is no bus":
        FakeExchange.make(make_broker(tmp_path)).enrolment(tmp_path)
    given = [command, "--dir", str(tmp_path), *rest]
    if command == "run" and not rest:
        given += ["--can", "socketcan:can0"]

    assert main(given) == code
    said = capsys.readouterr().err.strip()
    assert says in said
    assert "\n" not in said


def test_a_run_without_any_source_asks_for_one(
    agent_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", "--dir", str(agent_dir)]) == 2
    assert "--can or --nmea" in capsys.readouterr().err


def test_a_folder_that_cannot_be_written_is_the_environments_fault(
    agent_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (agent_dir / "outbox.sqlite").write_bytes(os.urandom(4_096))

    assert main(["run", "--dir", str(agent_dir), "--can", "virtual:any"]) == 3
    assert "cannot be used" in capsys.readouterr().err


def test_a_folder_that_cannot_be_made_says_which_one_to_choose(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()

    assert main(["enrol", "--dir", str(tmp_path / "file" / "t"), *NAMES]) == 3
    assert "not a directory; choose a --dir" in capsys.readouterr().err


def test_a_missing_library_is_one_sentence() -> None:
    """Seen from a shell: nothing of the agent is loaded before its libraries are."""
    script = (
        "import runpy, sys; sys.modules['stamina'] = None;"
        "runpy.run_module('edge_agent', run_name='__main__')"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=60
    )

    assert done.returncode == 3
    assert done.stderr.splitlines() == [
        "edge_agent: it needs stamina, which is not installed: pip install 'haulproof[agent]'"
    ]


@pytest.mark.parametrize("arguments", [["-h"], ["enrol", "-h"], ["run", "-h"], ["status", "-h"]])
def test_help_shows_examples(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)

    assert ended.value.code == 0
    assert "haulproof agent run --dir truck" in capsys.readouterr().out


@pytest.mark.parametrize("arguments", [[], ["run"], ["run", "--clock", "atomic"], ["fly"]])
def test_wrong_usage_ends_with_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)

    assert ended.value.code == 2
    assert "usage" in capsys.readouterr().err


def test_what_has_its_receipt_is_sent_again_when_it_is_asked_for(
    agent_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sealed = sealer(read_key(agent_dir)).seal(opened([{SPEED: 1}], 77), b"", 0)
    outbox = Outbox.open(agent_dir / "outbox.sqlite")
    outbox.seal(sealed, 77, 1_000)
    outbox.receipted({1: 7}, 1_764_043_200_000)
    outbox.close()

    def resend(since: str) -> object:
        assert main(["resend", "--dir", str(agent_dir), "--since", since, "--json"]) == 0
        return json.loads(capsys.readouterr().out)

    assert resend("2025-11-25T04:00:00.001Z") == {"resend": 0}
    assert resend("2025-11-25T05:00+01:00") == {"resend": 1}
    assert resend("2025-11-25T04:00Z") == {"resend": 0}
    outbox = Outbox.open(agent_dir / "outbox.sqlite")
    assert outbox.unsent(0, 10) == [1]
    assert outbox.raw(1) == sealed[0].raw
    outbox.close()


@pytest.mark.parametrize("since", ["yesterday", "2025-11-25T04:00"])
def test_a_time_without_its_zone_is_no_time(
    agent_dir: Path, capsys: pytest.CaptureFixture[str], since: str
) -> None:
    assert main(["resend", "--dir", str(agent_dir), "--since", since]) == 2
    assert "with its zone" in capsys.readouterr().err
