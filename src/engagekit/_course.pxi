# One rule through time: S(r) of one contact at instants that only ever grow, from matched events laid on those instants.
#
# Whatever decides about a matched event (limit, repeat, exclusion, the silence of an absence) happened no later than the
# event itself, so the list is the same for every instant and is made once; an instant only says how much of it is there.

cdef extern from "_sweep.h" nogil:
    ctypedef struct Mark "ek_mark":
        int64_t time
        int64_t tick
        double raw
        double point
    ctypedef struct Run "ek_run":
        double value
        double rest
        int64_t tick
    ctypedef struct Rate "ek_rate":
        const double* table
        double span
        double inverse
        int64_t every
    ctypedef struct Trot "ek_trot":
        double fast
        double slow
        int64_t tick
    ctypedef struct ek_sweep_path:
        int (*sum)(
            const Mark*, int64_t*, int64_t, Run*, const Rate*, double, int64_t, int64_t, int, double*
        ) noexcept nogil
        int (*trot)(
            const Mark*, const double*, const double*, int64_t*, int64_t, Trot*, const Rate*, const Rate*, const double*,
            double, int64_t, int64_t, double*
        ) noexcept nogil
        void (*add_channel)(double*, const double*, double, int64_t) noexcept nogil
        void (*momenta)(double*, int64_t) noexcept nogil
        void (*saturate)(const double*, double, int64_t, double*) noexcept nogil
        int (*finite)(const double*, int64_t) noexcept nogil
        void (*levels)(const double*, const double*, int64_t, int64_t*) noexcept nogil
        void (*pick)(const double*, const double*, double, double, int64_t, int64_t, int64_t*) noexcept nogil
        void (*narrow)(const int64_t*, int64_t, int8_t*) noexcept nogil
        void (*join)(const int64_t*, const int64_t*, int64_t, int32_t*) noexcept nogil
    const ek_sweep_path* ek_sweep_path_chosen()
    void ek_pour(void* to, const void* from_, size_t bytes, bint past)
    void ek_flood(void* to, const void* line, size_t bytes, bint past)
    void ek_poured()
    enum:
        TILE "EK_TILE"
        STEPS "EK_STEPS"


cdef enum:
    HALF_LIFE_FAMILIES = 2  # where the families of half-lives begin

cdef struct Grid:           # the instants of one sweep, ascending
    const int64_t* at
    int64_t count
    int64_t every           # between any two of them; 0: they differ
    double inverse          # 1 / every
    const Rate* rate        # of evenly spaced ones: what each rule keeps from instant to instant
    const Rate* fast        # and each sum of the momentum
    const Rate* slow
    const double* drift     # and the ratio behind it
    const ek_sweep_path* path

cdef struct Course:         # where a rule is: the marks below `next` are in
    int64_t first
    int64_t next
    int64_t last
    int64_t time            # what the sums are as of
    Run run                 # S(r) of a half-life or none, at evenly spaced instants
    Sum sum                 # at others; of ramps and windows the raw points still alive
    Sum left                # of ramps: raw * life left
    int64_t oldest          # of ramps and windows: the first mark still alive
    int64_t changes         # since the sums were last made anew
    double gross            # of ramps and windows: |raw| still alive
    double peak             # the most that was since


cdef inline int64_t tick_of(const Grid* grid, int64_t time, int64_t after) noexcept nogil:
    """The first instant that is not before `time`, none before `after`; `count` if all are."""
    cdef int64_t k, hi = grid.count, middle
    if after >= hi or time <= grid.at[after]:
        return after
    if time > grid.at[hi - 1]:
        return hi
    if grid.every:
        # guessed like a quotient in `fading`; the guess is off by little, and hardly ever where it falls between two
        k = min(<int64_t>(<double>(time - grid.at[0]) * grid.inverse) + 1, hi)
        while k < hi and grid.at[k] < time:
            k += 1
        while grid.at[k - 1] >= time:
            k -= 1
        return k
    k = after
    while k < hi:
        middle = (k + hi) // 2
        if grid.at[middle] < time:
            k = middle + 1
        else:
            hi = middle
    return k


cdef inline bint idle(const Course* course, const Mark* marks, int64_t upto) noexcept nogil:
    """Whether a rule has nothing before instant `upto`."""
    if course.next < course.last and marks[course.next].tick < upto:
        return False
    return (
        course.run.value + course.run.rest == 0
        and course.sum.value + course.sum.rest == 0
        and course.oldest == course.next
    )


cdef bint run_sum(
    const Plan* plan, const Grid* grid, const RuleSpec* rule, Course* course, const Mark* marks,
    int64_t a, int64_t b, double* into, bint plain
) noexcept nogil:
    """S(r) of a rule with a half-life or none, at the unevenly spaced instants `a` ... `b` - 1; False where it overflows.

    Into `into`, which begins at `a`: `plain` sets S(r), otherwise it is held at the cap and added. Invariant: the sum is
    exact as of the newest mark that is in, so however many instants there are, none is reached by more than one power
    of two from there. Cost: a power a mark and an instant.
    """
    cdef int64_t k = a, stop, i
    cdef double scale, value, factor, cap = INFINITY if plain else rule.cap
    cdef const Mark* mark
    while k < b:
        while course.next < course.last and marks[course.next].tick <= k:
            mark = marks + course.next
            if rule.decay == HALF_LIFE:
                factor = fading(mark.time - course.time, rule.span, rule.inverse)
                course.sum.value *= factor
                course.sum.rest *= factor
            add(&course.sum, mark.raw)
            course.time = mark.time
            course.next += 1
            course.oldest = course.next
        stop = b
        if course.next < course.last and marks[course.next].tick < stop:
            stop = marks[course.next].tick
        scale = course.sum.value + course.sum.rest
        if not fabs(scale) < INFINITY:
            return False
        if scale == 0:
            if plain:
                memset(into, 0, (stop - k) * sizeof(double))
        else:
            for i in range(stop - k):
                value = scale
                if rule.decay == HALF_LIFE:
                    value *= fading(grid.at[k + i] - course.time, rule.span, rule.inverse)
                into[i] = value if plain else into[i] + clip(value, cap)
        into += stop - k
        k = stop
    return True


cdef void sum_anew(const RuleSpec* rule, Course* course, const Mark* marks, int64_t at) noexcept nogil:
    """Sum what is alive at `at` of a ramp or window, oldest first."""
    cdef int64_t i
    memset(&course.sum, 0, sizeof(Sum))
    memset(&course.left, 0, sizeof(Sum))
    course.gross = 0.0
    for i in range(course.oldest, course.next):
        add(&course.sum, marks[i].raw)
        add(&course.left, marks[i].raw * <double>(rule.span - (at - marks[i].time)))
        course.gross += fabs(marks[i].raw)
    course.peak = course.gross
    course.changes = 0


cdef bint run_parts(
    const Grid* grid, const RuleSpec* rule, Course* course, const Mark* marks,
    int64_t a, int64_t b, double* into, bint plain
) noexcept nogil:
    """As `run_sum`, of a ramp or window.

    Two marks walk along, the oldest still alive and the next to come; the sums follow them. What rounding leaves in
    them is washed out: they are made anew after as many changes as there are marks alive (so that costs no more than
    the changes did), and as soon as almost everything that once was in them has gone.
    """
    cdef int64_t k = a, i, at
    cdef double value, cap = INFINITY if plain else rule.cap
    cdef const Mark* mark
    while k < b:
        at = grid.at[k]
        if course.oldest < course.next:
            if rule.decay == LINEAR:
                add(&course.left, -(course.sum.value + course.sum.rest) * <double>(at - course.time))
                course.changes += 1
            while course.oldest < course.next and at - marks[course.oldest].time >= rule.span:
                mark = marks + course.oldest
                add(&course.sum, -mark.raw)
                add(&course.left, -mark.raw * <double>(rule.span - (at - mark.time)))
                course.gross -= fabs(mark.raw)
                course.oldest += 1
                course.changes += 1
        course.time = at
        while course.next < course.last and marks[course.next].tick <= k:
            mark = marks + course.next
            course.next += 1
            if at - mark.time >= rule.span:
                course.oldest = course.next          # and so have all before it
                continue
            add(&course.sum, mark.raw)
            add(&course.left, mark.raw * <double>(rule.span - (at - mark.time)))
            course.gross += fabs(mark.raw)
            course.changes += 1
            if course.gross > course.peak:
                course.peak = course.gross
        if course.changes > course.next - course.oldest + 64 or 64 * course.gross < course.peak:
            sum_anew(rule, course, marks, at)
        if course.oldest == course.next:
            # nothing alive: on to the next mark
            sum_anew(rule, course, marks, at)
            i = b
            if course.next < course.last and marks[course.next].tick < b:
                i = marks[course.next].tick
            if plain:
                memset(into, 0, (i - k) * sizeof(double))
            into += i - k
            k = i
            continue
        value = course.sum.value + course.sum.rest
        if rule.decay == LINEAR:
            value = (course.left.value + course.left.rest) / <double>rule.span
        if not fabs(value) < INFINITY:
            return False
        into[0] = value if plain else into[0] + clip(value, cap)
        into += 1
        k += 1
    return True
