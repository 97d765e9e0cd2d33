"""A made-up log of half a year: who did what, in order of time, a few contacts doing most of it."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import polars as pl

TYPES = (
    "web_page", "web_search", "web_form", "web_download",
    "mail_sent", "mail_open", "mail_click", "mail_answer",
    "event_invited", "event_joined", "event_asked", "event_met",
    "shop_basket", "shop_order", "shop_review", "shop_help",
)  # fmt: skip
DAY_US = 86_400_000_000
AT_US = 1_767_225_600_000_000  # 2026-01-01
DAYS = 180
START_US = AT_US - DAYS * DAY_US
MESSAGES = 20
Ids = Literal["integer", "text", "categorical"]


class Size(NamedTuple):
    """How many events of how many contacts."""

    events: int
    contacts: int


def log_of(
    size: Size, *, ids: Ids = "integer", messages: bool = False, types: tuple[str, ...] = TYPES, seed: int = 1
) -> pl.DataFrame:
    """Draw a log in order of time; every contact has an event, the busiest of them one in a thousand of all.

    The draws do not depend on the kind of ids, so that the same seed gives the same log under other names.
    """
    rng = np.random.default_rng(seed)
    (part,) = _parts(rng, size, 1, ids=ids, types=types)
    if messages:
        drawn = rng.integers(0, MESSAGES, size.events, dtype=np.int32)
        part = part.with_columns(message=pl.Series(drawn))
    return part


def parquet_log(size: Size, folder: Path, parts: int = 10) -> Path:
    """Write a log as Parquet files, a stretch of time each, unless they are there already."""
    done = folder / f"log-{size.events}-{size.contacts}"
    if not done.exists():
        half = done.with_suffix(".partial")
        shutil.rmtree(half, ignore_errors=True)
        half.mkdir(parents=True)
        for number, part in enumerate(_parts(np.random.default_rng(1), size, parts)):
            part.write_parquet(half / f"{number:02d}.parquet", compression="snappy")
        half.rename(done)
    return done


def _parts(
    rng: np.random.Generator,
    size: Size,
    parts: int,
    *,
    ids: Ids = "integer",
    types: tuple[str, ...] = TYPES,
) -> Iterator[pl.DataFrame]:
    # bounded, or one contact in half a million would by chance own a fifth of the log
    activity = np.minimum(rng.pareto(1.5, size.contacts), 1000) + 0.05
    counts = 1 + rng.multinomial(size.events - size.contacts, activity / activity.sum())
    who = np.repeat(np.arange(size.contacts, dtype=np.uint32), counts)
    rng.shuffle(who)
    kind = pl.Series(types, dtype=pl.Enum(types))
    stretch = DAYS * DAY_US // parts
    for number, some in enumerate(np.array_split(who, parts)):
        times = START_US + number * stretch + rng.integers(0, stretch, len(some))
        times.sort()
        yield pl.DataFrame(
            {
                "contact": _named(some, size.contacts, ids),
                "type": kind.gather(pl.Series(rng.integers(0, len(types), len(some), dtype=np.uint16))),
                "time": pl.Series(times).cast(pl.Datetime("us")),
            }
        )


def _named(who: Any, contacts: int, ids: Ids) -> pl.Series:
    """Give each contact an id that says nothing of its place: 40 scattered bits, or 12 to 24 characters."""
    if ids == "integer":
        # an odd factor modulo a power of two repeats no number
        return pl.Series((who.astype(np.int64) * 668_265_263_117 & (2**40 - 1)) + 1_000_000_000)
    rng = np.random.default_rng(contacts)
    tails = (rng.integers(0, 2**48, contacts), rng.integers(0, 13, contacts))
    names = [
        f"user-{number:07d}{format(tail, '012x')[:length]}"
        for number, tail, length in zip(rng.permutation(contacts), *tails, strict=True)
    ]
    text = pl.Series(names).gather(who)
    return text if ids == "text" else text.cast(pl.Categorical)
