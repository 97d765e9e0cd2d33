"""What a user declares: rules, conditions, the life cycle, and the model that composes them."""

from engagekit.model.conditions import condition_from, field
from engagekit.model.lifecycle import Levels, Lifecycle, Momentum, Phase, Scale
from engagekit.model.model import Model
from engagekit.model.rules import Absence, Amount, Channel, Decay, Exclude, Limit, Repeat, Rule, Signal

__all__ = [
    "Absence",
    "Amount",
    "Channel",
    "Decay",
    "Exclude",
    "Levels",
    "Lifecycle",
    "Limit",
    "Model",
    "Momentum",
    "Phase",
    "Repeat",
    "Rule",
    "Scale",
    "Signal",
    "condition_from",
    "field",
]
