"""Measure customer engagement: declare scoring rules, score any frame of events, see why.

>>> import engagekit as ek
>>> import numpy as np
>>> model = ek.Model(rules=[ek.Rule(name="demo", on="demo_request", points=30, channel="sales")])
>>> events = {
...     "contact": ["ann", "bob", "ann"],
...     "type": ["demo_request", "page_view", "demo_request"],
...     "time": np.array(["2026-01-01", "2026-01-02", "2026-01-31"], "datetime64[us]"),
... }
>>> model.score(events, at="2026-01-31").frame["score"].tolist()
[45.0, 0.0]
"""

from importlib import import_module
from typing import TYPE_CHECKING

try:
    from engagekit import _core as _core
except ImportError as error:  # pragma: no cover
    raise ImportError(
        "engagekit's compiled kernel is missing or does not fit this Python: install the package "
        "(pip install engagekit, or pip install . in a checkout, for which a C compiler is needed)"
    ) from error

from engagekit.errors import EngagekitError, EventsError, ModelError, StateError
from engagekit.model import presets
from engagekit.model.conditions import field
from engagekit.model.leads import Content, Criterion, Fit, Persona, Qualification
from engagekit.model.lifecycle import Lifecycle, Momentum, Phase, Scale
from engagekit.model.model import Model
from engagekit.model.points import Amount, Channel, Decay, Limit
from engagekit.model.reactions import Trigger
from engagekit.model.rules import Absence, Exclude, Repeat, Rule, Signal

if TYPE_CHECKING:
    from engagekit.comparison import Comparison
    from engagekit.events import Events
    from engagekit.explain import Explanation
    from engagekit.live import Live, Score
    from engagekit.scores import Scores
    from engagekit.show.card import Card
    from engagekit.show.flow import Flow
    from engagekit.show.history import History
    from engagekit.show.population import Population

__version__ = "0.1.0"

__all__ = [
    "Absence",
    "Amount",
    "Card",
    "Channel",
    "Comparison",
    "Content",
    "Criterion",
    "Decay",
    "EngagekitError",
    "Events",
    "EventsError",
    "Exclude",
    "Explanation",
    "Fit",
    "Flow",
    "History",
    "Lifecycle",
    "Limit",
    "Live",
    "Model",
    "ModelError",
    "Momentum",
    "Persona",
    "Phase",
    "Population",
    "Qualification",
    "Repeat",
    "Rule",
    "Scale",
    "Score",
    "Scores",
    "Signal",
    "StateError",
    "Trigger",
    "field",
    "presets",
]


# A model is declared without NumPy; what holds data is loaded, and NumPy with it, when it is first used.
_LOADED_ON_USE = {
    "Card": "engagekit.show.card",
    "Comparison": "engagekit.comparison",
    "Events": "engagekit.events",
    "Explanation": "engagekit.explain",
    "Flow": "engagekit.show.flow",
    "History": "engagekit.show.history",
    "Live": "engagekit.live",
    "Population": "engagekit.show.population",
    "Score": "engagekit.live",
    "Scores": "engagekit.scores",
}


def __getattr__(name: str) -> object:
    if name not in _LOADED_ON_USE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_LOADED_ON_USE[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*__all__, *(name for name in globals() if name.startswith("__"))})
