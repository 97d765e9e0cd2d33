"""Which files are meant, and of which format each is."""

import errno
import glob
import gzip
import importlib
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Literal, cast

from engagekit.errors import EngagekitError, EventsError

Format = Literal["parquet", "csv", "jsonl"]

FORMATS: dict[str, Format] = {
    ".parquet": "parquet",
    ".pq": "parquet",
    ".csv": "csv",
    ".csv.gz": "csv",
    ".tsv": "csv",
    ".tsv.gz": "csv",
    ".jsonl": "jsonl",
    ".jsonl.gz": "jsonl",
    ".ndjson": "jsonl",
    ".ndjson.gz": "jsonl",
    ".json": "jsonl",
    ".json.gz": "jsonl",
}
COMPANION = "-metadata.json"
ENDINGS = ".parquet, .csv or .jsonl (also .pq, .tsv, .ndjson, .json; text also with .gz)"


def pyarrow(*parts: str) -> Any:
    """Import pyarrow, or one of its parts, or say how to install it."""
    try:
        return importlib.import_module(".".join(("pyarrow", *parts)))
    except ImportError as error:
        raise EngagekitError(
            'files need pyarrow, which is not installed: pip install "engagekit[files]"'
        ) from error


def format_of(path: Path) -> Format | None:
    """Tell the format by the file's ending, None for an unknown one."""
    name = path.name.lower()
    if name.endswith(COMPANION):
        return None
    return next((FORMATS[ending] for ending in FORMATS if name.endswith(ending)), None)


def zipped(path: Path) -> bool:
    """Tell by its ending whether a file is compressed."""
    return path.name.lower().endswith(".gz")


def named(path: str | os.PathLike[str]) -> Path:
    """Return the path of a file.

    Raises
    ------
    OSError
        If no file can have that name: it is empty, or has a NUL in it.
    """
    file, name = Path(path), os.fspath(path)
    try:
        nameable = b"\0" not in os.fsencode(name)
    except UnicodeEncodeError:
        nameable = False
    if not name or not nameable:
        told = "one that no file can have" if name else "an empty one"
        raise OSError(errno.EINVAL, f"Expected the name of a file, got {told}", name)
    return file


def target_of(path: str | os.PathLike[str]) -> Path:
    """Return the path of a file that is to be written.

    Raises
    ------
    OSError
        If no file can have that name, or a folder, a device or a pipe has it: these would be gone.
    """
    file = named(path)
    if file.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(file))
    if file.exists() and not file.is_file():
        raise FileExistsError(errno.EEXIST, "Not a regular file", str(file))
    return file


@contextmanager
def open_bytes(path: Path) -> Iterator[BinaryIO]:
    """Open a file's content, unzipped where it is zipped."""
    with gzip.open(path, "rb") if zipped(path) else path.open("rb") as stream:
        yield cast(BinaryIO, stream)


def first_line(error: BaseException) -> str:
    """Cut another library's message down to its first line."""
    return next(iter(str(error).strip().splitlines()), type(error).__name__).rstrip(".")


def expand(paths: str | Path | Iterable[str | Path]) -> list[Path]:
    """List the data files that files, folders and glob patterns stand for.

    Parameters
    ----------
    paths
        One or several. A folder stands for every file of a known ending in it and below it, hidden ones
        (``.name``, ``_name``) left out; a pattern (``*``, ``?``, ``[...]``, ``**``) for what it matches.

    Returns
    -------
    list of Path
        In the order given; a folder's and a pattern's files sorted. A file named twice is there once.

    Raises
    ------
    EventsError
        Naming what does not exist, is empty, has an unknown ending, or stands for nothing.
    """
    asked = [paths] if isinstance(paths, str | Path) else list(paths)
    if not asked:
        raise EventsError("no file given: expected files, folders or patterns such as 'events/*.parquet'")
    found: dict[Path, None] = {}
    for each in asked:
        found.update(dict.fromkeys(_files_of(str(each))))
    for file in found:
        _check_readable(file)
    return list(found)


def _files_of(asked: str) -> list[Path]:
    path = Path(asked)
    if path.is_dir():
        files = sorted(_below(path))
        if not files:
            raise EventsError(f"{asked}: no data file in this folder; expected an ending of {ENDINGS}")
        return files
    if path.exists():
        return [path]
    if glob.has_magic(asked):
        found = glob.glob(asked, recursive=True)  # noqa: PTH207 - Path.glob takes no absolute pattern
        matches = [Path(match) for match in sorted(found)]
        files = [file for match in matches for file in (sorted(_below(match)) if match.is_dir() else [match])]
        files = [file for file in files if not file.name.endswith(COMPANION)]
        if not files:
            raise EventsError(f"{asked}: no file matches this pattern")
        return files
    raise EventsError(f"{asked}: no such file or folder")


def _below(folder: Path) -> Iterator[Path]:
    for path in folder.rglob("*"):
        hidden = any(part.startswith((".", "_")) for part in path.relative_to(folder).parts)
        if not hidden and format_of(path) is not None and path.is_file():
            yield path


def _check_readable(file: Path) -> None:
    if format_of(file) is None:
        raise EventsError(f"{file}: unknown ending; expected {ENDINGS}")
    try:
        with file.open("rb") as stream:
            if not stream.read(1):
                raise EventsError(f"{file}: the file is empty (0 bytes)")
    except OSError as error:
        raise EventsError(f"{file}: cannot be read ({error.strerror or error})") from error
