"""Write recorded figures into the page on speed, and draw its charts: ``python benchmarks/page.py``.

What stands between two markers of the page is made here and nowhere else.
"""

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from race import OURS
from results import GIB, HERE, RESULTS, loaded, seconds

FOLDER = HERE.parent / "docs" / "explanation"
PAGE = FOLDER / "performance.md"
PEERS = ("DuckDB", "Polars", "pandas")


def rendered(text: str, results: dict[str, Any]) -> str:
    """Return the page with every marked part made anew."""
    for name, made in PARTS.items():
        begin, end = f"<!-- measured: {name} -->", "<!-- end -->"
        pattern = re.compile(f"({re.escape(begin)}\n).*?({re.escape(end)})", re.DOTALL)
        part = made(results)
        text, found = pattern.subn(lambda match, part=part: f"{match[1]}\n{part}\n\n{match[2]}", text)
        assert found == 1, f"{PAGE.name}: expected {begin} once, found {found}"
    return text


def render() -> list[Path]:
    """Write the page and the charts, and return the files."""
    from charts import draw

    results = loaded(RESULTS)
    PAGE.write_text(rendered(PAGE.read_text("utf-8"), results), encoding="utf-8")
    return [PAGE, *draw(results, FOLDER)]


def _machine(results: dict[str, Any]) -> str:
    machine = results["machine"]
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    return (
        f"Measured on {results['measured']} on {machine['system']}: {machine['cpu']}, "
        f"{machine['cores']} cores, {machine['memory_gib']} GiB; {versions}."
    )


def _table(results: dict[str, Any]) -> str:
    header = ["", "workload", "events", OURS, *PEERS, "times as fast", "floor", "memory"]
    return _markdown(header, [_row(name, line) for name, line in results["workloads"].items()])


def _row(name: str, line: dict[str, Any]) -> list[str]:
    best = line["best_peer"]
    peers = [seconds(line["median"][peer]) if peer in line["median"] else "" for peer in PEERS]
    shown = [f"**{each}**" if peer == best else each for peer, each in zip(PEERS, peers, strict=True)]
    floor = f"{line['floor']:g}" if line["floor"] is not None else ""
    return [
        name, line["title"], f"{line['events'] / 1e6:g} M", seconds(line["median"][OURS]), *shown,
        f"**{line['ratio']:.1f}**", floor, _memory(line),
    ]  # fmt: skip


def _memory(line: dict[str, Any]) -> str:
    if "peak_bytes" in line:
        peer = f" (DuckDB {line['peer_peak_bytes'] / GIB:.1f})" if "peer_peak_bytes" in line else ""
        return f"{line['peak_bytes'] / GIB:.1f} GiB in all{peer}"
    return f"{line['beyond_bytes'] / line['input_bytes']:.2f}" if "beyond_bytes" in line else ""


def _kernel(results: dict[str, Any]) -> str:
    line = results["kernel"]["W3"]
    return (
        f"On {line['events'] / 1e6:g} M ready events one thread of the kernel takes "
        f"{seconds(line['seconds'])}; NumPy sums the {line['bytes'] / 1e6:.0f} MB that it reads in "
        f"{seconds(line['summing'])}. So it runs at {line['speed']:.3f} of the speed of merely reading."
    )


def _small(results: dict[str, Any]) -> str:
    median = results["small"]["1000 events"]["median"]
    return (
        f"`model.score` of a polars frame of 1,000 events of 100 contacts takes {seconds(median['score'])}, "
        f"of ready `Events` {seconds(median['score of ready events'])}; with the result made a frame again "
        f"{seconds(median['score and frame'])}."
    )


def _growth(results: dict[str, Any]) -> str:
    points = list(results["growth"].values())
    counts = sorted({each["events"] for each in points})
    rows, said = [], []
    for contacts, note in (("in proportion", "20 events a contact"), ("fixed", "50,000 contacts")):
        for side in (OURS, "DuckDB"):
            taken = {each["events"]: each["median"][side] for each in points if each["contacts"] == contacts}
            rows.append([f"{side}, {note}", *(seconds(taken[count]) for count in counts)])
            slower = taken[counts[-1]] / counts[-1] / (taken[1_000_000] / 1_000_000)
            said.append(f"{slower:.1f} times ({side}, {note})")
    table = _markdown(["events", *(f"{count:,}" for count in counts)], rows)
    return f"{table}\n\nAn event among {counts[-1]:,} takes, against one among 1,000,000: {', '.join(said)}."


def _live(results: dict[str, Any]) -> str:
    live = results["live"]
    add, saving, memory = live["add"], live["saving"], live["memory"]
    peers = ", ".join(
        f"{name} {_small_time(taken)}" for name, taken in add["seconds"].items() if name != OURS
    )
    rows = [
        ["`add` of an event", _small_time(add["seconds"][OURS]), _small_time(add["most"])],
        [f"times as fast as {add['best_peer']} ({peers})", f"{add['ratio']:.1f}", f"{add['floor']:g}"],
    ]
    for kind, noun in (("integer", "integer ids"), ("text", "ids of 12 to 24 characters")):
        line = live[f"ingest, {kind}"]
        speeds = f"{line['first'] / 1e6:.1f} M ({line['later'] / 1e6:.1f} M)"
        rows.append([f"`ingest`, events a second, {noun}", speeds, f"{line['floor'] / 1e6:g} M"])
    rows += [
        ["`score(contact)`", _small_time(live["score"]["seconds"]), _small_time(live["score"]["most"])],
        [
            f"`scores()` of {live['scores']['contacts']:,} contacts", seconds(live["scores"]["seconds"]),
            seconds(live["scores"]["most"]),
        ],
        [
            f"the longest `add` during a save ({seconds(saving['seconds'])}) elsewhere, median of the saves",
            seconds(saving["pause"]), seconds(saving["most"]),
        ],
        [f"bytes a contact, beside {memory['ids']:.0f} for its id", f"{memory['contact']:.0f}",
         f"{memory['most']:g}"],
        [f"bytes more after {memory['further_events']:,} further events", f"{memory['further']:.1f}",
         f"{memory['most_further']:g}"],
        ["an empty state", f"{memory['empty'] / 1024:.0f} KiB", f"{memory['most_empty'] / 1024:.0f} KiB"],
    ]  # fmt: skip
    return _markdown(["", OURS, "promised"], rows)


def _small_time(taken: float) -> str:
    return f"{taken * 1e6:.2f} us" if taken < 1e-4 else seconds(taken)


def _rules(results: dict[str, Any]) -> str:
    counted = (line for line in results["rules"].values() if "rules" in line)
    lines = sorted(counted, key=lambda line: int(line["rules"]))
    exponent = results["rules"]["exponent"]["value"]
    header = ["rules", *(f"{line['rules']:,}" for line in lines)]
    table = _markdown(header, [["time", *(seconds(line["seconds"]) for line in lines)]])
    return f"{table}\n\nOver that range the time grows as the number of rules to the power of {exponent:.2f}."


def _profile(results: dict[str, Any]) -> str:
    works = {work: results["profile"][work] for work in ("W1", "W4")}
    rows = [
        [stage, *(f"{seconds(each['stages'][stage])} ({each['stages'][stage] / each['seconds']:.0%})"
                  for each in works.values())]
        for stage in works["W1"]["stages"]
    ]  # fmt: skip
    rows.append(["in all", *(seconds(each["seconds"]) for each in works.values())])
    return _markdown(["stage", *works], rows)


def _markdown(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


PARTS: dict[str, Callable[[dict[str, Any]], str]] = {
    "machine": _machine,
    "table": _table,
    "kernel": _kernel,
    "small": _small,
    "live": _live,
    "growth": _growth,
    "rules": _rules,
    "profile": _profile,
}

if __name__ == "__main__":
    print(*render(), sep="\n")
