# A live state's rows into a file and out of it, while events come.
#
# A file takes the rows block by block. What changes meanwhile is written first: `taken` counts the blocks that the
# file has, and a block that is about to change before its turn leaves its bytes in `aside`.

cdef class LiveBlocks(LiveRows):
    """The rows, a file of which may be under way."""

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

    def filled(self, uint8_t[::1] out, int64_t first):
        """Mark the codes, from the first on, whose row has anything in it."""
        cdef int64_t c
        for c in range(min(self.count - first, out.shape[0])):
            out[c] = self.head(first + c).newest != NEVER or self.head(first + c).extra is not NULL

    def restore(self, list counts not None, const uint8_t[::1] data, const int64_t[::1] codes, int64_t types):
        """Take what `begin_file` and the blocks of a file say of an empty state; returns whether it makes sense.

        `codes` are those in the file, which rise; here they are 0, 1, 2, ...
        """
        cdef Tape tape
        cdef State row
        cdef int64_t code, place = 0, count = codes.shape[0]
        cdef Pending* pending
        self.rows, self.duplicates, self.terms.newest, self.terms.late, self.terms.excluded = counts[:5]
        self.terms.unmatched, self.terms.null_amounts = counts[5:7]
        if self.terms.newest != NEVER and not is_instant(self.terms.newest):
            return False
        self.reserve(count)
        memset(&tape, 0, sizeof(Tape))
        tape.bytes = <uint8_t*>first_of(data)
        tape.room = data.shape[0]
        while tape.used < tape.room:
            code = next_long(&tape)
            while place < count and codes[place] < code:
                place += 1
            if tape.failed or place == count or codes[place] != code:
                return False
            self.open_row(self.head(place), &row)
            place += 1
            if not read_row(&self.terms, &row, types, &tape):
                return False
            self.touched = self.touched or row.head.flags & TOUCHED != 0
            pending = row.head.extra.pending if row.head.extra is not NULL else NULL
            while pending is not NULL:
                if pending.waiting:
                    self.waits += 1
                    self.waits_until = min(self.waits_until, pending.time)
                pending = pending.next
        return True
