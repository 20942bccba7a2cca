"""A log that signs whatever it is told, and what it sends to witnesses."""

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey

from ledger.checkpoint import TreeHead, sign_checkpoint
from ledger.cosignature import Ed25519Cosigner, MLDSA44Cosigner
from ledger.merkle import consistency_proof
from ledger.note import Ed25519NoteSigner, NoteSigner
from ledger.witness.judgement import KnownLog
from ledger.witness.request import AddCheckpoint, format_request
from tests.ledger.trees import Tree, leaves

ORIGIN = "log.example/a"


def ed25519_witness(number: int, name: str = "witness.example") -> Ed25519Cosigner:
    """A fixed Ed25519 key of a witness."""
    private = Ed25519PrivateKey.from_private_bytes(bytes([number]) * 32)
    return Ed25519Cosigner(name, private)


def ml_dsa_witness(number: int, name: str = "witness.example") -> MLDSA44Cosigner:
    """A fixed ML-DSA-44 key of a witness."""
    return MLDSA44Cosigner(name, MLDSA44PrivateKey.from_seed_bytes(bytes([number]) * 32))


class SmallLog:
    """A log of up to ``size`` leaves; with ``salt`` another history of the same origin."""

    def __init__(self, size: int = 300, *, origin: str = ORIGIN, salt: bytes = b"") -> None:
        private = Ed25519PrivateKey.from_private_bytes(bytes([77]) * 32)
        self.origin = origin
        self.signer = Ed25519NoteSigner(origin, private)
        hashes = leaves(size)
        self.tree = Tree([salt.ljust(32, b"s"), *hashes[1:]] if salt else hashes)

    @property
    def known(self) -> KnownLog:
        return KnownLog(self.origin, (self.signer.vkey,))

    def head(self, size: int) -> TreeHead:
        return TreeHead(self.origin, size, self.tree.root(size))

    def note(self, size: int, signer: NoteSigner | None = None) -> bytes:
        return sign_checkpoint(self.head(size), signer or self.signer)

    def proof(self, old: int, new: int) -> tuple[bytes, ...]:
        return tuple(consistency_proof(self.tree.get_node, old, new))

    def request(self, old: int, new: int) -> AddCheckpoint:
        return AddCheckpoint(old, self.proof(old, new), self.note(new))

    def body(self, old: int, new: int) -> bytes:
        return format_request(self.request(old, new))
