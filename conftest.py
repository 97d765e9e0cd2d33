"""Execute every example of the documentation: code blocks of Markdown pages and doctests of docstrings.

A page is read as its reader would: from top to bottom, in a folder where ``examples`` lies, with everything
that an earlier block defined or wrote still there.
"""

import contextlib
import doctest
import io
import os
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from sybil import Document, Example, Sybil
from sybil.document import PythonDocStringDocument
from sybil.evaluators.doctest import NUMBER, OutputChecker
from sybil.parsers.markdown import CodeBlockParser, PythonCodeBlockParser
from sybil.parsers.rest import DocTestParser
from sybil.sybil import SybilCollection

ROOT = Path(__file__).resolve().parent
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE | NUMBER


@pytest.fixture(scope="module")
def folder_of_a_reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Stand in an empty folder in which only ``examples`` is at hand."""
    folder = tmp_path_factory.mktemp("reader")
    (folder / "examples").symlink_to(ROOT / "examples", target_is_directory=True)
    before = Path.cwd()
    os.chdir(folder)
    yield folder
    os.chdir(before)


def run_console(example: Example) -> str | None:
    """Run the ``$ engagekit ...`` commands of a block and compare what they print with what it shows."""
    checker = OutputChecker()
    for part in ("\n" + example.parsed).split("\n$ ")[1:]:
        command, _, want = part.replace("\\\n", " ").partition("\n")
        program, *arguments = shlex.split(command, comments=True)
        if program != "engagekit":
            continue
        from engagekit.cli import main

        printed = io.StringIO()
        with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
            try:
                code = main(arguments) or 0
            except SystemExit as stop:
                code = stop.code or 0
        got = printed.getvalue()
        faulty = "# exit code " in command
        if code != (int(command.rpartition(" ")[2]) if faulty else 0):
            return f"$ {command}\nended with {code}:\n{got}"
        if want.strip() and not checker.check_output(want.rstrip() + "\n", got.rstrip() + "\n", FLAGS):
            shown = doctest.Example(command, want)
            return f"$ {command}\n{checker.output_difference(shown, got, FLAGS)}"
    return None


def read_model(example: Example) -> None:
    """Read a TOML block as a model, and write it down where its first line names a file."""
    from engagekit import Model

    text = str(example.parsed)
    first = text.partition("\n")[0]
    if first.startswith("# ") and first.endswith(".toml"):
        path = Path(first[2:])
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        Model.load(path)
    else:
        declared = tomllib.loads(text)
        if not declared.keys() & {"rules", "absences", "repeats"}:
            declared["rules"] = [{"name": "visit", "on": "visit", "points": 1}]
        Model.from_dict(declared)


pages = Sybil(
    name="page",
    parsers=[
        PythonCodeBlockParser(doctest_optionflags=FLAGS),
        CodeBlockParser("console", run_console),
        CodeBlockParser("toml", read_model),
    ],
    patterns=["README.md", "docs/**/*.md", "docs/*.md"],
    fixtures=["folder_of_a_reader"],
    teardown=dict.clear,  # DuckDB complains at exit of what is still held then
)
docstrings = Sybil(
    name="docstring",
    parsers=[DocTestParser(optionflags=FLAGS)],
    patterns=["src/engagekit/*.py", "src/engagekit/**/*.py"],
    fixtures=["folder_of_a_reader"],
)


class Stub(PythonDocStringDocument):
    """A stub's docstrings: like a module's, but a stub cannot be imported."""

    def __init__(self, text: str, path: str) -> None:
        Document.__init__(self, text, path)


stubs = Sybil(
    name="stub",
    parsers=[DocTestParser(optionflags=FLAGS)],
    patterns=["src/engagekit/*.pyi"],
    fixtures=["folder_of_a_reader"],
    document_types={".pyi": Stub},
)

pytest_collect_file = SybilCollection([pages, docstrings, stubs]).pytest()
