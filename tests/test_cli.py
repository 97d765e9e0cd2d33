"""The command line does what it says, and says what is wrong in one line."""

import json
import os
import re
import signal
import subprocess
import sys
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from commands import Out, runner

import engagekit as ek
from engagekit import _core, cli, demo
from engagekit.cli import score
from engagekit.cli.reading import typed_fields
from engagekit.datafiles.paths import FORMATS

MODEL = """\
name = "shop"
lifecycle = { customer_on = ["order"] }
[[rules]]
name = "visit"
on = ["visit"]
points = 10
channel = "web"
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
NA,order,2026-01-01T00:00:00Z,60
NA,visit,2026-02-01T00:00:00Z,
"""


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Out:
    """Run a command in a folder with a model and events; return exit code, output and errors."""
    monkeypatch.chdir(tmp_path)
    Path("shop.toml").write_text(MODEL)
    Path("events.csv").write_text(EVENTS)
    return runner(capsys)


SCORE = ("score", "events.csv", "--model", "shop.toml", "--at", "2026-01-31")


def test_nothing_asked_shows_the_commands(run: Out) -> None:
    """Without a word the commands are shown, each with what it does, as an error: nothing has been done."""
    code, out, err = run()
    assert (code, out) == (2, "")
    for command in cli.COMMANDS:
        name = command.__name__.rpartition(".")[2].replace("example", "demo")
        assert re.search(rf"^ +{name} +\w", err, re.MULTILINE)


def test_a_process_keeps_its_memory(run: Out, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is freed serves again in a process of its own, and goes back to the system where a host calls."""
    told: list[bool] = []
    monkeypatch.setattr(_core, "keep_memory", lambda: told.append(True))
    run(*SCORE)
    assert told == []
    monkeypatch.setattr(sys, "argv", ["engagekit", *SCORE])
    assert cli.main() == 0
    assert told == [True]


def test_score_prints_a_summary(run: Out) -> None:
    """Scoring prints counts and the strongest, one line each, and where to find more."""
    code, out, err = run(*SCORE)
    assert (code, err) == (0, "")
    assert out.startswith("2 contacts at 2026-01-31 00:00 UTC, from 3 events, by the model shop\n")
    assert re.search(
        r"^NA +34 medium +retention +all from shop, 30 +\+0.14 +order 30 d ago +level low, 2026-02-",
        out,
        re.MULTILINE,
    )
    assert re.search(r"^007 +12 low +nurture +all from web, 10 ", out, re.MULTILINE)
    assert out.endswith("add: -o scores.csv (or .parquet, .jsonl)\n")


@pytest.mark.parametrize("ending", ["parquet", "csv", "jsonl"])
def test_score_writes_the_table(run: Out, ending: str) -> None:
    """With -o the table is written and loads as scores; the last line says where it lies."""
    code, out, _ = run(*SCORE, "-o", f"out.{ending}")
    assert code == 0
    assert out.endswith(f"\nThe full table, 2 rows of 18 columns, is in out.{ending}\n")
    scores = ek.Scores.load(f"out.{ending}")
    assert scores.columns()["contact"].tolist() == ["007", "NA"]
    assert scores.at == datetime(2026, 1, 31, tzinfo=UTC)
    assert scores.stats.future == 1
    assert scores.model.name == "shop"


def test_files_and_frames_give_the_same_scores(run: Out, tmp_path: Path) -> None:
    """CSV, JSON lines and Parquet, several files and folders, score as the same events in a frame do."""
    rows = [
        {"contact": "007", "type": "visit", "time": "2026-01-31T00:00:00Z", "value": None},
        {"contact": "NA", "type": "order", "time": "2026-01-01T00:00:00Z", "value": 60.0},
        {"contact": "NA", "type": "visit", "time": "2026-02-01T00:00:00Z", "value": None},
    ]
    table = pa.table(
        {
            "contact": [row["contact"] for row in rows],
            "type": [row["type"] for row in rows],
            "time": pa.array(
                [datetime.fromisoformat(str(row["time"])) for row in rows], pa.timestamp("us", "UTC")
            ),
            "value": pa.array([row["value"] for row in rows], pa.float64()),
        }
    )
    expected = ek.Model.load("shop.toml").score(table, at="2026-02-02").to_arrow()
    folder = tmp_path / "logs"
    folder.mkdir()
    pq.write_table(table.slice(0, 1), folder / "1.parquet")
    (folder / "2.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows[1:2]))
    (folder / "3.csv").write_text("contact,type,time,value\nNA,visit,2026-02-01T00:00:00Z,\n")
    for events in (["events.csv"], ["logs"], ["logs/*"], ["logs/1.parquet", "logs/2.jsonl", "logs/3.csv"]):
        code, _, err = run(
            "score", *events, "--model", "shop.toml", "--at", "2026-02-02", "-o", "out.parquet"
        )
        assert (code, err) == (0, "")
        assert ek.Scores.load("out.parquet").to_arrow().to_pydict() == expected.to_pydict()


def test_columns_are_mapped(run: Out) -> None:
    """Options name the columns, over those that the model names; the key keeps its name."""
    Path("mapped.toml").write_text(
        'columns = { contact = "who", type = "nonsense", time = "when" }\n' + MODEL
    )
    Path("e.csv").write_text("who,what,when,spent,row\n7,order,1767225600,60,a\n7,order,1767225600,60,a\n")
    code, out, err = run(
        "score", "e.csv", "--model", "mapped.toml", "--at", "2026-01-31", "-o", "out.csv",
        "--type", "what", "--value", "spent", "--id", "row", "--unit", "s",
    )  # fmt: skip
    assert (code, err) == (0, "")
    assert "1 repeated under one id and left out" in out
    scores = ek.Scores.load("out.csv").columns()
    assert (scores["who"].tolist(), scores["score"].tolist()) == (["7"], [30.0])


@pytest.mark.parametrize(
    ("at", "title"),
    [("latest", "at 2026-02-01 00:00 UTC"), ("2026-01-31T12:00+02:00", "at 2026-01-31 10:00 UTC")],
)
def test_instants(run: Out, at: str, title: str) -> None:
    """The instant is the newest event's or one in ISO-8601."""
    assert title in run(*SCORE[:4], "--at", at)[1].splitlines()[0]


def test_old_events_are_noted(run: Out) -> None:
    """Where nothing is left of old events now, a note on standard error names the remedy."""
    Path("events.csv").write_text("contact,type,time,value\na,visit,1999-01-01,\n")
    code, out, err = run("score", "events.csv", "--model", "shop.toml")
    assert code == 0 and out.count("Nobody has points.") == 1
    assert err.startswith("engagekit: note: ") and "--at latest" in err
    assert run("score", "events.csv", "--model", "shop.toml", "--quiet") == (0, "", "")


@pytest.mark.parametrize(("key", "name"), [("007", "contact"), ("9", "user")])
def test_contacts_get_a_row(run: Out, key: str, name: str) -> None:
    """Everybody in the contacts table gets a row, under either name of the key."""
    Path("events.csv").write_text(EVENTS.replace("contact", "user"))
    Path("contacts.csv").write_text(f"{name},customer_since\n{key},2020-01-01\n")
    code, _, err = run(*SCORE, "--contact", "user", "--contacts", "contacts.csv", "-o", "out.csv")
    assert (code, err) == (0, "")
    columns = ek.Scores.load("out.csv").columns()
    halves = dict(zip(columns["user"], columns["half"], strict=True))
    assert halves == {"007": "prospect", "NA": "customer", key: "customer"}


def test_contacts_of_csv_meet_integers(run: Out) -> None:
    """A CSV of contacts fits events whose contacts are integers, and the other way round."""
    table = pa.table(
        {"contact": [7], "type": ["visit"], "time": pa.array([0], pa.timestamp("us")), "value": [1.0]}
    )
    pq.write_table(table, "e.parquet")
    Path("c.csv").write_text("contact\n8\n")
    assert (
        run(
            "score",
            "e.parquet",
            "--model",
            "shop.toml",
            "--at",
            "latest",
            "--contacts",
            "c.csv",
            "-o",
            "o.csv",
        )[0]
        == 0
    )
    assert ek.Scores.load("o.csv").columns()["contact"].tolist() == [7, 8]
    assert run(*SCORE, "--contacts", "e.parquet", "-o", "o.csv")[0] == 0
    assert ek.Scores.load("o.csv").columns()["contact"].tolist() == ["007", "NA", "7"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("score", "none.csv", "--model", "shop.toml"), "none.csv: no such file or folder"),
        (
            ("score", "events.csv", "--model", "none.toml"),
            "none.toml: no such file\n",
        ),
        (("check", "shop.tml"), 'shop.tml: no such file, did you mean "shop.toml"?'),
        (("check", "models/shop.toml"), "models/shop.toml: no such file\n"),
        (("check", "./shop"), './shop: no such file, did you mean "shop.toml"?'),
        (("check", "shop"), "presets: no preset is named 'shop', did you mean \"shop.toml\"?"),
        (("check", "b2b"), "presets: no preset is named 'b2b', did you mean \"b2b_leads\"?"),
        (
            ("score", "events.csv", "--model", "sas"),
            "presets: no preset is named 'sas', did you mean \"saas\"?",
        ),
        (("check", "nonsense"), "presets: no preset is named 'nonsense' (the presets are"),
        (
            (*SCORE, "--contact", "user"),
            "events.csv: no column 'user' for the contact; the file has: contact, type",
        ),
        ((*SCORE, "-o", "out.xlsx"), "out.xlsx: expected an ending of .parquet, .csv or .jsonl"),
        ((*SCORE, "-o", "none/out.csv"), "none/out.csv: cannot be written, there is no folder none"),
        ((*SCORE, "-o", "./events.csv"), "./events.csv: is also an input; name another file after -o"),
        ((*SCORE, "--contacts", "shop.toml"), "shop.toml: unknown ending; expected .parquet, .csv or .jsonl"),
        ((*SCORE, "--contacts", "twice.csv"), "expected each contact once, got 'a' again"),
        (("score", "bad.csv", "--model", "shop.toml"), "bad.csv, line 2, column 'value': expected a"),
        (("demo", "-o", "out.txt"), "out.txt: expected an ending of .parquet, .csv or .jsonl"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_1(run: Out, arguments: tuple[str, ...], message: str) -> None:
    """What is wrong with the input is told in one line on standard error, without a traceback."""
    Path("bad.csv").write_text("contact,type,time,value\na,order,2026-01-01,much\n")
    Path("twice.csv").write_text("contact\na\na\n")
    code, out, err = run(*arguments)
    assert (code, out) == (1, "")
    assert err.startswith("engagekit: ") and message in err
    assert err.count("\n") == 1


def test_all_faults_of_a_model_are_listed(run: Out) -> None:
    """A model with several faults lists each on a line of its own."""
    Path("bad.toml").write_text('speed = 3\n[[rules]]\nname = "a"\non = "b"\npoints = "six"\n')
    code, out, err = run("check", "bad.toml")
    assert (code, out) == (1, "")
    lines = err.splitlines()
    assert lines[0] == "engagekit: bad.toml: 2 faults"
    assert err.count("bad.toml") == 1
    assert sorted(line.split(":")[0] for line in lines[1:]) == ["  rules[0].points", "  speed"]


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("score",),
        ("score", "events.csv"),
        ("sing",),
        (*SCORE[:4], "--at", "tomorrow"),
        (*SCORE, "--unit", "h"),
        (*SCORE, "--top", "-1"),
        (*SCORE, "--threads", "0"),
        ("check",),
    ],
)
def test_wrong_usage_is_exit_code_2(run: Out, arguments: tuple[str, ...]) -> None:
    """A command that is not understood ends with 2 and says how it is used."""
    code, out, err = run(*arguments)
    assert (code, out) == (2, "")
    assert err.startswith("usage: engagekit")


def test_version_and_help(run: Out) -> None:
    """The version is the package's; the help names presets, kinds of files, the default instant."""
    assert run("--version") == (0, f"engagekit {ek.__version__}\n", "")
    told = " ".join(run("score", "--help")[1].split())
    assert "saas" in told and "(default: now)" in told
    for ending in FORMATS:
        assert re.search(rf"read are .*{re.escape(ending.removesuffix('.gz'))}[ ,].* with .gz", told)
    assert "all but Parquet also with .gz" in told


def test_files_without_pyarrow(run: Out, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where pyarrow is missing, the command that installs it can be pasted into any shell."""
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    message = 'files need pyarrow, which is not installed: pip install "engagekit[files]"'
    assert run(*SCORE) == (1, "", f"engagekit: {message}\n")


def test_a_folder_hides_no_preset(run: Out) -> None:
    """A folder that is called as a preset is does not stand in its way."""
    Path("saas").mkdir()
    assert run("check", "saas")[0] == 0
    assert run("check", "./saas")[0] == 1


def test_misspelt_types_are_noted(run: Out) -> None:
    """The summary notes types that the model seems to misspell; quiet is quiet."""
    Path("shop.toml").write_text(MODEL.replace('"order"', '"ordr"'))
    code, out, err = run(*SCORE)
    assert (code, err) == (0, "")
    assert "\nNote: no event is of a type that makes a customer (ordr; did you mean 'order'?): every" in out
    assert run(*SCORE, "--quiet") == (0, "", "")


def test_check_tells_what_a_model_does(run: Out) -> None:
    """Checking prints the plain words and the fingerprint, for files and presets."""
    code, out, err = run("check", "shop.toml")
    assert (code, err) == (0, "")
    assert "+10 points for visit" in out
    assert out.endswith(f"No faults. Fingerprint: {ek.Model.load('shop.toml').fingerprint}\n")
    for name in ek.presets.names():
        assert run("check", name)[0] == 0


def test_demo_scores_the_real_example(run: Out) -> None:
    """In a checkout the demo scores the shipped data and says which command does that."""
    code, out, err = run("demo", "-o", "out.csv")
    assert (code, err) == (0, "")
    assert "2,469 contacts at 2018-01-01 04:01 UTC, from 164,539 events, by the model grocery" in out
    assert "$ engagekit score " in out
    assert len(ek.Scores.load("out.csv")) == 2469


def test_demo_without_the_example(run: Out, monkeypatch: pytest.MonkeyPatch) -> None:
    """Elsewhere the demo shows a made-up year, the same one every time, and says where the real one is."""
    monkeypatch.setattr(demo, "__file__", "/nowhere/at/all/demo.py")
    code, out, err = run("demo")
    assert (code, err) == (0, "")
    assert "12 contacts at 2026-01-01 00:00 UTC" in out
    assert "pip download --no-deps --no-binary engagekit engagekit" in out
    assert run("demo")[1] == out


def test_the_made_up_people_come_out_as_they_should() -> None:
    """Each of the made-up people is in the phase that one would expect."""
    columns = ek.presets.load(demo.PRESET).score(demo.made_up_events(), at=demo.AT).columns()
    assert dict(zip(columns["contact"], columns["phase"], strict=True)) == {
        "reader": "nurture",
        "only opens": "nurture",
        "looks in": "nurture",
        "fan": "nurture",
        "researches": "sales",
        "wants a demo": "sales",
        "asked once": "nurture",
        "buys monthly": "retention",
        "new customer": "retention",
        "stopped": "exit",
        "went silent": "exit",
        "cancelled": "exit",
    }


def test_progress_is_shown_on_a_terminal(run: Out, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a terminal the rows read are counted on standard error, unless it is to be quiet."""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    assert "reading" in run(*SCORE)[2]
    assert run(*SCORE, "--quiet") == (0, "", "")
    monkeypatch.setitem(sys.modules, "tqdm", None)
    assert run(*SCORE)[2] == ""


def test_the_terminal_s_width_changes_nothing(run: Out, monkeypatch: pytest.MonkeyPatch) -> None:
    """The summary has one layout, so that what is seen is what a page or a script gets."""
    expected = run(*SCORE)[1]
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    for width in ("40", "200"):
        monkeypatch.setenv("COLUMNS", width)
        assert run(*SCORE)[1] == expected


def test_interrupting_ends_quietly(run: Out, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C ends with 130 and no traceback."""

    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(score, "scored", interrupted)
    assert run(*SCORE) == (cli.INTERRUPTED, "", "engagekit: interrupted\n")


def process(*arguments: str, encoding: str = "utf-8") -> subprocess.Popen[bytes]:
    """Start the program as a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "engagekit", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONIOENCODING": encoding},
    )


def test_a_reader_that_leaves_is_no_error(run: Out) -> None:
    """A closed pipe, as `| head` leaves it, ends without a traceback."""
    assert run(*SCORE)[0] == 0
    started = process(*SCORE)
    assert started.stdout is not None and started.stderr is not None
    started.stdout.close()
    assert started.stderr.read() == b""
    assert started.wait(timeout=60) == 0
    started.stderr.close()


@pytest.mark.usefixtures("run")
def test_a_terminal_without_the_letters() -> None:
    """A contact that the terminal's encoding does not know is shown by number."""
    Path("events.csv").write_text("contact,type,time,value\nJosé,visit,2026-01-31,\n", encoding="utf-8")
    out, err = process(*SCORE, encoding="ascii").communicate(timeout=60)
    assert err == b""
    assert rb"Jos\xe9" in out


@pytest.mark.usefixtures("run")
def test_a_real_interrupt() -> None:
    """A process that is interrupted while it reads ends with 130."""
    os.mkfifo("slow.csv")
    # Where tests run in the background of a shell, its children ignore interrupts unless they ask for them.
    asking = "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler); "
    running = "from engagekit.cli import main; sys.exit(main(['score', 'slow.csv', '--model', 'shop.toml']))"
    started = subprocess.Popen([sys.executable, "-c", asking + running], stderr=subprocess.PIPE)
    err = b""
    with Path("slow.csv").open("wb"):  # it is opened on the other side: the program runs and waits
        # a signal that comes between opening and reading is noticed by neither, in any Python program
        for _ in range(6):
            started.send_signal(signal.SIGINT)
            with suppress(subprocess.TimeoutExpired):
                _, err = started.communicate(timeout=10)
                break
    assert (started.returncode, err) == (cli.INTERRUPTED, b"engagekit: interrupted\n")


def test_fields_are_typed_by_what_the_model_asks() -> None:
    """Amounts and comparisons with numbers make numbers, with booleans flags; everything else is text."""
    model = ek.Model(
        rules=[
            ek.Rule(name="a", on="a", points=1, amount=ek.Amount(field="spent")),
            ek.Rule(name="b", on="a", points=1, where=ek.field("n").is_in([1, 2]) | ~(ek.field("m") < 3)),
            ek.Rule(
                name="c", on="a", points=1, weights={"vip": {"true": 2}, "device": {"mobile": 2, "true": 1}}
            ),
        ],
        signals=[ek.Signal(name="s", on="x", where=ek.field("open") == True)],
        excludes=[
            ek.Exclude(name="e", on="x", where=ek.field("url").contains("a") & ek.field("q").is_null())
        ],
        repeats=[
            ek.Repeat(name="r", on="s", n=2, within="1d", points=1, where=ek.field("k").between(0.5, 1))
        ],
    )
    assert typed_fields(model) == ({"spent", "n", "m", "k"}, {"vip", "open"})
