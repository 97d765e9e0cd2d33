"""The base of everything declared: checked, written and shown by what its attributes say of themselves."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, ClassVar, Self, TypeVar, cast

import attrs

from engagekit.errors import ModelError
from engagekit.model.kinds import ABSENT, Kind
from engagekit.model.wording import TABLE, both, join, listed, named, shown, suggestion

D = TypeVar("D", bound="Declared")


class Declared:
    """A frozen attrs class, each of whose attributes carries its `Kind` in `metadata["kind"]`.

    Making one normalises what can be normalised and keeps what cannot: the model it comes to stand
    in names all faults together, each with its path.
    """

    __slots__ = ()
    noun: ClassVar[str] = "table"

    def faults(self, path: str = "") -> Iterator[str]:
        """Say everything that is wrong, each fault after its path."""
        for name, kind, _ in _attributes(type(self)):
            yield from kind.faults(getattr(self, name), join(path, name))
        yield from self._joint_faults(path)

    def _joint_faults(self, path: str) -> Iterator[str]:  # noqa: ARG002 - used where attributes bind each other
        """Say what is wrong between attributes that may be right each by itself."""
        yield from ()

    def to_dict(self) -> dict[str, Any]:
        """Return it as a model file has it, defaults left out."""
        return {name: kind.plain(value) for name, kind, value in self._told()}

    def _told(self) -> Iterator[tuple[str, Kind, Any]]:
        for name, kind, default in _attributes(type(self)):
            value = getattr(self, name)
            if value != default:
                yield name, kind, value

    @classmethod
    def read(cls, table: Mapping[Any, Any]) -> Self:
        """Make one of a table, leaving out what it does not know and marking what is missing."""
        known = {name: table.get(name, default) for name, _, default in _attributes(cls)}
        return cls(**{name: ABSENT if value is attrs.NOTHING else value for name, value in known.items()})

    @classmethod
    def fits(cls, table: Mapping[Any, Any]) -> bool:
        """Tell whether a table has the keys that it must have, and no other."""
        defaults = {name: default for name, _, default in _attributes(cls)}
        required = (name for name, default in defaults.items() if default is attrs.NOTHING)
        return all(key in defaults for key in table) and all(name in table for name in required)

    @classmethod
    def table_faults(cls, table: Mapping[Any, Any], path: str) -> Iterator[str]:
        """Say everything that is wrong with a table: its keys, then what is under them."""
        yield from unknown_keys(table, [name for name, _, _ in _attributes(cls)], path)
        yield from cls.read(table).faults(path)

    @classmethod
    def wanted(cls) -> str:
        """Say what may stand where one is declared, in Python or in a file."""
        names = {name: default is attrs.NOTHING for name, _, default in _attributes(cls)}
        needed = [name for name, is_needed in names.items() if is_needed]
        keys = f"with {both(needed)}" if needed else f"of {both(names)}"
        return f"{named(cls)}, or {TABLE} {keys}"

    def __repr__(self) -> str:
        told = (f"{name}={kind.shown(value)}" for name, kind, value in self._told())
        return f"{type(self).__name__}({', '.join(told)})"


class OneKey(Declared):
    """A declared thing that a model file writes as a table of exactly one of several keys."""

    __slots__ = ()
    keys: ClassVar[tuple[str, ...]] = ()

    @classmethod
    def _only(cls, *values: Any) -> tuple[str, Any]:
        """Return the one key that has a value, and the value."""
        given = [(key, value) for key, value in zip(cls.keys, values, strict=True) if value is not None]
        if len(given) != 1:
            raise ModelError([f"{cls.noun}: {_not_one(cls.keys, len(given))}"])
        return given[0]

    @classmethod
    def wanted(cls) -> str:
        """Say what may stand where one is declared, in Python or in a file."""
        return f"{named(cls)}, or {TABLE} with one of {listed(cls.keys)}"

    @classmethod
    def read(cls, table: Mapping[Any, Any]) -> Self:
        """Make one of a table that has one of the keys."""
        return cls(**{key: table[key] for key in cls.keys if key in table})

    @classmethod
    def fits(cls, table: Mapping[Any, Any]) -> bool:
        """Tell whether a table has one of the keys and no other."""
        return len(table) == 1 and all(key in cls.keys and table[key] is not None for key in table)

    @classmethod
    def table_faults(cls, table: Mapping[Any, Any], path: str) -> Iterator[str]:
        """Say everything that is wrong with a table: its keys, then what is under them."""
        yield from unknown_keys(table, list(cls.keys), path)
        given = {key: table[key] for key in cls.keys if table.get(key) is not None}
        if len(given) == 1:
            yield from cls.read(given).faults(path)
        elif len(given) > 1 or all(key in cls.keys for key in table):
            yield f"{path}: {_not_one(cls.keys, len(given))}"


def _not_one(keys: tuple[str, ...], number: int) -> str:
    return f"expected one of {listed(keys)}, got {number or 'none'} of them"


def unknown_keys(
    table: Mapping[Any, Any], names: list[str], path: str, *, also: tuple[str, ...] = ()
) -> Iterator[str]:
    """Name the keys of a table that mean nothing, and what was probably meant."""
    for key in table:
        if key not in names:
            yield f"{join(path, key)}: unknown key{suggestion(key, (*names, *also))}"


def built(cls: type[D], value: D | Mapping[str, Any]) -> D:
    """Make a declared thing of its table, and keep what is none for the model to name as a fault."""
    return cls.read(value) if isinstance(value, Mapping) and cls.fits(value) else cast(D, value)


def built_list(cls: type[D], values: Iterable[D | Mapping[str, Any]]) -> tuple[D, ...]:
    """Make declared things of a list of tables."""
    given: object = values
    if isinstance(given, Iterable) and not isinstance(given, (str, bytes, Mapping)):
        return tuple(built(cls, value) for value in given)
    return cast(tuple[D, ...], given)


def _attributes(cls: type[Declared]) -> Iterator[tuple[str, Kind, Any]]:
    """Yield the name, the kind and the default of each attribute."""
    for attribute in attrs.fields(cast(Any, cls)):
        yield attribute.name, attribute.metadata["kind"], attribute.default


class NestedKind(Kind):
    """A declared thing within another."""

    __slots__ = ("cls",)

    def __init__(self, cls: type[Declared], *, optional: bool = False) -> None:
        super().__init__(optional=optional)
        self.cls = cls

    def _faults(self, value: object, path: str) -> Iterator[str]:
        if isinstance(value, self.cls):
            yield from value.faults(path)
        elif isinstance(value, Mapping):
            yield from self.cls.table_faults(value, path)
        else:
            yield f"{path}: expected {self.cls.wanted()}, got {shown(value)}"

    def plain(self, value: Any) -> Any:
        """Return the table of the declared thing."""
        return None if value is None else value.to_dict()


class ListKind(Kind):
    """A list of declared things; a fault in one tells its name too, since indices are tiresome to count."""

    __slots__ = ("cls", "entry")

    def __init__(self, cls: type[Declared]) -> None:
        super().__init__()
        self.cls = cls
        self.entry = NestedKind(cls)

    def _faults(self, value: object, path: str) -> Iterator[str]:
        if not isinstance(value, tuple):
            told = f"{path}: expected a list, each entry {self.cls.wanted()}, got"
            if isinstance(value, self.cls):
                yield f"{told} {named(self.cls)}: put it into a list"
            else:
                yield f"{told} {shown(value)}"
            return
        for index, entry in enumerate(value):
            for fault in self.entry.faults(entry, f"{path}[{index}]"):
                yield fault + self.known(entry)

    def known(self, entry: object) -> str:
        """Tell the name of an entry, if it has any."""
        name = _name_of(entry)
        return f" [{self.cls.noun} {shown(name)}]" if isinstance(name, str) and name else ""

    def plain(self, value: Any) -> Any:
        """Return the tables in their order."""
        return [entry.to_dict() for entry in value]

    def shown(self, value: Any) -> str:
        """Return a list, as one would type it."""
        return repr(list(value))


def _name_of(entry: object) -> object:
    """Return what an entry is known by: its name, or where it has none its id."""
    if isinstance(entry, Mapping):
        return entry.get("name", entry.get("id"))
    return getattr(entry, "name", getattr(entry, "id", None))


class TableKind(Kind):
    """A table of declared things by name."""

    __slots__ = ("entry",)

    def __init__(self, cls: type[Declared]) -> None:
        super().__init__()
        self.entry = NestedKind(cls)

    def _faults(self, value: object, path: str) -> Iterator[str]:
        if not isinstance(value, Mapping):
            wanted = self.entry.cls.wanted()
            yield f"{path}: expected {TABLE} by name, each entry {wanted}, got {shown(value)}"
            return
        for name, entry in value.items():
            where = join(path, name)
            if not isinstance(name, str) or not name:
                yield f"{where}: expected text as a name, got {shown(name)}"
            yield from self.entry.faults(entry, where)

    def plain(self, value: Any) -> Any:
        """Return a table of tables."""
        return {name: entry.to_dict() for name, entry in value.items()}
