"""``haulproof log proof`` asks an exchange; ``haulproof verify`` checks what it wrote."""

import json
from pathlib import Path

import pytest

from haulproof import verify
from haulproof.log import cli
from tests.exchange.api.conftest import Settled
from tests.exchange.commands.test_http import answer, speaking


def trip_of(settled: Settled) -> bytes:
    with settled.world.exchange.connection() as conn:
        row = conn.execute("SELECT raw FROM statement WHERE kind = 3").fetchone()
    assert row is not None
    return bytes(row[0])


@pytest.fixture
def place(settled: Settled, tmp_path: Path) -> Path:
    """A folder with the trip's statement, the policy and the insurer's credentials."""
    (tmp_path / "trip.cose").write_bytes(trip_of(settled))
    (tmp_path / "policy.txt").write_text(f"log {settled.world.exchange.log_vkey}\nquorum none\n")
    credentials = {
        "api": str(settled.world.http.base_url),
        "client_id": settled.insurer.client_id,
        "client_secret": settled.insurer.client_secret,
    }
    (tmp_path / "insurer.json").write_text(json.dumps(credentials))
    return tmp_path


@pytest.mark.parametrize(
    ("form", "about"), [("tlog-proof", True), ("receipt", True), ("transparent", False)]
)
def test_what_it_writes_is_verified_offline(
    settled: Settled,
    place: Path,
    form: str,
    about: bool,
    capsys: pytest.CaptureFixture[str],
) -> None:
    api, out, trip = str(settled.world.http.base_url), place / "proof", str(place / "trip.cose")
    asked = ["--statement", trip, "--api", api, "--form", form, "--out", str(out), "--json"]

    assert cli.main(["proof", *asked]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told == {"proof_file": str(out), "bytes": out.stat().st_size}
    words = [str(out), "--policy", str(place / "policy.txt")]
    assert verify.main([*words, "--statement", trip] if about else words) == 0
    assert "Verified: leaf" in capsys.readouterr().out


def test_that_a_log_grew_is_asked_with_a_kept_checkpoint(
    settled: Settled, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    world, out, older = settled.world, place / "grown.receipt", place / "older.note"
    older.write_bytes(world.http.get("/log/checkpoint").content)
    asked = ["--older", str(older), "--api", str(world.http.base_url), "--out", str(out)]
    assert cli.main(["proof", *asked]) == 1
    assert "no-receipt" in capsys.readouterr().err

    world.admit("late", "insurer")
    world.publish()
    assert cli.main(["proof", *asked]) == 0
    policy = ["--policy", str(place / "policy.txt")]
    assert verify.main([str(out), "--older", str(older), *policy]) == 0
    assert "begins with the" in capsys.readouterr().out


def test_by_subject_it_prints_what_the_grant_opens(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    credentials = ["--credentials", str(place / "insurer.json")]

    assert cli.main(["proof", "--subject", "v-1", *credentials, "--limit", "1"]) == 0
    page = json.loads(capsys.readouterr().out)
    assert len(page["items"]) == 1
    assert cli.main(["proof", "--subject", "v-9", *credentials]) == 1
    assert "No grant opens vehicle v-9" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "code", "hint"),
    [
        (["--record", "00" * 32], 1, "not-found"),
        (["--leaf", "00" * 32], 1, "not-found"),
        (["--record", "12"], 2, "64 hexadecimal digits"),
        (["--record", "00" * 32, "--form", "receipt"], 2, "--out FILE"),
        (["--record", "00" * 32, "--form", "transparent", "--out", "x"], 2, "--statement FILE"),
        (["--subject", "v-1", "--form", "receipt"], 2, "come as json"),
        (["--record", "00" * 32, "--limit", "3"], 2, "are for --subject"),
        (["--older", __file__, "--form", "json"], 2, "holds no checkpoint"),
        (["--older", __file__, "--form", "tlog-proof"], 2, "as receipt or json"),
        (["--statement", "nowhere"], 2, "there is no statement nowhere"),
    ],
)
def test_what_cannot_be_answered_is_one_sentence(
    settled: Settled, words: list[str], code: int, hint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["proof", *words, "--api", str(settled.world.http.base_url)]) == code

    out, err = capsys.readouterr()
    assert out == ""
    assert hint in err
    assert err.count("\n") == 1


@pytest.mark.parametrize("form", ["json", "tlog-proof", "receipt"])
def test_what_is_no_exchange_is_told_so(
    form: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with speaking(answer("200 OK", "<p>hello</p>", "text/html")) as (somebody, _):
        words = ["--record", "00" * 32, "--form", form, "--out", str(tmp_path / "proof")]
        assert cli.main(["proof", *words, "--api", somebody.api]) == 3

    assert "check the address of the exchange" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_whom_to_ask_has_to_be_said(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HAULPROOF_API", raising=False)

    assert cli.main(["proof", "--record", "00" * 32]) == 2
    assert "--api URL" in capsys.readouterr().err


def test_an_unknown_word_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["prove"]) == 2
    assert "see haulproof log --help" in capsys.readouterr().err
