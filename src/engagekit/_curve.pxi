# Finishing: from S(r) to score, engagement, level, momentum and phase at any instant, and the first instant at which
# level or phase differ.
#
# Between two instants without a new event, every S(r) is a falling share (positive points) plus a rising one (negative
# points), so values at both ends enclose all values between. Terms of one family (the same half-life, or ramps while no
# part of them ends) are added before they are enclosed: their sum is itself monotone, so opposite points cancel here
# too. An interval whose enclosure straddles no bound cannot hold a change and is skipped whole; the others are halved,
# the earlier half first, down to half a second. So no change is passed over, however often the score rises and falls,
# but for excursions shorter than that - or longer ones of a score that clings to a bound, within less than a millionth
# of the points that hold each other there, for so long that it would take more than PATIENCE evaluations to tell.

cdef extern from "_descent.h" nogil:
    enum:
        SHORTEST "EK_SHORTEST"

cdef int64_t PATIENCE = 20000       # evaluations after which the shortest interval looked into doubles
cdef int MOST_HINTS = 64
cdef double LN2 = 0.6931471805599453


cdef void rest_sums(const RuleSpec* rule, Scratch* scratch, int64_t l, int64_t base) noexcept nogil:
    """For each part of listed rule `l` the sums over it and all newer ones, life left seen from `base`."""
    cdef Sum gain, gain_left, loss, loss_left
    cdef int64_t i
    cdef double left
    cdef Part* part
    memset(&gain, 0, sizeof(Sum))
    memset(&gain_left, 0, sizeof(Sum))
    memset(&loss, 0, sizeof(Sum))
    memset(&loss_left, 0, sizeof(Sum))
    for i in range(scratch.part_upto[l] - 1, scratch.part_first[l] - 1, -1):
        part = scratch.parts + i
        left = <double>(rule.span - (base - part.time))
        if part.raw >= 0:
            add(&gain, part.raw)
            add(&gain_left, part.raw * left)
        else:
            add(&loss, part.raw)
            add(&loss_left, part.raw * left)
        part.gain = gain.value + gain.rest
        part.gain_left = gain_left.value + gain_left.rest
        part.loss = loss.value + loss.rest
        part.loss_left = loss_left.value + loss_left.rest


cdef double listed_value(
    const RuleSpec* rule, Scratch* scratch, int64_t l, int64_t r, int64_t at, Point* point
) noexcept nogil:
    """S(r) of a ramp or window at `at`: the parts still alive are always the newest ones. Returns its slope."""
    cdef int64_t lo = scratch.part_first[l], hi = scratch.part_upto[l], middle
    cdef double since = <double>(at - scratch.base_time[r])
    cdef Part* part
    while lo < hi:
        middle = (lo + hi) // 2
        if at - scratch.parts[middle].time >= rule.span:
            lo = middle + 1
        else:
            hi = middle
    point.alive[l] = lo
    if lo == scratch.part_upto[l]:
        point.gain[l] = point.loss[l] = 0.0
    else:
        part = scratch.parts + lo
        if rule.decay == WINDOW:
            point.gain[l] = part.gain
            point.loss[l] = part.loss
        else:
            point.gain[l] = (part.gain_left - part.gain * since) / <double>rule.span
            point.loss[l] = (part.loss_left - part.loss * since) / <double>rule.span
    point.value[r] = point.gain[l] + point.loss[l]
    return -(part.gain + part.loss) * rule.inverse if rule.decay == LINEAR and lo < scratch.part_upto[l] else 0.0


cdef double momentum_at(const Plan* plan, const Pace* pace, int64_t at) noexcept nogil:
    """(F - W) / (F + W), from their ratio, which cannot vanish as both sums do."""
    cdef double gap = <double>(at - pace.mark), fast = <double>plan.fast, slow = <double>plan.slow, ratio
    if not pace.known:
        return NAN
    ratio = pace.fast / pace.slow * (slow / fast)
    if gap > 0:
        ratio *= ek_power(gap / fast - gap / slow)
    return (ratio - 1.0) / (ratio + 1.0)


cdef void keep_pace(const Plan* plan, Pace* pace, int64_t time, double raw) noexcept nogil:
    """Take one positive matched event into the momentum's sums."""
    cdef int64_t gap
    if raw <= 0:
        return
    if not pace.known:
        pace.known = True
        pace.mark = time
        pace.fast = pace.slow = raw
    elif time <= pace.mark:
        pace.fast += raw * fading(pace.mark - time, plan.fast, plan.fast_inverse)
        pace.slow += raw * fading(pace.mark - time, plan.slow, plan.slow_inverse)
    else:
        gap = time - pace.mark
        pace.fast = pace.fast * fading(gap, plan.fast, plan.fast_inverse) + raw
        pace.slow = pace.slow * fading(gap, plan.slow, plan.slow_inverse) + raw
        pace.mark = time


cdef inline double engagement_of(const Plan* plan, double score) noexcept nogil:
    if score <= 0:
        return score if plan.linear_scale == AS_IT_IS else 0.0
    if plan.linear_scale:
        if plan.linear_scale == AS_IT_IS:
            return score
        return 100.0 if score >= plan.scale else 100.0 * (score / plan.scale)
    return 100.0 * (1.0 - ek_power(score / plan.scale))


cdef inline int32_t level_of(const Plan* plan, double engagement) noexcept nogil:
    return (engagement >= plan.level[0]) + (engagement >= plan.level[1]) + (engagement >= plan.level[2])


cdef inline bint applies(const RuleSpec* rule, int32_t half) noexcept nogil:
    return rule.half == BOTH or rule.half == half


cdef int32_t phase_of(const Plan* plan, double engagement, double momentum, int32_t half, bint ended, bint active) noexcept nogil:
    """The name of the first phase that holds; -1 without activity."""
    cdef int64_t p
    if not active:
        return -1
    if ended:
        return plan.ended_phase
    for p in range(plan.phases):
        if (
            plan.phase[p].half == half
            and engagement >= plan.phase[p].min_engagement
            and (isnan(plan.phase[p].min_momentum) or momentum >= plan.phase[p].min_momentum)
        ):
            return plan.phase[p].name
    return -1


cdef void evaluate(
    const Plan* plan, Scratch* scratch, int64_t at, int32_t half, bint ended, bint active, Point* point
) noexcept nogil:
    """Everything at `at`; `scratch.channel_sum` is left with C(ch). Cost: one weight a live rule. Sums in rule order."""
    cdef int64_t j, r, c
    cdef const RuleSpec* rule
    cdef double slope, value
    cdef const double* values = scratch.was
    scratch.evaluations += 1
    point.time = at
    for c in range(plan.channels):
        scratch.channel_sum[c] = scratch.channel_slope[c] = 0.0
    for j in range(scratch.live_count):
        scratch.was[j] = scratch.base[scratch.live[j]]
    if at != scratch.fresh:
        # the digits that a long age costs here matter to no bound
        for j in range(scratch.live_count):
            r = scratch.live[j]
            scratch.x[j] = <double>(at - scratch.base_time[r]) * plan.inverse[r]
        for j in range(scratch.live_count, (scratch.live_count + 7) & ~7):
            scratch.x[j] = scratch.was[j] = 0.0
        ek_decay(scratch.was, scratch.x, scratch.live_count, scratch.faded)
        values = scratch.faded
    for j in range(scratch.live_count):
        r = scratch.live[j]
        rule = plan.rule + r
        if rule.decay >= LINEAR:
            slope = listed_value(rule, scratch, rule.listed, r, at, point)
            value = point.value[r]
        else:
            value = values[j]
            slope = -LN2 * value * plan.inverse[r]
            point.value[r] = value
        point.rate[r] = slope
        if applies(rule, half):
            if fabs(value) <= rule.cap:
                scratch.channel_sum[rule.channel] += value
                scratch.channel_slope[rule.channel] += slope
            else:
                scratch.channel_sum[rule.channel] += clip(value, rule.cap)
    point.score = point.slope = 0.0
    for c in range(plan.channels):
        if fabs(scratch.channel_sum[c]) <= plan.channel_cap[c]:
            point.slope += scratch.channel_slope[c]
        else:
            scratch.channel_sum[c] = clip(scratch.channel_sum[c], plan.channel_cap[c])
        point.score += scratch.channel_sum[c]
    point.engagement = engagement_of(plan, point.score)
    point.momentum = momentum_at(plan, &scratch.pace, at)
    point.level = level_of(plan, point.engagement)
    point.phase = phase_of(plan, point.engagement, point.momentum, half, ended, active)


cdef void add_bounds(const Family* family, int64_t families, double length, double* low, double* high) noexcept nogil:
    """Add the bounds of what the families sum to between two points `length` microseconds apart.

    Each family is monotone, and so is its derivative. So are bounds of the sum had from the values alone, and tighter
    ones from the slope: it is enclosed the same way, and no value can be further from an end than the steepest slope
    leads (exact where the slope keeps its sign). Cost: the families.
    """
    cdef double at_a = 0.0, at_b = 0.0, lo = 0.0, hi = 0.0, steepest_fall = 0.0, steepest_rise = 0.0, bound
    cdef int64_t f
    for f in range(families):
        at_a += family[f].a
        at_b += family[f].b
        if family[f].a < family[f].b:
            lo += family[f].a
            hi += family[f].b
        else:
            lo += family[f].b
            hi += family[f].a
        if family[f].rate_a < family[f].rate_b:
            steepest_fall += family[f].rate_a
            steepest_rise += family[f].rate_b
        else:
            steepest_fall += family[f].rate_b
            steepest_rise += family[f].rate_a
    if steepest_fall > 0:
        steepest_fall = 0.0
    if steepest_rise < 0:
        steepest_rise = 0.0
    bound = at_a + steepest_fall * length
    lo = bound if bound > lo else lo
    bound = at_b - steepest_rise * length
    lo = bound if bound > lo else lo
    bound = at_a + steepest_rise * length
    hi = bound if bound < hi else hi
    bound = at_b - steepest_fall * length
    hi = bound if bound < hi else hi
    # rounding must not put the ends themselves outside
    lo = at_a if at_a < lo else lo
    lo = at_b if at_b < lo else lo
    hi = at_a if at_a > hi else hi
    hi = at_b if at_b > hi else hi
    low[0] += lo
    high[0] += hi


cdef void enclose(
    const Plan* plan, Scratch* scratch, const Point* a, const Point* b, int32_t half, double* low, double* high
) noexcept nogil:
    """Bounds of the score between two points, from their values and slopes alone."""
    cdef int64_t j = 0, r, f, families = plan.families
    cdef int32_t channel
    cdef const RuleSpec* rule
    cdef double lo = 0.0, hi = 0.0, channel_lo, channel_hi, x, y, cap, length = <double>(b.time - a.time)
    cdef Family* family = scratch.channel_family
    cdef Family* total = scratch.total_family
    memset(total, 0, families * sizeof(Family))
    while j < scratch.live_count:
        channel = plan.rule[scratch.live[j]].channel
        cap = plan.channel_cap[channel]
        channel_lo = channel_hi = 0.0
        memset(family, 0, families * sizeof(Family))
        while j < scratch.live_count and plan.rule[scratch.live[j]].channel == channel:
            r = scratch.live[j]
            rule = plan.rule + r
            j += 1
            if not applies(rule, half):
                continue
            if rule.decay >= LINEAR and a.alive[rule.listed] != b.alive[rule.listed]:
                channel_lo += clip(b.gain[rule.listed] + a.loss[rule.listed], rule.cap)
                channel_hi += clip(a.gain[rule.listed] + b.loss[rule.listed], rule.cap)
            elif fabs(a.value[r]) <= rule.cap and fabs(b.value[r]) <= rule.cap:
                f = rule.family
                family[f].a += a.value[r]
                family[f].b += b.value[r]
                family[f].rate_a += a.rate[r]
                family[f].rate_b += b.rate[r]
            else:
                x = clip(a.value[r], rule.cap)
                y = clip(b.value[r], rule.cap)
                channel_lo += x if x < y else y
                channel_hi += y if x < y else x
        x = channel_lo
        y = channel_hi
        add_bounds(family, families, length, &x, &y)
        if -cap <= x and y <= cap:
            lo += channel_lo
            hi += channel_hi
            for f in range(families):
                total[f].a += family[f].a
                total[f].b += family[f].b
                total[f].rate_a += family[f].rate_a
                total[f].rate_b += family[f].rate_b
        else:
            lo += clip(x, cap)
            hi += clip(y, cap)
    add_bounds(total, families, length, &lo, &hi)
    low[0] = lo
    high[0] = hi


cdef bint may_change(
    const Plan* plan, Scratch* scratch, const Point* a, const Point* b, int32_t half, bint ended, bint active
) noexcept nogil:
    """Whether any bound of level or phase may be crossed between two points."""
    cdef double lo, hi
    cdef int64_t p
    enclose(plan, scratch, a, b, half, &lo, &hi)
    lo = engagement_of(plan, lo)
    hi = engagement_of(plan, hi)
    for p in range(3):
        if lo < plan.level[p] <= hi:
            return True
    if not active or ended:
        return False
    for p in range(plan.phases):
        if plan.phase[p].half != half:
            continue
        if lo < plan.phase[p].min_engagement <= hi:
            return True
        if b.momentum < plan.phase[p].min_momentum <= a.momentum:
            return True
    return False


cdef double hint(const Plan* plan, const Pace* pace, const Point* point, int32_t half, bint phases) noexcept nogil:
    """About how long (microseconds) until a bound is met; from the left where the score only falls by half-lives.

    Newton's step for ln(score): that is convex for a sum of positive terms with half-lives, so the step falls short.
    The momentum's bounds are met when F / W is their (1 + m) / (1 - m).
    """
    cdef double soonest = INFINITY, bound, below = -INFINITY, above = INFINITY, ratio
    cdef int64_t p
    for p in range(3 + plan.phases if phases else 3):
        if p >= 3 and plan.phase[p - 3].half != half:
            continue
        bound = plan.bound[p]
        if below < bound <= point.score:
            below = bound
        elif point.score < bound < above:
            above = bound
    if point.slope < 0 and below > 0:
        soonest = log(point.score / below) * point.score / -point.slope
    elif point.slope > 0 and above < INFINITY:
        soonest = (above - point.score) / point.slope
    if phases and pace.known:
        for p in range(plan.phases):
            bound = plan.phase[p].min_momentum
            if plan.phase[p].half == half and -1.0 < bound <= point.momentum and bound < 1.0:
                ratio = (1.0 + point.momentum) * (1.0 - bound) / ((1.0 - point.momentum) * (1.0 + bound))
                ratio = log(ratio) / (LN2 * (plan.fast_inverse - plan.slow_inverse))
                if ratio < soonest:
                    soonest = ratio
    return soonest


cdef int64_t march(
    const Plan* plan, Scratch* scratch, int64_t upto, int32_t half, bint ended, bint active, const Point* now
) noexcept nogil:
    """The first change of level or phase after points[1].time, at most `upto`; NEVER if none.

    Invariant: from points[1] back to the start level and phase are those of `now`. Leaves points[2] at the change.
    However far a step goes, it is taken only where the enclosure shows that nothing can change; hints make the steps
    long, and where they mislead, halving and doubling take over.
    """
    cdef int64_t bracket = upto, step = upto - scratch.points[1].time, lo, hi, middle, shortest, exact
    cdef Point* a = &scratch.points[1]
    cdef Point* b = &scratch.points[2]
    cdef Point spare
    cdef int hints = 0
    cdef int64_t begun = scratch.evaluations
    cdef double near
    cdef bint phases = active and not ended
    lo = wander(plan, scratch, upto, half, ended, active, now)
    if lo != INT64_MAX or scratch.raised or scratch.stopped[0]:
        return lo
    step = upto - a.time
    while a.time < upto:
        if interrupted(scratch, 64):
            return NEVER
        shortest = SHORTEST
        if scratch.evaluations - begun > PATIENCE:
            shortest <<= min((scratch.evaluations - begun) // PATIENCE, 32)
        if hints < MOST_HINTS:
            hints += 1
            near = hint(plan, &scratch.pace, a, half, phases)
            if near < <double>shortest:
                step = shortest
            elif near < <double>step:
                step = <int64_t>near - SHORTEST // 4
        if step > bracket - a.time:
            step = bracket - a.time
        evaluate(plan, scratch, a.time + step, half, ended, active, b)
        if not may_change(plan, scratch, a, b, half, ended, active):
            pass
        elif step > shortest:
            bracket = b.time
            step = step // 2
            continue
        elif b.level != now.level or b.phase != now.phase:
            lo, hi = a.time, b.time
            exact = 1 if jump(plan, scratch, a, b) else SHORTEST     # a window ends at an instant
            while hi - lo > exact:
                middle = (lo + hi) // 2
                evaluate(plan, scratch, middle, half, ended, active, b)
                if b.level != now.level or b.phase != now.phase:
                    hi = middle
                else:
                    lo = middle
            evaluate(plan, scratch, hi, half, ended, active, b)
            return hi
        spare = a[0]
        a[0] = b[0]
        b[0] = spare
        if a.time == bracket:
            step = 2 * step if bracket < upto and hints == MOST_HINTS else upto - a.time
            bracket = upto
        else:
            step = bracket - a.time
            if step > shortest and (bracket < upto or hints == MOST_HINTS):
                step = step // 2
    return NEVER


cdef bint jump(const Plan* plan, const Scratch* scratch, const Point* a, const Point* b) noexcept nogil:
    """Whether a ramp or window of anything live ends between two points."""
    cdef int64_t j
    cdef const RuleSpec* rule
    for j in range(scratch.live_count):
        rule = plan.rule + scratch.live[j]
        if rule.decay >= LINEAR and a.alive[rule.listed] != b.alive[rule.listed]:
            return True
    return False
