# Live state: a row a contact, in blocks that never move, and what brings events in and numbers out.
#
# Every method that reads or changes rows does so in one call that keeps the GIL: no other thread ever sees an event
# half counted. Rows are found by the contact's code; codes of linked contacts lead to one row.


cdef class LiveRows:
    """The memory of a live state: a row a contact, and what its numbers mean."""

    cdef Scorer scorer
    cdef Scratch scratch
    cdef bint prepared
    cdef Terms terms
    cdef list kept
    cdef object ranks
    cdef IntegerIds integers        # what codes are of; None: of another kind, or none yet
    cdef TextIds texts
    cdef public dict plain          # of types that alone say the class: class and code, packed
    cdef public object clock        # None: the machine's
    cdef public bint aware
    cdef public object read_until   # position of the source up to which events have been taken; None: nobody said
    cdef uint8_t** slabs            # memory of blocks that were made at once, in large pages where they are many
    cdef int64_t slab_count
    cdef uint8_t** blocks
    cdef int64_t block_count
    cdef int64_t count              # of rows
    cdef int32_t* alias             # of each code its row; NULL: nobody is linked
    cdef int64_t alias_room
    cdef Layout layout
    cdef uint8_t* spare             # a row to try things in
    cdef Extra spare_extra
    cdef double* raws
    cdef int64_t* bys
    cdef double* channel_values
    cdef tuple levels               # names of a score's columns
    cdef tuple phases
    cdef tuple channels
    cdef tuple channel_columns
    cdef list one_code              # one-element arrays: the columns of an event that comes alone
    cdef list one_amount
    cdef uint64_t[4] secrets
    cdef public int64_t rows        # events taken
    cdef public int64_t duplicates
    cdef int64_t waits              # events that wait for the clock
    cdef readonly int64_t waits_until   # the first of them
    cdef readonly bint touched      # whether anything happened since `take_touched`
    cdef dict aside                 # blocks that changed before the file took them, as they were
    cdef int64_t taken              # blocks that the file has
    cdef int64_t to_take            # 0: no file is being written
    cdef int64_t rows_to_take

    def __cinit__(self, *args, **kwargs):
        memset(&self.terms, 0, sizeof(Terms))
        memset(&self.scratch, 0, sizeof(Scratch))
        memset(&self.spare_extra, 0, sizeof(Extra))
        self.terms.newest = NEVER
        self.terms.strict = True
        self.waits_until = INT64_MAX

    def __dealloc__(self):
        cdef int64_t i
        for i in range(self.count):
            drop_extra(self.head(i))
        for i in range(self.slab_count):
            free(self.slabs[i])
        free(self.slabs)
        free(self.blocks)
        free(self.alias)
        free(self.spare)
        free(self.spare_extra.records)
        free(self.raws)
        free(self.bys)
        free(self.channel_values)
        if self.prepared:
            self.scorer.dispose(&self.scratch)

    cdef inline Head* head(self, int64_t row) noexcept nogil:
        return <Head*>(self.blocks[row // ROWS] + (row % ROWS) * self.layout.size)

    cdef inline int64_t row_of(self, int64_t code) noexcept nogil:
        return self.alias[code] if self.alias is not NULL else code

    cdef inline void open_row(self, Head* head, State* row) noexcept nogil:
        open_row(&self.layout, head, row)

    cdef void clear_row(self, Head* head) noexcept nogil:
        cdef State row
        cdef int64_t j
        memset(head, 0, self.layout.size)
        self.open_row(head, &row)
        head.newest = head.first = head.last = NEVER
        head.last_type = -1
        if row.lifecycle is not NULL:
            row.lifecycle[0] = INT64_MAX
            row.lifecycle[1] = row.lifecycle[2] = NEVER
        if row.verdicts is not NULL:
            for j in range(3):
                row.verdicts[j] = NEVER

    def declare(
        self, Scorer scorer not None, *, int64_t lateness, bytes secrets not None, const ExcludeSpec[::1] excludes,
        const uint8_t[:, ::1] exclude_roles, const uint8_t[::1] verdicts, bint heard, int64_t contents, list codes,
        list amounts,
    ):
        """Say what the classes of events mean; again whenever there are more of them.

        `codes` and `amounts` are the one-element arrays that the scorer was attached to, `secrets` 32 bytes for
        hashes, the same for all states that may be merged.
        """
        cdef int64_t x, size = sizeof(Head)
        if self.prepared:
            self.scorer.dispose(&self.scratch)
            self.prepared = False
        if len(secrets) != sizeof(self.secrets):
            raise ValueError("secrets have the wrong length")
        memcpy(self.secrets, <const char*>secrets, sizeof(self.secrets))
        self.scorer = scorer
        self.kept = [excludes, exclude_roles, verdicts]
        self.one_code = codes
        self.one_amount = amounts
        self.terms.plan = &scorer.plan
        self.terms.lateness = lateness
        self.terms.excludes = excludes.shape[0]
        self.terms.exclude = &excludes[0] if excludes.shape[0] else NULL
        self.terms.exclude_roles = NULL
        if exclude_roles.shape[0] and exclude_roles.shape[1]:
            self.terms.exclude_roles = &exclude_roles[0, 0]
        self.terms.slack = 0
        for x in range(excludes.shape[0]):
            if excludes[x].follows:
                self.terms.slack = max(self.terms.slack, excludes[x].within, <int64_t>1)
        self.terms.verdict = &verdicts[0] if verdicts.shape[0] else NULL
        self.terms.columns = len(codes)
        self.terms.words = (contents + 63) // 64
        self.terms.ids = scorer.plan.listed + excludes.shape[0]
        size += scorer.plan.rules * sizeof(Sum)
        if scorer.plan.lifecycle:
            self.layout.lifecycle = size
            size += 3 * sizeof(int64_t)
        if heard:
            self.layout.verdicts = size
            size += 3 * sizeof(int64_t)
        if contents:
            self.layout.had = size
            size += self.terms.words * sizeof(uint64_t)
        self.layout.size = size

    def name_columns(self, tuple levels not None, tuple phases not None, tuple channels not None):
        """Say what the codes of a score's columns are called."""
        self.levels, self.phases, self.channels = levels, phases, channels
        self.channel_columns = tuple(f"channel_{name}" for name in channels)

    def rank(self, const int32_t[::1] ranks):
        """Say how the names of the types sort, by code."""
        self.ranks = ranks
        self.terms.rank = &ranks[0] if ranks.shape[0] else NULL

    cdef int ready(self) except -1:
        cdef int64_t most
        if self.prepared:
            return 0
        if self.scorer.prepare(&self.scratch) < 0:
            self.scorer.dispose(&self.scratch)
            raise MemoryError
        self.prepared = True
        most = self.terms.plan.rules + self.terms.plan.listed + 1
        if self.raws is NULL:
            self.raws = <double*>malloc(most * sizeof(double))
            self.bys = <int64_t*>malloc((self.terms.columns + 1) * sizeof(int64_t))
            self.spare = <uint8_t*>malloc(self.layout.size)
            self.channel_values = <double*>malloc(self.terms.plan.channels * sizeof(double))
        if self.channel_values is NULL:
            raise MemoryError
        if self.raws is NULL or self.bys is NULL or self.spare is NULL:
            raise MemoryError
        return 0

    cdef int reserve(self, int64_t count) except -1:
        """Make rows for that many codes."""
        cdef int64_t i, more = (count + ROWS - 1) // ROWS - self.block_count
        cdef uint8_t* slab
        cdef void* moved
        if more > 0:
            moved = realloc(self.blocks, (self.block_count + more) * sizeof(void*))
            if moved is NULL:
                raise MemoryError
            self.blocks = <uint8_t**>moved
            moved = realloc(self.slabs, (self.slab_count + 1) * sizeof(void*))
            if moved is NULL:
                raise MemoryError
            self.slabs = <uint8_t**>moved
            slab = ek_room(more * ROWS * self.layout.size)
            if slab is NULL:
                raise MemoryError
            self.slabs[self.slab_count] = slab
            self.slab_count += 1
            for i in range(more):
                self.blocks[self.block_count + i] = slab + i * ROWS * self.layout.size
            self.block_count += more
        if self.alias is not NULL and count > self.alias_room:
            moved = realloc(self.alias, 2 * count * sizeof(int32_t))
            if moved is NULL:
                raise MemoryError
            self.alias = <int32_t*>moved
            for i in range(self.alias_room, 2 * count):
                self.alias[i] = <int32_t>i
            self.alias_room = 2 * count
        for i in range(self.count, count):
            self.clear_row(self.head(i))
        self.count = max(self.count, count)
        return 0

    def become(self, ids not None):
        """Say what the codes are of: `IntegerIds` or `TextIds`."""
        if isinstance(ids, IntegerIds):
            self.integers = ids
        else:
            self.texts = ids

    def known(self, contact):
        """Return the code of a contact, -1: it is unknown; None: what it is the caller has to find out."""
        cdef int overflow = 0
        cdef int64_t number
        cdef Py_ssize_t size
        cdef const char* text
        if self.integers is not None and PyLong_CheckExact(contact):
            number = PyLong_AsLongLongAndOverflow(contact, &overflow)
            if not overflow and number >= 0:
                return integer_number(
                    self.integers.lines, self.integers.mask, self.integers.hash(number) >> self.integers.shift, number
                ) - 1
        elif self.texts is not None and PyUnicode_CheckExact(contact):
            try:
                text = PyUnicode_AsUTF8AndSize(contact, &size)
            except UnicodeEncodeError:
                return None
            return self.texts.place(
                <const uint8_t*>text, size, ek_hash_bytes(<const uint8_t*>text, size, self.texts.secrets), False
            )
        return None

    def code_integer(self, IntegerIds ids not None, int64_t value, bint insert=True):
        """Return the code of an integer, a new one if need be; -1: it is unknown."""
        cdef uint64_t hash = ids.hash(value)
        cdef int32_t code
        if not insert:
            return integer_number(ids.lines, ids.mask, hash >> ids.shift, value) - 1
        code = ids.place(value, hash)
        if code < 0:
            raise MemoryError("too many distinct ids")
        if code >= self.count:
            self.reserve(code + 1)
        return code

    def code_text(self, TextIds ids not None, str value not None, bint insert=True):
        """Return the code of a text, a new one if need be; -1: it is unknown."""
        cdef Py_ssize_t size
        cdef const char* text = PyUnicode_AsUTF8AndSize(value, &size)
        cdef uint64_t hash = ek_hash_bytes(<const uint8_t*>text, size, ids.secrets)
        cdef int32_t code = ids.place(<const uint8_t*>text, size, hash, insert)
        if code == -2:
            raise MemoryError("too many distinct ids")
        if code >= self.count:
            self.reserve(code + 1)
        return code

    def code_integers(self, IntegerIds ids not None, const int64_t[::1] values):
        """Return the codes of distinct integers, new ones as need be: the table grows once, by all of them."""
        cdef int64_t signs = 0, n = values.shape[0], more
        from array import array
        cdef int32_t[::1] codes = array("i", bytes(4 * n))
        cdef int64_t[::1] missed = array("q", bytes(8 * n))
        if n:
            more = ids.span(&values[0], NULL, 0, n, &codes[0], False, &missed[0], &signs)
            if ids.widen(ids.count + more) < 0 or ids.place_rows(&values[0], &codes[0], &missed[0], more) < 0:
                raise MemoryError("too many distinct ids")
            self.reserve(ids.count)
        return codes.base

    def integers_of(self, IntegerIds ids not None):
        """Return the integers by code, without letting other threads in, who might move the table meanwhile."""
        cdef uint64_t i
        cdef int k
        from array import array
        cdef int64_t[::1] values = array("q", bytes(8 * ids.count))
        for i in range(ids.mask + 1):
            for k in range(WIDE):
                if ids.lines[i].number[k]:
                    values[ids.lines[i].number[k] - 1] = ids.lines[i].value[k]
        return values.base

    def code_texts(self, TextIds ids not None, const int64_t[::1] starts, const uint8_t[::1] data):
        """Return the codes of distinct texts, given as offsets and UTF-8 bytes; new ones as need be."""
        cdef int64_t i, n = starts.shape[0] - 1
        cdef const uint8_t* text = first_of(data)
        cdef Block block
        from array import array
        cdef int32_t[::1] codes = array("i", bytes(4 * n))
        block.count = 0
        for i in range(n):
            ids.take(&block, i, text + starts[i], starts[i + 1] - starts[i], NULL)
            if (block.count == BLOCK or i == n - 1) and ids.finish(&block, &codes[0], True, NULL) < 0:
                raise MemoryError("too many distinct ids")
        self.reserve(ids.count)
        return codes.base

    def hashed(self, str label not None):
        """Return a value of a `by` or an id of an event as 64 bits; those of another state differ."""
        cdef Py_ssize_t size
        cdef const char* text = PyUnicode_AsUTF8AndSize(label, &size)
        return <int64_t>ek_hash_bytes(<const uint8_t*>text, size, self.secrets)

    def all_hashed(self, list labels not None):
        """Do as `hashed` for many; the last is that of a null."""
        cdef int64_t i
        cdef Py_ssize_t size
        cdef const char* text
        from array import array
        cdef int64_t[::1] hashes = array("q", bytes(8 * (len(labels) + 1)))
        for i in range(len(labels)):
            text = PyUnicode_AsUTF8AndSize(labels[i], &size)
            hashes[i] = <int64_t>ek_hash_bytes(<const uint8_t*>text, size, self.secrets)
        hashes[len(labels)] = -1
        return hashes.base

    @property
    def newest(self):
        """The newest event seen, in microseconds; None: there is none."""
        return None if self.terms.newest == NEVER else self.terms.newest

    @property
    def late(self):
        """How many events came too late for something settled."""
        return self.terms.late

    @property
    def waiting(self):
        """How many events wait for the clock."""
        return self.waits

    def tallies(self):
        """Count events that are excluded, that nothing reads, and null amounts, as far as is known by now."""
        cdef int64_t c, excluded = self.terms.excluded, unmatched = self.terms.unmatched
        cdef int64_t null_amounts = self.terms.null_amounts
        cdef Pending* pending
        cdef Arrival event
        for c in range(self.count):
            if self.head(c).extra is NULL:
                continue
            pending = self.head(c).extra.pending
            while pending is not NULL:
                as_arrival(&self.terms, pending, &event)
                if pending.waiting:
                    pass
                elif is_excluded(&self.terms, self.head(c).extra, &event):
                    excluded += 1
                else:
                    unmatched += not self.terms.plan.flags[event.event_class] & READ
                    null_amounts += event.nulls
                pending = pending.next
        return excluded, unmatched, null_amounts

    def own(self, uint8_t[::1] out):
        """Mark the codes that lead to a row of their own."""
        cdef int64_t c
        for c in range(min(self.count, out.shape[0])):
            out[c] = self.row_of(c) == c

    def counted(self):
        """Count the contacts with an event that counts."""
        cdef int64_t c, found = 0
        for c in range(self.count):
            found += self.head(c).flags & PRESENT
        return found

    def __len__(self):
        return self.count


cdef void drop_extra(Head* head) noexcept nogil:
    """Let go of what is open of a contact, wiped."""
    cdef Pending* pending
    cdef Pending* next
    if head.extra is NULL:
        return
    pending = head.extra.pending
    while pending is not NULL:
        next = pending.next
        memset(pending, 0, sizeof(Pending))
        free(pending)
        pending = next
    if head.extra.records is not NULL:
        memset(head.extra.records, 0, head.extra.room * sizeof(Record))
    free(head.extra.records)
    free(head.extra)
    head.extra = NULL
