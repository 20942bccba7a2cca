"""Evidence whose checkpoint witnesses cosigned, and the policy that asks for them."""

from collections.abc import Sequence
from dataclasses import replace

from ledger.checkpoint import TreeHead, unverified_head
from ledger.cosignature import cosign
from ledger.evidence.file import decode, encode
from ledger.note import NoteSignature, NoteSigner, format_lines
from tests.ledger.evidence.world import World
from tests.ledger.witness.logs import ed25519_witness, ml_dsa_witness

TIME_S = 1_750_000_000
FIRST = ed25519_witness(61, "first.example")
SECOND = ed25519_witness(62, "second.example")
PQ = ml_dsa_witness(63, "second.example")
STRANGER = ed25519_witness(64, "second.example")


def witness_policy(world: World, quorum: str = "both") -> bytes:
    """Trust the world's log, and ask for the first witness and the second, in one form of two."""
    lines = [
        f"log {world.keys.log.vkey}",
        f"witness first {FIRST.vkey} https://first.example",
        f"witness second {SECOND.vkey}",
        f"witness second-pq {PQ.vkey}",
        "group either-form any second second-pq",
        "group both all first either-form",
        f"quorum {quorum}",
        "",
    ]
    return "\n".join(lines).encode()


def head_of(data: bytes) -> TreeHead:
    """The tree head of a file's checkpoint."""
    return unverified_head(decode(data).note)[0]


def with_lines(data: bytes, lines: Sequence[NoteSignature]) -> bytes:
    """A file with more lines under its checkpoint."""
    evidence = decode(data)
    return encode(replace(evidence, note=evidence.note + format_lines(lines)))


def cosigned_by(data: bytes, *signers: NoteSigner) -> bytes:
    """A file that these witnesses have cosigned."""
    head = head_of(data)
    return with_lines(data, [cosign(head, signer, TIME_S) for signer in signers])
