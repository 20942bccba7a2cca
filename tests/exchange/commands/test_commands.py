"""The commands org, device, grant and trip, as typed, against a running exchange."""

import json
import socket
import stat
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from exchange.cli import main
from ledger.evidence.verify import verify_evidence
from ledger.policy import parse_policy
from schemas.cose.keys import SoftwareSigner
from schemas.statements import device_key
from tests.exchange.world import T0, Device, World


@dataclass
class Shell:
    """A folder, a command line, and what it printed."""

    world: World
    folder: Path
    printed: Callable[[], tuple[str, str]]

    def path(self, name: str) -> str:
        return str(self.folder / name)

    def write(self, name: str, members: dict[str, Any]) -> str:
        (self.folder / name).write_text(json.dumps(members))
        return self.path(name)

    def run(self, *words: str) -> tuple[int, str, str]:
        code = main(list(words))
        out, err = self.printed()
        return code, out, err

    def json(self, *words: str) -> dict[str, Any]:
        code, out, err = self.run(*words, "--json")
        assert (code, err) == (0, "")
        found: dict[str, Any] = json.loads(out.splitlines()[-1])
        return found

    @property
    def operator(self) -> str:
        operator = self.world.operator
        return self.write(
            "operator.json",
            {
                "api": str(self.world.http.base_url),
                "client_id": operator.client_id,
                "client_secret": operator.client_secret,
            },
        )

    def org(self, name: str, role: str) -> str:
        """Makes NAME.pem and NAME.json as the README does; returns the credentials file."""
        self.json("org", "key", self.path(f"{name}.pem"))
        public = self.path(f"{name}.pem.pub")
        words = ("org", "add", name, "--role", role, "--key", public)
        return self.write(f"{name}.json", self.json(*words, "--credentials", self.operator))

    def request(self, signer: SoftwareSigner, device: str = "dev-1") -> str:
        """What ``agent enrol`` leaves in the truck's folder."""
        message = device_key.possession_message("acme", device, self.world.origin)
        return self.write(
            "request.json",
            {
                "carrier": "acme",
                "device": device,
                "origin": self.world.origin,
                "cose_key": signer.public.cose_key.hex(),
                "proof": signer.sign(message).hex(),
            },
        )


@pytest.fixture
def shell(world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Shell:
    def printed() -> tuple[str, str]:
        captured = capsys.readouterr()
        return captured.out, captured.err

    return Shell(world, tmp_path, printed)


def test_the_way_from_a_key_to_evidence(shell: Shell) -> None:
    world = shell.world
    acme, insurer = shell.org("acme", "carrier"), shell.org("insurer-x", "insurer")
    signer = SoftwareSigner.generate()
    added = shell.json(
        *("device", "add", shell.request(signer), "--vehicle", "v-1"),
        *("--key", shell.path("acme.pem"), "--credentials", acme),
        *("--out", shell.path("enrolment.json")),
    )
    granted = shell.json(
        *("grant", "add", "--to", "insurer-x", "--purpose", "insurance", "--vehicle", "v-1"),
        *("--precision", "exact", "--identity", "--expires", "2099-12-31"),
        *("--key", shell.path("acme.pem"), "--credentials", acme),
    )
    device = Device("acme", "dev-1", "v-1", signer, bytes(8))
    trip_id, _ = world.commit_trip(device, T0, [world.commit_segment(device, T0)])
    world.publish()
    listed = shell.json("trip", "list", "--credentials", insurer)
    got = shell.json("trip", "get", trip_id, "--credentials", insurer)
    file = shell.json(
        *("trip", "evidence", trip_id, "--form", "full", "--out", shell.path("t.evidence")),
        *("--credentials", insurer),
    )
    shell.json(
        *("trip", "evidence", "--vehicle", "v-1", "--from", "2023-11-14", "--to", "2023-11-15"),
        *("--out", shell.path("s.evidence"), "--credentials", insurer),
    )

    enrolment = json.loads((shell.folder / "enrolment.json").read_text())
    assert stat.S_IMODE((shell.folder / "enrolment.json").stat().st_mode) == 0o600
    assert (added["device"], enrolment["mqtt_username"]) == ("dev-1", "acme/dev-1")
    assert granted["state"] == "active"
    assert [item["id"] for item in listed["items"]] == [trip_id] == [got["id"]]
    assert file["evidence_file"] == shell.path("t.evidence")
    policy = parse_policy(world.directory.policy.read_bytes())
    for name, kind in (("t.evidence", "full"), ("s.evidence", "segments")):
        report = verify_evidence((shell.folder / name).read_bytes(), policy)
        assert (report.kind, report.findings) == (kind, ())


def test_tables_for_people_hold_whole_ids(shell: Shell) -> None:
    acme = shell.org("acme", "carrier")
    shell.org("insurer-x", "insurer")
    shell.world.publish()
    assert "neither given nor received" in shell.run("grant", "list", "--credentials", acme)[1]
    assert "No trip is open" in shell.run("trip", "list", "--credentials", acme)[1]
    granted = shell.json(
        *("grant", "add", "--to", "insurer-x", "--purpose", "insurance", "--vehicle", "*"),
        *("--expires", "2099-12-31", "--key", shell.path("acme.pem"), "--credentials", acme),
    )
    signer = SoftwareSigner.generate()
    shell.json(
        *("device", "add", shell.request(signer), "--vehicle", "v-1"),
        *("--key", shell.path("acme.pem"), "--credentials", acme, "--out", shell.path("e.json")),
    )
    device = Device("acme", "dev-1", "v-1", signer, bytes(8))
    trip_id, _ = shell.world.commit_trip(device, T0, [shell.world.commit_segment(device, T0)])
    shell.world.publish()
    _, grants, _ = shell.run("grant", "list", "--credentials", acme)
    _, trips, _ = shell.run("trip", "list", "--credentials", acme)
    _, trip, _ = shell.run("trip", "get", trip_id, "--credentials", acme)

    assert granted["id"][:16] in grants
    assert "active" in grants
    assert trip_id in trips
    assert "1.33" in trips
    assert "v-1" in trip
    assert "rule speed, position latitude 52.0, longitude 13.0" in trip
    assert "{" not in trip


def test_a_grant_is_revoked_by_the_start_of_its_id(shell: Shell) -> None:
    acme = shell.org("acme", "carrier")
    shell.org("insurer-x", "insurer")
    key = ("--key", shell.path("acme.pem"), "--credentials", acme)
    granted = shell.json(
        *("grant", "add", "--to", "insurer-x", "--purpose", "insurance", "--vehicle", "v-1"),
        *("--expires", "2099-12-31T00:00:00+02:00", *key),
    )
    revoked = shell.json("grant", "revoke", granted["id"][:12], *key)

    assert granted["expires_at"] == "2099-12-30T22:00:00.000Z"
    assert revoked["state"] == "revoked"


@pytest.mark.parametrize("alg", ["ES256", "Ed25519", "ML-DSA-44", "ML-DSA-65"])
def test_a_key_is_private_and_never_overwritten(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], alg: str
) -> None:
    file = tmp_path / "acme.pem"
    assert main(["org", "key", str(file), "--alg", alg]) == 0
    held = file.read_bytes()
    assert main(["org", "key", str(file)]) == 2

    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert file.read_bytes() == held
    assert SoftwareSigner.from_pem(held).public.suite_name == alg
    assert "exists already" in capsys.readouterr().err


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def test_what_goes_wrong_is_one_sentence_that_says_what_to_do(shell: Shell) -> None:
    shell.org("acme", "carrier")
    shell.world.publish()
    operator = shell.world.operator
    api = str(shell.world.http.base_url)
    wrong = shell.write(
        "wrong.json", {"api": api, "client_id": operator.client_id, "client_secret": "guess"}
    )
    nobody = shell.write(
        "away.json",
        {"api": f"http://127.0.0.1:{free_port()}", "client_id": "a", "client_secret": "b"},
    )
    shell.write("broken.json", {"api": api})
    (shell.folder / "text").write_text("not json")
    (shell.folder / "link").symlink_to("text")
    evidence = ("trip", "evidence", "--credentials", wrong)
    of_vehicle = ("--vehicle", "v-1", "--from", "2026-01-01", "--to", "2026-01-02")
    backwards = ("--vehicle", "v-1", "--from", "2026-01-02", "--to", "2026-01-01")
    cases = [
        (("trip", "list", "--credentials", wrong), 1, "invalid_client"),
        (("trip", "list", "--credentials", nobody), 3, "haulproof up"),
        (("trip", "list", "--credentials", shell.path("none.json")), 2, "check the path"),
        (("trip", "list", "--credentials", shell.path("broken.json")), 2, "lacks client_id"),
        (("trip", "list", "--credentials", shell.path("text")), 2, "not JSON"),
        (("trip", "list", "--credentials", str(shell.folder)), 2, "is a folder"),
        (("trip", "list"), 2, "HAULPROOF_API"),
        (("trip", "get", "0" * 32, "--credentials", shell.path("acme.json")), 1, "no-grant"),
        (("trip", "get", "xyz", "--credentials", shell.path("acme.json")), 2, "trip list"),
        (("trip", "evidence", "--out", shell.path("x"), "--credentials", wrong), 2, "--vehicle"),
        (("trip", "list", "--from", "soon", "--credentials", wrong), 2, "2027-12-31"),
        (("grant", "revoke", "ab", "--key", wrong, "--credentials", wrong), 2, "private key"),
        (("org", "key", shell.path("no/acme.pem")), 2, "make it first"),
        (("org", "key", shell.path("x.pem"), "--alg", "RSA"), 2, "ES256"),
        (("org", "add", "x", "--role", "king", "--key", wrong), 2, "--help"),
        (("org", "add", "x", "--role", "bank", "--key", wrong, "--dir", "/nowhere"), 2, "lacks"),
        (("org", "add", "x", "--role", "bank", "--key", shell.path("acme.pem")), 2, "acme.pem.pub"),
        (("device", "add", wrong, "--vehicle", "v"), 2, "see haulproof device add --help"),
        (("trip", "evidence", "x"), 2, "see haulproof trip evidence --help"),
        (("trip", "list", "--nope"), 2, "see haulproof trip list --help"),
        (("trip", "nope"), 2, "see haulproof trip --help"),
        (("trip",), 2, "say what to do: see haulproof trip --help"),
        ((*evidence, "0" * 32, "--from", "2026-01-01", "--out", shell.path("x")), 2, "alone"),
        ((*evidence, *of_vehicle, "--form", "full", "--out", shell.path("x")), 2, "--form"),
        ((*evidence, *backwards, "--out", shell.path("x")), 2, "not before"),
        ((*evidence, "0" * 32, "--out", "/dev/null"), 2, "no plain file"),
        ((*evidence, "0" * 32, "--out", shell.path("link")), 2, "no plain file"),
    ]
    for words, expected, hint in cases:
        code, _, err = shell.run(*words)
        assert code == expected, (words, err)
        assert hint in err, (words, err)
        sentences = [line for line in err.splitlines() if not line.endswith("…")]
        assert len(sentences) == 1, err
        assert "guess" not in err


def test_a_request_that_proves_nothing_is_not_sent(shell: Shell) -> None:
    acme = shell.org("acme", "carrier")
    asked = json.loads(Path(shell.request(SoftwareSigner.generate())).read_text())
    for changed in ({"device": "dev-2"}, {"proof": "00" * 64}, {"cose_key": "zz"}):
        request = shell.write("changed.json", {**asked, **changed})
        code, _, err = shell.run(
            *("device", "add", request, "--vehicle", "v-1", "--key", shell.path("acme.pem")),
            *("--credentials", acme, "--out", shell.path("e.json")),
        )
        assert (code, "agent enrol" in err) == (2, True)


def test_a_file_that_may_not_be_read_is_a_matter_of_permission(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed = shell.write("closed.json", {})

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied", closed)

    monkeypatch.setattr("os.access", lambda *_: False)
    monkeypatch.setattr(Path, "open", refuse)
    for words in (
        ("trip", "list", "--credentials", closed),
        ("org", "add", "x", "--role", "bank", "--key", closed),
        ("grant", "revoke", "ab" * 8, "--key", closed),
    ):
        code, _, err = shell.run(*words)
        assert (code, err) == (
            3,
            f"haulproof: no permission to read {closed}: run this as the user that owns it\n",
        )


def test_credentials_come_from_the_environment_too(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = json.loads(Path(shell.org("acme", "carrier")).read_text())
    monkeypatch.setenv("HAULPROOF_API", held["api"])
    monkeypatch.setenv("HAULPROOF_CLIENT_ID", held["client_id"])
    monkeypatch.setenv("HAULPROOF_CLIENT_SECRET", held["client_secret"])

    assert shell.json("grant", "list") == {"items": []}


@pytest.mark.parametrize(
    "words",
    [
        ("org", "key"),
        ("org", "add"),
        ("device", "add"),
        ("grant", "add"),
        ("grant", "list"),
        ("grant", "revoke"),
        ("trip", "list"),
        ("trip", "get"),
        ("trip", "evidence"),
    ],
)
def test_help_shows_an_example(words: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*words, "--help"]) == 0
    assert f"haulproof {' '.join(words)}" in capsys.readouterr().out.replace("\n", " ")
