"""How faults name places, values and what was probably meant."""

import re
from collections.abc import Iterable, Mapping
from itertools import islice

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_LONGEST_SHOWN = 60
# A file made to hurt could have thousands of wrong names beside thousands of right ones.
_MOST_OPTIONS = 128


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
    ("'six'", '-3.0', 'a table', 'a list')
    """
    if isinstance(value, Mapping):
        return "a table"
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
    text = repr(value)
    return text if len(text) <= _LONGEST_SHOWN and "\n" not in text else f"a {type(value).__name__}"


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
