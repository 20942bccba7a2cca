"""Whom the exchange asks for cosignatures, and what a round of asking brought."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from exchange.exits import EnvironmentUnfit, WrongUsage
from exchange.settings import Settings
from ledger.cosignature import COSIGNATURE_TYPES
from ledger.note import NoteSignature, VKey
from ledger.policy import POLICY_BYTES_MAX, Policy, PolicyRefused, parse_policy
from ledger.witness.cosigned import with_lines


@dataclass(frozen=True, slots=True)
class WitnessAddress:
    """One server that is asked, and its keys by their names in the policy: one for each form."""

    url: str
    keys: Mapping[str, VKey]


@dataclass(frozen=True, slots=True)
class Round:
    """What witnesses answered to one checkpoint."""

    note: bytes
    """What all of them were sent."""
    size: int
    lines: Mapping[str, NoteSignature]
    """Cosignatures by the witness's name in the policy."""
    final: bool
    """Whether the policy asks for a quorum, and they satisfied it."""
    done: bool
    """Whether nothing is missing: final, or the policy asks for no quorum."""

    @property
    def cosigned_note(self) -> bytes:
        """The checkpoint with every cosignature."""
        return with_lines(self.note, self.lines.values())


def read_witness_policy(path: Path) -> Policy:
    """The exchange's own witness policy; a sentence for the operator when it cannot be used."""
    try:
        with path.open("rb") as file:
            policy = parse_policy(file.read(POLICY_BYTES_MAX + 1))
    except PolicyRefused as refused:
        raise WrongUsage(f"witness_policy_file {path}: {refused}") from None
    except OSError as error:
        raise EnvironmentUnfit(
            f"witness_policy_file {path} cannot be read: {(error.strerror or '').lower()}"
        ) from None
    unasked = [name for name in policy.witnesses if name not in policy.urls]
    if not policy.quorum_met(policy.urls):
        raise WrongUsage(
            f"witness_policy_file {path}: the quorum cannot be met without {', '.join(unasked)}: "
            "add the address of each at the end of its line"
        )
    for name, url in policy.urls.items():
        _check_url(path, name, url)
        if policy.witnesses[name].type not in COSIGNATURE_TYPES:
            raise WrongUsage(
                f"witness_policy_file {path}: the key of {name} does not cosign: ask the witness "
                "for one of type 0x04 or 0x06"
            )
    return policy


def has_quorum(settings: Settings) -> bool:
    """Whether the settings' witness policy says when a checkpoint is final."""
    path = settings.witness_policy_file
    return path is not None and read_witness_policy(path).quorum is not None


def addresses(policy: Policy) -> list[WitnessAddress]:
    """Each server once: one that has keys of both forms stands in the policy by two names."""
    keys: dict[str, dict[str, VKey]] = {}
    for name, url in policy.urls.items():
        keys.setdefault(url.rstrip("/"), {})[name] = policy.witnesses[name]
    return [WitnessAddress(url, held) for url, held in keys.items()]


def _check_url(path: Path, name: str, url: str) -> None:
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and not parts.query
        usable = usable and parts.port != 0
        httpx.URL(url).host.encode("idna")  # as it will be looked up: no empty or long labels
    except (ValueError, httpx.InvalidURL):
        usable = False
    if not usable:
        raise WrongUsage(
            f"witness_policy_file {path}: the address of {name} is no http or https URL: {url}"
        )
