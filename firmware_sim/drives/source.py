"""A drive file as lines or pieces of bytes, streamed, decompressed when it is gzipped."""

import gzip
import io
import stat
import zlib
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

from firmware_sim.drives.model import DriveUnreadable

HEAD_BYTES = 65_536
LINE_BYTES_MAX = 65_536

PIECE_BYTES = 65_536
DRIVE_BYTES_MAX = 16 * 1024**3
"""Of a file when decompressed: weeks of a busy bus, and an end for what inflates without one."""

Hear = Callable[[float], None]
"""Hears how much of the file has been read, from 0 to 1."""

_GZIP_MAGIC = b"\x1f\x8b"
_HEARD_EVERY_BYTES = 1024**2


def unheard(_share: float) -> None:
    """For whoever does not wait."""


@dataclass(frozen=True, slots=True)
class DriveSource:
    """Where a drive is read from; every failure of reading is a ``DriveUnreadable``."""

    path: Path
    hear: Hear = unheard

    @property
    def name(self) -> str:
        """The file's name, for sentences."""
        return self.path.name

    def unheard(self) -> "DriveSource":
        """The same file, read without telling how far it has come."""
        return DriveSource(self.path)

    def head(self) -> bytes:
        """The first bytes, decompressed: enough to recognise a format by."""
        with self._reading() as file:
            return file.read(HEAD_BYTES)

    def lines(self) -> Iterator[str]:
        """Every line without its end; bytes that are no UTF-8 are replaced, not refused."""
        encoding = "utf-8-sig"
        for line in self.byte_lines():
            yield line.decode(encoding, "replace").rstrip("\r\n")
            encoding = "utf-8"

    def byte_lines(self) -> Iterator[bytes]:
        """Every line with its end."""
        with self._reading() as file:
            meter = _Meter(self, file)
            while line := file.readline(LINE_BYTES_MAX + 1):
                if len(line) > LINE_BYTES_MAX:
                    raise DriveUnreadable(
                        f"{self.name} has a line of more than {LINE_BYTES_MAX} bytes, "
                        "which no drive format has."
                    )
                meter.count(len(line))
                yield line

    def pieces(self) -> Iterator[bytes]:
        """The bytes in pieces of up to ``PIECE_BYTES``."""
        with self._reading() as file:
            meter = _Meter(self, file)
            while piece := file.read(PIECE_BYTES):
                meter.count(len(piece))
                yield piece

    @contextmanager
    def _reading(self) -> Iterator[IO[bytes]]:
        try:
            with closing(self._open()) as file:
                yield file
        except OSError as error:
            raise self._unreadable(error) from error
        except (EOFError, zlib.error) as error:
            raise self._damaged() from error

    def _open(self) -> IO[bytes]:
        mode = self.path.stat().st_mode
        if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
            raise DriveUnreadable(
                f"{self.path} is no regular file, and a drive is read twice: save it to one."
            )
        file = self.path.open("rb")
        try:
            compressed = file.peek(2)[:2] == _GZIP_MAGIC
        except OSError:
            file.close()
            raise
        if not compressed:
            return file
        return cast("IO[bytes]", io.BufferedReader(_OwningGzip(file)))

    def _unreadable(self, error: OSError) -> DriveUnreadable:
        if isinstance(error, gzip.BadGzipFile):
            return self._damaged()
        reason = error.strerror or "it can't be read"
        return DriveUnreadable(f"{self.path} can't be opened: {reason.lower()}.")

    def _damaged(self) -> DriveUnreadable:
        return DriveUnreadable(f"{self.name} is gzipped and damaged or cut short: copy it again.")


class _Meter:
    """Counts what is read of a source, tells how far it has come, and stops what has no end."""

    def __init__(self, source: DriveSource, file: IO[bytes]) -> None:
        self._source = source
        self._file = file
        self._size = max(1, source.path.stat().st_size)
        self._read = 0
        self._heard = 0

    def count(self, read: int) -> None:
        self._read += read
        if self._read > DRIVE_BYTES_MAX:
            raise DriveUnreadable(
                f"{self._source.name} holds more than {DRIVE_BYTES_MAX // 1024**3} GiB: "
                "cut it into smaller files."
            )
        if self._read - self._heard >= _HEARD_EVERY_BYTES:
            self._heard = self._read
            self._source.hear(min(1.0, self._position() / self._size))

    def _position(self) -> int:
        raw = getattr(self._file, "raw", None)
        return raw.compressed_position() if isinstance(raw, _OwningGzip) else self._read


class _OwningGzip(gzip.GzipFile):
    """A gzip stream that closes the file under it, so that one close is enough."""

    def __init__(self, file: IO[bytes]) -> None:
        super().__init__(fileobj=file)
        self._file = file

    def close(self) -> None:
        super().close()
        self._file.close()

    def compressed_position(self) -> int:
        """How many bytes of the file under it have been read."""
        return self._file.tell()
