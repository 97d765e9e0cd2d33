"""Work in parts: in steps, after which nobody goes on in vain."""

import gc
import os
import signal
import threading
import time
import weakref

import pytest

from engagekit.threads import in_parts, in_steps


def test_steps_are_done_in_order():
    """Every part does its steps one after the other and is told where it began."""
    done = {0: [], 4: []}
    in_steps(
        lambda first, lo, hi: done[first].append((lo, hi)),
        [0, 4, 7],
        lambda first, last: ((n, n + 1) for n in range(first, last)),
    )
    assert done == {0: [(0, 1), (1, 2), (2, 3), (3, 4)], 4: [(4, 5), (5, 6), (6, 7)]}


@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError])
def test_no_step_is_begun_in_vain(error):
    """Where one part fails or is interrupted, the others end before their next step."""
    begun = []

    def work(first, number):
        if not first and number == 2:
            raise error
        begun.append(number)
        time.sleep(0.002)

    with pytest.raises(error):
        in_steps(work, [0, 1, 2], lambda *_: ((n,) for n in range(1_000)))
    assert len(begun) < 1_000


def test_interruption_where_waiting_goes_on():
    """Ctrl-C stops the parts even where it does not end the wait for a thread, as once polars is loaded."""
    stopped, ended = threading.Event(), []

    def work(first, _):
        if first == 0:
            time.sleep(0.01)
            os.kill(os.getpid(), signal.SIGINT)
        ended.append(stopped.wait(20))

    signal.siginterrupt(signal.SIGINT, False)
    try:
        with pytest.raises(KeyboardInterrupt):
            in_parts(work, [0, 1, 2], stop=stopped.set)
    finally:
        signal.siginterrupt(signal.SIGINT, True)
    assert ended == [True, True]


def test_error_of_a_part_keeps_nothing():
    """Memory of what was worked on is free as soon as the error is dealt with."""

    class Large:
        pass

    def fail(large):
        def work(*_):
            raise MemoryError(large)

        in_parts(work, [0, 1, 2])

    large = Large()
    seen = weakref.ref(large)
    gc.disable()
    try:
        with pytest.raises(MemoryError):
            fail(large)
        del large
        assert seen() is None
    finally:
        gc.enable()
