"""How faults name places, values and what was probably meant."""

import re
from collections.abc import Iterable, Mapping
from itertools import islice

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_LONGEST_SHOWN = 60
# A file made to hurt could have thousands of wrong names beside thousands of right ones.
_MOST_OPTIONS = 128


TABLE = "a table (a dict)"
"""What a file calls the one and Python the other; a fault may be in either."""


def join(path: str, key: object) -> str:
    """Add a key to a path, quoted where it would not stand alone in a TOML file.

    Examples
    --------
    >>> join("rules[2].decay", "half_life")
    'rules[2].decay.half_life'
    >>> join("weights", "page title")
    "weights.'page title'"
    """
    shown_key = key if isinstance(key, str) and _BARE_KEY.fullmatch(key) else shown(key)
    return f"{path}.{shown_key}" if path else shown_key


def shown(value: object) -> str:
    """Show a value in an error text, however large or deep it is.

    Examples
    --------
    >>> shown("six"), shown(-3.0), shown({"n": 1}), shown([1, 2])
    ("'six'", '-3.0', 'a table (a dict)', 'a list')
    """
    if isinstance(value, Mapping):
        return TABLE
    if isinstance(value, (list, tuple, set, frozenset)):
        return "a list"
    if isinstance(value, str):
        text = repr(str.__str__(value[: _LONGEST_SHOWN + 1]))
        return (
            text
            if len(value) <= _LONGEST_SHOWN
            else f"{text[:_LONGEST_SHOWN]}...' ({len(value):,} characters)"
        )
    # Beyond 4,300 digits Python refuses to write an integer at all.
    if isinstance(value, int) and value.bit_length() > 128:
        return f"an integer of {value.bit_length():,} bits"
    try:
        text = repr(value)
    except Exception:  # noqa: BLE001 - whatever it is, an error that cannot show it would hide what is wrong
        return named(type(value))
    return text if len(text) <= _LONGEST_SHOWN and "\n" not in text else named(type(value))


def typed(value: object) -> str:
    """Show a value with its type; of what is shown as nothing but that, the type alone.

    Examples
    --------
    >>> typed(7.0), typed(None), typed(("a", "b")), typed({})
    ('7.0 (float)', 'None (NoneType)', 'a tuple', 'a dict')
    """
    alone = named(type(value))
    if isinstance(value, (Mapping, list, tuple, set, frozenset)):
        return alone
    text = shown(value)
    return text if text == alone else f"{text} ({type(value).__name__})"


def suggestion(word: object, options: Iterable[str]) -> str:
    """Return `, did you mean "..."?` for the nearest option, or nothing when none is near.

    Examples
    --------
    >>> suggestion("chanel", ["points", "channel"])
    ', did you mean "channel"?'
    >>> suggestion("zzz", ["points", "channel"])
    ''
    """
    folded = {option.casefold(): option for option in islice(options, _MOST_OPTIONS)}
    if not isinstance(word, str) or len(word) > _LONGEST_SHOWN:
        return ""
    from difflib import get_close_matches

    near = get_close_matches(word.casefold(), folded, n=1)
    return f', did you mean "{folded[near[0]]}"?' if near else ""


def listed(options: Iterable[str]) -> str:
    """Join options for a sentence.

    Examples
    --------
    >>> listed(["both", "prospect", "customer"])
    '"both", "prospect" or "customer"'
    """
    quoted = [f'"{option}"' for option in options]
    return f"{', '.join(quoted[:-1])} or {quoted[-1]}" if len(quoted) > 1 else "".join(quoted)


def named(cls: type[object]) -> str:
    """Name a class with its article.

    Examples
    --------
    >>> named(int), named(float)
    ('an int', 'a float')
    """
    return f"{'an' if cls.__name__[:1].lower() in 'aeiou' else 'a'} {cls.__name__}"


def both(names: Iterable[str]) -> str:
    """Join names, all of which are meant, for a sentence.

    Examples
    --------
    >>> both(["low", "medium", "high"])
    'low, medium and high'
    """
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last


def is_unicode(text: str) -> bool:
    """Tell whether text can be written to a file: lone surrogates cannot.

    Examples
    --------
    >>> is_unicode("é"), is_unicode(chr(0xD800))
    (True, False)
    """
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
