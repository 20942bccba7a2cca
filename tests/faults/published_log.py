"""The published log as an outsider reads it: notes and entry bundles over HTTP.

Shares no code with exchange or agent: formats are those of C2SP tlog-tiles and signed notes, hashes
those of RFC 9162. What was read once must be there for ever, byte for byte.
"""

import base64
import hashlib
import threading
import time
from collections import Counter

import cbor2
import httpx
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

_BUNDLE = 256
_PATIENCE_S = 60.0
_EMPTY_ROOT = hashlib.sha256(b"").digest()
_KEY_HASH_BYTES = 4


class Disagreement(AssertionError):
    """Two signed or published things of one log contradict each other."""


class Notes:
    """Every checkpoint that anybody has seen, from whatever hand; each must be the log's."""

    def __init__(self, vkey: str) -> None:
        self._name, _, key = vkey.split("+", 2)
        self._key = Ed25519PublicKey.from_public_bytes(base64.b64decode(key)[1:])
        self._lock = threading.Lock()
        self.roots: dict[int, bytes] = {}

    def see(self, note: bytes) -> int:
        """Remember a signed note; its size. ``Disagreement`` with an earlier one of that size."""
        text, _, signatures = note.decode().partition("\n\n")
        name, size, root = text.split("\n")[:3]
        self._verify(f"{text}\n".encode(), signatures)
        if name != self._name:
            raise Disagreement(f"a checkpoint of {name}")
        with self._lock:
            known = self.roots.setdefault(int(size), base64.b64decode(root))
        if known != base64.b64decode(root):
            raise Disagreement(f"two checkpoints of {size} leaves have different roots")
        return int(size)

    def _verify(self, text: bytes, signatures: str) -> None:
        for line in signatures.splitlines():
            dash, name, signature = line.split(" ")
            if dash == "\u2014" and name == self._name:
                self._key.verify(base64.b64decode(signature)[_KEY_HASH_BYTES:], text)
                return
        raise Disagreement("a checkpoint that this log's key has not signed")


class LogReader:
    """Entries so far, and the root of every size, worked out from the entries alone."""

    def __init__(self, api: str, vkey: str) -> None:
        self._api = api
        self._http = httpx.Client(timeout=30)
        self.notes = Notes(vkey)
        self.entries: list[bytes] = []
        self._roots = _Roots()

    def close(self) -> None:
        self._http.close()

    def look(self) -> int:
        """The newest checkpoint, remembered; its size."""
        return self.notes.see(self.get("checkpoint"))

    def read(self) -> int:
        """Read what was published since, and hold everything seen so far against it; the size."""
        size = self.look()
        first = len(self.entries) // _BUNDLE
        for number in range(first, -(-size // _BUNDLE)):
            width = min(_BUNDLE, size - number * _BUNDLE)
            bundle = self._bundle(number, width)
            known = self.entries[number * _BUNDLE :]
            if bundle[: len(known)] != known:
                raise Disagreement(f"entries of bundle {number} are not what they were")
            for entry in bundle[len(known) :]:
                self.entries.append(entry)
                self._roots.add(entry)
        self.agree()
        return size

    def agree(self) -> None:
        """Every checkpoint that anybody has seen is the root of these entries."""
        for size, root in list(self.notes.roots.items()):
            if size <= len(self.entries) and root != self.root(size):
                raise Disagreement(f"the checkpoint of {size} leaves is not of these entries")

    def root(self, size: int) -> bytes:
        """The root of the first ``size`` entries."""
        return self._roots.of[size]

    def digests(self) -> Counter[bytes]:
        """How often each statement's digest is a leaf."""
        return Counter(cbor2.loads(entry)[1] for entry in self.entries)

    def digest_at(self, index: int) -> bytes | None:
        """The statement's digest in a leaf; None when there is no such leaf."""
        return cbor2.loads(self.entries[index])[1] if index < len(self.entries) else None

    def get(self, path: str) -> bytes:
        """Ask until there is an answer: the server may be starting again."""
        until = time.monotonic() + _PATIENCE_S
        while True:
            try:
                answer = self._http.get(f"{self._api}/log/{path}")
                if answer.status_code < httpx.codes.INTERNAL_SERVER_ERROR:
                    answer.raise_for_status()
                    return answer.content
            except httpx.TransportError:
                if time.monotonic() > until:
                    raise
            if time.monotonic() > until:
                raise AssertionError(f"/log/{path} was not served for a while")
            time.sleep(0.05)

    def _bundle(self, number: int, width: int) -> list[bytes]:
        partial = "" if width == _BUNDLE else f".p/{width}"
        entries = _split(self.get(f"tile/entries/{_path(number)}{partial}"))
        if len(entries) != width:
            raise Disagreement(f"bundle {number} holds {len(entries)} entries, not {width}")
        return entries


class _Roots:
    """The definition of RFC 9162 section 2.1.1, for one more leaf at a time."""

    def __init__(self) -> None:
        self.of: list[bytes] = [_EMPTY_ROOT]
        self._subtrees: list[tuple[int, bytes]] = []
        """Full subtrees from left to right: how many leaves, and the root of them."""

    def add(self, entry: bytes) -> None:
        leaves, root = 1, hashlib.sha256(b"\0" + entry).digest()
        while self._subtrees and self._subtrees[-1][0] == leaves:
            _, left = self._subtrees.pop()
            leaves, root = 2 * leaves, hashlib.sha256(b"\1" + left + root).digest()
        self._subtrees.append((leaves, root))
        whole = root
        for _, left in reversed(self._subtrees[:-1]):
            whole = hashlib.sha256(b"\1" + left + whole).digest()
        self.of.append(whole)


def _split(bundle: bytes) -> list[bytes]:
    entries, at = [], 0
    while at < len(bundle):
        length = int.from_bytes(bundle[at : at + 2], "big")
        entries.append(bundle[at + 2 : at + 2 + length])
        at += 2 + length
    return entries


def _path(number: int) -> str:
    digits = f"{number:03d}"
    digits = digits.zfill(-(-len(digits) // 3) * 3)
    groups = [digits[i : i + 3] for i in range(0, len(digits), 3)]
    return "/".join([*(f"x{group}" for group in groups[:-1]), groups[-1]])
