"""The summary counts right, explains the strongest in one line each, and notes what does not fit."""

import re
from datetime import UTC, datetime, timedelta
from html import escape, unescape
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import pytest

import engagekit as ek
from engagekit.summary import summary

AT = datetime(2026, 1, 31)
MODEL = ek.Model(
    name="shop",
    rules=[
        ek.Rule(name="visit", on="visit", points=10, channel="web"),
        ek.Rule(name="order", on="order", points=50, channel="shop"),
        ek.Rule(name="complaint", on="complaint", points=-20, channel="service"),
    ],
    lifecycle=ek.Lifecycle(customer_on="order"),
    passive=["mail"],
)


def scored(
    *events: tuple[str, str, float], at: datetime | str = AT, model: ek.Model = MODEL, **options: Any
) -> ek.Scores:
    """Score events given as contact, type and days before the instant."""
    contacts, types, ages = zip(*events, strict=True) if events else ((), (), ())
    frame = {
        "contact": np.array(contacts, object),
        "type": np.array(types, object),
        "time": np.array([AT - timedelta(days=age) for age in ages], "datetime64[us]"),
    }
    return model.score(frame, at=at, **options)


def told(scores: ek.Scores, **options: Any) -> str:
    """Summarise scores."""
    return summary(
        scores.columns(),
        model=scores.model,
        at=scores.at,
        stats=scores.stats,
        key=scores.key,
        notes=scores.notes,
        **options,
    )


def line(*events: tuple[str, str, float], model: ek.Model = MODEL, **options: Any) -> dict[str, str]:
    """Return what is told of the strongest contact, by column."""
    header, *_, last = told(scored(*events, model=model, **options), top=1).splitlines()[-2:]
    starts = [match.start() for match in re.finditer(r"(?<=  )\S|^\S", header)]
    cells = [last[a:b].strip() for a, b in pairwise([*starts, None])]
    return dict(zip(re.split(" {2,}", header), cells, strict=True))


def test_contacts_are_counted_by_phase_and_level() -> None:
    """Every phase has its row, also an empty one; contacts without activity have one where there are any."""
    scores = scored(
        *[("ann", "visit", 0)] * 5,
        ("bob", "visit", 0),
        ("cleo", "order", 0),
        ("dan", "mail", 0),
        ("eve", "visit", 300),
    )
    assert told(scores).startswith(
        """\
5 contacts at 2026-01-31 00:00 UTC, from 9 events, by the model shop

                         none  low  medium  high  all
prospect  sales             -    -       -     1    1
          nurture           1    1       -     -    2
          (no activity)     1    -       -     -    1
customer  retention         -    -       -     1    1
          exit              -    -       -     -    -
all                         2    1       -     2    5
"""
    )


def test_without_a_life_cycle_no_customers_are_listed() -> None:
    """The phases of customers are left out where nobody can be one."""
    model = ek.Model(rules=[ek.Rule(name="visit", on="visit", points=10)])
    assert "retention" not in told(scored(("ann", "visit", 0), model=model))


def test_what_did_not_count_is_told() -> None:
    """Events left out are told with their number and reason, and only those that are there."""
    scores = scored(("ann", "visit", 0), ("ann", "visit", -1), ("ann", "nonsense", 0), ("ann", "nonsense", 1))
    assert (
        "\nOf the events: 1 later than that instant and left out; 2 of types or kinds that no rule reads\n"
        in told(scores)
    )
    assert "Of the events" not in told(scored(("ann", "visit", 0)))


def test_the_strongest_come_first() -> None:
    """The highest score comes first, equal ones in order of appearance, and no more than asked for."""
    scores = scored(("ann", "visit", 0), ("bob", "order", 0), ("cleo", "visit", 0))
    lines = told(scores).splitlines()
    assert [line.split()[0] for line in lines[-3:]] == ["bob", "ann", "cleo"]
    assert told(scores, top=1).splitlines()[-1].startswith("bob")
    assert "strongest" not in told(scores, top=0)


def test_whoever_has_no_points_is_not_among_the_strongest() -> None:
    """Scores of nothing and below are left out; where nobody has more, that is said."""
    scores = scored(("ann", "visit", 0), ("bob", "mail", 0), ("cleo", "complaint", 0), ("dan", "visit", 2000))
    assert told(scores).splitlines()[-1].startswith("ann ")
    assert told(scored(("bob", "mail", 0))).endswith("\n\nNobody has points.")
    assert "points" not in told(scored(("bob", "mail", 0)), top=0)


def test_one_line() -> None:
    """A table tells of each the engagement, the phase, the points, the pace and what was and will be."""
    told_of_ann = line(("ann", "order", 30), ("ann", "order", 2), ("ann", "visit", 2))
    assert told_of_ann == {
        "contact": "ann",
        "engagement": "68 high",
        "phase": "retention",
        "points": "shop 73 of 82",
        "momentum": "+0.48",
        "last activity": "visit 2 d ago",
        "next change": "level medium, 2026-02-21",
    }


@pytest.mark.parametrize(
    ("events", "words"),
    [
        ([("ann", "visit", 0)], "all from web, 10"),
        ([("ann", "order", 0), ("ann", "visit", 150)], "all from shop, 50"),
        ([("ann", "order", 0), ("ann", "complaint", 0)], "shop 50, less 20"),
        ([("ann", "order", 0)] + [("ann", "visit", 0)] * 6, "web 60 of 110"),
        ([("ann", "visit", 150)], "all from web, 0.3"),
        ([("ann", "visit", 300)], "all from web, 0.01"),
    ],
)
def test_where_the_points_come_from(events: list[tuple[str, str, float]], words: str) -> None:
    """The leading channel is named with its share; what others take away is told, what rounds away is not."""
    assert line(*events)["points"] == words


@pytest.mark.parametrize(
    ("days", "words"),
    [(0.0, "0 min"), (1 / 1440, "1 min"), (0.05, "72 min"), (0.5, "12 h"), (1.9, "45 h"), (2.0, "2 d"),
     (2.99, "2 d")],
)  # fmt: skip
def test_time_since_the_last_activity(days: float, words: str) -> None:
    """The time is told in the largest unit of which there are two, rounded down."""
    assert line(("ann", "visit", days))["last activity"] == f"visit {words} ago"


@pytest.mark.parametrize(
    ("visits", "words"),
    [
        (25 * 2 ** (0.5 / 30), "level low, in 12 h"),
        (25 * 2 ** (1.9 / 30), "level low, in 45 h"),
        (25 * 2 ** (2.1 / 30), "level low, 2026-02-02"),
        (50 * 2 ** (0.05 / 30), "phase nurture, in 72 min"),
        (150.0, "phase nurture, 2026-03-"),
        (0.5, ""),
    ],
)
def test_what_comes_next(visits: float, words: str) -> None:
    """A change of phase or level is told with its day or, within two days, with the time until it."""
    rule = ek.Rule(name="visit", on="visit", points=visits)
    next_change = line(("ann", "visit", 0), model=MODEL.evolve(rules=[rule], scale=ek.Scale.linear(100)))[
        "next change"
    ]
    assert next_change.startswith(words) and bool(next_change) == bool(words)


def test_what_comes_next_counts_from_the_row_s_own_instant() -> None:
    """Where each row has its instant, the time until a change is told from there."""
    model = MODEL.evolve(
        rules=[ek.Rule(name="visit", on="visit", points=25 * 2 ** (1.5 / 30))], scale=ek.Scale.linear(100)
    )
    frame = {"contact": ["ann", "ann"], "at": np.array(["2026-01-30", "2026-01-31"], "datetime64[us]")}
    lines = told(scored(("ann", "visit", 1), model=model, at=frame)).splitlines()  # type: ignore[arg-type]
    assert [row.split("level ")[1] for row in lines[-2:]] == ["low, in 36 h", "low, in 12 h"]


def test_a_pace_that_is_steady_has_no_minus() -> None:
    """A momentum that rounds to nothing reads as nothing more."""
    columns = scored(("ann", "visit", 0)).columns()
    columns["momentum"] = np.array([-0.001])
    stats = scored(("ann", "visit", 0)).stats
    assert "  +0.00  " in summary(columns, model=MODEL, at=AT, stats=stats, key="contact").splitlines()[-1]


def test_the_engagement_is_rounded_down() -> None:
    """An engagement just below a bound does not read as if it had reached it."""
    model = ek.Model(rules=[ek.Rule(name="visit", on="visit", points=49.9999)], scale=ek.Scale.linear(100))
    assert line(("ann", "visit", 0), model=model)["engagement"] == "49 medium"


def test_an_unnamed_model_is_not_named() -> None:
    """The title names a model only where it was given a name."""
    model = ek.Model(rules=[ek.Rule(name="visit", on="visit", points=10)])
    title = told(scored(("ann", "visit", 0), model=model)).splitlines()[0]
    assert title == "1 contact at 2026-01-31 00:00 UTC, from 1 event"


@pytest.mark.parametrize(
    ("days", "said"),
    [(0.9, ""), (1.5, " (newest activity 1 day before)"), (40, " (newest activity 40 days before)")],
)  # fmt: skip
def test_old_activity_is_told_in_the_title(days: float, said: str) -> None:
    """Where nobody has done anything for more than a day before the instant, the title says so."""
    title = told(scored(("ann", "visit", 60), ("bob", "visit", days), ("cleo", "mail", 0))).splitlines()[0]
    assert title == f"3 contacts at 2026-01-31 00:00 UTC{said}, from 3 events, by the model shop"


def test_aware_instants_are_told_in_utc() -> None:
    """An instant with an offset is told as UTC."""
    frame = {"contact": ["ann"], "type": ["visit"], "time": np.array(["2026-01-01"], "datetime64[us]")}
    scores = MODEL.score(frame, at="2026-01-31T01:00+01:00")
    assert "at 2026-01-31 00:00 UTC" in told(scores)
    at = datetime(2026, 1, 1, 12, tzinfo=UTC)
    title = summary(scores.columns(), model=MODEL, at=at, stats=scores.stats, key="contact").splitlines()[0]
    assert title == "1 contact at 2026-01-01 12:00 UTC, from 1 event, by the model shop"


def test_rows_with_instants_of_their_own() -> None:
    """Where each row has its instant, rows are counted and each is told with its day."""
    frame = {"contact": ["ann", "ann"], "at": np.array(["2026-01-30", "2026-01-31"], "datetime64[us]")}
    scores = scored(("ann", "visit", 1), at=frame)  # type: ignore[arg-type]
    lines = told(scores).splitlines()
    assert lines[0] == "2 rows at instants of their own, from 1 event, by the model shop"
    assert [re.split(" {2,}", row)[0] for row in lines[-2:]] == ["ann at 2026-01-30", "ann at 2026-01-31"]
    later = told(scored(("ann", "visit", -1), at=frame))  # type: ignore[arg-type]
    assert "1 later than their contact's instant and left out" in later


TOO_EARLY = "no event is at or before that instant; the first is of 2026-01-31 12:00 UTC"


@pytest.mark.parametrize(
    ("events", "words"),
    [
        ([], "Note: there are no events."),
        (
            [("ann", "order", -2), ("bob", "visit", -0.5)],
            f"Note: {TOO_EARLY}.\n\nOf the events: 2 later than that instant and left out",
        ),
    ],
)
def test_nobody_at_all(events: list[tuple[str, str, float]], words: str) -> None:
    """Where there are no contacts, the reason is told in the place of tables."""
    title = f"0 contacts at 2026-01-31 00:00 UTC, from {len(events)} events, by the model shop"
    assert told(scored(*events)) == f"{title}\n\n{words}"
    assert "<table" not in scored(*events)._repr_html_()


def test_names_move_no_cursor_and_stay_short() -> None:
    """Control characters are shown as escapes, long names are cut."""
    scores = scored(("\x1b[2J" + "x" * 50, "visit", 0), model=MODEL.evolve(name="\x1b[2J"))
    last = told(scores).splitlines()[-1]
    assert last.startswith("\\x1b[2Jxxxxxxxxxxxxxx...  ")
    scores.notes = ("\x1b[2J" + "x" * 5000,)
    assert "\x1b" not in told(scores) and len(max(told(scores).splitlines(), key=len)) < 1100


PURCHASES = ek.Model(
    rules=[ek.Rule(name="visit", on="page_view", points=1), ek.Rule(name="buy", on="purchas", points=9)],
    signals=[ek.Signal(name="bought", on="purchas")],
    lifecycle=ek.Lifecycle(customer_on="bought"),
)
NO_CUSTOMER = (
    "no event is of a type that makes a customer (purchas; did you mean 'purchase'?): everybody is a prospect"
)
UNREAD = "no event is of a type that these read: buy (purchas; did you mean 'purchase'?)"


def test_a_type_that_makes_no_customer_is_noted() -> None:
    """Without an event that makes a customer, a note says so, unless the contacts table knows customers."""
    events = [("ann", "page_view", 0), ("ann", "purchase", 0)]
    assert scored(*events, model=PURCHASES).notes == (NO_CUSTOMER, UNREAD)
    since = {"contact": ["ann"], "customer_since": np.array(["2020-01-01"], "datetime64[us]")}
    assert scored(*events, model=PURCHASES, contacts=since).notes == (UNREAD,)
    nobody = {"contact": ["ann"], "customer_since": np.array(["NaT"], "datetime64[us]")}
    assert scored(*events, model=PURCHASES, contacts=nobody).notes == (NO_CUSTOMER, UNREAD)
    assert scored(*events, ("ann", "purchas", 9), model=PURCHASES).notes == ()
    assert scored(("ann", "visit", 0)).notes == (
        "no event is of a type that makes a customer (order): everybody is a prospect",
    )


def test_attributes_without_a_contacts_table_are_noted() -> None:
    """A model that asks for attributes says so where there is no contacts table, with events and without."""
    large = ek.Criterion(name="large", where=ek.field("employees") >= 50, points=1)
    model = ek.Model(rules=[ek.Rule(name="visit", on="visit", points=1)], fit=ek.Fit(criteria=[large]))
    note = "the model asks for attributes (employees), and without a contacts table nobody's are known"
    assert scored(("ann", "visit", 0), model=model).notes == (note,)
    assert scored(model=model).notes == ("there are no events", note)
    people = {"contact": ["bob"], "employees": [9]}
    assert scored(("ann", "visit", 0), model=model, contacts=people).notes == ()


def test_events_that_the_model_does_not_read_are_noted() -> None:
    """Where no type is one that the model reads, both sides are named, and what may have been meant."""
    model = ek.Model(rules=[ek.Rule(name="visit", on=["page_view", "search"], points=1)])
    events = [("ann", "PageView", 0), *[("bob", "mail", 0)] * 1200, *[("bob", kind, 0) for kind in "abcd"]]
    assert scored(*events, model=model).notes[0].split("; ") == [
        "no event is of a type that the model reads",
        "the events' types are mail 1,200, PageView 1, a 1, b 1, c 1, ...",
        "the model's are page_view, search (did you mean 'PageView'?)",
    ]
    absence = ek.Absence(name="ignored", after="page_view", unless="mail", within="1d", points=-1)
    assert scored(*events, model=model.evolve(rules=[], absences=[absence])).notes == ()


def test_types_that_only_look_alike_are_not_noted() -> None:
    """A rule without events is noted only where a type that nothing reads is spelt nearly the same."""
    rules = [ek.Rule(name="open", on="email_open", points=1), ek.Rule(name="visit", on="visit", points=1)]
    model = ek.Model(rules=rules)
    assert scored(("ann", "visit", 0), ("ann", "email_sent", 0), model=model).notes == ()
    opened = scored(("ann", "visit", 0), ("ann", "email_opened", 0), model=model)
    assert opened.notes == (
        "no event is of a type that these read: open (email_open; did you mean 'email_opened'?)",
    )
    passive = model.evolve(passive=["email_opened"])
    assert scored(("ann", "visit", 0), ("ann", "email_opened", 0), model=passive).notes == ()


def test_a_preset_is_not_held_to_read_all_it_could() -> None:
    """What a preset reads beyond one's events is no fault, however near the types come."""
    model = ek.presets.load("ecommerce")
    fields = {name: np.array([None, None], object) for name in model.fields}
    types = [model.rules[0].on[0], model.rules[1].on[0] + "s"]
    times = np.array([AT, AT], "datetime64[us]")
    events = {**fields, "contact": ["ann", "ann"], "type": types, "time": times}
    events["value"] = np.array([1.0, 1.0])
    notes = model.evolve(lifecycle=None).score(events, at=AT).notes
    assert notes == ()
    renamed = model.evolve(
        lifecycle=None, rules=[attrs.evolve(each, name=each.name + "_") for each in model.rules]
    )
    assert len(renamed.score(events, at=AT).notes) == 1


def test_events_coded_beforehand_are_noted_too() -> None:
    """Notes come from events as from frames, and a second score of the same events has them again."""
    times = np.array([AT], "datetime64[us]")
    events = ek.Events({"contact": ["ann"], "type": ["purchase"], "time": times})
    for _ in range(2):
        assert len(PURCHASES.score(events, at=AT).notes) == 2


@pytest.mark.parametrize("ending", ["parquet", "csv"])
def test_notes_are_shown_and_kept(tmp_path: Path, ending: str) -> None:
    """Text and HTML show the notes, and saved scores have them still."""
    scores = scored(("ann", "page_view", 0), ("ann", "purchase", 0), model=PURCHASES)
    assert repr(scores).split("\n\n")[1] == f"Note: {NO_CUSTOMER}.\nNote: {UNREAD}."
    assert f"<p>Note: {escape(NO_CUSTOMER)}.</p><p>Note: {escape(UNREAD)}.</p>" in scores._repr_html_()
    scores.save(tmp_path / f"scores.{ending}")
    loaded = ek.Scores.load(tmp_path / f"scores.{ending}")
    assert loaded.notes == scores.notes
    assert repr(loaded) == repr(scores)


class Tags(HTMLParser):
    """Collect the tags of a page, and check that each is closed where it should be."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: set[str] = set()
        self.text: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note a tag; none has attributes but a class and the scope of a head."""
        assert {name for name, _ in attrs} <= {"class", "scope"}
        self.open.append(tag)
        self.seen.add(tag)

    def handle_endtag(self, tag: str) -> None:
        """Check that it is the last one opened."""
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        """Note the text."""
        self.text.append(data)


def test_html_says_the_same_and_is_escaped() -> None:
    """The HTML has the same cells as the text, only plain tags, and no name becomes a tag."""
    scores = scored(
        ("<script>alert(1)</script>", "order", 2), ("bob & co", "visit", 0), model=MODEL.evolve(name="<b>")
    )
    page = scores._repr_html_()
    tags = Tags(page)
    assert tags.open == []
    assert tags.seen == {"div", "style", "p", "table", "caption", "thead", "tbody", "tr", "th", "td"}
    assert "bob & co" in tags.text and "<script>alert(1)</scr..." in tags.text
    cells = re.findall(r"<t[hd](?: [^>]*)?>(.*?)</t[hd]>", page)
    text = [re.split(" {2,}", row.strip()) for row in told(scores).splitlines() if "  " in row]
    shown = [unescape(cell).replace("\u2007", " ").strip() for cell in cells]
    assert [cell for cell in shown if cell] == [cell for row in text for cell in row if cell]


def test_html_is_set_as_a_table_should_be() -> None:
    """Heads are heads, numbers stand to the right, each table has a caption."""
    page = scored(("ann", "visit", 0))._repr_html_()
    assert re.findall(r"<caption[^>]*>(.*?)</caption>", page) == [
        "Contacts by phase and level",
        "The strongest",
    ]
    cells = re.findall(r"<(t[hd])( scope=\"col\")?( class=\"right\")?>(.*?)</t[hd]>", page)
    assert len(cells) == page.count("</td>") + page.count("</th>")
    heads = "".join(re.findall("<thead>(.*?)</thead>", page))
    assert heads.count("<th ") == page.count("<th ") == page.count("</th>")
    for tag, scope, right, text in cells:
        assert bool(scope) == (tag == "th")
        number = re.fullmatch(r"[\d,]+|-|[+-]\d\.\d\d|none|low|medium|high|momentum", text)
        assert bool(right) == bool(number or (tag == "th" and text == "all"))
    assert ">\u200712 low<" in page


def test_scores_show_the_summary() -> None:
    """The repr of scores is the summary, and notebooks get the HTML."""
    scores = scored(("ann", "visit", 0))
    assert repr(scores) == told(scores)
    assert scores._repr_html_().partition("</style>")[2].startswith("<p>1 contact at 2026-01-31 00:00 UTC")
