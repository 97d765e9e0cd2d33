"""What scores show to people: a contact's card and course, who moved, how many stand where, the report."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from os import PathLike
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from engagekit.comparison import Side
    from engagekit.model import Model
    from engagekit.scores import Stats
    from engagekit.show.card import Card
    from engagekit.show.flow import Flow
    from engagekit.show.history import History
    from engagekit.show.look import Look
    from engagekit.show.population import Population


class Pictures(ABC):
    """The pictures of scores, which are made in `engagekit.show` when they are asked for."""

    model: Model
    stats: Stats
    notes: tuple[str, ...]
    _kind: str

    @abstractmethod
    def _side(self) -> Side:
        """Return what pictures are made of."""

    @abstractmethod
    def _instants(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the instants of some rows, in microseconds."""

    def _look(self, language: str, labels: Mapping[str, str] | None, theme: str | None) -> Look:
        from engagekit.show.look import Look

        return Look.of(self.model, language, labels, theme)

    @classmethod
    def _before(cls, since: Any) -> Any:
        """Return what earlier scores' pictures are made of; a duration or an instant as it is."""
        return cls._side(since) if isinstance(since, Pictures) else since

    def card(
        self,
        contact: Any,
        *,
        at: Any = None,
        language: str = "en",
        labels: Mapping[str, str] | None = None,
        theme: str | None = None,
    ) -> Card:
        """Make a contact's card: where they stand, why, and what comes next, as HTML and as a meter.

        Parameters
        ----------
        contact
            An id, of the key's kind.
        at
            Of scores at a frame of instants: which of the contact's instants is meant.
        language
            ``"en"`` or ``"de"``.
        labels
            Texts of your own, by key: ``{"phase.sales": "ready to buy", "rule.demo": "asked for a demo"}``.
        theme
            ``"light"`` or ``"dark"``; None: as the reader's system has it.

        Returns
        -------
        Card
            Of scores that have no events any more without the reasons and the last days.

        Raises
        ------
        EventsError
            If there is no such contact (the nearest ids are named), it is of another kind than the key, or
            has several instants.
        EngagekitError
            If language, labels or theme are none, or a label is of what the model does not have.

        Examples
        --------
        >>> import engagekit as ek, numpy as np
        >>> times = np.array(["2026-01-01"], "datetime64[us]")
        >>> model = ek.Model(rules=[ek.Rule(name="demo", on="demo", points=60)])
        >>> scores = model.score({"contact": [7], "type": ["demo"], "time": times}, at="2026-01-01")
        >>> scores.card(7)
        Card(7, engagement 56, high, sales, rising)
        """
        from engagekit.show.card import Subject, card

        look = self._look(language, labels, theme)
        return card(Subject.of(self._side(), contact, at=at, instants_of=self._instants), look)

    def history(
        self,
        contact: Any,
        *,
        every: Any = None,
        start: Any = None,
        at: Any = None,
        language: str = "en",
        labels: Mapping[str, str] | None = None,
        theme: str | None = None,
    ) -> History:
        """Show the course of one contact up to its score: channels, phases, events.

        Parameters
        ----------
        contact, at
            As `explain` has them.
        every
            From one instant to the next, as a `timedelta` or text such as ``"7d"``. None: a day, or as many
            days as it takes to have no more than 366 instants.
        start
            The first instant that must be shown. None: the contact's first event, at most 366 days before.
        language, labels, theme
            As `card` has them.

        Returns
        -------
        History
            Its `frame` has a row an instant, its `svg` is the picture, which a notebook shows by itself.

        Raises
        ------
        EventsError, StateError
            As `explain`; an `EventsError` too if `every` or `start` is none.

        Examples
        --------
        >>> import engagekit as ek, numpy as np
        >>> times = np.array(["2026-01-01", "2026-01-31"], "datetime64[us]")
        >>> model = ek.Model(rules=[ek.Rule(name="visit", on="visit", points=2)])
        >>> scores = model.score({"contact": [7, 7], "type": ["visit"] * 2, "time": times}, at="2026-01-31")
        >>> scores.history(7)
        7: 31 instants from 2026-01-01 00:00 UTC to 2026-01-31 00:00 UTC
        """
        from engagekit.show import of_scores

        look = self._look(language, labels, theme)
        return of_scores.history(
            self._side(), contact, every=every, start=start, at=at, kind=self._kind, look=look
        )

    def flow(
        self,
        since: Any = "30d",
        *,
        language: str = "en",
        labels: Mapping[str, str] | None = None,
        theme: str | None = None,
    ) -> Flow:
        """Show who moved between the phases since an earlier instant.

        Parameters
        ----------
        since
            How long before these scores, an instant, or earlier scores of the same contacts.
        language, labels, theme
            As `card` has them.

        Raises
        ------
        StateError
            If the scores have no events any more and `since` is not scores, or either has rows at instants of
            their own.
        EventsError
            If `since` is neither a duration nor an instant before these scores, or keys differ.

        Examples
        --------
        >>> import engagekit as ek, numpy as np
        >>> times = np.array(["2026-01-01"], "datetime64[us]")
        >>> model = ek.Model(rules=[ek.Rule(name="visit", on="visit", points=80)])
        >>> scores = model.score({"contact": [7], "type": ["visit"], "time": times}, at="2026-01-31")
        >>> scores.flow("2026-01-10").moves
        [('sales', 'nurture', 1)]
        """
        from engagekit.show import of_scores

        look = self._look(language, labels, theme)
        return of_scores.flow(self._side(), self._before(since), look=look)

    def population(
        self,
        *,
        language: str = "en",
        labels: Mapping[str, str] | None = None,
        theme: str | None = None,
    ) -> Population:
        """Show how many contacts stand where: by phase and level, and by fit where the model has one.

        Parameters
        ----------
        language, labels, theme
            As `card` has them.

        Examples
        --------
        >>> import engagekit as ek, numpy as np
        >>> times = np.array(["2026-01-01"], "datetime64[us]")
        >>> model = ek.Model(rules=[ek.Rule(name="visit", on="visit", points=80)])
        >>> scores = model.score({"contact": [7], "type": ["visit"], "time": times}, at="2026-01-31")
        >>> scores.population()
        half      phase    high  medium  low  none  all
        prospect  sales       0       0    0     0    0
        prospect  nurture     0       1    0     0    1
        """
        from engagekit.show import of_scores

        return of_scores.population(self._side(), look=self._look(language, labels, theme))

    def report(
        self,
        path: str | PathLike[str],
        *,
        since: Any = None,
        top: int = 250,
        language: str = "en",
        labels: Mapping[str, str] | None = None,
        theme: str | None = None,
    ) -> None:
        """Write a report: one HTML file for people, which asks nothing of any server.

        It has the numbers at a glance, how many contacts stand where, who moved between the phases, the
        hottest prospects, the endangered customers, the strongest contacts in a table to be sorted and
        filtered, and the model in plain words with its fingerprint.

        Parameters
        ----------
        path
            Where to: a name that ends in ``.html`` or ``.htm``. An existing file is replaced as a whole.
        since
            What it is compared with: how long before these scores, an instant, or earlier scores. None: 30
            days before, where the scores still have their events, else nothing.
        top
            How many contacts the table has.
        language, labels, theme
            As `card` has them.

        Raises
        ------
        OSError
            If the file cannot be written; before anything is computed.
        StateError, EventsError
            As `flow`; if the name ends otherwise, or the scores have rows at instants of their own.

        Examples
        --------
        >>> import engagekit as ek, numpy as np, pathlib, tempfile
        >>> times = np.array(["2026-01-01"], "datetime64[us]")
        >>> model = ek.Model(name="shop", rules=[ek.Rule(name="visit", on="visit", points=80)])
        >>> scores = model.score({"contact": [7], "type": ["visit"], "time": times}, at="2026-01-31")
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     file = pathlib.Path(folder, "report.html")
        ...     scores.report(file, since="2w")
        ...     "<h1><bdi>shop</bdi></h1>" in file.read_text("utf-8")
        True
        """
        from engagekit.show import report

        look = self._look(language, labels, theme)
        report.write(
            self._side(),
            path,
            since=self._before(since),
            top=top,
            stats=self.stats,
            notes=self.notes,
            look=look,
        )
