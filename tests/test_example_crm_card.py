"""The example of a web app: what was accepted survives a crash, changes are streamed, the erased are gone."""

import http.client
import json
import os
import re
import signal
import subprocess
import sys
from contextlib import contextmanager
from html import unescape
from pathlib import Path
from urllib.parse import parse_qs, quote, urlsplit

import crm_card
import pytest
from crm_card.journal import Journal
from crm_card.keeper import Keeper
from crm_card.page import digest
from markup import PIECES, Reader

import engagekit as ek

MODEL = Path(crm_card.__file__).with_name("model.toml")


class Server:
    """The app as a process, and how to speak with it."""

    def __init__(self, folder, every=3600, port=0):
        command = [sys.executable, "-m", "crm_card", "--folder", folder]
        command += ["--port", str(port), "--every", str(every)]
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, text=True, cwd=MODEL.parent.parent, env=environment()
        )
        self.place = urlsplit(self.process.stdout.readline().strip())

    def ask(self, method, path, body=None):
        """Send a request; return the status and what was answered as JSON."""
        status, _, content = self.fetch(method, path, body)
        return status, json.loads(content) if content else None

    def fetch(self, method, path, body=None):
        """Send a request; return the status, the headers and the bytes of the answer."""
        connection = http.client.HTTPConnection(self.place.hostname, self.place.port, timeout=30)
        text = body if isinstance(body, (bytes, type(None))) else json.dumps(body)
        connection.request(method, path, text)
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        return answer.status, dict(answer.getheaders()), content

    @contextmanager
    def listening(self, query=""):
        """Give an iterator over the events of the stream, each as (kind, row)."""
        connection = http.client.HTTPConnection(self.place.hostname, self.place.port, timeout=30)
        connection.request("GET", f"/changes{query}")
        answer = connection.getresponse()
        assert answer.getheader("content-type").startswith("text/event-stream")
        assert answer.readline().startswith(b": ")
        yield messages(answer)
        connection.close()

    def end(self, how):
        """Send a signal, and wait for the end."""
        self.process.send_signal(how)
        self.process.stdout.close()
        return self.process.wait(30)

    def kill(self):
        """End what still runs."""
        if not self.process.stdout.closed:
            self.end(signal.SIGKILL)


def messages(answer):
    """Read (kind, row) from a stream."""
    kind = None
    for line in answer:
        name, _, value = line.decode().rstrip("\n").partition(": ")
        if name == "event":
            kind = value
        elif name == "data":
            yield kind, json.loads(value)


def environment():
    """Let the process find the package that is tested."""
    return os.environ | {"PYTHONPATH": str(Path(ek.__file__).parents[1])}


@pytest.fixture
def started(tmp_path):
    """Give a function that starts the app in a folder that stays; what still runs at the end is killed."""
    running = []

    def start(**options):
        running.append(Server(tmp_path / "state", **options))
        return running[-1]

    yield start
    for server in running:
        server.kill()


def event(contact, type="demo_request", **more):
    """Make an event."""
    return {"contact": contact, "type": type} | more


def test_what_was_accepted_survives_a_crash(started, tmp_path):
    """Killed and started again, before a save or after, the app knows all that it accepted, once."""
    server, right = started(every=0.05), 0
    for turn in range(2):
        for number in range(8):
            assert server.ask("POST", "/events", event("ann", "login", id=f"{turn}-{number}"))[0] == 202
            right += 1
        assert server.ask("POST", "/contacts/ann", {"employees": 80 + turn})[0] == 204
        assert server.end(signal.SIGKILL) == -signal.SIGKILL
        server = started(every=0.05 if turn == 0 else 3600)
        status, row = server.ask("GET", "/contacts/ann")
        assert (status, row["events"], row["fit"]) == (200, right, 60.0)
        again = server.ask("POST", "/events", event("ann", "login", id=f"{turn}-0"))
        assert again == (202, {"accepted": 1})
        assert server.ask("GET", "/contacts/ann")[1]["events"] == right
    assert server.end(signal.SIGTERM) in {0, -signal.SIGTERM}
    assert ek.Live.load(tmp_path / "state" / "state.live").score("ann").events == right


def test_changes_are_streamed(started):
    """Who listens is told of every contact that changes, and of a trigger that fires."""
    server = started()
    server.ask("POST", "/events", event("bob", "page_view", url="/"))
    with server.listening() as stream:
        server.ask("POST", "/events", [event("ann"), event("ann")])
        kind, row = next(stream)
        assert (kind, row["contact"], row["events"]) == ("score", "ann", 2)
        kind, row = next(stream)
        assert (kind, row["contact"], row["trigger"]) == ("reaction", "ann", "call")
        server.ask("DELETE", "/contacts/ann")
        assert next(stream) == ("erased", {"contact": "ann"})


def test_a_stream_of_one_contact(started):
    """Who asks for the changes of a contact, whatever its id, is told of nobody else."""
    server, who = started(), "a&contact=bob/ä b"
    server.ask("POST", "/events", event("bob", "page_view", url="/"))
    with server.listening(f"?contact={quote(who, safe='')}") as stream:
        server.ask("POST", "/events", [event("bob"), event(who)])
        assert next(stream)[1]["contact"] == who
        server.ask("DELETE", "/contacts/bob")
        server.ask("DELETE", f"/contacts/{quote(who)}")
        assert next(stream) == ("erased", {"contact": who})


def card_of(server, contact, query=""):
    """Ask for the card of a contact; return the headers and the markup."""
    status, headers, content = server.fetch("GET", f"/contacts/{quote(contact, safe='')}/card{query}")
    assert (status, headers["content-type"]) == (200, "text/html; charset=utf-8")
    return headers, content.decode()


def held(markup, tag):
    """Return what the elements of a name hold that have no attributes, as it is written."""
    return re.findall(f"<{tag}>(.*?)</{tag}>", markup, re.DOTALL)


def test_a_card_is_a_page_or_a_part_of_one(started):
    """The page holds the card and a script; bare it is the card's one element; nobody's is not found."""
    server = started()
    server.ask("POST", "/events", event("ann"))
    bare, card = card_of(server, "ann", "?bare")
    headers, page = card_of(server, "ann")
    tags = [tag for tag, _ in Reader(card).tags]
    assert (tags[0], tags.count("article"), tags.count("script")) == ("article", 1, 0)
    assert (held(page, "title")[0], len(held(page, "script")), page.count("<article")) == ("ann", 1, 1)
    for answer in (bare, headers):
        assert dict(part.split(" ", 1) for part in answer["content-security-policy"].split("; ")) == {
            "default-src": "'none'",
            "script-src": digest(held(page, "script")[0]),
            "style-src": " ".join(digest(style) for style in reversed(held(page, "style"))),
            "connect-src": "'self'",
            "base-uri": "'none'",
            "form-action": "'none'",
            "frame-ancestors": "'self'",
        }
        others = ("cache-control", "referrer-policy", "x-content-type-options")
        assert [answer[name] for name in others] == ["no-store", "no-referrer", "nosniff"]
    assert held(card, "style") == held(page, "style")[1:]
    assert server.ask("GET", "/contacts/bob/card") == (404, {"error": "contact 'bob': nobody knows it"})


def test_hostile_ids_stay_text(started):
    """Whatever an id holds, its page has the elements of everybody's, and asks for the changes of that id."""
    server = started()
    whole = [each for each in PIECES if each != "\ud800"]
    whole += ["".join(whole[:20]), "a&contact=bob#?/%2F", "../card"]
    server.ask("POST", "/events", [event(contact) for contact in ["ann", *whole]])
    usual = [tag for tag, _ in Reader(card_of(server, "ann")[1]).tags]
    for contact in whole:
        _, page = card_of(server, contact)
        tags = Reader(page).tags
        assert [tag for tag, _ in tags] == usual, contact
        assert not [name for _, attributes in tags for name in attributes if name.startswith("on")], contact
        assert unescape(held(page, "title")[0]) == contact[:80], contact
        changes = next(attributes["data-changes"] for tag, attributes in tags if tag == "main")
        assert parse_qs(urlsplit(changes).query, strict_parsing=True) == {"contact": [contact]}


def test_an_id_may_end_like_a_route(started):
    """A contact whose id ends in /card is told from the card of another by how the slash is written."""
    server = started()
    server.ask("POST", "/events", [event("ann"), event("ann/card", "login")])
    assert server.ask("GET", "/contacts/ann%2Fcard")[1]["contact"] == "ann/card"
    assert b"<title>ann</title>" in server.fetch("GET", "/contacts/ann/card")[2]
    assert b"<title>ann/card</title>" in server.fetch("GET", "/contacts/ann/card/card")[2]


def test_the_erased_are_in_no_file(started, tmp_path):
    """When an erasure has been answered no byte of the contact, whatever its id, is on the disk."""
    server, path = started(), "/contacts/Annabelle/b%20%C3%A9"
    server.ask("POST", "/events", [event("Annabelle/b é"), event("bob")])
    server.ask("POST", path, {"industry": "software"})
    assert server.ask("GET", path)[1]["grade"] == "C"
    assert server.ask("DELETE", path) == (204, None)
    held = b"".join(path.read_bytes() for path in (tmp_path / "state").iterdir())
    assert b"Annabelle" not in held
    assert b"bob" in held
    server.end(signal.SIGKILL)
    server = started()
    assert server.ask("GET", path)[0] == 404
    assert server.ask("GET", "/contacts/bob")[1]["events"] == 1


BAD = [
    ("POST", "/events", b"{", 400, "expected JSON"),
    ("POST", "/events", b"[" * 100_000, 400, "expected JSON"),
    ("POST", "/events", b" " * (1 << 20) + b"[]", 400, "at most 1,048,576 bytes"),
    ("POST", "/events", 5, 400, "event: expected an object"),
    (
        "POST",
        "/events",
        [event("ann"), {"type": "login"}],
        400,
        "event 1: 'contact': expected text, got None",
    ),
    ("POST", "/events", event(7), 400, "'contact': expected text, got 7"),
    ("POST", "/events", event("ann", time="soon"), 400, "'time': expected an instant"),
    ("POST", "/events", event("ann", time=5), 400, "'time': expected an instant"),
    ("POST", "/events", event("ann", url={"a": 1}), 400, "url"),
    ("POST", "/contacts/ann", [1], 400, "attributes: expected an object"),
    ("POST", "/contacts/ann", {"employees": [1]}, 400, "employees"),
    ("GET", "/contacts/nobody", None, 404, "nobody knows it"),
]


def test_bad_input_is_answered_and_changes_nothing(started):
    """What cannot be understood is answered with why, leaves everything as it was, and so after a restart."""
    server = started()
    server.ask("POST", "/events", event("ann", url="/a"))
    server.ask("POST", "/contacts/ann", {"employees": 80})
    before = server.ask("GET", "/contacts/ann")[1]
    for method, path, body, status, text in BAD:
        found, answer = server.ask(method, path, body)
        assert (found, text in answer["error"]) == (status, True), (path, body, found, answer)
    server.end(signal.SIGKILL)
    server = started()
    after = server.ask("GET", "/contacts/ann")[1]
    same = ("events", "first_event", "last_event", "fit", "level")
    assert [after[name] for name in same] == [before[name] for name in same]


@pytest.fixture
def opened():
    """Give a function that opens a keeper; at the end none has saved, as if the machine had stopped."""
    keepers = []

    def open_in(folder):
        keepers.append(Keeper(folder, ek.Model.load(MODEL)))
        return keepers[-1]

    yield open_in
    for keeper in keepers:
        keeper._journal.close()


def test_half_a_line_was_never_accepted(opened, tmp_path):
    """What a kill left of a line in the journal is not read, and what came before is."""
    keeper = opened(tmp_path)
    keeper.events([event("ann")])
    (part,) = tmp_path.glob("journal-*.jsonl")
    part.write_bytes(part.read_bytes() + b'{"events": [{"contact": "bo')
    again = opened(tmp_path)
    assert (again.row("ann")["events"], again.live.stats.rows) == (1, 1)


def test_a_full_disk_accepts_nothing(opened, tmp_path, monkeypatch):
    """When the journal cannot be flushed the entry does not count, now or after a restart."""
    keeper = opened(tmp_path)
    keeper.events([event("ann")])
    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", lambda _: (_ for _ in ()).throw(OSError("full")))
        with pytest.raises(OSError, match="full"):
            keeper.events([event("bob")])
    keeper.events([event("cleo")])
    for each in (keeper, opened(tmp_path)):
        assert [each.row(who) is not None for who in ("ann", "bob", "cleo")] == [True, False, True]


def test_a_position_is_a_place_in_the_journal(tmp_path):
    """What lies behind any position is read in order, across parts; parts before it can be dropped."""
    journal, positions = Journal(tmp_path), []
    for number in range(6):
        positions.append(journal.write({"n": number}))
        if number % 2:
            begun = journal.begin()
    for number, position in enumerate(positions):
        assert [entry["n"] for entry, _ in journal.behind(position)] == list(range(number + 1, 6))
    assert [position for _, position in journal.behind(None)] == positions
    journal.drop(begun)
    assert list(journal.behind(None)) == []
    journal.close()
