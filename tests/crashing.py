"""Kill a process that saves a live state again and again, at random instants, and look what is on the disk.

    python tests/crashing.py --kills 1000 --seed 1

Prints how often it was killed, how often in the middle of a file, and how often the file had more than had
been acknowledged: the kill came after the rename, before the acknowledgement.
"""

import argparse
import json
import os
import random
import signal
import struct
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import engagekit as ek

DAY = datetime(2026, 1, 1, tzinfo=UTC)
CONTACTS = 1500
AT_ONCE = 40
LONGEST = 0.06
"""Seconds until a kill at most, in which some files are written."""


def names(folder):
    """List what lies in a folder."""
    return sorted(path.name for path in Path(folder).iterdir())


def started(path):
    """Make a state of some size, and its file."""
    rule = {"name": "v", "on": "visit", "points": 1, "limit": {"n": 10**6, "per": "1d"}}
    live = ek.Live(ek.Model.from_dict({"decay": "none", "rules": [rule]}))
    live.update({f"c{number}": {"customer_since": DAY} for number in range(CONTACTS)})
    live.position = 0
    live.save(path)


def save_on(path, told):
    """Tell what is safe, add events, save; for ever."""
    live = ek.Live.load(path)
    number = live.position
    while True:
        os.write(told, struct.pack("<q", number))
        number += 1
        for turn in range(AT_ONCE):
            live.add(f"c{(number * AT_ONCE + turn) % CONTACTS}", "visit", DAY)
        live.position = number
        live.save(path)


def kill_one(path, seconds):
    """Start a process that saves, kill it, and return the last number that it told."""
    ours, theirs = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(ours)
        save_on(path, theirs)
    os.close(theirs)
    with os.fdopen(ours, "rb") as pipe:
        told = pipe.read(8)
        time.sleep(seconds)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        told += pipe.read()
    return struct.unpack("<q", told[-8:])[0]


def crash(folder, *, kills, seed):
    """Kill that often and count what happened; an AssertionError: a file is neither the old nor the new."""
    path, draw = Path(folder) / "state", random.Random(seed)
    started(path)
    middle = ahead = known = 0
    for _ in range(kills):
        acknowledged = kill_one(path, draw.uniform(0, LONGEST))
        middle += len(names(folder)) > 1
        live = ek.Live.load(path)
        number = live.position
        assert number in {acknowledged, acknowledged + 1}, f"acknowledged {acknowledged}, found {number}"
        assert acknowledged >= known, f"began with {acknowledged}, left {known}"
        assert live.stats.rows == number * AT_ONCE
        assert sum(live.scores(DAY).columns()["score"]) == number * AT_ONCE
        live.save(path)
        assert names(folder) == ["state"], f"left over: {names(folder)}"
        ahead += number > acknowledged
        known = number
    return {"kills": kills, "in the middle": middle, "not yet acknowledged": ahead, "files": known}


def main():
    """Kill as often as the command line says."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--kills", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        json.dump(crash(folder, kills=given.kills, seed=given.seed), sys.stdout)


if __name__ == "__main__":
    main()
