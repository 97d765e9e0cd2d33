"""Pages that a browser shows, and what it has to say about them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Browser, Page, Route


HEAD = (
    '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>seen</title>'
    "<style>:root{color-scheme:light dark}body{margin:0}</style></head><body><main><h1>seen</h1>"
)


class Seen:
    """Pages of a browser that may ask for nothing and complain of nothing."""

    def __init__(self, browser: Browser) -> None:
        self._browser = browser
        self._contexts: list[Any] = []
        self.faults: list[str] = []

    def page(self, body: str, **options: Any) -> Page:
        """Open a page with a body."""
        page = self._new(**options)
        page.set_content(f"{HEAD}{body}</main></body></html>")
        return page

    def file(self, path: Path, **options: Any) -> Page:
        """Open a file, which is all that it may ask for."""
        page = self._new(**options)
        page.route(path.as_uri(), lambda route: route.continue_())
        page.goto(path.as_uri())
        return page

    def served(self, origin: str, path: str, **options: Any) -> Page:
        """Open a page of a server, which may ask that server alone."""
        page = self._new(**options)
        page.route(f"{origin}/**", lambda route: route.continue_())
        page.goto(f"{origin}{path}")
        return page

    def _new(
        self,
        *,
        width: int = 800,
        height: int = 600,
        scheme: Any = "light",
        scripts: bool = True,
        motion: Any = "no-preference",
    ) -> Page:
        context = self._browser.new_context(
            viewport={"width": width, "height": height},
            color_scheme=scheme,
            java_script_enabled=scripts,
            reduced_motion=motion,
        )
        self._contexts.append(context)
        page = context.new_page()
        page.on("console", lambda said: self.faults.append(f"{said.type}: {said.text}"))
        page.on("pageerror", lambda error: self.faults.append(f"error: {error}"))
        page.on("dialog", lambda dialog: self.faults.append(f"dialog: {dialog.message}"))
        page.route("**/*", self._refuse)
        return page

    def _refuse(self, route: Route) -> None:
        self.faults.append(f"request: {route.request.url}")
        route.abort()

    def close(self) -> None:
        """Close the pages."""
        for context in self._contexts:
            context.close()
