"""Every vector path, and any number of threads, gives the same bits."""

import os
import subprocess
import sys

import numpy as np
import pytest
from agreement import score_case
from hypothesis import given
from shapes import PLAIN, moment
from strategies import cases

import engagekit as ek
from engagekit import _core

PATHS = _core.vector_paths()
AT = 1_709_251_200_000_000
HOUR = 3_600_000_000


@pytest.fixture(autouse=True)
def _as_it_was():
    """Take back the path that the processor's best is."""
    taken = _core.vector_path()
    yield
    _core.vector_path(taken)


def bits(scores):
    """Give a result's columns as bytes."""
    return {
        name: values.tolist() if values.dtype == object else values.tobytes()
        for name, values in scores.columns().items()
    }


def busy():
    """Declare a model of every kind of rule, and draw a year of events of some hundred contacts."""
    rules = [
        ek.Rule(name=f"r{n}", on=f"t{n % 5}", points=n - 1.5, channel=f"c{n % 3}", decay=decay, cap=9.0)
        for n, decay in enumerate(
            [{"half_life": "7d"}, {"half_life": "45h"}, {"linear": "60d"}, {"window": "14d"}, "none"]
        )
    ]
    model = ek.Model(
        rules=[*rules, ek.Rule(name="few", on="t1", points=3, limit=ek.Limit(n=2, per="1d"))],
        absences=[ek.Absence(name="ignored", after="t2", unless="t3", within="3d", points=-1)],
        repeats=[ek.Repeat(name="hot", on="t4", n=3, within="7d", points=5)],
        lifecycle=ek.Lifecycle(customer_on="t0"),
    )
    rng = np.random.default_rng(11)
    ages = np.concatenate([rng.integers(0, 365 * 24 * HOUR, 9_000), rng.integers(0, 2**55, 1_000)])
    events = {
        "contact": rng.integers(0, 400, len(ages)),
        "type": [f"t{n}" for n in rng.integers(0, 5, len(ages))],
        "time": (AT - ages).astype("datetime64[us]"),
    }
    return model, events


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("threads", [1, 2, 3, 8])
def test_same_bits(path, threads):
    """Each vector path on any number of threads gives the bits of the plainest on one."""
    model, events = busy()
    _core.vector_path("baseline")
    plain = bits(model.score(events, at=moment(AT), threads=1))
    _core.vector_path(path)
    assert bits(model.score(events, at=moment(AT), threads=threads)) == plain


@given(cases())
def test_same_bits_of_any_model(case):
    """Each vector path gives the bits of the plainest, whatever the model."""
    _core.vector_path("baseline")
    plain = bits(score_case(case, PLAIN))
    for path in PATHS:
        if path != "baseline":
            _core.vector_path(path)
            assert bits(score_case(case, PLAIN)) == plain


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("threads", [1, 2, 3, 8])
def test_same_bits_of_histories(path, threads):
    """Each vector path on any number of threads gives the same history."""
    model, events = busy()
    grid = {"start": moment(AT - 200 * 24 * HOUR), "end": moment(AT), "every": "5d"}
    _core.vector_path("baseline")
    plain = model.history(events, threads=1, **grid)
    _core.vector_path(path)
    made = model.history(events, threads=threads, **grid)
    assert {name: column.tolist() for name, column in made.items() if column.dtype == object} == {
        name: column.tolist() for name, column in plain.items() if column.dtype == object
    }
    for name, column in plain.items():
        if column.dtype != object:
            assert made[name].tobytes() == column.tobytes(), name


def test_unknown_path():
    """A path that the processor does not have is refused, and the one taken stays."""
    taken = _core.vector_path()
    with pytest.raises(ValueError, match=r"expected one of .*baseline, .* got 'neon9'"):
        _core.vector_path("neon9")
    assert _core.vector_path() == taken


@pytest.mark.parametrize("path", PATHS)
def test_asked_for_by_the_environment(path):
    """ENGAGEKIT_SIMD chooses the path that is taken when the module is loaded."""
    shown = subprocess.run(
        [sys.executable, "-c", "from engagekit import _core; print(_core.vector_path())"],
        env={**os.environ, "ENGAGEKIT_SIMD": path},
        capture_output=True,
        text=True,
        check=True,
    )
    assert shown.stdout.split() == [path]


def test_unknown_path_in_the_environment():
    """ENGAGEKIT_SIMD with a path that the processor does not have is an error that names those it has."""
    shown = subprocess.run(
        [sys.executable, "-c", "from engagekit import _core"],
        env={**os.environ, "ENGAGEKIT_SIMD": "neon9"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "ENGAGEKIT_SIMD: expected one of" in shown.stderr
    assert "baseline" in shown.stderr
    assert "'neon9'" in shown.stderr
