# Coding: an id becomes its number in order of first appearance (0, 1, 2, ...), a null becomes -1.
#
# Open addressing with linear probing at a load of at most five eighths. Cost: one probe sequence an id, expected constant
# whatever the ids, since the hash is keyed (see _hash.h). A slot is found by the upper bits of the hash, so that a table
# twice as large has every id at twice its place or next to it: growing reads and writes memory from end to end.
#
# Threads share one table. They only look up, each in its own rows, and note which ids they miss; one thread then adds
# these in the order of the rows (`find`, `add`; `coding.py` says when). So the codes are those of one thread by
# construction. What was slower: a table for each thread, split by a bit of the hash, since every thread reads and hashes
# every row, and codes have to be put in order of first appearance afterwards.

cdef extern from "_hash.h" nogil:
    void* ek_table(size_t bytes)
    void ek_prefetch(const void* p)
    uint64_t ek_hash_integer(uint64_t value, const uint64_t* secrets)
    uint64_t ek_hash_bytes(const uint8_t* p, int64_t size, const uint64_t* secrets)
    bint ek_same(const uint8_t* a, const uint8_t* b, int64_t size)
    bint ek_ascii(const uint8_t* p, int64_t size)
    bint ek_utf8(const uint8_t* p, int64_t size)

cdef struct IntegerSlot:    # the integer itself, so that a look-up touches one line of memory
    int64_t value
    int32_t number          # the code and one; 0: empty

cdef int64_t MOST_CODES = 2147483646
cdef int64_t AHEAD = 16     # rows between asking memory for a slot and reading it


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
        self.mask = 63
        self.shift = 58
        self.count = 0

    def __len__(self):
        return self.count

    cdef inline bint full(self) noexcept nogil:
        """Whether one more id asks for a larger table."""
        return 8 * (self.count + 1) > 5 * <int64_t>(self.mask + 1)


@cython.final
cdef class IntegerIds(_Table):
    """Distinct 64-bit integers in order of first appearance."""

    cdef IntegerSlot* slots

    def __cinit__(self):
        self.slots = <IntegerSlot*>ek_table((self.mask + 1) * sizeof(IntegerSlot))
        if self.slots is NULL:
            raise MemoryError

    def __dealloc__(self):
        free(self.slots)

    cdef inline uint64_t hash(self, int64_t value) noexcept nogil:
        return ek_hash_integer(<uint64_t>value, self.secrets)

    cdef int grow(self) noexcept nogil:
        cdef uint64_t size = self.mask + 1, mask = 2 * size - 1, at, i
        cdef IntegerSlot* slots = <IntegerSlot*>ek_table((mask + 1) * sizeof(IntegerSlot))
        if slots is NULL:
            return -1
        self.shift -= 1
        for i in range(size):
            if self.slots[i].number:
                at = self.hash(self.slots[i].value) >> self.shift
                while slots[at].number:
                    at = (at + 1) & mask
                slots[at] = self.slots[i]
        free(self.slots)
        self.slots = slots
        self.mask = mask
        return 0

    cdef inline IntegerSlot* slot(self, int64_t value, uint64_t hash) noexcept nogil:
        """Find where a value is, or the empty slot where it would be."""
        cdef uint64_t at = hash >> self.shift
        while self.slots[at].number and self.slots[at].value != value:
            at = (at + 1) & self.mask
        return self.slots + at

    cdef int32_t place(self, int64_t value, uint64_t hash) noexcept nogil:
        """Return the value's code, a new one if need be; -2: there is no room."""
        cdef IntegerSlot* slot = self.slot(value, hash)
        if slot.number:
            return slot.number - 1
        if self.count >= MOST_CODES:
            return -2
        if self.full():
            if self.grow() < 0:
                return -2
            slot = self.slot(value, hash)
        self.count += 1
        slot.value = value
        slot.number = <int32_t>self.count
        return slot.number - 1

    cdef int64_t span(
        self, const int64_t* values, const uint8_t* null, int64_t first, int64_t last, int32_t* out, bint insert,
        int64_t* missed, int64_t* signs,
    ) noexcept nogil:
        """Write the codes of some rows; unknown values are added (`insert`), noted (`missed`) or -1.

        Invariant: `hashes` holds those of the rows from i to i + AHEAD, whose slots memory has been asked for. Returns
        how many were noted, -1 where there is no room. The sign of `signs` becomes that of any value that is not null.
        """
        cdef uint64_t[64] hashes
        cdef int64_t i, ahead = first, value, before = 0, count = 0, bits = 0
        cdef int32_t code = -1
        for i in range(first, last):
            while ahead < last and ahead <= i + AHEAD:
                hashes[ahead & 63] = self.hash(values[ahead])
                ek_prefetch(self.slots + (hashes[ahead & 63] >> self.shift))
                ahead += 1
            value = values[i]
            if null is not NULL and null[i]:
                out[i] = -1
                continue
            bits |= value
            if code < 0 or value != before:     # rows sorted by id need no table
                before = value
                if insert:
                    code = self.place(value, hashes[i & 63])
                    if code == -2:
                        return -1
                else:
                    code = self.slot(value, hashes[i & 63]).number - 1
            out[i] = code
            if code < 0 and missed is not NULL:
                missed[count] = i
                count += 1
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

    def add(self, const int64_t[::1] values, int32_t[::1] out, const int64_t[::1] missed):
        """Write the codes of these rows, adding what is unknown."""
        cdef int64_t i, n = missed.shape[0]
        with nogil:
            for i in range(n):
                if i + AHEAD < n:
                    ek_prefetch(self.slots + (self.hash(values[missed[i + AHEAD]]) >> self.shift))
                out[missed[i]] = self.place(values[missed[i]], self.hash(values[missed[i]]))
                if out[missed[i]] == -2:
                    with gil:
                        raise MemoryError("too many distinct ids")

    def longest_search(self):
        """How many slots are read at most until an id is found: whether ids crowd."""
        cdef uint64_t i, most = 0
        for i in range(self.mask + 1):
            if self.slots[i].number:
                most = max(most, (i - (self.hash(self.slots[i].value) >> self.shift)) & self.mask)
        return most + 1

    def export(self, int64_t[::1] out):
        """Write the distinct values by code."""
        cdef uint64_t i
        if out.shape[0] != self.count:
            raise ValueError("out has the wrong length")
        with nogil:
            for i in range(self.mask + 1):
                if self.slots[i].number:
                    out[self.slots[i].number - 1] = self.slots[i].value

    def __reduce__(self):
        from array import array

        values = array("q", bytes(8 * self.count))
        self.export(values)
        return integer_ids, (values,)


cdef int64_t _last(const int64_t[::1] values, const uint8_t[::1] null, int32_t[::1] out, int64_t first, int64_t last):
    """Return where rows to be coded end (-1: with the values), if they are rows of everything given."""
    cdef int64_t n = values.shape[0]
    if out.shape[0] != n or (null is not None and null.shape[0] != n):
        raise ValueError("values, null and out differ in length")
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
