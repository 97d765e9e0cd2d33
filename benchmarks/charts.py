"""The charts of the page on speed, drawn from recorded results; readable on light and dark pages."""

from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter
from race import OURS

# Grey of the middle stands out from white and from black; the page shows through everything else.
GREY = "#8a8a8a"
COLOURS = {OURS: "#e4572e", "DuckDB": "#3d8fd1", "Polars": "#8f7ad1", "pandas": "#3aa17e"}
MARKS = {OURS: "o", "DuckDB": "s", "Polars": "^", "pandas": "D"}
STYLE = {
    "svg.fonttype": "path",  # the same on a machine without the fonts
    "svg.hashsalt": "engagekit",
    "font.size": 10,
    "text.color": GREY,
    "axes.edgecolor": GREY,
    "axes.labelcolor": GREY,
    "xtick.color": GREY,
    "ytick.color": GREY,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.frameon": False,
    "grid.color": GREY,
    "grid.alpha": 0.25,
}


def draw(results: dict[str, Any], folder: Path) -> list[Path]:
    """Draw what was measured, and return the files."""
    with mpl.rc_context(STYLE):
        charts = {"performance": _workloads(results["workloads"])}
        if "growth" in results:
            charts["growth"] = _growth(results)
        paths = []
        for name, figure in charts.items():
            paths.append(folder / f"{name}.svg")
            figure.savefig(paths[-1], transparent=True, metadata={"Date": None}, bbox_inches="tight")
    return paths


def _workloads(lines: dict[str, Any]) -> Figure:
    """Draw a line for each workload with the time of each side on it."""
    figure = Figure(figsize=(8.6, 0.8 + 0.42 * len(lines)))
    axes = figure.subplots()
    names = list(lines)[::-1]
    for row, name in enumerate(names):
        taken = lines[name]["median"]
        axes.plot([min(taken.values()), max(taken.values())], [row, row], color=GREY, alpha=0.5, zorder=1)
        for side, each in taken.items():
            look = {"color": COLOURS[side], "marker": MARKS[side], "zorder": 3 if side == OURS else 2}
            axes.scatter(each, row, s=46, **look)
        axes.annotate(
            f"{lines[name]['ratio']:.1f} x", (1.02, row), xycoords=("axes fraction", "data"), va="center",
            color=COLOURS[OURS], weight="bold",
        )  # fmt: skip
    axes.set_yticks(range(len(names)), [f"{name}: {lines[name]['title']}" for name in names])
    axes.set_ylim(-0.6, len(names) - 0.4)
    _seconds(axes, "x")
    axes.set_xlabel("time, shorter is better; right: times as fast as the best peer")
    sides = dict.fromkeys(side for line in lines.values() for side in line["median"])
    for side in sides:
        axes.scatter([], [], color=COLOURS[side], marker=MARKS[side], label=side)
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=len(sides), handletextpad=0.2)
    return figure


def _growth(results: dict[str, Any]) -> Figure:
    """Draw time against events, and against rules."""
    figure = Figure(figsize=(8.6, 3.6), layout="constrained")
    events, rules = figure.subplots(1, 2, width_ratios=(3, 2))
    points = list(results["growth"].values())
    for contacts, dashes, note in (("in proportion", "-", "20 events each"), ("fixed", "--", "50,000")):
        these = [each for each in points if each["contacts"] == contacts]
        for side in (OURS, "DuckDB"):
            some = sorted((each["events"], each["median"][side]) for each in these)
            events.plot(*zip(*some, strict=True), dashes, color=COLOURS[side], marker=MARKS[side], ms=4,
                        label=f"{side}, contacts: {note}")  # fmt: skip
    events.set_xscale("log")
    events.set_xlabel("events")
    events.legend(fontsize=8)
    _seconds(events, "y")
    each_number = (each for each in results["rules"].values() if "rules" in each)
    counted = sorted((each["rules"], each["seconds"]) for each in each_number)
    rules.plot(*zip(*counted, strict=True), color=COLOURS[OURS], marker="o", ms=4)
    rules.set_xscale("log", base=2)
    rules.set_xticks([number for number, _ in counted], [f"{number:,}" for number, _ in counted])
    rules.set_xlabel("rules, of which an event matches one")
    rules.set_ylim(0, 1.2 * max(taken for _, taken in counted))
    rules.yaxis.set_major_formatter(FuncFormatter(_tick))
    rules.grid(visible=True)
    return figure


def _seconds(axes: Axes, which: str) -> None:
    axis = axes.xaxis if which == "x" else axes.yaxis
    axis.axes.set(**{f"{which}scale": "log"})
    axis.set_major_formatter(FuncFormatter(_tick))
    axis.set_minor_formatter(NullFormatter())
    axes.grid(visible=True, axis="both" if which == "y" else "x")


def _tick(taken: float, _: object) -> str:
    return f"{taken:g} s" if taken >= 1 or not taken else f"{taken * 1e3:g} ms"
