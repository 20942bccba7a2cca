"""``haulproof verify``: offline verification, by what the reader trusts and nothing else.

The one place where ``ledger.evidence`` and ``exchange.derive`` meet, for ``--recompute``; loads
only cbor2 and cryptography otherwise.
"""

import argparse
import importlib
import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from exchange.commands.steps import Steps
from haulproof.given import (
    EXIT_ENVIRONMENT,
    EXIT_NOT_VERIFIED,
    EXIT_UNREADABLE,
    EXIT_VERIFIED,
    CannotVerify,
    Sort,
    read_bounded,
    sort_of,
)
from haulproof.parser import Parser
from haulproof.verify_leaf import About, judge_leaf
from ledger.evidence.file import EvidenceUnreadable, decode
from ledger.evidence.limits import FILE_BYTES_MAX
from ledger.evidence.report import Report
from ledger.evidence.verify import verify_evidence
from ledger.note import NOTE_BYTES_MAX
from ledger.policy import POLICY_BYTES_MAX, Policy, PolicyRefused, parse_policy
from schemas.cose import sign1

NOT_RECOMPUTABLE = "not-recomputable"
RECOMPUTED_DIFFERS = "recomputed-differs"
INDEPENDENT_DISAGREES = "independent-disagrees"

_POLICY_VARIABLE = "HAULPROOF_POLICY"
_TRUSTS_NOTHING = "quorum none\n"
_EXAMPLES = """\
examples:
  haulproof verify trip.evidence --policy policy.txt
  haulproof verify trip.evidence --policy policy.txt --recompute --independent
  haulproof verify trip.evidence --log-key 'localhost/haulproof-1a2b3c4d+530d903a+Aek...' --json
  haulproof verify trip.receipt --statement trip.cose --policy policy.txt
  haulproof verify trip.tlog-proof --statement trip.cose --policy policy.txt
  haulproof verify grown.receipt --older checkpoint.old --policy policy.txt
  haulproof verify mirror/ --policy policy.txt

exit codes: 0 verified, 1 not verified, 2 a file that cannot be read, 3 a missing part.
Without --policy or --log-key the policy of HAULPROOF_POLICY, of ~/.config/haulproof/policy.txt or
of /etc/haulproof/policy.txt counts; without any of them nothing is trusted."""


@dataclass
class Outcome:
    """The report, and what the further checks that were asked for said."""

    report: Report
    recomputed: bool | None = None
    reasons: list[str] = field(default_factory=list)
    sentences: list[str] = field(default_factory=list)
    independent: dict[str, Any] | None = None

    @property
    def verified(self) -> bool:
        """Whether the file verifies and every check that was asked for agrees."""
        return self.report.verified and not self.reasons

    def to_json(self) -> dict[str, Any]:
        """One object, as DESIGN section 11 names its fields."""
        answer = self.report.to_json()
        answer["verified"] = self.verified
        answer["recomputed"] = self.recomputed
        answer["reasons"] = [*self.report.to_json()["reasons"], *self.reasons]  # type: ignore[misc]
        if self.independent is not None:
            answer["independent"] = self.independent
        return answer


def main(argv: Sequence[str]) -> int:
    """Verify one file and print what was proven."""
    options = _parser().parse_args(argv)
    try:
        sort, data, tiles = _given(options.file, options.tiles)
        policy = policy_text(options.policy, options.log_key)
        with Steps(_tell) as steps:
            if sort is Sort.EVIDENCE:
                verdict = _evidence_verdict(options, data, policy, steps.step)
            else:
                verdict = _leaf_verdict(options, sort, data, tiles, policy, steps.step)
    except CannotVerify as stopped:
        print(f"haulproof verify: {stopped}", file=sys.stderr)
        return stopped.code
    if options.json:
        print(json.dumps(verdict.answer))
    else:
        print("\n".join(verdict.sentences))
    return EXIT_VERIFIED if verdict.verified else EXIT_NOT_VERIFIED


@dataclass(frozen=True, slots=True)
class _Verdict:
    """What is printed, whatever was verified."""

    verified: bool
    answer: dict[str, Any]
    sentences: list[str]


def _given(path: Path, tiles: Path | None) -> tuple[Sort, bytes, Path | None]:
    """What FILE is, its bytes, and where a checkpoint's tiles are; a folder is a log with both."""
    if os.path.isdir(path):  # Path.is_dir raises where a folder is closed to us
        return Sort.CHECKPOINT, read_bounded(path / "checkpoint", "log's", NOTE_BYTES_MAX), path
    data = read_bounded(path, "evidence", FILE_BYTES_MAX)
    beside = path.parent if os.path.isdir(path.parent / "tile") else None
    return sort_of(data), data, tiles or beside


def _evidence_verdict(
    options: argparse.Namespace, data: bytes, policy: str, step: Callable[[str], None]
) -> _Verdict:
    if options.statement or options.leaf or options.older or options.tiles:
        raise CannotVerify(
            "an evidence file holds all that it is about: leave --statement, --leaf, --older and "
            "--tiles out",
            EXIT_UNREADABLE,
        )
    outcome = judge(
        data, policy, independent=options.independent, recompute=options.recompute, step=step
    )
    sentences = [*outcome.report.sentences(), *outcome.sentences]
    return _Verdict(outcome.verified, outcome.to_json(), sentences)


def _leaf_verdict(
    options: argparse.Namespace,
    sort: Sort,
    data: bytes,
    tiles: Path | None,
    policy: str,
    step: Callable[[str], None],
) -> _Verdict:
    if options.independent or options.recompute:
        raise CannotVerify(
            f"--independent and --recompute are for evidence files, and this is a {sort.value}",
            EXIT_UNREADABLE,
        )
    about = About(options.statement, options.leaf, options.older, tiles)
    report = judge_leaf(sort, data, about, _trusted(policy), step)
    return _Verdict(report.verified, report.to_json(), report.sentences())


def judge(
    data: bytes,
    policy: str,
    *,
    independent: bool = False,
    recompute: bool = False,
    step: Callable[[str], None] = lambda doing: None,
) -> Outcome:
    """Verify the bytes of an evidence file by a policy's text; ``CannotVerify`` if unreadable.

    ``step`` hears what is being done.
    """
    trusted = _trusted(policy)
    step("checking proofs and signatures")
    try:
        outcome = Outcome(verify_evidence(data, trusted))
    except EvidenceUnreadable as error:
        raise CannotVerify(f"this is no whole evidence file: {error}", EXIT_UNREADABLE) from None
    if independent:
        step("asking the second implementation, which is slower")
        _ask_second_implementation(outcome, data, policy)
    if recompute:
        step("deriving the trip again")
        _derive_again(outcome, data)
    return outcome


def _trusted(policy: str) -> Policy:
    try:
        return parse_policy(policy.encode())
    except PolicyRefused as refused:
        raise CannotVerify(f"the policy cannot be used: {refused}", EXIT_UNREADABLE) from None


def policy_text(policy: Path | None, log_key: str | None) -> str:
    """What the reader trusts, as policy text: the file named, or one installed, and the key named.

    ``CannotVerify`` when a file that was named cannot be read.
    """
    text = _TRUSTS_NOTHING
    if policy is not None:
        text = _decoded(read_bounded(policy, "policy", POLICY_BYTES_MAX), policy)
    elif log_key is None:
        text = _installed_policy() or text
    if log_key is not None and ["log", log_key] not in (
        line.split()[:2] for line in text.splitlines()
    ):
        text = f"log {log_key}\n{text}"
    return text


def _installed_policy() -> str | None:
    named = os.environ.get(_POLICY_VARIABLE)
    if named:
        return _decoded(read_bounded(Path(named), "policy", POLICY_BYTES_MAX), Path(named))
    for folder in _policy_folders():
        place = folder / "haulproof" / "policy.txt"
        if os.path.isfile(place):  # Path.is_file raises where a folder is closed to us
            return _decoded(read_bounded(place, "policy", POLICY_BYTES_MAX), place)
    return None


def _policy_folders() -> Iterator[Path]:
    config = os.environ.get("XDG_CONFIG_HOME")
    if config:
        yield Path(config)
    else:
        with suppress(RuntimeError):  # a user without a home
            yield Path.home() / ".config"
    yield Path("/etc")


def _tell(text: str) -> None:
    print(f"haulproof verify: {text}", file=sys.stderr, flush=True)


def _ask_second_implementation(outcome: Outcome, data: bytes, policy: str) -> None:
    second = _load("ledger.evidence.independent", "independent")
    answer: dict[str, Any] = second.independent_verify(data, policy)
    outcome.independent = answer
    unchecked = ", ".join(answer["unchecked_suites"])
    if answer["verified"] != outcome.report.verified:
        outcome.reasons.append(INDEPENDENT_DISAGREES)
        reasons = ", ".join(answer["reasons"]) or "it verifies there"
        outcome.sentences.append(f"The second implementation disagrees: {reasons}.")
    elif answer["verified"]:
        outcome.sentences.append("The second implementation verifies the file as well.")
    if unchecked:
        outcome.sentences.append(f"It cannot check signatures of these suites: {unchecked}.")


def _derive_again(outcome: Outcome, data: bytes) -> None:
    derive = _load("exchange.derive.recompute", "recompute")
    trip = outcome.report.trip
    if trip is None or outcome.report.kind != "full":
        outcome.reasons.append(NOT_RECOMPUTABLE)
        outcome.sentences.append("Not recomputable: only the full form holds what that needs.")
        return
    if not outcome.report.verified:
        return
    statements = [sign1.parse(statement.raw) for statement in decode(data).statements]
    try:
        digest: bytes = derive.recompute(trip, statements)
    except derive.NotRecomputable as reason:
        outcome.reasons.append(NOT_RECOMPUTABLE)
        outcome.sentences.append(f"Not recomputable: {reason}.")
        return
    outcome.recomputed = digest == trip.content.digest
    if outcome.recomputed:
        outcome.sentences.append("Derived again from its segments, the trip is the same.")
    else:
        outcome.reasons.append(RECOMPUTED_DIFFERS)
        outcome.sentences.append("Derived again from its segments, the trip is another one.")


def _load(module: str, extra: str) -> Any:
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as missing:
        raise CannotVerify(
            f"--{extra} needs {missing.name}: pip install 'haulproof[{extra}]'", EXIT_ENVIRONMENT
        ) from None


def _decoded(data: bytes, path: Path) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise CannotVerify(f"the policy file {path} is not text", EXIT_UNREADABLE) from None


def _parser() -> Parser:
    parser = Parser(
        "haulproof verify",
        "Check evidence, proofs and logs offline, by the log keys and witnesses that you trust.",
        _EXAMPLES,
    )
    parser.add_argument(
        "file",
        type=Path,
        metavar="FILE",
        help="evidence, a receipt, a statement with its receipts, a tlog-proof, a checkpoint, or "
        "the folder of a log",
    )
    parser.add_argument("--policy", type=Path, metavar="FILE", help="what you trust (tlog-policy)")
    parser.add_argument("--log-key", metavar="VKEY", help="trust this log key")
    about = parser.add_mutually_exclusive_group()
    about.add_argument(
        "--statement", type=Path, metavar="FILE", help="the statement that a proof is of"
    )
    about.add_argument("--leaf", metavar="HASH", help="its leaf hash instead, in hexadecimal")
    parser.add_argument(
        "--older", type=Path, metavar="FILE", help="the checkpoint that a log has grown from"
    )
    parser.add_argument(
        "--tiles", type=Path, metavar="DIR", help="where the tiles of a checkpoint are"
    )
    parser.add_argument(
        "--independent", action="store_true", help="ask the second implementation as well"
    )
    parser.add_argument(
        "--recompute", action="store_true", help="derive the trip again from its segments"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object, for programs")
    return parser
