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
    double *term;    /* families: what their rules that apply add up to */
    EK_LANES_OF(double, customer);
    EK_LANES_OF(double, active);
    EK_LANES_OF(double, fast); /* the momentum's sums; both 0: there is none */
    EK_LANES_OF(double, slow);
    EK_LANES_OF(double, score);
    EK_LANES_OF(double, engagement);
    EK_LANES_OF(double, momentum);
    EK_LANES_OF(double, largest);
    EK_LANES_OF(double, uneven); /* whether anything that applies is negative or cut by a cap */
    EK_LANES_OF(double, bound); /* the highest that the score meets, 0: none; the engagement that it reads */
    EK_LANES_OF(double, least);
    EK_LANES_OF(double, slowest); /* the highest bound that the momentum meets, -1: none */
    EK_LANES_OF(double, away);    /* microseconds from here to where the level or the phase may change */
    EK_LANES_OF(double, top); /* -1: no channel is positive */
    EK_LANES_OF(double, level);
    EK_LANES_OF(double, phase);
} ek_crowd;

typedef struct { /* lanes on their way down to a bound; instants are microseconds from that of their crowd */
    double *term; /* families */
    EK_LANES_OF(double, t); /* where the score is asked for, and what it is there */
    EK_LANES_OF(double, score);
    EK_LANES_OF(double, first); /* derivatives of the score by microseconds */
    EK_LANES_OF(double, second);
    EK_LANES_OF(double, third);
    EK_LANES_OF(double, bound); /* of the score; 0: none; the engagement that it reads */
    EK_LANES_OF(double, least);
    EK_LANES_OF(double, end);
    EK_LANES_OF(double, paced); /* whether at `end` the momentum passes a bound */
    EK_LANES_OF(double, lo);    /* not below the bound, and the score there */
    EK_LANES_OF(double, score_at_lo);
    EK_LANES_OF(double, first_at_lo);
    EK_LANES_OF(double, second_at_lo);
    EK_LANES_OF(double, third_at_lo);
    EK_LANES_OF(double, hi); /* below it; infinite: not seen yet */
    EK_LANES_OF(double, score_at_hi);
    EK_LANES_OF(double, led_back);
    EK_LANES_OF(double, arrived);
    EK_LANES_OF(double, found); /* where the way ends, -1: neither bound is passed up to `end`; the score there */
    EK_LANES_OF(double, reached);
} ek_descent;

/* C(ch), the score, the largest |S(r)|, the top channel and the terms by family.  Sums in the order of the rules. */
EK_INLINE void ek_crowd_sum_body(const ek_setting *setting, ek_crowd *crowd, int64_t n) {
    int64_t r, c, k;
    double *restrict largest = EK_ALIGNED(crowd->largest), *restrict uneven = EK_ALIGNED(crowd->uneven);
    double *restrict score = EK_ALIGNED(crowd->score), *restrict top = EK_ALIGNED(crowd->top);
    const double *restrict customer = EK_ALIGNED(crowd->customer);
    EK_LANES_OF(double, most);
    n = (n + EK_LANES - 1) & -(int64_t)EK_LANES;
    memset(crowd->channel, 0, setting->channels * EK_CROWD * sizeof(double));
    memset(crowd->term, 0, setting->families * EK_CROWD * sizeof(double));
    for (k = 0; k < n; k++) {
        largest[k] = uneven[k] = score[k] = most[k] = 0.0;
        top[k] = -1.0;
    }
    for (r = 0; r < setting->rules; r++) {
        const double *restrict value = EK_ALIGNED(crowd->value + r * EK_CROWD);
        double *restrict channel = EK_ALIGNED(crowd->channel + setting->channel[r] * EK_CROWD);
        double *restrict term = EK_ALIGNED(crowd->term + setting->family[r] * EK_CROWD);
        double cap = setting->cap[r], of_prospects = setting->half[r] != 2;
        double of_customers = (setting->half[r] != 1) - of_prospects;
        EK_LANEWISE
        for (k = 0; k < n; k++) {
            double size = fabs(value[k]), own = value[k] * (of_prospects + customer[k] * of_customers), cut, odd;
            double big = largest[k];
            largest[k] = size <= big ? big : size; /* NaN counts as the largest */
            odd = uneven[k];
            odd = own >= 0.0 ? odd : 1.0;
            uneven[k] = own <= cap ? odd : 1.0;
            cut = own > cap ? cap : own;
            cut = cut < -cap ? -cap : cut;
            term[k] += own;
            channel[k] += cut;
        }
    }
    for (c = 0; c < setting->channels; c++) {
        double *restrict channel = EK_ALIGNED(crowd->channel + c * EK_CROWD);
        double cap = setting->channel_cap[c], number = (double)c;
        EK_LANEWISE
        for (k = 0; k < n; k++) {
            double sum = channel[k], cut, odd = uneven[k], best = most[k], at_best = top[k];
            uneven[k] = sum < cap ? odd : 1.0;
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
    double *restrict pace = EK_ALIGNED(crowd->slowest);
    n = (n + EK_LANES - 1) & -(int64_t)EK_LANES;
    for (k = 0; k < n; k++) {
        bound[k] = least[k] = 0.0;
        pace[k] = -1.0;
    }
    for (p = 0; p < 3 + setting->phases; p++) {
        double level = p < 3 ? setting->level[p] : setting->min_engagement[p - 3], score = setting->bound[p];
        double of_customers = p < 3 ? -1.0 : setting->phase_half[p - 3] == 2;
        double min_momentum = p < 3 ? NAN : setting->min_momentum[p - 3], everyone = p < 3 ? 1.0 : 0.0;
        if (!(score < INFINITY)) score = 0.0; /* met by rounding alone, and never passed */
        EK_LANEWISE
        for (k = 0; k < n; k++) {
            double applies = customer[k] == of_customers ? active[k] : everyone, was = bound[k], met;
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

/* The derivatives of the score where the lanes begin, at t = 0. */
EK_INLINE void ek_begin_body(const ek_setting *setting, ek_descent *descent, int64_t n) {
    int64_t f, k;
    double *restrict first = EK_ALIGNED(descent->first), *restrict second = EK_ALIGNED(descent->second);
    double *restrict third = EK_ALIGNED(descent->third);
    n = (n + EK_LANES - 1) & -(int64_t)EK_LANES;
    for (k = 0; k < n; k++) first[k] = second[k] = third[k] = 0.0;
    for (f = 0; f < setting->families; f++) {
        const double *restrict term = EK_ALIGNED(descent->term + f * EK_CROWD);
        double one = -EK_LN2 * setting->rate[f], two = one * one, three = two * one;
        EK_LANEWISE
        for (k = 0; k < n; k++) {
            first[k] += term[k] * one;
            second[k] += term[k] * two;
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
                double e = term[j] * ek_power_soon(rate * t[j]), slope = e * rate, bend = slope * rate;
                zero[j] += e;
                one[j] += slope;
                two[j] += bend;
                three[j] += bend * rate;
            }
        }
        for (j = 0; j < EK_LANES; j++) {
            descent->score[k + j] = zero[j];
            descent->first[k + j] = -EK_LN2 * one[j];
            descent->second[k + j] = EK_LN2 * EK_LN2 * two[j];
            descent->third[k + j] = -EK_LN2 * EK_LN2 * EK_LN2 * three[j];
        }
    }
}

/* Takes the scores at t, and chooses where the next are asked for, or that a lane has arrived.
 *
 * Invariant: at lo the engagement is not below what the bound reads, at hi it is.  Steps for ln(score), which is convex,
 * come there in two or three; wherever one leaves the bracket, halving takes over.  The tangent of a convex curve lies
 * below it: led back from hi, it comes to the bound before the curve does, so what it shows to be near is near. */
EK_INLINE void ek_step_body(const ek_setting *setting, ek_descent *descent, int64_t n) {
    int64_t k;
    double scale = setting->scale, close = 0.0;
    EK_LANES_OF(double, is_low);
#define EK_ROW(name) double *restrict name = EK_ALIGNED(descent->name)
    EK_ROW(t); EK_ROW(score); EK_ROW(first); EK_ROW(second); EK_ROW(third); EK_ROW(bound); EK_ROW(least); EK_ROW(end);
    EK_ROW(paced); EK_ROW(lo); EK_ROW(score_at_lo); EK_ROW(first_at_lo); EK_ROW(second_at_lo); EK_ROW(third_at_lo);
    EK_ROW(hi); EK_ROW(score_at_hi); EK_ROW(led_back); EK_ROW(arrived); EK_ROW(found); EK_ROW(reached);
#undef EK_ROW
    n = (n + EK_LANES - 1) & -(int64_t)EK_LANES;
    EK_LANEWISE
    for (k = 0; k < n; k++) {
        double aim = bound[k], value = score[k], near = value < aim * (1.0 + 1e-9) ? 1.0 : 0.0;
        double low = value < aim * (1.0 - 1e-9) ? 1.0 : 0.0;
        is_low[k] = low;
        close += near - low;
    }
    /* the engagement is asked only where the score is close to the bound, which hardly ever is */
    for (k = 0; k < (close > 0.0 ? n : 0); k++) {
        if (score[k] < bound[k] * (1.0 + 1e-9)) {
            double positive = score[k] <= 0.0 ? 0.0 : score[k], read = 100.0 * (1.0 - ek_power(positive / scale));
            if (setting->linear) read = positive >= scale ? 100.0 : 100.0 * (positive / scale);
            is_low[k] = read < least[k] ? 1.0 : is_low[k];
        }
    }
    EK_LANEWISE
    for (k = 0; k < n; k++) {
        double here = t[k], value = score[k], aim = bound[k], last = end[k], below = hi[k], above = lo[k];
        double was = score_at_lo[k], one = first_at_lo[k], two = second_at_lo[k], three = third_at_lo[k];
        double slope = first[k], bend = second[k], twist = third[k], at_hi = score_at_hi[k], low = is_low[k];
        double high, back, over, width, gap, led, leads, step, next, done, place;
        ek_ratio ratio;
        high = 1.0 - low;
        back = low - low * led_back[k];
        over = here == last ? high : 0.0;
        above = low > 0.0 ? above : here;
        below = low > 0.0 ? here : below;
        at_hi = low > 0.0 ? value : at_hi;
        was = low > 0.0 ? was : value;
        one = low > 0.0 ? one : slope;
        two = low > 0.0 ? two : bend;
        three = low > 0.0 ? three : twist;
        width = below - above;
        gap = ek_about_log((back > 0.0 ? aim : was) / (back > 0.0 ? value : aim));
        ratio = ek_step_ratio(was, one, two, three, gap);
        ratio.above = back > 0.0 ? gap * value : ratio.above;
        ratio.below = back > 0.0 ? -slope : ratio.below;
        step = ratio.above / ratio.below;
        /* back from hi */
        led = slope < 0.0 ? step : INFINITY;
        led = value > 0.0 ? led : INFINITY;
        leads = led < width - EK_SHORTEST ? below - ek_floor(led) - EK_SHORTEST / 4 : above + ek_floor(0.5 * width);
        /* on from lo, a little further, so that a good step ends beyond */
        step = one < 0.0 ? step : INFINITY;
        step = aim > 0.0 ? step : INFINITY;
        step = step < 0.0 ? 0.0 : step;
        next = step < last - above ? above + ek_floor(step) + EK_SHORTEST / 4 : last;
        next = next >= below ? above + ek_floor(0.5 * width) : next;
        next = next > last ? last : next;
        done = led <= EK_SHORTEST ? back : 0.0;
        done = width <= EK_SHORTEST ? 1.0 : done;
        done = over > 0.0 ? 1.0 : done;
        place = paced[k] > 0.0 ? last : -1.0;
        lo[k] = above;
        hi[k] = below;
        score_at_hi[k] = at_hi;
        score_at_lo[k] = was;
        first_at_lo[k] = one;
        second_at_lo[k] = two;
        third_at_lo[k] = three;
        led_back[k] = back;
        arrived[k] = done;
        found[k] = over > 0.0 ? place : below;
        reached[k] = over > 0.0 ? value : at_hi;
        t[k] = back > 0.0 ? leads : next;
    }
}

/* Gives a lane's place to the last. */
EK_INLINE void ek_leave(ek_descent *d, int64_t families, int64_t place, int64_t last) {
    int64_t f;
    if (place == last) return;
#define EK_MOVE(row) d->row[place] = d->row[last]
    EK_MOVE(t), EK_MOVE(bound), EK_MOVE(least), EK_MOVE(end), EK_MOVE(paced), EK_MOVE(lo), EK_MOVE(score_at_lo);
    EK_MOVE(first_at_lo), EK_MOVE(second_at_lo), EK_MOVE(third_at_lo), EK_MOVE(hi), EK_MOVE(score_at_hi);
    EK_MOVE(led_back), EK_MOVE(arrived), EK_MOVE(found), EK_MOVE(reached);
#undef EK_MOVE
    for (f = 0; f < families; f++) d->term[f * EK_CROWD + place] = d->term[f * EK_CROWD + last];
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
    void (*begin)(const ek_setting *, ek_descent *, int64_t);
    void (*descend)(const ek_setting *, ek_descent *, int64_t);
    void (*step)(const ek_setting *, ek_descent *, int64_t);
    void (*later)(const ek_setting *, ek_crowd *, int64_t);
} ek_crowd_path;

#define EK_CROWD_ENTRY(name)                                                                                            \
    {ek_crowd_sum_##name, ek_crowd_class_##name, ek_crowd_pace_##name, ek_crowd_bounds_##name, ek_begin_##name,            \
     ek_descend_##name,  ek_step_##name,        ek_crowd_later_##name}

static const ek_crowd_path ek_crowd_paths[] = { /* in the order of ek_paths */
#if EK_X86
    EK_CROWD_ENTRY(avx512), EK_CROWD_ENTRY(avx2),
#endif
    EK_CROWD_ENTRY(baseline)};

/* The crowd's functions on the vector path that is taken. */
EK_INLINE const ek_crowd_path *ek_crowds(void) { return &ek_crowd_paths[ek_path - ek_paths]; }

#endif
