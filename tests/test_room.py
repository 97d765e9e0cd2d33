"""Memory for large results, lent again when nobody looks at it any more."""

import mmap
import subprocess
import sys
import textwrap

import numpy as np
import pytest

from engagekit import _core

MIB = 1 << 20


def numbers(count):
    """Make room for numbers."""
    return np.frombuffer(_core.room(8 * count), np.int64)


@pytest.mark.parametrize("count", [0, 1, 1000, MIB // 4 - 1, MIB // 4, MIB // 4 + 1])
def test_room_is_as_long_as_asked_for(count):
    """As many bytes as were asked for can be written and read, to the last, whatever pages they fill."""
    room = _core.room(8 * count)
    assert room.nbytes == 8 * count and not room.readonly
    values = np.frombuffer(room, np.int64)
    values[:] = np.arange(count)
    assert values.tolist() == list(range(count))


def test_rooms_in_use_are_apart():
    """What is written to one room shows in no other, however many were given back and lent again."""
    for turn in range(3):
        rooms = [numbers(MIB) for _ in range(20)]
        for number, room in enumerate(rooms):
            room[:] = 100 * turn + number
        assert [int(room[0]) for room in rooms] == [100 * turn + number for number in range(20)]
        assert all(int(room.min()) == int(room.max()) for room in rooms)


def test_room_that_is_given_back_is_lent_again():
    """Room for about as much as before is the same memory, once nobody looks at it and where that can be."""
    kept = numbers(3 * MIB)
    values = numbers(3 * MIB)
    place = values.ctypes.data
    part = values[5:10]
    del values
    assert numbers(3 * MIB).ctypes.data != place, "still looked at"
    del part
    assert numbers(3 * MIB).ctypes.data == place or not hasattr(mmap, "MADV_FREE")
    assert numbers(3 * MIB - MIB // 4).ctypes.data == place or not hasattr(mmap, "MADV_FREE"), "somewhat less"
    assert kept.ctypes.data != place


def test_room_beyond_all_memory_is_refused():
    """More than can be addressed is a MemoryError, and nothing has happened."""
    for much in (2**62, 2**63 - 1):
        with pytest.raises(MemoryError):
            _core.room(much)
    assert len(numbers(7)) == 7


def test_spare_rooms_make_way():
    """What lies spare is given up before a room is refused, where a process may have no more addresses."""
    program = """
        import resource
        from engagekit import _core

        def most(mib):
            rooms = []
            try:
                while len(rooms) < 100:
                    rooms.append(_core.room(mib << 20))
            except MemoryError:
                pass
            return mib * len(rooms)

        resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))
        before, after = most(64), most(96)
        assert after > before - 300, (before, after)
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(program)], check=True)
