# Contacts side by side: where a plan's rules are few, finishing goes crowd by crowd, a contact a lane (see _crowd.h), and so
# does accumulating where the plan is lean. What is no matter of straight loops - ramps and windows, absences that may
# yet mature, a cap on the way to the next change, sums that vanish - is left to the functions that take one contact at
# a time.

cdef extern from "_crowd.h" nogil:
    enum:
        CROWD "EK_CROWD"

    ctypedef struct ek_crowd:
        double* value
        double* channel
        double* size
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
        double* signed "signed_"
        double* ceiling
        double* bound
        double* least
        double* slowest
        double* away
        double* top
        double* level
        double* phase

    ctypedef struct ek_heights:
        double* score

    ctypedef struct ek_descent:
        double* term
        double* t
        double* end
        double* paced
        double* bound
        double* least
        double* bend
        double* leap
        double* steps
        double* led_back
        double* lo
        double* hi
        double* reached
        double* arrived
        double* found
        ek_heights there

    ctypedef struct ek_crowd_path:
        void sum "sum"(const ek_setting* setting, ek_crowd* crowd, int64_t n) noexcept nogil
        void classify "class_"(const ek_setting* setting, ek_crowd* crowd, int64_t n) noexcept nogil
        void pace "pace"(const ek_setting* setting, ek_crowd* crowd, int64_t n) noexcept nogil
        void bounds "bounds"(const ek_setting* setting, ek_crowd* crowd, int64_t n) noexcept nogil
        void waves "waves"(const ek_setting* setting, ek_crowd* crowd, int64_t n) noexcept nogil
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
    int64_t job[64]
    int64_t found[64]       # NEVER: no change
    bint alone[64]          # its next change is left to `walk_alone`
    Row rows[64]
    int64_t lane_of[64]     # by place in `descent`


cdef Crowd* crowd_of(const Plan* plan) noexcept nogil:
    """Room for a crowd, its rows behind it; NULL where there is none."""
    cdef size_t rows = plan.rules + 2 * plan.channels + 2 * plan.setting.families
    cdef size_t own = (sizeof(Crowd) + 63) & ~<size_t>63
    cdef Crowd* crowd = <Crowd*>aligned_alloc(64, own + rows * CROWD * sizeof(double))
    if crowd is NULL:
        return NULL
    crowd.lanes.value = <double*>(<char*>crowd + own)
    crowd.lanes.channel = crowd.lanes.value + plan.rules * CROWD
    crowd.lanes.size = crowd.lanes.channel + plan.channels * CROWD
    crowd.lanes.term = crowd.lanes.size + plan.channels * CROWD
    crowd.descent.term = crowd.lanes.term + plan.setting.families * CROWD
    memset(crowd.lanes.value, 0, rows * CROWD * sizeof(double))
    memset(crowd.descent.t, 0, CROWD * sizeof(double))
    return crowd


cdef bint vanishes(const Plan* plan, const Scratch* scratch, int64_t lo, int64_t hi) noexcept nogil:
    """Whether events earned points so long ago that the momentum's sums are not exact."""
    cdef int64_t i
    cdef int32_t k
    if scratch.fast >= VANISHING:
        return False
    for i in range(lo, hi):
        k = code_at(plan.event_class, plan.class_width, i)
        if plan.gain[plan.steps.first[k if k >= 0 else plan.classes]] > 0:
            return True
    return False


cdef inline void settle_lane(const Plan* plan, Scratch* scratch, double* value) noexcept nogil:
    """As `settle`, into a lane, whatever rules live: there is nothing to be foretold. Cost: a few operations a rule."""
    cdef int64_t r
    cdef Sum* sums = scratch.sums
    for r in range(plan.rules):
        value[r * CROWD] = sums[r].value + sums[r].rest
    memset(sums, 0, (plan.rules + 1) * sizeof(Sum))
    memset(scratch.seen, 0, plan.rules + 1)


cdef bint read_lean_lane(
    const Plan* plan, Scratch* scratch, Crowd* crowd, int64_t k, int64_t contact, int64_t at, int64_t since, int64_t upto,
    Tally* tally
) noexcept nogil:
    """As `read_lane` for a lean plan, whose sums are made where they are to stand."""
    cdef int64_t lo = 0, hi = 0, end = 0
    cdef double* value = crowd.lanes.value + k
    cdef Row* row = &crowd.rows[k]
    if contact >= 0:
        lo = plan.start[contact]
        end = plan.start[contact + 1]
        hi = upto_instant(plan, lo, end, at)
    row.events = 0
    row.first_event = row.last_event = NEVER
    row.last_type = -1
    scratch.fast = scratch.slow = 0.0
    if hi > lo:
        read_lean(plan, scratch, lo, hi, upto if upto > hi else hi, at, row, value)
        if scratch.raised or scratch.stopped[0]:
            return False
        if vanishes(plan, scratch, lo, hi):
            return False
    row.present = hi > lo
    row.half = CUSTOMER if plan.lifecycle and since <= at else PROSPECT
    tally.future += end - hi
    return True


cdef bint read_lane(
    const Plan* plan, Scratch* scratch, Crowd* crowd, int64_t k, int64_t contact, int64_t at, int64_t since, int64_t upto,
    Facts* facts, Tally* tally
) noexcept nogil:
    """Read a contact into lane `k`, whose values are zero; False: it has what no lane can hold, and is in `scratch`."""
    cdef Row* row = &crowd.rows[k]
    read_one(plan, scratch, contact, at, since, upto, row, facts, tally)
    if scratch.far or scratch.futures_count or scratch.parts_count or facts.ended or scratch.failed or scratch.raised:
        return False
    if not scratch.pace.known:
        scratch.fast = scratch.slow = 0.0
    settle_lane(plan, scratch, crowd.lanes.value + k)
    row.half = facts.half
    return True


cdef int64_t find_ways(const Plan* plan, Crowd* crowd, int64_t n, int64_t at, const int64_t* since, int64_t step) noexcept nogil:
    """Set out each lane whose score or momentum meets a bound; return how many there are."""
    cdef int64_t k, f, m = 0, length = (at + HORIZON if at < LAST_INSTANT - HORIZON else LAST_INSTANT) - at
    cdef ek_crowd* lanes = &crowd.lanes
    cdef ek_descent* descent = &crowd.descent
    cdef double ratio, pace
    for k in range(n):
        if lanes.uneven[k] > 0 or (plan.lifecycle and at < since[crowd.job[k] * step] <= at + length):
            crowd.alone[k] = True
            continue
        descent.end[m] = <double>length
        descent.paced[m] = 0.0
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
        descent.bound[m] = lanes.bound[k] if lanes.bound[k] > 0 else -INFINITY
        descent.least[m] = lanes.least[k]
        descent.there.score[m] = lanes.score[k]
        descent.t[m] = descent.lo[m] = descent.steps[m] = descent.led_back[m] = 0.0
        descent.leap[m] = <double>plan.slow
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
    cdef bint signed = False
    crowds.bounds(&plan.setting, lanes, n)
    for k in range(n):
        signed |= lanes.signed[k] > 0
    if signed:
        crowds.waves(&plan.setting, lanes, n)
    m = find_ways(plan, crowd, n, at, since, step)
    crowds.begin(&plan.setting, descent, m)
    for i in range(m):
        if lanes.signed[crowd.lane_of[i]] == 0:
            descent.bend[i] = 0.0
    crowds.step(&plan.setting, descent, m)
    while m > 0:
        crowds.descend(&plan.setting, descent, m)
        crowds.step(&plan.setting, descent, m)
        steps += 1
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
    const Plan* plan, Scratch* scratch, Crowd* crowd, int64_t k, int64_t at, int64_t since
) noexcept nogil:
    """Find the next change of lane `k` by itself."""
    cdef Row* row = &crowd.rows[k]
    cdef int32_t half = row.half
    cdef bint active = row.events > 0
    lift_out(plan, scratch, crowd, k, at)
    scratch.evaluations = 0
    scratch.pace.known = crowd.lanes.slow[k] > 0
    scratch.pace.mark = at
    scratch.pace.fast = crowd.lanes.fast[k]
    scratch.pace.slow = crowd.lanes.slow[k]
    evaluate(plan, scratch, at, half, False, active, &scratch.points[0])
    next_change(plan, scratch, at, since, since if since <= at else NEVER, NEVER, half, False, active, row)


cdef void note_crowd(
    const Plan* plan, Crowd* crowd, int64_t n, double* channels, double* sums, int64_t stride
) noexcept nogil:
    """Note in the rows what the lanes are at the crowd's instant; C(ch) and S(r) (NULL: nowhere) go to their places."""
    cdef const ek_crowd* lanes = &crowd.lanes
    cdef int64_t k, r, first = crowd.job[0] if n else 0
    cdef bint whole = n > 0 and crowd.job[n - 1] - first == n - 1     # side by side there too
    cdef Row* row
    for r in range(plan.channels if whole else 0):
        memcpy(channels + r * stride + first, lanes.channel + r * CROWD, n * sizeof(double))
    for r in range(plan.rules if whole and sums is not NULL else 0):
        memcpy(sums + r * stride + first, lanes.value + r * CROWD, n * sizeof(double))
    for k in range(n):
        row = crowd.rows + k
        row.score = lanes.score[k]
        row.engagement = lanes.engagement[k]
        row.momentum = lanes.momentum[k]
        row.largest = lanes.largest[k]
        if isnan(lanes.momentum[k]) and lanes.slow[k] > 0:
            row.largest = INFINITY              # its sums overflow
        row.level = <int32_t>lanes.level[k]
        row.phase = <int32_t>lanes.phase[k]
        row.top_channel = <int32_t>lanes.top[k]
        row.intent = -1
        row.next_change = NEVER
        row.next_level = row.next_phase = -1
        if whole:
            continue
        for r in range(plan.channels):
            channels[r * stride + crowd.job[k]] = lanes.channel[r * CROWD + k]
        if sums is not NULL:
            for r in range(plan.rules):
                sums[r * stride + crowd.job[k]] = lanes.value[r * CROWD + k]


cdef int64_t score_crowd(
    const Plan* plan, Scratch* scratch, Crowd* crowd, const int64_t* contacts, const int64_t* since, int64_t step,
    const uint8_t* counted, int64_t at, int64_t j, int64_t n, bint ahead, int64_t upto, const Columns* columns,
    double* channels, int64_t stride, double* sums, Tally* tally
) noexcept nogil:
    """Score the jobs `j` ... `j + n - 1`, all at one instant, as `score_one` does; return how much work that was.

    Invariant: a lane's events are added in their order, so its bits depend on nothing else. Cost: the events, the rules
    times the lanes, and some evaluations of every family for the lanes that meet a bound. Allocates nothing. Up to the
    event `upto` the same instant is going to be asked for. Entries of `since` are `step` apart, rows of `channels` and
    `sums` (NULL: not asked for) `stride`.
    """
    cdef ek_crowd* lanes = &crowd.lanes
    cdef const ek_crowd_path* crowds = ek_crowds()
    cdef int64_t i, k, m = 0, work = 64 * n
    cdef bint held
    cdef Row* row
    cdef Facts facts
    cdef Tally aside
    cdef Tally* count
    memset(lanes.value, 0, plan.rules * CROWD * sizeof(double))
    for i in range(j, j + n):
        row = crowd.rows + m
        count = tally if counted[i] else &aside
        if plan.lean:
            held = read_lean_lane(plan, scratch, crowd, m, contacts[i], at, since[i * step], upto, count)
        else:
            held = read_lane(plan, scratch, crowd, m, contacts[i], at, since[i * step], upto, &facts, count)
        if scratch.failed or scratch.raised or scratch.stopped[0]:
            return work
        if contacts[i] >= 0:
            work += plan.start[contacts[i] + 1] - plan.start[contacts[i]]
        if held:
            crowd.job[m] = i
            crowd.alone[m] = False
            crowd.found[m] = NEVER
            lanes.customer[m] = row.half == CUSTOMER
            lanes.active[m] = row.events > 0
            lanes.fast[m] = scratch.fast
            lanes.slow[m] = scratch.slow
            lanes.away[m] = 0.0
            m += 1
            continue
        if plan.lean:
            for k in range(plan.rules):
                lanes.value[k * CROWD + m] = 0.0
            read_one(plan, scratch, contacts[i], at, since[i * step], 0, row, &facts, count)
        if scratch.failed or scratch.raised or scratch.stopped[0]:
            return work
        settle(plan, scratch, at)
        finish(
            plan, scratch, at, since[i * step], facts.last_customer, facts.last_end, facts.half, facts.ended, ahead, row,
            channels + i, stride, NULL if sums is NULL else sums + i,
        )
        if scratch.raised or scratch.stopped[0]:
            return work
        store(columns, i, row, at)
        work += scratch.evaluations
    for k in range(m, (m + 7) & ~7):
        lanes.customer[k] = lanes.active[k] = lanes.fast[k] = lanes.slow[k] = lanes.away[k] = 0.0
    crowds.sum(&plan.setting, lanes, m)
    crowds.pace(&plan.setting, lanes, m)
    crowds.classify(&plan.setting, lanes, m)
    note_crowd(plan, crowd, m, channels, sums, stride)
    if ahead:
        look_further(plan, crowd, m, at, since, step)
        crowds.later(&plan.setting, lanes, m)
        crowds.classify(&plan.setting, lanes, m)
    for k in range(m):
        row = crowd.rows + k
        if plan.intents and columns.intent is not NULL:
            lift_out(plan, scratch, crowd, k, at)
            row.intent = clearest_intent(plan, scratch, &scratch.points[0], row.half)
        if crowd.found[k] != NEVER and not crowd.alone[k] and (
            lanes.level[k] != row.level or lanes.phase[k] != row.phase
        ):
            row.next_change = crowd.found[k]
            row.next_level = <int32_t>lanes.level[k]
            row.next_phase = <int32_t>lanes.phase[k]
        elif crowd.found[k] != NEVER or crowd.alone[k]:
            walk_alone(plan, scratch, crowd, k, at, since[crowd.job[k] * step])
            if scratch.raised or scratch.stopped[0]:
                return work
            work += scratch.evaluations
        store(columns, crowd.job[k], row, at)
    return work
