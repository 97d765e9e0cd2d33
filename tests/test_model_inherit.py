"""Models built upon one another: `extends`, `remove`, and the presets."""

import json
from pathlib import Path

import pytest

from engagekit.errors import ModelError
from engagekit.model import Model, field, presets

BASE = {
    "name": "base",
    "decay": {"half_life": "7d"},
    "passive": ["sent"],
    "levels": {"low": 2, "medium": 30},
    "lifecycle": {"customer_on": "won", "ends_on": "lost"},
    "columns": {"contact": "user", "time": "ts"},
    "weights": {"device": {"tv": 2}, "plan": {"pro": 3}},
    "channels": {"web": {"cap": 40}, "mail": {"cap": 20}},
    "signals": [{"name": "won", "on": "deal"}],
    "excludes": [{"name": "bot", "on": "view"}],
    "rules": [
        {"name": "view", "on": "view", "points": 1, "channel": "web", "where": {"a": {"eq": 1}}, "cap": 9},
        {"name": "open", "on": "open", "points": 2, "channel": "mail"},
    ],
    "absences": [{"name": "quiet", "after": "sent", "unless": "open", "within": "7d", "points": -1}],
    "repeats": [{"name": "often", "on": "view", "n": 3, "within": "7d", "points": 5}],
    "phases": [
        {"name": "hot", "half": "prospect", "min_engagement": 60},
        {"name": "cold", "half": "prospect"},
        {"name": "here", "half": "customer"},
    ],
}

RULE = "a Rule, or a table (a dict) with name, on and points"


@pytest.fixture
def load(tmp_path):
    """Write tables to files, the base among them, and load the last."""

    def write_and_load(*children, **named):
        named = {"base": BASE, **named}
        for index, child in enumerate(children):
            named[f"child{index}"] = child
        for name, table in named.items():
            (tmp_path / f"{name}.json").write_text(json.dumps(table))
        return Model.load(tmp_path / f"child{len(children) - 1}.json")

    return write_and_load


def extend_faults(load, *children, **named):
    """List the faults of loading a file, without the folder."""
    with pytest.raises(ModelError) as raised:
        load(*children, **named)
    return [Path(fault).name if fault.startswith("/") else fault for fault in raised.value.faults]


def test_nothing_changed(load):
    """A file that only extends another is the same model, and so is one that repeats it."""
    assert load({"extends": "base.json"}) == Model.from_dict(BASE)
    assert load({**BASE, "extends": "base.json"}) == Model.from_dict(BASE)
    assert load({"extends": "base.json"}).fingerprint == Model.from_dict(BASE).fingerprint


def test_named_tables_merge_by_name(load):
    """An entry of the same name overlays key by key where it stands; another is added at the end."""
    model = load(
        {
            "extends": "base.json",
            "rules": [
                {"name": "new", "on": "x", "points": 3},
                {"name": "view", "points": 7, "where": {"b": {"eq": 2}}},
            ],
            "signals": [{"name": "won", "where": {"stage": {"eq": "won"}}}],
            "repeats": [{"name": "often", "n": 4}],
        }
    )
    assert [rule.name for rule in model.rules] == ["view", "open", "new"]
    view = model.rules[0]
    assert (view.points, view.channel, view.cap, view.where) == (7, "web", 9, field("b") == 2)
    assert model.signals[0].on == ("deal",)
    assert model.signals[0].where == (field("stage") == "won")
    assert (model.repeats[0].n, model.repeats[0].points) == (4, 5)
    assert model.absences == Model.from_dict(BASE).absences


def test_some_tables_overlay_key_by_key(load):
    """Levels, momentum, life cycle, columns, channels and weights keep what the child does not name."""
    model = load(
        {
            "extends": "base.json",
            "levels": {"medium": 31},
            "momentum": {"fast": "7d"},
            "lifecycle": {"ends_on": "gone"},
            "columns": {"time": "at", "id": "key"},
            "channels": {"mail": {"cap": 5}},
            "weights": {"plan": {"free": 1.5}, "device": {}},
        }
    )
    assert (model.levels.low, model.levels.medium) == (2, 31)
    assert model.lifecycle.customer_on == ("won",)
    assert model.lifecycle.ends_on == ("gone",)
    assert model.columns == {"contact": "user", "time": "at", "id": "key"}
    assert {name: channel.cap for name, channel in model.channels.items()} == {"web": 40, "mail": 5}
    assert model.weights == {"plan": {"free": 1.5}}


def test_everything_else_replaces(load):
    """The name, the decay, passive types and the list of phases are the child's where it has them."""
    phases = [{"name": "a", "half": "prospect"}, {"name": "b", "half": "customer"}]
    model = load(
        {"extends": "base.json", "name": "child", "decay": "none", "passive": ["x"], "phases": phases}
    )
    assert model.name == "child"
    assert model.decay.kind == "none"
    assert model.passive == ("x",)
    assert [phase.name for phase in model.phases] == ["a", "b"]


def test_remove(load):
    """What is removed is not taken over, with the cap of a channel that is then idle; it may be made anew."""
    model = load({"extends": "base.json", "remove": ["open", "quiet", "often", "bot", "won"]})
    assert [rule.name for rule in model.rules] == ["view"]
    assert model.absences == model.repeats == model.excludes == model.signals == ()
    assert list(model.channels) == ["web"]
    anew = {"name": "view", "on": "x", "points": 3}
    model = load({"extends": "base.json", "remove": "view", "rules": [anew]})
    assert model.rules == Model.from_dict({**BASE, "channels": {}, "rules": [BASE["rules"][1], anew]}).rules


def test_a_child_answers_for_its_own_channels(load):
    """The cap of an idle channel that the child itself names is a fault."""
    assert extend_faults(
        load, {"extends": "base.json", "remove": ["open"], "channels": {"mail": {"cap": 2}}}
    ) == ["channels.mail: no rule, absence or repeat is in this channel"]


def test_chains(load):
    """A file may extend one that extends another; each removes from what it takes over."""
    model = load(
        {
            "extends": "base.json",
            "rules": [{"name": "view", "points": 5}, {"name": "x", "on": "x", "points": 1}],
        },
        {"extends": "child0.json", "remove": ["x"], "rules": [{"name": "view", "cap": 8}]},
    )
    assert [(rule.name, rule.points, rule.cap) for rule in model.rules] == [("view", 5, 8), ("open", 2, None)]


def test_a_file_may_extend_a_preset(load):
    """A name without an ending is a preset."""
    preset = presets.load("saas")
    assert load({"extends": "saas"}) == preset
    model = load({"extends": "saas", "rules": [{"name": preset.rules[0].name, "points": 123}]})
    assert model.rules[0] == Model.from_dict({"extends": "saas"}).rules[0].__class__(
        **{
            **{
                key: getattr(preset.rules[0], key)
                for key in ("name", "on", "channel", "decay", "cap", "limit")
            },
            "points": 123,
        }
    )
    assert model.rules[1:] == preset.rules[1:]


@pytest.mark.parametrize(
    ("child", "fault"),
    [
        ({"extends": "sass"}, "extends: no preset is named 'sass', did you mean \"saas\"?"),
        ({"extends": ""}, "extends: expected the name of a preset or of a file, got ''"),
        ({"extends": ["saas"]}, "extends: expected the name of a preset or of a file, got a list"),
        (
            {"extends": "../base.json"},
            "extends: expected a preset or a file beside this one, got '../base.json'",
        ),
        (
            {"extends": "..\\base.json"},
            "extends: expected a preset or a file beside this one, got '..\\\\base.json'",
        ),
        (
            {"extends": "/etc/base.json"},
            "extends: expected a preset or a file beside this one, got '/etc/base.json'",
        ),
        (
            {"extends": "C:base.json"},
            "extends: expected a preset or a file beside this one, got 'C:base.json'",
        ),
        ({"extends": "a\0.json"}, "extends: expected a preset or a file beside this one, got 'a\\x00.json'"),
        (
            {"extends": "base.json", "remove": ["opne"]},
            "remove[0]: nothing named 'opne' is taken over, did you mean \"open\"?",
        ),
        ({"extends": "base.json", "remove": [3]}, "remove[0]: expected a name, got 3"),
        (
            {"extends": "base.json", "remove": {"a": 1}},
            "remove: expected a list of names, got a table (a dict)",
        ),
        ({"extends": "base.json", "remove": ["web"]}, "remove[0]: nothing named 'web' is taken over"),
        ({**BASE, "remove": ["open"]}, "remove: there is nothing to remove without extends"),
        (
            {"extends": "base.json", "rules": [{"name": "view"}, {"name": "view"}]},
            "rules[2].name: 'view' is already the name of rules[0]",
        ),
        ({"extends": "base.json", "rules": [{"points": 3}]}, "rules[2].name: missing"),
        (
            {"extends": "base.json", "rules": [3]},
            f"rules[2]: expected {RULE}, got 3",
        ),
        (
            {"extends": "base.json", "rules": [{"name": "view", "channel": ["web"]}]},
            "rules[0].channel: expected text, got a list [rule 'view']",
        ),
        ({"extends": "base.json", "rules": [{"name": 3}]}, "rules[2].name: expected text, got 3"),
        (
            {"extends": "base.json", "rules": 3},
            f"rules: expected a list, each entry {RULE}, got 3",
        ),
        (
            {"extends": "base.json", "levels": 3},
            "levels: expected a Levels, or a table (a dict) of low, medium and high, got 3",
        ),
    ],
)
def test_fault_in_extending(load, child, fault):
    """Everything that can be wrong with extends and remove is named with its path."""
    assert fault in extend_faults(load, child)


def test_faults_in_what_is_extended(load, tmp_path):
    """A fault in another file is named with that file."""
    (tmp_path / "broken.toml").write_text("a = ")
    assert extend_faults(load, {"extends": "broken.toml"}) == [
        f"extends: {tmp_path / 'broken.toml'}: not valid TOML: Invalid value (at end of document)"
    ]
    (fault,) = extend_faults(load, {"extends": "missing.toml"})
    assert fault.startswith(f"extends: {tmp_path / 'missing.toml'}: cannot be read: ")
    with pytest.raises(ModelError) as raised:
        load({"extends": "base.json", "remove": ["nix"]}, {"extends": "child0.json"})
    assert raised.value.faults == (
        f"{tmp_path / 'child0.json'}: remove[0]: nothing named 'nix' is taken over",
    )
    with pytest.raises(ModelError) as raised:
        load({"extends": "nix"}, {"extends": "child0.json"})
    assert raised.value.faults[0].startswith(f"{tmp_path / 'child0.json'}: extends: no preset is named 'nix'")


def test_circles(load, tmp_path):
    """Files that extend one another in a circle are refused."""
    with pytest.raises(ModelError) as raised:
        load({"extends": "child1.json"}, {"extends": "child0.json"})
    first, second = tmp_path / "child1.json", tmp_path / "child0.json"
    assert raised.value.faults == (f"{second}: extends: a circle: {first} -> {second} -> {first}",)
    with pytest.raises(ModelError, match="a circle"):
        load({"extends": "child0.json"})


def test_long_chains(load):
    """Eight models may extend one another below the first, and no more."""
    chain = [{"extends": "base.json"}, *({"extends": f"child{index}.json"} for index in range(8))]
    assert load(*chain[:8]).name == "base"
    with pytest.raises(ModelError, match="extends: more than 8 models extend one another"):
        load(*chain)


def test_a_dict_may_extend_presets_only():
    """Where there is no file, there is no file beside it."""
    assert Model.from_dict({"extends": "saas"}) == presets.load("saas")
    with pytest.raises(ModelError, match=r"only a preset can be extended here, got the file 'base\.toml'"):
        Model.from_dict({"extends": "base.toml"})
    with pytest.raises(ModelError, match=r"no preset is named '\.\./saas'"):
        Model.from_dict({"extends": "../saas"})


def test_tables_are_not_changed_by_merging():
    """What is given to `from_dict` is as it was."""
    table = {"extends": "saas", "rules": [{"name": "x", "on": "x", "points": 1}], "remove": []}
    before = json.dumps(table)
    Model.from_dict(table)
    assert json.dumps(table) == before


def test_entry_that_overlays_nothing():
    """The first missing key of an entry whose name is not known below tells what was probably meant."""
    rules = [
        {"name": "purchse", "cap": 3},
        {"name": "zzz", "on": "z"},
        {"name": "own", "on": "o", "points": 1},
    ]
    with pytest.raises(ModelError) as raised:
        Model.from_dict({"extends": "ecommerce", "rules": rules})
    first = len(presets.load("ecommerce").rules)
    near = 'did you mean "purchase"?'
    assert raised.value.faults == (
        f"rules[{first}].on: missing [rule 'purchse']; no rule of that name to overlay, {near}",
        f"rules[{first}].points: missing [rule 'purchse']",
        f"rules[{first + 1}].points: missing [rule 'zzz']; no rule of that name to overlay",
    )


def test_removed_again_below_a_typo(load):
    """An entry that a later file takes away is no fault, whatever it lacks."""
    model = load(
        {"extends": "base.json", "rules": [{"name": "vieww"}]},
        {"extends": "child0.json", "remove": ["vieww"]},
    )
    assert model == load({"extends": "base.json"})


def test_what_is_told_without_what_is_extended():
    """Where what is extended cannot be read, every fault is told that it could not mend, and no other."""
    with pytest.raises(ModelError) as raised:
        Model.from_dict(
            {
                "extends": "ecomerce",
                "decy": "none",
                "levels": {"medium": 60, "hihg": 1},
                "lifecycle": {"ends_on": ["gone"]},
                "channels": {"web": {"cap": -1}},
                "scale": {"saturating": "x"},
                "rules": [
                    {"name": "purchase", "points": 3},
                    {"name": "refund", "points": "six", "limit": {"per": "1 month"}},
                    7,
                ],
                "excludes": [{"name": "scanner", "on": "click", "within": "2s"}],
                "remove": ["nobody knows"],
            }
        )
    assert [fault.partition(":")[0] for fault in raised.value.faults] == [
        "extends",
        "decy",
        "scale.saturating",
        "levels.hihg",
        "channels.web.cap",
        "rules[1].points",
        "rules[1].limit.per",
        "rules[2]",
    ]


# Presets -----------------------------------------------------------------------------------------------


def test_names_of_presets():
    """There are the presets that the documentation names."""
    assert presets.names() == (
        *("b2b_leads", "customer_engagement_index", "document_tracking", "ecommerce", "saas"),
    )


@pytest.mark.parametrize("name", presets.names())
def test_presets_load(name, tmp_path):
    """Every preset is a sound model named after itself, and can be saved."""
    model = presets.load(name)
    assert model.name == name
    model.save(tmp_path / "model.toml")
    assert Model.load(tmp_path / "model.toml") == model


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("ecomerce", "presets: no preset is named 'ecomerce', did you mean \"ecommerce\"?"),
        ("zzz", r"presets: no preset is named 'zzz' \(the presets are b2b_leads, "),
        ("../../etc/passwd", r"presets: no preset is named '\.\./\.\./etc/passwd'"),
        (3, "presets: no preset is named 3"),
    ],
)
def test_unknown_presets(name, message):
    """A preset that does not exist is named with the nearest that does."""
    with pytest.raises(ModelError, match=message.replace("?", r"\?")):
        presets.load(name)
