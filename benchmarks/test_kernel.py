"""How near the kernel comes to merely reading what it reads."""

import cProfile
import pstats
import re

import declared
import kernel
from form import Form
from pytest_benchmark.fixture import BenchmarkFixture
from race import OURS, Race, Side
from results import Results
from synthetic import AT_US, Size, log_of
from workloads import instant, scored

import engagekit as ek

FLOOR, AIM = 0.2, 0.4
SUM = "NumPy, sum"


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


def test_profile(form: Form, results: Results) -> None:
    """The functions in which scoring a table spends its time are told, most of it first."""
    size = form.size(Size(10_000_000, 500_000))
    run = scored(log_of(size), threads=1)
    run(AT_US)
    watch = cProfile.Profile()
    watch.runcall(run, AT_US)
    own = {_named(code[0], code[2]): figures[2] for code, figures in pstats.Stats(watch).stats.items()}
    whole = sum(own.values())
    most = sorted(own, key=own.__getitem__, reverse=True)[:10]
    functions = [{"function": name, "seconds": own[name], "share": own[name] / whole} for name in most]
    results.add("profile", "W1", events=size.events, seconds=whole, functions=functions)
    assert whole > 0


def _named(file: str, name: str) -> str:
    """Name a function as a reader would look for it."""
    if file == "~":
        return re.sub(r"<(?:built-in )?method '?([\w.]+)'?(?: of '([\w.]+)' objects)?>", _compiled, name)
    inside = file.rpartition("/engagekit/")[2].rpartition("/site-packages/")[2]
    return f"{inside}: {name}"


def _compiled(match: re.Match[str]) -> str:
    return f"{match[2]}.{match[1]}" if match[2] else match[1]
