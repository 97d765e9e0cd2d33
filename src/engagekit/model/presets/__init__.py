"""Ready-made models, to be used as they are or extended by one's own."""

from typing import TYPE_CHECKING, Any

from engagekit.errors import ModelError

if TYPE_CHECKING:
    from engagekit.model.model import Model

__all__ = ["load", "names"]


def names() -> tuple[str, ...]:
    """Return the names of all presets.

    Examples
    --------
    >>> from engagekit.model import presets
    >>> "customer_engagement_index" in presets.names()
    True
    """
    from importlib.resources import files

    found = (entry.name for entry in files(__name__).iterdir())
    return tuple(sorted(name.removesuffix(".toml") for name in found if name.endswith(".toml")))


def load(name: str) -> "Model":
    """Return the preset of a name.

    Raises
    ------
    ModelError
        When there is no preset of the name.

    Examples
    --------
    >>> from engagekit.model import presets
    >>> presets.load("customer_engagement_index").name
    'customer_engagement_index'
    >>> presets.load("customer_engagement")
    Traceback (most recent call last):
        ...
    engagekit.errors.ModelError: presets: no preset is named 'customer_engagement', did you mean ...
    """
    from engagekit.model.model import Model

    _known(name, "presets")
    return Model.from_dict({"extends": name})


def preset_table(name: str) -> dict[str, Any]:
    """Read the table of a preset."""
    from importlib.resources import files

    from engagekit.model.files import parse_table

    _known(name, "extends")
    text = files(__name__).joinpath(f"{name}.toml").read_text(encoding="utf-8")
    return parse_table(text, ".toml", f"{name}.toml")


def _known(name: object, path: str) -> None:
    known = names()
    if name not in known:
        from engagekit.model.wording import shown, suggestion

        near = suggestion(name, known) or f" (the presets are {', '.join(known)})"
        raise ModelError([f"{path}: no preset is named {shown(name)}{near}"])
