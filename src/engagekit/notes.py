"""What a reader of scores should know before believing them: tables and model that do not meet."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import timedelta
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from engagekit.instants import EPOCH
from engagekit.summary import moment, printable

if TYPE_CHECKING:
    from engagekit.events import Events
    from engagekit.plan import Plan, Selector

_NEAR = 0.8
"""How alike two names are of which one may be meant by the other; email_sent and email_open are less."""
_MOST_NAMES = 5
_MOST_COMPARED = 64
_BLOCK = 1 << 20


def notes(
    plan: Plan, events: Events, *, instant: int | None, customers_known: bool, contacts_given: bool
) -> tuple[str, ...]:
    """Say in sentences where the tables have nothing of what the model reads.

    Parameters
    ----------
    plan, events
        What is scored; the events not yet released.
    instant
        The instant of all scores, in microseconds; None where each has its own.
    customers_known
        Whether the contacts table says of anybody since when they are a customer.
    contacts_given
        Whether there is a contacts table.

    Returns
    -------
    tuple of str
        Without a full stop at the end; empty when all is well.
    """
    unasked = () if contacts_given else _unasked(plan)
    if not events.rows:
        return ("there are no events", *unasked)
    return (*_found(plan, events, instant, customers_known), *unasked)


@lru_cache(maxsize=64)
def _unasked(plan: Plan) -> tuple[str, ...]:
    """Name the attributes that nobody has without a contacts table; kept, for small tables come often."""
    if names := sorted(plan.model.attributes):
        listed = ", ".join(map(printable, names[:_MOST_NAMES])) + _more(names)
        return (f"the model asks for attributes ({listed}), and without a contacts table nobody's are known",)
    return ()


def _found(plan: Plan, events: Events, instant: int | None, customers_known: bool) -> Iterator[str]:
    if instant is not None and (first := _first(events, instant)) > instant:
        began = moment(EPOCH + timedelta(microseconds=first))
        yield f"no event is at or before that instant; the first is of {began}"
    types = events.types_by_code
    present = set(types)
    if plan.customer_on and not customers_known:
        turning = _names(plan, plan.customer_on)
        if not present & set(turning):
            asked = f"{_asked(plan, turning)}{_meant(turning, types, '; ')}"
            yield f"no event is of a type that makes a customer ({asked}): everybody is a prospect"
    wanted, read, known = _wanted(plan)
    if not reads_nothing(plan, types):
        yield from _unmatched(plan, wanted, present, [name for name in types if name not in known])
    else:
        meant = _meant(read, types, "")
        yield (
            f"no event is of a type that the model reads; the events' types are {_counted(events)}; "
            f"the model's are {_asked(plan, read)}" + (f" ({meant})" if meant else "")
        )


def reads_nothing(plan: Plan, types: Collection[str]) -> bool:
    """Say whether events are of no type that a rule, an absence or a repeat reads: they are counted then."""
    return _wanted(plan)[1].keys().isdisjoint(types)


def _first(events: Events, instant: int) -> int:
    """Find the earliest time, or one that is not after the instant; each contact's events are in order."""
    if events.disk is not None:
        return events.disk.first
    if events.times[0] <= instant:
        return int(events.times[0])
    starts = events.starts[:-1]
    return int(events.times[starts[starts < events.starts[1:]]].min())


@lru_cache(maxsize=64)
def _wanted(plan: Plan) -> tuple[list[list[str]], dict[str, None], set[str]]:
    """Name the types that each rule asks for, all these, and with them what else the model knows.

    It is kept, for small tables come often.
    """
    wanted = [_names(plan, group) for group in _groups(plan)]
    read = dict.fromkeys(name for names in wanted for name in names)
    verdicts = (group for _, group in plan.verdicts)
    excluded = (one for both in plan.excluded for one in both)
    others = (plan.passive, plan.customer_on, plan.ends_on, *verdicts, *excluded)
    return wanted, read, {*read, *(selector.type for group in others for selector in group)}


def _groups(plan: Plan) -> Iterator[tuple[Selector, ...]]:
    """Give the events that each rule, absence and repeat reads."""
    for r, group in enumerate(plan.matches):
        yield (*group, *plan.unless.get(r, ()))


def _names(plan: Plan, selectors: Iterable[Selector]) -> list[str]:
    """Name the types that selectors ask for, the names of signals last."""
    signals = {signal.name for signal in plan.model.signals}
    return sorted(dict.fromkeys(selector.type for selector in selectors), key=signals.__contains__)


def _unmatched(
    plan: Plan, wanted: Sequence[Collection[str]], present: set[str], unread: Sequence[str]
) -> Iterator[str]:
    """Name what nothing matches though a type that nothing reads looks like what it asks for."""
    if not unread:
        return
    missing = [
        (name, types) for name, types in zip(plan.names, wanted, strict=True) if not present & set(types)
    ]
    said = [
        f"{printable(name)} ({_asked(plan, types)}{meant})"
        for name, types in missing[:_MOST_COMPARED]
        if (meant := _meant(types, unread, "; ")) and (name, frozenset(types)) not in _of_presets()
    ]
    if said:
        yield f"no event is of a type that these read: {', '.join(said[:_MOST_NAMES])}{_more(said)}"


@lru_cache(maxsize=1)
def _of_presets() -> frozenset[tuple[str, frozenset[str]]]:
    """Give the presets' rules by name and types: a preset reads much that one's events need not have."""
    from engagekit.model import presets
    from engagekit.plan import lower

    plans = [lower(presets.load(name)) for name in presets.names()]
    return frozenset(
        (name, frozenset(_names(plan, group)))
        for plan in plans
        for name, group in zip(plan.names, _groups(plan), strict=True)
    )


def _counted(events: Events) -> str:
    """List the events' types with their numbers, the most frequent first."""
    if events.disk is not None and events.disk.seen is not None:
        counts = events.disk.seen.types
    else:
        counts = np.zeros(len(events.types_by_code), np.int64)
        for start in range(0, len(events.types), _BLOCK):  # bincount copies what it is given
            counts += np.bincount(events.types[start : start + _BLOCK], minlength=len(counts))
    order = np.argsort(-counts, kind="stable")
    said = [f"{printable(events.types_by_code[code])} {counts[code]:,}" for code in order[:_MOST_NAMES]]
    return ", ".join(said) + _more(order)


def _asked(plan: Plan, names: Collection[str]) -> str:
    """List types, without the signals that stand for others of them."""
    signals = {signal.name for signal in plan.model.signals}
    plain = [name for name in names if name not in signals] or list(names)
    return ", ".join(map(printable, plain[:_MOST_NAMES])) + _more(plain)


def _more(names: Collection[object]) -> str:
    return ", ..." if len(names) > _MOST_NAMES else ""


def _meant(asked: Iterable[str], options: Sequence[str], before: str) -> str:
    """Ask whether the nearest of the options are meant, if there are any near ones."""
    from difflib import get_close_matches

    folded = {_folded(option): option for option in options[:_MOST_COMPARED]}
    near: dict[str, None] = {}
    for name in list(asked)[:_MOST_COMPARED]:
        for found in get_close_matches(_folded(name), folded, n=1, cutoff=_NEAR):
            near[f"'{printable(folded[found])}'"] = None
    return f"{before}did you mean {' or '.join(list(near)[:_MOST_NAMES])}?" if near else ""


def _folded(name: str) -> str:
    """Leave out what the spelling of one name differs by: capitals, hyphens, underscores."""
    return "".join(letter for letter in name[:_MOST_COMPARED].casefold() if letter.isalnum())
