"""What is measured: the workloads, and who takes part in each."""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import by_duckdb
import by_pandas
import by_polars
import declared
import numpy as np
import polars as pl
from race import OURS, Side
from synthetic import AT_US, DAY_US, START_US, Ids, Size, log_of

import engagekit as ek

THREADS = 2
Query = Callable[[int], Any]
MILLIONS = Size(10_000_000, 500_000)


class Workload(NamedTuple):
    """One line of the table.

    Attributes
    ----------
    floor, aim
        How many times as fast as the best peer engagekit has to be, and is meant to be; None: shown only.
    memory
        The most memory beyond the input that engagekit may take, as a multiple of the input.
    """

    title: str
    size: Size
    log: Callable[[Size], pl.DataFrame]
    ours: Callable[[pl.DataFrame], Query]
    peers: dict[str, Callable[[pl.DataFrame], Query]]
    floor: float | None = None
    aim: float | None = None
    memory: float | None = None
    rounds: int = 5
    new_instants: bool = False

    def sides(self, log: pl.DataFrame) -> list[Side]:
        """Make everyone's tables ready."""
        peers = [Side(name, prepare(log)) for name, prepare in self.peers.items()]
        return [Side(OURS, self.ours(log)), *peers]

    def instants(self) -> list[int]:
        """Tell the instants to compute, a new one for each round or the same for all."""
        return [AT_US + hours * 3_600_000_000 for hours in range(100 if self.new_instants else 1)]


def instant(at_us: int) -> np.datetime64:
    """Return microseconds as an instant."""
    return np.datetime64(at_us, "us")


def scored(
    log: pl.DataFrame, *, model: Callable[[], ek.Model] = declared.sixteen, threads: int = THREADS
) -> Query:
    """Score a polars frame, the result's frame included."""
    declared_model = model()
    return lambda at: declared_model.score(log, at=instant(at), threads=threads).frame


def rescored(log: pl.DataFrame) -> Query:
    """Score events that were coded before."""
    model, events = declared.sixteen(), ek.Events(log)
    return lambda at: model.score(events, at=instant(at), threads=THREADS).frame


def retold(log: pl.DataFrame) -> Query:
    """Tell the history of every contact, day by day."""
    model, start = declared.sixteen(), instant(START_US + DAY_US)
    return lambda at: model.history(log, every="1d", start=start, end=instant(at))


def _log(size: Size, *, ids: Ids = "integer", messages: bool = False) -> pl.DataFrame:
    return log_of(size, ids=ids, messages=messages)


def _shuffled(size: Size) -> pl.DataFrame:
    return log_of(size).sample(fraction=1.0, shuffle=True, seed=2)


OF_FRAME = {"DuckDB": by_duckdb.of_arrow, "Polars": by_polars.of_frame, "pandas": by_pandas.of_frame}


def _own_tables(*, grouped: bool) -> dict[str, Callable[[pl.DataFrame], Query]]:
    libraries = {"DuckDB": by_duckdb, "Polars": by_polars, "pandas": by_pandas}
    return {name: partial(library.of_own_table, grouped=grouped) for name, library in libraries.items()}


WORKLOADS = {
    "W1": Workload(
        "score a table, integer ids", MILLIONS, _log, scored, OF_FRAME, floor=3, aim=5, memory=1.2
    ),
    "W1 shuffled": Workload("the same, rows in random order", MILLIONS, _shuffled, scored, OF_FRAME),
    "W2 text": Workload(
        "the same, ids of 12 to 24 characters",
        MILLIONS,
        partial(_log, ids="text"),
        scored,
        OF_FRAME,
        floor=1.5,
        aim=2.2,
    ),
    "W2 categorical": Workload(
        "the same, ids as a categorical",
        MILLIONS,
        partial(_log, ids="categorical"),
        scored,
        OF_FRAME,
        floor=5,
        aim=8,
    ),
    "W3": Workload(
        "score ready events again, a new instant each time",
        MILLIONS,
        _log,
        rescored,
        _own_tables(grouped=False),
        floor=8,
        aim=15,
        new_instants=True,
    ),
    "W3 grouped": Workload(
        "the same, the peers' tables sorted by contact beforehand",
        MILLIONS,
        _log,
        rescored,
        _own_tables(grouped=True),
        new_instants=True,
    ),
    "W4": Workload(
        "limits, caps, an absence, momentum, phases, next change",
        MILLIONS,
        partial(_log, messages=True),
        partial(scored, model=declared.everything),
        {"DuckDB": by_duckdb.everything},
        floor=8,
        aim=20,
        rounds=3,
    ),
    "W5": Workload(
        "daily history of half a year",
        Size(1_000_000, 50_000),
        _log,
        retold,
        {"DuckDB": by_duckdb.history, "Polars": by_polars.history},
        floor=12,
        aim=25,
        rounds=3,
    ),
}
