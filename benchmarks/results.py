"""What was measured: kept as JSON, shown as a table, compared with what was recorded."""

import json
import os
import platform
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import pytest
from race import OURS, Race, best_peer

HERE = Path(__file__).resolve().parent
BUILD = HERE.parent / "build" / "bench"
RESULTS = HERE / "results.json"
"""The full form as recorded last; the page and the charts of the documentation are made from it."""
RECORDED = HERE / "recorded.json"
"""The ratios of the short form as recorded last, which a change must not lose."""
KEPT = 0.7
TRIES = 4
"""The share of a recorded ratio below which a workload fails."""
SCHEMA = 1
LIBRARIES = ("numpy", "duckdb", "polars", "pandas", "pyarrow", "river")
GIB = 2**30


def machine() -> dict[str, Any]:
    """Describe the machine without naming it."""
    return {
        "cpu": _cpu(),
        "cores": os.cpu_count(),
        "memory_gib": _memory_gib(),
        "system": f"{platform.system()} on {platform.machine()}",
        "versions": {"Python": platform.python_version(), **{name: _version(name) for name in LIBRARIES}},
    }


def _cpu() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text("utf-8").splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def _memory_gib() -> int | None:
    try:
        return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / GIB)
    except (ValueError, OSError):
        return None


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "none"


class Results:
    """The figures of a run, by section and name."""

    def __init__(self, form: str) -> None:
        self.form = form
        self.sections: dict[str, dict[str, Any]] = {}

    def add(self, section: str, name: str, **figures: Any) -> None:
        """Keep figures; what is said twice is said anew."""
        self.sections.setdefault(section, {}).setdefault(name, {}).update(figures)

    def as_json(self, before: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return everything measured, over what another run left where this one measured only some."""
        before = before or {}
        names = [name for name in before if isinstance(before[name], dict) and name != "machine"]
        sections = {
            name: dict(sorted({**before.get(name, {}), **self.sections.get(name, {})}.items()))
            for name in dict.fromkeys([*names, *self.sections])
        }
        measured = datetime.now(UTC).date().isoformat()
        return {
            "schema": SCHEMA, "form": self.form, "measured": measured, "machine": machine(), **sections
        }  # fmt: skip

    def ratios(self, before: dict[str, Any]) -> dict[str, Any]:
        """Return the ratios alone, which hold on other machines too."""
        measured = {
            name if section == "workloads" else f"{section}: {name}": round(line["ratio"], 3)
            for section in ("workloads", "live")
            for name, line in self.sections.get(section, {}).items()
            if "ratio" in line
        }
        ratios = {**before.get("ratios", {}), **measured}
        return {"schema": SCHEMA, "form": "short", "ratios": dict(sorted(ratios.items()))}

    def table(self) -> str:
        """Return the workloads as a table of text."""
        lines = dict(sorted(self.sections.get("workloads", {}).items()))
        # the floors are those of the full form
        rows = [row_of(name, line, marked=self.form == "full") for name, line in lines.items()]
        widths = [max(map(len, column)) for column in zip(HEADER, *rows, strict=True)]
        shown = [HEADER, ["-" * width for width in widths], *rows]
        return "\n".join(
            "  ".join(cell.ljust(width) if at < 2 else cell.rjust(width)
                      for at, (cell, width) in enumerate(zip(row, widths, strict=True)))
            for row in shown
        )  # fmt: skip


HEADER = ["", "workload", "events", "ours", "best peer", "ratio", "floor", "aim", "memory"]


def row_of(name: str, line: dict[str, Any], *, marked: bool) -> list[str]:
    """Return a line of the table; a ratio below its floor can be marked."""
    floor, peer = line["floor"], line["best_peer"]
    below = marked and floor is not None and line["ratio"] < floor
    return [
        name,
        line["title"],
        f"{line['events'] / 1e6:g} M",
        seconds(line["median"][OURS]),
        f"{peer} {seconds(line['median'][peer])}",
        f"{line['ratio']:.1f}x" + (" (!)" if below else ""),
        f"{floor:g}x" if floor is not None else "",
        f"{line['aim']:g}x" if line["aim"] is not None else "",
        _memory(line),
    ]


def seconds(taken: float) -> str:
    """Write a time in the unit in which it can be read."""
    return f"{taken:.2f} s" if taken >= 0.1 else f"{taken * 1e3:.1f} ms"


def _memory(line: dict[str, Any]) -> str:
    if "peak_bytes" in line:
        return f"{line['peak_bytes'] / GIB:.2f} GiB in all"
    if "beyond_bytes" in line:
        return f"{line['beyond_bytes'] / line['input_bytes']:.2f} x the input"
    return ""


def raced(race: Race, **about: Any) -> dict[str, Any]:
    """Return the figures of a race."""
    medians = race.medians()
    peer = best_peer(medians)
    rounds = {name: [round(each, 6) for each in taken] for name, taken in race.seconds.items()}
    return {**about, "seconds": rounds, "median": medians, "best_peer": peer, "ratio": race.ratio}


def hold(name: str, race: Race) -> float:
    """Fail where a ratio is well below the recorded one, however often it is measured: noise is no loss."""
    recorded = loaded(RECORDED).get("ratios", {}).get(name)
    ratios = [race.ratio]
    while recorded is not None and ratios[-1] < KEPT * recorded and len(ratios) < TRIES:
        ratios.append(race.again().ratio)
    if recorded is None or ratios[-1] >= KEPT * recorded:
        return ratios[-1]
    pytest.fail(
        f"{name}: {OURS} was {recorded:.2f} times as fast as the best peer when that was recorded; now it is "
        f"{', '.join(f'{ratio:.2f}' for ratio in ratios)} times as fast, measured {TRIES} times, all below "
        f"{KEPT:.0%} of that. Make it fast again or record anew with "
        'make bench ARGS="--short --record"',
        pytrace=False,
    )


def loaded(path: Path) -> dict[str, Any]:
    """Read a JSON file, an empty one if there is none."""
    found: dict[str, Any] = json.loads(path.read_text("utf-8")) if path.exists() else {}
    return found


def write(path: Path, content: dict[str, Any]) -> None:
    """Write a JSON file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
