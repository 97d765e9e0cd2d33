"""Hypothesis strategies: every declared thing, made by its constructor, in all shapes that are no fault."""

from datetime import timedelta

from hypothesis import strategies as st

from engagekit.model import (
    Absence,
    All,
    Amount,
    AnyOf,
    Channel,
    Content,
    Criterion,
    Decay,
    Exclude,
    Fit,
    Levels,
    Lifecycle,
    Limit,
    Model,
    Momentum,
    Not,
    Persona,
    Phase,
    Qualification,
    Repeat,
    Rule,
    Scale,
    Signal,
    Test,
    Trigger,
)
from engagekit.model.lifecycle import CUSTOMER_ENGAGEMENT_INDEX

# Any text that a file can hold, and often one that a careless writer of TOML would get wrong.
AWKWARD = [
    "a.b",
    "a b",
    '"',
    "'",
    "\\",
    "\n",
    "\x7f",
    "\x00",
    "#",
    "é",
    "=",
    "true",
    "1",
    "\U0001f600",
    "[[x]]",
]
TEXTS = st.sampled_from([*AWKWARD, "x", "y", "url"]) | st.text(
    st.characters(codec="utf-8"), min_size=1, max_size=5
)
FIELDS = TEXTS.filter(lambda name: name not in ("any", "all", "not"))
NUMBERS = st.sampled_from([0.0, -0.0, 1, 0.1, -2.5, 1e-7, 1e300, 2**53 + 2.0]) | st.floats(
    allow_nan=False, allow_infinity=False
)
POSITIVE = st.floats(min_value=1e-300, allow_infinity=False)
SPANS = st.timedeltas(timedelta(microseconds=1), timedelta(days=3_652_500))
HALVES = st.sampled_from(["both", "prospect", "customer"])
PERCENT = st.floats(0, 100)
INTENTS = st.sampled_from(["buy", "get help", "été"])


def types(least=1):
    """Draw event types."""
    return st.lists(TEXTS, min_size=least, max_size=3, unique=True)


def maybe(strategy):
    """Draw None as well."""
    return st.none() | strategy


def some(cls, required, optional):
    """Draw a declared thing of which every optional attribute may be left to its default."""
    return st.fixed_dictionaries(required, optional=optional).map(lambda given: cls(**given))


SCALARS = [
    TEXTS | st.just(""),
    st.booleans(),
    st.integers(-(2**63), 2**64 - 1) | NUMBERS,
]
ORDERED = [SCALARS[0], SCALARS[2]]


def tests():
    """Draw a condition of one test."""
    one = st.one_of(*SCALARS)
    several = st.one_of(*(st.lists(scalar, min_size=1, max_size=3) for scalar in SCALARS))
    bounds = SCALARS[2].flatmap(
        lambda low: st.tuples(st.just(low), SCALARS[2].map(lambda high: max(low, high)))
    )
    return st.one_of(
        st.builds(Test, FIELDS, st.sampled_from(["eq", "ne"]), one),
        st.builds(Test, FIELDS, st.sampled_from(["lt", "le", "gt", "ge"]), st.one_of(*ORDERED)),
        st.builds(Test, FIELDS, st.sampled_from(["in", "not_in"]), several),
        st.builds(Test, FIELDS, st.just("between"), bounds),
        st.builds(Test, FIELDS, st.sampled_from(["contains", "starts_with", "ends_with"]), TEXTS),
        st.builds(Test, FIELDS, st.just("is_null"), st.booleans()),
    )


def conditions():
    """Draw a condition of several levels."""
    return st.recursive(
        tests(),
        lambda inner: st.one_of(
            st.lists(inner, min_size=1, max_size=4).map(All),
            st.lists(inner, min_size=1, max_size=3).map(AnyOf),
            inner.map(Not),
        ),
        max_leaves=6,
    ).filter(lambda condition: condition.depth <= 12)


def decays():
    """Draw a decay."""
    return st.one_of(
        SPANS.map(Decay.half_life), SPANS.map(Decay.linear), SPANS.map(Decay.window), st.just(Decay.none())
    )


def factors():
    """Draw weights."""
    return st.dictionaries(
        TEXTS,
        st.dictionaries(TEXTS | st.integers(2, 9) | st.booleans(), POSITIVE | st.just(0), max_size=2),
        max_size=2,
    ).filter(
        lambda weights: all(
            len({str(key).lower() for key in table}) == len(table) for table in weights.values()
        )
    )


def limits(by):
    """Draw a limit."""
    return some(Limit, {"n": st.integers(1, 2**31 - 1), "per": SPANS}, {"by": maybe(by)})


AMOUNTS = some(
    Amount,
    {},
    {
        "field": TEXTS,
        "curve": st.sampled_from(["linear", "log1p", "sqrt", "saturating"]),
        "scale": POSITIVE,
        "max": maybe(POSITIVE),
        "signed": st.booleans(),
    },
)


def scoring(by):
    """Draw what rules, absences and repeats share, by attribute."""
    return {
        "channel": TEXTS,
        "decay": maybe(decays()),
        "cap": maybe(POSITIVE),
        "limit": maybe(limits(by)),
        "half": HALVES,
        "intent": maybe(INTENTS),
    }


def rules():
    """Draw a rule, named later."""
    return some(
        Rule,
        {"name": st.just("later"), "on": types(), "points": NUMBERS},
        {"where": maybe(conditions()), "amount": maybe(AMOUNTS), "weights": factors(), **scoring(TEXTS)},
    )


def absences():
    """Draw an absence, named later."""
    return some(
        Absence,
        {"name": st.just("later"), "after": types(), "unless": types(), "within": SPANS, "points": NUMBERS},
        {"by": maybe(TEXTS), **scoring(st.none())},
    )


def repeats():
    """Draw a repeat, named later."""
    return some(
        Repeat,
        {
            "name": st.just("later"),
            "on": types(),
            "n": st.integers(1, 9),
            "within": SPANS,
            "points": NUMBERS,
        },
        {"where": maybe(conditions()), "by": maybe(TEXTS), **scoring(st.none())},
    )


def excludes():
    """Draw an exclude, named later."""
    plain = some(Exclude, {"name": st.just("later"), "on": types()}, {"where": maybe(conditions())})
    after = some(
        Exclude,
        {"name": st.just("later"), "on": types(), "after": types()},
        {"within": maybe(SPANS), "by": maybe(TEXTS)},
    )
    return plain | after


@st.composite
def phases(draw):
    """Draw phases that leave no contact without one."""
    entry = some(
        Phase,
        {"name": TEXTS, "half": st.sampled_from(["prospect", "customer"])},
        {"min_engagement": NUMBERS, "min_momentum": maybe(NUMBERS)},
    )
    last = [Phase(name=draw(TEXTS), half=half) for half in ("prospect", "customer")]
    return [*draw(st.lists(entry, max_size=3)), *last]


def attribute_conditions():
    """Draw a condition over attributes, none nearly named like a result column, and columns of any value."""
    return st.recursive(
        st.builds(Test, st.sampled_from(["land", "Größe", "a b"]), st.just("is_null"), st.booleans())
        | st.builds(Test, st.just("score"), st.sampled_from(["ge", "lt"]), NUMBERS)
        | st.builds(Test, st.just("last_type"), st.just("in"), st.lists(TEXTS, min_size=1, max_size=2)),
        lambda inner: st.lists(inner, min_size=2, max_size=3).map(AnyOf) | inner.map(Not),
        max_leaves=3,
    )


@st.composite
def fits(draw):
    """Draw a fit."""
    names = draw(st.lists(TEXTS, min_size=1, max_size=3, unique=True))
    points = [draw(st.floats(1e-300, 1e300)), *(draw(st.floats(-1e300, 1e300)) for _ in names[1:])]
    criteria = [
        Criterion(name=name, where=draw(conditions()), points=value)
        for name, value in zip(names, points, strict=True)
    ]
    bounds = draw(st.lists(st.floats(0.5, 100), max_size=2, unique=True))
    grades = draw(st.lists(TEXTS, min_size=len(bounds) + 1, max_size=len(bounds) + 1, unique=True))
    given = {"grades": dict(zip(grades, [*bounds, 0], strict=True))} if draw(st.booleans()) else {}
    return Fit(criteria=criteria, **given)


QUALIFICATIONS = some(
    Qualification,
    {"mql_min_engagement": PERCENT},
    {
        "mql_min_fit": PERCENT,
        "accepted_on": types(0),
        "qualified_on": types(0),
        "rejected_on": types(0),
        "recycle_after": SPANS,
    },
)


@st.composite
def contents(draw, phases, channels, personas, intents):
    """Draw the contents for what a model has."""
    entry = some(
        Content,
        {"id": st.just("later"), "phase": st.sampled_from(phases)},
        {
            "channel": maybe(st.sampled_from(channels)),
            "persona": st.sampled_from([None, *personas]),
            "intent": st.sampled_from([None, *intents]),
            "where": maybe(attribute_conditions()),
            "appeal": maybe(TEXTS),
        },
    )
    return draw(st.lists(entry, max_size=2))


TRIGGERS = some(
    Trigger,
    {"name": st.just("later"), "when": attribute_conditions()},
    {
        "was": maybe(attribute_conditions()),
        "until": maybe(attribute_conditions()),
        "cooldown": maybe(SPANS),
    },
)


@st.composite
def models(draw):
    """Draw a model."""
    from attrs import evolve

    names = draw(st.lists(TEXTS, min_size=8, max_size=8, unique=True))

    def named(strategy, least=0):
        parts = draw(st.lists(strategy, min_size=least, max_size=2))
        return [evolve(part, name=names.pop()) for part in parts]

    scored = {"rules": named(rules(), 1), "absences": named(absences()), "repeats": named(repeats())}
    channels = sorted({part.channel for parts in scored.values() for part in parts})
    names = draw(st.lists(TEXTS, min_size=4, max_size=4, unique=True).filter(lambda made: "a" not in made))
    given = {
        **scored,
        "excludes": named(excludes()),
        # Signals are made of event types that are none of their own names: no circle can arise.
        "signals": [Signal(name=name, on="a", where=draw(maybe(conditions()))) for name in names[:2]],
        "channels": {
            name: Channel(cap=draw(maybe(POSITIVE)))
            for name in draw(st.lists(st.sampled_from(channels), unique=True))
        },
    }
    optional = {
        "name": TEXTS,
        "passive": types(0),
        "decay": decays(),
        "scale": POSITIVE.map(Scale.saturating) | POSITIVE.map(Scale.linear),
        "levels": st.lists(NUMBERS, min_size=3, max_size=3, unique=True).map(
            lambda bounds: Levels(**dict(zip(("low", "medium", "high"), sorted(bounds), strict=True)))
        ),
        "momentum": st.lists(SPANS, min_size=2, max_size=2, unique=True).map(
            lambda spans: Momentum(fast=min(spans), slow=max(spans))
        ),
        "lifecycle": maybe(some(Lifecycle, {"customer_on": types()}, {"ends_on": types(0)})),
        "phases": phases(),
        "weights": factors(),
        "columns": st.dictionaries(st.sampled_from(["contact", "type", "time", "value", "id"]), TEXTS),
    }
    optional |= {"fit": maybe(fits()), "qualification": maybe(QUALIFICATIONS)}
    drawn = draw(st.fixed_dictionaries({}, optional=optional))
    return Model(**given, **drawn, **leads(draw, scored, drawn.get("phases", CUSTOMER_ENGAGEMENT_INDEX)))


def leads(draw, scored, phases):
    """Draw personas, contents and triggers beside what gives points."""
    from attrs import evolve

    if draw(st.booleans()):
        return {}
    names = draw(st.lists(TEXTS, min_size=4, max_size=4, unique=True))
    personas = [Persona(name=name, where=draw(attribute_conditions())) for name in names[:2]]
    entries = [entry for each in scored.values() for entry in each]
    intents = {entry.intent for entry in entries if entry.intent}
    matrix = draw(
        contents(
            [phase.name for phase in phases],
            sorted({entry.channel for entry in entries}),
            [persona.name for persona in personas],
            sorted(intents | {"unclear"}) if intents else [],
        )
    )
    triggers = draw(st.lists(TRIGGERS, max_size=2))
    return {
        "personas": personas,
        "contents": [evolve(entry, id=name) for entry, name in zip(matrix, names, strict=False)],
        "triggers": [evolve(entry, name=name) for entry, name in zip(triggers, names[2:], strict=False)],
    }
