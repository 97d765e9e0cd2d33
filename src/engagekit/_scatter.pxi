# Scattering: the rows of a block apart by partition of their contacts, each partition's rows in their order. Fetching is the
# way back: values from wherever they are.

ctypedef fused item_t:
    uint8_t
    uint16_t
    uint32_t
    uint64_t


ctypedef fused place_t:
    uint32_t
    int64_t


def places(int32_t[::1] codes, int64_t[::1] starts, uint32_t[::1] out, int32_t run=0):
    """Find the place of each row when rows lie by partition: a counting sort by some bits of the code.

    There are as many partitions as `starts` is long, but for one: a power of two. Contacts go to them in turns, 2^`run`
    at a time. `starts` becomes the first place of each partition's rows, `out` the place of each row; `codes` are
    changed to those within the partition (the bits that say which it is are taken out). Returns nothing. Cost: two
    passes. Memory: none beside the arguments.
    """
    cdef int64_t n = codes.shape[0], parts = starts.shape[0] - 1, i, p
    cdef int32_t bits = 0, part, code, low
    while (<int64_t>1 << bits) < parts:
        bits += 1
    if out.shape[0] != n or <int64_t>1 << bits != parts or n >= <int64_t>1 << 32 or not 0 <= run <= 30 - bits:
        raise ValueError("expected a place for each code, fewer than 2^32, and a power of two of partitions and of a run")
    low = (1 << run) - 1
    with nogil:
        for p in range(parts + 1):
            starts[p] = 0
        for i in range(n):
            starts[(codes[i] >> run & <int32_t>(parts - 1)) + 1] += 1
        for p in range(parts):
            starts[p + 1] += starts[p]
        # each start walks to the end of its partition, then all are moved back by one
        for i in range(n):
            code = codes[i]
            part = code >> run & <int32_t>(parts - 1)
            out[i] = <uint32_t>starts[part]
            starts[part] += 1
            codes[i] = code >> run + bits << run | code & low
        for p in range(parts, 0, -1):
            starts[p] = starts[p - 1]
        starts[0] = 0


def scatter(const item_t[::1] values, const uint32_t[::1] places, item_t[::1] out):
    """Write each value to its place.

    Read from beginning to end and written along one front a partition, so that the lines being written stay near: some
    1.5 ns a value, where gathering by partition would take each line once a value. `places` are taken for granted.
    """
    cdef int64_t i
    if places.shape[0] != values.shape[0]:
        raise ValueError("values and places differ in length")
    with nogil:
        for i in range(values.shape[0]):
            out[places[i]] = values[i]


def fetch(const item_t[::1] values, const place_t[::1] places, item_t[::1] out):
    """Write the value at each place, one after the other; `places` are taken for granted.

    Memory is asked for a value long before it is read: most are in a line of their own.
    """
    cdef int64_t i, n = places.shape[0]
    if out.shape[0] != n:
        raise ValueError("places and out differ in length")
    with nogil:
        for i in range(n - ROWS_AHEAD):
            ek_prefetch(&values[0] + places[i + ROWS_AHEAD])
            out[i] = values[places[i]]
        for i in range(max(n - ROWS_AHEAD, 0), n):
            out[i] = values[places[i]]


def fingerprints(const int64_t[::1] starts, const uint8_t[::1] data, const uint64_t[::1] secrets, uint64_t[:, ::1] out):
    """Write a keyed hash of 128 bits for each text, given as offsets and bytes; `secrets` are eight words.

    Alike for equal texts, and for others not in any lifetime: two of 2^32 texts meet with a chance below 2^-64.
    """
    cdef int64_t i, size
    cdef uint8_t nothing = 0
    cdef const uint8_t* text
    if out.shape[0] != starts.shape[0] - 1 or out.shape[1] != 2 or secrets.shape[0] != 8:
        raise ValueError("expected two words for each text and eight secrets")
    with nogil:
        for i in range(out.shape[0]):
            size = starts[i + 1] - starts[i]
            text = &data[0] + starts[i] if size else &nothing
            out[i, 0] = ek_hash_bytes(text, size, &secrets[0])
            out[i, 1] = ek_hash_bytes(text, size, &secrets[4])
