/* 2^-x for many numbers at once, on the widest vectors that the processor has.
 *
 * One body in plain C, compiled once for every vector path.  Every element takes the same operations in the same order
 * on each path, and contraction into fused operations is off, so all paths give the same bits.  The path is chosen when
 * the module is loaded; ENGAGEKIT_SIMD=baseline, avx2 or avx512 asks for one.
 *
 * 2^-x = 2^-q * 2^-f with q the whole number nearest to x and |f| <= 1/2.  2^f is a polynomial of degree 11, the
 * Chebyshev interpolation of 2^x on [-0.501, 0.501] computed with sixty digits; its error, 3.3e-18, is a thirtieth of a
 * unit in the last place.  It is evaluated by Estrin's scheme, which adds two: a third of the way from f to the end of
 * Horner's, and it is this way that takes the time, not the operations. */
#ifndef ENGAGEKIT_SIMD_H
#define ENGAGEKIT_SIMD_H

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#if defined(__GNUC__) && (defined(__x86_64__) || defined(__i386__))
#define EK_X86 1
#else
#define EK_X86 0
#endif

#if defined(__GNUC__)
#define EK_INLINE static inline __attribute__((always_inline))
#define EK_ALIGNED(p) ((__typeof__(&(p)[0]))__builtin_assume_aligned((p), 64))
#else
#define EK_INLINE static inline
#define EK_ALIGNED(p) (p)
#endif

#define EK_LANES 8                       /* counts are rounded up to this: no path has a remainder */
#define EK_NEAREST 6755399441055744.0    /* 1.5 * 2^52: adding it rounds to a whole number */
#define EK_FARTHEST 1100.0               /* 2^-1100 is 0 */

EK_INLINE double ek_double_of(uint64_t bits) {
    double number;
    memcpy(&number, &bits, 8);
    return number;
}

EK_INLINE uint64_t ek_bits_of(double number) {
    uint64_t bits;
    memcpy(&bits, &number, 8);
    return bits;
}

EK_INLINE double ek_power_of_fraction(double f) {
    double f2 = f * f, f4 = f2 * f2;
    double low = (1.0 + 0x1.62e42fefa39efp-1 * f) + (0x1.ebfbdff82c5afp-3 + 0x1.c6b08d704a0c6p-5 * f) * f2;
    double middle = (0x1.3b2ab6fb9f026p-7 + 0x1.5d87fe78a3ef9p-10 * f) +
                    (0x1.4309131178d73p-13 + 0x1.ffcbfc6de821dp-17 * f) * f2;
    double high = (0x1.62bfc20435122p-20 + 0x1.b524eb29e2f30p-24 * f) +
                  (0x1.e623e6f24eb1cp-28 + 0x1.e9ed48b35dbf1p-32 * f) * f2;
    return (low + middle * f4) + high * (f4 * f4);
}

/* Below, `far` is told what is too much for the fast way; where EK_IS_FAR says so, the numbers are made again, one by
 * one.  Those that are not too much are the same bits then: nobody can tell in whose company a number was. */
#define EK_IS_FAR(far) ((far) >> 10)

/* An age in microseconds as a double, from 0 to 2^52, which is 142 years: its bits are put into the mantissa of 2^52. */
EK_INLINE double ek_double_of_age(int64_t age, uint64_t *far) {
    *far |= (uint64_t)age >> 42;
    return ek_double_of((uint64_t)age | 0x4330000000000000u) - 4503599627370496.0;
}

/* 2^-(age / span), `inverse` being 1 / span (0: no decay): whole half-lives are taken off exactly, and go into the
 * exponent.  After 1022 of them what is left may be no normal double. */
EK_INLINE double ek_faded(double age, double span, double inverse, uint64_t *far) {
    double rounded = age * inverse + EK_NEAREST, f = ((rounded - EK_NEAREST) * span - age) * inverse;
    *far |= ek_bits_of(rounded) - (ek_bits_of(EK_NEAREST) - 2);
    return ek_double_of(ek_bits_of(ek_power_of_fraction(f)) - (ek_bits_of(rounded) << 52));
}

static double ek_faded_far(int64_t age, double span, double inverse) {
    double whole_age = (double)age, x = whole_age * inverse, q, f;
    if (x > EK_FARTHEST) return 0.0;
    q = (x + EK_NEAREST) - EK_NEAREST;
    f = (q * span - whole_age) * inverse;
    return ldexp(ek_power_of_fraction(f), -(int)q);
}

/* 2^-(age / span), the same bits as the vectors' */
EK_INLINE double ek_fade_one(int64_t age, double span, double inverse) {
    uint64_t far = 0;
    double faded = ek_faded(ek_double_of_age(age, &far), span, inverse, &far);
    return EK_IS_FAR(far) ? ek_faded_far(age, span, inverse) : faded;
}

/* out[i] = 2^-(age[i] / span[which[i]]) */
EK_INLINE uint64_t ek_fade_by_body(const int64_t *restrict age, const int32_t *restrict which, int64_t n,
                                  const double *restrict span, const double *restrict inverse,
                                  double *restrict out) {
    int64_t i;
    uint64_t far = 0;
    age = EK_ALIGNED(age);
    which = EK_ALIGNED(which);
    out = EK_ALIGNED(out);
    n = (n + EK_LANES - 1) & -(int64_t)EK_LANES;
    for (i = 0; i < n; i++) out[i] = ek_faded(ek_double_of_age(age[i], &far), span[which[i]], inverse[which[i]], &far);
    return EK_IS_FAR(far);
}

/* What is left of both averages of the momentum, given what FADED(span, inverse) says: a slow half-life of two or four
 * fast ones saves one of the two powers.  Done for each i by LOOP(what to do). */
#define EK_PACES(LOOP, FADED)                                                                                          \
    if (slow_span == 4.0 * fast_span) {                                                                                \
        LOOP(double steady = FADED(slow_span, slow_inverse), two = steady * steady, quick = two * two;)                \
    } else if (slow_span == 2.0 * fast_span) {                                                                         \
        LOOP(double steady = FADED(slow_span, slow_inverse), quick = steady * steady;)                                 \
    } else {                                                                                                           \
        LOOP(double steady = FADED(slow_span, slow_inverse), quick = FADED(fast_span, fast_inverse);)                  \
    }
#define EK_FADED_FAST(span, inverse) ek_faded(whole, span, inverse, &far)
#define EK_FADED_ONE(span, inverse) ek_fade_one(whole, span, inverse)

/* slow[i] = 2^-(age[i] / slow_span), fast[i] likewise. */
EK_INLINE uint64_t ek_fade_pace_body(const int64_t *restrict age, int64_t n, double fast_span, double slow_span,
                                     double *restrict fast, double *restrict slow) {
    int64_t i;
    uint64_t far = 0;
    double fast_inverse = 1.0 / fast_span, slow_inverse = 1.0 / slow_span;
    age = EK_ALIGNED(age);
    fast = EK_ALIGNED(fast);
    slow = EK_ALIGNED(slow);
    n = (n + EK_LANES - 1) & -(int64_t)EK_LANES;
#define EK_EACH(...)                                                                                                   \
    for (i = 0; i < n; i++) {                                                                                          \
        double whole = ek_double_of_age(age[i], &far);                                                                 \
        __VA_ARGS__                                                                                                    \
        slow[i] = steady;                                                                                              \
        fast[i] = quick;                                                                                               \
    }
    EK_PACES(EK_EACH, EK_FADED_FAST)
#undef EK_EACH
    return EK_IS_FAR(far);
}

/* weight[i] = points * 2^-(age / span) of the rule which[i], with age = at - time[i] (0 of what is later); fast and slow
 * as above, times the points where those are positive.  `time` need not be aligned.  Nothing is written before both
 * powers are known: so compilers let them go side by side, an eighth sooner. */
EK_INLINE uint64_t ek_window_body(const int64_t *restrict time, int64_t at, const int32_t *restrict which, int64_t n,
                                  const double *restrict span, const double *restrict inverse,
                                  const double *restrict points, double fast_span, double slow_span,
                                  double *restrict weight, double *restrict fast, double *restrict slow) {
    int64_t i;
    uint64_t far = 0;
    double fast_inverse = 1.0 / fast_span, slow_inverse = 1.0 / slow_span;
    which = EK_ALIGNED(which);
    weight = EK_ALIGNED(weight);
    fast = EK_ALIGNED(fast);
    slow = EK_ALIGNED(slow);
    n = (n + EK_LANES - 1) & -(int64_t)EK_LANES;
#define EK_EACH(...)                                                                                                   \
    for (i = 0; i < n; i++) {                                                                                          \
        int64_t age = at - time[i];                                                                                    \
        double earned = points[which[i]], gain = earned > 0.0 ? earned : 0.0;                                          \
        double whole = ek_double_of_age(age & -(int64_t)(age > 0), &far);                                              \
        double own = ek_faded(whole, span[which[i]], inverse[which[i]], &far);                                         \
        __VA_ARGS__                                                                                                    \
        weight[i] = earned * own;                                                                                      \
        slow[i] = gain * steady;                                                                                       \
        fast[i] = gain * quick;                                                                                        \
    }
    EK_PACES(EK_EACH, EK_FADED_FAST)
#undef EK_EACH
    return EK_IS_FAR(far);
}

/* 2^-x for x from 0 on; 0 where that is no normal double */
EK_INLINE double ek_power(double x) {
    double y = x > 1023.0 ? 1023.0 : x, rounded = y + EK_NEAREST, f = (rounded - EK_NEAREST) - y;
    return ek_power_of_fraction(f) * ek_double_of((1023 - (ek_bits_of(rounded) - ek_bits_of(EK_NEAREST))) << 52);
}

/* out[i] = base[i] * 2^-x[i] */
EK_INLINE void ek_decay_body(const double *restrict base, const double *restrict x, int64_t n, double *restrict out) {
    int64_t i;
    base = EK_ALIGNED(base);
    x = EK_ALIGNED(x);
    out = EK_ALIGNED(out);
    n = (n + EK_LANES - 1) & -(int64_t)EK_LANES;
    for (i = 0; i < n; i++) out[i] = base[i] * ek_power(x[i]);
}

/* sums[k] = sum of e * rate^k for k from 0 to 3, with e = base * 2^-(rate * t).  Summed in eight lanes on every path.
 * Both arrays are filled up with zeros to a multiple of eight. */
EK_INLINE void ek_moments_body(const double *restrict base, const double *restrict rate, int64_t n, double t,
                               double *restrict sums) {
    double zero[EK_LANES] = {0}, one[EK_LANES] = {0}, two[EK_LANES] = {0}, three[EK_LANES] = {0};
    int64_t i, j;
    base = EK_ALIGNED(base);
    rate = EK_ALIGNED(rate);
    for (i = 0; i < n; i += EK_LANES) {
        for (j = 0; j < EK_LANES; j++) {
            double e = base[i + j] * ek_power(rate[i + j] * t), first = e * rate[i + j], second = first * rate[i + j];
            zero[j] += e;
            one[j] += first;
            two[j] += second;
            three[j] += second * rate[i + j];
        }
    }
    sums[0] = ((zero[0] + zero[4]) + (zero[1] + zero[5])) + ((zero[2] + zero[6]) + (zero[3] + zero[7]));
    sums[1] = ((one[0] + one[4]) + (one[1] + one[5])) + ((one[2] + one[6]) + (one[3] + one[7]));
    sums[2] = ((two[0] + two[4]) + (two[1] + two[5])) + ((two[2] + two[6]) + (two[3] + two[7]));
    sums[3] = ((three[0] + three[4]) + (three[1] + three[5])) + ((three[2] + three[6]) + (three[3] + three[7]));
}

/* The least and the greatest of some instants, and whether any is before its predecessor. */
EK_INLINE int ek_span_body(const int64_t *restrict time, int64_t n, int64_t *restrict least, int64_t *restrict most) {
    int64_t i, low = time[0], high = time[0], fallen = 0;
    for (i = 1; i < n; i++) {
        int64_t here = time[i];
        low = here < low ? here : low;
        high = here > high ? here : high;
        fallen |= (int64_t)((uint64_t)here - (uint64_t)time[i - 1]); /* may wrap beyond the years that are allowed */
    }
    *least = low;
    *most = high;
    return fallen < 0;
}

#define EK_PATH(name, target)                                                                                         \
    target static uint64_t ek_fade_by_##name(const int64_t *age, const int32_t *which, int64_t n, const double *span,  \
                                            const double *inverse, double *out) {                                     \
        return ek_fade_by_body(age, which, n, span, inverse, out);                                                    \
    }                                                                                                                 \
    target static uint64_t ek_fade_pace_##name(const int64_t *age, int64_t n, double fast_span, double slow_span,     \
                                               double *fast, double *slow) {                                          \
        return ek_fade_pace_body(age, n, fast_span, slow_span, fast, slow);                                           \
    }                                                                                                                 \
    target static uint64_t ek_window_##name(const int64_t *time, int64_t at, const int32_t *which, int64_t n,         \
                                            const double *span, const double *inverse, const double *points,          \
                                            double fast_span, double slow_span, double *weight, double *fast,         \
                                            double *slow) {                                                           \
        return ek_window_body(time, at, which, n, span, inverse, points, fast_span, slow_span, weight, fast, slow);   \
    }                                                                                                                 \
    target static void ek_decay_##name(const double *base, const double *x, int64_t n, double *out) {                 \
        ek_decay_body(base, x, n, out);                                                                               \
    }                                                                                                                 \
    target static void ek_moments_##name(const double *base, const double *rate, int64_t n, double t, double *sums) { \
        ek_moments_body(base, rate, n, t, sums);                                                                      \
    }                                                                                                                 \
    target static int ek_span_##name(const int64_t *time, int64_t n, int64_t *least, int64_t *most) {                 \
        return ek_span_body(time, n, least, most);                                                                    \
    }

EK_PATH(baseline, )
#if EK_X86
EK_PATH(avx2, __attribute__((target("avx2"))))
EK_PATH(avx512, __attribute__((target("avx512f,avx512dq,avx512vl,avx512bw,prefer-vector-width=512"))))
#endif

typedef struct {
    const char *name;
    uint64_t (*fade_by)(const int64_t *, const int32_t *, int64_t, const double *, const double *, double *);
    uint64_t (*fade_pace)(const int64_t *, int64_t, double, double, double *, double *);
    uint64_t (*window)(const int64_t *, int64_t, const int32_t *, int64_t, const double *, const double *, const double *,
                       double, double, double *, double *, double *);
    void (*decay)(const double *, const double *, int64_t, double *);
    void (*moments)(const double *, const double *, int64_t, double, double *);
    int (*span)(const int64_t *, int64_t, int64_t *, int64_t *);
} ek_vector_path;

static const ek_vector_path ek_paths[] = {
#if EK_X86
    {"avx512", ek_fade_by_avx512, ek_fade_pace_avx512, ek_window_avx512, ek_decay_avx512, ek_moments_avx512,
     ek_span_avx512},
    {"avx2", ek_fade_by_avx2, ek_fade_pace_avx2, ek_window_avx2, ek_decay_avx2, ek_moments_avx2,
     ek_span_avx2},
#endif
    {"baseline", ek_fade_by_baseline, ek_fade_pace_baseline, ek_window_baseline, ek_decay_baseline, ek_moments_baseline,
     ek_span_baseline},
};
#define EK_PATHS ((int)(sizeof(ek_paths) / sizeof(ek_paths[0])))

static const ek_vector_path *ek_path = &ek_paths[EK_PATHS - 1];

static int ek_has_path(int which) {
#if EK_X86
    __builtin_cpu_init();
    if (which == 0)
        return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
               __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512bw");
    if (which == 1) return __builtin_cpu_supports("avx2");
#endif
    return which == EK_PATHS - 1;
}

/* Eight bytes as one number, the first in memory in the lowest bits. */
EK_INLINE uint64_t ek_marks(const uint8_t *bytes) {
    uint64_t marks;
    memcpy(&marks, bytes, 8);
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    marks = __builtin_bswap64(marks);
#endif
    return marks;
}

/* The number of the lowest bit that is set; there is one. */
EK_INLINE int ek_lowest_bit(uint64_t marks) {
#if defined(__GNUC__)
    return __builtin_ctzll(marks);
#else
    int bit = 0;
    while (!(marks >> bit & 1)) bit++;
    return bit;
#endif
}

/* Takes the path of that name, or the widest there is where none is named; 0 if the processor has no such path. */
static int ek_choose_path(const char *name) {
    int which;
    for (which = 0; which < EK_PATHS; which++) {
        if (!ek_has_path(which) || (name != NULL && strcmp(name, ek_paths[which].name) != 0)) continue;
        ek_path = &ek_paths[which];
        return 1;
    }
    return 0;
}

EK_INLINE void ek_fade_by(const int64_t *age, const int32_t *which, int64_t n, const double *span,
                          const double *inverse, double *out) {
    int64_t i;
    if (!ek_path->fade_by(age, which, n, span, inverse, out)) return;
    for (i = 0; i < n; i++) out[i] = ek_fade_one(age[i], span[which[i]], inverse[which[i]]);
}

EK_INLINE void ek_window(const int64_t *time, int64_t at, const int32_t *which, int64_t n, const double *span,
                         const double *inverse, const double *points, double fast_span, double slow_span,
                         double *weight, double *fast, double *slow) {
    int64_t i;
    double fast_inverse = 1.0 / fast_span, slow_inverse = 1.0 / slow_span;
    if (!ek_path->window(time, at, which, n, span, inverse, points, fast_span, slow_span, weight, fast, slow)) return;
#define EK_EACH(...)                                                                                                   \
    for (i = 0; i < n; i++) {                                                                                          \
        int64_t whole = at > time[i] ? at - time[i] : 0;                                                               \
        double earned = points[which[i]], gain = earned > 0.0 ? earned : 0.0;                                          \
        weight[i] = earned * ek_fade_one(whole, span[which[i]], inverse[which[i]]);                                    \
        __VA_ARGS__                                                                                                    \
        slow[i] = gain * steady;                                                                                       \
        fast[i] = gain * quick;                                                                                        \
    }
    EK_PACES(EK_EACH, EK_FADED_ONE)
#undef EK_EACH
}

static const char *ek_path_name(void) { return ek_path->name; }
static const char *ek_name_of_path(int which) { return ek_paths[which].name; }

EK_INLINE void ek_fade_pace(const int64_t *age, int64_t n, double fast_span, double slow_span, double *fast,
                            double *slow) {
    int64_t i;
    double fast_inverse = 1.0 / fast_span, slow_inverse = 1.0 / slow_span;
    if (!ek_path->fade_pace(age, n, fast_span, slow_span, fast, slow)) return;
#define EK_EACH(...)                                                                                                   \
    for (i = 0; i < n; i++) {                                                                                          \
        int64_t whole = age[i];                                                                                        \
        __VA_ARGS__                                                                                                    \
        slow[i] = steady;                                                                                              \
        fast[i] = quick;                                                                                               \
    }
    EK_PACES(EK_EACH, EK_FADED_ONE)
#undef EK_EACH
}

EK_INLINE void ek_decay(const double *base, const double *x, int64_t n, double *out) { ek_path->decay(base, x, n, out); }

/* n from 1 on */
EK_INLINE int ek_span(const int64_t *time, int64_t n, int64_t *least, int64_t *most) {
    return ek_path->span(time, n, least, most);
}

EK_INLINE void ek_moments(const double *base, const double *rate, int64_t n, double t, double *sums) {
    ek_path->moments(base, rate, n, t, sums);
}

#endif
