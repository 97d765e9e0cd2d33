"""From the table of a model file to the model: what it extends, then every fault, in one error."""

import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeVar, cast

import attrs

from engagekit.errors import ModelError
from engagekit.model.across import MOST_FAULTS
from engagekit.model.declared import Declared, ListKind, NestedKind, OneKey, unknown_keys
from engagekit.model.inherit import Origin, resolved
from engagekit.model.wording import join

if TYPE_CHECKING:
    from engagekit.model.model import Model

M = TypeVar("M", bound="Model")

_MISSING = re.compile(r"([\w.]+\[\d+\])\.\w+: missing\b")


def made(cls: type[M], table: Mapping[str, Any], origin: Origin) -> M:
    """Make a model of what a model file has.

    Raises
    ------
    ModelError
        With every fault that the model has; where what it extends cannot be read, with every one that
        the table has whatever that would be.
    """
    words = ("extends", "remove")
    try:
        whole = resolved(table, origin)
    except ModelError as error:
        own = {key: value for key, value in table.items() if key not in words} if _is_table(table) else {}
        raise ModelError([*error.faults, *islice(told_faults(cls, own), MOST_FAULTS)]) from None
    names = [attribute.name for attribute in attrs.fields(cls)]
    unknown = unknown_keys(whole.table, names, "", also=words)
    faults = [*whole.faults, *islice(unknown, MOST_FAULTS)]
    try:
        model = cls(**{name: whole.table[name] for name in names if name in whole.table})
    except ModelError as error:
        raise ModelError([*faults, *_explained(error.faults, whole.unmet)]) from None
    if faults:
        raise ModelError(faults)
    return model


def _is_table(value: object) -> bool:
    return isinstance(value, Mapping)


def _explained(faults: Iterable[str], unmet: Mapping[str, str]) -> Iterator[str]:
    """Add to the first missing key of an entry that it overlays nothing."""
    rest = dict(unmet)
    for fault in faults:
        missing = _MISSING.match(fault)
        yield fault + (rest.pop(missing[1], "") if missing else "")


def told_faults(cls: type[Declared], table: Mapping[Any, Any], path: str = "") -> Iterator[str]:
    """Say what is wrong with the keys that a table has, whatever it is laid over.

    What is missing, or does not go together, may be mended by what lies below.

    Examples
    --------
    >>> from engagekit.model.rules import Rule
    >>> list(told_faults(Rule, {"name": "visit", "cap": -1}, "rules[0]"))
    ['rules[0].cap: expected a number above 0, got -1.0']
    """
    attributes = attrs.fields_dict(cast(Any, cls))
    yield from unknown_keys(table, list(attributes), path)
    for name, attribute in attributes.items():
        if name not in table:
            continue
        value, where, kind = table[name], join(path, name), attribute.metadata["kind"]
        if isinstance(kind, NestedKind) and isinstance(value, Mapping) and not issubclass(kind.cls, OneKey):
            yield from told_faults(kind.cls, value, where)
        elif isinstance(kind, ListKind) and isinstance(value, (list, tuple)):
            for index, entry in enumerate(value):
                for fault in _entry_faults(kind, entry, f"{where}[{index}]"):
                    yield fault + kind.known(entry)
        else:
            convert: Any = attribute.converter
            yield from kind.faults(value if convert is None else convert(value), where)


def _entry_faults(kind: ListKind, entry: object, path: str) -> Iterator[str]:
    if isinstance(entry, Mapping):
        yield from told_faults(kind.cls, entry, path)
    else:
        yield from kind.entry.faults(entry, path)
