"""Files that must not verify, each with the code that names the cause: one corpus, two verifiers.

Unless the forgery says otherwise, everything in a file is consistent: the log really committed the
statement that breaks the rule, the proof is right, the checkpoint is signed and the checksum fits.
"""

from tests.ledger.evidence.forgeries import (
    of_changed_keys,
    of_forms,
    of_keys,
    of_statements,
    of_the_log,
    of_witnesses,
)
from tests.ledger.evidence.forgeries.corpus import FORGERIES, Forgery, Maker

__all__ = [
    "FORGERIES",
    "Forgery",
    "Maker",
    "of_changed_keys",
    "of_forms",
    "of_keys",
    "of_statements",
    "of_the_log",
    "of_witnesses",
]
