# What a contact's row cannot say: events that limits, absences, repeats, exclusions, ramps and windows still ask for.
#
# A listed rule remembers of each of its events one record. A score gathers them as the batch gathers events, by the
# same functions; what is settled is folded into the row's sums and its records are dropped. An event whose exclusion is
# open, or that is later than the clock, waits as a whole: a score takes it into a copy of the row.

cdef struct State:           # a row taken apart
    Head* head
    Sum* sums
    int64_t* lifecycle      # first customer_on, last customer_on, last ends_on; NULL: none is declared
    int64_t* verdicts       # the last acceptance, qualification, rejection; NULL
    uint64_t* had           # a bit for each content

cdef enum:
    ROWS = 512              # of a block

cdef struct Layout:         # of a row: how long it is, and the places of its parts; 0: it has none
    int64_t size
    int64_t lifecycle
    int64_t verdicts
    int64_t had

cdef struct Terms:          # what the log asks of a live state, beside the plan
    const Plan* plan
    int64_t lateness
    int64_t newest          # event seen; NEVER: none
    int64_t slack           # the longest that an exclusion's decision may take
    int64_t excludes
    const ExcludeSpec* exclude
    const uint8_t* exclude_roles    # excludes x classes
    const uint8_t* verdict          # classes
    const int32_t* rank             # types
    int64_t columns         # of codes
    int64_t words           # of contents
    int64_t ids             # the `listed` of a record of an id
    bint strict             # whether what is settled at this very instant is still open: it is to who comes in time
    Deposits* queue         # NULL: what counts is added at once
    int64_t late
    int64_t excluded
    int64_t unmatched
    int64_t null_amounts


cdef inline void open_row(const Layout* layout, Head* head, State* row) noexcept nogil:
    cdef uint8_t* bytes = <uint8_t*>head
    row.head = head
    row.sums = sums_of(head)
    row.lifecycle = <int64_t*>(bytes + layout.lifecycle) if layout.lifecycle else NULL
    row.verdicts = <int64_t*>(bytes + layout.verdicts) if layout.verdicts else NULL
    row.had = <uint64_t*>(bytes + layout.had) if layout.had else NULL


cdef inline void ask_for(const Layout* layout, Head* head) noexcept nogil:
    """Ask memory for a row that is about to change: all its lines at the same time."""
    cdef int64_t j
    for j in range(0, layout.size, 64):
        ek_prefetch_written(<uint8_t*>head + j)


cdef Record* record_room(Extra* extra, int64_t more) noexcept nogil:
    """Make room for that many more records; NULL where there is none."""
    cdef Record* moved
    cdef int64_t room = extra.room
    if extra.records is NULL or extra.count + more > room:
        room = max(extra.count + more, room + room // 2, <int64_t>1)
        moved = <Record*>realloc(extra.records, room * sizeof(Record))
        if moved is NULL:
            return NULL
        extra.records = moved
        extra.room = room
    return extra.records


cdef inline void remember(
    Extra* extra, int64_t listed, int32_t state, int64_t time, int64_t by, double raw
) noexcept nogil:
    """Add a record; there has to be room."""
    cdef Record* record = extra.records + extra.count
    record.time = time
    record.by = by
    record.raw = raw
    record.listed = <int32_t>listed
    record.state = state
    extra.count += 1


cdef inline int64_t settled_until(const Terms* terms, const RuleSpec* rule) noexcept nogil:
    """The latest time of matched events that are settled for a rule; of a limit only whole buckets are."""
    cdef int64_t until
    if terms.newest == NEVER:
        return NEVER
    until = terms.newest - terms.lateness - terms.slack - terms.strict
    if rule.kind == REPEAT:
        until -= rule.within
    if rule.limit_n > 0:
        until = floor_div(until, rule.limit_per) * rule.limit_per - 1
    return until


cdef inline int32_t hits_of(const Plan* plan, int32_t k) noexcept nogil:
    return plan.listed_start[k + 1] - plan.listed_start[k]


cdef inline int64_t points_of(const Plan* plan, int32_t k) noexcept nogil:
    """How many raw points an event of a class comes with."""
    return plan.plain_start[k + 1] - plan.plain_start[k] + hits_of(plan, k)


cdef bint put_hit(
    Terms* terms, Extra* extra, int64_t l, int32_t role, int64_t time, int64_t by, double raw, bint checked
) noexcept nogil:
    """Remember an event for a listed rule; returns whether it came too late (where that is `checked`)."""
    cdef const RuleSpec* rule = terms.plan.rule + terms.plan.listed_rule[l]
    cdef int64_t until, j
    cdef bint late = False
    cdef const Record* record
    if rule.kind == RULE and rule.limit_n <= 0:
        if raw != 0:
            remember(extra, l, MATCHED, time, -1, raw)
        return False
    if not checked or terms.newest == NEVER or time >= terms.newest - terms.lateness:
        remember(extra, l, role, time, by, raw)
        return False
    until = settled_until(terms, rule)
    if rule.kind == ABSENCE:
        if role & ON and time + rule.within <= until:
            role &= ~ON
            late = True
        if role & UNLESS:
            for j in range(extra.count):
                record = extra.records + j
                if (
                    record.listed == l and record.state & GHOST and record.by == by
                    and record.time < time <= record.time + rule.within
                ):
                    late = True
            if time <= until - rule.within:
                role &= ~UNLESS
                late = True
        if role:
            remember(extra, l, role, time, by, raw)
        return late
    if time <= until:
        return True
    remember(extra, l, role, time, by, raw)
    return False


cdef inline void note(
    const Terms* terms, State* row, uint8_t flags, int32_t event_class, int64_t time, int32_t type
) noexcept nogil:
    """Let an event be there, whatever points it brings: activity, lifecycle and what sales said."""
    cdef Head* head = row.head
    cdef uint8_t said
    cdef int64_t j
    head.flags |= PRESENT | TOUCHED
    if flags & ACTIVITY:
        if head.events == 0 or time < head.first:
            head.first = time
        if head.events == 0 or time > head.last or (
            time == head.last and terms.rank[type] > terms.rank[head.last_type]
        ):
            head.last = time
            head.last_type = type
        head.events += 1
    if row.lifecycle is not NULL:
        if flags & CUSTOMER_ON:
            row.lifecycle[0] = min(row.lifecycle[0], time)
            row.lifecycle[1] = max(row.lifecycle[1], time)
        if flags & ENDS_ON:
            row.lifecycle[2] = max(row.lifecycle[2], time)
    if row.verdicts is not NULL:
        said = terms.verdict[event_class]
        for j in range(3):
            if said >> j & 1:
                row.verdicts[j] = max(row.verdicts[j], time)


cdef void count_in(Terms* terms, State* row, Extra* extra, const Arrival* event, bint checked) noexcept nogil:
    """Let an event that is not excluded count; `extra` has room for its records. See `put_hit` for `checked`."""
    cdef const Plan* plan = terms.plan
    cdef Head* head = row.head
    cdef int32_t k = event.event_class
    cdef uint8_t flags = plan.flags[k]
    cdef int64_t j, l, r, n = 0, by
    cdef bint late = False
    terms.unmatched += not flags & READ
    terms.null_amounts += event.nulls
    note(terms, row, flags, k, event.time, event.type)
    if event.content >= 0:
        row.had[event.content >> 6] |= <uint64_t>1 << (event.content & 63)
    for j in range(plan.plain_start[k], plan.plain_start[k + 1]):
        r = plan.plain_rule[j]
        if terms.queue is not NULL:
            deposit(plan, terms.queue, head, r, event.time, event.raw[n])
        else:
            add_points(plan, head, row.sums, r, event.time, event.raw[n])
            add_pace(plan, head, event.time, event.raw[n])
        n += 1
    for j in range(plan.listed_start[k], plan.listed_start[k + 1]):
        l = plan.listed_of[j]
        r = plan.listed_rule[l]
        by = event.by[plan.rule[r].by] if plan.rule[r].by >= 0 else -1
        if put_hit(terms, extra, l, plan.roles[l * plan.classes + k], event.time, by, event.raw[n], checked):
            late = True
        n += 1
    terms.late += late


cdef bint excludable(const Terms* terms, int32_t k, bint* gone) noexcept nogil:
    """Whether events of a class may be excluded by what they follow; `gone`: they are, whatever they follow."""
    cdef int64_t x
    cdef bint may = False
    gone[0] = False
    for x in range(terms.excludes):
        if terms.exclude_roles[x * terms.plan.classes + k] & ON:
            if terms.exclude[x].follows:
                may = True
            else:
                gone[0] = True
    return may


cdef bint is_excluded(const Terms* terms, const Extra* extra, const Arrival* event) noexcept nogil:
    """Whether an event follows one that excludes it; what may do so is among the records, itself too."""
    cdef int64_t x, j, by, others
    cdef uint8_t role
    cdef const Record* record
    for x in range(terms.excludes):
        role = terms.exclude_roles[x * terms.plan.classes + event.event_class]
        if not role & ON or not terms.exclude[x].follows:
            continue
        by = event.by[terms.exclude[x].by] if terms.exclude[x].by >= 0 else -1
        others = 0
        for j in range(extra.count):
            record = extra.records + j
            if (
                record.listed == terms.plan.listed + x and record.by == by and record.time <= event.time
                and (terms.exclude[x].within < 0 or event.time - record.time <= terms.exclude[x].within)
            ):
                others += 1
        if others - ((role & UNLESS) != 0) > 0:
            return True
    return False


cdef bint precede(Terms* terms, Extra* extra, const Arrival* event, bint own) noexcept nogil:
    """Remember an event for the exclusions of what follows it; of no end, only the earliest two are needed."""
    cdef int64_t x, j, by, known
    cdef Record* record
    cdef Record* latest
    cdef bint late = False
    for x in range(terms.excludes):
        if not terms.exclude_roles[x * terms.plan.classes + event.event_class] & UNLESS:
            continue
        if not terms.exclude[x].follows:
            continue
        by = event.by[terms.exclude[x].by] if terms.exclude[x].by >= 0 else -1
        if own and terms.newest != NEVER and event.time + terms.slack + terms.lateness <= terms.newest:
            late = True
        known = 0
        latest = NULL
        if terms.exclude[x].within < 0:
            for j in range(extra.count):
                record = extra.records + j
                if record.listed == terms.plan.listed + x and record.by == by:
                    known += 1
                    if latest is NULL or record.time >= latest.time:
                        latest = record
        if known < 2:
            remember(extra, terms.plan.listed + x, UNLESS, event.time, by, 0.0)
        elif event.time < latest.time:
            latest.time = event.time
    return late


cdef int64_t gather_records(
    const Terms* terms, Scratch* scratch, const Extra* extra, int64_t l, bint parts
) noexcept nogil:
    """Fill `scratch.entries` with the matched events of listed rule `l`, in order of time; returns how many.

    With `parts` those that are decided and alive come too. Cost: a look at each record, and what it sorts.
    """
    cdef const Plan* plan = terms.plan
    cdef const RuleSpec* rule = plan.rule + plan.listed_rule[l]
    cdef int64_t j, n = 0
    cdef const Record* record
    cdef void* moved
    if extra.count > scratch.entries_room:
        moved = larger(scratch.entries, &scratch.entries_room, extra.count, sizeof(Entry))
        if moved is NULL:
            scratch.failed = True
            return 0
        scratch.entries = <Entry*>moved
    if extra.count > scratch.stack_room:
        moved = larger(scratch.stack, &scratch.stack_room, extra.count, sizeof(int64_t))
        if moved is NULL:
            scratch.failed = True
            return 0
        scratch.stack = <int64_t*>moved
    for j in range(extra.count):
        record = extra.records + j
        if record.listed == l and record.state & (ON | UNLESS):
            take_entry(scratch.entries + n, record)
            n += 1
    if rule.kind == ABSENCE:
        sort_entries(scratch.entries, n, True)
        n = mature(rule, scratch.entries, n)
        sort_entries(scratch.entries, n, False)
    elif rule.kind == REPEAT:
        sort_entries(scratch.entries, n, True)
        n = recur(rule, scratch.entries, n, scratch.stack)
        sort_entries(scratch.entries, n, False)
    if rule.limit_n > 0:
        sort_entries(scratch.entries, n, True)
        n = within_limit(rule, scratch.entries, n)
    if parts:
        for j in range(extra.count):
            record = extra.records + j
            if record.listed == l and record.state & MATCHED:
                take_entry(scratch.entries + n, record)
                n += 1
    sort_entries(scratch.entries, n, False)
    return n


cdef inline void take_entry(Entry* entry, const Record* record) noexcept nogil:
    entry.by = record.by
    entry.time = record.time
    entry.raw = record.raw
    entry.role = record.state & (ON | UNLESS)


cdef int64_t settle_repeat(const Terms* terms, Scratch* scratch, Extra* extra, int64_t l, int64_t until) noexcept nogil:
    """Drop a repeat's events up to `until`, but for those not used that a later one may use; returns how many stay.

    They go to `scratch.entries`. What is below an unused event on its stack is what was there when it came, so that
    going through the unused ones again uses none of them up.
    """
    cdef const RuleSpec* rule = terms.plan.rule + terms.plan.listed_rule[l]
    cdef int64_t j, i, n = 0, kept = 0, depth = 0, by = 0
    cdef Entry* entries = scratch.entries
    for j in range(extra.count):
        if extra.records[j].listed == l and extra.records[j].state & ON and extra.records[j].time <= until:
            take_entry(entries + n, extra.records + j)
            n += 1
    sort_entries(entries, n, True)
    for j in range(n + 1):
        if j == n or j == 0 or entries[j].by != by:
            for i in range(depth):
                if scratch.stack[i] > until - rule.within:
                    entries[kept].by = by
                    entries[kept].time = scratch.stack[i]
                    kept += 1
            if j == n:
                break
            by = entries[j].by
            depth = 0
        if rule.n == 1 or (depth >= rule.n - 1 and scratch.stack[depth - rule.n + 1] >= entries[j].time - rule.within):
            depth -= rule.n - 1
        else:
            scratch.stack[depth] = entries[j].time
            depth += 1
    return kept


cdef void settle_rule(Terms* terms, Scratch* scratch, State* row, Extra* extra, int64_t l) noexcept nogil:
    """Fold what is settled for a listed rule into the row's sums, and drop its records."""
    cdef const Plan* plan = terms.plan
    cdef int64_t r = plan.listed_rule[l], j, n, until, kept = 0, unused = 0
    cdef const RuleSpec* rule = plan.rule + r
    cdef Record* record
    cdef int32_t state
    cdef Entry* entries
    if rule.kind == RULE and rule.limit_n <= 0:
        return
    until = settled_until(terms, rule)
    n = gather_records(terms, scratch, extra, l, False)
    if scratch.failed:
        return
    entries = scratch.entries
    while kept < n and entries[kept].time <= until:
        kept += 1
    n = kept
    # every settled event but a repeat's is a record that goes: there is room for what becomes of it
    for j in range(n):
        if rule.decay < LINEAR:
            add_points(plan, row.head, row.sums, r, entries[j].time, entries[j].raw)
            add_pace(plan, row.head, entries[j].time, entries[j].raw)
    kept = 0
    if rule.kind == ABSENCE:
        mark_ghosts(terms, extra, l, until)
    if n and rule.decay >= LINEAR and record_room(extra, n) is NULL:
        scratch.failed = True
        return
    if rule.decay >= LINEAR:
        for j in range(n):
            remember(extra, l, MATCHED, entries[j].time, -1, entries[j].raw)
    if rule.kind == REPEAT:
        unused = settle_repeat(terms, scratch, extra, l, until)
        if unused and record_room(extra, unused) is NULL:
            scratch.failed = True
            return
    for j in range(extra.count):
        record = extra.records + j
        if record.listed == l and not record.state & MATCHED:
            state = record.state
            if rule.kind == ABSENCE:
                if record.time + rule.within <= until:
                    state &= ~ON
                if record.time <= until - rule.within:
                    state &= ~UNLESS
                if record.time <= until - 2 * rule.within:
                    state &= ~GHOST
            elif record.time <= until:
                state = 0
            record.state = state
            if state == 0:
                continue
        extra.records[kept] = record[0]
        kept += 1
    extra.count = kept
    for j in range(unused):
        remember(extra, l, ON, scratch.entries[j].time, scratch.entries[j].by, 0.0)


cdef void mark_ghosts(const Terms* terms, Extra* extra, int64_t l, int64_t until) noexcept nogil:
    """Mark what began absences that are settled now and matched: something that comes late would have prevented them."""
    cdef const RuleSpec* rule = terms.plan.rule + terms.plan.listed_rule[l]
    cdef int64_t j, i
    cdef Record* record
    cdef const Record* other
    cdef bint prevented
    for j in range(extra.count):
        record = extra.records + j
        if record.listed != l or not record.state & ON or record.time + rule.within > until:
            continue
        prevented = False
        for i in range(extra.count):
            other = extra.records + i
            if (
                other.listed == l and other.state & UNLESS and other.by == record.by
                and record.time < other.time <= record.time + rule.within
            ):
                prevented = True
        if not prevented:
            record.state |= GHOST


cdef void drop_dead(Terms* terms, State* row, Extra* extra) noexcept nogil:
    """Drop what no instant that can still be asked for, and nothing that may still come, needs."""
    cdef const Plan* plan = terms.plan
    cdef int64_t j, kept = 0, l, within
    cdef Record* record
    cdef const RuleSpec* rule
    for j in range(extra.count):
        record = extra.records + j
        l = record.listed
        if l < plan.listed:
            if record.state & MATCHED:
                rule = plan.rule + plan.listed_rule[l]
                if row.head.newest != NEVER and row.head.newest - record.time >= rule.span:
                    add_pace(plan, row.head, record.time, record.raw)
                    continue
        elif terms.newest != NEVER:
            if l == terms.ids:
                if record.time + terms.lateness <= terms.newest:
                    continue
            else:
                within = terms.exclude[l - plan.listed].within
                if within >= 0 and record.time + within + terms.slack + terms.lateness <= terms.newest:
                    continue
        extra.records[kept] = record[0]
        kept += 1
    extra.count = kept


cdef void as_arrival(const Terms* terms, Pending* pending, Arrival* event) noexcept nogil:
    """See a pending event as it came."""
    event.time = pending.time
    event.id = pending.id
    event.event_class = pending.event_class
    event.type = pending.type
    event.content = pending.content
    event.named = pending.named
    event.nulls = pending.nulls
    event.raw = <double*>(pending + 1)
    event.by = <int64_t*>(event.raw + points_of(terms.plan, pending.event_class))


cdef void fold(Terms* terms, Scratch* scratch, State* row) noexcept nogil:
    """Settle what the newest event seen has settled of a contact. Cost: the listed rules times its records."""
    cdef Extra* extra = row.head.extra
    cdef Pending** link
    cdef Pending* pending
    cdef Arrival event
    cdef int64_t l
    if extra is NULL or terms.newest == NEVER:
        return
    link = &extra.pending
    while link[0] is not NULL:
        pending = link[0]
        if pending.waiting or pending.time + terms.slack + terms.lateness > terms.newest:
            link = &pending.next
            continue
        as_arrival(terms, pending, &event)
        if is_excluded(terms, extra, &event):
            terms.excluded += 1
        else:
            if record_room(extra, hits_of(terms.plan, event.event_class)) is NULL:
                scratch.failed = True
                return
            count_in(terms, row, extra, &event, False)
        link[0] = pending.next
        free(pending)
    for l in range(terms.plan.listed):
        settle_rule(terms, scratch, row, extra, l)
        if scratch.failed:
            return
    drop_dead(terms, row, extra)


cdef bint was_seen(const Terms* terms, const Extra* extra, int64_t id) noexcept nogil:
    """Whether an id is remembered."""
    cdef int64_t j
    if extra is not NULL:
        for j in range(extra.count):
            if extra.records[j].listed == terms.ids and extra.records[j].by == id:
                return True
    return False
