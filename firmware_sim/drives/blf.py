"""Vector's BLF: a bus as compressed containers of objects, the objects read by python-can.

Only whole objects of sane sizes reach python-can's reader, a container at a time: handed the file
itself it inflates without a bound, reads whatever size a header claims, and turns in a circle at an
object of size 0. The start of the measurement is the logger's local time in a zone that the file
does not name; it is taken as UTC, so that a file is the same drive everywhere.

Source: python-can's ``can/io/blf.py`` (LOGG and LOBJ headers; there is no public specification).
"""

import io
import struct
import zlib
from collections.abc import Iterator

from can.io.blf import BLFParseError, BLFReader

from firmware_sim.drives.can_messages import PARSING_FAILED, frame_of
from firmware_sim.drives.model import MS_NS, DriveUnreadable, Frame, Tally
from firmware_sim.drives.source import DRIVE_BYTES_MAX, DriveSource

CONTAINER_BYTES_MAX = 16 * 1024**2
"""Of a container, packed or inflated; loggers write 128 KiB to a few MiB."""

OBJECT_BYTES_MAX = 1024**2

_MAGIC, _OBJECT_MAGIC = b"LOGG", b"LOBJ"
_FILE_HEADER = struct.Struct("<4sL64x")
_HEADER_BYTES_MAX = 4_096
_OBJECT = struct.Struct("<4sHHLL")
_CONTAINER = struct.Struct("<H6xL4x")
_CONTAINER_TYPE = 10
_FRAME_TYPES = frozenset({1, 73, 86, 100, 101})
"""CAN messages, CAN FD messages and error frames, in the forms that python-can reads."""
_FRAME_BYTES_MIN = {1: 48, 2: 56}
"""By version of the object's header, which python-can does not hold against the size."""
_PLAIN, _DEFLATED = 0, 2
_PADDING_MAX = 8


def recognises(head: bytes) -> bool:
    """Whether this is the file header of a BLF."""
    return head.startswith(_MAGIC)


def frames(source: DriveSource, tally: Tally) -> Iterator[Frame]:
    """Data frames in file order. CAN FD, remote and error frames are counted as left out."""
    stream = _Stream(source.pieces())
    header = stream.take(_FILE_HEADER.size)
    if len(header) < _FILE_HEADER.size or not recognises(header):
        raise _damaged(source)
    size = _FILE_HEADER.unpack(header)[1]
    if not _FILE_HEADER.size <= size <= _HEADER_BYTES_MAX:
        raise _damaged(source)
    stream.take(size - _FILE_HEADER.size)
    alone = _MAGIC + _FILE_HEADER.size.to_bytes(4, "little") + header[8:]
    begun_ns = _begun_ns(alone)
    tally.local_time = begun_ns > 0
    for objects in _batches(source, stream, tally):
        yield from _frames_in(objects, alone, begun_ns, tally)


def _frames_in(objects: bytes, header: bytes, begun_ns: int, tally: Tally) -> Iterator[Frame]:
    reader = BLFReader(io.BytesIO(header + _as_container(objects)))
    reader.start_timestamp = 0.0
    try:
        for message in reader:
            frame = frame_of(message, begun_ns, tally)
            if frame is not None:
                yield frame
    except (*PARSING_FAILED, BLFParseError, struct.error):
        tally.unreadable += 1


def _begun_ns(header: bytes) -> int:
    return round(BLFReader(io.BytesIO(header)).start_timestamp * 1_000) * MS_NS


def _batches(source: DriveSource, stream: "_Stream", tally: Tally) -> Iterator[bytes]:
    """Whole objects that hold frames, as many at a time as a container has."""
    inflated, held = 0, bytearray()
    while header := stream.take(_OBJECT.size):
        if len(header) < _OBJECT.size:
            tally.cut_short = True
            return
        magic, _, _, size, kind = _OBJECT.unpack(header)
        if magic != _OBJECT_MAGIC or not _OBJECT.size <= size <= CONTAINER_BYTES_MAX:
            raise _damaged(source)
        body = stream.take(size - _OBJECT.size)
        tally.cut_short |= len(header) + len(body) < size
        stream.take(size % 4)
        if kind == _CONTAINER_TYPE:
            content = _content(source, body, tally)
            inflated += len(content)
            held += content
            objects = _whole_objects(source, held)
        else:
            objects = _whole_objects(source, bytearray(header + body))
        if inflated > DRIVE_BYTES_MAX:
            raise DriveUnreadable(
                f"{source.name} inflates to more than {DRIVE_BYTES_MAX // 1024**3} GiB: "
                "cut it into smaller files."
            )
        if objects:
            yield objects
    tally.cut_short |= len(held) >= _PADDING_MAX


def _content(source: DriveSource, body: bytes, tally: Tally) -> bytes:
    """What a container holds; what is left of it when the file ends within."""
    if len(body) < _CONTAINER.size:
        return b""
    method, _ = _CONTAINER.unpack_from(body)
    packed = body[_CONTAINER.size :]
    if method == _PLAIN:
        return packed
    if method != _DEFLATED:
        tally.leave_out(f"containers packed by method {method}")
        return b""
    inflater = zlib.decompressobj()
    try:
        content = inflater.decompress(packed, CONTAINER_BYTES_MAX)
    except zlib.error:
        raise _damaged(source) from None
    if inflater.unconsumed_tail:
        raise DriveUnreadable(
            f"{source.name} has a container of more than {CONTAINER_BYTES_MAX // 1024**2} MiB, "
            "which no logger writes: it is refused."
        )
    tally.cut_short |= not inflater.eof
    return content


def _whole_objects(source: DriveSource, held: bytearray) -> bytes:
    """Take the whole objects out of these bytes, and keep of them what holds frames."""
    kept: list[bytes] = []
    at = 0
    while at + _PADDING_MAX <= len(held):
        found = held.find(_OBJECT_MAGIC, at, at + _PADDING_MAX)
        if found < 0:
            raise _damaged(source)
        if found + _OBJECT.size > len(held):
            break
        _, _, version, size, kind = _OBJECT.unpack_from(held, found)
        if not _OBJECT.size <= size <= OBJECT_BYTES_MAX:
            raise _damaged(source)
        if found + size > len(held):
            break
        at = found + size
        if kind in _FRAME_TYPES and size >= _FRAME_BYTES_MIN.get(version, OBJECT_BYTES_MAX + 1):
            kept.append(bytes(held[found:at]))
    del held[:at]
    return b"".join(kept)


def _as_container(objects: bytes) -> bytes:
    size = _OBJECT.size + _CONTAINER.size + len(objects)
    outer = _OBJECT.pack(_OBJECT_MAGIC, _OBJECT.size, 1, size, _CONTAINER_TYPE)
    return outer + _CONTAINER.pack(_PLAIN, len(objects)) + objects


def _damaged(source: DriveSource) -> DriveUnreadable:
    return DriveUnreadable(f"{source.name} is a damaged BLF file: copy it again.")


class _Stream:
    """Pieces of a file as bytes that can be taken."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._held = bytearray()

    def take(self, size: int) -> bytes:
        """The next bytes: fewer at the end of the file."""
        while len(self._held) < size and (piece := next(self._pieces, b"")):
            self._held += piece
        taken = bytes(self._held[:size])
        del self._held[:size]
        return taken
