# Sweeping: one contact at many instants. The events are gone through once, and then every rule once through time.

cdef struct Taken:          # a matched event of a rule that needs no order
    Mark mark
    int32_t rule

cdef struct Turn:           # an event of the lifecycle
    int64_t time
    int64_t tick
    int32_t flags

cdef struct Sweep:          # one contact on its way through the instants
    Course* course          # by rule
    Mark* marks             # rule after rule, each in order of time
    int64_t marks_count
    int64_t marks_room
    Taken* taken            # as they come
    int64_t taken_count
    int64_t laid_out        # of them
    int64_t taken_room
    Mark* paces             # what counts for the momentum, instant by instant
    int64_t paces_count
    int64_t paces_room
    int64_t paces_next
    double* fasts           # what is left of each for the momentum's sums, at the first of evenly spaced instants
    double* slows
    int64_t pace_room
    Trot trot
    bint even               # whether the momentum's sums are carried from instant to instant
    int64_t* ticks
    int64_t ticks_room
    Turn* turns
    int64_t turns_count
    int64_t turns_room
    int64_t turns_next
    Pace pace
    double* score           # as many instants long as are done at once, and so are those that follow
    double* sum             # a channel
    double* engagement
    double* momentum
    int64_t* level
    int64_t* picked         # phases
    int8_t* byte            # levels, then phases, narrow
    int32_t* state          # or both and the half, as one
    int64_t* age            # AT_ONCE marks
    int32_t* which
    double* left
    double* right
    Mark** faded
    int64_t event           # the next to be read
    int64_t end
    int64_t tick            # of the event read last
    int64_t present         # the first instant that sees any event
    int64_t active          # any activity
    int64_t customer        # the customer's half
    int64_t since           # `customer_since`
    int64_t since_at
    int64_t last_customer
    int64_t last_end
    bint failed             # no memory
    bint overflow
    bint unpaced            # some row has no momentum
    bint inactive           # or no phase

cdef struct Written:        # where a sweep's rows go
    int64_t* at
    int64_t* key
    int32_t* code
    double* score
    double* engagement
    double* momentum
    int8_t* level
    int8_t* half
    int8_t* phase
    int32_t* state          # instead of all three: level + 4 * half + 8 * (phase + 1)
    bint past               # the caches, as which they are larger


cdef void set_out(
    const Plan* plan, Sweep* sweep, const Grid* grid, int64_t contact, int64_t since
) noexcept nogil:
    """Begin with a contact (-1: one without events); its events are yet to be read."""
    cdef int64_t lo = 0, hi = 0, middle, last, count = grid.count
    if contact >= 0 and count:
        sweep.event = lo = plan.start[contact]
        hi = plan.start[contact + 1]
        last = grid.at[count - 1]
        while lo < hi:
            middle = (lo + hi) // 2
            if plan.time[middle] <= last:
                lo = middle + 1
            else:
                hi = middle
        sweep.end = lo
    else:
        sweep.event = sweep.end = 0
    memset(sweep.course, 0, plan.rules * sizeof(Course))
    sweep.taken_count = sweep.laid_out = sweep.marks_count = sweep.paces_count = sweep.turns_count = 0
    sweep.paces_next = sweep.turns_next = sweep.tick = 0
    sweep.pace.known = False
    sweep.present = sweep.active = sweep.customer = sweep.since = count
    sweep.since_at = since
    sweep.last_customer = sweep.last_end = NEVER
    if plan.lifecycle and count and since <= grid.at[count - 1]:
        sweep.customer = sweep.since = tick_of(grid, since, 0)


cdef bint room_for(Sweep* sweep, int64_t events, int64_t rules) noexcept nogil:
    """Make room for what that many more events may give; False where there is none."""
    cdef void* moved
    if sweep.taken_count + events * rules > sweep.taken_room:
        moved = larger(sweep.taken, &sweep.taken_room, sweep.taken_count + events * rules, sizeof(Taken))
        if moved is NULL:
            return False
        sweep.taken = <Taken*>moved
    if sweep.turns_count + events > sweep.turns_room:
        moved = larger(sweep.turns, &sweep.turns_room, sweep.turns_count + events, sizeof(Turn))
        if moved is NULL:
            return False
        sweep.turns = <Turn*>moved
    if sweep.paces_count + events * rules > sweep.paces_room:
        moved = larger(sweep.paces, &sweep.paces_room, sweep.paces_count + events * rules, sizeof(Mark))
        if moved is NULL:
            return False
        sweep.paces = <Mark*>moved
    return True


cdef void read_events(const Plan* plan, Sweep* sweep, const Grid* grid, int64_t upto, int64_t* null_amounts) noexcept nogil:
    """Read the events below `upto` of the contact. Cost: the events times the rules that take them."""
    cdef int64_t i, j, n, tick = sweep.tick
    cdef int32_t k
    cdef uint8_t flags
    cdef const RuleSpec* rule
    cdef Taken* taken
    cdef Turn* turn
    for i in range(sweep.event, upto):
        k = code_at(plan.event_class, plan.class_width, i)
        if k < 0:
            continue
        tick = tick_of(grid, plan.time[i], tick)
        flags = plan.flags[k]
        if sweep.present == grid.count:
            sweep.present = tick
        if flags & ACTIVITY and sweep.active == grid.count:
            sweep.active = tick
        n = plan.plain_start[k + 1] - plan.plain_start[k]
        if (
            sweep.taken_count + n > sweep.taken_room
            or sweep.paces_count + n > sweep.paces_room
            or sweep.turns_count == sweep.turns_room
        ) and not room_for(sweep, 1, n):
            sweep.failed = True
            return
        if flags & (CUSTOMER_ON | ENDS_ON):
            if flags & CUSTOMER_ON and tick < sweep.customer:
                sweep.customer = tick
            turn = sweep.turns + sweep.turns_count
            turn.time = plan.time[i]
            turn.tick = tick
            turn.flags = flags
            sweep.turns_count += 1
        for j in range(plan.plain_start[k], plan.plain_start[k + 1]):
            taken = sweep.taken + sweep.taken_count
            taken.rule = plan.plain_rule[j]
            taken.mark.time = plan.time[i]
            taken.mark.tick = tick
            rule = plan.rule + taken.rule
            taken.mark.raw = rule.points
            if rule.amount >= 0 or rule.weights_first < rule.weights_last:
                taken.mark.raw = raw_points(plan, rule, i, null_amounts)
            sweep.taken_count += 1
            sweep.course[taken.rule].last += 1
            if taken.mark.raw > 0:
                sweep.paces[sweep.paces_count] = taken.mark
                sweep.paces_count += 1
    sweep.event = upto
    sweep.tick = tick


cdef bint lay_out(const Plan* plan, Sweep* sweep, int64_t most) noexcept nogil:
    """Sort marks that were read by rule, each rule's in order of time, `most` at a time; True once all are."""
    cdef int64_t r, n, place = 0, upto = min(sweep.taken_count, sweep.laid_out + most)
    cdef Course* course
    cdef void* moved
    if sweep.laid_out == 0:
        for r in range(plan.rules):
            course = sweep.course + r
            n = course.last
            course.first = course.next = course.last = course.oldest = place
            place += n
        sweep.marks_count = place
        if place > sweep.marks_room:
            moved = larger(sweep.marks, &sweep.marks_room, place, sizeof(Mark))
            if moved is NULL:
                sweep.failed = True
                return False
            sweep.marks = <Mark*>moved
    while sweep.laid_out < upto:
        course = sweep.course + sweep.taken[sweep.laid_out].rule
        sweep.marks[course.last] = sweep.taken[sweep.laid_out].mark
        course.last += 1
        sweep.laid_out += 1
    return upto == sweep.taken_count


cdef void lay_out_listed(
    const Plan* plan, Scratch* scratch, Sweep* sweep, const Grid* grid, int64_t l, int64_t first, int64_t* null_amounts
) noexcept nogil:
    """Gather listed rule `l` from the events from `first` on, behind the marks that are there."""
    cdef int64_t j, n, place = sweep.marks_count, tick = 0
    cdef Course* course = sweep.course + plan.listed_rule[l]
    cdef Mark* mark
    cdef void* moved
    if l == 0:
        collect(plan, first, sweep.end, scratch)
    n = 0 if scratch.failed else gather(plan, l, scratch, null_amounts)
    if not scratch.failed and place + n > sweep.marks_room:
        moved = larger(sweep.marks, &sweep.marks_room, place + n, sizeof(Mark))
        if moved is not NULL:
            sweep.marks = <Mark*>moved
        else:
            scratch.failed = True
    if scratch.failed or not room_for(sweep, n, 1):
        sweep.failed = True
        return
    course.first = course.next = course.oldest = place
    for j in range(n):
        tick = tick_of(grid, scratch.entries[j].time, tick)
        if tick == grid.count:
            break
        mark = sweep.marks + place
        mark.time = scratch.entries[j].time
        mark.tick = tick
        mark.raw = scratch.entries[j].raw
        place += 1
        if mark.raw > 0:
            sweep.paces[sweep.paces_count] = mark[0]
            sweep.paces_count += 1
    course.last = sweep.marks_count = place


cdef void sum_scores(const Plan* plan, Sweep* sweep, const Grid* grid, int64_t a, int64_t b, double* score) noexcept nogil:
    """The score at the instants `a` ... `b` - 1. Sums in the order of the rules, as at a single instant."""
    cdef int64_t r = 0, n = b - a, from_, upto
    cdef Course* course
    cdef int32_t channel
    cdef const RuleSpec* rule
    cdef bint any_, right
    memset(score, 0, (n + 7) // 8 * 8 * sizeof(double))
    while r < plan.rules:
        channel = plan.rule[r].channel
        any_ = False
        while r < plan.rules and plan.rule[r].channel == channel:
            rule = plan.rule + r
            course = sweep.course + r
            r += 1
            from_ = a
            upto = b
            if rule.half == PROSPECT and sweep.customer < b:
                upto = sweep.customer
            elif rule.half == CUSTOMER and sweep.customer > a:
                from_ = sweep.customer
            if from_ >= upto or idle(course, sweep.marks, upto):
                continue
            if not any_:
                any_ = True
                memset(sweep.sum, 0, (n + 7) // 8 * 8 * sizeof(double))
            if rule.decay >= LINEAR:
                right = run_parts(grid, rule, course, sweep.marks, from_, upto, sweep.sum + (from_ - a), False)
            elif grid.every:
                right = grid.path.sum(
                    sweep.marks, &course.next, course.last, &course.run, grid.rate + (r - 1), rule.cap, from_, upto,
                    upto == b, sweep.sum + (from_ - a),
                )
                course.oldest = course.next
            else:
                right = run_sum(plan, grid, rule, course, sweep.marks, from_, upto, sweep.sum + (from_ - a), False)
            if not right:
                sweep.overflow = True
        if any_:
            grid.path.add_channel(score, sweep.sum, plan.channel_cap[channel], n)


cdef void run_pace(const Plan* plan, Sweep* sweep, const Grid* grid, int64_t a, int64_t b, double* momentum) noexcept nogil:
    """The momentum at the instants `a` ... `b` - 1: its ratio runs down at one rate from mark to mark."""
    cdef int64_t k = a, stop, i
    if sweep.even:
        if not grid.path.trot(
            sweep.paces, sweep.fasts, sweep.slows, &sweep.paces_next, sweep.paces_count, &sweep.trot, grid.fast, grid.slow,
            grid.drift, <double>plan.slow / <double>plan.fast, a, b, momentum,
        ):
            sweep.overflow = True
        grid.path.momenta(momentum, b - a)
        return
    while k < b:
        while sweep.paces_next < sweep.paces_count and sweep.paces[sweep.paces_next].tick <= k:
            keep_pace(plan, &sweep.pace, sweep.paces[sweep.paces_next].time, sweep.paces[sweep.paces_next].raw)
            sweep.paces_next += 1
        stop = b
        if sweep.paces_next < sweep.paces_count and sweep.paces[sweep.paces_next].tick < stop:
            stop = sweep.paces[sweep.paces_next].tick
        if not sweep.pace.known:
            for i in range(k - a, stop - a):
                momentum[i] = NAN
        else:
            for i in range(k, stop):
                momentum[i - a] = momentum_at(plan, &sweep.pace, grid.at[i])
                if isnan(momentum[i - a]):
                    sweep.overflow = True
        k = stop


cdef int64_t stage_at(
    Sweep* sweep, int64_t k, int64_t upto, int32_t* half, bint* ended, bint* active
) noexcept nogil:
    """Half, end and activity at instant `k`; returns the instant below `upto` until which they stay so."""
    cdef const Turn* turn
    cdef int64_t last
    while sweep.turns_next < sweep.turns_count and sweep.turns[sweep.turns_next].tick <= k:
        turn = sweep.turns + sweep.turns_next
        if turn.flags & CUSTOMER_ON:
            sweep.last_customer = turn.time
        if turn.flags & ENDS_ON:
            sweep.last_end = turn.time
        sweep.turns_next += 1
    last = sweep.last_customer
    if sweep.since <= k and sweep.since_at > last:
        last = sweep.since_at
    half[0] = CUSTOMER if sweep.customer <= k else PROSPECT
    ended[0] = half[0] == CUSTOMER and sweep.last_end > last
    active[0] = sweep.active <= k
    if sweep.turns_next < sweep.turns_count and sweep.turns[sweep.turns_next].tick < upto:
        upto = sweep.turns[sweep.turns_next].tick
    if k < sweep.since < upto:
        upto = sweep.since
    if k < sweep.active < upto:
        upto = sweep.active
    return upto


cdef void pick_phases(
    const Plan* plan, const Grid* grid, const double* engagement, const double* momentum, int32_t half, bint ended,
    bint active, int64_t n, int64_t base, int64_t step, int64_t* phase
) noexcept nogil:
    """The phases of `n` instants of one half, as `phase_of` says them: from the last entry up, each over those below.

    As `base` + `step` times the phase, which is -1 where there is none.
    """
    cdef int64_t i, p = plan.phases
    cdef double slowest
    if not active or ended:
        for i in range(n):
            phase[i] = base + step * (plan.ended_phase if active else -1)
        return
    while p > 0:
        p -= 1
        if plan.phase[p].half == half:
            slowest = plan.phase[p].min_momentum
            grid.path.pick(
                engagement, momentum, plan.phase[p].min_engagement, -INFINITY if isnan(slowest) else slowest,
                base + step * plan.phase[p].name, n, phase,
            )


cdef void write_tile(
    const Plan* plan, Sweep* sweep, const Grid* grid, int64_t a, int64_t b, const Written* to, int64_t row
) noexcept nogil:
    """Write the rows of the instants `a` ... `b` - 1 from `row` on."""
    cdef int64_t k = a, i, stop, base = 0, step = 1
    cdef int32_t half
    cdef bint ended, active
    cdef int64_t n = b - a
    sum_scores(plan, sweep, grid, a, b, sweep.score)
    run_pace(plan, sweep, grid, a, b, sweep.momentum)
    if isnan(sweep.momentum[0]):
        sweep.unpaced = True            # and may be so for some instants more, but not before or behind
    if plan.linear_scale:
        for i in range(n):
            sweep.engagement[i] = engagement_of(plan, sweep.score[i])
    else:
        grid.path.saturate(sweep.score, plan.scale, n, sweep.engagement)
    if not grid.path.finite(sweep.score, n):
        sweep.overflow = True
    grid.path.levels(sweep.engagement, plan.level, n, sweep.level)
    while k < b:
        stop = stage_at(sweep, k, b, &half, &ended, &active)
        if not active:
            sweep.inactive = True
        if to.state is NULL:
            memset(to.half + row + (k - a), half - PROSPECT, stop - k)
        else:
            base = 8 + 4 * (half - PROSPECT)
            step = 8
        pick_phases(
            plan, grid, sweep.engagement + (k - a), sweep.momentum + (k - a), half, ended, active, stop - k,
            base, step, sweep.picked + (k - a),
        )
        k = stop
    ek_pour(to.at + row, grid.at + a, n * sizeof(int64_t), to.past)
    ek_pour(to.score + row, sweep.score, n * sizeof(double), to.past)
    ek_pour(to.engagement + row, sweep.engagement, n * sizeof(double), to.past)
    ek_pour(to.momentum + row, sweep.momentum, n * sizeof(double), to.past)
    if to.state is NULL:
        grid.path.narrow(sweep.level, n, sweep.byte)
        memcpy(to.level + row, sweep.byte, n)
        grid.path.narrow(sweep.picked, n, sweep.byte)
        memcpy(to.phase + row, sweep.byte, n)
    else:
        grid.path.join(sweep.level, sweep.picked, n, sweep.state)
        ek_pour(to.state + row, sweep.state, n * sizeof(int32_t), to.past)


cdef void write_key(const Written* to, const int64_t[::1] keys, int64_t contact, int64_t row, int64_t n) noexcept nogil:
    """Write whose `n` rows from `row` on are."""
    cdef int64_t[8] key
    cdef int32_t[16] code
    cdef int64_t i
    if to.key is not NULL:
        for i in range(8):
            key[i] = keys[contact]
        ek_flood(to.key + row, key, n * sizeof(int64_t), to.past)
    else:
        for i in range(16):
            code[i] = <int32_t>contact
        ek_flood(to.code + row, code, n * sizeof(int32_t), to.past)
