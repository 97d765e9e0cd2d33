"""The presets: what they contain, and that a simulated year of typical people comes out as one would expect.

Run as a program, it writes the tables of docs/reference/presets.md anew.
"""

import re
import tomllib
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import people
import polars as pl
import pytest
from people import FAREWELL, SEEDS, WHO, Person, simulated, year_of

import engagekit as ek

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "reference" / "presets.md"
FILES = sorted((ROOT / "src" / "engagekit" / "model" / "presets").glob("*.toml"))
PRESETS = list(WHO)


class Days:
    """One contact's year by night: phases and engagement, counted from day 1."""

    def __init__(self, frame: pl.DataFrame) -> None:
        frame = frame.sort("day")
        self.frame = frame
        self.phases: list[str | None] = frame["phase"].cast(pl.String).to_list()
        self.engagement: list[float] = frame["engagement"].to_list()

    def in_phase(self, name: str) -> list[int]:
        """Return the days in a phase."""
        return [day for day, phase in enumerate(self.phases, 1) if phase == name]

    @property
    def changes(self) -> int:
        """How often the phase changed, not counting that there was none before the first activity."""
        return sum(one is not None and one != other for one, other in pairwise(self.phases))

    @property
    def known(self) -> list[float]:
        """The engagement from the first activity on."""
        return [value for value, phase in zip(self.engagement, self.phases, strict=True) if phase is not None]


def years(preset: str, person: Person) -> list[Days]:
    """Return a person's years by a preset, one for each seed."""
    frame = simulated(preset).filter(pl.col("person") == person.__name__)
    found = [Days(frame.filter(pl.col("seed") == seed)) for seed in SEEDS]
    assert all(len(days.phases) == people.YEAR for days in found)
    return found


def last(person: Person, seed: int, *types: str) -> float:
    """Return the day of a person's last event of these types; without any, of the last thing it did."""
    events = year_of(person, seed)
    return max(e.day for e in events if (e.type in types if types else not e.type.endswith("_sent")))


def pairs(*who: Person) -> Iterator[tuple[str, Person]]:
    """Yield each preset with those of these people whom it is made for."""
    return ((preset, person) for preset in PRESETS for person in who if person in WHO[preset])


def cases(*who: Person) -> pytest.MarkDecorator:
    """Run a test for these people under every preset that is made for them."""
    named = {f"{preset}-{person.__name__}": (preset, person) for preset, person in pairs(*who)}
    return pytest.mark.parametrize(("preset", "person"), named.values(), ids=named.keys())


# What is in them.


def test_names() -> None:
    """There are five presets, each a file of its name."""
    assert sorted(ek.presets.names()) == sorted(PRESETS) == [path.stem for path in FILES]
    assert all(ek.presets.load(name).name == name for name in PRESETS)


@pytest.mark.parametrize("preset", PRESETS)
def test_columns(preset: str) -> None:
    """Contact, type and time are all that a preset needs; documents bring the seconds of reading too."""
    needed = {"seconds"} if preset == "document_tracking" else set()
    assert ek.presets.load(preset).fields == needed


@pytest.mark.parametrize(
    "path", [*FILES, *sorted((ROOT / "examples" / "models").glob("*.toml"))], ids=lambda path: path.stem
)
def test_numbers_have_reasons(path: Path) -> None:
    """Every number of points, every cap and every bound of a phase says why it is what it is."""
    lines = path.read_text("utf-8").splitlines()
    numbers = [line for line in lines if re.match(r"(points|cap|amount|levels|scale|momentum) = ", line)]
    assert len(numbers) >= 6 or any(line.startswith("extends = ") for line in lines)
    assert [line for line in numbers if not re.search(r"# \w", line)] == []


@pytest.mark.parametrize("preset", PRESETS)
def test_reads_as_it_is_written(preset: str) -> None:
    """A preset survives being written down and read back."""
    model = ek.presets.load(preset)
    assert ek.Model.from_dict(model.to_dict()) == model


@pytest.mark.parametrize(
    ("preset", "spans"),
    [("ecommerce", ("30d", "90d")), ("saas", ("7d", "28d")), ("b2b_leads", ("30d", "90d"))],
)
def test_momentum(preset: str, spans: tuple[str, str]) -> None:
    """A shop looks at a month against a quarter, software at a week against a month."""
    assert ek.presets.load(preset).momentum == ek.Momentum(fast=spans[0], slow=spans[1])


def test_index_has_the_default_phases() -> None:
    """The Customer Engagement Index has the scale, levels, momentum and phases of a model that names none."""
    index = ek.presets.load("customer_engagement_index")
    plain = ek.Model(rules=[ek.Rule(name="visit", on="visit", points=1)])
    for name in ("scale", "levels", "momentum", "phases", "decay"):
        assert getattr(index, name) == getattr(plain, name), name


KNOWN = [
    *("visit", "page_view", "search", "ad_visit", "newsletter_signup", "white_paper", "video", "webinar"),
    *("email_sent", "email_open", "email_click", "unsubscribe", "chat", "appointment", "demo", "trial"),
    *("quote", "social_follow", "social_like", "social_share", "purchase", "renewal", "review", "referral"),
    *("login", "support", "complaint", "cancellation"),
]


def test_index_knows_what_marketing_and_sales_know() -> None:
    """No event that a marketing or sales department would log is unknown to the index."""
    events = {"contact": [1] * len(KNOWN), "type": KNOWN, "time": [people.moment(1)] * len(KNOWN)}
    scores = ek.presets.load("customer_engagement_index").score(pl.DataFrame(events), at=people.moment(2))
    assert scores.stats.unmatched == 0


def test_openings_earn_nothing() -> None:
    """Mail programs open by themselves: an opening earns nothing, but the mail is no ignored one either."""
    sent, opened = people.moment(1), people.moment(1.1)
    rows = {"contact": ["ignores", "opens", "opens"], "time": [sent, sent, opened]}
    events = pl.DataFrame(rows | {"type": ["email_sent", "email_sent", "email_open"]})
    for preset in PRESETS[:4]:
        points = ek.presets.load(preset).features(events, at=people.moment(8))
        sums = points.select(pl.exclude("contact", "at")).sum_horizontal()
        totals = dict(zip(points["contact"], sums, strict=True))
        assert totals == {"ignores": -1.0, "opens": 0.0}


# A year of prospects.


@cases(people.newsletter_reader, people.fan, people.scanned, people.robot, people.applicant, people.skimmer)
def test_nurture(preset: str, person: Person) -> None:
    """Readers, fans, robots, applicants and skimmers are never a matter for sales."""
    for days in years(preset, person):
        assert set(days.phases) - {None} == {"nurture"}


@cases(people.newsletter_reader)
def test_reader_is_seen(preset: str, person: Person) -> None:
    """A reader of weekly newsletters is no stranger: about half way to a call."""
    for days in years(preset, person):
        assert 18 < days.known[200] < 40


@cases(people.scanned)
def test_scanners_earn_nothing(preset: str, person: Person) -> None:
    """The clicks of a virus scanner are no events at all."""
    for days in years(preset, person):
        assert max(days.engagement[30:]) < 1
        assert set(days.frame["events"]) == set(days.frame["events"][:1])


@cases(people.researcher, people.shopper, people.trial_user, people.decider)
def test_research_leads_to_sales(preset: str, person: Person) -> None:
    """A burst of research calls sales while it lasts, once, and for some days; then interest cools down."""
    for days in years(preset, person):
        sales = days.in_phase("sales")
        assert sales == list(range(sales[0], sales[-1] + 1))
        assert days.phases[-1] == "nurture"
        assert 3 <= len(sales) <= 40
        first = max(days.frame.filter(pl.col("engagement") < 25).filter(pl.col("day") < sales[0])["day"])
        assert sales[0] - first <= 7


@cases(people.lost_deal)
def test_lost_deal(preset: str, person: Person) -> None:
    """Whoever bought elsewhere is not called any more from the same day on."""
    for days in years(preset, person):
        assert days.phases[FAREWELL - 2] == "sales"
        assert set(days.phases[FAREWELL:]) == {"nurture"}


# A year of customers.


@cases(
    people.monthly_buyer,
    people.weekly_buyer,
    people.buyer_who_ignores_mails,
    people.buyer_who_complains,
    people.buyer_who_unsubscribes,
    people.weekly_user,
    people.account,
    people.report_reader,
)
def test_loyal_customers_stay(preset: str, person: Person) -> None:
    """A loyal customer is in retention from the first purchase on, whatever becomes of the mails."""
    for days in years(preset, person):
        kept = days.in_phase("retention")
        assert kept == list(range(kept[0], people.YEAR + 1))
        assert len(kept) > 300
        assert days.changes <= 2


@cases(people.buyer_who_ignores_mails)
def test_ignored_mails_do_not_add_up(preset: str, person: Person) -> None:
    """Three ignored mails a week cost a loyal customer five points and no more, all year."""
    for days in years(preset, person):
        assert min(days.frame["channel_email"]) == -5


@cases(people.buyer_who_complains)
def test_complaint_is_seen(preset: str, person: Person) -> None:
    """One angry complaint lowers the score by what a person would notice, and is over in a quarter."""
    for days in years(preset, person):
        service = days.frame["channel_service"].to_list()
        assert service[FAREWELL - 1] <= -14 or service[FAREWELL] <= -14
        assert service[FAREWELL + 91] > -2


@cases(people.daily_user)
def test_holiday(preset: str, person: Person) -> None:
    """A daily user on a three-week holiday is in exit for at most five days, with these seeds, at its end."""
    for days in years(preset, person):
        gone = days.in_phase("exit")
        assert len(gone) <= 5
        assert all(212 <= day <= 225 for day in gone)
        assert days.changes <= 6


@cases(people.silent_daily_user)
def test_silent_daily_user(preset: str, person: Person) -> None:
    """A daily user who falls silent is in exit after about three weeks, and stays there."""
    for seed, days in zip(SEEDS, years(preset, person), strict=True):
        gone = days.in_phase("exit")
        assert gone == list(range(gone[0], people.YEAR + 1))
        assert 14 <= gone[0] - last(person, seed) <= 25


@cases(people.silent_monthly_buyer)
def test_silent_monthly_buyer(preset: str, person: Person) -> None:
    """A monthly buyer who falls silent is in exit about eight weeks after the last purchase."""
    for seed, days in zip(SEEDS, years(preset, person), strict=True):
        gone = days.in_phase("exit")
        assert gone == list(range(gone[0], people.YEAR + 1))
        assert 45 <= gone[0] - last(person, seed, "purchase") <= 65


@cases(people.silent_report_reader)
def test_silent_report_reader(preset: str, person: Person) -> None:
    """Whoever stops reading the monthly reports is in exit after two reports unread, or three."""
    for seed, days in zip(SEEDS, years(preset, person), strict=True):
        gone = days.in_phase("exit")
        assert gone == list(range(gone[0], people.YEAR + 1))
        assert 40 <= gone[0] - last(person, seed) <= 80


@cases(people.silent_weekly_buyer)
def test_silent_weekly_buyer(preset: str, person: Person) -> None:
    """A weekly buyer who falls silent is in exit hardly later: many purchases hide no silence."""
    for seed, days in zip(SEEDS, years(preset, person), strict=True):
        gone = days.in_phase("exit")
        assert gone == list(range(gone[0], people.YEAR + 1))
        assert 40 <= gone[0] - last(person, seed, "purchase") <= 70


@cases(people.silent_account)
def test_silent_account(preset: str, person: Person) -> None:
    """A company that falls silent is in exit within three months, half a year before its contract ends."""
    for seed, days in zip(SEEDS, years(preset, person), strict=True):
        gone = days.in_phase("exit")
        assert gone == list(range(gone[0], people.YEAR + 1))
        assert 40 <= gone[0] - last(person, seed) <= 90


@cases(people.account)
def test_account_is_called_before_it_signs(preset: str, person: Person) -> None:
    """A company that decides in two months is with sales from its research to its signature."""
    for days in years(preset, person):
        sales = days.in_phase("sales")
        assert sales == list(range(sales[0], 60))
        assert sales[0] <= 12


@cases(people.buyer_who_cancels, people.user_who_cancels)
def test_cancellation(preset: str, person: Person) -> None:
    """Whoever cancels is in exit at once, though still using what was paid for."""
    for days in years(preset, person):
        assert days.phases[FAREWELL - 2] == "retention"
        assert set(days.phases[FAREWELL:]) == {"exit"}


@cases(people.user_won_back)
def test_won_back(preset: str, person: Person) -> None:
    """Whoever subscribes again is a customer like any other."""
    for days in years(preset, person):
        assert set(days.phases[FAREWELL : FAREWELL + 41]) == {"exit"}
        assert set(days.phases[FAREWELL + 42 :]) == {"retention"}


@cases(people.never_user, people.one_time_buyer)
def test_one_purchase_is_no_custom(preset: str, person: Person) -> None:
    """Whoever bought once and is not seen again ends in exit: soon where use is daily, later in a shop."""
    weeks = {"saas": (4, 6), "customer_engagement_index": (6, 9), "ecommerce": (12, 18)}[preset]
    for seed, days in zip(SEEDS, years(preset, person), strict=True):
        gone = days.in_phase("exit")
        assert gone == list(range(gone[0], people.YEAR + 1))
        assert 7 * weeks[0] <= gone[0] - last(person, seed) <= 7 * weeks[1]


# All of it in a table.


def who_reaches(preset: str) -> dict[str, list[str]]:
    """Return for each phase of a preset the people who are in it for three days, whatever the seed."""
    names = dict.fromkeys(phase.name for phase in ek.presets.load(preset).phases)
    return {
        name: [
            person.__name__
            for person in WHO[preset]
            if all(len(days.in_phase(name)) >= 3 for days in years(preset, person))
        ]
        for name in names
    }


@pytest.mark.parametrize("preset", PRESETS)
def test_every_phase_is_reached(preset: str) -> None:
    """There is no phase of a preset in which no realistic person ever is for days."""
    reached = who_reaches(preset)
    assert len(reached) == 4
    assert all(reached.values()), reached


def mean(numbers: list[float]) -> str:
    """Write a mean over the seeds as a whole number."""
    return f"{sum(numbers) / len(numbers):.0f}"


def tables() -> str:
    """Write the simulated years as Markdown: a table a preset."""
    lines = []
    for preset in PRESETS:
        names = list(who_reaches(preset))
        lines += [f"### {preset}", "", f"| | median | highest | {' | '.join(names)} | changes |"]
        lines += ["|---|" + "--:|" * (len(names) + 3)]
        for person in WHO[preset]:
            found = years(preset, person)
            medians = mean([sorted(days.known)[len(days.known) // 2] for days in found])
            highest = mean([max(days.engagement) for days in found])
            spent = [mean([len(days.in_phase(name)) for days in found]) for name in names]
            title = f"**{person.__name__.replace('_', ' ')}**: {person.__doc__}"
            changes = mean([days.changes for days in found])
            lines.append(f"| {' | '.join([title, medians, highest, *spent, changes])} |")
        lines.append("")
    return "\n".join(lines)


def parts_of_page() -> list[str]:
    """Return the page as what stands before, between and after the marks of the tables."""
    before, opening, rest = PAGE.read_text("utf-8").partition("<!-- tables -->\n")
    shown, closing, after = rest.partition("<!-- end of tables -->\n")
    return [before + opening, shown, closing + after]


def test_page_shows_these_numbers() -> None:
    """The page of the presets shows what the simulated years give today."""
    _, shown, _ = parts_of_page()
    assert shown == tables()


def test_files_are_toml_of_the_format() -> None:
    """A preset says only what it is made of: all else of a model file belongs to whoever uses it."""
    for path in FILES:
        keys = set(tomllib.loads(path.read_text("utf-8")))
        leads = {"fit", "qualification"} if path.stem == "b2b_leads" else set()
        assert not keys & (
            {"columns", "weights", "fit", "qualification", "personas", "contents", "triggers"} - leads
        )


if __name__ == "__main__":
    before, _, after = parts_of_page()
    PAGE.write_text(before + tables() + after, encoding="utf-8")
