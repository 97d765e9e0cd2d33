"""The options of the benchmarks, and what becomes of their figures."""

import os
from collections.abc import Iterator
from pathlib import Path

# Two threads for everybody: polars reads this when it is first imported, and who does not ask sees two cores.
os.environ["POLARS_MAX_THREADS"] = "2"
if hasattr(os, "sched_setaffinity"):
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:2])

import pytest
from form import Form
from results import BUILD, RECORDED, RESULTS, Results, loaded, write

RESULTS_OF_RUN = pytest.StashKey[Results]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add ``--short`` and ``--record``."""
    parser.addoption("--short", action="store_true", help="a tenth of the events; holds recorded ratios")
    parser.addoption("--record", action="store_true", help="keep the figures: of the full form for the docs")


def pytest_configure(config: pytest.Config) -> None:
    """Begin with no figures."""
    config.stash[RESULTS_OF_RUN] = Results("short" if config.getoption("--short") else "full")


@pytest.fixture(scope="session")
def form(request: pytest.FixtureRequest) -> Form:
    """Return the form that was asked for."""
    return Form(short=request.config.getoption("--short"))


@pytest.fixture(scope="session")
def guarded(request: pytest.FixtureRequest, form: Form) -> bool:
    """Tell whether recorded ratios must be held."""
    return form.short and not request.config.getoption("--record")


@pytest.fixture(scope="session")
def results(request: pytest.FixtureRequest) -> Results:
    """Return where figures are kept."""
    return request.config.stash[RESULTS_OF_RUN]


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """Return a folder whose large files go with the test."""
    yield tmp_path
    for path in tmp_path.iterdir():
        if path.is_file():
            path.unlink()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Write the figures down and show the table."""
    results = config.stash[RESULTS_OF_RUN]
    if not results.sections:
        return
    target = BUILD / f"{results.form}.json"
    write(target, results.as_json())
    kept = [target]
    if config.getoption("--record"):
        if results.form == "short":
            write(RECORDED, results.ratios(loaded(RECORDED)))
            kept.append(RECORDED)
        else:
            from page import render

            write(RESULTS, results.as_json(loaded(RESULTS)))
            kept += [RESULTS, *render()]
    if "workloads" in results.sections:
        terminalreporter.section("ratios of medians, interleaved, two threads each")
        terminalreporter.write_line(results.table())
    terminalreporter.write_line(f"\nwritten: {', '.join(os.path.relpath(path) for path in kept)}")
