"""The columns that results have, and what conditions may ask of them."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Final

from engagekit.model.conditions import All, AnyOf, Condition, Not, Test
from engagekit.model.scalars import TEXT_OPERATORS, instant_us, kind_of
from engagekit.model.wording import join, shown, suggestion

Columns = Mapping[str, str]
"""Names of columns, and what they hold: a number, text or an instant."""

SCORED: Final[Columns] = MappingProxyType(
    {
        "score": "number",
        "engagement": "number",
        "level": "text",
        "half": "text",
        "phase": "text",
        "momentum": "number",
        "next_change": "instant",
        "next_level": "text",
        "next_phase": "text",
        "events": "number",
        "first_event": "instant",
        "last_event": "instant",
        "last_type": "text",
        "silent_days": "number",
        "top_channel": "text",
    }
)
"""What every result has beside the key, before the columns of the channels."""

LEADS: Final[Columns] = MappingProxyType(
    {
        "intent": "text",
        "fit": "number",
        "fit_known": "number",
        "grade": "text",
        "rating": "text",
        "stage": "text",
        "persona": "text",
        "content": "text",
    }
)
"""What results have where the model declares it, in this order."""

KEY: Final = "key"
"""What the key holds, numbers or text, is known only when a table comes."""

LEVELS: Final = ("none", "low", "medium", "high")
HALVES: Final = ("prospect", "customer")
STAGES: Final = ("lead", "MQL", "SAL", "SQL", "customer")

_DECLARED_BY: Final = {
    "intent": "no rule has an intent",
    **dict.fromkeys(("fit", "fit_known", "grade", "rating"), "the model has no fit"),
    "stage": "the model has no qualification",
    "persona": "the model has no personas",
    "content": "the model has no contents",
}
_COMPARING: Final = ("eq", "ne", "in", "not_in")
_NEAR: Final = 0.85
"""How near an unknown name must come to a column to be taken for it misspelt: `state` is none for `stage`."""


def result_columns(channels: Iterable[str], leads: Iterable[str]) -> dict[str, str]:
    """Give the columns that the results of a model have, with what they hold.

    Parameters
    ----------
    channels
        The model's channels.
    leads
        Which of the columns `LEADS` it has.

    Examples
    --------
    >>> list(result_columns(["web"], ["stage"]))[-3:]
    ['top_channel', 'channel_web', 'stage']
    """
    return {
        **SCORED,
        **{f"channel_{name}": "number" for name in channels},
        **{name: LEADS[name] for name in leads},
    }


def condition_faults(
    condition: object,
    path: str,
    columns: Columns,
    later: Iterable[str],
    values: Mapping[str, Collection[str]] = MappingProxyType({}),
) -> Iterator[str]:
    """Say what a condition over attributes and result columns cannot ask.

    Parameters
    ----------
    condition
        The condition; what is none is somebody else's fault to name.
    path
        Where it stands.
    columns
        The columns that are known when it is asked.
    later
        The columns that the model has, but computes only afterwards.
    values
        All that a column can hold, where that is known.

    Examples
    --------
    >>> from engagekit.model.conditions import field
    >>> list(condition_faults(field("engagment") >= 60, "when", SCORED, []))
    ['when.engagment: unknown column, did you mean "engagement"?']
    >>> list(condition_faults(field("phase") >= 60, "when", SCORED, []))
    ["when.phase.ge: the column 'phase' holds text, got 60"]
    >>> print(
    ...     *condition_faults(field("phase") == "sale", "when", SCORED, [], {"phase": ["sales", "nurture"]})
    ... )
    when.phase.eq: no phase is ever 'sale', did you mean "sales"?
    """
    if not isinstance(condition, Condition):
        return
    faults = dict.fromkeys(
        fault
        for test in leaves_of(condition)
        for fault in (
            *_test_faults(test, path, columns, later),
            *_value_faults(test, path, values.get(test.field) if test.field in columns else None),
        )
    )
    yield from faults


def leaves_of(condition: Condition) -> Iterator[Test]:
    """Yield the tests that a condition is made of."""
    match condition:
        case Test():
            yield condition
        case Not():
            yield from leaves_of(condition.part)
        case All() | AnyOf():
            for part in condition.parts:
                yield from leaves_of(part)


def _test_faults(test: Test, path: str, columns: Columns, later: Iterable[str]) -> Iterator[str]:
    name: object = test.field
    if not isinstance(name, str):
        return
    where = join(path, name)
    if name in columns:
        yield from _operand_faults(test, columns[name], where)
    elif name in later:
        yield f"{where}: this column is computed only afterwards"
    elif name in LEADS:
        yield f"{where}: {_DECLARED_BY[name]}, so there is no such column"
    elif _nearest(name, columns):
        yield f"{where}: unknown column{suggestion(name, columns)}"


def _nearest(name: str, columns: Columns) -> list[str]:
    from difflib import get_close_matches

    # Anything else may be an attribute, and attributes are known only when a table of contacts comes.
    return get_close_matches(name.casefold()[:60], columns, n=1, cutoff=_NEAR)


def _operand_faults(test: Test, kind: str, where: str) -> Iterator[str]:
    """Say which operand no value of the column can be compared with."""
    if test.op == "is_null" or kind == KEY:
        return
    held = {"number": "numbers", "text": "text", "instant": "instants"}[kind]
    if test.op in TEXT_OPERATORS and kind != "text":
        yield f"{join(where, test.op)}: the column {shown(test.field)} holds {held}, and this asks for text"
        return
    for operand in test.value if isinstance(test.value, tuple) else (test.value,):
        if kind_of(operand) != ("text" if kind == "instant" else kind) or not _is_instant(operand, kind):
            yield (
                f"{join(where, test.op)}: the column {shown(test.field)} holds {held}, got {shown(operand)}"
            )


def _value_faults(test: Test, path: str, values: Collection[str] | None) -> Iterator[str]:
    """Name the texts that a column never holds; a test for them would always give the same, unnoticed."""
    if not values or test.op not in _COMPARING:
        return
    for operand in test.value if isinstance(test.value, tuple) else (test.value,):
        if isinstance(operand, str) and operand not in values:
            where = join(join(path, test.field), test.op)
            yield f"{where}: no {test.field} is ever {shown(operand)}{suggestion(operand, values)}"


def _is_instant(operand: object, kind: str) -> bool:
    if kind != "instant" or not isinstance(operand, str):
        return True
    try:
        instant_us(operand)
    except (ValueError, OverflowError):
        return False
    return True
