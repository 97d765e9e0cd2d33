# Finishing where nothing rises: the first change of level or phase of a score that is made of positive points alone,
# halved again and again or never lost. It can only fall, and so can the momentum, so what is first met is where the
# score passes the highest bound that it meets, or the momentum does.

cdef struct Fall:           # the score of positive points, of the rules that apply
    int64_t at
    int64_t count           # of the arrays scratch.was and scratch.rate, filled up with zeros to a multiple of eight
    bint capped             # one entry a live rule, in the plan's order; else one a rate
    int32_t half
    Height begun            # at `at`


cdef bint falling(const Plan* plan, Scratch* scratch, int32_t half, Fall* fall) noexcept nogil:
    """Whether the score can only fall; if so, its parts. Rules of one rate are one part where no cap cuts any."""
    cdef int64_t j, r, c, n = 0
    cdef const RuleSpec* rule
    cdef const Point* now = &scratch.points[0]
    cdef double value
    fall.at = now.time
    fall.half = half
    fall.capped = False
    fall.begun.score = now.score
    fall.begun.first = now.slope
    fall.begun.second = fall.begun.third = 0.0
    for j in range(scratch.live_count):
        r = scratch.live[j]
        rule = plan.rule + r
        if not applies(rule, half):
            continue
        value = now.value[r]
        if rule.decay >= LINEAR or not value >= 0:
            return False
        if value > rule.cap:
            fall.capped = True
        value *= plan.inverse[r] * plan.inverse[r]
        fall.begun.second += value
        fall.begun.third += value * plan.inverse[r]
    fall.begun.second *= LN2 * LN2
    fall.begun.third *= -LN2 * LN2 * LN2
    for c in range(plan.channels):
        if scratch.channel_sum[c] >= plan.channel_cap[c]:
            fall.capped = True
    if fall.capped:
        fall.begun.second = 0.0
    if not fall.capped and plan.families < 2 + scratch.live_count:
        memset(scratch.was, 0, (plan.families + 7) // 8 * 8 * sizeof(double))
        for j in range(scratch.live_count):
            r = scratch.live[j]
            rule = plan.rule + r
            if applies(rule, half):
                scratch.was[rule.family] += now.value[r]
                scratch.rate[rule.family] = plan.inverse[r]
        # families are few, but not all of them live
        for j in range(plan.families):
            if scratch.was[j] > 0:
                scratch.was[n] = scratch.was[j]
                scratch.rate[n] = scratch.rate[j]
                n += 1
    else:
        for j in range(scratch.live_count):
            r = scratch.live[j]
            if applies(plan.rule + r, half):
                scratch.was[n] = now.value[r]
                scratch.rate[n] = plan.inverse[r]
                n += 1
    for j in range(n, (n + 7) // 8 * 8):
        scratch.was[j] = scratch.rate[j] = 0.0
    fall.count = n
    return True


cdef void descend(
    const Plan* plan, Scratch* scratch, const Fall* fall, int64_t at, Height* height
) noexcept nogil:
    """The score at `at`. Cost: one weight a part."""
    cdef double t = <double>(at - fall.at), sum, slope, value
    cdef double sums[4]
    cdef int64_t j, n = 0, c = 0
    cdef const RuleSpec* rule
    scratch.evaluations += 1
    if not fall.capped:
        ek_moments(scratch.was, scratch.rate, fall.count, t, sums)
        height.score = sums[0]
        height.first = -LN2 * sums[1]
        height.second = LN2 * LN2 * sums[2]
        height.third = -LN2 * LN2 * LN2 * sums[3]
        return
    memset(height, 0, sizeof(Height))
    for j in range(fall.count):
        scratch.x[j] = t * scratch.rate[j]
    for j in range(fall.count, (fall.count + 7) // 8 * 8):
        scratch.x[j] = 0.0
    ek_decay(scratch.was, scratch.x, fall.count, scratch.faded)
    j = 0
    for c in range(plan.channels):
        sum = slope = 0.0
        while j < scratch.live_count:
            rule = plan.rule + scratch.live[j]
            if rule.channel != c:
                break
            j += 1
            if not applies(rule, fall.half):
                continue
            value = scratch.faded[n]
            if value > rule.cap:
                sum += rule.cap
            else:
                sum += value
                slope -= LN2 * value * scratch.rate[n]
            n += 1
        if sum > plan.channel_cap[c]:
            height.score += plan.channel_cap[c]
        else:
            height.score += sum
            height.first += slope


cdef int64_t passing(
    const Plan* plan, Scratch* scratch, const Fall* fall, int64_t begin, int64_t end, double least, double bound,
    double* score
) noexcept nogil:
    """When the engagement is first seen below `least`, which the score `bound` reads, at most half a second late.

    NEVER: not up to `end`; INT64_MAX: it took too long to tell. Where no cap cuts, steps for ln(score), which is convex,
    come there in two or three evaluations.
    """
    cdef Height there = fall.begun
    cdef ek_way way
    cdef int steps
    if begin > fall.at:
        descend(plan, scratch, fall, begin, &there)
        if is_below(plan, there.score, bound, least):
            score[0] = there.score
            return begin
    set_off_from(&way, <double>(end - begin), bound, least)
    if fall.capped:
        way.bend = INFINITY         # no tangent shows anything
        way.leap = <double>plan.slow
    go_on(plan, &way, &there)
    for steps in range(MOST_STEPS):
        if way.arrived:
            break
        descend(plan, scratch, fall, begin + <int64_t>way.t, &there)
        go_on(plan, &way, &there)
    return ending(&way, begin, score)


cdef bint falls(
    const Plan* plan, Scratch* scratch, int64_t end, int32_t half, bint ended, bint active, Row* row
) noexcept nogil:
    """Find the next change of a score that only falls; False, and nothing done, where it may rise."""
    cdef Fall fall
    cdef const Point* now = &scratch.points[0]
    cdef int64_t p, at = now.time, soon = at, soon_pace = NEVER, found
    cdef double ceiling = INFINITY, pace_ceiling = INFINITY, bound, least, pace, score = 0.0, ratio
    cdef double engagement, momentum
    cdef Height there
    cdef bint phases = active and not ended, known = False, known_pace = False
    cdef int32_t level, phase
    if not falling(plan, scratch, half, &fall):
        return False
    while True:
        if not known:
            # the highest bound of the score that is met and not yet passed
            bound = least = 0.0
            for p in range(3 + plan.phases if phases else 3):
                if p >= 3 and plan.phase[p - 3].half != half:
                    continue
                pace = plan.level[p] if p < 3 else plan.phase[p - 3].min_engagement
                if bound < plan.bound[p] < ceiling and now.engagement >= pace:
                    bound = plan.bound[p]
                    least = pace
            soon = passing(plan, scratch, &fall, soon, end, least, bound, &score) if bound > 0 else NEVER
            if soon == INT64_MAX:
                return False
            ceiling = bound
            known = True
        if not known_pace:
            pace = -1.0
            if phases and scratch.pace.known:
                for p in range(plan.phases):
                    if (
                        plan.phase[p].half == half
                        and pace < plan.phase[p].min_momentum <= now.momentum
                        and plan.phase[p].min_momentum < pace_ceiling
                    ):
                        pace = plan.phase[p].min_momentum
            soon_pace = NEVER
            if pace > -1.0:
                ratio = (1.0 + now.momentum) * (1.0 - pace) / ((1.0 - now.momentum) * (1.0 + pace))
                ratio = log2(ratio) / (plan.fast_inverse - plan.slow_inverse)
                if ratio < <double>(end - at):
                    soon_pace = at + <int64_t>ratio + SHORTEST // 4
            pace_ceiling = pace
            known_pace = True
        found = soon
        if found == NEVER or (soon_pace != NEVER and soon_pace < found):
            found = soon_pace
        if found == NEVER or found > end:
            return True
        if found == soon:
            known = False
            ratio = score
        else:
            known_pace = False
            descend(plan, scratch, &fall, found, &there)
            ratio = there.score
        engagement = engagement_of(plan, ratio)
        momentum = momentum_at(plan, &scratch.pace, found)
        level = level_of(plan, engagement)
        phase = phase_of(plan, engagement, momentum, half, ended, active)
        if level != now.level or phase != now.phase:
            row.next_change = found
            row.next_level = level
            row.next_phase = phase
            return True
