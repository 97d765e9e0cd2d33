# A live state's rows as numbers of one instant, by the batch's own functions.

cdef class LiveScorer(LiveIntake):
    """The rows, and what is said of them."""

    cdef int try_pending(self, State* row, int64_t at) except -1:
        """Replace a row by a copy in which all that waits and is not later than `at` counts."""
        cdef Extra* extra = row.head.extra
        cdef Extra* spare = &self.spare_extra
        cdef Pending* pending
        cdef Arrival event
        cdef Terms before = self.terms      # what is only tried is not counted
        cdef int64_t more = 0
        cdef bint gone, may
        pending = extra.pending
        while pending is not NULL:
            more += hits_of(self.terms.plan, pending.event_class) + self.terms.excludes
            pending = pending.next
        spare.count = 0
        if record_room(spare, extra.count + more) is NULL and extra.count + more:
            raise MemoryError
        if extra.count:     # without any there may be no memory, which C forbids even to copy nothing from
            memcpy(spare.records, extra.records, extra.count * sizeof(Record))
        spare.count = extra.count
        memcpy(self.spare, row.head, self.layout.size)
        self.open_row(<Head*>self.spare, row)
        row.head.extra = spare
        pending = extra.pending
        while pending is not NULL:
            if pending.waiting and pending.time <= at:
                as_arrival(&self.terms, pending, &event)
                precede(&self.terms, spare, &event, False)
            pending = pending.next
        pending = extra.pending
        while pending is not NULL:
            if pending.time <= at:
                as_arrival(&self.terms, pending, &event)
                row.head.newest = max(row.head.newest, event.time)
                may = excludable(&self.terms, event.event_class, &gone)
                if not gone and not (may and is_excluded(&self.terms, spare, &event)):
                    count_in(&self.terms, row, spare, &event, False)
            pending = pending.next
        self.terms = before
        return 0

    cdef int evaluate_row(
        self, int64_t code, int64_t at, int64_t since, bint ahead, Row* out, State* row, double* channels,
        int64_t stride, double* sums,
    ) except -2:
        """Everything about one contact at one instant, as the batch's `score_one`; -1: events are later than that."""
        cdef const Plan* plan = self.terms.plan
        cdef Scratch* scratch = &self.scratch
        cdef Facts facts
        cdef Head* head
        cdef const RuleSpec* rule
        cdef Extra* extra
        cdef int64_t r, l, n
        cdef double left
        forget(plan, scratch, out, &facts)
        out.present = False
        scratch.far = True
        scratch.evaluations = 0
        if code >= 0:
            self.open_row(self.head(self.row_of(code)), row)
            if row.head.newest != NEVER and at < row.head.newest:
                return -1
            if row.head.extra is not NULL and row.head.extra.pending is not NULL:
                self.try_pending(row, at)
            head = row.head
            out.events = head.events
            out.first_event = head.first
            out.last_event = head.last
            out.last_type = head.last_type
            out.present = head.flags & PRESENT != 0
            if row.lifecycle is not NULL:
                facts.first_customer = row.lifecycle[0]
                facts.last_customer = row.lifecycle[1]
                facts.last_end = row.lifecycle[2]
            for r in range(plan.rules):
                if row.sums[r].value == 0 and row.sums[r].rest == 0:
                    continue
                rule = plan.rule + r
                left = 1.0
                if rule.decay == HALF_LIFE:
                    left = fading(
                        at - steps_of(head.landmark, rule.span, rule.inverse) * rule.span, rule.span, rule.inverse
                    )
                scratch.sums[r].value = row.sums[r].value * left
                scratch.sums[r].rest = row.sums[r].rest * left
                scratch.seen[r] = 1
                if rule.listed >= 0:
                    l = rule.listed
                    scratch.part_first[l] = scratch.part_upto[l] = scratch.part_end[l] = 0
            if head.flags & PACED:
                scratch.pace.known = True
                scratch.pace.mark = head.mark
                r = floor_div(head.mark, plan.fast) * plan.fast
                scratch.pace.fast = head.fast * fading(head.mark - r, plan.fast, plan.fast_inverse)
                r = floor_div(head.mark, plan.slow) * plan.slow
                scratch.pace.slow = head.slow * fading(head.mark - r, plan.slow, plan.slow_inverse)
            extra = head.extra
            if extra is not NULL and extra.count:
                for l in range(plan.listed):
                    n = gather_records(&self.terms, scratch, extra, l, True)
                    if n:
                        take_part(plan, scratch, scratch.entries, n, l, at)
                    if scratch.failed:
                        scratch.failed = False
                        raise MemoryError
            flush(plan, scratch)
        settle(plan, scratch, at)
        take_since(plan, at, since, &facts)
        finish(
            plan, scratch, at, since, facts.last_customer, facts.last_end, facts.half, facts.ended, ahead, out, channels,
            stride, sums,
        )
        if scratch.raised:
            scratch.raised = False
            raise_again()
        return 0

    def score_some(
        self, const int64_t[::1] codes, const int64_t[::1] since, int64_t at, bint ahead, dict arrays,
        double[:, ::1] channels, int64_t[::1] rejected, uint8_t[::1] said, uint64_t[:, ::1] had,
    ):
        """Score contacts by code (-1: unknown) at one instant into arrays, as `Scorer.run`, and what sales said.

        Returns the place of the first whose events are later, -1 if there is none.
        """
        cdef Columns columns = columns_of(arrays)
        cdef int64_t j, jobs = channels.shape[1]
        cdef Row out
        cdef State row
        self.ready()
        for j in range(codes.shape[0]):
            if self.evaluate_row(codes[j], at, since[j], ahead, &out, &row, &channels[0, j], jobs, NULL) < 0:
                return j
            store(&columns, j, &out, at)
            if rejected.shape[0]:
                rejected[j] = NEVER
                said[j] = 0
                if codes[j] >= 0 and row.verdicts is not NULL:
                    rejected[j] = row.verdicts[2]
                    said[j] = <uint8_t>((row.verdicts[0] > rejected[j]) + 2 * (row.verdicts[1] > rejected[j]))
                if codes[j] >= 0 and had.shape[1]:
                    memcpy(&had[j, 0], row.had, had.shape[1] * sizeof(uint64_t))
        return -1

    def score_one(self, int64_t code, int64_t at, int64_t since, list types not None):
        """Score one contact (-1: unknown): the instant as a datetime, and the columns; None: its events are later.

        `types` are the names of the types, by code. Raises an OverflowError where its points do.
        """
        cdef Row out
        cdef State row
        cdef double* channels
        cdef int64_t j
        cdef object zone = UTC if self.aware else None
        self.ready()
        channels = self.channel_values
        if self.evaluate_row(code, at, since, True, &out, &row, channels, 1, NULL) < 0:
            return None
        if not (fabs(out.score) < INFINITY and fabs(out.largest) < INFINITY):
            raise OverflowError
        columns = {
            "score": out.score,
            "engagement": out.engagement,
            "level": self.levels[out.level],
            "half": "customer" if out.half == CUSTOMER else "prospect",
            "phase": None if out.phase < 0 else self.phases[out.phase],
            "momentum": None if isnan(out.momentum) else out.momentum,
            "next_change": moment_of(out.next_change, zone),
            "next_level": None if out.next_level < 0 else self.levels[out.next_level],
            "next_phase": None if out.next_phase < 0 else self.phases[out.next_phase],
            "events": out.events,
            "first_event": moment_of(out.first_event, zone),
            "last_event": moment_of(out.last_event, zone),
            "last_type": None if out.last_type < 0 else types[out.last_type],
            "silent_days": <double>(at - out.last_event) / 86400000000.0 if out.events else None,
            "top_channel": None if out.top_channel < 0 else self.channels[out.top_channel],
        }
        for j in range(self.terms.plan.channels):
            columns[self.channel_columns[j]] = channels[j]
        return moment_of(at, zone), columns

    def sums_of(self, int64_t code, int64_t at, int64_t since, double[::1] sums):
        """S(r) of one contact by rule, as `score_one` takes it; its half. -1: its events are later."""
        cdef Row out
        cdef State row
        self.ready()
        if self.evaluate_row(code, at, since, False, &out, &row, self.channel_values, 1, &sums[0]) < 0:
            return -1
        return out.half
