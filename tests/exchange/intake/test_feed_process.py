"""The processes behind an MQTT broker, killed in any order: committed once each, all of it."""

import os
import random
import time
from contextlib import ExitStack
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from psycopg import Connection

from exchange.directory import Directory
from exchange.kept_ports import Ports
from schemas.wire.topics import segment_topic
from tests.exchange.intake.test_process import (
    RoleUnderTest,
    process_of,
    wait_for_a_transaction,
    wait_for_all,
)
from tests.exchange.intake.trucks import Truck, admit
from tests.exchange.intake.whole_store import check_store, committed_digests
from tests.exchange.mosquitto import Mosquitto, MqttDevice, until

SEGMENTS = 1_200
KILLS = 6


def test_kills_of_feeder_and_workers_lose_nothing_and_commit_nothing_twice(
    exchange_directory: Directory,
    exchange_ports: Ports,
    mosquitto: Mosquitto,
    postgres: str,
    conn: Connection[Any],
    tmp_path: Path,
) -> None:
    seed = int(os.environ.get("HAULPROOF_SEED", "0")) or random.SystemRandom().getrandbits(32)
    print(f"HAULPROOF_SEED={seed}")
    rng = random.Random(seed)
    trucks = [Truck(f"dev-{n}", origin=exchange_directory.origin or "") for n in range(4)]
    admit(conn, *trucks)
    raws = [[truck.segment() for _ in range(SEGMENTS // 4)] for truck in trucks]

    with ExitStack() as stack:
        roles = [
            stack.enter_context(
                process_of(
                    role,
                    exchange_directory,
                    postgres,
                    tmp_path / name,
                    mqtt_url=mosquitto.settings.mqtt_url,
                )
            )
            for name, role in (("feed", "feed"), ("one", "intake"), ("two", "intake"))
        ]
        until(lambda: "broker-there" in roles[0].log, lambda: roles[0].log)
        devices = [enter(stack, mosquitto, truck) for truck in trucks]
        for kill in range(KILLS):
            for device, truck, of_truck in zip(devices, trucks, raws, strict=True):
                topic = segment_topic(truck.carrier, truck.device)
                for raw in of_truck[kill::KILLS]:
                    device.client.publish(topic, raw, qos=1)
            assert wait_for_a_transaction(conn), roles[1].log
            time.sleep(rng.uniform(0, 0.004))
            rng.choice(roles).kill_and_start_again()
            check_store(conn)
        wait_for_all(conn, SEGMENTS, roles[1])
        for role in reversed(roles):
            assert role.told_to_end() == 0, role.log

    sent = sorted(sha256(raw).digest() for of_truck in raws for raw in of_truck)
    assert sorted(committed_digests(conn)) == sent
    check_store(conn)


def enter(stack: ExitStack, server: Mosquitto, truck: Truck) -> MqttDevice:
    user = f"{truck.carrier}/{truck.device}"
    device = MqttDevice(server, user, server.let_in(user))
    stack.callback(device.close)
    return device


@pytest.mark.parametrize(
    ("setting", "value", "told"),
    [
        ("mqtt_password", "wrong", "check mqtt_user and mqtt_password"),
        ("mqtt_ca_file", "/etc/ssl/certs/ca-certificates.crt", "check mqtt_ca_file"),
    ],
)
def test_a_broker_that_refuses_us_or_is_not_ours_is_told_and_ends_the_process(
    exchange_directory: Directory,
    exchange_ports: Ports,
    mosquitto: Mosquitto,
    postgres: str,
    tmp_path: Path,
    setting: str,
    value: str,
    told: str,
) -> None:
    url = {"mqtt_url": mosquitto.settings.mqtt_url, setting: value}
    with process_of("feed", exchange_directory, postgres, tmp_path / "feed", **url) as feeding:
        assert feeding.end() == 3, feeding.log
        assert told in feeding.log
        assert "wrong" not in feeding.log


def test_while_the_broker_is_away_the_feeder_waits_and_still_ends_in_order(
    exchange_directory: Directory, exchange_ports: Ports, postgres: str, tmp_path: Path
) -> None:
    away: RoleUnderTest
    url = {"mqtt_url": "mqtt://127.0.0.1:1"}
    with process_of("feed", exchange_directory, postgres, tmp_path / "feed", **url) as away:
        until(lambda: "stamina" in away.log)
        assert away.told_to_end() == 0, away.log
