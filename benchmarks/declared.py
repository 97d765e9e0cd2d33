"""The models of the workloads."""

from attrs import evolve
from synthetic import TYPES

import engagekit as ek

CHANNELS = ("web", "mail", "event", "shop")
POINTS = tuple(float(1 + number % 5) for number in range(len(TYPES)))
HALF_LIVES = (3, 5, 7, 10, 14, 18, 21, 25, 30, 35, 42, 49, 56, 63, 75, 90)
"""Days, by type."""

EIGHT = TYPES[::2]
"""The types of a smaller model, two for each channel."""

LIMITED = ("web_page", "web_search", "mail_open", "shop_basket")
LIMIT = 3
RULE_CAP = 8.0
CAPPED = tuple(name for number, name in enumerate(TYPES) if number % 3 == 0)
CHANNEL_CAPS = {"web": 40.0, "shop": 60.0}
UNOPENED = -2.0
"""Points for a mail that is not opened within `PATIENCE` days."""
PATIENCE = 7
UNOPENED_HALF_LIFE = 30
FAST, SLOW = 14, 56
"""The half-lives of momentum in days, which are engagekit's own when nothing is said."""
MIDPOINT = 50.0


def sixteen() -> ek.Model:
    """Declare one rule with a half-life for each type, in four channels."""
    return ek.Model(name="sixteen", rules=_rules())


def eight() -> ek.Model:
    """Declare every other one of them, two for each channel."""
    return ek.Model(name="eight", rules=_rules()[::2])


def everything() -> ek.Model:
    """Declare the same with limits, caps, an absence and a lifecycle."""
    rules = [
        evolve(
            rule,
            limit=ek.Limit(n=LIMIT, per="1d") if rule.name in LIMITED else None,
            cap=RULE_CAP if rule.name in CAPPED else None,
        )
        for rule in _rules()
    ]
    unopened = ek.Absence(
        name="unopened",
        after="mail_sent",
        unless="mail_open",
        within=f"{PATIENCE}d",
        by="message",
        points=UNOPENED,
        channel="mail",
        decay=ek.Decay.half_life(f"{UNOPENED_HALF_LIFE}d"),
    )
    return ek.Model(
        name="everything",
        rules=rules,
        absences=[unopened],
        channels={name: ek.Channel(cap=cap) for name, cap in CHANNEL_CAPS.items()},
        lifecycle=ek.Lifecycle(customer_on="shop_order"),
    )


def many(count: int) -> ek.Model:
    """Declare that many rules, each for a type of its own."""
    rules = [
        ek.Rule(
            name=f"rule_{number}",
            on=f"type_{number}",
            points=1 + number % 5,
            channel=CHANNELS[number % 4],
            decay=ek.Decay.half_life(f"{HALF_LIVES[number % 16]}d"),
        )
        for number in range(count)
    ]
    return ek.Model(name=f"{count} rules", rules=rules)


def _rules() -> list[ek.Rule]:
    return [
        ek.Rule(
            name=name,
            on=name,
            points=points,
            channel=name.partition("_")[0],
            decay=ek.Decay.half_life(f"{days}d"),
        )
        for name, points, days in zip(TYPES, POINTS, HALF_LIVES, strict=True)
    ]
