"""Every limit on an evidence file, inclusive; statements keep those of ``schemas.limits``."""

FILE_BYTES_MAX = 268_435_456
STATEMENTS_MAX = 131_072
HASHES_MAX = 1_048_576
THRESHOLDS_BYTES_MAX = 4_096
