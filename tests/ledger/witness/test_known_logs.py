"""Known logs come from verifier keys, a policy or a list, and a wrong line is told."""

import pytest

from ledger.note import VKey
from ledger.witness.judgement import KnownLog
from ledger.witness.known_logs import KnownLogsRefused, parse_known_logs

A = VKey("a.example/log", 0x01, bytes([1]) * 32)
A_SECOND = VKey("a.example/log", 0x06, bytes([2]) * 1312)
B = VKey("b.example/log", 0x01, bytes([3]) * 32)
WITNESS = VKey("witness.example", 0x04, bytes([4]) * 32)


def test_verifier_keys_one_a_line() -> None:
    known = parse_known_logs(f"# ours\n{A}\n\n  {A_SECOND}\t\n{B}\n".encode())

    assert known == {
        A.name: KnownLog(A.name, (A, A_SECOND)),
        B.name: KnownLog(B.name, (B,)),
    }


def test_the_logs_of_a_policy() -> None:
    text = f"log {A} https://a.example/log\nlog {B}\nwitness w {WITNESS}\nquorum w\n"

    assert set(parse_known_logs(text.encode())) == {A.name, B.name}


def test_a_list_with_what_each_may_ask() -> None:
    text = (
        f"# list\nlogs/v0\n\nvkey {A}\nqpd 86400\ncontact https://a.example\n"
        f"vkey {B}\norigin something else\n\tqpd 24\n\tcontact b (at) example\n"
    )

    assert parse_known_logs(text.encode()) == {
        A.name: KnownLog(A.name, (A,), 86_400),
        "something else": KnownLog("something else", (B,), 24),
    }


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "names no log"),
        ("# nothing\n", "names no log"),
        (f"{A}\nnonsense\n", "line 2"),
        (f"{WITNESS}\n", "type 0x01 or 0x06"),
        (f"log {A}\n", "quorum"),
        (f"witness w {WITNESS}\nquorum w\n", "no log line"),
        (f"log {WITNESS}\nquorum none\n", "type 0x01 or 0x06"),
        ("logs/v0\n", "names no log"),
        (f"logs/v0\nvkey {A}\ncontact x\nqpd 1\n", "'qpd' is due"),
        (f"logs/v0\nvkey {A}\nqpd 0\ncontact x\n", "qpd is a number"),
        (f"logs/v0\nvkey {A}\nqpd 01\ncontact x\n", "qpd is a number"),
        (f"logs/v0\nvkey {A}\nqpd 2147483648\ncontact x\n", "qpd is a number"),
        (f"logs/v0\nvkey {A}\nqpd 1\n", "list ends"),
        (f"logs/v0\nvkey {A}\n", "list ends"),
        ("logs/v0\nlog x\n", "'vkey' is due"),
        (f"logs/v0\nvkey {A}\nqpd 1\ncontact x\nvkey {A}\nqpd 1\ncontact x\n", "there twice"),
    ],
)
def test_a_wrong_file_is_told(text: str, says: str) -> None:
    with pytest.raises(KnownLogsRefused, match=says):
        parse_known_logs(text.encode())


def test_a_file_that_is_no_text_is_told() -> None:
    with pytest.raises(KnownLogsRefused, match="UTF-8"):
        parse_known_logs(b"\xff")


@pytest.mark.parametrize("blank", ["\r", " \r", "\x0b"])
def test_a_line_of_nothing_but_white_space_is_no_line(blank: str) -> None:
    with pytest.raises(KnownLogsRefused, match="names no log"):
        parse_known_logs(f"{blank}\n".encode())
