"""What a model refuses: every fault, with its path, all of them in one error."""

import math

import pytest

from engagekit.errors import ModelError
from engagekit.model import Absence, Model, Momentum, Rule
from engagekit.model.across import MOST_FAULTS

VISIT = {"name": "visit", "on": ["page_view"], "points": 1}
DICT = "a table (a dict)"
DECAY = 'a decay such as Decay.half_life("7d"), in a file { half_life = "7d" }, or "none"'
CONDITION = (
    'a condition such as field("url").contains("/pricing"), in a file { url = { contains = "/pricing" } }'
)
RULE = f"a Rule, or {DICT} with name, on and points"


def faults_of(**table):
    """List the faults of a table that is given a sound rule where it has none."""
    with pytest.raises(ModelError) as raised:
        Model.from_dict({"rules": [VISIT], **table})
    return list(raised.value.faults)


def test_a_trigger_is_shown_one_of_its_own_conditions():
    """Where a trigger has no condition, the example is of a result, not of a page."""
    assert faults_of(triggers=[{"name": "hot", "when": "engagement >= 50"}]) == [
        (
            'triggers[0].when: expected a condition such as field("engagement") >= 50, in a file '
            "{ engagement = { ge = 50 } }, got 'engagement >= 50' [trigger 'hot']"
        )
    ]


def test_one_alone_is_told_to_go_into_a_list():
    """What is declared alone where a list is expected is named, and the way out."""
    assert faults_of(rules=Rule(name="v", on="v", points=1)) == [
        f"rules: expected a list, each entry {RULE}, got a Rule: put it into a list"
    ]


def rule_faults(keys):
    """List the faults of one rule, without its name."""
    return [fault.removesuffix(" [rule 'visit']") for fault in faults_of(rules=[{**VISIT, **keys}])]


def test_ten_faults_at_once():
    """One error lists every fault of a model, each after its path."""
    assert faults_of(
        nmae="shop",
        decay={"half_life": "1y"},
        scale={"saturating": 0},
        levels={"low": 30},
        rules=[
            {"name": "a", "on": [], "points": "six", "chanel": "web"},
            {"on": "x", "points": True},
        ],
        channels={"web": {"cap": math.inf}},
        phases=[{"name": "all", "half": "prospect"}],
    ) == [
        'nmae: unknown key, did you mean "name"?',
        (
            "decay.half_life: expected a duration such as \"7d\", got '1y' "
            "(months and years differ in length: say it in days)"
        ),
        "scale.saturating: expected a number above 0, got 0.0",
        "levels: expected low < medium < high, got 30, 25, 50",
        "channels.web.cap: expected a finite number, got inf",
        "rules[0].chanel: unknown key, did you mean \"channel\"? [rule 'a']",
        "rules[0].on: expected at least one event type, got none [rule 'a']",
        "rules[0].points: expected a number, got 'six' [rule 'a']",
        "rules[1].name: missing",
        "rules[1].points: expected a number, got True",
        "channels.web: no rule, absence or repeat is in this channel",
        "phases: a half without a catch-all last phase: 'customer' has no phase at all",
    ]


def test_the_constructor_lists_all_faults_too():
    """Python code gets the same one error as a file does."""
    with pytest.raises(ModelError) as raised:
        Model(
            rules=[Rule(name="visit", on="page_view", points="six", decay={"half_life": "1y"})],
            absences=[Absence(name="visit", after="a", unless="b", within=7, points=1)],
            momentum=Momentum(fast="9d", slow="9d"),
        )
    assert [fault.partition(":")[0] for fault in raised.value.faults] == [
        "momentum",
        "rules[0].points",
        "rules[0].decay.half_life",
        "absences[0].within",
        "absences[0].name",
    ]


def test_no_rule_at_all():
    """A model without rule, absence and repeat scores nothing, and is refused."""
    expected = ["rules: expected at least one rule, absence or repeat"]
    assert faults_of(rules=[]) == expected
    with pytest.raises(ModelError) as raised:
        Model()
    assert list(raised.value.faults) == expected


@pytest.mark.parametrize("part", ["absences", "repeats"])
def test_a_model_needs_no_rule(part):
    """An absence or a repeat alone makes a model."""
    entry = {
        "absences": {"name": "a", "after": "x", "unless": "y", "within": "7d", "points": 1},
        "repeats": {"name": "r", "on": "x", "n": 2, "within": "7d", "points": 1},
    }[part]
    assert len(getattr(Model.from_dict({part: [entry]}), part)) == 1


@pytest.mark.parametrize(
    ("table", "fault"),
    [
        ({"name": ""}, "name: expected text, got an empty one"),
        ({"name": 3}, "name: expected text, got 3"),
        ({"name": "\ud800"}, r"name: expected valid Unicode text, got '\ud800'"),
        ({"extend": "saas"}, 'extend: unknown key, did you mean "extends"?'),
        ({"removed": "saas"}, 'removed: unknown key, did you mean "remove"?'),
        ({"rules": 3}, f"rules: expected a list, each entry {RULE}, got 3"),
        (
            {"rules": {"a": VISIT}},
            f"rules: expected a list, each entry {RULE}, got {DICT}",
        ),
        (
            {"rules": [VISIT, 5]},
            f"rules[1]: expected {RULE}, got 5",
        ),
        ({"rules": None}, f"rules: expected a list, each entry {RULE}, got None"),
        ({"passive": 3}, "passive: expected an event type or a list of them, got 3"),
        ({"passive": ["a", 3]}, "passive[1]: expected text, got 3"),
        ({"passive": ["a", "a"]}, "passive[1]: 'a' stands here twice"),
        (
            {"decay": "nun"},
            f"decay: expected {DECAY}, got 'nun'",
        ),
        ({"decay": None}, f"decay: expected {DECAY}, got None"),
        ({"decay": {"half_lif": "7d"}}, 'decay.half_lif: unknown key, did you mean "half_life"?'),
        ({"decay": {}}, 'decay: expected one of "half_life", "linear" or "window", got none of them'),
        (
            {"decay": {"linear": "7d", "window": "7d"}},
            'decay: expected one of "half_life", "linear" or "window", got 2 of them',
        ),
        ({"decay": {"linear": "0d"}}, "decay.linear: expected a duration above 0, got '0d'"),
        ({"scale": {"saturating": "50"}}, "scale.saturating: expected a number, got '50'"),
        ({"scale": {"linear": -1}}, "scale.linear: expected a number above 0, got -1.0"),
        (
            {"scale": {"saturating": 1, "linear": 2}},
            'scale: expected one of "saturating" or "linear", got 2 of them',
        ),
        (
            {"scale": 50},
            'scale: expected a Scale, or a table (a dict) with one of "saturating" or "linear", got 50',
        ),
        ({"levels": {"low": 25}}, "levels: expected low < medium < high, got 25, 25, 50"),
        ({"levels": {"hi": 60}}, 'levels.hi: unknown key, did you mean "high"?'),
        ({"levels": {"low": "1"}}, "levels.low: expected a number, got '1'"),
        ({"levels": {"high": math.nan}}, "levels.high: expected a finite number, got nan"),
        ({"momentum": {"fast": "56d"}}, "momentum: expected fast < slow, got '56d' and '56d'"),
        (
            {"momentum": {"slow": 3}},
            'momentum.slow: expected a duration such as "7d", got 3 (a bare number has no unit)',
        ),
        ({"lifecycle": {}}, "lifecycle.customer_on: missing"),
        (
            {"lifecycle": {"customer_on": []}},
            "lifecycle.customer_on: expected at least one event type, got none",
        ),
        (
            {"lifecycle": {"customer_on": "a", "ends_on": [""]}},
            "lifecycle.ends_on[0]: expected text, got an empty one",
        ),
        (
            {"lifecycle": "won"},
            "lifecycle: expected a Lifecycle, or a table (a dict) with customer_on, got 'won'",
        ),
        ({"weights": []}, "weights: expected a table (a dict) of factors by field and value, got a list"),
        (
            {"weights": {"device": 2}},
            "weights.device: expected a table (a dict) of factors such as { mobile = 1.2 }, got 2",
        ),
        ({"weights": {"a b": {"c d": -1}}}, "weights.'a b'.'c d': expected a number of at least 0, got -1.0"),
        ({"weights": {"a": {"b": math.inf}}}, "weights.a.b: expected a finite number, got inf"),
        ({"weights": {"a": {"b": True}}}, "weights.a.b: expected a number, got True"),
        ({"weights": {"a": {1: 2, "1": 3}}}, "weights.a: the same value stands here twice, as 1 and '1'"),
        ({"weights": {3: {"a": 1}}}, "weights.3: expected text, got 3"),
        ({"weights": {"a": {None: 1}}}, "weights.a.None: expected text, got None"),
        (
            {"channels": []},
            f"channels: expected {DICT} by name, each entry a Channel, or {DICT} of cap, got a list",
        ),
        (
            {"channels": {"other": 40}},
            "channels.other: expected a Channel, or a table (a dict) of cap, got 40",
        ),
        ({"channels": {"other": {"cap": 0}}}, "channels.other.cap: expected a number above 0, got 0.0"),
        ({"channels": {"other": {"cpa": 1}}}, 'channels.other.cpa: unknown key, did you mean "cap"?'),
        (
            {"channels": {"othr": {}}},
            'channels.othr: no rule, absence or repeat is in this channel, did you mean "other"?',
        ),
        (
            {"channels": {"Other": {}}},
            'channels.Other: no rule, absence or repeat is in this channel, did you mean "other"?',
        ),
        ({"columns": {"contct": "a"}}, 'columns.contct: unknown key, did you mean "contact"?'),
        ({"columns": {"contact": 3}}, "columns.contact: expected text, got 3"),
        (
            {"columns": {"unit": "m"}},
            'columns.unit: expected "s", "ms", "us" or "ns", got \'m\', did you mean "ms"?',
        ),
        ({"columns": "a"}, "columns: expected a table (a dict) such as { contact = \"user_id\" }, got 'a'"),
    ],
)
def test_fault_of_a_model(table, fault):
    """Every fault outside the lists is named with its path."""
    assert fault in faults_of(**table)


@pytest.mark.parametrize(
    ("keys", "fault"),
    [
        ({"points": "six"}, "points: expected a number, got 'six'"),
        ({"points": False}, "points: expected a number, got False"),
        ({"points": math.nan}, "points: expected a finite number, got nan"),
        (
            {"points": 10**400},
            "points: expected a number that a double can hold, got an integer of 1,329 bits",
        ),
        ({"points": None}, "points: expected a number, got None"),
        ({"on": [1]}, "on[0]: expected text, got 1"),
        ({"on": ["a", "b", "a"]}, "on[2]: 'a' stands here twice"),
        ({"on": None}, "on: expected at least one event type, got none"),
        ({"channel": ""}, "channel: expected text, got an empty one"),
        ({"cap": 0}, "cap: expected a number above 0, got 0.0"),
        ({"cap": "3"}, "cap: expected a number, got '3'"),
        (
            {"half": "customers"},
            'half: expected "both", "prospect" or "customer", got \'customers\', did you mean "customer"?',
        ),
        ({"half": ["both"]}, 'half: expected "both", "prospect" or "customer", got a list'),
        ({"limit": {"n": 0, "per": "1d"}}, "limit.n: expected at least 1, got 0"),
        ({"limit": {"n": 1.5, "per": "1d"}}, "limit.n: expected a whole number, got 1.5"),
        ({"limit": {"n": True, "per": "1d"}}, "limit.n: expected a whole number, got True"),
        ({"limit": {"n": 2**31, "per": "1d"}}, "limit.n: expected less than 2,147,483,648, got 2147483648"),
        ({"limit": {"n": 3}}, "limit.per: missing"),
        (
            {"limit": {"n": 3, "per": "1m"}},
            (
                "limit.per: expected a duration such as \"7d\", got '1m' "
                '(minutes are "1min"; months differ in length: say them in days)'
            ),
        ),
        ({"limit": {"n": 3, "per": "1d", "by": 3}}, "limit.by: expected text, got 3"),
        ({"limit": 3}, "limit: expected a Limit, or a table (a dict) with n and per, got 3"),
        (
            {"decay": {"half_life": "7 months"}},
            (
                "decay.half_life: expected a duration such as \"7d\", got '7 months' "
                "(months and years differ in length: say it in days)"
            ),
        ),
        (
            {"amount": {"curve": "log"}},
            (
                'amount.curve: expected "linear", "log1p", "sqrt" or "saturating", '
                "got 'log', did you mean \"log1p\"?"
            ),
        ),
        ({"amount": {"scale": 0}}, "amount.scale: expected a number above 0, got 0.0"),
        ({"amount": {"max": -1}}, "amount.max: expected a number above 0, got -1.0"),
        ({"amount": {"signed": 1}}, "amount.signed: expected true or false, got 1"),
        ({"amount": {"feild": "value"}}, 'amount.feild: unknown key, did you mean "field"?'),
        ({"amount": {"field": ""}}, "amount.field: expected text, got an empty one"),
        ({"weights": {"a": {"b": "c"}}}, "weights.a.b: expected a number, got 'c'"),
        (
            {"where": {"url": {"contians": "x"}}},
            'where.url.contians: unknown operator, did you mean "contains"?',
        ),
        (
            {"where": "x"},
            f"where: expected {CONDITION}, got 'x'",
        ),
        ({"intent": "buy", "pionts": 3}, 'pionts: unknown key, did you mean "points"?'),
        ({3: 4}, "3: unknown key"),
    ],
)
def test_fault_of_a_rule(keys, fault):
    """Every fault of a rule is named with its path."""
    assert f"rules[0].{fault}" in rule_faults(keys)


ABSENCE = {"name": "a", "after": "x", "unless": "y", "within": "7d", "points": 1}
REPEAT = {"name": "r", "on": "x", "n": 2, "within": "7d", "points": 1}


@pytest.mark.parametrize(
    ("table", "fault"),
    [
        (
            {"absences": [{**ABSENCE, "limit": {"n": 1, "per": "1d", "by": "c"}}]},
            "absences[0].limit.by: only the limit of a rule may have it [absence 'a']",
        ),
        ({"absences": [{**ABSENCE, "where": {}}]}, "absences[0].where: unknown key [absence 'a']"),
        (
            {"absences": [{**ABSENCE, "unless": []}]},
            "absences[0].unless: expected at least one event type, got none [absence 'a']",
        ),
        (
            {"repeats": [{**REPEAT, "limit": {"n": 1, "per": "1d", "by": "c"}}]},
            "repeats[0].limit.by: only the limit of a rule may have it [repeat 'r']",
        ),
        ({"repeats": [{**REPEAT, "n": 0}]}, "repeats[0].n: expected at least 1, got 0 [repeat 'r']"),
        (
            {"repeats": [{**REPEAT, "within": "-1d"}]},
            (
                "repeats[0].within: expected a duration such as \"7d\", got '-1d' "
                "(whole numbers, and the units us, ms, s, min, h, d, w) [repeat 'r']"
            ),
        ),
        ({"repeats": [{**REPEAT, "amount": {}}]}, "repeats[0].amount: unknown key [repeat 'r']"),
        (
            {"excludes": [{"name": "e", "on": "x", "within": "2s"}]},
            "excludes[0].within: means something only together with after [exclude 'e']",
        ),
        (
            {"excludes": [{"name": "e", "on": "x", "by": "m"}]},
            "excludes[0].by: means something only together with after [exclude 'e']",
        ),
        ({"signals": [{"name": "s", "on": "s"}]}, "signals[0].on: a signal made of itself: 's' -> 's'"),
        (
            {
                "signals": [
                    {"name": "a", "on": ["x", "b"]},
                    {"name": "b", "on": "c"},
                    {"name": "c", "on": "a"},
                ]
            },
            "signals[2].on: a signal made of itself: 'a' -> 'b' -> 'c' -> 'a'",
        ),
        ({"signals": [{"name": "s"}]}, "signals[0].on: missing [signal 's']"),
        ({"rules": [VISIT, VISIT]}, "rules[1].name: 'visit' is already the name of rules[0]"),
        (
            {"absences": [{**ABSENCE, "name": "visit"}]},
            "absences[0].name: 'visit' is already the name of rules[0]",
        ),
        ({"repeats": [REPEAT, REPEAT]}, "repeats[1].name: 'r' is already the name of repeats[0]"),
        (
            {"signals": [{"name": "s", "on": "x"}, {"name": "s", "on": "y"}]},
            "signals[1].name: 's' is already the name of signals[0]",
        ),
        (
            {"excludes": [{"name": "e", "on": "x"}, {"name": "e", "on": "y"}]},
            "excludes[1].name: 'e' is already the name of excludes[0]",
        ),
        (
            {"phases": [{"name": "p", "half": "both"}]},
            "phases[0].half: expected \"prospect\" or \"customer\", got 'both' [phase 'p']",
        ),
        (
            {"phases": [{"name": "p", "half": "costumer"}]},
            (
                'phases[0].half: expected "prospect" or "customer", got \'costumer\', '
                "did you mean \"customer\"? [phase 'p']"
            ),
        ),
        (
            {"phases": [{"name": "p", "half": "customer"}]},
            "phases: a half without a catch-all last phase: 'prospect' has no phase at all",
        ),
        (
            {
                "phases": [
                    {"name": "p", "half": "customer"},
                    {"name": "q", "half": "prospect", "min_momentum": 0},
                ]
            },
            (
                "phases[1]: a half without a catch-all last phase: 'q', the last of 'prospect', "
                "must have no minima"
            ),
        ),
        (
            {"phases": [{"name": "p", "half": "customer", "min_engagement": math.inf}]},
            "phases[0].min_engagement: expected a finite number, got inf [phase 'p']",
        ),
        (
            {"phases": [{"name": "p", "half": "customer", "min_momentum": math.nan}]},
            "phases[0].min_momentum: expected a finite number, got nan [phase 'p']",
        ),
        ({"phases": 3}, f"phases: expected a list, each entry a Phase, or {DICT} with name and half, got 3"),
    ],
)
def test_fault_of_a_list(table, fault):
    """Every fault in the other lists, and between them, is named with its path."""
    assert fault in faults_of(**table)


def test_names_of_different_kinds_do_not_clash():
    """Signals and excludes may be named like rules: they are never named together."""
    model = Model.from_dict(
        {
            "rules": [VISIT],
            "signals": [{"name": "visit", "on": "x"}],
            "excludes": [{"name": "visit", "on": "x"}],
        }
    )
    assert model.signals[0].name == model.excludes[0].name == model.rules[0].name


def test_signals_may_be_made_of_signals():
    """A chain of signals longer than Python nests calls is no circle, and closing it is one fault."""
    chain = [{"name": f"s{i}", "on": [f"s{i + 1}", "x"]} for i in range(3000)]
    assert len(Model.from_dict({"rules": [VISIT], "signals": chain}).signals) == 3000
    (fault,) = faults_of(signals=[*chain, {"name": "s3000", "on": "s0"}])
    assert fault.startswith("signals[3000].on: a signal made of itself: 's0' -> 's1' -> 's2'")
    assert fault.endswith("-> ... -> 's0'")


def test_two_ways_to_one_signal_are_no_circle():
    """A signal that is reached by two others is made once."""
    signals = [{"name": "a", "on": ["b", "c"]}, {"name": "b", "on": "d"}, {"name": "c", "on": "d"}]
    model = Model.from_dict({"rules": [VISIT], "signals": [*signals, {"name": "d", "on": "x"}]})
    assert len(model.signals) == 4


def test_faults_are_counted_to_a_thousand():
    """A table made to hurt gets an error that can still be read."""
    faults = faults_of(rules=[{"name": f"r{i}", "on": "x"} for i in range(MOST_FAULTS + 7)])
    assert len(faults) == MOST_FAULTS + 1
    assert faults[-1] == "there are more than 1,000 faults; the rest is not listed"


def test_a_model_is_made_of_a_table():
    """What is no table at all is named as such."""
    with pytest.raises(ModelError, match=r"model: expected a table \(a dict\), got a list"):
        Model.from_dict([VISIT])
