"""The reader's policy: C2SP tlog-policy with pins, refused in full when any line is wrong."""

import pytest

from ledger.note import VKey
from ledger.policy import POLICY_BYTES_MAX, POLICY_ENTRIES_MAX, PolicyRefused, parse_policy

_LOG = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"


def _witness(number: int) -> str:
    return str(VKey(f"witness.example/{number}", 0x04, bytes([number]) * 32))


_W = [f"witness w{number} {_witness(number)}" for number in range(1, 7)]


def _policy(*lines: str) -> bytes:
    return "\n".join(lines).encode()


def test_a_policy_of_one_log_is_read() -> None:
    policy = parse_policy(_policy(f"log {_LOG}", "quorum none", ""))

    assert [str(log) for log in policy.logs] == [_LOG]
    assert policy.quorum is None
    assert policy.quorum_met(())


def test_comments_blank_lines_tabs_and_addresses_are_read() -> None:
    policy = parse_policy(
        _policy(
            "# who we trust",
            "",
            f"  log\t{_LOG}  https://log.example/ ",
            _W[0] + " https://witness.example/",
            "\tquorum\tw1",
        )
    )

    assert len(policy.logs) == 1
    assert policy.witnesses["w1"].name == "witness.example/1"
    assert policy.urls == {"w1": "https://witness.example/"}
    assert policy.with_log(policy.logs[0]).urls == policy.urls


def test_pins_are_read_and_several_of_one_organisation_add_up() -> None:
    policy = parse_policy(
        _policy(
            f"#haulproof key hp:acme {'ab' * 32}",
            f"#haulproof key hp:acme {'cd' * 32}",
            f"#haulproof key hp:exchange {'00' * 32}",
            "quorum none",
        )
    )

    assert policy.pins == {
        "hp:acme": {b"\xab" * 32, b"\xcd" * 32},
        "hp:exchange": {bytes(32)},
    }


@pytest.mark.parametrize(
    ("cosigned", "met"),
    [
        ((), False),
        (("w1",), False),
        (("w1", "w2"), False),
        (("w1", "w3"), True),
        (("w2", "w4"), True),
        (("w3", "w4"), False),
        (("w5",), False),
        (("w5", "w6"), True),
        (("stranger", "other"), False),
    ],
)
def test_a_quorum_of_groups_is_counted(cosigned: tuple[str, ...], met: bool) -> None:
    policy = parse_policy(
        _policy(
            *_W,
            "group insurers any w1 w2",
            "group banks 1 w3 w4",
            "group both all insurers banks",
            "group states 2 w5 w6",
            "group enough 1 both states",
            "quorum enough",
        )
    )

    assert policy.quorum_met(cosigned) is met


_PIN = f"#haulproof key hp:acme {'ab' * 32}"


@pytest.mark.parametrize(
    "lines",
    [
        (),
        (f"log {_LOG}",),
        ("quorum none", "quorum none"),
        ("quorum", ""),
        ("quorum nobody",),
        ("quorum none extra",),
        ("log", "quorum none"),
        (f"log {_LOG} https://a b", "quorum none"),
        (f"log {_LOG[:-1]}", "quorum none"),
        (f"log {_LOG}", f"log {_LOG}", "quorum none"),
        (f"logs {_LOG}", "quorum none"),
        (_W[0], _W[0], "quorum none"),
        (_W[0], f"witness w1 {_witness(9)}", "quorum none"),
        (_W[0], f"witness w9 {_witness(1)}", "quorum none"),
        (f"witness none {_witness(1)}", "quorum none"),
        ("group g any w1", _W[0], "quorum g"),
        (_W[0], "group g 2 w1", "quorum g"),
        (_W[0], "group g 0 w1", "quorum g"),
        (_W[0], "group g some w1", "quorum g"),
        (_W[0], "group g any", "quorum g"),
        (_W[0], "group g any w1 w1", "quorum g"),
        (_W[0], "group g any w1", "group h any w1", "quorum g"),
        (_W[0], "group w1 any w1", "quorum w1"),
        ("quorum none\r",),
        ("quorum none\x00",),
        (_PIN.replace("key", "keys"), "quorum none"),
        (_PIN[:-1], "quorum none"),
        (_PIN + " more", "quorum none"),
        (_PIN.replace("hp:acme", "acme"), "quorum none"),
        (_PIN.replace("hp:acme", "hp:acme/dev-1"), "quorum none"),
        (_PIN.replace("ab" * 32, "AB" * 32), "quorum none"),
        ("#haulproof", "quorum none"),
        (_PIN.replace("#h", "# h"), "quorum none"),
        (_PIN.replace("#h", "##h"), "quorum none"),
    ],
)
def test_a_policy_with_a_wrong_line_is_refused(lines: tuple[str, ...]) -> None:
    with pytest.raises(PolicyRefused):
        parse_policy(_policy(*lines))


def test_the_line_is_named() -> None:
    with pytest.raises(PolicyRefused, match="line 2 of the policy: 'nonsense' is no keyword"):
        parse_policy(b"quorum none\nnonsense\n")


def test_a_policy_past_its_limits_is_refused() -> None:
    many = [f"#haulproof key hp:acme {number:064x}" for number in range(POLICY_ENTRIES_MAX + 1)]

    with pytest.raises(PolicyRefused, match="entries"):
        parse_policy(_policy(*many, "quorum none"))
    with pytest.raises(PolicyRefused, match="too large"):
        parse_policy(b"#" * (POLICY_BYTES_MAX + 1))


def test_a_policy_that_is_not_utf_8_is_refused() -> None:
    with pytest.raises(PolicyRefused, match="UTF-8"):
        parse_policy(b"# \xff\nquorum none\n")
