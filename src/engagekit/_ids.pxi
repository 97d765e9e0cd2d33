# Coding: an id becomes its number in order of first appearance (0, 1, 2, ...), a null becomes -1.
#
# Open addressing in lines of memory: an id stands in the line that the upper bits of its hash name, or where that was full
# in the next that was not. All slots of a line are compared at once: which of them it is cannot be foretold, and to
# guess wrong costs more than to look. At the load where a table grows (three fifths of 5 slots, five eighths of 4), one
# line in ten is full. Cost: expected constant an id, whatever the ids, since the hash is keyed (see _hash.h). A table
# twice as large has every id at twice its place or next to it: growing reads and writes memory from end to end.
#
# Threads share one table. They only look up, each in its own rows, and note which ids they miss; one thread then adds
# these in the order of the rows (`find`, `add`; `waves.py` says when). So the codes are those of one thread by
# construction. A table for each thread, split by a bit of the hash, would let them add too, but every thread would read
# and hash every row, and codes would have to be put in order of first appearance afterwards.

cdef extern from "_hash.h" nogil:
    void ek_keep_memory()
    void* ek_table(size_t bytes)
    void ek_table_free(void* table)
    uint8_t* ek_room(size_t bytes)
    uint8_t* ek_more(uint8_t* bytes, size_t used, size_t room)
    void ek_prefetch(const void* p)
    void ek_prefetch_written(const void* p)
    uint64_t ek_hash_integer(uint64_t value, const uint64_t* secrets)
    uint64_t ek_hash_bytes(const uint8_t* p, int64_t size, const uint64_t* secrets)
    bint ek_same(const uint8_t* a, const uint8_t* b, int64_t size)
    int ek_first_of_four(const uint32_t* tags, uint32_t tag)
    bint ek_ascii(const uint8_t* p, int64_t size)
    bint ek_utf8(const uint8_t* p, int64_t size)

cdef enum:
    WIDE = 5

cdef struct IntegerSlots:   # a line of memory: the integers themselves, so that a look-up touches no other
    int64_t[WIDE] value
    int32_t[WIDE] number    # the code and one; 0: empty, as are all that follow

cdef int64_t MOST_CODES = 2147483646
cdef int64_t AHEAD = 16     # rows between asking memory for a slot and reading it

cdef enum:
    ROWS_AHEAD = 32         # the same where rows go through in blocks


def keep_memory():
    """Let this process keep memory that it frees, for what it needs next; for a program that ends when its work is done."""
    ek_keep_memory()


cdef const uint8_t* first_of(const uint8_t[::1] bytes) noexcept:
    """Where some bytes begin; NULL: there are none."""
    if bytes is None or bytes.shape[0] == 0:
        return NULL
    return &bytes[0]


cdef class _Table:
    """What both kinds of ids share: the secrets of the hash, the size of the table, how many ids there are."""

    cdef uint64_t mask
    cdef uint64_t[4] secrets
    cdef int shift
    cdef int64_t count

    def __cinit__(self):
        cdef bytes secrets = urandom(sizeof(self.secrets))
        memcpy(self.secrets, <const char*>secrets, sizeof(self.secrets))
        self.mask = 15
        self.shift = 60
        self.count = 0

    def __len__(self):
        return self.count


cdef inline int32_t integer_number(
    const IntegerSlots* lines, uint64_t mask, uint64_t at, int64_t value
) noexcept nogil:
    """Return the number that a table has for a value, 0 if none, without a branch on where in its line it is."""
    cdef const IntegerSlots* line
    cdef int32_t number
    while True:
        line = lines + at
        number = (
            (-<int32_t>(line.value[0] == value) & line.number[0])
            | (-<int32_t>(line.value[1] == value) & line.number[1])
            | (-<int32_t>(line.value[2] == value) & line.number[2])
            | (-<int32_t>(line.value[3] == value) & line.number[3])
            | (-<int32_t>(line.value[4] == value) & line.number[4])
        )
        if number or not line.number[WIDE - 1]:
            return number
        at = (at + 1) & mask


cdef inline void put_integer(
    IntegerSlots* lines, uint64_t mask, uint64_t at, int64_t value, int32_t number
) noexcept nogil:
    """Write a value that is new into the first empty slot."""
    cdef int k = 0
    while lines[at].number[WIDE - 1]:
        at = (at + 1) & mask
    while lines[at].number[k]:
        k += 1
    lines[at].value[k] = value
    lines[at].number[k] = number


@cython.final
cdef class IntegerIds(_Table):
    """Distinct 64-bit integers in order of first appearance."""

    cdef IntegerSlots* lines

    def __cinit__(self):
        self.lines = <IntegerSlots*>ek_table((self.mask + 1) * sizeof(IntegerSlots))
        if self.lines is NULL:
            raise MemoryError

    def __dealloc__(self):
        ek_table_free(self.lines)

    cdef inline uint64_t hash(self, int64_t value) noexcept nogil:
        return ek_hash_integer(<uint64_t>value, self.secrets)

    cdef int widen(self, int64_t count) noexcept nogil:
        """Make room for that many ids, by doubling; -1: there is none, and nothing has changed."""
        cdef uint64_t size = self.mask + 1, wide = size, i
        cdef int k, shift = self.shift
        cdef IntegerSlots* lines
        if count > MOST_CODES:
            return -1
        while 3 * <int64_t>wide < count:
            wide *= 2
            shift -= 1
        if wide == size:
            return 0
        lines = <IntegerSlots*>ek_table(wide * sizeof(IntegerSlots))
        if lines is NULL:
            return -1
        self.shift = shift
        self.mask = wide - 1
        for i in range(size):
            for k in range(WIDE):
                if self.lines[i].number[k]:
                    put_integer(
                        lines, self.mask, self.hash(self.lines[i].value[k]) >> self.shift,
                        self.lines[i].value[k], self.lines[i].number[k],
                    )
        ek_table_free(self.lines)
        self.lines = lines
        return 0

    cdef int32_t place(self, int64_t value, uint64_t hash) noexcept nogil:
        """Return the value's code, a new one if need be; -2: there is no room."""
        cdef int32_t number = integer_number(self.lines, self.mask, hash >> self.shift, value)
        if number:
            return number - 1
        if self.widen(self.count + 1) < 0:
            return -2
        self.count += 1
        put_integer(self.lines, self.mask, hash >> self.shift, value, <int32_t>self.count)
        return <int32_t>(self.count - 1)

    cdef void wipe(self, int64_t code, int64_t instead) noexcept nogil:
        """Write another value over that of a code, whose slot has to stay, lest a search ends at it.

        The value is one that nobody can foretell, so nobody asks for it. Cost: the table is read until it is found.
        """
        cdef uint64_t i
        cdef int k
        for i in range(self.mask + 1):
            for k in range(WIDE):
                if self.lines[i].number[k] == code + 1:
                    self.lines[i].value[k] = instead
                    return

    cdef int64_t span(
        self, const int64_t* values, const uint8_t* null, int64_t first, int64_t last, int32_t* out, bint insert,
        int64_t* missed, int64_t* signs,
    ) noexcept nogil:
        """Write the codes of some rows; unknown values are added (`insert`), noted (`missed`) or -1.

        Invariant: `hashes` holds those of a block of rows, whose lines memory has been asked for while the block before
        was looked up. Returns how many were noted, -1 where there is no room. The sign of `signs` becomes that of any
        value that is not null. Allocates nothing but the table itself.
        """
        cdef uint64_t[2][ROWS_AHEAD] hashes
        cdef IntegerSlots* lines = self.lines    # in variables, for what is written to `out` might be the table's own
        cdef uint64_t mask = self.mask, hash
        cdef int shift = self.shift, turn = 0
        cdef int64_t i, j, begin = first, end = first, ahead, value, before = 0, count = 0, bits = 0
        cdef int32_t code = -1
        while begin < last:
            ahead = min(end + ROWS_AHEAD, last)
            for j in range(ahead - end):
                hash = ek_hash_integer(<uint64_t>values[end + j], self.secrets)
                hashes[turn][j] = hash
                ek_prefetch(lines + (hash >> shift))
            turn ^= 1
            for j in range(end - begin):
                i = begin + j
                value = values[i]
                if null is not NULL and null[i]:
                    out[i] = -1
                    continue
                bits |= value
                if code < 0 or value != before:     # rows sorted by id need no table
                    before = value
                    code = integer_number(lines, mask, hashes[turn][j] >> shift, value) - 1
                    if code < 0:
                        if insert:
                            code = self.place(value, hashes[turn][j])
                            if code == -2:
                                return -1
                            lines, mask, shift = self.lines, self.mask, self.shift
                        elif missed is not NULL:
                            missed[count] = i
                            count += 1
                out[i] = code
            begin, end = end, ahead
        signs[0] |= bits
        return count

    def code(
        self, const int64_t[::1] values, const uint8_t[::1] null, int32_t[::1] out, bint insert=True,
        int64_t first=0, int64_t last=-1,
    ):
        """Write the code of each value; unknown ones are added, or -1 where `insert` is false.

        Returns whether any has its upper bit set: a negative one, or an unsigned one above 2^63 - 1.
        """
        cdef int64_t done = 0, signs = 0
        last = _last(values, null, out, first, last)
        cdef const uint8_t* nulls = first_of(null)
        if first < last:
            with nogil:
                done = self.span(&values[0], nulls, first, last, &out[0], insert, NULL, &signs)
        if done < 0:
            raise MemoryError("too many distinct ids")
        return signs < 0

    def find(
        self, const int64_t[::1] values, const uint8_t[::1] null, int32_t[::1] out, int64_t first, int64_t last,
        int64_t[::1] missed,
    ):
        """Write the codes of the values that are known and the rows of those that are not; adds nothing.

        Any number of threads may look up at once. Returns how many rows were missed, and as `code` does.
        """
        cdef int64_t count = 0, signs = 0
        cdef const uint8_t* nulls = first_of(null)
        last = _last(values, null, out, first, last)
        if missed.shape[0] < last - first:
            raise ValueError("missed is too short")
        if first < last:
            with nogil:
                count = self.span(&values[0], nulls, first, last, &out[0], False, &missed[0], &signs)
        return count, signs < 0

    cdef int place_rows(
        self, const int64_t* values, int32_t* out, const int64_t* missed, int64_t n
    ) noexcept nogil:
        """Write the codes of these rows, adding what is unknown; -1: there is no room."""
        cdef int64_t i
        for i in range(n):
            if i + AHEAD < n:
                ek_prefetch(self.lines + (self.hash(values[missed[i + AHEAD]]) >> self.shift))
            out[missed[i]] = self.place(values[missed[i]], self.hash(values[missed[i]]))
            if out[missed[i]] == -2:
                return -1
        return 0

    def add(self, const int64_t[::1] values, int32_t[::1] out, const int64_t[::1] missed):
        """Write the codes of these rows, adding what is unknown."""
        cdef int done = 0
        if missed.shape[0]:
            with nogil:
                done = self.place_rows(&values[0], &out[0], &missed[0], missed.shape[0])
        if done < 0:
            raise MemoryError("too many distinct ids")

    def longest_search(self):
        """How many lines are read at most until an id is found: whether ids crowd."""
        cdef uint64_t i, most = 0
        cdef int k
        for i in range(self.mask + 1):
            for k in range(WIDE):
                if self.lines[i].number[k]:
                    most = max(most, (i - (self.hash(self.lines[i].value[k]) >> self.shift)) & self.mask)
        return most + 1

    def export(self, int64_t[::1] out):
        """Write the distinct values by code."""
        cdef uint64_t i
        cdef int k
        if out.shape[0] != self.count:
            raise ValueError("out has the wrong length")
        with nogil:
            for i in range(self.mask + 1):
                for k in range(WIDE):
                    if self.lines[i].number[k]:
                        out[self.lines[i].number[k] - 1] = self.lines[i].value[k]

    def __reduce__(self):
        from array import array

        values = array("q", bytes(8 * self.count))
        self.export(values)
        return integer_ids, (values,)


def code_bytes(const uint8_t[::1] values, const uint8_t[::1] null, int32_t[::1] out):
    """Write the code of each byte in order of first appearance, -1 for null; return the bytes by code.

    Cost: a look into a table of 256. Allocates nothing but what is returned.
    """
    cdef int32_t[256] codes
    cdef uint8_t[256] found
    cdef int64_t i, n = _rows_of(values.shape[0], null, out)
    cdef const uint8_t* nulls = first_of(null)
    cdef int32_t count = 0, code
    memset(codes, 255, sizeof(codes))
    with nogil:
        for i in range(n):
            code = codes[values[i]]
            if nulls is not NULL and nulls[i]:
                code = -1
            elif code < 0:
                code = codes[values[i]] = count
                found[count] = values[i]
                count += 1
            out[i] = code
    return bytes(found[:count])


cdef int64_t _rows_of(int64_t n, const uint8_t[::1] null, int32_t[::1] out) except -1:
    """Return how many rows there are, if all that is given has as many."""
    if out.shape[0] != n or (null is not None and null.shape[0] != n):
        raise ValueError("values, null and out differ in length")
    return n


cdef int64_t _last(const int64_t[::1] values, const uint8_t[::1] null, int32_t[::1] out, int64_t first, int64_t last):
    """Return where rows to be coded end (-1: with the values), if they are rows of everything given."""
    cdef int64_t n = _rows_of(values.shape[0], null, out)
    if last == -1:
        last = n
    if not 0 <= first <= last <= n:
        raise ValueError("first and last are no rows")
    return last


def integer_ids(const int64_t[::1] values):
    """Make the table that holds these distinct integers by code (for pickling)."""
    ids = IntegerIds()
    for value in values:
        ids.place(value, ids.hash(value))
    return ids
