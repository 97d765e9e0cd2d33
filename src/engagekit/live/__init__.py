"""Live: scores that keep up with events as they come."""

from engagekit.live.live import Live
from engagekit.live.score import Score
from engagekit.live.stats import LiveStats

__all__ = ["Live", "LiveStats", "Score"]
