"""The nearest that River has to a live state: exponentially weighted means, one for each sum of a contact.

They fade by the number of events, not by the time between them, so they give no answer to the question that
the others answer; what they show is what it costs to keep such statistics up to date.
"""

from datetime import datetime
from typing import Any

from river import stats

import engagekit as ek

FAST, SLOW = 0.05, 0.0125


class River:
    """A mean of points for every rule of a contact, and two of all its points for the momentum."""

    def __init__(self, model: ek.Model) -> None:
        self.points = {rule.on[0]: rule.points for rule in model.rules}
        self.contacts: dict[Any, tuple[dict[str, Any], Any, Any]] = {}

    def add(self, contact: int | str, type: str, time: datetime) -> None:  # noqa: ARG002 - the call is that of all
        """Take in one event, of whatever time."""
        row = self.contacts.get(contact)
        if row is None:
            row = self.contacts[contact] = {}, stats.EWMean(FAST), stats.EWMean(SLOW)
        means, fast, slow = row
        mean = means.get(type)
        if mean is None:
            mean = means[type] = stats.EWMean(FAST)
        points = self.points[type]
        mean.update(points)
        fast.update(points)
        slow.update(points)
