# Room for the columns of a large result, which the next such result may have again.

cdef extern from "_room.h" nogil:
    void* ek_lend(size_t* size)
    void ek_give_back(void* start, size_t size)


@cython.final
cdef class Room:
    """Memory of our own, lent for as long as anybody looks at it."""

    cdef void* start
    cdef size_t size
    cdef Py_ssize_t wanted

    def __dealloc__(self):
        ek_give_back(self.start, self.size)

    def __getbuffer__(self, Py_buffer* view, int flags):
        PyBuffer_FillInfo(view, self, self.start, self.wanted, 0, flags)


def room(Py_ssize_t wanted):
    """Return so many bytes of any content, for NumPy to see as an array."""
    cdef Room self = Room.__new__(Room)
    self.wanted = wanted
    self.size = <size_t>wanted if wanted > 0 else 1
    self.start = ek_lend(&self.size)
    if self.start is NULL:
        raise MemoryError
    return memoryview(self)
