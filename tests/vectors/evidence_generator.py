"""Makes the evidence vectors in evidence/ beside this file: good files, forgeries, policies.

The keys are fixed and public on purpose. ES256 signatures differ from run to run, so new files
differ from the old ones in them and in what follows from them; the verdicts do not.

Run ``python -m tests.vectors.evidence_generator``.
"""

import json
from pathlib import Path

from tests.ledger.evidence.changed_keys import released, rotated
from tests.ledger.evidence.cosigned import FIRST, PQ, SECOND, cosigned_by, witness_policy
from tests.ledger.evidence.forgeries import FORGERIES
from tests.ledger.evidence.world import drive

FOLDER = Path(__file__).parent / "evidence"
VERDICTS = "verdicts.json"


def render() -> tuple[dict[str, bytes], dict[str, dict[str, str]]]:
    """Files by name, and for each evidence file its policy's text and the reason of its refusal.

    The reason of a good file is the empty text.
    """
    honest = drive()
    policy = honest.world.policy_text().decode()
    files = {
        "trip.evidence": honest.trip_file(),
        "full.evidence": honest.full_file(),
        "segments.evidence": honest.segments_file(),
        "a_replaced_key.evidence": rotated().file(),
        "a_revoked_key_and_its_release.evidence": released().file(),
    }
    verdicts = {name: {"policy": policy, "reason": ""} for name in files}
    name = "cosigned.evidence"
    files[name] = cosigned_by(honest.trip_file(), FIRST, SECOND, PQ)
    verdicts[name] = {"policy": witness_policy(honest.world).decode(), "reason": ""}
    for name, maker in FORGERIES.items():
        forgery = maker()
        files[f"{name}.evidence"] = forgery.data
        verdicts[f"{name}.evidence"] = {
            "policy": forgery.policy.decode(),
            "reason": str(forgery.code),
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
