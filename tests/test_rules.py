"""Rules and what they are made of: how they normalise what they are given, and what they show."""

import copy
import enum
import math
import pickle
from datetime import timedelta
from decimal import Decimal
from fractions import Fraction

import attrs
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engagekit.errors import ModelError
from engagekit.model import (
    Absence,
    Amount,
    Channel,
    Decay,
    Exclude,
    Limit,
    Model,
    Repeat,
    Rule,
    Signal,
    field,
)
from engagekit.model.durations import LONGEST, duration_text, parse_duration
from engagekit.model.frozen import FrozenDict
from engagekit.model.wording import shown, suggestion

DAY = timedelta(days=1)


def rule(**keys):
    """Make a rule of what matters here."""
    return Rule(**{"name": "visit", "on": "page_view", "points": 1, **keys})


# Durations ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("1us", timedelta(microseconds=1)),
        ("20ms", timedelta(milliseconds=20)),
        ("90s", timedelta(seconds=90)),
        ("15min", timedelta(minutes=15)),
        ("12h", timedelta(hours=12)),
        ("7d", timedelta(days=7)),
        ("2w", timedelta(days=14)),
        ("007d", timedelta(days=7)),
        ("3652500d", LONGEST),
    ],
)
def test_text_of_a_duration(text, span):
    """A whole number and a unit name a length of time."""
    assert parse_duration(text) == span
    assert Decay.half_life(text).span == span


@pytest.mark.parametrize(
    ("number", "unit", "span"),
    [
        (3, "D", 3 * DAY),
        (2, "W", 14 * DAY),
        (36, "h", timedelta(hours=36)),
        (90, "m", timedelta(minutes=90)),
        (90, "s", timedelta(seconds=90)),
        (4, "15s", timedelta(minutes=1)),
        (5, "ms", timedelta(milliseconds=5)),
        (7, "us", timedelta(microseconds=7)),
        (7_000, "ns", timedelta(microseconds=7)),
        (-1, "D", -DAY),
    ],
)
def test_duration_of_numpy(number, unit, span):
    """NumPy's lengths of time are durations too."""
    assert parse_duration(np.timedelta64(number, unit)) == span


@pytest.mark.parametrize(
    ("span", "text"),
    [
        (np.timedelta64(1, "Y"), "whole microseconds, in a unit of fixed length"),
        (np.timedelta64(1, "M"), "whole microseconds, in a unit of fixed length"),
        (np.timedelta64(1_500, "ns"), "whole microseconds, in a unit of fixed length"),
        (np.timedelta64("NaT", "D"), "whole microseconds, in a unit of fixed length"),
        (np.timedelta64(2**62, "W"), "expected a duration of at most 3652500d"),
        (np.timedelta64(-(2**62), "W"), "expected a duration of at most 3652500d"),
    ],
    ids=repr,
)
def test_what_is_no_duration_of_numpy(span, text):
    """A calendar's unit, a part of a microsecond, no time at all and one that wraps around are refused."""
    with pytest.raises(ValueError, match=text):
        parse_duration(span)
    with pytest.raises(ModelError, match=f"decay.half_life: .*{text}"):
        Model(rules=[rule()], decay=Decay.half_life(span))


@pytest.mark.filterwarnings("ignore:The 'generic' unit:DeprecationWarning")
@pytest.mark.parametrize("count", [3, "NaT"])
def test_a_duration_of_numpy_needs_a_unit(count):
    """A number of nothing in particular is no duration."""
    with pytest.raises(ValueError, match="whole microseconds, in a unit of fixed length"):
        parse_duration(np.timedelta64(count))


@given(st.timedeltas(timedelta(microseconds=1), LONGEST))
def test_a_duration_is_written_as_it_is_read(span):
    """The text of a duration is read back as the same one."""
    assert parse_duration(duration_text(span)) == span


@pytest.mark.parametrize(
    ("span", "text"),
    [
        (14 * DAY, "14d"),
        (timedelta(hours=36), "36h"),
        (timedelta(minutes=15), "15min"),
        (timedelta(seconds=90), "90s"),
        (timedelta(milliseconds=1500), "1500ms"),
        (DAY + timedelta(microseconds=1), "86400000001us"),
    ],
)
def test_durations_are_written_in_the_largest_unit(span, text):
    """A duration is written as whole days, hours, minutes, seconds, milliseconds or microseconds."""
    assert duration_text(span) == text


@pytest.mark.parametrize(
    ("text", "advice"),
    [
        ("7 months", "(months and years differ in length: say it in days)"),
        ("1mo", "(months and years differ in length: say it in days)"),
        ("1M", "(months and years differ in length: say it in days)"),
        ("2y", "(months and years differ in length: say it in days)"),
        ("2 Years", "(months and years differ in length: say it in days)"),
        ("5m", '(minutes are "5min"; months differ in length: say them in days)'),
        ("7 days", 'did you mean "7d"?'),
        ("7D", 'did you mean "7d"?'),
        (" 7d", 'did you mean "7d"?'),
        ("1 hour", 'did you mean "1h"?'),
        ("2hrs", 'did you mean "2h"?'),
        ("3 weeks", 'did you mean "3w"?'),
        ("10sec", 'did you mean "10s"?'),
        ("4mins", 'did you mean "4min"?'),
        ("9µs", 'did you mean "9us"?'),
        ("7x", "(the units are us, ms, s, min, h, d, w)"),
        ("1.5d", "(whole numbers, and the units us, ms, s, min, h, d, w)"),
        ("-1d", "(whole numbers, and the units us, ms, s, min, h, d, w)"),
        ("d", "(whole numbers, and the units us, ms, s, min, h, d, w)"),
        ("", "(whole numbers, and the units us, ms, s, min, h, d, w)"),
        ("٣d", "(whole numbers, and the units us, ms, s, min, h, d, w)"),
        (7, "(a bare number has no unit)"),
        (None, "got None"),
    ],
    ids=repr,
)
def test_what_is_no_duration(text, advice):
    """What is no duration is refused with the nearest one that would be."""
    with pytest.raises(ValueError, match='expected a duration such as "7d", got ') as raised:
        parse_duration(text)
    assert str(raised.value).endswith(advice)


@pytest.mark.parametrize("text", ["3652501d", "521786w", "99999999999999999999d", "9" * 20 + "us"])
def test_too_long_a_duration(text):
    """Nothing lasts longer than instants range over, however many digits it has."""
    with pytest.raises(ValueError, match="expected a duration of at most 3652500d"):
        parse_duration(text)


def test_foreign_timedeltas():
    """A duration of pandas becomes one of Python, down to the microsecond."""
    span = Limit(n=1, per=pd.Timedelta(86_400_000_002_003, "ns")).per
    assert type(span) is timedelta
    assert span == DAY + timedelta(microseconds=2)


@pytest.mark.parametrize("span", [timedelta(0), -DAY, LONGEST + timedelta(microseconds=1)])
def test_a_timedelta_out_of_bounds(span):
    """A timedelta has the same bounds as text."""
    (fault,) = Decay.half_life(span).faults("decay")
    assert fault.startswith("decay.half_life: expected a duration")


# Numbers, text, types ----------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [3, 3.0, np.int64(3), np.float32(3), Decimal(3), Fraction(3)], ids=repr)
def test_numbers_become_floats(number):
    """Any real number is taken as a float, and as an int where things are counted."""
    made = rule(points=number, cap=number, limit=Limit(n=number, per="1d"), amount=Amount(scale=number))
    assert list(made.faults()) == []
    values = [made.points, made.cap, made.limit.n, made.amount.scale]
    assert values == [3] * 4
    assert [type(value) for value in values] == [float, float, int, float]


@pytest.mark.parametrize("number", ["3", True, np.True_, None, [3], 3j, b"3"], ids=repr)
def test_what_is_no_number(number):
    """Text, booleans and everything else are no numbers."""
    (fault,) = rule(points=number).faults("rule")
    assert fault.startswith("rule.points: expected a number, got ")
    (fault,) = Limit(n=number, per="1d").faults("limit")
    assert fault.startswith("limit.n: expected a whole number, got ")


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf, Decimal("inf"), Decimal("nan")], ids=repr)
def test_what_is_not_finite(number):
    """Infinities and NaN are refused where numbers stand."""
    for fault in (*rule(points=number).faults("rule"), *Amount(max=number).faults("rule")):
        assert "expected a finite number, got " in fault
    (fault,) = Limit(n=number, per="1d").faults("limit")
    assert fault.startswith("limit.n: expected a whole number, got ")


class Kind(str, enum.Enum):  # noqa: UP042 - the older form is what turns "open" into "Kind.OPEN"
    """Event types as some code bases keep them."""

    OPEN = "open"


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("open", ("open",)),
        (["open", "click"], ("open", "click")),
        (("open",), ("open",)),
        ({"open", "click"}, ("click", "open")),
        (iter(["open"]), ("open",)),
        (np.array(["open"]), ("open",)),
        (pd.Series(["open", "click"]), ("open", "click")),
        (Kind.OPEN, ("open",)),
        ([Kind.OPEN], ("open",)),
        ({"open": 1}.keys(), ("open",)),
    ],
    # Named, as two workers would not agree on the repr of a set or an iterator.
    ids=["text", "list", "tuple", "set", "iterator", "array", "series", "enum", "enums", "keys"],
)
def test_types(given, kept):
    """One type or several become a tuple of plain text."""
    made = rule(on=given)
    assert made.on == kept
    assert all(type(name) is str for name in made.on)
    assert list(made.faults()) == []


def test_no_types():
    """Where no type is needed, None stands for none."""
    assert Exclude(name="e", on="x", after=None).after == ()


@pytest.mark.parametrize("given", [3, {"open": 1}, b"open"])
def test_what_is_no_type(given):
    """Tables, bytes and numbers are no event types."""
    (fault,) = rule(on=given).faults("rule")
    assert fault.startswith("rule.on: expected an event type or a list of them, got ")


# Decays, limits, amounts -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("forms", "kind", "span"),
    [
        (
            [Decay.half_life("7d"), Decay(half_life="7d"), {"half_life": "7d"}, {"half_life": 7 * DAY}],
            "half_life",
            7 * DAY,
        ),
        ([Decay.linear("60d"), Decay(linear=60 * DAY), {"linear": "60d"}], "linear", 60 * DAY),
        ([Decay.window("14d"), Decay(window="2w"), {"window": "14d"}], "window", 14 * DAY),
        ([Decay.none(), "none"], "none", None),
    ],
    ids=["half_life", "linear", "window", "none"],
)
def test_forms_of_a_decay(forms, kind, span):
    """A decay is made by a method, by a keyword or by its form in a model file, and is the same."""
    made = [rule(decay=form).decay for form in forms]
    assert {(decay.kind, decay.span) for decay in made} == {(kind, span)}
    assert len(set(made)) == 1
    assert rule(decay=made[0].to_dict()).decay == made[0]


@pytest.mark.parametrize("keys", [{}, {"half_life": "7d", "linear": "7d"}])
def test_a_decay_is_of_one_kind(keys):
    """A decay without a kind, or of two, cannot be made."""
    with pytest.raises(ModelError, match='decay: expected one of "half_life", "linear" or "window", got'):
        Decay(**keys)


def test_a_rule_without_decay_takes_the_models():
    """No decay is another thing than the decay "none"."""
    assert rule().decay is None
    assert rule(decay="none").decay == Decay.none()
    assert rule() != rule(decay="none")


def test_tables_stand_for_classes():
    """A limit and an amount may be given as tables."""
    made = rule(limit={"n": 3, "per": "1d"}, amount={"curve": "sqrt"})
    assert made.limit == Limit(n=3, per="1d")
    assert made.amount == Amount(curve="sqrt")


def test_what_is_no_table_is_kept():
    """What cannot be normalised is kept for the model to name."""
    made = rule(limit={"n": 3, "pre": "1d"}, amount=3, decay={"half": "7d"}, where={"x": 3})
    assert made.limit == {"n": 3, "pre": "1d"}
    assert list(made.faults("r")) == [
        "r.where.x: expected a table (a dict) of operators such as { eq = 3 }, got 3",
        'r.decay.half: unknown key, did you mean "half_life"?',
        'r.limit.pre: unknown key, did you mean "per"?',
        "r.limit.per: missing",
        "r.amount: expected an Amount, or a table (a dict) of field, curve, scale, max and signed, got 3",
    ]


def test_amounts():
    """An amount reads `value`, linearly, without bound and without sign, unless told otherwise."""
    amount = Amount()
    assert (amount.field, amount.curve, amount.scale, amount.max, amount.signed) == (
        "value",
        "linear",
        1.0,
        None,
        False,
    )


# Weights -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("a", "a"),
        ("", ""),
        (1, "1"),
        (-1, "-1"),
        (1.0, "1"),
        (1.5, "1.5"),
        (True, "true"),
        (False, "false"),
        (np.int64(7), "7"),
        (np.True_, "true"),
        (Kind.OPEN, "open"),
    ],
    ids=repr,
)
def test_the_values_of_weights_are_text(value, text):
    """What a factor is of is named by text, as a model file must."""
    assert rule(weights={"x": {value: 2}}).weights == {"x": {text: 2.0}}


def test_weights_are_frozen_and_checked():
    """Weights are immutable mappings of finite factors of at least 0."""
    made = rule(weights={"device": {"mobile": np.float32(1.5), "tv": 0}})
    assert isinstance(made.weights["device"], FrozenDict)
    assert list(made.faults()) == []
    assert list(rule(weights={"d": {"m": -0.5}, "e": {"m": math.nan}}).faults("r")) == [
        "r.weights.d.m: expected a number of at least 0, got -0.5",
        "r.weights.e.m: expected a finite number, got nan",
    ]


def test_an_empty_table_of_weights_says_nothing():
    """A field without factors is left out; it would need a column for nothing."""
    assert rule(weights={"device": {}}) == rule()


# All of them -------------------------------------------------------------------------------------------

EVERY = [
    rule(),
    rule(
        where=field("a") == 1,
        channel="web",
        decay="none",
        cap=3,
        limit={"n": 1, "per": "1d", "by": "x"},
        amount={},
        weights={"a": {"b": 2}},
        half="prospect",
    ),
    Absence(name="a", after="x", unless=["y", "z"], within="7d", points=-1, by="m", half="customer"),
    Repeat(name="r", on="x", n=3, within="7d", points=20, where={"a": {"eq": 1}}, by="m"),
    Signal(name="s", on="x", where=field("a").is_null()),
    Exclude(name="e", on="x", where=field("a") > 1, after="y", within="2s", by="m"),
    Amount(field="seconds", curve="log1p", scale=30, max=3, signed=True),
    Limit(n=3, per="1d"),
    Channel(cap=40),
    Channel(),
    Decay.window("14d"),
    Decay.none(),
]


@pytest.mark.parametrize("thing", EVERY, ids=lambda thing: f"{type(thing).__name__}-{EVERY.index(thing)}")
def test_declared_things(thing):
    """Everything declared is equal by value, hashes, pickles, shows as its Python, and cannot be changed."""
    names = {
        cls.__name__: cls for cls in (Absence, Amount, Channel, Decay, Exclude, Limit, Repeat, Rule, Signal)
    }
    assert list(thing.faults("x")) == []
    for twin in (
        pickle.loads(pickle.dumps(thing)),
        copy.deepcopy(thing),
        eval(repr(thing), {**names, "field": field}),
    ):
        assert twin == thing
        assert hash(twin) == hash(thing)
    assert not hasattr(thing, "__dict__")
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        setattr(thing, attrs.fields(type(thing))[0].name, 1)


def test_positional_arguments_are_refused():
    """Everything declared is given by keyword."""
    for cls in (Rule, Absence, Repeat, Signal, Exclude, Amount, Limit, Channel, Decay):
        with pytest.raises(TypeError):
            cls("name")


@pytest.mark.parametrize(
    ("thing", "text"),
    [
        (rule(), "Rule(name='visit', on=('page_view',), points=1.0)"),
        (
            rule(points="six", decay={"half_life": "1y"}),
            "Rule(name='visit', on=('page_view',), points='six', decay=Decay.half_life('1y'))",
        ),
        (Limit(n=1, per="36h", by="x"), "Limit(n=1, per='36h', by='x')"),
        (Amount(), "Amount()"),
        (Decay.none(), "Decay.none()"),
        (
            Signal(name="won", on="deal", where=field("stage") == "won"),
            "Signal(name='won', on=('deal',), where=(field('stage') == 'won'))",
        ),
    ],
    ids=str,
)
def test_repr(thing, text):
    """A repr leaves defaults out, and shows faults as they were given."""
    assert repr(thing) == text


# The bricks --------------------------------------------------------------------------------------------


def test_frozen_dict():
    """A frozen dict is a mapping: equal to a dict, hashable, and neither changed nor shared."""
    items = {"a": 1}
    frozen = FrozenDict(items)
    items["b"] = 2
    assert frozen == {"a": 1}
    assert dict(frozen) == {"a": 1}
    assert hash(frozen) == hash(FrozenDict({"a": 1}))
    assert FrozenDict({"a": 1, "b": 2}) == FrozenDict({"b": 2, "a": 1})
    assert pickle.loads(pickle.dumps(frozen)) == frozen
    assert len(frozen) == 1
    assert "a" in frozen
    assert FrozenDict() == {}
    with pytest.raises(TypeError):
        frozen["a"] = 2


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("x" * 100, "'" + "x" * 59 + "...' (100 characters)"),
        (10**5000, "an integer of 16,610 bits"),
        ({"a": {}}, "a table (a dict)"),
        ([[[]]], "a list"),
        ("\n", r"'\n'"),
        (np.arange(100), "a ndarray"),
        (pd.DataFrame({"a": [1]}), "a DataFrame"),
        (Kind.OPEN, "'open'"),
    ],
    ids=["text", "integer", "table", "list", "control", "array", "frame", "enum"],
)
def test_shown(value, text):
    """Any value is shown on one short line."""
    assert shown(value) == text


@pytest.mark.parametrize("word", [3, None, "q" * 10_000, "zzz"])
def test_no_suggestion(word):
    """Nothing is suggested for what is near nothing."""
    assert suggestion(word, ["points", "channel"]) == ""


def test_a_model_takes_what_rules_normalise():
    """What was normalised in a rule is the same in a model, which adds nothing to it."""
    made = EVERY[1]
    assert Model(rules=[made]).rules[0] is made
