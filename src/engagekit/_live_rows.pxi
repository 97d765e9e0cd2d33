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
    int64_t* upto           # by rule a multiple of its half-life after all that is queued
    int64_t* steps          # and how many times the half-life that is
    int64_t pace_upto       # the same for the momentum: a multiple of its slow half-life
    int64_t slow_steps
    int64_t fast_steps      # how many times its fast one goes into that
    double lift             # 2^(what remains, in fast half-lives)
    Head** head
    double* raw
    int32_t* rule           # the one beyond the last: nothing is left to add but the momentum
    int64_t* age            # how long each is before `upto`
    double* factor
    int64_t* pace_age       # and before `pace_upto`
    double* fast
    double* slow


cdef double LEFT_OVER = 1e-150    # of an event: less is computed anew, lest it should lose digits


cdef inline Sum* sums_of(Head* head) noexcept nogil:
    """The sums by rule, which follow the fixed part."""
    return <Sum*>(head + 1)


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
            halvings = steps_of(landmark, rule.span, rule.inverse) - steps_of(head.landmark, rule.span, rule.inverse)
            sums[r].value = shifted(sums[r].value, halvings)
            sums[r].rest = shifted(sums[r].rest, halvings)
    head.landmark = landmark


cdef inline void deposit_points(
    const Plan* plan, Head* head, Sum* sums, int64_t r, int64_t time, int64_t steps, double lifted_raw
) noexcept nogil:
    """Add a matched event to the sum of a rule with a half-life, its points lifted to `steps` of it."""
    cdef const RuleSpec* rule = plan.rule + r
    if not head.flags & SUMMED:
        head.flags |= SUMMED
        head.landmark = time
    elif <double>(time - head.landmark) * rule.inverse > FARTHEST:
        move_landmark(plan, head, sums, time)
    add(sums + r, shifted(lifted_raw, steps_of(head.landmark, rule.span, rule.inverse) - steps))


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
    head.fast = shifted(
        head.fast, steps_of(mark, plan.fast, plan.fast_inverse) - steps_of(head.mark, plan.fast, plan.fast_inverse)
    )
    head.slow = shifted(
        head.slow, steps_of(mark, plan.slow, plan.slow_inverse) - steps_of(head.mark, plan.slow, plan.slow_inverse)
    )
    head.mark = mark


cdef inline void deposit_pace(
    const Plan* plan, Head* head, int64_t time, int64_t fast_steps, double fast, int64_t slow_steps, double slow
) noexcept nogil:
    """Add a matched event to the momentum's sums, its points lifted to steps of both half-lives."""
    if not head.flags & PACED:
        head.flags |= PACED
        head.mark = time
    elif <double>(time - head.mark) * plan.fast_inverse > FARTHEST:
        move_mark(plan, head, time)
    head.fast += shifted(fast, steps_of(head.mark, plan.fast, plan.fast_inverse) - fast_steps)
    head.slow += shifted(slow, steps_of(head.mark, plan.slow, plan.slow_inverse) - slow_steps)


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


cdef Deposits* open_deposits(const Plan* plan, int64_t newest) noexcept nogil:
    """Make room for events up to that instant on their way to sums; NULL: there is none."""
    cdef int64_t one = (AT_ONCE + 8) * 8    # whole lines of memory, so that each begins where vectors like to
    cdef int64_t own = 64 * ((sizeof(Deposits) + 63) // 64), of_rules = 64 * ((plan.rules + 7) // 8), r, span
    cdef bint failed = False
    cdef uint8_t* memory = <uint8_t*>aligned(own + 2 * of_rules + 8 * one, 1, &failed)
    cdef Deposits* queue = <Deposits*>memory
    if failed:
        return NULL
    queue.upto = <int64_t*>(memory + own)
    queue.steps = <int64_t*>(memory + own + of_rules)
    memory += own + 2 * of_rules
    queue.head = <Head**>memory
    queue.raw = <double*>(memory + one)
    queue.rule = <int32_t*>(memory + 2 * one)
    queue.age = <int64_t*>(memory + 3 * one)
    queue.factor = <double*>(memory + 4 * one)
    queue.pace_age = <int64_t*>(memory + 5 * one)
    queue.fast = <double*>(memory + 6 * one)
    queue.slow = <double*>(memory + 7 * one)
    for r in range(plan.rules):
        span = plan.rule[r].span
        if plan.rule[r].decay == HALF_LIFE:
            queue.steps[r] = floor_div(newest, span) + 1
            queue.upto[r] = queue.steps[r] * span
    queue.slow_steps = floor_div(newest, plan.slow) + 1
    queue.pace_upto = queue.slow_steps * plan.slow
    queue.fast_steps = floor_div(queue.pace_upto, plan.fast)
    queue.lift = lifted(1.0, queue.pace_upto, queue.fast_steps, plan.fast, plan.fast_inverse)
    return queue


cdef void flush_deposits(const Plan* plan, Deposits* queue) noexcept nogil:
    """Let the queue's events count. Order of summation: as they came. Cost: some nanoseconds each."""
    cdef int64_t j, r, time, n = queue.count, rules = plan.rules, fast_steps = 0, slow_steps = 0
    cdef double raw
    cdef Head* head
    cdef Head* paced = NULL     # whose steps are known
    cdef Sum* sums
    queue.count = 0
    for j in range(n, (n + 7) & ~7):
        queue.rule[j] = <int32_t>rules
        queue.age[j] = queue.pace_age[j] = 0
    ek_fade_by(queue.age, queue.rule, n, plan.span, plan.inverse, queue.factor)
    ek_fade_pace(queue.pace_age, n, <double>plan.fast, <double>plan.slow, queue.fast, queue.slow)
    for j in range(n):
        r = queue.rule[j]
        raw = queue.raw[j]
        head = queue.head[j]
        sums = sums_of(head)
        time = queue.pace_upto - queue.pace_age[j]
        if r == rules:
            pass
        elif queue.factor[j] < LEFT_OVER:
            add_points(plan, head, sums, r, time, raw)
        else:
            deposit_points(plan, head, sums, r, time, queue.steps[r], raw * queue.factor[j])
        if not raw > 0:
            continue
        if (
            queue.fast[j] < LEFT_OVER or not head.flags & PACED
            or <double>(time - head.mark) * plan.fast_inverse > FARTHEST
        ):
            add_pace(plan, head, time, raw)
            paced = NULL
            continue
        if head is not paced:
            paced = head
            fast_steps = steps_of(head.mark, plan.fast, plan.fast_inverse) - queue.fast_steps
            slow_steps = steps_of(head.mark, plan.slow, plan.slow_inverse) - queue.slow_steps
        head.fast += shifted(raw * queue.fast[j] * queue.lift, fast_steps)
        head.slow += shifted(raw * queue.slow[j], slow_steps)


cdef inline void deposit(const Plan* plan, Deposits* queue, Head* head, int64_t r, int64_t time, double raw) noexcept nogil:
    """Queue a matched event of a rule without end; a sum that does not fade has it at once."""
    cdef int64_t j = queue.count
    if plan.rule[r].decay == HALF_LIFE:
        queue.rule[j] = <int32_t>r
        queue.age[j] = queue.upto[r] - time
    else:
        add(sums_of(head) + r, raw)
        queue.rule[j] = <int32_t>plan.rules
        queue.age[j] = 0
    queue.head[j] = head
    queue.raw[j] = raw
    queue.pace_age[j] = queue.pace_upto - time
    queue.count = j + 1
    if j + 1 == AT_ONCE:
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
