"""What the documentation promises about itself; its examples are executed by the ``conftest.py`` above."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import engagekit as ek

ROOT = Path(__file__).resolve().parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("examples/**/*.md")])
PAGES = [page for page in PAGES if "_build" not in page.parts]

# What the examples' runner knows, what it need not know, and what Sphinx takes.
LANGUAGES = {"python", "console", "toml", "text", "{eval-rst}", "{toctree}"}


def name_of(page: Path) -> str:
    """Name a page by its path in the repository."""
    return page.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_code_blocks_are_in_a_known_language(page: Path) -> None:
    """No block escapes execution by being called ``py`` or nothing at all."""
    fences = re.findall(r"^\s*(?:```|~~~|:::)(.*)$", page.read_text("utf-8"), re.MULTILINE)
    opened = [fence.strip() for fence in fences[::2]]
    assert len(fences) % 2 == 0
    assert set(opened) <= LANGUAGES


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_lead_somewhere(page: Path) -> None:
    """Every relative link names a file that is there."""
    text = re.sub(r"```.*?```", "", page.read_text("utf-8"), flags=re.DOTALL)
    links = re.findall(r"\]\(([^)\s]+)\)", text)
    local = [link.partition("#")[0] for link in links if not link.startswith(("http://", "https://", "#"))]
    assert [link for link in local if not (page.parent / link).exists()] == []


def test_reference_lists_every_public_name() -> None:
    """The Python reference documents each name of ``engagekit.__all__``, and no name that is none."""
    page = (ROOT / "docs/reference/python.md").read_text("utf-8")
    documented = re.findall(r"^\.\. auto\w+:: engagekit\.(\w+)$", page, re.MULTILINE)
    assert sorted(documented) == sorted(set(ek.__all__) - {"presets"})
    assert ".. automodule:: engagekit.model.presets" in page


@pytest.mark.parametrize("name", sorted(set(ek.__all__) - {"presets"}))
def test_public_names_are_documented_by_example(name: str) -> None:
    """Each public name's docstring begins with one line and, but for plain errors, shows an example."""
    text = getattr(ek, name).__doc__ or ""
    first, _, rest = text.partition("\n")
    assert first.endswith(".")
    assert rest == "" or rest.startswith("\n")
    plain_error = name.endswith("Error") and name != "ModelError"
    assert plain_error or ">>> " in text


def test_wrong_examples_fail(tmp_path: Path) -> None:
    """The runner of the examples notices wrong output, failing code, a faulty model and a failing command."""
    shutil.copy(ROOT / "conftest.py", tmp_path)
    (tmp_path / "examples").mkdir()
    blocks = [
        ("python", ">>> 1 + 1\n3"),
        ("python", "assert 1 > 2"),
        ("toml", '[[rules]]\nname = "visit"\non = "visit"\npoints = "six"'),
        ("toml", "# faulty.toml\n[levels]\nlow = 90"),
        ("console", "$ engagekit check no-such-model"),
        ("console", "$ engagekit check saas\nThis model does nothing."),
        ("python", ">>> 1 + 1\n2"),
        ("toml", "scale = { linear = 80 }"),
        ("console", "$ engagekit check saas"),
    ]
    text = "\n\n".join(f"```{language}\n{code}\n```" for language, code in blocks)
    (tmp_path / "README.md").write_text(text, encoding="utf-8")
    call = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "README.md"]
    shown = subprocess.run(call, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert "6 failed, 3 passed" in shown.stdout
