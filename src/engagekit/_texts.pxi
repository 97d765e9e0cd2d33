# Coding text: like integers, but the bytes of every distinct text stand in one row, and a slot says where.
#
# Rows go through in blocks: all are hashed and memory is asked for their slots; then all slots are read and memory is
# asked for the bytes that they point to; then the bytes are compared. So a row waits for memory twice, at the same time
# as the other rows of its block, and a text that is there costs two lines of memory.

cdef enum:
    BLOCK = 64
    LONGEST = 0xFFFFFF      # a size that a slot can hold; longer ones are looked up

cdef uint64_t GONE = <uint64_t>-1   # where no text stands: as far away and as long as can be

cdef struct TextSlots:      # a line of memory
    uint32_t[4] tag         # the upper half of the hash, of which the upper bits are the place
    int32_t[4] number       # the code and one; 0: empty, as are all that follow
    uint64_t[4] where       # the first byte (40 bits) and the size (24 bits)

cdef struct Block:
    int64_t count
    int64_t[BLOCK] row
    bytes_t[BLOCK] text
    int64_t[BLOCK] size
    uint64_t[BLOCK] hash
    int64_t[BLOCK] start
    int32_t[BLOCK] code
    familiar_t[BLOCK] pair   # where to remember the row; NULL: nowhere


cdef inline void put_text(
    TextSlots* lines, uint64_t mask, uint64_t at, uint32_t tag, int32_t number, uint64_t where
) noexcept nogil:
    """Write a text that is new into the first empty slot."""
    cdef int k = 0
    while lines[at].number[3]:
        at = (at + 1) & mask
    while lines[at].number[k]:
        k += 1
    lines[at].tag[k] = tag
    lines[at].number[k] = number
    lines[at].where[k] = where


@cython.final
cdef class TextIds(_Table):
    """Distinct UTF-8 strings in order of first appearance."""

    cdef TextSlots* lines
    cdef int64_t* starts        # count + 1 offsets into bytes
    cdef uint8_t* bytes
    cdef int64_t used, bytes_room, starts_room, checked

    def __cinit__(self):
        self.lines = <TextSlots*>ek_table((self.mask + 1) * sizeof(TextSlots))
        self.bytes_room = 512
        self.starts_room = 64
        self.used = self.checked = 0
        self.starts = <int64_t*>malloc(self.starts_room * sizeof(int64_t))
        self.bytes = <uint8_t*>malloc(self.bytes_room)
        if self.lines is NULL or self.starts is NULL or self.bytes is NULL:
            raise MemoryError
        self.starts[0] = 0

    def __dealloc__(self):
        ek_table_free(self.lines)
        free(self.starts)
        free(self.bytes)

    @property
    def size(self):
        """Bytes of all strings together."""
        return self.used

    cdef int grow(self) noexcept nogil:
        """Double the table; the tags say where everything goes, so no text is read."""
        cdef uint64_t size = self.mask + 1, i
        cdef int k
        cdef TextSlots* lines
        if self.shift <= 32:
            return -1
        lines = <TextSlots*>ek_table(2 * size * sizeof(TextSlots))
        if lines is NULL:
            return -1
        self.shift -= 1
        self.mask = 2 * size - 1
        for i in range(size):
            for k in range(4):
                if self.lines[i].number[k]:
                    put_text(
                        lines, self.mask, (<uint64_t>self.lines[i].tag[k] << 32) >> self.shift,
                        self.lines[i].tag[k], self.lines[i].number[k], self.lines[i].where[k],
                    )
        ek_table_free(self.lines)
        self.lines = lines
        return 0

    cdef int make_room(self, int64_t size) noexcept nogil:
        """See to it that one more text of that size has room beside the slots."""
        cdef void* more
        cdef int64_t room
        if self.used + size > self.bytes_room:
            room = 2 * (self.used + size)
            more = ek_more(self.bytes, self.used, room)
            if more is NULL:
                return -1
            self.bytes = <uint8_t*>more
            self.bytes_room = room
        if self.count + 2 > self.starts_room:
            room = 2 * self.starts_room
            more = realloc(self.starts, room * sizeof(int64_t))
            if more is NULL:
                return -1
            self.starts = <int64_t*>more
            self.starts_room = room
        return 0

    cdef inline bint holds(
        self, const TextSlots* line, int k, const uint8_t* text, int64_t size, uint32_t tag
    ) noexcept nogil:
        """Whether a slot that is not empty is that of the text."""
        cdef int64_t start = line.where[k] >> 24
        if line.tag[k] != tag or <int64_t>(line.where[k] & LONGEST) != min(size, <int64_t>LONGEST):
            return False
        if size >= LONGEST and self.starts[line.number[k]] - start != size:
            return False
        return ek_same(self.bytes + start, text, size)

    cdef int32_t place(self, const uint8_t* text, int64_t size, uint64_t hash, bint insert) noexcept nogil:
        """Return the text's code; of one that is unknown a new code or -1; -2: there is no room."""
        cdef uint64_t at = hash >> self.shift
        cdef uint32_t tag = <uint32_t>(hash >> 32)
        cdef int k = 0
        while self.lines[at].number[k]:
            if self.holds(self.lines + at, k, text, size, tag):
                return self.lines[at].number[k] - 1
            k += 1
            if k == 4:
                k = 0
                at = (at + 1) & self.mask
        if not insert:
            return -1
        if self.count >= MOST_CODES or self.used >> 40 or self.make_room(size) < 0:
            return -2
        if 2 * self.count >= 5 * <int64_t>(self.mask + 1) and self.grow() < 0:
            return -2
        if size:
            memcpy(self.bytes + self.used, text, size)
        self.count += 1
        put_text(
            self.lines, self.mask, hash >> self.shift, tag, <int32_t>self.count,
            <uint64_t>self.used << 24 | <uint64_t>min(size, <int64_t>LONGEST),
        )
        self.used += size
        self.starts[self.count] = self.used
        return <int32_t>(self.count - 1)

    cdef void wipe(self, int64_t code) noexcept nogil:
        """Write zeros over the text of a code; its slot has to stay, lest a search ends at it, but holds no text."""
        cdef int64_t first = self.starts[code], size = self.starts[code + 1] - first
        cdef uint64_t at = ek_hash_bytes(self.bytes + first, size, self.secrets) >> self.shift
        cdef int k = 0
        while self.lines[at].number[k]:
            if self.lines[at].number[k] == code + 1:
                self.lines[at].where[k] = GONE
                memset(self.bytes + first, 0, size)
                return
            k += 1
            if k == 4:
                k = 0
                at = (at + 1) & self.mask

    cdef inline void take(
        self, Block* block, int64_t row, const uint8_t* text, int64_t size, Familiar* pair
    ) noexcept nogil:
        """Put a row into a block that is not full."""
        cdef int64_t j = block.count
        block.pair[j] = pair
        block.row[j] = row
        block.text[j] = text
        block.size[j] = size
        block.hash[j] = ek_hash_bytes(text, size, self.secrets)
        ek_prefetch(self.lines + (block.hash[j] >> self.shift))
        block.count += 1

    cdef int64_t finish(self, Block* block, int32_t* out, bint insert, int64_t* missed) noexcept nogil:
        """Write the codes of a block's rows and empty it; returns how many were noted, -1 where there is no room.

        Between reading the slots and comparing, rows of the same block may add texts and move the slots, but never the
        text of a code: what was found stays true, and what was not found is looked for again.
        """
        cdef int64_t j, count = 0, n = block.count
        cdef int32_t code
        cdef int k
        cdef const TextSlots* line
        for j in range(n):
            line = self.lines + (block.hash[j] >> self.shift)
            k = ek_first_of_four(line.tag, <uint32_t>(block.hash[j] >> 32))
            # what is in another line, of another size, or too long for a slot to say, is left to `place`
            if k == 4 or <int64_t>(line.where[k] & LONGEST) != block.size[j] or block.size[j] == LONGEST:
                block.code[j] = -1
                continue
            block.code[j] = line.number[k] - 1
            block.start[j] = line.where[k] >> 24
            ek_prefetch(self.bytes + block.start[j])
            ek_prefetch(self.bytes + block.start[j] + block.size[j])
        for j in range(n):
            code = block.code[j]
            if code < 0 or not ek_same(self.bytes + block.start[j], block.text[j], block.size[j]):
                code = self.place(block.text[j], block.size[j], block.hash[j], insert)
                if code == -2:
                    return -1
                block.code[j] = code
                if code < 0 and missed is not NULL:
                    missed[count] = block.row[j]
                    count += 1
            out[block.row[j]] = code
        block.count = 0
        return count

    cdef int64_t span(
        self, const Strings* strings, const int64_t* rows, int64_t first, int64_t last, int32_t* out, bint insert,
        int64_t* missed, int64_t* broken, Lately* lately,
    ) noexcept nogil:
        """Write the codes of some rows (of `rows`, or in a stretch); unknown ones are added, noted or -1.

        Returns how many were noted, -1 where there is no room; `broken` becomes the first row outside of the memory.
        """
        cdef Familiar look
        cdef Familiar* pair
        cdef Block block
        cdef int64_t i, row, number, size = 0, count = 0, done
        cdef const uint8_t* text = NULL
        cdef bint views = strings.views is not NULL, far = lately.large and rows is NULL
        block.count = 0
        look.low = look.high = 0
        for i in range(first, last):
            row = i if rows is NULL else rows[i]
            if far and i + AHEAD < last:
                look_at(strings, i + AHEAD, NULL, 0, &look)
                ek_prefetch(pair_of(lately, &look, self.secrets))
            if is_null(strings.validity, strings.bit_offset + row):
                out[row] = -1
                continue
            if not views and not piece(strings, row, &text, &size):
                broken[0] = row
                break
            pair = NULL
            if lately.resting:
                lately.resting -= 1
            elif look_at(strings, row, text, size, &look):
                pair = pair_of(lately, &look, self.secrets)
                number = recalled(lately, &look, pair)
                if number:
                    out[row] = <int32_t>(number - 1)
                    continue
            if views and not piece(strings, row, &text, &size):
                broken[0] = row
                break
            self.take(&block, row, text, size, pair)
            if block.count == BLOCK:
                done = self.flush(&block, strings, out, insert, missed + count if missed is not NULL else NULL, lately)
                if done < 0:
                    return -1
                count += done
        done = self.flush(&block, strings, out, insert, missed + count if missed is not NULL else NULL, lately)
        return -1 if done < 0 else count + done

    cdef int64_t flush(
        self, Block* block, const Strings* strings, int32_t* out, bint insert, int64_t* missed, Lately* lately
    ) noexcept nogil:
        """Finish a block, and remember what it found, or note what is to be remembered."""
        cdef Familiar look
        cdef int64_t j, n = block.count, count = self.finish(block, out, insert, missed)
        for j in range(n):
            if block.pair[j] is not NULL and block.code[j] >= 0:
                if lately.lacked_end is not NULL:
                    lately.lacked += 1
                    lately.lacked_end[-lately.lacked] = block.row[j]
                    continue
                look_at(strings, block.row[j], block.text[j], block.size[j], &look)
                keep_sight(block.pair[j], &look, block.code[j])
        return count

    def code(
        self, TextRows texts not None, int32_t[::1] out, bint insert=True, int64_t first=0, int64_t last=-1,
        Sights sights=None,
    ):
        """Write the code of each row; unknown ones are added, or -1 where `insert` is false.

        Raises an IndexError with the first row whose text would be outside of its memory.
        """
        cdef Familiar[FAMILIAR] few
        cdef Lately lately
        cdef int64_t done = 0, broken = -1, known = self.count
        last = _last_text(texts, out, first, last)
        self.begin(&lately, few, sights, texts)
        if first < last:
            with nogil:
                done = self.span(&texts.strings, NULL, first, last, &out[0], insert, NULL, &broken, &lately)
        _refuse(done, broken)
        if sights is not None:
            sights.hits += lately.hits
            sights.lacked += lately.tries - lately.hits - (self.count - known)

    def find(
        self, TextRows texts not None, int32_t[::1] out, int64_t first, int64_t last, int64_t[::1] missed,
        Sights sights=None,
    ):
        """Write the codes of the texts that are known and the rows of those that are not; adds nothing.

        Any number of threads may look up at once. Returns how many rows were missed, which come first, and how many the
        sights lacked, which come last in `missed`; raises as `code` does.
        """
        cdef Familiar[FAMILIAR] few
        cdef Lately lately
        cdef int64_t count = 0, broken = -1
        last = _last_text(texts, out, first, last)
        if missed.shape[0] < last - first:
            raise ValueError("missed is too short")
        self.begin(&lately, few, sights, texts)
        if first < last:
            if sights is not None:
                lately.lacked_end = &missed[0] + missed.shape[0]
            with nogil:
                count = self.span(&texts.strings, NULL, first, last, &out[0], False, &missed[0], &broken, &lately)
        _refuse(count, broken)
        if sights is not None:
            sights.hits += lately.hits
            sights.lacked += lately.lacked
        return count, lately.lacked

    def add(
        self, TextRows texts not None, int32_t[::1] out, const int64_t[::1] rows, bint insert=True, Sights sights=None
    ):
        """Write the codes of these rows at their places in `out`, adding what is unknown; raises as `code` does."""
        cdef Familiar[FAMILIAR] few
        cdef Lately lately
        cdef int64_t done = 0, broken = -1
        _last_text(texts, out, 0, 0)
        self.begin(&lately, few, sights, texts)
        if rows.shape[0]:
            with nogil:
                done = self.span(&texts.strings, &rows[0], 0, rows.shape[0], &out[0], insert, NULL, &broken, &lately)
        _refuse(done, broken)

    def see(self, int32_t[::1] out, const int64_t[::1] rows, Sights sights not None):
        """Add these rows, whose codes are known, to what the sights know."""
        cdef Lately lately
        cdef Familiar look
        cdef int64_t i
        cdef const Strings* strings = &sights.texts.strings
        _last_text(sights.texts, out, 0, 0)
        self.begin(&lately, NULL, sights, sights.texts)
        with nogil:
            for i in range(rows.shape[0]):
                if i + AHEAD < rows.shape[0]:
                    look_at(strings, rows[i + AHEAD], NULL, 0, &look)
                    ek_prefetch_written(pair_of(&lately, &look, self.secrets))
                look_at(strings, rows[i], NULL, 0, &look)
                keep_sight(pair_of(&lately, &look, self.secrets), &look, out[rows[i]])

    cdef int begin(self, Lately* lately, Familiar* few, Sights sights, TextRows texts) except -1:
        """Start a span with what sights have seen, or (None) with an empty cache of few texts."""
        memset(lately, 0, sizeof(Lately))
        if sights is None:
            memset(few, 0, FAMILIAR * sizeof(Familiar))
            lately.pairs, lately.shift = few, FAMILIAR_SHIFT
            return 0
        if sights.ids is not self or sights.texts is not texts:
            raise ValueError("sights are of other texts")
        lately.pairs, lately.shift, lately.large = sights.pairs, sights.shift, True
        return 0

    def code_objects(self, values, int32_t[::1] out, bint insert=True):
        """Code Python strings; None, NaN and other values unequal to themselves or null are -1.

        Returns the index of the first value that is no text (or cannot be encoded), or -1.
        """
        cdef int64_t i = 0
        cdef Py_ssize_t size
        cdef const char* text
        cdef Block block
        cdef list held = [None] * BLOCK     # the objects whose bytes the block points to
        block.count = 0
        for value in values:
            if isinstance(value, str):
                try:
                    text = PyUnicode_AsUTF8AndSize(value, &size)
                except UnicodeEncodeError:
                    return i
                held[block.count] = value
                self.take(&block, i, <const uint8_t*>text, size, NULL)
                if block.count == BLOCK and self.finish(&block, &out[0], insert, NULL) < 0:
                    raise MemoryError("too many distinct ids")
            elif value is None or type(value).__name__ in ("NAType", "NaTType") or value != value:
                out[i] = -1
            else:
                return i
            i += 1
        if block.count and self.finish(&block, &out[0], insert, NULL) < 0:
            raise MemoryError("too many distinct ids")
        return -1

    def longest_search(self):
        """How many lines are read at most until an id is found: whether ids crowd."""
        cdef uint64_t i, most = 0
        cdef int k
        for i in range(self.mask + 1):
            for k in range(4):
                if self.lines[i].number[k]:
                    most = max(most, (i - ((<uint64_t>self.lines[i].tag[k] << 32) >> self.shift)) & self.mask)
        return most + 1

    def undecodable(self):
        """Return the code of the first string that is not UTF-8, or -1; what was looked at is not looked at again."""
        cdef int64_t code, first = self.starts[self.checked]
        with nogil:
            if ek_ascii(self.bytes + first, self.used - first):
                self.checked = self.count
            while self.checked < self.count:
                first = self.starts[self.checked]
                if not ek_utf8(self.bytes + first, self.starts[self.checked + 1] - first):
                    break
                self.checked += 1
        return self.checked if self.checked < self.count else -1

    def export(self, int64_t[::1] starts, uint8_t[::1] bytes):
        """Write offsets (count + 1) and the bytes of the distinct strings by code."""
        if starts.shape[0] != self.count + 1 or bytes.shape[0] != self.used:
            raise ValueError("out has the wrong length")
        memcpy(&starts[0], self.starts, (self.count + 1) * sizeof(int64_t))
        if self.used:
            memcpy(&bytes[0], self.bytes, self.used)

    def __reduce__(self):
        from array import array

        starts = array("q", bytes(8 * (self.count + 1)))
        data = bytearray(self.used)
        self.export(starts, data)
        return text_ids, (starts, data)

    def strings(self):
        """The distinct strings by code, as a list of str."""
        cdef int64_t i
        return [
            PyUnicode_DecodeUTF8(
                <const char*>self.bytes + self.starts[i], self.starts[i + 1] - self.starts[i], NULL
            )
            for i in range(self.count)
        ]


cdef int _refuse(int64_t done, int64_t broken) except -1:
    if done < 0:
        raise MemoryError("too many distinct ids")
    if broken >= 0:
        raise IndexError(broken)
    return 0


cdef int64_t _last_text(TextRows texts, int32_t[::1] out, int64_t first, int64_t last):
    """Return where rows to be coded end (-1: with the texts), if they are rows of everything given."""
    if out.shape[0] != texts.strings.rows:
        raise ValueError("texts and out differ in length")
    if last == -1:
        last = texts.strings.rows
    if not 0 <= first <= last <= texts.strings.rows:
        raise ValueError("first and last are no rows")
    return last


def text_ids(const int64_t[::1] starts, const uint8_t[::1] data):
    """Make the table that holds these distinct strings by code (for pickling)."""
    cdef int64_t i, size
    cdef const uint8_t* text
    ids = TextIds()
    for i in range(starts.shape[0] - 1):
        size = starts[i + 1] - starts[i]
        text = &data[0] + starts[i] if size else NULL
        if ids.place(text, size, ek_hash_bytes(text, size, ids.secrets), True) < 0:
            raise MemoryError("too many distinct ids")
    return ids
