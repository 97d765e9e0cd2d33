# Contacts that are one, states that become one, and contacts that are forgotten.

cdef class LiveState(LiveWatch):
    """The contacts' rows; `engagekit.live.Live` says what of."""

    def join(self, int64_t code, int64_t into):
        """Let a contact's events be another's, those to come too; every code of either leads to one row."""
        cdef int64_t source = self.row_of(code), target = self.row_of(into), i
        cdef void* alias
        cdef State one, two
        self.ready()
        if self.alias is NULL:
            alias = malloc(2 * self.count * sizeof(int32_t))
            if alias is NULL:
                raise MemoryError
            self.alias = <int32_t*>alias
            self.alias_room = 2 * self.count
            for i in range(self.alias_room):
                self.alias[i] = <int32_t>i
        self.before_change(target)
        self.before_change(source)
        self.open_row(self.head(target), &one)
        self.open_row(self.head(source), &two)
        self.unite(&one, &two)
        self.clear_row(two.head)
        for i in range(self.count):
            if self.alias[i] == source:
                self.alias[i] = <int32_t>target

    cdef int unite(self, State* row, State* other) except -1:
        """Add to a row another, whose open records and waiting events move."""
        cdef Head* head = row.head
        cdef Head* gone = other.head
        cdef Extra* extra
        cdef Pending** last
        cdef int64_t j
        self.settle(row)
        self.settle(other)
        if gone.extra is not NULL:
            extra = self.extra_of(head, 0)
            if gone.extra.count:
                if record_room(extra, gone.extra.count) is NULL:
                    raise MemoryError
                memcpy(extra.records + extra.count, gone.extra.records, gone.extra.count * sizeof(Record))
                extra.count += gone.extra.count
            last = &extra.pending
            while last[0] is not NULL:
                last = &last[0].next
            last[0] = gone.extra.pending
            gone.extra.pending = NULL
            drop_extra(gone)
        join_sums(self.terms.plan, head, row.sums, gone, other.sums)
        if gone.events:
            if head.events == 0 or gone.first < head.first:
                head.first = gone.first
            if head.events == 0 or gone.last > head.last or (
                gone.last == head.last and self.terms.rank[gone.last_type] > self.terms.rank[head.last_type]
            ):
                head.last = gone.last
                head.last_type = gone.last_type
            head.events += gone.events
        head.newest = max(head.newest, gone.newest)
        head.flags |= gone.flags & PRESENT | TOUCHED
        self.touched = True
        if row.lifecycle is not NULL:
            row.lifecycle[0] = min(row.lifecycle[0], other.lifecycle[0])
            row.lifecycle[1] = max(row.lifecycle[1], other.lifecycle[1])
            row.lifecycle[2] = max(row.lifecycle[2], other.lifecycle[2])
        if row.verdicts is not NULL:
            for j in range(3):
                row.verdicts[j] = max(row.verdicts[j], other.verdicts[j])
        for j in range(self.terms.words):
            row.had[j] |= other.had[j]
        return 0

    def row(self, int64_t code):
        """Return the code of the row that a code leads to."""
        return self.row_of(code)

    def erase(self, int64_t code):
        """Empty a contact's row, byte by byte, and wipe its id and all that are linked to it; they may come anew."""
        cdef int64_t target = self.row_of(code), i
        cdef Head* head = self.head(target)
        cdef const Pending* pending = head.extra.pending if head.extra is not NULL else NULL
        if self.to_take:
            raise RuntimeError("a file is being written")
        while pending is not NULL:
            self.waits -= pending.waiting
            pending = pending.next
        drop_extra(head)
        self.clear_row(head)
        if self.alias is NULL:
            self.wipe(target)
            return
        for i in range(self.count):
            if self.alias[i] == target:
                self.alias[i] = <int32_t>i
                self.wipe(i)

    cdef int wipe(self, int64_t code) except -1:
        """Let a code be nobody's, for good."""
        if self.integers is not None:
            self.integers.wipe(code, int.from_bytes(urandom(8), "little", signed=True))
        else:
            self.texts.wipe(code)

    def aliases(self):
        """Give the codes that lead to another's row, each with that row's."""
        cdef int64_t c
        return [(c, self.alias[c]) for c in range(self.count) if self.row_of(c) != c]

    def absorb(self, LiveState other not None, const int32_t[::1] codes, const int32_t[::1] types,
               const int32_t[::1] classes):
        """Add all rows of another state of the same plan: `codes`, `types` and `classes` say what its are here."""
        cdef int64_t c, newest = max(self.terms.newest, other.terms.newest)
        cdef State one, two
        cdef Pending* pending
        self.ready()
        other.ready()
        other.terms.newest = self.terms.newest = newest
        for c in range(other.count):
            if other.row_of(c) != c or (other.head(c).newest == NEVER and other.head(c).extra is NULL):
                continue
            self.before_change(self.row_of(codes[c]))
            self.open_row(self.head(self.row_of(codes[c])), &one)
            other.open_row(other.head(c), &two)
            # what settles now may be the last event: of a type that is still numbered as there
            other.settle(&two)
            if two.head.last_type >= 0:
                two.head.last_type = types[two.head.last_type]
            pending = two.head.extra.pending if two.head.extra is not NULL else NULL
            while pending is not NULL:
                pending.type = types[pending.type]
                pending.event_class = classes[pending.event_class]
                if pending.waiting:
                    self.waits += 1
                    self.waits_until = min(self.waits_until, pending.time)
                pending = pending.next
            self.unite(&one, &two)
        self.rows += other.rows
        self.duplicates += other.duplicates
        self.terms.late += other.terms.late
        self.terms.excluded += other.terms.excluded
        self.terms.unmatched += other.terms.unmatched
        self.terms.null_amounts += other.terms.null_amounts
