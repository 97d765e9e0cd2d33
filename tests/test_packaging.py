"""What is said about the package outside of its code, and the script that looks for an interpreter."""

import re
import subprocess
import sys
import tomllib
from importlib.metadata import entry_points, version
from pathlib import Path

import engagekit as ek

ROOT = Path(__file__).resolve().parent.parent
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))


def test_version_is_one() -> None:
    """Code, metadata, project file and the newest entry of the changelog name the same version."""
    newest = re.search(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.MULTILINE)
    assert newest is not None
    assert {ek.__version__, version("engagekit"), PYPROJECT["project"]["version"]} == {newest[1]}


def test_the_command_is_installed() -> None:
    """The command ``engagekit`` calls ``engagekit.cli.main``."""
    (command,) = entry_points(group="console_scripts", name="engagekit")
    from engagekit.cli import main

    assert command.load() is main


def test_every_optional_group_is_installable_alone() -> None:
    """A dependency group includes only groups that exist."""
    groups = PYPROJECT["dependency-groups"]
    included = {
        item["include-group"] for items in groups.values() for item in items if isinstance(item, dict)
    }
    assert included <= groups.keys()


def find_python(path: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run ``tools/find-python`` where nothing is on the path but what lies in a folder, and sed."""
    sed = path / "sed"
    if not sed.exists():
        sed.symlink_to("/bin/sed")
    call = ["/bin/sh", str(ROOT / "tools" / "find-python"), *arguments]
    env = {"PATH": str(path), **environment}
    return subprocess.run(call, env=env, capture_output=True, text=True, check=False)


def put_program(folder: Path, name: str, text: str) -> None:
    """Write an executable shell script."""
    path = folder / name
    path.write_text(f"#!/bin/sh\n{text}\n", encoding="ascii")
    path.chmod(0o755)


def test_no_python(tmp_path: Path) -> None:
    """Without any Python the message says which one is needed and how to get it."""
    told = find_python(tmp_path)
    assert (told.returncode, told.stdout) == (1, "")
    assert "needs Python 3.11 or newer, and there is none" in told.stderr
    assert "apt-get install python3 python3-venv python3-dev gcc" in told.stderr


def test_a_python_that_is_too_old(tmp_path: Path) -> None:
    """A Python that is too old is named with its version."""
    put_program(tmp_path, "python3", '[ -z "$2" ] || { echo "it is Python 3.9"; exit 3; }')
    told = find_python(tmp_path)
    assert told.returncode == 1
    assert "Too old: python3 (it is Python 3.9)." in told.stderr


def test_everything_missing_is_told_at_once(tmp_path: Path) -> None:
    """A Python without venv, headers and compiler is told all three, each with what to install."""
    put_program(tmp_path, "python3", '[ -z "$2" ] || { printf "no venv\\nno headers\\nno cc\\n"; exit 4; }')
    told = find_python(tmp_path)
    assert told.returncode == 1
    assert told.stderr.count("\n  - no ") == 3
    assert "apt-get install python3-venv python3-dev gcc" in told.stderr


def test_no_compiler(tmp_path: Path) -> None:
    """The compiler is looked for by the name that the build will use."""
    told = find_python(tmp_path, sys.executable, CC="no-such-compiler")
    assert told.returncode == 1
    assert "- a C compiler, no-such-compiler (for apt: gcc" in told.stderr


def test_no_headers(tmp_path: Path) -> None:
    """Python's headers are looked for where the build will look."""
    (tmp_path / "sitecustomize.py").write_text(
        "import sysconfig\nsysconfig.get_path = lambda *_: '/nowhere'\n", encoding="ascii"
    )
    told = find_python(tmp_path, sys.executable, PYTHONPATH=str(tmp_path))
    assert told.returncode == 1
    assert "- its C headers, /nowhere/Python.h (for apt: python3-dev)" in told.stderr


def test_a_newer_python_is_taken_where_the_first_lacks_something(tmp_path: Path) -> None:
    """The first interpreter that has everything wins, whatever the others before it lack."""
    put_program(tmp_path, "python3", '[ -z "$2" ] || { echo "no headers"; exit 4; }')
    put_program(tmp_path, "python3.12", "exit 0")
    told = find_python(tmp_path)
    assert told.stdout.strip() == str(tmp_path / "python3.12")
