"""The report as a browser shows it: it sorts and filters, asks for nothing, and fits a phone and paper."""

import base64
import re
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from browsing import Seen
from markup import PIECES
from playwright.sync_api import Page
from test_show_report import AT, DAY, EMPTY, EVENTS, MODEL, SCORES

import engagekit as ek
from engagekit.show.flow import CSS, Flow
from engagekit.show.look import Look
from engagekit.show.picture import alone
from engagekit.show.words import Words

WIDTHS = [390, 800, 1200]
LEFT = """() => {
  // what is wider than the page, or than its cell; what is cut off by its frame, or scrolls, may be
  const wrong = [], wide = document.documentElement.clientWidth;
  if (document.documentElement.scrollWidth > wide) wrong.push('the page is wider than the screen');
  for (const each of document.querySelectorAll('body *')) {
    if (each.closest('.scroll, svg, .unseen, script, .people span')) continue;
    const box = each.getBoundingClientRect(), said = each.tagName + ' ' + each.textContent.slice(0, 30);
    if (box.width && (box.right > wide + 1 || box.left < -1)) wrong.push(said);
    if (/T[HD]/.test(each.tagName) && each.scrollWidth > each.clientWidth + 1) wrong.push(said);
  }
  return wrong;
}"""
OVER = """() => {
  // texts of a picture that stand upon each other
  const wrong = [];
  for (const root of document.querySelectorAll('svg.picture')) {
    const texts = [...root.querySelectorAll('text')].filter(each => each.textContent.trim());
    const boxes = texts.map(each => [each.getBoundingClientRect(), each.textContent]);
    for (const [i, [a, one]] of boxes.entries())
      for (const [b, other] of boxes.slice(i + 1))
        if (a.left < b.right - 1 && b.left < a.right - 1 && a.top < b.bottom - 2 && b.top < a.bottom - 2)
          wrong.push(one + ' | ' + other);
  }
  return wrong;
}"""


def hostile_scores() -> Any:
    """Score contacts whose names, as everything else's, try to be more than names."""
    names = [piece for piece in PIECES if piece.strip() and "\ud800" not in piece]
    model = ek.Model(
        name=names[3],
        rules=[ek.Rule(name=name, on=name, points=20, channel=name) for name in names],
        phases=[
            *(
                ek.Phase(name=name, half="prospect", min_engagement=80 - 8 * i)
                for i, name in enumerate(names[:8])
            ),
            ek.Phase(name=names[8], half="prospect"),
            ek.Phase(name=names[9], half="customer"),
        ],
    )
    many = np.arange(len(names) * 4)
    events = {
        "contact": [names[i % len(names)] for i in many],
        "type": [names[i * 7 % len(names)] for i in many],
        "time": AT - many % 60 * DAY,
    }
    return model.score(events, at=AT)


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Write reports of every sort."""
    folder = tmp_path_factory.mktemp("reports")
    people = {"contact": np.arange(80), "size": np.arange(80.0)}
    fit = ek.Fit(criteria=[ek.Criterion(name="big", where=ek.field("size") >= 40, points=10)])
    made = {
        "plain": SCORES,
        "fitting": MODEL.evolve(fit=fit).score(EVENTS, at=AT, contacts=people),
        "nobody": MODEL.score(EMPTY, at=AT),
        "hostile": hostile_scores(),
    }
    for name, scores in made.items():
        scores.report(folder / f"{name}.html", language="de" if name == "fitting" else "en")
    return {name: folder / f"{name}.html" for name in made}


def column(page: Page, name: str) -> list[str]:
    """Read the shown cells of a column of the table."""
    heads = page.locator("#all thead th").all_inner_texts()
    place = [head.strip() for head in heads].index(name) + 1
    cells = page.locator(f"#all tbody tr:not([hidden]) > :nth-child({place})")
    return [text.strip() for text in cells.all_inner_texts()]


def sorting(page: Page, name: str) -> str | None:
    """Click on a column's head; tell which way it says it is sorted."""
    head = page.locator("#all thead th").filter(has_text=re.compile(rf"^\s*{name}\s*$"))
    head.get_by_role("button").click()
    return head.get_attribute("aria-sort")


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", ["plain", "fitting", "nobody", "hostile"])
def test_nothing_leaves_its_place(seen: Seen, reports: dict[str, Path], name: str, width: int) -> None:
    """On a phone, a tablet and a desk nothing is wider than the screen, and no text covers another."""
    page = seen.file(reports[name], width=width)
    assert page.evaluate(LEFT) == []
    assert page.evaluate(OVER) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(
    ("name", "width"), [("plain", 1200), ("fitting", 390), ("nobody", 800), ("hostile", 800)]
)
def test_everybody_can_read_it(
    seen: Seen, reports: dict[str, Path], axe: str, name: str, width: int, scheme: str
) -> None:
    """The checker of accessibility finds no violation."""
    page = seen.file(reports[name], width=width, scheme=scheme)
    page.evaluate(f"() => {{ {axe} }}")
    found = (
        "async () => (await axe.run()).violations.map(each => [each.id, each.nodes.map(node => node.html)])"
    )
    assert page.evaluate(found) == []


def test_the_table_sorts(seen: Seen, reports: dict[str, Path]) -> None:
    """A click sorts numbers downwards and names upwards, a second one turns it, and the head says so."""
    page = seen.file(reports["plain"], width=1200)
    before = column(page, "contact")
    assert sorting(page, "score") == "descending"
    assert column(page, "contact") == before
    assert sorting(page, "score") == "ascending"
    scores = [float(each.replace("\N{MINUS SIGN}", "-")) for each in column(page, "score")]
    assert scores == sorted(scores) and len(scores) == len(before)
    assert sorting(page, "contact") == "ascending"
    assert column(page, "contact") == sorted(before, key=int)
    assert page.locator("#all [aria-sort]").count() == 1
    sorting(page, "momentum")
    paces = [float(each.replace("\N{MINUS SIGN}", "-")) for each in column(page, "momentum")]
    assert paces == sorted(paces, reverse=True)


def test_the_table_filters(seen: Seen, reports: dict[str, Path]) -> None:
    """Text, phase and level narrow the table down, alone and together, and the number says how far."""
    page = seen.file(reports["plain"], width=1200)
    every = column(page, "contact")
    status = page.get_by_role("status")
    assert status.inner_text() == f"{len(every)} of {len(every)}"
    page.get_by_label("phase").select_option("exit")
    assert set(column(page, "phase")) == {"exit"}
    few = len(column(page, "contact"))
    assert status.inner_text() == f"{few} of {len(every)}" and 0 < few < len(every)
    page.get_by_label("level").select_option("low")
    assert set(column(page, "level")) <= {"low"}
    page.get_by_label("phase").select_option("all")
    page.get_by_label("level").select_option("all")
    page.get_by_label("Find").fill("7")
    assert column(page, "contact") != every
    page.get_by_label("Find").fill("no such thing")
    assert column(page, "contact") == [] and status.inner_text() == f"0 of {len(every)}"
    page.get_by_label("Find").fill("")
    assert column(page, "contact") == every


EDGE = """place => {
  // the middle one of the colours that stand one below the other, so far from the left
  const image = document.images[0], canvas = document.createElement('canvas');
  [canvas.width, canvas.height] = [image.naturalWidth, image.naturalHeight];
  const drawn = canvas.getContext('2d');
  drawn.drawImage(image, 0, 0);
  const data = drawn.getImageData(image.naturalWidth - place, 0, 1, image.naturalHeight).data;
  const sum = y => data[4 * y] + data[4 * y + 1] + data[4 * y + 2];
  const rows = [...Array(image.naturalHeight).keys()].map(sum);
  return rows.sort((a, b) => a - b)[rows.length >> 1] / 3;
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("width", "goes_on"), [(375, True), (800, True), (1200, False)])
def test_a_table_that_goes_on_says_so(
    seen: Seen, reports: dict[str, Path], width: int, goes_on: bool, scheme: str
) -> None:
    """Where columns lie beyond the edge it is in shadow until they are reached; names stay in sight."""
    page = seen.file(reports["plain"], width=width, scheme=scheme)
    frame, name = page.locator(".scroll"), page.locator("#all tbody th").nth(3)

    def edge(place: int) -> float:
        address = base64.b64encode(frame.screenshot()).decode()
        shown = seen.page(f'<img alt="" src="data:image/png;base64,{address}">', width=width)
        shown.wait_for_function("document.images[0].complete")
        found: float = shown.evaluate(EDGE, place)
        return found

    paper = 255 if scheme == "light" else (0x14 + 0x17 + 0x1C) / 3
    first = name.bounding_box()
    assert (abs(edge(2) - paper) > 12) == goes_on
    frame.evaluate("each => each.scrollTo(9999, 9)")
    assert edge(2) == pytest.approx(paper) and edge(8) == pytest.approx(paper)
    last = name.bounding_box()
    assert first is not None and last is not None and first["x"] == last["x"]


def test_the_keyboard_suffices(seen: Seen, reports: dict[str, Path]) -> None:
    """Heads are buttons that the keyboard reaches and presses, and the table's frame scrolls by it."""
    page = seen.file(reports["plain"], width=800)
    page.locator("#all thead button").first.focus()
    page.keyboard.press("Enter")
    assert page.locator("#all [aria-sort]").count() == 1
    assert page.locator(".scroll").get_attribute("tabindex") == "0"


def test_it_works_without_scripts(seen: Seen, reports: dict[str, Path]) -> None:
    """Without scripts the whole table is there, and no tool that would do nothing."""
    page = seen.file(reports["plain"], width=1200, scripts=False)
    assert page.locator("#all tbody tr").count() == len(SCORES)
    assert not page.locator(".tools").is_visible() and page.locator("#all button").count() == 0


def test_the_policy_holds(seen: Seen, reports: dict[str, Path]) -> None:
    """The page's own style and script run; whatever else would, is refused."""
    page = seen.file(reports["hostile"], width=800)
    assert page.locator(".tools").is_visible()
    assert page.evaluate("getComputedStyle(document.querySelector('.panel')).borderRadius") == "10px"
    refused = """() => new Promise(done => {
      document.addEventListener('securitypolicyviolation', event => done(event.effectiveDirective));
      const image = new Image();
      image.src = 'data:image/gif;base64,R0lGODlhAQABAAAAACw=';
      document.body.append(image);
    })"""
    assert page.evaluate(refused) == "img-src"
    assert all("Content Security Policy" in fault for fault in seen.faults)
    seen.faults.clear()


def test_paper_is_white_and_has_everything(seen: Seen, reports: dict[str, Path], tmp_path: Path) -> None:
    """Printed from a dark screen the page is light, the whole table is there, and no tool."""
    page = seen.file(reports["plain"], width=1200, scheme="dark")
    dark = page.evaluate("getComputedStyle(document.querySelector('h1')).color")
    page.emulate_media(media="print")
    assert page.evaluate("getComputedStyle(document.querySelector('h1')).color") == "rgb(27, 31, 36)" != dark
    assert not page.locator(".tools").is_visible()
    frame = page.locator(".scroll").evaluate("each => [each.scrollHeight, each.clientHeight]")
    assert frame[0] == frame[1]
    assert page.pdf(path=tmp_path / "report.pdf", format="A4")[:5] == b"%PDF-"


UNEVEN = {
    3: ([9, 0, 20_000], [(0, 2)]),
    5: ([1, 2, 9_000, 1, 3], [(0, 2), (4, 1)]),
    9: ([1, 1, 30_000, 1, 1, 0, 2, 700, 1], [(0, 8), (7, 2), (3, 4)]),
}


@pytest.mark.parametrize("width", [280, 330, 680])
@pytest.mark.parametrize("phases", UNEVEN)
def test_small_phases_are_seen(seen: Seen, phases: int, width: int) -> None:
    """However uneven phases are, each label stands free beside its bar, and each bar can be seen."""
    stayed, moves = UNEVEN[phases]
    counts = np.diag([*stayed, 0])
    for before, after in moves:
        counts[before, after] += 1
    flow = Flow(
        model=MODEL,
        since=datetime(2026, 1, 1),
        at=datetime(2026, 1, 31),
        names=[f"phase number {number}" for number in range(phases)],
        counts=counts,
        look=Look(Words()),
    )
    page = seen.page(alone(flow.drawn(width), CSS, None), width=width + 20)
    assert page.evaluate(OVER) == []
    found = page.evaluate("""() => {
      const boxes = tag => [...document.querySelectorAll(tag)].map(each => each.getBoundingClientRect());
      const texts = boxes('.flow text').map(box => [box.left, box.right, box.top]);
      const bars = [...document.querySelectorAll('.flow rect')].map(each => {
        const box = each.getBoundingClientRect(), edge = getComputedStyle(each).stroke === 'none' ? 0 : 1;
        return [box.left, box.top + box.height / 2, each.getBBox().height + edge];
      });
      return {texts, bars, wide: document.querySelector('svg').getBoundingClientRect().width};
    }""")
    sides = int(np.count_nonzero(counts.sum(axis=0))) + int(np.count_nonzero(counts.sum(axis=1)))
    assert len(found["bars"]) == sides and len(found["texts"]) == 2 * sides + 2
    assert min(high for *_, high in found["bars"]) >= 1
    assert all(left >= 0 and right <= found["wide"] for left, right, _ in found["texts"])
    middles = sorted(middle for _, middle, _ in found["bars"])
    names = sorted(top + 14 for *_, top in found["texts"][:-2:2])
    assert names == pytest.approx(middles, abs=4)


@pytest.mark.parametrize("width", WIDTHS)
def test_ribbons_meet_their_phases(seen: Seen, reports: dict[str, Path], width: int) -> None:
    """As drawn, the ribbons of the flow end where the bars of phases stand, as high as these together."""
    page = seen.file(reports["plain"], width=width)
    measured = page.evaluate("""() => {
      const shown = each => each.getBoundingClientRect().width;
      const root = [...document.querySelectorAll('.flow')].find(shown);
      const boxes = tag => [...root.querySelectorAll(tag)].map(each => each.getBBox());
      const bars = boxes('rect').map(b => [b.x, b.y, b.height]);
      return {bars, ways: boxes('path').map(b => [b.x, b.width])};
    }""")
    left, right = min(bar[0] for bar in measured["bars"]), max(bar[0] for bar in measured["bars"])
    for x, wide in measured["ways"]:
        assert x == pytest.approx(left + 8, abs=0.1) and x + wide == pytest.approx(right, abs=0.1)
    heights = [sum(bar[2] for bar in measured["bars"] if bar[0] == x) for x in (left, right)]
    assert heights[0] == pytest.approx(heights[1], abs=0.1)
