"""Reactions: which triggers fire between two results, and what must be remembered for the next time."""

from engagekit.reacting.fired import Evaluation, react
from engagekit.reacting.keeping import kept, restored
from engagekit.reacting.sighting import first, refuse_missing
from engagekit.reacting.standing import Standing

__all__ = ["Evaluation", "Standing", "first", "kept", "react", "refuse_missing", "restored"]
