"""Every limit on signed bytes, inclusive.

The sealer cuts before one is reached; a reader refuses past it.
"""

STATEMENT_BYTES_MAX = 65_536
PROTECTED_BYTES_MAX = 1_024
INFLATED_BYTES_MAX = 65_536
"""Keys 6 and 11 of a segment, inflated, together."""

SAMPLES_MAX = 3_600
SIGNALS_MAX = 128
EVENTS_MAX = 256
EVENT_DETAIL_BYTES_MAX = 4_096
"""Encoded detail maps over all events of a segment."""

RAW_DIGESTS_MAX = 64
SALT_BYTES = 16
BOOT_BYTES = 8
DIGEST_BYTES = 32
SUBJECT_CHARS_MAX = 128
ORIGIN_BYTES_MAX = 255
CBOR_DEPTH_MAX = 16

INT64_MIN = -(2**63)
INT64_MAX = 2**63 - 1
SEQ_MAX = 2**63 - 1
TIME_MS_MAX = 253_402_300_799_999
"""The last millisecond of the year 9999."""
