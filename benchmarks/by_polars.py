"""The workloads as queries of Polars.

The fastest of a dozen ways to write each: looking points and rates up by the code of the type beats a join
and `replace_strict`, four columns summed beat four filters, and for a sorted table the streaming engine wins.
"""

from collections.abc import Callable
from typing import Literal

import polars as pl
from by_duckdb import rate
from declared import CHANNELS, HALF_LIVES, POINTS

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
