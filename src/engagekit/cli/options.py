"""What several commands take: files, an instant, the names of columns."""

import argparse
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from engagekit import datafiles
from engagekit.cli.models import KNOWN
from engagekit.errors import EventsError

FILES = ".parquet .pq .csv .tsv .jsonl .ndjson .json, all but Parquet also with .gz"
"""The endings of the files that are read."""
ROLES = ("contact", "type", "time", "value", "id")
AT = "an ISO-8601 instant (UTC), latest (the newest event not after now) or now (default: now)"


def add_files(parser: Any, *, model: str = KNOWN) -> None:
    """Add the events, the model, the instant and the contacts."""
    add = parser.add_argument
    add("events", nargs="+", metavar="EVENTS", help=f"files, folders or patterns; read are {FILES}")
    add("--model", required=True, metavar="MODEL", help=model)
    add("--at", type=instant, metavar="INSTANT", help=AT)
    add(
        "--contacts",
        metavar="FILE",
        help="a file of contacts, of the same kinds: all of them get a row; may have customer_since and "
        "the attributes that the model asks for",
    )


def add_threads(parser: Any) -> None:
    """Add the number of threads."""
    told = "how many threads calculate (default: one a core)"
    parser.add_argument("--threads", type=threads, metavar="N", help=told)


def add_columns(parser: Any, **other: str) -> None:
    """Add the names of columns, under an option's `other` name where its own means something else."""
    columns = parser.add_argument_group("columns", "What the columns of the events are called in your files.")
    for role in ROLES:
        default = "none: no duplicates are looked for" if role == "id" else role
        columns.add_argument(
            f"--{other.get(role, role)}",
            dest=f"{role}_column",
            metavar="COL",
            help=f"(default: as the model says, else {default})",
        )
    columns.add_argument("--unit", choices=("s", "ms", "us", "ns"), help="what integer times count")


def mapping_of(options: argparse.Namespace) -> dict[str, str]:
    """Return the columns' names that were given."""
    given = {role: getattr(options, f"{role}_column") for role in ROLES} | {"unit": options.unit}
    return {role: name for role, name in given.items() if name is not None}


def check_output(options: argparse.Namespace) -> None:
    """Refuse to write where that cannot be done, sooner than after a long calculation."""
    if options.output is not None:
        datafiles.check_target(options.output)
        _refuse_input(options)


def check_page(options: argparse.Namespace) -> None:
    """Refuse the same of a page, whose name ends as that of a page."""
    target = Path(options.output)
    datafiles.check_place(target)
    _refuse_input(options)
    datafiles.check_page(target)


def _refuse_input(options: argparse.Namespace) -> None:
    output, target = options.output, Path(options.output)
    inputs = [*options.events, *([options.contacts] if options.contacts else [])]
    if target.exists() and any(path.samefile(target) for path in datafiles.expand(inputs)):
        raise EventsError(f"{output}: is also an input; name another file after -o")


def tell_rows(count: int, output: str) -> None:
    """Say where the full table lies."""
    print(f"\nThe full table, {count:,} row{'' if count == 1 else 's'}, is in {output}")


def instant(text: str) -> datetime | Literal["latest"] | None:
    """Read an instant; None: now."""
    if text == "latest":
        return "latest"
    if text == "now":
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"expected an instant such as 2026-05-01 or 2026-05-01T12:00Z, latest or now, got {text!r}"
        ) from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def count(text: str) -> int:
    """Read a whole number."""
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"expected a whole number, got {text!r}")
    return int(text)


def threads(text: str) -> int:
    """Read a number of threads."""
    if not count(text):
        raise argparse.ArgumentTypeError("expected at least 1 thread, got 0")
    return int(text)
