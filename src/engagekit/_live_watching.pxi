# What triggers ask of a live state: to whom something happened, and until when nothing that they look at changes.
#
# A trigger's conditions cut what engagement and momentum can be into cells, within each of which all of them say the
# same (`engagekit.live.watching`). Cells are handed over as phases are, so that the first instant at which a contact
# leaves its cell is found as its next change is. For bounds of the score, or of a channel's part of it, the engagement
# is the score, and no other channel may add anything.

cdef enum:
    LOOKED_AHEAD = 24


cdef double least_score(const Plan* plan, double engagement) noexcept nogil:
    """The score that reads `engagement`, where rounding makes it 0 or 100 too: the least one, looked for."""
    cdef double low = 0.0, high = 64.0 * plan.scale, middle, score = score_of(plan, engagement)
    if plan.linear_scale == AS_IT_IS or not 0 < engagement <= 100 or 0 < score < INFINITY:
        return score
    while True:
        middle = low + (high - low) / 2
        if not low < middle < high:
            return high
        if engagement_of(plan, middle) >= engagement:
            high = middle
        else:
            low = middle


cdef class LiveWatch(LiveScorer):
    """The rows, and what is to be looked at of them."""

    def touch(self, const int64_t[::1] codes):
        """Mark contacts as if something had happened."""
        cdef int64_t j
        for j in range(codes.shape[0]):
            self.before_change(self.row_of(codes[j]))
            self.head(self.row_of(codes[j])).flags |= TOUCHED
        self.touched = self.touched or codes.shape[0] > 0

    def take_touched(self, uint8_t[::1] out):
        """Mark the codes of rows to which something happened since the last time; they are forgotten as such."""
        cdef int64_t c
        cdef Head* head
        if not self.touched:
            return
        for c in range(min(self.count, out.shape[0])):
            head = self.head(c)
            if c + LOOKED_AHEAD < self.count:
                ek_prefetch(&self.head(c + LOOKED_AHEAD).flags)
            if head.flags & TOUCHED:
                self.before_change(c)
                head.flags &= ~TOUCHED
                out[c] = True
        self.touched = False

    def wait(self, const int64_t[::1] codes, int64_t at, int64_t[::1] due):
        """Lower `due` to the first event of each contact that waits for the clock and is later than `at`."""
        cdef int64_t j
        cdef Head* head
        cdef const Pending* pending
        if self.waits == 0:
            return
        for j in range(codes.shape[0]):
            head = self.head(self.row_of(codes[j]))
            pending = head.extra.pending if head.extra is not NULL else NULL
            while pending is not NULL:
                if pending.waiting and at < pending.time < due[j]:
                    due[j] = pending.time
                pending = pending.next

    def watch(
        self, const int64_t[::1] codes, const int64_t[::1] since, int64_t at, const PhaseSpec[::1] cells, bint plain,
        const double[::1] caps, int64_t[::1] due,
    ):
        """Lower `due` to when each contact leaves the cell that it is in at `at`, as if its half never changed.

        Parameters: `cells` by half as a model's phases, one of each half without minima; `plain`: the engagement is the
        score; `caps` of the channels. Cost: a score and a next change a contact. A contact whose newest event is later
        (it came meanwhile) is seen as of that.
        """
        cdef Plan plan
        cdef int64_t j, i, then
        cdef double* bounds
        cdef Row out
        cdef State row
        self.ready()
        plan = self.terms.plan[0]
        bounds = <double*>malloc((3 + cells.shape[0]) * sizeof(double))
        if bounds is NULL:
            raise MemoryError
        try:
            plan.phase = &cells[0]
            plan.phases = cells.shape[0]
            plan.channel_cap = &caps[0]
            plan.linear_scale = AS_IT_IS if plain else plan.linear_scale
            plan.bound = bounds
            for i in range(3):
                plan.level[i] = bounds[i] = INFINITY
            for i in range(cells.shape[0]):
                bounds[3 + i] = least_score(&plan, cells[i].min_engagement)
            for j in range(codes.shape[0]):
                then = max(at, self.head(self.row_of(codes[j])).newest)
                self.evaluate_row(codes[j], then, since[j], False, &out, &row, self.channel_values, 1, NULL)
                evaluate(&plan, &self.scratch, then, out.half, False, True, &self.scratch.points[0])
                next_change(&plan, &self.scratch, then, INT64_MAX, NEVER, NEVER, out.half, False, True, &out)
                if self.scratch.raised:
                    self.scratch.raised = False
                    raise_again()
                if out.next_change != NEVER and out.next_change < due[j]:
                    due[j] = out.next_change
        finally:
            free(bounds)
