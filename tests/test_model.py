"""The model as a whole: what it is made of, what it refuses, and what makes two of them the same."""

import copy
import itertools
import pickle
from datetime import timedelta

import attrs
import pytest
from declarations import models
from hypothesis import given

from engagekit.errors import ModelError
from engagekit.model import (
    Absence,
    All,
    Amount,
    AnyOf,
    Channel,
    Content,
    Criterion,
    Decay,
    Exclude,
    Fit,
    Levels,
    Lifecycle,
    Limit,
    Model,
    Momentum,
    Not,
    Persona,
    Phase,
    Qualification,
    Repeat,
    Rule,
    Scale,
    Signal,
    Trigger,
    field,
)

VISIT = {"name": "visit", "on": ["page_view"], "points": 1}
EVAL = {
    cls.__name__: cls
    for cls in (
        *(Absence, All, Amount, AnyOf, Channel, Decay, Exclude, Levels, Lifecycle, Limit, Model, Momentum),
        *(Not, Phase, Repeat, Rule, Scale, Signal),
        *(Content, Criterion, Fit, Persona, Qualification, Trigger),
    )
} | {"field": field}


@pytest.fixture
def model():
    """A model that uses everything once."""
    return Model(
        name="shop",
        rules=[
            Rule(
                name="pricing",
                on="page_view",
                points=6,
                where=field("url").contains("/pricing") & (field("seconds") >= 30),
                channel="web",
                decay=Decay.half_life("7d"),
                cap=30,
                limit=Limit(n=3, per="1d", by="session"),
                amount=Amount(field="depth", curve="log1p", scale=30, max=3, signed=True),
                weights={"device": {"mobile": 1.2}},
                half="prospect",
                intent="buy",
            ),
            Rule(name="order", on=["order", "won"], points=10, amount=Amount()),
        ],
        absences=[
            Absence(
                name="ignored",
                after="email_sent",
                unless=["open", "click"],
                within="7d",
                points=-1,
                by="campaign",
                channel="email",
            )
        ],
        repeats=[Repeat(name="hot", on="page_view", n=3, within="7d", points=20, by="page", channel="web")],
        signals=[Signal(name="won", on="deal_stage", where=field("stage") == "closedwon")],
        excludes=[Exclude(name="scanner", on="click", after="email_sent", within="2s", by="message")],
        channels={"web": Channel(cap=40)},
        passive="email_sent",
        decay="none",
        scale={"linear": 100},
        levels={"low": 2},
        momentum={"fast": "7d"},
        lifecycle={"customer_on": "won", "ends_on": ["contract_ended"]},
        phases=[{"name": "in", "half": "customer"}, Phase(name="out", half="prospect")],
        weights={"plan": {"pro": 2}},
        columns={"contact": "user_id", "unit": "ms"},
        fit=Fit(
            criteria=[Criterion(name="team", where=field("employees") >= 50, points=10)],
            grades={"good": 50, "poor": 0},
        ),
        qualification=Qualification(mql_min_engagement=50, rejected_on="lost", recycle_after="60d"),
        personas=[Persona(name="racer", where=field("discipline") == "road")],
        contents=[
            Content(
                id="guide",
                phase="out",
                channel="web",
                persona="racer",
                intent="buy",
                where=field("consent") == True,
                appeal="emotional",
            )
        ],
        triggers=[
            Trigger(
                name="hot",
                when=field("engagement") >= 60,
                was=field("phase") == "in",
                until=field("engagement") < 55,
                cooldown="30d",
            )
        ],
    )


# What it holds -----------------------------------------------------------------------------------------


def test_defaults():
    """A model of one rule has the defaults of the Customer Engagement Index."""
    model = Model(rules=[Rule(name="visit", on="page_view", points=1)])
    assert model.name == "model"
    assert model.decay == Decay.half_life(timedelta(days=30))
    assert model.scale == Scale.saturating(50)
    assert (model.levels.low, model.levels.medium, model.levels.high) == (1, 25, 50)
    assert model.momentum == Momentum(fast="14d", slow="56d")
    assert model.lifecycle is None
    assert model.passive == model.signals == model.excludes == model.absences == model.repeats == ()
    assert model.channels == model.weights == model.columns == {}
    entries = [(phase.name, phase.half, phase.min_engagement, phase.min_momentum) for phase in model.phases]
    assert entries == [
        ("sales", "prospect", 50, None),
        ("nurture", "prospect", 0, None),
        ("retention", "customer", 50, None),
        ("retention", "customer", 0, -0.33),
        ("exit", "customer", 0, None),
    ]


def test_no_phases_are_the_default():
    """An empty list of phases stands for the default ones."""
    assert Model.from_dict({"rules": [VISIT], "phases": []}) == Model.from_dict({"rules": [VISIT]})


def test_channel_names(model):
    """Channels come in the order in which rules, absences and repeats name them."""
    assert model.channel_names == ("web", "other", "email")


def test_fields(model):
    """Every field that a model reads is named, and none twice."""
    assert model.fields == {
        *("url", "seconds", "session", "depth", "device", "value"),
        *("campaign", "page", "stage", "message", "plan"),
    }


def test_intents_and_attributes(model):
    """Intents are named in the model's order, and attributes where they are no columns of the result."""
    assert model.intents == ("buy",)
    assert model.attributes == {"employees", "discipline", "consent"}
    assert model.evolve(personas=[Persona(name="racer", where=field("grade") == "good")]).attributes == {
        *("employees", "consent"),
    }


def test_result_columns(model):
    """A result has the columns of the lead side where the model declares them, and else none of them."""
    leads = ("intent", "fit", "fit_known", "grade", "rating", "stage", "persona", "content")
    assert model.result_columns[-9:] == ("channel_email", *leads)
    assert "fit" not in Model(rules=[Rule(name="visit", on="page_view", points=1)]).result_columns


def test_tables_stand_for_classes(model):
    """Wherever a class is taken, its table does."""
    given = {attribute.name: getattr(model, attribute.name) for attribute in attrs.fields(Model)}
    plain = model.to_dict()
    for name in plain:
        assert Model(**{**given, name: plain[name]}) == model


def test_attributes_are_immutable(model):
    """Nothing in a model can be changed."""
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        model.name = "other"
    with pytest.raises(TypeError):
        model.channels["web"] = Channel(cap=1)
    with pytest.raises(TypeError):
        model.rules[0].weights["device"]["mobile"] = 3.0
    with pytest.raises(AttributeError):
        model.weights.extra = 1
    with pytest.raises(AttributeError):
        del model.weights._items


def test_the_callers_mappings_are_copied():
    """A table that the caller changes later does not change the model."""
    channels, weights = {"other": {"cap": 3}}, {"device": {"tv": 2}}
    model = Model(rules=[VISIT], channels=channels, weights=weights)
    channels.clear()
    weights["device"]["tv"] = 5
    assert model.channels["other"].cap == 3
    assert model.weights["device"]["tv"] == 2


def test_evolve(model):
    """A copy with changes is checked as a new model is, and the model stays as it was."""
    changed = model.evolve(name="other", decay={"linear": "60d"})
    assert (changed.name, changed.decay) == ("other", Decay.linear("60d"))
    assert model.name == "shop"
    assert changed.fingerprint != model.fingerprint
    with pytest.raises(ModelError, match=r"channels\.web"):
        model.evolve(rules=model.rules[1:], repeats=[])
    with pytest.raises(TypeError, match="rulez"):
        model.evolve(rulez=[])


def test_repr_can_be_pasted_back(model):
    """The repr of a model is the Python that makes it."""
    assert eval(repr(model), EVAL) == model


def test_repr_leaves_defaults_out():
    """The repr of a small model is small."""
    model = Model(rules=[{**VISIT, "limit": {"n": 3, "per": "1d"}, "decay": "none"}])
    assert repr(model) == (
        "Model(rules=[Rule(name='visit', on=('page_view',), points=1.0, decay=Decay.none(), "
        "limit=Limit(n=3, per='1d'))])"
    )


@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_pickle(model, protocol):
    """A model comes back from a pickle, a fingerprint asked for before or not."""
    assert pickle.loads(pickle.dumps(model, protocol)) == model
    fingerprint = model.fingerprint
    assert pickle.loads(pickle.dumps(model, protocol)).fingerprint == fingerprint


def test_copies_and_hashes(model):
    """A deep copy is equal and hashes alike."""
    twin = copy.deepcopy(model)
    assert twin == model
    assert hash(twin) == hash(model)
    assert twin != model.evolve(name="other")


# Round trips -------------------------------------------------------------------------------------------


@given(models())
def test_a_model_says_it_all(model):
    """Its dict, its repr and its pickle make an equal model, which names no fault when asked again."""
    twin = Model.from_dict(model.to_dict())
    assert twin == model
    assert twin.fingerprint == model.fingerprint
    assert hash(twin) == hash(model)
    assert twin.to_dict() == model.to_dict()
    assert eval(repr(model), EVAL) == model
    assert pickle.loads(pickle.dumps(model)) == model
    assert list(model.faults()) == []


def test_the_dict_is_as_one_would_write_it(model):
    """Defaults are left out, durations are text, integral numbers are ints."""
    assert model.to_dict() == {
        "name": "shop",
        "columns": {"contact": "user_id", "unit": "ms"},
        "passive": ["email_sent"],
        "decay": "none",
        "scale": {"linear": 100},
        "levels": {"low": 2},
        "momentum": {"fast": "7d"},
        "lifecycle": {"customer_on": ["won"], "ends_on": ["contract_ended"]},
        "weights": {"plan": {"pro": 2}},
        "channels": {"web": {"cap": 40}},
        "signals": [{"name": "won", "on": ["deal_stage"], "where": {"stage": {"eq": "closedwon"}}}],
        "excludes": [
            {
                "name": "scanner",
                "on": ["click"],
                "after": ["email_sent"],
                "within": "2s",
                "by": "message",
            }
        ],
        "rules": [
            {
                "name": "pricing",
                "on": ["page_view"],
                "points": 6,
                "where": {"url": {"contains": "/pricing"}, "seconds": {"ge": 30}},
                "channel": "web",
                "decay": {"half_life": "7d"},
                "cap": 30,
                "limit": {"n": 3, "per": "1d", "by": "session"},
                "amount": {"field": "depth", "curve": "log1p", "scale": 30, "max": 3, "signed": True},
                "weights": {"device": {"mobile": 1.2}},
                "half": "prospect",
                "intent": "buy",
            },
            {"name": "order", "on": ["order", "won"], "points": 10, "amount": {}},
        ],
        "absences": [
            {
                "name": "ignored",
                "after": ["email_sent"],
                "unless": ["open", "click"],
                "within": "7d",
                "points": -1,
                "by": "campaign",
                "channel": "email",
            }
        ],
        "repeats": [
            {
                "name": "hot",
                "on": ["page_view"],
                "n": 3,
                "within": "7d",
                "points": 20,
                "by": "page",
                "channel": "web",
            }
        ],
        "phases": [{"name": "in", "half": "customer"}, {"name": "out", "half": "prospect"}],
        "fit": {
            "criteria": [{"name": "team", "where": {"employees": {"ge": 50}}, "points": 10}],
            "grades": {"good": 50, "poor": 0},
        },
        "qualification": {"mql_min_engagement": 50, "rejected_on": ["lost"], "recycle_after": "60d"},
        "personas": [{"name": "racer", "where": {"discipline": {"eq": "road"}}}],
        "contents": [
            {
                "id": "guide",
                "phase": "out",
                "channel": "web",
                "persona": "racer",
                "intent": "buy",
                "where": {"consent": {"eq": True}},
                "appeal": "emotional",
            }
        ],
        "triggers": [
            {
                "name": "hot",
                "when": {"engagement": {"ge": 60}},
                "was": {"phase": {"eq": "in"}},
                "until": {"engagement": {"lt": 55}},
                "cooldown": "30d",
            }
        ],
    }
    assert isinstance(model.to_dict()["rules"][0]["points"], int)


# The fingerprint ---------------------------------------------------------------------------------------


def test_fingerprint_is_fixed():
    """The fingerprint of a model is the same in every version that gives it the same meaning."""
    canonical = b'{"name":"shop","rules":[{"name":"visit","on":["page_view"],"points":1}]}'
    from hashlib import sha256

    assert Model(name="shop", rules=[VISIT]).fingerprint == sha256(canonical).hexdigest()


@pytest.mark.parametrize(
    "same",
    [
        {"columns": {"contact": "user_id"}},
        {"decay": {"half_life": "720h"}},
        {"decay": {"half_life": timedelta(days=30)}},
        {"scale": {"saturating": 50.0}},
        {"levels": {}},
        {"channels": {}},
        {"weights": {"device": {}}},
        {"phases": []},
        {"rules": [{**VISIT, "points": 1.0, "channel": "other", "half": "both", "on": "page_view"}]},
    ],
)
def test_fingerprint_ignores(same):
    """Columns, the writing of a number and what is said by default change no fingerprint."""
    plain = Model.from_dict({"rules": [VISIT]})
    assert Model.from_dict({"rules": [VISIT], **same}).fingerprint == plain.fingerprint


def test_fingerprint_tells_apart():
    """Whatever changes a number or a name changes the fingerprint."""
    changes = [
        {},
        {"name": "other"},
        {"passive": "x"},
        {"decay": "none"},
        {"decay": {"linear": "30d"}},
        {"scale": {"linear": 50}},
        {"levels": {"low": 2}},
        {"momentum": {"fast": "13d"}},
        {"lifecycle": {"customer_on": "x"}},
        {"channels": {"other": {}}},
        {"channels": {"other": {"cap": 1}}},
        {"rules": [{**VISIT, "points": 1.5}]},
        {"rules": [{**VISIT, "where": {"a": {"eq": 1}}}]},
        {"rules": [{**VISIT, "where": {"a": {"eq": True}}}]},
        {"rules": [{**VISIT, "where": {"a": {"eq": "1"}}}]},
        {"rules": [{**VISIT, "where": {"a": {"ne": 1}}}]},
    ]
    fingerprints = [Model.from_dict({"rules": [VISIT], **change}).fingerprint for change in changes]
    assert len(set(fingerprints)) == len(changes)
    assert all(len(fingerprint) == 64 for fingerprint in fingerprints)


def test_every_default_is_already_normalised():
    """What an attribute has by default is what its converter makes of it: else `to_dict` would write it."""
    model = Model(rules=[VISIT])
    assert model.to_dict() == {"rules": [{"name": "visit", "on": ["page_view"], "points": 1}]}
    things = [Amount(), Channel(), Levels(), Momentum()]
    assert list(itertools.chain.from_iterable(thing.to_dict() for thing in things)) == []
