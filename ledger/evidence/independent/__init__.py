"""The second implementation: verifies evidence files with other libraries and no code of ours.

Written from ``docs/evidence.md`` and the specifications that it names. It uses ``cbor2`` to take
CBOR apart and ``ecdsa`` (public keys only) for ES256 and Ed25519. Suites that these cannot check
are named in the result.
"""

from ledger.evidence.independent.check import independent_verify

__all__ = ["independent_verify"]
