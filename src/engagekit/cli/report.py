"""``engagekit report``: one HTML file about all contacts, to be looked at and sent."""

import argparse
import sys
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from engagekit.cli import options as given
from engagekit.cli.models import load_model
from engagekit.cli.reading import score_files
from engagekit.errors import StateError
from engagekit.model.durations import parse_duration

if TYPE_CHECKING:
    from engagekit.scores import Scores

SINCE = timedelta(days=30)


def add(commands: Any) -> None:
    """Add the command."""
    report = commands.add_parser("report", help="write one HTML file about all contacts, for people")
    report.set_defaults(run=_report)
    given.add_files(report)
    add = report.add_argument
    add("-o", "--output", required=True, metavar="OUT", help="where to write the report: an .html file")
    ago = "what to compare with: an instant, or how long before, as in 90d (default: 30d)"
    add("--since", type=_since, default=SINCE, metavar="WHEN", help=ago)
    top = "how many of the strongest the table has (default 250)"
    add("--top", type=given.count, default=250, metavar="N", help=top)
    add("--language", choices=("en", "de"), default="en", help="of the report (default: en)")
    theme = "light or dark (default: as the reader's system has it)"
    add("--theme", choices=("light", "dark"), metavar="THEME", help=theme)
    add("--threads", type=given.threads, metavar="N", help="how many threads calculate (default: one a core)")
    add("--quiet", action="store_true", help="print nothing but errors")
    given.add_columns(report)


def _since(text: str) -> datetime | timedelta:
    try:
        return parse_duration(text)
    except ValueError:
        pass
    instant = given.instant(text)
    if not isinstance(instant, datetime):
        raise argparse.ArgumentTypeError(f"expected an earlier instant, or how long before, got {text}")
    return instant


def _report(options: argparse.Namespace) -> None:
    given.check_page(options)
    scores = _scored(options, options.at)
    page = {"top": options.top, "language": options.language, "theme": options.theme}
    try:
        scores.report(options.output, since=options.since, **page)
    except StateError:
        # more events than memory should hold: they are not at hand any more, but the files are
        scores.report(options.output, since=_scored(options, _before(scores, options.since)), **page)
    if not options.quiet:
        people = f"{len(scores):,} contact{'' if len(scores) == 1 else 's'}"
        print(f"The report on {people} is in {options.output}: open it in a browser")


def _scored(options: argparse.Namespace, at: Any) -> "Scores":
    return score_files(
        load_model(options.model),
        options.events,
        contacts=options.contacts,
        at=at,
        threads=options.threads,
        progress=not options.quiet and sys.stderr.isatty(),
        **given.mapping_of(options),
    )


def _before(scores: "Scores", since: datetime | timedelta) -> datetime:
    assert scores.at is not None
    return scores.at - since if isinstance(since, timedelta) else since
