"""The summary counts right, explains the strongest in one line each, and shows any name safely."""

import re
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from typing import Any

import numpy as np
import pytest

import engagekit as ek
from engagekit.summary import summary, summary_html

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
        scores.columns(), model=scores.model, at=scores.at, stats=scores.stats, key=scores.key, **options
    )


def why(*events: tuple[str, str, float], width: int = 200) -> str:
    """Return the line about the first contact, its columns parted by two spaces."""
    line = told(scored(*events), width=width, top=1).splitlines()[-1]
    return re.sub(" {2,}", "  ", line)


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


def test_one_line_in_words() -> None:
    """Where there is room, a sentence tells the points, the pace, the last activity and what comes."""
    assert why(("ann", "order", 30), ("ann", "order", 2), ("ann", "visit", 2)) == (
        "ann  68 high  customer/retention  mostly shop (73 of 82 points), momentum +0.48, "
        "last visit 2 days before; falls to medium on 2026-02-21"
    )


def test_one_line_in_brief() -> None:
    """Where there is less room, columns say the same; with even less, some are left out."""
    events = (("ann", "order", 30), ("ann", "order", 2), ("ann", "visit", 2))
    header, line = told(scored(*events), width=100).splitlines()[-2:]
    assert re.split(" {2,}", header) == [
        "contact", "index", "phase", "points", "momentum", "last activity", "next change",
    ]  # fmt: skip
    assert re.split(" {2,}", line) == [
        "ann", "68 high", "retention", "shop 73 of 82", "+0.48", "visit 2 d ago", "medium 2026-02-21",
    ]  # fmt: skip
    for width in (95, 80, 65, 50):
        lines = told(scored(*events), width=width).splitlines()
        assert max(len(line) for line in lines[-2:]) <= width


@pytest.mark.parametrize(
    ("events", "words"),
    [
        ([("ann", "visit", 0)], "all from web (10 points)"),
        ([("ann", "order", 0), ("ann", "complaint", 0)], "shop 50 points, less 20 elsewhere"),
        ([("ann", "order", 0)] + [("ann", "visit", 0)] * 6, "mostly web (60 of 110 points)"),
        ([("ann", "complaint", 0)], "-20 points, last complaint 0 minutes before"),
        ([("ann", "visit", 150)], "all from web (0.3 points)"),
        ([("ann", "mail", 0)], "0 points, no activity"),
    ],
)
def test_where_the_points_come_from(events: list[tuple[str, str, float]], words: str) -> None:
    """The leading channel is named with its share; what others take away is told."""
    assert words in why(*events)


@pytest.mark.parametrize(
    ("days", "words"),
    [(0.0, "0 minutes"), (1 / 1440, "1 minute"), (0.05, "72 minutes"), (0.5, "12 hours"), (1.9, "45 hours"),
     (2.0, "2 days"), (2.99, "2 days")],
)  # fmt: skip
def test_time_since_the_last_activity(days: float, words: str) -> None:
    """The time is told in the largest unit of which there are two, rounded down."""
    assert f"last visit {words} before" in why(("ann", "visit", days))


@pytest.mark.parametrize(
    ("events", "words"),
    [
        ([("ann", "visit", 0)] * 5, "; falls to medium and moves to nurture on 2026-01-31"),
        ([("ann", "order", 90), ("ann", "order", 0)], "; falls to medium on 2026-02-"),
        ([("ann", "order", 60), ("ann", "complaint", 0)], "; rises to low on 2026-"),
        ([("ann", "mail", 0)], "no activity"),
    ],
)
def test_what_comes_next(events: list[tuple[str, str, float]], words: str) -> None:
    """The next change is told with its direction and day; nothing where nothing changes."""
    model = MODEL
    if "rises" in words:
        rules = [attr for attr in MODEL.rules if attr.name != "complaint"]
        fading = ek.Rule(
            name="complaint", on="complaint", points=-20, channel="service", decay=ek.Decay.half_life("5d")
        )
        model = MODEL.evolve(rules=[*rules, fading])
    line = told(scored(*events, model=model), width=200, top=1).splitlines()[-1]
    assert words in line
    assert (";" in line) == (";" in words)


def test_the_index_is_rounded_down() -> None:
    """An engagement just below a bound does not read as if it had reached it."""
    model = ek.Model(rules=[ek.Rule(name="visit", on="visit", points=49.9999)], scale=ek.Scale.linear(100))
    line = told(scored(("ann", "visit", 0), model=model)).splitlines()[-1]
    assert line.split()[1:3] == ["49", "medium"]


def test_aware_instants_are_told_in_utc() -> None:
    """An instant with an offset is told as UTC."""
    frame = {"contact": ["ann"], "type": ["visit"], "time": np.array(["2026-01-01"], "datetime64[us]")}
    scores = MODEL.score(frame, at="2026-01-31T01:00+01:00")
    assert "at 2026-01-31 00:00 UTC" in told(scores)
    at = datetime(2026, 1, 31, 12, tzinfo=UTC)
    title = summary(scores.columns(), model=MODEL, at=at, stats=scores.stats, key="contact").splitlines()[0]
    assert title == "1 contact at 2026-01-31 12:00 UTC, from 1 event, by the model shop"


def test_rows_with_instants_of_their_own() -> None:
    """Where each row has its instant, rows are counted and each is told with its day."""
    frame = {"contact": ["ann", "ann"], "at": np.array(["2026-01-30", "2026-01-31"], "datetime64[us]")}
    scores = scored(("ann", "visit", 1), at=frame)  # type: ignore[arg-type]
    lines = told(scores).splitlines()
    assert lines[0] == "2 rows at instants of their own, from 1 event, by the model shop"
    assert [re.split(" {2,}", line)[0] for line in lines[-2:]] == ["ann at 2026-01-30", "ann at 2026-01-31"]


def test_nobody_at_all() -> None:
    """A table without rows is summarised too."""
    lines = told(scored()).splitlines()
    assert lines[0] == "0 contacts at 2026-01-31 00:00 UTC, from 0 events, by the model shop"
    assert lines[-1] == "all                     -    -       -     -    -"


def test_names_move_no_cursor_and_stay_short() -> None:
    """Control characters are shown as escapes, long names are cut."""
    line = told(scored(("\x1b[2J" + "x" * 50, "visit", 0))).splitlines()[-1]
    assert line.startswith("\\x1b[2Jxxxxxxxxxxxxxx...  ")


class Tags(HTMLParser):
    """Collect the tags of a page, and check that each is closed where it should be."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: set[str] = set()
        self.text: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note a tag; none has attributes."""
        assert attrs == []
        self.open.append(tag)
        self.seen.add(tag)

    def handle_endtag(self, tag: str) -> None:
        """Check that it is the last one opened."""
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        """Note the text."""
        self.text.append(data)


def test_html_says_the_same_and_is_escaped() -> None:
    """The HTML has the same tables, only plain tags, and no name becomes a tag."""
    scores = scored(("<script>alert(1)</script>", "order", 2), ("bob & co", "visit", 0))
    page = summary_html(scores.columns(), model=MODEL, at=AT, stats=scores.stats, key="contact")
    tags = Tags(page)
    assert tags.open == []
    assert tags.seen == {"div", "p", "table", "tr", "th", "td"}
    assert "bob & co" in tags.text and "<script>alert(1)</scr..." in tags.text
    assert "all from shop (48 points), momentum +0.58, last order 2 days before; falls to low on" in page


def test_scores_show_the_summary() -> None:
    """The repr of scores is the summary, and notebooks get the HTML."""
    scores = scored(("ann", "visit", 0))
    assert repr(scores) == told(scores)
    assert scores._repr_html_().startswith("<div><p>1 contact at 2026-01-31 00:00 UTC")
