"""Model files: tables read from TOML and JSON, and written back."""

import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from engagekit.errors import ModelError
from engagekit.model.bounds import bound_fault
from engagekit.model.wording import shown, suggestion

LARGEST = 2**20
"""How many bytes a model file may have."""

ENDINGS = (".toml", ".json")


def read_table(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Read the table in a file.

    Raises
    ------
    ModelError
        When there is none; the text names the file, and the line where a parser tells it.
    """
    file = Path(path)
    ending = file_ending(file)
    return parse_table(_text(_bytes(file), file), ending, str(file))


def parse_table(text: str, ending: str, label: str) -> dict[str, Any]:
    """Read the table in the text of a file.

    Parameters
    ----------
    text
        The text.
    ending
        ".toml" or ".json".
    label
        How to call the file in an error.

    Examples
    --------
    >>> parse_table("decay = 'none'", ".toml", "model.toml")
    {'decay': 'none'}
    >>> parse_table('{"name": "a", "name": "b"}', ".json", "model.json")
    Traceback (most recent call last):
        ...
    engagekit.errors.ModelError: model.json: the key 'name' stands twice in one table
    """
    if not text.strip():
        raise ModelError([f"{label}: the file is empty"])
    fault = bound_fault(text, ending)
    if fault is not None:
        raise ModelError([f"{label}: {fault}"])
    table: object = _parse_toml(text, label) if ending == ".toml" else _parse_json(text, label)
    if not isinstance(table, dict):
        raise ModelError([f"{label}: expected a table of keys at the top, got {shown(table)}"])
    return table


def write_table(path: str | os.PathLike[str], table: Mapping[str, Any]) -> None:
    """Write a table to a file, wholly or not at all.

    Raises
    ------
    ModelError
        When the file's name has another ending than .toml or .json, or it cannot be written.
    """
    file = Path(path)
    if file_ending(file) == ".toml":
        from engagekit.model.toml_text import toml_text

        text = toml_text(table)
    else:
        from json import dumps

        text = dumps(table, indent=2, ensure_ascii=False) + "\n"
    data = text.encode()
    if len(data) > LARGEST:
        raise ModelError([f"{file}: the model takes {len(data):,} bytes, a file may have {LARGEST:,}"])
    try:
        _replace(Path(os.path.realpath(file)), data)
    except (OSError, ValueError) as error:
        raise ModelError([f"{file}: cannot be written: {_reason(error)}"]) from error


def file_ending(path: Path) -> str:
    """Return ".toml" or ".json"; another ending is a ModelError."""
    ending = path.suffix.lower()
    if ending not in ENDINGS:
        near = suggestion(ending, ENDINGS) or _preset_advice(path)
        raise ModelError([f"{path}: expected a name that ends in .toml or .json, got {ending!r}{near}"])
    return ending


def _preset_advice(path: Path) -> str:
    """Tell how to load the preset whose name was given for that of a file."""
    from engagekit.model.presets import names

    return f'; did you mean ek.presets.load("{path}")?' if str(path) in names() else ""


def _bytes(file: Path) -> bytes:
    try:
        # A pipe or a device would keep the reader waiting.
        if file.exists() and not file.is_file():
            raise ModelError([f"{file}: expected a file, got {'a folder' if file.is_dir() else 'a device'}"])
        with file.open("rb") as stream:
            data = stream.read(LARGEST + 1)
    except (OSError, ValueError) as error:
        raise ModelError([f"{file}: cannot be read: {_reason(error)}"]) from error
    if len(data) > LARGEST:
        raise ModelError([f"{file}: a model file may have {LARGEST:,} bytes, this one has more"])
    return data


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)


def _text(data: bytes, file: Path) -> str:
    try:
        # Some editors begin a file with a byte order mark.
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = 1 + data.count(b"\n", 0, error.start)
        raise ModelError([f"{file}: line {line}: not UTF-8 text (byte {error.start:,})"]) from None


def _parse_toml(text: str, label: str) -> object:
    import tomllib

    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ModelError([f"{label}: not valid TOML: {error}"]) from None
    except (ValueError, OverflowError, RecursionError):
        raise ModelError([f"{label}: not valid TOML: a value goes beyond what can be read"]) from None


def _parse_json(text: str, label: str) -> object:
    import json

    try:
        return json.loads(text, object_pairs_hook=_unique, parse_constant=_refuse)
    except ModelError as error:
        raise ModelError([f"{label}: {fault}" for fault in error.faults]) from None
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise ModelError([f"{label}: {where}: not valid JSON: {error.msg}"]) from None
    except (ValueError, RecursionError):
        raise ModelError([f"{label}: not valid JSON: a value goes beyond what can be read"]) from None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    table: dict[str, Any] = {}
    for key, value in pairs:
        if key in table:
            raise ModelError([f"the key {shown(key)} stands twice in one table"])
        table[key] = value
    return table


def _refuse(constant: str) -> None:
    raise ModelError([f"not valid JSON: {constant} is no JSON number"])


def _replace(file: Path, data: bytes) -> None:
    """Write beside the file, then take its place: a crash leaves the old file or the new, never a half."""
    from secrets import token_hex

    beside = file.with_name(f".{file.name}.{token_hex(8)}")
    try:
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o666)
        with os.fdopen(descriptor, "wb") as stream:
            with suppress(OSError):
                beside.chmod(file.stat().st_mode & 0o7777)
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        beside.replace(file)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
    _flush_folder(file.parent)


def _flush_folder(folder: Path) -> None:
    # Without this a power cut may undo the renaming. Windows opens no folders.
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
