"""Files of live states: a header, sections by name, a checksum over all; a crash leaves the old or the new.

A file begins with sixteen bytes that say what it is, then the version of its format and its length; it ends
with a checksum of everything before. All numbers are little-endian. Each section is its name, its length and
its bytes. Nothing in it is ever executed, and nothing is allocated because it says so: a section is no longer
than the file, and the checksum is right, before anything is read of it.
"""

from __future__ import annotations

import errno
import json
import os
import struct
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from fcntl import LOCK_EX, flock
from hashlib import blake2b
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any, Final

from engagekit.errors import StateError

MAGIC: Final = b"engagekit live\r\n"
VERSION: Final = 1
_HEADER: Final = struct.Struct("<16sQQ")
_SECTION: Final = struct.Struct("<16sQ")
_SUM: Final = 32
_OPENED: Final = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC


def write(path: str | os.PathLike[str], sections: Iterable[tuple[str, Iterator[bytes | memoryview]]]) -> None:
    """Write a file, atomically and durably: whenever the machine stops, the old file is there or the new.

    Parameters
    ----------
    path
        Where to. The temporary file stands beside it; what a process that was killed has left of one is
        written over by the next.
    sections
        Names of at most 16 letters, and their bytes piece by piece.
    """
    from engagekit.datafiles import target_of

    target = target_of(path)
    temporary = target.with_name(f".{target.name}.tmp")
    file = _opened(temporary)
    try:
        _fill(file, sections)
        file.flush()
        os.fsync(file.fileno())
        if target.exists():
            # its owner may always write it, lest what a crash leaves here is in the way of the next
            temporary.chmod(target.stat().st_mode & 0o777 | 0o600)
        temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        with suppress(OSError):  # what does not fit on the disk does not when the file is closed either
            file.close()
        raise
    file.close()
    _flush_folder(target.parent)


def probe(path: str | os.PathLike[str]) -> None:
    """Raise the OSError that `write` would raise at once: nothing can have that name, or be written there."""
    from engagekit.datafiles import target_of

    target = target_of(path)
    try:
        with TemporaryFile(dir=target.parent):
            pass
    except OSError as error:
        raise type(error)(error.errno, error.strerror, str(target)) from None


def _opened(temporary: Path) -> IO[bytes]:
    """Open the temporary file, empty and locked: who else saves to the same path waits here."""
    while True:
        file = os.fdopen(os.open(temporary, _OPENED, 0o600), "w+b")
        with suppress(OSError):  # a file system without locks: there one process saves
            flock(file, LOCK_EX)
        with suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(file.fileno()), temporary.stat(follow_symlinks=False)):
                file.truncate(0)
                return file
        # who was waited for has renamed what was opened, or taken it away
        file.close()


def _fill(file: Any, sections: Iterable[tuple[str, Iterator[bytes | memoryview]]]) -> None:
    file.write(_HEADER.pack(MAGIC, VERSION, 0))
    for name, pieces in sections:
        start = file.tell()
        file.write(_SECTION.pack(name.encode(), 0))
        for piece in pieces:
            file.write(piece)
        end = file.tell()
        file.seek(start)
        file.write(_SECTION.pack(name.encode(), end - start - _SECTION.size))
        file.seek(end)
    length = file.tell() + _SUM
    file.seek(0)
    file.write(_HEADER.pack(MAGIC, VERSION, length))
    file.seek(0)
    check = blake2b(digest_size=_SUM)
    while piece := file.read(1 << 20):
        check.update(piece)
    file.write(check.digest())


def _flush_folder(folder: Path) -> None:
    """See to it that the folder, too, remembers the new name; not every system can open one."""
    if not hasattr(os, "O_DIRECTORY"):
        return
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def read(path: str | os.PathLike[str]) -> Mapping[str, memoryview]:
    """Read a file's sections.

    Raises
    ------
    StateError
        If it is no such file, of a newer version, truncated or altered.
    """
    from engagekit.datafiles import named

    try:
        with named(path).open("rb") as file:
            head = file.read(_HEADER.size)
            size = os.fstat(file.fileno()).st_size
            if len(head) < _HEADER.size or head[:16] != MAGIC:
                raise StateError(f"{path}: expected a saved Live, got a file of another kind")
            _, version, length = _HEADER.unpack(head)
            if version > VERSION:
                raise StateError(
                    f"{path}: expected a format of version {VERSION} or older, got {version}: saved by a "
                    "newer engagekit"
                )
            rest = file.read() if length == size else b""
    except OSError as error:
        told = ascii(error.filename) if error.errno == errno.EINVAL else path
        raise StateError(f"{told}: cannot be read: {error.strerror or error}") from None
    check = blake2b(head, digest_size=_SUM)
    check.update(rest[:-_SUM])
    if length != len(head) + len(rest) or version < 1 or check.digest() != rest[-_SUM:]:
        raise StateError(f"{path}: damaged: its checksum or its length is wrong")
    return dict(_sections(memoryview(rest)[:-_SUM], path))


def _sections(whole: memoryview, path: object) -> Iterator[tuple[str, memoryview]]:
    place = 0
    while place < len(whole):
        if place + _SECTION.size > len(whole):
            raise StateError(f"{path}: damaged: a section is cut off")
        name, length = _SECTION.unpack_from(whole, place)
        place += _SECTION.size
        if length > len(whole) - place:
            raise StateError(f"{path}: damaged: a section is longer than the file")
        yield name.rstrip(b"\0").decode("ascii", "replace"), whole[place : place + length]
        place += length


def packed(value: Any) -> bytes:
    """Write what a section says in words and numbers, in its one canonical form."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def unpacked(section: memoryview) -> Any:
    """Read what `packed` wrote.

    Raises
    ------
    ValueError
        If it is nothing of the kind.
    """
    text = str(section, "utf-8")
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("nested too deep") from None
