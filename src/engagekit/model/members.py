"""What a model is made of: the lists, and the tables by name, that its attributes take."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, cast

from engagekit.model.declared import built, built_list, unknown_keys
from engagekit.model.frozen import FrozenDict
from engagekit.model.kinds import Kind, as_text, text_faults
from engagekit.model.points import Channel
from engagekit.model.rules import Absence, Exclude, Repeat, Rule, Signal
from engagekit.model.wording import TABLE, join, listed, shown, suggestion

COLUMNS = ("contact", "type", "time", "value", "id", "unit")
"""What `columns` may map."""

UNITS = ("s", "ms", "us", "ns")
"""What the numbers of an integer time column may count."""


def as_rules(values: Iterable[Rule | Mapping[str, Any]]) -> tuple[Rule, ...]:
    """Make rules of their form in a model file."""
    return built_list(Rule, values)


def as_absences(values: Iterable[Absence | Mapping[str, Any]]) -> tuple[Absence, ...]:
    """Make absences of their form in a model file."""
    return built_list(Absence, values)


def as_repeats(values: Iterable[Repeat | Mapping[str, Any]]) -> tuple[Repeat, ...]:
    """Make repeats of their form in a model file."""
    return built_list(Repeat, values)


def as_signals(values: Iterable[Signal | Mapping[str, Any]]) -> tuple[Signal, ...]:
    """Make signals of their form in a model file."""
    return built_list(Signal, values)


def as_excludes(values: Iterable[Exclude | Mapping[str, Any]]) -> tuple[Exclude, ...]:
    """Make excludes of their form in a model file."""
    return built_list(Exclude, values)


def as_channels(values: Mapping[str, Channel | Mapping[str, Any]]) -> Mapping[str, Channel]:
    """Make channels of their form in a model file."""
    given: object = values
    if not isinstance(given, Mapping):
        return cast(Mapping[str, Channel], given)
    return FrozenDict({as_text(name): built(Channel, channel) for name, channel in given.items()})


def as_columns(values: Mapping[str, str]) -> Mapping[str, str]:
    """Freeze the names of columns."""
    given: object = values
    if not isinstance(given, Mapping):
        return values
    return FrozenDict({as_text(key): as_text(column) for key, column in given.items()})


class ColumnsKind(Kind):
    """Which columns of the caller's table hold what."""

    __slots__ = ()

    def _faults(self, value: object, path: str) -> Iterator[str]:
        if not isinstance(value, Mapping):
            yield f'{path}: expected {TABLE} such as {{ contact = "user_id" }}, got {shown(value)}'
            return
        yield from unknown_keys(value, list(COLUMNS), path)
        for key, column in value.items():
            if key == "unit" and column not in UNITS:
                near = suggestion(column, UNITS)
                yield f"{join(path, key)}: expected {listed(UNITS)}, got {shown(column)}{near}"
            elif key in COLUMNS:
                yield from text_faults(column, join(path, key))

    def plain(self, value: Any) -> Any:
        """Return a plain table."""
        return dict(value)
