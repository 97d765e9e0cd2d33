"""The lead side of a result: fit, grade and rating, stage, persona and recommended content, column by column.

Everything is computed for all rows at once: what asks for attributes alone once a row of the contacts table,
what asks for results too once a row of the result.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from attrs import define

from engagekit.columns import Column
from engagekit.frames import Out
from engagekit.matching import truth
from engagekit.model import Content, Criterion, Fit, Model, Persona, Qualification
from engagekit.model.lead_faults import UNCLEAR
from engagekit.plan import ACCEPTED, LEVELS, QUALIFIED, microseconds
from engagekit.results import taken

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from engagekit.contacts import Contacts
    from engagekit.model.conditions import Condition
    from engagekit.running import Numbers

STAGES: Final = ("lead", "MQL", "SAL", "SQL", "customer")
"""The stages, from the first to the last."""
_CUSTOMER: Final = 1
_NEVER: Final = np.iinfo(np.int64).min


@define(kw_only=True)
class Rows:
    """What the kernel says of a result's rows beside their columns, and who they are."""

    at: NDArray[np.int64]
    """The instant of each row."""
    half: NDArray[np.int32]
    level: NDArray[np.int8]
    intent: NDArray[np.int32] | None
    """The number of the intent; -1: none, as many as there are: unclear."""
    rejected: NDArray[np.int64] | None
    said: NDArray[np.uint8] | None
    had: NDArray[np.uint64] | None
    known: NDArray[np.int64] | None
    """The contacts table's row of each row, -1 for none; None: there is no table."""
    key: Callable[[], Column]
    """Makes the column of the key."""

    @classmethod
    def of(
        cls,
        numbers: Numbers,
        rows: NDArray[np.int64] | None,
        *,
        at: NDArray[np.int64],
        known: NDArray[np.int64] | None,
        key: Callable[[], Column],
    ) -> Rows:
        """Take what the kernel made of some jobs (`rows`; None: of all)."""
        columns, heard = numbers.columns, numbers.heard
        return cls(
            at=at,
            half=taken(columns["half"], rows),
            level=taken(columns["level"], rows),
            intent=taken(columns["intent"], rows) if "intent" in columns else None,
            rejected=None if heard is None else taken(heard.rejected, rows),
            said=None if heard is None else taken(heard.said, rows),
            had=None if heard is None else taken(heard.had, rows),
            known=known,
            key=key,
        )


class Leads:
    """What a model says of leads, ready for the rows of a result.

    Parameters
    ----------
    model
        The model.
    contacts
        The contacts table; None: nothing is known of anybody.

    Attributes
    ----------
    fit, fit_known
        Of each row of the table; None without a table or a fit.

    Raises
    ------
    EventsError
        If the table lacks an attribute, or has one of a kind that a criterion cannot ask of it.
    """

    def __init__(self, model: Model, contacts: Contacts | None) -> None:
        self._model = model
        self._contacts = contacts
        self.fit: NDArray[np.float64] | None = None
        self.fit_known: NDArray[np.float64] | None = None
        if contacts is not None:
            contacts.refuse_missing(_askers(model))
            if model.fit is not None:
                self.fit, self.fit_known = fit_of(model.fit, contacts)

    def columns(self, columns: Mapping[str, Out], rows: Rows) -> dict[str, Out]:
        """Add the model's columns to those of a result.

        Parameters
        ----------
        columns
            The result's columns so far, the key aside.
        rows
            Its rows.

        Raises
        ------
        EventsError
            If a condition cannot be asked of an attribute's column.
        """
        model, found = self._model, dict(columns)
        if rows.intent is not None:
            found["intent"] = _category(rows.intent, [*model.intents, UNCLEAR])
        fit = self._rated(found, rows)
        if model.qualification is not None:
            engagement = found["engagement"].values
            stages = stages_of(model.qualification, rows, engagement=engagement, fit=fit)
            found["stage"] = _category(stages, STAGES)
        if model.personas:
            names = [persona.name for persona in model.personas]
            found["persona"] = _category(self._personas(model.personas, found, rows), names)
        if model.contents:
            ids = [content.id for content in model.contents]
            found["content"] = _category(self._contents(model.contents, found, rows), ids)
        return found

    def _rated(self, found: dict[str, Out], rows: Rows) -> NDArray[np.float64]:
        """Add fit, grade and rating, and return the fit, NaN where nothing is known."""
        count = len(rows.at)
        fit, known = (_of_rows(each, rows.known, count) for each in (self.fit, self.fit_known))
        if self._model.fit is not None:
            ranked = self._model.fit.ranked
            bounds = np.array([bound for _, bound in reversed(ranked)])
            grades = (len(ranked) - np.searchsorted(bounds, fit, side="right")).astype(np.int32)
            null = np.isnan(fit)
            highest = len(LEVELS) - 1
            ratings = grades * len(LEVELS) + (highest - rows.level)
            names = [name for name, _ in ranked]
            found["fit"] = Out(kind="float", values=fit)
            found["fit_known"] = Out(kind="float", values=known)
            found["grade"] = _category(np.where(null, -1, grades), names)
            numbered = [f"{name}{number}" for name in names for number in range(1, len(LEVELS) + 1)]
            found["rating"] = _category(np.where(null, -1, ratings), numbered)
        return fit

    def _personas(
        self, personas: Sequence[Persona], found: Mapping[str, Out], rows: Rows
    ) -> NDArray[np.int32]:
        """Find the number of the first persona that holds, -1 where none does."""
        sight = Sight(found, rows, self._contacts)
        chosen = np.full(len(rows.at), -1, np.int32)
        for number, persona in enumerate(personas):
            holds = sight.of(persona.where, f"persona {persona.name!r}")
            chosen[holds & (chosen < 0)] = number
        return chosen

    def _contents(
        self, contents: Sequence[Content], found: Mapping[str, Out], rows: Rows
    ) -> NDArray[np.int32]:
        """Find the number of the most specific content that matches and was not had, -1 for none."""
        sight = Sight(found, rows, self._contacts)
        chosen = np.full(len(rows.at), -1, np.int32)
        columns = {"phase": "phase", "channel": "top_channel", "persona": "persona", "intent": "intent"}
        for number in sorted(range(len(contents)), key=lambda each: -_specificity(contents[each])):
            content = contents[number]
            matches = chosen < 0
            if content.where is not None:
                matches &= sight.of(content.where, f"content {content.id!r}")
            for name, column in columns.items():
                wanted = getattr(content, name)
                if wanted is not None:
                    out = found[column]
                    matches &= out.values == (out.categories or []).index(wanted)
            if rows.had is not None:
                word, bit = divmod(number, 64)
                matches &= (rows.had[:, word] >> np.uint64(bit)) & np.uint64(1) == 0
            chosen[matches] = number
        return chosen


def fit_of(fit: Fit, contacts: Contacts) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Give each row of a contacts table its fit, and how much of it is known.

    Cost: a look at each attribute's column for each criterion; tests of text once a distinct value.
    """
    count, most = contacts.frame.rows, fit.points
    earned, known = np.zeros(count), np.zeros(count)

    def column(name: str) -> Column:
        return contacts.attribute(name)

    for criterion in fit.criteria:
        told = _what(f"criterion {criterion.name!r}")
        earned += np.where(truth(criterion.where, column, count, told), criterion.points, 0.0)
        if criterion.points > 0:
            known += np.where(_is_known(criterion, column, count), criterion.points, 0.0)
    # first times 100: 29 of 100 points are a fit of 29, and 100 * 0.29 is not
    return np.minimum(100.0 * np.clip(earned, 0.0, most) / most, 100.0), np.minimum(known / most, 1.0)


def stages_of(
    asked: Qualification, rows: Rows, *, engagement: NDArray[np.float64], fit: NDArray[np.float64]
) -> NDArray[np.int32]:
    """Find the number of each row's stage: facts beat points, and a rejection what was said before it."""
    assert rows.rejected is not None
    assert rows.said is not None
    ready = (engagement >= asked.mql_min_engagement) & (np.nan_to_num(fit) >= asked.mql_min_fit)
    stages = np.where(ready, 1, 0)
    stages[rows.said & ACCEPTED != 0] = 2
    stages[rows.said & QUALIFIED != 0] = 3
    rejected = rows.rejected != _NEVER
    since = np.where(rejected, rows.at - np.where(rejected, rows.rejected, 0), 0)
    stages[rejected & (since < microseconds(asked.recycle_after))] = 0
    stages[rows.half == _CUSTOMER] = 4
    return stages.astype(np.int32)


def leads_of(model: Model, contacts: Contacts | None) -> Leads | None:
    """Return what a model says of leads, None if it says nothing."""
    says = model.intents or model.fit or model.qualification or model.personas or model.contents
    return Leads(model, contacts) if says else None


class Sight:
    """The columns that a condition over attributes and results can see."""

    def __init__(self, found: Mapping[str, Out], rows: Rows, contacts: Contacts | None) -> None:
        self._found = found
        self._rows = rows
        self._contacts = contacts
        self._columns: dict[str, Column] = {}

    def of(self, condition: Condition, asker: str) -> NDArray[np.bool_]:
        """Tell of each row whether a condition holds."""

        def what(name: str) -> str:
            return f"result column {name!r} ({asker})" if name in self._found else _what(asker)(name)

        return truth(condition, self._column, len(self._rows.at), what)

    def _column(self, name: str) -> Column:
        if name not in self._columns:
            self._columns[name] = self._made(name)
        return self._columns[name]

    def _made(self, name: str) -> Column:
        if name in self._found:
            return seen(self._found[name])
        if name == "contact":
            return self._rows.key()
        count = len(self._rows.at)
        if self._contacts is None or self._rows.known is None or not self._contacts.frame.rows:
            return Column(kind="float", values=np.zeros(count), null=np.ones(count, bool))
        column, row = self._contacts.attribute(name), self._rows.known
        null = row < 0 if column.null is None else (row < 0) | column.null[row]
        values = column.values[row]
        if column.kind == "text":
            values = np.where(null, np.int32(-1), values)
        return Column(
            kind=column.kind, values=values, null=null, categories=column.categories, dtype=column.dtype
        )


def seen(out: Out) -> Column:
    """See a result's column as conditions do."""
    values = out.values
    if out.kind == "category":
        return Column(
            kind="text", values=values, null=values < 0, categories=out.categories, dtype="category"
        )
    if out.kind == "float":
        return Column(kind="float", values=values, null=np.isnan(values), dtype="float64")
    if out.kind == "text":
        texts = out.objects()
        null = np.array([text is None for text in texts], bool)
        codes = np.where(null, -1, np.arange(len(texts))).astype(np.int32)
        return Column(
            kind="text", values=codes, null=null, categories=["" if t is None else t for t in texts]
        )
    kind: Any = out.kind
    return Column(kind=kind, values=values, null=out.null, dtype=str(values.dtype))


def _askers(model: Model) -> dict[str, str]:
    """Name, for each attribute that a model reads, the first that asks for it."""
    asked: list[tuple[str, Condition | None]] = []
    if model.fit is not None:
        asked += [(f"criterion {each.name!r}", each.where) for each in model.fit.criteria]
    asked += [(f"persona {each.name!r}", each.where) for each in model.personas]
    asked += [(f"content {each.id!r}", each.where) for each in model.contents]
    askers: dict[str, str] = {}
    for asker, condition in asked:
        for name in sorted(condition.fields if condition is not None else ()):
            askers.setdefault(name, asker)
    return {name: asker for name, asker in askers.items() if name in model.attributes}


def _is_known(criterion: Criterion, column: Callable[[str], Column], count: int) -> NDArray[np.bool_]:
    known = np.ones(count, bool)
    for name in criterion.where.fields:
        null = column(name).null
        if null is not None:
            known &= ~null
    return known


def _of_rows(
    values: NDArray[np.float64] | None, known: NDArray[np.int64] | None, count: int
) -> NDArray[np.float64]:
    """Take the values of a result's rows, NaN for those that the contacts table does not have."""
    if values is None or known is None or not len(values):
        return np.full(count, np.nan)
    return np.where(known < 0, np.nan, values[known])


def _what(asker: str) -> Callable[[str], str]:
    return lambda name: f"contacts column {name!r} ({asker})"


def _specificity(content: Content) -> int:
    given = (content.channel, content.persona, content.intent, content.where)
    return sum(each is not None for each in given)


def _category(codes: NDArray[Any], names: Sequence[str]) -> Out:
    return Out(kind="category", values=codes.astype(np.int32, copy=False), categories=list(names))
