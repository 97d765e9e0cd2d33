# Results by column, an entry a job: NumPy's memory, found under the columns' names.

cdef struct Columns:        # of results, an entry a job
    double* score
    double* engagement
    double* momentum
    double* silent_days
    double* largest
    int64_t* next_change
    int64_t* events
    int64_t* first_event
    int64_t* last_event
    int8_t* level
    int8_t* half
    int32_t* phase
    int8_t* next_level
    int32_t* next_phase
    int32_t* last_type
    int32_t* top_channel
    int32_t* intent         # NULL: no rule has one
    uint8_t* present


cdef inline void store(const Columns* columns, int64_t j, const Row* row, int64_t at) noexcept nogil:
    """Write what a job came to into its place."""
    columns.score[j] = row.score
    columns.engagement[j] = row.engagement
    columns.momentum[j] = row.momentum
    columns.silent_days[j] = <double>(at - row.last_event) / DAY if row.events else NAN
    columns.largest[j] = row.largest
    columns.next_change[j] = row.next_change
    columns.events[j] = row.events
    columns.first_event[j] = row.first_event
    columns.last_event[j] = row.last_event
    columns.level[j] = <int8_t>row.level
    columns.half[j] = <int8_t>(row.half - PROSPECT)
    columns.phase[j] = row.phase
    columns.next_level[j] = <int8_t>row.next_level
    columns.next_phase[j] = row.next_phase
    columns.last_type[j] = row.last_type
    columns.top_channel[j] = row.top_channel
    columns.present[j] = row.present
    if columns.intent is not NULL:
        columns.intent[j] = row.intent


cdef double* doubles_of(dict arrays, str name) except? NULL:
    cdef double[::1] array = arrays[name]
    return &array[0] if array.shape[0] else NULL


cdef int64_t* longs_of(dict arrays, str name) except? NULL:
    cdef int64_t[::1] array = arrays[name]
    return &array[0] if array.shape[0] else NULL


cdef int32_t* ints_of(dict arrays, str name) except? NULL:
    cdef int32_t[::1] array = arrays[name]
    return &array[0] if array.shape[0] else NULL


cdef int8_t* bytes_of(dict arrays, str name) except? NULL:
    cdef int8_t[::1] array = arrays[name]
    return &array[0] if array.shape[0] else NULL


cdef Columns columns_of(dict arrays) except *:
    """Find the result columns under their names."""
    cdef Columns columns
    cdef uint8_t[::1] present = arrays["present"]
    columns.score = doubles_of(arrays, "score")
    columns.engagement = doubles_of(arrays, "engagement")
    columns.momentum = doubles_of(arrays, "momentum")
    columns.silent_days = doubles_of(arrays, "silent_days")
    columns.largest = doubles_of(arrays, "largest")
    columns.next_change = longs_of(arrays, "next_change")
    columns.events = longs_of(arrays, "events")
    columns.first_event = longs_of(arrays, "first_event")
    columns.last_event = longs_of(arrays, "last_event")
    columns.level = bytes_of(arrays, "level")
    columns.half = bytes_of(arrays, "half")
    columns.phase = ints_of(arrays, "phase")
    columns.next_level = bytes_of(arrays, "next_level")
    columns.next_phase = ints_of(arrays, "next_phase")
    columns.last_type = ints_of(arrays, "last_type")
    columns.top_channel = ints_of(arrays, "top_channel")
    columns.intent = ints_of(arrays, "intent") if "intent" in arrays else NULL
    columns.present = &present[0] if present.shape[0] else NULL
    return columns
