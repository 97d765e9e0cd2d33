"""The example of a fit: grades made from a bank's first calls tell the buyers among its last ones."""

from functools import cache

import bank_leads
import numpy as np
import pandas as pd
import pytest

import engagekit as ek

LEAKS = {"duration", "y", "month", "day_of_week"}
ECONOMY = {"emp.var.rate", "cons.price.idx", "cons.conf.idx", "euribor3m", "nr.employed"}
MODEL = ek.Model.load(bank_leads.MODEL)


@cache
def calls() -> pd.DataFrame:
    """Read the calls."""
    return bank_leads.read_calls()


def count() -> int:
    """Count the first calls, from which the fit was made."""
    return int(bank_leads.FIRST * len(calls()))


@cache
def last() -> pd.DataFrame:
    """Grade the last calls by the model that ships."""
    return bank_leads.graded(calls(), MODEL)[count() :]


def auc(part: pd.DataFrame) -> float:
    """Return the AUC of the fit."""
    return bank_leads.auc(part["fit"].to_numpy(), part["bought"].to_numpy())


def test_the_data_are_whole() -> None:
    """All 41,188 calls are there, and 4,640 of them sold."""
    assert (len(calls()), int((calls()["y"] == "yes").sum())) == (41_188, 4_640)


def test_only_what_is_known_before_the_call_is_asked() -> None:
    """The criteria read twelve columns of the client, none of the call, of its season or of the economy."""
    assert MODEL.fit is not None
    fields = set().union(*(criterion.where.fields for criterion in MODEL.fit.criteria))
    assert fields == {*bank_leads.TEXTS, *bank_leads.NUMBERS}
    assert not fields & (LEAKS | ECONOMY)


def test_the_fit_is_derived_from_the_first_calls_alone() -> None:
    """The model's criteria, points and grades are those that the first calls give."""
    assert bank_leads.derived(calls()[: count()]) == MODEL.fit


def test_better_grades_buy_more() -> None:
    """Of the last calls each grade sells more often than the next, and so in both halves of them."""
    half = len(last()) // 2
    for part in (last(), last()[:half], last()[half:]):
        rates = bank_leads.by_grade(part)["rate"]
        assert list(rates.index) == ["A", "B", "C", "D"]
        assert rates.is_monotonic_decreasing and rates.is_unique


def test_the_fit_tells_buyers() -> None:
    """A buyer among the last calls has the better fit at least 65 times in a hundred."""
    assert auc(last()) >= 0.65


@pytest.mark.parametrize(
    ("score", "bought", "expected"),
    [
        ([1, 2, 3], [0, 0, 1], 1.0),
        ([3, 2, 1], [0, 0, 1], 0.0),
        ([1, 1, 2], [0, 1, 0], 0.25),
        ([5, 5], [1, 0], 0.5),
    ],
)
def test_auc(score: list[int], bought: list[int], expected: float) -> None:
    """The AUC counts pairs of a buyer and another, a tie as half a pair."""
    assert bank_leads.auc(np.array(score), np.array(bought, bool)) == expected


@pytest.mark.parametrize("arguments", [[], ["--derive"]])
def test_the_script_prints(arguments: list[str], capsys: pytest.CaptureFixture[str], tmp_path) -> None:
    """The script prints the grades, or the model with the fit that it derived."""
    bank_leads.main(arguments)
    printed = capsys.readouterr().out
    if arguments:
        (tmp_path / "model.toml").write_text(printed, encoding="utf-8")
        assert ek.Model.load(tmp_path / "model.toml") == MODEL
    else:
        assert "The last 12,357 calls, of which 24.6 % sold" in printed
        assert f"AUC of the fit: {auc(last()):.3f}" in printed
