"""The published log as an outsider reads it: entry bundles over HTTP, sharing no code with ours."""

import hashlib
from collections import Counter

import cbor2
import httpx

from tests.e2e.shells import wait_for

_BUNDLE = 256


def published_size(api: str) -> int:
    """Size in the newest checkpoint."""
    return int(_get(api, "checkpoint").decode().splitlines()[1])


def published_digests(api: str) -> Counter[bytes]:
    """How often each statement's digest is a leaf of the published log."""
    size = published_size(api)
    digests: Counter[bytes] = Counter()
    for number in range(-(-size // _BUNDLE)):
        width = min(_BUNDLE, size - number * _BUNDLE)
        partial = "" if width == _BUNDLE else f".p/{width}"
        bundle = _get(api, f"tile/entries/{_path(number)}{partial}")
        entries = _entries(bundle)
        assert len(entries) == width
        digests.update(cbor2.loads(entry)[1] for entry in entries)
    return digests


def published_root(api: str) -> bytes:
    """Root recomputed from the entries, by the definition of RFC 9162 section 2.1.1."""
    size = published_size(api)
    entries: list[bytes] = []
    for number in range(-(-size // _BUNDLE)):
        width = min(_BUNDLE, size - number * _BUNDLE)
        partial = "" if width == _BUNDLE else f".p/{width}"
        entries += _entries(_get(api, f"tile/entries/{_path(number)}{partial}"))
    return _tree_hash(entries[:size])


def _tree_hash(entries: list[bytes]) -> bytes:
    if len(entries) < 2:
        return hashlib.sha256(b"\0" + entries[0] if entries else b"").digest()
    left = 1 << (len(entries) - 1).bit_length() - 1
    halves = _tree_hash(entries[:left]) + _tree_hash(entries[left:])
    return hashlib.sha256(b"\1" + halves).digest()


def _entries(bundle: bytes) -> list[bytes]:
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


def _get(api: str, path: str) -> bytes:
    def ask() -> bytes | None:
        answer = httpx.get(f"{api}/log/{path}", timeout=30)
        if answer.status_code == httpx.codes.SERVICE_UNAVAILABLE:  # as it says: come again
            return None
        answer.raise_for_status()
        return answer.content

    return wait_for(ask, 30)
