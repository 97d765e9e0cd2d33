# Live state: a row a contact, in blocks that never move, and what brings events in and numbers out.
#
# Every method that reads or changes rows does so in one call that keeps the GIL: no other thread ever sees an event
# half counted. Rows are found by the contact's code; codes of linked contacts lead to one row.

from cpython.datetime cimport PyDateTime_CheckExact, import_datetime
from cpython.datetime cimport datetime_day, datetime_hour, datetime_microsecond, datetime_minute, datetime_month
from cpython.datetime cimport datetime_second, datetime_tzinfo, datetime_year
from cpython.long cimport PyLong_AsLongLongAndOverflow, PyLong_CheckExact
from cpython.unicode cimport PyUnicode_CheckExact

from datetime import timezone

cdef extern from "time.h" nogil:
    ctypedef long time_t
    cdef struct timespec:
        time_t tv_sec
        long tv_nsec
    int timespec_get(timespec* present, int base)
    int TIME_UTC

import_datetime()
cdef object UTC = timezone.utc

cdef enum:
    ROWS = 512              # of a block


@cython.final
cdef class Kept:
    """What a frame of events brings beside its columns: how its codes are the live state's; see `LiveState.take_all`."""

    cdef const int32_t[::1] contacts
    cdef const int32_t[::1] classes
    cdef const int32_t[::1] types
    cdef const int32_t[::1] contents
    cdef const int64_t[::1] ids
    cdef const uint8_t[::1] named
    cdef list by
    cdef list columns

    def __init__(self, contacts, classes, types, contents, ids, named, list by, list columns):
        self.contacts = contacts
        self.classes = classes
        self.types = types
        self.contents = contents
        self.ids = ids
        self.named = named
        self.by = by
        self.columns = columns


cdef class LiveState:
    """The contacts' rows; `engagekit.live.Live` says what of."""

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
    cdef uint8_t** blocks
    cdef int64_t block_count
    cdef int64_t count              # of rows
    cdef int32_t* alias             # of each code its row; NULL: nobody is linked
    cdef int64_t alias_room
    cdef int64_t row_size
    cdef int64_t lifecycle_at       # places in a row; 0: none
    cdef int64_t verdicts_at
    cdef int64_t had_at
    cdef uint8_t* spare             # a row to try things in
    cdef Extra spare_extra
    cdef double* raws
    cdef int64_t* bys
    cdef double* channel_values
    cdef Deposits queue
    cdef uint8_t* queue_memory
    cdef list one_code              # one-element arrays: the columns of an event that comes alone
    cdef list one_amount
    cdef uint64_t[4] secrets
    cdef public int64_t rows        # events taken
    cdef public int64_t duplicates
    cdef int64_t waits              # events that wait for the clock
    cdef readonly int64_t waits_until   # the first of them
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
        for i in range(self.block_count):
            free(self.blocks[i])
        free(self.blocks)
        free(self.alias)
        free(self.spare)
        free(self.spare_extra.records)
        free(self.raws)
        free(self.bys)
        free(self.channel_values)
        free(self.queue_memory)
        if self.prepared:
            self.scorer.dispose(&self.scratch)

    cdef inline Head* head(self, int64_t row) noexcept nogil:
        return <Head*>(self.blocks[row // ROWS] + (row % ROWS) * self.row_size)

    cdef inline int64_t row_of(self, int64_t code) noexcept nogil:
        return self.alias[code] if self.alias is not NULL else code

    cdef inline void open_row(self, Head* head, State* row) noexcept nogil:
        cdef uint8_t* bytes = <uint8_t*>head
        row.head = head
        row.sums = <Sum*>(bytes + sizeof(Head))
        row.lifecycle = <int64_t*>(bytes + self.lifecycle_at) if self.lifecycle_at else NULL
        row.verdicts = <int64_t*>(bytes + self.verdicts_at) if self.verdicts_at else NULL
        row.had = <uint64_t*>(bytes + self.had_at) if self.had_at else NULL

    cdef void clear_row(self, Head* head) noexcept nogil:
        cdef State row
        cdef int64_t j
        memset(head, 0, self.row_size)
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
            self.lifecycle_at = size
            size += 3 * sizeof(int64_t)
        if heard:
            self.verdicts_at = size
            size += 3 * sizeof(int64_t)
        if contents:
            self.had_at = size
            size += self.terms.words * sizeof(uint64_t)
        self.row_size = size

    def rank(self, const int32_t[::1] ranks):
        """Say how the names of the types sort, by code."""
        self.ranks = ranks
        self.terms.rank = &ranks[0] if ranks.shape[0] else NULL

    cdef int ready(self) except -1:
        cdef int64_t most
        if self.terms.queue is not NULL:
            # what a call that ended for want of memory had taken in
            flush_deposits(self.terms.plan, &self.queue)
            self.terms.queue = NULL
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
            self.spare = <uint8_t*>malloc(self.row_size)
            self.channel_values = <double*>malloc(self.terms.plan.channels * sizeof(double))
        if self.channel_values is NULL:
            raise MemoryError
        if self.raws is NULL or self.bys is NULL or self.spare is NULL:
            raise MemoryError
        return 0

    cdef int reserve(self, int64_t count) except -1:
        """Make rows for that many codes."""
        cdef int64_t i, blocks = (count + ROWS - 1) // ROWS
        cdef void* moved
        while self.block_count < blocks:
            moved = realloc(self.blocks, (self.block_count + 1) * sizeof(void*))
            if moved is NULL:
                raise MemoryError
            self.blocks = <uint8_t**>moved
            self.blocks[self.block_count] = <uint8_t*>malloc(ROWS * self.row_size)
            if self.blocks[self.block_count] is NULL:
                raise MemoryError
            self.block_count += 1
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

    def add(self, contact, type, time=None, *, value=None, id=None, context=None):
        """Take in one event; see `Live.add`. What is not plain is left to `_add`."""
        cdef int64_t micros, present, known, number
        cdef int32_t code
        cdef int overflow = 0
        cdef Arrival event
        cdef Py_ssize_t size
        cdef const char* text
        if (
            id is None and context is None and self.clock is None and self.plain is not None
            and (time is None or self.is_plain(time))
        ):
            found = self.plain.get(type) if PyUnicode_CheckExact(type) else None
            present = machine_clock()
            micros = present if time is None else micros_of(time)
            if found is not None and micros <= present < self.waits_until:
                code = -1
                if self.integers is not None and PyLong_CheckExact(contact):
                    number = PyLong_AsLongLongAndOverflow(contact, &overflow)
                    if not overflow and number >= 0:
                        code = self.integers.place(number, self.integers.hash(number))
                elif self.texts is not None and PyUnicode_CheckExact(contact):
                    try:
                        text = PyUnicode_AsUTF8AndSize(contact, &size)
                    except UnicodeEncodeError:
                        return self._add(contact, type, time, value, id, context)
                    code = self.texts.place(
                        <const uint8_t*>text, size, ek_hash_bytes(<const uint8_t*>text, size, self.texts.secrets), True
                    )
                if code >= 0:
                    if code >= self.count:
                        self.reserve(code + 1)
                    self.ready()
                    known = found
                    event.time = micros
                    event.named = False
                    event.id = 0
                    event.event_class = <int32_t>(known >> 32)
                    event.type = <int32_t>(known & 0x7FFFFFFF)
                    event.content = -1
                    event.raw = self.raws
                    event.by = self.bys
                    event.nulls = self.rate(self.terms.plan, event.event_class, 0)
                    self.take(code, &event, False)
                    if micros > self.terms.newest:
                        self.terms.newest = micros
                    if time is not None and datetime_tzinfo(time) is not None:
                        self.aware = True
                    return None
        return self._add(contact, type, time, value, id, context)

    def instant(self, at):
        """Return an instant in microseconds as far as that is plain: a datetime of UTC; None otherwise."""
        return micros_of(at) if self.is_plain(at) else None

    cdef inline bint is_plain(self, object time):
        """Whether a time is a datetime, and of UTC."""
        return PyDateTime_CheckExact(time) and (datetime_tzinfo(time) is None or datetime_tzinfo(time) is UTC)

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
        """Return the codes of distinct integers, new ones as need be."""
        cdef int64_t i
        cdef int32_t code
        from array import array
        cdef int32_t[::1] codes = array("i", bytes(4 * values.shape[0]))
        for i in range(values.shape[0]):
            code = ids.place(values[i], ids.hash(values[i]))
            if code < 0:
                raise MemoryError("too many distinct ids")
            if code >= self.count:
                self.reserve(code + 1)
            codes[i] = code
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
        cdef int64_t i, size
        cdef int32_t code
        cdef const uint8_t* text = first_of(data)
        from array import array
        cdef int32_t[::1] codes = array("i", bytes(4 * (starts.shape[0] - 1)))
        for i in range(starts.shape[0] - 1):
            size = starts[i + 1] - starts[i]
            code = ids.place(text + starts[i], size, ek_hash_bytes(text + starts[i], size, ids.secrets), True)
            if code < 0:
                raise MemoryError("too many distinct ids")
            if code >= self.count:
                self.reserve(code + 1)
            codes[i] = code
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

    cdef int settle(self, State* row) except -1:
        fold(&self.terms, &self.scratch, row)
        if self.scratch.failed:
            self.scratch.failed = False
            raise MemoryError
        return 0

    cdef Extra* extra_of(self, Head* head, int64_t more) except NULL:
        """Return what is open of a contact, with room for that many more records."""
        cdef State row
        if head.extra is NULL:
            head.extra = <Extra*>calloc(1, sizeof(Extra))
            if head.extra is NULL:
                raise MemoryError
        elif head.extra.count + more > head.extra.room and head.extra.count:
            self.open_row(head, &row)
            self.settle(&row)
        if more and record_room(head.extra, more) is NULL:
            raise MemoryError
        return head.extra

    cdef int take(self, int64_t code, Arrival* event, bint waiting) except -1:
        """Take one event in: it counts, or waits."""
        cdef const Plan* plan = self.terms.plan
        cdef int32_t k = event.event_class
        cdef Head* head = self.head(self.row_of(code))
        cdef int64_t more = hits_of(plan, k) + self.terms.excludes + event.named
        cdef State row
        cdef Extra* extra = head.extra
        cdef bint gone, may = excludable(&self.terms, k, &gone)
        if event.named and was_seen(&self.terms, extra, event.id):
            self.duplicates += 1
            self.rows += 1
            return 0
        if self.to_take:
            self.before_change(self.row_of(code))
        self.open_row(head, &row)
        if self.terms.newest != NEVER and event.time < self.terms.newest - self.terms.lateness:
            self.terms.strict = False
            self.settle(&row)
        if more or waiting:
            extra = self.extra_of(head, more)
        if waiting or may:
            self.postpone(extra, event, waiting)
        if event.named:
            remember(extra, self.terms.ids, 0, event.time, event.id, 0.0)
        self.rows += 1
        if waiting:
            self.waits += 1
            self.waits_until = min(self.waits_until, event.time)
            return 0
        head.newest = max(head.newest, event.time)
        if self.terms.excludes and precede(&self.terms, extra, event, True):
            self.terms.late += 1
        if gone:
            self.terms.excluded += 1
        elif not may:
            count_in(&self.terms, &row, extra, event, True)
        self.terms.strict = True
        return 0

    cdef int postpone(self, Extra* extra, const Arrival* event, bint waiting) except -1:
        """Let an event wait, for its exclusions to settle or for the clock."""
        cdef int64_t points = points_of(self.terms.plan, event.event_class)
        cdef Pending* pending = <Pending*>malloc(
            sizeof(Pending) + points * sizeof(double) + self.terms.columns * sizeof(int64_t)
        )
        if pending is NULL:
            raise MemoryError
        pending.next = extra.pending
        pending.time = event.time
        pending.id = event.id
        pending.event_class = event.event_class
        pending.type = event.type
        pending.content = event.content
        pending.waiting = waiting
        pending.named = event.named
        pending.nulls = <int32_t>event.nulls
        memcpy(pending + 1, event.raw, points * sizeof(double))
        memcpy(<double*>(pending + 1) + points, event.by, self.terms.columns * sizeof(int64_t))
        extra.pending = pending
        return 0

    cdef int64_t rate(self, const Plan* plan, int32_t k, int64_t i) noexcept nogil:
        """Compute the raw points of event `i` of a plan, of class `k` there, by rule; return how many amounts are null."""
        cdef int64_t j, n = 0, nulls = 0
        cdef const RuleSpec* rule
        for j in range(plan.plain_start[k], plan.plain_start[k + 1]):
            self.raws[n] = raw_points(plan, plan.rule + plan.plain_rule[j], i, &nulls)
            n += 1
        for j in range(plan.listed_start[k], plan.listed_start[k + 1]):
            rule = plan.rule + plan.listed_rule[plan.listed_of[j]]
            self.raws[n] = raw_points(plan, rule, i, &nulls) if rule.kind == RULE else 0.0
            n += 1
        return nulls

    cdef int open_queue(self) except -1:
        """Give the queue of deposits its memory."""
        cdef int64_t one = (AT_ONCE + 8) * 8    # whole lines of memory, so that each begins where vectors like to
        cdef uint8_t* memory
        cdef bint failed = False
        if self.queue_memory is NULL:
            self.queue_memory = <uint8_t*>aligned(13 * one, 1, &failed)
            if failed:
                raise MemoryError
            memory = self.queue_memory
            self.queue.head = <Head**>memory
            self.queue.sums = <Sum**>(memory + one)
            self.queue.time = <int64_t*>(memory + 2 * one)
            self.queue.raw = <double*>(memory + 3 * one)
            self.queue.rule = <int32_t*>(memory + 4 * one)
            self.queue.steps = <int64_t*>(memory + 5 * one)
            self.queue.age = <int64_t*>(memory + 6 * one)
            self.queue.factor = <double*>(memory + 7 * one)
            self.queue.fast_steps = <int64_t*>(memory + 8 * one)
            self.queue.fast = <double*>(memory + 9 * one)
            self.queue.slow_steps = <int64_t*>(memory + 10 * one)
            self.queue.slow = <double*>(memory + 11 * one)
            self.queue.zeros = <int32_t*>(memory + 12 * one)
        self.queue.count = 0
        self.terms.queue = &self.queue
        return 0

    def take_one(
        self, int64_t code, int64_t time, int32_t event_class, int32_t type, int32_t content, id, tuple codes,
        tuple bys, tuple amounts, int64_t now,
    ):
        """Take in one event: `codes` for weights, `bys` for `by`, `amounts`, a value for each column of the plan."""
        cdef Arrival event
        cdef int64_t j
        cdef int32_t[::1] one
        cdef double[::1] amount
        self.ready()
        for j in range(len(codes)):
            one = self.one_code[j]
            one[0] = codes[j]
            self.bys[j] = bys[j]
        for j in range(len(amounts)):
            amount = self.one_amount[j]
            amount[0] = amounts[j]
        event.time = time
        event.named = id is not None
        event.id = id if id is not None else 0
        event.event_class = event_class
        event.type = type
        event.content = content
        event.raw = self.raws
        event.by = self.bys
        event.nulls = self.rate(self.terms.plan, event_class, 0)
        self.take(code, &event, time > now)
        if time <= now and time > self.terms.newest:
            self.terms.newest = time

    def take_all(self, Scorer source not None, Kept kept not None, int64_t now):
        """Take in the events that a scorer is attached to, grouped by contact; then the newest seen moves on."""
        cdef const Plan* plan = &source.plan
        cdef Arrival event
        cdef int64_t c, i, j, newest = self.terms.newest
        cdef int32_t k
        cdef const int64_t[::1] hashes
        cdef const int32_t[::1] column
        cdef int64_t contacts = kept.contacts.shape[0], target
        cdef bint simple = (
            self.terms.excludes == 0 and kept.named.shape[0] == 0 and kept.contents.shape[0] == 0
            and self.terms.columns == 0
        )
        cdef const int32_t* codes = &kept.contacts[0] if contacts else NULL
        cdef const int32_t* classes = &kept.classes[0]
        cdef const int32_t* types = &kept.types[0] if kept.types.shape[0] else NULL
        cdef State row
        cdef uint8_t* ahead
        self.ready()
        self.open_queue()
        event.raw = self.raws
        event.by = self.bys
        for c in range(contacts):
            target = self.row_of(codes[c])
            if c + 8 < contacts:
                ahead = <uint8_t*>self.head(self.row_of(codes[c + 8]))
                for j in range(0, self.row_size, 64):
                    ek_prefetch_written(ahead + j)
            if self.to_take:
                self.before_change(target)
            self.open_row(self.head(target), &row)
            for i in range(plan.start[c], plan.start[c + 1]):
                k = code_at(plan.event_class, plan.class_width, i)
                event.time = plan.time[i]
                if simple and event.time <= now and hits_of(plan, k) == 0:
                    event.event_class = classes[k]
                    event.type = types[code_at(plan.type, plan.type_width, i)]
                    event.content = -1
                    event.nulls = self.rate(plan, k, i)
                    row.head.newest = max(row.head.newest, event.time)
                    newest = max(newest, event.time)
                    self.rows += 1
                    count_in(&self.terms, &row, NULL, &event, True)
                    continue
                event.event_class = kept.classes[k]
                event.type = kept.types[code_at(plan.type, plan.type_width, i)]
                event.content = kept.contents[i] if kept.contents.shape[0] else -1
                event.named = kept.named.shape[0] > 0 and kept.named[i]
                event.id = kept.ids[i] if event.named else 0
                for j in range(self.terms.columns):
                    hashes = kept.by[j]
                    column = kept.columns[j]
                    self.bys[j] = hashes[column[i] if column[i] >= 0 else hashes.shape[0] - 1]
                event.nulls = self.rate(plan, k, i)
                self.take(kept.contacts[c], &event, event.time > now)
                if event.time <= now and event.time > newest:
                    newest = event.time
        flush_deposits(self.terms.plan, &self.queue)
        self.terms.queue = NULL
        self.terms.newest = newest

    def admit(self, int64_t now):
        """Let the events count that waited for the clock; done when the first of them is due."""
        cdef int64_t c, newest = self.terms.newest
        cdef Head* head
        cdef State row
        cdef Pending** link
        cdef Pending* pending
        cdef Arrival event
        cdef bint gone, may
        if self.waits_until > now:
            return
        self.ready()
        self.waits = 0
        self.waits_until = INT64_MAX
        for c in range(self.count):
            head = self.head(c)
            if head.extra is NULL or head.extra.pending is NULL:
                continue
            self.before_change(c)
            self.open_row(head, &row)
            link = &head.extra.pending
            while link[0] is not NULL:
                pending = link[0]
                if not pending.waiting or pending.time > now:
                    if pending.waiting:
                        self.waits += 1
                        self.waits_until = min(self.waits_until, pending.time)
                    link = &pending.next
                    continue
                as_arrival(&self.terms, pending, &event)
                may = excludable(&self.terms, pending.event_class, &gone)
                if record_room(head.extra, hits_of(self.terms.plan, event.event_class) + self.terms.excludes) is NULL:
                    raise MemoryError
                precede(&self.terms, head.extra, &event, True)
                head.newest = max(head.newest, event.time)
                newest = max(newest, event.time)
                pending.waiting = False
                if may:
                    link = &pending.next
                    continue
                if gone:
                    self.terms.excluded += 1
                else:
                    count_in(&self.terms, &row, head.extra, &event, False)
                link[0] = pending.next
                free(pending)
        self.terms.newest = newest

    cdef int try_pending(self, State* row, int64_t at) except -1:
        """Replace a row by a copy in which all that waits and is not later than `at` counts."""
        cdef Extra* extra = row.head.extra
        cdef Extra* spare = &self.spare_extra
        cdef Pending* pending
        cdef Arrival event
        cdef Terms before = self.terms      # what is only tried is not counted
        cdef int64_t more = 0
        cdef bint gone, may
        pending = extra.pending
        while pending is not NULL:
            more += hits_of(self.terms.plan, pending.event_class) + self.terms.excludes
            pending = pending.next
        spare.count = 0
        if record_room(spare, extra.count + more) is NULL and extra.count + more:
            raise MemoryError
        memcpy(spare.records, extra.records, extra.count * sizeof(Record))
        spare.count = extra.count
        memcpy(self.spare, row.head, self.row_size)
        self.open_row(<Head*>self.spare, row)
        row.head.extra = spare
        pending = extra.pending
        while pending is not NULL:
            if pending.waiting and pending.time <= at:
                as_arrival(&self.terms, pending, &event)
                precede(&self.terms, spare, &event, False)
            pending = pending.next
        pending = extra.pending
        while pending is not NULL:
            if pending.time <= at:
                as_arrival(&self.terms, pending, &event)
                row.head.newest = max(row.head.newest, event.time)
                may = excludable(&self.terms, event.event_class, &gone)
                if not gone and not (may and is_excluded(&self.terms, spare, &event)):
                    count_in(&self.terms, row, spare, &event, False)
            pending = pending.next
        self.terms = before
        return 0

    cdef int evaluate_row(
        self, int64_t code, int64_t at, int64_t since, bint ahead, Row* out, State* row, double* channels,
        int64_t stride, double* sums,
    ) except -2:
        """Everything about one contact at one instant, as the batch's `score_one`; -1: events are later than that."""
        cdef const Plan* plan = self.terms.plan
        cdef Scratch* scratch = &self.scratch
        cdef Facts facts
        cdef Head* head
        cdef const RuleSpec* rule
        cdef Extra* extra
        cdef int64_t r, l, n
        cdef double left
        cdef int32_t half
        cdef bint ended
        forget(plan, scratch, out, &facts)
        out.present = False
        scratch.far = True
        scratch.evaluations = 0
        if code >= 0:
            self.open_row(self.head(self.row_of(code)), row)
            if row.head.newest != NEVER and at < row.head.newest:
                return -1
            if row.head.extra is not NULL and row.head.extra.pending is not NULL:
                self.try_pending(row, at)
            head = row.head
            out.events = head.events
            out.first_event = head.first
            out.last_event = head.last
            out.last_type = head.last_type
            out.present = head.flags & PRESENT != 0
            if row.lifecycle is not NULL:
                facts.first_customer = row.lifecycle[0]
                facts.last_customer = row.lifecycle[1]
                facts.last_end = row.lifecycle[2]
            for r in range(plan.rules):
                if row.sums[r].value == 0 and row.sums[r].rest == 0:
                    continue
                rule = plan.rule + r
                left = 1.0
                if rule.decay == HALF_LIFE:
                    left = fading(at - floor_div(head.landmark, rule.span) * rule.span, rule.span, rule.inverse)
                scratch.sums[r].value = row.sums[r].value * left
                scratch.sums[r].rest = row.sums[r].rest * left
                scratch.seen[r] = 1
                if rule.listed >= 0:
                    l = rule.listed
                    scratch.part_first[l] = scratch.part_upto[l] = scratch.part_end[l] = 0
            if head.flags & PACED:
                scratch.pace.known = True
                scratch.pace.mark = head.mark
                r = floor_div(head.mark, plan.fast) * plan.fast
                scratch.pace.fast = head.fast * fading(head.mark - r, plan.fast, plan.fast_inverse)
                r = floor_div(head.mark, plan.slow) * plan.slow
                scratch.pace.slow = head.slow * fading(head.mark - r, plan.slow, plan.slow_inverse)
            extra = head.extra
            if extra is not NULL and extra.count:
                for l in range(plan.listed):
                    n = gather_records(&self.terms, scratch, extra, l, True)
                    if n:
                        take_part(plan, scratch, scratch.entries, n, l, at)
                    if scratch.failed:
                        scratch.failed = False
                        raise MemoryError
            flush(plan, scratch)
        settle(plan, scratch, at)
        if plan.lifecycle and since <= at:
            facts.first_customer = min(since, facts.first_customer)
            facts.last_customer = max(since, facts.last_customer)
        half = CUSTOMER if plan.lifecycle and facts.first_customer != INT64_MAX else PROSPECT
        ended = half == CUSTOMER and facts.last_end > facts.last_customer
        finish(
            plan, scratch, at, since, facts.last_customer, facts.last_end, half, ended, ahead, out, channels, stride,
            sums,
        )
        if scratch.raised:
            scratch.raised = False
            raise_again()
        return 0

    def score_some(
        self, const int64_t[::1] codes, const int64_t[::1] since, int64_t at, bint ahead, dict arrays,
        double[:, ::1] channels, int64_t[::1] rejected, uint8_t[::1] said, uint64_t[:, ::1] had,
    ):
        """Score contacts by code (-1: unknown) at one instant into arrays, as `Scorer.run`, and what sales said.

        Returns the place of the first whose events are later, -1 if there is none.
        """
        cdef Columns columns = columns_of(arrays)
        cdef int64_t j, jobs = channels.shape[1]
        cdef Row out
        cdef State row
        self.ready()
        for j in range(codes.shape[0]):
            if self.evaluate_row(codes[j], at, since[j], ahead, &out, &row, &channels[0, j], jobs, NULL) < 0:
                return j
            store(&columns, j, &out, at)
            if rejected.shape[0]:
                rejected[j] = NEVER
                said[j] = 0
                if codes[j] >= 0 and row.verdicts is not NULL:
                    rejected[j] = row.verdicts[2]
                    said[j] = <uint8_t>((row.verdicts[0] > rejected[j]) + 2 * (row.verdicts[1] > rejected[j]))
                if codes[j] >= 0 and had.shape[1]:
                    memcpy(&had[j, 0], row.had, had.shape[1] * sizeof(uint64_t))
        return -1

    def score_one(self, int64_t code, int64_t at, int64_t since):
        """Score one contact (-1: unknown): the numbers of its row as Python has them; None: its events are later.

        In order: score, engagement, momentum, the largest |S(r)|, next_change, events, first_event, last_event,
        last_type, phase, next_phase, top_channel, level, next_level, half, and C(ch) by channel.
        """
        cdef Row out
        cdef State row
        cdef double* channels
        cdef int64_t j
        self.ready()
        channels = self.channel_values
        if self.evaluate_row(code, at, since, True, &out, &row, channels, 1, NULL) < 0:
            return None
        return (
            out.score, out.engagement, out.momentum, out.largest, out.next_change, out.events, out.first_event,
            out.last_event, out.last_type, out.phase, out.next_phase, out.top_channel, out.level, out.next_level,
            out.half, [channels[j] for j in range(self.terms.plan.channels)],
        )

    def sums_of(self, int64_t code, int64_t at, int64_t since, double[::1] sums):
        """S(r) of one contact by rule, as `score_one` takes it; its half. -1: its events are later."""
        cdef Row out
        cdef State row
        self.ready()
        if self.evaluate_row(code, at, since, False, &out, &row, self.channel_values, 1, &sums[0]) < 0:
            return -1
        return out.half

    def join(self, int64_t code, int64_t into):
        """Let a contact's events be another's, those to come too; every code of either leads to one row."""
        cdef int64_t source = self.row_of(code), target = self.row_of(into), i
        cdef void* alias
        cdef State one, two
        self.ready()
        if self.alias is NULL:
            alias = malloc(2 * self.count * sizeof(int32_t))
            if alias is NULL:
                raise MemoryError
            self.alias = <int32_t*>alias
            self.alias_room = 2 * self.count
            for i in range(self.alias_room):
                self.alias[i] = <int32_t>i
        self.before_change(target)
        self.before_change(source)
        self.open_row(self.head(target), &one)
        self.open_row(self.head(source), &two)
        self.unite(&one, &two)
        self.clear_row(two.head)
        for i in range(self.count):
            if self.alias[i] == source:
                self.alias[i] = <int32_t>target

    cdef int unite(self, State* row, State* other) except -1:
        """Add to a row another, whose open records and waiting events move."""
        cdef Head* head = row.head
        cdef Head* gone = other.head
        cdef Extra* extra
        cdef Pending** last
        cdef int64_t j
        self.settle(row)
        self.settle(other)
        if gone.extra is not NULL:
            extra = self.extra_of(head, 0)
            if gone.extra.count:
                if record_room(extra, gone.extra.count) is NULL:
                    raise MemoryError
                memcpy(extra.records + extra.count, gone.extra.records, gone.extra.count * sizeof(Record))
                extra.count += gone.extra.count
            last = &extra.pending
            while last[0] is not NULL:
                last = &last[0].next
            last[0] = gone.extra.pending
            gone.extra.pending = NULL
            drop_extra(gone)
        join_sums(self.terms.plan, head, row.sums, gone, other.sums)
        if gone.events:
            if head.events == 0 or gone.first < head.first:
                head.first = gone.first
            if head.events == 0 or gone.last > head.last or (
                gone.last == head.last and self.terms.rank[gone.last_type] > self.terms.rank[head.last_type]
            ):
                head.last = gone.last
                head.last_type = gone.last_type
            head.events += gone.events
        head.newest = max(head.newest, gone.newest)
        head.flags |= gone.flags & PRESENT
        if row.lifecycle is not NULL:
            row.lifecycle[0] = min(row.lifecycle[0], other.lifecycle[0])
            row.lifecycle[1] = max(row.lifecycle[1], other.lifecycle[1])
            row.lifecycle[2] = max(row.lifecycle[2], other.lifecycle[2])
        if row.verdicts is not NULL:
            for j in range(3):
                row.verdicts[j] = max(row.verdicts[j], other.verdicts[j])
        for j in range(self.terms.words):
            row.had[j] |= other.had[j]
        return 0

    def row(self, int64_t code):
        """Return the code of the row that a code leads to."""
        return self.row_of(code)

    def erase(self, int64_t code):
        """Empty a contact's row, byte by byte; codes linked to it are its own again."""
        cdef int64_t target = self.row_of(code), i
        cdef Head* head = self.head(target)
        if self.to_take:
            raise RuntimeError("a file is being written")
        drop_extra(head)
        self.clear_row(head)
        if self.alias is not NULL:
            for i in range(self.count):
                if self.alias[i] == target:
                    self.alias[i] = <int32_t>i

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

    # A file takes the rows block by block. What changes meanwhile is written first: `taken` counts the blocks that the
    # file has, and a block that is about to change before its turn leaves its bytes in `aside`.

    cdef int before_change(self, int64_t row) except -1:
        """Let a block that a file is still to take be written as it is."""
        cdef int64_t block = row // ROWS
        if block >= self.taken and block < self.to_take and block not in self.aside:
            self.aside[block] = self.written(block)
        return 0

    cdef bytes written(self, int64_t block):
        """Write the rows of a block, each after its code; rows of nothing are left out."""
        cdef Tape tape
        cdef State row
        cdef int64_t i
        cdef Head* head
        memset(&tape, 0, sizeof(Tape))
        try:
            for i in range(block * ROWS, min((block + 1) * ROWS, self.rows_to_take)):
                head = self.head(i)
                if head.newest == NEVER and head.extra is NULL:
                    continue
                self.open_row(head, &row)
                put_long(&tape, i)
                write_row(&self.terms, &row, &tape)
            if tape.failed:
                raise MemoryError
            return tape.bytes[:tape.used] if tape.used else b""
        finally:
            free(tape.bytes)

    def begin_file(self):
        """Begin with a file: what `next_block` gives from now on is the state of this instant.

        Returns how many blocks there are, how many codes, and what the file is to say beside its rows (`restore`).
        """
        if self.to_take:
            raise RuntimeError("another file is being written")
        self.aside = {}
        self.taken = 0
        self.rows_to_take = self.count
        self.to_take = (self.count + ROWS - 1) // ROWS
        counts = [
            self.rows, self.duplicates, self.terms.newest, self.terms.late, self.terms.excluded, self.terms.unmatched,
            self.terms.null_amounts,
        ]
        return self.to_take, self.count, counts

    def next_block(self):
        """Give the bytes of the file's next block."""
        cdef int64_t block = self.taken
        if block in self.aside:
            found = self.aside.pop(block)
        else:
            found = self.written(block)
        self.taken = block + 1
        return found

    def end_file(self):
        """Have done with a file."""
        self.aside = None
        self.taken = self.to_take = self.rows_to_take = 0

    def filled(self, uint8_t[::1] out):
        """Mark the codes whose row has anything in it."""
        cdef int64_t c
        for c in range(min(self.count, out.shape[0])):
            out[c] = self.head(c).newest != NEVER or self.head(c).extra is not NULL

    def restore(
        self, list counts not None, const uint8_t[::1] data, const int32_t[::1] places, int64_t rows, int64_t types
    ):
        """Take what `begin_file` and the blocks of a file say of an empty state; returns whether it makes sense.

        `places` are the codes here of those in the file, -1 for one that it should not have.
        """
        cdef Tape tape
        cdef State row
        cdef int64_t code, before = -1
        cdef Pending* pending
        self.rows, self.duplicates, self.terms.newest, self.terms.late, self.terms.excluded = counts[:5]
        self.terms.unmatched, self.terms.null_amounts = counts[5:7]
        self.reserve(rows)
        memset(&tape, 0, sizeof(Tape))
        tape.bytes = <uint8_t*>first_of(data)
        tape.room = data.shape[0]
        while tape.used < tape.room:
            code = next_long(&tape)
            if tape.failed or not before < code < places.shape[0] or not 0 <= places[code] < rows:
                return False
            before = code
            self.open_row(self.head(places[code]), &row)
            if not read_row(&self.terms, &row, types, &tape):
                return False
            pending = row.head.extra.pending if row.head.extra is not NULL else NULL
            while pending is not NULL:
                if pending.waiting:
                    self.waits += 1
                    self.waits_until = min(self.waits_until, pending.time)
                pending = pending.next
        return True

    def aliases(self):
        """Give the codes that lead to another's row, each with that row's."""
        cdef int64_t c
        return [(c, self.alias[c]) for c in range(self.count) if self.row_of(c) != c]

    def absorb(self, LiveState other not None, const int32_t[::1] codes, const int32_t[::1] types,
               const int32_t[::1] classes):
        """Add all rows of another state of the same plan: `codes`, `types` and `classes` say what its are here."""
        cdef int64_t c, newest = max(self.terms.newest, other.terms.newest)
        cdef State one, two
        cdef Pending* pending
        self.ready()
        other.ready()
        other.terms.newest = self.terms.newest = newest
        for c in range(other.count):
            if other.row_of(c) != c or (other.head(c).newest == NEVER and other.head(c).extra is NULL):
                continue
            self.before_change(self.row_of(codes[c]))
            self.open_row(self.head(self.row_of(codes[c])), &one)
            other.open_row(other.head(c), &two)
            if two.head.last_type >= 0:
                two.head.last_type = types[two.head.last_type]
            other.settle(&two)
            pending = two.head.extra.pending if two.head.extra is not NULL else NULL
            while pending is not NULL:
                pending.type = types[pending.type]
                pending.event_class = classes[pending.event_class]
                if pending.waiting:
                    self.waits += 1
                    self.waits_until = min(self.waits_until, pending.time)
                pending = pending.next
            self.unite(&one, &two)
        self.rows += other.rows
        self.duplicates += other.duplicates
        self.terms.late += other.terms.late
        self.terms.excluded += other.terms.excluded
        self.terms.unmatched += other.terms.unmatched
        self.terms.null_amounts += other.terms.null_amounts

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


cdef inline int64_t machine_clock() noexcept nogil:
    """The present instant in microseconds."""
    cdef timespec present
    timespec_get(&present, TIME_UTC)
    return <int64_t>present.tv_sec * 1000000 + present.tv_nsec // 1000


cdef inline int64_t micros_of(object time):
    """A datetime of UTC in microseconds since 1970: days of a year that begins in March, as the calendar's rules do."""
    cdef int64_t month = datetime_month(time), year = datetime_year(time) - (month <= 2), era, of_era, day
    era = year // 400
    of_era = year - era * 400
    day = (153 * (month - 3 if month > 2 else month + 9) + 2) // 5 + datetime_day(time) - 1
    day += era * 146097 + of_era * 365 + of_era // 4 - of_era // 100 - 719468
    return (
        (day * 86400 + datetime_hour(time) * 3600 + datetime_minute(time) * 60 + datetime_second(time)) * 1000000
        + datetime_microsecond(time)
    )


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
