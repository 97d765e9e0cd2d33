"""The compiled kernel: ids to codes, events to groups, groups to numbers.

It imports nothing of the package and knows neither frames nor models: the Python layer above casts and checks, so that
the loops here may take clean input for granted. Four seams, one part each:

coding (`_ids.pxi`) -> grouping (`_group.pxi`) -> accumulating (`_gather.pxi`, `_score.pxi`) -> finishing (`_curve.pxi`);
`_plan.pxi` has what they share, `_scorer.pxi` is their face to Python. Many instants of one contact are swept
(`_course.pxi`, `_sweep.pxi`), all contacts
at the same ones (`_sweeper.pxi`) or each at its own (`_rows.pxi`).
"""

cimport cython
from cpython.exc cimport PyErr_CheckSignals
from cpython.unicode cimport PyUnicode_DecodeUTF8
from libc.math cimport INFINITY, NAN, exp2, fabs, isnan, ldexp, log, log1p, log2, sqrt
from libc.stdint cimport INT64_MAX, INT64_MIN, int8_t, int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, malloc, qsort, realloc
from libc.string cimport memcmp, memcpy, memset


cdef extern from "Python.h":
    const char* PyUnicode_AsUTF8AndSize(object text, Py_ssize_t* size) except NULL


include "_ids.pxi"
include "_group.pxi"
include "_plan.pxi"
include "_gather.pxi"
include "_curve.pxi"
include "_score.pxi"
include "_scorer.pxi"
include "_course.pxi"
include "_sweep.pxi"
include "_sweeper.pxi"
include "_rows.pxi"


ek_choose_path(NULL)
