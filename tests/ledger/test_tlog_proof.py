"""C2SP tlog-proofs: one form, read back as written."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.merkle import ProofRefused
from ledger.tlog_proof import TlogProof, format_proof, parse_proof

NOTE = b"log.example/a\n9\n" + b"A" * 43 + b"=\n\n\xe2\x80\x94 log.example/a AAAAAAA=\n"
PATH = [bytes([number]) * 32 for number in range(4)]


@given(
    index=st.integers(0, 2**63 - 1),
    path=st.lists(st.binary(min_size=32, max_size=32), max_size=63),
)
def test_what_was_written_is_read(index: int, path: list[bytes]) -> None:
    assert parse_proof(format_proof(index, path, NOTE)) == TlogProof(index, tuple(path), NOTE)


def test_the_file_is_the_published_form() -> None:
    lines = format_proof(7, PATH[:1], NOTE).split(b"\n")

    assert lines[:4] == [b"c2sp.org/tlog-proof@v1", b"index 7", b"A" * 43 + b"=", b""]
    assert b"\n".join(lines[4:]) == NOTE


def test_what_a_maker_added_is_kept_apart() -> None:
    plain = format_proof(7, PATH, NOTE)
    read = parse_proof(plain.replace(b"\nindex", b"\nextra aGVsbG8=\nindex", 1))

    assert read.extra == b"hello"
    assert (read.index, read.path, read.note) == (7, tuple(PATH), NOTE)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"c2sp.org/tlog-proof@v2\nindex 7\n\n" + NOTE,
        b"c2sp.org/tlog-proof@v1\nindex 07\n\n" + NOTE,
        b"c2sp.org/tlog-proof@v1\nindex -1\n\n" + NOTE,
        b"c2sp.org/tlog-proof@v1\nindex 9223372036854775808\n\n" + NOTE,
        b"c2sp.org/tlog-proof@v1\nindex 7\n" + NOTE,
        b"c2sp.org/tlog-proof@v1\nindex 7\nAAAA\n\n" + NOTE,
        b"c2sp.org/tlog-proof@v1\nindex 7\n" + b"A" * 42 + b"B=\n\n" + NOTE,
        b"c2sp.org/tlog-proof@v1\nextra aGVsbG8\nindex 7\n\n" + NOTE,
        b"c2sp.org/tlog-proof@v1\nindex 7\nextra aGVsbG8=\n\n" + NOTE,
        format_proof(7, [bytes(32)] * 64, NOTE),
        b"c2sp.org/tlog-proof@v1\r\nindex 7\r\n\r\n" + NOTE,
    ],
)
def test_another_form_is_refused(data: bytes) -> None:
    with pytest.raises(ProofRefused):
        parse_proof(data)


@given(st.binary(max_size=200))
def test_no_bytes_raise_anything_else(data: bytes) -> None:
    for raw in (data, b"c2sp.org/tlog-proof@v1\n" + data):
        try:
            parse_proof(raw)
        except ProofRefused:
            continue
