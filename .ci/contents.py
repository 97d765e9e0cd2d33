"""Check that the distributions in a folder hold what they should: ``contents.py FOLDER``."""

import sys
import tarfile
import zipfile
from pathlib import Path, PurePosixPath

SOURCES = {".py", ".pyi", ".pyx", ".pxi", ".h", ".html", ".css", ".js", ".toml", ".typed"}
SHIPPED = {".py", ".pyi", ".html", ".css", ".js", ".toml", ".typed"}


def kind(path: str) -> str:
    """Return a file's ending; py.typed counts by its name, which has none before the dot."""
    return PurePosixPath(path).suffix


def in_package(names: list[str]) -> set[str]:
    """Return the files of the package, by their paths within it."""
    return {name.partition("engagekit/")[2] for name in names if "engagekit/" in name and name[-1] != "/"}


def main(folder: Path) -> None:
    """Compare source distribution and wheel with the checkout, and raise at the first difference."""
    package = Path(__file__).resolve().parent.parent / "src" / "engagekit"
    tree = {path.relative_to(package).as_posix() for path in package.rglob("*") if path.is_file()}

    (sdist,) = folder.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        names = [member.name.partition("/")[2] for member in archive if member.isfile()]
    expected = {name for name in tree if kind(name) in SOURCES}
    found = in_package([name for name in names if name.startswith("src/engagekit/")])
    assert found == expected, f"{sdist.name}: missing {expected - found}, unexpected {found - expected}"
    for name in ("LICENSE", "README.md", "Makefile", "setup.py", "tests/test_docs.py", "docs/index.md"):
        assert name in names, f"{sdist.name}: no {name}"

    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    found = in_package([name for name in names if name.startswith("engagekit/")])
    compiled = {name for name in found if name.startswith("_core.") and name.endswith(".so")}
    assert len(compiled) == 1, f"{wheel.name}: {len(compiled)} compiled modules"
    expected = {name for name in tree if kind(name) in SHIPPED}
    found -= compiled
    assert found == expected, f"{wheel.name}: missing {expected - found}, unexpected {found - expected}"

    for path in (sdist, wheel):
        print(f"{path.name}: {path.stat().st_size / 1e6:.2f} MB, holds what it should")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
