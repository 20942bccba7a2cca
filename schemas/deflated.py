"""Raw DEFLATE blocks inside segments (RFC 1951): one complete stream, bounded, nothing after it."""

import zlib

from schemas.errors import Reason, StatementRefused, malformed

_RAW_WINDOW = -15


def deflate(data: bytes) -> bytes:
    """Compress a block; readers treat the result as opaque and never compress again."""
    compressor = zlib.compressobj(9, zlib.DEFLATED, _RAW_WINDOW)
    return compressor.compress(data) + compressor.flush()


def inflate(data: bytes, bytes_max: int) -> bytes:
    """Decompress one block of at most ``bytes_max`` bytes; ``StatementRefused`` otherwise."""
    stream = zlib.decompressobj(_RAW_WINDOW)
    try:
        block = stream.decompress(data, bytes_max + 1)
    except zlib.error:
        raise malformed("a compressed block cannot be inflated") from None
    if len(block) > bytes_max:
        raise StatementRefused(Reason.TOO_LARGE, "a block inflates past the limit")
    if not stream.eof:
        raise malformed("a compressed block is cut short")
    if stream.unused_data:
        raise malformed("bytes follow a compressed block")
    return block
