"""The compiled kernel; the parts that it includes (`_ids.pxi` ... `_score.pxi`) say what each thing does."""

from collections.abc import Iterable
from typing import Any, TypeAlias, final

from numpy.typing import NDArray

Array: TypeAlias = NDArray[Any]

class _Table:
    def __len__(self) -> int: ...

@final
class IntegerIds(_Table):
    """Distinct 64-bit integers in order of first appearance."""

    def code(self, values: Array, null: Array | None, out: Array, insert: bool = True) -> None: ...
    def export(self, out: Array) -> None: ...

@final
class TextIds(_Table):
    """Distinct UTF-8 strings in order of first appearance."""

    @property
    def size(self) -> int: ...
    def code_offsets(
        self, offsets: Any, data: Any, validity: Any, bit_offset: int, out: Array, insert: bool = True
    ) -> None: ...
    def code_views(
        self, views: Any, buffers: list[Any], validity: Any, bit_offset: int, out: Array, insert: bool = True
    ) -> None: ...
    def code_objects(self, values: Iterable[Any] | None, out: Array, insert: bool = True) -> int: ...
    def export(self, starts: Array, bytes: Array) -> None: ...
    def strings(self) -> list[str]: ...

def integer_ids(values: Any) -> IntegerIds: ...
def text_ids(values: list[str] | None) -> TextIds: ...
def take_text(starts: Array, data: Array, index: Array, out_starts: Array) -> bytearray: ...
def group(codes: Array, times: Array, starts: Array, grouped: Array, rows: Array) -> None: ...
def duplicates(starts: Array, times: Array, ids: Array, ranks: Array, values: Array, keep: Array) -> int: ...
def exclude(
    specs: Array, roles: Array, starts: Array, times: Array, codes: list[Array], classes: Array
) -> None: ...

@final
class Scorer:
    """A plan and the grouped events it is applied to, ready to score any contacts at any instants."""

    def __init__(
        self,
        *,
        rules: Array,
        channel_caps: Array,
        by_channel: Array,
        families: int,
        listed_rules: Array,
        roles: Array,
        flags: Array,
        plain_start: Array,
        plain_rules: Array,
        weight_columns: Array,
        weight_starts: Array,
        weight_factors: Array,
        codes: list[Array],
        amounts: list[Array],
        phases: Array,
        ended_phase: int,
        linear_scale: bool,
        scale: float,
        levels: Array,
        fast: int,
        slow: int,
        lifecycle: bool,
        starts: Array,
        times: Array,
        types: Array,
        classes: Array,
        type_ranks: Array,
    ) -> None: ...
    def run(
        self,
        contacts: Array,
        at: Array,
        since: Array,
        counted: Array,
        first: int,
        last: int,
        ahead: bool,
        rows: Array,
        channels: Array,
        sums: Array | None,
        tally: Array,
    ) -> None: ...
    def stop(self) -> None: ...
