"""The live state, its file and its journal: what has been accepted is never lost, and never counted twice."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import engagekit as ek
from crm_card.journal import Journal

Row = dict[str, Any]


class Keeper:
    """A live state that a crash does not hurt.

    Every entry is written to the journal, then it counts. The state's position is that of the newest entry in
    it; so what a saved state does not know is taken from the journal when the app starts again.

    Parameters
    ----------
    folder
        Where state and journal lie.
    model
        The model that scores.
    """

    def __init__(self, folder: Path, model: ek.Model) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._path = folder / "state.live"
        self.live = ek.Live.load(self._path) if self._path.exists() else ek.Live(model)
        if self.live.model.fingerprint != model.fingerprint:
            raise SystemExit(f"{self._path} was made with another model")
        self._journal = Journal(folder)
        for entry, position in self._journal.behind(self.live.position):
            try:
                self._apply(entry, position)
            except ek.EngagekitError:
                self.live.position = position  # it was refused then, too

    def events(self, rows: list[Row]) -> None:
        """Take in events, all or none; one without a time is of now."""
        present = datetime.now(UTC).isoformat()
        self._take({"events": [row | {"time": row.get("time") or present} for row in rows]})

    def attributes(self, contact: str, known: Row) -> None:
        """Take in what is known of a contact."""
        self._take({"attributes": {contact: known}})

    def erase(self, contact: str) -> None:
        """Erase a contact: when this returns it is in no file."""
        self._take({"erase": contact})
        begun = self.begin_save()
        self.finish_save(begun)

    def row(self, contact: str) -> Row | None:
        """Return what a card shows of a contact; None: it has done nothing, and nothing is known of it."""
        score = self.live.score(contact)
        return plain(score.to_dict()) if score.events or score.fit_known is not None else None

    def react(self) -> list[Row]:
        """Return what fires now."""
        frame = self.live.react()
        cells = zip(*(column.tolist() for column in frame.values()), strict=True)
        return [plain(dict(zip(frame, row, strict=True))) for row in cells]

    def seconds_until_due(self) -> float | None:
        """Return how long nothing will change by time alone; None: for ever."""
        due = self.live.next_due
        return None if due is None else max((aware(due) - datetime.now(UTC)).total_seconds(), 0.0)

    def begin_save(self) -> str:
        """Begin a new part of the journal: what comes from now on may be missing in the next file."""
        begun = self._journal.begin()
        self.live.position = begun
        return begun

    def finish_save(self, begun: str) -> None:
        """Save, in any thread, and drop what the file knows from the journal."""
        self.live.save(self._path)
        self._journal.drop(begun)

    def close(self) -> None:
        """Save once more."""
        self.finish_save(self.begin_save())
        self._journal.close()

    def _take(self, entry: Row) -> None:
        self._apply(entry, self._journal.write(entry))

    def _apply(self, entry: Row, position: str) -> None:
        # Events count in one step with their position. The others may be repeated: a file that has them and
        # the position before them takes them in again, and everything that came after them.
        if "events" in entry:
            self.live.ingest(self._frame(entry["events"]), position, id="id")
            return
        for contact, known in entry.get("attributes", {}).items():
            self.live.update({contact: known})
        if "erase" in entry:
            self.live.forget(entry["erase"])
        self.live.position = position

    def _frame(self, rows: list[Row]) -> dict[str, list[Any]]:
        names = {"contact", "type", "value", "id", *self.live.model.fields} - {"time"}
        frame = {name: [row.get(name) for row in rows] for name in sorted(names)}
        return frame | {"time": [aware(datetime.fromisoformat(row["time"])) for row in rows]}


def aware(moment: datetime) -> datetime:
    """Say of an instant without a zone that it is of UTC."""
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def plain(row: Row) -> Row:
    """Make a row JSON can hold: instants become text."""
    return {
        name: aware(value).isoformat() if isinstance(value, datetime) else value
        for name, value in row.items()
    }
