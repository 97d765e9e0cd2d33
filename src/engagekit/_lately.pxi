# What was coded lately: a cache from what tells a text from others at a glance to its code.
#
# That is the text itself where it has 4 to 16 bytes. Of views it is the view: whoever gathers rows of text, or reads them
# by a dictionary, repeats the view and not the text, and where views are the same the text is, as long as the chunk is.
# So one line of memory takes the place of three (the bytes, the slot, the bytes stored), or of two.
#
# A small cache suits a column of few texts, and is at hand in every span of rows; it looks now and then whether it finds
# enough to be worth its while, and rests if not. A large one suits many ids whose views repeat; it is for one chunk and one
# table, and kept from span to span. Any number of threads may ask it at once, and between their spans one adds to it.

cdef enum:
    FAMILIAR = 256          # texts in the small cache
    FAMILIAR_SHIFT = 57     # of a hash, so that it names one of their pairs
    TRIAL = 1024            # rows of which the small cache is to find half
    REST = 65536            # rows for which it rests if not
    ROWS_A_SIGHT = 8        # rows of a chunk for each text in the large cache, or up to twice as many
    MANY_TRIAL = 32         # the part of a chunk's rows of which the large one is to find an eighth

cdef struct Familiar:
    uint64_t low
    uint64_t high
    int64_t size            # of a view 0, for it has its size itself
    int64_t number          # the code and one; 0: empty

ctypedef Familiar* familiar_t

cdef struct Lately:         # what a span has of either cache
    Familiar* pairs         # a line of memory each: who came first, and who came last
    int shift
    bint large
    int64_t tries, hits, resting
    int64_t* lacked_end     # rows that the large one lacked are written before it, from the last backwards; NULL: they
    int64_t lacked          # are added at once


cdef inline bint look_at(
    const Strings* strings, int64_t row, const uint8_t* text, int64_t size, Familiar* seen
) noexcept nogil:
    """Write what tells a row's text from others at a glance; false: nothing does. Of views the text is not read."""
    if strings.views is not NULL:
        memcpy(&seen.low, strings.views + 16 * row, 8)
        memcpy(&seen.high, strings.views + 16 * row + 8, 8)
        seen.size = 0
        return True
    seen.size = size
    if 8 <= size <= 16:
        memcpy(&seen.low, text, 8)
        memcpy(&seen.high, text + size - 8, 8)
        return True
    if 4 <= size < 8:
        seen.low = seen.high = 0
        memcpy(&seen.low, text, 4)
        memcpy(&seen.high, text + size - 4, 4)
        return True
    return False


cdef inline Familiar* pair_of(const Lately* lately, const Familiar* look, const uint64_t* secrets) noexcept nogil:
    """Return where a text is remembered."""
    return lately.pairs + 2 * (
        ((look.low ^ secrets[1]) * (secrets[2] | 1) ^ look.high) * (secrets[3] | 1) >> lately.shift
    )


cdef inline int64_t recalled(Lately* lately, const Familiar* look, const Familiar* pair) noexcept nogil:
    """Return the code and one of a text that was coded lately, or 0; and see whether it is worth asking."""
    cdef int64_t number = 0
    if pair[0].low == look.low and pair[0].high == look.high and pair[0].size == look.size:
        number = pair[0].number
    elif pair[1].low == look.low and pair[1].high == look.high and pair[1].size == look.size:
        number = pair[1].number
    lately.hits += number > 0
    lately.tries += 1
    if lately.tries == TRIAL and not lately.large:
        if 2 * lately.hits < TRIAL:
            lately.resting = REST
        lately.tries = lately.hits = 0
    return number


cdef inline void keep_sight(Familiar* pair, const Familiar* look, int64_t code) noexcept nogil:
    """Keep a text's code: of those in the pair the first stays, for what comes early comes often."""
    cdef Familiar* kept = pair + (pair[0].number > 0)
    kept[0] = look[0]
    kept.number = code + 1


@cython.final
cdef class Sights:
    """The large cache of a chunk of views that one table codes."""

    cdef object ids
    cdef TextRows texts
    cdef Familiar* pairs
    cdef int shift
    cdef int64_t hits, lacked

    def __cinit__(self, ids, TextRows texts not None):
        if texts.strings.views is NULL:
            raise ValueError("expected views")
        self.ids, self.texts = ids, texts
        self.shift = 63
        while self.shift > 35 and <int64_t>2 << (64 - self.shift) < texts.strings.rows // ROWS_A_SIGHT:
            self.shift -= 1
        self.pairs = <Familiar*>ek_table((<size_t>2 << (64 - self.shift)) * sizeof(Familiar))
        if self.pairs is NULL:
            raise MemoryError
        self.hits = self.lacked = 0

    def __dealloc__(self):
        ek_table_free(self.pairs)

    @property
    def pays(self):
        """Whether enough views repeat; those of ids that were new do not tell."""
        cdef int64_t asked = self.hits + self.lacked
        return MANY_TRIAL * asked < self.texts.strings.rows or 8 * self.hits >= asked
