"""The command line on files larger than one would read whole, beside DuckDB on the same files."""

import os
import resource
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import by_duckdb
import declared
import polars as pl
from form import Form
from pytest_benchmark.fixture import BenchmarkFixture
from race import OURS, Race, Side, difference, in_order
from results import BUILD, Results, hold, raced
from synthetic import AT_US, Size, parquet_log

SIZE = Size(100_000_000, 5_000_000)
TITLE = "engagekit score: Parquet in, Parquet out"
FLOOR, AIM = 1.0, 2.0
MOST_BYTES = 3 * 2**30


class Program(NamedTuple):
    """A program to run from its start to its end."""

    call: list[str]
    out: Path

    def run(self) -> int:
        """Run it, and return the most memory it held, in bytes."""
        self.out.unlink(missing_ok=True)
        with subprocess.Popen(self.call) as process:
            _, status, used = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
        assert process.returncode == 0
        return _bytes(used)


def _bytes(used: resource.struct_rusage) -> int:
    return used.ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def programs(log: Path, folder: Path) -> dict[str, Program]:
    """Say how each reads the files and writes its answer."""
    model = folder / "model.toml"
    declared.sixteen().save(model)
    ours, theirs = folder / "ours.parquet", folder / "duckdb.parquet"
    score = [sys.executable, "-m", "engagekit", "score", str(log), "--model", str(model)]
    query = by_duckdb.of_files(f"{log}/*.parquet", str(theirs), AT_US)
    run = "import duckdb, sys; duckdb.execute(sys.argv[1])"
    return {
        OURS: Program([*score, "--at", "2026-01-01", "--threads", "2", "--quiet", "-o", str(ours)], ours),
        "DuckDB": Program([sys.executable, "-c", run, query], theirs),
    }


def test_files(
    benchmark: BenchmarkFixture, form: Form, results: Results, folder: Path, guarded: bool
) -> None:
    """A log on disk is scored as fast as a database does it, in bounded memory, to the same numbers."""
    size = form.size(form.size(SIZE))
    # the full log stays for the next run, until make clean
    log = parquet_log(size, folder if form.short else BUILD)
    both = programs(log, folder)
    peaks: dict[str, list[int]] = {name: [] for name in both}

    def side(name: str) -> Side:
        return Side(name, lambda _: peaks[name].append(both[name].run()))

    race = Race([side(name) for name in both], [AT_US])
    benchmark.group = f"W6: {TITLE}"
    benchmark.pedantic(race.ours, setup=race.peers, rounds=5 if form.short else 2)
    answers = [in_order(pl.read_parquet(both[name].out)) for name in ("DuckDB", OURS)]
    assert (differ := difference(*answers)) is None, f"DuckDB and {OURS} disagree: {differ}"
    figures = raced(race, title=TITLE, events=size.events, contacts=size.contacts, rows=answers[0].height)
    read = sum(path.stat().st_size for path in log.iterdir())
    peak = max(peaks[OURS])
    results.add(
        "workloads", "W6", **figures, floor=FLOOR, aim=AIM, input_bytes=read, peak_bytes=peak,
        peer_peak_bytes=max(peaks["DuckDB"]),
    )  # fmt: skip
    if guarded:
        results.add("workloads", "W6", ratio=hold("W6", race))
    if not form.short:
        assert peak <= MOST_BYTES, f"{peak / 2**30:.2f} GiB held"
        assert figures["ratio"] >= FLOOR, f"{figures['ratio']:.2f} times as fast as the best peer"
