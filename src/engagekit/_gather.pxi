# Gathering: the matched events of the rules that need order (limits, absences, repeats) or their events one by one
# (ramps and windows), and exclusions. One contact at a time, its events in order of time.

cdef enum:
    SILENT = 4          # the role of an `after` that no `unless` followed in time


cdef int by_value_and_time(const void* left, const void* right) noexcept nogil:
    """By `by`, time, then the larger |raw|, then the larger raw: the order in which a limit counts."""
    cdef const Entry* a = <const Entry*>left
    cdef const Entry* b = <const Entry*>right
    if a.by != b.by:
        return -1 if a.by < b.by else 1
    if a.time != b.time:
        return -1 if a.time < b.time else 1
    if fabs(a.raw) != fabs(b.raw):
        return -1 if fabs(a.raw) > fabs(b.raw) else 1
    if a.raw != b.raw:
        return -1 if a.raw > b.raw else 1
    return 0


cdef int by_time(const void* left, const void* right) noexcept nogil:
    cdef const Entry* a = <const Entry*>left
    cdef const Entry* b = <const Entry*>right
    if a.time != b.time:
        return -1 if a.time < b.time else 1
    if a.raw != b.raw:
        return -1 if a.raw < b.raw else 1
    return 0


cdef double raw_points(const Plan* plan, const RuleSpec* rule, int64_t i, int64_t* null_amounts) noexcept nogil:
    """points * amount * context weights of event `i`."""
    cdef double raw = rule.points, x, m
    cdef int32_t w
    if rule.amount >= 0:
        x = plan.amounts[rule.amount][i]
        if isnan(x):
            null_amounts[0] += 1
            return 0.0
        if x < 0 and not rule.negated:
            return 0.0
        m = fabs(x) / rule.amount_scale
        if rule.curve == LOG1P:
            m = log1p(m)
        elif rule.curve == SQRT:
            m = sqrt(m)
        elif rule.curve == SATURATING:
            m = m / (1.0 + m) if m < 1e300 else 1.0
        if m > rule.amount_max:
            m = rule.amount_max
        raw *= -m if x < 0 else m
    for w in range(rule.weights_first, rule.weights_last):
        raw *= plan.weight_factor[plan.weight_start[w] + plan.codes[plan.weight_column[w]][i] + 1]
    return raw


cdef int64_t mature(const RuleSpec* rule, Entry* entries, int64_t n) noexcept nogil:
    """Turn the after/unless events of an absence (by `by` and time) into its matched events; returns how many."""
    cdef int64_t i = n, group, j, m = 0, next_unless = 0
    cdef bint awaited = False, unless
    # backwards, so that the next `unless` after each `after` is known; matured ones are collected at the end
    while i > 0:
        group = i - 1
        while group > 0 and entries[group - 1].by == entries[i - 1].by and entries[group - 1].time == entries[i - 1].time:
            group -= 1
        if i == n or entries[i].by != entries[i - 1].by:
            awaited = False
        unless = False
        for j in range(i - 1, group - 1, -1):
            if entries[j].role & UNLESS:
                unless = True
        for j in range(i - 1, group - 1, -1):
            if entries[j].role & ON and not (awaited and next_unless <= entries[j].time + rule.within):
                entries[j].role = -1
        if unless:
            awaited = True
            next_unless = entries[group].time
        i = group
    for j in range(n):
        if entries[j].role == -1:
            entries[m].by = -1
            entries[m].time = entries[j].time + rule.within
            entries[m].raw = rule.points
            m += 1
    return m


cdef int64_t mature_in_time(const RuleSpec* rule, Entry* entries, int64_t n) noexcept nogil:
    """As `mature`, of entries in order of time, which that of its matched events is too; -1, and nothing done, where
    another order comes cheaper.

    Cost: for each `after` the entries of the time it waits, some at most.
    """
    cdef int64_t i, j, m = 0, patience = 64 + 16 * n
    for i in range(n):
        if not entries[i].role & ON:
            continue
        j = i + 1
        while j < n and entries[j].time - entries[i].time <= rule.within:
            if entries[j].by == entries[i].by and entries[j].role & UNLESS and entries[j].time > entries[i].time:
                break
            j += 1
        patience -= j - i
        if patience < 0:
            for j in range(i):
                entries[j].role &= ON | UNLESS
            return -1
        if j == n or entries[j].time - entries[i].time > rule.within:
            entries[i].role |= SILENT
    for i in range(n):
        if entries[i].role & SILENT:
            entries[m].by = -1
            entries[m].time = entries[i].time + rule.within
            entries[m].raw = rule.points
            m += 1
    return m


cdef int64_t recur(const RuleSpec* rule, Entry* entries, int64_t n, int64_t* stack) noexcept nogil:
    """Turn the events of a repeat (by `by` and time) into its matched events; returns how many.

    `stack` holds the events not yet used, the latest on top: a match pops n - 1 of them.
    """
    cdef int64_t j, m = 0, depth = 0, by = 0
    for j in range(n):
        if j == 0 or entries[j].by != by:
            by = entries[j].by
            depth = 0
        if rule.n == 1 or (depth >= rule.n - 1 and stack[depth - rule.n + 1] >= entries[j].time - rule.within):
            depth -= rule.n - 1
            entries[m].by = -1
            entries[m].time = entries[j].time
            entries[m].raw = rule.points
            m += 1
        else:
            stack[depth] = entries[j].time
            depth += 1
    return m


cdef int64_t within_limit(const RuleSpec* rule, Entry* entries, int64_t n) noexcept nogil:
    """Keep the `limit_n` earliest of each bucket of each `by`; entries in the limit's order; returns how many."""
    cdef int64_t j, m = 0, counted = 0, bucket, last = 0, by = 0
    for j in range(n):
        bucket = floor_div(entries[j].time, rule.limit_per)
        if j == 0 or bucket != last or entries[j].by != by:
            last = bucket
            by = entries[j].by
            counted = 0
        counted += 1
        if counted <= rule.limit_n:
            entries[m] = entries[j]
            m += 1
    return m


cdef void sort_entries(Entry* entries, int64_t n, bint by) noexcept nogil:
    """Sort as a limit counts (`by`: first of all by value) or, for equal `by`, as points are added.

    Entries mostly come in order, which costs one look each; few are sorted by insertion, many by the C library.
    """
    cdef int64_t i, j
    cdef Entry entry
    cdef bint ordered = True
    for i in range(1, n):
        if (by_value_and_time(entries + i - 1, entries + i) if by else by_time(entries + i - 1, entries + i)) > 0:
            ordered = False
            break
    if ordered:
        return
    if n > 2 * RUN:
        qsort(entries, n, sizeof(Entry), by_value_and_time if by else by_time)
        return
    for i in range(1, n):
        entry = entries[i]
        j = i
        while j > 0 and (by_value_and_time(entries + j - 1, &entry) if by else by_time(entries + j - 1, &entry)) > 0:
            entries[j] = entries[j - 1]
            j -= 1
        entries[j] = entry


cdef void note_hits(
    const Plan* plan, int64_t first, int64_t last, const int32_t* listed, int64_t i, Scratch* scratch
) noexcept nogil:
    """Note that the listed rules `listed[first]` ... `listed[last - 1]` read event `i`."""
    cdef int64_t j, l, place, wanted = scratch.noted + last - first
    cdef void* moved
    if wanted > scratch.hits_room:
        moved = larger(scratch.hits, &scratch.hits_room, wanted, sizeof(Hit))
        if moved is NULL:
            scratch.failed = True
            return
        scratch.hits = <Hit*>moved
        moved = realloc(scratch.hit_events, scratch.hits_room * sizeof(int64_t))
        if moved is NULL:
            scratch.failed = True
            return
        scratch.hit_events = <int64_t*>moved
    for j in range(first, last):
        l = listed[j]
        if scratch.hit_count[l] == 0:
            # kept in order: few rules are hit, and mostly those that were hit before
            place = scratch.hit_listed_count
            while place > 0 and scratch.hit_listed[place - 1] > l:
                scratch.hit_listed[place] = scratch.hit_listed[place - 1]
                place -= 1
            scratch.hit_listed[place] = <int32_t>l
            scratch.hit_listed_count += 1
        scratch.hit_count[l] += 1
        scratch.hits[scratch.noted].event = i
        scratch.hits[scratch.noted].listed = <int32_t>l
        scratch.noted += 1


cdef void part_hits(Scratch* scratch) noexcept nogil:
    """Take what was noted apart by rule, in order: `scratch.hit_listed`. Cost: what was noted."""
    cdef int64_t j, l, first = 0
    for j in range(scratch.hit_listed_count):
        l = scratch.hit_listed[j]
        scratch.hit_start[l] = first
        first += scratch.hit_count[l]
        scratch.hit_count[l] = 0
    for j in range(scratch.noted):
        l = scratch.hits[j].listed
        scratch.hit_events[scratch.hit_start[l] + scratch.hit_count[l]] = scratch.hits[j].event
        scratch.hit_count[l] += 1


cdef void collect(const Plan* plan, int64_t lo, int64_t hi, Scratch* scratch) noexcept nogil:
    """Find the events from `lo` to `hi` that listed rules read, rule by rule in order: `scratch.hit_listed`.

    Cost: one look at each event, and what is found; rules without any cost nothing.
    """
    cdef int64_t i
    cdef int32_t k
    scratch.hit_listed_count = scratch.noted = 0
    for i in range(lo, hi):
        k = code_at(plan.event_class, plan.class_width, i)
        if k >= 0 and plan.listed_start[k] < plan.listed_start[k + 1]:
            note_hits(plan, plan.listed_start[k], plan.listed_start[k + 1], plan.listed_of, i, scratch)
            if scratch.failed:
                return
    part_hits(scratch)


cdef void collect_one(const Plan* plan, int64_t l, int64_t lo, int64_t hi, Scratch* scratch) noexcept nogil:
    """As `collect`, for listed rule `l` alone."""
    cdef const uint8_t* role = plan.roles + l * plan.classes
    cdef int64_t i, n = 0
    cdef int32_t k
    cdef void* moved
    if hi - lo > scratch.hits_room:
        moved = larger(scratch.hits, &scratch.hits_room, hi - lo, sizeof(Hit))
        if moved is NULL:
            scratch.failed = True
            return
        scratch.hits = <Hit*>moved
        moved = realloc(scratch.hit_events, scratch.hits_room * sizeof(int64_t))
        if moved is NULL:
            scratch.failed = True
            return
        scratch.hit_events = <int64_t*>moved
    for i in range(lo, hi):
        k = code_at(plan.event_class, plan.class_width, i)
        if k >= 0 and role[k]:
            scratch.hit_events[n] = i
            n += 1
    scratch.hit_start[l] = 0
    scratch.hit_count[l] = n


cdef int64_t gather(const Plan* plan, int64_t l, Scratch* scratch, int64_t* null_amounts) noexcept nogil:
    """Fill `scratch.entries` with the matched events of listed rule `l`, in order of time; returns how many.

    They are made of what `collect` found, which is forgotten. An absence's may lie after the last event: they have yet
    to mature. Cost: n, and n log n where `by` is used.
    """
    cdef const RuleSpec* rule = plan.rule + plan.listed_rule[l]
    cdef const uint8_t* role = plan.roles + l * plan.classes
    cdef const int32_t* by = plan.codes[rule.by] if rule.by >= 0 else NULL
    cdef const int64_t* events = scratch.hit_events + scratch.hit_start[l]
    cdef int64_t i, j, n = scratch.hit_count[l]
    cdef Entry* entries
    cdef void* moved
    scratch.hit_count[l] = 0
    if n > scratch.entries_room:
        moved = larger(scratch.entries, &scratch.entries_room, n, sizeof(Entry))
        if moved is NULL:
            scratch.failed = True
            return 0
        scratch.entries = <Entry*>moved
    entries = scratch.entries
    for j in range(n):
        i = events[j]
        entries[j].by = by[i] if by is not NULL else -1
        entries[j].time = plan.time[i]
        entries[j].role = role[code_at(plan.event_class, plan.class_width, i)]
        entries[j].raw = raw_points(plan, rule, i, null_amounts) if rule.kind == RULE else 0.0
    if rule.kind == ABSENCE:
        j = mature_in_time(rule, entries, n) if by is not NULL else -1
        if j < 0:
            if by is not NULL:
                sort_entries(entries, n, True)
            j = mature(rule, entries, n)
            if by is not NULL:
                sort_entries(entries, j, False)
        n = j
    elif rule.kind == REPEAT:
        if n > scratch.stack_room:
            moved = larger(scratch.stack, &scratch.stack_room, n, sizeof(int64_t))
            if moved is NULL:
                scratch.failed = True
                return 0
            scratch.stack = <int64_t*>moved
        if by is not NULL:
            sort_entries(entries, n, True)
        n = recur(rule, entries, n, scratch.stack)
        if by is not NULL:
            sort_entries(entries, n, False)
    if rule.limit_n > 0:
        sort_entries(entries, n, True)
        n = within_limit(rule, entries, n)
        if rule.kind == RULE and by is not NULL:
            sort_entries(entries, n, False)
    return n


def exclude(
    const ExcludeSpec[::1] specs,
    const uint8_t[:, ::1] roles,
    const int64_t[::1] starts,
    const int64_t[::1] times,
    list codes,
    classes,
    uint8_t[::1] gone,
):
    """Mark every excluded event in `gone`.

    Judged on all events before any is taken away: an event follows another one (`roles` & 2, the same `by`) by 0 to
    `within`, or simply has the role. `classes` are uint8, uint16 or int32.
    """
    cdef int64_t contacts = starts.shape[0] - 1, x, c, i, j, lo, hi, n, first, most = 0, last, here
    cdef const int32_t[::1] column
    cdef const int32_t* by
    cdef const uint8_t* role
    cdef bint seen, own
    cdef const uint8_t[::1] class_bytes = classes.view("u1")
    cdef const void* event_class = &class_bytes[0] if class_bytes.shape[0] else NULL
    cdef int32_t k, width = classes.itemsize
    cdef Entry* entries
    for c in range(contacts):
        most = max(most, starts[c + 1] - starts[c])
    if gone.shape[0] != times.shape[0]:
        raise ValueError("times and gone differ in length")
    entries = <Entry*>malloc(most * sizeof(Entry) + 1)
    if entries is NULL:
        raise MemoryError
    try:
        for x in range(specs.shape[0]):
            by = NULL
            if specs[x].by >= 0:
                column = codes[specs[x].by]
                by = &column[0] if column.shape[0] else NULL
            role = &roles[x, 0]
            with nogil:
                for c in range(contacts):
                    lo, hi = starts[c], starts[c + 1]
                    n = 0
                    for i in range(lo, hi):
                        k = code_at(event_class, width, i)
                        if role[k]:
                            entries[n].by = by[i] if by is not NULL else -1
                            entries[n].time = times[i]
                            entries[n].raw = <double>(i - lo)
                            entries[n].role = role[k]
                            n += 1
                    if by is not NULL and n:
                        qsort(entries, n, sizeof(Entry), by_value_and_time)
                    i = 0
                    seen = False
                    last = 0
                    while i < n:
                        first = i
                        here = 0
                        if i == 0 or entries[i].by != entries[i - 1].by:
                            seen = False
                        while i < n and entries[i].by == entries[first].by and entries[i].time == entries[first].time:
                            here += (entries[i].role & UNLESS) != 0
                            i += 1
                        for j in range(first, i):
                            if not entries[j].role & ON:
                                continue
                            own = (entries[j].role & UNLESS) != 0
                            if (
                                not specs[x].follows
                                or here - own > 0
                                or (seen and (specs[x].within < 0 or entries[j].time - last <= specs[x].within))
                            ):
                                gone[lo + <int64_t>entries[j].raw] = 1
                        if here:
                            seen = True
                            last = entries[first].time
    finally:
        free(entries)
