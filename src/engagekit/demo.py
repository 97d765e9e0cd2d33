"""What a newcomer is shown: the real example, where it lies at hand, else a year of made-up people."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import attrs
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

PRESET = "customer_engagement_index"
"""The preset that scores the made-up people."""
AT = "2026-01-01"
"""The instant at which their year ends."""
_START = np.datetime64("2025-01-01", "us")
_YEAR = 365
_DAY_US = 86_400_000_000


@attrs.frozen(kw_only=True)
class Example:
    """The files of the real example."""

    events: Path
    contacts: Path
    model: Path


def shipped_example() -> Example | None:
    """Find the real example: in the checkout that this package runs from, or in the current folder."""
    for folder in (Path(__file__).resolve().parents[2], Path()):
        data = folder / "examples" / "data" / "completejourney"
        found = Example(
            events=data / "events.parquet",
            contacts=data / "contacts.parquet",
            model=folder / "examples" / "models" / "grocery.toml",
        )
        if found.events.is_file() and found.contacts.is_file() and found.model.is_file():
            return found
    return None


def made_up_events() -> dict[str, NDArray[np.object_] | NDArray[np.datetime64]]:
    """Make up a year of events of a dozen typical people, the same ones every time.

    Returns
    -------
    dict
        Columns ``contact``, ``type`` and ``time``, in order of time.

    Examples
    --------
    >>> events = made_up_events()
    >>> len(set(events["contact"].tolist())), events["time"].min(), events["time"].max()
    (12, np.datetime64('2025-01-01T09:00:00.000000'), np.datetime64('2025-12-31T19:12:00.000000'))
    """
    rows = sorted((day, contact, kind) for contact, habits in _people().items() for day, kind in habits)
    days = np.array([day for day, _, _ in rows])
    return {
        "contact": np.array([contact for _, contact, _ in rows], object),
        "type": np.array([kind for _, _, kind in rows], object),
        "time": _START + np.rint(days * _DAY_US).astype("timedelta64[us]"),
    }


Habit = Iterable[tuple[float, str]]


def _people() -> dict[str, list[tuple[float, str]]]:
    """Describe the people by what they do; days count from the beginning of the year."""
    return {
        "reader": _all([(2.4, "newsletter_signup")], _reads(7), _every(7, "page_view", start=6.5)),
        "only opens": _all([(40.4, "newsletter_signup")], _mails(7), _every(7, "email_open", start=1.5)),
        "looks in": _all(_every(30, "page_view", start=12.8), _every(90, "search", start=13.8)),
        "fan": _all(
            _every(3, "page_view", start=1.8), _every(2, "social_like", start=1.9), _every(14, "social_share")
        ),
        "researches": _all(
            _every(45, "page_view"),
            *(_every(1, kind, start=358.4, end=364) for kind in ("page_view", "page_view", "pricing_view")),
            [(360.5, "white_paper"), (362.5, "webinar"), (363.6, "video")],
        ),
        "wants a demo": _all(
            _every(20, "page_view", start=200),
            [(357.4, "pricing_view"), (358.4, "white_paper"), (359.6, "demo"), (361.5, "chat")],
        ),
        "asked once": _all(_every(15, "page_view", end=120), [(100.4, "pricing_view"), (101.6, "demo")]),
        "buys monthly": _all(_buys(30, start=10), _every(10, "page_view", start=9.7)),
        "new customer": _all(_every(6, "page_view", start=300), [(340.5, "demo"), (350.5, "purchase")]),
        "stopped": _all(_buys(30, start=15, end=270), _every(10, "page_view", end=272)),
        "went silent": _all([(20.5, "purchase")], _every(1, "login", start=21.4, end=318)),
        "cancelled": _all(_buys(30, start=5, end=340), [(355.5, "complaint"), (357.4, "cancellation")]),
    }


def _all(*habits: Habit) -> list[tuple[float, str]]:
    return [event for habit in habits for event in habit]


def _every(
    period: float, kind: str, *, start: float = 0.375, end: float = _YEAR
) -> Iterator[tuple[float, str]]:
    for day in np.arange(start, end, period):
        yield float(day), kind


def _mails(period: float) -> Habit:
    return _every(period, "email_sent", start=1.375)


def _reads(period: float) -> Habit:
    """Get a mail, open it and click in it."""
    return _all(
        _mails(period), _every(period, "email_open", start=1.8), _every(period, "email_click", start=1.81)
    )


def _buys(period: float, *, start: float, end: float = _YEAR) -> Habit:
    """Look at prices, then buy."""
    return _all(
        _every(period, "pricing_view", start=start + 0.4, end=end),
        _every(period, "purchase", start=start + 0.5, end=end),
    )
