"""``engagekit explain`` and ``engagekit compare``: what they print and write, and what they refuse."""

from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
import pytest
from commands import Out, runner

import engagekit as ek

MODEL = """\
name = "shop"
lifecycle = { customer_on = ["order"] }
[[rules]]
name = "visit"
on = ["visit"]
points = 10
channel = "web"
limit = { n = 1, per = "1d" }
[[rules]]
name = "order"
on = ["order"]
points = 1
amount = { field = "value" }
channel = "shop"
"""
EVENTS = """\
contact,type,time,value
007,visit,2026-01-31T00:00:00Z,
007,visit,2026-01-31T00:00:00Z,
NA,order,2026-01-01T00:00:00Z,60
NA,visit,2026-02-01T00:00:00Z,
"""


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Out:
    """Run a command in a folder with two models and events; return exit code, output and errors."""
    monkeypatch.chdir(tmp_path)
    Path("shop.toml").write_text(MODEL)
    Path("edited.toml").write_text(
        MODEL.replace("points = 10", "points = 90").replace('"shop"', '"edited"', 1)
    )
    Path("events.csv").write_text(EVENTS)
    return runner(capsys)


EXPLAIN = ("explain", "events.csv", "--model", "shop.toml")
COMPARE = ("compare", "events.csv", "--model", "shop.toml", "--at", "2026-01-31")


def test_explain_prints_the_rules(run: Out) -> None:
    """A contact's rules are printed, what the limit took included."""
    code, out, err = run(*EXPLAIN, "--contact", "007", "--at", "2026-01-31")
    assert (code, err) == (0, "")
    assert out.splitlines() == [
        "contact 007 at 2026-01-31 00:00 UTC: a score of 10, engagement 12 low, nurture",
        "rule   channel  events  raw  decayed  contribution  cut",
        "visit  web           1   10       10            10   10",
    ]


def test_explain_prints_and_writes_the_events(run: Out) -> None:
    """With --events there is a row an event; -o writes them all."""
    code, out, _ = run(*EXPLAIN, "--contact", "NA", "--at", "latest", "--events", "-o", "why.csv")
    assert code == 0
    assert out.startswith("contact NA at 2026-02-01 00:00 UTC: ") and out.endswith(
        "\nThe full table, 2 rows, is in why.csv\n"
    )
    table = pa_csv.read_csv("why.csv").to_pydict()
    assert (table["rule"], table["weight"][1]) == (["order", "visit"], 1)


def test_latest_is_the_newest_event_of_all(run: Out) -> None:
    """The instant is that of the newest event of anybody, as in a scoring of them all."""
    assert "at 2026-02-01 00:00 UTC" in run(*EXPLAIN, "--contact", "007", "--at", "latest")[1]
    Path("events.csv").write_text("contact,type,time,value\na,visit,1970-01-01,\nb,visit,1969-01-01,\n")
    assert "b at 1970-01-01 00:00 UTC" in run(*EXPLAIN, "--contact", "b", "--at", "latest")[1]


def test_explaining_files_is_explaining_their_scores(run: Out, tmp_path: Path) -> None:
    """Of several files, integers and dictionaries, what is told is what the whole scoring would tell."""
    times = pa.array([0, 10**12, 2 * 10**12, 2 * 10**12], pa.timestamp("us"))
    table = pa.table({"contact": [7, 8, 7, 7], "type": ["visit", "visit", "order", "visit"], "time": times})
    table = table.append_column("value", pa.array([None, None, 5.0, None]))
    whole = ek.Model.load("shop.toml").score(table, at="latest")
    (tmp_path / "logs").mkdir()
    pq.write_table(table.slice(0, 2), tmp_path / "logs/1.parquet")
    pq.write_table(table.slice(2), tmp_path / "logs/2.parquet")
    ask = ("--model", "shop.toml", "--at", "latest")
    assert run("explain", "logs", *ask, "--contact", "7")[1] == f"{whole.explain(7)!r}\n"
    named = table.set_column(0, "contact", pa.array(["ann", "bob", "ann", "ann"]).dictionary_encode())
    pq.write_table(named, "named.parquet")
    told = run("explain", "named.parquet", *ask, "--contact", "ann")[1]
    assert told == f"{whole.explain(7)!r}\n".replace("contact 7", "contact ann")
    code, _, err = run("explain", "logs", *ask, "--contact", "ann")
    assert (code, err) == (
        1,
        "engagekit: contact: expected an integer as in the column 'contact', got 'ann'\n",
    )
    for unknown in ("77", str(2**70)):
        code, _, err = run("explain", "logs", *ask, "--contact", unknown)
        assert code == 1 and err.startswith(f"engagekit: contact {unknown}: not among the scores")


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("1_0", "'1_0'"),
        ("\u0661", "'\u0661'"),
        (" 1", "' 1'"),
        ("9" * 5_000, f"'{'9' * 59}...' (5,000 characters)"),
    ],
)
def test_what_is_no_integer(run: Out, typed: str, said: str) -> None:
    """An id of integers is what a file would have: digits, with a sign or not."""
    times = pa.array([0, 0], pa.timestamp("us"))
    table = pa.table({"contact": [1, 10], "type": ["visit"] * 2, "time": times, "value": [None, 5.0]})
    pq.write_table(table, "numbers.parquet")
    code, _, err = run("explain", "numbers.parquet", "--model", "shop.toml", "--contact", typed)
    assert (code, err) == (
        1,
        f"engagekit: contact: expected an integer as in the column 'contact', got {said}\n",
    )


def test_unknown_contacts_are_told_the_nearest(run: Out) -> None:
    """An id that no event has is an error that names those like it."""
    code, out, err = run(*EXPLAIN, "--contact", "07")
    assert (code, out, err) == (
        1, "", "engagekit: contact '07': not among the scores, did you mean '007'?\n",
    )  # fmt: skip


def test_contacts_of_the_table_alone(run: Out) -> None:
    """A contact of the contacts table without events is explained as empty; customer_since counts."""
    Path("people.csv").write_text("contact,customer_since\n007,2020-01-01\neva,\n")
    with_people = (*EXPLAIN, "--contacts", "people.csv", "--at", "2026-01-31")
    assert "No rule has matched an event of this contact." in run(*with_people, "--contact", "eva")[1]
    assert "retention" in run(*with_people, "--contact", "007")[1]
    assert run(*with_people, "--contact", "evan")[0] == 1


def test_columns_are_mapped(run: Out) -> None:
    """The events' columns are named as in score, but for that of the contact."""
    Path("e.csv").write_text("who,what,when,spent,row\n7,order,1767225600,60,a\n7,order,1767225600,60,a\n")
    code, out, _ = run(
        "explain", "e.csv", "--model", "shop.toml", "--contact", "7", "--at", "latest",
        "--contact-column", "who", "--type", "what", "--time", "when", "--value", "spent", "--id", "row",
        "--unit", "s",
    )  # fmt: skip
    assert code == 0 and "who 7 at 2026-01-01 00:00 UTC: a score of 60" in out
    code, _, err = run("explain", "e.csv", "--model", "shop.toml", "--contact", "7")
    assert code == 1 and err.endswith("(say which with --contact-column)\n")


def test_compare_two_models(run: Out) -> None:
    """Two models of the same events: who moves, because of which rule; -o writes a row for each."""
    code, out, err = run(*COMPARE, "--with", "edited.toml", "-o", "changed.csv")
    assert (code, err) == (0, "")
    assert out.startswith(
        "2 contacts at 2026-01-31 00:00 UTC, by the model shop and by the model edited: 1 changed\n"
    )
    assert "phase  nurture -> sales  1\n" in out and "visit +80\n" in out
    assert out.endswith("\nThe full table, 1 row, is in changed.csv\n")
    assert pa_csv.read_csv("changed.csv").to_pydict()["rule"] == ["visit"]


def test_compare_two_instants(run: Out) -> None:
    """One model at two instants, contacts table included; now is an instant too."""
    Path("people.csv").write_text("contact\neva\n")
    code, out, _ = run(*COMPARE, "--with-at", "2026-06-01", "--contacts", "people.csv")
    assert code == 0
    assert (
        "3 contacts at 2026-01-31 00:00 UTC and at 2026-06-01 00:00 UTC, by the model shop: 2 changed" in out
    )
    assert run(*COMPARE, "--with-at", "now")[0] == 0


def test_models_of_other_columns_are_refused(run: Out) -> None:
    """Two models that read other columns cannot be compared, unless the call says which is which."""
    Path("edited.toml").write_text('columns = { contact = "who" }\n' + MODEL)
    code, out, err = run(*COMPARE, "--with", "edited.toml")
    assert (code, out) == (1, "") and "expected models that read the same columns" in err
    assert run(*COMPARE, "--with", "edited.toml", "--contact", "contact")[0] == 0


@pytest.mark.parametrize(
    "arguments",
    [EXPLAIN, (*EXPLAIN, "--contact", "7", "--top", "3"), COMPARE, (*COMPARE, "--with-at", "tomorrow")],
)
def test_wrong_usage_is_exit_code_2(run: Out, arguments: tuple[str, ...]) -> None:
    """Without a contact, or without anything to compare with, a command is not understood."""
    code, out, err = run(*arguments)
    assert (code, out) == (2, "")
    assert err.startswith("usage: engagekit")


@pytest.mark.parametrize("command", [(*EXPLAIN, "--contact", "007"), (*COMPARE, "--with", "edited.toml")])
def test_outputs_are_checked_before_reading(run: Out, command: tuple[str, ...]) -> None:
    """An output that cannot be written is told at once."""
    code, _, err = run(*command, "-o", "out.xlsx")
    assert code == 1 and "expected an ending of .parquet, .csv or .jsonl" in err
