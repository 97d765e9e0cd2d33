# Accumulating: one contact's events up to one instant into S(r), activity, lifecycle and momentum; then finishing.

cdef int64_t AT_ONCE = 512           # events whose decay is computed at once: what fits the nearest cache
cdef int64_t FEW = 64               # events whose plain sum is right to half that many units in the last place
cdef int64_t UNCHECKED = 1048576    # events after which signals are looked for, some milliseconds
cdef double VANISHING = 1e-250      # below it, the sums of a momentum are no longer exact


cdef bint interrupted(Scratch* scratch, int64_t events) noexcept nogil:
    """Whether to stop: another thread says so, or (now and then) a signal's handler raises."""
    if scratch.stopped[0] or scratch.raised:
        return True
    scratch.unchecked += events
    if scratch.unchecked >= UNCHECKED:
        scratch.unchecked = 0
        with gil:
            if check_signals() < 0:
                scratch.raised = True
    return scratch.raised


cdef void add_lean(
    const Plan* plan, Scratch* scratch, int64_t lo, int64_t hi, int64_t upto, int64_t at, double* lane
) noexcept nogil:
    """Add up events that are alike to a lean plan: one rule each, of constant points, nothing else to look at.

    S(r) goes to `lane`, whose zeros are CROWD apart, or (NULL) waits to be settled; the momentum's sums to `scratch`.

    Cost: some nanoseconds an event. Order of summation: as the events stand; FEW of them in plain sums, which lose less
    than one part in 10^14, those of a rule being of one sign, and what these come to in compensated ones. Without a
    lane all are compensated.
    """
    cdef int64_t i = lo, end = lo, j, n
    cdef double fast = 0.0, slow = 0.0
    cdef const int32_t* rule
    cdef const double* weight
    cdef const double* quick
    cdef const double* steady
    cdef Window* window = &scratch.window
    while i < hi:
        if i < window.first or i >= window.last or at != window.at:
            if interrupted(scratch, AT_ONCE):
                return
            fill_window(plan, window, i, upto, at)
        if i == end:
            end = min(hi, i + FEW)
        n = min(end if lane is not NULL else hi, window.last) - i
        j = i - window.first
        rule = window.rule + j
        weight = window.weight + j
        quick = window.fast + j
        steady = window.slow + j
        i += n
        if lane is NULL:
            for j in range(n):
                fast += quick[j]
                slow += steady[j]
                add(scratch.sums + rule[j], weight[j])
            continue
        for j in range(n):
            lane[rule[j] * CROWD] += weight[j]
            fast += quick[j]
            slow += steady[j]
        if i == end and hi - lo > FEW:
            for j in range(plan.rules):
                add(scratch.sums + j, lane[j * CROWD])
                lane[j * CROWD] = 0.0
    scratch.fast = fast
    scratch.slow = slow
    if lane is not NULL and hi - lo > FEW:
        settle_lane(plan, scratch, lane)


cdef void read_lean(
    const Plan* plan, Scratch* scratch, int64_t lo, int64_t hi, int64_t upto, int64_t at, Row* row, double* lane
) noexcept nogil:
    """Read the events of a lean plan: all are activity. For `lane` see `add_lean`."""
    cdef int64_t i
    cdef int32_t type
    add_lean(plan, scratch, lo, hi, upto, at, lane)
    row.events = hi - lo
    row.first_event = plan.time[lo]
    row.last_event = plan.time[hi - 1]
    row.last_type = code_at(plan.type, plan.type_width, hi - 1)
    i = hi - 2
    while i >= lo and plan.time[i] == row.last_event:
        type = code_at(plan.type, plan.type_width, i)
        if plan.type_rank[type] > plan.type_rank[row.last_type]:
            row.last_type = type
        i -= 1


cdef void forget(const Plan* plan, Scratch* scratch, Row* row, Facts* facts) noexcept nogil:
    """Begin with a contact anew."""
    scratch.parts_count = scratch.futures_count = 0
    scratch.queue.count = 0
    scratch.pace.known = scratch.gained = False
    scratch.fast = scratch.slow = 0.0
    row.events = 0
    row.first_event = row.last_event = NEVER
    row.last_type = -1
    facts.first_customer = INT64_MAX
    facts.last_customer = facts.last_end = NEVER
    facts.present = facts.ended = False
    facts.half = PROSPECT


cdef void settle(const Plan* plan, Scratch* scratch, int64_t at) noexcept nogil:
    """Take the sums into the bases and note which rules live, in the plan's order; the sums are zero again.

    Cost: the rules that any event came to, and an eighth of a look at each other rule.
    """
    cdef int64_t r, word
    cdef uint64_t marks
    cdef const RuleSpec* rule
    scratch.live_count = 0
    scratch.fresh = at
    scratch.seen[plan.rules] = 0
    scratch.sums[plan.rules].value = scratch.sums[plan.rules].rest = 0.0
    for word in range((plan.rules + 7) // 8):
        marks = ek_marks(scratch.seen + 8 * word)
        if marks:
            memset(scratch.seen + 8 * word, 0, 8)
        while marks:
            r = 8 * word + (ek_lowest_bit(marks) >> 3)
            marks &= marks - 1
            rule = plan.rule + r
            scratch.base[r] = scratch.sums[r].value + scratch.sums[r].rest
            scratch.base_time[r] = at
            scratch.sums[r].value = scratch.sums[r].rest = 0.0
            if scratch.base[r] != 0 or (
                rule.listed >= 0
                and (rule.kind == ABSENCE or scratch.part_end[rule.listed] > scratch.part_first[rule.listed])
            ):
                scratch.live[scratch.live_count] = <int32_t>r
                scratch.live_count += 1


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
    scratch.fresh = NEVER
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
    if scratch.futures_count == 0 and not turning and falls(plan, scratch, end, half, ended, active, row):
        return
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
    row.next_level = there.level
    row.next_phase = there.phase


cdef void finish(
    const Plan* plan, Scratch* scratch, int64_t at, int64_t since, int64_t last_customer, int64_t last_end,
    int32_t half, bint ended, bint ahead, Row* row, double* channels, int64_t stride, double* sums
) noexcept nogil:
    """Everything that follows from S(r), the momentum's sums, the activity in `row` and the lifecycle.

    C(ch) goes to `channels` and S(r) to `sums` (NULL: nowhere), each `stride` apart.
    """
    cdef int64_t j, r
    cdef bint active = row.events > 0
    cdef double most = 0.0
    cdef Point* now = &scratch.points[0]
    evaluate(plan, scratch, at, half, ended, active, now)
    row.half = half
    row.score = now.score
    row.largest = 0.0
    for j in range(scratch.live_count):
        if not fabs(now.value[scratch.live[j]]) <= row.largest:     # NaN counts as the largest
            row.largest = fabs(now.value[scratch.live[j]])
    row.engagement = now.engagement
    row.momentum = now.momentum
    row.level = now.level
    row.phase = now.phase
    row.top_channel = -1
    for j in range(plan.channels):
        channels[j * stride] = scratch.channel_sum[j]
        if scratch.channel_sum[j] > most:
            most = scratch.channel_sum[j]
            row.top_channel = <int32_t>j
    if sums is not NULL:
        for j in range(scratch.live_count):
            r = scratch.live[j]
            sums[r * stride] = now.value[r]
    row.intent = clearest_intent(plan, scratch, now, half) if plan.intents else -1
    if scratch.pace.known and isnan(row.momentum):
        row.largest = INFINITY                  # its sums overflow
    row.next_change = NEVER
    row.next_level = -1
    row.next_phase = -1
    if ahead:
        next_change(plan, scratch, at, since, last_customer, last_end, half, ended, active, row)


cdef inline int64_t upto_instant(const Plan* plan, int64_t lo, int64_t hi, int64_t at) noexcept nogil:
    """Where the events later than `at` begin."""
    cdef int64_t middle
    if hi == lo or plan.time[hi - 1] <= at:
        return hi
    while lo < hi:
        middle = (lo + hi) // 2
        if plan.time[middle] <= at:
            lo = middle + 1
        else:
            hi = middle
    return hi


cdef void take_since(const Plan* plan, int64_t at, int64_t since, Facts* facts) noexcept nogil:
    """Take `customer_since` (INT64_MAX: none) beside what the events said, and tell the half."""
    if not plan.lifecycle:
        return
    if since <= at:
        facts.first_customer = since if since < facts.first_customer else facts.first_customer
        facts.last_customer = since if since > facts.last_customer else facts.last_customer
    if facts.first_customer != INT64_MAX:
        facts.half = CUSTOMER
        facts.ended = facts.last_end > facts.last_customer


cdef void read_one(
    const Plan* plan, Scratch* scratch, int64_t contact, int64_t at, int64_t since, int64_t upto, Row* row, Facts* facts,
    Tally* tally
) noexcept nogil:
    """Read a contact (-1: one without events) up to one instant: activity, lifecycle, and sums that wait to be settled.

    Invariant: events are in order of (time, row) and added in that order, so the bits depend on nothing else. Cost:
    the events up to `at` times the rules they match. Up to the event `upto` the same instant is going to be asked for.
    """
    cdef int64_t lo = 0, hi = 0, end = 0, i
    cdef int32_t k
    cdef Tally again
    if contact >= 0:
        lo, end = plan.start[contact], plan.start[contact + 1]
        hi = upto_instant(plan, lo, end, at)
    scratch.evaluations = 0
    scratch.far = False
    tally.future += end - hi
    forget(plan, scratch, row, facts)
    if hi > lo:
        if plan.lean:
            facts.present = True
            read_lean(plan, scratch, lo, hi, upto if upto > hi else hi, at, row, NULL)
            for i in range(lo, hi):
                k = code_at(plan.event_class, plan.class_width, i)
                k = plan.steps.first[k if k >= 0 else plan.classes]
                scratch.seen[k] = 1
                if plan.gain[k] > 0:
                    scratch.gained = True
        else:
            read_all(plan, scratch, lo, hi, upto if upto > hi else hi, at, row, facts, tally)
    if scratch.failed or scratch.raised or scratch.stopped[0]:
        return
    if scratch.gained and scratch.fast < VANISHING:
        # all is so long ago that only the ratio of the two paces is left: taken from mark to mark
        settle(plan, scratch, at)
        memset(&again, 0, sizeof(Tally))
        scratch.far = True
        forget(plan, scratch, row, facts)
        read_all(plan, scratch, lo, hi, hi, at, row, facts, &again)
        if scratch.failed or scratch.raised or scratch.stopped[0]:
            return
    elif scratch.gained:
        scratch.pace.known = True
        scratch.pace.mark = at
        scratch.pace.fast = scratch.fast
        scratch.pace.slow = scratch.slow
    take_since(plan, at, since, facts)
    row.present = facts.present


cdef void score_one(
    const Plan* plan, Scratch* scratch, int64_t contact, int64_t at, int64_t since, bint ahead, int64_t upto,
    Row* row, double* channels, int64_t stride, double* sums, Tally* tally
) noexcept nogil:
    """Everything about one contact (-1: one without events) at one instant.

    Cost: reading it, plus what `ahead` (next_change) asks for. For `upto` see `read_one`, for `channels`, `stride` and
    `sums` see `finish`.
    """
    cdef Facts facts
    read_one(plan, scratch, contact, at, since, upto, row, &facts, tally)
    if scratch.failed or scratch.raised or scratch.stopped[0]:
        return
    settle(plan, scratch, at)
    finish(
        plan, scratch, at, since, facts.last_customer, facts.last_end, facts.half, facts.ended, ahead, row, channels,
        stride, sums,
    )
