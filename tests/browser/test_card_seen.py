"""The contact card as a browser shows it: nothing cut off, nothing asked for, fit for everybody."""

import random

import pytest
from browsing import Seen
from markup import PIECES
from test_show_card import PLAIN, grocery, hostile_subject, households, lead_events, lead_scores

import engagekit as ek
from engagekit.show.card import card

OVERFLOWING = """() => {
  const wrong = [], parts = 'p, dt, dd, th, td, caption, bdi, svg.gauge, figure';
  for (const card of document.querySelectorAll('article')) {
    const edge = card.getBoundingClientRect();
    if (edge.width > innerWidth) wrong.push('wider than the page');
    for (const each of card.querySelectorAll(parts)) {
      const box = each.getBoundingClientRect(), said = each.tagName + ': ' + each.textContent.slice(0, 40);
      if (box.right > edge.right + 1 || box.left < edge.left - 1) wrong.push(said);
      const inline = getComputedStyle(each).display === 'inline';
      if (!inline && each.scrollWidth > each.clientWidth + 1) wrong.push('clipped ' + said);
    }
  }
  return wrong;
}"""


def cards() -> dict[str, str]:
    """Give cards of every sort."""
    live = ek.Live(lead_scores().model)
    live.ingest(lead_events())
    shop = households()
    return {
        "customer": grocery().card(shop[3]).html,
        "german": grocery().card(shop[5], language="de").html,
        "lead": lead_scores().card("ann").html,
        "nobody": lead_scores().card("cleo").html,
        "live": live.card("ann", at="2026-01-31").html,
        "long": lead_scores().card("ann", labels={"rule.demo": "Donaudampfschifffahrt" * 9}).html,
    }


@pytest.mark.parametrize("width", [320, 375, 600, 1280])
def test_nothing_is_cut_off(seen: Seen, width: int) -> None:
    """From the narrowest phone to a wide screen everything is within the card."""
    page = seen.page("".join(cards().values()), width=width)
    assert page.evaluate(OVERFLOWING) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_everybody_can_read_it(seen: Seen, axe: str, scheme: str) -> None:
    """The checker of accessibility finds no violation, in either theme."""
    page = seen.page("".join(cards().values()), scheme=scheme)
    page.evaluate(f"() => {{ {axe} }}")
    assert page.evaluate("async () => (await axe.run()).violations.map(each => each.id)") == []


def test_the_pages_style_stays_outside(seen: Seen) -> None:
    """A page that styles every element does not change the card, and the card changes nothing outside."""
    loud = "<style>p,td,th,dl,dd,table,caption{color:red;font-size:40px;margin:50px;border:9px solid}</style>"
    page = seen.page(f'{loud}<p id="own">own</p>{cards()["lead"]}')
    read = (
        "[...document.querySelectorAll('article :is(p,td,dd)')].map(each => getComputedStyle(each).fontSize)"
    )
    sizes = page.evaluate(read)
    assert "40px" not in sizes
    assert page.evaluate("() => getComputedStyle(document.getElementById('own')).fontSize") == "40px"


def test_a_page_of_old_is_no_harm(seen: Seen) -> None:
    """On a page without a doctype, where tables inherit no colour, those of the card are in its ink still."""
    page = seen.page("")
    page.set_content(f"{lead_scores().card('ann', theme='dark').html}{lead_scores()._repr_html_()}")
    assert page.evaluate("document.compatMode") == "BackCompat"
    colours = "cells => [...new Set(cells.map(each => getComputedStyle(each).color))]"
    cells = page.locator("article :is(td:not(.dim), caption)")
    assert cells.evaluate_all(colours) == ["rgb(232, 235, 239)"]
    cells = page.locator("body > div > table :is(td, caption)")
    assert cells.evaluate_all(colours) == ["rgb(27, 31, 36)"]


@pytest.mark.parametrize("seed", range(4))
def test_hostile_names_break_nothing(seen: Seen, seed: int) -> None:
    """Cards full of hostile names ask for nothing, run nothing, and keep their layout."""
    pick = random.Random(seed)
    made = []
    for _ in range(8):
        names = ["".join(pick.choices(PIECES, k=pick.randint(1, 5))) for _ in range(40)]
        made.append(card(hostile_subject(names, [pick.uniform(-1e6, 1e6) for _ in range(33)]), PLAIN).html)
    page = seen.page("".join(made), width=pick.choice([320, 700]))
    assert page.evaluate(OVERFLOWING) == []
    assert page.locator("article").count() == 8
    assert page.locator("main script, main img, main iframe, main [onload], main [onerror]").count() == 0


def test_the_numbers_are_there_to_see(seen: Seen) -> None:
    """What the tables say is visible text on the card."""
    page = seen.page(cards()["lead"])
    text = page.locator("article").inner_text()
    columns = lead_scores().columns()
    assert f"Why {columns['score'][0]:.1f} points" in text
    number = page.locator("svg.gauge text.value >> visible=true").text_content()
    assert number == str(int(columns["engagement"][0]))
