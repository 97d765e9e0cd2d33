# The kernel's face to Python: holds what the plan points to, gives each call its scratch memory, runs its jobs.

cdef int64_t BETWEEN_SIGNALS = 262144        # events and the like: some milliseconds


cdef double score_of(const Plan* plan, double engagement) noexcept nogil:
    """The score that reads `engagement`."""
    if plan.linear_scale == AS_IT_IS:
        return engagement
    if engagement <= 0:
        return 0.0
    if plan.linear_scale:
        return INFINITY if engagement > 100 else plan.scale * engagement / 100.0
    return INFINITY if engagement >= 100 else -plan.scale * log2(1.0 - engagement / 100.0)


cdef void* aligned(int64_t n, size_t size, bint* failed) noexcept nogil:
    """Room for `n` items and what a vector may touch beyond them, zeroed, beginning where vectors like to."""
    cdef size_t room = ((n + 8) * size + 63) & ~<size_t>63
    cdef void* memory = aligned_alloc(64, room)
    if memory is NULL:
        failed[0] = True
    else:
        memset(memory, 0, room)
    return memory


@cython.final
cdef class PlanTables:
    """A plan whatever the events it is applied to, for the scorers of many; see `plan_tables`."""

    cdef Plan plan
    cdef list kept
    cdef double* by_rule            # span, inverse, points, gain and worth: rules + 1 each
    cdef int64_t* setting            # what `plan.setting` points to

    def __cinit__(self):
        memset(&self.plan, 0, sizeof(Plan))

    def __dealloc__(self):
        free(self.plan.bound)
        free(self.by_rule)
        free(self.setting)


@cython.final
cdef class Scorer:
    """A plan and the grouped events it is applied to, ready to score any contacts at any instants; see `scorer`."""

    cdef Plan plan
    cdef volatile bint stopped
    cdef list kept
    cdef const int32_t** codes
    cdef const double** amounts
    cdef void* steps
    cdef int32_t* listed_start
    cdef int32_t* listed_of

    def __cinit__(self):
        memset(&self.plan, 0, sizeof(Plan))
        self.stopped = False

    def __dealloc__(self):
        free(self.codes)
        free(self.amounts)
        free(self.steps)
        free(self.listed_start)
        free(self.listed_of)

    cdef int prepare(self, Scratch* scratch) noexcept nogil:
        cdef Plan* plan = &self.plan
        cdef bint failed = False
        cdef int64_t p, live = plan.rules if plan.rules > plan.families else plan.families
        memset(scratch, 0, sizeof(Scratch))
        scratch.stopped = &self.stopped
        scratch.sums = <Sum*>aligned(plan.rules + 1, sizeof(Sum), &failed)
        scratch.seen = <uint8_t*>aligned(plan.rules + 1, 1, &failed)
        scratch.window.time = <int64_t*>aligned(AT_ONCE, sizeof(int64_t), &failed)
        scratch.window.rule = <int32_t*>aligned(AT_ONCE, sizeof(int32_t), &failed)
        scratch.window.work = <uint8_t*>aligned(AT_ONCE, 1, &failed)
        scratch.window.weight = <double*>aligned(AT_ONCE, sizeof(double), &failed)
        scratch.window.fast = <double*>aligned(AT_ONCE, sizeof(double), &failed)
        scratch.window.slow = <double*>aligned(AT_ONCE, sizeof(double), &failed)
        scratch.streaks = <Streak*>aligned(plan.listed, sizeof(Streak), &failed)
        scratch.queue.age = <int64_t*>aligned(AT_ONCE, sizeof(int64_t), &failed)
        scratch.queue.rule = <int32_t*>aligned(AT_ONCE, sizeof(int32_t), &failed)
        scratch.queue.raw = <double*>aligned(AT_ONCE, sizeof(double), &failed)
        scratch.queue.weight = <double*>aligned(AT_ONCE, sizeof(double), &failed)
        scratch.queue.fast = <double*>aligned(AT_ONCE, sizeof(double), &failed)
        scratch.queue.slow = <double*>aligned(AT_ONCE, sizeof(double), &failed)
        scratch.hit_start = <int64_t*>aligned(plan.listed, sizeof(int64_t), &failed)
        scratch.hit_count = <int64_t*>aligned(plan.listed, sizeof(int64_t), &failed)
        scratch.hit_listed = <int32_t*>aligned(plan.listed, sizeof(int32_t), &failed)
        scratch.x = <double*>aligned(live, sizeof(double), &failed)
        scratch.was = <double*>aligned(live, sizeof(double), &failed)
        scratch.rate = <double*>aligned(live, sizeof(double), &failed)
        scratch.faded = <double*>aligned(live, sizeof(double), &failed)
        scratch.base = <double*>aligned(plan.rules, sizeof(double), &failed)
        scratch.base_time = <int64_t*>aligned(plan.rules, sizeof(int64_t), &failed)
        scratch.part_first = <int64_t*>aligned(plan.listed, sizeof(int64_t), &failed)
        scratch.part_upto = <int64_t*>aligned(plan.listed, sizeof(int64_t), &failed)
        scratch.part_end = <int64_t*>aligned(plan.listed, sizeof(int64_t), &failed)
        scratch.live = <int32_t*>aligned(plan.rules, sizeof(int32_t), &failed)
        scratch.channel_sum = <double*>aligned(plan.channels, sizeof(double), &failed)
        scratch.channel_slope = <double*>aligned(plan.channels, sizeof(double), &failed)
        scratch.intent_sum = <double*>aligned(plan.intents, sizeof(double), &failed)
        scratch.channel_family = <Family*>aligned(plan.families, sizeof(Family), &failed)
        scratch.total_family = <Family*>aligned(plan.families, sizeof(Family), &failed)
        for p in range(3):
            scratch.points[p].value = <double*>aligned(plan.rules, sizeof(double), &failed)
            scratch.points[p].rate = <double*>aligned(plan.rules, sizeof(double), &failed)
            scratch.points[p].gain = <double*>aligned(plan.listed, sizeof(double), &failed)
            scratch.points[p].loss = <double*>aligned(plan.listed, sizeof(double), &failed)
            scratch.points[p].alive = <int64_t*>aligned(plan.listed, sizeof(int64_t), &failed)
        if not failed:
            memset(scratch.window.work, ACTIVITY, AT_ONCE)
        return -1 if failed else 0

    cdef void dispose(self, Scratch* scratch) noexcept nogil:
        cdef int64_t p
        free(scratch.sums)
        free(scratch.seen)
        free(scratch.window.time)
        free(scratch.window.rule)
        free(scratch.window.work)
        free(scratch.window.weight)
        free(scratch.window.fast)
        free(scratch.window.slow)
        free(scratch.streaks)
        free(scratch.queue.age)
        free(scratch.queue.rule)
        free(scratch.queue.raw)
        free(scratch.queue.weight)
        free(scratch.queue.fast)
        free(scratch.queue.slow)
        free(scratch.hits)
        free(scratch.hit_events)
        free(scratch.hit_start)
        free(scratch.hit_count)
        free(scratch.hit_listed)
        free(scratch.x)
        free(scratch.was)
        free(scratch.rate)
        free(scratch.faded)
        free(scratch.base)
        free(scratch.base_time)
        free(scratch.part_first)
        free(scratch.part_upto)
        free(scratch.part_end)
        free(scratch.live)
        free(scratch.channel_sum)
        free(scratch.channel_slope)
        free(scratch.intent_sum)
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
        const int64_t[:] at,
        const int64_t[:] since,
        const uint8_t[::1] counted,
        int64_t first,
        int64_t last,
        bint ahead,
        dict arrays,
        double[:, ::1] channels,
        double[:, ::1] sums,
        Tally[::1] tally,
    ):
        """Score the jobs `first` ... `last` - 1 into `arrays`, `channels` and (unless None) `sums`.

        A job is a contact's code (-1: no events), an instant, `customer_since` (INT64_MAX: none) and whether its events
        go into `tally[0]`. `arrays` has a NumPy array under each name of `Columns`, with an entry a job; `channels`
        (channels x jobs) and `sums` (rules x jobs), zeros, a column a job. Runs without the GIL; jobs of several calls
        must not overlap.
        """
        cdef Scratch scratch
        cdef Tally aside
        cdef Row row
        cdef Columns columns = columns_of(arrays)
        cdef int64_t j = first, n, work, upto, jobs = channels.shape[1]
        cdef double* into = NULL
        cdef Crowd* crowd = NULL
        if self.kept is None:
            raise TypeError("expected what scorer() makes")
        if self.plan.in_crowds and first < last:
            crowd = crowd_of(&self.plan)
        if self.prepare(&scratch) < 0 or (self.plan.in_crowds and first < last and crowd is NULL):
            free(crowd)
            self.dispose(&scratch)
            raise MemoryError
        try:
            while j < last and not self.stopped:
                work = 0
                with nogil:
                    while j < last and work < BETWEEN_SIGNALS:
                        if self.plan.in_crowds:
                            n = 1
                            while n < CROWD and j + n < last and at[j + n] == at[j]:
                                n += 1
                            upto = self.plan.events if j + n < last and at[j + n] == at[j] else 0
                            work += score_crowd(
                                &self.plan, &scratch, crowd, &contacts[0], &since[0], since.strides[0] // 8, &counted[0], at[j],
                                j, n, ahead,
                                upto, &columns, &channels[0, 0], jobs, &sums[0, 0] if sums is not None else NULL,
                                &tally[0],
                            )
                            if scratch.failed or scratch.raised or self.stopped:
                                break
                            j += n
                            continue
                        if sums is not None:
                            into = &sums[0, j]
                        upto = 0
                        if j + 1 < last and at[j + 1] == at[j] and contacts[j + 1] == contacts[j] + 1:
                            upto = self.plan.events
                        score_one(
                            &self.plan, &scratch, contacts[j], at[j], since[j], ahead, upto, &row, &channels[0, j],
                            jobs, into, &tally[0] if counted[j] else &aside,
                        )
                        if scratch.failed or scratch.raised or self.stopped:
                            break
                        store(&columns, j, &row, at[j])
                        work += 64 + scratch.evaluations
                        if contacts[j] >= 0:
                            work += self.plan.start[contacts[j] + 1] - self.plan.start[contacts[j]]
                        j += 1
                if scratch.failed:
                    raise MemoryError
                if scratch.raised:
                    raise_again()
                PyErr_CheckSignals()
        finally:
            free(crowd)
            self.dispose(&scratch)

    def stop(self):
        """Let the calls of `run` in other threads end soon, their jobs undone."""
        self.stopped = True


cdef int raise_again() except -1:
    """Raise what a signal's handler raised while the kernel ran."""
    return -1


def vector_paths():
    """Name the vector paths that this processor has, the widest first; the one taken comes with `vector_path`."""
    return [ek_name_of_path(p).decode() for p in range(EK_PATHS) if ek_has_path(p)]


def vector_path(str name=None):
    """Take the vector path of that name (None: as it is) and return the name of the one taken.

    Raises
    ------
    ValueError
        If this processor has no such path.
    """
    if name is not None and not ek_choose_path(name.encode()):
        raise ValueError(f"expected one of {', '.join(vector_paths())}, the vector paths of this processor, got {name!r}")
    return ek_path_name().decode()


cdef void tables_by_rule(PlanTables self) except *:
    """Make the tables by rule that the kernel's loops read instead of the specs."""
    cdef Plan* plan = &self.plan
    cdef int64_t r, rules = plan.rules + 1
    cdef const RuleSpec* rule
    self.by_rule = <double*>calloc(5 * rules, sizeof(double))
    if self.by_rule is NULL:
        raise MemoryError
    plan.span = self.by_rule
    plan.inverse = self.by_rule + rules
    plan.points = self.by_rule + 2 * rules
    plan.gain = self.by_rule + 3 * rules
    plan.worth = self.by_rule + 4 * rules
    for r in range(plan.rules):
        rule = plan.rule + r
        if rule.decay == HALF_LIFE:
            self.by_rule[r] = <double>rule.span
            self.by_rule[rules + r] = rule.inverse
        self.by_rule[2 * rules + r] = rule.points
        self.by_rule[3 * rules + r] = rule.points if rule.points > 0 else 0.0
        self.by_rule[4 * rules + r] = 1.0 if depends(rule) else rule.points


cdef void attach(Scorer self, const uint8_t[:, ::1] roles) except *:
    """Make the tables by class that the kernel's loops read."""
    cdef Plan* plan = &self.plan
    cdef int64_t k, l, n = 0, count
    self.listed_start = <int32_t*>malloc((plan.classes + 1) * sizeof(int32_t))
    self.listed_of = <int32_t*>malloc((plan.classes * plan.listed + 1) * sizeof(int32_t))
    if self.listed_start is NULL or self.listed_of is NULL:
        raise MemoryError
    plan.listed_start = self.listed_start
    plan.listed_of = self.listed_of
    plan.lean = plan.lean and plan.listed == 0
    for k in range(plan.classes):
        count = plan.plain_start[k + 1] - plan.plain_start[k]
        if count != 1 or plan.flags[k] != ACTIVITY | READ or depends(plan.rule + plan.plain_rule[plan.plain_start[k]]):
            plan.lean = False
        self.listed_start[k] = <int32_t>n
        for l in range(plan.listed):
            if roles[l, k]:
                self.listed_of[n] = <int32_t>l
                n += 1
    self.listed_start[plan.classes] = <int32_t>n
    self.steps = lay_steps(plan, &plan.steps)
    if self.steps is NULL:
        raise MemoryError


cdef void set_up(PlanTables self) except *:
    """Make the tables that a crowd's loops read; of the families only those that a rule is of, the slowest first."""
    cdef Plan* plan = &self.plan
    cdef ek_setting* setting = &plan.setting
    cdef int64_t r, p, rules = plan.rules, phases = plan.phases
    cdef int64_t* place
    cdef double* number
    self.setting = <int64_t*>calloc(5 * rules + 4 * phases, 8)
    if self.setting is NULL:
        raise MemoryError
    place = self.setting
    number = <double*>(self.setting + 3 * rules + 2 * phases)
    found = sorted({plan.rule[r].family for r in range(rules)})
    families = {family: f for f, family in enumerate(found)}
    for r in range(rules):
        place[r] = plan.rule[r].channel
        place[rules + r] = families[plan.rule[r].family]
        place[2 * rules + r] = plan.rule[r].half
        number[r] = plan.rule[r].cap
        number[rules + place[rules + r]] = plan.inverse[r]
    for p in range(phases):
        place[3 * rules + p] = plan.phase[p].half
        place[3 * rules + phases + p] = plan.phase[p].name
        number[2 * rules + p] = plan.phase[p].min_engagement
        number[2 * rules + phases + p] = plan.phase[p].min_momentum
    setting.rules = rules
    setting.channels = plan.channels
    setting.families = len(families)
    setting.phases = phases
    setting.channel = place
    setting.family = place + rules
    setting.half = place + 2 * rules
    setting.phase_half = place + 3 * rules
    setting.phase_name = place + 3 * rules + phases
    setting.cap = number
    setting.rate = number + rules
    setting.min_engagement = number + 2 * rules
    setting.min_momentum = number + 2 * rules + phases
    setting.channel_cap = plan.channel_cap
    setting.level = plan.level
    setting.bound = plan.bound
    setting.scale = plan.scale
    setting.fast_span = <double>plan.fast
    setting.slow_span = <double>plan.slow
    setting.linear = plan.linear_scale


def plan_tables(
    *,
    const RuleSpec[::1] rules,
    const double[::1] channel_caps,
    int64_t families,
    int64_t intents,
    const int32_t[::1] listed_rules,
    const PhaseSpec[::1] phases,
    int32_t ended_phase,
    bint linear_scale,
    double scale,
    const double[::1] levels,
    int64_t fast,
    int64_t slow,
    bint lifecycle,
    bint excludes,
):
    """Make the tables of a plan that do not depend on events, whose arrays must not change; see `plan.py` for each."""
    cdef PlanTables self = PlanTables.__new__(PlanTables)
    cdef Plan* plan = &self.plan
    cdef int64_t i
    self.kept = [rules, channel_caps, listed_rules, phases]
    plan.rules = rules.shape[0]
    plan.listed = listed_rules.shape[0]
    plan.channels = channel_caps.shape[0]
    plan.families = families
    plan.intents = intents
    plan.phases = phases.shape[0]
    plan.rule = &rules[0]
    plan.channel_cap = &channel_caps[0]
    plan.listed_rule = &listed_rules[0] if listed_rules.shape[0] else NULL
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
    plan.bound = <double*>malloc((3 + phases.shape[0]) * sizeof(double))
    if plan.bound is NULL:
        raise MemoryError
    for i in range(3 + phases.shape[0]):
        plan.bound[i] = score_of(plan, levels[i] if i < 3 else phases[i - 3].min_engagement)
    tables_by_rule(self)
    plan.lean = not excludes
    plan.in_crowds = plan.rules <= MOST_CROWD_RULES
    if plan.in_crowds:
        set_up(self)
    return self


def scorer(
    *,
    PlanTables tables not None,
    const uint8_t[:, ::1] roles,
    const uint8_t[::1] flags,
    const int32_t[::1] plain_start,
    const int32_t[::1] plain_rules,
    const int32_t[::1] weight_columns,
    const int64_t[::1] weight_starts,
    const double[::1] weight_factors,
    list codes,
    list amounts,
    const int64_t[::1] starts,
    const int64_t[::1] times,
    types,
    classes,
    const int32_t[::1] type_ranks,
):
    """Attach a plan to the grouped events it is applied to; see `matching.py` for each array.

    `types` and `classes` are uint8, uint16 or int32, whose greatest value (of int32: -1) stands for none.
    """
    cdef Scorer self = Scorer.__new__(Scorer)
    cdef Plan* plan = &self.plan
    cdef const int32_t[::1] code_column
    cdef const double[::1] amount_column
    cdef const uint8_t[::1] type_bytes = types.view("u1"), class_bytes = classes.view("u1")
    cdef int64_t i
    self.kept = [
        tables, roles, flags, plain_start, plain_rules, weight_columns, weight_starts, weight_factors, codes, amounts,
        starts, times, types, classes, type_ranks,
    ]
    plan[0] = tables.plan
    plan.classes = flags.shape[0]
    plan.roles = &roles[0, 0] if roles.shape[0] and roles.shape[1] else NULL
    plan.flags = &flags[0] if flags.shape[0] else NULL
    plan.plain_start = &plain_start[0]
    plan.plain_rule = &plain_rules[0] if plain_rules.shape[0] else NULL
    plan.weight_column = &weight_columns[0] if weight_columns.shape[0] else NULL
    plan.weight_start = &weight_starts[0] if weight_starts.shape[0] else NULL
    plan.weight_factor = &weight_factors[0] if weight_factors.shape[0] else NULL
    plan.start = &starts[0]
    plan.events = times.shape[0]
    plan.time = &times[0] if times.shape[0] else NULL
    plan.type = &type_bytes[0] if type_bytes.shape[0] else NULL
    plan.type_width = types.itemsize
    plan.event_class = &class_bytes[0] if class_bytes.shape[0] else NULL
    plan.class_width = classes.itemsize
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
    plan.codes = self.codes
    plan.amounts = self.amounts
    attach(self, roles)
    return self
