"""Rows of a stream on disk: written block by block, apart by contact, read partition by partition.

All lies in one temporary file that has no name where the operating system allows that, so that nothing is
left behind however the process ends. A block holds the rows of some frames, column by column, and in each
column the rows of one partition side by side, in the order in which they came. It is put in that order and
written by a thread of its own while the rows of the next are read and coded.
"""

from __future__ import annotations

import errno
import os
import tempfile
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from threading import Lock
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from attrs import define, field

from engagekit import _core
from engagekit.coding import Coder, Codes
from engagekit.columns import Column, Pieces
from engagekit.errors import EngagekitError, EventsError

if TYPE_CHECKING:
    from numpy.typing import NDArray

HELD = 1 << 28
"""Bytes of coded columns up to which a stream stays in memory."""
BLOCK = 1 << 24
"""Bytes of coded columns that are written at once thereafter."""
WAITING = 8
"""Blocks that may wait while one is written: the first takes as long as many others."""
BITS = 8
"""There are 2^8 partitions; some bits of a contact's code say which is its own."""
COUNT = 1 << BITS
RUN = 10
"""Contacts go to the partitions in turns, at most 2^10 at a time: their results lie side by side then."""
ROUNDS = 3
"""Every partition has had at least 2^3 turns when the first rows are written: they are of about one size."""
_ROW = 14
_CELL = 9
_ID = 64
"""About what a code, a type and a time take of memory; a value and its mark of a null; an id in its table."""

Key: TypeAlias = tuple[str, str]
"""What a column on disk is for, and of which column of the events it is."""
Written: TypeAlias = "tuple[Key, list[NDArray[Any]]]"
"""A column on its way to disk, in pieces."""


def width(columns: int, *, ids: bool) -> int:
    """Estimate the bytes that a coded row takes of memory."""
    return _ROW + _CELL * columns + _ID * ids


@define
class Known:
    """What all rows of a column say together, however they are scattered."""

    any: bool = False
    """Whether there is anything but nulls."""
    infinite: int = 0
    first_infinite: int = -1
    above: bool = False
    below: bool = False
    """Whether there are integers above 2^63 - 1, and negative ones."""

    def learn(self, column: Column, first_row: int) -> None:
        """Take a further stretch of the column into account."""
        values, null = column.values, column.null
        self.any = self.any or null is None or not bool(null.all())
        if column.kind == "float":
            bad = np.isinf(values)
            if bad.any() and null is not None:
                bad &= ~null
            if bad.any():
                if not self.infinite:
                    self.first_infinite = first_row + int(bad.argmax())
                self.infinite += int(bad.sum())
        elif column.kind == "integer":
            self.above = self.above or values.dtype == np.uint64
            self.below = self.below or (values.dtype == np.int64 and int(values.min(initial=0)) < 0)


@define(kw_only=True)
class Seen:
    """What is asked of all events together once their rows are gone."""

    tally: NDArray[np.int64]
    """What became of them, in the order of `plan.TALLY`."""
    types: NDArray[np.int64]
    """How many events there are of each type; 0 where they are not `counted`."""
    duplicates: int
    later: int
    """Dropped duplicates up to each contact's last instant, and after it."""


@define
class _Block:
    starts: NDArray[np.int64]
    """The first row of each partition."""
    columns: dict[Key, tuple[np.dtype[Any], int]] = field(factory=dict)
    """By column its type, and where in the file it begins."""


class Partitions:
    """The rows of a stream, on disk.

    Parameters
    ----------
    pieces, twins
        The context columns by name, and the one that decides between duplicates: what frames give them is
        taken from them.

    Raises
    ------
    EngagekitError
        If no temporary file can be made; later if it cannot be written or read.
    """

    def __init__(self, pieces: Mapping[str, Pieces], twins: Pieces | None) -> None:
        self.pieces = pieces
        self.twins = twins
        self.rows = 0
        self.size = 0
        self.run = 0
        """The bits of a code by which a partition's neighbours differ."""
        self.first, self.last = np.iinfo(np.int64).max, np.iinfo(np.int64).min
        """The earliest and the latest time."""
        self.known: dict[str, Known] = {}
        self.seen: Seen | None = None
        """Of the events, once they are scored."""
        self.counted = False
        """Whether the events of each type are to be counted while they are scored."""
        self.watch: Callable[[int, int], None] | None = None
        """Is told of how many partitions how many are scored."""
        self._secrets = np.frombuffer(os.urandom(64), np.uint64)
        self._blocks: list[_Block] = []
        self._room = np.empty(0, np.uint64)
        self._writer = ThreadPoolExecutor(1, "engagekit-write")
        self._writing: deque[Future[None]] = deque()
        self._lock = Lock()
        self.folder = _folder()
        with self._told("be made"):
            self._file = tempfile.TemporaryFile(  # noqa: SIM115 - closed by `close`, or when it is collected
                buffering=0, prefix="engagekit-", dir=self.folder
            )

    def close(self) -> None:
        """Delete the file."""
        self._writer.shutdown(cancel_futures=True)
        self._file.close()

    @property
    def closed(self) -> bool:
        """Whether the file is gone."""
        return self._file.closed

    # --- writing -----------------------------------------------------------------------------------------

    def take(
        self,
        codes: list[Codes],
        types: list[NDArray[Any]],
        times: list[NDArray[np.int64]],
        *,
        contacts: int,
        ids: tuple[Coder, list[Codes]] | None,
    ) -> None:
        """Write rows of so many contacts, of which lists, pieces and coder are emptied.

        That goes on after this returns: a few blocks may wait, whose memory is free when they are written.
        """
        rows = sum(len(some) for some in codes)
        if rows:
            if not self.rows:
                self.run = min(RUN, max(0, contacts.bit_length() - BITS - ROUNDS))
            spans = [_core.span_of(some)[:2] for some in times if len(some)]
            self.first = min(self.first, *(first for first, _ in spans))
            self.last = max(self.last, *(last for _, last in spans))
            columns: list[Written] = [(("type", ""), [*types]), (("time", ""), [*times])]
            if ids is not None:
                columns += self._id_columns(*ids)
            for name, piece in self.pieces.items():
                columns += self._columns_of(("column", name), piece)
            if self.twins is not None:
                columns += self._columns_of(("twins", ""), self.twins)
            self.written(waiting=WAITING)
            most = (contacts >> self.run + BITS) + 1 << self.run  # contacts in a partition
            kind = np.uint16 if most <= 1 << 16 else np.int32
            self._writing.append(self._writer.submit(self._store, [*codes], columns, kind))
            self.rows += rows
        for some in (codes, types, times):
            some.clear()

    def written(self, *, waiting: int = 0) -> None:
        """Wait until all that was taken lies in the file, but for some; raise what went wrong there."""
        while len(self._writing) > waiting:
            self._writing.popleft().result()

    def _id_columns(self, coder: Coder, codes: list[Codes]) -> list[Written]:
        """Give integers as they are and 128 bits for a text: there may be as many ids as rows."""
        columns: list[Written] = []
        for number, word in enumerate(self._words(coder)):
            # the code -1, of a null, takes what stands behind the last
            columns.append(((f"id{number}", ""), [np.append(word, np.uint64(0))[some] for some in codes]))
        if any(some.min(initial=0) < 0 for some in codes):
            columns.append((("null", "id"), [some < 0 for some in codes]))
        codes.clear()
        coder.forget()
        return columns

    def _words(self, coder: Coder) -> list[NDArray[np.uint64]]:
        if coder.kind is None:
            return [np.empty(0, np.uint64)]
        if coder.kind == "integer":
            return [coder.integers().view(np.uint64)]
        words = np.empty((len(coder), 2), np.uint64)
        _core.fingerprints(*coder.buffers(), self._secrets, words)
        return [words[:, 0], words[:, 1]]

    def _columns_of(self, key: Key, piece: Pieces) -> list[Written]:
        known = self.known.setdefault(key[1], Known()) if key[0] == "column" else Known()
        column = piece.drain()
        if column is None:
            return []
        known.learn(column, self.rows)
        if piece.kind == "integer" and known.above and known.below:
            raise EventsError(
                f"events column {piece.name!r}: expected integers within 64 bits, got negative ones and some "
                "above 2^63 - 1"
            )
        if column.null is None or column.kind == "text":
            return [(key, [column.values])]
        return [(key, [column.values]), (("null " + key[0], key[1]), [column.null])]

    def _store(self, codes: list[Codes], columns: list[Written], kind: type[np.integer[Any]]) -> None:
        own = np.concatenate(codes)
        codes.clear()
        block = _Block(np.empty(COUNT + 1, np.int64))
        places = np.empty(len(own), np.uint32)
        _core.places(own, block.starts, places, self.run)
        self._write(block, ("code", ""), [own.astype(kind)], places)
        del own
        for key, parts in columns:
            self._write(block, key, parts, places)
            parts.clear()
        self._blocks.append(block)

    def _write(
        self, block: _Block, key: Key, parts: Sequence[NDArray[Any]], places: NDArray[np.uint32]
    ) -> None:
        dtype = np.result_type(*parts)
        item = np.dtype(f"u{dtype.itemsize}")
        room = self._room
        if len(room) < len(places):
            room = np.empty(len(places), np.uint64)
            if room.nbytes <= BLOCK:  # kept, for fresh memory costs more than what is done with it
                self._room = room
        out = room.view(item)[: len(places)]
        first = 0
        for part in parts:
            same = np.ascontiguousarray(part, dtype)
            _core.scatter(same.view(item), places[first : first + len(same)], out)
            first += len(same)
        block.columns[key] = (dtype, self.size)
        left = out.data.cast("B")
        with self._told(f"take {len(left):,} bytes more beside its {self.size:,}"):
            while len(left):
                left = left[self._file.write(left) :]
        self.size += out.nbytes

    # --- reading -----------------------------------------------------------------------------------------

    def parts(self) -> list[int]:
        """List the partitions that have rows."""
        starts = [np.diff(block.starts) for block in self._blocks]
        return np.flatnonzero(np.sum(starts, axis=0)).tolist() if starts else []

    def sizes(self, part: int) -> list[int]:
        """Count the rows of a partition by block."""
        return [last - first for _, first, last in self._spans(part)]

    def codes(self, part: int, contacts: int) -> NDArray[np.int64]:
        """Return the codes of a partition's contacts, by those within it, of so many contacts in all."""
        turns, rest = divmod(contacts, COUNT << self.run)
        size = 1 << self.run
        own = np.arange(turns * size + min(max(rest - part * size, 0), size))
        return own + ((own >> self.run) * (COUNT - 1) + part << self.run)

    def part(self, codes: NDArray[np.int64]) -> NDArray[np.int64]:
        """Say which partition each contact is in."""
        return codes >> self.run & COUNT - 1

    def own(self, codes: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the codes that contacts have in their partitions; -1 as it is."""
        own = codes >> self.run + BITS
        own <<= self.run
        own |= codes & (1 << self.run) - 1
        return own

    def read(self, part: int, keys: Iterable[Key]) -> dict[Key, list[NDArray[Any] | None]]:
        """Return columns of a partition, block by block; None where a block lacks the column."""
        found: dict[Key, list[NDArray[Any] | None]] = {key: [] for key in keys}
        with self._lock, self._told("be read"):
            for block, first, last in self._spans(part):
                for key, pieces in found.items():
                    pieces.append(self._piece(block, key, first, last))
        return found

    def whole(self, part: int, key: Key, dtype: Any) -> NDArray[Any]:
        """Return a column of a partition that all blocks have, in one piece."""
        spans = self._spans(part)
        values = np.empty(sum(last - first for _, first, last in spans), dtype)
        row = 0
        with self._lock, self._told("be read"):
            for block, first, last in spans:
                some = values[row : (row := row + last - first)]
                if block.columns[key][0] == values.dtype:
                    self._fill(some, block, key, first)
                else:
                    some[:] = self._piece(block, key, first, last)
        return values

    def _spans(self, part: int) -> list[tuple[_Block, int, int]]:
        return [(block, *block.starts[part : part + 2].tolist()) for block in self._blocks]

    def _piece(self, block: _Block, key: Key, first: int, last: int) -> NDArray[Any] | None:
        if key not in block.columns:
            return None
        values = np.empty(last - first, block.columns[key][0])
        self._fill(values, block, key, first)
        return values

    def _fill(self, values: NDArray[Any], block: _Block, key: Key, first: int) -> None:
        left = memoryview(values.view(np.uint8).data)
        self._file.seek(block.columns[key][1] + first * values.itemsize)
        while left:
            count = self._file.readinto(left)
            if not count:
                raise OSError(errno.EIO, "the file ends too soon")
            left = left[count:]

    @contextmanager
    def _told(self, what: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise EngagekitError(
                f"{self.folder}: the temporary file for events that are not to fill the memory cannot {what} "
                f"({error.strerror or error}); set TMPDIR to a folder that has room for it"
            ) from error


def _folder() -> str:
    """Name the folder for temporary files; one that TMPDIR names is taken at its word."""
    asked = os.environ.get("TMPDIR")
    if asked:
        return asked
    try:
        return tempfile.gettempdir()
    except OSError as error:
        raise EngagekitError(
            "there is no folder for the temporary file for events that are not to fill the memory "
            f"({error.strerror or error}); set TMPDIR to one"
        ) from error
