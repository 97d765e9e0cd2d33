"""The round meter: where its needle stands, what is written on it, and that names stay names."""

import re
from math import isclose
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markup import Reader, hostile

import engagekit as ek
from engagekit.show.gauge import Gauge, pace_of
from engagekit.show.letters import extent, fitted
from engagekit.show.sectors import INSET, sector_of, sectors
from engagekit.show.words import Words

RULES = [ek.Rule(name="visit", on="visit", points=1)]
INDEX = ek.Model(rules=RULES, lifecycle=ek.Lifecycle(customer_on="won"))
JOURNEY = {
    "prospect": {"decision": 80, "evaluation": 60, "desire": 40, "interest": 20, "attention": 0},
    "customer": {"advocate": 75, "loyal": 50, "occasional": 25, "lost": 0},
}
NINE = INDEX.evolve(
    phases=[
        ek.Phase(name=name, half=half, min_engagement=least)
        for half, names in JOURNEY.items()
        for name, least in names.items()
    ]
)
SVG = "{http://www.w3.org/2000/svg}"


def shown(model: ek.Model = INDEX, words: Words | None = None, **reading: object) -> Gauge:
    """Make a meter, of a prospect for sales unless said otherwise."""
    given = {"half": "prospect", "phase": "sales", "engagement": 72.4, "level": "high", "momentum": 0.3}
    return Gauge(model=model, words=words or Words(), **{**given, **reading})  # type: ignore[arg-type]


def needle_of(svg: str) -> float | None:
    """Read the angle of the needle."""
    found = re.search(r'class="hand" transform="rotate\(([-\d.]+) 120 120\)"', svg)
    return None if found is None else float(found[1])


@pytest.mark.parametrize(
    ("half", "phase", "engagement", "angle"),
    [
        ("prospect", "nurture", 0, 185.4),
        ("prospect", "nurture", 25, 225),
        ("prospect", "nurture", 49.999999, 264.6),
        ("prospect", "sales", 50, 275.4),
        ("prospect", "sales", 75, 315),
        ("prospect", "sales", 100, 354.6),
        ("customer", "retention", 100, 5.4),
        ("customer", "retention", 50, 45),
        ("customer", "retention", 0, 84.6),
        ("customer", "exit", 49.999999, 95.4),
        ("customer", "exit", 25, 135),
        ("customer", "exit", 0, 174.6),
        ("customer", "exit", 90, 95.4),
    ],
)
def test_the_needle_at_every_edge(half: str, phase: str, engagement: float, angle: float) -> None:
    """At the ends of its quarter the needle stands just within; a fact's phase holds it at an end."""
    drawn = needle_of(shown(half=half, phase=phase, engagement=engagement).alone())
    assert drawn is not None
    assert isclose(drawn, angle, abs_tol=0.006)


@pytest.mark.parametrize("model", [INDEX, NINE], ids=["index", "nine"])
def test_sectors_share_their_half(model: ek.Model) -> None:
    """Sectors lie side by side around the meter, prospects on the left, and give each half evenly out."""
    around = sorted(sectors(model), key=lambda each: each.first_degree)
    edge = 0.0
    for each in around:
        assert isclose(each.first_degree, edge, abs_tol=1e-9)
        edge += each.width
        assert each.half == ("customer" if each.first_degree < 179.9 else "prospect")
    assert isclose(edge, 360)
    strongest = {each.phase for each in around if each.strong in (0, 360)}
    assert strongest == {model.phases[0].name, next(p.name for p in model.phases if p.half == "customer")}


@given(engagement=st.floats(0, 100), place=st.integers(0, 8))
def test_the_needle_stays_within_its_sector(engagement: float, place: int) -> None:
    """Whatever the engagement, the needle points at its phase and keeps off the neighbours."""
    each = sectors(NINE)[place]
    off = INSET * each.width
    assert each.first_degree + off - 1e-9 <= each.angle(engagement)
    assert each.angle(engagement) <= each.first_degree + each.width - off + 1e-9


@pytest.mark.parametrize("half", ["prospect", "customer"])
def test_more_engaged_is_higher(half: str) -> None:
    """Of two contacts in a phase the needle of the more engaged is nearer the top."""
    for each in sectors(NINE):
        tops = [
            min(turn, 360 - turn)
            for turn in map(each.angle, (each.low, (each.low + each.high) / 2, each.high))
        ]
        assert tops == sorted(tops, reverse=True), half


def test_what_engagement_a_phase_can_have() -> None:
    """The scale of a sector runs over the engagement that its entries leave to it."""
    assert [(each.low, each.high) for each in sectors(INDEX)] == [(50, 100), (0, 50), (0, 100), (0, 50)]
    assert [(each.low, each.high) for each in sectors(NINE)][:3] == [(80, 100), (60, 80), (40, 60)]
    never = INDEX.evolve(
        phases=[
            ek.Phase(name="a", half="prospect", min_engagement=20),
            ek.Phase(name="b", half="prospect", min_engagement=60),
            ek.Phase(name="c", half="prospect"),
            ek.Phase(name="d", half="customer"),
        ]
    )
    assert {each.phase: (each.low, each.high) for each in sectors(never)} == {
        "a": (20, 100), "b": (0, 100), "c": (0, 20), "d": (0, 100),
    }  # fmt: skip


def test_without_activity_there_is_no_needle() -> None:
    """A contact without a phase has neither needle nor number, and the meter says so."""
    drawn = shown(phase=None, engagement=0.0, level="none", momentum=None)
    assert needle_of(drawn.alone()) is None
    assert drawn.title == "no activity yet"
    assert "\N{EN DASH}</text>" in drawn.alone()
    assert "arrow" not in drawn.within()


def test_it_is_told_without_colour() -> None:
    """Number, level, phases and halves are written; title and description say them to a screen reader."""
    root = ElementTree.fromstring(shown().alone())
    words = {"".join(text.itertext()) for text in root.iter(f"{SVG}text")}
    assert words == {"72", "high", "sales", "nurture", "retention", "exit", "prospect", "customer"}
    assert root.get("role") == "img"
    assert root.findtext(f"{SVG}title") == "engagement 72, high, sales, rising"
    assert (root.findtext(f"{SVG}desc") or "").startswith("A round meter.")


def test_numbers_are_rounded_down() -> None:
    """The number never reaches a bound that the engagement does not, as in the tables."""
    assert ">49</text>" in shown(phase="nurture", engagement=49.9999).alone()


@pytest.mark.parametrize(("momentum", "turn"), [(1.0, "-90"), (0.0, "0"), (-0.5, "45"), (-1.0, "90")])
def test_the_arrow_is_the_momentum(momentum: float, turn: str) -> None:
    """The arrow points up as far as the momentum is up: straight for 1, level for 0, down for -1."""
    assert f'class="arrow" transform="rotate({turn})"' in shown(momentum=momentum).alone()


def test_paces_have_names() -> None:
    """Within a fifth of the usual pace is steady."""
    assert [pace_of(each) for each in (0.1, 0.09, -0.09, -0.1, None)] == [
        "rising", "steady", "steady", "sinking", "none",
    ]  # fmt: skip


def test_labels_in_german_and_your_own() -> None:
    """Labels are German on request, and yours where you have some."""
    german = shown(words=Words("de")).alone()
    assert all(word in german for word in ("Vertrieb", "Bindung", "Interessent", "hoch"))
    assert (
        "reif für ein Gespräch" in shown(words=Words("de", {"phase.sales": "reif für ein Gespräch"})).alone()
    )


def test_a_name_without_room_stands_in_the_middle() -> None:
    """Where a sector has no room for its name, the name stands in the middle while it is the phase."""
    many = INDEX.evolve(
        phases=[
            *(
                ek.Phase(name=f"stage number {n}", half="prospect", min_engagement=90 - 10 * n)
                for n in range(9)
            ),
            ek.Phase(name="lead", half="prospect"),
            ek.Phase(name="customer", half="customer"),
        ]
    )
    root = ElementTree.fromstring(shown(many, phase="stage number 3", engagement=65).alone())
    words = ["".join(text.itertext()) for text in root.iter(f"{SVG}text")]
    assert words.count("stage number 3") == 1
    assert not any("stage number 4" in word for word in words)


def test_one_half_alone() -> None:
    """A model whose half is one phase has half a ring for it."""
    model = INDEX.evolve(
        phases=[ek.Phase(name="lead", half="prospect"), ek.Phase(name="client", half="customer")]
    )
    found = sector_of(model, "prospect", "lead")
    assert found is not None
    assert (found.weak, found.strong) == (180, 360)
    ElementTree.fromstring(shown(model, phase="lead").alone())


TAME = {(tag, key) for tag, keys in Reader(shown(NINE, phase="desire").alone()).shapes for key in ("", *keys)}


@given(st.lists(hostile().filter(str.strip), min_size=3, max_size=3, unique=True), st.floats(0, 100))
def test_names_stay_names(names: list[str], engagement: float) -> None:
    """Phases and labels of any text add no tag and no attribute, and the file stays well-formed XML."""
    labels = {"phase.b": names[0], "half.prospect": names[1], "level.high": names[2]}
    phases = [ek.Phase(name=name, half=half) for name, half in (("b", "prospect"), ("c", "customer"))]
    svg = shown(INDEX.evolve(phases=phases), Words(labels=labels), phase="b", engagement=engagement).alone()
    found = {(tag, key) for tag, keys in Reader(svg).shapes for key in ("", *keys)}
    assert found <= TAME
    ElementTree.fromstring(svg)


@given(hostile(), st.floats(9, 20), st.floats(20, 200))
def test_what_is_fitted_fits(text: str, size: float, room: float) -> None:
    """Text that is fitted is no wider than its room, or not there."""
    cut = fitted(text, size, room).strip("\u2068\u2069")
    assert cut == "" or extent(cut, size) <= room
