"""`extends` and `remove`: a model file built upon a preset or upon a file beside it."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from os import PathLike
from os import path as os_path
from pathlib import Path
from typing import Any, Final, NamedTuple

from engagekit.errors import ModelError
from engagekit.model.across import MOST_FAULTS
from engagekit.model.files import ENDINGS, read_table
from engagekit.model.wording import TABLE, shown, suggestion

LONGEST_CHAIN = 8
"""How many models may extend one another."""

_NAMED = (
    *("signals", "excludes", "rules", "absences", "repeats"),
    *("fit.criteria", "personas", "contents", "triggers"),
)
_OVERLAID = ("columns", "levels", "momentum", "lifecycle", "channels", "weights", "fit", "qualification")
_NOUNS = {"fit.criteria": "criterion"}
_SCORING = ("rules", "absences", "repeats")


class Origin(ABC):
    """Where a table comes from."""

    label: str

    @abstractmethod
    def read(self) -> dict[str, Any]:
        """Read the table."""

    def parent(self, name: str) -> "Origin":
        """Find what `extends` names; a file is no neighbour of what is no file."""
        if name.lower().endswith(ENDINGS):
            raise ModelError([f"extends: only a preset can be extended here, got the file {shown(name)}"])
        return PresetOrigin(name)


class _MemoryOrigin(Origin):
    """A table that Python code made."""

    label = "model"

    def read(self) -> dict[str, Any]:
        """Read nothing: the table is there."""
        return {}


MEMORY: Final[Origin] = _MemoryOrigin()


class PresetOrigin(Origin):
    """A preset."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.label = f"preset {shown(name)}"

    def read(self) -> dict[str, Any]:
        """Read the preset's file."""
        from engagekit.model.presets import preset_table

        return preset_table(self.name)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PresetOrigin) and other.name == self.name

    def __hash__(self) -> int:
        return hash(self.name)


class FileOrigin(Origin):
    """A model file."""

    def __init__(self, path: str | PathLike[str]) -> None:
        self.path = Path(path)
        self.label = str(self.path)

    def read(self) -> dict[str, Any]:
        """Read the file."""
        return read_table(self.path)

    def parent(self, name: str) -> Origin:
        """Find a file beside this one, or a preset."""
        if any(mark in name for mark in "/\\:\0"):
            raise ModelError([f"extends: expected a preset or a file beside this one, got {shown(name)}"])
        if not name.lower().endswith(ENDINGS):
            return PresetOrigin(name)
        return FileOrigin(self.path.parent / name)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, FileOrigin) and os_path.realpath(other.path) == os_path.realpath(self.path)

    def __hash__(self) -> int:
        return hash(os_path.realpath(self.path))


class Resolved(NamedTuple):
    """A table upon what it extends.

    Attributes
    ----------
    table
        The table without `extends` and `remove`.
    faults
        The faults found in these two.
    unmet
        By the path of an entry that overlays nothing, what to say should it be incomplete.
    """

    table: dict[str, Any]
    faults: list[str]
    unmet: dict[str, str]


def resolved(table: Mapping[str, Any], origin: Origin) -> Resolved:
    """Put a table upon what it extends.

    Parameters
    ----------
    table
        What a model file has.
    origin
        Where the table comes from; it says what `extends` may name.

    Raises
    ------
    ModelError
        When what is extended cannot be read.

    Examples
    --------
    >>> resolved({"name": "shop", "remove": ["visit"]}, MEMORY).faults
    ['remove: there is nothing to remove without extends']
    >>> unmet = resolved({"extends": "saas", "rules": [{"name": "purchse", "points": 3}]}, MEMORY).unmet
    >>> unmet["rules[35]"]
    '; no rule of that name to overlay, did you mean "purchase"?'
    """
    (merged, first_origin), *children = reversed(_chain(table, origin))
    faults = _labelled(_idle_removal(merged), first_origin, origin)
    merged, unmet = _without_words(merged), dict[tuple[str, str], str]()
    for child, child_origin in children:
        faults += _labelled(islice(_removal_faults(child, merged), MOST_FAULTS), child_origin, origin)
        below = _without(merged, _removed(child))
        unmet |= _unmet(child, below)
        merged = _overlaid(below, _without_words(child))
    places = {(key, name): i for key in _NAMED for name, i in _by_name(_under(merged, key)).items()}
    said = {f"{at[0]}[{places[at]}]": text for at, text in unmet.items() if at in places}
    return Resolved(merged, faults, said)


def _unmet(child: Mapping[str, Any], parent: Mapping[str, Any]) -> dict[tuple[str, str], str]:
    """Say of each entry of a child that it overlays none, and which one was probably meant."""
    said = {}
    for key in _NAMED:
        known = _by_name(_under(parent, key))
        for name in islice((name for name in _by_name(_under(child, key)) if name not in known), MOST_FAULTS):
            noun = _NOUNS.get(key, key.removesuffix("s"))
            said[key, name] = f"; no {noun} of that name to overlay{suggestion(name, known)}"
    return said


def _chain(table: Mapping[str, Any], origin: Origin) -> list[tuple[Mapping[str, Any], Origin]]:
    """List a table and what it extends, what that extends, and so on."""
    if not _is_table(table):
        raise ModelError([f"model: expected {TABLE}, got {shown(table)}"])
    chain = [(table, origin)]
    while "extends" in table:
        try:
            parent = _parent(table["extends"], chain)
            table = parent.read()
        except ModelError as error:
            faults = [f"extends: {fault.removeprefix('extends: ')}" for fault in error.faults]
            raise ModelError(_labelled(faults, chain[-1][1], origin)) from None
        chain.append((table, parent))
    return chain


def _is_table(value: object) -> bool:
    return isinstance(value, Mapping)


def _parent(name: object, chain: list[tuple[Mapping[str, Any], Origin]]) -> Origin:
    if not isinstance(name, str) or not name:
        raise ModelError([f"extends: expected the name of a preset or of a file, got {shown(name)}"])
    parent = chain[-1][1].parent(name)
    origins = [origin for _, origin in chain]
    if parent in origins:
        circle = " -> ".join(origin.label for origin in (*origins[origins.index(parent) :], parent))
        raise ModelError([f"extends: a circle: {circle}"])
    if len(chain) > LONGEST_CHAIN:
        raise ModelError([f"extends: more than {LONGEST_CHAIN} models extend one another"])
    return parent


def _labelled(faults: Iterable[str], where: Origin, origin: Origin) -> list[str]:
    """Name the file that a fault stands in, where it is not the one that was asked for."""
    return [fault if where is origin else f"{where.label}: {fault}" for fault in faults]


def _without_words(table: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in table.items() if key not in ("extends", "remove")}


def _removed(table: Mapping[str, Any]) -> set[str]:
    names = table.get("remove", [])
    names = [names] if isinstance(names, str) else names if isinstance(names, (list, tuple)) else []
    return {name for name in names if isinstance(name, str)}


def _idle_removal(table: Mapping[str, Any]) -> Iterator[str]:
    if "remove" in table:
        yield "remove: there is nothing to remove without extends"


def _removal_faults(table: Mapping[str, Any], parent: Mapping[str, Any]) -> Iterator[str]:
    names = table.get("remove", [])
    if isinstance(names, str):
        names = [names]
    if not isinstance(names, (list, tuple)):
        yield f"remove: expected a list of names, got {shown(names)}"
        return
    known = dict.fromkeys(name for key in _NAMED for name in _by_name(_under(parent, key)))
    for index, name in enumerate(names):
        if not isinstance(name, str):
            yield f"remove[{index}]: expected a name, got {shown(name)}"
        elif name not in known:
            yield f"remove[{index}]: nothing named {shown(name)} is taken over{suggestion(name, known)}"


def _under(table: object, key: str) -> object:
    """Return what stands under a key, which may be of a table within the table."""
    for part in key.split("."):
        table = table.get(part) if isinstance(table, Mapping) else None
    return table


def _by_name(entries: object) -> dict[str, int]:
    """Map the names of a list of tables to the first index of each."""
    indices: dict[str, int] = {}
    for index, entry in enumerate(entries if isinstance(entries, (list, tuple)) else ()):
        name = _name_of(entry)
        if name is not None:
            indices.setdefault(name, index)
    return indices


def _tables(entries: object) -> list[Mapping[str, Any]]:
    given = entries if isinstance(entries, (list, tuple)) else ()
    return [entry for entry in given if isinstance(entry, Mapping)]


def _name_of(entry: object) -> str | None:
    # What a content is known by is its id.
    name = entry.get("name", entry.get("id")) if isinstance(entry, Mapping) else None
    return name if isinstance(name, str) else None


def _without(parent: Mapping[str, Any], names: set[str], within: str = "") -> dict[str, Any]:
    kept = dict(parent)
    for key, value in parent.items():
        if within + key in _NAMED and isinstance(value, (list, tuple)):
            kept[key] = [entry for entry in value if _name_of(entry) not in names]
        elif within + key in _OVERLAID and isinstance(value, Mapping):
            kept[key] = _without(value, names, f"{key}.")
            # A fit all of whose criteria are removed is none.
            if key == "fit" and value.get("criteria") and not kept[key]["criteria"]:
                del kept[key]
    return kept


def _overlaid(parent: Mapping[str, Any], child: Mapping[str, Any]) -> dict[str, Any]:
    """Put a child's keys over its parent's."""
    return _without_idle_channels(_laid_over(parent, child), child)


def _laid_over(parent: Mapping[str, Any], child: Mapping[str, Any], within: str = "") -> dict[str, Any]:
    merged = dict(parent)
    for key, value in child.items():
        below = parent.get(key)
        if within + key in _OVERLAID and isinstance(below, Mapping) and isinstance(value, Mapping):
            merged[key] = _laid_over(below, value, f"{key}.")
        elif within + key in _NAMED and isinstance(below, (list, tuple)) and isinstance(value, (list, tuple)):
            merged[key] = _merged_by_name(below, value)
        else:
            merged[key] = value
    return merged


def _merged_by_name(parent: Sequence[Any], child: Sequence[Any]) -> list[Any]:
    merged = list(parent)
    inherited = _by_name(parent)
    for entry in child:
        # Each inherited entry is met once: a name that the child has twice stays twice, and is a fault.
        name = _name_of(entry)
        index = None if name is None else inherited.pop(name, None)
        if index is None:
            merged.append(entry)
        else:
            merged[index] = {**merged[index], **entry}
    return merged


def _without_idle_channels(merged: dict[str, Any], child: Mapping[str, Any]) -> dict[str, Any]:
    """Drop the inherited caps of channels whose rules the child has removed or moved elsewhere."""
    channels, own = merged.get("channels"), child.get("channels")
    if not isinstance(channels, Mapping):
        return merged
    named = [entry.get("channel", "other") for key in _SCORING for entry in _tables(merged.get(key))]
    used = {name for name in named if isinstance(name, str)}
    used.update(own if isinstance(own, Mapping) else ())
    kept = {name: channel for name, channel in channels.items() if name in used}
    return {**merged, "channels": kept}
