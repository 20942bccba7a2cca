"""No integer of signed bytes is also read when it is written as a boolean or a float.

Python takes ``True``, ``1`` and ``1.0`` for equal, as keys of a map too, so every reader has to ask
for the type: each integer of each statement is swapped in turn, and each swap is refused.
"""

import zlib
from collections.abc import Callable, Iterator

import cbor2
import pytest

from schemas.cose import sign1
from schemas.cose.keys import PublicKey, SoftwareSigner
from schemas.cose.suites import SUITES
from schemas.deflated import deflate
from schemas.errors import StatementRefused
from schemas.kinds import Kind
from schemas.segment import read_segment_strict
from schemas.statements import trip
from schemas.wire import ack
from tests.schemas.test_statements import PAYLOADS, READERS
from tests.schemas.test_trip import trip as some_trip
from tests.schemas.test_wire import ACK
from tests.vectors.statements_generator import SIGNERS, payloads


def twins(number: int) -> tuple[object, ...]:
    """What Python takes for this integer: its float, and a boolean for 0 and 1."""
    return (float(number), bool(number)) if number in (0, 1) else (float(number),)


def swapped(value: object) -> Iterator[object]:
    """The value again and again, each time with one of its integers written otherwise."""
    match value:
        case bool() | str() | bytes() | None:
            return
        case int():
            yield from twins(value)
        case cbor2.CBORTag():
            for inner in swapped(list(value.value) if type(value.value) is tuple else value.value):
                yield cbor2.CBORTag(value.tag, inner)
        case list():
            for at, item in enumerate(value):
                yield from ([*value[:at], other, *value[at + 1 :]] for other in swapped(item))
        case dict():
            for key, item in value.items():
                yield from ({**value, key: other} for other in swapped(item))
                for other_key in swapped(key):
                    pairs = ((other_key if k == key else k, v) for k, v in value.items())
                    yield dict(pairs)


def every_swap_is_refused(data: bytes, read: Callable[[bytes], object]) -> None:
    read(data)
    count = 0
    for other in swapped(cbor2.loads(data)):
        count += 1
        with pytest.raises(StatementRefused):
            read(cbor2.dumps(other))
    assert count


@pytest.mark.parametrize("kind", READERS)
def test_of_a_payload(kind: Kind) -> None:
    every_swap_is_refused(PAYLOADS[kind], READERS[kind])


def test_of_a_trip() -> None:
    every_swap_is_refused(some_trip().encode(), trip.decode)


def test_of_a_segment() -> None:
    _, _, payload = payloads(SIGNERS["ES256"])[Kind.SEGMENT]
    every_swap_is_refused(payload, read_segment_strict)


@pytest.mark.parametrize("key", [6, 11])
def test_of_the_samples_and_bursts_inside_a_segment(key: int) -> None:
    _, _, payload = payloads(SIGNERS["ES256"])[Kind.SEGMENT]
    fields = cbor2.loads(payload)

    def read(block: bytes) -> object:
        changed = {**fields, key: deflate(block)}
        return read_segment_strict(cbor2.dumps(dict(sorted(changed.items()))))

    every_swap_is_refused(zlib.decompress(fields[key], -15), read)


def test_of_a_header() -> None:
    protected = sign1.parse(_statement()).protected
    every_swap_is_refused(protected, sign1.read_header.__wrapped__)


@pytest.mark.parametrize("alg", SUITES, ids=lambda alg: SUITES[alg].name)
def test_of_a_key(alg: int) -> None:
    every_swap_is_refused(SoftwareSigner.generate(alg).public.cose_key, PublicKey.from_cose_key)


def test_of_an_acknowledgement() -> None:
    every_swap_is_refused(ACK.encode(), ack.decode)


def _statement() -> bytes:
    return sign1.sign(
        SIGNERS["ES256"],
        issuer="hp:carrier-a/device-1",
        subject="v-1",
        origin="example.org/log",
        type_text="hp-seg",
        payload=b"payload",
    )
