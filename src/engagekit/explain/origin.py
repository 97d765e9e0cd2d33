"""What scores keep of where they come from, so that they can be explained later."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from attrs import define, evolve

from engagekit.columns import Column
from engagekit.events import Events
from engagekit.plan import Plan, lower
from engagekit.running import alike

if TYPE_CHECKING:
    from typing import Any

    from numpy.typing import NDArray

    from engagekit.coding import Coder
    from engagekit.model import Model
    from engagekit.running import Jobs


@define(kw_only=True, eq=False)
class Origin:
    """The coded events of scores in memory, and which job became which row.

    It holds what scoring held anyway; of the caller's frames those alone that an `Events` of theirs holds.
    """

    model: Model
    events: Events
    jobs: Jobs
    rows: NDArray[np.int64] | None
    """The jobs of the result's rows; None: all, as they are."""

    @classmethod
    def of(cls, model: Model, events: Events, jobs: Jobs, rows: NDArray[np.int64] | None) -> Origin:
        """Remember where scores come from; of columns of one value that value."""
        at, since = _alike(jobs.at), _alike(jobs.since)
        if at is not jobs.at or since is not jobs.since:
            jobs = evolve(jobs, at=at, since=since)
        return cls(model=model, events=events, jobs=jobs, rows=rows)

    @property
    def plan(self) -> Plan:
        """The model as the kernel has it."""
        return lower(self.model)

    def some(self, rows: NDArray[np.int64]) -> Jobs:
        """Return the jobs of some rows, as jobs of their own."""
        jobs = rows if self.rows is None else self.rows[rows]
        return evolve(
            self.jobs,
            contacts=self.jobs.contacts[jobs],
            at=np.ascontiguousarray(self.jobs.at[jobs]),
            since=np.ascontiguousarray(self.jobs.since[jobs]),
            counted=np.zeros(len(jobs), np.uint8),
            mixed=False,
        )


def _alike(values: NDArray[np.int64]) -> NDArray[np.int64]:
    if values.strides == (0,):
        return values
    if len(values) and values[0] == values[-1] and bool((values == values[0]).all()):
        return alike(int(values[0]), len(values))
    return values


class OneContact(Events):
    """The events of one contact as small events of their own, of which a model can ask anything."""

    def __init__(self, whole: Events, contact: int, fields: frozenset[str]) -> None:
        self._adopt(whole, _Id(whole.contacts, contact))
        first, last = whole.starts[contact : contact + 2].tolist()
        self.rows = last - first
        self.starts = np.array([0, self.rows])
        self.times, self.types = whole.times[first:last], whole.types[first:last]
        self.order = None
        for name in fields - {"contact", "type", "time"}:
            self._columns[name] = _stretch(whole.column(name), first, last)


class _Id:
    """One contact by the code 0; what events ask of a `Coder`."""

    def __init__(self, coder: Coder, contact: int) -> None:
        self.kind = coder.kind
        self._coder, self._contact = coder, contact

    def __len__(self) -> int:
        return 1

    def integers(self) -> NDArray[Any]:
        """Return the id, where it is an integer."""
        return self._coder.integers()[self._contact :][:1]

    def strings(self) -> list[str]:
        """Return the id, where it is text."""
        starts, data = self._coder.buffers()
        return [data[starts[self._contact] : starts[self._contact + 1]].tobytes().decode()]


def _stretch(column: Column, first: int, last: int) -> Column:
    """Return some rows of a column; of text only their own words, for conditions are asked of each word."""
    values = column.values[first:last]
    null = None if column.null is None else column.null[first:last]
    if column.categories is None:
        return evolve(column, values=values, null=null)
    codes, places = np.unique(values, return_inverse=True)
    known = codes >= 0
    return evolve(
        column,
        values=(places - int((~known).sum())).astype(np.int32),
        null=null,
        categories=[column.categories[code] for code in codes[known].tolist()],
    )
