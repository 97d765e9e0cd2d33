"""Ready-made models, to be used as they are or extended by one's own."""

from typing import TYPE_CHECKING, Any

from engagekit.errors import ModelError
from engagekit.model.leads import Criterion, Fit
from engagekit.model.tree import Condition, Test

if TYPE_CHECKING:
    from engagekit.model.model import Model

__all__ = ["bant", "load", "names"]


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


def bant(
    *,
    budget: str | Condition = "budget",
    authority: str | Condition = "authority",
    need: str | Condition = "need",
    timeframe: str | Condition = "timeframe",
    project: str | Condition | bool = False,
) -> Fit:
    """Return the fit by what sellers ask first: budget, authority, need and timeframe (BANT).

    Parameters
    ----------
    budget, authority, need, timeframe
        Whether there is money for it, whether the contact may decide, whether it needs what is offered,
        and whether it needs it soon: the name of an attribute that is true or false, or a condition.
    project
        Whether there is a project already, as a fifth: True for the attribute ``project``, a name or a
        condition. False: it is not asked.

    Returns
    -------
    Fit
        Each answer has the same share of 100 points.

    Examples
    --------
    >>> from engagekit import field, presets
    >>> fit = presets.bant(budget=field("budget") >= 50_000, project=True)
    >>> [(criterion.name, criterion.points) for criterion in fit.criteria]
    [('budget', 20.0), ('authority', 20.0), ('need', 20.0), ('timeframe', 20.0), ('project', 20.0)]
    >>> fit.criteria[0].where, fit.criteria[1].where
    ((field('budget') >= 50000), (field('authority') == True))
    """
    asked = {"budget": budget, "authority": authority, "need": need, "timeframe": timeframe}
    if project is not False:
        asked["project"] = "project" if project is True else project
    return Fit(
        criteria=[
            Criterion(name=name, where=_answered(answer), points=100 / len(asked))
            for name, answer in asked.items()
        ]
    )


def _answered(answer: str | Condition) -> Condition:
    return Test(answer, "eq", True) if isinstance(answer, str) else answer


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
