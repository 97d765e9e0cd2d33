"""The round meter as a browser draws it: the needle's angle, and text that is whole and free."""

import base64
from math import hypot
from typing import Any

import numpy as np
import pytest
from browsing import Seen
from test_show_gauge import INDEX, NINE

import engagekit as ek
from engagekit.show.gauge import Gauge
from engagekit.show.words import Words

LARGE, SMALL = (240, 800), (80, 160)
EDGES = [
    ("prospect", "nurture", 0.0, 185.4),
    ("prospect", "nurture", 49.9999, 264.6),
    ("prospect", "sales", 50.0, 275.4),
    ("prospect", "sales", 100.0, 354.6),
    ("customer", "retention", 100.0, 5.4),
    ("customer", "retention", 0.0, 84.6),
    ("customer", "exit", 49.9999, 95.4),
    ("customer", "exit", 0.0, 174.6),
]
STEPS = [
    (model, half, phase)
    for model in (INDEX, NINE)
    for half, phase in dict.fromkeys((each.half, each.name) for each in model.phases)
]

LETTERS = """() => [...document.querySelectorAll('svg')].map(svg => {
  const corner = svg.getBoundingClientRect();
  const seen = [...svg.querySelectorAll('text')].filter(text => text.getBoundingClientRect().width);
  return seen.flatMap((text, word) => {
    const matrix = text.getScreenCTM(), size = parseFloat(getComputedStyle(text).fontSize);
    return [...text.textContent].map((letter, n) => {
      const start = text.getStartPositionOfChar(n), end = text.getEndPositionOfChar(n);
      const turn = text.getRotationOfChar(n) * Math.PI / 180;
      const x = (start.x + end.x) / 2 + Math.sin(turn) * size * .3;
      const y = (start.y + end.y) / 2 - Math.cos(turn) * size * .3;
      return {
        word, letter, drawn: text.getExtentOfChar(n).width > 0, size: size * matrix.a,
        x: matrix.a * x + matrix.e - corner.x, y: matrix.d * y + matrix.f - corner.y,
        width: Math.hypot(end.x - start.x, end.y - start.y) * matrix.a,
      };
    });
  });
})"""


PARTS = """() => [...document.querySelectorAll('svg')].map(svg => {
  // the outline of the needle, as if it pointed up, and boxes of number, level and arrow; in units of 240
  const seen = name => [...svg.querySelectorAll(name)].filter(each => each.getBoundingClientRect().width);
  const along = path => [...Array(41).keys()].map(n => path.getPointAtLength(path.getTotalLength() * n / 40));
  const home = svg.getScreenCTM().inverse();
  const words = seen('.word:not(.phase, .half)').map(text => {
    const box = text.getBBox(), size = parseFloat(getComputedStyle(text).fontSize);
    const y = parseFloat(text.getAttribute('y')), below = /^\\d+$/.test(text.textContent) ? 0 : .22 * size;
    return [box.x, y - .74 * size, box.x + box.width, y + below, 0];
  });
  const arrows = seen('.arrow').flatMap(arrow => along(arrow).map(point => {
    const matrix = home.multiply(arrow.getScreenCTM()), at = point.matrixTransform(matrix);
    return [at.x, at.y, at.x, at.y, 1.1 * Math.hypot(matrix.a, matrix.b)];
  }));
  return {needle: along(seen('.needle')[0]).map(at => [at.x, at.y]), others: [...words, ...arrows]};
})"""


def drawn(model: ek.Model = INDEX, words: Words | None = None, **reading: Any) -> str:
    """Draw a meter alone."""
    given = {"half": "prospect", "phase": "sales", "engagement": 72.4, "level": "high", "momentum": 0.3}
    return Gauge(model=model, words=words or Words(), **{**given, **reading}).alone()


def within(svg: str, size: int) -> str:
    """Give it a place of some pixels."""
    return f'<div style="width:{size}px">{svg}</div>'


@pytest.mark.parametrize("size", [*SMALL, *LARGE])
def test_the_needle_as_it_is_drawn(seen: Seen, size: int) -> None:
    """At every quarter's edge the needle's tip is where it should be, in every size."""
    readings = [drawn(half=half, phase=phase, engagement=value) for half, phase, value, _ in EDGES]
    page = seen.page("".join(within(svg, size) for svg in readings))
    angles = page.evaluate(
        """() => [...document.querySelectorAll('svg')].map(svg => {
          const hand = [...svg.querySelectorAll('.needle')].find(each => each.getBoundingClientRect().width);
          const tip = hand.getPointAtLength(0).matrixTransform(hand.getScreenCTM());
          const box = svg.getBoundingClientRect();
          const x = tip.x - box.x - box.width / 2, y = tip.y - box.y - box.height / 2;
          return {turn: (Math.atan2(x, -y) * 180 / Math.PI + 360) % 360, reach: Math.hypot(x, y) / box.width};
        })"""
    )
    assert [each["turn"] for each in angles] == pytest.approx([angle for *_, angle in EDGES], abs=0.02)
    assert all(0.35 < each["reach"] < 0.4 for each in angles)


@pytest.mark.parametrize("size", [80, 240, 800])
@pytest.mark.parametrize("font", ["Inter", "DejaVu Sans"])
def test_the_needle_keeps_off_what_is_written(seen: Seen, font: str, size: int) -> None:
    """Wherever it points, straight down among it, the needle is clear of number, level and arrow."""
    drawings = [
        drawn(words=Words("de"), engagement=engagement, momentum=momentum, level=level)
        for engagement, level in ((0.0, "none"), (48.9, "medium"), (88.0, "high"), (100.0, "high"))
        for momentum in (-1.0, -0.4, 0.0, 1.0)
    ]
    page = seen.page("".join(within(svg.replace("Inter,", f"{font},"), size) for svg in drawings))
    turns = np.radians(np.arange(360))
    round_about = np.array([[np.cos(turns), -np.sin(turns)], [np.sin(turns), np.cos(turns)]])
    for found in page.evaluate(PARTS):
        around = np.einsum("xyt,py->xtp", round_about, np.array(found["needle"]) - 120) + 120
        left, top, right, bottom, thick = np.array(found["others"]).T
        x, y = (each[..., None] for each in around)
        gaps = np.hypot(
            np.maximum(0, np.maximum(left - x, x - right)), np.maximum(0, np.maximum(top - y, y - bottom))
        )
        assert (gaps - thick).min() > 4


def letters(seen: Seen, drawings: list[str], size: int) -> list[list[dict[str, Any]]]:
    """Find the letters that can be seen in each drawing, in pixels."""
    page = seen.page("".join(within(svg, size) for svg in drawings))
    found: list[list[dict[str, Any]]] = page.evaluate(LETTERS)
    return found


def touching(found: list[dict[str, Any]]) -> list[tuple[str, str]]:
    """Name the letters of different words that are nearer to one another than letters are."""
    return [
        (one["letter"], other["letter"])
        for place, one in enumerate(found)
        for other in found[place + 1 :]
        if one["word"] != other["word"]
        and hypot(one["x"] - other["x"], one["y"] - other["y"])
        < 0.2 * (one["size"] + other["size"]) + min(one["width"], other["width"]) / 4
    ]


@pytest.mark.parametrize("size", [*SMALL, *LARGE])
@pytest.mark.parametrize(("language", "font"), [("en", "Inter"), ("de", "Inter"), ("de", "DejaVu Sans")])
def test_text_is_whole_and_free(seen: Seen, language: str, font: str, size: int) -> None:
    """No letter is cut off by the picture's edge or its path's end, and none touches another word."""
    given = {"engagement": 100.0, "momentum": -0.9}
    drawings = [
        drawn(model, Words(language), half=half, phase=phase, **given).replace("Inter,", f"{font},")
        for model, half, phase in STEPS
    ]
    for step, found in zip(STEPS, letters(seen, drawings, size), strict=True):
        assert found, step
        assert all(each["drawn"] for each in found if each["letter"].strip()), step
        for each in found:
            assert each["width"] / 2 <= each["x"] <= size - each["width"] / 2, step
            assert 0.3 * each["size"] <= each["y"] <= size - 0.3 * each["size"], step
        assert touching(found) == [], step


def test_small_meters_drop_small_words(seen: Seen) -> None:
    """At 80 pixels the number is what is left, large enough to read; from 240 on everything is."""
    (small,), (large,) = letters(seen, [drawn()], 80), letters(seen, [drawn()], 240)
    assert "".join(each["letter"] for each in small) == "72"
    assert all(each["size"] >= 18 for each in small)
    assert len({each["word"] for each in large}) == 8
    assert all(each["size"] >= 9 for each in large)


def test_a_file_adapts_like_the_inline_picture(seen: Seen) -> None:
    """Shown by an img the small form appears as well: a picture looks at its own size, not the page's."""
    address = "data:image/svg+xml;base64," + base64.b64encode(drawn().encode()).decode()
    style = "display:block;width:80px;height:80px"
    page = seen.page(f'<img alt="" style="{style}" src="{address}"><div style="{style}">{drawn()}</div>')
    page.wait_for_function("[...document.images].every(each => each.complete && each.naturalWidth)")
    assert page.locator("img").screenshot() == page.locator("svg").screenshot()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_theme_is_the_readers_or_forced(seen: Seen, scheme: str) -> None:
    """Ink is light on dark systems and dark on light ones; a theme on the picture wins."""
    body = drawn() + drawn().replace("<svg ", '<svg data-theme="dark" ', 1)
    inks = seen.page(body, scheme=scheme).evaluate(
        "() => [...document.querySelectorAll('.needle.large')].map(each => getComputedStyle(each).fill)"
    )
    dark, light = "rgb(232, 235, 239)", "rgb(27, 31, 36)"
    assert inks == [dark if scheme == "dark" else light, dark]
