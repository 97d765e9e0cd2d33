"""Model files: read, written, built upon one another, and refused when they are made to hurt."""

import json
import math
import os
import pickle
import re
import stat
import time
import tomllib
from pathlib import Path

import pytest
from declarations import conditions, models
from hypothesis import given
from hypothesis import strategies as st

from engagekit.errors import ModelError
from engagekit.model import Model, Rule, field
from engagekit.model.bounds import bound_fault
from engagekit.model.files import LARGEST, parse_table
from engagekit.model.toml_text import toml_text

RULE = '[[rules]]\nname = "visit"\non = "page_view"\npoints = 1\n'
MODEL = Model.from_dict(tomllib.loads(RULE))


def faults_of(path):
    """List the faults that a file has."""
    with pytest.raises(ModelError) as raised:
        Model.load(path)
    return list(raised.value.faults)


def only_fault(path, content):
    """Write a file and return its one fault, without the file's name."""
    path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8", "surrogatepass"))
    (fault,) = faults_of(path)
    return fault.removeprefix(f"{path}: ")


def test_faults_of_a_file_name_it(tmp_path, monkeypatch):
    """The error of a file names it once: before the only fault, or above all of them."""
    monkeypatch.chdir(tmp_path)
    Path("bad.toml").write_text(RULE.replace("1", '"six"'))
    with pytest.raises(ModelError) as raised:
        Model.load("bad.toml")
    assert raised.value.faults == ("rules[0].points: expected a number, got 'six' [rule 'visit']",)
    assert str(raised.value) == f"bad.toml: {raised.value.faults[0]}"
    Path("bad.toml").write_text("speed = 3\n" + RULE.replace("1", '"six"'))
    with pytest.raises(ModelError) as raised:
        Model.load(Path("bad.toml"))
    assert str(raised.value) == "\n  ".join(["bad.toml: 2 faults", *raised.value.faults])
    assert str(pickle.loads(pickle.dumps(raised.value))) == str(raised.value)
    Path("bad.toml").write_text("a = ")
    with pytest.raises(ModelError) as raised:
        Model.load("bad.toml")
    assert str(raised.value).count("bad.toml") == 1


@pytest.mark.parametrize(
    ("name", "advice"), [("saas", '; did you mean ek.presets.load("saas")?'), ("./sas", ""), ("", "")]
)
def test_preset_in_place_of_a_file(name, advice):
    """Whoever loads a preset as if it were a file is told how to load it."""
    with pytest.raises(
        ModelError, match=re.escape(f"expected a name that ends in .toml or .json, got ''{advice}") + "$"
    ):
        Model.load(name)


# There and back ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """One folder for all the models that hypothesis draws."""
    return tmp_path_factory.mktemp("models")


@given(model=models())
def test_a_saved_model_is_loaded_again(folder, model):
    """A model comes back equal from a file, with its fingerprint, and the file is written the same again."""
    for ending in (".toml", ".json"):
        path = folder / f"model{ending}"
        model.save(path)
        written = path.read_bytes()
        twin = Model.load(path)
        assert twin == model
        assert twin.fingerprint == model.fingerprint
        twin.save(path)
        assert path.read_bytes() == written


def test_endings_may_be_capital(tmp_path):
    """The ending of a file's name says what is in it, however it is written."""
    for name, first in (("a.TOML", b"["), ("b.Json", b"{")):
        MODEL.save(tmp_path / name)
        assert (tmp_path / name).read_bytes().startswith(first)
        assert Model.load(tmp_path / name) == MODEL


@given(conditions())
def test_the_deepest_conditions_can_be_read_again(condition):
    """Whatever a condition nests stays within the bounds of a file, in both formats."""
    table = Model(rules=[Rule(name="r", on="x", points=1, where=condition)]).to_dict()
    assert bound_fault(toml_text(table), ".toml") is None
    assert bound_fault(json.dumps(table), ".json") is None


def test_the_deepest_condition_can_be_read_again(tmp_path):
    """Twelve levels, each written as deep as it can be, are within the bounds of a file."""
    deep = field("x").is_in([1, 2])
    for level in range(11):
        deep = (deep | (field("y") == level)) if level % 2 else (deep & deep & (field("x") == level))
    assert deep.depth == 12
    model = Model(rules=[Rule(name="r", on="x", points=1, where=deep)])
    for ending in (".toml", ".json"):
        model.save(tmp_path / f"deep{ending}")
        assert Model.load(tmp_path / f"deep{ending}") == model


def test_a_saved_file_reads_as_one_would_write_it(tmp_path):
    """The TOML of a model has sections for lists, in tables too, and one line for everything in them."""
    model = MODEL.evolve(
        name='a "b"\n',
        channels={"other": {"cap": 40}},
        weights={"device": {"mobile": 1.1, "smart tv": 2}},
        levels={"low": 2.5},
        rules=[
            MODEL.rules[0],
            {
                "name": "pricing",
                "on": ["page_view", "screen"],
                "points": -6,
                "where": {
                    "url": {"contains": "/pricing"},
                    "any": [{"vip": {"eq": True}}, {"n": {"in": [1, 2.5]}}],
                },
                "amount": {},
                "decay": {"half_life": "2w"},
            },
        ],
        fit={
            "criteria": [{"name": "size", "points": 2, "where": {"employees": {"ge": 50}}}],
            "grades": {"good one": 50, "D": 0},
        },
    )
    model.save(tmp_path / "model.toml")
    assert (
        (tmp_path / "model.toml").read_text()
        == r"""name = "a \"b\"\n"
levels = { low = 2.5 }

[weights]
device = { mobile = 1.1, "smart tv" = 2 }

[channels]
other = { cap = 40 }

[[rules]]
name = "visit"
on = ["page_view"]
points = 1

[[rules]]
name = "pricing"
on = ["page_view", "screen"]
points = -6
where = { url = { contains = "/pricing" }, any = [{ vip = { eq = true } }, { n = { in = [1, 2.5] } }] }
decay = { half_life = "14d" }
amount = {}

[fit]
grades = { "good one" = 50, D = 0 }

[[fit.criteria]]
name = "size"
where = { employees = { ge = 50 } }
points = 2
"""
    )


def test_a_file_may_say_it_otherwise(tmp_path):
    """Comments, sections, dotted keys, a byte order mark and Windows' line ends make no other model."""
    text = (
        '# ours\r\ndecay.half_life = "30d"\r\n' + RULE.replace("\n", "\r\n") + "where.url.contains = '/'\r\n"
    )
    path = tmp_path / "model.toml"
    path.write_bytes(b"\xef\xbb\xbf" + text.encode())
    assert Model.load(path) == MODEL.evolve(
        rules=[Rule(name="visit", on="page_view", points=1, where=field("url").contains("/"))]
    )
    table = {"rules": [{"name": "visit", "on": "page_view", "points": 1, "cap": None}]}
    (tmp_path / "model.json").write_bytes(b"\xef\xbb\xbf" + json.dumps(table).encode())
    assert Model.load(str(tmp_path / "model.json")) == MODEL


def test_instants_of_toml(tmp_path):
    """TOML's own dates and times are instants of a condition."""
    path = tmp_path / "model.toml"
    path.write_text(RULE + "where = { time = { ge = 2024-01-01, lt = 2024-02-01T01:00:00+01:00 } }\n")
    (rule,) = Model.load(path).rules
    assert rule.where == (field("time") >= "2024-01-01T00:00:00Z") & (field("time") < "2024-02-01T00:00:00Z")


# What cannot be read -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["model.yaml", "model", "model.toml.bak", ".toml", "model.tml"])
def test_other_endings(tmp_path, name):
    """A file is TOML or JSON by its name, for reading and for writing."""
    for attempt in (Model.load, MODEL.save):
        with pytest.raises(ModelError, match=r"expected a name that ends in \.toml or \.json"):
            attempt(tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_a_missing_file(tmp_path):
    """A file that is not there is named."""
    path = tmp_path / "missing.toml"
    (fault,) = faults_of(path)
    assert fault.startswith(f"{path}: cannot be read: ")


def test_a_folder(tmp_path):
    """A folder is no file."""
    (tmp_path / "model.toml").mkdir()
    assert faults_of(tmp_path / "model.toml") == [f"{tmp_path / 'model.toml'}: expected a file, got a folder"]


def test_a_pipe(tmp_path):
    """A pipe, which would keep the reader waiting, is no file."""
    os.mkfifo(tmp_path / "model.toml")
    assert faults_of(tmp_path / "model.toml")[0].endswith("expected a file, got a device")


def test_a_name_that_cannot_be(tmp_path):
    """A name that no file can have is a fault of the model, for reading and for writing."""
    for attempt in (Model.load, MODEL.save):
        with pytest.raises(ModelError, match=r"cannot be (read|written)"):
            attempt(tmp_path / "a\0b.toml")


@pytest.mark.parametrize(
    ("name", "content", "fault"),
    [
        ("m.toml", "", "the file is empty"),
        ("m.json", "", "the file is empty"),
        ("m.json", " \n\t", "the file is empty"),
        ("m.toml", b"name = 'a'\n# caf\xe9\n", r"line 2: not UTF-8 text \(byte 16\)"),
        ("m.json", b"\xff\xfe{\x00}\x00", r"line 1: not UTF-8 text \(byte 0\)"),
        ("m.toml", "name = 'a\nb'", r"not valid TOML: .* \(at line 1, column 10\)"),
        ("m.toml", "a = 1\na = 2\n", r"not valid TOML: .* \(at .*\)"),
        ("m.toml", "a = ", r"not valid TOML: .* \(at end of document\)"),
        ("m.toml", "a = " + "9" * 5000, "not valid TOML: a value goes beyond what can be read"),
        ("m.json", "{", "line 1, column 2: not valid JSON: .*"),
        ("m.json", '{\n"a": tru}', "line 2, column 6: not valid JSON: .*"),
        ("m.json", '{"a": NaN}', "not valid JSON: NaN is no JSON number"),
        ("m.json", '{"a": -Infinity}', "not valid JSON: -Infinity is no JSON number"),
        ("m.json", '{"a": {"b": 1, "b": 2}}', "the key 'b' stands twice in one table"),
        ("m.json", "[]", "expected a table of keys at the top, got a list"),
        ("m.json", "3", "expected a table of keys at the top, got 3"),
        ("m.json", '{"a": ' + "9" * 5000 + "}", "not valid JSON: a value goes beyond what can be read"),
    ],
)
def test_a_file_that_is_none(tmp_path, name, content, fault):
    """What no parser takes is named with the file, and with the line where the parser tells it."""
    assert re.fullmatch(fault, only_fault(tmp_path / name, content))


def test_numbers_beyond_a_double(tmp_path):
    """Numbers that a file can write and a double cannot hold are faults of the model."""
    path = tmp_path / "model.json"
    path.write_text(
        '{"rules": [{"name": "a", "on": "x", "points": 1e999}, {"name": "b", "on": "x", "points": %s}]}'
        % ("9" * 400)
    )
    assert faults_of(path) == [
        "rules[0].points: expected a finite number, got inf [rule 'a']",
        "rules[1].points: expected a number that a double can hold, got an integer of 1,329 bits [rule 'b']",
    ]


def test_lone_surrogates(tmp_path):
    """Text that cannot be written to a file again is refused."""
    path = tmp_path / "model.json"
    path.write_text(r'{"name": "\ud800", "rules": [{"name": "a", "on": "x", "points": 1}]}')
    assert faults_of(path) == [r"name: expected valid Unicode text, got '\ud800'"]


# What is made to hurt ----------------------------------------------------------------------------------

FULL = LARGEST - 200
HOSTILE = {
    "dotted key": ("a" + ".a" * 20_000 + " = 1", "line 1: a key of more than 16 parts"),
    "spaced key": ("a" + " . a" * 17 + " = 1", "line 1: a key of more than 16 parts"),
    "quoted key": ('"a"' + ".'a'" * 17 + " = 1", "line 1: a key of more than 16 parts"),
    "header": ("\n[" + "a." * 20_000 + "a]", "line 2: a key of more than 16 parts"),
    "brackets": ("a = " + "[" * 1000 + "]" * 1000, "line 1: nested deeper than 32 levels"),
    "open brackets": ("a = " + "[" * FULL, "line 1: nested deeper than 32 levels"),
    "inline tables": ("a = " + "{b = " * 1000, "line 1: nested deeper than 32 levels"),
    "behind a string": ('a = ["""x"""", ' + "[" * 5000, "line 1: nested deeper than 32 levels"),
    "behind quotes": ("a = ['''x''''', " + "[" * 5000, "line 1: nested deeper than 32 levels"),
    "behind a comment": ("# '''\na = " + "[" * 5000, "line 2: nested deeper than 32 levels"),
    "behind an escape": (r'a = ["\\", ' + "[" * 5000, "line 1: nested deeper than 32 levels"),
    "dots": ("." * FULL, "line 1: a key of more than 16 parts"),
    "quotes": ('a = """' + '"' * FULL, "not valid TOML: "),
    "open string": ('a = "' + r"\n" * (FULL // 2), "not valid TOML: "),
    "spaces": (" " * FULL, "the file is empty"),
    "too large": ("#" * (LARGEST + 1), "a model file may have 1,048,576 bytes, this one has more"),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_a_hostile_toml_file(tmp_path, case):
    """A file made to exhaust the parser is refused, and quickly."""
    content, fault = HOSTILE[case]
    began = time.process_time()
    assert only_fault(tmp_path / "model.toml", content).startswith(fault)
    assert time.process_time() - began < 5


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        ("[" * FULL, "line 1: nested deeper than 32 levels"),
        ('{"a":' * 1000, "line 1: nested deeper than 32 levels"),
        ('{"a": "\\"",\n"b": ' + "[" * 1000, "line 2: nested deeper than 32 levels"),
        ('{"a": "' + "\\\\" * (FULL // 2), "line 1, column 7: not valid JSON: Unterminated string"),
    ],
    ids=["lists", "tables", "behind an escape", "open string"],
)
def test_a_hostile_json_file(tmp_path, content, fault):
    """A file made to exhaust the parser is refused, and quickly."""
    began = time.process_time()
    assert only_fault(tmp_path / "model.json", content).startswith(fault)
    assert time.process_time() - began < 5


CROWDED = {
    "tables.toml": "[[rules]]\n" * (FULL // 10),
    "keys.toml": "".join(f"kez{index} = 1\n" for index in range(70_000)),
    "dotted.toml": "".join("a." * 15 + f"t{index} = 1\n" for index in range(20_000)),
    "channels.toml": RULE + "[channels]\n" + "".join(f"othre{index} = {{}}\n" for index in range(50_000)),
    "signals.toml": RULE
    + "".join(f'[[signals]]\nname = "s{i}"\non = "s{(i + 1) % 18_000}"\n' for i in range(18_000)),
    "integer.toml": RULE.replace("1", "0x" + "f" * (FULL - 100)),
    "rules.json": '{"rules": [' + ", ".join(["{}"] * 200_000) + "]}",
    "remove.json": '{"extends": "saas", "remove": [' + ",".join(f'"sale{i}"' for i in range(80_000)) + "]}",
}


@pytest.mark.parametrize("name", CROWDED)
def test_a_crowded_file(tmp_path, name):
    """A file that fills its megabyte with faults is refused in bounded time, with a bounded error."""
    path = tmp_path / name
    path.write_text(CROWDED[name])
    began = time.process_time()
    with pytest.raises(ModelError) as raised:
        Model.load(path)
    assert time.process_time() - began < 20
    assert len(str(raised.value)) < 400_000


@pytest.mark.parametrize(
    "text",
    [
        'a = "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[["',
        "a = '{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{'",
        'a = """\n' + "[" * 40 + '\n"" \\""" ' + "[" * 40 + '\n"""',
        "a = '''\n" + "[" * 40 + "\n'' ' \n'''''",
        "# " + "[" * 40 + "\na = 1",
        'a = "\\"' + "[" * 40 + '"',
        "a = 1 # it's\n" + 'b = "' + "{" * 40 + '"',
        "a = " + "[" * 32 + "]" * 32,
        ".".join("a" * 16) + " = 1",
        "a = [" + "1.5, " * 100 + "]",
        '"a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a" = 1',
        "a = [\n" + "[1, 2], # ]\n" * 100 + "]",
    ],
)
def test_what_the_scanner_lets_through(text):
    """Brackets and dots in strings and comments nest nothing: what is within the bounds is parsed."""
    assert bound_fault(text, ".toml") is None
    assert parse_table(text, ".toml", "m") == tomllib.loads(text)


LEAVES = st.sampled_from(
    [
        *('"[[["', "'[{['", '"\\\\"', '"\\"["', "'\\\\'", "'\"'", '"\'"', '""', "''", '"#["'),
        *(
            '"""[\n["" \\"""["""',
            '"""a""""',
            '"""a"""""',
            '""""[ """',
            "'''[\n'' ['''",
            "'''a''''",
            "'''a'''''",
        ),
        *("1.5", "-1e-3", "2024-01-01T00:00:00.5Z", "true", "[]", "{}"),
    ]
)
SPACES = st.sampled_from(["", " ", "\n", " # ]]]\n", '\n# """ [[\n', "# it's [\n"])


@st.composite
def nested_lists(draw):
    """Draw the text of nested lists around awkward strings, and how deep it nests."""
    text, depth = draw(LEAVES), 0
    depth += text in ("[]", "{}")
    for _ in range(draw(st.integers(0, 6))):
        before, after = draw(SPACES), draw(SPACES)
        sibling = draw(LEAVES)
        text = f"[{before}{sibling}{after},{before}{text}{after}]"
        depth = 1 + max(depth, sibling in ("[]", "{}"))
    return text, depth


@given(nested_lists())
def test_the_scanner_counts_as_the_parser_does(drawn):
    """Whatever strings and comments stand between, the bound is met at the same depth."""
    text, depth = drawn
    inside = 32 - depth
    most = f"a = {'[' * inside}{text}{']' * inside}\n"
    assert tomllib.loads(most)
    assert bound_fault(most, ".toml") is None
    assert bound_fault(f"a = [{most[4:-1]}]", ".toml") is not None


# Writing -----------------------------------------------------------------------------------------------


def test_saving_replaces_the_file(tmp_path):
    """A file that is there is replaced, its permissions kept, and nothing else is left in the folder."""
    path = tmp_path / "model.toml"
    path.write_text("old")
    path.chmod(0o640)
    MODEL.save(path)
    assert Model.load(path) == MODEL
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert list(tmp_path.iterdir()) == [path]


def test_a_failed_save_leaves_the_old_file(tmp_path, monkeypatch):
    """A save that fails at the last step leaves the old file and no other."""
    path = tmp_path / "model.toml"
    path.write_text("old")

    def refuse(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", refuse)
    with pytest.raises(ModelError, match="cannot be written: No space left on device"):
        MODEL.save(path)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_the_old_file_is_there_until_the_new_one_is_whole(tmp_path, monkeypatch):
    """What takes the old file's place is complete and flushed to the disk."""
    path = tmp_path / "model.json"
    path.write_text("old")
    steps = []
    replace, fsync = Path.replace, os.fsync

    def watched_replace(self, target):
        assert json.loads(self.read_text()) == MODEL.to_dict()
        steps.append("replace")
        return replace(self, target)

    def watched_fsync(descriptor):
        assert steps or path.read_text() == "old"
        steps.append("fsync")
        fsync(descriptor)

    monkeypatch.setattr(Path, "replace", watched_replace)
    monkeypatch.setattr(os, "fsync", watched_fsync)
    MODEL.save(path)
    assert steps[:2] == ["fsync", "replace"]


def test_saving_follows_a_link(tmp_path):
    """Saving to a link changes the file it leads to."""
    (tmp_path / "real.toml").write_text("old")
    (tmp_path / "model.toml").symlink_to("real.toml")
    MODEL.save(tmp_path / "model.toml")
    assert (tmp_path / "model.toml").is_symlink()
    assert Model.load(tmp_path / "real.toml") == MODEL


def test_saving_where_no_folder_is(tmp_path):
    """A folder that is not there is named."""
    with pytest.raises(ModelError, match="cannot be written"):
        MODEL.save(tmp_path / "missing" / "model.toml")


def test_what_could_not_be_read_is_not_written(tmp_path):
    """A model larger than a file may be is refused before anything is written."""
    large = MODEL.evolve(name="x" * LARGEST)
    with pytest.raises(ModelError, match=r"the model takes 1,048,\d+ bytes, a file may have 1,048,576"):
        large.save(tmp_path / "model.toml")
    assert list(tmp_path.iterdir()) == []


def test_numbers_are_written_as_they_are_read():
    """Every number that a model can hold is the same number in TOML."""
    numbers = [0.1, 1e300, 5e-324, -2.5, 2.0**53 + 2, 123456789.125, math.pi, -1e-7, 2**63 - 1]
    assert tomllib.loads(toml_text({"a": numbers}))["a"] == numbers
