"""Hypothesis strategies: random models as plain dicts, random events as lists of rows, full of coincidences.

Every event has all columns of `VALUES`, so that any condition finds its field. Times are made from the
model's own durations: an event lies exactly a window, a bucket, an absence before another one or before
`at`, or one microsecond beside it.
"""

import math
from dataclasses import dataclass

from hypothesis import strategies as st
from oracle_events import DAY, micros

TYPES = ["open", "click", "visit", "sent", "buy", "deal", "end", "été"]
BY = st.sampled_from(["device", "url", "seconds", "campaign", "message"])
SPANS = ["30d", "7d", "14d", "1h", "12h", "1d", "2d", "90s", "400d"]
SHORT_SPANS = ["1us", "2s", "15min", "12h", "1d", "7d"]
CHANNELS = ["other", "web", "email", "shop"]
INSTANTS = [0, 1_709_294_400_000_000, 1_234_567_890_123_456, -86_400_000_000_000, -1, 1_709_251_200_000_000]
TEXT_KEYS = ["007", "NA", "1e5", "ä", "x", "None"]
INTEGER_KEYS = [7, -1, 0, 9_007_199_254_740_993, -(2**62), 12]


def some(**optional):
    """Draw a dict in which every key may be left out."""
    return st.fixed_dictionaries({}, optional=optional)


def rarely(strategy):
    """Draw one in three times; None, which `named` takes out again, otherwise."""
    return st.sampled_from([False, False, True]).flatmap(lambda wanted: strategy if wanted else st.none())


# Conditions --------------------------------------------------------------------------------------------


def one_test(name, operators, value):
    """Draw `{name: {operator: value}}`, now and then a test for null."""
    plain = st.tuples(st.sampled_from(operators), value).map(lambda drawn: {name: dict([drawn])})
    return plain | st.booleans().map(lambda wanted: {name: {"is_null": wanted}})


def several(values):
    """Draw a list for `in` and `not_in`."""
    return st.lists(st.sampled_from(values), min_size=1, max_size=3, unique=True)


ORDER = ["eq", "ne", "lt", "le", "gt", "ge"]
SECONDS = st.integers(0, 60)
PIECES = st.sampled_from(["/a", "a", "/b", "é", "A"])
LEAVES = st.one_of(
    one_test("url", ["contains", "starts_with", "ends_with", "eq"], PIECES),
    one_test("seconds", ORDER, SECONDS),
    one_test("seconds", ["between"], st.tuples(SECONDS, SECONDS).map(sorted)),
    one_test("campaign", ["in", "not_in"], several([1, 2, 3])),
    one_test("device", ["in", "not_in"], several(["mobile", "desktop", "tv"])),
    one_test("device", ORDER, st.sampled_from(["mobile", "desktop", "tv"])),
    one_test("vip", ["eq", "ne"], st.booleans()),
    one_test("value", ORDER, st.sampled_from([0, 1, 2.5, -3])),
    one_test("type", ["eq", "ne"], st.sampled_from(TYPES)),
    one_test("time", ["ge", "lt"], st.sampled_from(["1970-01-01T00:00:00Z", "2024-02-20T12:00:00Z"])),
)
WHERE = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.tuples(LEAVES, LEAVES).map(lambda pair: pair[0] | pair[1]),
        st.lists(inner, min_size=1, max_size=2).map(lambda parts: {"any": parts}),
        st.lists(inner, min_size=1, max_size=2).map(lambda parts: {"all": parts}),
        inner.map(lambda part: {"not": part}),
    ),
    max_leaves=3,
)


# The parts of a model ------------------------------------------------------------------------------------

POINTS = st.integers(-8, 20) | st.integers(-40, 120).map(lambda quarters: quarters / 4)
POSITIVE = st.sampled_from([1, 2.5, 5, 10.5, 30])
DECAY = st.just("none") | st.tuples(
    st.sampled_from(["half_life", "linear", "window"]), st.sampled_from(SPANS)
).map(lambda drawn: dict([drawn]))
AMOUNT = some(
    field=st.sampled_from(["value", "seconds"]),
    curve=st.sampled_from(["linear", "log1p", "sqrt", "saturating"]),
    scale=st.sampled_from([0.5, 2, 30]),
    max=st.sampled_from([0.25, 1, 3]),
    signed=st.booleans(),
)
FACTOR = st.sampled_from([0, 0.5, 1, 1.2, 2])
WEIGHTS = some(
    device=some(mobile=FACTOR, desktop=FACTOR),
    vip=some(true=FACTOR, false=FACTOR),
    campaign=some(**{"1": FACTOR, "2": FACTOR}),
    type=some(open=FACTOR, buy=FACTOR),
)
HALVES = st.sampled_from(["both", "both", "prospect", "customer"])
LEVELS = st.lists(
    st.sampled_from([0, 0.5, 1, 3, 10, 25, 50, 75, 90, 100]), min_size=3, max_size=3, unique=True
).map(lambda bounds: dict(zip(("low", "medium", "high"), sorted(bounds), strict=True)))


def types(names):
    """Draw one type, or a list of types and signals."""
    return st.sampled_from(names) | st.lists(st.sampled_from(names), min_size=1, max_size=4, unique=True)


def limits(*, by):
    """Draw a limit, with a field to count apart where the rule may have one."""
    fields = {"n": st.integers(1, 3), "per": st.sampled_from(SHORT_SPANS[1:])}
    return st.fixed_dictionaries(fields, optional={"by": BY} if by else {})


def common(*, by=False):
    """Name the optional fields of all three kinds of rule."""
    return {
        "channel": st.sampled_from(CHANNELS),
        "decay": DECAY,
        "cap": POSITIVE,
        "limit": limits(by=by),
        "half": HALVES,
    }


def rules(names):
    """Draw a rule without its name."""
    optional = {"where": rarely(WHERE), "amount": rarely(AMOUNT), "weights": rarely(WEIGHTS)} | common(
        by=True
    )
    return st.fixed_dictionaries({"on": types(names), "points": POINTS}, optional=optional)


def absences(names):
    """Draw an absence without its name."""
    required = {
        "after": types(names),
        "unless": types(names),
        "within": st.sampled_from(SHORT_SPANS),
        "points": POINTS,
    }
    return st.fixed_dictionaries(required, optional=common() | {"by": BY})


def repeats(names):
    """Draw a repeat without its name."""
    required = {
        "on": types(names),
        "n": st.integers(1, 3),
        "within": st.sampled_from(SHORT_SPANS),
        "points": POINTS,
    }
    return st.fixed_dictionaries(required, optional=common() | {"where": rarely(WHERE), "by": BY})


def excludes(names):
    """Draw an exclusion without its name: of the events alone, or of those that follow others."""
    alone = st.fixed_dictionaries({"on": types(names), "where": WHERE})
    follows = st.fixed_dictionaries(
        {"on": types(names), "after": types(names)},
        optional={
            "where": rarely(WHERE),
            "within": st.sampled_from(SHORT_SPANS),
            "by": BY,
        },
    )
    return alone | follows


@st.composite
def phases(draw):
    """Draw phases in a random order of the halves, each half with its last one without minima."""
    entries = []
    for half, names in (("prospect", ["sales", "nurture"]), ("customer", ["retention", "loyal", "exit"])):
        minima = some(
            min_engagement=st.sampled_from([0, 5, 25, 50, 80]),
            min_momentum=st.sampled_from([-0.5, -0.33, 0, 0.2]),
        )
        entry = st.fixed_dictionaries({"name": st.sampled_from(names), "half": st.just(half)})
        few = st.lists(st.tuples(entry, minima).map(lambda pair: pair[0] | pair[1]), max_size=3)
        entries.append([*draw(few), draw(entry)])
    while entries[0] and entries[1] and draw(st.booleans()):
        entries.append([entries[draw(st.integers(0, 1))].pop(0)])
    return [entry for group in entries[2:] + entries[:2] for entry in group]


def named(prefix, drawn):
    """Give the drawn things names, and take out what is None."""
    things = [{name: part for name, part in thing.items() if part is not None} for thing in drawn]
    return [{"name": f"{prefix}{k}"} | thing for k, thing in enumerate(things)]


@st.composite
def models(draw):
    """Draw a model that uses any of the features."""
    signals = named("s", draw(st.lists(some(where=rarely(WHERE)), max_size=2)))
    names = list(TYPES)
    for signal in signals:
        # A signal may be built of those before it.
        signal["on"] = draw(types(names))
        names.append(signal["name"])
    model = {
        "signals": signals,
        "excludes": named("x", draw(st.lists(excludes(names), max_size=1))),
        "rules": named("r", draw(st.lists(rules(names), min_size=1, max_size=5))),
        "absences": named("a", draw(st.lists(absences(names), max_size=2))),
        "repeats": named("n", draw(st.lists(repeats(names), max_size=2))),
    }
    used = {r.get("channel", "other") for kind in ("rules", "absences", "repeats") for r in model[kind]}
    capped = draw(st.lists(st.sampled_from(sorted(used)), unique=True))
    model["channels"] = {name: {"cap": draw(POSITIVE)} for name in capped}
    model = {name: part for name, part in model.items() if part}
    lifecycle = st.fixed_dictionaries({"customer_on": types(names)}, optional={"ends_on": types(names)})
    spans = st.sampled_from([("1h", "12h"), ("1d", "30d"), ("7d", "400d")])
    return model | draw(
        some(
            passive=types(names),
            decay=DECAY,
            scale=st.sampled_from([{"saturating": 5}, {"saturating": 20.5}, {"linear": 40}]),
            levels=LEVELS,
            momentum=spans.map(lambda pair: dict(zip(("fast", "slow"), pair, strict=True))),
            lifecycle=lifecycle,
            weights=WEIGHTS,
            phases=phases(),
        )
    )


# Events ----------------------------------------------------------------------------------------------------


def durations_in(part):
    """Collect every duration that stands anywhere in a model."""
    if isinstance(part, dict):
        return [d for name, inner in part.items() if name != "where" for d in durations_in(inner)]
    if isinstance(part, list):
        return [d for inner in part for d in durations_in(inner)]
    return [micros(part)] if part in {*SPANS, *SHORT_SPANS} else []


@dataclass(frozen=True)
class Case:
    """A model, what it is given, and the instant."""

    model: dict
    events: list
    contacts: list | None
    at: int
    id: str | None
    grain: int


JITTER = [0, 0, 0, 1, -1]
WHEN = st.tuples(
    st.sampled_from(["before", "before", "edge", "anywhere", "after"]),
    st.integers(0, 4),  # counted from `at` or from the how-manieth event before this one
    st.integers(0, 30),  # the how-manieth duration
    st.integers(1, 3),  # how many of it
    st.sampled_from(JITTER),
    st.integers(-2, 100),  # days before `at` when anywhere
)
VALUES = {
    "value": [None, 0.0, 1.0, 1.0, -3.0, 12.5, 200.0, math.nan, -0.25],
    "device": [None, "mobile", "desktop", "tv"],
    "url": [None, "/a/b", "/b", "a", "", "é/A"],
    "seconds": [None, 0, 1, 30, 31, 60],
    "campaign": [None, 1, 2, 3],
    "message": [None, "m1", "m2", "m3"],
    "vip": [None, True, False],
}
WHAT = st.tuples(*(st.sampled_from(values) for values in VALUES.values()))
EVENT = st.tuples(st.integers(0, 5), st.sampled_from(TYPES), WHEN, WHAT)


def instant_of(when, *, durations, at, earlier):
    """Make an instant that coincides with something, or nearly does."""
    kind, back, which, times, jitter, days = when
    start = at if back == 0 or back > len(earlier) else earlier[-back]
    steps = [0, DAY, *durations]
    step = steps[which % len(steps)]
    if kind == "edge":
        return start // max(step, 1) * max(step, 1) + jitter
    if kind == "anywhere":
        return at - days * DAY - step + jitter
    return start + step * times * (-1 if kind == "before" else 1) + jitter


@st.composite
def event_lists(draw, model, *, at, keys, grain):
    """Draw up to 40 events in any order, some of them twice."""
    durations, earlier, events = durations_in(model), [], []
    size = draw(st.sampled_from([1, 3, 8, 16, 24, 34]))
    for key, type_, when, what in draw(st.lists(EVENT, min_size=size, max_size=size)):
        earlier.append(instant_of(when, durations=durations, at=at, earlier=earlier) // grain * grain)
        event = {"contact": keys[key % len(keys)], "type": type_, "time": earlier[-1]}
        events.append(event | dict(zip(VALUES, what, strict=True)))
    again = draw(st.lists(st.sampled_from(events), max_size=4))
    return draw(st.permutations(events + [dict(e) for e in again]))


def with_clear_ids(events, id):
    """Take the id from rows that differ from an earlier one of the same contact, id and time.

    Which of them counts is nobody's promise.
    """
    first = {}
    cleared = []
    for event in events:
        same = first.setdefault((event["contact"], event["time"], event[id]), event)
        # repr, because nan is not equal to itself.
        cleared.append(event if repr(same) == repr(event) else event | {id: None})
    return cleared


@st.composite
def cases(draw, max_contacts=6):
    """Draw a model, events, contacts and an instant."""
    model, at = draw(models()), draw(st.sampled_from(INSTANTS))
    grain = draw(st.sampled_from([1, 1, 1000, 10**6]))
    keys = draw(st.sampled_from([TEXT_KEYS, INTEGER_KEYS]))[: draw(st.integers(1, max_contacts))]
    events = draw(event_lists(model, at=at, keys=keys, grain=grain))
    identity = draw(st.sampled_from([None, None, "message"]))
    events = with_clear_ids(events, identity) if identity else events
    contacts = None
    if draw(st.booleans()):
        known = draw(st.lists(st.sampled_from(keys), unique=True, min_size=1))
        durations = durations_in(model)
        since = st.none() | WHEN.map(
            lambda when: instant_of(when, durations=durations, at=at, earlier=[]) // grain * grain
        )
        contacts = [{"contact": key, "customer_since": draw(since)} for key in known]
    return Case(model, events, contacts, at, identity, grain)
