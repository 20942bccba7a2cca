"""Publishing beforehand: every device over MQTT with its own password, QoS 1, in turns.

A round is one segment of every device, as a fleet's live traffic interleaves them: consecutive
messages are of different devices, and each receipt becomes a message of its own.
"""

import asyncio
from contextlib import AsyncExitStack
from dataclasses import dataclass

import aiomqtt

from firmware_sim.fleet import FleetPlan, sign_device
from haulproof.bench.load.admission import CARRIER
from haulproof.bench.load.crew import all_ready, run_together
from haulproof.bench.load.fleet import Fleet, Member, sending_processes
from haulproof.bench.load.session import PATIENCE_S, connect_all
from schemas.wire.topics import segment_topic

_IN_FLIGHT = 8


@dataclass(frozen=True, slots=True)
class _Share:
    members: list[Member]
    plan: FleetPlan


def publish(fleet: Fleet, segments_each: int) -> None:
    """Sign and publish; the broker has acknowledged every statement (the log not yet)."""
    plan = fleet.next_plan(segments_each)
    run_together(_publish, [_Share(part, plan) for part in fleet.shared_out(sending_processes())])


def _publish(share: _Share) -> None:
    signed = [sign_device(one.device, one.number, share.plan) for one in share.members]
    asyncio.run(_publish_in_turns(share.members, signed))


async def _publish_in_turns(members: list[Member], signed: list[list[bytes]]) -> None:
    topics = [segment_topic(CARRIER, member.device.device) for member in members]
    async with AsyncExitStack() as stack:
        clients = await connect_all(stack, members, _IN_FLIGHT)
        await asyncio.to_thread(all_ready)
        for of_a_round in zip(*signed, strict=True):
            await asyncio.gather(
                *(
                    _one(client, topic, raw)
                    for client, topic, raw in zip(clients, topics, of_a_round, strict=True)
                )
            )


async def _one(client: aiomqtt.Client, topic: str, raw: bytes) -> None:
    await client.publish(topic, raw, qos=1, timeout=PATIENCE_S)
