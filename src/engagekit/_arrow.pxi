# The Arrow C stream interface: chunks of columns in the memory of whoever made them.
#
# Read by hand: the structs are a frozen ABI of some twenty fields, and one column of an unusual type (a list view, a
# union) cannot make the rest of a frame unreadable. The producer's functions run without the GIL, which those that run
# Python in other threads depend on. What a chunk holds is given back when the last view of it is gone.
#
# https://arrow.apache.org/docs/format/CDataInterface.html, https://arrow.apache.org/docs/format/CStreamInterface.html

cdef extern from "Python.h":
    void* PyCapsule_GetPointer(object capsule, const char* name) except NULL
    int PyBuffer_FillInfo(Py_buffer* view, object owner, void* memory, Py_ssize_t size, int readonly, int flags) except -1


cdef struct CSchema:
    const char* format
    const char* name
    const char* metadata
    int64_t flags
    int64_t n_children
    CSchema** children
    CSchema* dictionary
    void (*release)(CSchema*) noexcept nogil
    void* private_data

cdef struct CArray:
    int64_t length
    int64_t null_count
    int64_t offset
    int64_t n_buffers
    int64_t n_children
    void** buffers
    CArray** children
    CArray* dictionary
    void (*release)(CArray*) noexcept nogil
    void* private_data

cdef struct CStream:
    int (*get_schema)(CStream*, CSchema*) noexcept nogil
    int (*get_next)(CStream*, CArray*) noexcept nogil
    const char* (*get_last_error)(CStream*) noexcept nogil
    void (*release)(CStream*) noexcept nogil
    void* private_data


@cython.final
cdef class ArrowArray:
    """A chunk of a stream, or a child or the dictionary of one, which keeps the chunk alive."""

    cdef CArray own
    cdef CArray* array
    cdef ArrowArray chunk       # None: it is the chunk

    def __cinit__(self):
        self.array = &self.own

    def __dealloc__(self):
        if self.own.release is not NULL:
            with nogil:
                self.own.release(&self.own)

    cdef ArrowArray part(self, CArray* array):
        cdef ArrowArray part = ArrowArray.__new__(ArrowArray)
        part.array = array
        part.chunk = self if self.chunk is None else self.chunk
        return part

    @property
    def length(self):
        """How many rows it has."""
        return self.array.length

    @property
    def offset(self):
        """How many items of its buffers are before its first row."""
        return self.array.offset

    @property
    def null_count(self):
        """How many rows are null; -1: nobody has counted."""
        return self.array.null_count

    @property
    def n_buffers(self):
        """How many buffers it has."""
        return self.array.n_buffers

    @property
    def n_children(self):
        """How many children it has."""
        return self.array.n_children

    @property
    def dictionary(self):
        """The values that its indices point into, None without one."""
        return None if self.array.dictionary is NULL else self.part(self.array.dictionary)

    def child(self, int64_t index):
        """Return a child, which there must be."""
        if not 0 <= index < self.array.n_children:
            raise IndexError(index)
        return self.part(self.array.children[index])

    def memory(self, int64_t index, int64_t first, int64_t last):
        """Return the bytes `first` ... `last` - 1 of a buffer for NumPy to look at, None if it has no memory."""
        cdef ArrowMemory memory
        if not (0 <= index < self.array.n_buffers and 0 <= first <= last):
            raise IndexError(index)
        if self.array.buffers[index] is NULL:
            return None
        memory = ArrowMemory.__new__(ArrowMemory)
        memory.chunk = self if self.chunk is None else self.chunk
        memory.first = <char*>self.array.buffers[index] + first
        memory.size = last - first
        return memory


@cython.final
cdef class ArrowMemory:
    """Bytes of a chunk, which it keeps alive; nobody may write them."""

    cdef ArrowArray chunk
    cdef char* first
    cdef Py_ssize_t size

    def __getbuffer__(self, Py_buffer* view, int flags):
        PyBuffer_FillInfo(view, self, self.first, self.size, 1, flags)


cdef object decoded(const char* text):
    return "" if text is NULL else PyUnicode_DecodeUTF8(text, strlen(text), "replace")


cdef object field_of(const CSchema* schema, make):
    """Describe a type by what `make` makes of its name, its format, its children and its dictionary."""
    cdef int64_t i
    children = tuple([field_of(schema.children[i], make) for i in range(schema.n_children)])
    dictionary = None if schema.dictionary is NULL else field_of(schema.dictionary, make)
    return make(decoded(schema.name), decoded(schema.format), children, dictionary)


cdef int refuse_failure(CStream* stream, int status) except -1:
    cdef const char* reason
    if status:
        reason = stream.get_last_error(stream)
        raise OSError(decoded(reason) or f"error {status}")
    return 0


def drain_stream(capsule, make):
    """Read the stream of an `arrow_array_stream` to its end.

    Returns its type, as `make` makes it of a name, a format, the types of the children (a tuple) and of the dictionary
    (or None), and its chunks that have rows. Raises an EOFError where that was done before, and an OSError with the
    reason where the producer fails.
    """
    # the capsule stays the owner: its destructor releases the stream
    cdef CStream* stream = <CStream*>PyCapsule_GetPointer(capsule, "arrow_array_stream")
    cdef CSchema schema
    cdef ArrowArray chunk
    cdef int status
    cdef list chunks = []
    if stream.release is NULL:
        raise EOFError
    memset(&schema, 0, sizeof(CSchema))
    with nogil:
        status = stream.get_schema(stream, &schema)
    refuse_failure(stream, status)
    try:
        field = field_of(&schema, make)
    finally:
        if schema.release is not NULL:
            schema.release(&schema)
    while True:
        chunk = ArrowArray.__new__(ArrowArray)
        with nogil:
            status = stream.get_next(stream, &chunk.own)
        refuse_failure(stream, status)
        if chunk.own.release is NULL:
            return field, chunks
        if chunk.own.length:
            chunks.append(chunk)


def move_dictionary(uint64_t source, uint64_t into):
    """Move an array into the dictionary slot of another one, made for a dictionary type, which owns it from then on.

    Both are the addresses of such structs.
    """
    cdef CArray* values = <CArray*>source
    cdef CArray* slot = (<CArray*>into).dictionary
    if slot.release is not NULL:
        slot.release(slot)
    slot[0] = values[0]
    # what is marked as released belongs to nobody: that is how the interface moves an array
    values.release = NULL
