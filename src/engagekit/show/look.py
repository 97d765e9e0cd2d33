"""How pictures are to look: in which words, light or dark."""

from __future__ import annotations

from collections.abc import Mapping

from attrs import frozen

from engagekit.show.theme import theme_of
from engagekit.show.words import Words, words_of


@frozen
class Look:
    """What is the same for all pictures, checked once.

    Attributes
    ----------
    words
        What is said, in a language.
    theme
        ``"light"`` or ``"dark"``; None: as the reader's system has it.
    """

    words: Words
    theme: str | None = None

    @classmethod
    def of(
        cls,
        language: str = "en",
        labels: Mapping[str, str] | None = None,
        theme: str | None = None,
    ) -> Look:
        """Check what was asked for.

        Raises
        ------
        EngagekitError
            If language, labels or theme are none.

        Examples
        --------
        >>> Look.of("de").words["level.low"]
        'niedrig'
        """
        return cls(words_of(language, labels), theme_of(theme))
