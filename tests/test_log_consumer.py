"""The example of a consumer: however often it is killed, every event of the log counts once."""

import os
import random
import signal
import subprocess
import sys
import time

import log_consumer
import polars as pl
import pytest
from living import assert_same

import engagekit as ek

KILLS = int(os.environ.get("ENGAGEKIT_KILLS", "4"))
EVENTS = 8_000
PATIENCE = 60.0


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    """Write the log of the first shipped events."""
    path = tmp_path_factory.mktemp("log") / "events.jsonl"
    log_consumer.write_log(path)
    lines = path.read_bytes().splitlines(keepends=True)[:EVENTS]
    path.write_bytes(b"".join(lines))
    return path


def assert_the_batch_s(state):
    """Assert that a state has every event once, and the numbers of the whole table."""
    live = ek.Live.load(state)
    assert live.stats.rows == EVENTS
    expected = live.model.score(pl.read_parquet(log_consumer.EVENTS).head(EVENTS), at="latest")
    assert_same(live.scores(at="latest"), expected, live.model.to_dict(), key="contact_id")


def until_saved(state, process):
    """Wait until a running consumer has saved something new."""
    before = state.stat().st_ino if state.exists() else None
    until = time.monotonic() + PATIENCE
    while process.poll() is None and time.monotonic() < until:
        if state.exists() and state.stat().st_ino != before:
            return
        time.sleep(0.005)
    pytest.fail(f"nothing was saved; the consumer ended with {process.poll()}")


def test_killed_and_started_again_it_counts_every_event_once(log, tmp_path):
    """Killed at random while the log grows, the consumer ends with exactly the batch's numbers."""
    whole, growing, state = log.read_bytes(), tmp_path / "events.jsonl", tmp_path / "state"
    draw = random.Random(11)
    command = [sys.executable, log_consumer.__file__, growing, "--state", state, "--at-once", "100"]
    for turn in range(KILLS):
        # what has been written ends anywhere, in the middle of a line as a rule
        growing.write_bytes(whole[: len(whole) * (turn + 1) // (KILLS + 1)])
        with subprocess.Popen([*command, "--every", "10ms", "--follow"]) as process:
            until_saved(state, process)
            time.sleep(draw.uniform(0, 0.1))
            process.kill()
        assert process.returncode == -signal.SIGKILL
    growing.write_bytes(whole)
    last = subprocess.run(command, capture_output=True, text=True, check=True)
    assert f"from {EVENTS:,} events" in last.stdout
    assert sorted(path.name for path in tmp_path.iterdir()) == ["events.jsonl", "state"]
    assert_the_batch_s(state)


def test_it_stops_politely(log, tmp_path):
    """Asked to end it saves once more, though its time to save has not come: whole events, and how many."""
    state = tmp_path / "state"
    command = [sys.executable, log_consumer.__file__, log, "--state", state, "--at-once", "50", "--follow"]
    with subprocess.Popen([*command, "--every", "1h"], stdout=subprocess.PIPE, text=True) as process:
        assert "from byte 0" in process.stdout.readline()
        time.sleep(0.1)
        process.terminate()
    assert process.returncode == 0
    live = ek.Live.load(state)
    assert live.stats.rows == log.read_bytes()[: live.position or 0].count(b"\n")


def test_lines_without_an_end_wait(tmp_path):
    """What is still being written of the last line is read when it is whole."""
    path = tmp_path / "log"
    line = b'{"contact_id": "a", "event_type": "purchase", "timestamp": "2026-01-01", "value": 3}\n'
    path.write_bytes(line + line[:40])
    live = ek.Live(ek.Model.load(log_consumer.MODEL))
    log_consumer.consume(path, live, at_once=10)
    assert (live.position, live.stats.rows) == (len(line), 1)
    path.write_bytes(line * 3)
    log_consumer.consume(path, live, at_once=1)
    assert (live.position, live.stats.rows) == (3 * len(line), 3)


@pytest.mark.parametrize("line", [b"{", b"[]", b"{}", b'{"timestamp": "soon"}', b'{"timestamp": 5}', b"\xff"])
def test_what_is_no_event_is_shown(tmp_path, line):
    """A line that is no event ends the consumer, which says where it is; what came before has counted."""
    path = tmp_path / "log"
    good = b'{"contact_id": "a", "event_type": "purchase", "timestamp": "2026-01-01"}\n'
    path.write_bytes(good + line + b"\n")
    live = ek.Live(ek.Model.load(log_consumer.MODEL))
    with pytest.raises(SystemExit, match=f"behind byte {len(good)}: expected an event"):
        log_consumer.consume(path, live, at_once=1)
    assert live.position == len(good)


def test_another_model_is_refused(tmp_path):
    """A state made with another model is not counted on."""
    ek.Live(ek.presets.load("saas")).save(tmp_path / "state")
    with pytest.raises(SystemExit, match="made with another model"):
        log_consumer.opened(tmp_path / "state", ek.Model.load(log_consumer.MODEL))
