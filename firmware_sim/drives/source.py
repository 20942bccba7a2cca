"""A drive file as text lines, streamed, decompressed when it is gzipped."""

import gzip
import io
import zlib
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

from firmware_sim.drives.model import DriveUnreadable

HEAD_BYTES = 65_536
LINE_BYTES_MAX = 65_536

_GZIP_MAGIC = b"\x1f\x8b"


@dataclass(frozen=True, slots=True)
class DriveSource:
    """Where a drive is read from; every failure of reading is a ``DriveUnreadable``."""

    path: Path

    @property
    def name(self) -> str:
        """The file's name, for sentences."""
        return self.path.name

    def head(self) -> bytes:
        """The first bytes, decompressed: enough to recognise a format by."""
        try:
            with closing(self._open()) as file:
                return file.read(HEAD_BYTES)
        except OSError as error:
            raise self._unreadable(error) from error
        except (EOFError, zlib.error) as error:
            raise self._damaged() from error

    def lines(self) -> Iterator[str]:
        """Every line without its end; bytes that are no UTF-8 are replaced, not refused."""
        try:
            with closing(self._open()) as file:
                yield from self._read_lines(file)
        except OSError as error:
            raise self._unreadable(error) from error
        except (EOFError, zlib.error) as error:
            raise self._damaged() from error

    def _read_lines(self, file: IO[bytes]) -> Iterator[str]:
        encoding = "utf-8-sig"
        while line := file.readline(LINE_BYTES_MAX + 1):
            if len(line) > LINE_BYTES_MAX:
                raise DriveUnreadable(
                    f"{self.name} has a line of more than {LINE_BYTES_MAX} bytes, "
                    "which no drive format has."
                )
            yield line.decode(encoding, "replace").rstrip("\r\n")
            encoding = "utf-8"

    def _open(self) -> IO[bytes]:
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


class _OwningGzip(gzip.GzipFile):
    """A gzip stream that closes the file under it, so that one close is enough."""

    def __init__(self, file: IO[bytes]) -> None:
        super().__init__(fileobj=file)
        self._file = file

    def close(self) -> None:
        super().close()
        self._file.close()
