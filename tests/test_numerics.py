"""Decayed points against decimals of sixty digits."""

from decimal import Decimal, localcontext

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracle_events import DAY, UNITS
from shapes import cells_of, moment

import engagekit as ek

AT = 1_709_294_400_000_000
YEARS = 20 * 365 * DAY
SMALLEST = 1022
"""Half-lives after which what is left of one point is no normal double."""
WHOLE_SECONDS = st.integers(1, YEARS // UNITS["s"]).map(lambda s: s * UNITS["s"])
HALF_LIVES = WHOLE_SECONDS | st.integers(UNITS["s"], YEARS)


def remainder(age, half_life):
    """Tell to sixty digits what is left of one point."""
    return Decimal(2) ** (Decimal(-age) / Decimal(half_life))


def scores_of(ages, half_life, contacts):
    """Score events of one point each."""
    decay = {"half_life": f"{half_life}us"}
    model = ek.Model.from_dict({"rules": [{"name": "x", "on": "x", "points": 1, "decay": decay}]})
    events = {
        "contact": np.asarray(contacts),
        "type": ["x"] * len(ages),
        "time": np.array([AT - age for age in ages], "datetime64[us]"),
    }
    return [float(x) for x in cells_of(model.score(events, at=moment(AT)).frame)["score"]]


def relative_errors(made, exact):
    """Compare doubles with decimals."""
    return [float(abs(Decimal(a) - b) / b) for a, b in zip(made, exact, strict=True)]


@given(HALF_LIVES, st.lists(st.integers(0, YEARS) | st.floats(0, SMALLEST), min_size=1, max_size=40))
def test_one_event(half_life, drawn):
    """What is left of one point is right to 1e-14 for half-lives from a second to twenty years."""
    # Floats count half-lives, so that short ones too are met in all their range.
    ages = [age if isinstance(age, int) else int(age * half_life) for age in drawn]
    ages = [age for age in ages if age <= min(YEARS, SMALLEST * half_life)] or [0]
    with localcontext(prec=60):
        exact = [remainder(age, half_life) for age in ages]
        made = scores_of(ages, half_life, range(len(ages)))
        assert max(relative_errors(made, exact)) < 1e-14


@given(HALF_LIVES)
def test_whole_half_lives_are_exact(half_life):
    """After whole half-lives the remainder is an exact power of two."""
    count = min(SMALLEST, YEARS // half_life)
    made = scores_of([k * half_life for k in range(count + 1)], half_life, range(count + 1))
    assert made == [2.0**-k for k in range(count + 1)]


@pytest.mark.parametrize("half_life", [UNITS["h"], DAY, 30 * DAY, 3000 * DAY])
def test_many_events(half_life):
    """The sum of thousands of events is right to 1e-14 too: what is added last is not lost."""
    random = np.random.default_rng(3)
    ages = [int(age) for age in random.uniform(0, 1, 5000) ** 3 * min(YEARS, 500 * half_life)]
    with localcontext(prec=60):
        exact = sum(remainder(age, half_life) for age in ages)
        made = scores_of(ages, half_life, [1] * len(ages))
        assert relative_errors(made, [exact])[0] < 1e-14


def test_nothing_left():
    """What is left after more half-lives than a double holds is zero or next to it, never an error."""
    made = scores_of([YEARS, 1100 * UNITS["s"], 1060 * UNITS["s"]], UNITS["s"], [1, 2, 3])
    assert made[:2] == [0.0, 0.0]
    assert 0 < made[2] < 1e-300


def test_momentum_in_a_long_silence():
    """Momentum of events hundreds of half-lives old is still the ratio of the two paces."""
    model = ek.Model.from_dict({"rules": [{"name": "x", "on": "x", "points": 1}]})
    model = model.evolve(momentum={"fast": "1s", "slow": "2s"})
    ages = [k * UNITS["s"] for k in (4, 40, 2000, 10**7)]
    times = np.array([AT - age for age in ages], "datetime64[us]")
    told = model.score({"contact": np.arange(4), "type": ["x"] * 4, "time": times}, at=moment(AT))
    for made, age in zip(cells_of(told.frame)["momentum"], ages, strict=True):
        with localcontext(prec=60):
            # F/W = 2 * 2^(-age/2s) for a single event.
            ratio = 2 * Decimal(2) ** (Decimal(-age) / Decimal(2 * UNITS["s"]))
            assert float(made) == pytest.approx(float((ratio - 1) / (ratio + 1)), abs=1e-14)
