"""Markup read back, and names that try to be more than names."""

from html.parser import HTMLParser

from hypothesis import strategies as st


class Reader(HTMLParser):
    """Collects the tags and the text of markup."""

    def __init__(self, markup: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(markup)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Collect a tag with its attributes."""
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        """Collect text."""
        self.text += data

    @property
    def shapes(self) -> list[tuple[str, tuple[str, ...]]]:
        """The tags with the names of their attributes: what no name from outside may change."""
        return [(tag, tuple(attributes)) for tag, attributes in self.tags]


PIECES = (
    "<script>alert(1)</script>", "</script>", "<img src=x onerror=alert(1)>", '"><svg onload=alert(1)>',
    "' onmouseover='x", "</style><style>*{display:none}", "</title></svg>", "<!--", "-->", "]]>", "&lt;",
    "&#x0;", "{{ 7*7 }}", "{% raw %}", "${x}", "{count}", "</textarea>", "javascript:alert(1)",
    "url(http://x.test/)", "\x00", "\x1b[31m", "\u202e", "\u2066", "\u200f", "\ufeff", "\ud800", "\u2028",
    "e" + "\u0301" * 40, "\u05e9\u05dc\u05d5\u05dd", "\u0645\u062d\u0645\u062f", "👩\u200d👩\u200d👧",
    "字" * 30, "W" * 10_000, " ", "\n", '{"a": "</script>"}',
)  # fmt: skip


def hostile() -> st.SearchStrategy[str]:
    """Draw names made of pieces that mean something to HTML, SVG, CSS, templates, terminals or layout."""
    return st.lists(st.sampled_from(PIECES) | st.text(max_size=8), min_size=1, max_size=6).map("".join)
