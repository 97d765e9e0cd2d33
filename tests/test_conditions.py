"""Conditions: what holds for which value, how they are written, and what is refused."""

import copy
import datetime as dt
import math
import pickle
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
from declarations import conditions
from hypothesis import given
from hypothesis import strategies as st

from engagekit.errors import EventsError, ModelError
from engagekit.model import All, AnyOf, Field, Not, Test, condition_from, field
from engagekit.model.scalars import OPERATORS, holds, instant_text, instant_us, is_null, kind_of

NULLS = [None, math.nan, np.float32("nan"), pd.NA, pd.NaT, np.datetime64("NaT", "s"), Decimal("nan")]
x = field("x")
EVERY = {
    "eq": x == 1,
    "ne": x != 1,
    "lt": x < 1,
    "le": x <= 1,
    "gt": x > 1,
    "ge": x >= 1,
    "in": x.is_in([1]),
    "not_in": x.not_in([1]),
    "between": x.between(0, 1),
    "contains": x.contains("a"),
    "starts_with": x.starts_with("a"),
    "ends_with": x.ends_with("a"),
    "is_null": x.is_null(),
}


# What holds --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("condition", "yes", "no"),
    [
        (x == 1, [1, 1.0, np.int8(1), Decimal(1), Fraction(1)], [0, 1.5]),
        (x != 1, [0, 1.5], [1, 1.0]),
        (x < 1, [0, -math.inf], [1, 2]),
        (x <= 1, [0, 1], [1.0000001]),
        (x > 1, [math.inf, np.float64(1.5)], [1]),
        (x >= 1, [1], [0.9999999]),
        (x == "a", ["a", np.str_("a")], ["A", "", "aa"]),
        (x < "b", ["a", "B", ""], ["b", "c"]),
        (x == True, [True, np.True_], [False]),
        (x != False, [True], [False]),
        (x.is_in([1, 2.5]), [1.0, 2.5], [2]),
        (x.is_in({"a", "b"}), ["a"], ["c"]),
        (x.is_in([True]), [True], [False]),
        (x.not_in(["a"]), ["b"], ["a"]),
        (x.between(1, 2), [1, 1.5, 2], [0, 2.1]),
        (x.between("a", "c"), ["a", "b", "c"], ["d"]),
        (x.contains("a.b"), ["xa.by"], ["xaxby", "A.B", ""]),
        (x.contains(""), ["", "a"], []),
        (x.starts_with("/p"), ["/pricing"], ["x/p", "/P"]),
        (x.ends_with("é"), ["café"], ["cafe", "e"]),
        (x.is_null(), NULLS, [0, "", False, math.inf]),
        (x.is_null(False), [0, "", False, math.inf], NULLS),
    ],
)
def test_what_a_test_holds_for(condition, yes, no):
    """Every operator holds for the values it names, and for no other."""
    assert [condition.matches({"x": value}) for value in yes] == [True] * len(yes)
    assert [condition.matches({"x": value}) for value in no] == [False] * len(no)
    assert [(~condition).matches({"x": value}) for value in [*yes, *no]] == [False] * len(yes) + [True] * len(
        no
    )


def test_every_operator_has_a_test():
    """The conditions above name all operators."""
    assert tuple(EVERY) == OPERATORS
    assert [condition.op for condition in EVERY.values()] == list(OPERATORS)


@pytest.mark.parametrize("op", OPERATORS)
@pytest.mark.parametrize("null", NULLS, ids=lambda null: type(null).__name__)
def test_a_null_fails_every_test_but_is_null(op, null):
    """A null passes is_null alone; what it does not pass, it passes inverted."""
    assert EVERY[op].matches({"x": null}) == (op == "is_null")
    assert (~EVERY[op]).matches({"x": null}) == (op != "is_null")


@pytest.mark.parametrize("op", OPERATORS)
def test_a_missing_field_is_null(op):
    """A field that an event does not have is null."""
    assert EVERY[op].matches({}) == (op == "is_null")


@pytest.mark.parametrize(
    ("number", "value", "holds_equal"),
    [
        (2**53 + 1, float(2**53), False),
        (2**53 + 1, np.float64(2**53), False),
        (float(2**53), np.int64(2**53 + 1), False),
        (2**53, float(2**53), True),
        (2**64 - 1, np.uint64(2**64 - 1), True),
        (2**64 - 1, float(2**64), False),
        (0.1, Decimal("0.1"), False),
        (0.5, np.float32(0.5), True),
    ],
    ids=repr,
)
def test_numbers_compare_exactly(number, value, holds_equal):
    """An integer beside a float is not rounded first."""
    assert (x == number).matches({"x": value}) == holds_equal
    assert (x != number).matches({"x": value}) != holds_equal


UTC = dt.UTC
NOON = dt.datetime(2024, 1, 1, 12)


@pytest.mark.parametrize(
    "operand",
    [
        NOON,
        NOON.replace(tzinfo=UTC),
        dt.datetime(2024, 1, 1, 13, tzinfo=dt.timezone(dt.timedelta(hours=1))),
        pd.Timestamp(NOON),
        pd.Timestamp("2024-01-01T12:00:00.000000999Z"),
        np.datetime64("2024-01-01T12:00:00", "ns"),
    ],
)
def test_instants_become_text(operand):
    """An instant in a test is ISO-8601 text in UTC, floored to microseconds."""
    condition = x == operand
    assert condition.value == "2024-01-01T12:00:00Z"
    assert condition == (x == "2024-01-01T12:00:00Z")
    values = [NOON, NOON.replace(tzinfo=UTC), pd.Timestamp(NOON), np.datetime64(NOON, "s")]
    assert all(condition.matches({"x": value}) for value in values)


@pytest.mark.parametrize(
    "operand", [3, np.int64(3), np.float64(3), pd.Timestamp(NOON), np.datetime64(NOON, "ns")]
)
def test_a_value_may_stand_on_the_left(operand):
    """A comparison reads the same from both sides, whatever library the value is of."""
    assert [operand == x, operand != x] == [x == operand, x != operand]
    assert [operand < x, operand >= x] == [x > operand, x <= operand]


def test_dates_are_midnights():
    """A date is the first instant of its day, in a test and in an event."""
    assert (x >= dt.date(2024, 1, 2)).value == "2024-01-02T00:00:00Z"
    assert (x >= dt.date(2024, 1, 2)).matches({"x": dt.datetime(2024, 1, 2)})
    assert not (x >= dt.date(2024, 1, 2)).matches({"x": dt.date(2024, 1, 1)})
    assert (x.between("2024-01-01", "2024-01-31")).matches({"x": dt.datetime(2024, 1, 31)})
    assert x.is_in([dt.date(2024, 1, 2)]).matches({"x": dt.datetime(2024, 1, 2, tzinfo=UTC)})


def test_instants_keep_their_microseconds():
    """One microsecond more is later."""
    late = NOON.replace(microsecond=1)
    assert (x > NOON).matches({"x": late})
    assert (x == late).value == "2024-01-01T12:00:00.000001Z"


@given(st.datetimes(timezones=st.just(UTC)))
def test_text_of_an_instant_is_read_back(moment):
    """The text of an instant names the same microsecond."""
    assert instant_us(instant_text(moment)) == instant_us(moment)


@pytest.mark.parametrize(
    ("condition", "value", "message"),
    [
        (x >= 30, "a", "field 'x': expected a number for the test 'ge', got text: 'a'"),
        (x == "a", 3, "field 'x': expected text for the test 'eq', got a number: 3"),
        (x == 1, True, "field 'x': expected a number for the test 'eq', got a boolean: True"),
        (x == True, 1, "field 'x': expected a boolean for the test 'eq', got a number: 1"),
        (x.is_in([1]), "1", "field 'x': expected a number for the test 'in', got text: '1'"),
        (x.between(1, 2), "1", "field 'x': expected a number for the test 'between', got text: '1'"),
        (x.contains("a"), 3, "field 'x': expected text for the test 'contains', got a number: 3"),
        (x.contains("a"), NOON, "field 'x': expected text for the test 'contains', got an instant"),
        (x > 3, NOON, "field 'x': expected a number for the test 'gt', got an instant"),
        (x == "a", b"a", "field 'x': expected text for the test 'eq', got a bytes: b'a'"),
        (
            x == "soon",
            NOON,
            (
                "field 'x': holds instants, and 'soon' of the test 'eq' is none; "
                'expected ISO-8601 text such as "2024-01-01T00:00:00Z"'
            ),
        ),
    ],
)
def test_a_value_of_the_wrong_kind(condition, value, message):
    """A test that cannot be asked of a value names the field, what was expected and what came."""
    with pytest.raises(EventsError) as raised:
        condition.matches({"x": value})
    assert str(raised.value) == message


def test_a_wrong_kind_is_found_behind_a_match():
    """A list of values is compared whole: what comes first hides nothing."""
    with pytest.raises(EventsError):
        holds("in", (1, "a"), 1)


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        *((null, "null") for null in NULLS),
        (True, "boolean"),
        *((number, "number") for number in (1, 1.5, math.inf, Decimal(1), Fraction(1, 2), np.int8(1))),
        ("", "text"),
        (dt.date(2024, 1, 1), "instant"),
        (NOON, "instant"),
        (b"a", "other"),
        ([1], "other"),
    ],
)
def test_kinds(value, kind):
    """Every value is of one kind."""
    if not isinstance(value, np.datetime64):
        assert kind_of(value) == kind
        assert is_null(value) == (kind == "null")


# What is combined --------------------------------------------------------------------------------------

A, B, C = (field("a") == 1), (field("b") == 2), (field("c") == 3)


def test_and_or_not():
    """&, | and ~ mean what they say."""
    rows = [{"a": a, "b": b} for a in (1, 0) for b in (2, 0)]
    assert [(A & B).matches(row) for row in rows] == [True, False, False, False]
    assert [(A | B).matches(row) for row in rows] == [True, True, True, False]
    assert [(~(A & B)).matches(row) for row in rows] == [False, True, True, True]
    assert [(A & ~B | ~A & B).matches(row) for row in rows] == [False, True, True, False]


def test_what_says_the_same_is_the_same():
    """Parentheses that change nothing make no other condition."""
    assert (A & B) & C == A & (B & C) == All((A, B, C))
    assert (A | B) | C == A | (B | C) == AnyOf([A, B, C])
    assert ~~A == A
    assert hash(A & B) == hash(field("a").__eq__(1) & (field("b") == 2))
    assert A & B != B & A
    assert A != ~A
    assert (A | B).parts == (A, B)


def test_equal_numbers_are_equal_tests():
    """A test for 1 is one for 1.0, and none for True or "1"."""
    assert (x == 1) == (x == 1.0)
    assert hash(x == 1) == hash(x == 1.0)
    different = [x == 1, x == True, x == "1", x != 1, field("y") == 1, x.is_in([1]), x.is_in([True])]
    assert len(set(different)) == len(different)


def test_fields():
    """A condition knows the fields it looks at."""
    assert ((A & ~B) | C).fields == {"a", "b", "c"}
    assert A.fields == {"a"}


def test_python_logic_is_refused():
    """And, or, not, if and chained comparisons would lose half of a condition."""
    for attempt in (
        lambda: A and B,
        lambda: A or B,
        lambda: not A,
        lambda: bool(A & B),
        lambda: 1 < field("x") < 5,
    ):
        with pytest.raises(TypeError, match=r"combine conditions with &, \| and ~"):
            attempt()
    with pytest.raises(TypeError, match=r"compare it, as in field\('x'\) == True"):
        bool(field("x"))


def test_only_conditions_combine():
    """What is no condition cannot be combined with one."""
    for attempt in (lambda: A & field("x"), lambda: A | {"x": {"eq": 1}}, lambda: 3 & A, lambda: ~field("x")):
        with pytest.raises(TypeError):
            attempt()
    for make in (lambda: All([A, field("x")]), lambda: AnyOf([{"x": {"eq": 1}}]), lambda: Not(3)):
        with pytest.raises(ModelError, match="expected a condition"):
            make()


def test_depth_is_bounded():
    """Conditions nested too deep are refused before anything could exhaust the stack."""
    deep = A
    for _ in range(11):
        deep = Not(deep)
    assert deep.depth == 12
    assert condition_from(deep.to_dict()) == deep
    for make in (lambda: Not(deep), lambda: deep & A, lambda: A | deep):
        with pytest.raises(ModelError, match="nested deeper than 12 levels"):
            make()


def test_many_conditions_side_by_side():
    """A long chain of | is flat, however it was put together."""
    chain = A
    for index in range(500):
        chain = chain | (field("x") == index)
    assert chain.depth == 2
    assert len(chain.parts) == 501


@pytest.mark.parametrize(
    ("condition", "text"),
    [
        (A & B, "(field('a') == 1) & (field('b') == 2)"),
        (A & (B | C), "(field('a') == 1) & ((field('b') == 2) | (field('c') == 3))"),
        (~(A & B), "~((field('a') == 1) & (field('b') == 2))"),
        (~x.is_null(False), "~field('x').is_null(False)"),
        (Not(Not(A)), "Not(~(field('a') == 1))"),
        (All([A]), "All([(field('a') == 1)])"),
        (AnyOf([]), "AnyOf([])"),
        (x.between(1, "b"), "field('x').between(1, 'b')"),
        (x.not_in(["a"]), "field('x').not_in(['a'])"),
        (x.ends_with("é"), "field('x').ends_with('é')"),
        (Test("x", "is", 3), "Test('x', 'is', 3)"),
        (Test("x", "in", 3), "Test('x', 'in', 3)"),
        (x, "field('x')"),
    ],
)
def test_repr(condition, text):
    """A condition shows as the Python that makes it."""
    assert repr(condition) == text


@given(conditions())
def test_a_repr_makes_an_equal_condition(condition):
    """What `repr` gives can be pasted back."""
    names = {"field": field, "All": All, "AnyOf": AnyOf, "Not": Not}
    assert eval(repr(condition), names) == condition


@given(conditions())
def test_a_dict_makes_an_equal_condition(condition):
    """What `to_dict` gives is read back as the same condition."""
    assert condition_from(condition.to_dict()) == condition
    assert list(condition.faults()) == []


@given(conditions())
def test_pickles_and_copies_are_equal(condition):
    """A condition comes back equal from a pickle and a deep copy."""
    assert pickle.loads(pickle.dumps(condition)) == condition
    assert copy.deepcopy(condition) == condition


def test_fields_pickle():
    """A field comes back from a pickle, and cannot be changed."""
    twin = pickle.loads(pickle.dumps(x))
    assert isinstance(twin, Field)
    assert twin.name == "x"
    with pytest.raises(AttributeError):
        twin.name = "y"
    with pytest.raises(TypeError):
        hash(x)


@pytest.mark.parametrize("name", ["any", "all", "not"])
def test_reserved_names(name):
    """No field can have the name of what combines conditions."""
    with pytest.raises(ModelError, match=f"no field can be named '{name}'"):
        field(name)


@pytest.mark.parametrize("name", ["", 3, None])
def test_a_field_has_a_name(name):
    """A field is named by text."""
    with pytest.raises(ModelError, match="expected the name of a field"):
        field(name)


@pytest.mark.parametrize("null", [None, math.nan, pd.NA])
def test_nothing_equals_null(null):
    """Comparing a field with a null is refused, with the way to ask."""
    with pytest.raises(ModelError, match=r"ask with field\('x'\)\.is_null\(\)"):
        x == null  # noqa: B015
    with pytest.raises(ModelError, match=r"ask with field\('x'\)\.is_null\(False\)"):
        x != null  # noqa: B015
