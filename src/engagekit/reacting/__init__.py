"""Reactions: which triggers fire between two results, and what must be remembered for the next time."""

from engagekit.reacting.fired import Evaluation, laid_out, react, refuse_nothing
from engagekit.reacting.keeping import kept, packed, restored, unpacked
from engagekit.reacting.sighting import first, refuse_missing, seen_of
from engagekit.reacting.standing import ARMED, NEVER, NULL, WAITING, Standing, nobody, step, unseen

__all__ = [
    "ARMED",
    "NEVER",
    "NULL",
    "WAITING",
    "Evaluation",
    "Standing",
    "first",
    "kept",
    "laid_out",
    "nobody",
    "packed",
    "react",
    "refuse_missing",
    "refuse_nothing",
    "restored",
    "seen_of",
    "step",
    "unpacked",
    "unseen",
]
