# The sweep's face to Python: holds the instants and what is known of them once for all contacts, runs its contacts.

cdef int64_t READ_AT_ONCE = 65536       # events of one contact
cdef int64_t MANY_ROWS = 1 << 20        # more than the caches hold


cdef int prepare_sweep(const Plan* plan, Sweep* sweep, int64_t tile) noexcept nogil:
    """Give a sweep its memory for so many instants at once; -1 where there is none."""
    cdef bint failed = False
    memset(sweep, 0, sizeof(Sweep))
    sweep.course = <Course*>aligned(plan.rules, sizeof(Course), &failed)
    sweep.score = <double*>aligned(tile, sizeof(double), &failed)
    sweep.sum = <double*>aligned(tile, sizeof(double), &failed)
    sweep.engagement = <double*>aligned(tile, sizeof(double), &failed)
    sweep.momentum = <double*>aligned(tile, sizeof(double), &failed)
    sweep.level = <int64_t*>aligned(tile, sizeof(int64_t), &failed)
    sweep.picked = <int64_t*>aligned(tile, sizeof(int64_t), &failed)
    sweep.byte = <int8_t*>aligned(tile, sizeof(int8_t), &failed)
    sweep.state = <int32_t*>aligned(tile, sizeof(int32_t), &failed)
    sweep.age = <int64_t*>aligned(AT_ONCE, sizeof(int64_t), &failed)
    sweep.which = <int32_t*>aligned(AT_ONCE, sizeof(int32_t), &failed)
    sweep.left = <double*>aligned(AT_ONCE, sizeof(double), &failed)
    sweep.right = <double*>aligned(AT_ONCE, sizeof(double), &failed)
    sweep.faded = <Mark**>aligned(AT_ONCE, sizeof(Mark*), &failed)
    return -1 if failed else 0


cdef void dispose_sweep(Sweep* sweep) noexcept nogil:
    free(sweep.course)
    free(sweep.score)
    free(sweep.sum)
    free(sweep.engagement)
    free(sweep.momentum)
    free(sweep.level)
    free(sweep.picked)
    free(sweep.byte)
    free(sweep.state)
    free(sweep.age)
    free(sweep.which)
    free(sweep.left)
    free(sweep.right)
    free(sweep.faded)
    free(sweep.fasts)
    free(sweep.slows)
    free(sweep.marks)
    free(sweep.taken)
    free(sweep.paces)
    free(sweep.ticks)
    free(sweep.turns)


@cython.final
cdef class Sweeper:
    """A scorer and the instants at which it scores every contact; see `sweeper`."""

    cdef Scorer scorer
    cdef Grid grid
    cdef double* tables
    cdef Rate* rates
    cdef bint stopped
    cdef bint unpaced
    cdef bint inactive
    cdef object kept

    def __cinit__(self):
        self.tables = NULL
        self.rates = NULL

    def __dealloc__(self):
        free(self.tables)
        free(self.rates)

    def count(self, int64_t[::1] rows):
        """Set each contact's number of rows: of the instants from its first event (excluded ones aside) on."""
        cdef const Plan* plan = &self.scorer.plan
        cdef int64_t c, i
        with nogil:
            for c in range(rows.shape[0]):
                rows[c] = 0
                for i in range(plan.start[c], plan.start[c + 1]):
                    if code_at(plan.event_class, plan.class_width, i) >= 0:
                        rows[c] = self.grid.count - tick_of(&self.grid, plan.time[i], 0) if self.grid.count else 0
                        break

    def history(
        self,
        const int64_t[::1] since,
        const int64_t[::1] starts,
        const int64_t[::1] keys,
        int64_t first,
        int64_t last,
        int64_t[::1] at,
        int64_t[::1] key,
        int32_t[::1] code,
        double[::1] score,
        double[::1] engagement,
        double[::1] momentum,
        int8_t[::1] level,
        int8_t[::1] half,
        int8_t[::1] phase,
        int32_t[::1] state,
    ):
        """Write the rows of the contacts `first` ... `last` - 1 from `starts[contact]` on.

        `since` is `customer_since` by contact (INT64_MAX: none). Of `key` (the contacts' `keys`) and `code` (their codes)
        one is None. So is `state` (level + 4 * half + 8 * (phase + 1)), or `level`, `half` and `phase`, a byte each. Runs
        without the GIL; contacts of several calls must not overlap. Returns the first contact whose points overflow, -1
        if none's do.
        """
        cdef Scratch scratch
        cdef Sweep sweep
        cdef Written to
        cdef const Plan* plan = &self.scorer.plan
        cdef const Grid* grid = &self.grid
        cdef int64_t c = first, begun = -1, k = 0, l = 0, b, row, work, upto, null_amounts = 0, overflowed = -1
        if first == last or starts[first] == starts[last]:
            return -1
        to.at = &at[0]
        to.key = &key[0] if key is not None else NULL
        to.code = &code[0] if code is not None else NULL
        to.score = &score[0]
        to.engagement = &engagement[0]
        to.momentum = &momentum[0]
        to.state = &state[0] if state is not None else NULL
        to.level = &level[0] if level is not None else NULL
        to.half = &half[0] if half is not None else NULL
        to.phase = &phase[0] if phase is not None else NULL
        to.past = starts[starts.shape[0] - 1] >= MANY_ROWS
        memset(&sweep, 0, sizeof(Sweep))
        try:
            if self.scorer.prepare(&scratch) < 0 or prepare_sweep(plan, &sweep, min(<int64_t>TILE, grid.count)) < 0:
                raise MemoryError
            while c < last and not self.stopped:
                work = 0
                with nogil:
                    # a contact's events and instants are taken in bits, so that even one alone can be interrupted
                    while c < last and work < BETWEEN_SIGNALS and not sweep.failed:
                        if starts[c] == starts[c + 1]:
                            c += 1
                            work += 1
                            continue
                        if begun != c:
                            begun = c
                            sweep.overflow = False
                            set_out(plan, &sweep, grid, c, since[c])
                            k = l = -1
                        if sweep.event < sweep.end:
                            upto = min(sweep.end, sweep.event + READ_AT_ONCE)
                            work += upto - sweep.event
                            read_events(plan, &sweep, grid, upto, &null_amounts)
                            if sweep.event < sweep.end:
                                continue
                        if k < 0 and l < 0:
                            if lay_out(plan, &sweep, BETWEEN_SIGNALS):
                                l = 0
                            work += min(BETWEEN_SIGNALS, sweep.taken_count)
                            continue
                        if k < 0 and l < plan.listed:
                            lay_out_listed(plan, &scratch, &sweep, grid, l, plan.start[c], &null_amounts)
                            work += sweep.end - plan.start[c]
                            l += 1
                            continue
                        if k < 0:
                            set_off(plan, &sweep, grid)
                            k = sweep.present
                            if sweep.failed:
                                break
                        row = starts[c] + k - sweep.present
                        b = min(k + TILE, grid.count)
                        write_tile(plan, &sweep, grid, k, b, &to, row)
                        write_key(&to, keys, c, row, b - k)
                        work += 64 + (b - k) * plan.rules // 4
                        k = b
                        if k == grid.count:
                            if sweep.overflow and overflowed < 0:
                                overflowed = c
                            c += 1
                if sweep.failed:
                    raise MemoryError
                PyErr_CheckSignals()
        finally:
            ek_poured()
            self.unpaced |= sweep.unpaced
            self.inactive |= sweep.inactive
            self.scorer.dispose(&scratch)
            dispose_sweep(&sweep)
        return overflowed

    def gaps(self):
        """Return whether any row that was written has no momentum, and whether any has no phase."""
        return bool(self.unpaced), bool(self.inactive)

    def stop(self):
        """Let the calls in other threads end soon, their contacts undone."""
        self.stopped = True


cdef Rate rate_of(Grid* grid, double* table, int64_t span, double inverse) noexcept nogil:
    """What is left after some instants; `inverse` 0: all."""
    cdef Rate rate
    cdef int64_t i
    if table[0] == 0:
        for i in range(min(<int64_t>STEPS, grid.count)):
            table[i] = fading(i * grid.every, span, inverse)
    rate.table = table
    rate.span = <double>span
    rate.inverse = inverse
    rate.every = grid.every
    return rate


def sweeper(Scorer scorer not None, const int64_t[::1] at, int64_t every):
    """Attach a scorer to ascending instants, `every` microseconds apart (0: at any distances)."""
    cdef Sweeper self = Sweeper.__new__(Sweeper)
    cdef const Plan* plan = &scorer.plan
    cdef const RuleSpec* rule
    cdef Grid* grid = &self.grid
    cdef int64_t r, i
    cdef double* table
    cdef double run
    # no longer than needed, so that all of them together stay in the nearest cache
    cdef int64_t steps = (min(<int64_t>STEPS, at.shape[0]) + 15) & ~7
    self.scorer = scorer
    self.kept = at
    self.stopped = self.unpaced = self.inactive = False
    memset(grid, 0, sizeof(Grid))
    grid.path = ek_sweep_path_chosen()
    grid.count = at.shape[0]
    grid.at = &at[0] if at.shape[0] else NULL
    grid.every = every
    if every and grid.count:
        grid.inverse = 1.0 / <double>every
        # by family, those of no decay first; then the momentum's
        table = self.tables = <double*>calloc((plan.families + 6) * steps, sizeof(double))
        self.rates = <Rate*>calloc(plan.rules + 2, sizeof(Rate))
        if self.tables is NULL or self.rates is NULL:
            raise MemoryError
        table += 3 * steps
        for r in range(plan.rules):
            rule = plan.rule + r
            if rule.decay == HALF_LIFE:
                self.rates[r] = rate_of(
                    grid, table + (1 + rule.family - HALF_LIFE_FAMILIES) * steps, rule.span, rule.inverse
                )
            else:
                self.rates[r] = rate_of(grid, table, 1, 0.0)
        self.rates[plan.rules] = rate_of(grid, self.tables, plan.fast, plan.fast_inverse)
        self.rates[plan.rules + 1] = rate_of(grid, self.tables + steps, plan.slow, plan.slow_inverse)
        grid.rate = self.rates
        grid.fast = self.rates + plan.rules
        grid.slow = grid.fast + 1
        table = self.tables + 2 * steps
        for i in range(min(<int64_t>STEPS, grid.count)):
            run = <double>(i * every)
            table[i] = ek_power(run / <double>plan.fast - run / <double>plan.slow)
        grid.drift = table
    return self
