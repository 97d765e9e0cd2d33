# The way of a score down to the bound that it passes first, whoever evaluates it: its height is asked for where it should
# have come just below the bound, and from there a little before, until both sides of the passage are known. A score of
# positive terms is convex, so that no step from the left goes too far; one of both signs is known to come down through
# the bound once at most (see _wavering.pxi), so that wherever a step leads shows on which side of the passage that is.

cdef int MOST_STEPS = 200
cdef int MISLED = 8             # guesses that may fall short before the search leaps

cdef struct Height:         # the score at one instant and its derivatives by microseconds, the higher ones only where
    double score            # no cap cuts
    double first
    double second
    double third


cdef struct Way:
    int64_t lane            # whose it is
    int64_t lo              # not below the bound
    int64_t hi              # below it; INT64_MAX: not seen yet
    int64_t next            # where the score is asked for
    int64_t end
    bint paced              # at `end` the momentum passes a bound
    bint led_back
    int steps
    double bend             # no |s''| is greater; 0: no term is negative
    double leap             # of a search that was misled, before it is doubled
    double bound            # -INFINITY: none
    double least
    double score            # at `hi`
    Height height           # at `lo`


cdef inline double about_log(double x) noexcept nogil:
    """ln(x) as a step needs it: near 1, where most steps end, by its series, to nine digits."""
    cdef double z, z2
    if not 0.8 < x < 1.25:
        return log(x)
    z = (x - 1.0) / (x + 1.0)
    z2 = z * z
    return 2.0 * z * (1.0 + z2 * (1.0 / 3 + z2 * (1.0 / 5 + z2 * (1.0 / 7))))


cdef inline bint is_below(const Plan* plan, double score, double bound, double least) noexcept nogil:
    """Whether the engagement is below `least`, which the score `bound` reads; asked of it only where that is close."""
    if score < bound * (1.0 - 1e-9):
        return True
    return score < bound * (1.0 + 1e-9) and engagement_of(plan, score) < least


cdef double step_to(const Height* height, double bound) noexcept nogil:
    """About how long until the score comes down to `bound`: Householder's step of the third order for its logarithm.

    Newton's step, which falls short of where a convex curve passes, is the least it can be.
    """
    cdef double gap, one, two, three, above, below, whole
    if not height.first < 0:
        return INFINITY
    gap = about_log(height.score / bound)
    whole = 1.0 / height.score
    one = height.first * whole
    if height.second > 0:
        two = height.second * whole
        three = height.third * whole - 3.0 * one * two + 2.0 * one * one * one
        two -= one * one
        above = 6.0 * one * one - 3.0 * gap * two
        below = 6.0 * one * one * one - 6.0 * gap * one * two + gap * gap * three
        if below < 0 and above * one < below:
            return -gap * above / below
    return -gap / one


cdef inline void set_off_from(
    Way* way, int64_t begin, int64_t end, double bound, double least, const Height* here
) noexcept nogil:
    """Begin the way of a score of positive terms, where it is not below the bound."""
    way.lo = begin
    way.hi = INT64_MAX
    way.end = end
    way.paced = False
    way.steps = 0
    way.bend = way.leap = 0.0
    way.bound = bound
    way.least = least
    way.height = here[0]


cdef bint next_step(const Plan* plan, Way* way) noexcept nogil:
    """Choose where the score is asked for next, from below the bound's instant as far as is known; False: it takes too long."""
    cdef double step = step_to(&way.height, way.bound) if way.bound > 0 and way.height.score > 0 else INFINITY
    cdef bint misled = way.bend > 0 and way.steps >= MISLED
    way.led_back = False
    way.steps += 1
    if not step >= 0:
        step = 0.0
    if way.bend > 0 and way.bound > 0 and way.hi == INT64_MAX and (misled or step == INFINITY):
        way.leap *= 2.0
        step = way.leap if way.leap > step or step == INFINITY else step
    way.next = way.lo + <int64_t>step + SHORTEST // 4 if step < <double>(way.end - way.lo) else way.end
    if way.next >= way.hi or (misled and way.hi != INT64_MAX):
        way.next = way.lo + (way.hi - way.lo) // 2
    if way.next > way.end:
        way.next = way.end
    return way.steps < MOST_STEPS


cdef inline bint just_below(const Way* way, const Height* there, double step) noexcept nogil:
    """Whether the score that is below the bound at `hi` was not so half a second before; `step`: the tangent's.

    The tangent of a convex curve lies below it: led back, it comes to the bound before the curve does, so what it shows
    to be near is near. Of another curve so little of the slope can have turned in that time.
    """
    cdef double back = <double>SHORTEST
    if way.hi - way.lo <= SHORTEST:
        return True
    if way.bend > 0:
        return there.score - there.first * back - way.bend * back * back > way.bound * (1.0 + 1e-12)
    return step <= back


cdef bint arrived(const Plan* plan, Way* way, const Height* there, int64_t* found) noexcept nogil:
    """Take the height at `way.next`; whether it is now known where the way ends.

    Invariant: at `lo` the score is not below the bound, at `hi` it is. `found` is the instant when it is first seen
    there, at most half a second late, or the end where the momentum passes a bound; NEVER where neither happens up to
    the end, INT64_MAX where it took too long to tell.
    """
    cdef double step
    if not is_below(plan, there.score, way.bound, way.least):
        if way.next == way.end:
            found[0] = way.end if way.paced else NEVER
            way.score = there.score
            return True
        way.lo = way.next
        way.height = there[0]
    else:
        way.hi = way.next
        way.score = there.score
        if not way.led_back:
            step = INFINITY
            if there.first < 0 and way.bend > 0:
                step = (there.score - way.bound) / there.first
            elif there.first < 0 and there.score > 0:
                step = about_log(way.bound / there.score) * there.score / -there.first
            if just_below(way, there, step):
                found[0] = way.hi
                return True
            way.led_back = True
            way.next = way.lo + (way.hi - way.lo) // 2
            if step < <double>(way.hi - way.lo - SHORTEST):
                way.next = way.hi - <int64_t>step - SHORTEST // 4
            return False
    if way.hi != INT64_MAX and way.hi - way.lo <= SHORTEST:
        found[0] = way.hi
        return True
    if next_step(plan, way):
        return False
    found[0] = INT64_MAX
    return True
