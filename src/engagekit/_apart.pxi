# Rows apart by contact before anything else, so that what follows finds a part's rows and ids in the nearest caches.
#
# Counted and spread (`_apart.h`), a part's rows stand side by side, in their order. Each part is then settled by one
# thread: its keys become numbers by a table of its own, and its rows go to where they belong, contact by contact. Contacts
# of all parts are at last numbered in order of first appearance, and each one's rows copied, as one run, to where
# they are to stand. Rows that come with codes have these for their ids, and the last numbering is that of the codes.
#
# Cost: linear; a row is read and written three times, always side by side with others of its part.

cdef extern from "_apart.h" nogil:
    ctypedef struct EkApart:
        uint64_t low, factor, mask
        int shift, wide, type_bytes
        uint64_t* tags
        int64_t* times
        uint8_t* types
        uint32_t* rows
    ctypedef struct EkKeys:
        uint64_t* slots
        uint32_t* direct
        uint64_t mask
        uint64_t[2] secrets
        int shift
    int ek_bits_set(uint64_t word)
    void ek_count_apart(const EkApart* a, const int64_t* ids, int64_t n, uint32_t* counts)
    void ek_spread(
        const EkApart* a, uint32_t* places, const int64_t* ids, const int64_t* times, const void* types, uint32_t row,
        int64_t n)
    uint64_t ek_key_of(const EkApart* a, int64_t place)
    uint32_t ek_row_of(const EkApart* a, int64_t place)
    void ek_put_key(const EkKeys* k, int wide, uint64_t key, uint32_t number)
    int64_t ek_known(const EkApart* a, const EkKeys* k, uint32_t* counts, int64_t first, int64_t last)
    void ek_place(
        const EkApart* a, uint32_t* places, int64_t first, int64_t n, int64_t* times, uint8_t* types, uint32_t* rows)


cdef struct Settled:        # a contact of a part
    uint64_t key
    uint32_t first          # the number of its first row
    uint32_t count


@cython.final
cdef class Bench:
    """What one thread needs to settle parts: a table, the contacts of the part at hand, room for its rows."""

    cdef EkKeys keys
    cdef uint32_t* direct
    cdef int64_t direct_room
    cdef Settled* found         # but for the counts, which stand side by side
    cdef uint32_t* counts
    cdef int64_t count, room
    cdef uint8_t* spare
    cdef int64_t spare_room

    def __cinit__(self):
        self.keys.mask = 4095
        self.keys.shift = 52
        self.room = 1024
        self.keys.slots = <uint64_t*>ek_table(2 * (self.keys.mask + 1) * sizeof(uint64_t))
        self.found = <Settled*>malloc(self.room * sizeof(Settled))
        self.counts = <uint32_t*>malloc(self.room * sizeof(uint32_t))
        if not (self.keys.slots and self.found and self.counts):
            raise MemoryError

    def __dealloc__(self):
        ek_table_free(self.keys.slots)
        free(self.direct)
        free(self.found)
        free(self.counts)
        free(self.spare)

    cdef uint32_t fresh(self, uint64_t key, uint32_t row) noexcept nogil:
        """Take in a contact; return its number, counted from 1, or 0: there is no room."""
        cdef void* moved
        cdef int64_t room
        if self.count == self.room:
            room = self.room
            moved = larger(self.counts, &room, 2 * self.room, sizeof(uint32_t))
            if moved is NULL:
                return 0
            self.counts = <uint32_t*>moved
            moved = larger(self.found, &self.room, 2 * self.room, sizeof(Settled))
            if moved is NULL:
                return 0
            self.found = <Settled*>moved
        self.found[self.count].key = key
        self.found[self.count].first = row
        self.counts[self.count] = 0
        self.count += 1
        return <uint32_t>self.count

    cdef bint widen(self, bint wide) noexcept nogil:
        """Make the table twice as large, with all that was found."""
        cdef int64_t j
        cdef uint64_t* slots = <uint64_t*>ek_table(4 * (self.keys.mask + 1) * sizeof(uint64_t))
        if slots is NULL:
            return False
        ek_table_free(self.keys.slots)
        self.keys.slots = slots
        self.keys.mask = 2 * self.keys.mask + 1
        self.keys.shift -= 1
        for j in range(self.count):
            ek_put_key(&self.keys, wide, self.found[j].key, <uint32_t>(j + 1))
        return True


@cython.final
cdef class Apart:
    """Rows taken apart by contact, part by part in order, and at last contact by contact.

    `tags`, `times`, `types` and `rows` are memory for all the rows, `least` and `most` say between which ids all are. A
    tag is a key and the row's number; where the key alone is as wide, the numbers stand in `rows`. What is `numbered`
    finds its numbers in `rows` as well, once it is settled; otherwise `rows` may be None.
    """

    cdef EkApart to
    cdef uint64_t inverse
    cdef uint64_t[4] secrets
    cdef int64_t n, parts, blocks
    cdef bint numbered
    cdef uint32_t* places       # blocks x parts: how many rows, then where the next goes
    cdef int64_t* starts        # parts + 1
    cdef Settled** contacts
    cdef int64_t* sizes
    cdef object kept

    def __cinit__(
        self, int64_t least, int64_t most, int bits, int64_t blocks, uint64_t[::1] tags, int64_t[::1] times, types,
        uint32_t[::1] rows, bint numbered,
    ):
        cdef uint64_t span = <uint64_t>most - <uint64_t>least, factor
        cdef int width = 1
        cdef uint8_t[::1] type_bytes = types.view("u1")
        cdef bytes drawn = urandom(sizeof(self.secrets))
        memcpy(self.secrets, <const char*>drawn, sizeof(self.secrets))
        while width < 64 and span >> width:
            width += 1
        bits = min(bits, width)
        self.n, self.parts, self.blocks = times.shape[0], <int64_t>1 << bits, blocks
        self.to.low = <uint64_t>least
        self.to.mask = <uint64_t>-1 >> (64 - width)
        self.to.factor = factor = self.secrets[3] | 1
        self.inverse = factor                       # right in three bits, and in twice as many after every step
        for _ in range(5):
            self.inverse *= 2 - factor * self.inverse
        self.to.shift = width - bits
        self.numbered = numbered
        self.to.wide, self.to.type_bytes = self.to.shift > 32, types.itemsize
        if bits < 1 or blocks < 1 or not 0 < self.n < <int64_t>1 << 32:
            raise ValueError("expected rows, parts and blocks")
        if rows is None and (numbered or self.to.wide):
            raise ValueError("expected memory for the rows' numbers")
        if (
            tags.shape[0] != self.n or type_bytes.shape[0] != self.n * self.to.type_bytes
            or (rows is not None and rows.shape[0] != self.n)
        ):
            raise ValueError("tags, times, types and rows differ in length")
        self.to.tags, self.to.times, self.to.types = &tags[0], &times[0], &type_bytes[0]
        self.to.rows = NULL if rows is None else &rows[0]
        self.kept = tags, times, types, rows
        self.places = <uint32_t*>calloc(blocks * self.parts, sizeof(uint32_t))
        self.starts = <int64_t*>calloc(self.parts + 1, sizeof(int64_t))
        self.contacts = <Settled**>calloc(self.parts, sizeof(Settled*))
        self.sizes = <int64_t*>calloc(self.parts, sizeof(int64_t))
        if not (self.places and self.starts and self.contacts and self.sizes):
            raise MemoryError

    def __dealloc__(self):
        cdef int64_t p
        if self.contacts is not NULL and self.starts is not NULL:
            for p in range(self.parts):
                self.let_go(p)
        free(self.contacts)
        free(self.places)
        free(self.starts)
        free(self.sizes)

    cdef void let_go(self, int64_t part) noexcept nogil:
        """Forget the contacts of a part; those that stand in the place of its tags go with these."""
        if self.contacts[part] != <Settled*>(self.to.tags + self.starts[part]):
            free(self.contacts[part])
        self.contacts[part], self.sizes[part] = NULL, 0

    def count(self, int64_t block, const int64_t[::1] ids):
        """Count the rows that some ids of a block bring to each part."""
        cdef uint32_t* counts = self.places + block * self.parts
        if not 0 <= block < self.blocks:
            raise ValueError("no such block")
        if ids.shape[0]:
            with nogil:
                ek_count_apart(&self.to, &ids[0], ids.shape[0], counts)

    def lay(self):
        """Find where each block's rows of each part go; return the parts' first places, and at the end the rows."""
        cdef int64_t p, b, place = 0
        cdef uint32_t count
        for p in range(self.parts):
            self.starts[p] = place
            for b in range(self.blocks):
                count = self.places[b * self.parts + p]
                self.places[b * self.parts + p] = <uint32_t>place
                place += count
        self.starts[self.parts] = place
        if place != self.n:
            raise ValueError("expected to have counted all rows")
        return [self.starts[p] for p in range(self.parts + 1)]

    def spread(self, int64_t block, const int64_t[::1] ids, const int64_t[::1] times, types, int64_t first):
        """Take apart the next rows of a block; `first` is the number of the first one."""
        cdef const uint8_t[::1] type_bytes = types.view("u1")
        cdef int64_t n = ids.shape[0], at = block * self.parts
        if not 0 <= block < self.blocks or times.shape[0] != n or type_bytes.shape[0] != n * self.to.type_bytes:
            raise ValueError("ids, times and types differ in length or width")
        if n:
            with nogil:
                ek_spread(
                    &self.to, self.places + at, &ids[0], &times[0], &type_bytes[0], <uint32_t>first, n)

    cdef bint number(self, Bench bench, int64_t lo, int64_t n) noexcept nogil:
        """Put the numbers of a part's contacts, in order of first appearance, in place of the keys; False: no room.

        Invariant: the rows before `i` have numbers, and all their contacts are in the table, a quarter full at most.
        """
        cdef int64_t i = lo, size = <int64_t>1 << min(self.to.shift, 40)
        cdef bint wide = self.to.wide
        cdef uint64_t key
        cdef uint32_t number
        cdef void* moved
        bench.count = 0
        bench.keys.direct = NULL
        memcpy(bench.keys.secrets, self.secrets, sizeof(bench.keys.secrets))
        if not wide and size <= max(4096, 4 * n):   # keys so dense that an array of all is no larger than a table
            if size > bench.direct_room:
                moved = larger(bench.direct, &bench.direct_room, size, sizeof(uint32_t))
                if moved is NULL:
                    return False
                bench.direct = <uint32_t*>moved
            bench.keys.direct = bench.direct
            memset(bench.direct, 0, size * sizeof(uint32_t))
        else:
            memset(bench.keys.slots, 0, (bench.keys.mask + 1) * (16 if wide else 8))
        while True:
            i = ek_known(&self.to, &bench.keys, bench.counts, i, lo + n)
            if i == lo + n:
                return True
            key = ek_key_of(&self.to, i)
            number = bench.fresh(key, ek_row_of(&self.to, i))
            if not number:
                return False
            if bench.keys.direct is NULL and 4 * <uint64_t>number > bench.keys.mask:
                if not bench.widen(wide):
                    return False
            else:
                ek_put_key(&bench.keys, wide, key, number)

    cdef bint arrange(self, Bench bench, int64_t lo, int64_t n) noexcept nogil:
        """Put a part's rows side by side by the numbers of their contacts, stable; False: no room.

        The counts of the bench become the places after each contact's last row.
        """
        cdef int64_t i, width = self.to.type_bytes, size = n * (8 + width + 4 * self.numbered)
        cdef uint32_t place = 0, count
        cdef int64_t* times
        cdef uint32_t* rows
        cdef uint8_t* types
        if size > bench.spare_room:
            free(bench.spare)
            bench.spare_room = 0
            bench.spare = <uint8_t*>malloc(size)
            if bench.spare is NULL:
                return False
            bench.spare_room = size
        times = <int64_t*>bench.spare
        rows = <uint32_t*>(times + n)
        types = <uint8_t*>(rows + n) if self.numbered else <uint8_t*>rows
        for i in range(bench.count):
            count = bench.counts[i]
            bench.counts[i] = place
            place += count
        ek_place(&self.to, bench.counts, lo, n, times, types, rows if self.numbered else NULL)
        memcpy(self.to.times + lo, times, 8 * n)
        memcpy(self.to.types + width * lo, types, width * n)
        if self.numbered:
            memcpy(self.to.rows + lo, rows, 4 * n)
        return True

    def settle(self, Bench bench, int64_t part):
        """Group a part's rows by contact; return how many contacts it has. One thread a part, one bench a thread."""
        cdef int64_t lo, n, j
        cdef bint done = True
        cdef Settled* found = NULL
        if not 0 <= part < self.parts:
            raise ValueError("no such part")
        lo, n = self.starts[part], self.starts[part + 1] - self.starts[part]
        if n:
            with nogil:
                done = self.number(bench, lo, n)
                if done:
                    for j in range(bench.count):
                        bench.found[j].count = bench.counts[j]
                    if bench.count > 1 or self.numbered:        # the rows of one contact are in order
                        done = self.arrange(bench, lo, n)
                if done:                                        # and nobody asks for the tags any more
                    found = <Settled*>(self.to.tags + lo)
                    if bench.count * sizeof(Settled) > n * sizeof(uint64_t):
                        found = <Settled*>malloc(bench.count * sizeof(Settled))
                if found is not NULL:
                    memcpy(found, bench.found, bench.count * sizeof(Settled))
            if found is NULL:
                raise MemoryError("too many distinct ids")
            self.let_go(part)
            self.contacts[part], self.sizes[part] = found, bench.count
        return self.sizes[part]

    def mark(self, uint64_t[::1] seen, int64_t first, int64_t last):
        """Set the bits of the first rows of the contacts of some parts."""
        cdef int64_t p, j
        cdef uint32_t row
        if seen.shape[0] * 64 < self.n or not 0 <= first <= last <= self.parts:
            raise ValueError("expected a bit for each row")
        with nogil:
            for p in range(first, last):
                for j in range(self.sizes[p]):
                    row = self.contacts[p][j].first
                    seen[row >> 6] |= <uint64_t>1 << (row & 63)

    def enter(
        self, const uint64_t[::1] seen, const uint32_t[::1] before, int64_t first, int64_t last, int64_t[::1] counts,
        uint32_t[::1] begins, int64_t[::1] ids,
    ):
        """Write, by code, of the contacts of some parts how many rows they have, where these begin, and the id; once.

        A contact's code is the number of bits that are `seen` before its first row; `before` has those before each word.
        """
        cdef int64_t p, j, code, place
        cdef uint64_t id
        cdef const Settled* one
        if begins.shape[0] != counts.shape[0] or ids.shape[0] != counts.shape[0] or before.shape[0] != seen.shape[0]:
            raise ValueError("counts, begins and ids, or words and what is before them, differ in length")
        if not 0 <= first <= last <= self.parts:
            raise ValueError("no such parts")
        with nogil:
            for p in range(first, last):
                place = self.starts[p]
                for j in range(self.sizes[p]):
                    one = &self.contacts[p][j]
                    id = <uint64_t>p << self.to.shift | one.key
                    id = ((id * self.inverse) & self.to.mask) + self.to.low
                    code = one.first >> 6
                    code = before[code] + ek_bits_set(seen[code] & ((<uint64_t>1 << (one.first & 63)) - 1))
                    ids[code] = <int64_t>id
                    counts[code] = one.count
                    begins[code] = <uint32_t>place
                    place += one.count
                self.let_go(p)

    def gather(
        self, const int64_t[::1] starts, const uint32_t[::1] begins, int64_t first, int64_t last, int64_t[::1] times,
        types, uint32_t[::1] rows,
    ):
        """Copy the rows of the contacts `first` ... `last` - 1 to their places among those of all."""
        cdef int64_t c, n, width = self.to.type_bytes
        cdef uint8_t[::1] type_bytes = types.view("u1")
        cdef bint numbered = rows is not None
        cdef const int64_t* source_times = self.to.times
        cdef const uint8_t* source_types = self.to.types
        if (
            times.shape[0] != self.n or type_bytes.shape[0] != self.n * width
            or (numbered and (rows.shape[0] != self.n or not self.numbered))
        ):
            raise ValueError("grouped times, types and rows differ in length")
        if not 0 <= first <= last <= begins.shape[0] or starts.shape[0] != begins.shape[0] + 1:
            raise ValueError("no such contacts")
        with nogil:
            for c in range(first, last):
                if c + AHEAD < last:
                    ek_prefetch(source_times + begins[c + AHEAD])
                    ek_prefetch(source_times + begins[c + AHEAD] + 8)
                    ek_prefetch(source_types + width * <size_t>begins[c + AHEAD])
                n = starts[c + 1] - starts[c]
                if n == 0:
                    continue
                memcpy(&times[starts[c]], source_times + begins[c], 8 * n)
                memcpy(&type_bytes[starts[c] * width], source_types + width * <size_t>begins[c], width * n)
                if numbered:
                    memcpy(&rows[starts[c]], self.to.rows + begins[c], 4 * n)


def bits_before(const uint64_t[::1] seen, uint32_t[::1] before):
    """Write how many bits are set before each word; return how many are set in all."""
    cdef int64_t i
    cdef uint32_t count = 0
    if before.shape[0] != seen.shape[0]:
        raise ValueError("expected a number for each word")
    with nogil:
        for i in range(seen.shape[0]):
            before[i] = count
            count += ek_bits_set(seen[i])
    return count
