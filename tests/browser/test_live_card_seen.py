"""The live example's card as a browser shows it: the needle moves as events arrive."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from browsing import Seen
from markup import PIECES
from playwright.sync_api import Page
from test_example_crm_card import Server, event, quote

WATCH = """({body, most}) => new Promise(async (resolve, reject) => {
  function turn() {
    const svg = document.querySelector('svg.gauge'), box = svg.getBoundingClientRect();
    const hand = [...svg.querySelectorAll('.needle')].find(each => each.getBoundingClientRect().width);
    const tip = hand.getPointAtLength(0).matrixTransform(hand.getScreenCTM());
    const x = tip.x - box.x - box.width / 2, y = tip.y - box.y - box.height / 2;
    return (Math.atan2(x, -y) * 180 / Math.PI + 360) % 360;
  }
  const before = turn(), seen = [], start = performance.now();
  fetch('/events', {method: 'POST', body}).catch(reject);
  function look() {
    seen.push({after: performance.now() - start, frame: document.timeline.currentTime, turn: turn()});
    if (seen.at(-1).after < most) requestAnimationFrame(look); else resolve({before, seen});
  }
  requestAnimationFrame(look);
})"""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """Start the app on a port that is free."""
    started = Server(tmp_path / "state")
    yield started
    started.kill()


def opened(seen: Seen, server: Server, contact: str = "ann", **options: Any) -> Page:
    """Open the card of a contact, and wait until it follows what changes."""
    path = f"/contacts/{quote(contact, safe='')}/card"
    page = seen.served(server.place.geturl(), path, **options)
    page.get_by_role("status").get_by_text("live: ").wait_for()
    return page


def angle(row: dict[str, Any]) -> float:
    """Where the needle of a prospect stands, by the reference's table."""
    low = 50 if row["phase"] == "sales" else 0
    return (275.4 if low else 185.4) + (row["engagement"] - low) / 50 * 79.2


def posted(page: Page, *, most: int = 2000) -> tuple[float, list[dict[str, float]]]:
    """Post a request for a demo of ann from within the page; return where the needle stood, and stands."""
    found = page.evaluate(WATCH, {"body": json.dumps(event("ann")), "most": most})
    return found["before"], found["seen"]


def test_the_needle_moves_within_a_second(server: Server, seen: Seen) -> None:
    """Within a second of a POST the needle turns, and without a jump comes to where the numbers say."""
    server.ask("POST", "/events", event("ann"))
    page = opened(seen, server)
    row = server.ask("GET", "/contacts/ann")[1]
    before, turns = posted(page)
    assert before == pytest.approx(angle(row), abs=0.05)
    after = angle(server.ask("GET", "/contacts/ann")[1])
    assert after - before > 20
    assert turns[-1]["turn"] == pytest.approx(after, abs=0.05)
    assert next(each["after"] for each in turns if each["turn"] > before + 1) < 1000
    speeds = [(b["turn"] - a["turn"]) / (b["frame"] - a["frame"] or 1) for a, b in pairwise(turns)]
    assert max(speeds) < 0.6, "degrees in a millisecond: it jumped, when the trigger asked for the card again"
    assert min(speeds) > -0.01, "it went back"
    page.get_by_role("status").get_by_text("sales").wait_for()


@pytest.mark.parametrize(
    ("earlier", "longer"), [("demo_request", (90, 270)), ("page_view", (210, 360))], ids=["top", "bottom"]
)
def test_the_needle_takes_the_shorter_way(
    server: Server, seen: Seen, earlier: str, longer: tuple[int, int]
) -> None:
    """A prospect who is a customer now: the needle passes the top from sales, the bottom from nurture."""
    server.ask("POST", "/events", [event("ann", earlier)] * 3)
    page = opened(seen, server)
    found = page.evaluate(WATCH, {"body": json.dumps(event("ann", "signed")), "most": 2000})
    assert found["before"] > 180 > found["seen"][-1]["turn"]
    assert not [each for each in found["seen"] if longer[0] < each["turn"] < longer[1]]


def test_who_wants_no_motion_sees_none(server: Server, seen: Seen) -> None:
    """Where the reader's system asks for reduced motion the needle is at its new place at once."""
    server.ask("POST", "/events", event("ann"))
    before, turns = posted(opened(seen, server, motion="reduce"))
    after = turns[-1]["turn"]
    assert after - before > 20
    places = {round(each["turn"]) for each in turns}
    assert places <= {round(before), round(after)}, "a slow browser may draw its first frame after the change"


def test_only_the_contacts_own_changes_are_asked_for(server: Server, seen: Seen) -> None:
    """What happens to somebody else makes the page ask for nothing."""
    server.ask("POST", "/events", [event("ann"), event("bob")])
    page, asked = opened(seen, server), []
    page.on("request", lambda request: asked.append(request.url))
    server.ask("POST", "/events", event("bob"))
    server.ask("POST", "/events", event("ann"))
    page.get_by_role("status").get_by_text("sales").wait_for()
    assert {each.removeprefix(server.place.geturl()) for each in asked} == {"/contacts/ann/card?bare"}
    assert len(asked) <= 2  # one for the event, and one for the trigger that it fires


def test_the_erased_leave_the_page(server: Server, seen: Seen) -> None:
    """When a contact is erased its card goes from the screen; when it comes again, so does the card."""
    server.ask("POST", "/events", event("Annabelle"))
    page = opened(seen, server, "Annabelle")
    server.ask("DELETE", "/contacts/Annabelle")
    page.get_by_role("status").get_by_text("nobody knows").wait_for()
    (fault,) = seen.faults  # the browser's own
    assert "404" in fault
    seen.faults.clear()
    assert page.locator("article").count() == 0
    assert "Annabelle" not in page.title() + page.locator("main").inner_text()
    server.ask("POST", "/events", event("Annabelle"))
    page.locator("article").wait_for()


def test_it_comes_back_after_a_restart(server: Server, seen: Seen, tmp_path: Path) -> None:
    """A page that has lost the app says so, and shows what it has missed when the app is there again."""
    server.ask("POST", "/events", event("ann"))
    page = opened(seen, server)
    server.kill()
    page.get_by_role("status").get_by_text("connection lost").wait_for()
    again = Server(tmp_path / "state", port=server.place.port)
    again.ask("POST", "/events", event("ann"))
    page.get_by_role("status").get_by_text("sales").wait_for()
    assert seen.faults
    assert all("net::ERR_" in each for each in seen.faults)  # the browser's own, about the stream
    page.close()
    seen.faults.clear()
    again.kill()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_everybody_can_read_it(server: Server, seen: Seen, axe: str, scheme: str) -> None:
    """The checker of accessibility finds no violation, in either theme."""
    server.ask("POST", "/events", event("ann"))
    page = opened(seen, server, scheme=scheme, width=375)
    page.evaluate(f"() => {{ {axe} }}")
    assert page.evaluate("async () => (await axe.run()).violations.map(each => each.id)") == []
    assert page.evaluate("document.documentElement.scrollWidth") <= 375


def test_hostile_ids_are_names(server: Server, seen: Seen) -> None:
    """The page of a contact with a hostile id runs nothing, and follows that contact's changes."""
    contact = "".join(each for each in PIECES[:20])
    server.ask("POST", "/events", event(contact))
    page = opened(seen, server, contact)
    server.ask("POST", "/events", event(contact))
    page.get_by_role("status").get_by_text("sales").wait_for()
    assert page.locator("article").count() == 1
