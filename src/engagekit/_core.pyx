"""The compiled kernel: ids to codes, events to groups, groups to numbers.

It imports nothing of the package and knows neither frames nor models: the Python layer above casts and checks, so that
the loops here may take clean input for granted. `_arrow.pxi` finds columns in the memory of others, `_room.pxi` has memory
of our own for large results, `_pour.h` writes them past the caches. Four seams, one part each:

coding (`_ids.pxi`, `_strings.pxi`, `_lately.pxi`, `_texts.pxi`, `_words.pxi`) -> grouping (`_group.pxi`, `_apart.pxi`)
-> accumulating (`_gather.pxi`, `_reading.pxi`, `_score.pxi`) -> finishing (`_curve.pxi`, `_ways.pxi`, `_falling.pxi`,
`_wavering.pxi`), both contact by contact or, where that is possible, many side by side (`_crowd.pxi`, `_crowd.h`;
`_descent.h` is for all); `_scatter.pxi` takes the rows of a stream apart before they are grouped, `_plan.pxi` has what
all share, `_simd.h` the vectors, `_scorer.pxi` is their face to Python. Many instants of one contact are swept
(`_course.pxi`, `_sweep.pxi`, `_marks.pxi`), all contacts at the same ones (`_sweeper.pxi`) or each at its own
(`_rows.pxi`). Intents (`_leads.pxi`) are taken from what is finished, and what sales said of a contact (`_said.pxi`) is
read apart from points. What is kept between events (`_live_rows.pxi`, `_live_log.pxi`, `_live_file.pxi`, `_live.pxi`)
ends in the same finishing.
"""

cimport cython
from cpython.exc cimport PyErr_CheckSignals
from cpython.unicode cimport PyUnicode_DecodeUTF8
from libc.math cimport INFINITY, NAN, fabs, isnan, log, log1p, log2, sqrt
from libc.stdint cimport INT64_MAX, INT64_MIN, int8_t, int16_t, int32_t, int64_t, uint8_t, uint16_t, uint32_t
from libc.stdint cimport uint64_t
from libc.stdlib cimport calloc, free, malloc, qsort, realloc
from libc.string cimport memcpy, memset, strlen


cdef extern from "stdlib.h" nogil:
    void* aligned_alloc(size_t alignment, size_t size)


cdef extern from "Python.h":
    int check_signals "PyErr_CheckSignals"() noexcept
    const char* PyUnicode_AsUTF8AndSize(object text, Py_ssize_t* size) except NULL


from os import urandom


include "_arrow.pxi"
include "_room.pxi"
include "_ids.pxi"
include "_strings.pxi"
include "_lately.pxi"
include "_texts.pxi"
include "_words.pxi"
include "_group.pxi"
include "_apart.pxi"
include "_scatter.pxi"
include "_plan.pxi"
include "_gather.pxi"
include "_curve.pxi"
include "_ways.pxi"
include "_falling.pxi"
include "_leads.pxi"
include "_wavering.pxi"
include "_reading.pxi"
include "_score.pxi"
include "_columns.pxi"
include "_crowd.pxi"
include "_scorer.pxi"
include "_course.pxi"
include "_sweep.pxi"
include "_marks.pxi"
include "_sweeper.pxi"
include "_rows.pxi"
include "_said.pxi"
include "_live_clock.pxi"
include "_live_rows.pxi"
include "_live_log.pxi"
include "_live_file.pxi"
include "_live_frames.pxi"
include "_live.pxi"
include "_live_saving.pxi"
include "_live_taking.pxi"
include "_live_scoring.pxi"
include "_live_watching.pxi"
include "_live_joining.pxi"


def _choose_path():
    from os import environ

    name = environ.get("ENGAGEKIT_SIMD")
    if not ek_choose_path(NULL) or (name and not ek_choose_path(name.encode())):
        raise ImportError(
            f"ENGAGEKIT_SIMD: expected one of {', '.join(vector_paths())}, the vector paths of this processor, got {name!r}"
        )


_choose_path()
