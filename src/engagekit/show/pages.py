"""HTML from templates: escaped by itself, and an error where a template asks for what is not there."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from engagekit.show.markup import Markup, name

if TYPE_CHECKING:
    from jinja2 import Environment


@cache
def environment() -> Environment:
    """Return the templates' environment, in which ``|name`` shows what comes from outside."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    made = Environment(
        loader=PackageLoader("engagekit.show"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    made.filters["name"] = name
    return made


def rendered(template: str, **values: object) -> Markup:
    """Fill a template of the package.

    Parameters
    ----------
    template
        Its file name.
    values
        What it speaks of; all that is no `Markup` is escaped.
    """
    return Markup(environment().get_template(template).render(values))
