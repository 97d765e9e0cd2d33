"""Score a table of events and tell time and memory: ``score_once.py EVENTS MODEL OUT RUNS``.

A program of its own, because the most memory that a process ever held says something only where nothing else
ran in it.
"""

import contextlib
import io
import json
import resource
import sys
import time
from pathlib import Path

import numpy as np
import polars as pl

import engagekit as ek

STATUS = Path("/proc/self/status")


def forget_peak() -> None:
    """Begin anew to watch for the most memory held, where the system can: reading held the input twice."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


def resident(which: str) -> int:
    """Return VmRSS (now) or VmHWM (the most) in bytes; where there is no /proc, the most by getrusage."""
    if STATUS.exists():
        return int(STATUS.read_text("ascii").split(f"{which}:")[1].split()[0]) * 1024
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def main(events: str, model: str, out: str, runs: int) -> None:
    """Read, score, and print what it took as one line of JSON."""
    declared = ek.Model.load(model)
    # what is loaded on first use is no part of what scoring holds
    small = {"contact": ["a"], "type": [""], "time": np.zeros(1, "M8[us]"), "value": [1.0]}
    declared.score(small, at="2026-01-01")
    # from bytes, not from a file mapped into memory, whose pages would come and go in the figures
    frame = pl.read_ipc(io.BytesIO(Path(events).read_bytes()))
    held = resident("VmRSS")
    forget_peak()
    seconds = []
    peak = 0
    for run in range(runs):
        began = time.perf_counter()
        scores = declared.score(frame, at="2026-01-01")
        seconds.append(time.perf_counter() - began)
        if run == 0:
            peak = resident("VmHWM")
            scores.frame.write_ipc(out)
        del scores
    print(json.dumps({"seconds": seconds, "held": held, "peak": peak}))


if __name__ == "__main__":
    main(*sys.argv[1:4], int(sys.argv[4]))
