"""What fires between two results, beside Polars on the same two frames; nothing fires the first time."""

from collections.abc import Callable
from typing import NamedTuple

import polars as pl
import pytest
from form import Form
from pytest_benchmark.fixture import BenchmarkFixture
from synthetic import AT_US, DAY_US, Size, log_of

import engagekit as ek

SIZE = Size(5_000_000, 500_000)
NAMES = ("engagement", "phase", "silent_days", "momentum")


class Moment(NamedTuple):
    """A trigger, and the same for Polars: what holds, and what must have held."""

    trigger: ek.Trigger
    when: pl.Expr
    was: pl.Expr


def moments() -> list[Moment]:
    """Declare ten triggers: every kind of condition, with and without a cooldown."""
    engagement, phase = ek.field("engagement"), ek.field("phase")
    always = pl.lit(value=True)
    hot = [
        Moment(
            ek.Trigger(
                name=f"hot {bound}", when=engagement >= bound, until=engagement < bound - 5, cooldown="14d"
            ),
            pl.col("engagement") >= bound,
            always,
        )
        for bound in range(10, 70, 10)
    ]
    return [
        *hot,
        Moment(
            ek.Trigger(name="leaves sales", was=phase == "sales", when=phase == "nurture"),
            pl.col("phase") == "nurture",
            pl.col("phase") == "sales",
        ),
        Moment(
            ek.Trigger(name="rises", was=engagement >= 5, when=ek.field("momentum") > 0),
            pl.col("momentum") > 0,
            pl.col("engagement") >= 5,
        ),
        Moment(
            ek.Trigger(name="silent", when=ek.field("silent_days") >= 30, cooldown="30d"),
            pl.col("silent_days") >= 30,
            always,
        ),
        Moment(
            ek.Trigger(name="cold", when=(engagement < 1) & (phase == "nurture")),
            (pl.col("engagement") < 1) & (pl.col("phase") == "nurture"),
            always,
        ),
    ]


@pytest.fixture(scope="module")
def evaluations(form: Form) -> tuple[ek.Scores, ek.Scores]:
    """Score half a million contacts, and again a week later; a few of them are new then."""
    rules = [
        ek.Rule(name="mail", on=["mail_open", "mail_click", "mail_answer"], points=4),
        ek.Rule(name="shop", on=["shop_basket", "shop_order"], points=12),
        ek.Rule(name="web", on=["web_form", "web_download"], points=6),
    ]
    model = ek.Model(rules=rules, triggers=[moment.trigger for moment in moments()])
    events = ek.Events(log_of(form.size(SIZE)))
    before, now = (model.score(events, at=_instant(AT_US - days * DAY_US)) for days in (7, 0))
    assert 0 < len(now) - len(before) < len(now)
    return before, now


def _instant(micros: int) -> object:
    return pl.Series([micros]).cast(pl.Datetime("us", "UTC")).item()


def ours(before: ek.Scores, now: ek.Scores) -> pl.DataFrame:
    """Ask engagekit, which keeps what is to be known the next time too."""
    fired: pl.DataFrame = now.reactions(before)
    return fired


def polars(before: ek.Scores, now: ek.Scores) -> pl.DataFrame:
    """Join the two frames, and look for edges: all that there is after a base line."""
    names = [pl.col("contact"), *(pl.col(name) for name in NAMES)]
    nobody = pl.col("engagement").fill_null(0.0)
    older = before.frame.select("contact", *NAMES)
    both = now.frame.select(names).join(
        older, on="contact", how="left", suffix=" before", maintain_order="left"
    )
    last = both.select(pl.col(f"{name} before").alias(name) for name in NAMES).with_columns(nobody)

    def held(frame: pl.DataFrame, condition: pl.Expr) -> pl.Series:
        return frame.select(held=condition.fill_null(value=False)).get_column("held")

    rows = [
        both.select("contact", trigger=pl.lit(moment.trigger.name)).filter(
            held(both, moment.when) & ~held(last, moment.when) & held(last, moment.was)
        )
        for moment in moments()
    ]
    return pl.concat(rows)


def in_order(fired: pl.DataFrame) -> pl.DataFrame:
    """Return who fires what, in an order of its own."""
    return fired.select("contact", pl.col("trigger").cast(pl.String)).sort("contact", "trigger")


@pytest.mark.parametrize("side", [ours, polars], ids=["engagekit", "Polars"])
def test_reactions(
    benchmark: BenchmarkFixture,
    evaluations: tuple[ek.Scores, ek.Scores],
    side: Callable[[ek.Scores, ek.Scores], pl.DataFrame],
) -> None:
    """Ten triggers, a result after another: the same contacts fire the same triggers."""
    before, now = evaluations
    benchmark.group = f"reactions: 10 triggers, {len(now):,} contacts"
    fired = benchmark.pedantic(side, args=(before, now), rounds=5, warmup_rounds=1)
    assert in_order(fired).equals(in_order(polars(before, now)))
    assert fired.height > len(now) // 100


def test_first_evaluation(benchmark: BenchmarkFixture, evaluations: tuple[ek.Scores, ek.Scores]) -> None:
    """The first time nothing fires, however many meet a condition."""
    _, now = evaluations
    benchmark.group = f"reactions: the base line of {len(now):,} contacts"
    fired = benchmark.pedantic(now.reactions, args=(None,), rounds=5)
    assert fired.height == 0
    assert now.frame.filter(moments()[0].when).height > 0
