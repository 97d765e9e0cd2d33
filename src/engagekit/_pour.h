/* Results written past the caches.
 *
 * Columns that are larger than any cache are written whole lines at a time, which saves the processor reading what is
 * about to be overwritten, and leaves the caches to those who compute.  The ends of a stretch, which share their lines
 * with its neighbours, take the usual way. */
#ifndef ENGAGEKIT_POUR_H
#define ENGAGEKIT_POUR_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#define EK_LINE ((size_t)64)

/* Copy bytes, `have` going on by `step` a line: by a line, or by none where all items of one are the same. */
static inline void ek_pour_by(void *to, const void *from, size_t bytes, size_t step, int past) {
    char *into = to;
    const char *have = from;
#if defined(__SSE2__)
    size_t head = -(uintptr_t)into & (EK_LINE - 1);
    if (past && bytes >= head + EK_LINE) {
        memcpy(into, have, head);
        into += head;
        have += step ? head : 0;
        for (bytes -= head; bytes >= EK_LINE; bytes -= EK_LINE, into += EK_LINE, have += step) {
            __m128i a = _mm_loadu_si128((const __m128i *)have), b = _mm_loadu_si128((const __m128i *)have + 1);
            __m128i c = _mm_loadu_si128((const __m128i *)have + 2), d = _mm_loadu_si128((const __m128i *)have + 3);
            _mm_stream_si128((__m128i *)into, a);
            _mm_stream_si128((__m128i *)into + 1, b);
            _mm_stream_si128((__m128i *)into + 2, c);
            _mm_stream_si128((__m128i *)into + 3, d);
        }
    }
#else
    (void)past;
#endif
    for (; bytes > EK_LINE && !step; bytes -= EK_LINE, into += EK_LINE) memcpy(into, have, EK_LINE);
    memcpy(into, have, bytes);
}

static inline void ek_pour(void *to, const void *from, size_t bytes, int past) {
    ek_pour_by(to, from, bytes, EK_LINE, past);
}

/* Fill with a line whose items are all the same. */
static inline void ek_flood(void *to, const void *line, size_t bytes, int past) {
    ek_pour_by(to, line, bytes, 0, past);
}

/* Let everybody see what was written past the caches. */
static inline void ek_poured(void) {
#if defined(__SSE2__)
    _mm_sfence();
#endif
}

#endif
