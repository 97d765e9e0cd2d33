"""How near the kernel comes to merely reading what it reads."""

import cProfile
import pstats
import time

import declared
import kernel
import pytest
from form import Form
from pytest_benchmark.fixture import BenchmarkFixture
from race import OURS, Race, Side
from results import Results
from synthetic import AT_US, Size, log_of
from workloads import instant, scored

import engagekit as ek

FLOOR, AIM = 0.2, 0.4
SUM = "NumPy, sum"
SCORED = "decayed, added up, and told in levels, phases and momentum"
ORDERED = "columns.py: column"
STAGES = {
    "times and types read": ["events.py: _times", "mapped.py: coded_column"],
    "rows numbered and grouped by contact, on all cores": ["grouping.py: group_ids"],
    "columns of context put in the same order": [ORDERED],
    "types and context matched to rules": ["matching.py: match"],
    SCORED: ["running.py: straight"],
    "a frame made of the result": ["frames/building.py: build"],
}
"""The functions that do the work of each stage, with all that they call."""


def test_kernel(benchmark: BenchmarkFixture, form: Form, results: Results) -> None:
    """One thread decays and sums ready events at a good part of the speed of summing their bytes."""
    size = form.size(Size(10_000_000, 500_000))
    events = ek.Events(log_of(size))
    sums, reads = kernel.bare(declared.sixteen(), events, instant(AT_US)), kernel.summing(events)
    race = Race([Side(OURS, lambda _: sums()), Side(SUM, lambda _: reads())], [AT_US])
    benchmark.group = "W3: the kernel alone, one thread"
    benchmark.pedantic(race.ours, setup=race.peers, rounds=form.rounds(15))
    taken = race.medians()
    speed = taken[SUM] / taken[OURS]
    results.add(
        "kernel", "W3", events=size.events, bytes=kernel.bytes_read(events), floor=FLOOR, aim=AIM,
        seconds=taken[OURS], summing=taken[SUM], speed=speed,
    )  # fmt: skip
    print(f"\nthe kernel alone: {taken[OURS] * 1e3:.1f} ms, summing its bytes {taken[SUM] * 1e3:.1f} ms")
    if not form.short:
        assert speed >= FLOOR, f"{speed:.3f} of the speed of summing the same bytes"


@pytest.mark.parametrize("work", ["W1", "W4"])
def test_profile(form: Form, results: Results, work: str) -> None:
    """The stages of scoring a table on one thread, and what each takes of the whole."""
    size = form.size(Size(10_000_000, 500_000))
    log = log_of(size, messages=work == "W4")
    model = declared.everything if work == "W4" else declared.sixteen
    run = scored(log, model=model, threads=1)
    run(AT_US)
    watch = cProfile.Profile()
    watch.runcall(run, AT_US)
    within = {_named(code[0], code[2]): figures[3] for code, figures in pstats.Stats(watch).stats.items()}
    whole = max(within.values())
    missing = {name for names in STAGES.values() for name in names} - within.keys()
    assert missing <= {ORDERED if work == "W1" else None}, "W1 has no context, but all else"
    stages = {stage: sum(within.get(name, 0.0) for name in names) for stage, names in STAGES.items()}
    bare = kernel.bare(model(), ek.Events(log), instant(AT_US))
    bare()
    began = time.perf_counter()
    bare()
    ahead = stages[SCORED] - (time.perf_counter() - began)
    stages |= {SCORED: stages[SCORED] - ahead, "each contact's next change found": ahead}
    stages["the rest"] = whole - sum(stages.values())
    results.add("profile", work, events=size.events, seconds=whole, stages=stages)
    assert 0 <= stages["the rest"] < whole / 2, "stages overlap, or most of the time is in none of them"


def _named(file: str, name: str) -> str:
    return f"{file.rpartition('/engagekit/')[2]}: {name}"
