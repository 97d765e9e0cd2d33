"""The compiled kernel; the parts that it includes (`_ids.pxi` ... `_scorer.pxi`) say what each thing does."""

from collections.abc import Iterable
from typing import Any, TypeAlias, final

from numpy.typing import NDArray
from typing_extensions import disjoint_base

_Array: TypeAlias = NDArray[Any]

@disjoint_base
class _Table:
    def __len__(self) -> int: ...

@final
class IntegerIds(_Table):
    """Distinct 64-bit integers in order of first appearance."""

    def code(self, values: _Array, null: _Array | None, out: _Array, insert: bool = True) -> None: ...
    def export(self, out: _Array) -> None: ...

@final
class TextIds(_Table):
    """Distinct UTF-8 strings in order of first appearance."""

    @property
    def size(self) -> int: ...
    def code_offsets(
        self, offsets: Any, data: Any, validity: Any, bit_offset: int, out: _Array, insert: bool = True
    ) -> None: ...
    def code_views(
        self, views: Any, buffers: list[Any], validity: Any, bit_offset: int, out: _Array, insert: bool = True
    ) -> None: ...
    def code_objects(self, values: Iterable[Any] | None, out: _Array, insert: bool = True) -> int: ...
    def export(self, starts: _Array, bytes: _Array) -> None: ...
    def strings(self) -> list[str]: ...

def integer_ids(values: Any) -> IntegerIds: ...
def text_ids(values: list[str] | None) -> TextIds: ...
def take_text(starts: _Array, data: _Array, index: _Array, out_starts: _Array) -> bytearray: ...
def group(codes: _Array, times: _Array, starts: _Array, grouped: _Array, rows: _Array) -> None: ...
def duplicates(
    starts: _Array, times: _Array, ids: _Array, ranks: _Array, values: _Array, keep: _Array
) -> int: ...
def exclude(
    specs: _Array, roles: _Array, starts: _Array, times: _Array, codes: list[_Array], classes: _Array
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
        rows: _Array,
        channels: _Array,
        sums: _Array | None,
        tally: _Array,
    ) -> None: ...
    def stop(self) -> None: ...

def scorer(
    *,
    rules: _Array,
    channel_caps: _Array,
    by_channel: _Array,
    families: int,
    listed_rules: _Array,
    roles: _Array,
    flags: _Array,
    plain_start: _Array,
    plain_rules: _Array,
    weight_columns: _Array,
    weight_starts: _Array,
    weight_factors: _Array,
    codes: list[_Array],
    amounts: list[_Array],
    phases: _Array,
    ended_phase: int,
    linear_scale: bool,
    scale: float,
    levels: _Array,
    fast: int,
    slow: int,
    lifecycle: bool,
    starts: _Array,
    times: _Array,
    types: _Array,
    classes: _Array,
    type_ranks: _Array,
) -> Scorer: ...

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
        level: _Array,
        half: _Array,
        phase: _Array | None,
        wide_phase: _Array | None,
    ) -> int: ...
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
    rows: _Array,
    channels: _Array,
    sums: _Array | None,
    tally: _Array,
) -> None: ...
