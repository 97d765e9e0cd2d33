"""Run engagekit's side of a workload once and tell its memory: ``memory.py WORKLOAD LOG``.

A program of its own, because the most memory that a process ever held says something only where nothing else
ran in it.
"""

import contextlib
import io
import json
import resource
import sys
from pathlib import Path

import polars as pl
from synthetic import AT_US, Size
from workloads import WORKLOADS

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


def main(name: str, path: str) -> None:
    """Read, run, and print what it took beyond the log as one line of JSON."""
    workload = WORKLOADS[name]
    # what is loaded on first use is no part of what scoring holds
    workload.ours(workload.log(Size(1000, 50)))(AT_US)
    # from bytes, not from a file mapped into memory, whose pages would come and go in the figures
    log = pl.read_ipc(io.BytesIO(Path(path).read_bytes()))
    run = workload.ours(log)
    held = resident("VmRSS")
    forget_peak()
    result = run(AT_US)
    beyond = resident("VmHWM") - held
    del result
    print(json.dumps({"input": Path(path).stat().st_size, "beyond": beyond}))


if __name__ == "__main__":
    main(*sys.argv[1:3])
