"""Makes haulproof/statements.json beside this file: one statement of each kind under each suite.

The keys are fixed and public on purpose. Signatures of ES256 and ML-DSA differ from run to run, so
a new file differs from the old one in them alone.

Run ``python -m tests.vectors.statements_generator``.
"""

import json
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, mldsa

from schemas.columns import encode_column
from schemas.cose import sign1
from schemas.cose.keys import SoftwareSigner
from schemas.kinds import TYPE_TEXT, Kind
from schemas.samples import Block, Burst
from schemas.segment import Segment, SegmentEvent, encode_segment
from schemas.statements.binding import Binding
from schemas.statements.device_key import AGENT_MEASURED, DeviceKey, Rotation
from schemas.statements.device_key import possession_message as device_possession
from schemas.statements.gap import CAUSE_RESTART, Gap
from schemas.statements.grant import Grant, Precision, Purpose
from schemas.statements.org_key import OrgKey, Role
from schemas.statements.org_key import possession_message as org_possession
from schemas.statements.release import Release
from schemas.statements.revocation import Revocation

FILE = Path(__file__).parent / "haulproof" / "statements.json"
ORIGIN = "example.org/haulproof-vectors"
BOOT = bytes(range(8))
SALT = bytes(range(16))
PREV = bytes(range(32))
T0 = 1_700_000_000_000

SIGNERS = {
    "ES256": SoftwareSigner(ec.derive_private_key(7, ec.SECP256R1())),
    "Ed25519": SoftwareSigner(ed25519.Ed25519PrivateKey.from_private_bytes(bytes([1]) * 32)),
    "ML-DSA-44": SoftwareSigner(mldsa.MLDSA44PrivateKey.from_seed_bytes(bytes([2]) * 32)),
    "ML-DSA-65": SoftwareSigner(mldsa.MLDSA65PrivateKey.from_seed_bytes(bytes([3]) * 32)),
}


def payloads(signer: SoftwareSigner) -> dict[Kind, tuple[str, str, bytes]]:
    """Issuer, subject and payload of one statement of each kind; keys in them are the signer's."""
    cose_key = signer.public.cose_key
    org_key = OrgKey(
        name="carrier-a",
        role=Role.CARRIER,
        cose_key=cose_key,
        proof=signer.sign(org_possession(cose_key)),
        created_ms=T0,
        salt=SALT,
    )
    device_key = DeviceKey(
        carrier="carrier-a",
        device="device-1",
        cose_key=cose_key,
        proof=signer.sign(device_possession("carrier-a", "device-1", ORIGIN)),
        assurance=AGENT_MEASURED,
        note="",
        created_ms=T0,
        salt=SALT,
        rotation=Rotation(PREV, {BOOT: 41, PREV[8:16]: 2**40}),
    )
    gap = Gap(BOOT, 1, PREV, T0, T0 + 5_000, CAUSE_RESTART, (3, 20), SALT)
    release = Release(T0, (SALT * 2, PREV), SALT)
    revocation = Revocation(Kind.GRANT, PREV, T0, SALT)
    device = "hp:carrier-a/device-1"
    return {
        Kind.SEGMENT: (device, "v-5f3a", encode_segment(segment())),
        Kind.GAP: (device, "v-5f3a", gap.encode()),
        Kind.GRANT: ("hp:carrier-a", "insurer-b", grant().encode()),
        Kind.REVOCATION: ("hp:carrier-a", "insurer-b", revocation.encode()),
        Kind.DEVICE_KEY: ("hp:carrier-a", "device-1", device_key.encode()),
        Kind.ORG_KEY: ("hp:exchange", "carrier-a", org_key.encode()),
        Kind.DECLARATION: ("hp:carrier-a", "device-1", release.encode()),
        Kind.BINDING: (
            "hp:carrier-a",
            "v-5f3a",
            Binding("device-1", "v-5f3a", 0, None, SALT).encode(),
        ),
    }


def segment() -> Segment:
    """Every key of a segment's payload at once."""
    speed = encode_column([None, 5_000, 5_010, None, 4_000])
    odometer = encode_column([7_150, 7_160, 7_175, 90_000, 90_005])
    fast = encode_column([5_000, 4_900, 4_700])
    if speed is None or odometer is None or fast is None:
        raise AssertionError("columns with values")
    return Segment(
        boot=BOOT,
        seq=0,
        prev=b"",
        t0=T0,
        block=Block(5, 1_000, None, {1: speed, 3: odometer}),
        events=(SegmentEvent(1_500, 2, {1: "YV2E4C3A5VB180691", 2: -35, 3: b"\x01"}),),
        clock=(3, 20),
        salt=SALT,
        mono=61_000,
        raw_digests=(PREV,),
        bursts=(Burst(-20_000, 100, 3, {1: fast}),),
        flags=2,
        driver_class=False,
    )


def grant() -> Grant:
    """A grant with every optional key."""
    return Grant(
        grantee="insurer-b",
        purpose=Purpose.INSURANCE,
        legal_basis="contract",
        vehicles=("v-5f3a",),
        fields=("Vehicle.Speed",),
        precision=Precision.H3_CELL,
        identity=False,
        window_from_ms=T0,
        window_to_ms=T0 + 86_400_000,
        expires_ms=T0 + 2 * 86_400_000,
        salt=SALT,
    )


def render() -> dict[str, Any]:
    """The file's content."""
    statements = []
    for suite, signer in SIGNERS.items():
        for kind, (issuer, subject, payload) in payloads(signer).items():
            raw = sign1.sign(
                signer,
                issuer=issuer,
                subject=subject,
                origin=ORIGIN,
                type_text=TYPE_TEXT[kind],
                payload=payload,
            )
            statements.append({"suite": suite, "kind": int(kind), "statement": raw.hex()})
    keys = {suite: signer.public.cose_key.hex() for suite, signer in SIGNERS.items()}
    return {"origin": ORIGIN, "keys": keys, "statements": statements}


if __name__ == "__main__":
    FILE.write_text(json.dumps(render(), indent=1) + "\n")
