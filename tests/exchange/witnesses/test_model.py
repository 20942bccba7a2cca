"""Whom the exchange asks: read from its policy, each server once, and a wrong policy is told."""

from pathlib import Path

import pytest

from exchange.exits import EnvironmentUnfit, WrongUsage
from exchange.roles import role_names
from exchange.settings import Settings
from exchange.witnesses.model import addresses, has_quorum, read_witness_policy
from ledger.note import ED25519, VKey
from tests.ledger.witness.logs import ed25519_witness, ml_dsa_witness

A, B = ed25519_witness(1, "a.example").vkey, ml_dsa_witness(2, "a.example").vkey
C, D = ed25519_witness(3, "c.example").vkey, ed25519_witness(4, "d.example").vkey


def written(tmp_path: Path, *lines: str) -> Path:
    path = tmp_path / "witnesses.txt"
    path.write_text("\n".join([*lines, ""]))
    return path


def test_a_server_with_keys_of_both_forms_is_asked_once(tmp_path: Path) -> None:
    policy = read_witness_policy(
        written(
            tmp_path,
            f"witness a {A} https://a.example/w/",
            f"witness a-pq {B} https://a.example/w",
            f"witness c {C} http://127.0.0.1:7380",
            f"witness d {D} http://[::1]:7380",
            "quorum none",
        )
    )

    found = {address.url: set(address.keys) for address in addresses(policy)}

    assert found == {
        "https://a.example/w": {"a", "a-pq"},
        "http://127.0.0.1:7380": {"c"},
        "http://[::1]:7380": {"d"},
    }


def test_a_witness_without_an_address_is_not_asked_and_must_not_be_needed(tmp_path: Path) -> None:
    lines = [f"witness a {A} https://a.example", f"witness c {C}"]
    enough = read_witness_policy(written(tmp_path, *lines, "group g any a c", "quorum g"))

    assert [address.url for address in addresses(enough)] == ["https://a.example"]
    with pytest.raises(WrongUsage, match="cannot be met without c"):
        read_witness_policy(written(tmp_path, *lines, "group g all a c", "quorum g"))


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (f"witness a {A} ftp://a.example", "no http or https URL"),
        (f"witness a {A} https://", "no http or https URL"),
        (f"witness a {A} https://a.example/?x=1", "no http or https URL"),
        (f"witness a {A} http://[::1", "no http or https URL"),
        (f"witness a {A} http://a.example:99999", "no http or https URL"),
        (f"witness a {A} http://a.example:0", "no http or https URL"),
        (f"witness a {A} http://a.example:x", "no http or https URL"),
        (f"witness a {A} http://a..example", "no http or https URL"),
        (f"witness a {A} http://{'a' * 64}.example", "no http or https URL"),
        (f"witness a {VKey('a.example', ED25519, bytes(32))} https://a.example", "does not cosign"),
        ("nonsense", "line 1"),
    ],
)
def test_a_wrong_policy_is_told_in_one_sentence(tmp_path: Path, line: str, says: str) -> None:
    with pytest.raises(WrongUsage, match=says):
        read_witness_policy(written(tmp_path, line, "quorum none"))


def test_a_policy_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentUnfit, match=r"witnesses\.txt cannot be read: no such file"):
        read_witness_policy(tmp_path / "witnesses.txt")


def test_witnesses_have_a_process_only_where_a_policy_names_them(tmp_path: Path) -> None:
    path = written(tmp_path, f"witness a {A} https://a.example", "quorum a")
    with_policy = Settings(witness_policy_file=path)

    assert "witnesses" in [name for name, _ in role_names(with_policy)]
    assert "witnesses" not in [name for name, _ in role_names(Settings())]
    assert has_quorum(with_policy)
    assert not has_quorum(Settings())
    asked_for_nothing = written(tmp_path, f"witness a {A} https://a.example", "quorum none")
    assert not has_quorum(Settings(witness_policy_file=asked_for_nothing))
