# A contact's state between events: activity, lifecycle, and decayed sums that stay exact however long they are kept.
#
# A rule's sum is kept as seen from an instant of the contact's, its landmark: each event adds raw * 2^((t - b) / h),
# b being the landmark floored to a multiple of the half-life h. So what an event adds is the same whatever came before
# it, events may come in any order, and moving the landmark multiplies by whole powers of two, which loses nothing.

cdef enum:              # flags of a contact
    PRESENT = 1         # has an event that is not excluded
    SUMMED = 2          # has a landmark
    PACED = 4           # has a positive point, so the momentum's sums have a mark

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


cdef inline double shifted(double x, int64_t halvings) noexcept nogil:
    """x / 2^halvings."""
    if halvings > VANISHED:
        return 0.0
    return ldexp(x, <int>-halvings)


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


cdef void add_points(const Plan* plan, Head* head, Sum* sums, int64_t r, int64_t time, double raw) noexcept nogil:
    """Add a matched event to the sum of a rule without end (a half-life, or no decay)."""
    cdef const RuleSpec* rule = plan.rule + r
    cdef int64_t steps, ahead
    if rule.decay != HALF_LIFE:
        add(sums + r, raw)
        return
    if not head.flags & SUMMED:
        head.flags |= SUMMED
        head.landmark = time
    steps = floor_div(time, rule.span)
    ahead = steps - floor_div(head.landmark, rule.span)
    if ahead > FARTHEST:
        move_landmark(plan, head, sums, time)
        ahead = 0
    add(sums + r, shifted(lifted(raw, time, steps, rule.span, rule.inverse), -ahead))


cdef void move_mark(const Plan* plan, Head* head, int64_t mark) noexcept nogil:
    """See a contact's momentum from a later instant."""
    head.fast = shifted(head.fast, floor_div(mark, plan.fast) - floor_div(head.mark, plan.fast))
    head.slow = shifted(head.slow, floor_div(mark, plan.slow) - floor_div(head.mark, plan.slow))
    head.mark = mark


cdef void add_pace(const Plan* plan, Head* head, int64_t time, double raw) noexcept nogil:
    """Add a matched event to the momentum's sums, if its raw points are positive."""
    cdef int64_t fast, slow, ahead
    if not raw > 0:
        return
    if not head.flags & PACED:
        head.flags |= PACED
        head.mark = time
    fast = floor_div(time, plan.fast)
    slow = floor_div(time, plan.slow)
    ahead = fast - floor_div(head.mark, plan.fast)
    if ahead > FARTHEST:
        move_mark(plan, head, time)
        ahead = 0
    head.fast += shifted(lifted(raw, time, fast, plan.fast, plan.fast_inverse), -ahead)
    ahead = slow - floor_div(head.mark, plan.slow)
    head.slow += shifted(lifted(raw, time, slow, plan.slow, plan.slow_inverse), -ahead)


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
