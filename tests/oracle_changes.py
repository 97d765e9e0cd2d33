"""The oracle's `next_change`: level and phase straight from the definitions at thousands of instants.

`check_next_change` is the judge of a reported instant: it finds no roots, it only looks whether anything
differed before, at more instants than a search that skips an excursion could agree with by luck.
"""

from itertools import pairwise

from oracle import known_contacts, numbers_at, unsure
from oracle_events import DAY

SECOND = 10**6
HORIZON = 36_525 * DAY


def state_at(model, contact, t):
    """(level, phase) at t of the events known, and whether one of them hangs on a hair."""
    numbers = numbers_at(model, contact, t)
    return (numbers["level"], numbers["phase"]), bool(unsure(model, numbers) & {"level", "phase"})


def instants_between(contact, start, end):
    """Instants in (start, end]: around all breakpoints, and grids even and logarithmic from either side."""
    chosen = {end, start + 1, end - 1}
    chosen |= {start + (end - start) * k // 200 for k in range(200)}
    for k in range(4 * 52):
        step = round(2 ** (k / 4))
        chosen |= {start + step, end - step}
    edges = [b for b in contact.breakpoints if start - 1 <= b <= end + 1]
    for edge in edges:
        chosen |= {edge + step for step in (-1, 0, 1)}
        # A jump over a bound may be undone by decay soon after: look closely behind every edge.
        chosen |= {edge + SECOND * 4**k for k in range(16)}
    chosen |= {(a + b) // 2 for a, b in pairwise(edges)}
    return sorted(t for t in chosen if start < t <= end)


def lasts(model, contact, t, before):
    """Whether the state at t stays other than `before` for a second or more around t."""
    steps = [SECOND * k // 50 for k in range(51)]
    later = next((s for s in steps if state_at(model, contact, t + s)[0] == before), 2 * SECOND)
    earlier = next((s for s in steps if state_at(model, contact, t - s)[0] == before), 2 * SECOND)
    return earlier + later >= SECOND + SECOND // 20


def next_change(model, contact, at):
    """(t, level, phase) of the first change after `at` by brute force, or None."""
    now, _ = state_at(model, contact, at)
    same = at
    for other in instants_between(contact, at, at + HORIZON):
        if state_at(model, contact, other)[0] == now:
            same = other
        else:
            return refined(model, contact, same, other)
    return None


def refined(model, contact, same, other):
    """Bisect to the microsecond between an instant of the old state and one of another."""
    old = state_at(model, contact, same)[0]
    while other - same > 1:
        middle = (same + other) // 2
        if state_at(model, contact, middle)[0] == old:
            same = middle
        else:
            other = middle
    return other, *state_at(model, contact, other)[0]


def faults_of_change(model, contact, at, told):
    """List what is wrong with a reported change of one contact."""
    reported, level, phase = told
    now, on_a_hair = state_at(model, contact, at)
    if on_a_hair:
        return []
    faults = []
    if reported is None:
        end = at + HORIZON - SECOND
        if (level, phase) != (None, None):
            faults.append(f"no change, yet it leads to {level}, {phase}")
    else:
        end = reported - SECOND
        then, on_a_hair = state_at(model, contact, reported)
        if reported <= at:
            faults.append(f"{reported} is not after {at}")
        if reported > at + HORIZON + SECOND:
            faults.append(f"{reported} is more than a hundred years from {at}")
        if not on_a_hair and then == now:
            faults.append(f"early: still {now} at {reported}, {reported - at} us from at")
        if not on_a_hair and then != (level, phase):
            faults.append(f"at {reported} it is {then}, not {(level, phase)}")
    for t in instants_between(contact, at, end) if end > at else ():
        then, on_a_hair = state_at(model, contact, t)
        if then != now and not on_a_hair and lasts(model, contact, t, now):
            faults.append(f"late: {now} is {then} at {t}, {t - at} us from at; reported {reported}")
            break
    return faults


def check_next_change(model, events, contacts, *, at, rows, id=None):
    """Assert that `next_change`, `next_level`, `next_phase` of every result row are right."""
    known = known_contacts(model, events, contacts, at=at, id=id)
    for row in rows:
        told = row["next_change"], row["next_level"], row["next_phase"]
        faults = faults_of_change(model, known[row["contact"]], at, told)
        assert not faults, f"contact {row['contact']!r}: " + "; ".join(faults)
