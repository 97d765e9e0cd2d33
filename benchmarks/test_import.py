"""What ``import engagekit`` costs, beside a bare interpreter and NumPy alone."""

import statistics
import subprocess
import sys

import pytest
from pytest_benchmark.fixture import BenchmarkFixture
from results import Results

TIMED = """
import sys, time
began = time.perf_counter()
import {module}
print(time.perf_counter() - began, "pandas" in sys.modules, "polars" in sys.modules, "pyarrow" in sys.modules)
"""


@pytest.mark.benchmark(group="import in a fresh interpreter")
@pytest.mark.parametrize("module", ["sys", "numpy", "engagekit"])
def test_import(benchmark: BenchmarkFixture, results: Results, module: str) -> None:
    """A fresh interpreter imports a module, and no frame library with it."""
    call = [sys.executable, "-c", TIMED.format(module=module)]
    inside: list[float] = []

    def fresh() -> None:
        seconds, *loaded = subprocess.run(call, check=True, capture_output=True, text=True).stdout.split()
        assert loaded == ["False"] * 3
        inside.append(float(seconds))

    benchmark.pedantic(fresh, rounds=15, warmup_rounds=1)
    results.add("import", module, seconds=statistics.median(inside))
    milliseconds = round(1000 * statistics.median(inside), 1)
    benchmark.extra_info["the import alone, ms"] = milliseconds
    print(f"\nimport {module}: {milliseconds} ms (median of {len(inside)})")
