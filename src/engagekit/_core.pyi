"""The compiled kernel; the parts that it includes (`_ids.pxi` ... `_scorer.pxi`) say what each thing does."""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any, TypeAlias, TypeVar, final

from numpy.typing import NDArray
from typing_extensions import disjoint_base

_Array: TypeAlias = NDArray[Any]
_Type = TypeVar("_Type")

@final
class ArrowArray:
    """A chunk of a stream, or a child or the dictionary of one, which keeps the chunk alive."""

    @property
    def length(self) -> int: ...
    @property
    def offset(self) -> int: ...
    @property
    def null_count(self) -> int: ...
    @property
    def n_buffers(self) -> int: ...
    @property
    def n_children(self) -> int: ...
    @property
    def dictionary(self) -> ArrowArray | None: ...
    def child(self, index: int) -> ArrowArray: ...
    def memory(self, index: int, first: int, last: int) -> Any: ...

@final
class ArrowMemory:
    """Bytes of a chunk, which it keeps alive; nobody may write them."""

@final
class Room:
    """Memory of our own, lent for as long as anybody looks at it."""

def room(wanted: int) -> memoryview: ...
def drain_stream(
    capsule: object, make: Callable[[str, str, tuple[_Type, ...], _Type | None], _Type]
) -> tuple[_Type, list[ArrowArray]]: ...

@final
class ArrowColumn:
    """A column to be given away: Arrow's name and format, and buffers (arrays or None) that must stay."""

    def __init__(
        self,
        name: str,
        format: str,
        rows: int,
        null_count: int,
        buffers: list[_Array | None],
        *,
        dictionary: ArrowColumn | None = None,
        children: list[ArrowColumn] | None = None,
    ) -> None: ...

@final
class ArrowGift:
    """What a stream has to give, and whether it has been given."""

def stream_of(column: ArrowColumn) -> Any: ...

@disjoint_base
class _Table:
    def __len__(self) -> int: ...

def code_bytes(values: _Array, null: _Array | None, out: _Array) -> bytes:
    """Write the code of each byte in order of first appearance, -1 for null; return the bytes by code."""

@final
class IntegerIds(_Table):
    """Distinct 64-bit integers in order of first appearance."""

    def code(
        self,
        values: _Array,
        null: _Array | None,
        out: _Array,
        insert: bool = True,
        first: int = 0,
        last: int = -1,
    ) -> bool: ...
    def find(
        self, values: _Array, null: _Array | None, out: _Array, first: int, last: int, missed: _Array
    ) -> tuple[int, bool]: ...
    def add(self, values: _Array, out: _Array, missed: _Array) -> None: ...
    def longest_search(self) -> int: ...
    def export(self, out: _Array) -> None: ...

@final
class TextRows:
    """Rows of text in Arrow's memory: `offsets` (int32 or int64) into `data`, or `views` into `buffers`."""

    def __new__(
        cls,
        rows: int,
        offsets: _Array | None,
        data: _Array | None,
        views: _Array | None,
        buffers: list[_Array],
        validity: _Array | None,
        bit_offset: int,
    ) -> TextRows: ...

@final
class Sights:
    """The large cache of a chunk of views that one table codes."""

    def __new__(cls, ids: TextIds, texts: TextRows) -> Sights: ...
    @property
    def pays(self) -> bool: ...

@final
class TextIds(_Table):
    """Distinct UTF-8 strings in order of first appearance."""

    @property
    def size(self) -> int: ...
    def code(
        self,
        texts: TextRows,
        out: _Array,
        insert: bool = True,
        first: int = 0,
        last: int = -1,
        sights: Sights | None = None,
    ) -> None: ...
    def find(
        self,
        texts: TextRows,
        out: _Array,
        first: int,
        last: int,
        missed: _Array,
        sights: Sights | None = None,
    ) -> tuple[int, int]: ...
    def add(
        self,
        texts: TextRows,
        out: _Array,
        rows: _Array,
        insert: bool = True,
        sights: Sights | None = None,
    ) -> None: ...
    def see(self, out: _Array, rows: _Array, sights: Sights) -> None: ...
    def code_objects(self, values: Iterable[Any], out: _Array, insert: bool = True) -> int: ...
    def longest_search(self) -> int: ...
    def undecodable(self) -> int: ...
    def export(self, starts: _Array, bytes: _Array) -> None: ...
    def strings(self) -> list[str]: ...

@final
class WordCodes:
    """The codes of a dictionary's words, by index."""

    def __new__(cls, count: int) -> WordCodes: ...
    def code(
        self,
        indices: Any,
        validity: Any,
        bit_offset: Any,
        out: Any,
        first: Any,
        last: Any,
        next: Any,
        fresh: Any,
    ) -> int: ...
    def settle(self, words: _Array, codes: _Array) -> bool: ...

def integer_ids(values: Any) -> IntegerIds: ...
def text_ids(starts: Any, data: Any) -> TextIds: ...
def take_text(starts: _Array, data: _Array, index: _Array, out_starts: _Array) -> bytearray: ...
def take_words(texts: TextRows, rows: _Array, starts: _Array) -> bytearray: ...
def span_of(times: _Array) -> tuple[int, int, bool]: ...
def count_rows(codes: _Array, counts: _Array) -> None: ...
def count_words(words: _Array, counts: _Array, fresh: _Array, known: int) -> int: ...
def place_blocks(counts: _Array, starts: _Array, order: _Array | None = None) -> None: ...
def place_rows(
    codes: _Array,
    times: _Array,
    types: _Array,
    first: int,
    places: _Array,
    grouped: _Array,
    grouped_types: _Array,
    rows: _Array | None,
) -> None: ...

@final
class Halt:
    def ask(self) -> None: ...

def sort_times(
    starts: _Array, first: int, last: int, times: _Array, types: _Array, rows: _Array | None, halt: Halt
) -> None: ...
def bits_before(seen: _Array, before: _Array) -> int: ...
def keep_memory() -> None: ...
def places(codes: _Array, starts: _Array, out: _Array, run: int = 0) -> None: ...
def scatter(values: _Array, places: _Array, out: _Array) -> None: ...
def fetch(values: _Array, places: _Array, out: _Array) -> None: ...
def fingerprints(starts: _Array, data: _Array, secrets: _Array, out: _Array) -> None: ...
def duplicates(
    starts: _Array, times: _Array, ids: _Array, ranks: _Array, values: _Array, keep: _Array
) -> int: ...
def exclude(
    specs: _Array,
    roles: _Array,
    starts: _Array,
    times: _Array,
    codes: list[_Array] | None,
    classes: _Array,
    gone: _Array,
) -> None: ...

@final
class Bench:
    """What one thread needs to settle parts."""

@final
class Apart:
    """Rows taken apart by contact, part by part in order, and at last contact by contact."""

    def __new__(
        cls,
        least: int,
        most: int,
        bits: int,
        blocks: int,
        tags: _Array,
        times: _Array,
        types: _Array,
        rows: _Array | None,
        numbered: bool,
    ) -> Apart: ...
    def count(self, block: int, ids: _Array) -> None: ...
    def lay(self) -> list[int]: ...
    def spread(self, block: int, ids: _Array, times: _Array, types: _Array, first: int) -> None: ...
    def settle(self, bench: Bench, part: int) -> int: ...
    def mark(self, seen: _Array, first: int, last: int) -> None: ...
    def enter(
        self,
        seen: _Array,
        before: _Array,
        first: int,
        last: int,
        counts: _Array,
        begins: _Array,
        ids: _Array,
    ) -> None: ...
    def gather(
        self,
        starts: _Array,
        begins: _Array,
        first: int,
        last: int,
        times: _Array,
        types: _Array,
        rows: _Array | None,
    ) -> None: ...

@final
class Scorer:
    """A plan and the grouped events it is applied to, ready to score any contacts at any instants."""

    def run(
        self,
        contacts: _Array,
        at: _Array,
        since: _Array,
        counted: _Array,
        first: int,
        last: int,
        ahead: bool,
        arrays: dict[str, _Array] | None,
        channels: _Array,
        sums: _Array | None,
        tally: _Array,
    ) -> None: ...
    def stop(self) -> None: ...

@final
class Kept:
    """What a frame of events brings beside its columns: how its codes are the live state's."""

    def __init__(
        self,
        contacts: _Array,
        classes: _Array,
        types: _Array,
        contents: _Array,
        ids: _Array,
        named: _Array,
        by: list[_Array] | None,
        columns: list[_Array] | None,
    ) -> None: ...

@disjoint_base
class LiveRows:
    """The memory of a live state: a row a contact, and what its numbers mean."""

    read_until: str | int | None
    rows: int
    duplicates: int
    plain: dict[str, int]
    clock: Callable[[], Any] | None
    aware: bool
    def declare(
        self,
        scorer: Scorer,
        *,
        lateness: int,
        secrets: bytes,
        excludes: _Array,
        exclude_roles: _Array,
        verdicts: _Array,
        heard: bool,
        contents: int,
        codes: list[_Array] | None,
        amounts: list[_Array] | None,
    ) -> None: ...
    def name_columns(
        self, levels: tuple[str, ...], phases: tuple[str, ...], channels: tuple[str, ...]
    ) -> None: ...
    def known(self, contact: object) -> int | None: ...
    def rank(self, ranks: _Array) -> None: ...
    def code_integer(self, ids: IntegerIds, value: int, insert: bool = True) -> int: ...
    def code_text(self, ids: TextIds, value: str, insert: bool = True) -> int: ...
    def code_integers(self, ids: IntegerIds, values: _Array) -> Any: ...
    def integers_of(self, ids: IntegerIds) -> Any: ...
    def code_texts(self, ids: TextIds, starts: _Array, data: _Array) -> Any: ...
    def hashed(self, label: str) -> int: ...
    def all_hashed(self, labels: list[str]) -> Any: ...
    @property
    def waits_until(self) -> int: ...
    @property
    def touched(self) -> bool: ...
    def become(self, ids: IntegerIds | TextIds) -> None: ...
    @property
    def newest(self) -> int | None: ...
    @property
    def late(self) -> int: ...
    @property
    def waiting(self) -> int: ...
    def tallies(self) -> tuple[int, int, int]: ...
    def own(self, out: _Array) -> None: ...
    def counted(self) -> int: ...
    def __len__(self) -> int: ...

class LiveBlocks(LiveRows):
    """The rows, a file of which may be under way."""

    def begin_file(self) -> tuple[int, int, list[int]]: ...
    def next_block(self) -> bytes: ...
    def end_file(self) -> None: ...
    def filled(self, out: _Array, first: int) -> None: ...
    def restore(self, counts: list[int], data: _Array, codes: _Array, types: int) -> bool: ...

class LiveIntake(LiveBlocks):
    """The rows, and what counts in them."""

    def add(
        self,
        contact: int | str,
        type: str,
        time: Any = None,
        *,
        value: Any = None,
        id: int | str | None = None,
        context: Mapping[str, Any] | None = None,
    ) -> None:
        """Take in one event.

        Parameters
        ----------
        contact
            Who: an integer or a text, as of all the others.
        type
            What happened.
        time
            When: a datetime (naive means UTC), a date, a `numpy.datetime64` or ISO 8601 text; None: now.
        value
            How much.
        id
            An id of the event: one that the contact has had within the lateness is a duplicate.
        context
            What else the model may look at, by name; what is missing is null.

        Raises
        ------
        EventsError
            If the contact is of another kind than those before, the type is no text, the time no instant, or
            the model asks something of a value that its kind cannot answer. Nothing has changed then.

        Examples
        --------
        >>> import engagekit as ek
        >>> where = ek.field("url").contains("/pricing")
        >>> rule = ek.Rule(name="pricing", on="view", where=where, points=5)
        >>> live = ek.Live(ek.Model(rules=[rule]))
        >>> live.add(7, "view", "2026-01-01", context={"url": "/pricing/eu"})
        >>> live.score(7, at="2026-01-01").score
        5.0
        """
    def take_one(
        self,
        code: int,
        time: int,
        event_class: int,
        type: int,
        content: int,
        id: int | None,
        codes: tuple[int, ...] | None,
        bys: tuple[int, ...] | None,
        amounts: tuple[float, ...] | None,
        now: int,
    ) -> None: ...
    def take_all(
        self, source: Scorer, kept: Kept, now: int, threads: int, dropped: int, position: str | int | None
    ) -> None: ...
    def admit(self, now: int) -> None: ...
    def instant(self, at: object) -> int | None: ...

class LiveScorer(LiveIntake):
    """The rows, and what is said of them."""

    def score_some(
        self,
        codes: _Array,
        since: _Array,
        at: int,
        ahead: bool,
        arrays: dict[str, _Array] | None,
        channels: _Array,
        rejected: _Array,
        said: _Array,
        had: _Array,
    ) -> int: ...
    def score_one(
        self, code: int, at: int, since: int, types: list[str]
    ) -> tuple[datetime, dict[str, Any]] | None: ...
    def sums_of(self, code: int, at: int, since: int, sums: _Array) -> int: ...

class LiveWatch(LiveScorer):
    """The rows, and what is to be looked at of them."""

    def touch(self, codes: _Array) -> None: ...
    def take_touched(self, out: _Array) -> None: ...
    def wait(self, codes: _Array, at: int, due: _Array) -> None: ...
    def watch(
        self,
        codes: _Array,
        since: _Array,
        at: int,
        cells: _Array,
        plain: bool,
        caps: _Array,
        due: _Array,
    ) -> None: ...

class LiveState(LiveWatch):
    """The contacts' rows."""

    def aliases(self) -> list[tuple[int, int]]: ...
    def absorb(self, other: LiveState, codes: _Array, types: _Array, classes: _Array) -> None: ...
    def join(self, code: int, into: int) -> None: ...
    def row(self, code: int) -> int: ...
    def erase(self, code: int) -> None: ...

@final
class PlanTables:
    """A plan whatever the events it is applied to, for the scorers of many."""

def plan_tables(
    *,
    rules: _Array,
    channel_caps: _Array,
    families: int,
    intents: int,
    listed_rules: _Array,
    phases: _Array,
    ended_phase: int,
    linear_scale: bool,
    scale: float,
    levels: _Array,
    fast: int,
    slow: int,
    lifecycle: bool,
    excludes: bool,
) -> PlanTables: ...
def scorer(
    *,
    tables: PlanTables,
    roles: _Array,
    flags: _Array,
    plain_start: _Array,
    plain_rules: _Array,
    weight_columns: _Array,
    weight_starts: _Array,
    weight_factors: _Array,
    codes: list[_Array],
    amounts: list[_Array],
    starts: _Array,
    times: _Array,
    types: _Array,
    classes: _Array,
    type_ranks: _Array,
) -> Scorer: ...
def vector_paths() -> list[str]: ...
def vector_path(name: str | None = None) -> str: ...

@final
class Sweeper:
    """A scorer and the instants at which it scores every contact."""

    def count(self, rows: _Array) -> None: ...
    def history(
        self,
        since: _Array,
        starts: _Array,
        keys: _Array | None,
        first: int,
        last: int,
        at: _Array,
        key: _Array | None,
        code: _Array | None,
        score: _Array,
        engagement: _Array,
        momentum: _Array,
        level: _Array | None,
        half: _Array | None,
        phase: _Array | None,
        state: _Array | None,
    ) -> int: ...
    def gaps(self) -> tuple[bool, bool]: ...
    def stop(self) -> None: ...

def sweeper(scorer: Scorer, at: _Array, every: int) -> Sweeper: ...
def score_rows(
    scorer: Scorer,
    starts: _Array,
    contacts: _Array,
    at: _Array,
    since: _Array,
    places: _Array,
    first: int,
    last: int,
    arrays: dict[str, _Array] | None,
    channels: _Array,
    sums: _Array | None,
    tally: _Array,
) -> None: ...
def hear_of(
    scorer: Scorer,
    verdicts: _Array,
    contents: _Array,
    starts: _Array,
    contacts: _Array,
    at: _Array,
    places: _Array,
    first: int,
    last: int,
    rejected: _Array,
    said: _Array,
    had: _Array,
) -> None: ...
