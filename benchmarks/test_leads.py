"""How long the fit of a table of contacts takes."""

from attributes import by_polars, model_of, ours, table_of
from form import Form
from pytest_benchmark.fixture import BenchmarkFixture
from race import OURS, Race, Side
from results import Results
from synthetic import Size

MOST_SECONDS = 1.0


def test_fit(benchmark: BenchmarkFixture, form: Form, results: Results) -> None:
    """A million contacts are asked twenty criteria within a second, and the answers are those of Polars."""
    size = form.size(Size(1_000_000, 1_000_000))
    table, model = table_of(size.contacts), model_of()
    sides = [Side(OURS, lambda _: ours(model, table)), Side("Polars", lambda _: by_polars(model, table))]
    race = Race(sides, [0])
    rows = race.compare()
    benchmark.group = "the fit of a table of contacts"
    benchmark.pedantic(race.ours, setup=race.peers, rounds=form.rounds(7))
    taken = race.medians()
    results.add("leads", "fit", contacts=rows, criteria=20, seconds=taken, ratio=race.ratio)
    print(f"\nthe fit of {rows:,} contacts: {taken[OURS]:.3f} s, Polars {taken['Polars']:.3f} s")
    if not form.short:
        best = min(race.seconds[OURS])
        assert best < MOST_SECONDS, f"{best:.2f} s for {rows:,} contacts"
