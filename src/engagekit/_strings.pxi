# Text where it comes from: rows in Arrow's memory, read without a copy and never outside of it.

ctypedef const uint8_t* bytes_t

cdef struct Strings:        # a chunk of text in Arrow's memory: offsets of one of two widths, or views
    const int32_t* narrow
    const int64_t* wide
    const uint8_t* data
    int64_t data_size
    const uint8_t* views
    const uint8_t** buffers
    int64_t* sizes
    int64_t buffer_count
    const uint8_t* validity
    int64_t bit_offset
    int64_t rows


@cython.final
cdef class TextRows:
    """Rows of text in Arrow's memory: `offsets` (int32 or int64) into `data`, or `views` into `buffers`."""

    cdef Strings strings
    cdef const int32_t[::1] _narrow
    cdef const int64_t[::1] _wide
    cdef const uint8_t[::1] _data
    cdef const uint8_t[::1] _views
    cdef const uint8_t[::1] _validity
    cdef list _buffers

    def __cinit__(self, int64_t rows, offsets, data, views, list buffers, validity, int64_t bit_offset):
        cdef const uint8_t[::1] buffer
        cdef int64_t b, count = len(buffers)
        self.strings.rows = rows
        self.strings.bit_offset = bit_offset
        self.strings.buffers = <const uint8_t**>calloc(count + 1, sizeof(void*))
        self.strings.sizes = <int64_t*>calloc(count + 1, sizeof(int64_t))
        if self.strings.buffers is NULL or self.strings.sizes is NULL:
            raise MemoryError
        self._buffers = buffers
        self.strings.buffer_count = count
        for b in range(count):
            buffer = buffers[b]
            self.strings.sizes[b] = buffer.shape[0]
            self.strings.buffers[b] = first_of(buffer)
        if validity is not None:
            self._validity = validity
            if 8 * self._validity.shape[0] < rows + bit_offset or bit_offset < 0:
                raise ValueError("validity is too short")
            self.strings.validity = first_of(self._validity)
        if views is not None:
            self._views = views
            if self._views.shape[0] < 16 * rows:
                raise ValueError("views are too few")
            self.strings.views = first_of(self._views)
        elif rows:
            self._data = data
            self.strings.data_size = self._data.shape[0]
            self.strings.data = first_of(self._data)
            if len(offsets) < rows + 1:
                raise ValueError("offsets are too few")
            if offsets.itemsize == 4:
                self._narrow = offsets
                self.strings.narrow = &self._narrow[0]
            else:
                self._wide = offsets
                self.strings.wide = &self._wide[0]

    def __dealloc__(self):
        free(self.strings.buffers)
        free(self.strings.sizes)


cdef inline bint is_null(const uint8_t* validity, int64_t bit) noexcept nogil:
    return validity is not NULL and not (validity[bit >> 3] >> (bit & 7)) & 1


cdef inline bint piece(const Strings* strings, int64_t row, const uint8_t** text, int64_t* size) noexcept nogil:
    """Find the bytes of a row that is not null; false if they would be outside of the chunk's memory."""
    cdef const uint8_t* view
    cdef int64_t start, end
    cdef int32_t[4] words
    if strings.views is not NULL:
        view = strings.views + 16 * row
        memcpy(words, view, 16)
        size[0] = words[0]
        if 0 <= words[0] <= 12:
            text[0] = view + 4
            return True
        start, end = words[3], words[3] + size[0]
        if words[0] < 0 or not 0 <= words[2] < strings.buffer_count or start < 0 or end > strings.sizes[words[2]]:
            return False
        text[0] = strings.buffers[words[2]] + start
        return True
    if strings.narrow is not NULL:
        start, end = strings.narrow[row], strings.narrow[row + 1]
    else:
        start, end = strings.wide[row], strings.wide[row + 1]
    text[0] = strings.data + start
    size[0] = end - start
    return 0 <= start <= end <= strings.data_size


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


def take_words(TextRows texts not None, const int64_t[::1] rows, int64_t[::1] starts):
    """Write the offsets of the texts at these rows, none of them null, and return their bytes in that order.

    Raises an IndexError with the first of them that is no row or whose text would be outside of its memory.
    """
    cdef int64_t i, n = rows.shape[0], broken = -1, size = 0
    cdef const uint8_t* text = NULL
    cdef uint8_t[::1] out
    if starts.shape[0] != n + 1:
        raise ValueError("starts has the wrong length")
    starts[0] = 0
    with nogil:
        for i in range(n):
            if not 0 <= rows[i] < texts.strings.rows or not piece(&texts.strings, rows[i], &text, &size):
                broken = i
                break
            starts[i + 1] = starts[i] + size
    if broken >= 0:
        raise IndexError(broken)
    taken = bytearray(starts[n])
    if starts[n]:
        out = taken
        with nogil:
            for i in range(n):
                piece(&texts.strings, rows[i], &text, &size)
                if size:
                    memcpy(&out[starts[i]], text, size)
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
