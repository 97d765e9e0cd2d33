"""A made-up year of events, in the shape of a busy marketing department's."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl

CHANNELS = ("web", "email", "social", "shop")
TYPES = tuple(f"{channel}_{act}" for channel in CHANNELS for act in ("seen", "used", "asked", "made"))
END_US = 1_767_225_600_000_000  # 2026-01-01
YEAR_US = 365 * 86_400_000_000


class Size(NamedTuple):
    """How much is scored, and what is added to the bounds because small runs have fixed costs."""

    events: int
    contacts: int
    slack_seconds: float
    slack_bytes: int


class Table(NamedTuple):
    """A table of events on disk, and the same as a frame."""

    path: Path
    frame: pl.DataFrame


def year_of_events(size: Size, *, categorical: bool) -> pl.DataFrame:
    """Draw events in random order; every contact has at least one, a few have many."""
    rng = np.random.default_rng(20_260_101)
    drawn = rng.integers(0, size.contacts, (2, size.events))
    contacts = np.minimum(drawn[0], drawn[1])
    contacts[: size.contacts] = np.arange(size.contacts)
    kind = pl.Categorical if categorical else pl.String
    frame = pl.DataFrame(
        {
            "contact": contacts * 7919 + 100_000_000_003,
            "code": rng.integers(0, len(TYPES), size.events, dtype=np.uint32),
            "time": pl.Series(END_US - rng.integers(0, YEAR_US, size.events)).cast(pl.Datetime("us")),
            "value": rng.gamma(2.0, 20.0, size.events),
        }
    )
    type_ = pl.col("code").replace_strict(dict(enumerate(TYPES)), return_dtype=pl.String).cast(kind)
    frame = frame.select("contact", type_.alias("type"), "time", "value")
    return frame.sample(fraction=1.0, shuffle=True, seed=1)
