/* What a sweep does to a run of instants at once, on the widest vectors that the processor has.
 *
 * One body in plain C, compiled once for every vector path.  Every instant takes the same operations in the same order
 * on each path (nothing is summed across instants), and contraction into fused operations is off, so all paths give the
 * same bits. */
#ifndef ENGAGEKIT_SWEEP_H
#define ENGAGEKIT_SWEEP_H

#include "_pour.h"
#include "_simd.h"

#define EK_TILE 512                   /* instants done at once: what they need stays in the nearest caches */
#define EK_STEPS (2 * EK_TILE + EK_LANES) /* how far tables of powers reach: from a mark in a tile to the end of the next */

/* A matched event, and the first instant that sees it. */
typedef struct {
    int64_t time;
    int64_t tick;
    double raw;
    double point; /* what is left of it at that instant, of a half-life or none, where instants are evenly spaced */
} ek_mark;

/* A sum on its way through evenly spaced instants. */
typedef struct {
    double value;
    double rest; /* what rounding took from it */
    int64_t tick; /* the instant that both are as of */
} ek_run;

/* What a half-life makes of some steps from instant to instant: a table for EK_STEPS of them, a power for more. */
typedef struct {
    const double *table;
    double span;
    double inverse;
    int64_t every;
} ek_rate;

EK_INLINE double ek_after(const ek_rate *rate, int64_t steps) {
    return steps < EK_TILE ? rate->table[steps] : ek_fade_one(steps * rate->every, rate->span, rate->inverse);
}

/* into += scale * table, held within +-cap.  Only the last stretch of a tile is rounded up, to what vectors like. */
EK_INLINE void ek_add_run(double *restrict into, const double *restrict table, double scale, double cap, int64_t n,
                          int ends) {
    int64_t i = 0, j, whole = ends ? (n + 3) & ~(int64_t)3 : n & ~(int64_t)3;
    if (fabs(scale) <= cap) {
        for (; i + EK_LANES <= whole; i += EK_LANES)
            for (j = 0; j < EK_LANES; j++) into[i + j] += scale * table[i + j];
        for (; i < whole; i += 4)
            for (j = 0; j < 4; j++) into[i + j] += scale * table[i + j];
        for (; i < n; i++) into[i] += scale * table[i];
    } else {
        for (; i < n; i++) {
            double x = scale * table[i];
            x = x > cap ? cap : x;
            into[i] += x < -cap ? -cap : x;
        }
    }
}

/* Add S(r) of a rule with a half-life or none, held at the cap, at the instants a ... b - 1; 0 where it overflows.
 *
 * The marks from *next on are taken as instants come to see them.  Invariant: the sum is exact as of the newest instant
 * that saw a mark, so however many instants there are, none is reached by more than one product from there.  `into`
 * begins at a, and if `whole` has room for a vector beyond b.  Cost: two products a mark, one an instant. */
EK_INLINE int ek_sum_body(const ek_mark *marks, int64_t *next, int64_t last, ek_run *run, const ek_rate *rate,
                          double cap, int64_t a, int64_t b, int whole, double *into) {
    int64_t k = a, stop, here = *next;
    double value = run->value, rest = run->rest, scale, factor, x, total;
    while (k < b) {
        for (; here < last && marks[here].tick <= k; here++) {
            if (marks[here].tick != run->tick) {
                factor = ek_after(rate, marks[here].tick - run->tick);
                value *= factor;
                rest *= factor;
                run->tick = marks[here].tick;
            }
            x = marks[here].point;
            total = value + x;
            rest += fabs(value) >= fabs(x) ? (value - total) + x : (x - total) + value;
            value = total;
        }
        stop = here < last && marks[here].tick < b ? marks[here].tick : b;
        scale = value + rest;
        if (!(fabs(scale) < INFINITY)) return 0;
        if (scale != 0.0) {
            int64_t steps = k - run->tick;
            if (steps >= EK_TILE) {
                scale *= ek_after(rate, steps);
                steps = 0;
            }
            ek_add_run(into + (k - a), rate->table + steps, scale, cap, stop - k,
                       whole && stop == b);
        }
        k = stop;
    }
    *next = here;
    run->value = value;
    run->rest = rest;
    return 1;
}

/* What is known of the momentum on its way through evenly spaced instants. */
typedef struct {
    double fast;
    double slow;
    int64_t tick; /* the instant that both sums are as of; -1: nothing is known yet */
} ek_trot;

/* The ratio behind the momentum at the instants a ... b - 1, `level` being that of both half-lives; 0 where it
 * overflows.  `fasts` and `slows` are what is left of each mark at the instant that sees it.  Between two marks the
 * ratio runs down at one rate, `drift`, so that it does not vanish as both sums do.  `ratio` has room for a vector
 * beyond b.  Order of summation: as the marks stand.  Cost: four products a mark, one an instant. */
EK_INLINE int ek_trot_body(const ek_mark *marks, const double *fasts, const double *slows, int64_t *next, int64_t last,
                           ek_trot *trot, const ek_rate *fast, const ek_rate *slow, const double *restrict drift,
                           double level, int64_t a, int64_t b, double *restrict ratio) {
    int64_t k = a, stop, here = *next, i, j, n, steps;
    double start;
    while (k < b) {
        for (; here < last && marks[here].tick <= k; here++) {
            if (trot->tick >= 0 && marks[here].tick != trot->tick) {
                trot->fast *= ek_after(fast, marks[here].tick - trot->tick);
                trot->slow *= ek_after(slow, marks[here].tick - trot->tick);
            }
            trot->tick = marks[here].tick;
            trot->fast += fasts[here];
            trot->slow += slows[here];
        }
        stop = here < last && marks[here].tick < b ? marks[here].tick : b;
        n = stop - k;
        if (trot->tick < 0) {
            for (i = 0; i < n; i++) ratio[k - a + i] = NAN;
        } else {
            double *restrict into = ratio + (k - a);
            steps = k - trot->tick;
            start = trot->fast / trot->slow * level;
            if (steps >= EK_TILE) {
                double run = (double)(steps * fast->every);
                start *= ek_power(run / fast->span - run / slow->span);
                steps = 0;
            }
            if (!(start < INFINITY)) return 0;
            for (i = 0; i < n; i += 4)
                for (j = 0; j < 4; j++) into[i + j] = start * drift[steps + i + j];
        }
        k = stop;
    }
    *next = here;
    return 1;
}

/* score += sum, held within +-cap.  These and those below take arrays of the sweep's own, which are aligned and reach to
 * the next whole vector: there is no remainder. */
EK_INLINE void ek_add_channel_body(double *restrict score, const double *restrict sum, double cap, int64_t n) {
    int64_t i;
    n = (n + EK_LANES - 1) & -(int64_t)EK_LANES;
    score = EK_ALIGNED(score);
    sum = EK_ALIGNED(sum);
    for (i = 0; i < n; i++) {
        double x = sum[i] > cap ? cap : sum[i];
        score[i] += x < -cap ? -cap : x;
    }
}

/* a ratio of two paces becomes the momentum */
EK_INLINE void ek_momenta_body(double *ratio, int64_t n) {
    int64_t i;
    n = (n + EK_LANES - 1) & -(int64_t)EK_LANES;
    ratio = EK_ALIGNED(ratio);
    for (i = 0; i < n; i++) ratio[i] = (ratio[i] - 1.0) / (ratio[i] + 1.0);
}

/* 100 (1 - 2^(-score / midpoint)), 0 below 0 */
EK_INLINE void ek_saturate_body(const double *restrict score, double midpoint, int64_t n, double *restrict engagement) {
    int64_t i;
    n = (n + EK_LANES - 1) & -(int64_t)EK_LANES;
    score = EK_ALIGNED(score);
    engagement = EK_ALIGNED(engagement);
    for (i = 0; i < n; i++) {
        double s = score[i] > 0.0 ? score[i] : 0.0;
        engagement[i] = 100.0 * (1.0 - ek_power(s / midpoint));
    }
}

/* the greatest level whose bound is met */
EK_INLINE void ek_levels_body(const double *restrict engagement, const double *restrict bound, int64_t n,
                                  int64_t *restrict level) {
    double low = bound[0], medium = bound[1], high = bound[2];
    int64_t i;
    n = (n + EK_LANES - 1) & -(int64_t)EK_LANES;
    engagement = EK_ALIGNED(engagement);
    level = EK_ALIGNED(level);
    for (i = 0; i < n; i++) level[i] = (engagement[i] >= low) + (engagement[i] >= medium) + (engagement[i] >= high);
}

/* phase = name where both minima are met (a momentum that is no number meets only `-inf`) */
EK_INLINE void ek_pick_body(const double *restrict engagement, const double *restrict momentum, double least,
                                double slowest, int64_t name, int64_t n, int64_t *restrict phase) {
    int64_t i;
    n = (n + EK_LANES - 1) & -(int64_t)EK_LANES; /* what is too much is overwritten by whoever comes next */
    if (slowest == -INFINITY) {
        for (i = 0; i < n; i++) phase[i] = engagement[i] >= least ? name : phase[i];
    } else {
        for (i = 0; i < n; i++)
            phase[i] = (engagement[i] >= least) & (momentum[i] >= slowest) ? name : phase[i];
    }
}

EK_INLINE void ek_narrow_body(const int64_t *restrict wide, int64_t n, int8_t *restrict narrow) {
    int64_t i;
    n = (n + EK_LANES - 1) & -(int64_t)EK_LANES;
    wide = EK_ALIGNED(wide);
    narrow = EK_ALIGNED(narrow);
    for (i = 0; i < n; i++) narrow[i] = (int8_t)wide[i];
}

/* one code of two */
EK_INLINE void ek_join_body(const int64_t *restrict level, const int64_t *restrict stage, int64_t n,
                            int32_t *restrict state) {
    int64_t i;
    n = (n + EK_LANES - 1) & -(int64_t)EK_LANES;
    level = EK_ALIGNED(level);
    stage = EK_ALIGNED(stage);
    state = EK_ALIGNED(state);
    for (i = 0; i < n; i++) state[i] = (int32_t)(level[i] + stage[i]);
}

/* 1 if all are finite */
EK_INLINE int ek_finite_body(const double *restrict score, int64_t n) {
    int64_t i;
    uint64_t met = 0;
    for (i = 0; i < n; i++)
        met |= (ek_bits_of(score[i]) & 0x7ff0000000000000u) + 0x0010000000000000u; /* carries into the sign's place */
    return !(met >> 63);
}

#define EK_SWEEP_PATH(name, target)                                                                                   \
    target static int ek_sum_##name(const ek_mark *marks, int64_t *next, int64_t last, ek_run *run,                   \
                                    const ek_rate *rate, double cap, int64_t a, int64_t b, int whole, double *into) { \
        return ek_sum_body(marks, next, last, run, rate, cap, a, b, whole, into);                                     \
    }                                                                                                                 \
    target static int ek_trot_##name(const ek_mark *marks, const double *fasts, const double *slows, int64_t *next,   \
                                     int64_t last, ek_trot *trot, const ek_rate *fast, const ek_rate *slow,           \
                                     const double *drift, double level, int64_t a, int64_t b, double *ratio) {        \
        return ek_trot_body(marks, fasts, slows, next, last, trot, fast, slow, drift, level, a, b, ratio);            \
    }                                                                                                                 \
    target static void ek_add_channel_##name(double *score, const double *sum, double cap, int64_t n) {               \
        ek_add_channel_body(score, sum, cap, n);                                                                      \
    }                                                                                                                 \
    target static void ek_momenta_##name(double *ratio, int64_t n) { ek_momenta_body(ratio, n); }                     \
    target static void ek_saturate_##name(const double *score, double midpoint, int64_t n, double *engagement) {      \
        ek_saturate_body(score, midpoint, n, engagement);                                                             \
    }                                                                                                                 \
    target static int ek_finite_##name(const double *score, int64_t n) { return ek_finite_body(score, n); }           \
    target static void ek_levels_##name(const double *engagement, const double *bound, int64_t n, int64_t *level) {   \
        ek_levels_body(engagement, bound, n, level);                                                                  \
    }                                                                                                                 \
    target static void ek_pick_##name(const double *engagement, const double *momentum, double least, double slowest, \
                                      int64_t phase_name, int64_t n, int64_t *phase) {                                \
        ek_pick_body(engagement, momentum, least, slowest, phase_name, n, phase);                                     \
    }                                                                                                                 \
    target static void ek_narrow_##name(const int64_t *wide, int64_t n, int8_t *narrow) {                             \
        ek_narrow_body(wide, n, narrow);                                                                              \
    }                                                                                                                 \
    target static void ek_join_##name(const int64_t *level, const int64_t *stage, int64_t n, int32_t *state) {        \
        ek_join_body(level, stage, n, state);                                                                         \
    }

typedef struct {
    int (*sum)(const ek_mark *, int64_t *, int64_t, ek_run *, const ek_rate *, double, int64_t, int64_t, int,
               double *);
    int (*trot)(const ek_mark *, const double *, const double *, int64_t *, int64_t, ek_trot *, const ek_rate *,
                const ek_rate *, const double *, double, int64_t, int64_t, double *);
    void (*add_channel)(double *, const double *, double, int64_t);
    void (*momenta)(double *, int64_t);
    void (*saturate)(const double *, double, int64_t, double *);
    int (*finite)(const double *, int64_t);
    void (*levels)(const double *, const double *, int64_t, int64_t *);
    void (*pick)(const double *, const double *, double, double, int64_t, int64_t, int64_t *);
    void (*narrow)(const int64_t *, int64_t, int8_t *);
    void (*join)(const int64_t *, const int64_t *, int64_t, int32_t *);
} ek_sweep_path;

#define EK_SWEEP_TABLE(name)                                                                                          \
    {ek_sum_##name,    ek_trot_##name,   ek_add_channel_##name, ek_momenta_##name, ek_saturate_##name,                \
     ek_finite_##name, ek_levels_##name, ek_pick_##name,        ek_narrow_##name, ek_join_##name}

EK_SWEEP_PATH(baseline, )
static const ek_sweep_path ek_sweep_baseline = EK_SWEEP_TABLE(baseline);
#if EK_X86
EK_SWEEP_PATH(avx2, __attribute__((target("avx2"))))
EK_SWEEP_PATH(avx512, __attribute__((target("avx512f,avx512dq,avx512vl,avx512bw,prefer-vector-width=512"))))
static const ek_sweep_path ek_sweep_avx2 = EK_SWEEP_TABLE(avx2);
static const ek_sweep_path ek_sweep_avx512 = EK_SWEEP_TABLE(avx512);
#endif

/* The path that was chosen for all vectors. */
static const ek_sweep_path *ek_sweep_path_chosen(void) {
#if EK_X86
    if (strcmp(ek_path->name, "avx512") == 0) return &ek_sweep_avx512;
    if (strcmp(ek_path->name, "avx2") == 0) return &ek_sweep_avx2;
#endif
    return &ek_sweep_baseline;
}

#endif
