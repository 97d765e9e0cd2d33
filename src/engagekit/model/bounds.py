"""Bounds on what a model file may ask of a parser, held before one reads it.

A TOML parser can take seconds over one long dotted key and exhaust the stack over a thousand
brackets; a JSON parser the latter. One linear pass that understands strings and comments refuses
such files first.
"""

import re

DEEPEST = 32
"""How deep tables and lists may stand in one another."""

MOST_KEY_PARTS = 16
"""How many parts a dotted key may have."""

# Possessive quantifiers: no input makes these go back over what they have read. A multi-line TOML
# string may end in up to five quotes, of which the first two are its own.
_TOML = re.compile(
    r"""
      \#[^\n]*+
    | \"\"\" (?: [^"\\]++ | \\. | "{1,2}(?!") )*+ "{0,5}
    | ''' (?: [^']++ | '{1,2}(?!') )*+ '{0,5}
    | " (?: [^"\\\n]++ | \\. )*+ "?
    | ' [^'\n]*+ '?
    | (?P<mark> [\[\]{}.=,\n] )
    """,
    re.VERBOSE | re.DOTALL,
)
_JSON = re.compile(r'"(?:[^"\\]++|\\.)*+"?|(?P<mark>[\[\]{}])', re.DOTALL)


def bound_fault(text: str, ending: str) -> str | None:
    """Say where a file goes beyond a bound.

    Parameters
    ----------
    text
        The file.
    ending
        ".toml" or ".json".

    Returns
    -------
    str or None
        What is too much, with its line; None when nothing is.

    Examples
    --------
    >>> bound_fault("a = " + "[" * 33, ".toml")
    'line 1: nested deeper than 32 levels'
    >>> bound_fault('a = "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[["', ".toml") is None
    True
    """
    depth = parts = 0
    for token in (_TOML if ending == ".toml" else _JSON).finditer(text):
        mark = token["mark"]
        if mark is None:
            continue
        # A run of dots that nothing else interrupts belongs to one key.
        parts = parts + 1 if mark == "." else 0
        if mark in "[{":
            depth += 1
        elif mark in "]}":
            depth -= 1
        if depth > DEEPEST or parts >= MOST_KEY_PARTS:
            what = f"nested deeper than {DEEPEST} levels"
            if depth <= DEEPEST:
                what = f"a key of more than {MOST_KEY_PARTS} parts"
            return f"line {1 + text.count(chr(10), 0, token.start())}: {what}"
    return None
