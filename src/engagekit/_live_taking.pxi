# Events on their way into a live state, alone or a frame at once.

@cython.final
cdef class Kept:
    """What a frame of events brings beside its columns: how its codes are the live state's; see `LiveState.take_all`."""

    cdef const int32_t[::1] contacts
    cdef const int32_t[::1] classes
    cdef const int32_t[::1] types
    cdef const int32_t[::1] contents
    cdef const int64_t[::1] ids
    cdef const uint8_t[::1] named
    cdef list by
    cdef list columns

    def __init__(self, contacts, classes, types, contents, ids, named, list by, list columns):
        self.contacts = contacts
        self.classes = classes
        self.types = types
        self.contents = contents
        self.ids = ids
        self.named = named
        self.by = by
        self.columns = columns


cdef class LiveIntake(LiveBlocks):
    """The rows, and what counts in them."""

    def add(self, contact, type, time=None, *, value=None, id=None, context=None):
        """Take in one event; see `Live.add`. What is not plain is left to `_add`."""
        cdef int64_t micros, present, known, number
        cdef int32_t code
        cdef int overflow = 0
        cdef uint64_t hash = 0
        cdef Arrival event
        cdef Py_ssize_t size
        cdef const char* text
        if self.integers is not None and PyLong_CheckExact(contact):
            number = PyLong_AsLongLongAndOverflow(contact, &overflow)
            hash = self.integers.hash(number)
            ek_prefetch(self.integers.lines + (hash >> self.integers.shift))    # while the rest is looked at
        if (
            id is None and context is None and self.clock is None and self.plain is not None
            and (time is None or self.is_plain(time))
        ):
            found = self.plain.get(type) if PyUnicode_CheckExact(type) else None
            present = machine_clock()
            micros = present if time is None else micros_of(time)
            if found is not None and micros <= present < self.waits_until:
                code = -1
                if self.integers is not None and PyLong_CheckExact(contact):
                    if not overflow and number >= 0:
                        code = self.integers.place(number, hash)
                elif self.texts is not None and PyUnicode_CheckExact(contact):
                    try:
                        text = PyUnicode_AsUTF8AndSize(contact, &size)
                    except UnicodeEncodeError:
                        return self._add(contact, type, time, value, id, context)
                    code = self.texts.place(
                        <const uint8_t*>text, size, ek_hash_bytes(<const uint8_t*>text, size, self.texts.secrets), True
                    )
                if code >= 0:
                    if code >= self.count:
                        self.reserve(code + 1)
                    ask_for(&self.layout, self.head(self.row_of(code)))
                    self.ready()
                    known = found
                    event.time = micros
                    event.named = False
                    event.id = 0
                    event.event_class = <int32_t>(known >> 32)
                    event.type = <int32_t>(known & 0x7FFFFFFF)
                    event.content = -1
                    event.raw = self.raws
                    event.by = self.bys
                    event.nulls = self.rate(self.terms.plan, event.event_class, 0)
                    self.take(code, &event, False)
                    if micros > self.terms.newest:
                        self.terms.newest = micros
                    if time is not None and datetime_tzinfo(time) is not None:
                        self.aware = True
                    return None
        return self._add(contact, type, time, value, id, context)

    def instant(self, at):
        """Return an instant in microseconds as far as that is plain: a datetime of UTC; None otherwise."""
        return micros_of(at) if self.is_plain(at) else None

    cdef inline bint is_plain(self, object time):
        """Whether a time is a datetime, and of UTC."""
        return PyDateTime_CheckExact(time) and (datetime_tzinfo(time) is None or datetime_tzinfo(time) is UTC)

    cdef int settle(self, State* row) except -1:
        fold(&self.terms, &self.scratch, row)
        if self.scratch.failed:
            self.scratch.failed = False
            raise MemoryError
        return 0

    cdef Extra* extra_of(self, Head* head, int64_t more) except NULL:
        """Return what is open of a contact, with room for that many more records."""
        cdef State row
        if head.extra is NULL:
            head.extra = <Extra*>calloc(1, sizeof(Extra))
            if head.extra is NULL:
                raise MemoryError
        elif head.extra.count + more > head.extra.room and head.extra.count:
            self.open_row(head, &row)
            self.settle(&row)
        if more and record_room(head.extra, more) is NULL:
            raise MemoryError
        return head.extra

    cdef int take(self, int64_t code, Arrival* event, bint waiting) except -1:
        """Take one event in: it counts, or waits."""
        cdef const Plan* plan = self.terms.plan
        cdef int32_t k = event.event_class
        cdef Head* head = self.head(self.row_of(code))
        cdef int64_t more = hits_of(plan, k) + self.terms.excludes + event.named
        cdef State row
        cdef Extra* extra = head.extra
        cdef bint gone, may = excludable(&self.terms, k, &gone)
        if event.named and was_seen(&self.terms, extra, event.id):
            self.duplicates += 1
            self.rows += 1
            return 0
        if self.to_take:
            self.before_change(self.row_of(code))
        self.open_row(head, &row)
        head.flags |= TOUCHED
        self.touched = True
        if self.terms.newest != NEVER and event.time < self.terms.newest - self.terms.lateness:
            self.terms.strict = False
            self.settle(&row)
        if more or waiting:
            extra = self.extra_of(head, more)
        if waiting or may:
            self.postpone(extra, event, waiting)
        if event.named:
            remember(extra, self.terms.ids, 0, event.time, event.id, 0.0)
        self.rows += 1
        if waiting:
            self.waits += 1
            self.waits_until = min(self.waits_until, event.time)
            return 0
        head.newest = max(head.newest, event.time)
        if self.terms.excludes and precede(&self.terms, extra, event, True):
            self.terms.late += 1
        if gone:
            self.terms.excluded += 1
        elif not may:
            count_in(&self.terms, &row, extra, event, True)
        self.terms.strict = True
        return 0

    cdef int postpone(self, Extra* extra, const Arrival* event, bint waiting) except -1:
        """Let an event wait, for its exclusions to settle or for the clock."""
        cdef int64_t points = points_of(self.terms.plan, event.event_class)
        cdef Pending* pending = <Pending*>malloc(
            sizeof(Pending) + points * sizeof(double) + self.terms.columns * sizeof(int64_t)
        )
        if pending is NULL:
            raise MemoryError
        pending.next = extra.pending
        pending.time = event.time
        pending.id = event.id
        pending.event_class = event.event_class
        pending.type = event.type
        pending.content = event.content
        pending.waiting = waiting
        pending.named = event.named
        pending.nulls = <int32_t>event.nulls
        memcpy(pending + 1, event.raw, points * sizeof(double))
        memcpy(<double*>(pending + 1) + points, event.by, self.terms.columns * sizeof(int64_t))
        extra.pending = pending
        return 0

    cdef int64_t rate(self, const Plan* plan, int32_t k, int64_t i) noexcept nogil:
        """Compute the raw points of event `i` of a plan, of class `k` there, by rule; return how many amounts are null."""
        cdef int64_t j, n = 0, nulls = 0
        cdef const RuleSpec* rule
        for j in range(plan.plain_start[k], plan.plain_start[k + 1]):
            self.raws[n] = raw_points(plan, plan.rule + plan.plain_rule[j], i, &nulls)
            n += 1
        for j in range(plan.listed_start[k], plan.listed_start[k + 1]):
            rule = plan.rule + plan.listed_rule[plan.listed_of[j]]
            self.raws[n] = raw_points(plan, rule, i, &nulls) if rule.kind == RULE else 0.0
            n += 1
        return nulls

    def take_one(
        self, int64_t code, int64_t time, int32_t event_class, int32_t type, int32_t content, id, tuple codes,
        tuple bys, tuple amounts, int64_t now,
    ):
        """Take in one event: `codes` for weights, `bys` for `by`, `amounts`, a value for each column of the plan."""
        cdef Arrival event
        cdef int64_t j
        cdef int32_t[::1] one
        cdef double[::1] amount
        self.ready()
        for j in range(len(codes)):
            one = self.one_code[j]
            one[0] = codes[j]
            self.bys[j] = bys[j]
        for j in range(len(amounts)):
            amount = self.one_amount[j]
            amount[0] = amounts[j]
        event.time = time
        event.named = id is not None
        event.id = id if id is not None else 0
        event.event_class = event_class
        event.type = type
        event.content = content
        event.raw = self.raws
        event.by = self.bys
        event.nulls = self.rate(self.terms.plan, event_class, 0)
        self.take(code, &event, time > now)
        if time <= now and time > self.terms.newest:
            self.terms.newest = time

    def take_all(
        self, Scorer source not None, Kept kept not None, int64_t now, int64_t threads, int64_t dropped, position
    ):
        """Take in the events that a scorer is attached to, grouped by contact; then the newest seen moves on.

        `dropped` of the frame were duplicates; with it the source is at `position` (None: where it was). That is said
        here, where no signal can come between: a frame that counts and a position before it would count it twice.
        """
        cdef const Plan* plan = &source.plan
        cdef int64_t c, contacts = kept.contacts.shape[0], newest = NEVER
        self.touched = self.touched or contacts > 0
        self.ready()
        for c in range(contacts):
            if plan.start[c] < plan.start[c + 1]:
                newest = max(newest, plan.time[plan.start[c + 1] - 1])
        if self.to_take:
            for c in range(contacts):
                self.before_change(self.row_of(kept.contacts[c]))
        if (
            newest <= now and self.terms.excludes == 0 and kept.named.shape[0] == 0 and kept.contents.shape[0] == 0
            and plan.listed_start[plan.classes] == 0
        ):
            # whose row is whose two threads must not find out at once
            self.take_plain(plan, kept, newest, threads if self.alias is NULL else 1)
        else:
            newest = self.take_each(plan, kept, now)
        self.terms.newest = max(self.terms.newest, newest)
        self.rows += dropped
        self.duplicates += dropped
        if position is not None:
            self.read_until = position

    cdef int take_plain(self, const Plan* plan, Kept kept, int64_t newest, int64_t threads) except -1:
        """Take in events that are all there is to know of them, contacts by the share."""
        cdef int64_t n = 0, count = min(threads, <int64_t>MOST_SHARES, 1 + plan.events // EVENTS_OF_SHARE), c = 0
        cdef Share[MOST_SHARES] shares
        cdef bint failed = False
        memset(shares, 0, sizeof(shares))
        for n in range(count):
            shares[n].plan = plan
            shares[n].layout = &self.layout
            shares[n].blocks = self.blocks
            shares[n].alias = self.alias
            shares[n].contacts = &kept.contacts[0]
            shares[n].classes = &kept.classes[0]
            shares[n].types = &kept.types[0]
            shares[n].terms = self.terms
            shares[n].terms.unmatched = shares[n].terms.null_amounts = 0
            shares[n].first = c
            while c < kept.contacts.shape[0] and plan.start[c] < plan.events * (n + 1) // count:
                c += 1
            shares[n].last = c
            shares[n].terms.queue = open_deposits(plan, newest)
            failed = failed or shares[n].terms.queue is NULL
        if not failed:
            share_out(shares, count)
        for n in range(count):
            free(shares[n].terms.queue)
            self.terms.unmatched += shares[n].terms.unmatched
            self.terms.null_amounts += shares[n].terms.null_amounts
        if failed:
            raise MemoryError
        self.rows += plan.events
        return 0

    cdef int64_t take_each(self, const Plan* plan, Kept kept, int64_t now) except? -1:
        """Take in events one by one; returns the time of the newest that need not wait, `NEVER` if there is none."""
        cdef Arrival event
        cdef int64_t c, i, j, newest = NEVER
        cdef int32_t k
        cdef const int64_t[::1] hashes
        cdef const int32_t[::1] column
        event.raw = self.raws
        event.by = self.bys
        self.terms.queue = open_deposits(plan, now)
        if self.terms.queue is NULL:
            raise MemoryError
        try:
            for c in range(kept.contacts.shape[0]):
                if c + CONTACTS_AHEAD < kept.contacts.shape[0]:
                    ask_for(&self.layout, self.head(self.row_of(kept.contacts[c + CONTACTS_AHEAD])))
                for i in range(plan.start[c], plan.start[c + 1]):
                    k = code_at(plan.event_class, plan.class_width, i)
                    event.time = plan.time[i]
                    event.event_class = kept.classes[k]
                    event.type = kept.types[code_at(plan.type, plan.type_width, i)]
                    event.content = kept.contents[i] if kept.contents.shape[0] else -1
                    event.named = kept.named.shape[0] > 0 and kept.named[i]
                    event.id = kept.ids[i] if event.named else 0
                    for j in range(self.terms.columns):
                        hashes = kept.by[j]
                        column = kept.columns[j]
                        self.bys[j] = hashes[column[i] if column[i] >= 0 else hashes.shape[0] - 1]
                    event.nulls = self.rate(plan, k, i)
                    self.take(kept.contacts[c], &event, event.time > now)
                    if event.time <= now:
                        newest = max(newest, event.time)
        finally:
            flush_deposits(self.terms.plan, self.terms.queue)
            free(self.terms.queue)
            self.terms.queue = NULL
        return newest

    def admit(self, int64_t now):
        """Let the events count that waited for the clock; done when the first of them is due."""
        cdef int64_t c, newest = self.terms.newest
        cdef Head* head
        cdef State row
        cdef Pending** link
        cdef Pending* pending
        cdef Arrival event
        cdef bint gone, may
        if self.waits_until > now:
            return
        self.ready()
        self.waits = 0
        self.waits_until = INT64_MAX
        for c in range(self.count):
            head = self.head(c)
            if head.extra is NULL or head.extra.pending is NULL:
                continue
            self.before_change(c)
            self.open_row(head, &row)
            link = &head.extra.pending
            while link[0] is not NULL:
                pending = link[0]
                if not pending.waiting or pending.time > now:
                    if pending.waiting:
                        self.waits += 1
                        self.waits_until = min(self.waits_until, pending.time)
                    link = &pending.next
                    continue
                as_arrival(&self.terms, pending, &event)
                may = excludable(&self.terms, pending.event_class, &gone)
                if record_room(head.extra, hits_of(self.terms.plan, event.event_class) + self.terms.excludes) is NULL:
                    raise MemoryError
                precede(&self.terms, head.extra, &event, True)
                head.newest = max(head.newest, event.time)
                newest = max(newest, event.time)
                pending.waiting = False
                head.flags |= TOUCHED
                self.touched = True
                if may:
                    link = &pending.next
                    continue
                if gone:
                    self.terms.excluded += 1
                else:
                    count_in(&self.terms, &row, head.extra, &event, False)
                link[0] = pending.next
                free(pending)
        self.terms.newest = newest
