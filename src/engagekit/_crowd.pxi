# Contacts side by side: where a plan is lean and its rules are few, accumulating and finishing go crowd by crowd, a contact
# a lane (see _crowd.h). What is no matter of straight loops - a cap or a negative sum on the way to the next change,
# sums that vanish - is left to the functions that take one contact at a time.

cdef extern from "_crowd.h" nogil:
    enum:
        CROWD "EK_CROWD"

    ctypedef struct ek_crowd:
        double* value
        double* channel
        double* term
        double* customer
        double* active
        double* fast
        double* slow
        double* score
        double* engagement
        double* momentum
        double* largest
        double* uneven
        double* bound
        double* least
        double* slowest
        double* away
        double* top
        double* level
        double* phase

    ctypedef struct ek_descent:
        double* term
        double* t
        double* score
        double* bound
        double* least
        double* end
        double* paced
        double* lo
        double* hi
        double* led_back
        double* arrived
        double* found
        double* reached

    ctypedef struct ek_crowd_path:
        void sum "sum"(const ek_setting* setting, ek_crowd* crowd, int64_t n) noexcept nogil
        void classify "class_"(const ek_setting* setting, ek_crowd* crowd, int64_t n) noexcept nogil
        void pace "pace"(const ek_setting* setting, ek_crowd* crowd, int64_t n) noexcept nogil
        void bounds "bounds"(const ek_setting* setting, ek_crowd* crowd, int64_t n) noexcept nogil
        void begin "begin"(const ek_setting* setting, ek_descent* descent, int64_t n) noexcept nogil
        void descend "descend"(const ek_setting* setting, ek_descent* descent, int64_t n) noexcept nogil
        void step "step"(const ek_setting* setting, ek_descent* descent, int64_t n) noexcept nogil
        void later "later"(const ek_setting* setting, ek_crowd* crowd, int64_t n) noexcept nogil

    void ek_leave(ek_descent* descent, int64_t families, int64_t place, int64_t last)
    const ek_crowd_path* ek_crowds()

cdef int64_t MOST_CROWD_RULES = 64      # beyond, most rows of a crowd would be zeros

cdef struct Crowd:           # one thread's
    ek_crowd lanes
    ek_descent descent
    int64_t found[64]       # NEVER: no change
    int64_t events[64]
    int64_t first_event[64]
    int64_t last_event[64]
    int32_t last_type[64]
    bint vanishing[64]      # left to `score_one` as a whole
    bint alone[64]          # its next change is
    int64_t lane_of[64]     # by place in `descent`


cdef Crowd* crowd_of(const Plan* plan) noexcept nogil:
    """Room for a crowd, its rows behind it; NULL where there is none."""
    cdef size_t rows = plan.rules + plan.channels + 2 * plan.setting.families
    cdef size_t own = (sizeof(Crowd) + 63) & ~<size_t>63
    cdef Crowd* crowd = <Crowd*>aligned_alloc(64, own + rows * CROWD * sizeof(double))
    if crowd is NULL:
        return NULL
    crowd.lanes.value = <double*>(<char*>crowd + own)
    crowd.lanes.channel = crowd.lanes.value + plan.rules * CROWD
    crowd.lanes.term = crowd.lanes.channel + plan.channels * CROWD
    crowd.descent.term = crowd.lanes.term + plan.setting.families * CROWD
    memset(crowd.lanes.value, 0, rows * CROWD * sizeof(double))
    memset(crowd.descent.t, 0, CROWD * sizeof(double))
    return crowd


cdef void read_lane(
    const Plan* plan, Scratch* scratch, Crowd* crowd, int64_t k, int64_t lo, int64_t hi, int64_t upto, int64_t at
) noexcept nogil:
    """Read the events `lo` ... `hi` - 1 of a lean plan, all of one contact, into lane `k`, whose values are zero."""
    cdef Row row
    cdef int64_t r
    cdef double* value = crowd.lanes.value + k
    read_lean(plan, scratch, lo, hi, upto, at, &row, value, CROWD)
    if hi - lo > FEW:
        for r in range(plan.rules):
            value[r * CROWD] = scratch.sums[r].value + scratch.sums[r].rest
            scratch.sums[r].value = scratch.sums[r].rest = 0.0
        scratch.sums[plan.rules].value = scratch.sums[plan.rules].rest = 0.0
    crowd.lanes.fast[k] = scratch.fast
    crowd.lanes.slow[k] = scratch.slow
    crowd.first_event[k] = row.first_event
    crowd.last_event[k] = row.last_event
    crowd.last_type[k] = row.last_type


cdef int64_t find_ways(
    const Plan* plan, Crowd* crowd, int64_t n, int64_t at, const int64_t* since, int64_t step
) noexcept nogil:
    """Set out each lane whose score or momentum meets a bound; return how many there are."""
    cdef int64_t k, f, m = 0, length = (at + HORIZON if at < LAST_INSTANT - HORIZON else LAST_INSTANT) - at
    cdef ek_crowd* lanes = &crowd.lanes
    cdef ek_descent* descent = &crowd.descent
    cdef double ratio, pace
    for k in range(n):
        if lanes.uneven[k] > 0 or (plan.lifecycle and at < since[k * step] <= at + length):
            crowd.alone[k] = True
            continue
        descent.paced[m] = 0.0
        descent.end[m] = <double>length
        pace = lanes.slowest[k]
        if pace > -1.0:
            ratio = (1.0 + lanes.momentum[k]) * (1.0 - pace) / ((1.0 - lanes.momentum[k]) * (1.0 + pace))
            ratio = log2(ratio) / (plan.fast_inverse - plan.slow_inverse)
            if ratio < <double>length:
                descent.end[m] = <double>(<int64_t>ratio + SHORTEST // 4)
                descent.paced[m] = 1.0
        if lanes.bound[k] <= 0 and descent.paced[m] == 0:
            continue
        crowd.lane_of[m] = k
        descent.bound[m] = lanes.bound[k]
        descent.least[m] = lanes.least[k]
        descent.score[m] = lanes.score[k]
        descent.t[m] = descent.lo[m] = descent.led_back[m] = 0.0
        descent.hi[m] = INFINITY
        for f in range(plan.setting.families):
            descent.term[f * CROWD + m] = lanes.term[f * CROWD + k]
        m += 1
    return m


cdef void look_further(
    const Plan* plan, Crowd* crowd, int64_t n, int64_t at, const int64_t* since, int64_t step
) noexcept nogil:
    """Find where each lane's level or phase may change first, all lanes step by step together.

    Invariant: lane_of[i] and the rows of `descent` at i are of one lane; one that has arrived gives its place to the
    last. Leaves `found` and, where there is any, the score there and how far away it is.
    """
    cdef int64_t i, k, m
    cdef int steps = 0
    cdef ek_crowd* lanes = &crowd.lanes
    cdef ek_descent* descent = &crowd.descent
    cdef const ek_crowd_path* crowds = ek_crowds()
    crowds.bounds(&plan.setting, lanes, n)
    m = find_ways(plan, crowd, n, at, since, step)
    crowds.begin(&plan.setting, descent, m)
    while True:
        crowds.step(&plan.setting, descent, m)
        for i in range(m - 1, -1, -1):
            if descent.arrived[i] == 0 and steps < MOST_STEPS:
                continue
            k = crowd.lane_of[i]
            if descent.arrived[i] == 0:
                crowd.alone[k] = True
            elif descent.found[i] >= 0:
                crowd.found[k] = at + <int64_t>descent.found[i]
                lanes.score[k] = descent.reached[i]
                lanes.away[k] = descent.found[i]
            m -= 1
            ek_leave(descent, plan.setting.families, i, m)
            crowd.lane_of[i] = crowd.lane_of[m]
        if m == 0:
            return
        crowds.descend(&plan.setting, descent, m)
        steps += 1


cdef void lift_out(const Plan* plan, Scratch* scratch, const Crowd* crowd, int64_t k, int64_t at) noexcept nogil:
    """Lay out the sums of lane `k` as those of one contact: the live rules, their bases and S(r)."""
    cdef int64_t r
    cdef double value
    scratch.live_count = scratch.futures_count = scratch.parts_count = 0
    scratch.fresh = at
    for r in range(plan.rules):
        value = crowd.lanes.value[r * CROWD + k]
        if value != 0:
            scratch.base[r] = scratch.points[0].value[r] = value
            scratch.base_time[r] = at
            scratch.live[scratch.live_count] = <int32_t>r
            scratch.live_count += 1


cdef void walk_alone(
    const Plan* plan, Scratch* scratch, Crowd* crowd, int64_t k, int64_t at, int64_t since, Row* row
) noexcept nogil:
    """Find the next change of lane `k` by itself."""
    cdef int32_t half = CUSTOMER if crowd.lanes.customer[k] > 0 else PROSPECT
    cdef bint active = crowd.events[k] > 0
    lift_out(plan, scratch, crowd, k, at)
    scratch.evaluations = 0
    scratch.pace.known = crowd.lanes.slow[k] > 0
    scratch.pace.mark = at
    scratch.pace.fast = crowd.lanes.fast[k]
    scratch.pace.slow = crowd.lanes.slow[k]
    evaluate(plan, scratch, at, half, False, active, &scratch.points[0])
    row.next_change = NEVER
    row.next_level = row.next_phase = -1
    next_change(plan, scratch, at, since, since if since <= at else NEVER, NEVER, half, False, active, row)


cdef void write_crowd(
    const Plan* plan, const Crowd* crowd, const Columns* columns, int64_t j, int64_t n, int64_t at, int64_t stride,
    double* channels, double* sums
) noexcept nogil:
    """Write what the lanes are at the crowd's instant into the columns from job `j` on."""
    cdef const ek_crowd* lanes = &crowd.lanes
    cdef int64_t k, r
    memcpy(columns.score + j, lanes.score, n * sizeof(double))
    memcpy(columns.engagement + j, lanes.engagement, n * sizeof(double))
    memcpy(columns.momentum + j, lanes.momentum, n * sizeof(double))
    memcpy(columns.largest + j, lanes.largest, n * sizeof(double))
    memcpy(columns.events + j, crowd.events, n * sizeof(int64_t))
    memcpy(columns.first_event + j, crowd.first_event, n * sizeof(int64_t))
    memcpy(columns.last_event + j, crowd.last_event, n * sizeof(int64_t))
    memcpy(columns.last_type + j, crowd.last_type, n * sizeof(int32_t))
    for k in range(n):
        columns.silent_days[j + k] = <double>(at - crowd.last_event[k]) / DAY if crowd.events[k] else NAN
        columns.level[j + k] = <int8_t>lanes.level[k]
        columns.half[j + k] = 1 if lanes.customer[k] > 0 else 0
        columns.phase[j + k] = <int32_t>lanes.phase[k]
        columns.top_channel[j + k] = <int32_t>lanes.top[k]
        columns.present[j + k] = crowd.events[k] > 0
        columns.next_change[j + k] = NEVER
        columns.next_level[j + k] = -1
        columns.next_phase[j + k] = -1
        if isnan(lanes.momentum[k]) and lanes.slow[k] > 0:
            columns.largest[j + k] = INFINITY           # its sums overflow
    for r in range(plan.channels):
        memcpy(channels + r * stride + j, lanes.channel + r * CROWD, n * sizeof(double))
    if sums is not NULL:
        for r in range(plan.rules):
            memcpy(sums + r * stride + j, lanes.value + r * CROWD, n * sizeof(double))


cdef bint vanishes(const Plan* plan, const Scratch* scratch, int64_t lo, int64_t hi) noexcept nogil:
    """Whether events earned points so long ago that the momentum's sums are not exact."""
    cdef int64_t i
    cdef int32_t k
    if scratch.fast >= VANISHING:
        return False
    for i in range(lo, hi):
        k = code_at(plan.event_class, plan.class_width, i)
        if plan.gain[plan.lean_rule[k if k >= 0 else plan.classes]] > 0:
            return True
    return False


cdef int64_t score_crowd(
    const Plan* plan, Scratch* scratch, Crowd* crowd, const int64_t* contacts, const int64_t* since, int64_t step,
    const uint8_t* counted, int64_t at, int64_t j, int64_t n, bint ahead, int64_t upto, const Columns* columns,
    double* channels, int64_t stride, double* sums, Tally* tally
) noexcept nogil:
    """Score the jobs `j` ... `j + n - 1`, all at one instant, as `score_one` does; return how many events that took.

    Invariant: a lane's events are added in their order, so its bits depend on nothing else. Cost: the events, the rules
    times the lanes, and some evaluations of every family for the lanes that meet a bound. Allocates nothing. Up to the
    event `upto` the same instant is going to be asked for. Entries of `since` are `step` apart, rows of `channels` and
    `sums` (NULL: not asked for) `stride`.
    """
    cdef ek_crowd* lanes = &crowd.lanes
    cdef const ek_crowd_path* crowds = ek_crowds()
    cdef int64_t k, r, lo, hi, end, read = 0
    cdef int32_t half
    cdef Row row
    cdef Tally aside
    memset(lanes.value, 0, plan.rules * CROWD * sizeof(double))
    for k in range(n):
        lo = hi = end = 0
        if contacts[j + k] >= 0:
            lo = plan.start[contacts[j + k]]
            end = plan.start[contacts[j + k] + 1]
            hi = upto_instant(plan, lo, end, at)
        lanes.customer[k] = plan.lifecycle and since[(j + k) * step] <= at
        lanes.active[k] = hi > lo
        lanes.fast[k] = lanes.slow[k] = lanes.away[k] = 0.0
        crowd.alone[k] = crowd.vanishing[k] = False
        crowd.found[k] = NEVER
        crowd.events[k] = hi - lo
        crowd.first_event[k] = crowd.last_event[k] = NEVER
        crowd.last_type[k] = -1
        if hi > lo:
            read_lane(plan, scratch, crowd, k, lo, hi, upto if upto > hi else hi, at)
            if scratch.raised or scratch.stopped[0]:
                return read
            crowd.vanishing[k] = vanishes(plan, scratch, lo, hi)
            read += hi - lo
        if counted[j + k] and not crowd.vanishing[k]:
            tally.future += end - hi
    for k in range(n, (n + 7) & ~7):
        lanes.customer[k] = lanes.active[k] = lanes.fast[k] = lanes.slow[k] = lanes.away[k] = 0.0
    crowds.sum(&plan.setting, lanes, n)
    crowds.pace(&plan.setting, lanes, n)
    crowds.classify(&plan.setting, lanes, n)
    write_crowd(plan, crowd, columns, j, n, at, stride, channels, sums)
    if ahead:
        look_further(plan, crowd, n, at, since + j * step, step)
        crowds.later(&plan.setting, lanes, n)
        crowds.classify(&plan.setting, lanes, n)
    for k in range(n):
        if columns.intent is not NULL:
            lift_out(plan, scratch, crowd, k, at)
            half = CUSTOMER if lanes.customer[k] > 0 else PROSPECT
            columns.intent[j + k] = clearest_intent(plan, scratch, &scratch.points[0], half)
        if crowd.vanishing[k]:
            for r in range(plan.rules if sums is not NULL else 0):
                sums[r * stride + j + k] = 0.0
            score_one(
                plan, scratch, contacts[j + k], at, since[(j + k) * step], ahead, 0, &row, channels + j + k, stride,
                NULL if sums is NULL else sums + j + k, tally if counted[j + k] else &aside,
            )
            if scratch.failed or scratch.raised or scratch.stopped[0]:
                return read
            store(columns, j + k, &row, at)
        elif crowd.found[k] != NEVER and not crowd.alone[k] and (
            lanes.level[k] != columns.level[j + k] or lanes.phase[k] != columns.phase[j + k]
        ):
            columns.next_change[j + k] = crowd.found[k]
            columns.next_level[j + k] = <int8_t>lanes.level[k]
            columns.next_phase[j + k] = <int32_t>lanes.phase[k]
        elif crowd.found[k] != NEVER or crowd.alone[k]:
            walk_alone(plan, scratch, crowd, k, at, since[(j + k) * step], &row)
            if scratch.raised or scratch.stopped[0]:
                return read
            columns.next_change[j + k] = row.next_change
            columns.next_level[j + k] = <int8_t>row.next_level
            columns.next_phase[j + k] = row.next_phase
    return read
