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

ROTATION_BOOTS_MAX = 2_048
"""Boots of the old key that a rotation lists: an engine start each, for more than a year."""

DEVICE_KEYS_MAX = 64
"""Keys that a device has in all, replaced and revoked ones too."""

RELEASE_DIGESTS_MAX = 1_024
"""Statements that one release names."""

INT64_MIN = -(2**63)
INT64_MAX = 2**63 - 1
SEQ_MAX = 2**63 - 1
TIME_MS_MAX = 253_402_300_799_999
"""The last millisecond of the year 9999."""

TRIP_ID_BYTES = 16
TRIP_STOPS_MAX = 64
TRIP_GAPS_MAX = 64
TRIP_EVENTS_MAX = 64
TRIP_EVENT_DETAIL_BYTES_MAX = 2_048
TRIP_FINDINGS_MAX = 32
TRIP_VALUES_MAX = 8
TRIP_INPUTS_MAX = 4_096
"""Segments and gaps that one trip was derived from."""

TRIP_DIGESTS_MAX = 768
"""Digests of inputs or groups of inputs that a reader takes."""
TRIP_DIGESTS_WRITTEN_MAX = 64
"""How many are written: evidence holds the inputs themselves as well."""
TRIP_FAULTS_MAX = 64
TRIP_SUPERSEDES_MAX = 64
TRIP_BINDINGS_MAX = 64
