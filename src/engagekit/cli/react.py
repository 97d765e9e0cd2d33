"""``engagekit react``: what a host should act on, since the last time it asked."""

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engagekit.cli import options as given
from engagekit.cli.reading import scored
from engagekit.errors import StateError

if TYPE_CHECKING:
    from engagekit.scores import Scores


def add(commands: Any) -> None:
    """Add the command."""
    react = commands.add_parser("react", help="print which triggers fire since the last time, as JSON lines")
    react.set_defaults(run=_react)
    given.add_files(react)
    add = react.add_argument
    add(
        "--previous",
        metavar="LAST",
        help="what -o wrote the last time; left out the first time: nothing fires then",
    )
    add(
        "-o",
        "--output",
        metavar="OUT",
        help="where to write the result for the next time: .parquet, .csv or .jsonl; may be LAST",
    )
    given.add_threads(react)
    add("--quiet", action="store_true", help="print nothing but what fires, and errors")
    given.add_columns(react)


def _react(options: argparse.Namespace) -> None:
    given.check_output(options)
    previous = None if options.previous is None else _previous(options.previous)
    scores = scored(options)
    fired = scores.reactions(previous)
    for line in lines_of(fired):
        print(line)
    # Written only when it has been told: if that fails, the next time tells it again.
    sys.stdout.flush()
    if options.output is not None:
        scores.save(options.output)
    if not options.quiet:
        print(f"engagekit: {_summary(scores, fired, options)}", file=sys.stderr)


def _previous(path: str) -> "Scores":
    from engagekit.scores import Scores

    if not Path(path).exists():
        raise StateError(f"{path}: no such file; leave --previous out the first time, to set the base line")
    return Scores.load(path)


def lines_of(fired: Any) -> list[str]:
    """Return the rows of a `pyarrow.Table` as lines of JSON; instants as ISO 8601 text in UTC.

    Examples
    --------
    >>> import pyarrow as pa
    >>> lines_of(pa.table({"contact": [7], "trigger": ["hot"], "stage": pa.nulls(1)}))
    ['{"contact": 7, "trigger": "hot", "stage": null}']
    """
    encode = json.JSONEncoder(ensure_ascii=False, default=_instant).encode
    return [encode(row) for row in fired.to_pylist()]


def _instant(value: Any) -> str:
    text: str = value.isoformat()
    return text.removesuffix("+00:00") + "Z"


def _summary(scores: "Scores", fired: Any, options: argparse.Namespace) -> str:
    contacts = f"{len(scores):,} contact{'' if len(scores) == 1 else 's'}"
    kept = f"kept in {options.output}" if options.output else "kept nowhere: add -o for the next time"
    if options.previous is None:
        return f"the base line of {contacts}, {kept}"
    rows = f"{fired.num_rows:,} reaction{'' if fired.num_rows == 1 else 's'}"
    who = len(fired[scores.key].unique())
    return f"{rows} of {who:,} of {contacts}, {kept}"
