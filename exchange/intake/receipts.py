"""Receipts: which statements wait for a checkpoint, and the messages that answer a device.

An acknowledgement needs no signature of its own: the checkpoint has one, and the agent takes the
digests from its own bytes.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from exchange.intake.model import Placed, Refused
from exchange.intake.verification import Device
from exchange.transparency.model import Published
from ledger.merkle import GetNode
from ledger.multiproof import multiproof, split_multiproofs
from schemas.cose import sign1
from schemas.cose.keys import Signer
from schemas.kinds import REFUSAL_TYPE
from schemas.names import device_issuer, org_issuer
from schemas.wire.ack import ACK_BYTES_MAX, RECEIPTS_MAX, Ack, Receipt
from schemas.wire.refusal import Refusal
from schemas.wire.topics import ack_topic, refusal_topic


@dataclass(frozen=True, slots=True)
class Answer:
    """A message to a device; ``topic`` as MQTT writes it."""

    topic: str
    payload: bytes


class Waiting:
    """Committed statements that no published checkpoint covers yet, by their indices."""

    def __init__(self) -> None:
        self._placed: dict[int, Placed] = {}

    def __len__(self) -> int:
        return len(self._placed)

    def add(self, placed: Iterable[Placed]) -> None:
        """A statement that is sent twice is answered once."""
        self._placed.update((one.index, one) for one in placed)

    def take_covered(self, size: int) -> list[Placed]:
        """Remove and return, by ascending index, what a tree of ``size`` leaves holds."""
        covered = sorted(index for index in self._placed if index < size)
        return [self._placed.pop(index) for index in covered]


def acks(newest: Published, covered: Sequence[Placed], get_node: GetNode) -> list[Answer]:
    """One acknowledgement per device (more where one would be too large).

    ``covered`` is ascending and below the checkpoint's size; the upper part of the proofs is
    computed once for all devices.
    """
    devices: defaultdict[Device, list[Placed]] = defaultdict(list)
    for one in covered:
        devices[one.identity.carrier, one.identity.device].append(one)
    groups = [
        (device, placed[start : start + RECEIPTS_MAX])
        for device, placed in devices.items()
        for start in range(0, len(placed), RECEIPTS_MAX)
    ]
    proofs = split_multiproofs(
        get_node, [[one.index for one in placed] for _, placed in groups], newest.size
    )
    answers = []
    for (device, placed), hashes in zip(groups, proofs, strict=True):
        answers += _fitting(newest, device, placed, hashes, get_node)
    return answers


def refusal_answers(
    refusals: Iterable[Refused], signer: Signer, organisation: str, origin: str
) -> list[Answer]:
    """The signed refusals, each to the device on whose topic the message came."""
    return [
        Answer(
            refusal_topic(one.carrier, one.device),
            sign1.sign(
                signer,
                issuer=org_issuer(organisation),
                subject=device_issuer(one.carrier, one.device),
                origin=origin,
                type_text=REFUSAL_TYPE,
                payload=_refusal(one).encode(),
            ),
        )
        for one in refusals
        if one.answerable
    ]


def _refusal(one: Refused) -> Refusal:
    return Refusal(
        boot=one.identity.boot if one.identity else None,
        seq=one.identity.seq if one.identity else None,
        digest=one.digest,
        cause=one.reason.value,
        permanent=one.permanent,
    )


def _fitting(
    newest: Published,
    device: Device,
    placed: Sequence[Placed],
    hashes: Sequence[bytes],
    get_node: GetNode,
) -> list[Answer]:
    receipts = tuple(Receipt(one.identity.boot, one.identity.seq, one.index) for one in placed)
    message = Ack(newest.note, receipts, tuple(hashes)).encode()
    if len(message) <= ACK_BYTES_MAX or len(placed) == 1:
        return [Answer(ack_topic(*device), message)]
    half = len(placed) // 2
    return [
        answer
        for part in (placed[:half], placed[half:])
        for answer in _fitting(
            newest,
            device,
            part,
            multiproof(get_node, [one.index for one in part], newest.size),
            get_node,
        )
    ]
