"""What a live state is in a file, and a live state made of that again."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import numpy as np

from engagekit.coding import MIXED
from engagekit.errors import EngagekitError, StateError
from engagekit.live.statefiles import packed, unpacked
from engagekit.model import Model
from engagekit.plan import microseconds

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from engagekit.live.live import Live

_LITTLE_LONGS = np.dtype("<i8")
_SLICE = 16_384
"""Contacts that are looked at while other threads wait."""


def sections_of(live: Live) -> Iterator[tuple[str, Iterator[bytes | memoryview]]]:
    """Give a state as it is when the first section is asked for, whatever changes until the last."""
    with live._lock:
        blocks, rows, counts = live.begin_file()
        whole = described(live) | {"counts": counts}
        codes, ids = kept_ids(live, rows)
        known = live._attributes
        attributes = [[code, own.copy()] for code, own in known.of.items()]
        reactions = live._reactions.saved(codes)
    yield "about", iter([packed(whole)])
    yield "codes", iter([_bytes_of(codes)])
    yield "ids", iter(ids)
    yield "attributes", _in_slices(attributes)
    yield "rows", (live.next_block() for _ in range(blocks))
    if reactions is not None:
        yield "reactions", iter([packed(reactions.told())])


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
    except (LookupError, AttributeError, TypeError, ValueError, OverflowError, EngagekitError) as error:
        raise StateError(f"{path}: expected a saved Live, got one that makes no sense: {error}") from None
    return live


def _fill(live: Live, about: dict[str, Any], found: dict[str, memoryview]) -> None:
    if live.model.fingerprint != about["fingerprint"]:
        raise ValueError("the model and its fingerprint do not fit")
    codes = np.frombuffer(found["codes"], _LITTLE_LONGS).astype(np.int64)
    count = len(codes)
    if (count and codes[0] < 0) or (np.diff(codes) <= 0).any():
        raise ValueError("codes that do not rise")
    _name(live, about)
    _identify(live, found["ids"], count)
    rows = np.frombuffer(found["rows"], np.uint8)
    if not live.restore(about["counts"], rows, codes, len(about["types"])):
        raise ValueError("rows that do not fit")
    aliases = about["aliases"]
    for one, two in zip(*(_places(codes, [pair[end] for pair in aliases]) for end in (0, 1)), strict=True):
        if live.row(one) == live.row(two):
            raise ValueError("an alias of itself")
        live.join(one, two)
    if "reactions" in found:
        live._reactions.restore(unpacked(found["reactions"]), count)
    known = unpacked(found["attributes"])
    places = _places(codes, [code for code, _ in known])
    if any(live.row(place) != place for place in places):
        raise ValueError("attributes of an alias")
    live._attributes.restore(about["kinds"], dict(zip(places, [own for _, own in known], strict=True)))
    # a row of nothing is not in the file, so nobody knows whether triggers have seen these attributes
    marks = np.zeros(count, np.uint8)
    live.filled(marks, 0)
    live.touch(np.array([place for place in places if not marks[place]], np.int64))


def _places(codes: NDArray[np.int64], asked: list[int]) -> list[int]:
    """Return where some codes stand among those of a file."""
    wanted = np.array(asked, np.int64)
    places = np.searchsorted(codes, wanted)
    if (places == len(codes)).any() or (codes[places] != wanted).any():
        raise ValueError("a code that is not there")
    found: list[int] = places.tolist()
    return found


def combine(live: Live, other: Live) -> None:
    """Move all that a live state has, a copy that nobody else sees, into another."""
    who, others = live._who, other._who
    if None not in (who.kind, others.kind) and who.kind != others.kind:
        raise StateError(f"merge: expected contacts that are {who.kind}, got {others.kind}")
    if all(map(any, zip(who.signs, others.signs, strict=True))):
        raise StateError(f"merge: {MIXED}")
    classes = [live._classes.number(live, key) for key in other._classes.numbers]
    types = live._types.codes(live, other._types.names)
    codes = np.zeros(len(other), np.int32)
    names = others.out(other, list(range(len(other)))).objects().tolist()
    for code, name in enumerate(names):
        codes[code] = who.place(live, name, who.kind_of(name))
    live.absorb(other, codes, types, np.array(classes, np.int32))
    for code, row in other.aliases():
        source, target = live.row(int(codes[code])), live.row(int(codes[row]))
        if source != target:
            live._unite(source, target)
    ours, theirs = live._attributes, other._attributes
    ours.kinds = theirs.kinds | ours.kinds
    changed = []
    for code, own in theirs.of.items():
        place = live.row(int(codes[code]))
        ours.of[place] = own | ours.of.get(place, {})
        changed.append(place)
    live.touch(np.array(changed, np.int64))
    rows = np.arange(len(live))
    for code, row in live.aliases():
        rows[code] = row
    live._reactions.absorb(other._reactions, rows[codes])
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
        "kind": live._who.kind,
        "signs": live._who.signs,
        "types": live._types.names,
        "rules": plan.names,
        "classes": [
            [name, [plan.conditions[c].to_dict() for c in sorted(held)]] for name, held in classes.numbers
        ],
        "kinds": live._attributes.kinds,
        "aliases": live.aliases(),
    }


def kept_ids(live: Live, rows: int) -> tuple[NDArray[np.int64], list[memoryview]]:
    """Give the codes that a file has, and their ids: of whom nothing is known there is no trace."""
    marks = np.zeros(rows, np.uint8)
    for first in range(0, rows, _SLICE):
        live.filled(marks[first : first + _SLICE], first)
    marks[list(live._attributes.of)] = 1
    for pair in live.aliases():
        marks[list(pair)] = 1
    codes, who = np.flatnonzero(marks), live._who
    if who.kind is None:
        return codes, []
    if who.kind == "integer":
        return codes, [_bytes_of(who.integers(live)[codes])]
    starts, data = who.texts(codes)
    return codes, [_bytes_of(starts), data.data]


def _bytes_of(values: NDArray[np.int64]) -> memoryview:
    return values.astype(_LITTLE_LONGS, copy=False).view(np.uint8).data


def _in_slices(rows: list[Any]) -> Iterator[bytes]:
    """Write what `packed` would, a slice at a time, so that no other thread waits for all."""
    for first in range(0, len(rows), _SLICE):
        yield (b"," if first else b"[") + packed(rows[first : first + _SLICE])[1:-1]
    yield b"]" if rows else b"[]"


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
    live._classes.declare(live)
    live._types.codes(live, [str(name) for name in about["types"]])
    if len(live._types.names) != len(about["types"]):
        raise ValueError("types that are there twice")
    live.position = about["position"]
    live.aware = bool(about["aware"])
    live._key = str(about["key"])
    if about["kind"] is not None:
        live._who.become(live, {"integer": "integer", "text": "text"}[about["kind"]])
    unsigned, negative = about["signs"]
    live._who.signs = (bool(unsigned), bool(negative))


def _identify(live: Live, ids: memoryview, count: int) -> None:
    """Give ids their codes: as they come, from 0 on."""
    who = live._who
    if who.kind is None:
        if count or len(ids):
            raise ValueError("ids of no kind")
        return
    if who.kind == "integer":
        values = np.frombuffer(ids, _LITTLE_LONGS).astype(np.int64)
        found = np.frombuffer(live.code_integers(who.ids, values), np.int32)
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
        found = np.frombuffer(live.code_texts(who.ids, starts, data), np.int32)
    if len(found) != count or (found != np.arange(count)).any():
        raise ValueError("ids that are there twice")
    if live._who.kind == "text" and live._who.ids.undecodable() >= 0:
        raise ValueError("ids that are no text")
