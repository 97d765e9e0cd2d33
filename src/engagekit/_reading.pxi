# Reading the events of any plan: activity, lifecycle and points. The first rule of each class, where it needs no order,
# takes its decay from a window of events in a row, computed as one; further rules, and what comes of absences, repeats
# and the like, wait in a queue.

cdef enum:              # what else there is to do about a class of events; below these the bits ACTIVITY ... ENDS_ON
    UNREAD = 8
    LIMITED = 16        # its first rule has a limit
    UNSTEADY = 32       # the points of its first rule depend on the event
    MORE = 64           # other rules read it
    EXCLUDED = 128

cdef struct Facts:          # what a contact's events say beside points
    int64_t first_customer
    int64_t last_customer
    int64_t last_end
    bint present
    int32_t half            # at the instant they are read for
    bint ended


cdef void flush(const Plan* plan, Scratch* scratch) noexcept nogil:
    """Give the queue's events their decay and add them up."""
    cdef Queue* queue = &scratch.queue
    cdef int64_t i, n = queue.count
    queue.count = 0
    for i in range(n, (n + 7) & ~7):
        queue.age[i] = 0
        queue.rule[i] = <int32_t>plan.rules
    ek_fade_by(queue.age, queue.rule, n, plan.span, plan.inverse, queue.weight)
    if not scratch.far:
        ek_fade_pace(queue.age, n, <double>plan.fast, <double>plan.slow, queue.fast, queue.slow)
    for i in range(n):
        add(scratch.sums + queue.rule[i], queue.raw[i] * queue.weight[i])
        if not scratch.far and queue.raw[i] > 0:
            scratch.fast += queue.raw[i] * queue.fast[i]
            scratch.slow += queue.raw[i] * queue.slow[i]


cdef inline void push(const Plan* plan, Scratch* scratch, int64_t r, int64_t time, double raw, int64_t at) noexcept nogil:
    """Queue a matched event of rule `r` (beyond the last: one whose sum is taken elsewhere)."""
    cdef Queue* queue = &scratch.queue
    if raw > 0:
        scratch.gained = True
        if scratch.far:
            keep_pace(plan, &scratch.pace, time, raw)
    queue.age[queue.count] = at - time
    queue.rule[queue.count] = <int32_t>r
    queue.raw[queue.count] = raw
    queue.count += 1
    if queue.count == AT_ONCE:
        flush(plan, scratch)


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
            push(plan, scratch, plan.rules if parted else r, entries[j].time, entries[j].raw, at)
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
    scratch.seen[r] = 1
    scratch.base_time[r] = at
    if parted:
        rest_sums(rule, scratch, l, at)


cdef inline bint depends(const RuleSpec* rule) noexcept nogil:
    """Whether a rule's points depend on the event."""
    return rule.amount >= 0 or rule.weights_first < rule.weights_last


cdef inline bint counts_in_time(const RuleSpec* rule) noexcept nogil:
    """Whether a rule's limit asks no more than how many came before: all its events are worth the same."""
    return (
        rule.kind == RULE and rule.limit_n > 0 and rule.by < 0 and rule.decay < LINEAR and not depends(rule)
    )


cdef void* lay_steps(const Plan* plan, Steps* steps) noexcept:
    """Make the tables of `steps`; returns their memory, NULL where there is none."""
    cdef int64_t k, j, r, l, n = 0, m = 0, classes = plan.classes + 1, rules = plan.plain_start[plan.classes]
    cdef int64_t listed = plan.listed_start[plan.classes]
    cdef int32_t* memory = <int32_t*>malloc(
        (3 * classes + rules + 2 * listed + 256) * sizeof(int32_t) + classes + 256
    )
    cdef int32_t* start = memory
    cdef int32_t* first = start + classes
    cdef int32_t* listed_start = first + classes
    cdef int32_t* taken = listed_start + classes
    cdef int32_t* others = taken + rules + listed
    cdef int32_t* first_of_byte = others + listed
    cdef uint8_t* work = <uint8_t*>(first_of_byte + 256)
    cdef uint8_t* work_of_byte = work + classes
    cdef const RuleSpec* rule
    if memory is NULL:
        return NULL
    for k in range(plan.classes):
        start[k] = <int32_t>n
        listed_start[k] = <int32_t>m
        for j in range(plan.plain_start[k], plan.plain_start[k + 1]):
            taken[n] = plan.plain_rule[j]
            n += 1
        for j in range(plan.listed_start[k], plan.listed_start[k + 1]):
            l = plan.listed_of[j]
            r = plan.listed_rule[l]
            if counts_in_time(plan.rule + r):
                taken[n] = <int32_t>r
                n += 1
            else:
                others[m] = <int32_t>l
                m += 1
        first[k] = taken[start[k]] if n > start[k] else <int32_t>plan.rules
        work[k] = (plan.flags[k] & (ACTIVITY | CUSTOMER_ON | ENDS_ON)) | (0 if plan.flags[k] & READ else UNREAD)
        if n > start[k] + 1 or m > listed_start[k]:
            work[k] |= MORE
        if n > start[k]:
            rule = plan.rule + first[k]
            if rule.limit_n > 0:
                work[k] |= LIMITED
            if depends(rule):
                work[k] |= UNSTEADY
    start[plan.classes] = <int32_t>n
    listed_start[plan.classes] = <int32_t>m
    first[plan.classes] = <int32_t>plan.rules
    work[plan.classes] = EXCLUDED
    for k in range(256):
        first_of_byte[k] = first[min(k, plan.classes)]
        work_of_byte[k] = work[min(k, plan.classes)]
    steps.start = start
    steps.rule = taken
    steps.first = first
    steps.listed_start = listed_start
    steps.listed = others
    steps.work = work
    steps.first_of_byte = first_of_byte
    steps.work_of_byte = work_of_byte
    return memory


cdef void fill_window(const Plan* plan, Window* window, int64_t first, int64_t last, int64_t at) noexcept nogil:
    """Compute the decay of the grouped events from `first` on, of whatever contacts; those after `at` mean nothing."""
    cdef int64_t i, n = last - first if last - first < AT_ONCE else AT_ONCE
    cdef int32_t none = <int32_t>plan.classes, k
    cdef const int64_t* time = plan.time + first
    cdef const uint8_t* bytes = <const uint8_t*>plan.event_class + first
    cdef const int32_t* rules = plan.steps.first_of_byte
    cdef const uint8_t* works = plan.steps.work_of_byte
    cdef int32_t* rule = window.rule
    cdef uint8_t* work = window.work
    if plan.class_width == 1:
        for i in range(n):
            rule[i] = rules[bytes[i]]
        if not plan.lean:
            for i in range(n):
                work[i] = works[bytes[i]]
    else:
        for i in range(n):
            k = code_at(plan.event_class, plan.class_width, first + i)
            k = k if 0 <= k < none else none
            rule[i] = plan.steps.first[k]
            work[i] = plan.steps.work[k]
    for i in range(n, (n + 7) & ~7):
        rule[i] = <int32_t>plan.rules
    if first + ((n + 7) & ~7) > plan.events:
        memcpy(window.time, time, n * sizeof(int64_t))
        time = window.time
    ek_window(
        time, at, rule, n, plan.span, plan.inverse, plan.worth, <double>plan.fast, <double>plan.slow,
        window.weight, window.fast, window.slow,
    )
    window.first = first
    window.last = first + n
    window.at = at


cdef inline bint is_within_limit(const Plan* plan, Scratch* scratch, int64_t r, int64_t time) noexcept nogil:
    """Count an event of a rule whose limit counts in time; whether it is one of the first of its bucket."""
    cdef const RuleSpec* rule = plan.rule + r
    cdef Streak* streak = scratch.streaks + rule.listed
    # only events less than a bucket apart may share one
    if (
        scratch.seen[r]
        and time - streak.first < rule.limit_per
        and floor_div(time, rule.limit_per) == floor_div(streak.first, rule.limit_per)
    ):
        streak.count += 1
        return streak.count <= rule.limit_n
    streak.first = time
    streak.count = 1
    scratch.seen[r] = 1
    return True


cdef bint take_aside(
    const Plan* plan, Scratch* scratch, int64_t i, uint8_t work, int64_t at, Facts* facts, Tally* tally, double* raw
) noexcept nogil:
    """All that an event may be beyond activity; whether its first rule takes it, and for how many points."""
    cdef const Steps* steps = &plan.steps
    cdef int64_t time = plan.time[i], j, r
    cdef int32_t k
    cdef bint taken = True
    if work & EXCLUDED:
        tally.excluded += 1
        return False
    if work & UNREAD:
        tally.unmatched += 1
    if work & CUSTOMER_ON:
        if facts.first_customer == INT64_MAX:
            facts.first_customer = time
        facts.last_customer = time
    if work & ENDS_ON:
        facts.last_end = time
    k = code_at(plan.event_class, plan.class_width, i)
    r = steps.first[k]
    raw[0] = plan.points[r]
    if work & LIMITED:
        taken = is_within_limit(plan, scratch, r, time)
    elif work & UNSTEADY:
        raw[0] = raw_points(plan, plan.rule + r, i, &tally.null_amounts)
    if work & MORE:
        for j in range(steps.start[k] + 1, steps.start[k + 1]):
            r = steps.rule[j]
            if plan.rule[r].limit_n > 0 and not is_within_limit(plan, scratch, r, time):
                continue
            scratch.seen[r] = 1
            push(plan, scratch, r, time, raw_points(plan, plan.rule + r, i, &tally.null_amounts), at)
        if steps.listed_start[k] < steps.listed_start[k + 1]:
            note_hits(plan, steps.listed_start[k], steps.listed_start[k + 1], steps.listed, i, scratch)
    return taken


cdef void add_up(
    const Plan* plan, Scratch* scratch, int64_t lo, int64_t hi, int64_t upto, int64_t at, Row* row, Facts* facts, Tally* tally
) noexcept nogil:
    """Take each event as it comes; what has to be in order is noted.

    Cost: some nanoseconds an event. Order of summation: as the events stand; each rule's sum is compensated, unless
    there are so few events, each worth the same, that what a plain sum loses is less than one part in 10^14.
    """
    cdef int64_t i = lo, j, n, events = 0
    cdef int32_t r
    cdef uint8_t work
    cdef double fast = 0.0, slow = 0.0, quick, steady, raw, gain, x
    cdef Window* window = &scratch.window
    cdef const uint8_t* works = window.work
    cdef const int32_t* rules = window.rule
    cdef const double* weights = window.weight
    cdef const double* fasts = window.fast
    cdef const double* slows = window.slow
    cdef const double* worth = plan.worth
    cdef uint8_t* seen = scratch.seen
    cdef Sum* sums = scratch.sums
    cdef Sum* sum
    cdef bint few = hi - lo <= FEW, gained = False, far = scratch.far
    while i < hi:
        if i < window.first or i >= window.last or at != window.at:
            if interrupted(scratch, AT_ONCE):
                return
            fill_window(plan, window, i, upto, at)
        n = (hi if hi < window.last else window.last) - window.first
        for j in range(i - window.first, n):
            work = works[j]
            r = rules[j]
            raw = worth[r]
            x = weights[j]
            quick = fasts[j]
            steady = slows[j]
            events += work & ACTIVITY
            if work > ACTIVITY:
                if work == (ACTIVITY | LIMITED):
                    if not is_within_limit(plan, scratch, r, plan.time[window.first + j]):
                        continue
                elif not take_aside(plan, scratch, window.first + j, work, at, facts, tally, &raw):
                    continue
                if work & UNSTEADY:
                    gain = raw if raw > 0 else 0.0
                    x *= raw
                    quick *= gain
                    steady *= gain
            seen[r] = 1
            gained |= raw > 0
            fast += quick
            slow += steady
            if far and raw > 0:
                keep_pace(plan, &scratch.pace, plan.time[window.first + j], raw)
            sum = sums + r
            if few and not work & UNSTEADY:
                sum.value += x
                continue
            add(sum, x)
        i = window.first + n
    row.events = events
    if gained:
        scratch.gained = True
        scratch.fast += fast
        scratch.slow += slow


cdef inline void notice(const Plan* plan, int64_t i, Row* row) noexcept nogil:
    """Take the activity that event `i` is."""
    cdef int32_t type = code_at(plan.type, plan.type_width, i)
    if row.events == 0:
        row.first_event = plan.time[i]
    if row.last_event != plan.time[i] or row.events == 0 or plan.type_rank[type] > plan.type_rank[row.last_type]:
        row.last_type = type
    row.last_event = plan.time[i]
    row.events += 1


cdef bint is_activity(const Plan* plan, int64_t i) noexcept nogil:
    cdef int32_t k = code_at(plan.event_class, plan.class_width, i)
    return k >= 0 and plan.flags[k] & ACTIVITY


cdef void find_activity(const Plan* plan, int64_t lo, int64_t hi, Row* row) noexcept nogil:
    """Find the first and the last activity; there is some."""
    cdef int64_t i = lo
    cdef int32_t type
    while not is_activity(plan, i):
        i += 1
    row.first_event = plan.time[i]
    i = hi - 1
    while not is_activity(plan, i):
        i -= 1
    row.last_event = plan.time[i]
    row.last_type = code_at(plan.type, plan.type_width, i)
    i -= 1
    while i >= lo and plan.time[i] == row.last_event:
        type = code_at(plan.type, plan.type_width, i)
        if is_activity(plan, i) and plan.type_rank[type] > plan.type_rank[row.last_type]:
            row.last_type = type
        i -= 1


cdef void read_all(
    const Plan* plan, Scratch* scratch, int64_t lo, int64_t hi, int64_t upto, int64_t at, Row* row, Facts* facts, Tally* tally
) noexcept nogil:
    """Read the events of any plan: activity, lifecycle and the points of every rule, those that need order last."""
    cdef int64_t j, l, n, excluded = tally.excluded
    scratch.hit_listed_count = scratch.noted = 0
    add_up(plan, scratch, lo, hi, upto, at, row, facts, tally)
    if scratch.failed or scratch.raised or scratch.stopped[0]:
        return
    facts.present = tally.excluded - excluded < hi - lo
    if row.events:
        find_activity(plan, lo, hi, row)
    if scratch.noted:
        part_hits(scratch)
        for j in range(scratch.hit_listed_count):
            l = scratch.hit_listed[j]
            n = gather(plan, l, scratch, &tally.null_amounts)
            if scratch.failed or interrupted(scratch, n):
                return
            take_part(plan, scratch, scratch.entries, n, l, at)
    flush(plan, scratch)
