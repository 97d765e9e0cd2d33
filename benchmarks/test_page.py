"""The page on speed shows what was measured."""

import pytest
from page import PAGE, rendered
from results import RESULTS, loaded


def test_page(request: pytest.FixtureRequest) -> None:
    """Every figure of the page is the recorded one."""
    if request.config.getoption("--record"):
        return  # it is about to be written
    text = PAGE.read_text("utf-8")
    assert rendered(text, loaded(RESULTS)) == text, "run python benchmarks/page.py"
