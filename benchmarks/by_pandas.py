"""The workloads in pandas and NumPy.

`groupby(...).sum()` takes three times as long as `factorize` and `bincount`, so these are what is measured.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
from by_duckdb import rate
from declared import CHANNELS, HALF_LIVES, POINTS
from synthetic import TYPES

Query = Callable[[int], pd.DataFrame]
OF_CODE = np.array(POINTS), np.array([rate(days) for days in HALF_LIVES])
PER_CHANNEL = 4


def decayed(codes: Any, contacts: Any, types: Any, times: Any, at: int) -> pd.DataFrame:
    """Sum decayed points by contact and channel, given both as codes."""
    points, rates = OF_CODE
    values = points[types] * np.exp(rates[types] * (at - times))
    sums = np.bincount(codes * PER_CHANNEL + types // PER_CHANNEL, values, len(contacts) * PER_CHANNEL)
    of_channels = sums.reshape(-1, PER_CHANNEL)
    columns = dict(zip(CHANNELS, of_channels.T, strict=True))
    return pd.DataFrame({"contact": contacts, "score": of_channels.sum(axis=1), **columns})


def of_frame(log: pl.DataFrame) -> Query:
    """Query the log as a frame of pandas: types as a categorical, times as datetimes."""
    frame = pd.DataFrame(
        {
            "contact": log["contact"].to_pandas(),
            "type": pd.Categorical.from_codes(log["type"].to_physical().to_numpy(), TYPES),
            "time": log["time"].to_numpy(),
        }
    )

    def query(at: int) -> pd.DataFrame:
        if isinstance(frame["contact"].dtype, pd.CategoricalDtype):
            contact = frame["contact"].cat
            codes, contacts = contact.codes.to_numpy().astype(np.int64), contact.categories
        else:
            codes, contacts = pd.factorize(frame["contact"])
        types = frame["type"].cat.codes.to_numpy()
        return decayed(codes, contacts, types, frame["time"].to_numpy().view(np.int64), at)

    return query


def of_own_table(log: pl.DataFrame, *, grouped: bool) -> Query:
    """Query columns of integers, in the log's order or, with contacts made codes beforehand, theirs."""
    table = log.select("contact", pl.col("type").to_physical(), pl.col("time").to_physical())
    if not grouped:
        contact, types, times = (table[name].to_numpy() for name in table.columns)
        return lambda at: decayed(*pd.factorize(contact), types, times, at)
    codes, contacts = pd.factorize(table["contact"].to_numpy())
    order = np.argsort(codes, kind="stable")
    codes, types, times = codes[order], table["type"].to_numpy()[order], table["time"].to_numpy()[order]
    return lambda at: decayed(codes, contacts, types, times, at)
