"""GPX 1.0 and 1.1: the points of tracks, in file order.

A stream through expat, a piece at a time: a file of any size needs little memory. A document type
declaration, which no GPX file needs and every entity bomb does, is refused where it begins.

Source: topografix.com, gpx 1.1 schema (ele in m, course in degrees, time in UTC); speed in m/s is
GPX 1.0's, and Garmin's TrackPointExtension v2's.
"""

import re
from collections import deque
from collections.abc import Iterator
from xml.parsers import expat

from firmware_sim.drives import position
from firmware_sim.drives.aliases import KMH_PER_MPS
from firmware_sim.drives.model import DriveUnreadable, Record, Tally, Value
from firmware_sim.drives.source import DriveSource
from firmware_sim.drives.times import utc_ns_of
from firmware_sim.drives.values import parse_value

TAG_BYTES_MAX = 262_144
"""Of one tag or comment: expat keeps it until it is whole."""
DEPTH_MAX = 64
TEXT_CHARACTERS_MAX = 256

_FIELDS: dict[str, tuple[str, float]] = {
    "ele": (position.ALTITUDE, 1.0),
    "speed": (position.SPEED, KMH_PER_MPS),
    "course": (position.HEADING, 1.0),
    "sat": (position.SATELLITES, 1.0),
    "hdop": (position.HDOP, 1.0),
}
_FIX_TYPES = {"none": position.NO_FIX, "2d": "TWO_D", "3d": "THREE_D", "dgps": None, "pps": None}
_HOLDERS = frozenset({"trkpt", "extensions", "TrackPointExtension"})
"""The elements whose own children say what is known here."""
_POINT, _TIME, _FIX = "trkpt", "time", "fix"
_ROOT = re.compile(r"<(?:\w+:)?gpx[\s/>]")
_BEFORE_ROOT = {"<?": "?>", "<!--": "-->", "<!": ">"}
_CUT_SHORT = frozenset(
    {
        expat.errors.codes[expat.errors.XML_ERROR_NO_ELEMENTS],
        expat.errors.codes[expat.errors.XML_ERROR_UNCLOSED_TOKEN],
        expat.errors.codes[expat.errors.XML_ERROR_PARTIAL_CHAR],
    }
)


def recognises(head: bytes) -> bool:
    """Whether the first element of this XML is ``gpx``, in UTF-8, UTF-16 or a Latin alphabet."""
    wide = head[:2] in (b"\xff\xfe", b"\xfe\xff")
    text = head.decode("utf-16" if wide else "utf-8", "replace")
    return _ROOT.match(text, _root_at(text)) is not None


def _root_at(text: str) -> int:
    """Where the first element begins, behind declarations and comments."""
    at = 0
    while True:
        while at < len(text) and text[at] in "\ufeff \t\r\n":
            at += 1
        begun = next((begun for begun in _BEFORE_ROOT if text.startswith(begun, at)), None)
        if begun is None:
            return at
        end = "]>" if _has_subset(text, at) else _BEFORE_ROOT[begun]
        ended = text.find(end, at)
        if ended < 0:
            return len(text)
        at = ended + len(end)


def _has_subset(text: str, at: int) -> bool:
    """Whether a document type declaration here has declarations in brackets."""
    return text.startswith("<!DOCTYPE", at) and 0 < text.find("[", at) < text.find(">", at)


def records(source: DriveSource, tally: Tally) -> Iterator[Record]:
    """One record per point that has a time."""
    return position.judged(_points(source, tally), tally)


def _points(source: DriveSource, tally: Tally) -> Iterator[Record]:
    track = _Track(source, tally)
    for piece in source.pieces():
        track.feed(piece)
        yield from track.taken()
    track.finish()
    yield from track.taken()
    if not track.points:
        raise DriveUnreadable(
            f"{source.name} holds no point of a track (a planned route or way points have none "
            "that were driven): record a track."
        )
    if not track.timed:
        raise DriveUnreadable(
            f"{source.name} has no times on its points, as planned routes do: record a track."
        )


class _Track:
    """What expat has found so far."""

    def __init__(self, source: DriveSource, tally: Tally) -> None:
        self.points = 0
        self.timed = 0
        self._source = source
        self._tally = tally
        self._fed = 0
        self._path: list[str] = []
        self._values: dict[str, Value] | None = None
        self._time_ns: int | None = None
        self._text = ""
        self._records: deque[Record] = deque()
        self._parser = parser = expat.ParserCreate()
        parser.buffer_text = True
        parser.StartDoctypeDeclHandler = self._refuse_doctype
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._hear_text

    def feed(self, piece: bytes) -> None:
        """Take the next bytes; ``DriveUnreadable`` when they are no GPX."""
        self._parse(piece, last=False)
        self._fed += len(piece)
        if self._fed - self._parser.CurrentByteIndex > TAG_BYTES_MAX:
            raise DriveUnreadable(
                f"{self._source.name} has a tag of more than {TAG_BYTES_MAX} bytes, "
                "which no GPX file has."
            )

    def finish(self) -> None:
        """The file is over."""
        self._parse(b"", last=True)

    def taken(self) -> Iterator[Record]:
        """The points found since the last time."""
        while self._records:
            yield self._records.popleft()

    def _parse(self, piece: bytes, *, last: bool) -> None:
        try:
            self._parser.Parse(piece, last)
        except expat.ExpatError as error:
            if last and error.code in _CUT_SHORT:
                self._tally.cut_short = True
                return
            raise DriveUnreadable(
                f"{self._source.name} is no regular XML ({expat.ErrorString(error.code)}, "
                f"line {error.lineno}): export it again."
            ) from error
        except (LookupError, ValueError) as error:
            if isinstance(error, DriveUnreadable):
                raise
            raise DriveUnreadable(
                f"{self._source.name} is XML in an encoding that is not known: save it as UTF-8."
            ) from error

    def _refuse_doctype(self, *_: object) -> None:
        raise DriveUnreadable(
            f"{self._source.name} declares a document type, which no GPX file needs: it is refused."
        )

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        if len(self._path) >= DEPTH_MAX:
            raise DriveUnreadable(
                f"{self._source.name} nests more than {DEPTH_MAX} elements, which no GPX file does."
            )
        name = _local(tag)
        self._path.append(name)
        self._text = ""
        if name == _POINT:
            self._values, self._time_ns = {}, None
            for attribute, path in (("lat", position.LATITUDE), ("lon", position.LONGITUDE)):
                self._set(path, attributes.get(attribute, ""), 1.0)

    def _hear_text(self, text: str) -> None:
        if self._values is not None:
            self._text += text[: TEXT_CHARACTERS_MAX - len(self._text)]

    def _end(self, tag: str) -> None:
        name, text, self._text = _local(tag), self._text.strip(), ""
        self._path.pop()
        values = self._values
        if values is None:
            return
        if name == _POINT:
            self._values = None
            self._close(values)
        elif text and self._path[-1] in _HOLDERS:
            self._child(name, text, values)
        elif text:
            self._tally.leave_out(name)

    def _child(self, name: str, text: str, values: dict[str, Value]) -> None:
        if name == _TIME:
            self._time_ns = utc_ns_of(text)
        elif name == _FIX:
            fix = _FIX_TYPES.get(text.lower())
            values |= {position.FIX_TYPE: fix} if fix else {}
        elif name in _FIELDS:
            path, factor = _FIELDS[name]
            self._set(path, text, factor)
        else:
            self._tally.leave_out(name)

    def _set(self, path: str, text: str, factor: float) -> None:
        value = parse_value(path, text, factor)
        self._tally.unreadable += value is None
        if value is not None and self._values is not None:
            self._values[path] = value

    def _close(self, values: dict[str, Value]) -> None:
        self.points += 1
        if self._time_ns is None:
            self._tally.untimed += 1
            return
        self.timed += 1
        self._records.append(Record(self._time_ns, values))


def _local(tag: str) -> str:
    return tag.rpartition(":")[2]
