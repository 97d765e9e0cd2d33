# Coding: an id becomes its number in order of first appearance (0, 1, 2, ...), a null becomes -1.
#
# Open addressing with linear probing at a load of at most one half. Cost: one probe sequence an id, expected constant
# whatever the ids, since the hash is keyed (see _hash.h). Memory: 8 bytes a slot beside the ids themselves.

cdef extern from "_hash.h" nogil:
    uint64_t ek_hash_integer(uint64_t value, uint64_t secret0, uint64_t secret1)
    void ek_prefetch(const void* p)
    uint64_t ek_hash_bytes(const uint8_t* p, int64_t size, uint64_t secret0, uint64_t secret1)

ctypedef fused offset_t:
    int32_t
    int64_t

cdef struct Slot:           # of text: the bytes stand elsewhere
    uint32_t tag            # the upper half of the hash
    int32_t code            # -1: empty

cdef struct IntegerSlot:    # the integer itself, so that a look-up touches one line of memory
    int64_t value
    int32_t code            # -1: empty

cdef int64_t MOST_CODES = 2147483646


cdef int64_t AHEAD = 16     # rows between asking memory for a slot and reading it


cdef class _Table:
    """What both kinds of ids share: the secrets of the hash, the size of the table, how many ids there are."""

    cdef uint64_t mask, secret0, secret1
    cdef int64_t count

    def __cinit__(self):
        from os import urandom

        self.secret0 = int.from_bytes(urandom(8), "little")
        self.secret1 = int.from_bytes(urandom(8), "little")
        self.mask = 63
        self.count = 0

    def __len__(self):
        return self.count


@cython.final
cdef class IntegerIds(_Table):
    """Distinct 64-bit integers in order of first appearance."""

    cdef IntegerSlot* slots
    cdef int64_t* values

    def __cinit__(self):
        self.slots = <IntegerSlot*>malloc(64 * sizeof(IntegerSlot))
        self.values = <int64_t*>malloc(32 * sizeof(int64_t))
        if self.slots is NULL or self.values is NULL:
            raise MemoryError
        memset(self.slots, 0xFF, 64 * sizeof(IntegerSlot))

    def __dealloc__(self):
        free(self.slots)
        free(self.values)

    cdef inline uint64_t hash(self, int64_t value) noexcept nogil:
        return ek_hash_integer(<uint64_t>value, self.secret0, self.secret1)

    cdef int grow(self) noexcept nogil:
        cdef uint64_t mask = 2 * self.mask + 1, at
        cdef IntegerSlot* slots = <IntegerSlot*>malloc((mask + 1) * sizeof(IntegerSlot))
        cdef int64_t* values = <int64_t*>realloc(self.values, (mask + 1) // 2 * sizeof(int64_t))
        cdef int64_t i
        if values is not NULL:
            self.values = values
        if slots is NULL or values is NULL:
            free(slots)
            return -1
        memset(slots, 0xFF, (mask + 1) * sizeof(IntegerSlot))
        for i in range(self.count):
            if i + AHEAD < self.count:
                ek_prefetch(slots + (self.hash(values[i + AHEAD]) & mask))
            at = self.hash(values[i]) & mask
            while slots[at].code >= 0:
                at = (at + 1) & mask
            slots[at].value = values[i]
            slots[at].code = <int32_t>i
        free(self.slots)
        self.slots = slots
        self.mask = mask
        return 0

    cdef int32_t place(self, int64_t value, bint insert) noexcept nogil:
        cdef uint64_t at = self.hash(value) & self.mask
        while self.slots[at].code >= 0:
            if self.slots[at].value == value:
                return self.slots[at].code
            at = (at + 1) & self.mask
        if not insert:
            return -1
        if self.count >= MOST_CODES:
            return -2
        if 2 * (self.count + 1) > <int64_t>self.mask:
            if self.grow() < 0:
                return -2
            at = self.hash(value) & self.mask
            while self.slots[at].code >= 0:
                at = (at + 1) & self.mask
        self.values[self.count] = value
        self.slots[at].value = value
        self.slots[at].code = <int32_t>self.count
        self.count += 1
        return <int32_t>(self.count - 1)

    def code(self, const int64_t[::1] values, const uint8_t[::1] null, int32_t[::1] out, bint insert=True):
        """Write the code of each value; unknown ones are added, or -1 where `insert` is false."""
        cdef int64_t i, n = values.shape[0]
        cdef int32_t code
        cdef bint nulls = null is not None
        cdef bint full = False
        if out.shape[0] != n or (nulls and null.shape[0] != n):
            raise ValueError("values, null and out differ in length")
        with nogil:
            for i in range(n):
                if i + AHEAD < n:
                    ek_prefetch(self.slots + (self.hash(values[i + AHEAD]) & self.mask))
                if nulls and null[i]:
                    out[i] = -1
                    continue
                code = self.place(values[i], insert)
                if code == -2:
                    full = True
                    break
                out[i] = code
        if full:
            raise MemoryError("too many distinct ids")

    def export(self, int64_t[::1] out):
        """Write the distinct values by code."""
        if out.shape[0] != self.count:
            raise ValueError("out has the wrong length")
        if self.count:
            memcpy(&out[0], self.values, self.count * sizeof(int64_t))

    def __reduce__(self):
        from array import array

        values = array("q", bytes(8 * self.count))
        self.export(values)
        return integer_ids, (values,)


@cython.final
cdef class TextIds(_Table):
    """Distinct UTF-8 strings in order of first appearance."""

    cdef Slot* slots
    cdef int64_t* starts        # count + 1 offsets into bytes
    cdef uint8_t* bytes
    cdef int64_t used, bytes_room

    def __cinit__(self):
        self.slots = <Slot*>malloc(64 * sizeof(Slot))
        self.bytes_room = 512
        self.used = 0
        self.starts = <int64_t*>malloc(33 * sizeof(int64_t))
        self.bytes = <uint8_t*>malloc(self.bytes_room)
        if self.slots is NULL or self.starts is NULL or self.bytes is NULL:
            raise MemoryError
        memset(self.slots, 0xFF, 64 * sizeof(Slot))
        self.starts[0] = 0

    def __dealloc__(self):
        free(self.slots)
        free(self.starts)
        free(self.bytes)

    @property
    def size(self):
        """Bytes of all strings together."""
        return self.used

    cdef int grow(self) noexcept nogil:
        cdef uint64_t mask = 2 * self.mask + 1, hash, at
        cdef Slot* slots = <Slot*>malloc((mask + 1) * sizeof(Slot))
        cdef int64_t* starts = <int64_t*>realloc(self.starts, ((mask + 1) // 2 + 1) * sizeof(int64_t))
        cdef int64_t i
        if starts is not NULL:
            self.starts = starts
        if slots is NULL or starts is NULL:
            free(slots)
            return -1
        memset(slots, 0xFF, (mask + 1) * sizeof(Slot))
        for i in range(self.count):
            hash = ek_hash_bytes(self.bytes + starts[i], starts[i + 1] - starts[i], self.secret0, self.secret1)
            at = hash & mask
            while slots[at].code >= 0:
                at = (at + 1) & mask
            slots[at].tag = <uint32_t>(hash >> 32)
            slots[at].code = <int32_t>i
        free(self.slots)
        self.slots = slots
        self.mask = mask
        return 0

    cdef int32_t place(self, const uint8_t* text, int64_t size, bint insert) noexcept nogil:
        cdef uint64_t hash = ek_hash_bytes(text, size, self.secret0, self.secret1)
        cdef uint64_t at = hash & self.mask
        cdef uint32_t tag = <uint32_t>(hash >> 32)
        cdef int32_t code
        cdef int64_t bytes_room
        cdef uint8_t* bytes
        while self.slots[at].code >= 0:
            code = self.slots[at].code
            if (
                self.slots[at].tag == tag
                and self.starts[code + 1] - self.starts[code] == size
                and (size == 0 or memcmp(self.bytes + self.starts[code], text, size) == 0)
            ):
                return code
            at = (at + 1) & self.mask
        if not insert:
            return -1
        if self.count >= MOST_CODES:
            return -2
        if self.used + size > self.bytes_room:
            bytes_room = 2 * (self.used + size)
            bytes = <uint8_t*>realloc(self.bytes, bytes_room)
            if bytes is NULL:
                return -2
            self.bytes = bytes
            self.bytes_room = bytes_room
        if 2 * (self.count + 1) > <int64_t>self.mask:
            if self.grow() < 0:
                return -2
            at = hash & self.mask
            while self.slots[at].code >= 0:
                at = (at + 1) & self.mask
        if size:
            memcpy(self.bytes + self.used, text, size)
        self.used += size
        self.slots[at].tag = tag
        self.slots[at].code = <int32_t>self.count
        self.count += 1
        self.starts[self.count] = self.used
        return <int32_t>(self.count - 1)

    def code_offsets(
        self,
        const offset_t[::1] offsets,
        const uint8_t[::1] data,
        const uint8_t[::1] validity,
        int64_t bit_offset,
        int32_t[::1] out,
        bint insert=True,
    ):
        """Code the rows of an Arrow (large) utf8 array; the first row's bit in `validity` is `bit_offset`."""
        cdef int64_t i, n = out.shape[0]
        cdef int32_t code
        cdef bint nulls = validity is not None
        cdef const uint8_t* bytes = &data[0] if data.shape[0] else NULL
        cdef bint full = False
        if n and offsets.shape[0] < n + 1:
            raise ValueError("offsets are too few")
        with nogil:
            for i in range(n):
                if nulls and not (validity[(i + bit_offset) >> 3] >> ((i + bit_offset) & 7)) & 1:
                    out[i] = -1
                    continue
                code = self.place(bytes + offsets[i], offsets[i + 1] - offsets[i], insert)
                if code == -2:
                    full = True
                    break
                out[i] = code
        if full:
            raise MemoryError("too many distinct ids")

    def code_views(
        self,
        const uint8_t[::1] views,
        list buffers,
        const uint8_t[::1] validity,
        int64_t bit_offset,
        int32_t[::1] out,
        bint insert=True,
    ):
        """Code the rows of an Arrow string-view array: 16 bytes a row, long texts in `buffers`."""
        cdef int64_t i, n = out.shape[0], b
        cdef int32_t code
        cdef bint nulls = validity is not None
        cdef bint full = False
        cdef const uint8_t[::1] buffer
        cdef const uint8_t** starts = <const uint8_t**>malloc((len(buffers) + 1) * sizeof(void*))
        cdef const uint8_t* view
        cdef int32_t size, which, offset
        if starts is NULL:
            raise MemoryError
        try:
            for b in range(len(buffers)):
                buffer = buffers[b]
                starts[b] = &buffer[0] if buffer.shape[0] else NULL
            with nogil:
                for i in range(n):
                    if nulls and not (validity[(i + bit_offset) >> 3] >> ((i + bit_offset) & 7)) & 1:
                        out[i] = -1
                        continue
                    view = &views[0] + 16 * i
                    memcpy(&size, view, 4)
                    if size <= 12:
                        code = self.place(view + 4, size, insert)
                    else:
                        memcpy(&which, view + 8, 4)
                        memcpy(&offset, view + 12, 4)
                        code = self.place(starts[which] + offset, size, insert)
                    if code == -2:
                        full = True
                        break
                    out[i] = code
        finally:
            free(starts)
        if full:
            raise MemoryError("too many distinct ids")

    def code_objects(self, values, int32_t[::1] out, bint insert=True):
        """Code Python strings; None, NaN and other values unequal to themselves or null are -1.

        Returns the index of the first value that is no text (or cannot be encoded), or -1.
        """
        cdef int64_t i = 0
        cdef int32_t code
        cdef Py_ssize_t size
        cdef const char* text
        for value in values:
            if isinstance(value, str):
                try:
                    text = PyUnicode_AsUTF8AndSize(value, &size)
                except UnicodeEncodeError:
                    return i
                code = self.place(<const uint8_t*>text, size, insert)
                if code == -2:
                    raise MemoryError("too many distinct ids")
                out[i] = code
            elif value is None or type(value).__name__ in ("NAType", "NaTType") or value != value:
                out[i] = -1
            else:
                return i
            i += 1
        return -1

    def export(self, int64_t[::1] starts, uint8_t[::1] bytes):
        """Write offsets (count + 1) and the bytes of the distinct strings by code."""
        if starts.shape[0] != self.count + 1 or bytes.shape[0] != self.used:
            raise ValueError("out has the wrong length")
        memcpy(&starts[0], self.starts, (self.count + 1) * sizeof(int64_t))
        if self.used:
            memcpy(&bytes[0], self.bytes, self.used)

    def __reduce__(self):
        return text_ids, (self.strings(),)

    def strings(self):
        """The distinct strings by code, as a list of str."""
        cdef int64_t i
        return [
            PyUnicode_DecodeUTF8(
                <const char*>self.bytes + self.starts[i], self.starts[i + 1] - self.starts[i], NULL
            )
            for i in range(self.count)
        ]


def take_text(
    const int64_t[::1] starts, const uint8_t[::1] data, const int64_t[::1] index, int64_t[::1] out_starts
):
    """Write the offsets of the strings `index` and return their bytes in that order."""
    cdef int64_t i, n = index.shape[0], size = 0, length
    if out_starts.shape[0] != n + 1:
        raise ValueError("out has the wrong length")
    out_starts[0] = 0
    for i in range(n):
        size += starts[index[i] + 1] - starts[index[i]]
        out_starts[i + 1] = size
    taken = bytearray(size)
    if size:
        _take(starts, data, index, out_starts, taken)
    return taken


cdef void _take(
    const int64_t[::1] starts, const uint8_t[::1] data, const int64_t[::1] index, int64_t[::1] out_starts,
    uint8_t[::1] out,
):
    cdef int64_t i, length
    with nogil:
        for i in range(index.shape[0]):
            length = starts[index[i] + 1] - starts[index[i]]
            if length:
                memcpy(&out[out_starts[i]], &data[starts[index[i]]], length)


def integer_ids(const int64_t[::1] values):
    """Make the table that holds these distinct integers by code (for pickling)."""
    ids = IntegerIds()
    for value in values:
        ids.place(value, True)
    return ids


def text_ids(list values):
    """Make the table that holds these distinct strings by code (for pickling)."""
    from array import array

    ids = TextIds()
    ids.code_objects(values, array("i", bytes(4 * len(values))))
    return ids
