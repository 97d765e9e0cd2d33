"""The plain words about a model are true, and complete."""

import re
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

import engagekit as ek
from engagekit.describe import describe

EXAMPLE = Path(__file__).resolve().parent.parent / "examples" / "models" / "grocery.toml"
AT = datetime(2026, 1, 1)
MODELS = {name: ek.presets.load(name) for name in ek.presets.names()} | {"grocery": ek.Model.load(EXAMPLE)}


def words(**declared: object) -> str:
    """Describe a small model on one line a sentence."""
    declared.setdefault("rules", [ek.Rule(name="visit", on="visit", points=1)])
    return describe(ek.Model(**declared), width=10_000)


def test_everything_a_rule_can_say() -> None:
    """Points, condition, amount, weights, decay, limit, cap and half of a rule are all told."""
    rule = ek.Rule(
        name="reading",
        on=["page_view", "video"],
        points=6,
        where=ek.field("url").contains("/pricing") & ~(ek.field("bot") == True),
        channel="web",
        decay=ek.Decay.half_life("1d"),
        cap=30,
        limit=ek.Limit(n=3, per="1d", by="url"),
        amount=ek.Amount(field="seconds", curve="log1p", scale=30, max=3, signed=True),
        weights={"device": {"mobile": 1.1}},
        half="prospect",
    )
    assert (
        'reading  +6 points for page_view or video where url contains "/pricing" and not (bot is true), '
        "times ln(1 + seconds/30) but at most 3, taken away where it is negative, times 1.1 where device "
        'is "mobile"; halved every day; 3 count per day and url; at most 30 points together; '
        "prospects only\n"
    ) in words(rules=[rule])


@pytest.mark.parametrize(
    ("decay", "said"),
    [
        (ek.Decay.none(), "kept for ever"),
        (ek.Decay.half_life("36h"), "halved every 36 hours"),
        (ek.Decay.linear("90d"), "fading evenly to nothing in 90 days"),
        (ek.Decay.window("1d"), "kept for 1 day, then gone"),
    ],
)
def test_how_long_points_last(decay: ek.Decay, said: str) -> None:
    """Each decay has its words, as the model's default and on a rule."""
    assert f"Points are {said}, unless a rule says otherwise." in words(decay=decay)
    rule = ek.Rule(name="visit", on="visit", points=1, decay=decay)
    assert f"+1 point for visit; {said}\n" in words(rules=[rule])


@pytest.mark.parametrize(
    ("where", "said"),
    [
        (ek.field("x") == "a", 'x is "a"'),
        (ek.field("x") != 2, "x is not 2"),
        (ek.field("x") < 2.5, "x is below 2.5"),
        (ek.field("x").between(1, 2), "x is from 1 to 2"),
        (ek.field("x").is_in(["a", "b"]), 'x is "a" or "b"'),
        (ek.field("x").not_in(["a", "b"]), 'x is known and not "a" nor "b"'),
        (ek.field("x").is_null(), "x is missing"),
        (ek.field("x").is_null(False), "x is known"),
        (ek.field("x").starts_with("a"), 'x starts with "a"'),
        (
            (ek.field("x") > 1) & ((ek.field("y") == "b") | (ek.field("z") >= 3)),
            'x is above 1 and (y is "b" or z is at least 3)',
        ),
    ],
)
def test_conditions(where: object, said: str) -> None:
    """Every operator has its words, and nesting is told by brackets."""
    assert f"for visit where {said}\n" in words(rules=[ek.Rule(name="v", on="visit", points=1, where=where)])


def test_what_is_not_a_plain_rule() -> None:
    """Absences, repeats, signals, exclusions, passive events, caps, weights and halves are told."""
    told = words(
        rules=[ek.Rule(name="visit", on="visit", points=1, channel="web")],
        absences=[
            ek.Absence(
                name="ignored", after="mail", unless=["open", "click"], within="7d", points=-1, by="campaign"
            )
        ],
        repeats=[ek.Repeat(name="again", on="visit", n=3, within="7d", points=20, channel="web")],
        signals=[ek.Signal(name="won", on="deal", where=ek.field("stage") == "won")],
        excludes=[ek.Exclude(name="scanner", on="click", after="mail", within="2s")],
        passive=["advert"],
        channels={"web": ek.Channel(cap=40)},
        weights={"country": {"DE": 2}},
        lifecycle=ek.Lifecycle(customer_on="won", ends_on="ended"),
    )
    for sentence in (
        "1 rule, 1 absence and 1 repeat in 2 channels.",
        'All points count times 2 where country is "DE".',
        'won  stands for deal where stage is "won"',
        "scanner  click, within 2 seconds after mail",
        "Points in web, at most 40 points in all",
        "-1 point for mail that no open or click follows within 7 days (of the same campaign)",
        "+20 points for every 3 of visit within 7 days",
        "all events but advert and mail, which are done to the contact",
        "until the first won",
        "ended by ended, until the next won",
        "every other customer, and whoever had ended since the last won",
    ):
        assert sentence in told


def test_bounds_are_told_as_scores() -> None:
    """What engagement a level or a phase asks for is also told as the score that reads so."""
    assert "low from 1 (a score of 0.72), medium from 25 (20.8), high from 50 (50)" in words()
    linear = words(scale=ek.Scale.linear(200))
    assert "the score in percent of 200, at most 100" in linear
    assert "low from 1 (a score of 2), medium from 25 (50), high from 50 (100)" in linear
    phases = [
        ek.Phase(name="sales", half="prospect", min_engagement=100),
        ek.Phase(name="nurture", half="prospect"),
        ek.Phase(name="all", half="customer"),
    ]
    assert "an engagement of at least 100, which no score reaches\n" in words(phases=phases)


def test_without_a_life_cycle_there_are_prospects_only() -> None:
    """Phases that nobody can reach are not told."""
    told = words()
    assert "every contact: the model has no life cycle" in told
    assert "retention" not in told


def test_no_name_moves_the_cursor() -> None:
    """Control characters in a model are shown as escapes."""
    told = words(rules=[ek.Rule(name="\x1b[2J", on="visit\x07", points=1)])
    assert "\\x1b[2J" in told and "visit\\x07" in told
    assert all(letter.isprintable() or letter == "\n" for letter in told)


def test_a_model_describes_itself() -> None:
    """`Model.describe` gives the same words as the command line."""
    model = MODELS["grocery"]
    assert model.describe() == describe(model)
    assert model.describe().startswith("grocery: 3 rules, 1 absence and 1 repeat in 2 channels.")


@pytest.mark.parametrize("name", MODELS)
def test_lines_fit(name: str) -> None:
    """No line is wider than asked for."""
    assert max(len(line) for line in describe(MODELS[name], width=90).splitlines()) <= 90


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("phase", ["sales", "retention"])
def test_the_examples_hold(name: str, phase: str) -> None:
    """Whoever does what the example of a phase says is in that phase."""
    model = MODELS[name]
    said = re.search(rf"\n  {phase} .*?; for instance (.*?)\n", describe(model, width=10_000))
    assert said is not None
    rules = {rule.name: rule for rule in model.rules}
    signals = {signal.name: signal.on for signal in model.signals}

    def plain(type_: str) -> str:
        return plain(signals[type_][0]) if type_ in signals else type_

    days = re.search(r"every (?:(\d+) days|day)$", said[1])
    ages = range(0, 3650, int(days[1] or 1)) if days else [0]
    rows: list[tuple[str, datetime, float | None]] = []
    for rule, amount in re.findall(r"one (\w+)(?: of \w+ ([\d.]+))? \(", said[1]):
        kind = plain(rules[rule].on[0])
        rows += [(kind, AT - timedelta(days=age), float(amount) if amount else None) for age in ages]
    assert rows
    if phase == "retention":
        assert model.lifecycle is not None
        rows.append((plain(model.lifecycle.customer_on[0]), AT - timedelta(days=4000), None))
    types, times, values = zip(*rows, strict=True)
    events = {
        "contact": ["somebody"] * len(rows),
        "type": list(types),
        "time": np.array(times, "datetime64[us]"),
        "value": np.array(values, float),
    } | {field: [None] * len(rows) for field in model.fields - {"value"}}
    for field in ("coupon_disc", "seconds"):
        if field in model.fields:
            events[field] = np.full(len(rows), np.nan)
    mapping = {"contact": "contact", "type": "type", "time": "time"}
    scores = model.score(events, at=AT, **mapping).columns()
    assert (scores["phase"][0], scores["engagement"][0] >= 50) == (phase, True)
