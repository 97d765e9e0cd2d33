"""What the lead side of a model must agree on: criteria, intents, personas, contents and triggers."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from math import isfinite
from typing import TYPE_CHECKING, Final

from engagekit.model.across import entries_in, names_twice, texts_of
from engagekit.model.leads import Content, Criterion, Fit, Persona
from engagekit.model.lifecycle import Phase
from engagekit.model.reactions import Trigger
from engagekit.model.result_columns import (
    HALVES,
    KEY,
    LEVELS,
    STAGES,
    Columns,
    condition_faults,
    result_columns,
)
from engagekit.model.rules import Absence, Repeat, Rule
from engagekit.model.wording import join, shown, suggestion

if TYPE_CHECKING:
    from engagekit.model.model import Model

UNCLEAR: Final = "unclear"
"""The intent of a contact no single intent of whose has half of what it earned."""


def columns_of(model: "Model") -> dict[str, str]:
    """Give the columns of a model's results with what they hold, whatever is wrong with the model."""
    scoring = _scoring(model)
    channels = texts_of(entry.channel for _, entry in scoring)
    declared = {
        "intent": any(entry.intent is not None for _, entry in scoring),
        **dict.fromkeys(("fit", "fit_known", "grade", "rating"), model.fit is not None),
        "stage": model.qualification is not None,
        "persona": bool(model.personas),
        "content": bool(model.contents),
    }
    return result_columns(dict.fromkeys(channels), [name for name, there in declared.items() if there])


def lead_faults(model: "Model") -> Iterator[str]:
    """Say what is wrong between the parts of the lead side, whatever is wrong within them."""
    columns, values = columns_of(model), _values_of(model)
    personas = entries_in(Persona, model.personas, "personas")
    contents = entries_in(Content, model.contents, "contents")
    triggers = entries_in(Trigger, model.triggers, "triggers")
    yield from _intent_faults(model)
    yield from _fit_faults(model.fit)
    yield from names_twice(personas)
    yield from names_twice(contents, "id")
    yield from names_twice(triggers)
    yield from _content_faults(model, contents, personas)
    above = {name: kind for name, kind in columns.items() if name != "content"}
    for path, content in contents:
        yield from _asked(content.where, join(path, "where"), above, columns, values)
    above.pop("persona", None)
    for path, persona in personas:
        yield from _asked(persona.where, join(path, "where"), above, columns, values)
    for path, trigger in triggers:
        for name in ("when", "was", "until"):
            yield from _asked(getattr(trigger, name), join(path, name), columns, (), values)


def _scoring(model: "Model") -> list[tuple[str, Rule | Absence | Repeat]]:
    return [
        *entries_in(Rule, model.rules, "rules"),
        *entries_in(Absence, model.absences, "absences"),
        *entries_in(Repeat, model.repeats, "repeats"),
    ]


def _values_of(model: "Model") -> dict[str, list[str]]:
    """Give all that the columns of text can hold, as far as the model can be read."""
    scoring = _scoring(model)
    phases = texts_of(phase.name for _, phase in entries_in(Phase, model.phases, "phases"))
    fit: object = model.fit
    grades = list(fit.grades) if isinstance(fit, Fit) and isinstance(fit.grades, Mapping) else []
    intents = texts_of(entry.intent for _, entry in scoring)
    return {
        "intent": [*intents, UNCLEAR],
        "level": [*LEVELS],
        "next_level": [*LEVELS],
        "half": [*HALVES],
        "phase": phases,
        "next_phase": phases,
        "top_channel": texts_of(entry.channel for _, entry in scoring),
        "grade": texts_of(grades),
        "rating": [f"{grade}{number}" for grade in texts_of(grades) for number in range(1, len(LEVELS) + 1)],
        "stage": [*STAGES],
        "persona": texts_of(each.name for _, each in entries_in(Persona, model.personas, "personas")),
        "content": texts_of(each.id for _, each in entries_in(Content, model.contents, "contents")),
    }


def _asked(
    condition: object,
    path: str,
    columns: Columns,
    declared: Iterable[str],
    values: Mapping[str, Collection[str]],
) -> Iterator[str]:
    later = [name for name in declared if name not in columns]
    yield from condition_faults(condition, path, {**columns, "contact": KEY}, later, values)


def _intent_faults(model: "Model") -> Iterator[str]:
    for path, entry in _scoring(model):
        if entry.intent == UNCLEAR:
            said = "is what a contact has whose intents are too even; give this one another name"
            yield f"{join(path, 'intent')}: {shown(UNCLEAR)} {said}"


def _fit_faults(fit: object) -> Iterator[str]:
    if isinstance(fit, Mapping):
        fit = Fit.read(fit)
    if not isinstance(fit, Fit) or not isinstance(fit.criteria, tuple):
        return
    criteria = entries_in(Criterion, fit.criteria, "fit.criteria")
    yield from names_twice(criteria)
    points: list[object] = [criterion.points for _, criterion in criteria]
    numbers = [value for value in points if isinstance(value, float)]
    if len(numbers) == len(points) and not any(value > 0 for value in numbers):
        yield "fit.criteria: expected at least one criterion with positive points"
    if not isfinite(100 * sum(abs(value) for value in numbers if isfinite(value))):
        yield "fit.criteria: the points in percent add up to more than a double can hold"


def _content_faults(
    model: "Model", contents: list[tuple[str, Content]], personas: list[tuple[str, Persona]]
) -> Iterator[str]:
    """Name what a content stands for and nobody can have."""
    scoring = _scoring(model)
    intents = texts_of(entry.intent for _, entry in scoring)
    known = {
        "phase": texts_of(phase.name for _, phase in entries_in(Phase, model.phases, "phases")),
        "channel": texts_of(entry.channel for _, entry in scoring),
        "persona": texts_of(persona.name for _, persona in personas),
        "intent": [*intents, UNCLEAR] if intents else [],
    }
    for path, content in contents:
        for what, names in known.items():
            name: object = getattr(content, what)
            if isinstance(name, str) and name and name not in names:
                yield f"{join(path, what)}: there is no {what} {shown(name)}{suggestion(name, names)}"
