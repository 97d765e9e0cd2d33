"""Grade a bank's clients before they are called, and look how many of each grade then bought.

    python examples/bank_leads.py             grade the calls by examples/models/bank_leads.toml
    python examples/bank_leads.py --derive    work out that model's fit anew, and print it as TOML

The calls are in order of their dates. Points and grades come from the first 70 % of them; the last 30 % only
show whether the grades hold. Needs pandas.
"""

import argparse
import functools
import operator
import tempfile
from collections.abc import Sequence
from itertools import groupby, pairwise
from pathlib import Path

import numpy as np
import pandas as pd

import engagekit as ek
from engagekit.model.conditions import Condition

EXAMPLES = Path(__file__).resolve().parent
CALLS = EXAMPLES / "data" / "bank_marketing" / "bank-additional-full.csv.gz"
MODEL = EXAMPLES / "models" / "bank_leads.toml"

FIRST = 0.7
"""The share of the calls, in order of their dates, from which points and grades are made."""

TEXTS = ["job", "marital", "education", "default", "housing", "loan", "phone", "poutcome"]
NUMBERS = {"age": [30, 40, 50, 60], "campaign": [2, 4, 7], "pdays": [999], "previous": [1, 2]}
"""The columns known before a call; numbers are cut into bands, each from one bound to below the next."""

STEP = 1.1
"""A point stands for so many times as many buyers."""

DOUBT = 10
"""So many buyers as on average are added to each value, so that a rare one cannot earn much by chance."""

SHARES = {"A": 0.9, "B": 0.6, "C": 0.2}
"""The share of the first calls that is below each grade: A is the best tenth, D the last fifth."""


def read_calls() -> pd.DataFrame:
    """Read the calls.

    A row has no id but its number. The kind of telephone, which the data call `contact`, becomes `phone`: in
    engagekit a contact is a person.
    """
    calls = pd.read_csv(CALLS, sep=";").rename(columns={"contact": "phone"})
    return calls.rename_axis("row").reset_index()


def graded(calls: pd.DataFrame, model: ek.Model) -> pd.DataFrame:
    """Return each call's fit and grade, and whether it sold; without events, the contacts table is enough."""
    no_events = pd.DataFrame(columns=["row", "type", "time"])
    scores = model.score(no_events, contacts=calls).frame
    return calls[["row"]].assign(bought=calls["y"] == "yes").merge(scores[["row", "fit", "grade"]], on="row")


def by_grade(calls: pd.DataFrame) -> pd.DataFrame:
    """Count calls and buyers of each grade, and their share."""
    found = calls.groupby("grade", observed=False)["bought"].agg(calls="size", buyers="sum", rate="mean")
    return found.assign(rate=(100 * found["rate"]).round(1))


def auc(score: np.ndarray, bought: np.ndarray) -> float:
    """Return how often a buyer has a higher score than one who did not buy; a tie is half a time."""
    _, place, count = np.unique(score, return_inverse=True, return_counts=True)
    rank = (np.cumsum(count) - (count - 1) / 2)[place]
    buyers = int(bought.sum())
    above = rank[bought].sum() - buyers * (buyers + 1) / 2
    return float(above / (buyers * (len(bought) - buyers)))


# --- where the points come from ----------------------------------------------------------------------------


def derived(calls: pd.DataFrame) -> ek.Fit:
    """Make the fit from the calls given: criteria for every column, then the bounds of the grades."""
    bought = calls["y"] == "yes"
    criteria = [each for column in TEXTS for each in _text_criteria(calls[column], bought)]
    for column, bounds in NUMBERS.items():
        criteria += _number_criteria(calls[column], bounds, bought)
    model = ek.Model.load(MODEL).evolve(fit=ek.Fit(criteria=criteria))
    fit = graded(calls, model)["fit"]
    grades = {grade: float(np.floor(np.quantile(fit, share))) for grade, share in SHARES.items()}
    return ek.Fit(criteria=criteria, grades=grades | {"D": 0})


def points_of(values: pd.Series, bought: pd.Series) -> dict[object, int]:
    """Return each value's points, counted from the value that sells worst."""
    groups = bought.groupby(values)
    lift = (groups.sum() + DOUBT) / (groups.size() * bought.mean() + DOUBT)
    points = np.rint(np.log(lift) / np.log(STEP)).astype(int)
    return dict(points - points.min())


def _text_criteria(column: pd.Series, bought: pd.Series) -> list[ek.Criterion]:
    points = points_of(column, bought)
    asked = ek.field(str(column.name))
    criteria = []
    for below, level in pairwise(sorted(set(points.values()))):
        have = sorted(str(value) for value, earned in points.items() if earned >= level)
        lack = sorted(str(value) for value, earned in points.items() if earned < level)
        where = asked.not_in(lack) if len(lack) < len(have) else asked.is_in(have)
        criteria.append(ek.Criterion(name=f"{column.name}_{level}", where=where, points=level - below))
    return criteria


def _number_criteria(column: pd.Series, bounds: list[int], bought: pd.Series) -> list[ek.Criterion]:
    bands = pd.Series(np.searchsorted(bounds, column, side="right"), index=column.index)
    points = points_of(bands, bought)
    criteria = []
    for below, level in pairwise(sorted(set(points.values()))):
        has = [points.get(band, 0) >= level for band in range(len(bounds) + 1)]
        where = _within(str(column.name), bounds, has)
        criteria.append(ek.Criterion(name=f"{column.name}_{level}", where=where, points=level - below))
    return criteria


def _within(name: str, bounds: list[int], has: list[bool]) -> Condition:
    """Return the condition that a number lies in one of the bands that have it; neighbours are one."""
    asked = ek.field(name)
    runs = []
    for wanted, run in groupby(range(len(has)), key=lambda band: has[band]):
        bands = list(run)
        ends = []
        if bands[0] > 0:
            ends.append(asked >= bounds[bands[0] - 1])
        if bands[-1] < len(bounds):
            ends.append(asked < bounds[bands[-1]])
        if wanted:
            runs.append(functools.reduce(operator.and_, ends))
    return functools.reduce(operator.or_, runs)


# --- what is printed ---------------------------------------------------------------------------------------


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the grades of the first and of the last calls, or the fit derived from the first."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument(
        "--derive", action="store_true", help="work out the model's fit, and print it as TOML"
    )
    calls = read_calls()
    count = int(FIRST * len(calls))
    if parser.parse_args(arguments).derive:
        model = ek.Model.load(MODEL).evolve(fit=derived(calls[:count]))
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "model.toml"
            model.save(path)
            print(path.read_text("utf-8"), end="")
        return
    found = graded(calls, ek.Model.load(MODEL))
    for title, part in {"The first": found[:count], "The last": found[count:]}.items():
        rate = 100 * part["bought"].mean()
        print(f"{title} {len(part):,} calls, of which {rate:.1f} % sold:\n\n{by_grade(part)}\n")
        print(f"AUC of the fit: {auc(part['fit'].to_numpy(), part['bought'].to_numpy()):.3f}\n")


if __name__ == "__main__":
    main()
