"""The logs that a witness knows, from a file in any of three forms.

A C2SP tlog-list (``logs/v0``, with what each log may ask for a day), the ``log`` lines of a C2SP
tlog-policy, or verifier keys, one a line. Which it is, its first line tells.
"""

import re
from collections.abc import Iterable, Iterator

from ledger.checkpoint import LOG_KEY_TYPES
from ledger.note import NoteRefused, VKey
from ledger.policy import PolicyRefused, parse_policy
from ledger.witness.judgement import KnownLog

LOGS_BYTES_MAX = 16_000_000
_LIST = "logs/v0"
_POLICY_WORDS = frozenset({"log", "witness", "group", "quorum"})
_PER_DAY = re.compile(r"[1-9][0-9]{0,9}")
_PER_DAY_MAX = 2**31 - 1


class KnownLogsRefused(ValueError):
    """A file that names no logs in any of the forms; the text says where."""


def parse_known_logs(data: bytes) -> dict[str, KnownLog]:
    """Logs by origin; ``KnownLogsRefused`` unless there is one and every line is right."""
    if len(data) > LOGS_BYTES_MAX:
        raise KnownLogsRefused("the file of logs is too large")
    try:
        lines = list(_lines(data.decode()))
    except UnicodeDecodeError:
        raise KnownLogsRefused("the file of logs is not UTF-8") from None
    if not lines:
        raise KnownLogsRefused("the file names no log")
    first = lines[0][1]
    if first == _LIST:
        return _from_list(lines[1:])
    if first.split()[0] in _POLICY_WORDS:
        return _from_policy(data)
    return _by_origin([(_key(number, line), None) for number, line in lines])


def _lines(text: str) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(text.split("\n"), start=1):
        stripped = line.strip()
        if stripped and not stripped.startswith("#"):
            yield number, stripped


def _from_policy(data: bytes) -> dict[str, KnownLog]:
    try:
        policy = parse_policy(data)
    except PolicyRefused as refused:
        raise KnownLogsRefused(str(refused)) from None
    if not policy.logs:
        raise KnownLogsRefused("the policy has no log line")
    for key in policy.logs:
        _check_type(key)
    return _by_origin([(key, None) for key in policy.logs])


def _by_origin(keys: Iterable[tuple[VKey, int | None]]) -> dict[str, KnownLog]:
    """Keys of one name are keys of one log."""
    logs: dict[str, KnownLog] = {}
    for key, per_day in keys:
        known = logs.get(key.name)
        held = () if known is None else known.keys
        logs[key.name] = KnownLog(key.name, (*(one for one in held if one != key), key), per_day)
    return logs


def _from_list(lines: list[tuple[int, str]]) -> dict[str, KnownLog]:
    logs: dict[str, KnownLog] = {}
    at = 0
    while at < len(lines):
        key = _key(lines[at][0], _value(lines, at, "vkey"))
        at += 1
        origin = key.name
        if at < len(lines) and lines[at][1].split()[0] == "origin":
            origin, at = _value(lines, at, "origin"), at + 1
        per_day = _per_day(lines, at)
        _value(lines, at + 1, "contact")
        if origin in logs:
            raise KnownLogsRefused(f"line {lines[at][0]}: the log {origin} is there twice")
        logs[origin] = KnownLog(origin, (key,), per_day)
        at += 2
    if not logs:
        raise KnownLogsRefused("the list names no log")
    return logs


def _value(lines: list[tuple[int, str]], at: int, word: str) -> str:
    if at >= len(lines):
        raise KnownLogsRefused(f"the list ends where a line {word!r} is due")
    number, line = lines[at]
    found, _, value = line.partition(" ")
    if found != word or not value.strip():
        raise KnownLogsRefused(f"line {number}: a line {word!r} is due")
    return value.strip(" \t")


def _per_day(lines: list[tuple[int, str]], at: int) -> int:
    text = _value(lines, at, "qpd")
    if not _PER_DAY.fullmatch(text) or int(text) > _PER_DAY_MAX:
        raise KnownLogsRefused(f"line {lines[at][0]}: qpd is a number from 1 to {_PER_DAY_MAX}")
    return int(text)


def _key(number: int, text: str) -> VKey:
    try:
        key = VKey.parse(text)
        _check_type(key)
    except (NoteRefused, KnownLogsRefused) as refused:
        raise KnownLogsRefused(f"line {number}: {refused}") from None
    return key


def _check_type(key: VKey) -> None:
    if key.type not in LOG_KEY_TYPES:
        raise KnownLogsRefused(f"a log's key is of type 0x01 or 0x06, not {key.type:#04x}")
