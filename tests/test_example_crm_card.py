"""The example of a web app: what was accepted survives a crash, changes are streamed, the erased are gone."""

import http.client
import json
import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import crm_card
import pytest
from crm_card.journal import Journal
from crm_card.keeper import Keeper

import engagekit as ek

MODEL = Path(crm_card.__file__).with_name("model.toml")


class Server:
    """The app as a process, and how to speak with it."""

    def __init__(self, folder, every):
        command = [sys.executable, "-m", "crm_card", "--folder", folder, "--port", "0", "--every", str(every)]
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, text=True, cwd=MODEL.parent.parent, env=environment()
        )
        self.place = urlsplit(self.process.stdout.readline().strip())

    def ask(self, method, path, body=None):
        """Send a request; return the status and what was answered."""
        connection = http.client.HTTPConnection(self.place.hostname, self.place.port, timeout=30)
        text = body if isinstance(body, (bytes, type(None))) else json.dumps(body)
        connection.request(method, path, text)
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        return answer.status, json.loads(content) if content else None

    @contextmanager
    def listening(self):
        """Give an iterator over the events of the stream, each as (kind, row)."""
        connection = http.client.HTTPConnection(self.place.hostname, self.place.port, timeout=30)
        connection.request("GET", "/changes")
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

    def start(every=3600):
        running.append(Server(tmp_path / "state", every))
        return running[-1]

    yield start
    for server in running:
        server.process.kill()
        server.process.stdout.close()
        server.process.wait()


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
