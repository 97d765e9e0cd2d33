"""Tell the memory of live states as one line of JSON: ``live_memory.py CONTACTS FURTHER``.

A program of its own, for what a process holds says something only where nothing else ran in it.
"""

import gc
import json
import sys
from typing import Any

import declared
import numpy as np
from memory import resident
from synthetic import START_US

import engagekit as ek
from engagekit import _core

EMPTY = 200
FRAME = 20_000
HOUR_US = 3_600_000_000


def held() -> int:
    """Return what the process holds, garbage aside."""
    gc.collect()
    return resident("VmRSS")


def frames(ids: Any, first: int, events: int) -> Any:
    """Draw events of these contacts at random, frame by frame, an hour each from that one on.

    The frames are small, so that what is held while one is taken in is too.
    """
    rng = np.random.default_rng(first)
    types = np.array(declared.EIGHT)
    order = rng.permutation(ids)
    for frame in range(-(-events // FRAME)):
        count = min(FRAME, events - frame * FRAME)
        times = START_US + (first + frame) * HOUR_US + np.sort(rng.integers(0, HOUR_US, count))
        yield {
            "contact": order[np.arange(frame * FRAME, frame * FRAME + count) % len(order)],
            "type": types[rng.integers(0, len(types), count)],
            "time": times.view("datetime64[us]"),
        }


def main(contacts: int, further: int) -> None:
    """Fill a state, go on, and print what a contact takes, what going on took, and what nothing takes."""
    model = declared.eight()
    ids = np.arange(contacts) * 668_265_263_117 & (2**40 - 1)
    # what is loaded on first use is no part of a state
    warm = ek.Live(model)
    for frame in frames(ids[:1000], 0, 2000):
        warm.ingest(frame)

    before = held()
    empty = [ek.Live(model) for _ in range(EMPTY)]
    of_empty = (held() - before) / EMPTY
    del empty

    before = held()
    table = _core.IntegerIds()
    table.code(ids, None, np.empty(contacts, np.int32))
    of_ids = held() - before

    before = held()
    live = ek.Live(model)
    for frame in frames(ids, 0, 2 * contacts):
        live.ingest(frame)
    assert live.stats.contacts == contacts
    filled = held()
    for frame in frames(ids, 100, further):
        live.ingest(frame)
    assert live.stats.rows == 2 * contacts + further
    print(
        json.dumps(
            {
                "empty": of_empty,
                "ids": of_ids / contacts,
                "contact": (filled - before - of_ids) / contacts,
                "further": (held() - filled) / contacts,
            }
        )
    )


if __name__ == "__main__":
    main(*map(int, sys.argv[1:3]))
