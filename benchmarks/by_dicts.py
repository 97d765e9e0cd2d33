"""The live state in plain Python: a dict of contacts, each a dict of decayed sums, written as one would."""

from datetime import datetime
from typing import Any

import engagekit as ek

Decayed = tuple[float, float]
"""A sum, and the second of which it speaks."""


def plus(before: Decayed, points: float, seconds: float, half_life: float) -> Decayed:
    """Add points to a decayed sum, earlier or later than what it speaks of."""
    total, of = before
    if seconds >= of:
        return total * 2.0 ** ((of - seconds) / half_life) + points, seconds
    return total + points * 2.0 ** ((seconds - of) / half_life), of


def later(total: Decayed, seconds: float, half_life: float) -> float:
    """Tell what is left of a decayed sum."""
    return total[0] * 2.0 ** ((total[1] - seconds) / half_life)


class Dicts:
    """The decayed sums, the momentum and the activity of contacts, by rules with half-lives."""

    def __init__(self, model: ek.Model) -> None:
        self.rules = {
            rule.on[0]: (rule.points, (rule.decay or model.decay).span.total_seconds(), rule.channel)
            for rule in model.rules
        }
        self.fast, self.slow = (span.total_seconds() for span in (model.momentum.fast, model.momentum.slow))
        self.contacts: dict[Any, dict[str, Any]] = {}

    def add(self, contact: int | str, type: str, time: datetime) -> None:
        """Take in one event."""
        seconds = time.timestamp()
        row = self.contacts.get(contact)
        if row is None:
            row = self.contacts[contact] = {
                "sums": {}, "fast": (0.0, seconds), "slow": (0.0, seconds), "events": 0,
                "first": seconds, "last": seconds, "last_type": type,
            }  # fmt: skip
        row["events"] += 1
        row["first"] = min(row["first"], seconds)
        if seconds > row["last"] or (seconds == row["last"] and type > row["last_type"]):
            row["last"], row["last_type"] = seconds, type
        rule = self.rules.get(type)
        if rule is not None:
            points, half_life, _ = rule
            sums = row["sums"]
            sums[type] = plus(sums.get(type, (0.0, seconds)), points, seconds, half_life)
            row["fast"] = plus(row["fast"], points, seconds, self.fast)
            row["slow"] = plus(row["slow"], points, seconds, self.slow)

    def score(self, contact: int | str, at: datetime) -> dict[str, Any]:
        """Tell a contact's numbers."""
        row, seconds = self.contacts[contact], at.timestamp()
        channels = dict.fromkeys((channel for *_, channel in self.rules.values()), 0.0)
        for kind, total in row["sums"].items():
            _, half_life, channel = self.rules[kind]
            channels[channel] += later(total, seconds, half_life)
        fast = later(row["fast"], seconds, self.fast) / self.fast
        slow = later(row["slow"], seconds, self.slow) / self.slow
        return {
            "score": sum(channels.values()),
            "momentum": (fast - slow) / (fast + slow),
            "events": row["events"],
            "last_type": row["last_type"],
            **{f"channel_{channel}": points for channel, points in channels.items()},
        }
