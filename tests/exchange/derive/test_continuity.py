"""Chains of statements: whole, broken, with holes, forked."""

from dataclasses import replace

from exchange.derive.continuity import Link, chain_faults
from schemas.statements.trip import ChainFault

BOOT_A, BOOT_B = b"a" * 8, b"b" * 8


def digest(index: int) -> bytes:
    return index.to_bytes(32, "big")


def chain(n: int, boot: bytes = BOOT_A, first: int = 0, prev: bytes = b"") -> list[Link]:
    links = []
    for seq in range(n):
        index = first + seq
        links.append(Link(index, "dev-1", boot, seq, prev, digest(index + 1), 1_000 * index))
        prev = digest(index + 1)
    return links


def test_whole_chain_has_no_fault_in_any_order() -> None:
    links = chain(5)

    assert chain_faults(links) == []
    assert chain_faults(reversed(links)) == []
    assert chain_faults(links[2:]) == []


def test_chain_goes_on_across_boots() -> None:
    first = chain(3)

    assert chain_faults([*first, *chain(3, BOOT_B, 3, first[-1].digest)]) == []


def test_statement_that_is_not_there_is_missing() -> None:
    links = chain(5)

    assert chain_faults(links[:2] + links[3:]) == [(3, ChainFault.MISSING)]


def test_new_boot_that_follows_something_unknown_is_a_break() -> None:
    assert chain_faults([*chain(3), *chain(2, BOOT_B, 3, digest(99))]) == [(3, ChainFault.BREAK)]


def test_two_statements_after_the_same_one_are_a_fork() -> None:
    links = chain(4)
    twin = replace(links[2], index=9, boot=BOOT_B, seq=0, digest=digest(77), from_ms=2_500)

    assert chain_faults([*links, twin]) == [(9, ChainFault.FORK)]


def test_devices_have_chains_of_their_own() -> None:
    other = [replace(link, device="dev-2", index=link.index + 10) for link in chain(3)]

    assert chain_faults([*chain(3), *other]) == []
