"""How long a report takes, and how large it is."""

from pathlib import Path
from statistics import median
from time import perf_counter

from declared import everything
from form import Form
from results import Results
from synthetic import AT_US, Size, log_of
from workloads import instant

MOST_SECONDS = 5.0
MOST_BYTES = 2_000_000


def test_report(form: Form, results: Results, folder: Path) -> None:
    """Half a million contacts are reported within five seconds, in a file of less than two megabytes."""
    size = form.size(Size(5_000_000, 500_000))
    scores = everything().score(log_of(size, messages=True), at=instant(AT_US))
    file = folder / "report.html"
    taken = []
    for _ in range(form.rounds(5)):
        before = perf_counter()
        scores.report(file)
        taken.append(perf_counter() - before)
    weight = file.stat().st_size
    assert f"{len(scores):,}" in file.read_text("utf-8")
    results.add("report", "report", contacts=len(scores), seconds=median(taken), bytes=weight)
    print(f"\nthe report of {len(scores):,} contacts: {median(taken):.2f} s, {weight / 1000:,.0f} kB")
    assert weight < MOST_BYTES
    if not form.short:
        assert min(taken) < MOST_SECONDS, f"{min(taken):.2f} s for {len(scores):,} contacts"
