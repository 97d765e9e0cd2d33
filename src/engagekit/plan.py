"""A model lowered to flat arrays for the kernel.

What a model says in names (types, signals, channels, durations) becomes numbers here, once a model; what
depends on the events at hand (which type has which code, which conditions hold) is added by
`engagekit.matching`.
"""

from collections.abc import Iterable, Mapping
from datetime import timedelta
from functools import lru_cache
from typing import Any

import numpy as np
from attrs import define

from engagekit.model import Absence, Exclude, Model, Repeat, Rule, Signal
from engagekit.model.conditions import Condition

MICROSECOND = timedelta(microseconds=1)

DECAYS = {"none": 0, "half_life": 1, "linear": 2, "window": 3}
CURVES = {"linear": 0, "log1p": 1, "sqrt": 2, "saturating": 3}
HALVES = {"both": 0, "prospect": 1, "customer": 2}
LEVELS = ("none", "low", "medium", "high")

# roles of a class of events in a listed rule or an exclusion
ON, UNLESS = 1, 2
# what a class of events is besides
ACTIVITY, CUSTOMER_ON, ENDS_ON, READ = 1, 2, 4, 8
# what sales says of a contact by it
ACCEPTED, QUALIFIED, REJECTED = 1, 2, 4

RULE = np.dtype(
    [(name, "f8") for name in ("points", "cap", "amount_scale", "amount_max", "inverse")]
    + [(name, "i8") for name in ("span", "within", "n", "limit_n", "limit_per")]
    + [
        (name, "i4")
        for name in (
            "kind", "decay", "half", "channel", "by", "curve", "amount", "negated",
            "weights_first", "weights_last", "family", "listed", "intent",
        )
    ],
    align=True,
)  # fmt: skip
PHASE = np.dtype(
    [("min_engagement", "f8"), ("min_momentum", "f8"), ("half", "i4"), ("name", "i4")], align=True
)
EXCLUDE = np.dtype([("within", "i8"), ("by", "i4"), ("follows", "i4")], align=True)
TALLY = np.dtype([(name, "i8") for name in ("future", "excluded", "unmatched", "null_amounts")])


@define(frozen=True, cache_hash=True)
class Selector:
    """Events of one type for which all the named conditions (indices into `Plan.conditions`) hold."""

    type: str
    conditions: frozenset[int]


@define(frozen=True, eq=False)
class Plan:
    """Everything of a model that does not depend on the events."""

    model: Model
    names: tuple[str, ...]
    """Rules, absences and repeats, channel by channel: the order of everything by rule here."""
    channels: tuple[str, ...]
    phase_names: tuple[str, ...]
    rules: np.ndarray
    phases: np.ndarray
    excludes: np.ndarray
    channel_caps: np.ndarray
    families: int
    listed: np.ndarray
    conditions: tuple[Condition, ...]
    matches: tuple[tuple[Selector, ...], ...]
    """Per rule, absence (after) and repeat the events it takes."""
    unless: Mapping[int, tuple[Selector, ...]]
    """Per absence (its rule number) the events that prevent it."""
    excluded: tuple[tuple[tuple[Selector, ...], tuple[Selector, ...]], ...]
    """Per exclusion the events it takes away and those they have to follow."""
    passive: tuple[Selector, ...]
    customer_on: tuple[Selector, ...]
    ends_on: tuple[Selector, ...]
    verdicts: tuple[tuple[int, tuple[Selector, ...]], ...]
    """What accepts, qualifies and rejects a lead."""
    intents: tuple[str, ...]
    amounts: tuple[str, ...]
    codes: tuple[str, ...]
    weights: tuple[tuple[int, Mapping[str, float]], ...]
    """Per entry of a rule's weights (from `weights_first` on) the place in `codes` and the factors."""
    ended_phase: int
    fast_us: int
    slow_us: int


def microseconds(span: timedelta) -> int:
    """Return a duration as whole microseconds.

    >>> microseconds(timedelta(seconds=1.5))
    1500000
    """
    return span // MICROSECOND


class _Names:
    """A list of distinct things, each known by the place where it first came."""

    def __init__(self) -> None:
        self.items: list[Any] = []

    def place(self, item: Any) -> int:
        if item not in self.items:
            self.items.append(item)
        return self.items.index(item)


class _Selectors:
    """Resolves names of types and signals into selectors."""

    def __init__(self, signals: Iterable[Signal]) -> None:
        self.conditions = _Names()
        self._signals = {signal.name: signal for signal in signals}
        self._resolved: dict[str, tuple[Selector, ...]] = {}

    def of(self, types: Iterable[str], where: Condition | None = None) -> tuple[Selector, ...]:
        """Resolve types and signals; a signal's name stands for a type of that name too."""
        types = tuple(types)
        self._resolve(types)
        return self._joined(types, where)

    def _joined(self, types: Iterable[str], where: Condition | None) -> tuple[Selector, ...]:
        held = frozenset() if where is None else frozenset([self.conditions.place(where)])
        found: dict[Selector, None] = {}
        for name in types:
            found[Selector(name, held)] = None
            for selector in self._resolved.get(name, ()):
                found[Selector(selector.type, selector.conditions | held)] = None
        return tuple(found)

    def _resolve(self, names: Iterable[str]) -> None:
        # signals may be made of signals, in longer chains than Python's stack; a checked model has no circles
        waiting = [name for name in names if name in self._signals]
        while waiting:
            signal = self._signals[waiting[-1]]
            below = [name for name in signal.on if name in self._signals and name not in self._resolved]
            if below:
                waiting += below
            else:
                self._resolved[waiting.pop()] = self._joined(signal.on, signal.where)


@lru_cache(maxsize=64)
def lower(model: Model) -> Plan:
    """Lower a model.

    >>> import engagekit as ek
    >>> model = ek.Model(rules=[ek.Rule(name="visit", on="page_view", points=2, channel="web")])
    >>> plan = lower(model)
    >>> plan.names, plan.channels, plan.rules["points"].tolist()
    (('visit',), ('web',), [2.0])
    """
    channels, intents = model.channel_names, model.intents
    sources: list[Rule | Absence | Repeat] = [*model.rules, *model.absences, *model.repeats]
    sources.sort(key=lambda source: channels.index(source.channel))
    selectors = _Selectors(model.signals)
    amounts, codes = _Names(), _Names()
    weights: list[tuple[int, Mapping[str, float]]] = []
    rules = np.zeros(len(sources), RULE)
    matches: list[tuple[Selector, ...]] = []
    unless: dict[int, tuple[Selector, ...]] = {}
    for r, source in enumerate(sources):
        spec = rules[r]
        decay = model.decay if source.decay is None else source.decay
        spec["points"] = source.points
        spec["cap"] = np.inf if source.cap is None else source.cap
        spec["decay"] = DECAYS[decay.kind]
        spec["span"] = 0 if decay.span is None else microseconds(decay.span)
        spec["inverse"] = 1 / spec["span"] if spec["span"] else 0.0
        spec["half"] = HALVES[source.half]
        spec["channel"] = channels.index(source.channel)
        spec["by"] = spec["amount"] = -1
        spec["intent"] = -1 if source.intent is None else intents.index(source.intent)
        spec["amount_scale"], spec["amount_max"] = 1.0, np.inf
        spec["weights_first"] = spec["weights_last"] = len(weights)
        by = source.limit.by if source.limit else None
        if source.limit:
            spec["limit_n"], spec["limit_per"] = source.limit.n, microseconds(source.limit.per)
        if isinstance(source, Absence):
            by = source.by
            spec["kind"], spec["within"] = 1, microseconds(source.within)
            matches.append(selectors.of(source.after))
            unless[r] = selectors.of(source.unless)
        elif isinstance(source, Repeat):
            by = source.by
            spec["kind"], spec["within"], spec["n"] = 2, microseconds(source.within), source.n
            matches.append(selectors.of(source.on, source.where))
        else:
            matches.append(selectors.of(source.on, source.where))
            if source.amount is not None:
                spec["amount"] = amounts.place(source.amount.field)
                spec["curve"] = CURVES[source.amount.curve]
                spec["amount_scale"] = source.amount.scale
                spec["amount_max"] = np.inf if source.amount.max is None else source.amount.max
                spec["negated"] = source.amount.signed
            for table in (model.weights, source.weights):
                weights += [(codes.place(field), factors) for field, factors in table.items()]
            spec["weights_last"] = len(weights)
        if by is not None:
            spec["by"] = codes.place(by)
    listed = np.flatnonzero(
        (rules["kind"] > 0) | (rules["limit_n"] > 0) | (rules["decay"] >= DECAYS["linear"])
    )
    rules["listed"] = -1
    rules["listed"][listed] = np.arange(len(listed))
    verdicts = _verdicts(model, selectors)
    excludes, excluded = _excludes(model.excludes, selectors, codes)
    phases, phase_names = _phases(model)
    lifecycle = model.lifecycle
    last = [entry for entry in model.phases if entry.half == "customer"][-1]
    return Plan(
        model=model,
        names=tuple(source.name for source in sources),
        channels=channels,
        phase_names=phase_names,
        rules=rules,
        phases=phases,
        excludes=excludes,
        channel_caps=np.array([_cap(model, name) for name in channels]),
        families=_families(rules),
        listed=listed.astype(np.int32),
        matches=tuple(matches),
        unless=unless,
        excluded=excluded,
        passive=selectors.of([*model.passive, *(name for a in model.absences for name in a.after)]),
        customer_on=selectors.of(lifecycle.customer_on) if lifecycle else (),
        ends_on=selectors.of(lifecycle.ends_on) if lifecycle else (),
        verdicts=verdicts,
        intents=intents,
        conditions=tuple(selectors.conditions.items),
        amounts=tuple(amounts.items),
        codes=tuple(codes.items),
        weights=tuple(weights),
        ended_phase=phase_names.index(last.name),
        fast_us=microseconds(model.momentum.fast),
        slow_us=microseconds(model.momentum.slow),
    )


def _verdicts(model: Model, selectors: _Selectors) -> tuple[tuple[int, tuple[Selector, ...]], ...]:
    asked = model.qualification
    if asked is None:
        return ()
    said = ((ACCEPTED, asked.accepted_on), (QUALIFIED, asked.qualified_on), (REJECTED, asked.rejected_on))
    return tuple((flag, selectors.of(types)) for flag, types in said if types)


def _families(rules: np.ndarray) -> int:
    """Return how many families there are, each rule numbered by its own: half-lives from the longest on."""
    fading = rules["decay"] == DECAYS["half_life"]
    spans = np.unique(rules["span"][fading])
    rules["family"] = rules["decay"] == DECAYS["linear"]
    rules["family"][fading] = 1 + len(spans) - np.searchsorted(spans, rules["span"][fading])
    return 2 + len(spans)


def _cap(model: Model, channel: str) -> float:
    cap = model.channels[channel].cap if channel in model.channels else None
    return np.inf if cap is None else cap


def _excludes(
    sources: Iterable[Exclude], selectors: _Selectors, codes: _Names
) -> tuple[np.ndarray, tuple[tuple[tuple[Selector, ...], tuple[Selector, ...]], ...]]:
    specs = [
        (
            -1 if source.within is None else microseconds(source.within),
            -1 if source.by is None else codes.place(source.by),
            bool(source.after),
        )
        for source in sources
    ]
    taken = tuple((selectors.of(source.on, source.where), selectors.of(source.after)) for source in sources)
    return np.array(specs, EXCLUDE), taken


def _phases(model: Model) -> tuple[np.ndarray, tuple[str, ...]]:
    names = tuple(dict.fromkeys(entry.name for entry in model.phases))
    entries = [
        (
            entry.min_engagement,
            np.nan if entry.min_momentum is None else entry.min_momentum,
            HALVES[entry.half],
            names.index(entry.name),
        )
        for entry in model.phases
    ]
    return np.array(entries, PHASE), names
