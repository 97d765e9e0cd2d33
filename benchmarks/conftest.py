"""The option and the fixtures of the benchmarks."""

import polars as pl
import pytest
from synthetic import Size, Table, year_of_events


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add ``--short``: a tenth of the events, for a machine that only wants to see that all of it runs."""
    parser.addoption("--short", action="store_true", help="a tenth of the events, and bounds with some slack")


@pytest.fixture(scope="session")
def size(request: pytest.FixtureRequest) -> Size:
    """Return ten million events of half a million contacts, or a tenth of that."""
    if request.config.getoption("--short"):
        return Size(1_000_000, 50_000, 10.0, 96 << 20)
    return Size(10_000_000, 500_000, 0.0, 0)


@pytest.fixture(scope="session", params=["string", "categorical"])
def table(request: pytest.FixtureRequest, size: Size, tmp_path_factory: pytest.TempPathFactory) -> Table:
    """Write a year of events, its types held as text or as a categorical."""
    frame = year_of_events(size, categorical=request.param == "categorical")
    path = tmp_path_factory.mktemp("events") / f"{request.param}.arrow"
    # Uncompressed, the file is as large as the frame in memory; polars' own estimate leaves out string views.
    frame.write_ipc(path, compression="uncompressed")
    return Table(path, pl.read_ipc(path))
