"""What is said in which language: fixed texts, names of the model, numbers and dates."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache, lru_cache
from html import escape
from importlib.resources import files
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from engagekit.errors import EngagekitError
from engagekit.model.wording import listed, shown, suggestion
from engagekit.show.markup import Markup, clean, escaped, name
from engagekit.tables import figure, tenths

if TYPE_CHECKING:
    from engagekit.model import Model

LANGUAGES: Final = ("en", "de")
NAMED: Final = (
    "channel", "content", "grade", "intent", "persona", "phase", "rule", "type",
)  # fmt: skip
"""Kinds of names that come from the model or the events, and can be given a label as ``kind.name``."""
_MOST_LISTED: Final = 8
_HUGE: Final = 1e12
"""Numbers from which on all digits would be more than a line holds."""
_PLACE: Final = re.compile(r"\{(\w+)\}")


class Words:
    """What is said, in a language.

    Parameters
    ----------
    language
        ``"en"`` or ``"de"``.
    labels
        Texts of your own, by key: those of the language's file, such as ``"level.low"``, and names of your
        model, such as ``"phase.trial"``, ``"channel.web"`` or ``"rule.demo"``.

    Raises
    ------
    EngagekitError
        If there is no such language or key, or a label is no text. Whether the model has what they name,
        `check` tells.

    Examples
    --------
    >>> words = Words("de", {"channel.web": "Website"})
    >>> words["half.customer"], words.label("channel", "web"), words.label("channel", "shop")
    ('Kunde', 'Website', 'shop')
    >>> words.tenths(1234.56), words.date(datetime(2026, 5, 3)), Words().date(datetime(2026, 5, 3))
    ('1.234,6', '3. Mai 2026', '3 May 2026')
    """

    def __init__(self, language: str = "en", labels: Mapping[str, str] | None = None) -> None:
        if language not in LANGUAGES:
            raise EngagekitError(f"language=: expected 'en' or 'de', got {shown(language)}")
        self.language = language
        self._own = {} if labels is None else _checked(labels)
        self._texts = {**_texts(language), **self._own} if self._own else _texts(language)
        own = {".": self["format.decimal"], ",": self["format.thousands"], "-": "\N{MINUS SIGN}"}
        self._marks = str.maketrans(own)
        self._plain: dict[str, str] = {}
        self._markup: dict[str, str] = {}

    def __getitem__(self, key: str) -> str:
        return self._texts[key]

    def check(self, model: Model) -> None:
        """Raise an `EngagekitError` if labels speak of what the model does not have.

        Types are not looked for: events may have any.
        """
        named = _named(model) if self._own else {}
        faults = []
        for key in self._own:
            kind, _, own = key.partition(".")
            names = named.get(kind, [own])
            if own not in names and key not in _texts("en"):
                instead = suggestion(own, names) or _some(names)
                faults.append(f"there is no {kind} {shown(own)} in the model{instead}")
        if faults:
            raise EngagekitError(f"labels=: {'; '.join(faults)}")

    def label(self, kind: str, own: str) -> str:
        """Return what something that the model names is called: its label, else its own name."""
        return self._texts.get(f"{kind}.{own}", own)

    def name(self, kind: str, own: str, longest: int = 40) -> Markup:
        """Return the same as markup, however long and strange the name is."""
        return _name(self.label(kind, own), longest)

    def sentence(self, key: str, **parts: object) -> Markup:
        """Fill the places of a text, each by a part: markup as it is, all else escaped.

        Examples
        --------
        >>> Words(labels={"level.low": "low, since {day}"}).sentence("level.low", day="<3 May>")
        'low, since &lt;3 May&gt;'
        """
        pattern = self._markup.get(key)
        if pattern is None:
            pattern = self._markup[key] = _pattern(escape(self[key], quote=False))
        return Markup(pattern % _Parts({place: escaped(part) for place, part in parts.items()}))

    def plain(self, key: str, **parts: object) -> str:
        """Fill the places of a text with plain text, of which nothing is escaped yet."""
        pattern = self._plain.get(key)
        if pattern is None:
            pattern = self._plain[key] = _pattern(self[key])
        return pattern % _Parts(parts)

    def count(self, key: str, count: int) -> str:
        """Say how many: by ``key.one`` or ``key.many``, with the number in the place ``{count}``."""
        return self.plain(f"{key}.{'one' if count == 1 else 'many'}", count=self.whole(count))

    def whole(self, count: int) -> str:
        """Write a whole number."""
        return self._spelt(f"{count:,}")

    def figure(self, points: float) -> str:
        """Write points as short as they can be understood, as the tables do."""
        return self._spelt(figure(points))

    def tenths(self, points: float) -> str:
        """Write points to a tenth, as explanations do."""
        return self._spelt(tenths(points))

    def signed(self, value: float, digits: int = 2) -> str:
        r"""Write a number with its sign, a minus as long as a plus.

        Examples
        --------
        >>> Words().signed(-0.128) == "\N{MINUS SIGN}0.13", Words().signed(0.001)
        (True, '+0.00')
        """
        if abs(value) >= _HUGE:
            return self._spelt(f"{value:+.3e}")
        return self._spelt(f"{value:+z,.{digits}f}")

    def percent(self, share: float) -> str:
        """Write a share of 1 in whole percent; a few are not none, and nearly all are not all.

        Examples
        --------
        >>> Words().percent(0.324), Words().percent(0.001), Words().percent(0.999), Words().percent(1)
        ('32%', '<1%', '>99%', '100%')
        """
        few, most = 0 < share < 0.005, 0.995 <= share < 1
        number = "<1" if few else ">99" if most else self._spelt(f"{100 * share:,.0f}")
        return self.plain("format.percent", number=number)

    def date(self, at: datetime, near: datetime | None = None) -> str:
        """Write a day, in UTC; without the year where it is that of an instant near by.

        Examples
        --------
        >>> Words().date(datetime(2026, 5, 3), near=datetime(2026, 1, 31))
        '3 May'
        """
        day = _utc(at)
        same = near is not None and _utc(near).year == day.year
        return self.plain(
            "format.day" if same else "format.date",
            day=day.day,
            month=self[f"month.{day.month}"],
            year=day.year,
        )

    def _spelt(self, text: str) -> str:
        """Put the language's own separators into a number, and a minus as long as a plus."""
        return text.translate(self._marks)


def words_of(language: str, labels: Mapping[str, str] | None = None) -> Words:
    """Return words, the same object for the same language without labels: what is drawn with it is kept."""
    if labels is not None or not isinstance(language, str):
        return Words(language, labels)
    return _plain_words(language)


@cache
def _plain_words(language: str) -> Words:
    return Words(language)


def _utc(at: datetime) -> datetime:
    return at if at.tzinfo is None or at.tzinfo is UTC else at.astimezone(UTC)


_name = lru_cache(maxsize=1024)(name)
"""Rules, channels and phases are named again and again."""


class _Parts(dict[str, object]):
    """What goes into the places of a text; those that nothing is given for stay as they are."""

    def __missing__(self, place: str) -> str:
        return f"{{{place}}}"


def _pattern(text: str) -> str:
    """Write a text's places as Python's ``%`` has them."""
    return _PLACE.sub(r"%(\1)s", text.replace("%", "%%"))


@cache
def _texts(language: str) -> Mapping[str, str]:
    import tomllib

    tables = tomllib.loads((files("engagekit.show") / "languages" / f"{language}.toml").read_text("utf-8"))
    return MappingProxyType(dict(_flat(tables, "")))


def _flat(table: Mapping[str, Any], path: str) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for key, value in table.items():
        found += _flat(value, f"{path}{key}.") if isinstance(value, dict) else [(f"{path}{key}", value)]
    return found


def _checked(labels: Any) -> dict[str, str]:
    """Refuse what cannot be labels, and clean those that can."""
    if not isinstance(labels, Mapping):
        raise EngagekitError(f"labels=: expected a dict, got {type(labels).__name__}")
    known = _texts("en")
    faults = []
    for key, text in labels.items():
        if not isinstance(key, str) or not isinstance(text, str):
            raise EngagekitError(f"labels=: expected texts by keys, got {shown(key)}: {shown(text)}")
        if key not in known and key.partition(".")[0] not in NAMED:
            kin = [each for each in known if each.partition(".")[0] == key.partition(".")[0]]
            instead = suggestion(key, known) or _some(kin or [f"{kind}.…" for kind in NAMED])
            faults.append(f"there is no text {shown(key)}{instead}")
    if faults:
        raise EngagekitError(f"labels=: {'; '.join(faults)}")
    return {key: clean(text) for key, text in labels.items()}


def _some(names: list[str]) -> str:
    """Say what there is instead, as much as a line holds."""
    if not names:
        return ", which names none"
    more = f" and {len(names) - _MOST_LISTED} more" if len(names) > _MOST_LISTED else ""
    return f"; there is {listed(names[:_MOST_LISTED])}{more}"


@lru_cache(maxsize=64)
def _named(model: Model) -> Mapping[str, list[str]]:
    """Return what a model names, by the kind under which it can be given a label."""
    grades = [] if model.fit is None else [name for name, _ in model.fit.ranked]
    return {
        "channel": [*model.channel_names],
        "content": [content.id for content in model.contents],
        "grade": [*grades, *(f"{grade}{level}" for grade in grades for level in range(1, 5))],
        "intent": [*model.intents],
        "persona": [persona.name for persona in model.personas],
        "phase": [*dict.fromkeys(phase.name for phase in model.phases)],
        "rule": [each.name for group in (model.rules, model.absences, model.repeats) for each in group],
    }
