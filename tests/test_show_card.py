"""The contact card: it says what the tables say, its reasons add up, and names stay names."""

import pickle
import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markup import Reader, hostile

import engagekit as ek
from engagekit.explain import Reason
from engagekit.show.card import Card, Subject, card
from engagekit.show.look import Look
from engagekit.show.words import Words

DATA = Path(__file__).resolve().parent.parent / "examples"
MINUS = "\N{MINUS SIGN}"
PLAIN = Look(Words())


@cache
def grocery() -> ek.Scores:
    """Score the shop's first 400 households."""
    model = ek.Model.load(DATA / "models" / "grocery.toml")
    events = pq.read_table(DATA / "data" / "completejourney" / "events.parquet")
    names = events["contact_id"].to_pylist()
    some = set(sorted(set(names))[:400])
    return model.score(events.filter([name in some for name in names]), at="latest")


def households() -> list[str]:
    """Name twenty of them, from all over."""
    return list(grocery().columns()["contact_id"][::20])


def rows_of(html: str, caption: str) -> list[list[str]]:
    """Read the body of one of the card's tables as text."""
    table = next(part for part in html.split("<table>")[1:] if f"<caption>{caption}" in part)
    body = table.partition("<tbody>")[2].partition("</tbody>")[0]
    return [
        [Reader(cell).text for cell in re.findall(r"<td[^>]*>(.*?)</td>", row, re.DOTALL)]
        for row in re.findall(r"<tr[^>]*>(.*?)</tr>", body, re.DOTALL)
    ]


def fact_of(html: str, term: str) -> str:
    """Read what stands beside a term."""
    found = re.search(rf"<dt>{term}</dt><dd>(.*?)</dd>", html, re.DOTALL)
    assert found is not None, term
    return Reader(found[1]).text


def points(text: str) -> Decimal:
    """Read points as they are shown."""
    return Decimal(text.replace(MINUS, "-").replace(",", ""))


def lead() -> ek.Model:
    """Declare a model that says everything of leads."""
    return ek.Model(
        rules=[
            ek.Rule(name="visit", on="visit", points=5, channel="web", intent="learn"),
            ek.Rule(name="demo", on="demo", points=60, channel="sales", intent="buy"),
            ek.Rule(name="trouble", on="complaint", points=-12, channel="service"),
        ],
        lifecycle=ek.Lifecycle(customer_on="won"),
        fit=ek.Fit(criteria=[ek.Criterion(name="big", where=ek.field("size") >= 50, points=1)]),
        qualification=ek.Qualification(mql_min_engagement=20),
        personas=[ek.Persona(name="boss", where=ek.field("role") == "owner")],
        contents=[ek.Content(id="roi-calculator", phase="sales"), ek.Content(id="film", phase="nurture")],
    )


def lead_events() -> dict[str, Any]:
    """Give a few events of Ann and one of Bob."""
    when = ["2026-01-01", "2026-01-03", "2026-01-20", "2026-01-25", "2025-12-01"]
    return {
        "contact": ["ann", "ann", "ann", "ann", "bob"],
        "type": ["visit", "visit", "demo", "complaint", "visit"],
        "time": np.array(when, "datetime64[us]"),
    }


PEOPLE = {"contact": ["ann", "bob", "cleo"], "size": [80, 10, 3], "role": ["owner", "clerk", "clerk"]}


def lead_scores() -> ek.Scores:
    """Score them, and Cleo of whom there are no events."""
    return lead().score(lead_events(), at="2026-01-31", contacts=PEOPLE)


@pytest.mark.parametrize("contact", households())
def test_reasons_add_up_to_the_score_shown(contact: str) -> None:
    """The points of the reasons and of the line that sums up the rest are the score, to the digit."""
    html = grocery().card(contact).html
    shown = re.search(r"<caption>Why ([^ ]+) points", html)
    assert shown is not None
    score = grocery().explain(contact).score
    assert points(shown[1]) == Decimal(f"{score:.1f}")
    assert sum((points(row[-1]) for row in rows_of(html, "Why")), Decimal(0)) == Decimal(f"{score:.1f}")


@pytest.mark.parametrize("contact", households())
def test_numbers_are_those_of_the_tables(contact: str) -> None:
    """Engagement, contributions, counts, channels and dates are those of the result and its explanation."""
    columns = grocery().columns()
    (place,) = np.flatnonzero(columns["contact_id"] == contact)
    html = grocery().card(contact).html
    assert f">{int(columns['engagement'][place])}</text>" in html
    explained = grocery().explain(contact).frame.to_pylist()
    for told, row in zip(explained, rows_of(html, "Why"), strict=False):
        if round(told["contribution"], 1) == 0:
            break
        times = f" \N{MULTIPLICATION SIGN}{told['events']}" if told["events"] > 1 else ""
        assert row[0] == told["rule"] + times
        assert points(row[-1]) == Decimal(f"{told['contribution']:.1f}")
    for name, _, shown in rows_of(html, "By channel"):
        assert points(shown) == Decimal(f"{columns[f'channel_{name}'][place]:.1f}")
    assert str(columns["last_event"][place])[:4] in fact_of(html, "Last activity")


def test_the_newest_event_of_a_reason_is_dated() -> None:
    """A reason bears the day of the newest event that counts for it."""
    contact = households()[3]
    events = grocery().explain(contact, events=True).frame.to_pylist()
    html = grocery().card(contact).html
    at = grocery().at
    assert at is not None
    for row in rows_of(html, "Why")[:-1]:
        rule = row[0].partition(" ")[0]
        newest = max(each["time"] for each in events if each["rule"] == rule and each["weight"])
        year = "" if newest.year == at.year else f" {newest.year}"
        assert row[1] == f"{newest.day} {newest:%b}{year}"


@pytest.mark.parametrize("contact", households()[:6])
def test_the_line_is_the_history(contact: str) -> None:
    """The course of the last 90 days is what a history of these days says."""
    from engagekit.explain import grounds

    scores = grocery()
    (row,) = np.flatnonzero(scores.columns()["contact_id"] == contact)
    assert scores._origin is not None and scores.at is not None
    course = grounds(scores._origin, int(row)).course
    events = pq.read_table(DATA / "data" / "completejourney" / "events.parquet")
    own = events.filter([name == contact for name in events["contact_id"].to_pylist()])
    history = scores.model.history(own, every="1d", start=scores.at - timedelta(days=90), end=scores.at)
    engagement = history["engagement"].to_pylist()
    assert len(course) == 91
    np.testing.assert_allclose(course[91 - len(engagement) :], engagement, rtol=1e-12)
    assert np.isnan(course[: 91 - len(engagement)]).all()


def test_what_is_known_of_a_lead() -> None:
    """Rating, stage, offer, intent, persona and fit are on the card."""
    html = lead_scores().card("ann").html
    assert re.findall(r'<p class="badge">(.*?)</p>', html) == ["<bdi>A2</bdi>", "<bdi>MQL</bdi>"]
    assert [fact_of(html, term) for term in ("Offer", "Intent", "Persona", "Fit")] == [
        "film", "buy", "boss", "100 of 100, 100% known",
    ]  # fmt: skip
    assert fact_of(html, "Last activity") == "complaint, 25 Jan (6 days ago)"


def test_what_comes_next_is_a_date() -> None:
    """The next change is told in words, with its day; a phase's change beside the level's."""
    scores = lead_scores()
    assert fact_of(scores.card("ann").html, "Next") == "falls to low on 1 Mar"
    assert fact_of(scores.card("ann", language="de").html, "Ausblick") == "fällt am 1. März auf niedrig"
    sales = lead().score(lead_events(), at="2026-01-21", contacts=PEOPLE).card("ann").html
    assert fact_of(sales, "Next") == "falls to medium and moves to nurture on 1 Feb"


def test_the_tables_next_change_is_told() -> None:
    """The day on the card is that of the column next_change."""
    scores = lead_scores()
    change = scores.columns()["next_change"][0].astype(datetime)
    assert fact_of(scores.card("ann").html, "Next").endswith(f"on {change.day} {change:%b}")


def test_a_contact_without_events() -> None:
    """Somebody known by a table alone has a card: no needle, no reasons, no line."""
    html = lead_scores().card("cleo").html
    assert "no activity" in html and 'class="hand"' not in html
    assert fact_of(html, "Next") == "stays as it is if nothing happens"
    assert fact_of(html, "Pace") == "nothing yet to compare"
    assert rows_of(html, "Why") == [["No rule has given points."]]
    assert "<figure>" not in html


def test_a_live_card_is_the_same_but_for_events() -> None:
    """A live state's card has the batch's numbers and reasons, without counts, dates and the line."""
    live = ek.Live(lead())
    live.ingest(lead_events())
    live.update({who: {"size": size, "role": role} for who, size, role in zip(*PEOPLE.values(), strict=True)})
    for contact in ("ann", "bob"):
        told, whole = live.card(contact, at="2026-01-31"), lead_scores().card(contact)
        assert told.gauge == whole.gauge
        assert re.findall("<dl>.*?</dl>", told.html, re.DOTALL) == re.findall(
            "<dl>.*?</dl>", whole.html, re.DOTALL
        )
        assert rows_of(told.html, "By channel") == rows_of(whole.html, "By channel")
        assert [(row[0], row[-1]) for row in rows_of(told.html, "Why")] == [
            (row[0].partition(" ")[0], row[-1]) for row in rows_of(whole.html, "Why")
        ]
        assert "Newest" not in told.html and "<figure>" not in told.html
    assert "no activity" in live.card("nobody", at="2026-01-31").html


def test_a_live_states_reasons_are_those_of_the_batch() -> None:
    """With limits, repeats and absences, what rules add in a live state is what the batch explains."""
    live = ek.Live(grocery().model)
    events = pq.read_table(DATA / "data" / "completejourney" / "events.parquet")
    some = set(households())
    live.ingest(events.filter([name in some for name in events["contact_id"].to_pylist()]))
    for contact in some:
        told = rows_of(live.card(contact, at=grocery().at).html, "Why")
        whole = rows_of(grocery().card(contact).html, "Why")
        assert [row[-1] for row in told] == [row[-1] for row in whole], contact


def test_numbers_without_end_keep_their_line() -> None:
    """Points that no line could hold are written as powers of ten."""
    huge = hostile_subject([f"name {n}" for n in range(40)], [1e300, 5.0, -1e15] + [0.0] * 30)
    assert max(map(len, re.findall(r"[\d.,]{9,}", card(huge, PLAIN).html)), default=0) < 20


def test_scores_without_events() -> None:
    """Scores that came out of a pickle have cards without reasons and line."""
    scores = pickle.loads(pickle.dumps(lead_scores()))
    html = scores.card("ann").html
    assert "<caption>Why" not in html and "<figure>" not in html
    assert rows_of(html, "By channel") == rows_of(lead_scores().card("ann").html, "By channel")


def test_scores_that_were_saved(tmp_path: Path) -> None:
    """Loaded scores have cards, of the same numbers."""
    lead_scores().save(tmp_path / "scores.parquet")
    loaded = ek.Scores.load(tmp_path / "scores.parquet").card("ann")
    assert loaded.gauge == lead_scores().card("ann").gauge
    assert fact_of(loaded.html, "Last activity") == "complaint, 25 Jan (6 days ago)"


def test_a_row_an_instant() -> None:
    """Of scores at instants of their own the card is for the one that is asked for."""
    at = {"contact": ["ann", "ann"], "at": np.array(["2026-01-19", "2026-01-21"], "datetime64[us]")}
    scores = lead().score(lead_events(), at=at, contacts=PEOPLE)
    card = scores.card("ann", at="2026-01-21")
    assert card.at == datetime(2026, 1, 21)
    assert "engagement 59" in repr(card)
    with pytest.raises(ek.EventsError, match="scored 2 times"):
        scores.card("ann")
    copied = pickle.loads(pickle.dumps(scores)).card("ann", at="2026-01-19")
    assert copied.at == datetime(2026, 1, 19)


def test_who_is_not_there() -> None:
    """A contact that is not there is an error that names the nearest."""
    with pytest.raises(ek.EventsError, match="contact 'anne': not among the scores, did you mean 'ann'"):
        lead_scores().card("anne")


@pytest.mark.parametrize(
    "wrong",
    [{"language": "xx"}, {"labels": {"x": "y"}}, {"theme": "pink"}],
    ids=["language", "labels", "theme"],
)
def test_options_that_cannot_be(wrong: dict[str, Any]) -> None:
    """An unknown language, label or theme is an error."""
    with pytest.raises(ek.EngagekitError, match=f"{next(iter(wrong))}=:"):
        lead_scores().card("ann", **wrong)


def test_a_theme_can_be_forced() -> None:
    """A theme stands on the card and on the meter; without one the reader's system decides."""
    card = lead_scores().card("ann", theme="dark")
    assert card.html.count('data-theme="dark"') >= 1 and 'data-theme="dark"' in card.gauge
    assert ' data-theme="dark">' not in lead_scores().card("ann").html


def test_labels_rename_what_is_said() -> None:
    """A dict renames the model's names and the card's words."""
    labels = {
        "rule.demo": "Asked for a demo",
        "channel.web": "Website",
        "card.reasons": "{score} points, why",
    }
    html = lead_scores().card("ann", labels=labels).html
    assert "Asked for a demo" in html and "Website" in html and "points, why</caption>" in html


def test_a_card_is_shown_by_notebooks() -> None:
    """A notebook shows the card itself; a terminal what the meter says."""
    made = lead_scores().card("ann")
    assert isinstance(made, Card)
    assert made._repr_html_() == made.html
    assert repr(made) == "Card('ann', engagement 43, medium, nurture, rising)"


def hostile_subject(names: list[str], contributions: list[float]) -> Subject:
    """Make a card's subject in which every name is one of these."""
    model = ek.Model(rules=[ek.Rule(name="visit", on="visit", points=1)])
    at = datetime(2026, 1, 31, tzinfo=UTC)
    row = {
        "score": sum(contributions), "engagement": 40.0, "level": "medium", "half": "prospect",
        "phase": "nurture", "momentum": 0.2, "next_change": at, "next_level": "low", "next_phase": names[0],
        "last_event": at, "last_type": names[1], "silent_days": 0.5, "rating": names[2], "stage": names[3],
        "content": names[4], "intent": names[5], "persona": names[6], "fit": 50.0, "fit_known": 0.5,
    }  # fmt: skip
    row |= {f"channel_{name}": value for name, value in zip(names[7:], contributions, strict=False)}
    reasons = [
        Reason(rule=name, channel=name, contribution=value, events=3, last=0)
        for name, value in zip(names[7:], contributions, strict=False)
    ]
    course = np.array([1.0, 2.0])
    return Subject(model=model, contact=names[-1], at=at, row=row, reasons=reasons, course=course)


def allowed() -> set[tuple[str, str]]:
    """Give the tags and attributes of a card of tame names, and the title that long names have."""
    tame = card(
        hostile_subject([f"name {n}" for n in range(40)], [float(n - 16) for n in range(33)]), PLAIN
    ).html
    return {(tag, key) for tag, keys in Reader(tame).shapes for key in ("", *keys)} | {("bdi", "title")}


@settings(max_examples=30)
@given(
    st.lists(hostile(), min_size=40, max_size=40),
    st.lists(st.floats(-1e6, 1e6), min_size=33, max_size=33),
)
def test_names_stay_names(names: list[str], contributions: list[float]) -> None:
    """Ids, phases, channels, rules and contents of any text add no tag, attribute or script to a card."""
    html = card(hostile_subject(names, contributions), PLAIN).html
    shapes = Reader(html).shapes
    assert {(tag, key) for tag, keys in shapes for key in ("", *keys)} <= allowed()
    assert not {tag for tag, _ in shapes} & {"script", "img", "iframe", "a", "link"}
    assert not any((letter < " " and letter != "\n") or "\u202a" <= letter <= "\u202e" for letter in html)
    assert html.count("<style>") == 1 and html.endswith("</article>")


def test_a_card_stands_alone() -> None:
    """A card is one element, without script, identifier twice, or address of anything outside."""
    html = lead_scores().card("ann").html
    assert html.startswith("<article") and html.count("<article") == 1
    tags = Reader(html).tags
    assert not {"script", "img", "link", "iframe"} & {tag for tag, _ in tags}
    names = [attributes["id"] for _, attributes in tags if "id" in attributes]
    assert len(names) == len(set(names))
    assert set(re.findall(r"https?://[^\"'\s]+", html)) == {"http://www.w3.org/2000/svg"}
    assert "@import" not in html and "url(" not in html
