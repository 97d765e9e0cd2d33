/* Finishing many contacts side by side: what follows from S(r), one contact a lane.
 *
 * Everything of a crowd is an array of EK_CROWD lanes, and tables by rule, channel or family are rows of them, so that
 * every loop here runs along neighbouring numbers and no lane knows of another: a contact's bits depend neither on the
 * lane it is in nor on the vector path.  Flags and codes are doubles as well, for loops whose numbers
 * are all of one width are the ones that compilers take to vectors.  Counts of lanes are rounded up to a multiple of
 * EK_LANES; what stands in the lanes beyond means nothing. */
#ifndef EK_CROWD_H
#define EK_CROWD_H

#include "_descent.h"

#if defined(__GNUC__)
#define EK_LANEWISE _Pragma("GCC ivdep") /* no row overlaps another: there is nothing to be checked before the loop */
#else
#define EK_LANEWISE
#endif

#define EK_CROWD 64

#if defined(__GNUC__)
#define EK_LANES_OF(type, name) type name[EK_CROWD] __attribute__((aligned(64)))
#else
#define EK_LANES_OF(type, name) type name[EK_CROWD]
#endif

typedef struct { /* of a plan */
    int64_t rules, channels, families, phases;
    const int64_t *channel, *family, *half; /* by rule; half: 0 both, 1 prospect, 2 customer */
    const double *cap;                      /* by rule */
    const double *channel_cap;
    const double *rate; /* by family: 1 / half-life */
    const double *level;
    const double *bound; /* the scores that the levels and then the phases' minima read */
    const double *min_engagement, *min_momentum; /* by entry of a phase; NaN: none */
    const int64_t *phase_half, *phase_name;
    double scale, fast_span, slow_span;
    int linear;
} ek_setting;

typedef struct { /* some contacts at one instant; the pointers are to rows of EK_CROWD */
    double *value;   /* rules: S(r) */
    double *channel; /* channels: C(ch) */
    double *size;    /* channels: the sum of the sizes of what its rules add to it */
    double *term;    /* families: what their rules that apply add up to */
    EK_LANES_OF(double, customer);
    EK_LANES_OF(double, active);
    EK_LANES_OF(double, fast); /* the momentum's sums; both 0: there is none */
    EK_LANES_OF(double, slow);
    EK_LANES_OF(double, score);
    EK_LANES_OF(double, engagement);
    EK_LANES_OF(double, momentum);
    EK_LANES_OF(double, largest);
    EK_LANES_OF(double, uneven); /* whether a cap cuts anything that applies, or the terms do not tell what comes */
    EK_LANES_OF(double, signed_); /* whether anything that applies is negative */
    EK_LANES_OF(double, bound); /* the highest that the score meets, 0: none; the engagement that it reads */
    EK_LANES_OF(double, least);
    EK_LANES_OF(double, ceiling); /* the least bound of the score that it does not meet, INFINITY: none */
    EK_LANES_OF(double, slowest); /* the highest bound that the momentum meets, -1: none */
    EK_LANES_OF(double, away);    /* microseconds from here to where the level or the phase may change */
    EK_LANES_OF(double, top); /* -1: no channel is positive */
    EK_LANES_OF(double, level);
    EK_LANES_OF(double, phase);
} ek_crowd;

#define EK_ROWS_OF_WAY(ROW)                                                                                            \
    ROW(t) ROW(end) ROW(paced) ROW(bound) ROW(least) ROW(bend) ROW(leap) ROW(steps) ROW(led_back) ROW(lo) ROW(score)   \
    ROW(first) ROW(second) ROW(third) ROW(hi) ROW(reached) ROW(arrived) ROW(found)

typedef struct { /* lanes on their way down to a bound, from the instant of their crowd */
    double *term; /* families */
#define EK_ROW(name) EK_LANES_OF(double, name);
    EK_ROWS_OF_WAY(EK_ROW)
#undef EK_ROW
    struct {
        EK_LANES_OF(double, score);
        EK_LANES_OF(double, first); /* derivatives of the score by microseconds */
        EK_LANES_OF(double, second);
        EK_LANES_OF(double, third);
    } there; /* at t */
} ek_descent;

/* C(ch), the score, the largest |S(r)|, the top channel and the terms by family.  Sums in the order of the rules. */
EK_INLINE void ek_crowd_sum_body(const ek_setting *setting, ek_crowd *crowd, int64_t n) {
    int64_t r, c, k;
    double *restrict largest = EK_ALIGNED(crowd->largest), *restrict uneven = EK_ALIGNED(crowd->uneven);
    double *restrict score = EK_ALIGNED(crowd->score), *restrict top = EK_ALIGNED(crowd->top);
    double *restrict minus = EK_ALIGNED(crowd->signed_);
    const double *restrict customer = EK_ALIGNED(crowd->customer);
    EK_LANES_OF(double, most);
    n = (n + EK_LANES - 1) & -(int64_t)EK_LANES;
    memset(crowd->channel, 0, setting->channels * EK_CROWD * sizeof(double));
    memset(crowd->size, 0, setting->channels * EK_CROWD * sizeof(double));
    memset(crowd->term, 0, setting->families * EK_CROWD * sizeof(double));
    for (k = 0; k < n; k++) {
        largest[k] = uneven[k] = minus[k] = score[k] = most[k] = 0.0;
        top[k] = -1.0;
    }
    for (r = 0; r < setting->rules; r++) {
        const double *restrict value = EK_ALIGNED(crowd->value + r * EK_CROWD);
        double *restrict channel = EK_ALIGNED(crowd->channel + setting->channel[r] * EK_CROWD);
        double *restrict whole = EK_ALIGNED(crowd->size + setting->channel[r] * EK_CROWD);
        double *restrict term = EK_ALIGNED(crowd->term + setting->family[r] * EK_CROWD);
        double cap = setting->cap[r], of_prospects = setting->half[r] != 2;
        double of_customers = (setting->half[r] != 1) - of_prospects;
        EK_LANEWISE
        for (k = 0; k < n; k++) {
            double size = fabs(value[k]), own = value[k] * (of_prospects + customer[k] * of_customers), cut, odd;
            double big = largest[k];
            largest[k] = size <= big ? big : size; /* NaN counts as the largest */
            odd = minus[k];
            minus[k] = own >= 0.0 ? odd : 1.0;
            size = fabs(own);
            odd = uneven[k];
            uneven[k] = size <= cap ? odd : 1.0;
            cut = own > cap ? cap : own;
            cut = cut < -cap ? -cap : cut;
            term[k] += own;
            channel[k] += cut;
            whole[k] += size;
        }
    }
    for (c = 0; c < setting->channels; c++) {
        double *restrict channel = EK_ALIGNED(crowd->channel + c * EK_CROWD);
        const double *restrict whole = EK_ALIGNED(crowd->size + c * EK_CROWD);
        double cap = setting->channel_cap[c], number = (double)c;
        EK_LANEWISE
        for (k = 0; k < n; k++) {
            double sum = channel[k], cut, odd = uneven[k], best = most[k], at_best = top[k];
            uneven[k] = whole[k] < cap ? odd : 1.0; /* nor will it be cut, whatever fades first */
            cut = sum > cap ? cap : sum;
            cut = cut < -cap ? -cap : cut;
            channel[k] = cut;
            score[k] += cut;
            top[k] = cut > best ? number : at_best;
            most[k] = cut > best ? cut : best;
        }
    }
}

/* Engagement, level and phase of the lanes' scores and momentums. */
EK_INLINE void ek_crowd_class_body(const ek_setting *setting, ek_crowd *crowd, int64_t n) {
    int64_t k, p;
    const double *restrict score = EK_ALIGNED(crowd->score), *restrict momentum = EK_ALIGNED(crowd->momentum);
    const double *restrict customer = EK_ALIGNED(crowd->customer), *restrict active = EK_ALIGNED(crowd->active);
    double *restrict engagement = EK_ALIGNED(crowd->engagement);
    double *restrict level = EK_ALIGNED(crowd->level), *restrict phase = EK_ALIGNED(crowd->phase);
    double scale = setting->scale, low = setting->level[0], medium = setting->level[1], high = setting->level[2];
    n = (n + EK_LANES - 1) & -(int64_t)EK_LANES;
    if (setting->linear) {
        EK_LANEWISE
        for (k = 0; k < n; k++) {
            double read = score[k] >= scale ? 100.0 : 100.0 * (score[k] / scale);
            engagement[k] = score[k] <= 0.0 ? 0.0 : read;
        }
    } else {
        EK_LANEWISE
        for (k = 0; k < n; k++) {
            double positive = score[k] <= 0.0 ? 0.0 : score[k];
            engagement[k] = 100.0 * (1.0 - ek_power(positive / scale));
        }
    }
    for (k = 0; k < n; k++) {
        double e = engagement[k];
        level[k] = (e >= low ? 1.0 : 0.0) + (e >= medium ? 1.0 : 0.0) + (e >= high ? 1.0 : 0.0);
        phase[k] = -1.0;
    }
    for (p = setting->phases - 1; p >= 0; p--) {
        double least = setting->min_engagement[p], pace = setting->min_momentum[p];
        double of_customers = setting->phase_half[p] == 2, name = (double)setting->phase_name[p];
        double any_pace = isnan(pace) ? 1.0 : 0.0;
        EK_LANEWISE
        for (k = 0; k < n; k++) {
            double other = phase[k], first = engagement[k] >= least ? name : other, moves = momentum[k] >= pace ? 1.0 : any_pace;
            first = customer[k] == of_customers ? first : other;
            first = active[k] > 0.0 ? first : other;
            phase[k] = moves > 0.0 ? first : other;
        }
    }
}

/* (F - W) / (F + W) of the sums as they stand, NaN where there are none. */
EK_INLINE void ek_crowd_pace_body(const ek_setting *setting, ek_crowd *crowd, int64_t n) {
    int64_t k;
    const double *restrict fast = EK_ALIGNED(crowd->fast), *restrict slow = EK_ALIGNED(crowd->slow);
    double *restrict momentum = EK_ALIGNED(crowd->momentum);
    double spans = setting->slow_span / setting->fast_span;
    n = (n + EK_LANES - 1) & -(int64_t)EK_LANES;
    for (k = 0; k < n; k++) {
        double ratio = fast[k] / slow[k] * spans, read = (ratio - 1.0) / (ratio + 1.0);
        momentum[k] = slow[k] > 0.0 ? read : NAN;
    }
}

/* The highest bound of the score that a lane meets, with the engagement it reads; 0: it meets none.  Beside it the
 * highest bound of the momentum that it meets, -1: none. */
EK_INLINE void ek_crowd_bounds_body(const ek_setting *setting, ek_crowd *crowd, int64_t n) {
    int64_t k, p;
    const double *restrict engagement = EK_ALIGNED(crowd->engagement), *restrict momentum = EK_ALIGNED(crowd->momentum);
    const double *restrict customer = EK_ALIGNED(crowd->customer), *restrict active = EK_ALIGNED(crowd->active);
    double *restrict bound = EK_ALIGNED(crowd->bound), *restrict least = EK_ALIGNED(crowd->least);
    double *restrict pace = EK_ALIGNED(crowd->slowest), *restrict ceiling = EK_ALIGNED(crowd->ceiling);
    n = (n + EK_LANES - 1) & -(int64_t)EK_LANES;
    for (k = 0; k < n; k++) {
        bound[k] = least[k] = 0.0;
        pace[k] = -1.0;
        ceiling[k] = INFINITY;
    }
    for (p = 0; p < 3 + setting->phases; p++) {
        double level = p < 3 ? setting->level[p] : setting->min_engagement[p - 3], score = setting->bound[p];
        double of_customers = p < 3 ? -1.0 : setting->phase_half[p - 3] == 2;
        double min_momentum = p < 3 ? NAN : setting->min_momentum[p - 3], everyone = p < 3 ? 1.0 : 0.0, above = score;
        if (!(score < INFINITY)) score = 0.0; /* met by rounding alone, and never passed */
        EK_LANEWISE
        for (k = 0; k < n; k++) {
            double applies = customer[k] == of_customers ? active[k] : everyone, was = bound[k], met;
            met = engagement[k] >= level ? INFINITY : above;
            met = applies > 0.0 ? met : INFINITY;
            ceiling[k] = met < ceiling[k] ? met : ceiling[k];
            met = engagement[k] >= level ? applies : 0.0;
            met = score > was ? met : 0.0;
            bound[k] = met > 0.0 ? score : was;
            was = least[k];
            least[k] = met > 0.0 ? level : was;
            was = pace[k];
            met = momentum[k] >= min_momentum ? applies : 0.0;
            met = min_momentum > was ? met : 0.0;
            pace[k] = met > 0.0 ? min_momentum : was;
        }
    }
}

/* Which of the lanes with negative terms may come up to a bound, or down through one more than once, as far as their partial
 * sums tell, the slowest terms first (see _wavering.pxi): uneven ones. */
EK_INLINE void ek_crowd_waves_body(const ek_setting *setting, ek_crowd *crowd, int64_t n) {
    int64_t f, k;
    const double *restrict bound = EK_ALIGNED(crowd->bound), *restrict ceiling = EK_ALIGNED(crowd->ceiling);
    const double *restrict minus = EK_ALIGNED(crowd->signed_);
    double *restrict uneven = EK_ALIGNED(crowd->uneven);
    EK_LANES_OF(double, sum);
    EK_LANES_OF(double, most);
    EK_LANES_OF(double, above); /* whether the sum so far is not below the bound */
    EK_LANES_OF(double, changes);
    n = (n + EK_LANES - 1) & -(int64_t)EK_LANES;
    for (k = 0; k < n; k++) sum[k] = most[k] = above[k] = changes[k] = 0.0;
    for (f = 0; f < setting->families; f++) {
        const double *restrict term = EK_ALIGNED(crowd->term + f * EK_CROWD);
        double last = f == setting->families - 1 ? 1.0 : 0.0; /* which the score itself is, and that is not below */
        EK_LANEWISE
        for (k = 0; k < n; k++) {
            double so_far = sum[k] + term[k], now = so_far >= bound[k] ? 1.0 : last, before = most[k];
            changes[k] += fabs(now - above[k]);
            above[k] = now;
            most[k] = so_far > before ? so_far : before;
            sum[k] = so_far;
        }
    }
    EK_LANEWISE
    for (k = 0; k < n; k++) {
        double odd = most[k] < ceiling[k] * (1.0 - 1e-9) ? 0.0 : 1.0, down = bound[k] > 0.0 ? changes[k] : 0.0, was = uneven[k];
        odd = down > 1.0 ? 1.0 : odd;
        odd = minus[k] > 0.0 ? odd : 0.0;
        uneven[k] = was > odd ? was : odd;
    }
}

/* The derivatives of the score where the lanes begin, at t = 0. */
EK_INLINE void ek_begin_body(const ek_setting *setting, ek_descent *descent, int64_t n) {
    int64_t f, k;
    double *restrict first = EK_ALIGNED(descent->there.first), *restrict second = EK_ALIGNED(descent->there.second);
    double *restrict third = EK_ALIGNED(descent->there.third), *restrict bend = EK_ALIGNED(descent->bend);
    n = (n + EK_LANES - 1) & -(int64_t)EK_LANES;
    for (k = 0; k < n; k++) first[k] = second[k] = third[k] = bend[k] = 0.0;
    for (f = 0; f < setting->families; f++) {
        const double *restrict term = EK_ALIGNED(descent->term + f * EK_CROWD);
        double one = -EK_LN2 * setting->rate[f], two = one * one, three = two * one;
        EK_LANEWISE
        for (k = 0; k < n; k++) {
            first[k] += term[k] * one;
            second[k] += term[k] * two;
            bend[k] += fabs(term[k] * two);
            third[k] += term[k] * three;
        }
    }
}

/* The score and its first three derivatives, each lane at its own t.  Cost: a power of two a family and lane. */
EK_INLINE void ek_descend_body(const ek_setting *setting, ek_descent *descent, int64_t n) {
    int64_t f, k, j;
    for (k = 0; k < n; k += EK_LANES) {
        double zero[EK_LANES] = {0}, one[EK_LANES] = {0}, two[EK_LANES] = {0}, three[EK_LANES] = {0};
        const double *restrict t = descent->t + k;
        for (f = 0; f < setting->families; f++) {
            const double *restrict term = EK_ALIGNED(descent->term + f * EK_CROWD + k);
            double rate = setting->rate[f];
            for (j = 0; j < EK_LANES; j++) {
                double e = term[j] * ek_power(rate * t[j]), slope = e * rate, bend = slope * rate;
                zero[j] += e;
                one[j] += slope;
                two[j] += bend;
                three[j] += bend * rate;
            }
        }
        for (j = 0; j < EK_LANES; j++) {
            descent->there.score[k + j] = zero[j];
            descent->there.first[k + j] = -EK_LN2 * one[j];
            descent->there.second[k + j] = EK_LN2 * EK_LN2 * two[j];
            descent->there.third[k + j] = -EK_LN2 * EK_LN2 * EK_LN2 * three[j];
        }
    }
}

/* Takes the heights of the lanes where they were asked for. */
EK_INLINE void ek_step_body(const ek_setting *setting, ek_descent *descent, int64_t n) {
    int64_t k;
    double close = 0.0;
    const double *restrict score_there = EK_ALIGNED(descent->there.score);
    const double *restrict first_there = EK_ALIGNED(descent->there.first);
    const double *restrict second_there = EK_ALIGNED(descent->there.second);
    const double *restrict third_there = EK_ALIGNED(descent->there.third);
    EK_LANES_OF(double, low);
#define EK_ROW(name) double *restrict name = EK_ALIGNED(descent->name);
    EK_ROWS_OF_WAY(EK_ROW)
#undef EK_ROW
    n = (n + EK_LANES - 1) & -(int64_t)EK_LANES;
    EK_LANEWISE
    for (k = 0; k < n; k++) {
        double near = score_there[k] < bound[k] * (1.0 + 1e-9) ? 1.0 : 0.0;
        double under = score_there[k] < bound[k] * (1.0 - 1e-9) ? 1.0 : 0.0;
        low[k] = under;
        close += near - under;
    }
    /* the engagement is asked only where the score is close to the bound, which it hardly ever is */
    for (k = 0; k < (close > 0.0 ? n : 0); k++) {
        if (score_there[k] < bound[k] * (1.0 + 1e-9)) {
            double positive = score_there[k] <= 0.0 ? 0.0 : score_there[k], scale = setting->scale;
            double read = setting->linear ? 100.0 * (positive / scale) : 100.0 * (1.0 - ek_power(positive / scale));
            if (setting->linear && positive >= scale) read = 100.0;
            low[k] = read < least[k] ? 1.0 : low[k];
        }
    }
    EK_LANEWISE
    for (k = 0; k < n; k++) {
        ek_way way;
#define EK_ROW(name) way.name = name[k];
        EK_ROWS_OF_WAY(EK_ROW)
#undef EK_ROW
        ek_go_on(&way, score_there[k], first_there[k], second_there[k], third_there[k], low[k]);
#define EK_ROW(name) name[k] = way.name;
        EK_ROWS_OF_WAY(EK_ROW)
#undef EK_ROW
    }
}

/* Gives a lane's place to the last. */
EK_INLINE void ek_leave(ek_descent *descent, int64_t families, int64_t place, int64_t last) {
    int64_t f;
    if (place == last) return;
#define EK_ROW(name) descent->name[place] = descent->name[last];
    EK_ROWS_OF_WAY(EK_ROW)
#undef EK_ROW
    for (f = 0; f < families; f++) descent->term[f * EK_CROWD + place] = descent->term[f * EK_CROWD + last];
}

/* The momentum when the lanes are away: of the two sums the fast one halves sooner. */
EK_INLINE void ek_crowd_later_body(const ek_setting *setting, ek_crowd *crowd, int64_t n) {
    int64_t k;
    double *restrict momentum = EK_ALIGNED(crowd->momentum);
    const double *restrict t = EK_ALIGNED(crowd->away);
    double spans = setting->slow_span / setting->fast_span, fast_span = setting->fast_span, slow_span = setting->slow_span;
    n = (n + EK_LANES - 1) & -(int64_t)EK_LANES;
    for (k = 0; k < n; k++) {
        double ratio = crowd->fast[k] / crowd->slow[k] * spans * ek_power(t[k] / fast_span - t[k] / slow_span);
        double read = (ratio - 1.0) / (ratio + 1.0);
        momentum[k] = crowd->slow[k] > 0.0 ? read : NAN;
    }
}

#define EK_CROWD_PATH(name, target)                                                                                     \
    target static void ek_crowd_sum_##name(const ek_setting *setting, ek_crowd *crowd, int64_t n) {                         \
        ek_crowd_sum_body(setting, crowd, n);                                                                             \
    }                                                                                                                  \
    target static void ek_crowd_class_##name(const ek_setting *setting, ek_crowd *crowd, int64_t n) {                       \
        ek_crowd_class_body(setting, crowd, n);                                                                           \
    }                                                                                                                  \
    target static void ek_crowd_pace_##name(const ek_setting *setting, ek_crowd *crowd, int64_t n) {                        \
        ek_crowd_pace_body(setting, crowd, n);                                                                            \
    }                                                                                                                  \
    target static void ek_crowd_bounds_##name(const ek_setting *setting, ek_crowd *crowd, int64_t n) {                    \
        ek_crowd_bounds_body(setting, crowd, n);                                                                          \
    }                                                                                                                  \
    target static void ek_crowd_waves_##name(const ek_setting *setting, ek_crowd *crowd, int64_t n) {                     \
        ek_crowd_waves_body(setting, crowd, n);                                                                           \
    }                                                                                                                  \
    target static void ek_begin_##name(const ek_setting *setting, ek_descent *descent, int64_t n) {                      \
        ek_begin_body(setting, descent, n);                                                                             \
    }                                                                                                                  \
    target static void ek_descend_##name(const ek_setting *setting, ek_descent *descent, int64_t n) {                    \
        ek_descend_body(setting, descent, n);                                                                           \
    }                                                                                                                  \
    target static void ek_step_##name(const ek_setting *setting, ek_descent *descent, int64_t n) {                       \
        ek_step_body(setting, descent, n);                                                                              \
    }                                                                                                                  \
    target static void ek_crowd_later_##name(const ek_setting *setting, ek_crowd *crowd, int64_t n) {                       \
        ek_crowd_later_body(setting, crowd, n);                                                                           \
    }

EK_CROWD_PATH(baseline, )
#if EK_X86
EK_CROWD_PATH(avx2, __attribute__((target("avx2"))))
EK_CROWD_PATH(avx512, __attribute__((target("avx512f,avx512dq,avx512vl,avx512bw,prefer-vector-width=512"))))
#endif

typedef struct {
    void (*sum)(const ek_setting *, ek_crowd *, int64_t);
    void (*class_)(const ek_setting *, ek_crowd *, int64_t);
    void (*pace)(const ek_setting *, ek_crowd *, int64_t);
    void (*bounds)(const ek_setting *, ek_crowd *, int64_t);
    void (*waves)(const ek_setting *, ek_crowd *, int64_t);
    void (*begin)(const ek_setting *, ek_descent *, int64_t);
    void (*descend)(const ek_setting *, ek_descent *, int64_t);
    void (*step)(const ek_setting *, ek_descent *, int64_t);
    void (*later)(const ek_setting *, ek_crowd *, int64_t);
} ek_crowd_path;

#define EK_CROWD_ENTRY(name)                                                                                            \
    {ek_crowd_sum_##name, ek_crowd_class_##name, ek_crowd_pace_##name, ek_crowd_bounds_##name, ek_crowd_waves_##name,      \
     ek_begin_##name,    ek_descend_##name,   ek_step_##name,       ek_crowd_later_##name}

static const ek_crowd_path ek_crowd_paths[] = { /* in the order of ek_paths */
#if EK_X86
    EK_CROWD_ENTRY(avx512), EK_CROWD_ENTRY(avx2),
#endif
    EK_CROWD_ENTRY(baseline)};

/* The crowd's functions on the vector path that is taken. */
EK_INLINE const ek_crowd_path *ek_crowds(void) { return &ek_crowd_paths[ek_path - ek_paths]; }

#endif
