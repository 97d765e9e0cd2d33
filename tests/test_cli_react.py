"""``engagekit react`` prints what fires as JSON lines, and keeps what it needs for the next time."""

import json
from pathlib import Path

import pytest
from commands import Out, runner

import engagekit as ek

MODEL = """\
name = "shop"
[[rules]]
name = "visit"
on = ["visit"]
points = 40
[[triggers]]
name = "hot"
when = { engagement = { ge = 50 } }
until = { engagement = { lt = 45 } }
[[triggers]]
name = "vip"
when = { engagement = { ge = 30 }, orders = { ge = 2 }, vip = { eq = true } }
"""
EVENTS = """\
user,type,time
007,visit,2026-01-01T00:00:00Z
007,visit,2026-01-02T00:00:00Z
NA,visit,2026-01-03T00:00:00Z
"""
CONTACTS = """\
user,orders,vip
NA,3,true
007,1,true
"""


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Out:
    """React in a folder with a model, events and contacts; return exit code, output and errors."""
    monkeypatch.chdir(tmp_path)
    Path("shop.toml").write_text(MODEL)
    Path("events.csv").write_text(EVENTS)
    Path("people.csv").write_text(CONTACTS)

    command = runner(capsys)

    def react(day: int, *arguments: str) -> tuple[int, str, str]:
        at = f"2026-01-{day:02}"
        files = ["events.csv", "--contacts", "people.csv", "--model", "shop.toml", "--contact", "user"]
        return command("react", *files, "--at", at, *arguments)

    return react


@pytest.mark.parametrize("ending", ["parquet", "csv", "jsonl"])
def test_reactions_are_lines_of_json(run: Out, ending: str) -> None:
    """The first time sets the base line; then what fires is printed, a line each, and never again."""
    last = f"last.{ending}"
    assert run(1, "-o", last) == (0, "", f"engagekit: the base line of 2 contacts, kept in {last}\n")
    code, out, err = run(3, "--previous", last, "-o", last)
    assert (code, err) == (0, f"engagekit: 2 reactions of 2 of 2 contacts, kept in {last}\n")
    lines = [json.loads(line) for line in out.splitlines()]
    assert [(line["user"], line["trigger"]) for line in lines] == [("007", "hot"), ("NA", "vip")]
    assert {
        name: lines[1][name] for name in ("at", "score", "level", "phase", "previous_phase", "stage")
    } == {
        "at": "2026-01-03T00:00:00Z",
        "score": 40.0,
        "level": "medium",
        "phase": "nurture",
        "previous_phase": None,
        "stage": None,
    }
    assert run(3, "--previous", last, "--quiet") == (0, "", "")
    assert run(4, "--previous", last, "-o", last)[1] == ""


def test_what_is_printed_is_what_the_library_says(run: Out) -> None:
    """The lines are the rows of `Scores.reactions` on the saved results."""
    run(1, "-o", "one.parquet")
    _, out, _ = run(3, "--previous", "one.parquet", "-o", "two.parquet")
    fired = ek.Scores.load("two.parquet").reactions(ek.Scores.load("one.parquet")).to_pylist()
    assert [json.loads(line) | {"at": None} for line in out.splitlines()] == [
        row | {"at": None} for row in fired
    ]


def test_keeping_nothing_is_said(run: Out) -> None:
    """Without -o what would fire is shown, and a note says that the next time knows nothing of it."""
    run(1, "-o", "last.parquet")
    code, out, err = run(3, "--previous", "last.parquet")
    assert (code, out.count("\n")) == (0, 2)
    assert err == "engagekit: 2 reactions of 2 of 2 contacts, kept nowhere: add -o for the next time\n"


def test_a_previous_file_that_is_not_there(run: Out) -> None:
    """A misspelt --previous is no base line: nothing is printed and nothing written."""
    code, out, err = run(3, "--previous", "lost.parquet", "-o", "now.parquet")
    assert (code, out) == (1, "")
    assert err == (
        "engagekit: lost.parquet: no such file; leave --previous out the first time, to set the base line\n"
    )
    assert not Path("now.parquet").exists()


def test_a_previous_file_of_another_model(run: Out) -> None:
    """A file of another model is refused, and stays as it was."""
    run(1, "-o", "last.parquet")
    before = Path("last.parquet").read_bytes()
    Path("shop.toml").write_text(MODEL.replace("ge = 50", "ge = 51"))
    code, out, err = run(3, "--previous", "last.parquet", "-o", "last.parquet")
    assert (code, out) == (1, "")
    assert "expected a previous result of the same model" in err
    assert Path("last.parquet").read_bytes() == before


def test_an_input_is_not_written_over(run: Out) -> None:
    """The events and the contacts are never the output."""
    code, _, err = run(1, "-o", "people.csv")
    assert (code, err) == (1, "engagekit: people.csv: is also an input; name another file after -o\n")


def test_what_nobody_has_read_is_told_again(run: Out, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the lines cannot be printed nothing is kept, so that they come again the next time."""
    run(1, "-o", "last.parquet")
    before = Path("last.parquet").read_bytes()

    def refused(*_: object, **__: object) -> None:
        raise OSError("no space left")

    with monkeypatch.context() as patch:
        patch.setattr("builtins.print", refused)
        with pytest.raises(OSError, match="no space left"):
            run(3, "--previous", "last.parquet", "-o", "last.parquet")
    assert Path("last.parquet").read_bytes() == before
    assert run(3, "--previous", "last.parquet", "-o", "last.parquet")[1].count("\n") == 2
