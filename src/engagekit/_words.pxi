# Coding a dictionary's rows: an index becomes a code by a plain array, as long as the dictionary.
#
# The array begins as zeroed memory of which only the pages that are used come into being, so that a few rows of a large
# dictionary cost no more than few rows. Words are coded when they first appear. A word that has no code yet is given
# the next one, as if it were new; when the words' codes are known and this was wrong (words known before, twice in the
# dictionary, or null), the rows are looked up once more.

ctypedef fused index_t:
    int8_t
    uint8_t
    int16_t
    uint16_t
    int32_t
    uint32_t
    int64_t
    uint64_t


@cython.final
cdef class WordCodes:
    """The codes of a dictionary's words, by index."""

    cdef int32_t* numbers       # the code and two; 1: null or unknown, 0: not yet asked for
    cdef int64_t count

    def __cinit__(self, int64_t count):
        self.numbers = <int32_t*>calloc(count + 1, sizeof(int32_t))
        if self.numbers is NULL:
            raise MemoryError
        self.count = count

    def __dealloc__(self):
        free(self.numbers)

    def code(
        self,
        const index_t[::1] indices,
        const uint8_t[::1] validity,
        int64_t bit_offset,
        int32_t[::1] out,
        int64_t first,
        int64_t last,
        int64_t next,
        int64_t[::1] fresh,
    ):
        """Write the codes of rows, and in `fresh` the words that had none, which are given the codes from `next` on.

        A row is null (-1) by its bit in `validity` or by an index of -1. Returns how many words are fresh; raises an
        IndexError with the first row whose index is beyond the dictionary. Cost: one read of the array a row.
        """
        cdef const uint8_t* valid = first_of(validity)
        cdef int64_t i, broken = -1, count = 0
        cdef uint64_t words = self.count, nothing = <uint64_t>-1, index
        cdef int32_t number
        if not 0 <= first <= last <= min(indices.shape[0], out.shape[0]):
            raise ValueError("first and last are no rows")
        if fresh.shape[0] < min(last - first, self.count):
            raise ValueError("fresh is too short")
        if next + self.count > MOST_CODES:
            raise MemoryError("too many distinct ids")
        with nogil:
            for i in range(first, last):
                index = <uint64_t>indices[i]    # a negative one becomes larger than any dictionary
                if is_null(valid, bit_offset + i):
                    out[i] = -1
                    continue
                if index >= words:
                    if index != nothing:
                        broken = i
                        break
                    out[i] = -1
                    continue
                number = self.numbers[index]
                if number == 0:
                    number = <int32_t>(next + count + 2)
                    self.numbers[index] = number
                    fresh[count] = index
                    count += 1
                out[i] = number - 2
        _refuse(count, broken)
        return count

    def settle(self, const int64_t[::1] words, const int32_t[::1] codes):
        """Note the codes of words, by their places in `codes`; return whether these are the ones they were given."""
        cdef int64_t i
        cdef bint right = True
        with nogil:
            for i in range(words.shape[0]):
                if self.numbers[words[i]] != codes[words[i]] + 2:
                    right = False
                    self.numbers[words[i]] = codes[words[i]] + 2
        return right
