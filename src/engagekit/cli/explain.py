"""``engagekit explain``: why one contact has its score."""

import argparse
import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engagekit import datafiles
from engagekit.cli import options as given
from engagekit.cli.models import load_model
from engagekit.cli.reading import read_contacts, read_for
from engagekit.errors import EventsError
from engagekit.model import Model
from engagekit.model.wording import shown

if TYPE_CHECKING:
    import pyarrow as pa

    from engagekit.events import Events
    from engagekit.explain import Explanation

_LONGEST = 100
"""More digits than any integer of a file has; from some thousands on `int` refuses them."""


def add(commands: Any) -> None:
    """Add the command."""
    explain = commands.add_parser("explain", help="tell what a score is made of, by rule or by event")
    explain.set_defaults(run=_explain)
    given.add_files(explain)
    add = explain.add_argument
    add("--contact", required=True, metavar="ID", help="whose score")
    add("--events", dest="by_event", action="store_true", help="a row for each event, not for each rule")
    add("-o", "--output", metavar="OUT", help="where to write all rows: .parquet, .csv or .jsonl")
    given.add_columns(explain, contact="contact-column")


def _explain(options: argparse.Namespace) -> None:
    given.check_output(options)
    model = load_model(options.model)
    whole = explain_in_files(
        model,
        options.events,
        options.contact,
        by_event=options.by_event,
        at=options.at,
        contacts=options.contacts,
        mapping=given.mapping_of(options),
    )
    print(whole)
    if options.output is not None:
        about = {"fingerprint": model.fingerprint, "contact": whole.contact, "at": whole.at.isoformat()}
        datafiles.write(options.output, whole.frame, about)
        given.tell_rows(len(whole), options.output)


def explain_in_files(
    model: Model,
    paths: Sequence[str | Path],
    contact: str,
    *,
    by_event: bool = False,
    at: Any = None,
    contacts: str | Path | None = None,
    mapping: Mapping[str, str],
) -> "Explanation":
    """Explain one contact of files of events, of which only its own events are ever in memory.

    Parameters
    ----------
    model, paths, at, contacts, mapping
        As `score_files` has them.
    contact
        The id as text, also of an integer.
    by_event
        Whether there is a row for each event.
    """
    from engagekit import batch
    from engagekit.instants import EPOCH, now

    columns = {**model.columns, **mapping}
    key = columns.get("contact", "contact")
    own, newest, people = [], None, None
    with closing(read_for([model], paths, columns, "contact-column")) as tables:
        for number, table in enumerate(tables):
            if number == 0:
                who = _as_kept(contact, table, key)
                people = None if contacts is None else read_contacts([model], contacts, table, paths, columns)
            own.append(_only(table, key, who))
            if at == "latest":
                newest = _later(newest, _coded(table, columns).newest(now()))
    mine = _joined(own)
    if not mine.num_rows and (people is None or not _only(people, key, who).num_rows):
        raise _unknown(who, read_for([model], paths, columns), key)
    if at == "latest":
        at = None if newest is None else EPOCH + timedelta(microseconds=newest)
    return batch.score(model, mine, at=at, contacts=people, mapping=mapping).explain(who, by_event)


def _as_kept(contact: str, table: "pa.Table", key: str) -> str | int:
    """Read an id as the files have it: as an integer, or as it was typed."""
    if not str(table.schema.field(key).type).startswith(("int", "uint")):
        return contact
    # int() alone would take 1_0 for ten, and digits of other scripts
    if len(contact) <= _LONGEST and re.fullmatch("[+-]?[0-9]+", contact):
        return int(contact)
    raise EventsError(f"contact: expected an integer as in the column {key!r}, got {shown(contact)}")


def _only(table: "pa.Table", key: str, contact: str | int) -> "pa.Table":
    """Return the rows of a contact."""
    import pyarrow as pa
    import pyarrow.compute as pc

    column = table[key if key in table.column_names else "contact"]
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    try:
        wanted = pa.scalar(contact, column.type)
    except (pa.ArrowInvalid, OverflowError):  # an id that no integer of that type can be
        return table.slice(0, 0)
    return table.filter(pc.equal(column, wanted))


def _joined(tables: "Sequence[pa.Table]") -> "pa.Table":
    import pyarrow as pa

    return pa.concat_tables(tables, promote_options="permissive")


def _coded(table: "pa.Table", columns: Mapping[str, str]) -> "Events":
    from engagekit.events import read
    from engagekit.mapped import Mapped

    mapped = Mapped.of({role: name for role, name in columns.items() if role != "id"})
    return read(table, mapped, (), spill=False)


def _later(one: int | None, other: int | None) -> int | None:
    return other if one is None or (other is not None and other > one) else one


def _unknown(contact: str | int, tables: "Iterable[pa.Table]", key: str) -> EventsError:
    """Look for the ids that are most like one that nobody has."""
    from engagekit.frames import frame_of
    from engagekit.keys import Keys, unknown

    near: dict[Any, None] = {}
    for table in tables:
        distinct = frame_of({key: table[key].unique()})
        near |= dict.fromkeys(Keys.of(distinct, key).near(contact))
    return unknown(contact, Keys.of(frame_of({key: list(near)}), key).near(contact) if near else [])
