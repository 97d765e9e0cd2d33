"""Why a score is what it is: the share of every rule, and of every event, which add up to it."""

from engagekit.explain.explanation import Explanation
from engagekit.explain.one import explain
from engagekit.explain.origin import Origin
from engagekit.explain.shares import Shares, shares

__all__ = ["Explanation", "Origin", "Shares", "explain", "shares"]
