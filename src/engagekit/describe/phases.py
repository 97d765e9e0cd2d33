"""What lifts a contact into a phase, with an example."""

import math
from collections.abc import Iterator, Sequence
from datetime import timedelta
from itertools import combinations

import attrs

from engagekit.describe.wording import duration, listed, number, points
from engagekit.model import Amount, Model, Phase, Rule, Scale

_MOST_RULES = 12


def phase_entries(model: Model) -> Iterator[tuple[str, str]]:
    """Describe the phases in the order in which they are tried."""
    halves = ("prospect", "customer") if model.lifecycle is not None else ("prospect",)
    for half in halves:
        entries = [phase for phase in model.phases if phase.half == half]
        seen: set[str] = set()
        for place, phase in enumerate(entries):
            name = "" if place and entries[place - 1].name == phase.name else phase.name
            yield name, _entry(model, phase, first=not place, again=phase.name in seen)
            seen.add(phase.name)
            if phase.catches_all:  # whatever stands after it is never reached
                break


def score_for(scale: Scale, engagement: float) -> float:
    """Find the score that reads as an engagement; infinite where none does.

    Examples
    --------
    >>> from engagekit.model import Scale
    >>> (
    ...     score_for(Scale.saturating(50), 75),
    ...     score_for(Scale.linear(200), 75),
    ...     score_for(Scale.saturating(50), 100),
    ... )
    (100.0, 150.0, inf)
    """
    if scale.kind == "linear":
        return scale.value * engagement / 100 if engagement <= 100 else math.inf
    return -scale.value * math.log2(1 - engagement / 100) if engagement < 100 else math.inf


def _entry(model: Model, phase: Phase, *, first: bool, again: bool) -> str:
    whom = f"{'or ' if again else ''}a{'' if first else 'ny other'} {phase.half}"
    if phase.catches_all:
        return f"every {'' if first else 'other '}{phase.half}" + _ended(model, phase)
    minima = []
    if phase.min_engagement:
        minima.append(f"an engagement of at least {number(phase.min_engagement)}{_score(model, phase)}")
    if phase.min_momentum is not None:
        minima.append(f"a momentum of at least {number(phase.min_momentum)}{_pace(phase.min_momentum)}")
    said = f"{whom} with {listed(minima, 'and')}"
    example = _example(model, phase)
    return f"{said}; for instance {example}" if example else said


def _score(model: Model, phase: Phase) -> str:
    score = score_for(model.scale, phase.min_engagement)
    return f", which is a score of {number(score)}" if score < math.inf else ", which no score reaches"


def _pace(momentum: float) -> str:
    """Say a momentum as a share of the usual pace: (F - W)/(F + W) = momentum, F being the recent pace."""
    if not -1 < momentum < 1:
        return ""
    return f" (a recent pace of {100 * (1 + momentum) / (1 - momentum):.0f} % of the usual one)"


def _ended(model: Model, phase: Phase) -> str:
    ends_on = model.lifecycle.ends_on if model.lifecycle else ()
    if phase.half != "customer" or not ends_on or model.lifecycle is None:
        return ""
    return f", and whoever had {listed(ends_on)} since the last {listed(model.lifecycle.customer_on)}"


@attrs.frozen
class _Candidate:
    """A rule, and what one fresh event earns by it."""

    rule: Rule
    points: float

    @property
    def words(self) -> str:
        amount = self.rule.amount
        of = f" of {amount.field} {number(amount.scale)}" if amount is not None else ""
        return f"{self.rule.name}{of} ({points(round(self.points, 1))})"


def _example(model: Model, phase: Phase) -> str:
    """Find few events of today that reach the phase's engagement, the least that do."""
    needed = score_for(model.scale, phase.min_engagement)
    if not 0 < needed < math.inf or (phase.min_momentum or -1) > 0:
        return ""
    candidates = sorted(_candidates(model, phase), key=lambda each: -each.points)[:_MOST_RULES]
    for size in (1, 2, 3):
        reaching = [
            (total, chosen)
            for chosen in combinations(candidates, size)
            if (total := _total(model, chosen)) >= needed
        ]
        if reaching:
            # What only this half can earn tells more about it.
            own = {each.rule.name for each in candidates if each.rule.half == phase.half}
            _, chosen = min(reaching, key=lambda each: (-sum(c.rule.name in own for c in each[1]), each[0]))
            return listed([f"one {each.words}" for each in chosen], "and") + " today"
    return _repeated(model, candidates, needed) or _steady(model, candidates, needed)


def _repeated(model: Model, candidates: Sequence[_Candidate], needed: float) -> str:
    """Say how many events of one rule it takes, where its limits allow that at once."""
    for each in candidates:
        count = math.ceil(needed / each.points)
        allowed = each.rule.limit.n if each.rule.limit is not None else count
        if count <= min(allowed, 20) and _total(model, [each] * count) >= needed:
            return f"{count} times {each.words} today"
    return ""


def _steady(model: Model, candidates: Sequence[_Candidate], needed: float) -> str:
    """Say how often events of one rule must come for their halving points to add up."""
    for each in candidates:
        decay = each.rule.decay or model.decay
        room = min(each.rule.cap or math.inf, _cap(model, each.rule.channel))
        if decay.kind != "half_life" or decay.span is None or room < needed or each.points >= needed:
            continue
        # The sum after an event is points / (1 - 2^(-days/half_life)).
        days = math.floor(-decay.span / timedelta(days=1) * math.log2(1 - each.points / needed))
        limit = each.rule.limit
        if days >= 1 and (limit is None or timedelta(days=days) * limit.n >= limit.per):
            return f"one {each.words} every {duration(timedelta(days=days), each=True)}"
    return ""


def _cap(model: Model, channel: str) -> float:
    found = model.channels[channel].cap if channel in model.channels else None
    return math.inf if found is None else found


def _candidates(model: Model, phase: Phase) -> Iterator[_Candidate]:
    lifecycle = model.lifecycle
    turns = (
        () if lifecycle is None else lifecycle.customer_on if phase.half == "prospect" else lifecycle.ends_on
    )
    turning = _types(model, turns)
    for rule in model.rules:
        earned = rule.points * (1.0 if rule.amount is None else _factor(rule.amount))
        if rule.half in ("both", phase.half) and earned > 0 and not _types(model, rule.on) & turning:
            yield _Candidate(rule, earned)


def _types(model: Model, names: Sequence[str]) -> set[str]:
    """Resolve signals, as far as they go, to the names that events have."""
    signals = {signal.name: signal.on for signal in model.signals}
    found: set[str] = set()
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += signals.get(name, ())
    return found - signals.keys()


def _factor(amount: Amount) -> float:
    """Give the amount's factor where the field equals its scale."""
    curve = {"linear": 1.0, "log1p": math.log(2), "sqrt": 1.0, "saturating": 0.5}[amount.curve]
    return curve if amount.max is None else min(curve, amount.max)


def _total(model: Model, chosen: Sequence[_Candidate]) -> float:
    """Add up one event of each, caps applied."""
    channels: dict[str, dict[str, float]] = {}
    for each in chosen:
        rules = channels.setdefault(each.rule.channel, {})
        cap = math.inf if each.rule.cap is None else each.rule.cap
        rules[each.rule.name] = min(rules.get(each.rule.name, 0.0) + each.points, cap)
    return sum(min(sum(rules.values()), _cap(model, name)) for name, rules in channels.items())
