"""The reader's policy: which logs, witnesses and organisation keys to trust.

The file is C2SP tlog-policy. Pins of organisation keys are comment lines to every other program:
``#haulproof key hp:<organisation> <64 hex digits>``, the RFC 9679 thumbprint. Several pins of one
organisation admit each of those keys; an organisation without pin is believed as the log has it.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace

from ledger.note import NoteRefused, VKey

POLICY_BYTES_MAX = 1_000_000
POLICY_ENTRIES_MAX = 1_024
"""Logs, witnesses, groups and pins together."""

_FORBIDDEN = re.compile(rb"[^\t\n\x20-\x7e\x80-\xff]")
_THUMBPRINT = re.compile(r"[0-9a-f]{64}")
_ORGANISATION = re.compile(r"hp:[a-z0-9][a-z0-9-]{0,62}")
_PIN = "#haulproof"
_LIKE_A_PIN = re.compile(r"#[# \t]*haulproof\b")
_NONE = "none"


class PolicyRefused(ValueError):
    """A file that is no policy; the text names the line."""


@dataclass(frozen=True, slots=True)
class Group:
    """A quorum component: satisfied when ``threshold`` of its members are."""

    members: tuple[str, ...]
    threshold: int


@dataclass(frozen=True, slots=True)
class Policy:
    """What a reader trusts. The empty one trusts nothing."""

    logs: tuple[VKey, ...] = ()
    witnesses: Mapping[str, VKey] = field(default_factory=dict)
    groups: Mapping[str, Group] = field(default_factory=dict)
    quorum: str | None = None
    """Name of the witness or group that has to be satisfied; ``None``: no cosignature is asked."""
    pins: Mapping[str, frozenset[bytes]] = field(default_factory=dict)
    """Issuer ``hp:<organisation>`` to the 32-byte thumbprints that it may sign with."""
    urls: Mapping[str, str] = field(default_factory=dict)
    """Where witnesses, by name, take checkpoints: as the file has it, for those that have one."""

    def with_log(self, log: VKey) -> "Policy":
        """This policy, trusting one more log."""
        logs = (*(known for known in self.logs if known != log), log)
        return replace(self, logs=logs)

    def quorum_met(self, cosigned: Iterable[str]) -> bool:
        """Whether the names of these witnesses satisfy the quorum."""
        return self.quorum is None or self._met(self.quorum, frozenset(cosigned))

    def _met(self, name: str, cosigned: frozenset[str]) -> bool:
        group = self.groups.get(name)
        if group is None:
            return name in cosigned
        return sum(self._met(member, cosigned) for member in group.members) >= group.threshold


def parse_policy(data: bytes) -> Policy:
    """Read a policy file; ``PolicyRefused`` for anything that is not one, in full."""
    if len(data) > POLICY_BYTES_MAX:
        raise PolicyRefused("the policy file is too large")
    if _FORBIDDEN.search(data):
        raise PolicyRefused("the policy file holds control characters")
    try:
        lines = data.decode().split("\n")
    except UnicodeDecodeError:
        raise PolicyRefused("the policy file is not UTF-8") from None
    reader = _Reader()
    for number, line in enumerate(lines, start=1):
        try:
            reader.read(line)
        except (PolicyRefused, NoteRefused) as refused:
            raise PolicyRefused(f"line {number} of the policy: {refused}") from None
    return reader.finish()


class _Reader:
    def __init__(self) -> None:
        self._logs: list[VKey] = []
        self._witnesses: dict[str, VKey] = {}
        self._groups: dict[str, Group] = {}
        self._grouped: set[str] = set()
        self._quorums: list[str] = []
        self._pins: dict[str, set[bytes]] = {}
        self._urls: dict[str, str] = {}
        self._entries = 0

    def read(self, line: str) -> None:
        words = re.split(r"[ \t]+", line.strip(" \t"))
        if words == [""]:
            return
        if _LIKE_A_PIN.match(line.strip(" \t")):
            self._read_pin(words)
        elif not words[0].startswith("#"):
            self._read_entry(words)

    def finish(self) -> Policy:
        if len(self._quorums) != 1:
            raise PolicyRefused("a policy has exactly one quorum line, for example: quorum none")
        name = self._quorums[0]
        if name != _NONE and name not in self._witnesses and name not in self._groups:
            raise PolicyRefused(f"the quorum {name!r} is neither a witness nor a group")
        pins = {issuer: frozenset(keys) for issuer, keys in self._pins.items()}
        quorum = None if name == _NONE else name
        logs = tuple(self._logs)
        return Policy(logs, self._witnesses, self._groups, quorum, pins, self._urls)

    def _read_entry(self, words: list[str]) -> None:
        readers: dict[str, tuple[int, int, Callable[[list[str]], None]]] = {
            "log": (1, 2, self._read_log),
            "witness": (2, 3, self._read_witness),
            "group": (3, POLICY_ENTRIES_MAX, self._read_group),
            "quorum": (1, 1, lambda arguments: self._quorums.append(arguments[0])),
        }
        keyword, *arguments = words
        if keyword not in readers:
            raise PolicyRefused(f"{keyword!r} is no keyword: log, witness, group, quorum")
        least, most, reader = readers[keyword]
        if not least <= len(arguments) <= most:
            raise PolicyRefused(f"{keyword!r} with too few or too many words")
        self._count()
        reader(arguments)

    def _read_log(self, arguments: list[str]) -> None:
        key = VKey.parse(arguments[0])
        if any(key.public == known.public for known in self._logs):
            raise PolicyRefused("the key of this log is there twice")
        self._logs.append(key)

    def _read_witness(self, arguments: list[str]) -> None:
        name, key = arguments[0], VKey.parse(arguments[1])
        if any(key.public == known.public for known in self._witnesses.values()):
            raise PolicyRefused("the key of this witness is there twice")
        self._name(name)
        self._witnesses[name] = key
        if len(arguments) == 3:
            self._urls[name] = arguments[2]

    def _read_group(self, arguments: list[str]) -> None:
        name, threshold, *members = arguments
        for member in members:
            if member not in self._witnesses and member not in self._groups:
                raise PolicyRefused(f"{member!r} is not the name of anything above")
            if member in self._grouped:
                raise PolicyRefused(f"{member!r} is in two groups, or twice in one")
            self._grouped.add(member)
        self._name(name)
        self._groups[name] = Group(tuple(members), _threshold(threshold, len(members)))

    def _read_pin(self, words: list[str]) -> None:
        if len(words) != 4 or words[:2] != [_PIN, "key"]:
            raise PolicyRefused(f"a pin is: {_PIN} key hp:<organisation> <64 hex digits>")
        issuer, thumbprint = words[2:]
        if not _ORGANISATION.fullmatch(issuer) or not _THUMBPRINT.fullmatch(thumbprint):
            raise PolicyRefused(f"a pin is: {_PIN} key hp:<organisation> <64 hex digits>")
        self._count()
        self._pins.setdefault(issuer, set()).add(bytes.fromhex(thumbprint))

    def _name(self, name: str) -> None:
        if name == _NONE or name in self._witnesses or name in self._groups:
            raise PolicyRefused(f"the name {name!r} is taken")

    def _count(self) -> None:
        self._entries += 1
        if self._entries > POLICY_ENTRIES_MAX:
            raise PolicyRefused(f"more than {POLICY_ENTRIES_MAX} entries")


def _threshold(text: str, members: int) -> int:
    if text in ("all", "any"):
        return members if text == "all" else 1
    if not re.fullmatch(r"[1-9][0-9]{0,3}", text) or int(text) > members:
        raise PolicyRefused(f"a group's threshold is all, any, or a number from 1 to {members}")
    return int(text)
