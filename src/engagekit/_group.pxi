# Grouping: events of one contact side by side, in order of (time, row).

cdef struct Stamp:
    int64_t time
    int64_t place

cdef struct Twin:           # what decides which of the events with one id counts
    int64_t id
    int64_t time
    double value
    int64_t rank
    int64_t place


cdef int64_t RUN = 16
cdef int64_t UNSEEN = 1048576       # stamps between two looks for a signal, some milliseconds


cdef enum Going:
    GOING
    STOPPED                 # another thread says so
    RAISED                  # a signal's handler did


@cython.final
cdef class Halt:
    """Lets calls in other threads end soon, their work half done."""

    cdef volatile bint asked

    def ask(self):
        """Let them end."""
        self.asked = True


cdef inline Going going(const volatile bint* asked) noexcept nogil:
    """Whether to go on; looks for signals too, so it is asked after some milliseconds of work."""
    if asked[0]:
        return STOPPED
    with gil:
        return RAISED if check_signals() < 0 else GOING


cdef Going sort_stamps(Stamp* stamps, Stamp* spare, int64_t n, const volatile bint* asked) noexcept nogil:
    """Sort by time, equal times in the order in which they stand: insertion within runs, then merging run with run.

    Cost: n log n comparisons at most, n where the runs already follow each other. `spare` has room for n.
    """
    cdef int64_t first, last, upto, i, j, width = RUN, middle, left, right, unchecked = 0
    cdef Going state
    cdef Stamp stamp
    cdef Stamp* source = stamps
    cdef Stamp* target = spare
    cdef Stamp* swap
    for first from 0 <= first < n by RUN:
        last = first + RUN if first + RUN < n else n
        unchecked += RUN
        if unchecked >= UNSEEN:
            unchecked = 0
            state = going(asked)
            if state != GOING:
                return state
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
                left, right, upto = first, middle, first
                while upto < last:
                    i = upto
                    upto = last if last - upto < UNSEEN else upto + UNSEEN
                    for i in range(i, upto):
                        if right == last or (left < middle and source[left].time <= source[right].time):
                            target[i] = source[left]
                            left += 1
                        else:
                            target[i] = source[right]
                            right += 1
                    if upto < last:
                        unchecked = UNSEEN
                        state = going(asked)
                        if state != GOING:
                            return state
            unchecked += last - first
            if unchecked >= UNSEEN:
                unchecked = 0
                state = going(asked)
                if state != GOING:
                    return state
            first = last
        swap = source
        source = target
        target = swap
        width *= 2
    if source != stamps:
        memcpy(stamps, source, n * sizeof(Stamp))
    return GOING


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


cdef extern from "_simd.h" nogil:
    int ek_span(const int64_t* time, int64_t n, int64_t* least, int64_t* most)


def span_of(const int64_t[::1] times):
    """Return the least and the greatest of some instants (0, 0 of none) and whether none is before its predecessor.

    The last is of no use where an instant is beyond the years that are allowed.
    """
    cdef int64_t least = 0, most = 0, n = times.shape[0]
    cdef bint falls = False
    if n:
        with nogil:
            falls = ek_span(&times[0], n, &least, &most)
    return least, most, not falls


def count_rows(const int32_t[::1] codes, uint32_t[::1] counts):
    """Count how many rows each contact has."""
    cdef int64_t i
    with nogil:
        for i in range(codes.shape[0]):
            counts[codes[i]] += 1


def count_words(const uint32_t[::1] words, uint32_t[::1] counts, int64_t[::1] fresh, int64_t known):
    """Count how many rows each word has, by index; return how many words are known then.

    Those that had no row yet are noted in `fresh`, from `known` on: there they are in order of first appearance.
    """
    cdef int64_t i, count = counts.shape[0]
    cdef uint32_t word
    cdef bint broken = False
    if not 0 <= known <= fresh.shape[0] or fresh.shape[0] - known < min(words.shape[0], count - known):
        raise ValueError("fresh is too short")
    with nogil:
        for i in range(words.shape[0]):
            word = words[i]
            if word >= count:
                broken = True
                break
            if counts[word] == 0:
                fresh[known] = word
                known += 1
            counts[word] += 1
    if broken:
        raise ValueError("expected indices of words")
    return known


def place_blocks(uint32_t[:, ::1] counts, int64_t[::1] starts, const int64_t[::1] order=None):
    """Turn the counts of some blocks of rows (blocks x contacts) into where each block's first row of a contact goes.

    `starts` (contacts + 1) becomes the first place of each contact's rows. With an `order` contacts go in that, and
    only those that are in it.
    """
    cdef int64_t blocks = counts.shape[0], contacts = starts.shape[0] - 1, b, c, column
    cdef uint32_t place = 0, count
    cdef bint given = order is not None
    if (order.shape[0] if given else counts.shape[1]) != contacts:
        raise ValueError("counts and starts differ in length")
    with nogil:
        for c in range(contacts):
            column = order[c] if given else c
            starts[c] = place
            for b in range(blocks):
                count = counts[b, column]
                counts[b, column] = place
                place += count
        starts[contacts] = place


def place_rows(
    const int32_t[::1] codes,
    const int64_t[::1] times,
    types,
    int64_t first,
    uint32_t[::1] places,
    int64_t[::1] grouped,
    grouped_types,
    uint32_t[::1] rows,
):
    """Write the rows of a block to where `places` (by contact) says, which moves on; `first` is the first's number.

    Stable: rows of one contact stay in their order. `types` are uint8, uint16 or int32; `rows` (None: not asked for)
    gets the rows' numbers. Cost: linear, three writes to memory a row.
    """
    cdef int64_t i, n = codes.shape[0]
    cdef uint32_t place, width = types.itemsize
    cdef const uint8_t[::1] type_bytes = types.view("u1")
    cdef uint8_t[::1] grouped_bytes = grouped_types.view("u1")
    cdef const uint8_t* source = &type_bytes[0] if n else NULL
    cdef uint8_t* target = &grouped_bytes[0] if n else NULL
    cdef bint numbered = rows is not None
    if times.shape[0] != n or type_bytes.shape[0] != n * width or grouped_types.itemsize != width:
        raise ValueError("codes, times and types differ in length or width")
    if grouped_bytes.shape[0] != grouped.shape[0] * width or (numbered and rows.shape[0] != grouped.shape[0]):
        raise ValueError("grouped times, types and rows differ in length")
    with nogil:
        for i in range(n):
            if i + 2 * AHEAD < n:
                # first where a row goes, then, read half way, what it is written to, but for the contact's rows between
                ek_prefetch(&places[codes[i + 2 * AHEAD]])
                place = places[codes[i + AHEAD]]
                ek_prefetch_written(&grouped[0] + place)
                ek_prefetch_written(target + place * width)
                if numbered:
                    ek_prefetch_written(&rows[0] + place)
            place = places[codes[i]]
            places[codes[i]] = place + 1
            grouped[place] = times[i]
            if width == 1:
                target[place] = source[i]
            elif width == 2:
                (<uint16_t*>target)[place] = (<const uint16_t*>source)[i]
            else:
                (<int32_t*>target)[place] = (<const int32_t*>source)[i]
            if numbered:
                rows[place] = <uint32_t>(first + i)


def sort_times(
    const int64_t[::1] starts, int64_t first, int64_t last, int64_t[::1] times, types, uint32_t[::1] rows, Halt halt not None
):
    """Put the events of the contacts `first` ... `last` - 1 in order of time, where they are not; stable.

    Cost: linear where they are, n log n within the contacts where they are not. Memory: five times the largest
    unordered contact's times. Where `halt` is asked for, it ends soon, the rows of a contact out of order.
    """
    cdef int64_t c, i, lo, hi, n, room = 0
    cdef uint32_t width = types.itemsize
    cdef uint8_t[::1] type_bytes = types.view("u1")
    cdef uint8_t* type_of = &type_bytes[0] if type_bytes.shape[0] else NULL
    cdef bint numbered = rows is not None, ordered, failed = False
    cdef Going state = GOING
    cdef Stamp* stamps = NULL
    cdef uint32_t* spare
    cdef void* moved
    with nogil:
        for c in range(first, last):
            lo, hi = starts[c], starts[c + 1]
            ordered = True
            for i in range(lo + 1, hi):
                if times[i] < times[i - 1]:
                    ordered = False
                    break
            if ordered:
                continue
            n = hi - lo
            if n > room:
                moved = larger(stamps, &room, n, 2 * sizeof(Stamp))
                if moved is NULL:
                    failed = True
                    break
                stamps = <Stamp*>moved
            for i in range(n):
                if i & (UNSEEN - 1) == UNSEEN - 1:
                    state = going(&halt.asked)
                    if state != GOING:
                        break
                stamps[i].time = times[lo + i]
                stamps[i].place = i
            if state != GOING:
                break
            state = sort_stamps(stamps, stamps + n, n, &halt.asked)
            if state != GOING:
                break
            spare = <uint32_t*>(stamps + n)
            for i in range(n):
                times[lo + i] = stamps[i].time
            if width == 1:
                memcpy(spare, type_of + lo, n)
                for i in range(n):
                    type_of[lo + i] = (<uint8_t*>spare)[stamps[i].place]
            elif width == 2:
                memcpy(spare, type_of + 2 * lo, 2 * n)
                for i in range(n):
                    (<uint16_t*>type_of)[lo + i] = (<uint16_t*>spare)[stamps[i].place]
            else:
                memcpy(spare, type_of + 4 * lo, 4 * n)
                for i in range(n):
                    (<int32_t*>type_of)[lo + i] = (<int32_t*>spare)[stamps[i].place]
            if numbered:
                memcpy(spare, &rows[lo], 4 * n)
                for i in range(n):
                    rows[lo + i] = spare[stamps[i].place]
        free(stamps)
    if failed:
        raise MemoryError
    if state == RAISED:
        raise_again()


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
