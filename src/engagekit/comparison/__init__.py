"""Two results side by side: who changed, from what to what, and which rule is behind it."""

from engagekit.comparison.comparing import Side, compare, crossings
from engagekit.comparison.report import Comparison

__all__ = ["Comparison", "Side", "compare", "crossings"]
