"""Interleaved rounds, so that what else the machine does hits all alike, and equal answers."""

import gc
import statistics
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import pandas as pd
import polars as pl

OURS = "engagekit"
TOLERANCE = 1e-9


class Side(NamedTuple):
    """Who computes, and how: from an instant to a table of any kind."""

    name: str
    run: Callable[[int], Any]


class Race:
    """engagekit and its peers, taking turns at a workload.

    Each turn is two runs, of which the second counts. The first asks the system for the memory that the
    second uses again: what it costs to get that back, after others had it, is theirs as much as one's own,
    and more than the answer on machines that are lent their memory.

    Parameters
    ----------
    sides
        engagekit first.
    instants
        One for each round; the last one is used on.
    """

    def __init__(self, sides: Sequence[Side], instants: Iterable[int]) -> None:
        self.sides = list(sides)
        self.instants = list(instants)
        self.seconds: dict[str, list[float]] = {side.name: [] for side in sides}

    @property
    def instant(self) -> int:
        """The instant of the round that is next."""
        return self.instants[min(len(self.seconds[OURS]), len(self.instants) - 1)]

    def compare(self) -> int:
        """Let all compute the first instant, check that they agree, and tell the number of rows."""
        wanted = in_order(self.sides[0].run(self.instants[0]))
        for side in self.sides[1:]:
            differ = difference(in_order(side.run(self.instants[0])), wanted)
            assert differ is None, f"{side.name} and {OURS} disagree: {differ}"
        return wanted.height

    def ours(self) -> None:
        """Take the second half of engagekit's turn, the one that counts."""
        self._run(self.sides[0])

    def peers(self) -> None:
        """Take the peers' turns, and the first half of engagekit's."""
        instant = self.instant
        for side in self.sides[1:]:
            side.run(instant)
            gc.collect()
            self._run(side)
        self.sides[0].run(instant)
        gc.collect()

    def _run(self, side: Side) -> None:
        instant = self.instant
        began = time.perf_counter()
        result = side.run(instant)
        self.seconds[side.name].append(time.perf_counter() - began)
        del result

    def again(self) -> "Race":
        """Return a second race of as many rounds."""
        race = Race(self.sides, self.instants)
        for _ in self.seconds[OURS]:
            race.peers()
            race.ours()
        return race

    def medians(self) -> dict[str, float]:
        """Tell the median time of each side, in seconds."""
        return {name: statistics.median(taken) for name, taken in self.seconds.items()}

    @property
    def ratio(self) -> float:
        """How many times as fast as its best peer engagekit is."""
        medians = self.medians()
        return medians[best_peer(medians)] / medians[OURS]


def best_peer(medians: dict[str, float]) -> str:
    """Name the fastest of the others."""
    return min((name for name in medians if name != OURS), key=medians.__getitem__)


def in_order(table: Any) -> pl.DataFrame:
    """Take any side's answer as a polars frame sorted by its keys, nulls of points as nothing."""
    if isinstance(table, pl.DataFrame):
        frame = table
    elif isinstance(table, pd.DataFrame):
        frame = pl.DataFrame({name: pl.Series(table[name].to_numpy()) for name in table.columns})
    else:
        frame = pl.DataFrame(pl.from_arrow(table))
    frame = frame.rename({name: name.removeprefix("channel_") for name in frame.columns})
    if frame["contact"].dtype == pl.Categorical:
        frame = frame.with_columns(pl.col("contact").cast(pl.String))
    keys = [name for name in ("contact", "at") if name in frame.columns]
    return frame.sort(keys)


def difference(got: pl.DataFrame, wanted: pl.DataFrame) -> str | None:
    """Say where two answers differ in the columns that the first has, None if they do not."""
    if got.height != wanted.height:
        return f"{got.height:,} rows and {wanted.height:,}"
    for name in got.columns:
        mine, other = got[name], wanted[name]
        if not mine.dtype.is_float():
            same = mine.cast(pl.String).eq_missing(other.cast(pl.String)) if _named(mine) else mine == other
            if not same.all():
                row = int((~same).arg_max() or 0)
                return f"{name}, row {row:,}: {mine[row]!r} and {other[row]!r}"
            continue
        if not mine.is_null().equals(other.is_null()):
            return f"{name}: other nulls"
        off = (mine - other).abs() / other.abs().clip(lower_bound=1.0)
        if float(off.max() or 0.0) >= TOLERANCE:  # type: ignore[arg-type]
            return f"{name} is off by {off.max()}"
    return None


def _named(values: pl.Series) -> bool:
    return values.dtype in (pl.String, pl.Enum, pl.Categorical)
