/* How far it is from a score that falls down to a bound: the step that a search for where it passes takes next.  The
 * same operations for one contact and for a lane of many, so that both come to the same instant. */
#ifndef EK_DESCENT_H
#define EK_DESCENT_H

#include "_simd.h"

#define EK_SHORTEST 500000 /* microseconds: what an instant may be seen too late */
#define EK_LN2 0.6931471805599453

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

typedef struct {
    double above, below; /* one over the other: microseconds */
} ek_ratio;

/* About how long until a score comes down to a bound, `gap` being ln(score / bound): Householder's step of the third
 * order for its logarithm.  Newton's step, which falls short of where a convex curve passes, is the least it can be.
 * Without a second derivative (0) it is that. */
EK_INLINE ek_ratio ek_step_ratio(double score, double first, double second, double third, double gap) {
    double whole = 1.0 / score, one = first * whole, two = second * whole, three, above, below, better;
    ek_ratio step;
    three = third * whole - 3.0 * one * two + 2.0 * one * one * one;
    two -= one * one;
    above = 6.0 * one * one - 3.0 * gap * two;
    below = 6.0 * one * one * one - 6.0 * gap * one * two + gap * gap * three;
    better = below < 0.0 ? 1.0 : 0.0;
    better = above * one < below ? better : 0.0;
    better = second > 0.0 ? better : 0.0;
    step.above = better > 0.0 ? -gap * above : -gap;
    step.below = better > 0.0 ? below : one;
    return step;
}

EK_INLINE double ek_step_to(double score, double first, double second, double third, double gap) {
    ek_ratio step = ek_step_ratio(score, first, second, third, gap);
    return first < 0.0 ? step.above / step.below : INFINITY;
}

#endif
