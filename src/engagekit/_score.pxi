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


cdef inline void notice(const Plan* plan, int64_t i, Row* row) noexcept nogil:
    """Take the activity that event `i` is."""
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


cdef void finish(
    const Plan* plan, Scratch* scratch, int64_t at, int64_t since, int64_t last_customer, int64_t last_end,
    int32_t half, bint ended, bint ahead, Row* row, double* channels, double* sums
) noexcept nogil:
    """Everything that follows from S(r), the momentum's sums, the activity in `row` and the lifecycle."""
    cdef int64_t j, r
    cdef bint active = row.events > 0
    cdef double most = 0.0
    cdef Point* now = &scratch.points[0]
    evaluate(plan, scratch, at, half, ended, active, now)
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
    for j in range(plan.channels):
        channels[j] = scratch.channel_sum[j]
        if channels[j] > most:
            most = channels[j]
            row.top_channel = <int32_t>j
    if sums is not NULL:
        for r in range(plan.rules):
            sums[r] = 0.0
        for j in range(scratch.live_count):
            sums[scratch.live[j]] = now.value[scratch.live[j]]
    if scratch.pace.known and isnan(row.momentum):
        row.largest = INFINITY                  # its sums overflow
    row.next_change = NEVER
    row.next_level = -1
    row.next_phase = -1
    if ahead:
        next_change(plan, scratch, at, since, last_customer, last_end, half, ended, active, row)


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
    cdef bint ended, present = False
    cdef const RuleSpec* rule
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
    scratch.evaluations = 0
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
            notice(plan, i, row)
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
    if plan.lifecycle and since <= at:
        first_customer = since if since < first_customer else first_customer
        last_customer = since if since > last_customer else last_customer
    half = CUSTOMER if plan.lifecycle and first_customer != INT64_MAX else PROSPECT
    ended = half == CUSTOMER and last_end > last_customer
    row.present = present
    finish(plan, scratch, at, since, last_customer, last_end, half, ended, ahead, row, channels, sums)
