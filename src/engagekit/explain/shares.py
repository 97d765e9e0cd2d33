"""From S(r) to the contributions that add up to the score: caps shared out among rules and channels."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from attrs import define

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from engagekit.plan import Plan

CUSTOMER = 1


@define(kw_only=True)
class Shares:
    """What became of S(r), by rule (rows) and job (columns)."""

    contribution: NDArray[np.float64]
    """What each rule adds to the score; the channel's C(ch) is shared out like the rules' S'(r)."""
    ratio: NDArray[np.float64]
    """What is left of each decayed point of the rule."""
    applies: NDArray[np.bool_]
    """Whether the rule counts in the contact's half."""


def shares(plan: Plan, sums: NDArray[np.float64], half: NDArray[np.int32]) -> Shares:
    """Share scores out among the rules.

    Parameters
    ----------
    plan
        The model's plan, whose rules stand channel by channel.
    sums
        S(r), rules x jobs.
    half
        0 (prospect) or 1 (customer) by job.

    Notes
    -----
    A ratio is exactly 1 where nothing was cut, so that no divisor near 0 ever matters: points that cancel
    each other out keep their full shares. Cost: some passes over rules x jobs.
    """
    rules = plan.rules
    capped, by_cap = _held(sums, rules["cap"])
    applies = (rules["half"][:, None] == 0) | (rules["half"][:, None] == np.where(half == CUSTOMER, 2, 1))
    counted = capped if applies.all() else np.where(applies, capped, 0.0)
    if np.isfinite(plan.channel_caps).any():
        starts = np.flatnonzero(np.diff(rules["channel"], prepend=-1))
        _, by_channel = _held(np.add.reduceat(counted, starts, axis=0), plan.channel_caps)
        spread = by_channel[rules["channel"]]
        counted, by_cap = counted * spread, by_cap * spread
    return Shares(contribution=counted, ratio=np.where(applies, by_cap, 0.0), applies=applies)


def _held(
    values: NDArray[np.float64], caps: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Hold each row within its cap; return that, and what is left of a point."""
    size, cap = np.abs(values), caps[:, None]
    over = size > cap
    ratio = np.ones(values.shape)
    if not over.any():
        return values, ratio
    np.divide(np.broadcast_to(cap, values.shape), size, out=ratio, where=over)
    return np.clip(values, -cap, cap), ratio
