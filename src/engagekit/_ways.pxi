# The way of a score down to the bound that it passes first; what is done with a height stands in _descent.h.

cdef extern from "_descent.h" nogil:
    ctypedef struct ek_way:
        double t
        double end
        double paced
        double bound
        double least
        double bend
        double leap
        double hi
        double reached
        double arrived
        double found

    void ek_go_on(ek_way* way, double score, double first, double second, double third, double low)

cdef int MOST_STEPS = 200

cdef struct Height:         # the score at one instant and its derivatives by microseconds, the higher ones only where
    double score            # no cap cuts
    double first
    double second
    double third


cdef inline bint is_below(const Plan* plan, double score, double bound, double least) noexcept nogil:
    """Whether the engagement is below `least`, which the score `bound` reads; asked of it only where that is close."""
    if score < bound * (1.0 - 1e-9):
        return True
    return score < bound * (1.0 + 1e-9) and engagement_of(plan, score) < least


cdef inline void set_off_from(ek_way* way, double length, double bound, double least) noexcept nogil:
    """Begin the way of a score of positive terms, not below the bound, up to `length` microseconds from there."""
    memset(way, 0, sizeof(ek_way))
    way.end = length
    way.bound = bound
    way.least = least
    way.hi = INFINITY


cdef inline void go_on(const Plan* plan, ek_way* way, const Height* there) noexcept nogil:
    """Take the height at `way.t`."""
    cdef bint low = is_below(plan, there.score, way.bound, way.least)
    ek_go_on(way, there.score, there.first, there.second, there.third, low)


cdef inline int64_t ending(const ek_way* way, int64_t begin, double* score) noexcept nogil:
    """When the score is first seen below the bound, at most half a second late, and what it is then.

    NEVER: not up to the end; INT64_MAX: it took too long to tell.
    """
    score[0] = way.reached
    if way.arrived == 0:
        return INT64_MAX
    return begin + <int64_t>way.found if way.found >= 0 else NEVER
