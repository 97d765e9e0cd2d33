"""How fast a live state takes events in and gives numbers out, and what it holds."""

import gc
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Iterable
from datetime import UTC, datetime
from math import isclose
from pathlib import Path
from threading import Thread
from typing import Any

import declared
import polars as pl
import pytest
from by_dicts import Dicts
from by_river import River
from form import Form
from pytest_benchmark.fixture import BenchmarkFixture
from race import OURS, Race, Side, best_peer
from results import Results, hold
from synthetic import AT_US, Ids, Size, log_of
from workloads import instant

import engagekit as ek

CONTACTS = 500_000
LOG = Size(10_000_000, CONTACTS)
KNOWN = Size(1_000_000, CONTACTS)
ADDS = 20_000
"""Events of a round, one by one."""
FASTER = 3.0
MOST_ADD = 0.8e-6
LEAST_INGESTED = {"integer": 15e6, "text": 5e6}
MOST_SCORE = 10e-6
MOST_SCORES = 1.0
MOST_PAUSE = 20e-3
MOST_BYTES = 260
MOST_GROWN = 1.0
"""Bytes that a contact may take after any number of further events, beyond what it took."""
MOST_EMPTY = 65_536

Event = tuple[int, str, datetime]


def events_of(log: pl.DataFrame) -> list[Event]:
    """Take a log apart, event by event."""
    times = [moment.replace(tzinfo=UTC) for moment in log["time"].to_list()]
    return list(zip(log["contact"].to_list(), log["type"].cast(pl.String).to_list(), times, strict=True))


def add_all(side: Any, events: Iterable[Event]) -> None:
    """Add events one by one."""
    add = side.add
    for contact, kind, moment in events:
        add(contact, kind, moment)


def live_of(log: pl.DataFrame) -> ek.Live:
    """Make a live state that has taken a log in."""
    live = ek.Live(declared.eight())
    live.ingest(log)
    return live


@pytest.fixture(scope="module")
def known(form: Form) -> pl.DataFrame:
    """Draw two events of each of half a million contacts."""
    return log_of(form.size(KNOWN), types=declared.EIGHT)


def test_add(
    benchmark: BenchmarkFixture, form: Form, results: Results, known: pl.DataFrame, guarded: bool
) -> None:
    """One event is in within a microsecond, beside plain Python and River that keep as many sums."""
    rounds = form.rounds(15)
    fresh = events_of(log_of(form.size(LOG), types=declared.EIGHT, seed=2).tail(rounds * ADDS))
    slices = [fresh[first : first + ADDS] for first in range(0, len(fresh), ADDS)]
    model = declared.eight()
    sides = {OURS: live_of(known), "dicts": Dicts(model), "River": River(model)}
    before = events_of(known)
    for peer in ("dicts", "River"):
        add_all(sides[peer], before)
    del before
    gc.freeze()  # millions of the peers' objects, which the collector would look through again and again
    try:
        runs = [Side(name, lambda number, side=side: add_all(side, slices[number]))
                for name, side in sides.items()]  # fmt: skip
        race = Race(runs, range(len(slices)))
        benchmark.group = "live: add"
        benchmark.pedantic(race.ours, setup=race.peers, rounds=rounds)
        assert_same(sides[OURS], sides["dicts"], [contact for contact, *_ in slices[-1][:200]])
        assert len(sides["River"].contacts) == sides[OURS].stats.contacts
        each = {name: taken / ADDS for name, taken in race.medians().items()}
        peer = best_peer(each)
        results.add(
            "live",
            "add",
            contacts=len(known) // 2,
            seconds=each,
            best_peer=peer,
            ratio=race.ratio,
            floor=FASTER,
            most=MOST_ADD,
        )
        print(f"\nadd: {', '.join(f'{name} {taken * 1e6:.2f} us' for name, taken in each.items())}")
        if guarded:
            results.add("live", "add", ratio=hold("live: add", race))
    finally:
        gc.unfreeze()
    if not form.short:
        assert race.ratio >= FASTER, f"{race.ratio:.1f} times as fast as {peer}"
        assert each[OURS] <= MOST_ADD, f"{each[OURS] * 1e6:.2f} us"


def assert_same(live: ek.Live, plain: Dicts, contacts: list[int]) -> None:
    """Assert that both say the same of these contacts."""
    at = datetime(2026, 6, 1, tzinfo=UTC)
    for contact in contacts:
        mine = live.score(contact, at).to_dict()
        for name, value in plain.score(contact, at).items():
            same = (
                mine[name] == value
                if isinstance(value, (int, str))
                else isclose(mine[name], value, abs_tol=1e-9)
            )
            assert same, f"contact {contact}, {name}: {mine[name]} and {value}"


@pytest.mark.parametrize("ids", LEAST_INGESTED)
def test_ingest(benchmark: BenchmarkFixture, form: Form, results: Results, ids: Ids) -> None:
    """Frames come in by the ten million events a second, and score as the batch scores them."""
    size = form.size(LOG)
    log = log_of(size, ids=ids, types=declared.EIGHT)
    lives: list[ek.Live] = []

    def run() -> None:
        lives[0].ingest(log)

    def fresh() -> None:
        lives[:] = [ek.Live(declared.eight())]
        gc.collect()

    benchmark.group = f"live: ingest, ids {ids}"
    benchmark.pedantic(run, setup=fresh, rounds=form.rounds(7))
    again = []
    for _ in range(form.rounds(7)):
        began = time.perf_counter()
        run()
        again.append(time.perf_counter() - began)
    fresh()
    run()
    expected = declared.eight().score(log, at=instant(AT_US)).frame
    got = lives[0].scores(at=datetime(2026, 1, 1, tzinfo=UTC)).frame
    assert got["contact"].equals(expected["contact"])
    for name in ("score", "momentum", "channel_web"):
        assert float((got[name] - expected[name]).abs().max() or 0.0) < 1e-9
    first = size.events / statistics.median(benchmark.stats.stats.data)
    later = size.events / statistics.median(again)
    results.add(
        "live",
        f"ingest, {ids}",
        events=size.events,
        contacts=size.contacts,
        first=first,
        later=later,
        floor=LEAST_INGESTED[ids],
    )
    print(f"\ningest, {ids}: {first / 1e6:.1f} M events/s of new contacts, {later / 1e6:.1f} of known ones")
    if not form.short:
        assert first >= LEAST_INGESTED[ids], f"{first / 1e6:.1f} M events/s"


def test_score(benchmark: BenchmarkFixture, form: Form, results: Results, known: pl.DataFrame) -> None:
    """One contact's row is there in some microseconds, whoever it is."""
    live = live_of(known)
    contacts = known["contact"].sample(2000, seed=3).to_list()
    at = datetime(2026, 1, 1, tzinfo=UTC)

    def run() -> float:
        score = live.score
        return sum(score(contact, at).score for contact in contacts)

    benchmark.group = "live: score"
    total = benchmark.pedantic(run, rounds=form.rounds(15), warmup_rounds=1)
    table = live.scores(at).frame
    wanted = dict(zip(table["contact"].to_list(), table["score"].to_list(), strict=True))
    assert isclose(total, sum(wanted[contact] for contact in contacts), rel_tol=1e-12)
    each = float(statistics.median(benchmark.stats.stats.data)) / len(contacts)
    results.add("live", "score", seconds=each, most=MOST_SCORE)
    print(f"\nscore(contact): {each * 1e6:.1f} us")
    if not form.short:
        assert each <= MOST_SCORE, f"{each * 1e6:.1f} us"


def test_scores(benchmark: BenchmarkFixture, form: Form, results: Results, known: pl.DataFrame) -> None:
    """All contacts are scored within a second, and as the batch scores them."""
    live = live_of(known)
    at = datetime(2026, 1, 1, tzinfo=UTC)
    benchmark.group = "live: scores"
    table = benchmark.pedantic(lambda: live.scores(at).frame, rounds=form.rounds(7), warmup_rounds=1)
    expected = declared.eight().score(known, at=instant(AT_US)).frame
    assert table["contact"].equals(expected["contact"])
    assert float((table["score"] - expected["score"]).abs().max() or 0.0) < 1e-9
    assert table["next_level"].cast(pl.String).equals(expected["next_level"].cast(pl.String))
    seconds = float(statistics.median(benchmark.stats.stats.data))
    results.add("live", "scores", contacts=table.height, seconds=seconds, most=MOST_SCORES)
    print(f"\nscores() of {table.height:,} contacts: {seconds:.2f} s")
    if not form.short:
        assert seconds <= MOST_SCORES, f"{seconds:.2f} s"


def test_pause(form: Form, results: Results, known: pl.DataFrame, folder: Path) -> None:
    """While one thread saves, another adds without a pause that anybody would notice, and nothing is lost."""
    live = live_of(known)
    fresh = events_of(log_of(form.size(LOG), types=declared.EIGHT, seed=2).tail(100_000))
    longest, saved = [], []
    for _ in range(5):
        saver = Thread(target=timed_save, args=(live, folder / "state", saved))
        most, count, before = 0.0, 0, live.stats.rows
        saver.start()
        while saver.is_alive():
            contact, kind, moment = fresh[count % len(fresh)]
            began = time.perf_counter()
            live.add(contact, kind, moment)
            most = max(most, time.perf_counter() - began)
            count += 1
        saver.join()
        assert live.stats.rows == before + count
        longest.append(most)
    loaded = ek.Live.load(folder / "state")
    assert before <= loaded.stats.rows <= live.stats.rows
    pause = statistics.median(longest)
    results.add(
        "live", "saving", contacts=live.stats.contacts, seconds=statistics.median(saved), pause=pause,
        longest=max(longest), bytes=(folder / "state").stat().st_size, most=MOST_PAUSE,
    )  # fmt: skip
    print(f"\nsaving {statistics.median(saved):.2f} s, the longest add meanwhile {pause * 1e3:.1f} ms")
    if not form.short:
        assert pause < MOST_PAUSE, f"{pause * 1e3:.1f} ms"


def timed_save(live: ek.Live, path: Path, seconds: list[float]) -> None:
    """Save, and note how long that took."""
    began = time.perf_counter()
    live.save(path)
    seconds.append(time.perf_counter() - began)


def test_memory(form: Form, results: Results) -> None:
    """A contact takes a few hundred bytes, however many events it has, and an empty state next to nothing."""
    contacts, further = (CONTACTS // 10, 10**6) if form.short else (CONTACTS, 10**8)
    program = str(Path(__file__).with_name("live_memory.py"))
    call = [sys.executable, program, str(contacts), str(further)]
    told = json.loads(subprocess.run(call, check=True, stdout=subprocess.PIPE).stdout)
    results.add(
        "live", "memory", contacts=contacts, further_events=further, most=MOST_BYTES, most_further=MOST_GROWN,
        most_empty=MOST_EMPTY, **told,
    )  # fmt: skip
    print(f"\na contact {told['contact']:.0f} bytes, {told['further']:.1f} more after {further:,} events, "
          f"its id {told['ids']:.0f}; an empty state {told['empty'] / 1024:.0f} KiB")  # fmt: skip
    if not form.short:  # of few contacts a page more or less is much
        assert told["contact"] <= MOST_BYTES
        assert told["further"] <= MOST_GROWN
        assert told["empty"] <= MOST_EMPTY
