/* What a sweep does to a run of instants at once, on the widest vectors that the processor has.
 *
 * One body in plain C, compiled once for every vector path.  Every instant takes the same operations in the same order
 * on each path (nothing is summed across instants), and contraction into fused operations is off, so all paths give the
 * same bits. */
#ifndef ENGAGEKIT_SWEEP_H
#define ENGAGEKIT_SWEEP_H

#include "_simd.h"

/* into += scale * table */
EK_INLINE void ek_add_scaled_body(double *restrict into, const double *restrict table, double scale, int64_t n) {
    int64_t i;
    for (i = 0; i < n; i++) into[i] += scale * table[i];
}

/* into += scale * table, held within +-cap */
EK_INLINE void ek_add_clipped_body(double *restrict into, const double *restrict table, double scale, double cap,
                                       int64_t n) {
    int64_t i;
    for (i = 0; i < n; i++) {
        double x = scale * table[i];
        x = x > cap ? cap : x;
        into[i] += x < -cap ? -cap : x;
    }
}

/* score += sum, held within +-cap */
EK_INLINE void ek_add_channel_body(double *restrict score, const double *restrict sum, double cap, int64_t n) {
    ek_add_clipped_body(score, sum, 1.0, cap, n);
}

/* a ratio of two paces becomes the momentum */
EK_INLINE void ek_momenta_body(double *ratio, int64_t n) {
    int64_t i;
    for (i = 0; i < n; i++) ratio[i] = (ratio[i] - 1.0) / (ratio[i] + 1.0);
}

/* 100 (1 - 2^(-score / midpoint)), 0 below 0 */
EK_INLINE void ek_saturate_body(const double *restrict score, double midpoint, int64_t n, double *restrict engagement) {
    int64_t i;
    for (i = 0; i < n; i++) {
        double s = score[i] > 0.0 ? score[i] : 0.0;
        engagement[i] = 100.0 * (1.0 - ek_power(s / midpoint));
    }
}

/* the greatest level whose bound is met */
EK_INLINE void ek_levels_body(const double *restrict engagement, const double *restrict bound, int64_t n,
                                  int8_t *restrict level) {
    double low = bound[0], medium = bound[1], high = bound[2];
    int64_t i;
    for (i = 0; i < n; i++) {
        int64_t met = (engagement[i] >= low) + (engagement[i] >= medium) + (engagement[i] >= high);
        level[i] = (int8_t)met;
    }
}

/* phase = name where both minima are met (a momentum that is no number meets only `-inf`) */
EK_INLINE void ek_pick_body(const double *restrict engagement, const double *restrict momentum, double least,
                                double slowest, int64_t name, int64_t n, int64_t *restrict phase) {
    int64_t i;
    if (slowest == -INFINITY) {
        for (i = 0; i < n; i++) phase[i] = engagement[i] >= least ? name : phase[i];
    } else {
        for (i = 0; i < n; i++)
            phase[i] = (engagement[i] >= least) & (momentum[i] >= slowest) ? name : phase[i];
    }
}

EK_INLINE void ek_narrow_body(const int64_t *restrict wide, int64_t n, int8_t *restrict narrow) {
    int64_t i;
    for (i = 0; i < n; i++) narrow[i] = (int8_t)wide[i];
}

#define EK_SWEEP_PATH(name, target)                                                                                   \
    target static void ek_add_scaled_##name(double *into, const double *table, double scale, int64_t n) {             \
        ek_add_scaled_body(into, table, scale, n);                                                                    \
    }                                                                                                                 \
    target static void ek_add_clipped_##name(double *into, const double *table, double scale, double cap, int64_t n) { \
        ek_add_clipped_body(into, table, scale, cap, n);                                                              \
    }                                                                                                                 \
    target static void ek_add_channel_##name(double *score, const double *sum, double cap, int64_t n) {               \
        ek_add_channel_body(score, sum, cap, n);                                                                      \
    }                                                                                                                 \
    target static void ek_momenta_##name(double *ratio, int64_t n) { ek_momenta_body(ratio, n); }                     \
    target static void ek_saturate_##name(const double *score, double midpoint, int64_t n, double *engagement) {      \
        ek_saturate_body(score, midpoint, n, engagement);                                                             \
    }                                                                                                                 \
    target static void ek_levels_##name(const double *engagement, const double *bound, int64_t n, int8_t *level) {    \
        ek_levels_body(engagement, bound, n, level);                                                                  \
    }                                                                                                                 \
    target static void ek_pick_##name(const double *engagement, const double *momentum, double least, double slowest, \
                                      int64_t phase_name, int64_t n, int64_t *phase) {                                \
        ek_pick_body(engagement, momentum, least, slowest, phase_name, n, phase);                                     \
    }                                                                                                                 \
    target static void ek_narrow_##name(const int64_t *wide, int64_t n, int8_t *narrow) {                             \
        ek_narrow_body(wide, n, narrow);                                                                              \
    }

typedef struct {
    void (*add_scaled)(double *, const double *, double, int64_t);
    void (*add_clipped)(double *, const double *, double, double, int64_t);
    void (*add_channel)(double *, const double *, double, int64_t);
    void (*momenta)(double *, int64_t);
    void (*saturate)(const double *, double, int64_t, double *);
    void (*levels)(const double *, const double *, int64_t, int8_t *);
    void (*pick)(const double *, const double *, double, double, int64_t, int64_t, int64_t *);
    void (*narrow)(const int64_t *, int64_t, int8_t *);
} ek_sweep_path;

#define EK_SWEEP_TABLE(name)                                                                                          \
    {ek_add_scaled_##name, ek_add_clipped_##name, ek_add_channel_##name, ek_momenta_##name,                           \
     ek_saturate_##name,   ek_levels_##name,      ek_pick_##name,        ek_narrow_##name}

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
