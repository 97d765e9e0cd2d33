"""The workloads as queries of Polars.

The fastest of the ways that were tried: looking points and rates up by the code of the type beats a join
and `replace_strict`, four columns summed beat four filters, and for a sorted table the streaming engine wins.
"""

import math
from collections.abc import Callable
from typing import Literal

import polars as pl
from by_duckdb import rate
from declared import CHANNELS, FAST, HALF_LIVES, MIDPOINT, POINTS, SLOW
from synthetic import DAY_US, DAYS, START_US

Query = Callable[[int], pl.DataFrame]
PER_CHANNEL = 4
OF_CODE = pl.lit(pl.Series(POINTS)), pl.lit(pl.Series([rate(days) for days in HALF_LIVES]))


def decayed(log: pl.LazyFrame, at: int) -> pl.LazyFrame:
    """Sum decayed points by contact and channel; `log` has contact, code and time in microseconds."""
    points, rates = (series.gather(pl.col("code")) for series in OF_CODE)
    return (
        log.select(
            "contact",
            channel=pl.col("code") // PER_CHANNEL,
            points=points * (rates * (at - pl.col("time"))).exp(),
        )
        .select(
            "contact",
            *(
                pl.when(pl.col("channel") == number).then("points").otherwise(0.0).alias(name)
                for number, name in enumerate(CHANNELS)
            ),
        )
        .group_by("contact")
        .agg(pl.col(CHANNELS).sum())
        .with_columns(score=pl.sum_horizontal(CHANNELS))
    )


def coded(log: pl.DataFrame) -> pl.LazyFrame:
    """Read types as their codes and times as microseconds."""
    return log.lazy().select(
        "contact", code=pl.col("type").to_physical().cast(pl.UInt8), time=pl.col("time").to_physical()
    )


def of_frame(log: pl.DataFrame) -> Query:
    """Query the log as it is."""
    return lambda at: decayed(coded(log), at).collect()


def of_own_table(log: pl.DataFrame, *, grouped: bool) -> Query:
    """Query a table of integers, in the log's order or the contacts'."""
    table = coded(log).collect()
    if grouped:
        table = table.sort("contact")
    engine: Literal["streaming", "in-memory"] = "streaming" if grouped else "in-memory"
    return lambda at: decayed(table.lazy(), at).collect(engine=engine)


SUMS = [*(f"rule_{number}" for number in range(len(POINTS))), "fast", "slow"]
A_DAY_LATER = [math.exp(rate(days) * DAY_US) for days in (*HALF_LIVES, FAST, SLOW)]


def history(log: pl.DataFrame) -> Query:
    """Carry a sum per contact and rule from day to day; `group_by` for each takes four times as long.

    Contacts are numbered by their first event, so that those seen until a day are the first so many rows.
    """

    def query(at: int) -> pl.DataFrame:
        contacts = log["contact"].unique(maintain_order=True).to_frame().with_row_index("number")
        events = _by_day(log, contacts, at)
        seen = events.group_by("day").agg(pl.col("number").max() + 1).collect()
        until = dict(seen.iter_rows())
        news = _news(events)
        nothing = contacts.select("number", *(pl.lit(0.0).alias(name) for name in SUMS))
        known, state, days = 0, nothing[:0], []
        for day in range(1, DAYS + 1):
            if until.get(day, 0) > known:
                state = pl.concat([state, nothing[known : until[day]]])
                known = until[day]
            state = _a_day_later(state, news.get((day,)))
            days.append(_read_off(state, START_US + day * DAY_US))
        return _judged(pl.concat(days), contacts["contact"])

    return query


def _by_day(log: pl.DataFrame, contacts: pl.DataFrame, at: int) -> pl.LazyFrame:
    """Decay each event's points to the end of its day."""
    table = coded(log).filter(pl.col("time") <= at).with_columns(time=pl.col("time") - START_US)
    points, rates = (series.gather(pl.col("code")) for series in OF_CODE)
    age = pl.col("day").cast(pl.Int64) * DAY_US - pl.col("time")
    return (
        table.with_columns(day=((pl.col("time") + DAY_US - 1) // DAY_US).clip(lower_bound=1).cast(pl.Int16))
        .join(contacts.lazy(), on="contact")
        .select(
            "number",
            "day",
            "code",
            points=points * (rates * age).exp(),
            fast=points * (rate(FAST) * age).exp(),
            slow=points * (rate(SLOW) * age).exp(),
        )
    )


def _news(events: pl.LazyFrame) -> dict[tuple[object, ...], pl.DataFrame]:
    """Sum what each day adds, a column a rule, apart by day."""
    of_rules = [
        pl.when(pl.col("code") == code).then("points").otherwise(0.0).sum().alias(f"rule_{code}")
        for code in range(len(POINTS))
    ]
    daily = events.group_by("day", "number").agg(*of_rules, pl.col("fast", "slow").sum())
    return daily.sort("day", "number").collect().partition_by("day", as_dict=True, include_key=False)


def _a_day_later(state: pl.DataFrame, news: pl.DataFrame | None) -> pl.DataFrame:
    if news is None:
        return state.select(
            "number", *(pl.col(name) * factor for name, factor in zip(SUMS, A_DAY_LATER, strict=True))
        )
    return state.join(news, on="number", how="left", maintain_order="left").select(
        "number",
        *(
            pl.col(name) * factor + pl.col(f"{name}_right").fill_null(0.0)
            for name, factor in zip(SUMS, A_DAY_LATER, strict=True)
        ),
    )


def _read_off(state: pl.DataFrame, at: int) -> pl.DataFrame:
    fast, slow = pl.col("fast") / FAST, pl.col("slow") / SLOW
    return state.select(
        "number",
        at=pl.lit(at).cast(pl.Datetime("us")),
        score=pl.sum_horizontal(SUMS[:-2]),
        momentum=(fast - slow) / (fast + slow),
    )


def _judged(rows: pl.DataFrame, contacts: pl.Series) -> pl.DataFrame:
    """Add what follows from the score."""
    engagement = pl.col("engagement")
    level = (
        pl.when(engagement >= 50)
        .then(pl.lit("high"))
        .when(engagement >= 25)
        .then(pl.lit("medium"))
        .when(engagement >= 1)
        .then(pl.lit("low"))
        .otherwise(pl.lit("none"))
    )
    return (
        rows.lazy()
        .with_columns(engagement=100 * (1 - (pl.col("score") * (-math.log(2) / MIDPOINT)).exp()))
        .select(
            pl.lit(contacts).gather(pl.col("number")).alias("contact"),
            "at",
            "score",
            "engagement",
            "momentum",
            level=level,
            phase=pl.when(engagement >= 50).then(pl.lit("sales")).otherwise(pl.lit("nurture")),
        )
        .collect()
    )
