"""The report: its numbers are the table's, it allows nothing but itself, and no name leaves its place."""

import os
import random
import re
from base64 import b64encode
from hashlib import sha256
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from markup import PIECES, Reader

import engagekit as ek
from engagekit.cli import main
from engagekit.errors import EngagekitError, EventsError, StateError
from engagekit.show.people import SINKING, Person
from engagekit.show.words import Words

AT = np.datetime64("2026-01-31", "us")
DAY = np.timedelta64(1, "D")
CAMPAIGN = ek.Rule(name="campaign", on="campaign", points=12, channel="mail", decay={"window": "20d"})
MODEL = ek.Model(
    name="shop",
    rules=[
        ek.Rule(name="visit", on="visit", points=9, channel="web"),
        ek.Rule(name="order", on="order", points=30, channel="shop"),
        CAMPAIGN,
    ],
    lifecycle=ek.Lifecycle(customer_on="order"),
)
EMPTY = {"contact": np.array([], object), "type": np.array([], object), "time": np.array([], "M8[us]")}


def log_of(contacts=80, events=900, seed=1):
    """Make up events of which the customers among the contacts fall silent one after the other."""
    rng = np.random.default_rng(seed)
    who = rng.integers(0, contacts, events)
    days = 70 * rng.random(events) + np.where(who % 3, 0, 45 + who / 2)
    return {
        "contact": who,
        "type": rng.choice(np.array(["visit"] * 6 + ["order", "campaign"], object), events),
        "time": AT - (days * 86_400_000_000).astype(np.int64).astype("timedelta64[us]"),
    }


EVENTS = log_of()
SCORES = MODEL.score(EVENTS, at=AT)


class Page(HTMLParser):
    """A report read back: its tables, tiles, policy, style and script."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tables: dict[str, list[list[str]]] = {}
        self.raw: dict[str, str] = {"style": "", "script": ""}
        self.policy = ""
        self.tiles: dict[str, tuple[str, str]] = {}
        self._rows: list[list[str]] = []
        self._inside: list[str] = []
        self._tile: list[str] = []
        self.feed(text)
        self.close()
        self.tiles = {
            self._tile[i]: (self._tile[i + 1], self._tile[i + 2]) for i in range(0, len(self._tile), 3)
        }

    def handle_starttag(self, tag, attrs):
        """Remember where we are."""
        given = dict(attrs)
        self._inside.append(tag)
        if tag == "meta" and given.get("http-equiv") == "Content-Security-Policy":
            self.policy = given["content"]
        if tag == "table":
            self._rows = self.tables.setdefault(f"{given['class']} {len(self.tables)}", [])
        elif tag == "tr":
            self._rows.append([])
        elif tag in ("td", "th"):
            self._rows[-1].append("")
        elif tag == "p" and self._tiles:
            self._tile.append("")
        elif tag == "div" and given.get("class") == "tile":
            self._tiles = True

    _tiles = False

    def handle_endtag(self, tag):
        """Leave what ends."""
        if tag == "section":
            self._tiles = False
        while self._inside and self._inside.pop() != tag:
            pass

    def handle_data(self, data):
        """Put text where it belongs."""
        here = self._inside[-1] if self._inside else ""
        if here in self.raw:
            self.raw[here] += data
        elif {"td", "th"} & set(self._inside):
            self._rows[-1][-1] += data
        elif here == "p" and self._tiles:
            self._tile[-1] += data

    @property
    def top(self) -> list[dict[str, str]]:
        """The table of contacts, a dict a row."""
        (rows,) = [rows for name, rows in self.tables.items() if name.startswith("all ")]
        return [dict(zip(rows[0], row, strict=True)) for row in rows[1:]]

    @property
    def lists(self) -> list[list[list[str]]]:
        """The lists of prospects and customers, without their heads."""
        return [rows[1:] for name, rows in self.tables.items() if name.startswith("people ")]


@pytest.fixture
def written(tmp_path):
    """Write a report of scores and return its text."""

    def write(scores, **options):
        file = tmp_path / "report.html"
        scores.report(file, **options)
        return file.read_text("utf-8")

    return write


# Numbers -----------------------------------------------------------------------------------------------


def test_the_table_is_the_result_s(written):
    """The strongest contacts stand there in their order, with the table's numbers to the displayed digit."""
    words, frame = Words(), SCORES.frame
    rows = Page(written(SCORES, top=50)).top
    order = np.argsort(-frame["score"], kind="stable")[:50]
    assert [row["contact"] for row in rows] == [str(each) for each in frame["contact"][order]]
    for row, place in zip(rows, order, strict=True):
        assert row["engagement"] == str(int(frame["engagement"][place]))
        assert row["score"] == f"{frame['score'][place]:,.1f}"
        assert row["momentum"] == words.signed(frame["momentum"][place])
        assert (row["level"], row["half"]) == (frame["level"][place], frame["half"][place])
        assert row["phase"] == frame["phase"][place]
        assert row["strongest channel"] == frame["top_channel"][place]
        day = words.date(frame["last_event"][place].item(), near=AT.item())
        assert row["last activity"] == f"{frame['last_type'][place]} {day}"


@pytest.mark.parametrize("at", [AT, AT - 48 * DAY])
def test_the_tiles_are_counted(written, at):
    """Contacts, mean, level, danger and falls are those of the frames, and so are their changes."""
    scores = MODEL.score(EVENTS, at=at)
    page, frame = Page(written(scores, since="20d")), scores.frame
    before = MODEL.score(EVENTS, at=at - 20 * DAY).frame
    customers = int((frame["half"] == "customer").sum())
    halves = f"{len(frame['half']) - customers} prospects, {customers} customers"
    words = Words()

    def since(now, then, digits=0):
        day = words.date((at - 20 * DAY).item(), near=at.item())
        return f"{words.signed(now - then, digits)} since {day}"

    assert page.tiles["Contacts"] == (str(len(frame["score"])), halves)
    # who had no event yet counts as 0
    then = before["engagement"].sum() / len(scores)
    mean = frame["engagement"].mean()
    assert page.tiles["Average engagement"] == (words.tenths(mean), since(mean, then, 1))
    high = [int((each["level"] == "high").sum()) for each in (frame, before)]
    assert page.tiles["Engagement high"] == (str(high[0]), since(*high))
    lost = [int((each["phase"] == "exit").sum()) for each in (frame, before)]
    assert page.tiles["Endangered customers"] == (str(lost[0]), since(*lost)) and lost[0] > 3
    ranks = {"none": 0, "low": 1, "medium": 2, "high": 3}
    falls = [
        change <= at + 7 * DAY and ranks[later] < ranks[now]
        for change, later, now in zip(frame["next_change"], frame["next_level"], frame["level"], strict=True)
        if later is not None
    ]
    assert page.tiles["About to fall"][0] == str(sum(falls)) != "0"


@pytest.mark.parametrize("at", [AT, AT - 48 * DAY])
def test_the_lists_name_the_right_people(written, at):
    """Prospects are the strongest of theirs; of customers those in danger come first, then who is near."""
    scores = MODEL.score(EVENTS, at=at)
    hot, danger = Page(written(scores)).lists
    frame = scores.frame
    order = np.argsort(-frame["score"], kind="stable")
    prospects = [each for each in order if frame["half"][each] == "prospect" and frame["score"][each] > 1e-6]
    lost = [each for each in order if frame["phase"][each] == "exit"]
    near = [
        each
        for each in order
        if frame["half"][each] == "customer"
        and frame["phase"][each] != "exit"
        and frame["next_phase"][each] == "exit"
        and frame["next_change"][each] <= at + 7 * DAY
    ]
    for rows, right in ((hot, prospects), (danger, [*lost, *near])):
        assert [re.match(r"\d+", row[0])[0] for row in rows] == [
            str(frame["contact"][each]) for each in right[:10]
        ]
        assert all(row[2].strip() == "" for row in rows)  # the small curve
    assert len(danger) == min(10, len(lost) + len(near))


def test_customers_of_one_phase_are_judged_by_their_pace(written):
    """Where customers have no phase to fall into, those are endangered whose pace is half the usual."""
    one = [ek.Phase(name="prospect", half="prospect"), ek.Phase(name="customer", half="customer")]
    scores = MODEL.evolve(phases=one).score(EVENTS, at=AT)
    frame = scores.frame
    sinking = (frame["half"] == "customer") & (frame["momentum"] <= SINKING)
    assert Page(written(scores)).tiles["Endangered customers"][0] == str(sinking.sum()) != "0"


def test_the_model_and_its_fingerprint_stand_there(written):
    """Every sentence of the model's description is in the report, and the whole fingerprint."""
    text = " ".join(Reader(written(SCORES)).text.split())
    assert MODEL.fingerprint in text
    for words in ("+9 points for visit", "Points in mail", "until the first order", "shop: 3 rules"):
        assert words in text


def test_what_did_not_count_is_told(written):
    """Events of the future and of no rule are named, and so are notes."""
    events = {
        "contact": [1, 1, 1],
        "type": ["visit", "vist", "visit"],
        "time": np.array(["2026-01-01", "2026-01-02", "2026-02-02"], "datetime64[us]"),
    }
    scores = MODEL.evolve(lifecycle=ek.Lifecycle(customer_on="<b>order")).score(events, at=AT)
    text = Reader(written(scores)).text
    assert "1 later than the report and left out; 1 of types or kinds that no rule reads" in text
    assert scores.notes and all(note in text for note in scores.notes)


# What it is made of --------------------------------------------------------------------------------------


def test_the_policy_allows_its_own_style_and_script_alone(written):
    """The digests are those of what stands there; no attribute carries style or script, or leads outside."""
    text = written(SCORES, theme="dark")
    page = Page(text)
    digests = [b64encode(sha256(page.raw[each].encode()).digest()).decode() for each in ("style", "script")]
    assert page.policy == (
        f"default-src 'none'; style-src 'sha256-{digests[0]}'; script-src 'sha256-{digests[1]}'; "
        "base-uri 'none'; form-action 'none'"
    )
    for tag, attributes in Reader(text).tags:
        assert not {name for name in attributes if name in {"style", "src", "href"} or name.startswith("on")}
        assert tag not in {"link", "iframe", "img", "object", "embed", "base", "form", "a"}
    assert "url(" not in text and "@import" not in text
    assert text.count("http") == text.count("http-equiv") + text.count('xmlns="http://www.w3.org/2000/svg"')


def test_reports_are_the_same_every_time(written):
    """The same scores give the same bytes."""
    assert written(SCORES) == written(SCORES)


def test_hostile_names_stay_names(written):
    """Whatever contacts are called, their rows have the tags and attributes of anybody's."""
    draw = random.Random(7)
    pieces = [piece.replace("\ud800", "") for piece in PIECES if len(piece) < 1000]
    names = [f"{''.join(draw.choices(pieces, k=draw.randint(1, 4)))}{number}" for number in range(2_000)]

    def rows(contacts):
        times = np.full(len(contacts), AT - DAY)
        scores = MODEL.score({"contact": contacts, "type": ["visit"] * len(contacts), "time": times}, at=AT)
        text = written(scores, top=10_000)
        head, body = text.split('<table class="all"')
        found = [Reader(row).shapes for row in body.split("</tbody>")[0].split("<tr ")[1:]]
        return head, found, Page(f"{head}{body.split('</table>')[1]}")

    plain, (right, *_), calm = rows([f"contact {number}" for number in range(20)])
    head, found, page = rows(names)
    assert len(found) == 2_000 and ("bdi", ()) in right
    for shapes in found:
        # a name that was cut has its whole in a title
        assert [("bdi", ()) if each == ("bdi", ("title",)) else each for each in shapes] == right
    assert page.raw == calm.raw and page.policy == calm.policy
    assert {tag for tag, _ in Reader(head).tags} == {tag for tag, _ in Reader(plain).tags}


def test_hostile_models_are_described(written):
    """Names of models, rules, channels and phases bring no tag and no attribute into the page."""

    def shapes(model, rule, channel, phase):
        made = ek.Model(
            name=model,
            rules=[ek.Rule(name=rule, on=rule, points=50, channel=channel)],
            phases=[
                ek.Phase(name=phase, half="prospect", min_engagement=10),
                ek.Phase(name="rest", half="prospect"),
                ek.Phase(name="buyer", half="customer"),
            ],
        )
        events = {"contact": ["ann", "bob"], "type": [rule] * 2, "time": np.array([AT - 25 * DAY, AT - DAY])}
        page = Reader(written(made.score(events, at=AT)))
        return [(tag, {*attributes} - {"title"}) for tag, attributes in page.tags]

    plain = shapes("shop", "visit", "web", "sales")
    names = [piece for piece in PIECES if piece.strip() and "\ud800" not in piece]
    for place in range(0, len(names), 4):
        own = [f"{names[(place + step) % len(names)]}{step}" for step in range(4)]
        assert shapes(*own) == plain


# Languages, sizes, borders -------------------------------------------------------------------------------


def test_reports_speak_german(written):
    """Words, numbers and dates are German, and labels of one's own go first."""
    text = written(SCORES, language="de", labels={"phase.exit": "Absprung"})
    page = Page(text)
    assert '<html lang="de"' in text and "Gefährdete Kunden" in text and "Absprung" in text
    assert "," in page.tiles["Engagement im Mittel"][0]
    with pytest.raises(EngagekitError, match="language"):
        written(SCORES, language="fr")


def test_reports_of_nobody(written):
    """Without contacts there are tiles, the model, and no table, script or flow."""
    text = written(MODEL.score(EMPTY, at=AT))
    page = Page(text)
    assert page.tiles["Contacts"][0] == "0" and not page.raw["script"]
    assert "script-src" not in page.policy and "No prospect has points." in text
    assert "<table" not in text


@pytest.mark.parametrize("at", ["0001-01-01", "0001-01-20"])
def test_reports_at_the_beginning_of_time(written, at):
    """Where a month before is before any calendar, it is compared with the first day, or with none."""
    times = np.array(["0001-01-01"], "datetime64[us]")
    scores = MODEL.score({"contact": ["ann"], "type": ["visit"], "time": times}, at=at)
    assert Page(written(scores)).tiles["Contacts"][0] == "1"


def test_reports_of_all_kinds_of_models(written):
    """Presets, thirty channels, nine phases, a fit without attributes, no customers: all are reported."""
    times = np.array(["2026-01-01", "2026-01-30"], "datetime64[us]")
    for name in ek.presets.names():
        model = ek.presets.load(name)
        fields = {field: [None, None] for field in model.fields - {"contact", "type", "time"}}
        events = {"contact": ["ann", "bob"], "type": ["page_view", "purchase"], "time": times, **fields}
        page = Page(written(model.score(events, at=AT)))
        assert len(page.top) == 2 and ("rating" in page.top[0]) == (model.fit is not None)
    rules = [ek.Rule(name=f"r{i}", on="visit", points=i + 1, channel=f"channel {i}") for i in range(30)]
    phases = [ek.Phase(name=f"p{i}", half="prospect", min_engagement=80 - 10 * i) for i in range(8)]
    last = [ek.Phase(name="rest", half="prospect"), ek.Phase(name="buyer", half="customer")]
    many = ek.Model(rules=rules, phases=[*phases, *last]).score(EVENTS, at=AT)
    page = Page(written(many))
    assert "half" not in page.top[0] and "Endangered customers" not in page.tiles


def test_top_says_how_many(written):
    """The table has so many contacts at most; with none there is no table."""
    assert len(Page(written(SCORES, top=7)).top) == 7
    assert len(Page(written(SCORES, top=10_000)).top) == len(SCORES)
    assert 'id="contacts"' not in written(SCORES, top=0)
    for wrong in (-1, "10", True):
        with pytest.raises(EngagekitError, match="top="):
            written(SCORES, top=wrong)


def test_loaded_scores_are_reported_without_events(written, tmp_path):
    """Loaded scores give the same table; what needs events is left out, unless earlier scores are given."""
    pytest.importorskip("pyarrow")
    before = MODEL.score(EVENTS, at=AT - 30 * DAY)
    for ending in ("parquet", "csv"):
        SCORES.save(tmp_path / f"scores.{ending}")
        before.save(tmp_path / f"before.{ending}")
        loaded, earlier = (
            ek.scores.Scores.load(tmp_path / f"{name}.{ending}") for name in ("scores", "before")
        )
        whole, less = Page(written(SCORES)), written(loaded)
        assert Page(less).top == whole.top and "Who moved" not in less and "last 90 days" not in less
        assert re.findall(
            r'class="moves">.*?</table>', written(loaded, since=earlier), re.DOTALL
        ) == re.findall(r'class="moves">.*?</table>', written(SCORES), re.DOTALL)
    with pytest.raises(StateError, match="give earlier scores"):
        written(loaded, since="30d")


def test_scores_at_many_instants_are_refused(written):
    """A report is of one instant."""
    with pytest.raises(StateError, match="one instant"):
        written(MODEL.score(EVENTS, at={"contact": [7], "at": [AT]}))


# Files ---------------------------------------------------------------------------------------------------


def test_unwritable_paths_are_told_before_anything_is_done(tmp_path, monkeypatch):
    """No such folder, or a folder: an OSError with the path, and nothing has been computed."""
    monkeypatch.setattr("engagekit.show.report.report", lambda *_, **__: pytest.fail("computed"))
    with pytest.raises(FileNotFoundError, match=r"nowhere/report\.html"):
        SCORES.report(tmp_path / "nowhere" / "report.html")
    with pytest.raises(IsADirectoryError, match=tmp_path.name):
        SCORES.report(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_what_is_no_file_is_not_replaced(tmp_path):
    """A pipe, as a device, stays what it is: whoever names one learns it."""
    os.mkfifo(tmp_path / "pipe.html")
    with pytest.raises(FileExistsError, match=r"Not a regular file: .*pipe"):
        SCORES.report(tmp_path / "pipe.html")
    assert (tmp_path / "pipe.html").is_fifo() and len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("name", ["report.pdf", "report", "report.html.gz", ".html"])
def test_a_report_is_an_html_file(tmp_path, monkeypatch, name):
    """Any other ending is refused before anything is computed: no browser would show the file as a page."""
    monkeypatch.setattr("engagekit.show.report.report", lambda *_, **__: pytest.fail("computed"))
    with pytest.raises(StateError, match=rf"{name}: expected an ending of \.html or \.htm"):
        SCORES.report(tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_endings_of_pages(tmp_path):
    """Both endings of a page will do, in any case."""
    for name in ("report.htm", "REPORT.HTML"):
        SCORES.report(tmp_path / name, top=0)
        assert (tmp_path / name).read_text("utf-8").startswith("<!DOCTYPE html>")


def test_a_report_that_fails_leaves_the_old_one(tmp_path):
    """Whatever goes wrong, the file is as it was, and nothing lies beside it."""
    file = tmp_path / "report.html"
    file.write_text("old")
    with pytest.raises(EventsError, match="before that of the scores"):
        SCORES.report(file, since="2027-01-01")
    assert file.read_text() == "old" and list(tmp_path.iterdir()) == [file]
    SCORES.report(file)
    assert file.read_text("utf-8").startswith("<!DOCTYPE html>") and list(tmp_path.iterdir()) == [file]


# The command -----------------------------------------------------------------------------------------------

SHOP = """\
name = "shop"
[[rules]]
name = "visit"
on = ["visit"]
points = 60
"""
VISITS = """\
contact,type,time
ann,visit,2026-01-30
bob,visit,2025-12-01
"""


@pytest.fixture
def shop(tmp_path, monkeypatch):
    """Work in a folder with a model and events."""
    monkeypatch.chdir(tmp_path)
    Path("shop.toml").write_text(SHOP)
    Path("events.csv").write_text(VISITS)
    return ["report", "events.csv", "--model", "shop.toml", "--at", "2026-01-31"]


def test_the_command_writes_what_scores_do(shop, capsys):
    """The file is that of the library, its name is printed, and --quiet prints nothing."""
    assert main([*shop, "-o", "report.html", "--since", "20d", "--top", "1", "--language", "de"]) == 0
    assert capsys.readouterr().out == "The report on 2 contacts is in report.html: open it in a browser\n"
    times = np.array(["2026-01-30", "2025-12-01"], "datetime64[us]")
    events = {"contact": ["ann", "bob"], "type": ["visit"] * 2, "time": times}
    scores = ek.Model.load("shop.toml").score(events, at="2026-01-31")
    scores.report("own.html", since="2026-01-11", top=1, language="de")
    assert Path("report.html").read_text("utf-8") == Path("own.html").read_text("utf-8")
    assert main([*shop, "-o", "report.html", "--quiet", "--theme", "dark"]) == 0
    assert capsys.readouterr().out == ""


def test_the_command_reads_again_what_memory_did_not_keep(shop, monkeypatch):
    """Of events on disk the flow is that of events in memory; only the small curves are missing."""
    assert main([*shop, "-o", "memory.html"]) == 0
    monkeypatch.setattr("engagekit.partitions.HELD", 0)
    monkeypatch.setattr("engagekit.datafiles.reading._BYTES", 1)
    Path("more.csv").write_text("contact,type,time\ncleo,visit,2026-01-02\n")
    with_more = [shop[0], "more.csv", *shop[1:]]
    assert main([*with_more, "-o", "disk.html"]) == 0
    monkeypatch.setattr("engagekit.partitions.HELD", 1 << 30)
    assert main([*with_more, "-o", "memory.html"]) == 0
    moves = [
        re.findall(r'class="moves">.*?</table>', Path(name).read_text("utf-8"), re.DOTALL)
        for name in ("disk.html", "memory.html")
    ]
    assert moves[0] == moves[1] != []
    assert "last 90 days" in Path("memory.html").read_text("utf-8")
    assert "last 90 days" not in Path("disk.html").read_text("utf-8")


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["-o", "nowhere/report.html"], 1, "there is no folder nowhere"),
        (["-o", "events.csv"], 1, "is also an input"),
        (["-o", "."], 1, "it is a folder"),
        (["-o", "report.pdf"], 1, "report.pdf: expected an ending of .html or .htm"),
        (["-o", "report.html", "--since", "2026-05-01"], 1, "before that of the scores"),
        (["-o", "report.html", "--since", "now"], 2, "how long before"),
        (["-o", "report.html", "--since", "a month"], 2, "expected an instant"),
        ([], 2, "-o/--output"),
    ],
)
def test_the_command_says_what_is_wrong(shop, arguments, code, message, capsys):
    """Bad paths and instants are one line, and no file is left."""
    try:
        found = main([*shop, *arguments])
    except SystemExit as stop:
        found = stop.code
    assert found == code and message in capsys.readouterr().err
    assert not Path("report.html").exists()


def test_everything_told_of_a_person_is_shown():
    """The report's page asks for every attribute of a person but the contact's half, where all have one."""
    page = (Path(ek.__file__).parent / "show" / "templates" / "report.html").read_text("utf-8")
    assert {field.name for field in Person.__attrs_attrs__ if f"person.{field.name}" not in page} == set()
