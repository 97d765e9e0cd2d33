"""The whole model, section by section."""

import textwrap
from collections.abc import Iterable, Iterator

from engagekit.describe.leads import (
    content_entries,
    fit_entries,
    fit_heading,
    persona_entries,
    stage_entries,
    trigger_entries,
)
from engagekit.describe.phases import phase_entries, score_for
from engagekit.describe.rules import (
    Entry,
    channel_entries,
    decay_words,
    exclude_entry,
    signal_entry,
    weights_words,
)
from engagekit.describe.wording import duration, listed, number, points
from engagekit.model import Model

WIDTH = 100
_WIDEST_NAME = 24


def describe(model: Model, *, width: int = WIDTH) -> str:
    """Say in plain words what a model does.

    Parameters
    ----------
    model
        The model.
    width
        How many columns a line may take.

    Returns
    -------
    str
        Lines of text, without a line end after the last.

    Examples
    --------
    >>> import engagekit as ek
    >>> print(describe(ek.Model(name="shop", rules=[ek.Rule(name="demo", on="demo_request", points=60)])))
    shop: 1 rule in 1 channel. Points are halved every 30 days, unless a rule says otherwise.
    <BLANKLINE>
    Points in other
      demo  +60 points for demo_request
    <BLANKLINE>
    Index
      engagement  50 at a score of 50, 75 at 100, 88 at 150
      levels      low from 1 (a score of 0.72), medium from 25 (20.8), high from 50 (50)
      momentum    compares the recent pace (half-life 14 days) with the usual one (56 days); 0 is steady
    <BLANKLINE>
    Halves
      prospect  every contact: the model has no life cycle
    <BLANKLINE>
    Phases, the first that fits
      sales    a prospect with an engagement of at least 50, which is a score of 50; for instance one
               demo (60 points) today
      nurture  every other prospect
    """
    blocks = [textwrap.fill(opening(model), width, break_long_words=False)]
    blocks += ["\n".join([heading, *_set(entries, width)]) for heading, entries in sections(model)]
    text = "\n\n".join(blocks)
    # A name could hold what moves a terminal's cursor.
    return "".join(each if each.isprintable() or each == "\n" else ascii(each)[1:-1] for each in text)


def sections(model: Model) -> list[tuple[str, list[Entry]]]:
    """Say what a model does, section by section: a heading, and a name and a sentence for each thing.

    Examples
    --------
    >>> import engagekit as ek
    >>> sections(ek.Model(rules=[ek.Rule(name="demo", on="demo_request", points=60)]))[0]
    ('Points in other', [('demo', '+60 points for demo_request')])
    """
    told = [(heading, list(entries)) for heading, entries in _sections(model)]
    return [(heading, entries) for heading, entries in told if entries]


def opening(model: Model) -> str:
    """Say in a sentence or two what a model consists of."""
    things = (("rule", model.rules), ("absence", model.absences), ("repeat", model.repeats))
    counted = [_counted(len(members), noun) for noun, members in things if members]
    channels = _counted(len(model.channel_names), "channel")
    fading = f"Points are {decay_words(model.decay)}, unless a rule says otherwise."
    weights = "".join(f" All points count {words}." for words in weights_words(model.weights))
    return f"{model.name}: {listed(counted, 'and')} in {channels}. {fading}{weights}"


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"


def _sections(model: Model) -> Iterator[tuple[str, Iterable[Entry]]]:
    yield "Names for events", [signal_entry(signal) for signal in model.signals]
    yield "Events that do not count", [exclude_entry(exclude) for exclude in model.excludes]
    for channel in model.channel_names:
        cap = model.channels[channel].cap if channel in model.channels else None
        most = f", at most {points(cap)} in all" if cap is not None else ""
        yield f"Points in {channel}{most}", channel_entries(model, channel)
    yield "Index", _index(model)
    yield "Halves", _halves(model)
    yield "Phases, the first that fits", phase_entries(model)
    if model.fit is not None:
        yield fit_heading(model.fit), fit_entries(model.fit)
    yield "Stages, the first that fits", stage_entries(model)
    yield "Personas, the first that fits", persona_entries(model)
    yield "Contents, the most specific that the contact has not had", content_entries(model)
    yield "Reactions", trigger_entries(model)


def _index(model: Model) -> Iterator[Entry]:
    scale = model.scale
    if scale.kind == "linear":
        yield "engagement", f"the score in percent of {number(scale.value)}, at most 100"
    else:
        reads = ((1, 50), (2, 75), (3, 88))
        first, *others = (f"{read} at{{}} {number(times * scale.value)}" for times, read in reads)
        yield "engagement", ", ".join([first.format(" a score of"), *(other.format("") for other in others)])
    bounds = [(name, getattr(model.levels, name)) for name in ("low", "medium", "high")]
    scores = [number(score_for(scale, bound)) for _, bound in bounds]
    scores[0] = f"a score of {scores[0]}"
    said = (
        f"{name} from {number(bound)} ({score})" for (name, bound), score in zip(bounds, scores, strict=True)
    )
    yield "levels", ", ".join(said)
    fast, slow = duration(model.momentum.fast), duration(model.momentum.slow)
    yield "momentum", f"compares the recent pace (half-life {fast}) with the usual one ({slow}); 0 is steady"
    passive = [*dict.fromkeys([*model.passive, *(name for each in model.absences for name in each.after)])]
    if passive:
        yield "activity", f"all events but {listed(passive, 'and')}, which are done to the contact"


def _halves(model: Model) -> Iterator[Entry]:
    if model.lifecycle is None:
        yield "prospect", "every contact: the model has no life cycle"
        return
    turning = listed(model.lifecycle.customer_on)
    yield "prospect", f"until the first {turning}"
    ended = ""
    if model.lifecycle.ends_on:
        ended = f"; ended by {listed(model.lifecycle.ends_on)}, until the next {turning}"
    yield "customer", f"from then on, or from the instant in a contacts table's customer_since{ended}"


def _set(entries: Iterable[Entry], width: int) -> Iterator[str]:
    """Set names and sentences in two columns."""
    entries = list(entries)
    room = min(max((len(name) for name, _ in entries), default=0), _WIDEST_NAME)
    for name, said in entries:
        yield textwrap.fill(
            said,
            width,
            initial_indent=f"  {name:<{room}}  ",
            subsequent_indent=" " * (room + 4),
            break_long_words=False,
            break_on_hyphens=False,
        )
