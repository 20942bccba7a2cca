import json
from pathlib import Path
from typing import Any

import pytest

from edge_agent.enrolment import (
    EnrolmentRefused,
    enrol,
    read_enrolment,
    read_key,
    read_request,
    write_private,
)
from schemas.cose.keys import PublicKey
from schemas.statements.device_key import possession_message
from tests.edge_agent.broker import CARRIER, DEVICE, Broker
from tests.edge_agent.fake_exchange import ORIGIN, FakeExchange


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    FakeExchange.make(Broker(tmp_path, 1, 2, "pem")).enrolment(tmp_path / "truck1")
    return tmp_path / "truck1"


def change(folder: Path, **values: Any) -> None:
    path = folder / "enrolment.json"
    document = {**json.loads(path.read_text()), **values}
    write_private(path, json.dumps(document).encode())


def test_a_request_proves_possession_of_the_devices_key(folder: Path) -> None:
    request = json.loads((folder / "request.json").read_text())
    key = PublicKey.from_cose_key(bytes.fromhex(request["cose_key"]))

    key.verify(possession_message(CARRIER, DEVICE, ORIGIN), bytes.fromhex(request["proof"]))
    assert read_key(folder).public == key


def test_the_key_is_for_its_owner_only(folder: Path) -> None:
    assert (folder / "device.key").stat().st_mode & 0o777 == 0o600
    assert folder.stat().st_mode & 0o777 == 0o700


def test_enrolling_again_keeps_the_key(folder: Path) -> None:
    before = (folder / "device.key").read_bytes()
    enrol(folder, CARRIER, DEVICE, ORIGIN)

    assert (folder / "device.key").read_bytes() == before


def test_a_folder_belongs_to_one_device(folder: Path) -> None:
    with pytest.raises(EnrolmentRefused, match="choose another --dir"):
        enrol(folder, CARRIER, "dev-2", ORIGIN)


@pytest.mark.parametrize("name", ["", "Acme", "a b", "-a", "a" * 64])
def test_names_are_checked_before_anything_is_made(tmp_path: Path, name: str) -> None:
    with pytest.raises(EnrolmentRefused, match="a-z"):
        enrol(tmp_path / "new", name, DEVICE, ORIGIN)
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("origin", ["", "a log", "a+b", "a\n", "ü", "o" * 256])
def test_an_origin_that_no_log_has_is_refused(tmp_path: Path, origin: str) -> None:
    with pytest.raises(EnrolmentRefused, match="origin"):
        enrol(tmp_path / "new", CARRIER, DEVICE, origin)
    assert not (tmp_path / "new").exists()


def test_a_key_that_others_may_read_is_refused_with_the_command_that_helps(folder: Path) -> None:
    (folder / "device.key").chmod(0o644)

    with pytest.raises(EnrolmentRefused, match="chmod 600"):
        read_key(folder)


def test_a_key_file_without_a_key_is_refused(folder: Path) -> None:
    write_private(folder / "device.key", b"nothing")

    with pytest.raises(EnrolmentRefused, match="no private key"):
        read_key(folder)


def test_an_enrolment_is_read_with_its_keys(folder: Path) -> None:
    enrolment = read_enrolment(folder)

    assert enrolment.request == read_request(folder)
    assert enrolment.log_key.name == ORIGIN
    assert len(enrolment.exchange_keys) == 1


@pytest.mark.parametrize(
    "values",
    [
        {"log_origin": "another/log"},
        {"log_vkey": "nonsense"},
        {"exchange_keys": ["00"]},
        {"exchange_keys": [7]},
        {"exchange_keys": None},
        {"mqtt_port": 70_000},
        {"mqtt_port": True},
        {"mqtt_password": ""},
        {"ack_interval_s": -1},
        {"vehicle": None},
    ],
    ids=lambda values: next(iter(values)),
)
def test_an_enrolment_that_does_not_fit_is_refused_with_what_to_do(
    folder: Path, values: dict[str, Any]
) -> None:
    change(folder, **values)

    with pytest.raises(EnrolmentRefused, match=r"device add"):
        read_enrolment(folder)


@pytest.mark.parametrize("content", [b"", b"[]", b"\xff", b"{"])
def test_an_enrolment_that_is_no_document_is_refused(folder: Path, content: bytes) -> None:
    write_private(folder / "enrolment.json", content)

    with pytest.raises(EnrolmentRefused, match="JSON"):
        read_enrolment(folder)


def test_a_missing_enrolment_names_the_command_that_makes_it(folder: Path) -> None:
    (folder / "enrolment.json").unlink()

    with pytest.raises(EnrolmentRefused, match="haulproof device add"):
        read_enrolment(folder)
