"""What it costs to show somebody: a meter, a card, a live card."""

import declared
import numpy as np
import pytest
from form import Form
from pytest_benchmark.fixture import BenchmarkFixture
from results import Results
from synthetic import AT_US, Size, log_of
from workloads import instant

import engagekit as ek

LIMIT = 0.002
"""Seconds that a card may take once its contact has been scored."""
SIZE = Size(10_000_000, 500_000)


TYPICAL, HEAVY = 20, 500
"""Events of a contact: the usual number, and one that few have."""


@pytest.fixture(scope="module")
def many(form: Form) -> ek.Scores:
    """Score half a million contacts."""
    return declared.sixteen().score(log_of(form.size(SIZE)), at=instant(AT_US))


@pytest.mark.parametrize("events", [TYPICAL, HEAVY])
def test_card(
    benchmark: BenchmarkFixture, form: Form, results: Results, many: ek.Scores, events: int
) -> None:
    """A card of one among half a million contacts, of few events or of many, is there in 2 ms."""
    columns = many.columns()
    place = int(np.abs(columns["events"] - events).argmin())
    contact, count = columns["contact"][place].item(), int(columns["events"][place])
    benchmark.group = f"the card of a contact with {events} events"
    card = benchmark.pedantic(lambda: many.card(contact), rounds=form.rounds(200), warmup_rounds=5)
    score = many.explain(contact).score
    assert f"Why {score:,.1f} points" in card.html
    seconds = float(benchmark.stats.stats.median)
    name = "card" if events == TYPICAL else "heavy card"
    results.add("show", name, events=count, bytes=len(card.html), seconds=seconds)
    print(f"\na card of {len(card.html) / 1e3:.1f} kB and {count} events in {seconds * 1e3:.2f} ms")
    if not form.short:
        assert seconds < LIMIT


def test_live_card(benchmark: BenchmarkFixture, form: Form, results: Results) -> None:
    """A live state's card, which reads no events, is there sooner."""
    live = ek.Live(declared.sixteen())
    log = log_of(Size(100_000, 5_000))
    live.ingest(log)
    contact = log["contact"][0]
    benchmark.group = "a live contact's card"
    card = benchmark.pedantic(
        lambda: live.card(contact, at="latest"), rounds=form.rounds(200), warmup_rounds=5
    )
    assert f"Why {live.score(contact, at='latest').score:,.1f} points" in card.html
    seconds = float(benchmark.stats.stats.median)
    results.add("show", "live card", bytes=len(card.html), seconds=seconds)
    print(f"\na live card of {len(card.html) / 1e3:.1f} kB in {seconds * 1e3:.2f} ms")


def test_gauge(benchmark: BenchmarkFixture, form: Form, results: Results) -> None:
    """The meter alone is a fraction of that."""
    log = log_of(Size(100_000, 5_000))
    card = declared.sixteen().score(log, at=instant(AT_US)).card(log["contact"][0])
    benchmark.group = "a meter"
    drawn = benchmark.pedantic(lambda: card.gauge, rounds=form.rounds(200), warmup_rounds=5)
    assert drawn.startswith("<svg")
    seconds = float(benchmark.stats.stats.median)
    results.add("show", "gauge", bytes=len(drawn), seconds=seconds)
    print(f"\na meter of {len(drawn) / 1e3:.1f} kB in {seconds * 1e3:.2f} ms")
