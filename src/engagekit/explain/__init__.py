"""Why a score is what it is: the share of every rule, and of every event, which add up to it."""

from engagekit.explain.explanation import Explanation
from engagekit.explain.grounds import MOST_DATED, Grounds, Reason, grounds, reasons
from engagekit.explain.one import explain, row_of
from engagekit.explain.opened import Opened
from engagekit.explain.origin import Origin
from engagekit.explain.shares import Shares, shares

__all__ = [
    "MOST_DATED",
    "Explanation",
    "Grounds",
    "Opened",
    "Origin",
    "Reason",
    "Shares",
    "explain",
    "grounds",
    "reasons",
    "row_of",
    "shares",
]
