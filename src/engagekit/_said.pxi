# What was said of a contact and to it: sales' verdicts, and the contents that it has had. Read apart from points, so
# that a model without them pays nothing.

cdef enum:              # what a class of events is for the stage
    ACCEPTED = 1
    QUALIFIED = 2
    REJECTED = 4


cdef inline void hear(uint8_t flags, int64_t time, int64_t* back, uint8_t* said) noexcept nogil:
    """Take a verdict at `time`, not before the last one: a rejection undoes what was said up to its instant."""
    if flags & REJECTED:
        back[0] = time
        said[0] = 0
    elif back[0] != time:
        said[0] |= flags


def hear_of(
    Scorer scorer not None,
    const uint8_t[::1] verdicts,
    const int32_t[::1] contents,
    const int64_t[::1] starts,
    const int64_t[::1] contacts,
    const int64_t[::1] at,
    const int64_t[::1] places,
    int64_t first,
    int64_t last,
    int64_t[::1] rejected,
    uint8_t[::1] said,
    uint64_t[:, ::1] had,
):
    """Follow the contacts `first` ... `last` - 1 through their instants, those from `starts[i]` to `starts[i + 1]`.

    `verdicts` has, by class, what an event says (1 accepted, 2 qualified, 4 rejected); `contents`, by event, the content
    that it brought (-1: none) or is empty. The instants of one contact (-1: one without events) ascend. To the places
    `places[j]` go the last rejection (NEVER: none), what was said after it, and a bit for each content had.

    Invariant: up to an instant an event is looked at once, excluded ones aside. Cost: some nanoseconds an event, and the
    words of `had` a row. Allocates one row of them. Runs without the GIL; contacts of several calls must not overlap.
    """
    cdef const Plan* plan = &scorer.plan
    cdef int64_t c = first, i, j, end, words = had.shape[1], back, work
    cdef int32_t k
    cdef uint8_t heard
    cdef bint brought = contents.shape[0] > 0
    cdef uint64_t* seen = <uint64_t*>calloc(words + 1, sizeof(uint64_t))
    if seen is NULL:
        raise MemoryError
    try:
        while c < last and not scorer.stopped:
            work = 0
            with nogil:
                while c < last and work < BETWEEN_SIGNALS:
                    i = plan.start[contacts[c]] if contacts[c] >= 0 else 0
                    end = plan.start[contacts[c] + 1] if contacts[c] >= 0 else 0
                    work += 16 + end - i + (starts[c + 1] - starts[c]) * (1 + words)
                    back = NEVER
                    heard = 0
                    memset(seen, 0, words * sizeof(uint64_t))
                    for j in range(starts[c], starts[c + 1]):
                        while i < end and plan.time[i] <= at[j]:
                            k = code_at(plan.event_class, plan.class_width, i)
                            if k >= 0 and verdicts[k]:
                                hear(verdicts[k], plan.time[i], &back, &heard)
                            if k >= 0 and brought and contents[i] >= 0:
                                seen[contents[i] >> 6] |= <uint64_t>1 << (contents[i] & 63)
                            i += 1
                        rejected[places[j]] = back
                        said[places[j]] = heard
                        if words:
                            memcpy(&had[places[j], 0], seen, words * sizeof(uint64_t))
                    c += 1
            PyErr_CheckSignals()
    finally:
        free(seen)
