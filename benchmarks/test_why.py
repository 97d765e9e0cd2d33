"""What it costs to ask why: two results compared, one contact explained."""

import declared
from attrs import evolve
from form import Form
from pytest_benchmark.fixture import BenchmarkFixture
from results import Results
from synthetic import AT_US, Size, log_of
from workloads import instant

import engagekit as ek

LIMIT = 2.0
"""Seconds that the full form may take to compare half a million contacts, the reasons included."""
EDITED = 2.5
"""What the edited model multiplies a quarter of the points by."""
SIZE = Size(10_000_000, 500_000)


def edited() -> ek.Model:
    """Declare the sixteen rules, every fourth of them worth more."""
    model = declared.sixteen()
    rules = [
        evolve(rule, points=rule.points * EDITED) if number % 4 == 0 else rule
        for number, rule in enumerate(model.rules)
    ]
    return model.evolve(name="edited", rules=rules)


def test_compare(benchmark: BenchmarkFixture, form: Form, results: Results) -> None:
    """Scores of two models are compared, and every change has the rule behind it, in two seconds."""
    size = form.size(SIZE)
    events = ek.Events(log_of(size))
    now, then = (model.score(events, at=instant(AT_US)) for model in (declared.sixteen(), edited()))
    benchmark.group = "two models compared"
    found = benchmark.pedantic(lambda: now.compare(then), rounds=form.rounds(7))
    assert found.changed > size.contacts // 50
    assert set(found.moves["level"]) >= {("none", "low"), ("low", "medium")}
    rules = set(found.frame["rule"].drop_nulls().unique().to_list())
    assert rules == {rule.name for number, rule in enumerate(declared.sixteen().rules) if number % 4 == 0}
    seconds = float(benchmark.stats.stats.median)
    results.add("why", "compare", contacts=size.contacts, changed=found.changed, seconds=seconds)
    print(f"\n{found.changed:,} of {size.contacts:,} contacts changed, compared in {seconds:.2f} s")
    if not form.short:
        assert seconds < LIMIT


def test_explain(benchmark: BenchmarkFixture, form: Form, results: Results) -> None:
    """The busiest contact is explained, event by event, without a look at anybody else's events."""
    log = log_of(form.size(SIZE))
    scores = declared.sixteen().score(log, at=instant(AT_US))
    busiest = log["contact"].value_counts(sort=True)["contact"][0]
    benchmark.group = "one contact explained"
    whole = benchmark.pedantic(lambda: scores.explain(busiest, events=True), rounds=form.rounds(15))
    assert abs(whole.frame["contribution"].sum() - whole.score) < 1e-9 * whole.score
    seconds = float(benchmark.stats.stats.median)
    results.add("why", "explain", events=len(whole), seconds=seconds)
    print(f"\n{len(whole):,} events of one contact explained in {seconds * 1e3:.1f} ms")
