"""The TOML that a saved model is written in: as one would write it, in the order of the model."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_ESCAPED = re.compile(r'[\x00-\x1f"\\\x7f]')
_SHORT = {"\b": "\\b", "\t": "\\t", "\n": "\\n", "\f": "\\f", "\r": "\\r", '"': '\\"', "\\": "\\\\"}


def toml_text(table: Mapping[str, Any]) -> str:
    """Write a table of text, numbers, booleans, lists and tables.

    Lists of tables, tables of tables and tables with lists of tables become sections, everything in them
    stands on one line.

    Examples
    --------
    >>> print(toml_text({"name": "shop", "rules": [{"name": "visit", "where": {"url": {"eq": "/"}}}]}))
    name = "shop"
    <BLANKLINE>
    [[rules]]
    name = "visit"
    where = { url = { eq = "/" } }
    <BLANKLINE>
    """
    sections = {key: value for key, value in table.items() if _is_section(value)}
    lines = [*_lines((key, value) for key, value in table.items() if key not in sections)]
    for key, value in sections.items():
        lines += _section(_key(key), value)
    return "\n".join([*lines, ""]).lstrip("\n")


def _is_section(value: object) -> bool:
    if not isinstance(value, Mapping):
        return _are_tables(value)
    entries = list(value.values())
    return _are_tables(entries) or any(map(_are_tables, entries))


def _are_tables(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(entry, Mapping) for entry in value)


def _section(name: str, value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        inner = {key: entry for key, entry in value.items() if _are_tables(entry)}
        yield f"\n[{name}]"
        yield from _lines((key, entry) for key, entry in value.items() if key not in inner)
        for key, entries in inner.items():
            yield from _section(f"{name}.{_key(key)}", entries)
    else:
        for entry in value:
            yield f"\n[[{name}]]"
            yield from _lines(entry.items())


def _lines(pairs: Iterable[tuple[str, Any]]) -> Iterator[str]:
    return (f"{_key(key)} = {_value(value)}" for key, value in pairs)


def _key(key: str) -> str:
    return key if _BARE_KEY.fullmatch(key) else _string(key)


def _value(value: Any) -> str:
    if isinstance(value, str):
        return _string(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Mapping):
        pairs = ", ".join(f"{_key(key)} = {_value(entry)}" for key, entry in value.items())
        return f"{{ {pairs} }}" if pairs else "{}"
    if isinstance(value, list):
        return f"[{', '.join(map(_value, value))}]"
    return repr(value)


def _string(text: str) -> str:
    return f'"{_ESCAPED.sub(_escape, text)}"'


def _escape(match: re.Match[str]) -> str:
    return _SHORT.get(match[0], f"\\u{ord(match[0]):04x}")
