"""The commands device rotate, keys, revoke, aside and release, and org revoke, as typed."""

from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

import pytest

from schemas.cose.keys import SoftwareSigner
from schemas.statements.device_key import possession_message
from tests.exchange.commands.test_commands import Shell, shell
from tests.exchange.devices.intake import take
from tests.exchange.intake.trucks import Truck

__all__ = ["shell"]


@pytest.fixture
def truck(shell: Shell) -> Truck:
    """Admitted as dev-1 of acme by the command."""
    acme = shell.org("acme", "carrier")
    truck = Truck("dev-1", origin=shell.world.origin)
    shell.json(
        *("device", "add", shell.request(truck.signer), "--vehicle", "v-1"),
        *("--out", shell.path("enrolment.json"), "--key", shell.path("acme.pem")),
        *("--credentials", acme),
    )
    return truck


def signed(shell: Shell) -> tuple[str, ...]:
    return ("--key", shell.path("acme.pem"), "--credentials", shell.path("acme.json"))


def rotation(shell: Shell, truck: Truck, new: SoftwareSigner, boots: Sequence[object]) -> str:
    proof = new.sign(possession_message("acme", "dev-1", shell.world.origin))
    return shell.write(
        "rotation.json",
        {
            "carrier": "acme",
            "device": "dev-1",
            "origin": shell.world.origin,
            "cose_key": new.public.cose_key.hex(),
            "proof": proof.hex(),
            "replaces": truck.signer.public.thumbprint.hex(),
            "boots": boots,
        },
    )


def test_a_key_is_replaced_then_revoked_and_both_are_listed(shell: Shell, truck: Truck) -> None:
    listed, new = truck.segment(), SoftwareSigner.generate()
    request = rotation(shell, truck, new, [[truck.boot.hex(), 0]])
    done = shell.json("device", "rotate", request, *signed(shell))
    result = take(shell.world, truck, [listed, truck.segment()])
    shell.json("device", "revoke", "dev-1", *signed(shell))
    keys = shell.json("device", "keys", "dev-1", "--credentials", shell.path("acme.json"))
    code, out, _ = shell.run("device", "keys", "dev-1", "--credentials", shell.path("acme.json"))

    assert (len(result.committed), len(result.refused)) == (1, 1)
    assert [key["state"] for key in keys["items"]] == ["replaced", "revoked"]
    assert keys["items"][1]["index"] == done["device_key_index"]
    assert (code, new.public.thumbprint.hex() in out) == (0, True)


def test_a_key_is_revoked_by_its_index(shell: Shell, truck: Truck) -> None:
    request = rotation(shell, truck, SoftwareSigner.generate(), [])
    old = shell.json("device", "rotate", request, *signed(shell))["replaced_index"]
    done = shell.json("device", "revoke", "dev-1", "--index", str(old), *signed(shell))
    code, _, err = shell.run("device", "revoke", "dev-1", "--index", "999", *signed(shell))

    assert (done["index"], done["state"]) == (old, "revoked")
    assert (code, "haulproof device keys dev-1" in err) == (2, True)


def test_what_is_aside_is_released_by_digest_by_boot_and_range_and_whole(
    shell: Shell, truck: Truck
) -> None:
    credentials = ("--credentials", shell.path("acme.json"))
    shell.json("device", "revoke", "dev-1", *signed(shell))
    raws = [truck.segment() for _ in range(5)]
    take(shell.world, truck, raws)
    digests = [sha256(raw).hexdigest() for raw in raws]
    boot = truck.boot.hex()
    release = ("device", "release", "dev-1")

    def released(*words: str) -> list[str]:
        done = shell.json(*release, *words, *signed(shell))
        return [one["digest"] for one in done["released"]]

    assert [one["digest"] for one in shell.json("device", "aside", "dev-1", *credentials)["items"]]
    assert digests[0] in shell.run("device", "aside", "dev-1", *credentials)[1]
    assert released("--digest", digests[3]) == [digests[3]]
    assert released("--boot", boot, "--from", "1", "--to", "2") == digests[1:3]
    assert released("--all") == [digests[0], digests[4]]
    assert "Nothing" in shell.run("device", "aside", "dev-1", *credentials)[1]


@pytest.mark.parametrize(
    "words",
    [(), ("--all", "--boot", "00" * 8), ("--boot", "beef"), ("--all",), ("--digest", "00" * 32)],
    ids=["nothing", "two ways", "no boot", "all of nothing", "not aside"],
)
def test_a_release_that_says_nothing_clear_is_wrong_usage(
    shell: Shell, truck: Truck, words: tuple[str, ...]
) -> None:
    code, _, err = shell.run("device", "release", "dev-1", *words, *signed(shell))

    assert (code, err.count("\n")) == (2, 1)


def test_a_request_that_lists_or_proves_nothing_is_wrong_usage(shell: Shell, truck: Truck) -> None:
    new = SoftwareSigner.generate()
    beyond: list[object] = [[truck.boot.hex(), seq] for seq in (-1, float("inf"), 2**63)]
    for listed in (["beef", 0], [1], ["xx", 0], *beyond):
        request = rotation(shell, truck, new, [listed])
        code, _, err = shell.run("device", "rotate", request, *signed(shell))
        assert (code, "agent rotate" in err) == (2, True)
    plain = shell.request(new)
    assert shell.run("device", "rotate", plain, *signed(shell))[0] == 2


def test_an_organisation_s_key_is_revoked_and_a_new_one_admitted(
    shell: Shell, tmp_path: Path
) -> None:
    shell.org("acme", "carrier")
    done = shell.json("org", "revoke", "acme", "--credentials", shell.operator)
    shell.json("org", "key", str(tmp_path / "new.pem"))
    again = shell.json(
        *("org", "add", "acme", "--role", "carrier", "--key", str(tmp_path / "new.pem.pub")),
        *("--credentials", shell.operator),
    )

    assert len(done["revoked"]) == 1
    assert again["index"] > done["revoked"][0]["revoked_index"]
