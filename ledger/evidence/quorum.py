"""Whether the witnesses that a reader asks for have cosigned a checkpoint."""

from ledger.evidence.reasons import Code, Findings
from ledger.note import SignedNote
from ledger.policy import Policy
from ledger.witness.cosigned import cosigned_by


def check_quorum(signed: SignedNote, policy: Policy, findings: Findings) -> tuple[str, ...]:
    """The policy's witnesses whose cosignature is there and right, by name.

    A line of a witness that does not verify is a finding of its own, whatever the quorum: it was
    made to be believed.
    """
    cosigned = cosigned_by(signed, policy.witnesses)
    for name, reason in cosigned.refused.items():
        findings.add(Code.BAD_COSIGNATURE, f"the witness {name}: {reason}")
    if not policy.quorum_met(cosigned.times_s):
        by = ", ".join(sorted(cosigned.times_s)) or "none of your witnesses"
        findings.add(
            Code.QUORUM_NOT_MET,
            f"the quorum {policy.quorum!r} of your policy is not met: cosigned by {by}",
        )
    return tuple(sorted(cosigned.times_s))
