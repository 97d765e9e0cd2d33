# The machine's clock, and datetimes as microseconds without a call into Python.

from cpython.datetime cimport PyDateTime_CheckExact, import_datetime
from cpython.datetime cimport datetime_day, datetime_hour, datetime_microsecond, datetime_minute, datetime_month
from cpython.datetime cimport datetime_new, datetime_second, datetime_tzinfo, datetime_year
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


cdef inline object moment_of(int64_t micros, object zone):
    """The datetime of an instant, by the same calendar; None for `NEVER`."""
    cdef int64_t day = floor_div(micros, 86400000000), rest = micros - day * 86400000000, era, of_era, year, month
    if micros == NEVER:
        return None
    day += 719468
    era = floor_div(day, 146097)
    of_era = day - era * 146097
    year = (of_era - of_era // 1460 + of_era // 36524 - of_era // 146096) // 365
    day = of_era - (365 * year + year // 4 - year // 100)
    month = (5 * day + 2) // 153
    day -= (153 * month + 2) // 5 - 1
    month += 3 if month < 10 else -9
    return datetime_new(
        year + era * 400 + (month <= 2), month, day, rest // 3600000000, rest // 60000000 % 60, rest // 1000000 % 60,
        rest % 1000000, zone,
    )
