"""The named points: steps of the product at which a fault is made, each in every form it has.

A point is a function of the product, named by module and qualified name. It is looked up when a
part starts, so a function that was renamed or moved ends every test that needs it, with its name.
"""

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from tests.faults.errors import broker_away, database_away, disk_fails, fence_unknown, link_lost


class Form(StrEnum):
    """A step fails in two ways, before anything was done or after all of it; by death or error."""

    KILLED_BEFORE = "killed before"
    KILLED_AFTER = "killed after"
    FAILED = "failed"
    ANSWER_LOST = "done, answer lost"

    @property
    def kills(self) -> bool:
        return self in (Form.KILLED_BEFORE, Form.KILLED_AFTER)

    @property
    def comes_before(self) -> bool:
        return self in (Form.KILLED_BEFORE, Form.FAILED)


class PointGone(LookupError):
    """The product no longer has the function that a point names."""


@dataclass(frozen=True, slots=True)
class Point:
    """One step of a part. The errors are what that step raises for real; none: it can only die."""

    part: str
    step: str
    function: str
    failed: Callable[[], Exception] | None = None
    answer_lost: Callable[[], Exception] | None = None
    at_start: bool = False
    """It is passed only while the part starts, so it is armed before that."""

    @property
    def name(self) -> str:
        return f"{self.part}: {self.step}"

    @property
    def forms(self) -> list[Form]:
        forms = [Form.KILLED_BEFORE, Form.KILLED_AFTER]
        if self.failed is not None:
            forms.append(Form.FAILED)
        if self.answer_lost is not None:
            forms.append(Form.ANSWER_LOST)
        return forms

    def owner(self) -> tuple[Any, str, Callable[..., Any]]:
        """Module or class, attribute and function; ``PointGone`` when it is not there."""
        module_name, _, path = self.function.partition(":")
        *classes, attribute = path.split(".")
        try:
            owner: Any = importlib.import_module(module_name)
            for one in classes:
                owner = getattr(owner, one)
            function = vars(owner)[attribute]
        except (ImportError, AttributeError, KeyError):
            raise PointGone(f"{self.name}: there is no {self.function}") from None
        if not callable(getattr(owner, attribute)):
            raise PointGone(f"{self.name}: {self.function} is no function")
        return owner, attribute, function


def _intake(step: str, function: str, error: Callable[[], Exception]) -> Point:
    return Point("intake", step, function, error, error)


def _agent(step: str, method: str, *, at_start: bool = False) -> Point:
    function = f"edge_agent.outbox:Outbox.{method}"
    return Point("agent", step, function, disk_fails, disk_fails, at_start)


INTAKE = [
    _intake("batch fetched", "exchange.intake.jetstream:JetStreamQueue.next_batch", broker_away),
    _intake("keys read", "exchange.intake.keys:KeyRing.learn", database_away),
    _intake("batch judged", "exchange.intake.batch:judge", database_away),
    _intake("identities claimed", "exchange.segments.repository:claim_identities", database_away),
    _intake("rows copied", "exchange.segments.repository:copy_rows", database_away),
    _intake("head locked", "exchange.transparency.repository:lock_head", database_away),
    _intake("leaves appended", "exchange.transparency.repository:append_under", database_away),
    _intake("gaps inserted", "exchange.transparency.repository:insert_statements", database_away),
    _intake("transaction filled", "exchange.intake.batch:commit", database_away),
    _intake("transaction committed", "exchange.intake.batch:take", database_away),
    _intake("refused kept aside", "exchange.intake.repository:keep_refused", database_away),
    _intake("broker told", "exchange.intake.jetstream:JetStreamQueue.acknowledge", broker_away),
    _intake("receipts made", "exchange.intake.desk:CheckpointDesk.answers", database_away),
    _intake("receipts sent", "exchange.intake.jetstream:JetStreamQueue.answer", broker_away),
]

SIGNER = [
    Point(
        "signer", "head read", "exchange.transparency.repository:head", database_away, database_away
    ),
    Point("signer", "fence read", "ledger.fence:FileFence.read", disk_fails, disk_fails),
    Point("signer", "consistency proved", "ledger.merkle:consistency_proof"),
    Point("signer", "head signed", "ledger.checkpoint:sign_checkpoint"),
    Point("signer", "proved and signed", "ledger.signing:prove_and_sign"),
    Point("signer", "new fence written", "ledger.fence:FileFence._write_new", disk_fails),
    Point(
        "signer",
        "fence swapped",
        "ledger.fence:FileFence.compare_and_swap",
        disk_fails,
        fence_unknown,
    ),
    Point(
        "signer",
        "history written",
        "exchange.transparency.repository:publish",
        database_away,
        database_away,
    ),
    Point(
        "signer",
        "published",
        "exchange.transparency.signer:LogSigner._publish",
        database_away,
        database_away,
    ),
]

AGENT = [
    _agent("outbox opened", "open", at_start=True),
    _agent("journal read", "journalled", at_start=True),
    Point("agent", "statement signed", "edge_agent.sealer:Sealer.seal"),
    _agent("journalled", "journal"),
    _agent("sealed", "seal"),
    _agent("next to send read", "raw"),
    Point("agent", "published", "edge_agent.uplink:Uplink._publish", link_lost, link_lost),
    Point("agent", "broker's word noted", "edge_agent.mail:OutboxMail.sent"),
    Point("agent", "receipts proved", "edge_agent.receipts:verified_leaves"),
    _agent("receipted", "receipted"),
    _agent("forgotten", "forget", at_start=True),
]

POINTS = {point.name: point for point in (*INTAKE, *SIGNER, *AGENT)}
