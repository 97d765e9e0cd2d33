"""Ten million events of half a million contacts, sixteen rules: time, memory, and the right answer."""

import json
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest
from pytest_benchmark.fixture import BenchmarkFixture
from synthetic import END_US, TYPES, Size, Table

import engagekit as ek

DAY_US = 86_400_000_000
SECONDS = 3.0
TIMES_THE_INPUT = 2.5
CHANNEL_CAP = 60.0
HALF_LIVES = (7, 14, 30, 90)  # days, of the rules of web, email, social and shop


def declared() -> ek.Model:
    """Declare one rule for each type: every fourth has an amount, every third a cap."""
    rules = [
        ek.Rule(
            name=f"on_{name}",
            on=name,
            points=1 + number % 5,
            channel=name.partition("_")[0],
            decay=ek.Decay.half_life(f"{HALF_LIVES[number // 4]}d"),
            amount=ek.Amount(curve="log1p", scale=20) if number % 4 == 0 else None,
            cap=10 if number % 3 == 0 else None,
        )
        for number, name in enumerate(TYPES)
    ]
    return ek.Model(name="sixteen", rules=rules, channels={"shop": ek.Channel(cap=CHANNEL_CAP)})


def by_polars(frame: pl.DataFrame) -> pl.DataFrame:
    """Compute score and engagement of the same model by a query."""
    number = pl.col("number")
    known = {
        "type": TYPES,
        "number": range(len(TYPES)),
        "half_life": [DAY_US * HALF_LIVES[number // 4] for number in range(len(TYPES))],
    }
    weighed = (
        frame.lazy()
        .with_columns(pl.col("type").cast(pl.String))
        .join(pl.LazyFrame(known), on="type")
        .with_columns(age=END_US - pl.col("time").cast(pl.Int64))
        .select(
            "contact",
            "number",
            raw=(1 + number % 5)
            * pl.when(number % 4 == 0).then((pl.col("value") / 20).log1p()).otherwise(1.0)
            * 2.0 ** (-pl.col("age") / pl.col("half_life")),  # type: ignore[arg-type]
        )
    )
    per_rule = weighed.group_by("contact", "number").agg(pl.col("raw").sum())
    capped = per_rule.with_columns(
        raw=pl.when(number % 3 == 0).then(pl.col("raw").clip(-10, 10)).otherwise(pl.col("raw"))
    )
    shop = number >= 12
    return (
        capped.group_by("contact")
        .agg(
            rest=pl.col("raw").filter(~shop).sum(),
            shop=pl.col("raw").filter(shop).sum().clip(-CHANNEL_CAP, CHANNEL_CAP),
        )
        .select("contact", score=pl.col("rest") + pl.col("shop"))
        .with_columns(engagement=100 * (1 - 2.0 ** (-pl.col("score") / 50)))  # type: ignore[arg-type]
        .collect()
    )


@pytest.mark.benchmark(group="score a polars frame")
def test_score_a_polars_frame(benchmark: BenchmarkFixture, table: Table, size: Size, tmp_path: Path) -> None:
    """One score of a polars frame stays within its bounds of time and memory, and agrees with a query."""
    model, out = tmp_path / "model.toml", tmp_path / "scores.arrow"
    declared().save(model)
    program = Path(__file__).with_name("score_once.py")
    call = [sys.executable, str(program), str(table.path), str(model), str(out), "3"]

    def score() -> dict[str, list[float] | float]:
        shown = subprocess.run(call, check=True, capture_output=True, text=True).stdout
        return json.loads(shown)  # type: ignore[no-any-return]

    told = benchmark.pedantic(score, rounds=1)
    wanted = by_polars(table.frame).sort("contact")
    got = pl.read_ipc(out).sort("contact")
    assert got.height == size.contacts
    assert got["contact"].equals(wanted["contact"])
    for column in ("score", "engagement"):
        off = ((got[column] - wanted[column]).abs() / wanted[column].abs().clip(lower_bound=1)).max()
        assert off < 1e-9, f"{column} is off by {off}"  # type: ignore[operator]

    seconds = min(told["seconds"])
    held = table.path.stat().st_size
    taken = held + told["peak"] - told["held"]
    figures = {
        "events": size.events,
        "seconds of each run": [round(each, 2) for each in told["seconds"]],
        "input, MB": round(held / 1e6),
        "most memory held while scoring, the input included, MB": round(taken / 1e6),
        "times the input": round(taken / held, 2),
    }
    benchmark.extra_info.update(figures)
    print(f"\n{table.path.stem} types: {figures}")
    assert seconds <= SECONDS * size.events / 10_000_000 + size.slack_seconds
    assert taken <= TIMES_THE_INPUT * held + size.slack_bytes
