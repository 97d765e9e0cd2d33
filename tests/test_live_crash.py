"""Saving when things go wrong: killed processes, full disks, folders that refuse; never half a file."""

import errno
import json
import os
import resource
import signal
import stat
import subprocess
import sys
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from threading import Thread

import crashing
import pytest
from crashing import names

import engagekit as ek
from engagekit.live import statefiles

DAY = datetime(2026, 1, 1, tzinfo=UTC)


def state_of(contacts):
    """Make a state of so many contacts."""
    live = ek.Live(ek.Model(rules=[ek.Rule(name="visit", on="visit", points=2)]))
    for contact in range(contacts):
        live.add(contact, "visit", DAY)
    return live


def test_a_killed_save_leaves_the_old_file_or_the_new(tmp_path):
    """Killed at random instants, no file is cut, nothing acknowledged is lost, nothing is left over."""
    program = [sys.executable, crashing.__file__, "--kills", "30", "--seed", "5"]
    place = os.environ | {"TMPDIR": str(tmp_path)}
    done = subprocess.run(program, capture_output=True, text=True, env=place, check=False)
    assert done.returncode == 0, done.stderr
    counts = json.loads(done.stdout)
    assert counts["kills"] == 30
    assert counts["in the middle"] > 0


@pytest.fixture
def old(tmp_path):
    """A file saved earlier, and the state, which has come on since."""
    live = state_of(300)
    live.save(tmp_path / "state")
    live.add(7, "visit", DAY)
    return live, tmp_path / "state"


@contextmanager
def refused(live, path, text):
    """Expect an OSError that leaves the old file, alone in its folder; afterwards saving works."""
    before = path.read_bytes()
    with pytest.raises(OSError, match=text):
        yield
    assert path.read_bytes() == before
    assert names(path.parent) == [path.name]
    live.save(path)
    assert ek.Live.load(path).stats == live.stats


@contextmanager
def files_no_longer_than(size):
    """Let the system refuse to make a file longer than that, as it does when the disk is full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


@contextmanager
def read_only(folder):
    """Let nobody write to a folder, the superuser neither."""
    root = os.geteuid() == 0
    folder.chmod(0o500)
    if root:
        os.seteuid(65534)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)
        folder.chmod(0o700)


@pytest.mark.parametrize("size", [0, 10, 1000, 4096, 8192, 20_000])
def test_a_full_disk(old, size):
    """Wherever the disk is full the old file stays, alone; when there is room again the next save works."""
    live, path = old
    assert path.stat().st_size > 20_000
    with refused(live, path, "too large"), files_no_longer_than(size):
        live.save(path)


def test_a_read_only_folder(old):
    """A folder that may not be written to keeps its file."""
    live, path = old
    with refused(live, path, "Permission denied"), read_only(path.parent):
        live.save(path)
    with pytest.raises(PermissionError, match="state"), read_only(path.parent):
        live.autosave(path, every="1h")
    assert live._saver is None


@pytest.mark.parametrize("place", ["missing/state", "state/state", "."])
def test_no_folder(old, place):
    """A folder that is not there or is none, and a path that is a folder, are an OSError."""
    live, path = old
    with refused(live, path, place.partition("/")[0]):
        live.save(path.parent / place)


def test_a_folder_in_the_way(old):
    """What cannot be renamed over is left, and so is nothing else."""
    live, path = old
    (path.parent / "folder" / "full").mkdir(parents=True)
    with pytest.raises(OSError, match="folder"):
        live.save(path.parent / "folder")
    assert names(path.parent) == ["folder", "state"]


@pytest.mark.parametrize("step", ["os.open", "os.fsync", "Path.chmod", "Path.replace"])
@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS, errno.EIO])
def test_every_step_may_fail(old, monkeypatch, step, code):
    """Whichever step of saving the system refuses, for whatever reason, the old file stays, alone."""
    live, path = old

    def fail(*_, **__):
        raise OSError(code, os.strerror(code))

    with refused(live, path, os.strerror(code)), monkeypatch.context() as patch:
        patch.setattr(f"engagekit.live.statefiles.{step}", fail)
        live.save(path)


def test_a_file_is_on_the_disk_before_it_has_its_name(old, monkeypatch):
    """The bytes are flushed, then the file is renamed, then the folder is flushed."""
    live, path = old
    done, fsync, replace = [], os.fsync, Path.replace

    def flush(handle):
        done.append("flush the folder" if stat.S_ISDIR(os.fstat(handle).st_mode) else "flush the file")
        fsync(handle)

    def rename(one, two):
        done.append("rename")
        return replace(one, two)

    monkeypatch.setattr(os, "fsync", flush)
    monkeypatch.setattr(Path, "replace", rename)
    live.save(path)
    assert done == ["flush the file", "rename", "flush the folder"]


def test_a_file_system_without_locks(old, monkeypatch):
    """Where files cannot be locked they are saved all the same."""
    live, path = old

    def fail(*_):
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(statefiles, "flock", fail)
    live.save(path)
    assert ek.Live.load(path).stats == live.stats


def test_what_a_kill_left_is_written_over(old):
    """A temporary file of a process that died is used by the next save, however long it is, and vanishes."""
    live, path = old
    left = path.with_name(".state.tmp")
    left.write_bytes(b"x" * 10**6)
    left.chmod(0o600)
    live.save(path)
    assert names(path.parent) == ["state"]
    assert ek.Live.load(path).stats == live.stats


def test_a_temporary_file_that_is_a_link_is_not_followed(old):
    """Nobody can have another file overwritten by a link in the temporary file's place."""
    live, path = old
    path.with_name(".state.tmp").symlink_to(path)
    before = path.read_bytes()
    with pytest.raises(OSError, match=r"state\.tmp"):
        live.save(path)
    assert path.read_bytes() == before


def test_the_mode_of_a_file_stays(old):
    """Who may read a file may read the next; a new one is its owner's alone."""
    live, path = old
    assert path.stat().st_mode & 0o777 == 0o600
    path.chmod(0o640)
    live.save(path)
    assert path.stat().st_mode & 0o777 == 0o640


def test_two_who_save_to_one_path_take_turns(tmp_path):
    """States that are saved to the same path at once never mix: the file is that of one of them."""
    lives = [state_of(50), state_of(2000)]
    errors, found = [], set()

    def save(live):
        try:
            for _ in range(15):
                live.save(tmp_path / "state")
        except OSError as error:
            errors.append(error)

    threads = [Thread(target=save, args=(live,)) for live in lives for _ in range(2)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        if (tmp_path / "state").exists():
            found.add(ek.Live.load(tmp_path / "state").stats.rows)
    for thread in threads:
        thread.join()
    assert (errors, names(tmp_path)) == ([], ["state"])
    assert found <= {50, 2000}
    assert ek.Live.load(tmp_path / "state").stats.rows in {50, 2000}


def test_a_failed_flush_of_the_folder_leaves_the_new_file(old, monkeypatch):
    """When only the folder cannot be flushed that is an OSError, and the file is the new one, whole."""
    live, path = old

    def fail(_folder):
        raise OSError(errno.EIO, "folder")

    monkeypatch.setattr(statefiles, "_flush_folder", fail)
    with pytest.raises(OSError, match="folder"):
        live.save(path)
    assert ek.Live.load(path).stats == live.stats
    assert names(path.parent) == ["state"]
