"""``engagekit compare``: what another model, or another instant, makes of the same contacts."""

import argparse
from collections.abc import Mapping, Sequence
from contextlib import closing
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engagekit import datafiles
from engagekit.cli import options as given
from engagekit.cli.models import load_model
from engagekit.cli.reading import read_contacts, read_for
from engagekit.errors import EventsError
from engagekit.model import Model

if TYPE_CHECKING:
    from engagekit.comparison import Comparison


def add(commands: Any) -> None:
    """Add the command."""
    compare = commands.add_parser(
        "compare", help="tell who changes with another model or at another instant, and why"
    )
    compare.set_defaults(run=_compare, refuse=compare.error)
    given.add_files(compare)
    add = compare.add_argument
    add("--with", dest="other_model", metavar="MODEL", help="the model to compare with (default: the same)")
    add(
        "--with-at",
        type=given.instant,
        default=argparse.SUPPRESS,
        metavar="INSTANT",
        help="the instant to compare with (default: the same)",
    )
    add("-o", "--output", metavar="OUT", help="where to write who changed: .parquet, .csv or .jsonl")
    given.add_threads(compare)
    given.add_columns(compare)


def _compare(options: argparse.Namespace) -> None:
    if options.other_model is None and not hasattr(options, "with_at"):
        options.refuse("expected something to compare with: --with MODEL, --with-at INSTANT or both")
    given.check_output(options)
    model = load_model(options.model)
    other = model if options.other_model is None else load_model(options.other_model)
    found = compare_files(
        (model, other),
        options.events,
        at=(options.at, getattr(options, "with_at", options.at)),
        contacts=options.contacts,
        threads=options.threads,
        mapping=given.mapping_of(options),
    )
    print(found)
    if options.output is not None:
        about = {"fingerprints": [model.fingerprint, other.fingerprint]}
        datafiles.write(options.output, found.frame, about)
        given.tell_rows(len(found), options.output)


def compare_files(
    models: tuple[Model, Model],
    paths: Sequence[str | Path],
    *,
    at: tuple[Any, Any],
    contacts: str | Path | None = None,
    threads: int | None = None,
    mapping: Mapping[str, str],
) -> "Comparison":
    """Score files of events twice and compare; the events are read once, and held in memory.

    Parameters
    ----------
    models, at
        The models and instants, before and after.
    paths, contacts, threads, mapping
        As `score_files` has them; both models read the same columns.
    """
    from engagekit.events import read
    from engagekit.mapped import Mapped

    columns = {**models[0].columns, **mapping}
    other = {**models[1].columns, **mapping}
    if models[1].columns and columns != other:
        raise EventsError(
            f"compare: expected models that read the same columns, got {columns} and {other}; say which is "
            "which, as in --type event_name"
        )
    with closing(read_for(models, paths, columns)) as tables:
        first = next(tables)
        people = None if contacts is None else read_contacts(models, contacts, first, paths, columns)
        fields = set().union(*(model.fields for model in models)) - {"contact", "type", "time"}
        events = read(chain([first], tables), Mapped.of(columns), sorted(fields), spill=False)
    before, after = (
        model.score(events, at=when, contacts=people, threads=threads)
        for model, when in zip(models, at, strict=True)
    )
    return before.compare(after)
