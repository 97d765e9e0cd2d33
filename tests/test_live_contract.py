"""The contract of live states: whatever is done to them, in whatever order, their numbers are the batch's."""

import os
from collections import deque
from dataclasses import replace
from functools import cache

from agreement import CONTACT_COLUMNS, EVENT_COLUMNS
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule
from living import FOREVER, arrivals, assert_same, batch_of, feed
from shapes import PLAIN, frame_of, moment
from strategies import cases
from strategies_leads import CONTACT_COLUMNS as LEAD_COLUMNS
from strategies_leads import lead_cases

import engagekit as ek
from engagekit.live.keeping import restored, sections_of

EXAMPLES = int(os.environ.get("ENGAGEKIT_LIVE_EXAMPLES", "500"))
COUNTS = ("duplicates", "excluded", "unmatched", "null_amounts")
WHICH = st.integers(0, 2)


def copied(live):
    """Make a state of what a file of another would be."""
    try:
        return restored(ek.Live, sections_of(live), "a copy", live.clock)
    finally:
        live.end_file()


@cache
def drawn(leads):
    """Draw cases to choose from: to draw one takes longer than to do everything with it."""
    found = []

    @settings(max_examples=max(EXAMPLES // 20, 10), phases=[Phase.generate], database=None)
    @given(lead_cases() if leads else cases())
    def collect(case):
        found.append(case)

    collect()
    return found


class States(RuleBasedStateMachine):
    """Some live states among which a case's events are divided, and what they should know."""

    @initialize(data=st.data(), leads=st.booleans(), open_for_ever=st.booleans(), count=st.integers(1, 3))
    def begin(self, data, leads, open_for_ever, count):
        """Draw a case; where nothing settles, events of one contact may come to several states."""
        self.case = data.draw(st.sampled_from(drawn(leads)))
        self.model = ek.Model.from_dict(self.case.model)
        self.lateness, pieces = data.draw(arrivals(self.case))
        if open_for_ever:
            self.lateness = FOREVER
        self.divided = open_for_ever and self.case.id is None
        self.pieces = deque(pieces)
        self.event_columns = [*EVENT_COLUMNS, "content"] if leads else EVENT_COLUMNS
        self.contact_columns = LEAD_COLUMNS if leads else CONTACT_COLUMNS
        self.contacts = sorted({event["contact"] for event in self.case.events}, key=str)
        self.events, self.links, self.counted = [], [], True
        self.lives, self.known = [self.made() for _ in range(count)], [{} for _ in range(count)]
        self.home = {contact: place % count for place, contact in enumerate(self.contacts)}

    def made(self):
        """Make an empty state, in which those are linked that are."""
        live = ek.Live(self.model, lateness=self.lateness, clock=lambda: moment(self.case.at))
        for contact, into in self.links:
            live.link(contact, into=into)
        return live

    def root(self, contact):
        """Return whose events a contact's are."""
        for one, into in self.links:
            contact = into if contact == one else contact
        return contact

    @precondition(lambda self: self.pieces)
    @rule(which=WHICH, times=st.integers(1, 4))
    def take(self, which, times):
        """Take in some pieces, event by event or in frames."""
        for _ in range(min(times, len(self.pieces))):
            alone, events = self.pieces.popleft()
            self.events += events
            if self.divided:
                feed(self.lives[which % len(self.lives)], self.case, (alone, events), self.event_columns)
                continue
            for place, live in enumerate(self.lives):
                own = [event for event in events if self.home[event["contact"]] == place]
                if own:
                    feed(live, self.case, (alone, own), self.event_columns)

    @precondition(lambda self: self.case.contacts)
    @rule(which=WHICH, some=st.sets(st.integers(0, 5)), other=st.integers(0, 5), as_frame=st.booleans())
    def update(self, which, some, other, as_frame):
        """Tell attributes of some contacts, those of another one as a rule."""
        which %= len(self.lives)
        rows = {}
        for number in sorted(some):
            place = number % len(self.case.contacts)
            contact = self.case.contacts[place]["contact"]
            told = self.case.contacts[(place + other) % len(self.case.contacts)]
            rows[self.root(contact)] = told | {"contact": contact}
        if not rows:
            return
        if as_frame:
            self.lives[which].update(frame_of(list(rows.values()), self.contact_columns, PLAIN))
        else:
            self.lives[which].update(
                {
                    row["contact"]: {n: plain(n, row[n]) for n in self.contact_columns[1:]}
                    for row in rows.values()
                }
            )
        for contact, row in rows.items():
            own = self.known[which].setdefault(contact, {})
            own |= {name: row[name] for name in self.contact_columns[1:]}

    @rule(which=WHICH)
    def save_and_load(self, which):
        """Go on with what a file says of a state."""
        self.lives[which % len(self.lives)] = copied(self.lives[which % len(self.lives)])

    @precondition(lambda self: len(self.lives) > 1)
    @rule(one=WHICH, other=WHICH)
    def merge(self, one, other):
        """Let one state take in another, which begins anew."""
        one, other = one % len(self.lives), other % len(self.lives)
        if one == other:
            return
        self.lives[one].merge(self.lives[other])
        self.known[one] = joined(self.known[other], self.known[one])
        self.home = {contact: one if place == other else place for contact, place in self.home.items()}
        self.lives[other], self.known[other] = self.made(), {}

    @precondition(lambda self: self.divided)
    @rule(one=st.integers(0, 5), other=st.integers(0, 5))
    def link(self, one, other):
        """Let one contact be another, in all states."""
        one, other = (self.contacts[number % len(self.contacts)] for number in (one, other))
        if self.root(one) == self.root(other):
            return
        for live, known in zip(self.lives, self.known, strict=True):
            live.link(one, into=other)
            own = known.pop(self.root(one), None)
            if own is not None:
                known[self.root(other)] = own | told(known.get(self.root(other), {}))
        self.links.append((self.root(one), self.root(other)))
        self.counted = False

    @rule(which=st.integers(0, 5))
    def forget(self, which):
        """Forget a contact and all that are linked to it, in all states."""
        gone = self.root(self.contacts[which % len(self.contacts)])
        every = {contact for contact in self.contacts if self.root(contact) == gone}
        for live, known in zip(self.lives, self.known, strict=True):
            live.forget(gone)
            known.pop(gone, None)
        self.events = [event for event in self.events if event["contact"] not in every]
        self.links = [pair for pair in self.links if not every & set(pair)]
        self.counted = False

    @rule()
    def look(self):
        """Compare all states together with a table of what they have been given."""
        whole = copied(self.lives[0])
        known = self.known[0]
        for live, other in zip(self.lives[1:], self.known[1:], strict=True):
            whole.merge(live)
            known = joined(other, known)
        self.assert_the_batch_s(whole, known)

    def assert_the_batch_s(self, live, known):
        """Assert that a state says what a table of everything does."""
        events = [event | {"contact": self.root(event["contact"])} for event in self.events]
        contacts = [{"contact": contact, **told(own)} for contact, own in known.items()]
        if not events and not contacts:
            assert len(live.scores(moment(self.case.at))) == 0
            return
        case = replace(self.case, events=events, contacts=contacts or None)
        expected = batch_of(case, self.event_columns, self.contact_columns, like=self.case)
        assert_same(live.scores(moment(case.at)), expected, case.model)
        assert live.stats.late == 0
        if self.counted and all(event["time"] <= case.at for event in events):
            assert live.stats.rows == len(events)
            assert [getattr(live.stats, n) for n in COUNTS] == [getattr(expected.stats, n) for n in COUNTS]

    def teardown(self):
        """Take in what is left, and compare once more."""
        if hasattr(self, "pieces"):
            if self.pieces:
                self.take(0, len(self.pieces))
            self.look()


def plain(name, value):
    """Make an attribute what a caller would say."""
    return moment(value) if name == "customer_since" and value is not None else value


def told(own):
    """Leave out what is not known."""
    return {name: value for name, value in own.items() if value is not None and value == value}


def joined(theirs, ours):
    """Join what two states know: where both know something, ours stays."""
    both = {contact: told(theirs.get(contact, {})) for contact in theirs}
    return both | {contact: both.get(contact, {}) | told(own) for contact, own in ours.items()}


TestStates = States.TestCase
TestStates.settings = settings(
    max_examples=EXAMPLES, stateful_step_count=8, suppress_health_check=list(HealthCheck)
)
