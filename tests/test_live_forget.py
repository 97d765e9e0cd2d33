"""Forgetting: nothing of a contact is left in a table or a file, and all others stay who they were."""

import random
from datetime import UTC, datetime, timedelta

import pytest

import engagekit as ek

DAY = datetime(2026, 1, 1, tzinfo=UTC)


def counting():
    """Make a live state whose one rule counts visits."""
    model = ek.Model.from_dict({"decay": "none", "rules": [{"name": "v", "on": "visit", "points": 1}]})
    return ek.Live(model, clock=lambda: DAY + timedelta(days=1))


def table_of(live):
    """Give everything that the table of ids holds."""
    if live._who.kind == "integer":
        return live._who.integers(live).tolist()
    return bytes(live._who._texts()[1])


@pytest.mark.parametrize("who", ["Annabelle", "A" * 100, "Ä", 4711, -1, 2**64 - 1])
def test_no_table_holds_the_id(who):
    """The id of a forgotten contact, and those linked to it, are in no table of the running process."""
    alias = 4712 if isinstance(who, int) else "cookie-4711"
    others = range(40) if isinstance(who, int) else map(str, range(40))
    live = counting()
    for contact in (*others, who, alias):
        live.add(contact, "visit", DAY)
    live.link(alias, into=who)
    traces = [who, alias] if isinstance(who, str) else [who - 2**64 * (who >= 2**63), alias]
    held = table_of(live)
    assert all((trace.encode() if isinstance(trace, str) else trace) in held for trace in traces)
    live.forget(who)
    held = table_of(live)
    assert not any((trace.encode() if isinstance(trace, str) else trace) in held for trace in traces)
    assert len(live.scores(DAY)) == 40


@pytest.mark.parametrize("kind", [int, str])
def test_others_are_found_whoever_is_forgotten(kind, tmp_path):
    """Thousands come, are forgotten and come again: all have what they did since, and nothing else."""
    draw, live, right = random.Random(3), counting(), {}
    for turn in range(20_000):
        who = kind(draw.randrange(4000))
        if draw.random() < 0.3:
            live.forget(who)
            right.pop(who, None)
        else:
            live.add(who, "visit", DAY)
            right[who] = right.get(who, 0) + 1
        if turn % 5000 == 4999:
            live.save(tmp_path / "state")
            for state in (live, ek.Live.load(tmp_path / "state", clock=live.clock)):
                columns = state.scores(DAY).columns()
                assert dict(zip(columns["contact"].tolist(), columns["score"].tolist(), strict=True)) == right
    assert live.stats.contacts == len(right)


def test_what_waited_waits_no_more():
    """Events of a forgotten contact that waited for the clock are not counted as waiting."""
    live = counting()
    for days in (0, 5, 9):
        live.add("ann", "visit", DAY + timedelta(days=days))
        live.add("bob", "visit", DAY + timedelta(days=days))
    live.forget("ann")
    assert live.stats.waiting == 2
    assert live.score("ann", DAY + timedelta(days=20)).score == 0


def test_a_forgotten_alias_is_nobody_s():
    """After its contact has been forgotten an alias is a contact of its own, and may be linked anew."""
    live = counting()
    live.add("a", "visit", DAY)
    live.link("a", into="b")
    live.forget("b")
    live.add("a", "visit", DAY)
    live.add("c", "visit", DAY)
    live.link("a", into="c")
    assert [live.score(who, DAY).score for who in "abc"] == [2.0, 0.0, 2.0]
