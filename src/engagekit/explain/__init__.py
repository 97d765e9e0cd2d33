"""Why a score is what it is: the share of every rule, and of every event, which add up to it."""

from engagekit.explain.explanation import Explanation
from engagekit.explain.one import explain, row_of
from engagekit.explain.origin import OneContact, Origin
from engagekit.explain.shares import Shares, shares

__all__ = ["Explanation", "OneContact", "Origin", "Shares", "explain", "row_of", "shares"]
