# Accumulating: one contact's events up to one instant into S(r), activity, lifecycle and momentum; then finishing.

cdef void take_part(const Plan* plan, Scratch* scratch, const Entry* entries, int64_t n, int64_t l, int64_t at) noexcept nogil:
    """Add the matched events of listed rule `l` (in order of time) to its sum, its parts and the futures."""
    cdef int64_t r = plan.listed_rule[l], j
    cdef const RuleSpec* rule = plan.rule + r
    cdef bint parted = rule.decay >= LINEAR
    cdef Part* part
    cdef Future* future
    cdef void* moved
    if parted and scratch.parts_count + n > scratch.parts_room:
        moved = larger(scratch.parts, &scratch.parts_room, scratch.parts_count + n, sizeof(Part))
        if moved is NULL:
            scratch.failed = True
            return
        scratch.parts = <Part*>moved
    scratch.part_first[l] = scratch.part_upto[l] = scratch.part_end[l] = scratch.parts_count
    for j in range(n):
        if entries[j].time <= at:
            keep_pace(plan, &scratch.pace, entries[j].time, entries[j].raw)
        else:
            if scratch.futures_count == scratch.futures_room:
                moved = larger(scratch.futures, &scratch.futures_room, scratch.futures_count + n, sizeof(Future))
                if moved is NULL:
                    scratch.failed = True
                    return
                scratch.futures = <Future*>moved
            future = scratch.futures + scratch.futures_count
            future.time = entries[j].time
            future.raw = entries[j].raw
            future.rule = <int32_t>r
            scratch.futures_count += 1
        if parted:
            if at - entries[j].time >= rule.span:
                continue
            part = scratch.parts + scratch.parts_count
            part.time = entries[j].time
            part.raw = entries[j].raw
            scratch.parts_count += 1
            scratch.part_end[l] = scratch.parts_count
            if part.time <= at:
                scratch.part_upto[l] = scratch.parts_count
        elif entries[j].time <= at:
            add(scratch.sums + r, entries[j].raw * weight(rule, at - entries[j].time))
    scratch.base_time[r] = at
    if parted:
        rest_sums(rule, scratch, l, at)


cdef int sooner(const void* left, const void* right) noexcept nogil:
    cdef const Future* a = <const Future*>left
    cdef const Future* b = <const Future*>right
    if a.time != b.time:
        return -1 if a.time < b.time else 1
    return -1 if a.rule < b.rule else (1 if a.rule > b.rule else 0)


cdef void ripen(const Plan* plan, Scratch* scratch, const Future* future) noexcept nogil:
    """Let one absence mature: from `future.time` on it is part of its rule's S(r)."""
    cdef int64_t r = future.rule, l
    cdef const RuleSpec* rule = plan.rule + r
    if rule.decay >= LINEAR:
        l = rule.listed
        scratch.part_upto[l] += 1
        scratch.base_time[r] = future.time
        rest_sums(rule, scratch, l, future.time)
    else:
        if rule.decay == HALF_LIFE:
            scratch.base[r] *= fading(future.time - scratch.base_time[r], rule.span, rule.inverse)
            scratch.base_time[r] = future.time
        scratch.base[r] += future.raw
    keep_pace(plan, &scratch.pace, future.time, future.raw)


cdef void next_change(
    const Plan* plan, Scratch* scratch, int64_t at, int64_t since, int64_t last_customer, int64_t last_end,
    int32_t half, bint ended, bint active, Row* row
) noexcept nogil:
    """Walk from `at` through maturing absences and `customer_since` to the first change of level or phase."""
    cdef const Point* now = &scratch.points[0]
    cdef Point* a = &scratch.points[1]
    cdef int64_t f = 0, upto, found, end = at + HORIZON if at < LAST_INSTANT - HORIZON else LAST_INSTANT
    cdef bint turning = plan.lifecycle and since > at and since <= end
    cdef Point* there
    if scratch.futures_count > 1:
        qsort(scratch.futures, scratch.futures_count, sizeof(Future), sooner)
    evaluate(plan, scratch, at, half, ended, active, a)
    while True:
        upto = end
        if f < scratch.futures_count and scratch.futures[f].time - 1 < upto:
            upto = scratch.futures[f].time - 1
        if turning and since - 1 < upto:
            upto = since - 1
        found = march(plan, scratch, upto, half, ended, active, now)
        if found != NEVER:
            there = &scratch.points[2]
            break
        if upto == end:
            return
        found = upto + 1
        while f < scratch.futures_count and scratch.futures[f].time == found:
            ripen(plan, scratch, scratch.futures + f)
            f += 1
        if turning and since == found:
            turning = False
            half = CUSTOMER
            ended = last_end > since and last_end > last_customer
        evaluate(plan, scratch, found, half, ended, active, a)
        if a.level != now.level or a.phase != now.phase:
            there = a
            break
    row.next_change = found
    row.next_level = <int8_t>there.level
    row.next_phase = there.phase


cdef void score_one(
    const Plan* plan, Scratch* scratch, int64_t contact, int64_t at, int64_t since, bint ahead,
    Row* row, double* channels, double* sums, Tally* tally
) noexcept nogil:
    """Everything about one contact (-1: one without events) at one instant.

    Invariant: events are in order of (time, row) and added in that order, so the bits depend on nothing else.
    Cost: the events up to `at` times the rules they match, plus what `ahead` (next_change) asks for.
    """
    cdef int64_t lo = 0, hi = 0, middle, i, j, r, l, n, end = 0
    cdef int64_t first_customer = INT64_MAX, last_customer = NEVER, last_end = NEVER
    cdef int32_t k, half
    cdef uint8_t flags
    cdef double raw
    cdef bint ended, active, present = False
    cdef const RuleSpec* rule
    cdef Point* now = &scratch.points[0]
    if contact >= 0:
        lo, hi = plan.start[contact], plan.start[contact + 1]
        end = hi
        i = lo
        while i < hi:
            middle = (i + hi) // 2
            if plan.time[middle] <= at:
                i = middle + 1
            else:
                hi = middle
    for r in range(plan.rules):
        scratch.sums[r].value = scratch.sums[r].rest = 0.0
    scratch.pace.known = False
    scratch.parts_count = scratch.futures_count = 0
    row.events = 0
    row.first_event = row.last_event = NEVER
    row.last_type = -1
    tally.future += end - hi
    for i in range(lo, hi):
        k = plan.event_class[i]
        if k < 0:
            tally.excluded += 1
            continue
        present = True
        flags = plan.flags[k]
        if not flags & READ:
            tally.unmatched += 1
        if flags & ACTIVITY:
            if row.events == 0:
                row.first_event = plan.time[i]
            if (
                row.last_event != plan.time[i]
                or row.events == 0
                or plan.type_rank[plan.type[i]] > plan.type_rank[row.last_type]
            ):
                row.last_type = plan.type[i]
            row.last_event = plan.time[i]
            row.events += 1
        if flags & CUSTOMER_ON:
            if first_customer == INT64_MAX:
                first_customer = plan.time[i]
            last_customer = plan.time[i]
        if flags & ENDS_ON:
            last_end = plan.time[i]
        for j in range(plan.plain_start[k], plan.plain_start[k + 1]):
            r = plan.plain_rule[j]
            rule = plan.rule + r
            raw = raw_points(plan, rule, i, &tally.null_amounts)
            add(scratch.sums + r, raw * weight(rule, at - plan.time[i]))
            keep_pace(plan, &scratch.pace, plan.time[i], raw)
    for l in range(plan.listed):
        n = gather(plan, l, lo, hi, scratch, &tally.null_amounts)
        take_part(plan, scratch, scratch.entries, n, l, at)
        if scratch.failed:
            return
    scratch.live_count = 0
    for j in range(plan.rules):
        r = plan.by_channel[j]
        rule = plan.rule + r
        scratch.base[r] = scratch.sums[r].value + scratch.sums[r].rest
        scratch.base_time[r] = at
        if scratch.base[r] != 0 or (
            rule.listed >= 0 and (rule.kind == ABSENCE or scratch.part_end[rule.listed] > scratch.part_first[rule.listed])
        ):
            scratch.live[scratch.live_count] = <int32_t>r
            scratch.live_count += 1
    active = row.events > 0
    if plan.lifecycle and since <= at:
        first_customer = since if since < first_customer else first_customer
        last_customer = since if since > last_customer else last_customer
    half = CUSTOMER if plan.lifecycle and first_customer != INT64_MAX else PROSPECT
    ended = half == CUSTOMER and last_end > last_customer
    evaluate(plan, scratch, at, half, ended, active, now)
    row.present = present
    row.half = <int8_t>half
    row.score = now.score
    row.largest = 0.0
    for j in range(scratch.live_count):
        if not fabs(now.value[scratch.live[j]]) <= row.largest:     # NaN counts as the largest
            row.largest = fabs(now.value[scratch.live[j]])
    row.engagement = now.engagement
    row.momentum = now.momentum
    row.level = <int8_t>now.level
    row.phase = now.phase
    row.top_channel = -1
    raw = 0.0
    for j in range(plan.channels):
        channels[j] = scratch.channel_sum[j]
        if channels[j] > raw:
            raw = channels[j]
            row.top_channel = <int32_t>j
    if sums is not NULL:
        for r in range(plan.rules):
            sums[r] = 0.0
        for j in range(scratch.live_count):
            sums[scratch.live[j]] = now.value[scratch.live[j]]
    row.next_change = NEVER
    row.next_level = -1
    row.next_phase = -1
    if ahead:
        next_change(plan, scratch, at, since, last_customer, last_end, half, ended, active, row)


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
    """A plan and the grouped events it is applied to, ready to score any contacts at any instants.

    Every array is kept as it is; see `plan.py` and `matching.py` for what each one means.
    """

    cdef Plan plan
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

    def __init__(
        self,
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
        cdef Plan* plan = &self.plan
        cdef const int32_t[::1] code_column
        cdef const double[::1] amount_column
        cdef int64_t i
        self.kept = [
            rules, channel_caps, by_channel, listed_rules, roles, flags, plain_start, plain_rules, weight_columns,
            weight_starts, weight_factors, codes, amounts, phases, levels, starts, times, types, classes, type_ranks,
        ]
        memset(plan, 0, sizeof(Plan))
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
        scratch.family_a = <double*>zeros(plan.families, sizeof(double), &failed)
        scratch.family_b = <double*>zeros(plan.families, sizeof(double), &failed)
        scratch.total_a = <double*>zeros(plan.families, sizeof(double), &failed)
        scratch.total_b = <double*>zeros(plan.families, sizeof(double), &failed)
        for p in range(3):
            scratch.points[p].value = <double*>zeros(plan.rules, sizeof(double), &failed)
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
        free(scratch.family_a)
        free(scratch.family_b)
        free(scratch.total_a)
        free(scratch.total_b)
        free(scratch.parts)
        free(scratch.entries)
        free(scratch.stack)
        free(scratch.futures)
        for p in range(3):
            free(scratch.points[p].value)
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
        cdef int64_t j, begin = first, stop
        cdef double* into = NULL
        if self.prepare(&scratch) < 0:
            self.dispose(&scratch)
            raise MemoryError
        try:
            while begin < last and not scratch.failed:
                stop = begin + 4096 if begin + 4096 < last else last
                with nogil:
                    for j in range(begin, stop):
                        if sums is not None:
                            into = &sums[j, 0]
                        score_one(
                            &self.plan, &scratch, contacts[j], at[j], since[j], ahead, &rows[j], &channels[j, 0], into,
                            &tally[0] if counted[j] else &aside,
                        )
                        if scratch.failed:
                            break
                begin = stop
                PyErr_CheckSignals()
            if scratch.failed:
                raise MemoryError
        finally:
            self.dispose(&scratch)
