# Finishing where points of both signs fade: the first change of level or phase of a score of half-lives that may rise
# as well as fall, without looking into every stretch of time.
#
# Terms in order of their rates, the slowest first, are added one by one. A sum of decaying exponentials less a constant
# has no more zeros after its beginning than these partial sums (the constant taken off) have changes of sign (Laguerre
# 1883). So where no partial sum comes up to a bound that is not met, the score never meets it; and where they pass a
# bound that is met only once, the score comes down through it once and for all, and any search finds where. Where they
# pass it more often, the same is asked of the slope of the difference divided by the decay of a negative term, which has
# the same zeros, at most one more than its slope (Rolle), in which that term is gone. Whatever cannot be told that way
# is left to the enclosure.

cdef int MOST_STRETCHES = 64


cdef struct Wave:               # some terms of the score from `at` on, as scratch.was and scratch.rate
    int64_t at
    int64_t count
    double bend                 # no |s''| is greater
    Height begun                # at `at`


cdef void begin_wave(Scratch* scratch, int64_t families, double whole, Wave* wave) noexcept nogil:
    """Leave the families that have anything, the slowest first, after a constant that stands for what is cut.

    Invariant: scratch.was and scratch.rate have the families' sums and rates. Cost: the families.
    """
    cdef int64_t f, n = 1
    cdef double value, rate
    memset(&wave.begun, 0, sizeof(Height))
    wave.bend = 0.0
    scratch.was[0] += whole
    scratch.rate[0] = 0.0
    wave.begun.score = scratch.was[0]
    for f in range(LINEAR_FAMILY, families):
        value = scratch.was[f]
        if value != 0:
            rate = scratch.rate[f]
            scratch.was[n] = value
            scratch.rate[n] = rate
            n += 1
            wave.begun.score += value
            value *= rate
            wave.begun.first += value
            value *= rate
            wave.begun.second += value
            wave.bend += fabs(value)
            wave.begun.third += value * rate
    for f in range(n, (n + 7) & ~7):
        scratch.was[f] = scratch.rate[f] = 0.0
    wave.begun.first *= -LN2
    wave.begun.second *= LN2 * LN2
    wave.begun.third *= -LN2 * LN2 * LN2
    wave.bend *= LN2 * LN2
    wave.count = n


cdef void ride(Scratch* scratch, const Wave* wave, int64_t at, Height* height) noexcept nogil:
    """The sum of the terms at `at`. Cost: one weight a term."""
    cdef double sums[4]
    scratch.evaluations += 1
    ek_moments(scratch.was, scratch.rate, wave.count, <double>(at - wave.at), sums)
    height.score = sums[0]
    height.first = -LN2 * sums[1]
    height.second = LN2 * LN2 * sums[2]
    height.third = -LN2 * LN2 * LN2 * sums[3]


cdef bint leans_one_way(const Scratch* scratch, const Wave* wave, double low, int64_t k) noexcept nogil:
    """Whether the sum less `low`, divided by the decay of term `k`, can be shown only to fall: no zero of its slope."""
    cdef int64_t j
    cdef double sum = 0.0, whole = 1.0 / scratch.rate[k]
    for j in range(wave.count):
        sum += scratch.was[j] * (1.0 - scratch.rate[j] * whole)
        if not sum < low * (1.0 - 1e-9):
            return False
    return True


cdef bint comes_down_once(const Scratch* scratch, const Wave* wave, double low) noexcept nogil:
    """Whether a sum that is not below `low` passes it once at most."""
    cdef int64_t j
    cdef double sum = 0.0
    cdef bint above, was_above = False
    cdef int changes = 0
    for j in range(wave.count):
        sum += scratch.was[j]
        above = sum >= low or j == wave.count - 1
        changes += j > 0 and above != was_above
        was_above = above
    if changes <= 1:
        return True
    for j in range(1, wave.count):
        if scratch.was[j] < 0 and leans_one_way(scratch, wave, low, j):
            return True
    return False


cdef bint stays_below(const Scratch* scratch, const Wave* wave, double high) noexcept nogil:
    """Whether the sum can be shown never to come near `high`."""
    cdef int64_t j
    cdef double sum = 0.0, most = 0.0
    for j in range(wave.count):
        sum += scratch.was[j]
        most = sum if sum > most else most
    return most < high * (1.0 - 1e-9)


cdef int64_t coming_down(
    const Plan* plan, Scratch* scratch, const Wave* wave, int64_t begin, int64_t end, double least, double bound,
    double* score
) noexcept nogil:
    """When a sum that passes `bound` once is first seen below it, at most half a second late; `least`: see is_below.

    NEVER: not up to `end`; INT64_MAX: it took too long to tell. Mostly two or three evaluations.
    """
    cdef Height there = wave.begun
    cdef ek_way way
    cdef int steps
    if wave.count < 2:
        return NEVER
    if begin > wave.at:
        ride(scratch, wave, begin, &there)
    set_off_from(&way, <double>(end - begin), bound, least)
    way.bend = wave.bend
    way.leap = 0.5 / scratch.rate[1]
    go_on(plan, &way, &there)
    for steps in range(MOST_STEPS):
        if way.arrived:
            break
        ride(scratch, wave, begin + <int64_t>way.t, &there)
        go_on(plan, &way, &there)
    return ending(&way, begin, score)


cdef bint wave_of(
    const Plan* plan, Scratch* scratch, const Point* a, int32_t half, int64_t* end, Wave* wave
) noexcept nogil:
    """Take the live rules at `a` as terms; False where any is a ramp or a window, or a channel's cap may cut both signs.

    What a cap cuts is constant until its points have come down to the cap: `end` is put there, of a channel's not
    later than the tangent of the logarithm of its points shows, which falls short of where they do.
    """
    cdef int64_t j = 0, first, r
    cdef int32_t channel
    cdef const RuleSpec* rule
    cdef double value, fall, whole = 0.0, gain, loss, slope, cap
    wave.at = a.time
    memset(scratch.was, 0, plan.families * sizeof(double))
    while j < scratch.live_count:
        first = j
        channel = plan.rule[scratch.live[j]].channel
        cap = plan.channel_cap[channel]
        gain = loss = slope = 0.0
        while j < scratch.live_count and plan.rule[scratch.live[j]].channel == channel:
            r = scratch.live[j]
            rule = plan.rule + r
            j += 1
            if not applies(rule, half):
                continue
            value = a.value[r]
            if rule.decay >= LINEAR or not fabs(value) < INFINITY:
                return False
            if fabs(value) > rule.cap:
                if rule.decay == HALF_LIFE and rule.cap > 0:
                    # a microsecond more, so that rounding leaves it within
                    fall = log2(fabs(value) / rule.cap) * <double>rule.span + 1.0
                    if fall < <double>(end[0] - a.time):
                        end[0] = a.time + <int64_t>fall
                value = clip(value, rule.cap)
            else:
                slope += fabs(value) * plan.inverse[r]
            if value > 0:
                gain += value
            else:
                loss -= value
        if gain > cap or loss > cap:
            if gain > 0 and loss > 0:
                return False
            whole += clip(gain - loss, cap)
            if slope > 0 and cap > 0:
                # a little more, lest ever smaller steps lead there
                fall = log2((gain + loss) / cap) * (gain + loss) / slope + <double>(SHORTEST // 4)
                if fall < <double>(end[0] - a.time):
                    end[0] = a.time + <int64_t>fall
            continue
        while first < j:
            r = scratch.live[first]
            rule = plan.rule + r
            first += 1
            if not applies(rule, half):
                continue
            if fabs(a.value[r]) > rule.cap:
                whole += clip(a.value[r], rule.cap)
            else:
                scratch.was[rule.family] += a.value[r]
                scratch.rate[rule.family] = plan.inverse[r]
    begin_wave(scratch, plan.families, whole, wave)
    return True


cdef int64_t pace_passes(
    const Plan* plan, const Scratch* scratch, const Point* a, int32_t half, int64_t end, double ceiling, double* bound
) noexcept nogil:
    """When the momentum passes the highest of its bounds that it meets at `a` and that is below `ceiling`; or NEVER."""
    cdef int64_t p
    cdef double pace = -1.0, ratio
    if scratch.pace.known:
        for p in range(plan.phases):
            if plan.phase[p].half == half and pace < plan.phase[p].min_momentum <= a.momentum:
                if plan.phase[p].min_momentum < ceiling:
                    pace = plan.phase[p].min_momentum
    bound[0] = pace
    if not -1.0 < pace < 1.0:
        return NEVER
    ratio = (1.0 + a.momentum) * (1.0 - pace) / ((1.0 - a.momentum) * (1.0 + pace))
    ratio = log2(ratio) / (plan.fast_inverse - plan.slow_inverse) + <double>(SHORTEST // 4)
    return a.time + <int64_t>ratio if ratio < <double>(end - a.time) else NEVER


cdef int64_t stretch(
    const Plan* plan, Scratch* scratch, int64_t* upto, int32_t half, bint ended, bint active, const Point* now
) noexcept nogil:
    """The first change after points[1].time up to `upto`, which comes back sooner where a cap stops to cut.

    NEVER: none; INT64_MAX: it cannot be told this way. Leaves level and phase in points[2].
    """
    cdef Wave wave
    cdef Point* a = &scratch.points[1]
    cdef Point* there = &scratch.points[2]
    cdef int64_t p, soon, soon_pace, found, begin = a.time
    cdef double low, least, high, bound, engagement = a.engagement, score = 0.0, pace, pace_ceiling = INFINITY
    cdef bint phases = active and not ended
    cdef Height height
    if not wave_of(plan, scratch, a, half, upto, &wave):
        return INT64_MAX
    wave.begun.score = a.score
    soon_pace = pace_passes(plan, scratch, a, half, upto[0], pace_ceiling, &pace) if phases else NEVER
    high = INFINITY
    while True:
        low = least = 0.0
        for p in range(3 + plan.phases if phases else 3):
            if p >= 3 and plan.phase[p - 3].half != half:
                continue
            bound = plan.level[p] if p < 3 else plan.phase[p - 3].min_engagement
            if engagement >= bound:
                if plan.bound[p] > low:
                    low = plan.bound[p]
                    least = bound
            elif begin == a.time and plan.bound[p] < high:
                high = plan.bound[p]
        # what the score has come down through for the last time needs no looking after
        if begin == a.time and high < INFINITY and not stays_below(scratch, &wave, high):
            return INT64_MAX
        soon = NEVER
        if low > 0:
            if not comes_down_once(scratch, &wave, low):
                return INT64_MAX
            soon = coming_down(plan, scratch, &wave, begin, upto[0], least, low, &score)
            if soon == INT64_MAX:
                return INT64_MAX
        while soon_pace != NEVER and (soon == NEVER or soon_pace < soon):
            ride(scratch, &wave, soon_pace, &height)
            there.momentum = momentum_at(plan, &scratch.pace, soon_pace)
            if there.momentum >= pace:
                return INT64_MAX
            if changed(plan, height.score, there.momentum, half, ended, active, now, there):
                return soon_pace
            pace_ceiling = pace
            soon_pace = pace_passes(plan, scratch, a, half, upto[0], pace_ceiling, &pace)
        if soon == NEVER:
            return NEVER
        if changed(plan, score, momentum_at(plan, &scratch.pace, soon), half, ended, active, now, there):
            return soon
        begin = soon
        engagement = there.engagement


cdef bint changed(
    const Plan* plan, double score, double momentum, int32_t half, bint ended, bint active, const Point* now, Point* there
) noexcept nogil:
    """Whether level or phase differ from those of `now`; `there` has them."""
    there.engagement = engagement_of(plan, score)
    there.level = level_of(plan, there.engagement)
    there.phase = phase_of(plan, there.engagement, momentum, half, ended, active)
    return there.level != now.level or there.phase != now.phase


cdef int64_t wander(
    const Plan* plan, Scratch* scratch, int64_t upto, int32_t half, bint ended, bint active, const Point* now
) noexcept nogil:
    """As `march`, stretch by stretch; INT64_MAX: not beyond points[1], where the enclosure has to go on.

    Cost: a few weights a term for each stretch that a cap begins or ends.
    """
    cdef Point* a = &scratch.points[1]
    cdef int64_t end, found
    cdef int stretches
    if plan.linear_scale == AS_IT_IS:
        return INT64_MAX            # bounds may lie below 0, which what follows knows nothing of
    for stretches in range(MOST_STRETCHES):
        if interrupted(scratch, 64):
            return NEVER
        end = upto
        found = stretch(plan, scratch, &end, half, ended, active, now)
        if found != NEVER or end >= upto:
            return found
        evaluate(plan, scratch, end, half, ended, active, a)
        if a.level != now.level or a.phase != now.phase:
            scratch.points[2].level = a.level
            scratch.points[2].phase = a.phase
            return end
    return INT64_MAX
