"""Files of events as streams of tables, for one model or several."""

import argparse
import sys
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from datetime import datetime
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from engagekit import datafiles
from engagekit.cli import options as given
from engagekit.cli.models import load_model
from engagekit.model import (
    All,
    AnyOf,
    Condition,
    Content,
    Criterion,
    Exclude,
    Model,
    Not,
    Persona,
    Repeat,
    Rule,
    Signal,
    Test,
)

if TYPE_CHECKING:
    import pyarrow as pa

    from engagekit.scores import Scores


def scored(options: argparse.Namespace) -> "Scores":
    """Score what the options of a command name (`options.add_files`, `add_columns` and the plain ones)."""
    return score_files(
        load_model(options.model),
        options.events,
        contacts=options.contacts,
        at=options.at,
        threads=options.threads,
        progress=not options.quiet and sys.stderr.isatty(),
        **given.mapping_of(options),
    )


def score_files(
    model: Model,
    paths: Sequence[str | Path],
    *,
    contacts: str | Path | None = None,
    at: datetime | Literal["latest"] | None = None,
    threads: int | None = None,
    progress: bool = False,
    **mapping: str,
) -> "Scores":
    """Score files of events as a stream, so that they are never wholly in memory.

    Parameters
    ----------
    model
        The model; its `columns` hold where `mapping` says nothing.
    paths
        Files, folders and patterns.
    contacts
        A file of contacts.
    at, threads
        As in `Model.score`.
    progress
        Show a bar on standard error, where tqdm is installed.
    **mapping
        Columns by role, and the unit of integer times.
    """
    from engagekit import batch

    columns = {**model.columns, **mapping}
    reader = read_for([model], paths, columns)
    with closing(reader), _scoring_bar(wanted=progress) as watch:
        tables: Iterable[pa.Table] = reader
        table = None
        if contacts is not None:
            first = next(reader)
            tables = chain([first], reader)
            table = read_contacts([model], contacts, first, paths, columns)
        if progress:
            tables = _with_progress(tables, datafiles.row_count(paths))
        return batch.score(
            model, tables, at=at, contacts=table, threads=threads, mapping=mapping, watch=watch
        )


def read_for(
    models: Sequence[Model],
    paths: Sequence[str | Path],
    columns: Mapping[str, str],
    contact_option: str = "contact",
) -> Generator["pa.Table", None, None]:
    """Read of files of events what models need; `columns` by role, and the unit of integer times."""
    typed = [typed_fields(model) for model in models]
    numbers = set().union(*(fields for fields, _ in typed))
    fields = set().union(*(model.fields for model in models))
    return datafiles.read_events(
        paths,
        mapping={role: columns[role] for role in given.ROLES if role in columns},
        fields=fields,
        number_fields=numbers,
        flag_fields=set().union(*(flags for _, flags in typed)) - numbers,
        optional_fields={"content"} - fields if any(model.contents for model in models) else (),
        unit=columns.get("unit"),
        contact_option=contact_option,
    )


def read_contacts(
    models: Sequence[Model],
    path: str | Path,
    first: "pa.Table",
    paths: Sequence[str | Path],
    columns: Mapping[str, str],
) -> "pa.Table":
    """Read a file of contacts for models, beside events, the first table of which is known."""
    key = columns.get("contact", "contact")
    kind = _key_kind(first, key, untyped=datafiles.is_untyped(datafiles.expand(paths)[0]))
    typed = [typed_attributes(model) for model in models]
    numbers = set().union(*(fields for fields, _ in typed))
    return datafiles.read_table(
        path,
        keys=(key, "contact"),
        instants=("customer_since",),
        key_kind=kind,
        fields=set().union(*(model.attributes for model in models)),
        number_fields=numbers,
        flag_fields=set().union(*(flags for _, flags in typed)) - numbers,
    )


def _key_kind(first: "pa.Table", key: str, *, untyped: bool) -> str | None:
    """Tell what a contacts file without types should take its key for."""
    if str(first.schema.field(key).type).startswith(("int", "uint")):
        return "integer"
    return "text" if untyped else None


def _with_progress(tables: Iterable["pa.Table"], total: int | None) -> Iterator["pa.Table"]:
    """Pass tables on and count their rows on standard error, where tqdm is installed."""
    try:
        from tqdm import tqdm
    except ImportError:
        yield from tables
        return
    with tqdm(total=total, unit=" events", unit_scale=True, desc="reading", leave=False) as bar:
        for table in tables:
            yield table
            bar.update(table.num_rows)


@contextmanager
def _scoring_bar(*, wanted: bool) -> Iterator[Callable[[int, int], None] | None]:
    """Give what shows on standard error how many of the partitions of a stream on disk are scored."""
    bars: list[Any] = []

    def watch(done: int, total: int) -> None:
        try:
            from tqdm import tqdm
        except ImportError:
            return
        if not bars:
            bars.append(tqdm(total=total, unit=" parts", desc="scoring", leave=False))
        bars[0].update(done - bars[0].n)

    try:
        yield watch if wanted else None
    finally:
        for bar in bars:
            bar.close()


def typed_fields(model: Model) -> tuple[set[str], set[str]]:
    """Tell which fields a model uses as numbers and which as booleans.

    Examples
    --------
    >>> import engagekit as ek
    >>> where = (ek.field("seconds") >= 30) & (ek.field("vip") == True) & (ek.field("page") == "7")
    >>> typed_fields(ek.Model(rules=[ek.Rule(name="visit", on="visit", points=1, where=where)]))
    ({'seconds'}, {'vip'})
    """
    conditional: list[Rule | Repeat | Signal | Exclude]
    conditional = [*model.rules, *model.repeats, *model.signals, *model.excludes]
    numbers, flags = _typed_by(each.where for each in conditional)
    numbers |= {rule.amount.field for rule in model.rules if rule.amount is not None}
    for weights in (model.weights, *(rule.weights for rule in model.rules)):
        flags |= {field for field, factors in weights.items() if factors.keys() <= {"true", "false"}}
    return numbers, flags - numbers


def typed_attributes(model: Model) -> tuple[set[str], set[str]]:
    """Tell which attributes of contacts a model uses as numbers and which as booleans.

    Examples
    --------
    >>> import engagekit as ek
    >>> typed_attributes(ek.presets.load("b2b_leads"))[0]
    {'employees'}
    """
    asking: list[Criterion | Persona | Content] = [*model.personas, *model.contents]
    asking += () if model.fit is None else model.fit.criteria
    triggers = [each for trigger in model.triggers for each in trigger.conditions]
    numbers, flags = _typed_by([*(each.where for each in asking), *triggers])
    return numbers, flags - numbers


def _typed_by(conditions: Iterable[Condition | None]) -> tuple[set[str], set[str]]:
    """Tell which fields conditions compare with numbers and which with booleans."""
    numbers, flags = set[str](), set[str]()
    for test in (test for each in conditions if each is not None for test in _tests(each)):
        operands = test.value if isinstance(test.value, tuple) else (test.value,)
        if test.op == "is_null":
            continue
        if any(isinstance(operand, bool) for operand in operands):
            flags.add(test.field)
        elif any(isinstance(operand, int | float) for operand in operands):
            numbers.add(test.field)
    return numbers, flags


def _tests(condition: Condition) -> Iterator[Test]:
    match condition:
        case Test():
            yield condition
        case All() | AnyOf():
            for part in condition.parts:
                yield from _tests(part)
        case Not():
            yield from _tests(condition.part)
