"""Debian's Mosquitto with our files: who gets in, and what arrives where."""

import os
import stat
from collections.abc import Iterator

import pytest

from exchange.brokers.mosquitto import MosquittoFolder, tell_to_read_again
from exchange.devices.password_file import hashed, merged
from exchange.directory import Directory
from exchange.exits import EnvironmentUnfit, WrongUsage
from tests.exchange.mosquitto import Mosquitto, MqttDevice, until


@pytest.fixture
def devices(mosquitto: Mosquitto) -> Iterator[tuple[MqttDevice, MqttDevice]]:
    made = [
        MqttDevice(mosquitto, user, mosquitto.let_in(user)) for user in ("acme/dev-1", "acme/dev-2")
    ]
    yield made[0], made[1]
    for one in made:
        one.close()


def exchange(mosquitto: Mosquitto) -> MqttDevice:
    settings = mosquitto.settings
    return MqttDevice(
        mosquitto, settings.mqtt_user, settings.mqtt_password, hear=("hp/v1/+/+/seg",)
    )


def test_a_device_is_heard_on_its_own_topic_and_on_no_other(
    mosquitto: Mosquitto, devices: tuple[MqttDevice, MqttDevice]
) -> None:
    first, second = devices
    all_ears = exchange(mosquitto)
    try:
        first.publish(b"a neighbour's", "hp/v1/acme/dev-2/seg")
        first.publish(b"a forged receipt", "hp/v1/acme/dev-2/ack")
        first.publish(b"a receipt for itself", "hp/v1/acme/dev-1/ack")
        first.publish(b"own", "hp/v1/acme/dev-1/seg")
        until(lambda: all_ears.heard)
        all_ears.publish(b"receipt", "hp/v1/acme/dev-1/ack")
        all_ears.publish(b"refusal", "hp/v1/acme/dev-2/ref")
        until(lambda: first.heard and second.heard)
    finally:
        all_ears.close()

    assert all_ears.heard == [("hp/v1/acme/dev-1/seg", b"own")]
    assert first.heard == [("hp/v1/acme/dev-1/ack", b"receipt")]
    assert second.heard == [("hp/v1/acme/dev-2/ref", b"refusal")]


def test_a_wildcard_or_a_neighbour_s_client_id_brings_nothing(
    mosquitto: Mosquitto, devices: tuple[MqttDevice, MqttDevice]
) -> None:
    _, second = devices
    password = mosquitto.let_in("acme/dev-3")
    curious = MqttDevice(
        mosquitto,
        "acme/dev-3",
        password,
        client_id="acme/dev-2",
        hear=("#", "hp/v1/acme/dev-2/ack"),
    )
    answering = exchange(mosquitto)
    try:
        answering.publish(b"for dev-2", "hp/v1/acme/dev-2/ack")
        answering.publish(b"for dev-3", "hp/v1/acme/dev-3/ack")
        until(lambda: second.heard and curious.heard)
    finally:
        answering.close()
        curious.close()

    assert second.heard == [("hp/v1/acme/dev-2/ack", b"for dev-2")]
    assert set(curious.heard) == {("hp/v1/acme/dev-3/ack", b"for dev-3")}


@pytest.mark.parametrize(("user", "password"), [("acme/dev-1", "wrong"), ("acme/nobody", "x")])
def test_who_does_not_know_a_password_stays_outside(
    mosquitto: Mosquitto, devices: tuple[MqttDevice, MqttDevice], user: str, password: str
) -> None:
    stranger = MqttDevice(mosquitto, user, password)
    stranger.close()

    assert stranger.refused


def test_a_device_that_is_gone_from_the_file_stays_outside(mosquitto: Mosquitto) -> None:
    password = mosquitto.let_in("acme/dev-1")
    mosquitto.files.write_passwords({})
    mosquitto.read_again()

    def is_refused() -> bool:
        device = MqttDevice(mosquitto, "acme/dev-1", password)
        device.close()
        return bool(device.refused)

    until(is_refused)


def test_files_are_the_folder_owner_s_and_no_one_else_s(mosquitto: Mosquitto) -> None:
    folder = mosquitto.files.folder
    for name in ("mosquitto.conf", "acl", "passwords", "server.key"):
        held = (folder / name).stat()
        assert held.st_uid == folder.stat().st_uid
        assert stat.S_IMODE(held.st_mode) == 0o640


def test_what_the_operator_changed_is_kept(
    mosquitto: Mosquitto, exchange_directory: Directory
) -> None:
    mosquitto.files.configuration.write_text("# mine\n")
    again = MosquittoFolder(mosquitto.files.folder, mosquitto.settings, exchange_directory)
    again.prepare()

    assert mosquitto.files.configuration.read_text() == "# mine\n"


def test_a_password_file_keeps_strangers_and_forgets_devices_that_are_gone() -> None:
    before = "monitor:$7$a\nexchange:$7$old\nacme/dev-1:$7$b\nacme/gone:$7$c\n"

    after = merged(before, {"exchange": "$7$new"}, {"acme/dev-1": "$7$d", "acme/dev-2": "$7$e"})

    lines = ["monitor:$7$a", "exchange:$7$new", "acme/dev-1:$7$d", "acme/dev-2:$7$e"]
    assert after.splitlines() == lines
    assert merged(after, {"exchange": "$7$new"}, None).splitlines() == [
        lines[0],
        *lines[2:],
        lines[1],
    ]


def test_a_hash_is_the_one_that_mosquitto_passwd_makes() -> None:
    salt = bytes.fromhex("11f0d0fed3386a8eb46d2218")
    made = (
        "olTOcH0Yzqq09VUW6OcSlG9xp+efQWUQBJfADkIRFSFnCwXWOkoaTQY9sNN4O4aWJB15dJ2gyJ7LOKQeZREXxw=="
    )

    assert hashed("x", salt) == f"$7$101$EfDQ/tM4ao60bSIY${made}"


def test_a_missing_folder_or_a_damaged_pid_file_is_told(
    mosquitto: Mosquitto, exchange_directory: Directory
) -> None:
    missing = mosquitto.files.folder / "nowhere"
    with pytest.raises(WrongUsage, match="there is no folder"):
        MosquittoFolder(missing, mosquitto.settings, exchange_directory).prepare()
    damaged = mosquitto.files.folder / "pid"
    damaged.write_text("no number")
    with pytest.raises(EnvironmentUnfit, match="holds no process id"):
        tell_to_read_again(damaged)
    damaged.unlink()
    tell_to_read_again(damaged)
    damaged.write_text(str(os.getpid() + 2**22))
    tell_to_read_again(damaged)
