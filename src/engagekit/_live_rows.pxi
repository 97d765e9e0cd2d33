# A contact's state between events: activity, lifecycle, and decayed sums that stay exact however long they are kept.
#
# A rule's sum is kept as seen from an instant of the contact's, its landmark: each event adds raw * 2^((t - b) / h),
# b being the landmark floored to a multiple of the half-life h. So what an event adds is the same whatever came before
# it, events may come in any order, and moving the landmark multiplies by whole powers of two, which loses nothing.

cdef enum:              # flags of a contact
    PRESENT = 1         # has an event that is not excluded
    SUMMED = 2          # has a landmark
    PACED = 4           # has a positive point, so the momentum's sums have a mark
    TOUCHED = 8         # something happened since triggers were last asked

cdef int64_t FARTHEST = 64          # half-lives that an event may be ahead of the landmark until that is moved
cdef int64_t VANISHED = 2200        # halvings after which no double has anything left

cdef struct Head:           # the fixed part of a contact's row; sums, lifecycle, verdicts and contents had follow it
    int64_t newest          # of all its counted events; NEVER: none
    int64_t events          # activity
    int64_t first
    int64_t last
    int64_t landmark
    int64_t mark
    double fast             # the momentum's sums, as seen from `mark`
    double slow
    Extra* extra            # NULL: nothing is open
    int32_t last_type
    int32_t flags

cdef struct Record:         # what one listed rule or exclusion remembers of an event
    int64_t time
    int64_t by              # -1: null, or not asked for
    double raw
    int32_t listed          # the rule, from `listed` on the exclusion it precedes, the last: an id that was seen
    int32_t state

cdef enum:              # states of a record beside ON and UNLESS
    MATCHED = 4         # decided and alive: its points fade by a ramp or a window
    GHOST = 8           # a settled absence's beginning, kept to tell what comes too late for it

cdef struct Pending:        # an event that does not count yet: raw points by rule of its class and values of `by` follow
    Pending* next
    int64_t time
    int64_t id
    int32_t event_class
    int32_t type
    int32_t content
    int32_t waiting         # for the clock; else for its exclusions to settle
    int32_t named           # whether it has an id
    int32_t nulls           # amounts that were null

cdef struct Extra:
    Record* records
    int64_t count
    int64_t room
    Pending* pending

cdef struct Arrival:        # an event on its way in
    int64_t time
    int64_t id
    int32_t event_class
    int32_t type
    int32_t content         # -1: none that the model knows
    bint named
    int64_t nulls
    double* raw             # by plain rule of its class, then by listed one
    int64_t* by             # by column of codes

cdef extern from "math.h" nogil:
    double ldexp(double x, int n)


cdef struct Deposits:       # matched events on their way to sums, so that their powers of two are computed at once
    int64_t count
    Head** head
    Sum** sums
    int64_t* time
    double* raw
    int32_t* rule
    int64_t* steps
    int64_t* age
    double* factor
    int64_t* fast_steps
    double* fast
    int64_t* slow_steps
    double* slow
    int32_t* zeros


cdef inline double shifted(double x, int64_t halvings) noexcept nogil:
    """x / 2^halvings."""
    cdef uint64_t bits
    cdef double factor
    if -1000 < halvings < 1000:
        bits = <uint64_t>(1023 - halvings) << 52
        memcpy(&factor, &bits, 8)
        return x * factor
    if halvings > VANISHED:
        return 0.0
    return ldexp(x, <int>-halvings)


cdef inline int64_t steps_of(int64_t time, int64_t span, double inverse) noexcept nogil:
    """time // span: nearly by a product, which a division would take many times as long for, then exactly."""
    cdef int64_t steps = <int64_t>(<double>time * inverse)
    while steps * span > time:
        steps -= 1
    while time - steps * span >= span:
        steps += 1
    return steps


cdef inline double lifted(double raw, int64_t time, int64_t steps, int64_t half_life, double inverse) noexcept nogil:
    """raw * 2^((time - steps * half_life) / half_life), `steps` being time // half_life: from 1 to 2 times raw."""
    return 2.0 * raw * fading(half_life - (time - steps * half_life), half_life, inverse)


cdef void move_landmark(const Plan* plan, Head* head, Sum* sums, int64_t landmark) noexcept nogil:
    """See a contact's sums from a later instant."""
    cdef int64_t r, halvings
    cdef const RuleSpec* rule
    for r in range(plan.rules):
        rule = plan.rule + r
        if rule.decay == HALF_LIFE and (sums[r].value != 0 or sums[r].rest != 0):
            halvings = floor_div(landmark, rule.span) - floor_div(head.landmark, rule.span)
            sums[r].value = shifted(sums[r].value, halvings)
            sums[r].rest = shifted(sums[r].rest, halvings)
    head.landmark = landmark


cdef inline void deposit_points(
    const Plan* plan, Head* head, Sum* sums, int64_t r, int64_t time, int64_t steps, double lifted_raw
) noexcept nogil:
    """Add a matched event to the sum of a rule with a half-life, `lifted` to `steps` of it."""
    cdef const RuleSpec* rule = plan.rule + r
    cdef int64_t ahead
    if not head.flags & SUMMED:
        head.flags |= SUMMED
        head.landmark = time
    ahead = steps - steps_of(head.landmark, rule.span, rule.inverse)
    if ahead > FARTHEST:
        move_landmark(plan, head, sums, time)
        ahead = 0
    add(sums + r, shifted(lifted_raw, -ahead))


cdef void add_points(const Plan* plan, Head* head, Sum* sums, int64_t r, int64_t time, double raw) noexcept nogil:
    """Add a matched event to the sum of a rule without end (a half-life, or no decay)."""
    cdef const RuleSpec* rule = plan.rule + r
    cdef int64_t steps
    if rule.decay != HALF_LIFE:
        add(sums + r, raw)
        return
    steps = steps_of(time, rule.span, rule.inverse)
    deposit_points(plan, head, sums, r, time, steps, lifted(raw, time, steps, rule.span, rule.inverse))


cdef void move_mark(const Plan* plan, Head* head, int64_t mark) noexcept nogil:
    """See a contact's momentum from a later instant."""
    head.fast = shifted(head.fast, floor_div(mark, plan.fast) - floor_div(head.mark, plan.fast))
    head.slow = shifted(head.slow, floor_div(mark, plan.slow) - floor_div(head.mark, plan.slow))
    head.mark = mark


cdef inline void deposit_pace(
    const Plan* plan, Head* head, int64_t time, int64_t fast_steps, double fast, int64_t slow_steps, double slow
) noexcept nogil:
    """Add a matched event to the momentum's sums, its points lifted to steps of both half-lives."""
    cdef int64_t ahead
    if not head.flags & PACED:
        head.flags |= PACED
        head.mark = time
    ahead = fast_steps - steps_of(head.mark, plan.fast, plan.fast_inverse)
    if ahead > FARTHEST:
        move_mark(plan, head, time)
        ahead = 0
    head.fast += shifted(fast, -ahead)
    ahead = slow_steps - steps_of(head.mark, plan.slow, plan.slow_inverse)
    head.slow += shifted(slow, -ahead)


cdef void add_pace(const Plan* plan, Head* head, int64_t time, double raw) noexcept nogil:
    """Add a matched event to the momentum's sums, if its raw points are positive."""
    cdef int64_t fast, slow
    if not raw > 0:
        return
    fast = steps_of(time, plan.fast, plan.fast_inverse)
    slow = steps_of(time, plan.slow, plan.slow_inverse)
    deposit_pace(
        plan, head, time, fast, lifted(raw, time, fast, plan.fast, plan.fast_inverse), slow,
        lifted(raw, time, slow, plan.slow, plan.slow_inverse),
    )


cdef void lift_all(
    const Deposits* queue, int64_t n, const int32_t* which, const double* span, const double* inverse, int64_t* steps,
    double* factor
) noexcept nogil:
    """Compute the steps of the queue's times, and how far each is lifted beyond them, half of it."""
    cdef int64_t j, whole
    for j in range(n):
        whole = <int64_t>span[which[j]]
        steps[j] = steps_of(queue.time[j], whole, inverse[which[j]]) if whole else 0
        queue.age[j] = whole - (queue.time[j] - steps[j] * whole) if whole else 0
    for j in range(n, (n + 7) & ~7):
        queue.age[j] = 0
    ek_fade_by(queue.age, which, n, span, inverse, factor)


cdef void flush_deposits(const Plan* plan, Deposits* queue) noexcept nogil:
    """Let the queue's events count. Order of summation: as they came. Cost: some nanoseconds each."""
    cdef int64_t j, n = queue.count
    cdef double raw, fast = <double>plan.fast, slow = <double>plan.slow
    queue.count = 0
    for j in range(n, (n + 7) & ~7):
        queue.rule[j] = <int32_t>plan.rules
    lift_all(queue, n, queue.rule, plan.span, plan.inverse, queue.steps, queue.factor)
    lift_all(queue, n, queue.zeros, &fast, &plan.fast_inverse, queue.fast_steps, queue.fast)
    lift_all(queue, n, queue.zeros, &slow, &plan.slow_inverse, queue.slow_steps, queue.slow)
    for j in range(n):
        raw = 2.0 * queue.raw[j]
        deposit_points(
            plan, queue.head[j], queue.sums[j], queue.rule[j], queue.time[j], queue.steps[j], raw * queue.factor[j]
        )
        if raw > 0:
            deposit_pace(
                plan, queue.head[j], queue.time[j], queue.fast_steps[j], raw * queue.fast[j], queue.slow_steps[j],
                raw * queue.slow[j],
            )


cdef inline void deposit(
    const Plan* plan, Deposits* queue, Head* head, Sum* sums, int64_t r, int64_t time, double raw
) noexcept nogil:
    """Queue a matched event of a rule without end; what does not fade counts at once."""
    cdef int64_t j = queue.count
    if plan.rule[r].decay != HALF_LIFE:
        add(sums + r, raw)
        add_pace(plan, head, time, raw)
        return
    queue.head[j] = head
    queue.sums[j] = sums
    queue.time[j] = time
    queue.raw[j] = raw
    queue.rule[j] = <int32_t>r
    queue.count = j + 1
    if queue.count == AT_ONCE:
        flush_deposits(plan, queue)


cdef void join_sums(const Plan* plan, Head* head, Sum* sums, Head* other, Sum* others) noexcept nogil:
    """Add another contact's sums to a contact's; both are seen from the later landmark and mark then."""
    cdef int64_t r
    if other.flags & SUMMED:
        if not head.flags & SUMMED:
            head.flags |= SUMMED
            head.landmark = other.landmark
        if head.landmark < other.landmark:
            move_landmark(plan, head, sums, other.landmark)
        else:
            move_landmark(plan, other, others, head.landmark)
    for r in range(plan.rules):
        add(sums + r, others[r].value)
        add(sums + r, others[r].rest)
    if other.flags & PACED:
        if not head.flags & PACED:
            head.flags |= PACED
            head.mark = other.mark
        if head.mark < other.mark:
            move_mark(plan, head, other.mark)
        else:
            move_mark(plan, other, head.mark)
        head.fast += other.fast
        head.slow += other.slow
