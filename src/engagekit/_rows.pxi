# Rows: one contact at instants of its own. Its events are swept once for all of them, and each row is finished like one.

cdef struct Follow:         # what a row knows beside points, as of the row before
    Row row
    int64_t event           # the next to be looked at
    double* sums            # S(r): by rule, then TILE rows
    Pace* paces             # TILE rows


cdef void follow(
    const Plan* plan, const Sweep* sweep, Follow* at_hand, int64_t at, Tally* tally
) noexcept nogil:
    """Look at the events up to `at`: activity, and what is counted."""
    cdef int64_t i = at_hand.event
    cdef int32_t k
    while i < sweep.end and plan.time[i] <= at:
        k = code_at(plan.event_class, plan.class_width, i)
        if k < 0:
            tally.excluded += 1
        else:
            at_hand.row.present = True
            if not plan.flags[k] & READ:
                tally.unmatched += 1
            if plan.flags[k] & ACTIVITY:
                notice(plan, i, &at_hand.row)
        i += 1
    at_hand.event = i


cdef void sum_rows(
    const Plan* plan, Sweep* sweep, const Grid* grid, Follow* at_hand, int64_t a, int64_t b, bint parts
) noexcept nogil:
    """S(r) and the momentum's sums at the rows `a` ... `b` - 1; those of ramps and windows only if `parts`."""
    cdef int64_t r, k
    cdef const RuleSpec* rule
    cdef Course* course
    cdef double* into
    cdef bint right = True
    for r in range(plan.rules):
        rule = plan.rule + r
        course = sweep.course + r
        into = at_hand.sums + r * TILE
        if idle(course, sweep.marks, b) or (rule.decay >= LINEAR and not parts):
            memset(into, 0, (b - a) * sizeof(double))
        elif rule.decay >= LINEAR:
            right = run_parts(grid, rule, course, sweep.marks, a, b, into, True)
        else:
            right = run_sum(plan, grid, rule, course, sweep.marks, a, b, into, True)
        if not right:
            sweep.overflow = True
            for k in range(b - a):
                into[k] = INFINITY
    for k in range(a, b):
        while sweep.paces_next < sweep.paces_count and sweep.paces[sweep.paces_next].tick <= k:
            keep_pace(plan, &sweep.pace, sweep.paces[sweep.paces_next].time, sweep.paces[sweep.paces_next].raw)
            sweep.paces_next += 1
        at_hand.paces[k - a] = sweep.pace


cdef int64_t first_after(const Plan* plan, int64_t lo, int64_t hi, int64_t time) noexcept nogil:
    """The first of the contact's events `lo` ... `hi` - 1 later than `time`."""
    cdef int64_t middle
    while lo < hi:
        middle = (lo + hi) // 2
        if plan.time[middle] <= time:
            lo = middle + 1
        else:
            hi = middle
    return lo


cdef int64_t alive_from(const Sweep* sweep, const Course* course, int64_t at, int64_t span) noexcept nogil:
    """The first mark of a ramp or window that is still alive."""
    cdef int64_t lo = course.first, hi = course.last, middle
    while lo < hi:
        middle = (lo + hi) // 2
        if at - sweep.marks[middle].time >= span:
            lo = middle + 1
        else:
            hi = middle
    return lo


cdef bint open_absences(
    const Plan* plan, Scratch* scratch, int64_t l, int64_t lo, int64_t hi, int64_t at, int64_t* first, int64_t* count
) noexcept nogil:
    """Gather the absences that may yet mature after `at`, into `scratch.entries` from `first` on; False without memory.

    Judged by the events `lo` ... `hi` - 1, all up to `at`, and of these by those only that can matter: what an absence
    waits after, and what fills the bucket of a limit in which it will mature.
    """
    cdef const RuleSpec* rule = plan.rule + plan.listed_rule[l]
    cdef int64_t since = at - rule.within, bucket, n, null_amounts = 0
    if rule.limit_n > 0:
        bucket = floor_div(at, rule.limit_per) * rule.limit_per - rule.within - 1
        since = bucket if bucket < since else since
    collect_one(plan, l, first_after(plan, lo, hi, since), hi, scratch)
    if scratch.failed:
        return False
    n = gather(plan, l, scratch, &null_amounts)
    if scratch.failed:
        return False
    first[0] = 0
    while first[0] < n and scratch.entries[first[0]].time <= at:
        first[0] += 1
    count[0] = n
    return True


cdef bint take_parts(
    const Plan* plan, Scratch* scratch, const Sweep* sweep, int64_t l, int64_t k, int64_t lo, int64_t hi, int64_t at
) noexcept nogil:
    """Lay out what `next_change` looks at of listed rule `l` at row `k`: parts alive, absences open."""
    cdef int64_t r = plan.listed_rule[l], j = 0, i, n = 0, first = 0, room
    cdef const RuleSpec* rule = plan.rule + r
    cdef const Course* course = sweep.course + r
    cdef bint parted = rule.decay >= LINEAR
    cdef Part* part
    cdef Future* future
    cdef void* moved
    if rule.kind == ABSENCE and not open_absences(plan, scratch, l, lo, hi, at, &first, &n):
        return False
    i = alive_from(sweep, course, at, rule.span) if parted else course.last
    room = scratch.parts_count + (course.last - i) + (n - first)
    if parted and room > scratch.parts_room:
        moved = larger(scratch.parts, &scratch.parts_room, room, sizeof(Part))
        if moved is NULL:
            return False
        scratch.parts = <Part*>moved
    if scratch.futures_count + n - first > scratch.futures_room:
        moved = larger(scratch.futures, &scratch.futures_room, scratch.futures_count + n - first, sizeof(Future))
        if moved is NULL:
            return False
        scratch.futures = <Future*>moved
    scratch.part_first[l] = scratch.parts_count
    while i < course.last and sweep.marks[i].tick <= k:
        part = scratch.parts + scratch.parts_count
        part.time = sweep.marks[i].time
        part.raw = sweep.marks[i].raw
        scratch.parts_count += 1
        i += 1
    scratch.part_upto[l] = scratch.parts_count
    for j in range(first, n):
        if parted:
            part = scratch.parts + scratch.parts_count
            part.time = scratch.entries[j].time
            part.raw = scratch.entries[j].raw
            scratch.parts_count += 1
        future = scratch.futures + scratch.futures_count
        future.time = scratch.entries[j].time
        future.raw = scratch.entries[j].raw
        future.rule = <int32_t>r
        scratch.futures_count += 1
    scratch.part_end[l] = scratch.parts_count
    if parted:
        rest_sums(rule, scratch, l, at)
    return True


cdef void finish_row(
    const Plan* plan, Scratch* scratch, Sweep* sweep, const Grid* grid, Follow* at_hand, int64_t contact, int64_t since,
    int64_t a, int64_t k, bint ahead, Row* row, double* channels, int64_t stride, Tally* tally
) noexcept nogil:
    """Finish row `k`, of the rows from `a` on that `sum_rows` has summed."""
    cdef int64_t at = grid.at[k], l, r, last
    cdef int32_t half
    cdef bint ended, active
    cdef const RuleSpec* rule
    follow(plan, sweep, at_hand, at, tally)
    row[0] = at_hand.row
    scratch.evaluations = scratch.live_count = 0
    scratch.parts_count = scratch.futures_count = 0
    scratch.pace = at_hand.paces[k - a]
    for l in range(plan.listed):
        if not take_parts(plan, scratch, sweep, l, k, plan.start[contact], at_hand.event, at):
            scratch.failed = True
            return
    scratch.fresh = at
    for r in range(plan.rules):
        rule = plan.rule + r
        scratch.base[r] = at_hand.sums[r * TILE + k - a]
        scratch.base_time[r] = at
        if scratch.base[r] != 0 or (
            rule.listed >= 0 and (rule.kind == ABSENCE or scratch.part_end[rule.listed] > scratch.part_first[rule.listed])
        ):
            scratch.live[scratch.live_count] = <int32_t>r
            scratch.live_count += 1
    stage_at(sweep, k, k + 1, &half, &ended, &active)
    last = sweep.last_customer
    if plan.lifecycle and since <= at and since > last:
        last = since
    finish(plan, scratch, at, since, last, sweep.last_end, half, ended, ahead, row, channels, stride, NULL)


def score_rows(
    Scorer scorer not None,
    const int64_t[::1] starts,
    const int64_t[::1] contacts,
    const int64_t[::1] at,
    const int64_t[::1] since,
    const int64_t[::1] places,
    int64_t first,
    int64_t last,
    dict arrays,
    double[:, ::1] channels,
    double[:, ::1] sums,
    Tally[::1] tally,
):
    """Score the contacts `first` ... `last` - 1 at their instants, those from `starts[i]` to `starts[i + 1]` of `at`.

    The instants of one contact ascend. The row of instant j goes to the places `places[j]` of `arrays` and
    `channels` (see `Scorer.run`), next change included; or, unless `sums` is None, nothing but S(r) into that, and
    whether it overflows into `largest`. What became
    of the events is counted once a contact, at its last instant. Runs without the GIL; contacts of several calls must
    not overlap.
    """
    cdef Scratch scratch
    cdef Sweep sweep
    cdef Grid grid
    cdef Follow at_hand
    cdef Tally aside
    cdef Row row
    cdef Columns columns = columns_of(arrays)
    cdef const Plan* plan = &scorer.plan
    cdef int64_t c = first, begun = -1, k = 0, l = 0, a = 0, b = 0, i, r, work, upto, jobs = channels.shape[1]
    cdef bint failed = False, ahead = sums is None
    cdef double* into = NULL
    memset(&sweep, 0, sizeof(Sweep))
    memset(&grid, 0, sizeof(Grid))
    memset(&at_hand, 0, sizeof(Follow))
    grid.path = ek_sweep_path_chosen()
    at_hand.sums = <double*>aligned(plan.rules * TILE, sizeof(double), &failed)
    at_hand.paces = <Pace*>aligned(TILE, sizeof(Pace), &failed)
    try:
        if scorer.prepare(&scratch) < 0 or prepare_sweep(plan, &sweep, TILE) < 0 or failed:
            raise MemoryError
        while c < last and not scorer.stopped:
            work = 0
            with nogil:
                while c < last and work < BETWEEN_SIGNALS and not (scratch.failed or sweep.failed):
                    if contacts[c] < 0 or starts[c + 1] - starts[c] == 1:
                        # nothing to share
                        for i in range(starts[c], starts[c + 1]):
                            if sums is not None:
                                into = &sums[0, places[i]]
                            score_one(
                                plan, &scratch, contacts[c], at[i], since[i], ahead, 0, &row, &channels[0, places[i]],
                                jobs, into, &tally[0] if i + 1 == starts[c + 1] else &aside,
                            )
                            if scratch.failed or scratch.raised or scorer.stopped:
                                break
                            store(&columns, places[i], &row, at[i])
                            work += 64 + scratch.evaluations
                        if scratch.failed or scratch.raised or scorer.stopped:
                            break
                        if contacts[c] >= 0:
                            work += plan.start[contacts[c] + 1] - plan.start[contacts[c]]
                        c += 1
                        continue
                    if begun != c:
                        begun = c
                        grid.at = &at[starts[c]]
                        grid.count = starts[c + 1] - starts[c]
                        sweep.overflow = False
                        set_out(plan, &sweep, &grid, contacts[c], since[starts[c]])
                        memset(&at_hand.row, 0, sizeof(Row))
                        at_hand.row.first_event = at_hand.row.last_event = NEVER
                        at_hand.row.last_type = -1
                        at_hand.event = plan.start[contacts[c]]
                        k = l = -1
                    if sweep.event < sweep.end:
                        upto = min(sweep.end, sweep.event + READ_AT_ONCE)
                        work += upto - sweep.event
                        read_events(plan, &sweep, &grid, upto, &tally[0].null_amounts)
                        if sweep.event < sweep.end:
                            continue
                    if k < 0 and l < 0:
                        if lay_out(plan, &sweep, BETWEEN_SIGNALS):
                            l = 0
                        work += min(BETWEEN_SIGNALS, sweep.taken_count)
                        continue
                    if k < 0 and l < plan.listed:
                        lay_out_listed(plan, &scratch, &sweep, &grid, l, plan.start[contacts[c]], &tally[0].null_amounts)
                        work += sweep.end - plan.start[contacts[c]]
                        l += 1
                        continue
                    if k < 0:
                        set_off(plan, &sweep, &grid)
                        k = a = b = 0
                        if sweep.failed:
                            break
                    if k == b:
                        a = k
                        b = min(k + TILE, grid.count)
                        sum_rows(plan, &sweep, &grid, &at_hand, a, b, not ahead)
                        work += (b - a) * plan.rules // 4
                    i = places[starts[c] + k]
                    if ahead:
                        finish_row(
                            plan, &scratch, &sweep, &grid, &at_hand, contacts[c], since[starts[c]], a, k, True, &row,
                            &channels[0, i], jobs, &tally[0],
                        )
                        if scratch.failed or scratch.raised or scorer.stopped:
                            break
                        if sweep.overflow:
                            row.largest = INFINITY
                        store(&columns, i, &row, grid.at[k])
                        work += 64 + scratch.evaluations + scratch.parts_count + scratch.entries_room // 64
                    else:
                        columns.largest[i] = INFINITY if sweep.overflow else 0.0
                        for r in range(plan.rules):
                            sums[r, i] = at_hand.sums[r * TILE + k - a]
                        work += plan.rules // 4 + 1
                    k += 1
                    if k == grid.count:
                        tally[0].future += plan.start[contacts[c] + 1] - sweep.end
                        c += 1
            if scratch.failed or sweep.failed:
                raise MemoryError
            if scratch.raised:
                raise_again()
            PyErr_CheckSignals()
    finally:
        scorer.dispose(&scratch)
        dispose_sweep(&sweep)
        free(at_hand.sums)
        free(at_hand.paces)
