"""Streams that are kept on disk: the same bits as in memory, and nothing left behind however it ends."""

import errno
import os
import subprocess
import sys
import tempfile
import textwrap
import threading
import time
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from agreement import EVENT_COLUMNS, assert_agrees, score_case
from hypothesis import given
from hypothesis import strategies as st
from shapes import Shape, frame_of, frames_of, moment, shapes
from strategies import cases

import engagekit as ek
from engagekit import batch, datafiles, partitions, running, streams
from engagekit.datafiles.ahead import read_ahead
from engagekit.errors import EngagekitError, EventsError

POINTS = {"name": "r", "on": "visit", "points": 2, "amount": {"field": "value"}}
MODEL = ek.Model.from_dict({"rules": [POINTS, {"name": "demo", "on": "demo", "points": 7}]})
AT = "2026-03-01"


@pytest.fixture
def on_disk(monkeypatch):
    """Keep every stream on disk from its second frame on, a block a frame."""
    monkeypatch.setattr(partitions, "HELD", 0)
    monkeypatch.setattr(partitions, "BLOCK", 0)


@pytest.fixture
def folder(monkeypatch, tmp_path):
    """Name an empty folder for temporary files."""
    path = tmp_path / "room"
    path.mkdir()
    monkeypatch.setenv("TMPDIR", str(path))
    return path


class Stored:
    """Within it streams of more rows than `rows` lie on disk, and how many did is counted.

    Contacts go to the partitions one by one, or with fewer `rounds` several at a time.
    """

    def __init__(self, rows, block, rounds=partitions.ROUNDS):
        self.patch = pytest.MonkeyPatch()
        width = partitions.width(1, ids=False)
        self.bounds = {"HELD": rows * width, "BLOCK": block * width, "ROUNDS": rounds}
        self.made = 0

    def __enter__(self):
        for name, bound in self.bounds.items():
            self.patch.setattr(partitions, name, bound)
        make = partitions.Partitions

        def counted(*arguments):
            self.made += 1
            return make(*arguments)

        self.patch.setattr(partitions, "Partitions", counted)
        return self

    def __exit__(self, *_):
        self.patch.undo()


def events_of(count=3000, contacts=700, seed=1, **columns):
    """Draw events of a year."""
    rng = np.random.default_rng(seed)
    times = np.datetime64("2025-01-01", "us") + rng.integers(0, 400 * 86_400, count) * 10**6
    return pl.DataFrame(
        {
            "contact": rng.integers(0, contacts, count),
            "type": rng.choice(["visit", "demo", "mail"], count),
            "time": times,
            "value": rng.choice([1.0, 2.5, 0.1], count),
            **columns,
        }
    )


def parts_of(frame, rows=500):
    """Cut a frame into a stream."""
    return (frame[start : start + rows] for start in range(0, len(frame), rows))


def assert_same(one, other):
    """Assert that two results have the same bits, counts, notes and instant."""
    assert one.stats == other.stats
    assert one.notes == other.notes
    assert one.at == other.at
    mine, theirs = one.columns(), other.columns()
    assert list(mine) == list(theirs)
    for name, values in mine.items():
        assert values.dtype == theirs[name].dtype, name
        if values.dtype == object:
            assert values.tolist() == theirs[name].tolist(), name
        else:
            assert values.tobytes() == theirs[name].tobytes(), name


# --- the same numbers --------------------------------------------------------------------------------------


@given(cases(), st.data())
def test_on_disk_as_in_memory(case, data):
    """Any model, any events in any pieces: what was on disk has the bits of what was in memory."""
    shape = data.draw(shapes(case.grain, ["pandas", "polars", "pyarrow", "dict"]))
    shape = Shape(**{**vars(shape), "parts": data.draw(st.integers(2, 6))})
    threads = data.draw(st.sampled_from([1, 3]))
    whole = score_case(case, shape)
    rounds = data.draw(st.sampled_from([partitions.ROUNDS, 1 - partitions.BITS]))
    with Stored(data.draw(st.integers(0, 20)), data.draw(st.integers(0, 10)), rounds):
        stored = score_case(case, shape, threads=threads)
    assert_same(stored, whole)
    assert_agrees(stored, case)


@given(cases(), st.data())
def test_options_on_disk_as_in_memory(case, data):
    """Features, "latest" and rows of instants are the same on disk."""
    shape = Shape(**{**vars(data.draw(shapes(case.grain, ["polars", "pyarrow"]))), "parts": 4})
    model = ek.Model.from_dict(case.model)
    keys = [event["contact"] for event in case.events[:5]] + [case.events[0]["contact"]]
    instants = [{"contact": key, "at": case.at - 86_400_000_000 * n} for n, key in enumerate(keys)]
    at = frame_of(instants, ["contact", "at"], Shape(kind=shape.kind))

    def all_ways():
        def events():
            return frames_of(case.events, EVENT_COLUMNS, shape)

        yield model.score(events(), at="latest", id=case.id)
        yield model.score(events(), at=at, id=case.id)
        features = model.features(events(), at=moment(case.at), id=case.id)
        yield pa.table(features).to_pydict()
        yield pa.table(model.features(events(), at=at, id=case.id)).to_pydict()

    whole = list(all_ways())
    with Stored(0, 0, data.draw(st.sampled_from([partitions.ROUNDS, 1 - partitions.BITS]))):
        stored = list(all_ways())
    for one, other in zip(stored[:2], whole[:2], strict=True):
        assert_same(one, other)
    assert repr(stored[2:]) == repr(whole[2:])


@pytest.mark.parametrize("ids", ["text", "integer"])
@pytest.mark.parametrize("key", ["text", "integer"])
@pytest.mark.parametrize("at", [AT, "latest"])
def test_many_contacts_and_ids(ids, key, at):
    """Thousands of contacts in all partitions, duplicates between blocks, ids that are null, at first all."""
    frame = events_of(id=np.random.default_rng(2).integers(0, 5, 3000))
    if key == "text":
        frame = frame.with_columns(contact=pl.format("contact {}", "contact"))
    if ids == "text":
        frame = frame.with_columns(id=pl.format("event {}", "id"))
    row = pl.int_range(pl.len())
    frame = frame.with_columns(id=pl.when((row % 7 > 0) & (row >= 600)).then("id"))
    whole = MODEL.score(frame, at=at, id="id")
    with Stored(0, 0) as stored:
        assert_same(MODEL.score(parts_of(frame), at=at, id="id"), whole)
    assert stored.made == 1
    assert whole.stats.duplicates > 100


@pytest.mark.usefixtures("on_disk")
def test_codes_beyond_16_bits(monkeypatch):
    """Where a partition may have more contacts than 16 bits can tell apart, codes are written as 32."""
    monkeypatch.setattr(partitions, "RUN", 17)
    monkeypatch.setattr(partitions, "ROUNDS", -17)
    kinds, write = set(), partitions.Partitions._write

    def watched(self, block, key, parts, places):
        write(self, block, key, parts, places)
        kinds.add(block.columns["code", ""][0])

    whole = MODEL.score(events_of(), at=AT)
    monkeypatch.setattr(partitions.Partitions, "_write", watched)
    assert_same(MODEL.score(parts_of(events_of()), at=AT), whole)
    assert kinds == {np.dtype(np.int32)}


def test_kinds_that_change():
    """Types that appear late, empty frames, a column that is null at first, whole numbers amid others."""
    frames = [
        events_of(300, seed=1).drop("value").with_columns(value=pl.lit(None)),
        events_of(0),
        events_of(300, seed=2).with_columns(value=pl.lit(3), type=pl.lit("late")),
        events_of(300, seed=3).with_columns(contact=pl.col("contact").cast(pl.UInt16)),
        events_of(300, seed=4).with_columns(value=pl.lit(None, pl.Float64)),
    ]
    model = ek.Model.from_dict({"rules": [POINTS, {**POINTS, "name": "s", "on": "late"}]})
    whole = model.score(iter(frames), at=AT)
    with Stored(0, 0):
        assert_same(model.score(iter(frames), at=AT), whole)
    assert whole.stats.null_amounts > 0


def test_many_texts():
    """A context column of more texts than a partition will look at is numbered anew in each."""
    pages = [f"/page/{number}" for number in range(12_000)]
    frame = events_of(12_000, page=pages)
    where = {"page": {"ends_with": "7"}}
    rule = {"name": "r", "on": "visit", "points": 2, "where": where, "weights": {"page": {"/page/17": 3}}}
    model = ek.Model.from_dict({"rules": [rule]})
    whole = model.score(frame, at=AT)
    with Stored(0, 0):
        assert_same(model.score(parts_of(frame), at=AT), whole)


def test_contacts_table():
    """Contacts without an event come last, in the table's order; `customer_since` is known of all."""
    since = np.datetime64("2025-06-01", "us")
    contacts = {"contact": np.arange(690, 720), "customer_since": np.full(30, since)}
    frame = events_of()
    whole = MODEL.score(frame, at=AT, contacts=contacts)
    with Stored(0, 0):
        assert_same(MODEL.score(parts_of(frame), at=AT, contacts=contacts), whole)
    assert whole.columns()["contact"][-1] == 719


def test_latest_before_the_future():
    """The newest event not after now is found among those on disk when some are still to come."""
    times = np.array(["2025-01-01", "2025-03-01", "2999-01-01"], "datetime64[us]")
    frame = pl.DataFrame({"contact": [1, 2, 3], "type": ["demo"] * 3, "time": times})
    model = ek.Model.from_dict({"rules": [{"name": "demo", "on": "demo", "points": 7}]})
    whole = model.score(frame, at="latest")
    with Stored(0, 0) as stored:
        assert_same(model.score(parts_of(frame, 1), at="latest"), whole)
        future = frame.with_columns(time=pl.lit(np.datetime64("2999-01-01", "us")))
        assert model.score(parts_of(future, 1), at="latest").stats.contacts == 0
    assert stored.made == 2
    assert whole.at.isoformat() == "2025-03-01T00:00:00"


@pytest.mark.usefixtures("on_disk")
def test_faded_scores_warn():
    """A stream on disk whose points are long gone is warned of as any."""
    old = events_of().with_columns(time=pl.lit(np.datetime64("1971-01-01", "us")))
    with pytest.warns(UserWarning, match='at="latest"') as raised:
        MODEL.score(parts_of(old))
    assert raised[0].filename == __file__


@pytest.mark.usefixtures("on_disk")
def test_notes_know_all_types():
    """What does not meet the model is counted over all partitions."""
    frame = events_of().with_columns(type=pl.lit("visits"))
    (note,) = MODEL.score(parts_of(frame), at=AT).notes
    assert "the events' types are visits 3,000" in note
    (early, *_) = MODEL.score(parts_of(events_of()), at="2024-01-01").notes
    assert "no event is at or before that instant; the first is of 2025-01-01" in early


def test_a_stream_that_fits_stays_in_memory():
    """Below the bound nothing is written, and neither is a single frame of any size."""
    with Stored(3000, 0) as stored:
        MODEL.score(parts_of(events_of(3000)), at=AT)
    assert stored.made == 0
    with Stored(0, 0) as stored:
        MODEL.score(events_of(3000), at=AT)
        ek.Events(parts_of(events_of(3000)))
    assert stored.made == 0


@pytest.mark.usefixtures("on_disk")
def test_memory_does_not_hold_the_rows(monkeypatch):
    """What is in memory of a stream on disk are its contacts, and of rows a block at most."""
    held = []
    take = partitions.Partitions.take

    def watched(self, codes, types, times, *, contacts, ids):
        held.append(sum(len(some) for some in times))
        take(self, codes, types, times, contacts=contacts, ids=ids)
        assert not codes and not types and not times
        assert all(not piece.values and not piece.nulls for piece in self.pieces.values())
        assert ids is None or not (ids[1] or len(ids[0]))

    monkeypatch.setattr(partitions.Partitions, "take", watched)
    MODEL.score(parts_of(events_of(3000, id=np.arange(3000))), at=AT, id="id")
    assert held == [500] * 6


@pytest.mark.usefixtures("on_disk")
def test_progress_is_told():
    """Who watches is told of every partition, in order, up to the last."""
    told = []
    mapping = {}
    batch.score(MODEL, parts_of(events_of()), at=AT, mapping=mapping, watch=lambda *done: told.append(done))
    assert told == [(done, 256) for done in range(1, 257)]


# --- the same errors ---------------------------------------------------------------------------------------


def fault_of(model, frames, **options):
    """Return the text of the error that scoring raises."""
    with pytest.raises(EventsError) as caught:
        model.score(iter(frames), **{"at": AT} | options)
    return str(caught.value)


TEXT = ek.Model.from_dict({"rules": [{**POINTS, "where": {"value": {"contains": "x"}}}]})


@pytest.mark.parametrize(
    ("model", "change"),
    [
        (MODEL, {"value": [1.0, None, float("inf"), float("-inf")]}),
        (MODEL, {"value": ["a", None, "b", "c"]}),
        (TEXT, {"value": [1.0, None, 2.0, 3.0]}),
        (MODEL, {"contact": [1, 2, None, 3]}),
        (MODEL, {"type": ["visit", None, "visit", None]}),
        (MODEL, {"value": [1e308] * 4, "contact": [5] * 4}),
        (MODEL, {"contact": ["a", "b", "c", "d"]}),
        (MODEL, {"value": [2**64 - 1, 0, 0, 0]}),
    ],
)
def test_faults_read_the_same(model, change, folder):
    """An error names the same column, row of the stream and number of rows, and leaves no file."""
    good = events_of(500).with_columns(value=pl.lit(-1))
    rows = {"contact": [1, 2, 3, 4], "type": ["visit"] * 4, "time": np.full(4, "2026-01-01", "M8[us]")}
    frames = [good, good, pl.DataFrame({"value": [1] * 4} | rows | change), good]
    said = fault_of(model, frames)
    with Stored(0, 0) as stored:
        assert fault_of(model, frames) == said
    assert stored.made == 1
    assert not any(folder.iterdir())


def test_fault_of_a_column_that_one_partition_lacks():
    """Which fault is told does not depend on the partitions that have values to show it."""
    times = np.full(2, "2026-01-01", "M8[us]")
    rule = {"name": "r", "on": "visit", "points": 1}
    rules = [{**rule, "where": {"a": {"gt": 1}}}, {**rule, "name": "s", "where": {"b": {"gt": 1}}}]
    model = ek.Model.from_dict({"rules": rules})
    rows = {"contact": [1, 2], "type": ["visit"] * 2, "time": times}
    frames = [pl.DataFrame(rows | {"a": [None, "x"], "b": ["x", None]})] * 2
    said = fault_of(model, frames)
    with Stored(0, 0):
        assert fault_of(model, frames) == said
    assert "'a'" in said


@pytest.mark.usefixtures("on_disk", "folder")
def test_wrong_options():
    """What is wrong with `at`, `contacts` or `threads` is told as ever, and the file goes at once."""
    for options in ({"at": "soon"}, {"contacts": {"who": [1]}}, {"threads": 0}, {"at": {"contact": ["a"]}}):
        disks = []
        make = partitions.Partitions.__init__

        def watched(self, *arguments, disks=disks, make=make):
            make(self, *arguments)
            disks.append(self)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(partitions.Partitions, "__init__", watched)
            with pytest.raises(EngagekitError):
                MODEL.score(parts_of(events_of()), **{"at": AT} | options)
        assert [disk.closed for disk in disks] == [True]


# --- the file ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stop", [None, KeyboardInterrupt, ValueError])
@pytest.mark.parametrize("where", ["reading", "scoring"])
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.usefixtures("on_disk")
def test_the_file_goes(folder, monkeypatch, stop, where, threads):
    """After success, an error or Ctrl-C, in the reading or in the scoring, the file is closed and gone."""
    disks = []
    make = partitions.Partitions.__init__
    scored = streams.match

    def watched(self, *arguments):
        make(self, *arguments)
        disks.append(self)

    def stopped(plan, events):
        if stop is not None and where == "scoring" and isinstance(events, streams.Part):
            raise stop
        return scored(plan, events)

    def frames():
        yield from parts_of(events_of())
        if stop is not None and where == "reading":
            raise stop

    monkeypatch.setattr(partitions.Partitions, "__init__", watched)
    monkeypatch.setattr(running, "match", stopped)
    if stop is None:
        MODEL.score(frames(), at=AT, threads=threads)
    else:
        with pytest.raises(stop):
            MODEL.score(frames(), at=AT, threads=threads)
    assert [disk.closed for disk in disks] == [True]
    assert not any(folder.iterdir())


@pytest.mark.usefixtures("on_disk")
def test_disk_full(folder, monkeypatch):
    """A full disk is told with the folder, what was to be written, and what to do; nothing is left."""
    make = tempfile.TemporaryFile

    class Full:
        def __init__(self, file):
            self.file, self.left = file, 30_000

        def write(self, data):
            if len(data) > self.left:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            self.left -= len(data)
            return self.file.write(data)

        def close(self):
            self.file.close()

    files = []

    def limited(**options):
        files.append(Full(make(**options)))
        return files[-1]

    monkeypatch.setattr(tempfile, "TemporaryFile", limited)
    with pytest.raises(EngagekitError) as caught:
        MODEL.score(parts_of(events_of()), at=AT)
    assert str(caught.value) == (
        f"{folder}: the temporary file for events that are not to fill the memory cannot take 4,000 bytes "
        "more beside its 30,000 (No space left on device); set TMPDIR to a folder that has room for it"
    )
    assert files[0].file.closed
    assert not any(folder.iterdir())


@pytest.mark.usefixtures("on_disk")
def test_short_writes(monkeypatch):
    """A system that takes less than it is given is given the rest."""
    make = tempfile.TemporaryFile

    class Slow:
        def __init__(self, file):
            self.file, self.seek, self.close, self.closed = file, file.seek, file.close, False

        def write(self, data):
            return self.file.write(data[:1000])

        def readinto(self, into):
            return self.file.readinto(into[:7])

    whole = MODEL.score(events_of(), at=AT)
    monkeypatch.setattr(tempfile, "TemporaryFile", lambda **options: Slow(make(**options)))
    assert_same(MODEL.score(parts_of(events_of()), at=AT), whole)


@pytest.mark.usefixtures("on_disk")
def test_a_file_cut_short(monkeypatch):
    """A file from which something was taken away is an error, not numbers."""
    read = partitions.Partitions.read

    def cut(self, *arguments):
        self._file.truncate(100)
        return read(self, *arguments)

    monkeypatch.setattr(partitions.Partitions, "read", cut)
    with pytest.raises(EngagekitError, match="cannot be read"):
        MODEL.score(parts_of(events_of()), at=AT)


@pytest.mark.usefixtures("on_disk")
def test_no_folder(monkeypatch, tmp_path):
    """A TMPDIR that is not there is told by its name, and so is that there is no folder at all."""
    monkeypatch.setenv("TMPDIR", str(tmp_path / "nowhere"))
    with pytest.raises(EngagekitError, match=r"nowhere: .* cannot be made .*; set TMPDIR to a folder"):
        MODEL.score(parts_of(events_of()), at=AT)
    monkeypatch.delenv("TMPDIR")

    def nothing():
        raise FileNotFoundError(errno.ENOENT, "No usable temporary directory found")

    monkeypatch.setattr(tempfile, "gettempdir", nothing)
    with pytest.raises(EngagekitError, match=r"there is no folder for the temporary file .* set TMPDIR"):
        MODEL.score(parts_of(events_of()), at=AT)


def test_killed(folder):
    """A process that is killed while its events lie on disk leaves nothing behind."""
    program = """
        import sys, time
        import numpy as np
        import engagekit as ek
        from engagekit import partitions
        partitions.HELD = partitions.BLOCK = 0

        def frames():
            for _ in range(3):
                times = np.full(1000, np.datetime64("2026-01-01", "us"))
                yield {"contact": np.arange(1000), "type": ["visit"] * 1000, "time": times}
            print("written", flush=True)
            time.sleep(60)

        ek.Model(rules=[ek.Rule(name="r", on="visit", points=1)]).score(frames(), at="latest")
        """
    command = [sys.executable, "-c", textwrap.dedent(program)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"written\n"
        process.kill()
        assert process.wait() != 0
    assert not any(folder.iterdir())


# --- files that are read ahead -----------------------------------------------------------------------------


def readers():
    """Count the threads that read ahead."""
    return sum(thread.name == "engagekit-read-ahead" for thread in threading.enumerate())


def test_read_ahead_is_ahead():
    """While one item is worked on the next ones are read, but not more than that."""
    taken = []

    def source():
        for number in range(10):
            taken.append(number)
            yield number

    items = read_ahead(source(), depth=2)
    assert taken == []
    assert next(items) == 0
    deadline = time.monotonic() + 10
    while len(taken) < 4 and time.monotonic() < deadline:
        time.sleep(0.001)
    assert taken == [0, 1, 2, 3]
    assert list(items) == list(range(1, 10))
    assert readers() == 0


@pytest.mark.parametrize("error", [EventsError("row 3"), KeyboardInterrupt(), MemoryError()])
def test_read_ahead_raises_in_place(error):
    """What the source raises comes after the items before it, and the thread is gone."""

    def source():
        yield 1
        yield 2
        raise error

    items = read_ahead(source())
    assert [next(items), next(items)] == [1, 2]
    with pytest.raises(type(error)) as caught:
        next(items)
    assert caught.value is error
    assert readers() == 0


def test_read_ahead_stops_when_left():
    """A reader that nobody wants any more ends with its generator, the source closed."""
    closed = []

    def source():
        try:
            yield from range(10**9)
        finally:
            closed.append(threading.current_thread().name)

    items = read_ahead(source())
    next(items)
    items.close()
    assert readers() == 0
    assert closed == ["engagekit-read-ahead"]
    for _ in read_ahead(source()):
        break
    assert readers() == 0


@pytest.fixture
def files(tmp_path, monkeypatch):
    """Write events to three Parquet files in a folder, whose small tables are handed on as they are."""
    monkeypatch.setattr("engagekit.datafiles.reading._BYTES", 1)
    path = tmp_path / "events"
    path.mkdir()
    for number, part in enumerate(parts_of(events_of(), 1000)):
        pq.write_table(part.to_arrow(), path / f"{number}.parquet", row_group_size=300)
    return path


@pytest.mark.usefixtures("on_disk")
def test_files_on_disk_as_in_memory(files):
    """A folder of Parquet files scores as its events do in one frame."""
    whole = MODEL.score(events_of(), at=AT)
    scores = MODEL.score(datafiles.read_events(files, fields=MODEL.fields), at=AT)
    assert_same(scores, whole)
    assert readers() == 0


@pytest.mark.usefixtures("on_disk")
def test_command_line_leaves_no_reader(files, folder, tmp_path, capsys):
    """After a fault in the second file the command's reader is gone, and so is the temporary file."""
    from engagekit.cli import main

    model = tmp_path / "model.toml"
    MODEL.save(model)
    out = tmp_path / "scores.parquet"
    command = ["score", str(files), "--model", str(model), "--at", AT]
    assert main([*command, "-o", str(out)]) == 0
    whole = MODEL.score(events_of(), at=f"{AT}T00:00:00+00:00")
    assert pd.read_parquet(out)["score"].tolist() == whole.columns()["score"].tolist()
    Path(files / "1.parquet").write_bytes(b"PAR1 and then nothing")
    assert main(command) == 1
    assert "1.parquet: cannot be read as Parquet" in capsys.readouterr().err
    assert readers() == 0
    assert not any(folder.iterdir())


@pytest.mark.usefixtures("on_disk")
def test_bars(files, monkeypatch, capsys):
    """With progress a bar of the reading and one of the scoring are shown on standard error."""
    from engagekit.cli.reading import score_files

    score_files(MODEL, [files], at="latest", progress=True)
    shown = capsys.readouterr().err
    assert "reading" in shown
    assert "scoring" in shown
    assert "/256" in shown
    score_files(MODEL, [files], at="latest")
    assert capsys.readouterr().err == ""
    monkeypatch.setitem(sys.modules, "tqdm", None)
    score_files(MODEL, [files], at="latest", progress=True)
    assert capsys.readouterr().err == ""
