# The plan as the kernel sees it: structs that match the aligned NumPy dtypes of plan.py field by field (checked by
# Cython when an array is handed over), and the scratch memory of one thread.

cdef extern from "_simd.h" nogil:
    double ek_fade_one(int64_t age, double span, double inverse)
    double ek_power(double x)
    void ek_fade_by(
        const int64_t* age, const int32_t* which, int64_t n, const double* span, const double* inverse, double* out
    )
    void ek_fade_pace(
        const int64_t* age, int64_t n, double fast_span, double slow_span, double* fast, double* slow
    )
    void ek_window(
        const int64_t* time, int64_t at, const int32_t* which, int64_t n, const double* span, const double* inverse,
        const double* points, double fast_span, double slow_span, double* weight, double* fast, double* slow
    )
    void ek_decay(const double* base, const double* x, int64_t n, double* out)
    void ek_moments(const double* base, const double* rate, int64_t n, double t, double* sums)
    uint64_t ek_marks(const uint8_t* bytes)
    int ek_lowest_bit(uint64_t marks)
    int ek_choose_path(const char* name)
    const char* ek_path_name()
    int ek_has_path(int which)
    const char* ek_name_of_path(int which)
    int EK_PATHS

cdef enum:
    NO_DECAY = 0
    HALF_LIFE = 1
    LINEAR = 2
    WINDOW = 3

cdef enum:
    RULE = 0
    ABSENCE = 1
    REPEAT = 2

cdef enum:              # what a class of events is for an absence, a repeat, an exclusion or a listed rule
    ON = 1              # on, after
    UNLESS = 2          # unless; for an exclusion: after

cdef enum:              # what a class of events is for everything else
    ACTIVITY = 1
    CUSTOMER_ON = 2
    ENDS_ON = 4
    READ = 8

cdef enum:
    LINEAR_CURVE = 0
    LOG1P = 1
    SQRT = 2
    SATURATING = 3

cdef enum:
    BOTH = 0
    PROSPECT = 1
    CUSTOMER = 2

cdef enum:              # a scale of its own beside the linear one: the engagement is the score
    AS_IT_IS = 2

cdef enum:              # families of terms whose sum is monotone between two instants; half-lives follow
    CONSTANT_FAMILY = 0
    LINEAR_FAMILY = 1

cdef int64_t NEVER = INT64_MIN          # a null instant
cdef int64_t HORIZON = 3155760000000000         # 100 years of microseconds
cdef double DAY = 86400000000.0
cdef int64_t FIRST_INSTANT = -62135596800000000  # the beginning of the year 1
cdef int64_t LAST_INSTANT = 253402300799999999  # the end of the year 9999

cdef struct RuleSpec:
    double points
    double cap
    double amount_scale
    double amount_max
    double inverse              # 1 / span
    int64_t span
    int64_t within
    int64_t n
    int64_t limit_n
    int64_t limit_per
    int32_t kind
    int32_t decay
    int32_t half
    int32_t channel
    int32_t by
    int32_t curve
    int32_t amount
    int32_t negated
    int32_t weights_first
    int32_t weights_last
    int32_t family
    int32_t listed
    int32_t intent              # -1: none

cdef struct PhaseSpec:
    double min_engagement
    double min_momentum         # NaN: none
    int32_t half
    int32_t name

cdef struct ExcludeSpec:
    int64_t within              # -1: any time before
    int32_t by
    int32_t follows

cdef struct Row:            # what a job comes to
    double score
    double engagement
    double momentum
    double largest              # of |S(r)|
    int64_t next_change
    int64_t events
    int64_t first_event
    int64_t last_event
    int32_t last_type
    int32_t phase
    int32_t next_phase
    int32_t top_channel
    int32_t level
    int32_t next_level
    int32_t half
    int32_t intent              # -1: none, as many as there are: unclear
    bint present

cdef struct Tally:
    int64_t future
    int64_t excluded
    int64_t unmatched
    int64_t null_amounts

cdef extern from "_crowd.h" nogil:
    ctypedef struct ek_setting:      # what a crowd's loops need of a plan, by rule, channel, family and entry of a phase
        int64_t rules
        int64_t channels
        int64_t families
        int64_t phases
        const int64_t* channel
        const int64_t* family
        const int64_t* half
        const double* cap
        const double* channel_cap
        const double* rate
        const double* level
        const double* bound
        const double* min_engagement
        const double* min_momentum
        const int64_t* phase_half
        const int64_t* phase_name
        double scale
        double fast_span
        double slow_span
        int linear

cdef struct Steps:          # by class: the rules that take each event as it comes, and those that need all of them
    const int32_t* start    # classes + 1, into `rule`
    const int32_t* rule     # plain ones, and those that count no more of a bucket than their limit
    const int32_t* first    # classes + 1: the first of them, or the rule beyond the last
    const int32_t* listed_start     # classes + 1, into `listed`
    const int32_t* listed
    const uint8_t* work     # classes + 1
    const int32_t* first_of_byte    # 256: the same of any byte
    const uint8_t* work_of_byte

cdef struct Streak:         # the events of a rule that share a bucket of its limit
    int64_t first
    int64_t count

cdef struct Plan:
    int64_t rules
    int64_t listed
    int64_t channels
    int64_t families
    int64_t classes
    int64_t phases
    int64_t intents
    const RuleSpec* rule
    const double* channel_cap
    const int32_t* listed_rule
    const uint8_t* roles                # listed x classes
    const uint8_t* flags                # classes
    const int32_t* plain_start          # classes + 1, into plain_rule: the rules summed in one pass
    const int32_t* plain_rule
    const int32_t* listed_start         # classes + 1, into listed_of: the listed rules that take part in a class
    const int32_t* listed_of
    bint lean                           # each class is activity and has one rule, of constant points; nothing else
    const double* span                  # rules + 1; 0: no decay
    const double* inverse
    const double* points
    const double* gain                  # the points where they are positive
    const double* worth                 # the points, 1 where they depend on the event
    bint in_crowds                          # of so few rules that contacts are scored side by side
    ek_setting setting
    const int32_t* weight_column
    const int64_t* weight_start
    const double* weight_factor
    const int32_t** codes
    const double** amounts
    const PhaseSpec* phase
    int32_t ended_phase
    int32_t linear_scale                # or AS_IT_IS
    double scale
    double level[3]
    double* bound                       # the scores at which the levels and then the phases' minima are met
    int64_t fast
    int64_t slow
    double fast_inverse
    double slow_inverse
    int32_t lifecycle
    const int64_t* start
    int64_t events
    const int64_t* time
    const void* type                    # codes of `type_width` bytes each, see code_at
    int32_t type_width
    const void* event_class
    int32_t class_width
    const int32_t* type_rank
    Steps steps

cdef struct Sum:            # Neumaier's compensated sum
    double value
    double rest

cdef struct Window:         # the decay of some grouped events in a row, each by the first rule of its class
    int64_t first
    int64_t last
    int64_t at
    int64_t* time           # of the last few events, which are copied
    int32_t* rule
    uint8_t* work           # always ACTIVITY of a lean plan
    double* weight          # times the rule's worth, which those of the momentum are too, where it is positive
    double* fast
    double* slow

cdef struct Queue:          # matched events that wait for their decay
    int64_t count
    int64_t* age
    int32_t* rule
    double* raw
    double* weight
    double* fast
    double* slow

cdef struct Hit:            # an event that a listed rule reads
    int64_t event
    int32_t listed

cdef struct Entry:          # an event on its way through by, limit, absence or repeat
    int64_t by
    int64_t time
    double raw
    int32_t role

cdef struct Part:           # a matched event of a listed rule; the sums run from here to the newest one
    int64_t time
    double raw
    double gain             # of positive raw
    double gain_left        # of positive raw * life left at the rule's base instant
    double loss
    double loss_left

cdef struct Future:         # an absence that will mature
    int64_t time
    double raw
    int32_t rule

cdef struct Point:          # everything at one instant
    int64_t time
    double* value           # S(r)
    double* rate            # its derivative, a microsecond
    double* gain            # of listed rules: the falling and the rising share
    double* loss
    int64_t* alive          # of listed rules: the first part still alive
    double score
    double slope            # of the score, a microsecond
    double engagement
    double momentum
    int32_t level
    int32_t phase

cdef struct Family:         # the sum of the terms of one family at both ends of an interval
    double a
    double b
    double rate_a
    double rate_b

cdef struct Pace:           # momentum: two sums at the instant `mark`
    double fast
    double slow
    int64_t mark
    bint known

cdef struct Scratch:
    Sum* sums                   # rules + 1; zero between jobs
    uint8_t* seen               # rules + 1, in whole words: the rules that any event came to; zero between jobs
    Window window
    Streak* streaks             # by listed rule
    Queue queue
    bint far                    # all paces are taken event by event: their sums at the job's instant vanish
    bint gained
    double fast
    double slow
    Hit* hits
    int64_t hits_room
    int64_t* hit_events         # by listed rule, in order
    int64_t* hit_start          # of each listed rule
    int64_t* hit_count          # zero between jobs
    int32_t* hit_listed         # the listed rules with hits
    int64_t hit_listed_count
    int64_t noted               # of `hits`
    double* x                   # of the live rules
    double* was
    double* faded
    double* rate
    int64_t fresh               # the instant at which every S(r) is its base; NEVER: none
    volatile bint* stopped
    int64_t unchecked           # events since signals were looked for
    bint raised
    double* base                # S(r) of half-lives at base_time
    int64_t* base_time
    int64_t* part_first
    int64_t* part_upto
    int64_t* part_end
    int32_t* live               # the rules that have anything, channel by channel
    int64_t live_count
    double* channel_sum
    double* channel_slope
    double* intent_sum
    Family* channel_family
    Family* total_family
    Part* parts
    int64_t parts_count
    int64_t parts_room
    Entry* entries
    int64_t entries_room
    int64_t* stack
    int64_t stack_room
    Future* futures
    int64_t futures_count
    int64_t futures_room
    Point points[3]
    Pace pace
    int64_t evaluations         # of the contact at hand
    bint failed


cdef inline void add(Sum* sum, double x) noexcept nogil:
    """Add, keeping exactly what the sum loses by rounding, without asking which of the two is larger."""
    cdef double total = sum.value + x, part = total - sum.value
    sum.rest += (sum.value - (total - part)) + (x - part)
    sum.value = total


cdef inline double clip(double x, double cap) noexcept nogil:
    return cap if x > cap else (-cap if x < -cap else x)


cdef inline int64_t floor_div(int64_t a, int64_t b) noexcept nogil:
    """a // b of Python for b > 0 (C cuts towards zero, wrong before 1970)."""
    cdef int64_t q = a // b
    return q - 1 if q * b > a else q


cdef inline double fading(int64_t age, int64_t half_life, double inverse) noexcept nogil:
    """2^(-age / half_life), `inverse` being 1 / half_life."""
    return ek_fade_one(age, <double>half_life, inverse)


cdef inline int32_t code_at(const void* codes, int32_t width, int64_t i) noexcept nogil:
    """The code at `i` of an array of uint8, uint16 or int32; the greatest (of int32: -1) stands for none, -1."""
    cdef int32_t code
    if width == 1:
        code = (<const uint8_t*>codes)[i]
        return -1 if code == 0xFF else code
    if width == 2:
        code = (<const uint16_t*>codes)[i]
        return -1 if code == 0xFFFF else code
    return (<const int32_t*>codes)[i]


cdef inline double weight(const RuleSpec* rule, int64_t age) noexcept nogil:
    """decay_r(age), one half-open step or ramp included."""
    if rule.decay == HALF_LIFE:
        return fading(age, rule.span, rule.inverse)
    if rule.decay == NO_DECAY:
        return 1.0
    if age >= rule.span:
        return 0.0
    return 1.0 if rule.decay == WINDOW else <double>(rule.span - age) / <double>rule.span


cdef void* larger(void* memory, int64_t* room, int64_t wanted, size_t size) noexcept nogil:
    """Room for `wanted` items of `size` bytes, at least doubled; NULL where there is none."""
    cdef int64_t more = 2 * room[0] if 2 * room[0] > wanted else wanted
    cdef void* moved = realloc(memory, more * size)
    if moved is not NULL:
        room[0] = more
    return moved
