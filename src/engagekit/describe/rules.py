"""What gives points, in words: a name and a sentence for each rule, absence and repeat."""

from collections.abc import Iterator, Mapping

from engagekit.describe.wording import condition, duration, listed, number, points
from engagekit.model import Absence, Amount, Decay, Exclude, Limit, Model, Repeat, Rule, Signal
from engagekit.model.conditions import Condition

Entry = tuple[str, str]
_CURVES = {
    "linear": "{x}",
    "log1p": "ln(1 + {x})",
    "sqrt": "the square root of {x}",
    "saturating": "q/(1 + q), q being {x}",
}


def channel_entries(model: Model, channel: str) -> Iterator[Entry]:
    """Describe everything that gives points in a channel."""
    for rule in model.rules:
        if rule.channel == channel:
            yield rule.name, _sentence(_rule(rule), rule)
    for absence in model.absences:
        if absence.channel == channel:
            yield absence.name, _sentence(_absence(absence), absence)
    for repeat in model.repeats:
        if repeat.channel == channel:
            yield repeat.name, _sentence(_repeat(repeat), repeat)


def signal_entry(signal: Signal) -> Entry:
    """Describe a signal."""
    return signal.name, f"stands for {listed(signal.on)}{_where(signal.where)}"


def exclude_entry(exclude: Exclude) -> Entry:
    """Describe an exclusion."""
    follows = ""
    if exclude.after:
        when = f"within {duration(exclude.within)} after" if exclude.within else "at any time after"
        follows = f", {when} {listed(exclude.after)}{_same(exclude.by)}"
    return exclude.name, f"{listed(exclude.on)}{_where(exclude.where)}{follows}"


def decay_words(decay: Decay) -> str:
    """Say how points fade."""
    if decay.span is None:
        return "kept for ever"
    if decay.kind == "half_life":
        return f"halved every {duration(decay.span, each=True)}"
    if decay.kind == "linear":
        return f"fading evenly to nothing in {duration(decay.span)}"
    return f"kept for {duration(decay.span)}, then gone"


def weights_words(weights: Mapping[str, Mapping[str, float]]) -> Iterator[str]:
    """Say which factors apply, a clause for each field."""
    for field, factors in weights.items():
        yield "times " + ", ".join(f'{number(f)} where {field} is "{value}"' for value, f in factors.items())


def amount_words(amount: Amount) -> str:
    """Say what a field of the event makes of the points."""
    x = amount.field if amount.scale == 1 else f"{amount.field}/{number(amount.scale)}"
    words = "times " + _CURVES[amount.curve].format(x=x)
    if amount.max is not None:
        words += f" but at most {number(amount.max)}"
    return words + (", taken away where it is negative" if amount.signed else "")


def _rule(rule: Rule) -> str:
    said = f"{points(rule.points, sign=True)} for {listed(rule.on)}{_where(rule.where)}"
    if not rule.points:
        said = f"no points for {listed(rule.on)}{_where(rule.where)}"
    if rule.amount is not None:
        said += f", {amount_words(rule.amount)}"
    return ", ".join([said, *weights_words(rule.weights)])


def _absence(absence: Absence) -> str:
    after, unless = listed(absence.after), listed(absence.unless)
    return (
        f"{points(absence.points, sign=True)} for {after} that no {unless} follows within "
        f"{duration(absence.within)}{_same(absence.by)}"
    )


def _repeat(repeat: Repeat) -> str:
    events = f"{repeat.n} of {listed(repeat.on)}{_where(repeat.where)}"
    within = f"within {duration(repeat.within)}{_same(repeat.by)}"
    return f"{points(repeat.points, sign=True)} for every {events} {within}"


def _sentence(said: str, rule: Rule | Absence | Repeat) -> str:
    """Add what rules, absences and repeats have in common."""
    parts = [said]
    if rule.decay is not None:
        parts.append(decay_words(rule.decay))
    if rule.limit is not None:
        parts.append(_limit(rule.limit))
    if rule.cap is not None:
        parts.append(f"at most {points(rule.cap)} together")
    if rule.half != "both":
        parts.append(f"{rule.half}s only")
    if rule.intent is not None:
        parts.append(f"a sign of the intent {rule.intent}")
    return "; ".join(parts)


def _limit(limit: Limit) -> str:
    by = f" and {limit.by}" if limit.by else ""
    return f"{limit.n} count{'s' if limit.n == 1 else ''} per {duration(limit.per, each=True)}{by}"


def _where(where: Condition | None) -> str:
    return f" where {condition(where)}" if where is not None else ""


def _same(by: str | None) -> str:
    return f" (of the same {by})" if by else ""
