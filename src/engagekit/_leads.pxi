# Intents: which of them most of a contact's points speak for.

cdef int32_t clearest_intent(const Plan* plan, Scratch* scratch, const Point* now, int32_t half) noexcept nogil:
    """The intent with at least half of the positive S'(r) of applicable rules that have one; `plan.intents`: unclear.

    -1 where no such rule has any. Of two with half each the first in the model's order. Cost: a look at each live rule.
    Order of summation: the plan's order of rules.
    """
    cdef int64_t j
    cdef int32_t best = 0
    cdef double total = 0.0, value
    cdef const RuleSpec* rule
    for j in range(plan.intents):
        scratch.intent_sum[j] = 0.0
    for j in range(scratch.live_count):
        rule = plan.rule + scratch.live[j]
        value = clip(now.value[scratch.live[j]], rule.cap)
        if rule.intent >= 0 and value > 0 and applies(rule, half):
            scratch.intent_sum[rule.intent] += value
    for j in range(plan.intents):
        total += scratch.intent_sum[j]
        if scratch.intent_sum[j] > scratch.intent_sum[best]:
            best = <int32_t>j
    if not total > 0:
        return -1
    return best if 2.0 * scratch.intent_sum[best] >= total else <int32_t>plan.intents
