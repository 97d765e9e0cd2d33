"""Run the notebooks of examples/ and set them as pages of the docs: ``make notebooks``.

A notebook is JSON, and running one needs no more than Python: a cell's last expression is shown by its
``_repr_html_``, or else by its repr, as Jupyter does it.
"""

import ast
import contextlib
import io
import json
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOKS = ROOT / "examples" / "notebooks"
PAGES = {"tour": ROOT / "docs" / "tutorial" / "tour.md"}
"""Where in the docs a notebook stands."""


def ran(notebook: dict[str, Any]) -> dict[str, Any]:
    """Return a notebook with the outputs of its cells, run from the first to the last."""
    names: dict[str, Any] = {"__name__": "__main__"}
    cells = []
    count = 0
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            count += 1
            outputs = _run("".join(cell["source"]), names, count)
            cell = {**cell, "execution_count": count, "outputs": outputs}
        cells.append(cell)
    return {**notebook, "cells": cells}


def _run(code: str, names: dict[str, Any], count: int) -> list[dict[str, Any]]:
    tree = ast.parse(code)
    last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
    printed = io.StringIO()
    value = None
    with contextlib.redirect_stdout(printed):
        exec(compile(tree, "notebook", "exec"), names)
        if last is not None:
            value = eval(compile(ast.Expression(last.value), "notebook", "eval"), names)
    outputs: list[dict[str, Any]] = []
    if printed.getvalue():
        outputs.append({"name": "stdout", "output_type": "stream", "text": _lines(printed.getvalue())})
    if value is not None:
        shown = {"text/plain": _lines(repr(value))}
        if hasattr(value, "_repr_html_"):
            shown = {"text/html": _lines(value._repr_html_()), **shown}
        found = {"data": shown, "execution_count": count, "metadata": {}, "output_type": "execute_result"}
        outputs.append(found)
    return outputs


def _lines(text: str) -> list[str]:
    return text.splitlines(keepends=True)


def page(notebook: dict[str, Any], name: str) -> str:
    """Set a notebook that has run as a page of the docs, whose code is run with the docs' examples."""
    here = PAGES[name].parent
    blocks = []
    for cell in notebook["cells"]:
        source = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            blocks.append(_relinked(source, here))
        else:
            blocks += [f"```python\n{source}\n```", *_shown(cell["outputs"])]
    return "\n\n".join(blocks) + "\n"


def _shown(outputs: list[dict[str, Any]]) -> Iterator[str]:
    for output in outputs:
        data = output.get("data", {"text/plain": output.get("text", [])})
        if "text/html" in data:
            # a blank line would end the block
            yield "".join(line for line in data["text/html"] if line.strip()).rstrip()
        else:
            yield f"```text\n{''.join(data['text/plain']).rstrip()}\n```"


def _relinked(text: str, here: Path) -> str:
    """Let links lead from the page's folder where they led from the notebook's; only the docs are pages."""

    def moved(link: re.Match[str]) -> str:
        target = (NOTEBOOKS / link[2]).resolve()
        if not target.is_relative_to(ROOT / "docs"):
            return link[1]
        return f"[{link[1]}]({Path(os.path.relpath(target, here)).as_posix()})"

    return re.sub(r"\[([^\]]+)\]\((\.\.?/[^)]+)\)", moved, text)


def written(notebook: dict[str, Any]) -> str:
    """Return a notebook as it stands in its file."""
    return json.dumps(notebook, indent=1, ensure_ascii=False) + "\n"


def main() -> None:
    """Run all notebooks, and write them and their pages."""
    for name, target in PAGES.items():
        path = NOTEBOOKS / f"{name}.ipynb"
        os.chdir(path.parent)
        notebook = ran(json.loads(path.read_text("utf-8")))
        path.write_text(written(notebook), encoding="utf-8")
        target.write_text(page(notebook, name), encoding="utf-8")
        sys.stdout.write(f"{path.relative_to(ROOT)} has run; {target.relative_to(ROOT)} shows it\n")


if __name__ == "__main__":
    main()
