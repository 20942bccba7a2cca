"""Makes the vectors of receipts and tlog-proofs in proofs/ beside this file, good and forged.

The keys are fixed and public on purpose. The statement is ES256, whose signatures differ from run
to run, so new files differ from the old ones; the verdicts do not.

Run ``python -m tests.vectors.proofs_generator``.
"""

import json
from pathlib import Path

from tests.ledger.evidence.forged_proofs import forgeries
from tests.ledger.evidence.proof_files import (
    consistency_receipt_of,
    leaf_hash_of,
    older_root_of,
    receipt_of,
    tlog_proof_of,
    transparent_of,
)
from tests.ledger.evidence.world import drive

FOLDER = Path(__file__).parent / "proofs"
VERDICTS = "verdicts.json"
STATEMENT = "trip.cose"
OLDER = 5


def render() -> tuple[dict[str, bytes], dict[str, object]]:
    """Files by name, and what a reader needs: policy, leaf, older root, the reason of each file."""
    honest = drive()
    world, trip = honest.world, honest.trip
    good = {
        "trip.receipt": receipt_of(world, trip),
        "trip.scitt": transparent_of(world, trip),
        "trip.tlog-proof": tlog_proof_of(world, trip),
    }
    forged = forgeries()
    files = {
        STATEMENT: world.raw(trip),
        "log.consistency-receipt": consistency_receipt_of(world, OLDER),
        **good,
        **{name: one.data for name, one in forged.items()},
    }
    verdicts: dict[str, object] = {
        "policy": world.policy_text().decode(),
        "index": trip,
        "leaf_hash": leaf_hash_of(world, trip).hex(),
        "older_size": OLDER,
        "older_root": older_root_of(world, OLDER).hex(),
        "reasons": {
            **dict.fromkeys(good, ""),
            **{name: one.reason for name, one in forged.items()},
        },
    }
    return files, verdicts


def main() -> None:
    """Write the folder."""
    files, verdicts = render()
    for name, data in files.items():
        (FOLDER / name).write_bytes(data)
    (FOLDER / VERDICTS).write_text(json.dumps(verdicts, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
