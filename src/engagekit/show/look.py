"""How pictures are to look: in which words, light or dark."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from attrs import frozen

from engagekit.show.theme import theme_of
from engagekit.show.words import Words, words_of

if TYPE_CHECKING:
    from engagekit.model import Model


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
        model: Model,
        language: str = "en",
        labels: Mapping[str, str] | None = None,
        theme: str | None = None,
    ) -> Look:
        """Check what was asked for, of a model.

        Raises
        ------
        EngagekitError
            If language, labels or theme are none, or a label is of what the model does not have.

        Examples
        --------
        >>> import engagekit as ek
        >>> Look.of(ek.Model(rules=[ek.Rule(name="visit", on="visit", points=1)]), "de").words["level.low"]
        'niedrig'
        """
        look = cls(words_of(language, labels), theme_of(theme))
        look.words.check(model)
        return look
