"""Saved live states: whole or refused, the same numbers after loading, and nothing of the forgotten."""

import os
import re
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest
import racing

import engagekit as ek
from engagekit.live import statefiles

DAY = datetime(2026, 1, 1, tzinfo=UTC)
GOLDEN = Path(__file__).parent / "golden" / "live-1.engagekit"


def model_of(**more):
    """Make a model in which some of everything is remembered."""
    return ek.Model.from_dict(
        {
            "rules": [
                {"name": "visit", "on": "visit", "points": 2, "limit": {"n": 2, "per": "1d"}},
                {"name": "buy", "on": "buy", "points": 8, "decay": {"linear": "60d"}},
                {"name": "big", "on": "buy", "where": {"value": {"ge": 100}}, "points": 5},
            ],
            "absences": [{"name": "a", "after": "sent", "unless": "open", "within": "3d", "points": -1}],
            "repeats": [{"name": "r", "on": "visit", "n": 3, "within": "7d", "points": 10}],
            "excludes": [{"name": "x", "on": "open", "after": "sent", "within": "2s", "by": "mail"}],
            "lifecycle": {"customer_on": "buy"},
            "personas": [{"name": "near", "where": {"city": {"eq": "Bern"}}}],
        }
        | more
    )


def filled():
    """Make a live state with something open of every kind; its clock stands."""
    live = ek.Live(model_of(), clock=lambda: DAY + timedelta(days=20))
    for number in range(12):
        when = DAY + timedelta(days=number, hours=number)
        who = f"c{number % 4}"
        live.add(who, "visit", when, id=number)
        live.add(who, "sent", when, context={"mail": number % 3})
        live.add(who, "open", when + timedelta(seconds=number), context={"mail": number % 3})
        live.add(who, "buy", when + timedelta(hours=1), value=40 * number)
    live.add("later", "visit", DAY + timedelta(days=40))
    live.link("cookie", into="c1")
    live.update({"c0": {"city": "Bern"}, "quiet": {"customer_since": "2025-01-01"}})
    live.position = "log-7"
    return live


def told(live, at=DAY + timedelta(days=20)):
    """Give all that a state says."""
    columns = {name: values.tolist() for name, values in live.scores(at).columns().items()}
    return repr((columns, live.stats, live.position, live.newest, live.lateness, live.model.fingerprint))


def test_loaded_is_saved(tmp_path):
    """A state that is loaded says what the saved one says, and goes on as that would have."""
    live = filled()
    live.save(tmp_path / "state")
    loaded = ek.Live.load(tmp_path / "state", clock=live.clock)
    assert told(loaded) == told(live)
    for state in (live, loaded):
        state.add("cookie", "visit", DAY + timedelta(days=19), id=12)
        state.add("c2", "open", DAY + timedelta(days=12))
    assert told(loaded) == told(live)
    assert told(loaded, DAY + timedelta(days=60)) == told(live, DAY + timedelta(days=60))


def rewritten(path, change):
    """Write a file again with some of its sections changed, its checksum right."""
    sections = {name: bytes(piece) for name, piece in statefiles.read(path).items()}
    statefiles.write(path, [(name, iter([piece])) for name, piece in (sections | change(sections)).items()])


@pytest.mark.parametrize(
    "change",
    [
        lambda _: {"about": b"[]"},
        lambda _: {"about": b"{"},
        lambda _: {"about": b"[" * 100_000},
        lambda s: {"about": s["about"].replace(b'"lateness":', b'"lateness":-')},
        lambda s: {"about": s["about"].replace(b'"points":8', b'"points":9')},
        lambda s: {"about": s["about"].replace(b'"types":["visit"', b'"types":["visit","sent"')},
        lambda s: {"codes": s["codes"][::-1]},
        lambda s: {"codes": s["codes"][:-8]},
        lambda s: {"ids": s["ids"][:-1]},
        lambda s: {"ids": b"\xff" * len(s["ids"])},
        lambda s: {"rows": s["rows"][:-8]},
        lambda s: {"rows": s["rows"] + b"\x7f" * 8},
        lambda s: {"rows": b"\x7f" * len(s["rows"])},
        lambda _: {"attributes": b"[[1]]"},
        # whoever is an alias has nothing of its own: of the four and "later", "cookie" came sixth
        lambda _: {"attributes": b'[[5,{"city":"Bern"}]]'},
    ],
    ids=range(15),
)
def test_nonsense_with_a_right_checksum_is_refused(tmp_path, change):
    """Sections that no state could have are a StateError, whatever the checksum says."""
    path = tmp_path / "state"
    filled().save(path)
    rewritten(path, change)
    with pytest.raises(ek.StateError):
        ek.Live.load(path)


def test_other_files_are_refused(tmp_path):
    """A foreign file, one of a newer format, and none at all are told apart."""
    path = tmp_path / "state"
    path.write_bytes(b"PAR1" * 100)
    with pytest.raises(ek.StateError, match="of another kind"):
        ek.Live.load(path)
    filled().save(path)
    newer = bytearray(path.read_bytes())
    newer[16] = 2
    path.write_bytes(newer)
    with pytest.raises(ek.StateError, match="saved by a newer engagekit"):
        ek.Live.load(path)
    with pytest.raises(ek.StateError, match="cannot be read"):
        ek.Live.load(tmp_path / "nothing")


def test_golden_file_is_read():
    """The first file ever saved is read, and says what it said then, to nine digits of the sums it has."""

    def rounded(text):
        return re.sub(r"\d+\.\d{9,}", lambda number: f"{float(number[0]):.9g}", text)

    live = ek.Live.load(GOLDEN, clock=lambda: DAY + timedelta(days=20))
    assert rounded(told(live)) == rounded(told(filled()))


def test_a_failed_save_leaves_the_old_file(tmp_path, monkeypatch):
    """When writing fails the file is the old one, nothing lies beside it, and the next save works."""
    path = tmp_path / "state"
    live = filled()
    live.save(path)
    before = path.read_bytes()
    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", lambda *_: (_ for _ in ()).throw(OSError("full")))
        with pytest.raises(OSError, match="full"):
            live.save(path)
    assert path.read_bytes() == before
    assert [each.name for each in tmp_path.iterdir()] == ["state"]
    live.save(path)
    assert told(ek.Live.load(path, clock=live.clock)) == told(live)


def test_what_is_no_file_is_not_replaced(tmp_path):
    """A pipe, as a device, stays what it is: whoever names one learns it."""
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(FileExistsError, match=r"Not a regular file: .*pipe"):
        filled().save(tmp_path / "pipe")
    assert (tmp_path / "pipe").is_fifo() and len(list(tmp_path.iterdir())) == 1


def test_a_file_is_of_one_moment(tmp_path, monkeypatch):
    """Events that come while a file is written are not in it, not even in part."""
    model = ek.Model.from_dict({"decay": "none", "rules": [{"name": "v", "on": "visit", "points": 1}]})
    live = ek.Live(model)
    for contact in range(2000):
        live.add(contact, "visit", DAY)
    before, next_block = told(live, DAY), ek.Live.next_block

    def meanwhile(state):
        for contact in range(0, 2100, 100):
            state.add(contact, "visit", DAY)
        return next_block(state)

    monkeypatch.setattr(ek.Live, "next_block", meanwhile)
    live.save(tmp_path / "state")
    monkeypatch.undo()
    assert told(ek.Live.load(tmp_path / "state"), DAY) == before
    assert live.stats.rows == 2000 + 4 * 21


def test_forgotten_bytes_are_in_no_file(tmp_path):
    """What is forgotten (id, alias, attribute) leaves no byte in a file that is saved later."""
    live = filled()
    live.add("Annabelle", "visit", DAY)
    live.link("cookie-4711", into="Annabelle")
    live.update({"Annabelle": {"city": "Atlantis"}})
    live.save(tmp_path / "before")
    live.forget("cookie-4711")
    live.save(tmp_path / "after")
    for trace in (b"Annabelle", b"cookie-4711", b"Atlantis"):
        assert trace in (tmp_path / "before").read_bytes()
        assert trace not in (tmp_path / "after").read_bytes()
    assert told(ek.Live.load(tmp_path / "after", clock=live.clock)) == told(live)


def test_autosave_saves_and_stops(tmp_path):
    """A state saves itself in the background; closing saves the last of it and ends the thread."""
    path = tmp_path / "state"
    with filled() as live:
        live.autosave(path, every="10ms")
        until = time.monotonic() + 30
        while not path.exists() and time.monotonic() < until:
            time.sleep(0.01)
        assert path.exists()
        live.add("c1", "visit", DAY + timedelta(days=15))
    assert told(ek.Live.load(path, clock=live.clock)) == told(live)
    live.close()


def test_autosave_tells_of_failures(tmp_path):
    """What the last save failed with is raised on closing."""
    live, folder = filled(), tmp_path / "folder"
    folder.mkdir()
    live.autosave(folder / "state", every="1ms")
    saver = live._saver
    folder.rename(tmp_path / "away")
    until = time.monotonic() + 30
    while saver.error is None and time.monotonic() < until:
        time.sleep(0.01)
    with pytest.raises(OSError, match="folder"):
        live.close()
    for every in ("0s", "soon"):
        with pytest.raises(ek.StateError, match="every="):
            live.autosave(tmp_path / "state", every=every)


def test_autosave_looks_first_whether_it_can(tmp_path):
    """Where no file can be written is told at once, by its name; what was saved to before still is."""
    live, path = filled(), tmp_path / "state"
    live.autosave(path, every="1h")
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    for place, error in [
        (tmp_path / "missing" / "state", FileNotFoundError),
        (path.parent / "folder", IsADirectoryError),
        (tmp_path / "pipe", FileExistsError),
        ("", OSError),
        ("a\0", OSError),
    ]:
        with pytest.raises(error) as raised:
            live.autosave(place, every="1h")
        assert str(raised.value).endswith(f"{str(place)!r}")
    assert sorted(each.name for each in tmp_path.iterdir()) == ["folder", "pipe"]
    live.close()
    assert ek.Live.load(path).stats == live.stats


def test_closing_saves_though_an_earlier_save_failed(tmp_path):
    """Once the folder is there, closing saves everything and says nothing of saves that failed before."""
    live = filled()
    path = tmp_path / "later" / "state"
    path.parent.mkdir()
    live.autosave(path, every="1ms")
    path.parent.rename(tmp_path / "away")
    until = time.monotonic() + 30
    while live._saver.error is None and time.monotonic() < until:
        time.sleep(0.01)
    live._saver.stop()
    path.parent.mkdir()
    live.close()
    assert ek.Live.load(path).stats == live.stats


def test_scores_of_a_live_have_no_events():
    """Explaining the scores of a live state says that these have no events."""
    with pytest.raises(ek.StateError, match="these are of a Live"):
        filled().scores(at="latest").explain("ann")


def test_merge_refuses_what_does_not_fit():
    """Another model's state, the same state, and contacts of another kind are refused."""
    live = filled()
    before = told(live)
    numbers = ek.Live(live.model)
    numbers.add(7, "visit", DAY)
    others = [(live, "itself"), (ek.Live(model_of(name="other")), "same model"), (numbers, "text")]
    for other, text in [*others, (pd.DataFrame({"contact": [7, 8]}), "another Live, got a DataFrame$")]:
        with pytest.raises(ek.StateError, match=text):
            live.merge(other)
    assert told(live) == before


def test_merging_settles_by_the_other_s_own_types():
    """What waited for its exclusion and counts when states are merged has the name that it came with."""
    exclude = {"name": "x", "on": "buy", "after": "sent", "within": "2s"}
    model, later = model_of(excludes=[exclude]), DAY + timedelta(days=300)
    live, other = ek.Live(model, clock=lambda: later), ek.Live(model, clock=lambda: later)
    for name in ("a", "b", "visit"):
        live.add("ann", name, later)
    other.add("bob", "visit", DAY)
    other.add("bob", "buy", DAY + timedelta(days=1))
    live.merge(other)
    assert live.score("bob", later).last_type == "buy"


def test_a_link_lasts_though_nothing_was_done(tmp_path):
    """Contacts that are linked before either has done anything are linked in the file and in a merge."""
    live = ek.Live(model_of())
    live.link("cookie", into="ann")
    live.save(tmp_path / "state")
    loaded, merged = ek.Live.load(tmp_path / "state"), ek.Live(live.model)
    merged.merge(live)
    for state in (loaded, merged):
        state.add("cookie", "visit", DAY)
        assert (state.score("ann", DAY).events, len(state.scores(DAY))) == (1, 1)


def test_what_settles_in_a_merge_is_of_its_own_type():
    """An event that is no longer to be excluded once two states are one is a contact's last, by its name."""
    live, other = (ek.Live(model_of(), lateness="1d") for _ in range(2))
    live.add("bob", "visit", DAY + timedelta(days=9))
    live.add("bob", "buy", DAY + timedelta(days=9))
    other.add("ann", "open", DAY, context={"mail": "m"})
    live.merge(other)
    assert live.score("ann", DAY + timedelta(days=9)).last_type == "open"


def test_a_link_that_is_merged_joins_what_is_known_here(tmp_path):
    """Whom only the other state has linked keeps here what is known of it, under the name that stays."""
    live, other = (ek.Live(model_of()) for _ in range(2))
    for who in ("bob", "cookie"):
        live.add(who, "visit", DAY)
    live.update({"cookie": {"city": "Bern"}})
    other.link("cookie", into="ann")
    live.merge(other)
    live.save(tmp_path / "state")
    for state in (live, ek.Live.load(tmp_path / "state")):
        frame = state.scores(DAY).frame
        assert list(zip(frame["contact"], frame["persona"], strict=True)) == [("bob", None), ("ann", "near")]


def test_what_was_merged_goes_on(tmp_path):
    """A state that another has taken in stays as it is: it takes events, forgets, is saved, merged again."""
    live, other = filled(), ek.Live(model_of(), clock=lambda: DAY + timedelta(days=20))
    other.add("c9", "visit", DAY)
    for _ in range(2):
        before = told(other)
        live.merge(other)
        assert told(other) == before
        other.save(tmp_path / "state")
        assert told(ek.Live.load(tmp_path / "state", clock=other.clock)) == before
        other.forget("c9")
        other.add("c8", "visit", DAY)
    assert [live.score(who, DAY).score for who in ("c8", "c9")] == pytest.approx([2.0, 2.0])


def test_threads_lose_nothing(tmp_path):
    """Eight threads add, ingest, score, forget, merge and save at once: every event counts, each once."""
    live, given = racing.race(tmp_path, turns=100)
    racing.check(live, given, turns=100)
    assert ek.Live.load(tmp_path / "state").model == live.model


@pytest.mark.parametrize("name", ["", "a\0b", "\ud800", ".", "/"])
def test_names_that_no_file_can_have(tmp_path, monkeypatch, name):
    """To save under such a name is an OSError, to load from it a StateError; nothing is written."""
    monkeypatch.chdir(tmp_path)
    live = filled()
    with pytest.raises(OSError, match=r"Expected the name|Is a directory") as raised:
        live.save(name)
    assert raised.value.filename == name
    with pytest.raises(ek.StateError, match="cannot be read") as told:
        ek.Live.load(name)
    assert str(told.value).isprintable()
    assert list(tmp_path.iterdir()) == []
