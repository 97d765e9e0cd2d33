"""Scoring whole tables: instants at the ends of time, threads, interruptions, overflow, clinging scores."""

import numpy as np
import pytest
from interrupting import assert_interruptible

import engagekit as ek
from engagekit import _core

MODEL = ek.Model(rules=[ek.Rule(name="v", on="v", points=10)])
RAMP = ek.Model(rules=[ek.Rule(name="v", on="v", points=10, decay={"linear": "30d"})])


def events(contacts, time="2026-01-01"):
    """Make events of type v, all at one instant."""
    times = np.repeat(np.array([time], "datetime64[us]"), len(contacts))
    return {"contact": contacts, "type": ["v"] * len(contacts), "time": times}


@pytest.mark.parametrize("at", ["0001-01-01T00:00:00+05:00", "9999-12-31T23:59:59-05:00", "0000-01-01"])
def test_instants_out_of_range(at):
    """An instant outside the years 1 to 9999 (in UTC) is refused."""
    with pytest.raises(ek.EventsError, match=r"^at: expected an instant"):
        MODEL.score(events(["a"]), at=at)


@pytest.mark.parametrize("micros", [2**63 - 1, -(2**63) + 1])
def test_instants_of_rows_out_of_range(micros):
    """So is one in an `at` frame, with its row, and one in `customer_since`."""
    bad = np.array([0, micros], "datetime64[us]")
    with pytest.raises(ek.EventsError, match=r"at column 'at', row 1: .* years 1 to 9999"):
        RAMP.score(events(["a"], "0001-01-01"), at={"contact": ["a", "a"], "at": bad})
    with pytest.raises(ek.EventsError, match=r"'customer_since', row 1: .* years 1 to 9999"):
        RAMP.score(events(["a"]), at="2026-01-01", contacts={"contact": ["a", "b"], "customer_since": bad})


def test_the_ends_of_time():
    """The first and the last instant can be scored at, and nothing overflows between them."""
    first = RAMP.score(events(["a"], "0001-01-01"), at="0001-01-01").frame
    last = RAMP.score(events(["a"], "0001-01-01"), at="9999-12-31T23:59:59.999999").frame
    assert (first["score"].tolist(), last["score"].tolist()) == ([10.0], [0.0])
    assert str(first["next_change"][0]) > "0001-01-01"
    assert np.isnat(last["next_change"][0])


def test_any_number_of_threads():
    """More threads than anybody has are as good as a few."""
    assert MODEL.score(events(["a", "b"]), at="2026-01-01", threads=10**9).frame["score"].tolist() == [10, 10]


def test_the_column_of_instants_by_its_kind():
    """Without a column `at` the only column of instants is it; with several, nobody can tell."""
    day = np.array(["2026-01-01"], "datetime64[us]")
    frame = RAMP.score(events(["a"]), at={"contact": ["a"], "signed": [1], "when": day}).frame
    assert (list(frame)[:4], frame["score"].tolist()) == (["contact", "signed", "when", "score"], [10.0])
    with pytest.raises(ek.EventsError, match="at: expected a column 'at' of instants beside 'contact'"):
        RAMP.score(events(["a"]), at={"contact": ["a"], "when": day, "then": day})


def test_contacts_of_an_at_frame_are_counted_once():
    """`stats.contacts` counts the contacts asked for, known or not."""
    at = {"contact": ["zz", "yy", "a", "zz"], "at": np.zeros(4, "datetime64[us]")}
    assert MODEL.score(events(["a"]), at=at).stats.contacts == 3


@pytest.mark.parametrize("decay", ["none", {"half_life": "1us"}])
def test_overflow(decay):
    """Points that no float can hold are an error that names the contact, the momentum's included."""
    model = ek.Model(rules=[ek.Rule(name="v", on="v", points=1e308, decay=decay)])
    with pytest.raises(ek.EventsError, match="contact 'a': their points overflow"):
        model.score(events(["a", "a", "a"]), at="2026-01-02")


def test_overflow_names_a_contact_as_it_is():
    """An integer is named as one, and a long text is cut."""
    model = ek.Model(rules=[ek.Rule(name="v", on="v", points=1e308, decay="none")])
    for contact, said in ((7, "contact 7: "), ("x" * 10_000, r"xxx\.\.\.' \(10,000 characters\): ")):
        with pytest.raises(ek.EventsError, match=f"{said}their points overflow"):
            model.score(events([contact] * 2), at="2026-01-02")


def test_scores_whose_sum_overflows():
    """Contacts whose points overflow only together are scored."""
    model = ek.Model(rules=[ek.Rule(name="v", on="v", points=1e308, decay="none")])
    assert model.score(events(["a", "b"]), at="2026-01-02").frame["score"].tolist() == [1e308, 1e308]


@pytest.mark.parametrize(
    ("points", "constant", "span"),
    [(1000, 0.9999, "2592000000001us"), (10, 0.999999, "2592001s"), (1000, 0.99999999, "2592001s")],
)
def test_scores_that_cling_to_a_bound(points, constant, span):
    """Opposite points that hold a score just below a bound do not keep `next_change` busy for ever."""
    rules = [
        ek.Rule(name="up", on="v", points=points, decay={"half_life": "30d"}),
        ek.Rule(name="down", on="v", points=-points, decay={"half_life": span}),
        ek.Rule(name="rest", on="v", points=constant, decay="none"),
    ]
    scores = ek.Model(rules=rules, scale={"linear": 100}).score(events(["a"]), at="2026-01-02")
    assert np.isnat(scores.frame["next_change"][0])


def test_many_conditions():
    """Classes of events are as many as the combinations of answers; each has its own rules."""
    rng = np.random.default_rng(1)
    answers = rng.integers(0, 2, (30, 2_000))
    frame = events(list(range(2_000))) | {f"x{i}": column for i, column in enumerate(answers)}
    rules = [
        ek.Rule(name=f"r{i}", on="v", points=2**i, decay="none", where=ek.field(f"x{i}") == 1)
        for i in range(30)
    ]
    found = ek.Model(rules=rules).score(frame, at="2026-01-02").frame["score"]
    assert found.tolist() == (2.0 ** np.arange(30) @ answers).tolist()


def test_a_stopped_scorer_leaves_jobs_undone(monkeypatch):
    """After `stop` no job is begun, so that other threads end soon."""
    make = _core.scorer

    def stopped(**arrays):
        scorer = make(**arrays)
        scorer.stop()
        return scorer

    monkeypatch.setattr(_core, "scorer", stopped)
    assert len(MODEL.score(events(["a", "b"]), at="2026-01-01")) == 0


def test_an_interrupted_thread_stops_the_others(monkeypatch):
    """What interrupts one part of a scoring tells the other parts to stop, and goes on to the caller."""
    stops = []

    class Interrupted:
        def run(self, *_):
            raise KeyboardInterrupt

        def stop(self):
            stops.append(True)

    monkeypatch.setattr(_core, "scorer", lambda **_: Interrupted())
    with pytest.raises(KeyboardInterrupt):
        MODEL.score(events(["a", "b"]), at="2026-01-01", threads=2)
    assert stops == [True]


INTERRUPTED = """
import numpy as np, engagekit as ek
rng = np.random.default_rng(0)
n = 1_000_000
frame = {"contact": rng.integers(0, CONTACTS, n), "type": ["v"] * n, "time": rng.integers(0, 10**15, n)}
rules = [ek.Rule(name=f"r{i}", on="v", points=1, decay={"half_life": f"{i + 1}d"}) for i in range(100)]
events, model = ek.Events(frame, unit="us"), ek.Model(rules=rules)
print("ready", flush=True)
while True:
    model.score(events, at="2003-01-01", threads=2)
"""


@pytest.mark.parametrize("contacts", [1, 20_000])
def test_interruption(contacts):
    """Ctrl-C ends a scoring on several threads."""
    program = INTERRUPTED.replace("CONTACTS", str(contacts))
    assert_interruptible(program)
