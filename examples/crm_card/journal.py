"""What has been accepted since the last save: on the disk before anybody is told so."""

import json
import os
from collections.abc import Iterator
from io import FileIO
from pathlib import Path
from typing import Any


class Journal:
    """Entries as lines of JSON, in numbered parts of which a save drops those before it.

    A position is the number of a part and a place in it, such as ``"3:120"``: all before it has been read.

    Parameters
    ----------
    folder
        Where the parts lie.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._number = max(self._numbers(), default=0)
        self._file: FileIO | None = None
        self.begin()

    def begin(self) -> str:
        """Begin a new part, and return the position at which it begins.

        Parts that others began are never written to: the last line of one may be cut off, where its process
        was killed before it could say that it had accepted anything.
        """
        self.close()
        self._number += 1
        self._file = self._path(self._number).open("xb", buffering=0)
        handle = os.open(self._folder, os.O_RDONLY)
        os.fsync(handle)
        os.close(handle)
        return f"{self._number}:0"

    def write(self, entry: dict[str, Any]) -> str:
        """Keep an entry, whatever happens to the machine, and return the position behind it."""
        assert self._file is not None
        before, line = self._file.tell(), json.dumps(entry).encode() + b"\n"
        try:
            while line:
                line = line[self._file.write(line) :]
            os.fsync(self._file.fileno())
        except OSError:
            self._file.truncate(before)  # half a line would spoil the next
            self._file.seek(before)
            raise
        return f"{self._number}:{self._file.tell()}"

    def behind(self, position: str | None) -> Iterator[tuple[dict[str, Any], str]]:
        """Read the entries behind a position, each with its own."""
        first, _, place = (position or "0:0").partition(":")
        for number in self._numbers():
            if number < int(first):
                continue
            with self._path(number).open("rb") as file:
                file.seek(int(place) if number == int(first) else 0)
                for line in iter(file.readline, b""):
                    if line.endswith(b"\n"):
                        yield json.loads(line), f"{number}:{file.tell()}"

    def drop(self, position: str) -> None:
        """Delete the parts before a position, which a saved state has."""
        for number in self._numbers():
            if number < int(position.partition(":")[0]):
                self._path(number).unlink()

    def close(self) -> None:
        """Let go of the file."""
        if self._file is not None:
            self._file.close()

    def _numbers(self) -> list[int]:
        return sorted(int(path.stem.partition("-")[2]) for path in self._folder.glob("journal-*.jsonl"))

    def _path(self, number: int) -> Path:
        return self._folder / f"journal-{number}.jsonl"
