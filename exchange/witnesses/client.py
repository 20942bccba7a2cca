"""One witness as the exchange asks it: C2SP tlog-witness over HTTP, everything bounded.

What a witness answers is somebody else's word. Nothing but a cosignature that verifies is kept of
it, and the size by which it wants the proof to start.
"""

from collections.abc import Callable, Sequence
from http.cookiejar import CookieJar, DefaultCookiePolicy

import httpx

from exchange.transparency.model import Published
from exchange.witnesses.model import WitnessAddress
from ledger.note import NoteRefused, NoteSignature
from ledger.witness.cosigned import lines_in_answer
from ledger.witness.request import (
    SIZE_TYPE,
    AddCheckpoint,
    RequestMalformed,
    format_request,
    parse_size,
)

ANSWER_BYTES_MAX = 65_536
"""A witness's lines of both forms take 3,500; an answer beyond this is not read to its end."""

ProveConsistency = Callable[[int, int], Sequence[bytes]]
"""``prove(old size, new size)`` from the log's own tree."""


def http_for_witnesses(timeout_s: float) -> httpx.AsyncClient:
    """An HTTP client that refuses all cookies: a witness must not fill our memory with them."""
    jar = CookieJar(DefaultCookiePolicy(allowed_domains=()))
    return httpx.AsyncClient(timeout=timeout_s, cookies=jar)


class NoCosignature(Exception):
    """A witness did not cosign; the text says why. The others are not concerned."""


class WitnessClient:
    """Remembers what the witness cosigned last, as far as it told us; nothing is lost with that."""

    def __init__(
        self, http: httpx.AsyncClient, address: WitnessAddress, prove: ProveConsistency
    ) -> None:
        self.address = address
        self._http = http
        self._prove = prove
        self._old_size = 0
        self._cosigned_size = 0

    async def cosign(self, checkpoint: Published) -> dict[str, NoteSignature]:
        """Cosignatures of this checkpoint by the witness's names; ``NoCosignature``.

        Asked again at once when the witness says that it stands elsewhere, and only then.
        """
        asked_from = min(self._old_size, checkpoint.size)
        answer = await self._ask(checkpoint, asked_from)
        if answer.status_code == httpx.codes.CONFLICT:
            told = self._told_size(answer, checkpoint, asked_from)
            answer = await self._ask(checkpoint, told)
        if answer.status_code != httpx.codes.OK:
            raise NoCosignature(_sentence(answer))
        try:
            lines = lines_in_answer(checkpoint.note, answer.content, self.address.keys)
        except NoteRefused as refused:
            raise NoCosignature(f"its answer is not to be used: {refused}") from None
        if not lines:
            raise NoCosignature("its answer has no cosignature of a key in the policy")
        self._old_size = self._cosigned_size = checkpoint.size
        return lines

    def _told_size(self, answer: httpx.Response, checkpoint: Published, asked_from: int) -> int:
        if answer.headers.get("content-type", "").partition(";")[0].strip() != SIZE_TYPE:
            raise NoCosignature(_sentence(answer))
        try:
            told = parse_size(answer.content)
        except RequestMalformed as malformed:
            raise NoCosignature(f"its conflict cannot be read: {malformed}") from None
        if told > checkpoint.size:
            raise NoCosignature(
                f"it says that it cosigned {told} leaves, and the checkpoint has {checkpoint.size}"
            )
        if told < self._cosigned_size:
            raise NoCosignature(
                f"it cosigned {self._cosigned_size} leaves and now stands at {told}: its state was "
                "rolled back, ask its operator before you start it again"
            )
        if told == asked_from:
            raise NoCosignature(f"it holds another root for {told} leaves: ask its operator which")
        self._old_size = told
        return told

    async def _ask(self, checkpoint: Published, old_size: int) -> httpx.Response:
        proof = tuple(self._prove(old_size, checkpoint.size))
        body = format_request(AddCheckpoint(old_size, proof, checkpoint.note))
        request = self._http.build_request(
            "POST",
            f"{self.address.url}/add-checkpoint",
            content=body,
            headers={"Content-Type": "text/plain; charset=utf-8", "Accept-Encoding": "identity"},
        )
        try:
            answer = await self._http.send(request, stream=True)
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError) as error:
            raise NoCosignature(f"it does not answer ({type(error).__name__} {error})") from None
        try:
            return httpx.Response(
                answer.status_code, headers=answer.headers, content=await _bounded(answer)
            )
        except (httpx.HTTPError, httpx.StreamError) as error:
            raise NoCosignature(f"its answer broke off ({type(error).__name__})") from None
        finally:
            await answer.aclose()


async def _bounded(answer: httpx.Response) -> bytes:
    """The body as it came, never unpacked: what was asked for is plain."""
    if answer.headers.get("content-encoding", "identity") != "identity":
        raise NoCosignature("its answer is compressed, which was not asked for")
    body = bytearray()
    async for part in answer.aiter_raw():
        body += part
        if len(body) > ANSWER_BYTES_MAX:
            raise NoCosignature(f"its answer has more than {ANSWER_BYTES_MAX} bytes")
    return bytes(body)


def _sentence(answer: httpx.Response) -> str:
    """The status and the start of what it said, fit to be logged."""
    said = answer.content[:200].decode(errors="replace")
    return f"it answered {answer.status_code}: {''.join(c for c in said if c.isprintable())}"
