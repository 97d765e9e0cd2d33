"""The pictures of README and docs show what the code makes today."""

import re
from pathlib import Path

import pytest
from pictures import PICTURES, ROOT, THEMES, cards, digest_of, meter_file, report, signature, signed


def test_pictures_are_up_to_date() -> None:
    """Meter, card and report are those of the example data by today's code; if not: ``make pictures``."""
    made = cards()
    assert {theme: (PICTURES / meter_file(theme)).read_text("utf-8") for theme in made} == {
        theme: card.gauge for theme, card in made.items()
    }
    for theme in THEMES:
        assert signature((PICTURES / f"card-{theme}.png").read_bytes()) == digest_of(made[theme].html)
    assert signature((PICTURES / "report.png").read_bytes()) == digest_of(report())


def test_a_picture_remembers_its_page() -> None:
    """What is written into a picture is read from it, and another page gives another text."""
    png = (PICTURES / "card-light.png").read_bytes()
    assert signature(signed(png, "<p>")) == digest_of("<p>") != digest_of("<b>")
    assert digest_of("1.0000000000000002") == digest_of("0.9999999999999999") != digest_of("1.001")


@pytest.mark.parametrize(
    "page",
    [
        "README.md",
        "docs/howto/show-a-contact.md",
        "docs/howto/write-a-report.md",
        "docs/reference/meter-and-card.md",
    ],
)
def test_pictures_shown_are_there(page: str) -> None:
    """Every picture that a page shows is a file, and says in words what is on it."""
    path = ROOT / page
    text = path.read_text("utf-8")
    sources = re.findall(r'(?:src|srcset)="([^"]+)"', text) + re.findall(r"!\[[^\]]+\]\(([^)]+)\)", text)
    assert sources
    assert [source for source in sources if not (path.parent / Path(source)).is_file()] == []
    assert len(re.findall(r"<img [^>]*alt=\"[^\"]{20,}\"", text)) == len(re.findall("<img ", text))
