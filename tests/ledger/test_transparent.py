"""Transparent statements: the log's own bytes with receipts beside them."""

import cbor2
import pytest

from ledger import transparent
from schemas.cose import sign1
from schemas.cose.keys import SoftwareSigner
from schemas.errors import StatementRefused

_STATEMENT = sign1.sign(
    SoftwareSigner.generate(),
    issuer="hp:acme",
    subject="v-1",
    origin="log.example/a",
    type_text="hp-bind",
    payload=b"\xa0",
)
_RECEIPTS = [b"one receipt", b"another"]


def framed(unprotected: object, tag: int = 18) -> bytes:
    parts = cbor2.loads(_STATEMENT).value
    return cbor2.dumps(cbor2.CBORTag(tag, [parts[0], unprotected, parts[2], parts[3]]))


def test_the_statement_comes_back_as_the_log_has_it() -> None:
    held = transparent.detach(transparent.attach(_STATEMENT, _RECEIPTS))

    assert held.statement == _STATEMENT
    assert held.receipts == tuple(_RECEIPTS)


def test_receipts_are_where_rfc_9942_puts_them() -> None:
    assert transparent.attach(_STATEMENT, _RECEIPTS) == framed({394: _RECEIPTS})


@pytest.mark.parametrize(
    "raw",
    [
        _STATEMENT,
        framed({394: []}),
        framed({394: [b"r"] * 17}),
        framed({394: ["text"]}),
        framed({394: [b"r"], 395: 1}),
        framed({394: [b"r"]}, tag=98),
        framed({394: [b"r"]}) + b"\x00",
        bytes(transparent.TRANSPARENT_BYTES_MAX + 1),
    ],
)
def test_anything_else_is_refused(raw: bytes) -> None:
    with pytest.raises(StatementRefused):
        transparent.detach(raw)


def test_a_statement_has_its_one_form_here_too() -> None:
    with pytest.raises(StatementRefused):
        transparent.attach(b"no statement", _RECEIPTS)
    with pytest.raises(ValueError, match="1 to 16"):
        transparent.attach(_STATEMENT, [])
