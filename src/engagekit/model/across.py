"""What the parts of a model must agree on: names, signals, channels, phases."""

from collections.abc import Iterable, Iterator, Mapping
from typing import TypeVar

from engagekit.model.declared import Declared
from engagekit.model.lifecycle import Phase, phase_faults
from engagekit.model.rules import Absence, Exclude, Repeat, Rule, Signal
from engagekit.model.wording import join, shown, suggestion

D = TypeVar("D", bound=Declared)


def joint_faults(
    *,
    rules: object,
    absences: object,
    repeats: object,
    signals: object,
    excludes: object,
    channels: object,
    phases: object,
) -> Iterator[str]:
    """Say what is wrong between the parts of a model, whatever is wrong within them."""
    scoring: list[tuple[str, Rule | Absence | Repeat]] = [
        *_entries(Rule, rules, "rules"),
        *_entries(Absence, absences, "absences"),
        *_entries(Repeat, repeats, "repeats"),
    ]
    if not scoring and all(isinstance(part, tuple) for part in (rules, absences, repeats)):
        yield "rules: expected at least one rule, absence or repeat"
    named_signals = _entries(Signal, signals, "signals")
    yield from _twice((path, entry.name) for path, entry in scoring)
    yield from _twice((path, entry.name) for path, entry in named_signals)
    yield from _twice((path, entry.name) for path, entry in _entries(Exclude, excludes, "excludes"))
    yield from _circles(named_signals)
    yield from _idle_channels(channels, [entry.channel for _, entry in scoring])
    yield from phase_faults([(path, phase) for path, phase in _entries(Phase, phases, "phases")], "phases")


def _entries(cls: type[D], values: object, path: str) -> list[tuple[str, D]]:
    """Pair the entries of a list with their paths; a table with faults stands for what could be read of it."""
    entries: list[tuple[str, D]] = []
    for index, value in enumerate(values if isinstance(values, tuple) else ()):
        if isinstance(value, cls):
            entries.append((f"{path}[{index}]", value))
        elif isinstance(value, Mapping):
            entries.append((f"{path}[{index}]", cls.read(value)))
    return entries


def _twice(named: Iterable[tuple[str, object]]) -> Iterator[str]:
    first: dict[str, str] = {}
    for path, name in named:
        if isinstance(name, str) and name:
            if name in first:
                yield f"{path}.name: {shown(name)} is already the name of {first[name]}"
            first.setdefault(name, path)


def _circles(signals: list[tuple[str, Signal]]) -> Iterator[str]:
    """Name every signal that is, in the end, made of itself.

    The walk keeps its own stack: a file may chain more signals than Python nests calls.
    """
    paths = {signal.name: path for path, signal in reversed(signals) if isinstance(signal.name, str)}
    made_of = {
        signal.name: [name for name in signal.on if name in paths]
        for _, signal in reversed(signals)
        if isinstance(signal.name, str) and isinstance(signal.on, tuple)
    }
    done: set[str] = set()
    for start in made_of:
        trail: dict[str, Iterator[str]] = {} if start in done else {start: iter(made_of[start])}
        while trail:
            current = next(reversed(trail))
            below = next(trail[current], None)
            if below is None:
                done.add(current)
                del trail[current]
            elif below in trail:
                names = list(trail)
                circle = [*names[names.index(below) :], below]
                yield f"{paths[current]}.on: a signal made of itself: {' -> '.join(map(shown, circle))}"
            elif below not in done and below in made_of:
                trail[below] = iter(made_of[below])


def _idle_channels(channels: object, used: list[str]) -> Iterator[str]:
    if isinstance(channels, Mapping):
        names = {name for name in used if isinstance(name, str)}
        for name in channels:
            if name not in names:
                near = suggestion(name, sorted(names))
                yield f"{join('channels', name)}: no rule, absence or repeat is in this channel{near}"
