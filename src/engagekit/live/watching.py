"""What is to be watched of a model, so that nothing changes unseen by time alone that its triggers look at.

A test of a trigger asks for engagement, level, phase or momentum, for the score or a channel's part of it,
for days of silence, or for what follows from these. The operands cut each of them into cells, within which
every test gives the same answer; a contact is to be looked at when it leaves its cell.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import pairwise
from math import inf, isfinite, nan, nextafter
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from attrs import define

from engagekit.model.conditions import Test
from engagekit.model.result_columns import HALVES as HALF_NAMES
from engagekit.model.result_columns import leaves_of
from engagekit.plan import HALVES, LEVELS, PHASE, microseconds

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from engagekit.model import Model
    from engagekit.plan import Plan

DAY: Final = 86_400_000_000.0
LONGEST_SILENCE: Final = 4e6
"""More days than there are between any two instants."""
WHOLE: Final = ("next_change", "next_level", "next_phase")
"""Columns that change with every change of level or phase."""
UNTOLD: Final = ("top_channel", "intent")
"""Columns of which nobody can tell when they change."""

Told = tuple[object, ...]


@define(frozen=True, eq=False)
class Cells:
    """Cells of engagement and momentum, as the kernel has phases.

    Attributes
    ----------
    entries
        By half, the highest first.
    plain
        Whether the engagement is the score itself.
    caps
        Of the channels; 0 for those that are to add nothing.
    """

    entries: NDArray[Any]
    plain: bool
    caps: NDArray[np.float64]


@define(frozen=True, eq=False)
class Watch:
    """What of a contact may change by time alone and concerns a trigger.

    Attributes
    ----------
    cells
        Cells to be left.
    silences
        How long after the last activity the answer of a test changes: microseconds, ascending.
    customers
        Whether `customer_since` makes a difference when its time has come.
    recycled
        How long after a rejection the stage may change; None: it is not asked for.
    ahead
        Whether a trigger asks for the next change.
    untold
        Whether a trigger asks for something of which nobody can tell when it changes.
    """

    cells: tuple[Cells, ...]
    silences: NDArray[np.int64]
    customers: bool
    recycled: int | None
    ahead: bool
    untold: bool


def watch_of(plan: Plan) -> Watch:
    """Find what is to be watched for a model's triggers."""
    model = plan.model
    tests = list(dict.fromkeys(_asked(model)))
    fields = {test.field for test in tests}
    whole = "content" in fields or bool(fields.intersection(WHOLE))
    told: list[Test] = [test for test in tests if test.field in ("engagement", "level", "phase", "momentum")]
    if "stage" in fields and model.qualification is not None:
        told.append(Test("engagement", "ge", model.qualification.mql_min_engagement))
    cells = list(
        _cells_of(model, told, levels=whole or "rating" in fields, phases=whole, caps=plan.channel_caps)
    )
    for name, channel in [("score", None), *((f"channel_{each}", each) for each in plan.channels)]:
        own = [test for test in tests if test.field == name]
        caps = plan.channel_caps
        if channel is not None:
            caps = np.where([each == channel for each in plan.channels], caps, 0.0)
        cells += _plain_cells(name, own, caps)
    asked = model.qualification if "stage" in fields else None
    return Watch(
        cells=tuple(cells),
        silences=_silences([test for test in tests if test.field == "silent_days"]),
        customers=model.lifecycle is not None,
        recycled=None if asked is None else microseconds(asked.recycle_after),
        ahead=bool(fields.intersection(WHOLE)),
        untold=bool(fields.intersection(UNTOLD)),
    )


def _asked(model: Model) -> Iterator[Test]:
    """Yield the tests that triggers ask, and those behind persona and content if they ask for these."""
    conditions = [condition for trigger in model.triggers for condition in trigger.conditions]
    asked = [test for condition in conditions for test in leaves_of(condition)]
    own = {test.field for test in asked}
    yield from asked
    if "content" in own:
        for content in model.contents:
            if content.where is not None:
                yield from leaves_of(content.where)
            if content.channel is not None:
                yield Test("top_channel", "eq", content.channel)
            if content.intent is not None:
                yield Test("intent", "eq", content.intent)
    if own & {"persona", "content"}:
        for persona in model.personas:
            yield from leaves_of(persona.where)


def _cells_of(
    model: Model, tests: list[Test], *, levels: bool, phases: bool, caps: NDArray[np.float64]
) -> Iterator[Cells]:
    """Cut engagement and momentum where a test changes its answer, or (if asked) the level or the phase."""
    fields = {test.field for test in tests}
    engagements = _edges(test for test in tests if test.field == "engagement")
    momenta = _edges(test for test in tests if test.field == "momentum")
    bounds = (model.levels.low, model.levels.medium, model.levels.high)
    if levels or "level" in fields:
        engagements.update(bounds)
    if phases or "phase" in fields:
        engagements.update(entry.min_engagement for entry in model.phases)
        momenta.update(entry.min_momentum for entry in model.phases if entry.min_momentum is not None)

    def told(half: str, engagement: float, momentum: float) -> Told:
        level = LEVELS[sum(engagement >= bound for bound in bounds)]
        phase = _phase(model, half, engagement, momentum)
        row = {"engagement": engagement, "level": level, "phase": phase, "momentum": momentum}
        return (level if levels else None, phase if phases else None, *(test.matches(row) for test in tests))

    engagements = {bound for bound in engagements if 0 < bound <= 100}
    momenta = {bound for bound in momenta if -1 < bound < 1}
    entries = _entries(told, [0.0, *sorted(engagements)], [-1.0, *sorted(momenta)])
    if len(entries) > len(HALF_NAMES):
        yield Cells(entries, plain=False, caps=caps)


def _plain_cells(name: str, tests: list[Test], caps: NDArray[np.float64]) -> list[Cells]:
    """Cut a column of points where a test changes its answer."""

    def told(_half: str, points: float, _momentum: float) -> Told:
        return tuple(test.matches({name: points}) for test in tests)

    entries = _entries(told, [-inf, *sorted(_edges(tests))], [-1.0])
    return [Cells(entries, plain=True, caps=caps)] if len(entries) > len(HALF_NAMES) else []


def _phase(model: Model, half: str, engagement: float, momentum: float) -> str:
    return next(
        entry.name
        for entry in model.phases
        if entry.half == half
        and engagement >= entry.min_engagement
        and (entry.min_momentum is None or momentum >= entry.min_momentum)
    )


def _edges(tests: Iterable[Test]) -> set[float]:
    """Give where tests of a number change their answers: at an operand, or just above it."""
    edges = set()
    for test in tests:
        for operand in test.value if isinstance(test.value, tuple) else (test.value,):
            if test.op != "is_null" and isfinite(operand):
                edges |= {float(operand), nextafter(float(operand), inf)}
    return edges


def _entries(
    told: Callable[[str, float, float], Told], engagements: list[float], momenta: list[float]
) -> NDArray[Any]:
    """Lay out cells as phases: those that tell the same are of one name, without an edge between them."""
    numbers: dict[Told, int] = {}
    entries = []
    for half in HALF_NAMES:
        grid = [[told(half, each, pace) for pace in momenta] for each in engagements]
        rows = [0, *(place + 1 for place, (one, two) in enumerate(pairwise(grid)) if one != two)]
        by_pace = list(zip(*grid, strict=True))
        columns = [0, *(place + 1 for place, (one, two) in enumerate(pairwise(by_pace)) if one != two)]
        for row in reversed(rows):
            for column in reversed(columns):
                number = numbers.setdefault(grid[row][column], len(numbers))
                entries.append((engagements[row], momenta[column] if column else nan, HALVES[half], number))
    return np.array(entries, PHASE)


def _silences(tests: list[Test]) -> NDArray[np.int64]:
    """Give after how many microseconds of silence the answer of a test changes."""

    def told(silence: int) -> list[bool]:
        return [test.matches({"silent_days": silence / DAY}) for test in tests]

    found = set()
    for edge in _edges(tests):
        if 0 < edge < LONGEST_SILENCE:
            least = int(edge * DAY)
            while least / DAY >= edge:
                least -= 1
            while least / DAY < edge:
                least += 1
            found.add(least)
    return np.array(sorted(least for least in found if told(least) != told(least - 1)), np.int64)
