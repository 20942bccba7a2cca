"""A log over HTTP: our one client of C2SP tlog-tiles, which believes no answer to be short."""

import time
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

import httpx
import stamina

from exchange.exits import EnvironmentUnfit, WrongUsage
from haulproof.log.read_ahead import AHEAD, ReadAhead
from haulproof.log.telling import shown
from ledger.merkle import HASH_BYTES
from ledger.note import NOTE_BYTES_MAX
from ledger.tile_directory import TileDirectory
from ledger.tiles import ENTRY_BYTES_MAX, entries_path, tile_path
from ledger.verified_tree import LogUnsound, NotPublished, PublishedLog

ANSWER_S_MAX = 120.0
"""Longest time for one answer, however slowly it drips."""

_TIMEOUT_S = 30.0
_ATTEMPTS = 5
_WAIT_S_MAX = 5.0
_GZIP = 16 + zlib.MAX_WBITS
_HEADERS = {"Accept-Encoding": "gzip, identity", "User-Agent": "haulproof-log"}
_ENTRY_LENGTH_BYTES = 2
_GONE = (httpx.codes.NOT_FOUND, httpx.codes.GONE)


class _Busy(Exception):
    """The server asks to come again, or failed."""


@contextmanager
def open_log(url: str) -> Iterator[PublishedLog]:
    """The log below a URL prefix: http, https, or file for a directory; ``WrongUsage``."""
    parts = urlsplit(url)
    if parts.scheme == "file" and parts.netloc in ("", "localhost"):
        yield TileDirectory(Path(url2pathname(parts.path)))
        return
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise WrongUsage(
            f"{url} is no address of a log: give its URL, like https://example.com/log, or "
            "file:///path of a directory"
        )
    if parts.query or parts.fragment:
        raise WrongUsage(f"{url} has more than a path: give the URL up to the log's name")
    try:
        client = httpx.Client(timeout=_TIMEOUT_S, headers=_HEADERS)
        prefix = str(httpx.URL(url)).rstrip("/")
    except httpx.InvalidURL:
        raise WrongUsage(f"{url} is no address of a log: check it") from None
    stamina.instrumentation.set_on_retry_hooks(())  # one sentence at the end, none per attempt
    executor = ThreadPoolExecutor(AHEAD, thread_name_prefix="read-ahead")
    with client:
        try:
            yield ReadAhead(HttpLog(client, prefix), executor)
        finally:
            executor.shutdown(wait=False, cancel_futures=True)


class HttpLog:
    """A ``PublishedLog`` below a URL prefix. Raises ``EnvironmentUnfit`` when nobody answers.

    An answer that is longer than what was asked for can be is ``LogUnsound``, and is not read to
    its end. Redirections are not followed.
    """

    def __init__(
        self,
        client: httpx.Client,
        prefix: str,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client = client
        self._prefix = prefix
        self._clock = clock

    def checkpoint(self) -> bytes:
        """The signed note; ``NotPublished``."""
        return self._get("checkpoint", NOTE_BYTES_MAX)

    def tile(self, level: int, n: int, width: int) -> bytes:
        """Concatenated hashes; ``NotPublished``."""
        return self._get(tile_path(level, n, width), width * HASH_BYTES)

    def entries(self, n: int, width: int) -> bytes:
        """An entry bundle; ``NotPublished``."""
        longest = width * (_ENTRY_LENGTH_BYTES + ENTRY_BYTES_MAX)
        return self._get(entries_path(n, width), longest)

    def _get(self, path: str, bytes_max: int) -> bytes:
        try:
            for attempt in stamina.retry_context(
                on=(httpx.TransportError, _Busy),
                attempts=_ATTEMPTS,
                timeout=ANSWER_S_MAX,
                wait_max=_WAIT_S_MAX,
            ):
                with attempt:
                    data = self._once(path, bytes_max)
        except _Busy as busy:
            raise EnvironmentUnfit(
                f"{self._prefix}/{path} is not served just now ({busy}): try again in a moment"
            ) from None
        except (httpx.TransportError, httpx.InvalidURL) as error:
            said = shown(str(error)) or type(error).__name__
            raise EnvironmentUnfit(
                f"no log answers at {self._prefix} ({said}): check the address and the network"
            ) from None
        return data

    def _once(self, path: str, bytes_max: int) -> bytes:
        with self._client.stream("GET", f"{self._prefix}/{path}") as answer:
            if answer.status_code in _GONE:
                raise NotPublished(path)
            if answer.is_redirect:
                raise EnvironmentUnfit(
                    f"{self._prefix}/{path} is said to be at "
                    f"{shown(answer.headers.get('Location', ''))}: "
                    "give that address if you trust it, redirections are not followed"
                )
            if answer.status_code == httpx.codes.TOO_MANY_REQUESTS or answer.is_server_error:
                raise _Busy(f"status {answer.status_code}")
            if answer.status_code != httpx.codes.OK:
                raise EnvironmentUnfit(
                    f"{self._prefix}/{path} is refused with status {answer.status_code}: ask who "
                    "runs the log"
                )
            return self._body(answer, path, bytes_max)

    def _body(self, answer: httpx.Response, path: str, bytes_max: int) -> bytes:
        encoding = answer.headers.get("Content-Encoding", "identity").lower()
        if encoding not in ("identity", "gzip", "x-gzip"):
            raise LogUnsound(path, "comes in an encoding that was not asked for")
        gzip = None if encoding == "identity" else zlib.decompressobj(_GZIP)
        until = self._clock() + ANSWER_S_MAX
        parts, left = [], bytes_max
        for chunk in answer.iter_raw():
            part = chunk if gzip is None else _inflated(gzip, chunk, left + 1, path)
            parts.append(part)
            left -= len(part)
            if left < 0:
                raise LogUnsound(path, f"is longer than {bytes_max} bytes")
            if self._clock() > until:
                raise _Busy(f"the answer took longer than {ANSWER_S_MAX:.0f} s")
        if gzip is not None and (not gzip.eof or gzip.unused_data):
            raise LogUnsound(path, "is no whole gzip stream")
        return b"".join(parts)


def _inflated(gzip: "zlib._Decompress", chunk: bytes, bytes_max: int, path: str) -> bytes:
    try:
        return gzip.decompress(chunk, bytes_max)
    except zlib.error:
        raise LogUnsound(path, "is no gzip stream") from None
