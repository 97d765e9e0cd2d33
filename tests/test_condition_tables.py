"""Conditions as a model file has them: how they are read, written and refused."""

import datetime as dt
import math

import numpy as np
import pytest

from engagekit.errors import ModelError
from engagekit.model import All, AnyOf, Test, condition_from, field

x = field("x")
A, B, C = (field("a") == 1), (field("b") == 2), (field("c") == 3)


def faults_of(table):
    """List the faults of a condition in a model file."""
    with pytest.raises(ModelError) as raised:
        condition_from(table)
    return list(raised.value.faults)


CONDITION = (
    'a condition such as field("url").contains("/pricing"), in a file { url = { contains = "/pricing" } }'
)


@pytest.mark.parametrize(
    ("table", "condition"),
    [
        ({"a": {"eq": 1}}, A),
        ({"a": {"eq": 1}, "b": {"eq": 2}}, A & B),
        ({"x": {"ge": 1, "lt": 5}}, (x >= 1) & (x < 5)),
        ({"any": [{"a": {"eq": 1}}, {"b": {"eq": 2}}]}, A | B),
        ({"not": {"a": {"eq": 1}}}, ~A),
        ({"a": {"eq": 1}, "any": [{"b": {"eq": 2}}, {"c": {"eq": 3}}]}, A & (B | C)),
        ({"not": {"a": {"eq": 1}, "b": {"eq": 2}}, "c": {"eq": 3}}, ~(A & B) & C),
        ({"all": [{"a": {"eq": 1}}, {"a": {"eq": 1}}]}, A & A),
        ({"all": [{"a": {"eq": 1}}, {"b": {"eq": 2}}], "c": {"eq": 3}}, A & B & C),
        ({"any": [{"a": {"eq": 1}}]}, AnyOf([A])),
        ({"x": {"between": [1, 2]}}, x.between(1, 2)),
        ({"x": {"in": ["a", "b"]}}, x.is_in(["a", "b"])),
        ({"x": {"is_null": False}}, x.is_null(False)),
        ({"x": {"ge": dt.date(2024, 1, 1)}}, x >= "2024-01-01T00:00:00Z"),
    ],
)
def test_the_form_in_a_model_file(table, condition):
    """A table of a model file is read as the condition that Python would write."""
    assert condition_from(table) == condition


@pytest.mark.parametrize(
    ("condition", "table"),
    [
        (A & B & ~C, {"a": {"eq": 1}, "b": {"eq": 2}, "not": {"c": {"eq": 3}}}),
        ((x >= 1) & (x < 5), {"x": {"ge": 1, "lt": 5}}),
        ((x >= 1) & A & (x < 5), {"all": [{"x": {"ge": 1}}, {"a": {"eq": 1}}, {"x": {"lt": 5}}]}),
        (x.contains("a") & x.contains("b"), {"all": [{"x": {"contains": "a"}}, {"x": {"contains": "b"}}]}),
        (~A & ~B, {"all": [{"not": {"a": {"eq": 1}}}, {"not": {"b": {"eq": 2}}}]}),
        (x.is_in([1.0, 2]), {"x": {"in": [1, 2]}}),
    ],
)
def test_the_form_that_is_written(condition, table):
    """A condition is written flat where that says it, else as a list."""
    assert condition.to_dict() == table
    assert condition_from(table) == condition


def test_sets_are_written_in_one_order():
    """A set of values makes the same test whatever order Python keeps it in."""
    values = ["a", "b", "c", "d", "e"]
    assert x.is_in(set(values)) == x.is_in(frozenset(reversed(values)))
    assert x.is_in(iter(values)) == x.is_in(values) == x.is_in(np.array(values))


@pytest.mark.parametrize(
    ("table", "fault"),
    [
        ({}, "where: expected at least one test, got an empty table"),
        (
            3,
            f"where: expected {CONDITION}, got 3",
        ),
        ({"x": 5}, "where.x: expected a table (a dict) of operators such as { eq = 5 }, got 5"),
        ({"x": [5]}, 'where.x: expected a table (a dict) of operators such as { eq = "..." }, got a list'),
        ({"x": True}, "where.x: expected a table (a dict) of operators such as { eq = true }, got True"),
        ({"x": {}}, "where.x: expected at least one operator, got an empty table"),
        ({"": {"eq": 1}}, "where.'': expected the name of a field, got ''"),
        ({3: {"eq": 1}}, "where.3: expected the name of a field, got 3"),
        ({"\ud800": {"eq": 1}}, r"where.'\ud800': expected valid Unicode text as the name of a field"),
        ({"x": {"equals": 1}}, "where.x.equals: unknown operator"),
        ({"x": {"start_with": "a"}}, 'where.x.start_with: unknown operator, did you mean "starts_with"?'),
        ({"x": {"contains": 5}}, "where.x.contains: expected text, got 5"),
        ({"x": {"ends_with": None}}, "where.x.ends_with: expected text, got None"),
        ({"x": {"starts_with": "\ud800"}}, r"where.x.starts_with: expected valid Unicode text, got '\ud800'"),
        ({"x": {"between": 3}}, "where.x.between: expected two values, the lower and the upper bound, got 3"),
        (
            {"x": {"between": [1, 2, 3]}},
            "where.x.between: expected two values, the lower and the upper bound, got a list of 3",
        ),
        ({"x": {"between": [2, 1]}}, "where.x.between: the lower bound 2 is above the upper bound 1"),
        ({"x": {"between": ["b", "a"]}}, "where.x.between: the lower bound 'b' is above the upper bound 'a'"),
        (
            {"x": {"between": ["2024-01-01T00:00:00.5Z", "2024-01-01"]}},
            "where.x.between: the lower bound '2024-01-01T00:00:00.5Z' is above the upper bound '2024-01-01'",
        ),
        ({"x": {"between": [1, "a"]}}, "where.x.between: expected values of one kind, got number and text"),
        (
            {"x": {"between": [False, True]}},
            "where.x.between[0]: expected a number, text or an instant, got False (it has no order)",
        ),
        ({"x": {"in": []}}, "where.x.in: expected at least one value, got an empty list"),
        ({"x": {"in": "abc"}}, "where.x.in: expected a list of values, got 'abc'"),
        ({"x": {"not_in": [1, True]}}, "where.x.not_in: expected values of one kind, got number and boolean"),
        ({"x": {"in": [1, None]}}, "where.x.in[1]: expected a value, got None (nulls are found by is_null)"),
        ({"x": {"in": [[1]]}}, "where.x.in[0]: expected a number, text, a boolean or an instant, got a list"),
        ({"x": {"is_null": 1}}, "where.x.is_null: expected true or false, got 1"),
        ({"x": {"is_null": "yes"}}, "where.x.is_null: expected true or false, got 'yes'"),
        ({"x": {"eq": None}}, "where.x.eq: expected a value, got None (nulls are found by is_null)"),
        ({"x": {"ne": math.nan}}, "where.x.ne: expected a value, got nan (nulls are found by is_null)"),
        ({"x": {"lt": math.inf}}, "where.x.lt: expected a finite number, got inf"),
        ({"x": {"lt": 2**64}}, "where.x.lt: expected a number of at most 64 bits, got 18446744073709551616"),
        (
            {"x": {"ge": True}},
            "where.x.ge: expected a number, text or an instant, got True (it has no order)",
        ),
        ({"x": {"eq": [1]}}, "where.x.eq: expected a number, text, a boolean or an instant, got a list"),
        (
            {"x": {"eq": dt.time(7)}},
            "where.x.eq: expected a number, text, a boolean or an instant, got datetime.time(7, 0)",
        ),
        (
            {"x": {"eq": dt.datetime(1, 1, 1, tzinfo=dt.timezone(dt.timedelta(hours=14)))}},
            "where.x.eq: expected a number, text, a boolean or an instant, got a datetime",
        ),
        ({"any": {"a": {"eq": 1}}}, "where.any: expected a list of conditions, got a table (a dict)"),
        ({"any": []}, "where.any: expected at least one condition, got an empty list"),
        ({"all": [{}]}, "where.all[0]: expected at least one test, got an empty table"),
        ({"any": [{"x": {"contains": 3}}, 4]}, "where.any[0].x.contains: expected text, got 3"),
        ({"not": {"x": {"foo": 3}}}, "where.not.x.foo: unknown operator"),
        (
            {"not": 3},
            f"where.not: expected {CONDITION}, got 3",
        ),
    ],
)
def test_fault_in_a_table(table, fault):
    """Everything that can be wrong with a table is named with its path."""
    assert fault in faults_of(table)


@pytest.mark.parametrize(
    ("condition", "faults"),
    [
        (x.contains(5), ["where.x.contains: expected text, got 5"]),
        (x.is_in("abc"), ["where.x.in: expected a list of values, got 'abc'"]),
        (x.is_in(3), ["where.x.in: expected a list of values, got 3"]),
        (Test("any", "eq", 1), ["where.any: no field can have this name, it combines conditions"]),
        (Test("", "eq", 1), ["where: expected the name of a field, got ''"]),
        (Test("x", "equals", 1), ["where.x.equals: unknown operator"]),
        (All([]), ["where: expected at least one condition"]),
        (AnyOf([]), ["where.any: expected at least one condition"]),
        (A & x.contains(5), ["where.x.contains: expected text, got 5"]),
        (A & A & x.contains(5), ["where.all[2].x.contains: expected text, got 5"]),
        (A | ~x.contains(5), ["where.any[1].not.x.contains: expected text, got 5"]),
    ],
)
def test_fault_in_python(condition, faults):
    """A condition made in Python names its faults by the path that a model file has."""
    assert list(condition.faults()) == faults


def test_all_faults_come_together():
    """One table has one error with everything that is wrong with it."""
    assert faults_of({"x": {"eq": None, "foo": 1}, "y": 3, "any": [{"z": {"in": []}}]}) == [
        "where.x.eq: expected a value, got None (nulls are found by is_null)",
        "where.x.foo: unknown operator",
        "where.y: expected a table (a dict) of operators such as { eq = 3 }, got 3",
        "where.any[0].z.in: expected at least one value, got an empty list",
    ]


def test_deep_tables_are_refused():
    """A table nested a thousand levels deep is a fault, not a stack overflow."""
    table = {"a": {"eq": 1}}
    for _ in range(1000):
        table = {"not": table}
    (fault,) = faults_of(table)
    assert fault.endswith("nested deeper than 12 levels")
    (fault,) = faults_of({"a": {"eq": 1}, "any": [{"b": {"eq": 1}, **table}]})
    assert fault.endswith("nested deeper than 12 levels")
