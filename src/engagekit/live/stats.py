"""What a live state has taken in, counted."""

from __future__ import annotations

from attrs import define


@define(frozen=True, kw_only=True)
class LiveStats:
    """What a live state has taken in.

    Attributes
    ----------
    rows
        Events given, duplicates and those that wait included.
    contacts
        Contacts with an event that counts.
    late
        Events that came too late for something settled: they are left out there, and count for all else.
    waiting
        Events later than the clock.
    duplicates
        Events whose id the contact has had.
    excluded
        Events taken away by an exclusion, as far as is known by now.
    unmatched
        Events that no rule, absence or repeat reads.
    null_amounts
        Matched events whose amount was null, once per rule.
    """

    rows: int
    contacts: int
    late: int
    waiting: int
    duplicates: int
    excluded: int
    unmatched: int
    null_amounts: int
