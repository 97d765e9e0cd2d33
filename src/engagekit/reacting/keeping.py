"""How contacts stand with triggers, as JSON can hold it, and back.

One byte a contact and trigger, compressed: of half a million contacts and ten triggers some hundred kB.
"""

from __future__ import annotations

import json
import zlib
from base64 import b64decode, b64encode
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from engagekit.errors import StateError
from engagekit.frames import Out
from engagekit.instants import EARLIEST, LATEST
from engagekit.keys import Keys
from engagekit.plan import lower
from engagekit.reacting.standing import ARMED, NEVER, NULL, SEEN, WAITING, Standing, nobody

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from engagekit.model import Model

_LEVEL: Final = 1
"""Of the compression: bytes that are nearly all alike need no more."""
_ALL: Final = SEEN | ARMED | WAITING


def kept(standing: Standing, model: Model) -> dict[str, Any]:
    """Write down how contacts stand; the keys of the result's own rows are in its table."""
    values = standing.gone.out.objects() if standing.gone.out.kind == "text" else standing.gone.out.values
    cooling: dict[str, Any] = {}
    for number, since in standing.since.items():
        places = np.flatnonzero(since != NEVER)
        if len(places):
            cooling[model.triggers[number].name] = {
                "count": len(places),
                "places": packed(places, "<i8"),
                "since": packed(since[places], "<i8"),
            }
    return {
        "rows": len(standing.keys),
        "gone": len(standing.gone),
        "gone_keys": _squeezed(json.dumps(values.tolist()).encode()),
        "flags": packed(standing.flags, "<u1"),
        "phases": packed(standing.phases, "<i4"),
        "cooling": cooling,
    }


def restored(found: Mapping[str, Any], model: Model, keys: Keys) -> Standing:
    """Read what `kept` wrote.

    Raises
    ------
    StateError
        If it is not that, or does not fit the model or the keys of the result's rows.
    """
    try:
        return _restored(found, model, keys)
    except (AttributeError, KeyError, TypeError, ValueError, OverflowError, zlib.error, RecursionError):
        raise StateError("how contacts stand with triggers does not fit the table and the model") from None


def _restored(found: Mapping[str, Any], model: Model, keys: Keys) -> Standing:
    triggers, absent = model.triggers, found["gone"]
    if found["rows"] != len(keys) or type(absent) is not int or absent < 0:
        raise ValueError
    gone = _keys(found["gone_keys"], absent, keys.name)
    count = len(keys) + absent
    flags = unpacked(found["flags"], "<u1", len(triggers) * count).reshape(len(triggers), count)
    phases = unpacked(found["phases"], "<i4", count)
    names = lower(model).phase_names
    if (flags & ~np.uint8(_ALL)).any() or not _within(phases, NULL, len(names) - 1):
        raise ValueError
    since = {}
    for number, trigger in enumerate(triggers):
        if trigger.cooldown is not None:
            since[number] = _since(found["cooling"].get(trigger.name), count)
    return Standing(keys, gone, flags, since, phases)


def _since(found: Mapping[str, Any] | None, count: int) -> NDArray[np.int64]:
    since = np.full(count, NEVER)
    if found is not None:
        many = found["count"]
        if type(many) is not int or not 0 <= many <= count:
            raise ValueError
        places, instants = (unpacked(found[name], "<i8", many) for name in ("places", "since"))
        if not _within(places, 0, count - 1) or not _within(instants, EARLIEST, LATEST):
            raise ValueError
        since[places] = instants
    return since


def _keys(text: str, count: int, name: str) -> Keys:
    values = json.loads(zlib.decompress(b64decode(text, validate=True)))
    if not isinstance(values, list) or len(values) != count:
        raise ValueError
    if not values:
        return nobody(name)
    if all(type(value) is str for value in values):
        return Keys(Out("text", np.array(values, np.object_)), name)
    if not all(type(value) is int for value in values):
        raise ValueError
    kind = np.uint64 if max(values) > np.iinfo(np.int64).max else np.int64
    return Keys(Out("integer", np.array(values, kind)), name)


def _within(values: NDArray[Any], low: int, high: int) -> bool:
    return not len(values) or bool(low <= int(values.min()) and int(values.max()) <= high)


def packed(values: NDArray[Any], dtype: str) -> str:
    """Write an array as text."""
    return _squeezed(np.ascontiguousarray(values, dtype).tobytes())


def _squeezed(data: bytes) -> str:
    return b64encode(zlib.compress(data, _LEVEL)).decode("ascii")


def unpacked(text: str, dtype: str, count: int) -> NDArray[Any]:
    """Read exactly that many values of what `packed` wrote; nothing longer is decompressed."""
    size = count * np.dtype(dtype).itemsize
    data = zlib.decompressobj().decompress(b64decode(text, validate=True), size + 1)
    if len(data) != size:
        raise ValueError
    return np.frombuffer(data, dtype).astype(np.dtype(dtype).newbyteorder("="))
