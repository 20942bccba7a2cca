"""Which logs and witnesses the reader trusts, and what a note is worth by that."""

from pathlib import Path

from exchange.exits import CommandStopped, WrongUsage
from haulproof.given import CannotVerify
from haulproof.log.telling import shown
from haulproof.verify import policy_text
from ledger.checkpoint import Checkpoint, open_checkpoint, unverified_head
from ledger.note import NoteRefused
from ledger.policy import Policy, PolicyRefused, parse_policy
from ledger.witness.cosigned import cosigned_by


class NotTrusted(CommandStopped):
    """A note that no trusted key has signed, or too few witnesses; exit 1."""


class Trust:
    """A policy, as far as checkpoints go."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy

    def open(self, note: bytes, origin: str | None = None) -> Checkpoint:
        """Verify a checkpoint, of that origin where one is given; ``NotTrusted``."""
        try:
            head, _ = unverified_head(note)
        except NoteRefused as refused:
            raise NotTrusted(f"what is served there is no checkpoint: {refused}") from None
        if origin is not None and origin != head.origin:
            raise NotTrusted(
                f"this is the log {shown(head.origin)}, but {shown(origin)} was there before: "
                "check the address"
            )
        checkpoint = self._verified(note, head.origin)
        if not self._policy.quorum_met(self.cosigners(checkpoint)):
            raise NotTrusted(
                f"the checkpoint of {head.size} leaves lacks cosignatures of the witnesses that "
                "your policy asks for: ask who runs the log"
            )
        return checkpoint

    def cosigners(self, checkpoint: Checkpoint) -> list[str]:
        """Names, in the policy, of the witnesses whose cosignature the note carries."""
        _, signed = unverified_head(checkpoint.note)
        return sorted(cosigned_by(signed, self._policy.witnesses).times_s)

    def _verified(self, note: bytes, origin: str) -> Checkpoint:
        keys = [key for key in self._policy.logs if key.name == origin]
        log = shown(origin)
        if not keys:
            raise NotTrusted(
                f"no key of the log {log} is trusted: give its key with --log-key or --policy"
            )
        try:
            return open_checkpoint(note, *keys)
        except NoteRefused as refused:
            raise NotTrusted(f"the checkpoint of {log} is refused: {refused}") from None


def trust_of(policy: Path | None, log_key: str | None) -> Trust:
    """What these options, or an installed policy, say to trust; ``WrongUsage`` for no log."""
    try:
        parsed = parse_policy(policy_text(policy, log_key).encode())
    except CannotVerify as stopped:
        raise WrongUsage(str(stopped)) from None
    except PolicyRefused as refused:
        raise WrongUsage(f"the policy cannot be used: {refused}") from None
    if not parsed.logs:
        raise WrongUsage("no log key is trusted: name one with --log-key or --policy")
    return Trust(parsed)
