"""The routes: events and attributes come in, cards and changes go out."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import datetime
from typing import Any

from starlette.applications import Starlette
from starlette.convertors import PathConvertor, register_url_convertor
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

import engagekit as ek
from crm_card.keeper import Keeper
from crm_card.page import Page

MOST_BYTES = 1 << 20
"""Of the body of a request."""
MOST_WAITING = 1000
"""Messages that a reader of the stream may be behind; then it is let go, and comes again."""
HEARTBEAT = 15.0
"""Seconds after which a silent stream says that it is still there."""


class IdConvertor(PathConvertor):
    """A contact's id in a path: any characters at all, slashes and ends of lines too."""

    regex = "(?s:.*)"


register_url_convertor("id", IdConvertor())


class BadRequestError(Exception):
    """A request that says nothing sensible; its text says what was expected."""


class Changes:
    """Those who read the stream, each with a queue."""

    def __init__(self) -> None:
        self._readers: dict[asyncio.Queue[str | None], str | None] = {}

    def tell(self, kind: str, row: dict[str, Any]) -> None:
        """Tell all who read of everybody, or of this contact; who does not keep up is let go."""
        for reader, contact in list(self._readers.items()):
            if contact not in (None, row["contact"]):
                continue
            if reader.qsize() >= MOST_WAITING:
                del self._readers[reader]
                reader.put_nowait(None)
            else:
                reader.put_nowait(f"event: {kind}\ndata: {json.dumps(row)}\n\n")

    async def read(self, contact: str | None) -> AsyncIterator[str]:
        """Give messages as they come; those of a contact, or all."""
        queue: asyncio.Queue[str | None] = asyncio.Queue()
        self._readers[queue] = contact
        try:
            yield ": here you are\n\n"
            while True:
                try:
                    message = await asyncio.wait_for(queue.get(), HEARTBEAT)
                except TimeoutError:
                    message = ": still here\n\n"
                if message is None:
                    return
                yield message
        finally:
            self._readers.pop(queue, None)


class App:
    """The routes, and what goes on behind them.

    Parameters
    ----------
    opened
        Called when the app starts, for the keeper.
    every
        Seconds between saves.
    """

    def __init__(self, opened: Callable[[], Keeper], every: float) -> None:
        self._opened = opened
        self._every = every
        self._changes = Changes()
        self._happened = asyncio.Event()
        self._saving = asyncio.Lock()

    def routes(self) -> list[Route]:
        """List the routes; a contact's id may have slashes in it."""
        return [
            Route("/events", self.post_events, methods=["POST"]),
            Route("/contacts/{contact:id}", self.get_contact, methods=["GET"]),
            Route("/contacts/{contact:id}", self.post_attributes, methods=["POST"]),
            Route("/contacts/{contact:id}", self.delete_contact, methods=["DELETE"]),
            Route("/changes", self.get_changes, methods=["GET"]),
        ]

    @asynccontextmanager
    async def lifespan(self, _: Starlette) -> AsyncIterator[None]:
        """Load the state, save and react while requests come, and save once more."""
        self._keeper = self._opened()
        self._page = Page(self._keeper.live.model)
        tasks = [asyncio.create_task(self._save())]
        if self._keeper.live.model.triggers:
            tasks.append(asyncio.create_task(self._react()))
        yield
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        async with self._saving:
            self._keeper.close()

    async def post_events(self, request: Request) -> Response:
        """Take in an event, or a list of them; all or none."""
        body = await json_of(request)
        rows = body if isinstance(body, list) else [body]
        for number, row in enumerate(rows):
            refuse_no_event(row, f"event {number}" if isinstance(body, list) else "event")
        if rows:
            self._keeper.events(rows)
        for contact in dict.fromkeys(row["contact"] for row in rows):
            self._tell(contact)
        return JSONResponse({"accepted": len(rows)}, 202)

    async def post_attributes(self, request: Request) -> Response:
        """Take in what is known of a contact."""
        known = await json_of(request)
        if not isinstance(known, dict):
            raise BadRequestError('attributes: expected an object such as {"employees": 80}')
        self._keeper.attributes(request.path_params["contact"], known)
        self._tell(request.path_params["contact"])
        return Response(status_code=204)

    async def get_contact(self, request: Request) -> Response:
        """Answer with everything that a card shows; behind ``/card`` with the card itself.

        A slash in an id may be written as it is; before a last ``card`` that belongs to the id, as ``%2F``.
        """
        contact, shown = request.path_params["contact"], request.scope["raw_path"].endswith(b"/card")
        if shown:
            contact = contact.removesuffix("/card")
        row = self._keeper.row(contact)
        if row is None:
            return JSONResponse({"error": f"contact {contact!r}: nobody knows it"}, 404)
        return self._page.answer(request, self._keeper.live.card(contact)) if shown else JSONResponse(row)

    async def delete_contact(self, request: Request) -> Response:
        """Erase a contact, from the disk too; who is not known is erased already."""
        contact = request.path_params["contact"]
        async with self._saving:
            self._keeper.erase(contact)
        self._changes.tell("erased", {"contact": contact})
        return Response(status_code=204)

    async def get_changes(self, request: Request) -> Response:
        """Stream what changes, as server-sent events: of the contact that the query names, or of all."""
        found = self._changes.read(request.query_params.get("contact"))
        return StreamingResponse(found, media_type="text/event-stream")

    def _tell(self, contact: str) -> None:
        row = self._keeper.row(contact)
        if row is not None:
            self._changes.tell("score", row)
        self._happened.set()

    async def _save(self) -> None:
        """Save again and again, in a thread: requests are answered meanwhile."""
        while True:
            await asyncio.sleep(self._every)
            async with self._saving:
                begun = self._keeper.begin_save()
                with suppress(OSError):  # a full disk: the journal, which grows on, says so to who posts
                    await asyncio.to_thread(self._keeper.finish_save, begun)

    async def _react(self) -> None:
        """React when something has happened, and when time alone changes something."""
        while True:
            self._happened.clear()
            with suppress(ek.StateError):  # the machine's clock was set back: it will be later again
                for row in self._keeper.react():
                    self._changes.tell("reaction", row)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._happened.wait(), self._keeper.seconds_until_due())
            await asyncio.sleep(0.05)  # one look for all that comes at once


async def json_of(request: Request) -> Any:
    """Read the body of a request."""
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > MOST_BYTES:
            raise BadRequestError(f"body: expected at most {MOST_BYTES:,} bytes")
    try:
        return json.loads(bytes(body))
    except (ValueError, RecursionError) as error:
        raise BadRequestError(f"body: expected JSON: {error}") from None


def refuse_no_event(row: Any, what: str) -> None:
    """Raise an error for what is no event at all; the rest is said by the live state."""
    if not isinstance(row, dict):
        raise BadRequestError(f"{what}: expected an object, got {row!r}")
    for name in ("contact", "type"):
        if not isinstance(row.get(name), str) or not row[name]:
            raise BadRequestError(f"{what}: {name!r}: expected text, got {row.get(name)!r}")
    try:
        datetime.fromisoformat(row.get("time") or "2026-01-01")
    except (TypeError, ValueError):
        raise BadRequestError(
            f"{what}: 'time': expected an instant such as '2026-01-31T12:00:00Z', got {row['time']!r}"
        ) from None


async def refused(_: Request, error: Exception) -> Response:
    """Answer to what cannot be taken in: 400, and why."""
    return JSONResponse({"error": str(error)}, 400)


async def failed(_: Request, error: Exception) -> Response:
    """Answer when the disk does not take what was sent: 503; it has not been accepted."""
    return JSONResponse({"error": f"nothing can be written: {error}"}, 503)


def create(opened: Callable[[], Keeper], *, every: float = 5.0) -> Starlette:
    """Make the app."""
    app = App(opened, every)
    handlers = {BadRequestError: refused, ek.EngagekitError: refused, OSError: failed}
    return Starlette(routes=app.routes(), lifespan=app.lifespan, exception_handlers=handlers)
