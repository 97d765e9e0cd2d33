/* The way of a score down to the bound that it passes first, whoever evaluates it, one contact or a lane of many: its height
 * is asked for where it should have come just below the bound, and from there a little before, until both sides of the
 * passage are known.  A score of positive terms is convex, so that no step from the left goes too far; one of both signs
 * is known to come down through the bound once at most (see _wavering.pxi), so that wherever a step leads shows on which
 * side of the passage that is. */
#ifndef EK_DESCENT_H
#define EK_DESCENT_H

#include "_simd.h"

#define EK_SHORTEST 500000 /* microseconds: how much too late an instant may be seen */
#define EK_MISLED 8        /* guesses that may fall short before the search leaps */
#define EK_LN2 0.6931471805599453

/* Instants are microseconds from where the way begins, flags 0 or 1; all are doubles, for loops whose numbers are all of
 * one width are the ones that compilers take to vectors. */
typedef struct {
    double t;            /* where the score is asked for */
    double end, paced;   /* whether at `end` the momentum passes a bound */
    double bound, least; /* of the score, -INFINITY: none; the engagement that it reads */
    double bend;         /* no |s''| is greater, INFINITY: unknown; 0: no term is negative, and no cap cuts */
    double leap;         /* of a search that was misled, before it is doubled */
    double steps, led_back;
    double lo, score, first, second, third; /* not below the bound, and the height there */
    double hi, reached;                     /* below it (INFINITY: not seen yet), and the score there or at the end */
    double arrived, found;                  /* where the way ends; -1: nothing is passed up to `end` */
} ek_way;

/* The whole part of x, from 0 to 2^51. */
EK_INLINE double ek_floor(double x) {
    double rounded = (x + EK_NEAREST) - EK_NEAREST;
    return rounded > x ? rounded - 1.0 : rounded;
}

/* ln(x) of a positive normal number as a step needs it, to nine digits: by the series of the inverse hyperbolic tangent. */
EK_INLINE double ek_about_log(double x) {
    uint64_t bits = ek_bits_of(x);
    double power = ek_double_of((bits >> 52) | 0x4330000000000000u) - (4503599627370496.0 + 1023.0);
    double m = ek_double_of((bits & 0x000fffffffffffffu) | 0x3ff0000000000000u), large = m > 1.4142135623730951 ? 1.0 : 0.0;
    double z, z2;
    m = large > 0.0 ? 0.5 * m : m;
    z = (m - 1.0) / (m + 1.0);
    z2 = z * z;
    return (power + large) * EK_LN2 +
           2.0 * z * (1.0 + z2 * (1.0 / 3 + z2 * (1.0 / 5 + z2 * (1.0 / 7 + z2 * (1.0 / 9)))));
}

/* Takes the height at `way.t`; `low`: whether it is below the bound.
 *
 * A step on from `lo` is Householder's of the third order for ln(score); Newton's, which falls short of where a convex curve
 * passes, is the least it can be, and all there is without a second derivative (0).  The tangent of a convex curve lies
 * below it: led back from `hi`, it comes to the bound before the curve does, so what it shows to be near is near; of
 * another curve, so little of the slope can have turned in half a second.  Wherever a step leaves the bracket, halving
 * takes over.
 *
 * Every choice is a blend of two numbers, one after the other: of nested ones, and of flags that are but 0 and 1,
 * compilers make truth values, and take no vectors. */
EK_INLINE void ek_go_on(ek_way *way, double score, double first, double second, double third, double low) {
    double high = 1.0 - low, back = low - low * way->led_back, over = way->t == way->end ? high : 0.0, shortest = EK_SHORTEST;
    double size, one, two, three, above, below;
    double width, gap, middle, step, led, leads, near, misled, leaps, leap, next, usable, before;
    way->lo = low > 0.0 ? way->lo : way->t;
    way->hi = low > 0.0 ? way->t : way->hi;
    way->reached = low > 0.0 ? score : way->reached;
    way->score = low > 0.0 ? way->score : score;
    way->first = low > 0.0 ? way->first : first;
    way->second = low > 0.0 ? way->second : second;
    way->third = low > 0.0 ? way->third : third;
    width = way->hi - way->lo;
    middle = way->lo + ek_floor(0.5 * width);
    gap = ek_about_log((back > 0.0 ? way->bound : way->score) / (back > 0.0 ? score : way->bound));

    size = 1.0 / way->score;
    one = way->first * size;
    two = way->second * size;
    three = way->third * size - 3.0 * one * two + 2.0 * one * one * one;
    two -= one * one;
    above = 6.0 * one * one - 3.0 * gap * two;
    below = 6.0 * one * one * one - 6.0 * gap * one * two + gap * gap * three;
    leaps = below < 0.0 ? 1.0 : 0.0;
    leaps = above * one < below ? leaps : 0.0;
    leaps = way->second > 0.0 ? leaps : 0.0;
    above = leaps > 0.0 ? -gap * above : -gap;
    below = leaps > 0.0 ? below : one;
    led = way->bend > 0.0 ? way->bound - score : gap * score;
    above = back > 0.0 ? led : above;
    below = back > 0.0 ? -first : below;
    step = above / below;

    led = first < 0.0 ? step : INFINITY;
    usable = score > way->bend ? score : way->bend;
    led = usable > 0.0 ? led : INFINITY;
    leads = led < width - shortest ? way->hi - ek_floor(led) - shortest / 4 : middle;
    near = led <= shortest ? back : 0.0;
    step = way->first < 0.0 ? step : INFINITY;
    step = way->score > 0.0 ? step : INFINITY;
    step = way->bound > 0.0 ? step : INFINITY;
    step = step >= 0.0 ? step : 0.0;

    misled = way->steps >= EK_MISLED ? way->bend : 0.0;
    leaps = step == INFINITY ? way->bend : misled;
    leaps = way->bound > 0.0 ? leaps : 0.0;
    leaps = way->hi == INFINITY ? leaps : 0.0;
    misled = way->hi == INFINITY ? 0.0 : misled;
    leap = 2.0 * way->leap;
    way->leap = leaps > 0.0 ? leap : way->leap;
    usable = step == INFINITY ? 0.0 : step;
    leap = leap > usable ? leap : usable;
    step = leaps > 0.0 ? leap : step;
    /* a little further, so that a good step ends beyond */
    next = step < way->end - way->lo ? way->lo + ek_floor(step) + shortest / 4 : way->end;
    next = next >= way->hi ? middle : next;
    next = misled > 0.0 ? middle : next;
    next = next > way->end ? way->end : next;

    before = score - first * shortest - way->bend * shortest * shortest; /* at least so high half a second ago */
    before = before > way->bound * (1.0 + 1e-12) ? back : 0.0;
    near = way->bend > 0.0 ? before : near;
    near = width <= shortest ? 1.0 : near;
    way->arrived = over > 0.0 ? 1.0 : near;
    next = back > 0.0 ? leads : next;
    led = way->paced > 0.0 ? way->end : -1.0;
    way->found = over > 0.0 ? led : way->hi;
    way->reached = over > 0.0 ? score : way->reached;
    way->steps += 1.0 - back;
    way->led_back = back;
    way->t = next;
}

#endif
