"""The result of verifying a leaf or a log without an evidence file: as JSON and as sentences."""

from dataclasses import dataclass

from ledger.evidence.reasons import Finding
from schemas.cose.sign1 import Statement


@dataclass(frozen=True, slots=True)
class Place:
    """The leaf that was asked about, and where the proof puts it."""

    leaf_hash: bytes
    index: int | None
    statement: Statement | None


@dataclass(frozen=True)
class LeafReport:
    """What was found. ``files`` counts the log's files that were read, when it was read whole."""

    kind: str
    """receipt, transparent, tlog-proof, consistency or tiles."""
    place: Place | None
    log_size: int
    log_origin: str
    witnesses: tuple[str, ...]
    findings: tuple[Finding, ...]
    files: int = 0
    older: int | None = None
    """Leaves of the older tree, of a consistency receipt."""

    @property
    def verified(self) -> bool:
        """Whether every step passed."""
        return not self.findings

    def to_json(self) -> dict[str, object]:
        """The fields of ``haulproof verify --json``, and the leaf.

        ``signers`` is empty: nobody's signature but the log's and its witnesses' was checked.
        """
        statement = self.place.statement if self.place else None
        return {
            "verified": self.verified,
            "kind": self.kind,
            "statements": 0 if statement is None else 1,
            "log_size": self.log_size,
            "log_origin": self.log_origin,
            "signers": [],
            "witnesses": list(self.witnesses),
            "recomputed": None,
            "reasons": [str(finding.code) for finding in self.findings],
            "leaf": self.place.leaf_hash.hex() if self.place else None,
            "index": self.place.index if self.place else None,
            "digest": None if statement is None else statement.digest.hex(),
            "older": self.older,
        }

    def sentences(self) -> list[str]:
        """What a person should know, most important first."""
        if self.findings:
            refusals = (f"{finding.code}: {finding.detail}." for finding in self.findings)
            return ["Not verified: do not rely on this.", *refusals]
        return [*self._proven(), *self._not_proven()]

    def _proven(self) -> list[str]:
        lines = []
        if self.kind == "tiles":
            lines.append(
                f"Verified: the log {self.log_origin} is whole; all of its {self.log_size} entries "
                f"and their tiles ({self.files} files) lead to the root of a checkpoint of a log "
                "key that you trust."
            )
        if self.kind == "consistency":
            lines.append(
                f"Verified: the log {self.log_origin} of {self.log_size} leaves begins with the "
                f"{self.older} leaves of your older checkpoint; a log key that you trust has "
                "signed both."
            )
        if self.place is not None:
            begin = "Verified: leaf" if not lines else "Leaf"
            lines.append(
                f"{begin} {self.place.index} of the log {self.log_origin} is "
                f"{_named(self.place)}, in the tree of {self.log_size} leaves whose root a log key "
                "that you trust has signed."
            )
        if self.witnesses:
            lines.append(f"Cosigned by {', '.join(self.witnesses)}.")
        return lines

    def _not_proven(self) -> list[str]:
        lines = []
        if self.kind == "consistency":
            lines.append("What the leaves are is not shown: only that the log grew, and no more.")
        elif self.place is None:
            lines.append("An entry is a kind and a digest: what the statements say is not shown.")
        elif self.place.statement is None:
            lines.append("What the leaf's statement says is not shown: give it with --statement.")
        else:
            issuer = self.place.statement.header.issuer
            lines.append(
                f"That {issuer} signed the statement is not shown, since its key is not here: an "
                "evidence file brings it."
            )
        if not self.witnesses:
            lines.append(
                "That the log shows everybody the same is not shown: no witness was counted."
            )
        return lines


def _named(place: Place) -> str:
    if place.statement is None:
        return f"the leaf with the hash {place.leaf_hash.hex()}"
    header = place.statement.header
    return (
        f"the statement {place.statement.digest.hex()} (type {header.type}, by {header.issuer}, "
        f"about {header.subject})"
    )
