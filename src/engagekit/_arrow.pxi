# The Arrow C stream interface: chunks of columns in the memory of whoever made them.
#
# Read by hand: the structs are a frozen ABI of some twenty fields, and one column of an unusual type (a list view, a
# union) cannot make the rest of a frame unreadable. The producer's functions run without the GIL, which those that run
# Python in other threads depend on. What a chunk holds is given back when the last view of it is gone.
#
# https://arrow.apache.org/docs/format/CDataInterface.html, https://arrow.apache.org/docs/format/CStreamInterface.html

from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.ref cimport Py_DECREF, Py_INCREF


cdef extern from "Python.h":
    object PyCapsule_New(void* pointer, const char* name, void (*destructor)(object) noexcept)
    int Py_IsInitialized() nogil
    bint PyCapsule_IsValid(object capsule, const char* name)
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
    cdef CStream* stream
    cdef CSchema schema
    cdef ArrowArray chunk
    cdef int status
    cdef list chunks = []
    if not PyCapsule_IsValid(capsule, "arrow_array_stream"):
        raise OSError(f"{type(capsule).__name__} in place of its capsule")
    # the capsule stays the owner: where this fails, its destructor releases the stream
    stream = <CStream*>PyCapsule_GetPointer(capsule, "arrow_array_stream")
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
        if status:
            chunk.own.release = NULL    # what a producer that failed left there is no array
        refuse_failure(stream, status)
        if chunk.own.release is NULL:
            with nogil:
                stream.release(stream)  # which says to whoever comes next that it was read
            return field, chunks
        if chunk.own.length:
            chunks.append(chunk)


# The other way round: arrays of NumPy's as a stream of one chunk. Each struct has a reference to its column, and one piece
# of memory for all that it points to, for a consumer may move children out of their parent.

cdef int64_t NULLABLE = 2           # a flag of the interface
cdef int OUT_OF_MEMORY = 12         # what C calls ENOMEM


@cython.final
cdef class ArrowColumn:
    """A column to be given away: a name and a format of Arrow's, and buffers (arrays or None) that must not change."""

    cdef bytes name
    cdef bytes format
    cdef int64_t rows
    cdef int64_t null_count
    cdef int64_t flags
    cdef list buffers
    cdef list children
    cdef ArrowColumn dictionary

    def __init__(
        self, str name not None, str format not None, int64_t rows, int64_t null_count, list buffers not None,
        *, ArrowColumn dictionary=None, list children=None,
    ):
        self.name, self.format = name.encode(), format.encode()
        self.rows, self.null_count = rows, null_count
        self.flags = NULLABLE if children is None else 0
        self.buffers, self.children, self.dictionary = buffers, children or [], dictionary


@cython.final
cdef class ArrowGift:
    """What a stream has to give, and whether it has been given."""

    cdef ArrowColumn column
    cdef bint given


cdef void* address_of(array) except? NULL:
    cdef Py_buffer view
    if array is None:
        return NULL
    PyObject_GetBuffer(array, &view, PyBUF_SIMPLE)
    PyBuffer_Release(&view)         # the array stays where it is as long as the column has it
    return view.buf


cdef void let_go(void* owner) noexcept nogil:
    if Py_IsInitialized():          # what others hold of ours may outlive the interpreter
        with gil:
            Py_DECREF(<object>owner)


cdef void release_schema(CSchema* schema) noexcept nogil:
    cdef int64_t i
    for i in range(schema.n_children):
        if schema.children[i].release is not NULL:
            schema.children[i].release(schema.children[i])
    if schema.dictionary is not NULL and schema.dictionary.release is not NULL:
        schema.dictionary.release(schema.dictionary)
    free(schema.children)
    let_go(schema.private_data)
    schema.release = NULL


cdef void release_array(CArray* array) noexcept nogil:
    cdef int64_t i
    for i in range(array.n_children):
        if array.children[i].release is not NULL:
            array.children[i].release(array.children[i])
    if array.dictionary is not NULL and array.dictionary.release is not NULL:
        array.dictionary.release(array.dictionary)
    free(array.buffers)
    let_go(array.private_data)
    array.release = NULL


cdef void release_stream(CStream* stream) noexcept nogil:
    let_go(stream.private_data)
    stream.release = NULL


cdef int give_schema(ArrowColumn column, CSchema* schema) except -1:
    """Fill a struct that is zeros; where this fails, it can be released all the same."""
    cdef int64_t i, n = len(column.children)
    cdef CSchema** memory = <CSchema**>calloc(1, n * sizeof(void*) + (n + 1) * sizeof(CSchema))
    cdef CSchema* parts = <CSchema*>(memory + n)
    if memory is NULL:
        raise MemoryError
    schema.name, schema.format, schema.flags = column.name, column.format, column.flags
    schema.children, schema.n_children = memory, n
    for i in range(n):
        memory[i] = parts + i
    if column.dictionary is not None:
        schema.dictionary = parts + n
    Py_INCREF(column)
    schema.private_data = <void*>column
    schema.release = release_schema
    for i in range(n):
        give_schema(column.children[i], parts + i)
    if column.dictionary is not None:
        give_schema(column.dictionary, parts + n)
    return 0


cdef int give_array(ArrowColumn column, CArray* array) except -1:
    """Fill a struct that is zeros; where this fails, it can be released all the same."""
    cdef int64_t i, n = len(column.children), buffers = len(column.buffers)
    cdef void** memory = <void**>calloc(1, (buffers + n) * sizeof(void*) + (n + 1) * sizeof(CArray))
    cdef CArray* parts = <CArray*>(memory + buffers + n)
    if memory is NULL:
        raise MemoryError
    array.length, array.null_count = column.rows, column.null_count
    array.buffers, array.n_buffers = memory, buffers
    array.children, array.n_children = <CArray**>(memory + buffers), n
    for i in range(n):
        array.children[i] = parts + i
    if column.dictionary is not None:
        array.dictionary = parts + n
    Py_INCREF(column)
    array.private_data = <void*>column
    array.release = release_array
    for i in range(buffers):
        memory[i] = address_of(column.buffers[i])
    for i in range(n):
        give_array(column.children[i], parts + i)
    if column.dictionary is not None:
        give_array(column.dictionary, parts + n)
    return 0


cdef int schema_of_gift(CStream* stream, CSchema* schema) noexcept with gil:
    memset(schema, 0, sizeof(CSchema))
    try:
        give_schema((<ArrowGift>stream.private_data).column, schema)
    except BaseException:
        if schema.release is not NULL:
            schema.release(schema)
        return OUT_OF_MEMORY
    return 0


cdef int next_of_gift(CStream* stream, CArray* array) noexcept with gil:
    cdef ArrowGift gift = <ArrowGift>stream.private_data
    memset(array, 0, sizeof(CArray))
    if gift.given:
        return 0                    # a released array is the end of a stream
    try:
        give_array(gift.column, array)
    except BaseException:
        if array.release is not NULL:
            array.release(array)
        return OUT_OF_MEMORY
    gift.given = True
    return 0


cdef const char* error_of_gift(CStream* stream) noexcept with gil:
    return NULL


cdef void drop_stream(object capsule) noexcept:
    cdef CStream* stream = <CStream*>PyCapsule_GetPointer(capsule, "arrow_array_stream")
    if stream.release is not NULL:
        stream.release(stream)
    free(stream)


def stream_of(ArrowColumn column not None):
    """Return the `arrow_array_stream` capsule of a table, whose columns are the children of `column`."""
    cdef ArrowGift gift = ArrowGift.__new__(ArrowGift)
    cdef CStream* stream = <CStream*>calloc(1, sizeof(CStream))
    if stream is NULL:
        raise MemoryError
    gift.column = column
    Py_INCREF(gift)
    stream.private_data = <void*>gift
    stream.get_schema = schema_of_gift
    stream.get_next = next_of_gift
    stream.get_last_error = error_of_gift
    stream.release = release_stream
    return PyCapsule_New(stream, "arrow_array_stream", drop_stream)
