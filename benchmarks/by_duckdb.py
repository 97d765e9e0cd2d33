"""The workloads in DuckDB's SQL.

The fastest of the ways that were tried: a join to a small table of rules beats a `case` over the types and
a lookup in a list, `exp` beats `pow`, and four products summed beat `filter` and a second aggregation.
"""

import math
from collections.abc import Callable, Sequence

import declared as model
import duckdb
import polars as pl
import pyarrow as pa
from synthetic import DAY_US, DAYS, START_US, TYPES

Query = Callable[[int], pa.Table]
DECAYED = """
    select contact, web + mail + event + shop as score, web, mail, event, shop
    from (
        select contact, sum(web_points * decay) as web, sum(mail_points * decay) as mail,
            sum(event_points * decay) as event, sum(shop_points * decay) as shop
        from (
            select contact, exp(rate * ({at} - {time})) as decay, rules.*
            from {log} join rules using (type)
        )
        group by contact
    )
"""
EVERYTHING = """
    with counted as (
        select contact, type, epoch_us(time) as time from log where type not in {limited}
        union all
        select contact, type, unnest(min(epoch_us(time), {limit})) as time from log where type in {limited}
        group by contact, type, epoch_us(time) // {day}
    ),
    unopened as (
        select sent.contact, 'unopened' as type, epoch_us(sent.time) + {patience} as time
        from (select contact, message, time from log where type = 'mail_sent') as sent
        asof left join (select contact, message, time from log where type = 'mail_open') as opened
            on sent.contact = opened.contact and sent.message = opened.message and sent.time < opened.time
        where epoch_us(sent.time) + {patience} <= {at}
            and (opened.time is null or epoch_us(opened.time) > epoch_us(sent.time) + {patience})
    ),
    of_rules as (
        select contact, type,
            sum(points * exp(rate * age)) as points,
            sum(greatest(points, 0) * exp({fast} * age)) as fast,
            sum(greatest(points, 0) * exp({slow} * age)) as slow
        from (
            select contact, type, points, rate, {at} - time as age
            from (from counted union all from unopened) join rules using (type)
        )
        group by contact, type
    ),
    of_contacts as (
        select contact,
            {capped_channels},
            sum(fast) / {fast_days} as fast, sum(slow) / {slow_days} as slow,
            bool_or(type = 'shop_order') as customer,
            bool_or(type not in ('mail_sent', 'unopened')) as active
        from (
            select contact, type, channel, greatest(least(of_rules.points, cap), -cap) as points, fast, slow
            from of_rules join rules using (type)
        )
        group by contact
    ),
    scored as (
        select contact, web + mail + event + shop as score, web, mail, event, shop, customer, active,
            100 * (1 - exp({scale} * greatest(score, 0))) as engagement,
            (fast - slow) / (fast + slow) as momentum
        from of_contacts
    )
    select contact, score, web, mail, event, shop, engagement, momentum,
        case when engagement >= 50 then 'high' when engagement >= 25 then 'medium'
            when engagement >= 1 then 'low' else 'none' end as level,
        case when not active then null
            when not customer and engagement >= 50 then 'sales'
            when not customer then 'nurture'
            when engagement >= 50 or momentum >= -0.33 then 'retention'
            else 'exit' end as phase
    from scored
"""
"""The three earliest of a day by `min(time, 3)` take less than `row_number()` over a window."""

HISTORY = """
    with weighed as (
        select contact, type, greatest(1, ceil((epoch_us(time) - {start}) / {day}))::int as day,
            sum(points * exp(rate * ({start} - epoch_us(time)))) as points,
            sum(points * exp({fast} * ({start} - epoch_us(time)))) as fast,
            sum(points * exp({slow} * ({start} - epoch_us(time)))) as slow
        from log join rules using (type)
        where epoch_us(time) <= {at}
        group by all
    ),
    until_the_next as (
        select contact, type, day, coalesce(lead(day) over so_far, {days} + 1) as next,
            sum(points) over so_far as points, sum(fast) over so_far as fast, sum(slow) over so_far as slow
        from weighed
        window so_far as (partition by contact, type order by day)
    ),
    of_days as (
        select contact, day, sum(points * exp(rate * day * {day})) as score,
            sum(fast) * exp({fast} * day * {day}) / {fast_days} as fast,
            sum(slow) * exp({slow} * day * {day}) / {slow_days} as slow
        from (select * exclude day, unnest(range(day, next)) as day from until_the_next)
        join (select type, rate from rules) using (type)
        group by contact, day
    )
    select contact, make_timestamp({start} + day * {day}) as "at", score,
        100 * (1 - exp({scale} * greatest(score, 0))) as engagement,
        (fast - slow) / (fast + slow) as momentum,
        case when engagement >= 50 then 'high' when engagement >= 25 then 'medium'
            when engagement >= 1 then 'low' else 'none' end as level,
        case when engagement >= 50 then 'sales' else 'nurture' end as phase
    from of_days
"""
"""Decayed sums up to each day on which something happened, spread over the days until the next one; a cross
join of events and days takes twice as long, a loop over the days even longer."""


def rate(days: float) -> float:
    """Return the exponent by which a half-life decays in a microsecond."""
    return -math.log(2) / (days * DAY_US)


IN_ALL = {
    "fast": rate(model.FAST),
    "slow": rate(model.SLOW),
    "fast_days": model.FAST,
    "slow_days": model.SLOW,
    "scale": -math.log(2) / model.MIDPOINT,
}


def connected(types: Sequence[str] | pl.Series = TYPES) -> duckdb.DuckDBPyConnection:
    """Connect to a database in memory that holds the rules by `types`: names, or small integers."""
    connection = duckdb.connect()
    connection.execute("set threads = 2; set preserve_insertion_order = false")
    rules = pl.DataFrame(
        {
            "type": pl.Series(types),
            "points": model.POINTS,
            "rate": [rate(days) for days in model.HALF_LIVES],
            "channel": [name.partition("_")[0] for name in TYPES],
            "cap": [model.RULE_CAP if name in model.CAPPED else math.inf for name in TYPES],
        }
    ).with_columns(
        pl.when(pl.col("channel") == name).then("points").otherwise(0.0).alias(f"{name}_points")
        for name in model.CHANNELS
    )
    connection.register("given", rules.to_arrow())
    connection.execute("create table rules as from given")
    return connection


def of_arrow(log: pl.DataFrame) -> Query:
    """Query the log where it lies, as an Arrow table."""
    connection = connected()
    connection.register("log", log.to_arrow())
    return lambda at: connection.sql(DECAYED.format(at=at, time="epoch_us(time)", log="log")).to_arrow_table()


def of_own_table(log: pl.DataFrame, *, grouped: bool) -> Query:
    """Query a table of DuckDB's own, types and times as integers, in the log's order or the contacts'."""
    connection = connected(pl.Series(range(len(TYPES)), dtype=pl.UInt8))
    integers = log.select(
        "contact", pl.col("type").to_physical().cast(pl.UInt8), pl.col("time").to_physical()
    )
    connection.register("given_log", integers.to_arrow())
    connection.execute(f"create table log as from given_log {'order by contact' if grouped else ''}")
    connection.unregister("given_log")
    return lambda at: connection.sql(DECAYED.format(at=at, time="time", log="log")).to_arrow_table()


def everything(log: pl.DataFrame) -> Query:
    """Query limits, an absence, caps, momentum and phases."""
    connection = connected()
    connection.register("log", log.to_arrow())
    connection.execute(
        "insert into rules by name select 'unopened' as type, ? as points, ? as rate, 'mail' as channel, "
        "'inf'::double as cap",
        [model.UNOPENED, rate(model.UNOPENED_HALF_LIFE)],
    )
    sums = {name: f"coalesce(sum(points) filter (channel = '{name}'), 0)" for name in model.CHANNELS}
    for name, cap in model.CHANNEL_CAPS.items():
        sums[name] = f"greatest(least({sums[name]}, {cap}), -{cap})"
    text = EVERYTHING.format(
        at="{at}",
        limited=model.LIMITED,
        limit=model.LIMIT,
        day=DAY_US,
        patience=model.PATIENCE * DAY_US,
        **IN_ALL,
        capped_channels=", ".join(f"{clipped} as {name}" for name, clipped in sums.items()),
    )
    return lambda at: connection.sql(text.format(at=at)).to_arrow_table()


def history(log: pl.DataFrame) -> Query:
    """Query a row for each contact and day from its first event on."""
    connection = connected()
    connection.register("log", log.to_arrow())
    return lambda at: connection.sql(
        HISTORY.format(at=at, start=START_US, day=DAY_US, days=DAYS, **IN_ALL)
    ).to_arrow_table()


def of_files(log: str, out: str, at: int) -> str:
    """Return the statements that query Parquet files and write the answer to another."""
    connection = connected()
    rows = connection.sql("select type, rate, web_points, mail_points, event_points, shop_points from rules")
    names = ", ".join(rows.columns)
    values = ", ".join(map(str, rows.fetchall()))
    answer = DECAYED.format(at=at, time="epoch_us(time)", log=f"read_parquet('{log}')")
    return (
        "set threads = 2; set preserve_insertion_order = false; set enable_progress_bar = false; "
        f"create temp table rules as from (values {values}) as given({names}); "
        f"copy ({answer}) to '{out}' (format parquet)"
    )
