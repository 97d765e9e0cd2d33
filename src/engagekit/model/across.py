"""What the parts of a model must agree on: names, signals, channels, phases."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeVar

from engagekit.model.declared import Declared
from engagekit.model.lifecycle import Phase, phase_faults
from engagekit.model.rules import Absence, Exclude, Repeat, Rule, Signal
from engagekit.model.wording import join, shown, suggestion

MOST_FAULTS = 1_000
"""How many faults one error lists; only a file made to hurt has more."""

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
        *entries_in(Rule, rules, "rules"),
        *entries_in(Absence, absences, "absences"),
        *entries_in(Repeat, repeats, "repeats"),
    ]
    if not scoring and all(isinstance(part, tuple) for part in (rules, absences, repeats)):
        yield "rules: expected at least one rule, absence or repeat"
    named_signals = entries_in(Signal, signals, "signals")
    yield from names_twice(scoring)
    yield from names_twice(named_signals)
    yield from names_twice(entries_in(Exclude, excludes, "excludes"))
    yield from _circles(named_signals)
    yield from _idle_channels(channels, texts_of(entry.channel for _, entry in scoring))
    if isinstance(phases, tuple):
        yield from phase_faults(entries_in(Phase, phases, "phases"), "phases")


def entries_in(cls: type[D], values: object, path: str) -> list[tuple[str, D]]:
    """Pair the entries of a list with their paths; a table with faults is taken as far as it can be read."""
    entries: list[tuple[str, D]] = []
    for index, value in enumerate(values if isinstance(values, tuple) else ()):
        if isinstance(value, cls):
            entries.append((f"{path}[{index}]", value))
        elif isinstance(value, Mapping):
            entries.append((f"{path}[{index}]", cls.read(value)))
    return entries


def texts_of(values: Iterable[object]) -> list[str]:
    """Keep what is text."""
    return [value for value in values if isinstance(value, str)]


def names_twice(entries: list[tuple[str, Any]], called: str = "name") -> Iterator[str]:
    """Say of every entry whose name, or whatever it is called by, an earlier one has already."""
    first: dict[str, str] = {}
    for path, entry in entries:
        for name in texts_of([getattr(entry, called)]):
            if name and name in first:
                yield f"{path}.{called}: {shown(name)} is already the {called} of {first[name]}"
            first.setdefault(name, path)


def _circles(signals: list[tuple[str, Signal]]) -> Iterator[str]:
    """Name every signal that is, in the end, made of itself.

    The walk keeps its own stack: a file may chain more signals than Python nests calls.
    """
    first: dict[str, tuple[str, Signal]] = {}
    for path, signal in signals:
        for name in texts_of([signal.name]):
            first.setdefault(name, (path, signal))
    made_of = {
        name: [part for part in _types_of(signal) if part in first] for name, (_, signal) in first.items()
    }
    done: set[str] = set()
    for start, parts in made_of.items():
        trail = {} if start in done else {start: iter(parts)}
        while trail:
            current = next(reversed(trail))
            below = next(trail[current], None)
            if below is None:
                done.add(current)
                del trail[current]
            elif below in trail:
                names = list(trail)
                circle = _circle(names[names.index(below) :])
                yield f"{first[current][0]}.on: a signal made of itself: {circle}"
            elif below not in done:
                trail[below] = iter(made_of[below])


def _circle(names: list[str]) -> str:
    steps = [shown(name) for name in (names if len(names) <= 8 else names[:7])]
    if len(names) > 8:
        steps.append("...")
    return " -> ".join([*steps, shown(names[0])])


def _types_of(signal: Signal) -> list[str]:
    on: object = signal.on
    return texts_of(on) if isinstance(on, tuple) else []


def _idle_channels(channels: object, used: list[str]) -> Iterator[str]:
    names = dict.fromkeys(used)
    if isinstance(channels, Mapping):
        for name in channels:
            if name not in names:
                near = suggestion(name, names)
                yield f"{join('channels', name)}: no rule, absence or repeat is in this channel{near}"
