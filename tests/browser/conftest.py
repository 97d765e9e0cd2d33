"""A browser to look through: `make browser` gets it and what it needs, and says where that is."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from browsing import Seen
from playwright.sync_api import Browser, sync_playwright

ARGUMENTS = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update")


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Start the system's Chromium."""
    path = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    assert path, "no Chromium: install it (apt-get install chromium), or say by CHROMIUM= where it is"
    with sync_playwright() as started:
        running = started.chromium.launch(executable_path=path, args=list(ARGUMENTS))
        yield running
        running.close()


@pytest.fixture(scope="session")
def axe() -> str:
    """Read the checker of accessibility that `make browser` has fetched."""
    return (Path(__file__).resolve().parents[2] / "build" / "browser" / "axe.min.js").read_text("utf-8")


@pytest.fixture
def seen(browser: Browser) -> Iterator[Seen]:
    """Open pages; at the end none has said anything on the console or asked for anything."""
    pages = Seen(browser)
    yield pages
    pages.close()
    assert pages.faults == []
