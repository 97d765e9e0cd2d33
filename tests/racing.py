"""Eight threads at one live state: they add, ingest, score, react, forget, merge and save at once.

    python tests/racing.py --turns 200

It imports nothing but the package and NumPy, so that it runs under a sanitizer as well.
"""

import argparse
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from threading import Barrier, Thread

import engagekit as ek

DAY = datetime(2026, 1, 1, tzinfo=UTC)
THREADS = 8
SHARED = 50
"""Contacts that all threads write to."""


def model_of():
    """Make a model that counts visits for ever, some of them with records that stay open."""
    return ek.Model.from_dict(
        {
            "decay": "none",
            "triggers": [{"name": "often", "when": {"score": {"ge": 30}}}],
            "rules": [
                {"name": "v", "on": "visit", "points": 1},
                {"name": "l", "on": "visit", "points": 0.5, "limit": {"n": 10**6, "per": "1d"}},
            ],
        }
    )


def work(live, number, turns, path):
    """Do a thread's share: in each turn two events, and in some of them more."""
    aside = ek.Live(live.model)
    for turn in range(turns):
        live.add(turn % SHARED, "visit", DAY)
        live.add(10**6 * (number + 1) + turn, "visit", DAY, context={"page": turn})
        if turn % 20 == 0:
            live.ingest({"contact": [1, 2], "type": ["visit"] * 2, "time": [DAY, DAY]}, turn)
            live.update({turn % SHARED: {"customer_since": DAY}})
        if turn % 50 == 0:
            live.save(path)
            live.scores(DAY)
            live.react(DAY)
            aside.add(3, "visit", DAY)
            live.merge(aside)
            aside = ek.Live(live.model)
            live.add(-1, "visit", DAY)
            live.forget(-1)
        live.score(turn % SHARED, DAY)


def race(folder, turns):
    """Let all threads run; return the state and how many events it was given."""
    live, path = ek.Live(model_of()), Path(folder) / "state"
    errors, start = [], Barrier(THREADS)

    def run(number):
        try:
            start.wait()
            work(live, number, turns, path)
        except Exception as error:  # noqa: BLE001 - told by whoever waits
            errors.append(error)

    threads = [Thread(target=run, args=(number,), daemon=True) for number in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(600)
        assert not thread.is_alive(), "a deadlock"
    assert not errors, errors
    return live, THREADS * (2 * turns + 2 * -(-turns // 20) + 2 * -(-turns // 50))


def check(live, given, turns):
    """Assert that every event counts, each once."""
    assert live.stats.rows == given
    forgotten = THREADS * -(-turns // 50)
    assert sum(live.scores(DAY).columns()["score"]) == 1.5 * (given - forgotten)


def main():
    """Race as long as the command line says."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--turns", type=int, default=200)
    turns = parser.parse_args().turns
    with tempfile.TemporaryDirectory() as folder:
        live, given = race(folder, turns)
        check(live, given, turns)
        sys.stdout.write(f"{live}: all of {given:,} events\n")


if __name__ == "__main__":
    main()
