"""The notebooks run, and what they and the docs show of it is what comes out today."""

import json

import pytest
from notebooks import NOTEBOOKS, PAGES, page, ran, written


@pytest.mark.parametrize("name", sorted(PAGES))
def test_notebooks_are_up_to_date(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A notebook gives the outputs in its file and on its page; if not: ``make notebooks``."""
    monkeypatch.chdir(NOTEBOOKS)
    path = NOTEBOOKS / f"{name}.ipynb"
    notebook = ran(json.loads(path.read_text("utf-8")))
    assert written(notebook) == path.read_text("utf-8")
    assert page(notebook, name) == PAGES[name].read_text("utf-8")


def test_every_notebook_has_a_page() -> None:
    """No notebook is left out of the docs."""
    assert {path.stem for path in NOTEBOOKS.glob("*.ipynb")} == set(PAGES)


def test_a_cell_that_fails_is_an_error() -> None:
    """A faulty cell does not pass for one without output."""
    cells = [{"cell_type": "code", "source": ["1 / 0"]}]
    with pytest.raises(ZeroDivisionError):
        ran({"cells": cells})


def test_outputs_are_those_of_jupyter() -> None:
    """What is printed is a stream; the last expression is shown, by HTML if it has any; nothing else is."""
    page = ["class Page:\n", "    def _repr_html_(self):\n", "        return '<b>'\n", "Page()"]
    sources = [["x = 6\n", "print(x)\n", "x + 1"], ["y = 1"], page]
    cells = [{"cell_type": "code", "source": source} for source in sources]
    first, second, third = ran({"cells": cells})["cells"]
    assert [output["output_type"] for output in first["outputs"]] == ["stream", "execute_result"]
    assert first["outputs"][1]["data"] == {"text/plain": ["7"]}
    assert second["outputs"] == []
    assert third["outputs"][0]["data"]["text/html"] == ["<b>"]
