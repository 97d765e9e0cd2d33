# Rows as bytes and back: little-endian, of a format of their own, so that a file outlives the structs in memory.
#
# A row is its numbers one after the other, then its records, then what waits. Reading checks every count against what
# is left before it asks for memory.

cdef struct Tape:           # bytes that are written or read from beginning to end
    uint8_t* bytes
    int64_t used
    int64_t room
    bint failed


cdef inline void put_word(Tape* tape, uint64_t word) noexcept nogil:
    cdef uint8_t* moved
    cdef int64_t room
    cdef int j
    if tape.used + 8 > tape.room:
        room = 2 * tape.room + 4096
        moved = <uint8_t*>realloc(tape.bytes, room)
        if moved is NULL:
            tape.failed = True
            return
        tape.bytes = moved
        tape.room = room
    for j in range(8):
        tape.bytes[tape.used + j] = <uint8_t>(word >> (8 * j))
    tape.used += 8


cdef inline void put_long(Tape* tape, int64_t x) noexcept nogil:
    put_word(tape, <uint64_t>x)


cdef inline void put_double(Tape* tape, double x) noexcept nogil:
    cdef uint64_t word
    memcpy(&word, &x, 8)
    put_word(tape, word)


cdef inline uint64_t next_word(Tape* tape) noexcept nogil:
    cdef uint64_t word = 0
    cdef int j
    if tape.used + 8 > tape.room:
        tape.failed = True
        return 0
    for j in range(8):
        word |= <uint64_t>tape.bytes[tape.used + j] << (8 * j)
    tape.used += 8
    return word


cdef inline int64_t next_long(Tape* tape) noexcept nogil:
    return <int64_t>next_word(tape)


cdef inline double next_double(Tape* tape) noexcept nogil:
    cdef uint64_t word = next_word(tape)
    cdef double x
    memcpy(&x, &word, 8)
    return x


cdef inline bint is_instant(int64_t time) noexcept nogil:
    """Whether a time is one that an event can have: sums go by how many half-lives it is from others."""
    return FIRST_INSTANT <= time <= LAST_INSTANT


cdef inline int64_t next_instant(Tape* tape, int64_t never) noexcept nogil:
    """A time that an event can have, or what stands for none; another makes the tape fail."""
    cdef int64_t time = next_long(tape)
    if time != never and not is_instant(time):
        tape.failed = True
    return time


cdef inline int64_t next_count(Tape* tape, int64_t size) noexcept nogil:
    """A count of things of that many bytes each, all of which have to be there."""
    cdef int64_t count = next_long(tape)
    if count < 0 or count > (tape.room - tape.used) // size:
        tape.failed = True
        return 0
    return count


cdef void write_row(const Terms* terms, const State* row, Tape* tape) noexcept nogil:
    cdef const Head* head = row.head
    cdef const Record* record
    cdef const Pending* pending
    cdef int64_t j, points, count = 0
    put_long(tape, head.newest)
    put_long(tape, head.events)
    put_long(tape, head.first)
    put_long(tape, head.last)
    put_long(tape, head.landmark)
    put_long(tape, head.mark)
    put_double(tape, head.fast)
    put_double(tape, head.slow)
    put_long(tape, head.last_type)
    put_long(tape, head.flags)
    for j in range(terms.plan.rules):
        put_double(tape, row.sums[j].value)
        put_double(tape, row.sums[j].rest)
    if row.lifecycle is not NULL:
        for j in range(3):
            put_long(tape, row.lifecycle[j])
    if row.verdicts is not NULL:
        for j in range(3):
            put_long(tape, row.verdicts[j])
    for j in range(terms.words):
        put_word(tape, row.had[j])
    put_long(tape, head.extra.count if head.extra is not NULL else 0)
    if head.extra is not NULL:
        for j in range(head.extra.count):
            record = head.extra.records + j
            put_long(tape, record.time)
            put_long(tape, record.by)
            put_double(tape, record.raw)
            put_long(tape, record.listed)
            put_long(tape, record.state)
        pending = head.extra.pending
        while pending is not NULL:
            count += 1
            pending = pending.next
    put_long(tape, count)
    if count == 0:
        return
    pending = head.extra.pending
    while pending is not NULL:
        points = points_of(terms.plan, pending.event_class)
        put_long(tape, pending.time)
        put_long(tape, pending.id)
        put_long(tape, pending.event_class)
        put_long(tape, pending.type)
        put_long(tape, pending.content)
        put_long(tape, pending.waiting)
        put_long(tape, pending.named)
        put_long(tape, pending.nulls)
        for j in range(points + terms.columns):
            put_word(tape, (<const uint64_t*>(pending + 1))[j])
        pending = pending.next


cdef bint read_row(Terms* terms, State* row, int64_t types, Tape* tape) noexcept nogil:
    """Read a row; returns whether it makes sense (where not, what has been read is in the row all the same)."""
    cdef Head* head = row.head
    cdef Record* record
    cdef Pending* pending
    cdef Extra* extra
    cdef int64_t j, k, count, points
    head.newest = next_instant(tape, NEVER)
    head.events = next_long(tape)
    head.first = next_instant(tape, NEVER)
    head.last = next_instant(tape, NEVER)
    head.landmark = next_instant(tape, 0)
    head.mark = next_instant(tape, 0)
    head.fast = next_double(tape)
    head.slow = next_double(tape)
    head.last_type = <int32_t>next_long(tape)
    head.flags = <int32_t>next_long(tape)
    if head.events < 0 or not -1 <= head.last_type < types:
        return False
    if (head.events > 0) != (head.last_type >= 0) or (head.events > 0) != (head.last != NEVER):
        return False
    if (head.first == NEVER) != (head.last == NEVER) or head.first > head.last or head.last > head.newest:
        return False
    for j in range(terms.plan.rules):
        row.sums[j].value = next_double(tape)
        row.sums[j].rest = next_double(tape)
    if row.lifecycle is not NULL:
        for j in range(3):
            row.lifecycle[j] = next_instant(tape, NEVER if j else INT64_MAX)
    if row.verdicts is not NULL:
        for j in range(3):
            row.verdicts[j] = next_instant(tape, NEVER)
    for j in range(terms.words):
        row.had[j] = next_word(tape)
    count = next_count(tape, 40)
    if count:
        head.extra = <Extra*>calloc(1, sizeof(Extra))
        if head.extra is NULL or record_room(head.extra, count) is NULL:
            return False
        for j in range(count):
            record = head.extra.records + j
            record.time = next_instant(tape, 0)
            record.by = next_long(tape)
            record.raw = next_double(tape)
            record.listed = <int32_t>next_long(tape)
            record.state = <int32_t>next_long(tape)
            if not 0 <= record.listed <= terms.ids:
                return False
            head.extra.count = j + 1
    count = next_count(tape, 64)
    for k in range(count):
        if head.extra is NULL:
            head.extra = <Extra*>calloc(1, sizeof(Extra))
            if head.extra is NULL:
                return False
        if tape.used + 64 > tape.room:
            return False
        tape.used += 16
        j = next_long(tape)
        tape.used -= 24
        if not 0 <= j < terms.plan.classes:
            return False
        points = points_of(terms.plan, <int32_t>j) + terms.columns
        if tape.used + 64 + 8 * points > tape.room:
            return False
        pending = <Pending*>malloc(sizeof(Pending) + points * sizeof(double))
        if pending is NULL:
            return False
        pending.time = next_instant(tape, 0)
        pending.id = next_long(tape)
        pending.event_class = <int32_t>next_long(tape)
        pending.type = <int32_t>next_long(tape)
        pending.content = <int32_t>next_long(tape)
        pending.waiting = <int32_t>next_long(tape)
        pending.named = <int32_t>next_long(tape)
        pending.nulls = <int32_t>next_long(tape)
        for j in range(points):
            (<uint64_t*>(pending + 1))[j] = next_word(tape)
        pending.next = head.extra.pending
        head.extra.pending = pending
        if not 0 <= pending.type < types or not -1 <= pending.content < 64 * terms.words:
            return False
    return not tape.failed
