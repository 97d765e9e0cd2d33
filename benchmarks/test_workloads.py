"""engagekit beside its peers: each answers the same question, and the answers are equal."""

import json
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest
from form import Form
from pytest_benchmark.fixture import BenchmarkFixture
from race import Race
from results import Results, hold, raced
from workloads import WORKLOADS, Workload


@pytest.mark.parametrize("name", WORKLOADS)
def test_workload(
    benchmark: BenchmarkFixture, name: str, form: Form, results: Results, folder: Path, guarded: bool
) -> None:
    """All sides agree, and engagekit is as much faster as it promises."""
    workload = WORKLOADS[name]
    benchmark.group = f"{name}: {workload.title}"
    size = form.size(workload.size)
    log = workload.log(size)
    race = Race(workload.sides(log), workload.instants())
    rows = race.compare()
    rounds = form.rounds(workload.rounds)
    benchmark.pedantic(race.ours, setup=race.peers, rounds=rounds)
    about = {"title": workload.title, "events": size.events, "contacts": size.contacts, "rows": rows}
    figures = raced(race, **about, floor=workload.floor, aim=workload.aim)
    results.add("workloads", name, **figures)
    benchmark.extra_info.update({key: figures[key] for key in ("median", "best_peer", "ratio")})

    if guarded:
        results.add("workloads", name, ratio=hold(name, race))
    if not form.short:
        held = _memory(name, log, folder)
        results.add("workloads", name, input_bytes=held["input"], beyond_bytes=held["beyond"])
        _keep_promises(workload, figures["ratio"], held["beyond"] / held["input"])


def _memory(name: str, log: pl.DataFrame, folder: Path) -> dict[str, int]:
    """Run engagekit's side once more, in a process of its own."""
    path = folder / "log.arrow"
    # uncompressed, the file is as large as the frame in memory; polars' own estimate leaves out string views
    log.write_ipc(path, compression="uncompressed")
    call = [sys.executable, str(Path(__file__).with_name("memory.py")), name, str(path)]
    told: dict[str, int] = json.loads(subprocess.run(call, check=True, stdout=subprocess.PIPE).stdout)
    return told


def _keep_promises(workload: Workload, ratio: float, beyond: float) -> None:
    broken = []
    if workload.floor is not None and ratio < workload.floor:
        broken.append(f"{ratio:.2f} times as fast as the best peer, promised are {workload.floor:g}")
    if workload.memory is not None and beyond > workload.memory:
        broken.append(f"holds {beyond:.2f} times the input beyond it, promised are {workload.memory:g}")
    if broken:
        pytest.fail(f"{workload.title}: {'; '.join(broken)}", pytrace=False)
