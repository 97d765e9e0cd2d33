"""The arrows between the rooms of the package, read from its source, and what importing it costs."""

import ast
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

import engagekit

PACKAGE = Path(__file__).resolve().parent.parent / "src" / "engagekit"

# A room is a module or folder directly in the package; it may import these others, and nothing else of ours.
ARROWS: dict[str, set[str]] = {
    "errors": set(),
    "instants": {"errors", "model"},
    "model": {"errors"},
    "plan": {"model"},
    "threads": set(),
    "frames": {"errors", "_core"},
    "waves": {"frames", "_core"},
    "coding": {"errors", "frames", "threads", "waves", "_core"},
    "columns": {"errors", "frames", "coding", "threads", "_core"},
    "apart": {"threads", "_core"},
    "grouping": {"errors", "apart", "coding", "threads", "_core"},
    "partitions": {"errors", "coding", "columns", "_core"},
    "mapped": {"errors", "apart", "model", "frames", "coding"},
    "events": {
        "errors", "instants", "frames", "coding", "columns", "grouping", "mapped", "partitions", "_core",
    },
    "contacts": {"errors", "instants", "model", "frames", "coding", "columns", "events", "mapped"},
    "matching": {"errors", "model", "plan", "coding", "columns", "events", "grouping", "_core"},
    "streams": {"columns", "partitions", "events", "grouping", "matching", "_core"},
    "datafiles": {"errors"},
    "tables": set(),
    "summary": {"tables"},
    "notes": {"instants", "model", "plan", "summary"},
    "describe": {"model"},
    "demo": set(),
    "leads": {"model", "plan", "frames", "columns", "matching", "results"},
    "keys": {"errors", "model", "frames", "coding", "_core"},
    "explain": {
        "errors", "instants", "model", "plan", "frames", "columns", "events", "matching", "running", "keys",
        "summary", "tables", "_core",
    },
    "comparison": {"errors", "frames", "running", "keys", "explain", "summary", "tables"},
    "results": {"errors", "instants", "plan", "frames", "events", "_core"},
    "rollup": {"errors", "model", "plan", "frames", "coding", "contacts", "keys"},
    "scores": {
        "errors", "instants", "model", "frames", "contacts", "datafiles", "keys", "explain", "comparison",
        "pictures", "results", "reacting", "rollup", "summary",
    },
    "pictures": {"model", "comparison"},
    "reacting": {"errors", "instants", "model", "plan", "frames", "coding", "keys"},
    "running": {"errors", "instants", "plan", "events", "matching", "streams", "threads", "_core"},
    "batch": {
        "errors", "instants", "model", "plan", "frames", "coding", "columns", "events", "contacts", "explain",
        "leads", "mapped", "notes", "reacting", "results", "running", "scores", "streams",
    },
    "live": {
        "errors", "datafiles", "instants", "model", "plan", "frames", "coding", "columns", "events",
        "contacts", "matching", "results", "running", "threads", "leads", "scores", "batch", "explain",
        "keys", "reacting", "summary", "tables", "_core",
    },
    "history": {
        "errors", "instants", "model", "plan", "frames", "coding", "events", "contacts", "batch", "running",
        "threads", "_core",
    },
    "course": {"frames", "plan", "running", "explain"},
    "show": {
        "errors", "datafiles", "instants", "model", "frames", "comparison", "course", "describe", "explain",
        "results", "summary", "tables",
    },
    "__main__": {"cli"},
}  # fmt: skip

# These see everything: one gives the names away, the other is where a person comes in.
ABOVE_ALL = {"__init__", "cli"}

# `model.score(...)` is where a reader looks for it, so the class calls the batch (and, to say what it does,
# the words), but only when it is called; so do scores their pictures.
CALLS_BACK = {
    ("model", "batch"), ("model", "history"), ("model", "describe"),
    ("pictures", "scores"), ("pictures", "show"), ("live", "show"), ("model", "show"),
    ("tables", "show"),
}  # fmt: skip

# Slow to load or not always installed: imported only inside the functions that need them.
LIBRARIES = {"duckdb", "jinja2", "nanoarrow", "narwhals", "pandas", "polars", "pyarrow", "tqdm"}

# Parts of the standard library that `import engagekit` does not need: imported inside functions too, but for
# rooms that are themselves imported only when they are needed.
UNNEEDED = {"argparse", "difflib", "tomllib"}
ON_DEMAND = {"cli", "datafiles", "demo", "describe", "show"}

EAGER_THIRD_PARTY = {"attr", "attrs", "numpy"}


class Import(NamedTuple):
    """One imported module: where, under which full name, and whether it waits for a call."""

    file: str
    line: int
    name: str
    late: bool
    for_types: bool

    @property
    def room(self) -> str:
        """The room that the importing file belongs to."""
        return self.file.partition("/")[0].removesuffix(".py")

    @property
    def top(self) -> str:
        """The distribution that the module is part of, by its first name."""
        return self.name.partition(".")[0]

    @property
    def where(self) -> str:
        """The place, as an editor would open it."""
        return f"{self.file}:{self.line} imports {self.name}"


def imports_below(
    node: ast.AST, file: str, *, late: bool = False, for_types: bool = False
) -> Iterator[Import]:
    """Walk a syntax tree and yield its imports."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import):
            for alias in child.names:
                yield Import(file, child.lineno, alias.name, late, for_types)
        elif isinstance(child, ast.ImportFrom):
            assert child.level == 0, f"{file}:{child.lineno}: a relative import"
            for alias in child.names:
                # `from engagekit import x` imports the room x.
                name = f"engagekit.{alias.name}" if child.module == "engagekit" else str(child.module)
                yield Import(file, child.lineno, name, late, for_types)
        elif isinstance(child, ast.If) and ast.unparse(child.test).endswith("TYPE_CHECKING"):
            for part in child.body:
                yield from imports_below(ast.Module([part], []), file, late=late, for_types=True)
            for part in child.orelse:
                yield from imports_below(ast.Module([part], []), file, late=late, for_types=for_types)
        else:
            function = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
            yield from imports_below(child, file, late=late or function, for_types=for_types)


IMPORTS = [
    found
    for path in sorted(PACKAGE.rglob("*.py"))
    for found in imports_below(ast.parse(path.read_text("utf-8")), path.relative_to(PACKAGE).as_posix())
]
ROOMS = sorted({found.room for found in IMPORTS} | {path.stem for path in PACKAGE.glob("*.py")})


def test_imports_are_found() -> None:
    """The walk sees imports at the top of a file, inside functions, and those that are for types only."""
    source = """
        import numpy as np
        from typing import TYPE_CHECKING
        if TYPE_CHECKING:
            import pandas
        def read():
            from engagekit import frames
            return frames
        """
    found = list(imports_below(ast.parse(source.replace("\n        ", "\n")), "events.py"))
    assert [(one.name, one.late, one.for_types) for one in found] == [
        ("numpy", False, False),
        ("typing", False, False),
        ("pandas", False, True),
        ("engagekit.frames", True, False),
    ]
    assert len(IMPORTS) > 20


def test_every_room_has_its_arrows() -> None:
    """No room of the package is left out of the table of arrows, and none in it has gone."""
    assert set(ROOMS) == ARROWS.keys() | ABOVE_ALL


@pytest.mark.parametrize("room", ROOMS)
def test_arrows_point_one_way(room: str) -> None:
    """A room imports only the rooms below it."""
    if room in ABOVE_ALL:
        above = [
            one.where
            for one in IMPORTS
            if one.name == f"engagekit.{room}" and one.room not in {room, "__main__"}
        ]
        assert above == []
        return
    wrong = []
    for one in IMPORTS:
        if one.room != room or one.top != "engagekit" or one.for_types:
            continue
        target = one.name.split(".")[1] if "." in one.name else "engagekit itself"
        called_back = one.late and (room, target) in CALLS_BACK
        if target not in ARROWS[room] | {room} and not called_back:
            wrong.append(one.where)
    assert wrong == []


def test_arrows_are_used() -> None:
    """The table allows no arrow between two rooms that is not there."""
    drawn = {
        (one.room, one.name.split(".")[1])
        for one in IMPORTS
        if one.name.startswith("engagekit.") and one.room not in ABOVE_ALL
    }
    allowed = {(room, target) for room, targets in ARROWS.items() for target in targets} | CALLS_BACK
    assert {f"{room} -> {target}" for room, target in allowed - drawn} == set()


def test_arrows_make_no_circle() -> None:
    """Following the arrows never leads back."""
    left = {room: set(targets) - {"_core"} for room, targets in ARROWS.items()}
    left["cli"] = set()
    while free := {room for room, targets in left.items() if not targets & left.keys()}:
        left = {room: targets for room, targets in left.items() if room not in free}
    assert left == {}


def test_libraries_are_imported_late() -> None:
    """Libraries that are slow to load or optional are imported only inside functions, or for types."""
    early = [one for one in IMPORTS if not (one.late or one.for_types)]
    assert [one.where for one in early if one.top in LIBRARIES] == []
    assert [one.where for one in early if one.top in UNNEEDED and one.room not in ON_DEMAND] == []


def test_rooms_on_demand_are_imported_late() -> None:
    """The command line and the files are loaded only by those who use them."""
    rooms = {f"engagekit.{room}" for room in ON_DEMAND}
    early = [one for one in IMPORTS if not (one.late or one.for_types) and one.room not in ON_DEMAND]
    assert [
        one.where for one in early if ".".join(one.name.split(".")[:2]) in rooms and one.room != "__main__"
    ] == []


def test_third_party_imports_are_declared() -> None:
    """Everything that is imported is the standard library, ours, or a library this test knows of."""
    known = sys.stdlib_module_names | LIBRARIES | EAGER_THIRD_PARTY | {"engagekit", "typing_extensions"}
    assert [one.where for one in IMPORTS if one.top not in known] == []


def test_kernel_imports_nothing_of_ours() -> None:
    """The compiled module knows neither the package nor NumPy's C interface."""
    sources = [*PACKAGE.glob("*.pyx"), *PACKAGE.glob("*.pxi")]
    assert sources
    pattern = re.compile(r"^\s*(?:from\s+(\S+)\s+c?import|c?import\s+(\S+))", re.MULTILINE)
    found = {a or b for path in sources for a, b in pattern.findall(path.read_text("utf-8"))}
    foreign = {name for name in found if name.partition(".")[0] in {"engagekit", "numpy", "np", ""}}
    assert foreign == set()


def modules_after(statement: str) -> set[str]:
    """Return the top-level names of the modules that a fresh interpreter has loaded after a statement."""
    names = "{name.partition('.')[0] for name in sys.modules}"
    program = f"{statement}\nimport sys, json; print(json.dumps(sorted({names})))"
    shown = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    return set(json.loads(shown.stdout))


def test_importing_loads_no_frame_library() -> None:
    """A fresh ``import engagekit`` loads attrs, and no library that waits for its use."""
    loaded = modules_after("import engagekit")
    assert {"engagekit", "attr"} <= loaded
    assert loaded & (LIBRARIES | UNNEEDED | {"numpy"}) == set()


@pytest.mark.parametrize("name", ["Events", "Live", "Score", "Scores"])
def test_what_holds_data_is_loaded_on_use(name: str) -> None:
    """Asking for Events or Scores loads NumPy, and still no frame library."""
    loaded = modules_after(f"import engagekit; engagekit.{name}")
    assert "numpy" in loaded
    assert loaded & (LIBRARIES | UNNEEDED) == set()


def test_other_names_are_errors() -> None:
    """A name that the package does not have is an AttributeError as everywhere."""
    with pytest.raises(AttributeError, match="'engagekit' has no attribute 'Evnts'"):
        engagekit.Evnts  # noqa: B018


def test_declaring_a_model_loads_no_frame_library() -> None:
    """Declaring a model in Python needs none of them either."""
    declare = "import engagekit as ek; ek.Model(rules=[ek.Rule(name='visit', on='visit', points=1)])"
    assert modules_after(declare) & LIBRARIES == set()
