"""``engagekit score``: who is engaged, and why."""

import argparse
from typing import TYPE_CHECKING, Any

from engagekit.cli import options as given
from engagekit.cli.reading import scored
from engagekit.summary import summary

if TYPE_CHECKING:
    from engagekit.scores import Scores


def add(commands: Any) -> None:
    """Add the command."""
    score = commands.add_parser("score", help="score files of events and show who is engaged, and why")
    score.set_defaults(run=_score)
    given.add_files(score)
    add = score.add_argument
    add("-o", "--output", metavar="OUT", help="where to write the full table: .parquet, .csv or .jsonl")
    top = "how many of the strongest to show (default 10)"
    add("--top", type=given.count, default=10, metavar="N", help=top)
    given.add_threads(score)
    add("--quiet", action="store_true", help="print nothing but errors")
    given.add_columns(score)


def _score(options: argparse.Namespace) -> None:
    given.check_output(options)
    scores = scored(options)
    deliver(scores, output=options.output, top=options.top, quiet=options.quiet)


def deliver(scores: "Scores", *, output: str | None, top: int, quiet: bool = False) -> None:
    """Write the table, print the summary and say where the table lies."""
    if output is not None:
        scores.save(output)
    if quiet:
        return
    columns = scores.columns()
    print(
        summary(
            columns,
            model=scores.model,
            at=scores.at,
            stats=scores.stats,
            key=scores.key,
            notes=scores.notes,
            top=top,
        )
    )
    if output is None:
        print("\nFor the full table, a row a contact, add: -o scores.csv (or .parquet, .jsonl)")
    else:
        print(f"\nThe full table, {len(scores):,} rows of {len(columns)} columns, is in {output}")
