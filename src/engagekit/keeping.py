"""What a live state is in a file, and a live state made of that again."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import numpy as np

from engagekit import _core
from engagekit.errors import EngagekitError, StateError
from engagekit.model import Model
from engagekit.plan import microseconds
from engagekit.statefiles import packed, unpacked

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from engagekit.live import Live

_LITTLE_LONGS = np.dtype("<i8")


def sections_of(live: Live) -> Iterator[tuple[str, Iterator[bytes]]]:
    """Give a state as it is when the first section is asked for, whatever changes until the last."""
    with live._lock:
        blocks, rows, counts = live.begin_file()
        whole = described(live) | {"counts": counts}
        codes, ids = kept_ids(live, rows)
        known = live._attributes
        attributes = [[code, own.copy()] for code, own in known.of.items()]
    yield "about", iter([packed(whole)])
    yield "codes", iter([codes.astype(_LITTLE_LONGS).tobytes()])
    yield "ids", iter(ids)
    yield "attributes", iter([packed(attributes)])
    yield "rows", (live.next_block() for _ in range(blocks))


def restored(
    make: Callable[..., Live],
    sections: Iterable[tuple[str, Any]],
    path: object,
    clock: Callable[[], Any] | None,
) -> Live:
    """Make a live state of sections.

    Raises
    ------
    StateError
        If they are not those of a state.
    """
    found = {
        name: piece if isinstance(piece, memoryview) else memoryview(b"".join(piece))
        for name, piece in sections
    }
    try:
        about = unpacked(found["about"])
        model = Model.from_dict(about["model"])
        live = make(model, lateness=timedelta(microseconds=about["lateness"]), clock=clock)
        _fill(live, about, found)
    except (KeyError, TypeError, ValueError, OverflowError, IndexError, EngagekitError) as error:
        raise StateError(f"{path}: expected a saved Live, got one that makes no sense: {error}") from None
    return live


def _fill(live: Live, about: dict[str, Any], found: dict[str, memoryview]) -> None:
    if live.model.fingerprint != about["fingerprint"]:
        raise ValueError("the model and its fingerprint do not fit")
    codes = np.frombuffer(found["codes"], _LITTLE_LONGS).astype(np.int64)
    count = len(codes)
    if (count and codes[0] < 0) or (np.diff(codes) <= 0).any() or (count and codes[-1] >= 2**31):
        raise ValueError("codes that do not rise")
    _name(live, about)
    _identify(live, found["ids"], count)
    places = np.full(int(codes[-1]) + 1 if count else 0, -1, np.int32)
    places[codes] = np.arange(count, dtype=np.int32)
    rows = np.frombuffer(found["rows"], np.uint8)
    if not live.restore(about["counts"], rows, places, count, len(about["types"])):
        raise ValueError("rows that do not fit")
    for code, row in about["aliases"]:
        live.join(int(places[code]), int(places[row]))
    live._attributes.kinds = dict(about["kinds"])
    live._attributes.of = {int(places[code]): dict(own) for code, own in unpacked(found["attributes"])}


def combine(live: Live, other: Live) -> None:
    """Move all that a live state has, a copy that nobody else sees, into another."""
    if None not in (live._kind, other._kind) and live._kind != other._kind:
        raise StateError(f"merge: expected contacts that are {live._kind}, got {other._kind}")
    classes = [live._number(key) for key in other._classes.numbers]
    types = live._types_of(list(other._types))
    codes = np.zeros(len(other), np.int32)
    names = other._ids_out(list(range(len(other)))).objects().tolist()
    for code, name in enumerate(names):
        codes[code] = live._place(name, live._kind_of(name))
    live.absorb(other, codes, types, np.array(classes, np.int32))
    for code, row in other.aliases():
        source, target = live.row(int(codes[code])), live.row(int(codes[row]))
        if source != target:
            live.join(source, target)
    ours, theirs = live._attributes, other._attributes
    ours.kinds = theirs.kinds | ours.kinds
    for code, own in theirs.of.items():
        place = live.row(int(codes[code]))
        ours.of[place] = own | ours.of.get(place, {})
    live.aware = live.aware or other.aware


def described(live: Live) -> dict[str, Any]:
    """Say what a state is beside its rows, ids and attributes."""
    plan, classes = live._plan, live._classes
    return {
        "model": live.model.to_dict(),
        "fingerprint": live.model.fingerprint,
        "lateness": microseconds(live.lateness),
        "position": live.position,
        "aware": live.aware,
        "key": live._key,
        "kind": live._kind,
        "signs": live._signs,
        "types": live._type_names,
        "rules": plan.names,
        "classes": [
            [name, [plan.conditions[c].to_dict() for c in sorted(held)]] for name, held in classes.numbers
        ],
        "kinds": live._attributes.kinds,
        "aliases": live.aliases(),
    }


def kept_ids(live: Live, rows: int) -> tuple[NDArray[np.int64], list[bytes]]:
    """Give the codes that a file has, and their ids: of whom nothing is known there is no trace."""
    marks = np.zeros(rows, np.uint8)
    live.filled(marks)
    marks[list(live._attributes.of)] = 1
    for code, row in live.aliases():
        marks[code] = marks[row]
    codes = np.flatnonzero(marks)
    if live._ids is None:
        return codes, []
    if live._kind == "integer":
        return codes, [live._integers()[codes].astype(_LITTLE_LONGS).tobytes()]
    starts, data = live._texts()
    places = np.empty(len(codes) + 1, np.int64)
    content = _core.take_text(starts, data, codes, places)
    return codes, [places.astype(_LITTLE_LONGS).tobytes(), bytes(content)]


def _name(live: Live, about: dict[str, Any]) -> None:
    """Give classes and types their numbers in the file."""
    plan = live._plan
    if tuple(about["rules"]) != plan.names:
        raise ValueError("rules in another order")
    places = [condition.to_dict() for condition in plan.conditions]
    numbers = {
        (str(name), frozenset(places.index(one) for one in held)): number
        for number, (name, held) in enumerate(about["classes"])
    }
    if len(numbers) != len(about["classes"]) or not live._classes.numbers.items() <= numbers.items():
        raise ValueError("classes that are not the model's")
    live._classes.numbers = numbers
    live._classes.declare(live, lateness=about["lateness"])
    live._types_of([str(name) for name in about["types"]])
    if len(live._types) != len(about["types"]):
        raise ValueError("types that are there twice")
    position = about["position"]
    if position is not None and type(position) not in (str, int):
        raise ValueError("a position that is none")
    live.position = position
    live.aware = bool(about["aware"])
    live._key = str(about["key"])
    if about["kind"] is not None:
        live._become({"integer": "integer", "text": "text"}[about["kind"]])
    unsigned, negative = about["signs"]
    live._signs = (bool(unsigned), bool(negative))


def _identify(live: Live, ids: memoryview, count: int) -> None:
    """Give ids their codes: as they come, from 0 on."""
    if live._kind is None:
        if count or len(ids):
            raise ValueError("ids of no kind")
        return
    if live._kind == "integer":
        values = np.frombuffer(ids, _LITTLE_LONGS).astype(np.int64)
        found = np.frombuffer(live.code_integers(live._ids, values), np.int32)
    else:
        starts = np.frombuffer(ids[: 8 * (count + 1)], _LITTLE_LONGS).astype(np.int64)
        data = np.frombuffer(ids[8 * (count + 1) :], np.uint8)
        if (
            len(starts) != count + 1
            or starts[0] != 0
            or starts[-1] != len(data)
            or (np.diff(starts) < 0).any()
        ):
            raise ValueError("texts that do not fit")
        found = np.frombuffer(live.code_texts(live._ids, starts, data), np.int32)
    if len(found) != count or (found != np.arange(count)).any():
        raise ValueError("ids that are there twice")
