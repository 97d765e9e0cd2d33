# Frames of events that are all there is to know of them: no limit, ramp, absence, repeat, exclusion, id or content asks
# for them again. Contacts are dealt out to some threads, which know nothing of Python and are awaited before anybody
# else may look: the caller keeps the GIL. Each contact is taken in by one thread, event by event, so that the same rows
# give the same bits however many there are.

from cpython.pythread cimport PyThread_acquire_lock, PyThread_allocate_lock, PyThread_free_lock, PyThread_release_lock
from cpython.pythread cimport PyThread_start_new_thread, PyThread_type_lock, WAIT_LOCK

cdef enum:
    MOST_SHARES = 64
    EVENTS_OF_SHARE = 65536     # below which a thread costs more than it saves
    CONTACTS_AHEAD = 8

cdef struct Share:              # the contacts of one thread
    const Plan* plan            # of the frame
    Terms terms                 # of the live state, with a queue and counts of its own
    const Layout* layout
    uint8_t** blocks
    const int32_t* alias
    const int32_t* contacts     # by contact of the frame its code; so on
    const int32_t* classes
    const int32_t* types
    int64_t first
    int64_t last
    PyThread_type_lock done     # NULL: it is taken in by the caller


cdef inline Head* head_of(const Share* share, int64_t contact) noexcept nogil:
    cdef int64_t row = share.contacts[contact]
    if share.alias is not NULL:
        row = share.alias[row]
    return <Head*>(share.blocks[row // ROWS] + (row % ROWS) * share.layout.size)


cdef inline bint is_constant(const RuleSpec* rule) noexcept nogil:
    """Whether all events are worth the same to a rule."""
    return rule.amount < 0 and rule.weights_first == rule.weights_last


cdef void take_share(Share* share) noexcept nogil:
    """Take in a share's events. Cost: some nanoseconds each, a row's memory each contact. Allocates nothing."""
    cdef const Plan* plan = share.plan
    cdef const int64_t* start = plan.start
    cdef const int64_t* times = plan.time
    cdef const int32_t* plain_start = plan.plain_start
    cdef const int32_t* plain_rule = plan.plain_rule
    cdef Terms* terms = &share.terms
    cdef const RuleSpec* rule
    cdef State row
    cdef int64_t c, i, j, unmatched = 0
    cdef int32_t k
    for c in range(share.first, share.last):
        if c + CONTACTS_AHEAD < share.last:
            ask_for(share.layout, head_of(share, c + CONTACTS_AHEAD))
        open_row(share.layout, head_of(share, c), &row)
        if start[c] < start[c + 1]:
            row.head.newest = max(row.head.newest, times[start[c + 1] - 1])
        for i in range(start[c], start[c + 1]):
            k = code_at(plan.event_class, plan.class_width, i)
            unmatched += not plan.flags[k] & READ
            note(
                terms, &row, plan.flags[k], share.classes[k], times[i],
                share.types[code_at(plan.type, plan.type_width, i)],
            )
            for j in range(plain_start[k], plain_start[k + 1]):
                rule = plan.rule + plain_rule[j]
                deposit(
                    plan, terms.queue, row.head, plain_rule[j], times[i],
                    rule.points if is_constant(rule) else raw_points(plan, rule, i, &terms.null_amounts),
                )
    terms.unmatched += unmatched
    flush_deposits(plan, terms.queue)


cdef void take_and_tell(void* given) noexcept nogil:
    cdef Share* share = <Share*>given
    cdef PyThread_type_lock done = share.done
    take_share(share)
    PyThread_release_lock(done)


cdef void share_out(Share* shares, int64_t count) noexcept:
    """Take all shares in, each by a thread where there is one to be had, the first by the caller."""
    cdef int64_t n
    for n in range(1, count):
        shares[n].done = PyThread_allocate_lock()
        if shares[n].done is NULL:
            continue
        PyThread_acquire_lock(shares[n].done, WAIT_LOCK)
        if <unsigned long>PyThread_start_new_thread(take_and_tell, &shares[n]) == <unsigned long>-1:
            PyThread_release_lock(shares[n].done)
            PyThread_free_lock(shares[n].done)
            shares[n].done = NULL
    for n in range(count):
        if shares[n].done is NULL:
            take_share(&shares[n])
    for n in range(1, count):
        if shares[n].done is not NULL:
            PyThread_acquire_lock(shares[n].done, WAIT_LOCK)
            PyThread_release_lock(shares[n].done)
            PyThread_free_lock(shares[n].done)
