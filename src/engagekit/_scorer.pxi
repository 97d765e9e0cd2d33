# The kernel's face to Python: holds what the plan points to, gives each call its scratch memory, runs its jobs.

cdef int64_t BETWEEN_SIGNALS = 262144        # events and the like: some tens of milliseconds


cdef double score_of(const Plan* plan, double engagement) noexcept nogil:
    """The score that reads `engagement`."""
    if engagement <= 0:
        return 0.0
    if plan.linear_scale:
        return INFINITY if engagement > 100 else plan.scale * engagement / 100.0
    return INFINITY if engagement >= 100 else -plan.scale * log2(1.0 - engagement / 100.0)


cdef void* zeros(int64_t n, size_t size, bint* failed) noexcept nogil:
    cdef void* memory = calloc(n + 1, size)
    if memory is NULL:
        failed[0] = True
    return memory


@cython.final
cdef class Scorer:
    """A plan and the grouped events it is applied to, ready to score any contacts at any instants; see `scorer`."""

    cdef Plan plan
    cdef bint stopped
    cdef list kept
    cdef const int32_t** codes
    cdef const double** amounts

    def __cinit__(self):
        self.codes = NULL
        self.amounts = NULL
        self.plan.bound = NULL

    def __dealloc__(self):
        free(self.plan.bound)
        free(self.codes)
        free(self.amounts)

    cdef int prepare(self, Scratch* scratch) noexcept nogil:
        cdef Plan* plan = &self.plan
        cdef bint failed = False
        cdef int64_t p
        memset(scratch, 0, sizeof(Scratch))
        scratch.sums = <Sum*>zeros(plan.rules, sizeof(Sum), &failed)
        scratch.base = <double*>zeros(plan.rules, sizeof(double), &failed)
        scratch.base_time = <int64_t*>zeros(plan.rules, sizeof(int64_t), &failed)
        scratch.part_first = <int64_t*>zeros(plan.listed, sizeof(int64_t), &failed)
        scratch.part_upto = <int64_t*>zeros(plan.listed, sizeof(int64_t), &failed)
        scratch.part_end = <int64_t*>zeros(plan.listed, sizeof(int64_t), &failed)
        scratch.live = <int32_t*>zeros(plan.rules, sizeof(int32_t), &failed)
        scratch.channel_sum = <double*>zeros(plan.channels, sizeof(double), &failed)
        scratch.channel_slope = <double*>zeros(plan.channels, sizeof(double), &failed)
        scratch.channel_family = <Family*>zeros(plan.families, sizeof(Family), &failed)
        scratch.total_family = <Family*>zeros(plan.families, sizeof(Family), &failed)
        for p in range(3):
            scratch.points[p].value = <double*>zeros(plan.rules, sizeof(double), &failed)
            scratch.points[p].rate = <double*>zeros(plan.rules, sizeof(double), &failed)
            scratch.points[p].gain = <double*>zeros(plan.listed, sizeof(double), &failed)
            scratch.points[p].loss = <double*>zeros(plan.listed, sizeof(double), &failed)
            scratch.points[p].alive = <int64_t*>zeros(plan.listed, sizeof(int64_t), &failed)
        return -1 if failed else 0

    cdef void dispose(self, Scratch* scratch) noexcept nogil:
        cdef int64_t p
        free(scratch.sums)
        free(scratch.base)
        free(scratch.base_time)
        free(scratch.part_first)
        free(scratch.part_upto)
        free(scratch.part_end)
        free(scratch.live)
        free(scratch.channel_sum)
        free(scratch.channel_slope)
        free(scratch.channel_family)
        free(scratch.total_family)
        free(scratch.parts)
        free(scratch.entries)
        free(scratch.stack)
        free(scratch.futures)
        for p in range(3):
            free(scratch.points[p].value)
            free(scratch.points[p].rate)
            free(scratch.points[p].gain)
            free(scratch.points[p].loss)
            free(scratch.points[p].alive)

    def run(
        self,
        const int64_t[::1] contacts,
        const int64_t[::1] at,
        const int64_t[::1] since,
        const uint8_t[::1] counted,
        int64_t first,
        int64_t last,
        bint ahead,
        Row[::1] rows,
        double[:, ::1] channels,
        double[:, ::1] sums,
        Tally[::1] tally,
    ):
        """Score the jobs `first` ... `last` - 1 into `rows`, `channels` and (unless None) `sums`.

        A job is a contact's code (-1: no events), an instant, `customer_since` (INT64_MAX: none) and whether its events
        go into `tally[0]`. Runs without the GIL; jobs of several calls must not overlap.
        """
        cdef Scratch scratch
        cdef Tally aside
        cdef int64_t j = first, work
        cdef double* into = NULL
        if self.kept is None:
            raise TypeError("expected what scorer() makes")
        if self.prepare(&scratch) < 0:
            self.dispose(&scratch)
            raise MemoryError
        try:
            while j < last and not self.stopped:
                work = 0
                with nogil:
                    while j < last and work < BETWEEN_SIGNALS and not scratch.failed:
                        if sums is not None:
                            into = &sums[j, 0]
                        score_one(
                            &self.plan, &scratch, contacts[j], at[j], since[j], ahead, &rows[j], &channels[j, 0], into,
                            &tally[0] if counted[j] else &aside,
                        )
                        work += 64 + scratch.evaluations
                        if contacts[j] >= 0:
                            work += self.plan.start[contacts[j] + 1] - self.plan.start[contacts[j]]
                        j += 1
                if scratch.failed:
                    raise MemoryError
                PyErr_CheckSignals()
        finally:
            self.dispose(&scratch)

    def stop(self):
        """Let the calls of `run` in other threads end soon, their jobs undone."""
        self.stopped = True


def scorer(
    *,
    const RuleSpec[::1] rules,
    const double[::1] channel_caps,
    const int32_t[::1] by_channel,
    int64_t families,
    const int32_t[::1] listed_rules,
    const uint8_t[:, ::1] roles,
    const uint8_t[::1] flags,
    const int32_t[::1] plain_start,
    const int32_t[::1] plain_rules,
    const int32_t[::1] weight_columns,
    const int64_t[::1] weight_starts,
    const double[::1] weight_factors,
    list codes,
    list amounts,
    const PhaseSpec[::1] phases,
    int32_t ended_phase,
    bint linear_scale,
    double scale,
    const double[::1] levels,
    int64_t fast,
    int64_t slow,
    bint lifecycle,
    const int64_t[::1] starts,
    const int64_t[::1] times,
    const int32_t[::1] types,
    const int32_t[::1] classes,
    const int32_t[::1] type_ranks,
):
    """Attach a plan to the grouped events it is applied to; see `plan.py` and `matching.py` for each array."""
    cdef Scorer self = Scorer.__new__(Scorer)
    cdef Plan* plan = &self.plan
    cdef const int32_t[::1] code_column
    cdef const double[::1] amount_column
    cdef int64_t i
    self.kept = [
        rules, channel_caps, by_channel, listed_rules, roles, flags, plain_start, plain_rules, weight_columns,
        weight_starts, weight_factors, codes, amounts, phases, levels, starts, times, types, classes, type_ranks,
    ]
    memset(plan, 0, sizeof(Plan))
    self.stopped = False
    plan.rules = rules.shape[0]
    plan.listed = listed_rules.shape[0]
    plan.channels = channel_caps.shape[0]
    plan.families = families
    plan.classes = flags.shape[0]
    plan.phases = phases.shape[0]
    plan.rule = &rules[0]
    plan.channel_cap = &channel_caps[0]
    plan.by_channel = &by_channel[0]
    plan.listed_rule = &listed_rules[0] if listed_rules.shape[0] else NULL
    plan.roles = &roles[0, 0] if roles.shape[0] and roles.shape[1] else NULL
    plan.flags = &flags[0] if flags.shape[0] else NULL
    plan.plain_start = &plain_start[0]
    plan.plain_rule = &plain_rules[0] if plain_rules.shape[0] else NULL
    plan.weight_column = &weight_columns[0] if weight_columns.shape[0] else NULL
    plan.weight_start = &weight_starts[0] if weight_starts.shape[0] else NULL
    plan.weight_factor = &weight_factors[0] if weight_factors.shape[0] else NULL
    plan.phase = &phases[0]
    plan.ended_phase = ended_phase
    plan.linear_scale = linear_scale
    plan.scale = scale
    for i in range(3):
        plan.level[i] = levels[i]
    plan.fast = fast
    plan.slow = slow
    plan.fast_inverse = 1.0 / <double>fast
    plan.slow_inverse = 1.0 / <double>slow
    plan.lifecycle = lifecycle
    plan.start = &starts[0]
    plan.time = &times[0] if times.shape[0] else NULL
    plan.type = &types[0] if types.shape[0] else NULL
    plan.event_class = &classes[0] if classes.shape[0] else NULL
    plan.type_rank = &type_ranks[0] if type_ranks.shape[0] else NULL
    self.codes = <const int32_t**>malloc((len(codes) + 1) * sizeof(void*))
    self.amounts = <const double**>malloc((len(amounts) + 1) * sizeof(void*))
    if self.codes is NULL or self.amounts is NULL:
        raise MemoryError
    for i in range(len(codes)):
        code_column = codes[i]
        self.codes[i] = &code_column[0] if code_column.shape[0] else NULL
    for i in range(len(amounts)):
        amount_column = amounts[i]
        self.amounts[i] = &amount_column[0] if amount_column.shape[0] else NULL
    plan.bound = <double*>malloc((3 + phases.shape[0]) * sizeof(double))
    if plan.bound is NULL:
        raise MemoryError
    for i in range(3 + phases.shape[0]):
        plan.bound[i] = score_of(plan, levels[i] if i < 3 else phases[i - 3].min_engagement)
    plan.codes = self.codes
    plan.amounts = self.amounts
    return self
