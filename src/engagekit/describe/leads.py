"""The lead side in words: the fit, the stages, who is who, what to offer, and when to react."""

from collections.abc import Iterator

from engagekit.describe.wording import condition, duration, listed, number, points
from engagekit.model import Content, Fit, Model, Trigger

Entry = tuple[str, str]


def fit_heading(fit: Fit) -> str:
    """Say what a fit of 100 is."""
    return f"Fit, in percent of the {points(fit.points)} that a contact can have"


def fit_entries(fit: Fit) -> Iterator[Entry]:
    """Describe the criteria, and from which fit on each grade is given."""
    for criterion in fit.criteria:
        yield criterion.name, f"{points(criterion.points, sign=True)} where {condition(criterion.where)}"
    yield "grades", ", ".join(f"{name} from {number(bound)}" for name, bound in fit.ranked)
    yield "rating", "the grade and the level's number: high 1, medium 2, low 3, none 4"


def stage_entries(model: Model) -> Iterator[Entry]:
    """Describe what makes a lead one for sales, the first that holds."""
    asked = model.qualification
    if asked is None:
        return
    if model.lifecycle is not None:
        yield "customer", "whoever is one"
    if asked.rejected_on:
        waits = f"for {duration(asked.recycle_after)} after {listed(asked.rejected_on)}"
        yield "lead", f"{waits}, which undoes what sales said before"
    if asked.qualified_on:
        yield "SQL", f"after {listed(asked.qualified_on)}"
    if asked.accepted_on:
        yield "SAL", f"after {listed(asked.accepted_on)}"
    least = f"an engagement of at least {number(asked.mql_min_engagement)}"
    if asked.mql_min_fit:
        known = "" if model.fit is not None else ", which nobody has, since the model has no fit"
        least += f" and a fit of at least {number(asked.mql_min_fit)}{known}"
    yield "MQL", f"with {least}"
    yield "lead", "everybody else"


def persona_entries(model: Model) -> Iterator[Entry]:
    """Describe the personas."""
    for persona in model.personas:
        yield persona.name, f"where {condition(persona.where)}"


def content_entries(model: Model) -> Iterator[Entry]:
    """Describe the engagement matrix."""
    for content in model.contents:
        yield content.id, _content(content)


def _content(content: Content) -> str:
    words = [f"in the phase {content.phase}"]
    if content.channel is not None:
        words.append(f"top channel {content.channel}")
    if content.persona is not None:
        words.append(f"persona {content.persona}")
    if content.intent is not None:
        words.append(f"intent {content.intent}")
    if content.where is not None:
        words.append(f"where {condition(content.where)}")
    return ", ".join(words) + (f"; {content.appeal}" if content.appeal else "")


def trigger_entries(model: Model) -> Iterator[Entry]:
    """Describe the triggers."""
    for trigger in model.triggers:
        yield trigger.name, _trigger(trigger)


def _trigger(trigger: Trigger) -> str:
    words = [f"once {condition(trigger.when)}"]
    if trigger.was is not None:
        words.append(f"where before {condition(trigger.was)}")
    if trigger.until is not None:
        words.append(f"and again only after {condition(trigger.until)}")
    if trigger.cooldown is not None:
        words.append(f"at most once every {duration(trigger.cooldown, each=True)}")
    return ", ".join(words)
