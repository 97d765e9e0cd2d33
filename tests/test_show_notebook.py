"""What a notebook shows of models, scores, explanations and live states."""

import numpy as np
import pytest
from hypothesis import given
from markup import Reader, hostile

import engagekit as ek


def shop(name: str = "shop", rule: str = "visit") -> ek.Model:
    """Declare a small model."""
    return ek.Model(name=name, rules=[ek.Rule(name=rule, on="visit", points=2)])


EVENTS = {"contact": ["ann"], "type": ["visit"], "time": np.array(["2026-01-01"], "datetime64[us]")}


def shown(thing: object) -> str:
    """Ask for what a notebook asks for."""
    html = thing._repr_html_()  # type: ignore[attr-defined]
    assert isinstance(html, str)
    return html


def test_a_model_is_shown_in_words() -> None:
    """A model's page says what `describe` says, word by word, and its fingerprint."""
    model = ek.presets.load("saas")
    page = Reader(shown(model).replace("<", " <")).text
    assert set(model.describe().split()) <= set(page.split())
    assert model.fingerprint[:12] in page


def test_a_live_state_shows_what_it_took_in() -> None:
    """A live state shows its counts and how far its source was read."""
    live = ek.Live(shop())
    live.ingest(EVENTS, position="<7>")
    text = Reader(shown(live)).text
    assert "Live(1 contact, 1 event" in text and "Read as far as <7>" in text and "null amounts" in text


@pytest.mark.parametrize("name", ["model", "scores", "explanation", "live", "card", "comparison"])
def test_everything_is_one_element(name: str) -> None:
    """Whatever is shown is one element, without script, and asks for nothing outside."""
    scores, live = shop().score(EVENTS, at="2026-01-01"), ek.Live(shop())
    things = {
        "model": shop(), "scores": scores, "explanation": scores.explain("ann"), "live": live,
        "card": scores.card("ann"), "comparison": scores.compare(scores),
    }  # fmt: skip
    html = shown(things[name]).strip()
    first = Reader(html).tags[0][0]
    assert html.startswith(f"<{first}") and html.endswith(f"</{first}>")
    assert "<script" not in html and "url(" not in html


SAYABLE = hostile().map(lambda text: text.encode("utf-8", "replace").decode()).filter(str.strip)


@given(SAYABLE, SAYABLE)
def test_names_stay_names(name: str, rule: str) -> None:
    """Names of models and rules of any text add no tag to a model's page."""
    tame = {tag for tag, _ in Reader(shown(shop("x" * 99, "y" * 99))).tags}
    assert {tag for tag, _ in Reader(shown(shop(name, rule))).tags} <= tame
