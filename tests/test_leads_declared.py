"""The declared lead side: what it refuses, how it is inherited, how it is told in plain words."""

import math

import pytest

import engagekit as ek
from engagekit.describe import describe
from engagekit.leads import STAGES
from engagekit.plan import LEVELS

VISIT = {"name": "visit", "on": ["page_view"], "points": 1, "channel": "web", "intent": "buy"}
BUDGET = {"name": "budget", "where": {"budget": {"ge": 50_000}}, "points": 25}


def faults_of(**table):
    """List the faults of a table that is given a sound rule where it has none."""
    with pytest.raises(ek.ModelError) as raised:
        ek.Model.from_dict({"rules": [VISIT], **table})
    return list(raised.value.faults)


def model_of(**table):
    """Make a model of a table that is given a sound rule."""
    return ek.Model.from_dict({"rules": [VISIT], **table})


def content(**keys):
    """Make the table of a content."""
    return {"id": "guide", "phase": "sales", **keys}


@pytest.mark.parametrize(
    ("table", "faults"),
    [
        ({"fit": {}}, ["fit.criteria: missing"]),
        ({"fit": 3}, ["fit: expected a Fit, or a table (a dict) with criteria, got 3"]),
        (
            {"fit": {"criteria": []}},
            ["fit.criteria: expected at least one criterion with positive points"],
        ),
        (
            {"fit": {"criteria": [{**BUDGET, "points": -5}, {**BUDGET, "name": "b", "points": 0}]}},
            ["fit.criteria: expected at least one criterion with positive points"],
        ),
        (
            {"fit": {"criteria": [{**BUDGET, "points": 1e308}, {**BUDGET, "name": "b", "points": 1e308}]}},
            ["fit.criteria: the points in percent add up to more than a double can hold"],
        ),
        (
            {"fit": {"criteria": [BUDGET, BUDGET]}},
            ["fit.criteria[1].name: 'budget' is already the name of fit.criteria[0]"],
        ),
        (
            {"fit": {"criteria": [{**BUDGET, "name": "", "pionts": 3}]}},
            [
                'fit.criteria[0].pionts: unknown key, did you mean "points"?',
                "fit.criteria[0].name: expected text, got an empty one",
            ],
        ),
        (
            {"fit": {"criteria": [{"name": "budget", "points": 1}]}},
            ["fit.criteria[0].where: missing [criterion 'budget']"],
        ),
        (
            {"fit": {"criteria": [BUDGET], "grades": {"A": 50, "B": 50, "C": 0}}},
            ["fit.grades.B: 50 is already the bound of 'A'"],
        ),
        (
            {"fit": {"criteria": [BUDGET], "grades": {"A": 50, "B": 10}}},
            ["fit.grades: expected a grade at 0, so that every contact has one"],
        ),
        (
            {"fit": {"criteria": [BUDGET], "grades": {"A": 101, "B": -1, "C": True, "": 5, "D": 0}}},
            [
                "fit.grades.A: expected a number of at most 100, got 101.0",
                "fit.grades.B: expected a number of at least 0, got -1.0",
                "fit.grades.C: expected a number, got True",
                "fit.grades.'': expected text, got an empty one",
            ],
        ),
        (
            {"fit": {"criteria": [BUDGET], "grades": ["A"]}},
            ["fit.grades: expected a table (a dict) such as { A = 50, B = 0 }, got a list"],
        ),
        ({"qualification": {}}, ["qualification.mql_min_engagement: missing"]),
        (
            {"qualification": {"mql_min_engagement": 100.5, "mql_min_fit": math.nan}},
            [
                "qualification.mql_min_engagement: expected a number of at most 100, got 100.5",
                "qualification.mql_min_fit: expected a finite number, got nan",
            ],
        ),
        (
            {"qualification": {"mql_min_engagement": 50, "accepted_on": [""], "recycle_after": "0d"}},
            [
                "qualification.accepted_on[0]: expected text, got an empty one",
                "qualification.recycle_after: expected a duration above 0, got '0d'",
            ],
        ),
        ({"personas": [{"name": "a"}]}, ["personas[0].where: missing [persona 'a']"]),
        (
            {"contents": [content(), content(id="")]},
            ["contents[1].id: expected text, got an empty one"],
        ),
        (
            {"contents": [content(), content()]},
            ["contents[1].id: 'guide' is already the id of contents[0]"],
        ),
        (
            {"contents": [content(phase="salse", channel="wbe", persona="racer", intent="bye")]},
            [
                "contents[0].phase: there is no phase 'salse', did you mean \"sales\"?",
                "contents[0].channel: there is no channel 'wbe', did you mean \"web\"?",
                "contents[0].persona: there is no persona 'racer'",
                "contents[0].intent: there is no intent 'bye', did you mean \"buy\"?",
            ],
        ),
        (
            {"triggers": [{"name": "t", "cooldown": "0d"}]},
            [
                "triggers[0].when: missing [trigger 't']",
                "triggers[0].cooldown: expected a duration above 0, got '0d' [trigger 't']",
            ],
        ),
        (
            {"rules": [{**VISIT, "intent": "unclear"}]},
            [
                (
                    "rules[0].intent: 'unclear' is what a contact has whose intents are too even; "
                    "give this one another name"
                ),
            ],
        ),
        (
            {"rules": [{**VISIT, "intent": ""}]},
            ["rules[0].intent: expected text, got an empty one [rule 'visit']"],
        ),
    ],
)  # fmt: skip
def test_faults(table, faults):
    """Everything wrong with the lead side is named with its path."""
    assert faults_of(**table) == faults


@pytest.mark.parametrize(
    ("name", "test", "said"),
    [
        ("engagment", {"ge": 60}, 'unknown column, did you mean "engagement"?'),
        ("silent_day", {"ge": 60}, 'unknown column, did you mean "silent_days"?'),
        ("channel_wbe", {"ge": 60}, 'unknown column, did you mean "channel_web"?'),
        ("rating", {"eq": "A1"}, "the model has no fit, so there is no such column"),
        ("stage", {"eq": "SQL"}, "the model has no qualification, so there is no such column"),
        ("persona", {"eq": "racer"}, "the model has no personas, so there is no such column"),
        ("content", {"eq": "guide"}, "the model has no contents, so there is no such column"),
    ],
)
def test_unknown_columns(name, test, said):
    """A column that comes near to one, or that the model does not declare, is refused wherever it stands."""
    when = {name: test}
    found = faults_of(
        personas=[{"name": "p", "where": when}] if name != "persona" else [],
        triggers=[
            {
                "name": "t",
                "when": {"any": [when, {"not": when}]},
                "was": {"land": {"eq": "x"}},
                "until": when,
            },
            {"name": "u", "when": {"score": {"ge": 1}}, "was": when},
        ],
    )
    paths = ["triggers[0].when", "triggers[0].until", "triggers[1].was"]
    paths = paths if name == "persona" else ["personas[0].where", *paths]
    assert found == [f"{path}.{name}: {said}" for path in paths]


def test_an_intent_column_needs_an_intent():
    """Without an intent on any rule there is no such column."""
    rule = {name: value for name, value in VISIT.items() if name != "intent"}
    assert faults_of(rules=[rule], triggers=[{"name": "t", "when": {"intent": {"eq": "buy"}}}]) == [
        "triggers[0].when.intent: no rule has an intent, so there is no such column"
    ]
    assert faults_of(rules=[rule], contents=[content(intent="unclear")]) == [
        "contents[0].intent: there is no intent 'unclear'"
    ]


def test_columns_that_come_later():
    """A persona cannot ask for the persona or the content, nor a content for the content; a trigger can."""
    racer = {"name": "racer", "where": {"a": {"eq": 1}}}
    asked = {"any": [{"persona": {"eq": "racer"}}, {"content": {"eq": "guide"}}]}
    found = faults_of(
        personas=[racer, {"name": "b", "where": asked}],
        contents=[content(where=asked)],
        triggers=[{"name": "t", "when": asked}],
    )
    said = "this column is computed only afterwards"
    assert found == [
        f"contents[0].where.content: {said}",
        f"personas[1].where.persona: {said}",
        f"personas[1].where.content: {said}",
    ]


@pytest.mark.parametrize(
    ("when", "said"),
    [
        ({"score": {"ge": "6"}}, ".score.ge: the column 'score' holds numbers, got '6'"),
        ({"events": {"eq": True}}, ".events.eq: the column 'events' holds numbers, got True"),
        ({"phase": {"in": [1, 2]}}, ".phase.in: the column 'phase' holds text, got 1"),
        (
            {"momentum": {"contains": "1"}},
            ".momentum.contains: the column 'momentum' holds numbers, and this asks for text",
        ),
        (
            {"last_event": {"ge": "soon"}},
            ".last_event.ge: the column 'last_event' holds instants, got 'soon'",
        ),
        ({"channel_web": {"lt": "x"}}, ".channel_web.lt: the column 'channel_web' holds numbers, got 'x'"),
    ],
)  # fmt: skip
def test_what_a_column_cannot_be_asked(when, said):
    """A test that no value of a result column can pass is refused."""
    assert faults_of(triggers=[{"name": "t", "when": when}])[0] == "triggers[0].when" + said


FIT = {"criteria": [BUDGET], "grades": {"good": 50, "poor": 0}}


@pytest.mark.parametrize(
    ("when", "said"),
    [
        ({"phase": {"eq": "sale"}}, ".phase.eq: no phase is ever 'sale', did you mean \"sales\"?"),
        ({"next_phase": {"ne": "loyal"}}, ".next_phase.ne: no next_phase is ever 'loyal'"),
        ({"level": {"in": ["high", "hihg"]}}, ".level.in: no level is ever 'hihg', did you mean \"high\"?"),
        ({"half": {"not_in": ["x"]}}, ".half.not_in: no half is ever 'x'"),
        ({"stage": {"eq": "mql"}}, ".stage.eq: no stage is ever 'mql', did you mean \"MQL\"?"),
        ({"grade": {"eq": "A"}}, ".grade.eq: no grade is ever 'A'"),
        ({"rating": {"eq": "good5"}}, ".rating.eq: no rating is ever 'good5', did you mean \"good4\"?"),
        ({"top_channel": {"eq": "x"}}, ".top_channel.eq: no top_channel is ever 'x'"),
        ({"intent": {"eq": "by"}}, ".intent.eq: no intent is ever 'by', did you mean \"buy\"?"),
        ({"persona": {"eq": "racers"}}, ".persona.eq: no persona is ever 'racers', did you mean \"racer\"?"),
        ({"content": {"eq": "guides"}}, ".content.eq: no content is ever 'guides', did you mean \"guide\"?"),
    ],
)  # fmt: skip
def test_what_a_column_never_holds(when, said):
    """A column of which all values are known is not compared with another: no contact would have it."""
    leads = {
        "fit": FIT,
        "qualification": {"mql_min_engagement": 50},
        "personas": [{"name": "racer", "where": {"a": {"eq": 1}}}],
        "contents": [content()],
    }
    assert faults_of(**leads, triggers=[{"name": "t", "when": when}]) == ["triggers[0].when" + said]


def test_what_a_column_can_hold():
    """Every level, half, stage, rating and phase may be compared with; attributes hold anything."""
    when = {
        "level": {"in": list(LEVELS)},
        "half": {"in": ["prospect", "customer"]},
        "stage": {"in": list(STAGES)},
        "rating": {"in": [f"{grade}{number}" for grade in ("good", "poor") for number in (1, 2, 3, 4)]},
        "phase": {"in": ["sales", "nurture", "retention", "exit"]},
        "next_phase": {"starts_with": "x"},
        "intent": {"ne": "unclear"},
        "state": {"eq": "A"},
    }
    qualification = {"mql_min_engagement": 50}
    model = model_of(fit=FIT, qualification=qualification, triggers=[{"name": "t", "when": when}])
    assert model.attributes == {"budget", "state"}


def test_what_may_be_asked():
    """Result columns take their kind, nulls any kind, the key both, and attributes everything."""
    when = {
        "last_event": {"ge": "2026-01-01"},
        "phase": {"is_null": True},
        "contact": {"in": ["a", "b"]},
        "state": {"eq": 3},
        "events": {"between": [1, 2.5]},
        "top_channel": {"starts_with": "w"},
    }
    model = model_of(triggers=[{"name": "t", "when": when, "was": {"contact": {"gt": 7}}}])
    assert model.triggers[0].when.to_dict() == {**when, "last_event": {"ge": "2026-01-01"}}


def test_a_model_without_leads_keeps_its_fingerprint():
    """What the lead side added to a model changes no fingerprint of one that does not use it."""
    model = ek.Model(name="m", rules=[ek.Rule(name="visit", on="visit", points=1)])
    assert model.fingerprint == "40b13cfbb6025a47508f42d12dfbb6ea651da372d28d6c91b919aa2b7645ab72"
    assert model.evolve(qualification={"mql_min_engagement": 50}).fingerprint != model.fingerprint


def test_named_things_merge():
    """Criteria, personas, triggers and contents of an extended model merge by what they are known by."""
    from engagekit.model.inherit import MEMORY, resolved

    below = {
        "fit": {"criteria": [BUDGET, {"name": "old", "where": {"a": {"eq": 1}}, "points": 1}]},
        "qualification": {"mql_min_engagement": 50, "rejected_on": "lost"},
        "personas": [{"name": "racer", "where": {"a": {"eq": 1}}}],
        "contents": [content(), content(id="gone")],
        "triggers": [{"name": "t", "when": {"score": {"ge": 1}}}],
        "rules": [VISIT],
    }
    above = {
        "extends": "parent",
        "remove": ["old", "gone"],
        "fit": {"criteria": [{"name": "budget", "points": 5}], "grades": {"in": 10, "out": 0}},
        "qualification": {"mql_min_engagement": 40},
        "personas": [{"name": "racer", "where": {"b": {"eq": 1}}}],
        "contents": [{"id": "guide", "appeal": "rational"}, content(id="new")],
        "triggers": [{"name": "t", "cooldown": "1d"}],
    }

    class Parent(type(MEMORY)):
        """Reads what is below."""

        def parent(self, name):
            """Be one's own parent."""
            return self if name != "parent" else Below()

    class Below(Parent):
        """The extended model."""

        label = "below"

        def read(self):
            """Read the table."""
            return below

    table = resolved(above, Parent()).table
    assert table["fit"] == {"criteria": [{**BUDGET, "points": 5}], "grades": {"in": 10, "out": 0}}
    assert table["qualification"] == {"mql_min_engagement": 40, "rejected_on": "lost"}
    assert table["personas"] == [{"name": "racer", "where": {"b": {"eq": 1}}}]
    assert table["contents"] == [content(appeal="rational"), content(id="new")]
    assert table["triggers"] == [{"name": "t", "when": {"score": {"ge": 1}}, "cooldown": "1d"}]
    assert resolved({**above, "remove": ["odl"]}, Parent()).faults == [
        "remove[0]: nothing named 'odl' is taken over, did you mean \"old\"?"
    ]


def test_a_fit_whose_criteria_are_all_removed_is_none():
    """`remove` takes away the fit of a preset with the last of its criteria, and no other way empties one."""
    names = [criterion.name for criterion in ek.presets.load("b2b_leads").fit.criteria]
    assert ek.Model.from_dict({"extends": "b2b_leads", "remove": names}).fit is None
    rest = ek.Model.from_dict({"extends": "b2b_leads", "remove": names[1:]}).fit
    assert [criterion.name for criterion in rest.criteria] == names[:1]
    own = {"criteria": [BUDGET]}
    assert ek.Model.from_dict({"extends": "b2b_leads", "remove": names, "fit": own}).fit == ek.Fit(**own)
    assert "fit.criteria" in faults_of(fit={"criteria": []})[0]


def test_an_overlay_that_meets_nothing():
    """A criterion that overlays none says so, and which one was probably meant."""
    with pytest.raises(ek.ModelError, match="mean") as raised:
        ek.Model.from_dict({"extends": "b2b_leads", "fit": {"criteria": [{"name": "bugdet", "points": 3}]}})
    assert raised.value.faults == (
        (
            "fit.criteria[7].where: missing [criterion 'bugdet']; no criterion of that name to overlay, "
            'did you mean "budget"?'
        ),
    )


def test_bant():
    """BANT is four equal parts of 100 points, with a project five; an answer is a flag or a condition."""
    plain = ek.presets.bant()
    assert [(each.name, each.points) for each in plain.criteria] == [
        *(("budget", 25), ("authority", 25), ("need", 25), ("timeframe", 25)),
    ]
    assert plain.criteria[2].where == (ek.field("need") == True)
    asked = ek.presets.bant(authority="decides", project=ek.field("projects") >= 1)
    assert asked.points == 100
    assert asked.criteria[1].where == (ek.field("decides") == True)
    assert asked.criteria[4].where == (ek.field("projects") >= 1)
    assert [each.where.fields for each in ek.presets.bant(project=True).criteria][4] == {"project"}


def test_plain_words():
    """Every part of the lead side is told."""
    model = model_of(
        lifecycle={"customer_on": "won"},
        fit={"criteria": [BUDGET, {"name": "small", "where": {"seats": {"lt": 5}}, "points": -10}]},
        qualification={
            "mql_min_engagement": 50,
            "mql_min_fit": 40,
            "accepted_on": "accepted",
            "qualified_on": ["qualified", "demo"],
            "rejected_on": "rejected",
        },
        personas=[{"name": "racer", "where": {"discipline": {"eq": "road"}}}],
        contents=[
            content(
                channel="web",
                persona="racer",
                intent="buy",
                appeal="rational",
                where={"ok": {"eq": True}},
            )
        ],
        triggers=[
            {
                "name": "hot",
                "when": {"engagement": {"ge": 60}},
                "was": {"phase": {"eq": "nurture"}},
                "until": {"engagement": {"lt": 55}},
                "cooldown": "30d",
            }
        ],
    )  # fmt: skip
    told = describe(model, width=10_000)
    assert "  visit  +1 point for page_view; a sign of the intent buy\n" in told
    assert told[told.index("Fit, ") :].splitlines() == [
        "Fit, in percent of the 25 points that a contact can have",
        "  budget  +25 points where budget is at least 50000",
        "  small   -10 points where seats is below 5",
        "  grades  A from 75, B from 50, C from 25, D from 0",
        "  rating  the grade and the level's number: high 1, medium 2, low 3, none 4",
        "",
        "Stages, the first that fits",
        "  customer  whoever is one",
        "  lead      for 30 days after rejected, which undoes what sales said before",
        "  SQL       after qualified or demo",
        "  SAL       after accepted",
        "  MQL       with an engagement of at least 50 and a fit of at least 40",
        "  lead      everybody else",
        "",
        "Personas, the first that fits",
        '  racer  where discipline is "road"',
        "",
        "Contents, the most specific that the contact has not had",
        "  guide  in the phase sales, top channel web, persona racer, intent buy, where ok is true; rational",
        "",
        "Reactions",
        (
            '  hot  once engagement is at least 60, where before phase is "nurture", and again only after '
            "engagement is below 55, at most once every 30 days"
        ),
    ]
    nobody = describe(model_of(qualification={"mql_min_engagement": 0, "mql_min_fit": 1}), width=10_000)
    assert "a fit of at least 1, which nobody has, since the model has no fit" in nobody
