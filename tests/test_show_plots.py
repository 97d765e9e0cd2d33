"""History, flow and population: what is drawn is what the tables say, and areas add up."""

import re
from datetime import datetime
from itertools import pairwise

import numpy as np
import pytest
from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st
from markup import Reader, hostile

import engagekit as ek
from engagekit.errors import EngagekitError, EventsError, StateError
from engagekit.show.flow import Flow, laid_out
from engagekit.show.letters import extent
from engagekit.show.look import Look
from engagekit.show.picture import legend
from engagekit.show.stacking import stacked, ticks
from engagekit.show.words import Words

AT = np.datetime64("2026-01-31", "us")
DAY = np.timedelta64(1, "D")
MODEL = ek.Model(
    name="shop",
    rules=[
        ek.Rule(name="visit", on="visit", points=9, channel="web"),
        ek.Rule(name="order", on="order", points=30, channel="shop"),
        ek.Rule(name="refund", on="refund", points=-25, channel="service", decay={"half_life": "60d"}),
    ],
    lifecycle=ek.Lifecycle(customer_on="order", ends_on="leave"),
)
FEW = settings(max_examples=max(1, settings().max_examples // 3))


def log_of(contacts=60, events=900, seed=1):
    """Make up a quarter of events in order of time."""
    rng = np.random.default_rng(seed)
    days = np.sort(rng.random(events)) * 90
    return {
        "contact": rng.integers(0, contacts, events),
        "type": rng.choice(np.array(["visit"] * 6 + ["order", "refund", "leave", "other"], object), events),
        "time": AT
        - (90 * 86_400_000_000 - (days * 86_400_000_000).astype(np.int64)).astype("timedelta64[us]"),
    }


EVENTS = log_of()
SCORES = MODEL.score(EVENTS, at=AT)


def drawn(svg, tag, name=None):
    """Return the attributes of the elements of a tag, and of a class where one is named."""
    found = [attributes for each, attributes in Reader(svg).tags if each == tag]
    return [each for each in found if name is None or name in (each.get("class") or "").split()]


def area(path):
    """Return the area that a path of straight lines encloses, all of its loops together."""
    whole = 0.0
    for loop in re.findall(r"M([^MZ]*)Z", path):
        points = [tuple(map(float, point.split())) for point in loop.split("L")]
        whole += abs(sum(a * d - b * c for (a, b), (c, d) in pairwise([*points, points[0]]))) / 2
    return whole


# History -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("contact", [0, 7, 33])
def test_a_history_is_what_score_says(contact):
    """Every row of a history is the score at its instant, the last with its bits; channels add up to it."""
    frame = SCORES.history(contact, every="3d").frame
    asked = {"contact": np.full(len(frame["at"]), contact), "at": frame["at"]}
    right = MODEL.score(EVENTS, at=asked).frame
    for name in ("score", "engagement", "channel_web", "channel_shop", "channel_service"):
        np.testing.assert_allclose(frame[name], right[name], rtol=1e-12, atol=1e-12)
        assert frame[name][-1] == SCORES.frame[name][SCORES.frame["contact"] == contact][0]
    for name in ("level", "half", "phase"):
        assert frame[name].tolist() == right[name].tolist()
    np.testing.assert_allclose(frame["momentum"], right["momentum"], rtol=1e-12)
    channels = frame["channel_web"] + frame["channel_shop"] + frame["channel_service"]
    np.testing.assert_allclose(frame["score"], channels, atol=1e-12)
    assert frame["at"][-1] == AT and set(np.diff(frame["at"])) == {3 * DAY}


def test_a_history_begins_with_the_first_event_or_a_year_before():
    """Without a start it has at most 366 steps; with one it begins no later than that."""
    times = np.array(["2020-01-01", "2026-01-30"], "datetime64[us]")
    scores = MODEL.score({"contact": [1, 2], "type": ["visit"] * 2, "time": times}, at=AT)
    assert len(scores.history(1)) == 367
    assert scores.history(2).frame["at"].tolist() == [(AT - DAY).item(), AT.item()]
    whole = scores.history(1, start="2020-01-01").frame["at"]
    assert len(whole) <= 368 and whole[0] <= times[0] < whole[1]


def test_the_areas_of_a_history_add_up():
    """The area of each channel is its points through time, to what rounding to a hundredth may take."""
    history = SCORES.history(7)
    svg, frame = history.svg, history.frame
    shapes = drawn(svg, "path", "layer")
    lines = [float(each["y1"]) for each in drawn(svg, "line", "grid")]
    shown = re.findall(r'text-anchor="end" class="small number">([^<]+)<', svg)
    labels = [float(text.replace("\N{MINUS SIGN}", "-")) for text in shown]
    assert len(lines) == len(labels) >= 2
    unit = (lines[0] - lines[-1]) / (labels[-1] - labels[0])
    across = (720 - 44 - 40) / (len(frame["at"]) - 1)
    names = [name for name in ("web", "shop", "service") if np.any(frame[f"channel_{name}"])]
    assert len(shapes) == len(names)
    for shape, name in zip(shapes, names, strict=True):
        points = frame[f"channel_{name}"]
        right = float(np.abs((points[1:] + points[:-1]) / 2).sum()) * across * unit
        assert area(shape["d"]) == pytest.approx(right, rel=0.01, abs=8)


def test_a_history_marks_every_event():
    """The titles of the ticks count all of the contact's events, and the last score stands at the end."""
    history = SCORES.history(7)
    told = re.findall(r'class="event"><title>([^<]*)</title>', history.svg)
    counted = sum(
        int(number) for each in told for number in re.findall(r" (\d+)(?:,|$)", each.split(": ")[1])
    )
    assert counted == int(SCORES.frame["events"][SCORES.frame["contact"] == 7][0])
    last = Words().figure(float(history.frame["score"][-1]))
    assert f'class="number">{last}<' in history.svg


def test_large_numbers_have_room():
    """Numbers beside the plot stand within the picture, however many digits they have."""
    rules = [evolve(rule, points=rule.points * 1e7) for rule in MODEL.rules]
    svg = MODEL.evolve(rules=rules).score(EVENTS, at=AT).history(7).svg
    shown = re.findall(
        r'<text x="([\d.]+)"[^>]*?( text-anchor="end")? class="(?:small )?number">([^<]+)<', svg
    )
    assert len(shown) > 4
    for x, ends, text in shown:
        if ends:
            assert float(x) >= extent(text, 11)
    (end,) = re.findall(r'<text x="([\d.]+)" y="[\d.]+" class="number">([^<]+)<', svg)
    assert float(end[0]) + extent(end[1], 12) <= 720


def test_every_phase_of_a_history_is_named():
    """A phase whose name has no room on the band is explained below it, and only such a phase."""
    times = np.array(["2025-11-01", "2026-01-30"], "datetime64[us]")
    log = {"contact": [1, 1], "type": ["visit", "order"], "time": times}
    svg = MODEL.score(log, at=AT).history(1).svg
    names = re.findall(r'<text [^>]*class="small">([^<]+)<', svg)
    assert names == ["web", "shop", "service", "nurture", "retention"]
    assert (
        float(drawn(svg, "svg")[0]["height"]) > float(drawn(SCORES.history(7).svg, "svg")[0]["height"]) - 40
    )


def test_a_history_of_nothing_and_of_much():
    """A contact of the contacts table alone, thirty channels and nine phases are drawn all the same."""
    people = {"contact": [7, 8_888]}
    scores = MODEL.score(EVENTS, at=AT, contacts=people)
    assert len(scores.history(8_888)) == 1
    rules = [ek.Rule(name=f"r{i}", on="visit", points=i - 10 or 1, channel=f"channel {i}") for i in range(30)]
    phases = [ek.Phase(name=f"p{i}", half="prospect", min_engagement=90 - 10 * i) for i in range(8)]
    last = [ek.Phase(name="rest", half="prospect"), ek.Phase(name="buyer", half="customer")]
    many = ek.Model(rules=rules, phases=[*phases, *last]).score(EVENTS, at=AT).history(7)
    assert len(drawn(many.svg, "path", "layer")) == 8
    assert "23 others" in many.svg


def test_histories_of_scores_without_events_are_refused(tmp_path):
    """Loaded scores have no events: the error says what to do; so do a misspelt id and an odd duration."""
    pytest.importorskip("pyarrow")
    SCORES.save(tmp_path / "scores.parquet")
    loaded = ek.Scores.load(tmp_path / "scores.parquet")
    for refused in (lambda: loaded.history(7), lambda: loaded.flow("30d")):
        with pytest.raises(StateError, match="still have their events"):
            refused()
    with pytest.raises(EventsError, match="not among the scores"):
        SCORES.history(10_000)
    for options in ({"every": "1 month"}, {"every": "0d"}, {"start": "2027-01-01"}):
        with pytest.raises(EventsError, match=next(iter(options))):
            SCORES.history(7, **options)


# Stacking ----------------------------------------------------------------------------------------------

VALUES = st.floats(-100, 100).map(lambda value: round(value, 3))


@given(st.integers(1, 5).flatmap(lambda n: st.lists(st.lists(VALUES, min_size=n, max_size=n), min_size=1)))
def test_layers_add_up_everywhere(rows):
    """At every place the layers are the straight lines between the values, above or below, never both."""
    values = np.array(rows).T
    places = np.arange(values.shape[1], dtype=float)
    stack = stacked(places, values)
    for layer, (bottom, top, ceiling, floor) in enumerate(
        zip(stack.bottom, stack.top, stack.ceiling, stack.floor, strict=True)
    ):
        right = np.interp(stack.places, places, values[layer])
        np.testing.assert_allclose((top - bottom) - (ceiling - floor), right, atol=1e-9)
        assert np.all((top - bottom >= -1e-12) & (ceiling - floor >= -1e-12))
        assert np.all(np.minimum(top - bottom, ceiling - floor) < 1e-9)
    np.testing.assert_allclose(stack.total, np.interp(stack.places, places, values.sum(axis=0)), atol=1e-9)
    np.testing.assert_allclose(stack.bottom[1:], stack.top[:-1], atol=1e-9)


@given(st.floats(-1e6, 1e6), st.floats(1e-3, 1e6), st.integers(2, 8))
def test_axes_have_few_round_numbers(low, span, most):
    """Ticks lie within the axis, evenly, and are at most one more than asked for."""
    found = ticks(low, low + span, most)
    assert len(found) <= most + 1
    assert all(low - 1e-6 * span <= each <= low + span * (1 + 1e-6) for each in found)


@given(st.lists(hostile(), max_size=12), st.integers(200, 700))
def test_legends_stay_within_their_width(names, width):
    """Every entry begins within the picture, and one that would leave it begins a line."""
    shapes, height = legend([("red", name) for name in names], width)
    boxes = drawn("".join(shapes), "rect")
    assert len(boxes) == len(names) and all(float(each["x"]) < width for each in boxes)
    assert height == (18 * len({each["y"] for each in boxes}) if names else 0)


# Flow --------------------------------------------------------------------------------------------------


@given(st.integers(1, 9).flatmap(lambda n: st.lists(
    st.lists(st.integers(0, 1000), min_size=n, max_size=n), min_size=n, max_size=n)))  # fmt: skip
def test_ribbons_fill_their_phases(rows):
    """The ribbons of a phase are as high as it is, on both sides, beside each other, and all of one scale."""
    counts = np.array(rows)
    layout = laid_out(counts, 250)
    assert max((each.y + each.height for each in layout.left + layout.right), default=0) <= layout.height
    for nodes, side, place in ((layout.left, "before", "left"), (layout.right, "after", "right")):
        assert sum(node.count for node in nodes) == counts.sum()
        for above, below in pairwise(nodes):
            assert below.y >= above.y + above.height + 14 - 1e-6
            assert below.y + below.height / 2 >= above.y + above.height / 2 + 34 - 1e-6
        for node in nodes:
            own = sorted(
                (getattr(each, place), each.height)
                for each in layout.ribbons
                if getattr(each, side) == node.place
            )
            assert sum(height for _, height in own) == pytest.approx(node.height)
            assert own[0][0] == pytest.approx(node.y)
            for (y, height), (following, _) in pairwise(own):
                assert following == pytest.approx(y + height)
    units = {round(each.height / each.count, 9) for each in layout.ribbons}
    assert len(units) <= 1


@pytest.mark.parametrize("days", [30, 85])
def test_a_flow_counts_who_moved(days):
    """The counts are those of the two tables, whether the earlier is named or given."""
    before = MODEL.score(EVENTS, at=AT - days * DAY)
    rows = dict(zip(before.frame["contact"].tolist(), before.frame["phase"].tolist(), strict=True))
    right = {}
    for contact, phase in zip(SCORES.frame["contact"].tolist(), SCORES.frame["phase"].tolist(), strict=True):
        way = rows.get(contact), phase
        right[way] = right.get(way, 0) + 1
    for since in (f"{days}d", str(AT - days * DAY), before):
        flow = SCORES.flow(since)
        assert flow.counts == right
        assert flow.moved == sum(count for (one, other), count in right.items() if one != other)
        assert sum(count for _, _, count in flow.moves) == flow.moved
    assert flow.contacts == len(SCORES) and flow.moved > 5
    assert ((None, "nurture") in right) == (days == 85)


def test_a_flow_draws_what_it_counts():
    """Every move is a ribbon whose title has its number; every phase's label has its own."""
    flow = SCORES.flow("30d")
    svg = flow.svg
    titles = re.findall(r"<path [^>]*><title>([^<]*)</title>", svg)
    assert sorted(int(each.rsplit(": ", 1)[1]) for each in titles) == sorted(flow.counts.values())
    phases = SCORES.frame["phase"].tolist()
    for phase in set(phases):
        assert re.search(rf">{phase}</text><text [^>]*>{phases.count(phase)} · ", svg)


def test_small_phases_have_room_for_their_labels():
    """However few are in the phases, the two lines of a label never meet those of the next."""
    counts = np.diag([1, 1, 1, 5000, 0, 1, 1, 1])
    when = datetime(2026, 1, 1), datetime(2026, 1, 31)
    names = [f"phase {number}" for number in range(7)]
    flow = Flow(model=MODEL, since=when[0], at=when[1], names=names, counts=counts, look=Look(Words()))
    bars = [float(each["y"]) + float(each["height"]) / 2 for each in drawn(flow.svg, "rect")]
    edges = [each.get("stroke") == each["fill"] for each in drawn(flow.svg, "rect")]
    assert edges == [True, True, True, False, True, True, True] * 2
    for place, side in enumerate(("end", "start")):
        labels = [float(each["y"]) for each in drawn(flow.svg, "text") if each["text-anchor"] == side]
        labels = [y for y in labels if y > 11]
        assert len(labels) == 14
        assert all(after - before >= 13 for before, after in pairwise(labels))
        own = bars[7 * place : 7 * place + 7]
        assert [label + 2 for label in labels[::2]] == pytest.approx(own, abs=0.01)


def test_flows_backwards_are_refused():
    """An earlier instant must be earlier, and neither result may have instants of its own."""
    with pytest.raises(EventsError, match="before that of the scores"):
        SCORES.flow("2026-02-01")
    with pytest.raises(StateError, match="expected earlier scores"):
        MODEL.score(EVENTS, at=AT - DAY).flow(SCORES)
    own = MODEL.score(EVENTS, at={"contact": [7], "at": [AT]})
    for refused in (lambda: own.flow("30d"), lambda: SCORES.flow(own)):
        with pytest.raises(StateError, match="instants of their own"):
            refused()
    with pytest.raises(EventsError, match="since"):
        SCORES.flow("a month")


# Population --------------------------------------------------------------------------------------------


def test_a_population_counts_the_table():
    """Phases, levels and steps of engagement are those of the table."""
    found, frame = SCORES.population(), SCORES.frame
    for bar in found.phases:
        here = (frame["phase"] == bar.phase) & (frame["half"] == bar.half)
        assert bar.count == here.sum()
        assert bar.levels == tuple(int((frame["level"][here] == each).sum()) for each in found.levels)
    assert found.levels == {each: int((frame["level"] == each).sum()) for each in found.levels}
    assert sum(bar.count for bar in found.phases) == found.contacts == len(SCORES)
    steps = np.histogram(frame["engagement"], bins=np.arange(0, 101, 5))[0]
    assert found.steps.sum(axis=0).tolist() == steps.tolist()


def test_bars_are_as_long_as_they_are_many():
    """Pieces of bars have the lengths of the counts, all of one scale; beside them stand their numbers."""
    found = SCORES.population()
    svg = found.by_phase()
    bars = drawn(svg, "rect", "bar")
    pieces = [float(each["width"]) for each in bars]
    for one, other in pairwise(bars):
        end = float(one["x"]) + float(one["width"])
        assert float(other["x"]) == pytest.approx(end if one["y"] == other["y"] else 0, abs=2e-3)
    unit = 320 / found.contacts
    counts = [count for bar in found.phases for count in bar.levels if count]
    assert pieces == pytest.approx([unit * count for count in counts], abs=1e-3)
    levels = [float(each["width"]) for each in drawn(found.by_level(), "rect", "bar")]
    assert levels == pytest.approx([unit * count for count in found.levels.values() if count], abs=1e-3)
    assert sum(levels) == pytest.approx(320, abs=0.01) == sum(pieces)
    for panel in (svg, found.by_level()):
        assert f">A whole bar is all {found.contacts} contacts.</text>" in panel
    shown = re.findall(r'class="small number">(\d+) · ', svg)
    assert [int(each) for each in shown] == [bar.count for bar in found.phases]


def test_ratings_are_fit_and_engagement_together():
    """Each cell counts those of a grade and a level; whoever is not known has a row of their own."""
    fit = ek.Fit(criteria=[ek.Criterion(name="big", where=ek.field("size") >= 100, points=10)])
    model = MODEL.evolve(fit=fit)
    people = {"contact": np.arange(40), "size": np.where(np.arange(40) % 3, 50.0, 150.0)}
    scores = model.score(EVENTS, at=AT, contacts=people)
    ratings, frame = scores.population().ratings, scores.frame
    for grade, levels in ratings.items():
        for level, count in levels.items():
            assert count == ((frame["grade"] == grade) & (frame["level"] == level)).sum()
    assert sum(sum(levels.values()) for levels in ratings.values()) == len(scores)
    assert sum(ratings[None].values()) == len(scores) - 40
    assert "unknown</text>" in scores.population().by_rating()
    shown = re.findall(r'class="number">(\d+)<', scores.population().by_rating())
    assert [int(each) for each in shown] == [
        count for levels in ratings.values() for count in levels.values() if count
    ]


def test_nobody_is_drawn_too():
    """Without contacts there are empty bars, no ribbons, and no error."""
    empty = {"contact": np.array([], object), "type": np.array([], object), "time": np.array([], "M8[us]")}
    scores = MODEL.score(empty, at=AT)
    assert scores.population().contacts == scores.flow("30d").contacts == 0
    assert not drawn(scores.population().svg + scores.flow("30d").svg, "path")


# Words, themes, names ----------------------------------------------------------------------------------


def test_pictures_speak_german_and_follow_labels():
    """Language, labels and theme reach every picture; another theme is an error."""
    labels = {"phase.sales": "heiß", "channel.web": "Netz"}
    svg = SCORES.flow("30d", language="de", labels=labels, theme="dark").svg
    assert "heiß" in svg and 'data-theme="dark"' in svg and "Wer zwischen" in svg
    assert "Netz" in SCORES.history(7, language="de", labels=labels).svg
    assert "heiß" in SCORES.population(language="de", labels=labels).svg
    for ask in (SCORES.population, SCORES.flow, lambda **options: SCORES.history(7, **options)):
        with pytest.raises(EngagekitError, match="theme"):
            ask(theme="blue")
        assert ask()._repr_html_() == ask().svg


NAMES = hostile().filter(lambda name: name.strip() and "\ud800" not in name)


@FEW
@given(st.lists(NAMES, min_size=4, max_size=4, unique=True))
def test_no_name_becomes_markup(names):
    """Whatever channels, phases, types and contacts are called, pictures have the same elements."""

    def shapes(channel, phase, type_, contact):
        model = ek.Model(
            rules=[ek.Rule(name="r", on=type_, points=40, channel=channel)],
            phases=[
                ek.Phase(name=phase, half="prospect", min_engagement=10),
                ek.Phase(name="rest", half="prospect"),
                ek.Phase(name="buyer", half="customer"),
            ],
        )
        times = np.array(["2026-01-01", "2026-01-30"], "datetime64[us]")
        scores = model.score({"contact": [contact] * 2, "type": [type_] * 2, "time": times}, at=AT)
        pictures = [scores.history(contact).svg, scores.flow("10d").svg, scores.population().svg]
        return [
            (tag, attributes.keys() - {"x", "width"})
            for svg in pictures
            for tag, attributes in Reader(svg).tags
        ]

    plain = [each for each in shapes("web", "sales", "visit", "ann") if each[0] != "text"]
    assert [each for each in shapes(*names) if each[0] != "text"] == plain
