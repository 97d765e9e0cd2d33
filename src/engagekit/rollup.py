"""Accounts: the scores of those who belong together, as one score."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from attrs import define

from engagekit.coding import Coder, described
from engagekit.contacts import codes_of
from engagekit.errors import EventsError, in_all
from engagekit.frames import ArrowColumns, Frame, KeyType, Out, RawColumn, build, frame_of
from engagekit.keys import Keys
from engagekit.model import Model, Scale
from engagekit.model.lifecycle import Levels
from engagekit.model.wording import listed, shown, suggestion
from engagekit.plan import LEVELS

if TYPE_CHECKING:
    from numpy.typing import NDArray

HOW = ("sum", "mean", "max", "top3", "weighted")
NEVER = np.iinfo(np.int64).min
_TOP = 3

Weight: TypeAlias = "str | Mapping[str, Mapping[str, float]]"


@define(kw_only=True, eq=False)
class People:
    """The scores to be rolled up, and the table that says who belongs where."""

    keys: Keys
    table: Mapping[str, Out]
    attributes: Frame | None
    """The contacts table."""
    model: Model
    kind: str


@define
class _Field:
    """A column of the contacts table or of the result, and each scored contact's row in it, -1 for none."""

    column: RawColumn
    places: NDArray[np.int64]
    what: str
    like: KeyType | None
    """The column's type, where the result is of the same library."""


def rollup(people: People, by: str, how: str, *, weight: Any, unknown: Any, scale: Scale | None) -> Any:
    """Roll scores up; see `Scores.rollup`."""
    if how not in HOW:
        raise EventsError(f"how: expected {listed(HOW)}, got {shown(how)}{suggestion(how, HOW)}")
    if (weight is not None) != (how == "weighted"):
        raise EventsError('weight: expected together with how="weighted", and only there')
    if not isinstance(by, str):
        raise EventsError(f"by: expected the name of a column, got {shown(by)}")
    if scale is not None and not isinstance(scale, Scale):
        raise EventsError(
            f"scale: expected a Scale such as engagekit.Scale.saturating(200), got {shown(scale)}"
        )
    fields = _Fields(people)
    scale = people.model.scale if scale is None else people.model.evolve(scale=scale).scale  # checked by it
    ids, account = _accounts(fields, fields.named(by, "by"), by, unknown)
    count, scores = len(ids), people.table["score"].values
    rolled = _rolled(scores, account, count, how, None if weight is None else _weights(fields, weight))
    if not np.isfinite(rolled).all():
        wrong = ids.at(int(np.isfinite(rolled).argmin()))
        raise EventsError(f"rollup: the scores of the account {shown(wrong)} overflow")
    engagement = _engagement(scale, rolled)
    active = people.table["engagement"].values >= people.model.levels.low
    top = _first_largest(scores, account, count)
    order = np.argsort(-rolled, kind="stable")
    columns = {
        "contacts": Out("integer", np.bincount(account, minlength=count)[order]),
        "active": Out("integer", np.bincount(account[active], minlength=count)[order]),
        "score": Out("float", rolled[order]),
        "engagement": Out("float", engagement[order]),
        "level": Out("category", _levels(people.model.levels, engagement)[order], categories=list(LEVELS)),
        "last_event": _newest(people.table["last_event"], account, count, order),
        "top_contact": people.keys.taken(top[order]),
        "top_score": Out("float", scores[top[order]]),
    }
    if by in columns:
        raise EventsError(
            f"by: expected a column of a name that a roll-up has not itself, got {by!r}: rename it"
        )
    return build(people.kind, {by: ids.taken(order), **columns})


class _Fields:
    """Columns by name, of the contacts table first and then of the result."""

    def __init__(self, people: People) -> None:
        self._people = people
        keys, attributes = people.keys, people.attributes
        coder = Coder(f"scores column {keys.name!r}")
        own = coder.code(keys.column())
        if (own != np.arange(len(own))).any():
            raise EventsError(
                f"rollup: expected a row a contact, got several of {shown(keys.at(_later(own)))}; roll up "
                "scores of one instant"
            )
        self._rows = np.full(len(keys), -1)
        if attributes is None:
            return
        key = keys.name if keys.name in attributes.names else "contact"
        what = f"contacts column {key!r}"
        column, rows = attributes.column(key), attributes.rows
        again = codes_of(column, Coder(what), insert=True, what=what, rows=rows)
        if (again != np.arange(rows)).any():
            raise EventsError(f"{what}, row {_later(again):,}: expected each contact once, got one again")
        codes = codes_of(column, coder, insert=False, what=what, rows=rows)
        self._rows[codes[codes >= 0]] = np.flatnonzero(codes >= 0)

    def named(self, name: str, role: str) -> _Field:
        """Return a column."""
        people = self._people
        if people.attributes is not None and name in people.attributes.names:
            frame = people.attributes
            like = frame.like(name) if frame.kind == people.kind else None
            return _Field(frame.column(name), self._rows, f"contacts column {name!r}", like)
        if name in people.table and people.table[name].kind != "other":
            frame = frame_of(ArrowColumns({name: people.table[name]}))
            return _Field(frame.column(name), np.arange(len(people.keys)), f"scores column {name!r}", None)
        known = [*(() if people.attributes is None else people.attributes.names), *people.table]
        table = "" if people.attributes is not None else "; give the contacts table with contacts="
        raise EventsError(
            f"{role}: expected a column of the contacts table or of the scores, got {shown(name)}"
            f"{suggestion(name, known)}{table}"
        )

    def missing(self, field: _Field, absent: NDArray[np.bool_], remedy: str) -> EventsError:
        """Word the error for contacts of whom a column says nothing."""
        keys = self._people.keys
        without = absent & (field.places < 0)
        if without.any():
            who = shown(keys.at(int(without.argmax())))
            return EventsError(
                f"contacts: expected a row for each scored contact, got none for {who}; "
                f"{in_all(int(without.sum()), 'contact')}{remedy}"
            )
        row = int(field.places[absent].min())
        return EventsError(f"{field.what}, row {row:,}: null; {in_all(int(absent.sum()))}{remedy}")


def _later(codes: NDArray[np.int32]) -> int:
    """Return the first row whose id came before: codes are in the order of first appearance."""
    return int((codes != np.arange(len(codes))).argmax())


def _accounts(fields: _Fields, field: _Field, by: str, unknown: Any) -> tuple[Keys, NDArray[np.int64]]:
    """Return the accounts, and the number of each contact's one."""
    coder = Coder(field.what)
    codes = np.append(coder.code(field.column), np.int32(-1))[field.places].astype(np.int64)
    absent = codes < 0
    if absent.any():
        if unknown is None:
            raise fields.missing(field, absent, "; unknown= names an account for them")
        if not isinstance(unknown, str if coder.kind in ("text", None) else int) or isinstance(unknown, bool):
            noun = "an integer" if coder.kind == "integer" else "text"
            raise EventsError(f"unknown: expected {noun} as the accounts are, got {shown(unknown)}")
        coder.what = "unknown"
        codes[absent] = coder.code(frame_of({by: [unknown]}).column(by))[0]
    of_integers = coder.kind == "integer"
    values = coder.integers() if of_integers else coder.buffers() if coder.kind else np.empty(0, object)
    present, account = np.unique(codes, return_inverse=True)
    whole = Keys(Out("integer" if of_integers else "text", values, like=field.like), by)
    return Keys(whole.taken(present), by), account


def _weights(fields: _Fields, weight: Any) -> NDArray[np.float64]:
    """Return each contact's weight: the number in a column, or what a table has for its value."""
    if isinstance(weight, str):
        return _numbers(fields, fields.named(weight, "weight"))
    if not isinstance(weight, Mapping) or len(weight) != 1:
        raise EventsError(
            f"weight: expected the name of a column, or one column and the weights of its values, such as "
            f'{{"role": {{"buyer": 3}}}}; got {shown(weight)}'
        )
    ((name, factors),) = weight.items()
    if not isinstance(factors, Mapping):
        raise EventsError(f"weight: expected weights by the values of {shown(name)}, got {shown(factors)}")
    for value, factor in factors.items():
        if isinstance(factor, bool) or not isinstance(factor, (int, float)) or not 0 <= factor < np.inf:
            raise EventsError(
                f"weight: expected a number of at least 0 for {shown(value)}, got {shown(factor)}"
            )
    field = fields.named(name, "weight")
    coder = Coder(field.what)
    codes = np.append(coder.code(field.column), np.int32(-1))[field.places]
    labels = coder.strings() if coder.kind else []
    return np.array([*(float(factors.get(label, 1.0)) for label in labels), 1.0])[codes]


def _numbers(fields: _Fields, field: _Field) -> NDArray[np.float64]:
    column = field.column
    if column.kind not in ("integer", "float"):
        raise EventsError(f"{field.what}: expected numbers for weights, got {described(column)}")
    assert column.values is not None
    values = np.append(column.values.astype(np.float64), np.nan)
    if column.null is not None:
        values[:-1][column.null] = np.nan
    weights: NDArray[np.float64] = values[field.places]
    if np.isnan(weights).any():
        raise fields.missing(field, np.isnan(weights), "")
    wrong = ~((weights >= 0) & (weights < np.inf))
    if wrong.any():
        row = int(field.places[wrong].min())
        raise EventsError(
            f"{field.what}, row {row:,}: expected weights of at least 0, got {values[row]:g}; "
            f"{in_all(int(wrong.sum()))}"
        )
    return weights


def _rolled(
    scores: NDArray[np.float64],
    account: NDArray[np.int64],
    count: int,
    how: str,
    weights: NDArray[np.float64] | None,
) -> NDArray[np.float64]:
    """Make one score of those of each account."""
    if how in ("max", "top3"):
        order = np.lexsort((-scores, account))
        sizes = np.bincount(account, minlength=count)
        rank = np.arange(len(order)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        best = order[rank < (1 if how == "max" else _TOP)]
        return np.asarray(np.bincount(account[best], scores[best], minlength=count), np.float64)
    weights = np.ones(len(scores)) if weights is None else _evened(weights, account, count)
    total = np.asarray(np.bincount(account, weights * scores, minlength=count), np.float64)
    if how == "sum":
        return total
    whole = np.bincount(account, weights, minlength=count)
    return np.divide(total, whole, out=np.zeros(count), where=whole > 0)


def _evened(weights: NDArray[np.float64], account: NDArray[np.int64], count: int) -> NDArray[np.float64]:
    """Make the largest weight of each account 0.5 to 1 by a power of two, so that no product overflows."""
    largest = np.zeros(count)
    np.maximum.at(largest, account, weights)
    return np.asarray(np.ldexp(weights, -np.frexp(largest)[1][account]), np.float64)


def _engagement(scale: Scale, scores: NDArray[np.float64]) -> NDArray[np.float64]:
    with np.errstate(over="ignore"):  # beyond all numbers a scale reads 100
        share = np.maximum(0.0, scores) / scale.value
        if scale.kind == "linear":
            return 100 * np.minimum(1.0, share)
        return np.asarray(-100 * np.expm1(-share * np.log(2)), np.float64)


def _levels(levels: Levels, engagement: NDArray[np.float64]) -> NDArray[np.int32]:
    bounds = [levels.low, levels.medium, levels.high]
    return np.searchsorted(bounds, engagement, side="right").astype(np.int32)


def _first_largest(scores: NDArray[np.float64], account: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """Return the row with the largest score of each account, of equals the first."""
    order = np.lexsort((-scores, account))
    return order[np.searchsorted(account[order], np.arange(count))]


def _newest(out: Out, account: NDArray[np.int64], count: int, order: NDArray[np.int64]) -> Out:
    times = out.values if out.null is None else np.where(out.null, NEVER, out.values)
    newest = np.full(count, NEVER)
    np.maximum.at(newest, account, times)
    newest = newest[order]
    null = newest == NEVER
    return Out("instant", newest, null=null if null.any() else None, aware=out.aware)
