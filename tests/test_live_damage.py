"""Damaged files of live states: whatever is cut off or altered is refused, and does no harm."""

import os
import random
import resource
from datetime import UTC, datetime, timedelta
from hashlib import blake2b

import pytest
from test_live_files import filled

import engagekit as ek
from engagekit.live import statefiles

MUTATIONS = int(os.environ.get("ENGAGEKIT_MUTATIONS", "1000"))
"""Mutations whose checksum is right, beside all single bits and lengths of a small file."""

DAY = datetime(2026, 1, 1, tzinfo=UTC)
GREED = 64 << 10
"""Kilobytes that reading files of some kilobytes may take at most."""


@pytest.fixture
def small(tmp_path):
    """Save a state of one contact."""
    live = ek.Live(ek.Model(rules=[ek.Rule(name="v", on="v", points=1, limit=ek.Limit(n=2, per="1d"))]))
    live.add("ann", "v", DAY)
    live.save(tmp_path / "state")
    return tmp_path / "state"


def most_memory():
    """Return the most memory, in kilobytes, that this process has had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def test_every_flipped_bit_is_noticed(small):
    """Each single bit of a file, turned over, makes it one that is refused."""
    whole, before = small.read_bytes(), most_memory()
    with small.open("r+b", buffering=0) as file:
        for place, byte in enumerate(whole):
            for bit in range(8):
                os.pwrite(file.fileno(), bytes([byte ^ 1 << bit]), place)
                with pytest.raises(ek.StateError):
                    ek.Live.load(small)
            os.pwrite(file.fileno(), bytes([byte]), place)
    assert ek.Live.load(small).score("ann", DAY).score == 1
    assert most_memory() - before < GREED


def test_every_cut_is_noticed(small):
    """A file that ends early, wherever, or goes on behind its end, is refused."""
    whole = small.read_bytes()
    small.write_bytes(whole + b"\0")
    for size in range(len(whole), -1, -1):
        with pytest.raises(ek.StateError):
            ek.Live.load(small)
        os.truncate(small, size - (size == len(whole)))


def mended(whole):
    """Give bytes the length and the checksum of a file."""
    head = statefiles._HEADER.pack(statefiles.MAGIC, statefiles.VERSION, len(whole))
    whole = head + whole[len(head) : -statefiles._SUM]
    return whole + blake2b(whole, digest_size=statefiles._SUM).digest()


@pytest.mark.parametrize("time", [2**63 - 2, -(2**63) + 1, 253_402_300_800_000_000, -62_135_596_800_000_001])
@pytest.mark.parametrize("place", [1, 3, 4, 5, 6, "record", "newest"])
def test_times_that_no_event_can_have_are_refused(small, place, time):
    """A row's times, those of what is open and the newest seen are of the calendar: sums count half-lives."""
    sections = {name: bytearray(piece) for name, piece in statefiles.read(small).items()}
    if place == "newest":
        about = statefiles.unpacked(memoryview(sections["about"]))
        about["counts"][2] = time
        sections["about"] = statefiles.packed(about)
    else:
        of_day = int(DAY.timestamp() * 1e6).to_bytes(8, "little")
        first = sections["rows"].rindex(of_day) if place == "record" else 8 * place
        assert place in (5, 6, "record") or sections["rows"][first : first + 8] == of_day
        sections["rows"][first : first + 8] = time.to_bytes(8, "little", signed=True)
    statefiles.write(small, [(name, iter([bytes(piece)])) for name, piece in sections.items()])
    with pytest.raises(ek.StateError, match="rows that do not fit"):
        ek.Live.load(small)


NUMBERS = [0, 1, 2, -1, 2**31, 2**32 - 1, 2**63 - 1, -(2**63), 10**15, 511, 512, 513]


def mutated(whole, draw):
    """Alter some bytes: single bits, numbers, stretches that are lost, doubled or moved."""
    out = bytearray(whole)
    for _ in range(draw.choice([1, 1, 1, 2, 5])):
        place, size = draw.randrange(len(out)), draw.choice([1, 8, 8, 64, 200])
        kind = draw.randrange(6)
        if kind == 0:
            out[place] ^= 1 << draw.randrange(8)
        elif kind == 1:
            out[place] = draw.randrange(256)
        elif kind == 2:
            out[place : place + 8] = (draw.choice(NUMBERS) % 2**64).to_bytes(8, "little")
        elif kind == 3:
            del out[place : place + size]
        elif kind == 4:
            out[place:place] = out[place : place + size]
        else:
            other = draw.randrange(len(out))
            out[place : place + size] = out[other : other + size]
    return bytes(out)


def use(live):
    """Do everything with a state that may say anything."""
    repr(live)
    for at in ("latest", DAY + timedelta(days=4000)):
        try:
            live.scores(at)
            live.score("c1", at)
        except (ek.StateError, ek.EventsError):  # events later than that, or more points than a number can be
            pass
    live.add("c1", "visit", DAY + timedelta(days=15))
    live.add("new", "open", DAY + timedelta(days=15), context={"mail": 1})
    live.forget("c2")


def test_nonsense_with_a_right_checksum_does_no_harm(tmp_path):
    """Whatever a file says, with a right checksum: it is refused, or is a state like any other, soon."""
    path, draw = tmp_path / "state", random.Random(2)
    filled().save(path)
    whole, before, refused = path.read_bytes(), most_memory(), 0
    for _ in range(MUTATIONS):
        (tmp_path / "tried").write_bytes(mended(mutated(whole, draw)))
        try:
            live = ek.Live.load(tmp_path / "tried", clock=lambda: DAY + timedelta(days=20))
        except ek.StateError:
            refused += 1
            continue
        use(live)
    assert 0 < refused < MUTATIONS
    assert most_memory() - before < GREED
