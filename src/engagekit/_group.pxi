# Grouping: events of one contact side by side, in order of (time, row).

ctypedef fused row_t:
    uint32_t
    uint64_t

cdef struct Stamp:
    int64_t time
    uint64_t row

cdef struct Twin:           # what decides which of the events with one id counts
    int64_t id
    int64_t time
    double value
    int64_t rank
    int64_t place


cdef int64_t RUN = 16


cdef void sort_stamps(Stamp* stamps, Stamp* spare, int64_t n) noexcept nogil:
    """Sort by time, equal times in the order in which they stand: insertion within runs, then merging run with run.

    Cost: n log n comparisons at most, n where the runs already follow each other. `spare` has room for n.
    """
    cdef int64_t first, last, i, j, width = RUN, middle, left, right
    cdef Stamp stamp
    cdef Stamp* source = stamps
    cdef Stamp* target = spare
    cdef Stamp* swap
    for first from 0 <= first < n by RUN:
        last = first + RUN if first + RUN < n else n
        for i in range(first + 1, last):
            stamp = stamps[i]
            j = i
            while j > first and stamps[j - 1].time > stamp.time:
                stamps[j] = stamps[j - 1]
                j -= 1
            stamps[j] = stamp
    while width < n:
        first = 0
        while first < n:
            middle = first + width if first + width < n else n
            last = middle + width if middle + width < n else n
            if middle == last or source[middle - 1].time <= source[middle].time:
                memcpy(target + first, source + first, (last - first) * sizeof(Stamp))
            else:
                left, right = first, middle
                for i in range(first, last):
                    if right == last or (left < middle and source[left].time <= source[right].time):
                        target[i] = source[left]
                        left += 1
                    else:
                        target[i] = source[right]
                        right += 1
            first = last
        swap = source
        source = target
        target = swap
        width *= 2
    if source != stamps:
        memcpy(stamps, source, n * sizeof(Stamp))


cdef int by_id_and_time(const void* left, const void* right) noexcept nogil:
    cdef const Twin* a = <const Twin*>left
    cdef const Twin* b = <const Twin*>right
    if a.id != b.id:
        return -1 if a.id < b.id else 1
    if a.time != b.time:
        return -1 if a.time < b.time else 1
    if a.rank != b.rank:
        return -1 if a.rank < b.rank else 1
    if fabs(a.value) != fabs(b.value):
        return -1 if fabs(a.value) > fabs(b.value) else 1
    if a.value != b.value:
        return -1 if a.value > b.value else 1
    return -1 if a.place < b.place else 1


def group(
    const int32_t[::1] codes,
    const int64_t[::1] times,
    int64_t[::1] starts,
    int64_t[::1] grouped,
    row_t[::1] rows,
):
    """Sort rows by (contact, time, row): a counting sort by contact, then each contact's by time where needed.

    `starts` (contacts + 1) becomes the first place of each contact's rows; `grouped` and `rows` (as long as `codes`)
    the times and the original rows in the new order. Cost: linear where a contact's events already come in order of
    time, n log n within the contacts where they do not. Memory: twice the largest contact's stamps.
    """
    cdef int64_t n = codes.shape[0], contacts = starts.shape[0] - 1, i, c, lo, hi, place, most = 0
    cdef bint ordered
    cdef Stamp* stamps = NULL
    if times.shape[0] != n or rows.shape[0] != n or grouped.shape[0] != n:
        raise ValueError("codes, times, grouped and rows differ in length")
    with nogil:
        for c in range(contacts + 1):
            starts[c] = 0
        for i in range(n):
            starts[codes[i] + 1] += 1
        for c in range(contacts):
            if starts[c + 1] > most:
                most = starts[c + 1]
            starts[c + 1] += starts[c]
        # each start walks to the end of its contact's rows, then all are moved back by one
        for i in range(n):
            if i + AHEAD < n:
                # what the row will be written to, but for the contact's rows in between
                place = starts[codes[i + AHEAD]]
                ek_prefetch(&grouped[0] + place)
                ek_prefetch(&rows[0] + place)
            place = starts[codes[i]]
            starts[codes[i]] = place + 1
            grouped[place] = times[i]
            rows[place] = <row_t>i
        for c in range(contacts, 0, -1):
            starts[c] = starts[c - 1]
        starts[0] = 0
        stamps = <Stamp*>malloc(2 * most * sizeof(Stamp) + 1)
    if stamps is NULL:
        raise MemoryError
    with nogil:
        for c in range(contacts):
            lo, hi = starts[c], starts[c + 1]
            ordered = True
            for i in range(lo + 1, hi):
                if grouped[i] < grouped[i - 1]:
                    ordered = False
                    break
            if ordered:
                continue
            for i in range(lo, hi):
                stamps[i - lo].time = grouped[i]
                stamps[i - lo].row = rows[i]
            sort_stamps(stamps, stamps + most, hi - lo)
            for i in range(lo, hi):
                grouped[i] = stamps[i - lo].time
                rows[i] = <row_t>stamps[i - lo].row
        free(stamps)


def duplicates(
    const int64_t[::1] starts,
    const int64_t[::1] times,
    const int32_t[::1] ids,
    const int32_t[::1] ranks,
    const double[::1] values,
    uint8_t[::1] keep,
):
    """Mark what counts: of one contact's events with one id the earliest; equal times: see `by_id_and_time`.

    Everything is in grouped order; `ids` are codes with -1 for null, `ranks` the alphabetic rank of the type. Returns
    how many events are to be dropped.
    """
    cdef int64_t contacts = starts.shape[0] - 1, c, i, lo, hi, most = 0, m, dropped = 0
    cdef Twin* twins
    for c in range(contacts):
        most = max(most, starts[c + 1] - starts[c])
    twins = <Twin*>malloc(most * sizeof(Twin) + 1)
    if twins is NULL:
        raise MemoryError
    with nogil:
        for c in range(contacts):
            lo, hi = starts[c], starts[c + 1]
            m = 0
            for i in range(lo, hi):
                keep[i] = 1
                if ids[i] >= 0:
                    twins[m].id = ids[i]
                    twins[m].time = times[i]
                    twins[m].rank = ranks[i]
                    twins[m].value = values[i] if not isnan(values[i]) else 0.0
                    twins[m].place = i
                    m += 1
            if m < 2:
                continue
            qsort(twins, m, sizeof(Twin), by_id_and_time)
            for i in range(1, m):
                if twins[i].id == twins[i - 1].id:
                    keep[twins[i].place] = 0
                    dropped += 1
        free(twins)
    return dropped
