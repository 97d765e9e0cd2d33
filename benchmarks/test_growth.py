"""How the cost grows: with events, with contacts, with rules; and what the smallest call costs."""

import math
import statistics
import time
from collections.abc import Callable
from itertools import pairwise

import by_duckdb
import declared
import pytest
from form import Form
from pytest_benchmark.fixture import BenchmarkFixture
from race import OURS, Race, Side
from results import Results
from synthetic import AT_US, Size, log_of
from workloads import instant, scored

import engagekit as ek

FIXED = 50_000
SHARES = {"in proportion": lambda events: events // 20, "fixed": lambda _: FIXED}
MOST_SLOWER = {"in proportion": 3.0, "fixed": 1.3}
"""How many times as long an event may take among 10^8 as among 10^6."""
MOST_PER_TENFOLD = 25
"""Ten times the events may take so many times as long: caches are left behind, but nothing is squared."""


@pytest.mark.parametrize("contacts", SHARES)
def test_events(benchmark: BenchmarkFixture, form: Form, results: Results, contacts: str) -> None:
    """The time grows with the number of events, whether or not contacts become more."""
    benchmark.group = f"growth with events, contacts {contacts}"
    sizes = [10**power for power in range(5, 7 if form.short else 9)]
    taken = []
    for events in sizes:
        log = log_of(Size(events, SHARES[contacts](events)))
        race = Race([Side(OURS, scored(log)), Side("DuckDB", by_duckdb.of_arrow(log))], [AT_US])
        rounds = 1 if events > 10**7 else 3
        if events == sizes[-1]:
            benchmark.pedantic(race.ours, setup=race.peers, rounds=rounds)
        else:
            for _ in range(rounds):
                race.peers()
                race.ours()
        medians = race.medians()
        taken.append(medians[OURS])
        results.add("growth", f"{events} events, contacts {contacts}", events=events, contacts=contacts,
                    number_of_contacts=SHARES[contacts](events), median=medians)  # fmt: skip
        del log, race
    for less, more in pairwise(taken):
        assert more <= MOST_PER_TENFOLD * less
    # from a million events on, below which a call's fixed cost tells
    slower = taken[-1] / sizes[-1] / (taken[1] / sizes[1])
    print(f"\nan event takes {slower:.2f} times as long, contacts {contacts}")
    if not form.short:
        assert slower <= MOST_SLOWER[contacts]


def test_rules(benchmark: BenchmarkFixture, form: Form, results: Results) -> None:
    """Sixty-four times the rules, of which each event matches one, take far less than that longer."""
    benchmark.group = "growth with rules"
    size = form.size(Size(1_000_000, 50_000))
    taken = {}
    for rules in (16, 64, 256, 1024):
        log = log_of(size, types=tuple(f"type_{number}" for number in range(rules)))
        race = Race([Side(OURS, scored(log, model=lambda rules=rules: declared.many(rules)))], [AT_US])
        if rules == 1024:
            benchmark.pedantic(race.ours, setup=race.peers, rounds=5)
        else:
            for _ in range(5):
                race.peers()
                race.ours()
        taken[rules] = race.medians()[OURS]
        results.add("rules", str(rules), rules=rules, events=size.events, seconds=taken[rules])
    exponent = math.log(taken[1024] / taken[16], 64)
    results.add("rules", "exponent", value=exponent)
    assert exponent < 0.67, f"the time grows with the number of rules to the power of {exponent:.2f}"


def test_small(benchmark: BenchmarkFixture, form: Form, results: Results) -> None:
    """A thousand events are scored within a millisecond."""
    benchmark.group = "small"
    log, model, at = log_of(Size(1000, 100)), declared.sixteen(), instant(AT_US)
    events = ek.Events(log)
    benchmark.pedantic(lambda: model.score(log, at=at), rounds=200, warmup_rounds=20)
    median = {
        "score": statistics.median(benchmark.stats.stats.data),
        "score of ready events": _median(lambda: model.score(events, at=at)),
        "score and frame": _median(lambda: model.score(log, at=at).frame),
    }
    results.add("small", "1000 events", median=median)
    print(f"\na thousand events: {median['score'] * 1e3:.2f} ms")
    if not form.short:  # a busy machine hits a single short call hardest
        assert median["score"] < 1e-3, f"{median['score'] * 1e3:.2f} ms"


def _median(call: Callable[[], object]) -> float:
    """Time a call many times, one after the other, with the caches warm."""
    taken = []
    for _ in range(200):
        began = time.perf_counter()
        call()
        taken.append(time.perf_counter() - began)
    return statistics.median(taken)
