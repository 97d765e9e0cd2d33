"""A model in plain words, as a notebook shows it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from engagekit.describe import opening, sections
from engagekit.show.markup import Markup, clean, shortened
from engagekit.show.pages import rendered
from engagekit.show.theme import scoped

if TYPE_CHECKING:
    from engagekit.model import Model

_LONGEST: Final = 2000
MODEL_CSS: Final = (
    ".ek{max-width:860px;font-size:13.5px;line-height:1.45;background:var(--paper);padding:2px 12px}"
    ".ek p{margin:.5em 0}.ek .heading{font-weight:600;margin:1.2em 0 .3em}"
    ".ek dl{display:grid;grid-template-columns:minmax(8em,max-content) minmax(0,1fr);gap:2px 16px;margin:0}"
    ".ek dt{color:var(--quiet);overflow-wrap:anywhere}.ek dd{margin:0;overflow-wrap:anywhere}"
)


def model_page(model: Model) -> Markup:
    """Say what a model does, as `Model.describe` does, in HTML with a style of its own."""
    scope, css = scoped(MODEL_CSS)
    told = [
        (_said(heading), [(name, _said(said)) for name, said in entries])
        for heading, entries in sections(model)
    ]
    return rendered(
        "model.html",
        scope=scope,
        css=css,
        label=shortened(clean(model.name), 80),
        opening=_said(opening(model)),
        fingerprint=f"Fingerprint {model.fingerprint[:12]}",
        sections=told,
    )


def _said(text: str) -> str:
    return shortened(clean(text), _LONGEST)
