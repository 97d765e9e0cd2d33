"""What a user declares: rules, conditions, the life cycle, and the model that composes them."""

from engagekit.model.conditions import All, AnyOf, Condition, Field, Not, Test, condition_from, field
from engagekit.model.leads import Content, Criterion, Fit, Persona, Qualification
from engagekit.model.lifecycle import Levels, Lifecycle, Momentum, Phase, Scale
from engagekit.model.model import Model
from engagekit.model.reactions import Trigger
from engagekit.model.rules import Absence, Amount, Channel, Decay, Exclude, Limit, Repeat, Rule, Signal

__all__ = [
    "Absence",
    "All",
    "Amount",
    "AnyOf",
    "Channel",
    "Condition",
    "Content",
    "Criterion",
    "Decay",
    "Exclude",
    "Field",
    "Fit",
    "Levels",
    "Lifecycle",
    "Limit",
    "Model",
    "Momentum",
    "Not",
    "Persona",
    "Phase",
    "Qualification",
    "Repeat",
    "Rule",
    "Scale",
    "Signal",
    "Test",
    "Trigger",
    "condition_from",
    "field",
]
