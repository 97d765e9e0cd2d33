"""What pictures and pages have in common: text made safe, words in two languages, styles of their own."""

from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from markup import Reader, hostile

import engagekit as ek
from engagekit.errors import EngagekitError
from engagekit.show.markup import Markup, clean, element, isolated, name, number, shortened
from engagekit.show.pages import environment, rendered
from engagekit.show.theme import DARK, LIGHT, scoped, theme_of
from engagekit.show.words import LANGUAGES, Words, _texts


@given(st.text(max_size=80) | hostile())
def test_a_name_is_one_element_whatever_is_in_it(text: str) -> None:
    """A name gives a bdi with no attribute but a title, and reads as the cleaned text."""
    reader = Reader(name(text, 1000))
    assert reader.shapes in ([("bdi", ())], [("bdi", ("title",))])
    assert reader.text == shortened(clean(text), 1000)


@given(st.text(max_size=80) | hostile())
def test_cleaned_text_holds_nothing_unseen(text: str) -> None:
    """No control character, surrogate, NUL or override of direction is left, and cleaning twice is once."""
    cleaned = clean(text)
    assert all(letter.isprintable() or letter in "\u200c\u200d" for letter in cleaned)
    cleaned.encode()
    assert clean(cleaned) == cleaned


def test_what_people_write_stays() -> None:
    """Emoji that are joined of several, accents and other scripts are shown as they are."""
    for text in ("👩‍👩‍👧‍👦 family", "Zoë Ångström", "Łódź", "さくら", "ลูกค้า", "محمد", "e\u0301"):
        assert clean(text) == text


def test_towers_of_accents_are_taken_down() -> None:
    """Of a hundred accents on a letter three are left: more would cover the lines above."""
    assert clean("a" + "\u0301" * 100 + "b") == "a" + "\u0301" * 3 + "b"


def test_long_names_are_cut_and_whole_in_the_title() -> None:
    """Ten thousand letters show as forty, an ellipsis last, and stand in the title."""
    shown = name("x" * 10_000)
    assert shown == f'<bdi title="{"x" * 10_000}">{"x" * 39}…</bdi>'
    assert len(name("x" * 1_000_000)) < 11_000
    assert shortened("ab" + "\u200dc" * 30, 8).endswith("…")


def test_only_text_from_right_to_left_is_isolated() -> None:
    """Where no tag can stand, such text gets marks that keep its direction to itself."""
    assert isolated("Ann & Bob") == "Ann & Bob"
    assert isolated("\u05d0\u05d1") == "\u2068\u05d0\u05d1\u2069"


def test_elements_escape_attributes_and_text() -> None:
    """Neither an attribute's value nor a child can end what it stands in."""
    made = element("text", {"class": '"><script>', "x": -0.0001, "y": None}, "</text><b>", Markup("<tspan/>"))
    assert made == ('<text class="&quot;&gt;&lt;script&gt;" x="0">&lt;/text&gt;&lt;b&gt;<tspan/></text>')
    assert [number(each) for each in (1.005, 100.0, -0.5)] == ["1", "100", "-0.5"]


def test_templates_escape_and_miss_nothing() -> None:
    """Templates escape by themselves, take markup as it is, and fail where something is missing."""
    template = environment().from_string("{{ a }}{{ b }}{{ a|name }}")
    assert template.render(a="<i>", b=Markup("<b>")) == "&lt;i&gt;<b><bdi>&lt;i&gt;</bdi>"
    with pytest.raises(jinja2.UndefinedError):
        template.render(a="<i>")
    with pytest.raises(jinja2.TemplateNotFound):
        rendered("no-such.html")


def test_languages_say_the_same() -> None:
    """Every language has every key, with the same places to fill."""
    english = _texts("en")
    for language in LANGUAGES:
        texts = _texts(language)
        assert texts.keys() == english.keys()
        for key, text in texts.items():
            assert sorted(part.partition("}")[0] for part in text.split("{")[1:]) == sorted(
                part.partition("}")[0] for part in english[key].split("{")[1:]
            ), key


def test_numbers_and_dates_in_german() -> None:
    """German has its own separators and dates; English the other ones."""
    german, english = Words("de"), Words("en")
    day = datetime(2026, 3, 1, 23, 59, tzinfo=UTC)
    assert (german.tenths(1234.56), english.tenths(1234.56)) == ("1.234,6", "1,234.6")
    assert (german.date(day), english.date(day, near=day)) == ("1. März 2026", "1 Mar")
    assert (german.percent(0.5), english.percent(0.5)) == ("50 %", "50%")
    assert english.tenths(-3) == "\N{MINUS SIGN}3"


def test_labels_of_your_own() -> None:
    """A dict renames texts and what the model names; its text is text, whatever is in it."""
    words = Words(labels={"level.low": "cool & calm", "channel.web": "Website", "rule.x": "{y}"})
    assert (words["level.low"], words.label("channel", "web")) == ("cool & calm", "Website")
    assert words.sentence("level.low") == "cool &amp; calm"
    assert Words(labels={"level.low": "{a} {b}"}).sentence("level.low", a="{b}", b="<") == "{b} &lt;"


HALF = """labels=: there is no text 'level.lowest', did you mean "level.low"?; \
there is no text 'half.x'; there is "half.prospect" or "half.customer\""""
TYPO = """labels=: there is no text 'typo'; there is "channel.…", "content.…", "grade.…", "intent.…", \
"persona.…", "phase.…", "rule.…" or "type.…\""""


@pytest.mark.parametrize(
    ("language", "labels", "message"),
    [
        ("fr", None, "language=: expected 'en' or 'de', got 'fr'"),
        ([], None, "language=: expected 'en' or 'de', got a list"),
        (5, None, "language=: expected 'en' or 'de', got 5"),
        ("en", {"levle.low": "x"}, "labels=: there is no text 'levle.low', did you mean \"level.low\"?"),
        ("en", {"level.lowest": "x", "half.x": "y"}, HALF),
        ("en", {"typo": "x"}, TYPO),
        ("en", {"level.low": 7}, "labels=: expected texts by keys, got 'level.low': 7"),
        ("en", ["level.low"], "labels=: expected a dict, got list"),
    ],
)
def test_words_that_cannot_be(language: str, labels: object, message: str) -> None:
    """Unknown languages and keys, and labels that are no text, are errors that say so."""
    with pytest.raises(EngagekitError) as caught:
        Words(language, labels)  # type: ignore[arg-type]
    assert str(caught.value) == message


NAMING = ek.Model(
    rules=[ek.Rule(name="demo", on="demo", points=1, channel="web", intent="buy")],
    absences=[ek.Absence(name="ignored", after="mail", unless="click", within="7d", points=-1)],
    fit=ek.Fit(criteria=[ek.Criterion(name="big", where=ek.field("size") > 1, points=1)]),
    contents=[ek.Content(id="film", phase="sales")],
)
KNOWN = (
    "rule.demo", "rule.ignored", "channel.web", "channel.other", "intent.buy", "intent.unclear", "grade.A",
    "grade.B4", "content.film", "phase.sales", "stage.MQL", "type.anything at all",
)  # fmt: skip


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ("rule.demmo", "there is no rule 'demmo' in the model, did you mean \"demo\"?"),
        ("channel.shop", 'there is no channel \'shop\' in the model; there is "web" or "other"'),
        ("persona.boss", "there is no persona 'boss' in the model, which names none"),
        ("grade.A5", "there is no grade 'A5' in the model, did you mean \"A\"?"),
    ],
)
def test_labels_of_what_the_model_does_not_have(key: str, message: str) -> None:
    """A label of a name that the model does not have is an error that names the nearest."""
    Words(labels=dict.fromkeys(KNOWN, "x")).check(NAMING)
    with pytest.raises(EngagekitError) as caught:
        Words("de", {key: "x", "rule.demo": "y"}).check(NAMING)
    assert str(caught.value) == f"labels=: {message}"


def test_every_picture_checks_its_words(tmp_path: Path) -> None:
    """Card, history, flow, population and report alike refuse a misspelt label, language or theme."""
    times = np.array(["2026-01-01"], "datetime64[us]")
    model = ek.Model(rules=[ek.Rule(name="visit", on="visit", points=80)])
    events = {"contact": ["ann"], "type": ["visit"], "time": times}
    scores, live = model.score(events, at="2026-01-31"), ek.Live(model)
    live.ingest(events)
    asked: list[Callable[..., object]] = [
        partial(scores.card, "ann"),
        partial(live.card, "ann", at="2026-01-31"),
        partial(scores.history, "ann"),
        scores.flow,
        scores.population,
        partial(scores.report, tmp_path / "report.html"),
    ]
    wrong: dict[str, Any] = {"labels": {"rule.vist": "x"}, "language": ["en"], "theme": ["dark"]}
    for ask in asked:
        for option, value in wrong.items():
            with pytest.raises(EngagekitError, match=f"^{option}=: "):
                ask(**{option: value})
    assert list(tmp_path.iterdir()) == []


def test_styles_of_their_own() -> None:
    """A style speaks only of its class, which another style does not have."""
    one, style = scoped(".ek b{color:var(--ink)}")
    other, _ = scoped(".ek i{color:var(--ink)}")
    assert one != other
    assert style.count(".ek") == style.count(f".{one}")
    assert "</" not in style


def _luminance(colour: str) -> float:
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _contrast(one: str, other: str) -> float:
    light, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("colours", [LIGHT, DARK], ids=["light", "dark"])
def test_colours_can_be_read(colours: dict[str, str]) -> None:
    """Text has a contrast of at least 4.5 on what it stands on, marks of 3, in both themes."""
    for text in ("ink", "quiet", "prospect", "customer", "alarm"):
        assert _contrast(colours[text], colours["paper"]) >= 4.5, text
    for fill in ("prospect", "customer", "alarm"):
        assert _contrast(colours["on-fill"], colours[fill]) >= 4.5, fill
        assert _contrast(colours["ink"], colours[f"{fill}-soft"]) >= 4.5, fill
    for mark in ("faint", *(f"series-{place}" for place in range(1, 9))):
        assert _contrast(colours[mark], colours["paper"]) >= 3, mark
    assert LIGHT.keys() == DARK.keys()


def test_themes() -> None:
    """A theme is light, dark, or the reader's own."""
    assert [theme_of(theme) for theme in ("light", "dark", None)] == ["light", "dark", None]
    with pytest.raises(EngagekitError, match="theme=: expected 'light', 'dark' or None, got 'pink'"):
        theme_of("pink")
