"""An immutable mapping, for attributes of frozen classes."""

from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

K = TypeVar("K")
V_co = TypeVar("V_co", covariant=True)


class FrozenDict(Mapping[K, V_co]):
    """A mapping that cannot change: hashable when its values are, and equal to any mapping of the same items.

    Examples
    --------
    >>> weights = FrozenDict({"mobile": 1.2})
    >>> weights["mobile"], weights == {"mobile": 1.2}
    (1.2, True)
    >>> weights
    {'mobile': 1.2}
    """

    __slots__ = ("_items",)
    _items: dict[K, V_co]

    def __init__(self, items: Mapping[K, V_co] | None = None) -> None:
        object.__setattr__(self, "_items", dict(items or {}))

    def __getitem__(self, key: K) -> V_co:
        return self._items[key]

    def __iter__(self) -> Iterator[K]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def __hash__(self) -> int:
        return hash(frozenset(self._items.items()))

    def __repr__(self) -> str:
        return repr(self._items)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError("a FrozenDict cannot be changed")

    def __delattr__(self, name: str) -> None:
        raise AttributeError("a FrozenDict cannot be changed")

    def __reduce__(self) -> tuple[type["FrozenDict[Any, Any]"], tuple[dict[K, V_co]]]:
        return type(self), (dict(self._items),)
