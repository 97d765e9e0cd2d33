# Marks made ready for the first instant: by rule, and for the momentum, with what is left of each where it is first seen.

cdef double LEAST = 1e-280  # what a mark has to leave for the momentum at an instant, to be carried to the next


cdef void fade_some(const Plan* plan, Sweep* sweep, int64_t n) noexcept nogil:
    """Fade the marks that were noted."""
    cdef int64_t i
    for i in range(n, (n + 7) & ~7):
        sweep.age[i] = 0
        sweep.which[i] = <int32_t>plan.rules
    ek_fade_by(sweep.age, sweep.which, n, plan.span, plan.inverse, sweep.left)
    for i in range(n):
        sweep.faded[i].point = sweep.faded[i].raw * sweep.left[i]


cdef void fade_marks(const Plan* plan, Sweep* sweep, const Grid* grid) noexcept nogil:
    """Find what is left of each mark at the first of evenly spaced instants that sees it. Cost: a power a mark."""
    cdef int64_t r, i, n = 0
    cdef Course* course
    cdef Mark* mark
    for r in range(plan.rules):
        course = sweep.course + r
        if course.first == course.last:
            continue
        course.run.tick = sweep.marks[course.first].tick
        if plan.rule[r].decay >= LINEAR:
            continue
        i = course.first
        while i < course.last:
            if n == AT_ONCE:
                fade_some(plan, sweep, n)
                n = 0
            mark = sweep.marks + i
            sweep.age[n] = grid.at[mark.tick] - mark.time
            sweep.which[n] = <int32_t>r
            sweep.faded[n] = mark
            n += 1
            i += 1
    fade_some(plan, sweep, n)


cdef void fade_paces(const Plan* plan, Sweep* sweep, const Grid* grid) noexcept nogil:
    """Find what is left of each mark for the momentum, at the first of evenly spaced instants that sees it.

    Where that all but vanishes, sums could not be carried from instant to instant: `even` says whether they can.
    """
    cdef int64_t first = 0, i, n, whole = sweep.paces_count
    cdef void* moved
    cdef const Mark* marks
    sweep.even = True
    memset(&sweep.trot, 0, sizeof(Trot))
    sweep.trot.tick = -1
    if whole > sweep.pace_room:
        n = sweep.pace_room
        moved = larger(sweep.fasts, &n, whole, sizeof(double))
        if moved is not NULL:
            sweep.fasts = <double*>moved
            moved = larger(sweep.slows, &sweep.pace_room, whole, sizeof(double))
        if moved is NULL:
            sweep.failed = True
            return
        sweep.slows = <double*>moved
    while first < whole and sweep.even:
        n = min(<int64_t>AT_ONCE, whole - first)
        marks = sweep.paces + first
        for i in range(n):
            sweep.age[i] = grid.at[marks[i].tick] - marks[i].time
        for i in range(n, (n + 7) & ~7):
            sweep.age[i] = 0
        ek_fade_pace(sweep.age, n, <double>plan.fast, <double>plan.slow, sweep.left, sweep.right)
        for i in range(n):
            sweep.fasts[first + i] = marks[i].raw * sweep.left[i]
            sweep.slows[first + i] = marks[i].raw * sweep.right[i]
            if not (sweep.fasts[first + i] > LEAST and sweep.slows[first + i] > LEAST):
                sweep.even = False
        first += n


cdef void sort_paces(const Plan* plan, Sweep* sweep, const Grid* grid) noexcept nogil:
    """Bring what listed rules count for the momentum among what others do."""
    cdef int64_t k, n, place = 0, whole = sweep.paces_count
    cdef void* moved
    if not plan.listed or whole < 2:
        return
    if grid.count > sweep.ticks_room:
        moved = larger(sweep.ticks, &sweep.ticks_room, grid.count, sizeof(int64_t))
        if moved is NULL:
            sweep.failed = True
            return
        sweep.ticks = <int64_t*>moved
    if not room_for(sweep, whole, 1):
        sweep.failed = True
        return
    memset(sweep.ticks, 0, grid.count * sizeof(int64_t))
    for k in range(whole):
        sweep.ticks[sweep.paces[k].tick] += 1
    for k in range(grid.count):
        n = sweep.ticks[k]
        sweep.ticks[k] = place
        place += n
    for k in range(whole):
        n = sweep.paces[k].tick
        sweep.paces[whole + sweep.ticks[n]] = sweep.paces[k]
        sweep.ticks[n] += 1
    memcpy(sweep.paces, sweep.paces + whole, whole * sizeof(Mark))


cdef void set_off(const Plan* plan, Sweep* sweep, const Grid* grid) noexcept nogil:
    """Make ready for the first instant: the clocks of the rules, and what counts for the momentum by instant.

    Which of two marks that the same instant sees first comes first is of no matter to the momentum, so they are
    counted into place. Cost: the instants and the marks.
    """
    cdef int64_t r
    cdef Course* course
    for r in range(plan.rules):
        course = sweep.course + r
        if course.first < course.last:
            course.time = sweep.marks[course.first].time
    sort_paces(plan, sweep, grid)
    sweep.even = False
    if grid.every and not sweep.failed:
        fade_marks(plan, sweep, grid)
        fade_paces(plan, sweep, grid)
