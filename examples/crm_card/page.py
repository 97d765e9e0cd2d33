"""A contact's card for people: alone, to be put into a page of yours, and as a page that follows it."""

from base64 import b64encode
from hashlib import sha256
from pathlib import Path
from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse

import engagekit as ek

FOLDER = Path(__file__).resolve().parent
LONGEST_TITLE = 80


class Page:
    """The page of any contact of a model.

    Its policy allows the card's style and the page's own style and script, by their digests, and questions to
    where the page came from. So nothing else would run or be asked for, should a name slip through unescaped.

    Parameters
    ----------
    model
        Whose cards are shown.
    """

    def __init__(self, model: ek.Model) -> None:
        environment = Environment(
            loader=FileSystemLoader(FOLDER), autoescape=True, undefined=StrictUndefined, auto_reload=False
        )
        self._template = environment.get_template("page.html")
        self._style, self._script = ((FOLDER / f"page.{kind}").read_text("utf-8") for kind in ("css", "js"))
        nobody = ek.Live(model).card("").html  # the style is the same for all
        styles = nobody.partition("<style>")[2].partition("</style>")[0], self._style
        policy = {
            "default-src": "'none'",
            "script-src": digest(self._script),
            "style-src": " ".join(map(digest, styles)),
            "connect-src": "'self'",
            "base-uri": "'none'",
            "form-action": "'none'",
            "frame-ancestors": "'self'",
        }
        self._headers = {
            "Content-Security-Policy": "; ".join(f"{name} {allowed}" for name, allowed in policy.items()),
            "Cache-Control": "no-store",
            "Referrer-Policy": "no-referrer",
            "X-Content-Type-Options": "nosniff",
        }

    def answer(self, request: Request, card: ek.Card) -> HTMLResponse:
        """Answer with the page; with the card alone if the query says ``bare``."""
        if "bare" in request.query_params:
            return HTMLResponse(card.html, headers=self._headers)
        contact = str(card.contact)
        page = self._template.render(
            title=contact[:LONGEST_TITLE],
            style=self._style,
            script=self._script,
            card=card.html,
            changes=f"{request.scope.get('root_path', '')}/changes?contact={quote(contact, safe='')}",
        )
        return HTMLResponse(page, headers=self._headers)


def digest(text: str) -> str:
    """Name a text as a policy does that allows it."""
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"
