"""Hypothesis strategies: random cases whose models have a lead side, and contacts with attributes."""

from dataclasses import replace

from hypothesis import strategies as st
from strategies import (
    SECONDS,
    TYPES,
    VALUES,
    cases,
    named,
    one_test,
    rarely,
    several,
    some,
    types,
)

ATTRIBUTES = ["value", "device", "url", "seconds", "campaign", "vip"]
CONTACT_COLUMNS = ["contact", "customer_since", *ATTRIBUTES]
IDS = ["c0", "c1", "c2", "c3", "c4"]
INTENTS = ["buy", "learn", "leave"]
GRADES = [{"A": 75, "B": 50, "C": 25, "D": 0}, {"in": 40, "out": 0}, {"low": 0, "top": 100, "mid": 50}]

OF_ATTRIBUTES = st.one_of(
    one_test("url", ["contains", "starts_with", "eq"], st.sampled_from(["/a", "a", "é"])),
    one_test("seconds", ["eq", "lt", "ge"], SECONDS),
    one_test("value", ["eq", "lt", "ge"], st.sampled_from([0, 1, 2.5, -3])),
    one_test("campaign", ["in", "not_in"], several([1, 2, 3])),
    one_test("device", ["in", "not_in"], several(["mobile", "desktop", "tv"])),
    one_test("vip", ["eq", "ne"], st.booleans()),
)
OF_RESULTS = [
    one_test("engagement", ["ge", "lt"], st.sampled_from([1.5, 20, 50, 80.25])),
    one_test("score", ["gt", "le"], st.sampled_from([0.125, 7, 25.5])),
    one_test("momentum", ["gt", "lt"], st.sampled_from([-0.4, 0.1])),
    one_test("events", ["ge", "eq"], st.integers(0, 6)),
    one_test("silent_days", ["ge", "lt"], st.sampled_from([3, 30])),
    one_test("level", ["eq", "ne"], st.sampled_from(["none", "low", "medium", "high"])),
    one_test("half", ["eq"], st.sampled_from(["prospect", "customer"])),
    one_test("last_type", ["eq", "contains"], st.sampled_from(TYPES)),
    one_test("last_event", ["ge", "lt"], st.sampled_from(["1970-01-01", "2024-02-20T12:00:00Z"])),
]
OF_LEADS = {
    "fit": one_test("fit", ["ge", "lt"], st.sampled_from([10, 33.3, 60])),
    "fit_known": one_test("fit_known", ["ge", "lt"], st.sampled_from([0.3, 0.7])),
    "rating": one_test("rating", ["starts_with", "ends_with"], st.sampled_from(["A", "in", "1", "4"])),
    "stage": one_test("stage", ["in", "not_in"], several(["lead", "MQL", "SAL", "SQL", "customer"])),
}


def wheres(leaves):
    """Draw a condition of a few of these tests."""
    return st.recursive(
        leaves,
        lambda inner: st.one_of(
            st.lists(inner, min_size=1, max_size=2).map(lambda parts: {"any": parts}),
            st.lists(inner, min_size=1, max_size=2).map(lambda parts: {"all": parts}),
            inner.map(lambda part: {"not": part}),
        ),
        max_leaves=3,
    )


@st.composite
def fits(draw):
    """Draw a fit of which some criterion has positive points."""
    points = [draw(st.sampled_from([1, 2.5, 10, 30]))]
    points += draw(st.lists(st.sampled_from([-20, -1, 0, 3, 7.25, 30]), max_size=4))
    criteria = [{"where": draw(wheres(OF_ATTRIBUTES)), "points": value} for value in points]
    return {"criteria": named("k", criteria)} | draw(some(grades=st.sampled_from(GRADES)))


def qualifications(names):
    """Draw a qualification by events of any type."""
    return st.fixed_dictionaries(
        {"mql_min_engagement": st.sampled_from([1.5, 20, 50, 0]), "rejected_on": types(names)},
        optional={
            "mql_min_fit": st.sampled_from([0, 10, 33.3, 60]),
            "accepted_on": types(names),
            "qualified_on": types(names),
            "recycle_after": st.sampled_from(["1us", "12h", "7d", "30d", "400d"]),
        },
    )


@st.composite
def lead_cases(draw, max_contacts=4):
    """Draw a case with a lead side: the contacts' attributes, and events that brought contents."""
    case = draw(cases(max_contacts=max_contacts))
    model = dict(case.model)
    for kind in ("rules", "absences", "repeats"):
        if kind in model:
            intents = [draw(rarely(st.sampled_from(INTENTS))) for _ in model[kind]]
            model[kind] = [
                rule | ({} if intent is None else {"intent": intent})
                for rule, intent in zip(model[kind], intents, strict=True)
            ]
    rules = [rule for kind in ("rules", "absences", "repeats") for rule in model.get(kind, ())]
    intents = sorted({rule["intent"] for rule in rules if "intent" in rule})
    names = [*TYPES, *(signal["name"] for signal in model.get("signals", ()))]
    model |= draw(some(fit=fits(), qualification=qualifications(names)))
    phases = sorted({phase["name"] for phase in model.get("phases", ())}) or ["sales", "nurture", "exit"]
    # A model refuses a test for a text that its column never holds, so each asks for the model's own.
    leaves = [OF_ATTRIBUTES, *OF_RESULTS, one_test("phase", ["in", "not_in"], several(phases))]
    if intents:
        leaves.append(one_test("intent", ["eq", "ne"], st.sampled_from([*intents, "unclear"])))
    declared = {"stage": "qualification" in model}
    declared |= dict.fromkeys(("fit", "fit_known", "rating"), "fit" in model)
    leaves += [OF_LEADS[name] for name, there in declared.items() if there]
    personas = named(
        "p", [{"where": where} for where in draw(st.lists(wheres(st.one_of(leaves)), max_size=3))]
    )
    if personas:
        leaves.append(one_test("persona", ["eq", "ne"], st.sampled_from([p["name"] for p in personas])))
    phases = draw(st.lists(st.sampled_from(phases), min_size=1, max_size=2, unique=True))
    extra = {
        "channel": st.sampled_from(sorted({rule.get("channel", "other") for rule in rules})),
        "where": wheres(st.one_of(leaves)),
        "appeal": st.sampled_from(["rational", "emotional"]),
        **({"persona": st.sampled_from([p["name"] for p in personas])} if personas else {}),
        **({"intent": st.sampled_from([*intents, "unclear"])} if intents else {}),
    }
    # Few fields each, so that several match and the order in which they are tried matters.
    one = st.sampled_from(sorted(extra)).flatmap(lambda name: extra[name].map(lambda value: {name: value}))
    content = st.tuples(st.sampled_from(phases), st.lists(one, max_size=2)).map(
        lambda drawn: {"phase": drawn[0]} | {k: v for part in drawn[1] for k, v in part.items()}
    )
    matrix = draw(st.lists(content, max_size=len(IDS)))
    model |= {"personas": personas} if personas else {}
    model |= {"contents": [{"id": name} | c for name, c in zip(IDS, matrix, strict=False)]} if matrix else {}
    brought = st.sampled_from([*[None] * 9, *IDS, "another"])
    events = [event | {"content": draw(brought)} for event in case.events]
    attributes = st.fixed_dictionaries({name: st.sampled_from(VALUES[name]) for name in ATTRIBUTES})
    contacts = None
    if case.contacts is not None:
        contacts = [contact | draw(attributes) for contact in case.contacts]
    # Rows of one id that differ in the content alone would leave open which of them counts.
    return replace(case, model=model, events=events, contacts=contacts, id=None)


__all__ = ["ATTRIBUTES", "CONTACT_COLUMNS", "lead_cases"]
