"""Publishing beforehand: every device over MQTT with its own password, QoS 1, in turns.

A round is one segment of every device, as a fleet's live traffic interleaves them: consecutive
messages are of different devices, and most receipts become a message of their own.
"""

import time
from dataclasses import dataclass

from firmware_sim.fleet import FleetPlan, sign_device
from haulproof.bench.load.crew import all_ready, run_together
from haulproof.bench.load.fleet import Fleet, Member, sending_processes
from haulproof.bench.load.links import Link, Links
from haulproof.bench.load.schedule import AGENT_IN_FLIGHT

_TURN_EACH = 32
_TURN_S = 0.1
_PATIENCE_S = 60.0


@dataclass(frozen=True, slots=True)
class _Share:
    members: list[Member]
    plan: FleetPlan


def publish(fleet: Fleet, segments_each: int) -> None:
    """Sign and publish; the broker has acknowledged every statement (the log not yet).

    ``TimeoutError`` when the broker takes nothing for a minute.
    """
    plan = fleet.next_plan(segments_each)
    run_together(_publish, [_Share(part, plan) for part in fleet.shared_out(sending_processes())])


def _publish(share: _Share) -> None:
    signed = [sign_device(one.device, one.number, share.plan) for one in share.members]
    sessions, links = [Link(member, None) for member in share.members], Links()
    links.connect(sessions)
    all_ready()
    published = 0
    for of_a_round in zip(*signed, strict=True):
        for link, raw in zip(sessions, of_a_round, strict=True):
            _wait_for_room(links, link, AGENT_IN_FLIGHT)
            links.publish(link, raw)
            published += 1
            if published % _TURN_EACH == 0:
                links.turn(0)
    for link in sessions:
        _wait_for_room(links, link, 1)
    links.close()


def _wait_for_room(links: Links, link: Link, in_flight_max: int) -> None:
    deadline = time.monotonic() + _PATIENCE_S
    while link.in_flight >= in_flight_max:
        if time.monotonic() > deadline:
            raise TimeoutError(f"the broker acknowledged nothing for {_PATIENCE_S:.0f} s")
        links.turn(_TURN_S)
