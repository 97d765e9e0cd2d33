"""The command line: score files of events, say what a model does, show an example."""

import argparse
import os
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from difflib import get_close_matches
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from engagekit import __version__, datafiles, demo, presets
from engagekit.describe import describe
from engagekit.errors import EngagekitError, EventsError, ModelError
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
from engagekit.model.wording import listed
from engagekit.summary import summary

if TYPE_CHECKING:
    import pyarrow as pa

    from engagekit.scores import Scores

INTERRUPTED = 130
"""The exit code after Ctrl-C, as shells have it: 128 and the signal's number."""
FILES = ".parquet .pq .csv .tsv .jsonl .ndjson .json, all but Parquet also with .gz"
"""The endings of the files that are read."""
_ROLES = ("contact", "type", "time", "value", "id")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    arguments
        What was typed after the program's name. None: of this process.

    Returns
    -------
    int
        0; or 1 if something about the input is wrong, told on standard error. Wrong usage exits with 2.
    """
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a terminal that cannot show a letter shows its number
            stream.reconfigure(errors="backslashreplace")
    options = _parser().parse_args(arguments)
    try:
        with _warnings_as_notes(quiet=getattr(options, "quiet", False)):
            options.run(options)
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever read the summary (`| head`) has seen enough. Python would complain once more when it exits.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except KeyboardInterrupt:
        print("engagekit: interrupted", file=sys.stderr)
        return INTERRUPTED
    except (EngagekitError, OSError, MemoryError) as error:
        print(f"engagekit: {_told(error)}", file=sys.stderr)
        return 1
    return 0


def _told(error: Exception) -> str:
    if isinstance(error, MemoryError):
        return "not enough memory; score fewer files at a time"
    return str(error)


@contextmanager
def _warnings_as_notes(*, quiet: bool) -> Iterator[None]:
    """Tell what the library warns of in the words of the command line, and nothing of other libraries."""
    with warnings.catch_warnings(record=True) as raised:
        warnings.simplefilter("ignore")
        warnings.filterwarnings("always", category=UserWarning, module="engagekit")
        yield
    for warning in raised if not quiet else ():
        said = str(warning.message).replace('at="latest"', "--at latest")
        print(f"engagekit: note: {said}", file=sys.stderr)


# --- score -----------------------------------------------------------------------------------------------


def _score(options: argparse.Namespace) -> None:
    if options.output is not None:  # sooner than after a long calculation
        _check_output(options.output, [*options.events, *([options.contacts] if options.contacts else [])])
    model = load_model(options.model)
    given = {role: getattr(options, role) for role in (*_ROLES, "unit") if getattr(options, role) is not None}
    scores = score_files(
        model,
        options.events,
        contacts=options.contacts,
        at=options.at,
        threads=options.threads,
        progress=not options.quiet and sys.stderr.isatty(),
        **given,
    )
    _deliver(scores, output=options.output, top=options.top, quiet=options.quiet)


def _check_output(output: str, inputs: Sequence[str]) -> None:
    datafiles.check_target(output)
    target = Path(output)
    if target.exists() and any(path.samefile(target) for path in datafiles.expand(inputs)):
        raise EventsError(f"{output}: is also an input; name another file after -o")


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
    numbers, flags = typed_fields(model)
    reader = datafiles.read_events(
        paths,
        mapping={role: columns[role] for role in _ROLES if role in columns},
        fields=model.fields,
        number_fields=numbers,
        flag_fields=flags,
        optional_fields={"content"} - model.fields if model.contents else (),
        unit=columns.get("unit"),
    )
    with closing(reader), _scoring_bar(wanted=progress) as watch:
        tables: Iterable[pa.Table] = reader
        table = None
        if contacts is not None:
            first = next(reader)
            tables = chain([first], reader)
            key = columns.get("contact", "contact")
            untyped = datafiles.is_untyped(datafiles.expand(paths)[0])
            kind = _key_kind(first, key, untyped=untyped)
            table = datafiles.read_table(
                contacts,
                keys=(key, "contact"),
                instants=("customer_since",),
                key_kind=kind,
                fields=model.attributes,
                **typed_attributes(model),
            )
        if progress:
            tables = _with_progress(tables, datafiles.row_count(paths))
        return batch.score(
            model, tables, at=at, contacts=table, threads=threads, mapping=mapping, watch=watch
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


def typed_attributes(model: Model) -> dict[str, set[str]]:
    """Tell which attributes of contacts a model uses as numbers and which as booleans.

    Examples
    --------
    >>> typed_attributes(presets.load("b2b_leads"))["number_fields"]
    {'employees'}
    """
    asking: list[Criterion | Persona | Content] = [*model.personas, *model.contents]
    asking += () if model.fit is None else model.fit.criteria
    numbers, flags = _typed_by(each.where for each in asking)
    return {"number_fields": numbers, "flag_fields": flags - numbers}


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


def _deliver(scores: "Scores", *, output: str | None, top: int, quiet: bool = False) -> None:
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


# --- check and demo --------------------------------------------------------------------------------------


def load_model(name: str) -> Model:
    """Load a model by the name of its file or of a preset.

    Raises
    ------
    ModelError
        If there is no such file or preset, or with every fault of the model.
    """
    path = Path(name)
    named_as_file = "." in name or "/" in name or os.sep in name
    if path.is_file() or (named_as_file and path.exists()):
        return Model.load(path)
    if named_as_file:
        raise ModelError([f"{name}: no such file{_like(path)}"])
    if name in presets.names():
        return presets.load(name)
    near = [known for known in presets.names() if name and known.startswith(name)]
    near += [file.name for file in _model_files(Path()) if file.stem == name]
    if near:
        raise ModelError([f"presets: no preset is named {name!r}, did you mean {listed(near)}?"])
    return presets.load(name)  # which says what there is


def _like(path: Path) -> str:
    """Ask whether a file beside that path is meant which is named nearly so; endings are alike anyway."""
    files = {file.stem: file.name for file in _model_files(path.parent)}
    near = get_close_matches(path.stem, files, n=1)
    return f", did you mean {listed([files[near[0]]])}?" if near else ""


def _model_files(folder: Path) -> list[Path]:
    """List the files in a folder that could be models, none if there is no such folder."""
    return sorted(path for ending in ("toml", "json") for path in folder.glob(f"*.{ending}"))


def _check(options: argparse.Namespace) -> None:
    model = load_model(options.model)
    print(describe(model))
    print(f"\nNo faults. Fingerprint: {model.fingerprint}")


def _demo(options: argparse.Namespace) -> None:
    example = demo.shipped_example()
    if options.output is not None:
        datafiles.check_target(options.output)
    if example is not None:
        print("A year of a real grocery shop: purchases, campaign mailings and coupons of its households.\n")
        events, contacts, model = (
            _from_here(path) for path in (example.events, example.contacts, example.model)
        )
        print(f"$ engagekit score {events} \\\n    --contacts {contacts} \\")
        print(f"    --model {model} --at latest\n")
        scores = score_files(
            load_model(str(example.model)), [example.events], contacts=example.contacts, at="latest"
        )
    else:
        print("A year of a dozen people, made up to be shown. The real example, a year of a grocery shop,")
        print("comes with the source: pip download --no-deps --no-binary engagekit engagekit\n")
        print(f"They are scored by the preset {demo.PRESET}; to see what it does:\n")
        print(f"$ engagekit check {demo.PRESET}\n")
        scores = presets.load(demo.PRESET).score(demo.made_up_events(), at=demo.AT)
    _deliver(scores, output=options.output, top=10 if example is not None else len(scores))


def _from_here(path: Path) -> Path:
    """Name a file as one would type it."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


# --- what can be typed -----------------------------------------------------------------------------------


def _instant(text: str) -> datetime | Literal["latest"] | None:
    if text == "latest":
        return "latest"
    if text == "now":
        return None
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"expected an instant such as 2026-05-01 or 2026-05-01T12:00Z, latest or now, got {text!r}"
        ) from None
    return instant if instant.tzinfo else instant.replace(tzinfo=UTC)


def _count(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"expected a whole number, got {text!r}")
    return int(text)


def _threads(text: str) -> int:
    if not _count(text):
        raise argparse.ArgumentTypeError("expected at least 1 thread, got 0")
    return int(text)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="engagekit",
        description="Score how engaged each contact is, from the events in files.",
        epilog="Try: engagekit demo",
    )
    parser.add_argument("--version", action="version", version=f"engagekit {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    known = f"a model file (.toml, .json) or a preset: {', '.join(presets.names())}"

    score = commands.add_parser("score", help="score files of events and show who is engaged, and why")
    score.set_defaults(run=_score)
    add = score.add_argument
    add("events", nargs="+", metavar="EVENTS", help=f"files, folders or patterns; read are {FILES}")
    add("--model", required=True, metavar="MODEL", help=known)
    add(
        "--at",
        type=_instant,
        metavar="INSTANT",
        help="an ISO-8601 instant (UTC), latest (the newest event not after now) or now (default: now)",
    )
    add(
        "--contacts",
        metavar="FILE",
        help="a file of contacts, of the same kinds: all of them get a row; may have customer_since",
    )
    add("-o", "--output", metavar="OUT", help="where to write the full table: .parquet, .csv or .jsonl")
    add("--top", type=_count, default=10, metavar="N", help="how many of the strongest to show (default 10)")
    add("--threads", type=_threads, metavar="N", help="how many threads calculate (default: one a core)")
    add("--quiet", action="store_true", help="print nothing but errors")
    columns = score.add_argument_group("columns", "What the columns of the events are called in your files.")
    for role in _ROLES:
        default = "none: no duplicates are looked for" if role == "id" else role
        columns.add_argument(f"--{role}", metavar="COL", help=f"(default: as the model says, else {default})")
    columns.add_argument("--unit", choices=("s", "ms", "us", "ns"), help="what integer times count")

    check = commands.add_parser("check", help="say in plain words what a model does, or list its faults")
    check.set_defaults(run=_check)
    check.add_argument("model", metavar="MODEL", help=known)

    shown = commands.add_parser("demo", help="score an example and show what comes out")
    shown.set_defaults(run=_demo)
    shown.add_argument("-o", "--output", metavar="OUT", help="where to write the full table")
    return parser
