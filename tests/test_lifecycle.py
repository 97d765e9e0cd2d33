"""From the score to the phase: scales, levels, momentum, the life cycle and its phases."""

import copy
import pickle
from datetime import timedelta

import attrs
import pytest

from engagekit.errors import ModelError
from engagekit.model import Levels, Lifecycle, Model, Momentum, Phase, Scale
from engagekit.model.lifecycle import CUSTOMER_ENGAGEMENT_INDEX

VISIT = {"name": "visit", "on": "page_view", "points": 1}


@pytest.mark.parametrize(
    ("forms", "kind", "value"),
    [
        ([Scale.saturating(50), Scale(saturating=50), {"saturating": 50.0}], "saturating", 50.0),
        ([Scale.linear(100), Scale(linear=100), {"linear": 100}], "linear", 100.0),
    ],
    ids=["saturating", "linear"],
)
def test_forms_of_a_scale(forms, kind, value):
    """A scale is made by a method, by a keyword or by its form in a model file, and is the same."""
    made = [Model(rules=[VISIT], scale=form).scale for form in forms]
    assert {(scale.kind, scale.value) for scale in made} == {(kind, value)}
    assert len(set(made)) == 1
    assert Model(rules=[VISIT], scale=made[0].to_dict()).scale == made[0]


@pytest.mark.parametrize("keys", [{}, {"saturating": 50, "linear": 100}])
def test_a_scale_is_of_one_kind(keys):
    """A scale without a kind, or of two, cannot be made."""
    with pytest.raises(ModelError, match='scale: expected one of "saturating" or "linear", got'):
        Scale(**keys)


@pytest.mark.parametrize("value", [0, -1, "50", True, float("inf")], ids=repr)
def test_a_scale_is_above_0(value):
    """A scale is a finite number above 0."""
    (fault,) = Scale.linear(value).faults()
    assert fault.startswith("scale.linear: expected a")


@pytest.mark.parametrize(
    ("bounds", "rises"),
    [((1, 25, 50), True), ((0, 0.5, 200), True), ((1, 1, 2), False), ((1, 3, 2), False), ((-5, 0, 5), True)],
)
def test_levels_rise(bounds, rises):
    """The bounds of the levels rise strictly."""
    low, medium, high = bounds
    faults = list(Levels(low=low, medium=medium, high=high).faults("levels"))
    assert (faults == []) == rises
    assert rises or faults == [f"levels: expected low < medium < high, got {low:g}, {medium:g}, {high:g}"]


def test_a_level_that_is_no_number_is_the_only_fault():
    """Bounds are not compared with what is no number."""
    assert list(Levels(medium="30").faults("levels")) == ["levels.medium: expected a number, got '30'"]


@pytest.mark.parametrize(("fast", "slow"), [("14d", "14d"), ("15d", "14d"), ("57d", "56d")])
def test_momentum_compares_two_half_lives(fast, slow):
    """The fast half-life is shorter than the slow one."""
    (fault,) = Momentum(fast=fast, slow=slow).faults("momentum")
    assert fault == f"momentum: expected fast < slow, got '{fast}' and '{slow}'"


def test_momentum_takes_durations():
    """The half-lives are durations, as text or not."""
    assert Momentum(fast="7d").fast == timedelta(days=7)
    assert Momentum(fast=timedelta(days=7), slow="4w") == Momentum(fast="1w", slow="28d")


def test_lifecycle_takes_one_type_or_several():
    """One string will do where a list of types is taken."""
    cycle = Lifecycle(customer_on="won")
    assert (cycle.customer_on, cycle.ends_on) == (("won",), ())
    assert Lifecycle(customer_on=["won"], ends_on="left").ends_on == ("left",)


def test_the_default_phases_leave_no_contact_without_one():
    """The last default phase of each half has no minima."""
    last = {phase.half: phase for phase in CUSTOMER_ENGAGEMENT_INDEX}
    assert {half: phase.name for half, phase in last.items()} == {"prospect": "nurture", "customer": "exit"}
    assert all(phase.catches_all for phase in last.values())


@pytest.mark.parametrize(
    ("keys", "catches_all"),
    [
        ({}, True),
        ({"min_engagement": 0}, True),
        ({"min_engagement": 0.1}, False),
        ({"min_momentum": -1}, False),
    ],
    ids=repr,
)
def test_what_catches_all(keys, catches_all):
    """A phase without minima catches every contact of its half."""
    assert Phase(name="p", half="customer", **keys).catches_all == catches_all


def test_a_phase_after_the_catch_all_must_be_one_too():
    """Only the last entry of a half counts: one with a minimum behind a catch-all is a fault."""
    phases = [
        {"name": "p", "half": "prospect"},
        {"name": "c", "half": "customer"},
        {"name": "d", "half": "customer", "min_engagement": 9},
    ]
    with pytest.raises(ModelError) as raised:
        Model(rules=[VISIT], phases=phases)
    assert raised.value.faults == (
        "phases[2]: a half without a catch-all last phase: 'd', the last of 'customer', must have no minima",
    )


def test_a_phase_may_stand_several_times():
    """Names of phases may repeat, within a half and between them."""
    phases = [
        Phase(name="a", half=half, min_engagement=bound)
        for bound in (9, 0)
        for half in ("prospect", "customer")
    ]
    assert Model(rules=[VISIT], phases=phases).phases == tuple(phases)


EVERY = [
    Scale.saturating(0.5),
    Scale.linear(100),
    Levels(low=2),
    Momentum(fast="7d"),
    Lifecycle(customer_on="won", ends_on=["a", "b"]),
    Phase(name="p", half="customer", min_engagement=50, min_momentum=-0.33),
]


@pytest.mark.parametrize("thing", EVERY, ids=str)
def test_declared_things(thing):
    """Everything declared is equal by value, hashes, pickles, shows as its Python, and cannot be changed."""
    names = {cls.__name__: cls for cls in (Scale, Levels, Momentum, Lifecycle, Phase)}
    assert list(thing.faults("x")) == []
    for twin in (pickle.loads(pickle.dumps(thing)), copy.deepcopy(thing), eval(repr(thing), names)):
        assert twin == thing
        assert hash(twin) == hash(thing)
    assert not hasattr(thing, "__dict__")
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        setattr(thing, attrs.fields(type(thing))[0].name, 1)
