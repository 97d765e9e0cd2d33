"""Simulated people: what a typical contact leaves behind in a year, so that a model's numbers can be judged.

A person is a function of a random generator that returns events; the same seed gives the same year. Days
count from `START`, a Monday. The rhythms are those one would tell a colleague ("buys once a month, give or
take five days"). The presets were tuned on these people: they show what a preset does, not that it is right.
"""

import random
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from functools import cache
from typing import NamedTuple

import polars as pl

import engagekit as ek

START = datetime(2024, 1, 1)
YEAR = 365
FAREWELL = 200
"""The day on which people who fall silent, cancel or complain do so."""
SECOND = 1 / 86_400
SEEDS = range(5)


class Event(NamedTuple):
    """What happened on which day (a fraction is the time of day), and for how many seconds."""

    day: float
    type: str
    seconds: float | None = None


Person = Callable[[random.Random], list[Event]]


def year_of(person: Person, seed: int) -> list[Event]:
    """Return a person's year in order of time; another seed is another year of the same kind of person."""
    events = person(random.Random(f"{person.__name__} {seed}"))
    return sorted(event for event in events if 0 <= event.day < YEAR)


def moment(day: float) -> datetime:
    """Return the instant of a (fractional) day of the simulated year."""
    return START + timedelta(microseconds=round(day * 86_400e6))


# Habits, of which people are made.


def every(rng: random.Random, period: float, jitter: float, start: float, end: float) -> Iterator[float]:
    """Days from start to end, a period apart, each a little early or late."""
    day = start
    while day < end:
        yield max(start, day + rng.uniform(-jitter, jitter))
        day += period


def workdays(start: float, end: float) -> Iterator[int]:
    """Mondays to Fridays from start to end."""
    return (day for day in range(int(start), int(end)) if day % 7 < 5)


def visit(rng: random.Random, day: float, pages: tuple[int, int] = (1, 3)) -> list[Event]:
    """Look at a few pages within half an hour."""
    return [Event(day + rng.uniform(0, 0.02), "page_view") for _ in range(rng.randint(*pages))]


def mails(rng: random.Random, *, opens: float, clicks: float, end: float = YEAR) -> list[Event]:
    """Weekly mails on Tuesdays; of those opened a share is clicked and leads to the site, until `end`."""
    events = []
    for sent in range(1, YEAR, 7):
        events.append(Event(sent + 0.4, "email_sent"))
        read = sent + 0.4 + rng.uniform(0.01, 1.0)
        if read < end and rng.random() < opens:
            events.append(Event(read, "email_open"))
            if rng.random() < clicks / opens:
                events += [Event(read + 0.001, "email_click"), *visit(rng, read + 0.002)]
    return events


def purchases(rng: random.Random, period: float, jitter: float, start: float, end: float) -> list[Event]:
    """Buy every so often, after a look around; now and then write a review."""
    events = []
    for day in every(rng, period, jitter, start, end):
        events += [*visit(rng, day - 0.1, (2, 5)), Event(day, "purchase")]
        if rng.random() < 0.1:
            events.append(Event(day + 3, "review"))
    return events


def work(rng: random.Random, days: Iterator[int], present: float = 0.9) -> list[Event]:
    """Log in on nine of ten of these days and do up to three things."""
    events = []
    for day in days:
        if rng.random() < present:
            login = day + rng.uniform(0.3, 0.45)
            events.append(Event(login, "login"))
            events += [Event(login + rng.uniform(0, 0.2), "feature_used") for _ in range(rng.randint(0, 3))]
    return events


def research(rng: random.Random, first: float) -> list[Event]:
    """Spend a working week on a question: pages, prices, papers, a webinar."""
    events = [event for day in range(5) for event in visit(rng, first + day + 0.4, (3, 8))]
    events += [Event(first + day + rng.uniform(0.3, 0.6), "search") for day in (0, 0, 1, 2)]
    events += [Event(first + day + rng.uniform(0.3, 0.6), "pricing_view") for day in (1, 2, 3, 4)]
    events += [Event(first + day + rng.uniform(0.3, 0.6), "white_paper") for day in (0, 2)]
    return [*events, Event(first + 1.5, "video"), Event(first + 3.6, "webinar")]


def reading(rng: random.Random, day: float, pages: int, seconds: float) -> list[Event]:
    """Open a document and look at its pages for about so long each; to the end where they are twelve."""
    events, now = [Event(day, "document_opened")], day
    for _ in range(pages):
        looked = seconds * rng.uniform(0.5, 1.5)
        now += looked * SECOND
        events.append(Event(now, "page_read", looked))
    return [*events, Event(now, "document_finished")] if pages == 12 else events


# Prospects.


def newsletter_reader(rng: random.Random) -> list[Event]:
    """Signs up in the first week, opens nearly every weekly newsletter and clicks in most."""
    return [Event(rng.uniform(0, 5), "newsletter_signup"), *mails(rng, opens=0.95, clicks=0.8)]


def fan(rng: random.Random) -> list[Event]:
    """Reads, visits, likes and shares all year, and asks for nothing."""
    events = [*newsletter_reader(rng), Event(2.5, "social_follow")]
    events += [event for day in range(3, YEAR) if rng.random() < 0.6 for event in visit(rng, day + 0.8)]
    events += [Event(day + 0.85, "social_like") for day in range(3, YEAR) if rng.random() < 0.5]
    return events + [Event(day, "social_share") for day in every(rng, 10, 4, 5, YEAR)]


def researcher(rng: random.Random) -> list[Event]:
    """Looks in every three weeks; then spends a working week in July on research."""
    idle = [event for day in every(rng, 21, 7, 10, YEAR) for event in visit(rng, day)]
    return idle + research(rng, 196 + rng.randint(-14, 14))


def shopper(rng: random.Random) -> list[Event]:
    """Looks in every three weeks; then fills a cart within three evenings and begins to check out."""
    idle = [event for day in every(rng, 21, 7, 10, YEAR) for event in visit(rng, day)]
    first = 196 + rng.randint(-14, 14) + 0.8
    looks = [Event(first + day + rng.uniform(0, 0.1), "product_view") for day in (0, 1, 2) for _ in range(8)]
    carts = [Event(first + day + 0.1, "cart_add") for day in (0, 2, 2)]
    return [*idle, *looks, *carts, Event(first + 0.05, "search"), Event(first + 2.12, "checkout_started")]


def trial_user(rng: random.Random) -> list[Event]:
    """Tries the product for two weeks in July, works with it daily, and does not buy."""
    first = 196 + 7 * rng.randint(-2, 2)
    return [*visit(rng, first), Event(first + 0.2, "trial_started"), *work(rng, workdays(first, first + 14))]


def robot(rng: random.Random) -> list[Event]:
    """Fetches 10,000 pages within an hour of one day in July, prices and searches among them."""
    pages = ["page_view", "page_view", "product_view", "pricing_view", "search"]
    return [Event(FAREWELL + rng.uniform(0, 1 / 24), rng.choice(pages)) for _ in range(10_000)]


def scanned(rng: random.Random) -> list[Event]:
    """Looks in once in January; a virus scanner then follows the links of every mail within a second."""
    sent = [event.day for event in mails(rng, opens=0.5, clicks=0, end=0)]
    clicks = [Event(day + rng.uniform(0, SECOND), "email_click") for day in sent]
    return [*visit(rng, 0.5), *(Event(day, "email_sent") for day in sent), *clicks]


def applicant(rng: random.Random) -> list[Event]:
    """Reads everything for a week in July because of a vacancy."""
    first = 196 + rng.randint(-14, 14)
    vacancies = [Event(first + day + rng.uniform(0.3, 0.6), "careers_view") for day in range(5)]
    return [*research(rng, first), *vacancies, Event(first + 5.5, "job_application")]


# Customers of a shop.


def monthly_buyer(rng: random.Random, end: float = YEAR) -> list[Event]:
    """Buys once a month, give or take five days, and clicks in one mail of five."""
    return [*purchases(rng, 30, 5, rng.uniform(5, 20), end), *mails(rng, opens=0.6, clicks=0.2, end=end)]


def weekly_buyer(rng: random.Random, end: float = YEAR) -> list[Event]:
    """Buys once a week, give or take two days."""
    return purchases(rng, 7, 2, rng.uniform(3, 9), end)


def silent_monthly_buyer(rng: random.Random) -> list[Event]:
    """Buys monthly until July, then never again; the mails go on, unread."""
    events = monthly_buyer(rng, FAREWELL)
    last = max(event.day for event in events if event.type == "purchase")
    return [event for event in events if event.day <= last or event.type == "email_sent"]


def silent_weekly_buyer(rng: random.Random) -> list[Event]:
    """Buys weekly until July, then never again."""
    return weekly_buyer(rng, FAREWELL)


def buyer_who_ignores_mails(rng: random.Random) -> list[Event]:
    """Buys once a month and has never opened one of three mails a week."""
    sent = [Event(day + 0.4, "email_sent") for day in range(YEAR) if day % 7 in {0, 2, 4}]
    return [*purchases(rng, 30, 5, rng.uniform(5, 20), YEAR), *sent]


def buyer_who_complains(rng: random.Random) -> list[Event]:
    """Buys once a month; complains angrily once in July, and goes on buying."""
    return [*monthly_buyer(rng), Event(FAREWELL, "complaint"), Event(FAREWELL + 0.01, "support")]


def buyer_who_unsubscribes(rng: random.Random) -> list[Event]:
    """Buys once a month; leaves the newsletter in July, and goes on buying."""
    events = [*purchases(rng, 30, 5, rng.uniform(5, 20), YEAR), Event(FAREWELL, "unsubscribe")]
    return events + [e for e in mails(rng, opens=0.6, clicks=0.2, end=FAREWELL) if e.day < FAREWELL]


def one_time_buyer(rng: random.Random) -> list[Event]:
    """Fills a cart, buys once in July, and is not seen again."""
    events = [event for event in shopper(rng) if event.type != "page_view"]
    return [*events, Event(max(event.day for event in events) + 0.01, "purchase")]


def buyer_who_cancels(rng: random.Random) -> list[Event]:
    """Buys once a month until July and then closes the account, but still looks in."""
    last = [event for day in every(rng, 7, 2, FAREWELL + 3, YEAR) for event in visit(rng, day)]
    return [*monthly_buyer(rng, FAREWELL - 6), Event(FAREWELL, "cancellation"), *last]


# Users of a product.


def subscriber(rng: random.Random, days: Callable[[int], bool], present: float = 0.9) -> list[Event]:
    """Research, a trial, a subscription in the third week, and work on the days for which `days` holds."""
    start = [*research(rng, 0), Event(4.7, "trial_started"), Event(18.4, "subscription_started")]
    return [*start, *work(rng, (day for day in workdays(7, YEAR) if days(day)), present)]


def daily_user(rng: random.Random) -> list[Event]:
    """Works with the product on nine of ten working days; three weeks of holiday in July."""
    return subscriber(rng, lambda day: not 196 <= day < 217)


def silent_daily_user(rng: random.Random) -> list[Event]:
    """Works with the product daily until July, then never again."""
    return subscriber(rng, lambda day: day < FAREWELL)


def weekly_user(rng: random.Random) -> list[Event]:
    """Works with the product every Tuesday, but for two weeks of holiday in July."""
    return subscriber(rng, lambda day: day % 7 == 1 and not 196 <= day < 210, present=1.0)


def user_who_cancels(rng: random.Random) -> list[Event]:
    """Works daily, cancels in July, and works on until the month paid for is over."""
    return [*subscriber(rng, lambda day: day < FAREWELL + 25), Event(FAREWELL, "subscription_cancelled")]


def user_won_back(rng: random.Random) -> list[Event]:
    """Works daily, cancels in July, and subscribes again six weeks later."""
    back = FAREWELL + 42
    events = subscriber(rng, lambda day: not FAREWELL <= day < back)
    return [*events, Event(FAREWELL, "subscription_cancelled"), Event(back, "subscription_started")]


def never_user(rng: random.Random) -> list[Event]:
    """Researches, subscribes in the third week, and never logs in."""
    return [*research(rng, 0), Event(18.4, "subscription_started")]


# Customers of a company that sells to companies.


def account(rng: random.Random, end: float = YEAR) -> list[Event]:
    """Decides in two months; then a visit, a ticket or a login every two weeks, and a meeting a quarter."""
    start = [*research(rng, 7), Event(20, "demo_requested"), Event(34, "appointment"), Event(48, "quote")]
    events = [*start, Event(60, "deal_won"), *mails(rng, opens=0.5, clicks=0.2, end=end)]
    for day in every(rng, 14, 5, 75, end):
        kind = rng.choice(["page_view", "support_ticket", "login"])
        events += visit(rng, day) if kind == "page_view" else [Event(day, kind)]
    return events + [Event(day, "review_meeting") for day in every(rng, 91, 10, 120, end)]


def silent_account(rng: random.Random) -> list[Event]:
    """A company like the above that falls silent in July."""
    return account(rng, FAREWELL)


def lost_deal(rng: random.Random) -> list[Event]:
    """Researches in June, sees a demo, gets a quote, and buys elsewhere in July."""
    first = 161 + rng.randint(-7, 7)
    asked = [Event(first + 10, "demo_requested"), Event(first + 20, "quote_requested")]
    return [*research(rng, first), *asked, Event(FAREWELL, "deal_lost")]


# Readers of documents.


def skimmer(rng: random.Random) -> list[Event]:
    """Opens one of two monthly brochures and leafs through a few pages."""
    events = [Event(day + 0.4, "document_sent") for day in range(2, YEAR, 15)]
    days = every(rng, 30, 3, 6, YEAR)
    return events + [event for day in days for event in reading(rng, day, rng.randint(2, 5), 4)]


def decider(rng: random.Random) -> list[Event]:
    """Leafs through a brochure now and then; reads an offer in July carefully, again, and passes it on."""
    first = 196 + rng.randint(-14, 14)
    events = [event for day in every(rng, 60, 10, 20, YEAR) for event in reading(rng, day, 3, 5)]
    events += [Event(first, "document_sent"), *reading(rng, first + 0.2, 12, 60)]
    events += [*reading(rng, first + 1.3, 6, 40), *reading(rng, first + 3.1, 4, 90)]
    return [*events, Event(first + 3.2, "document_shared"), Event(first + 3.3, "document_downloaded")]


def report_reader(rng: random.Random, end: float = YEAR) -> list[Event]:
    """Signs in January and reads the monthly report, some of it, within a few days."""
    events = [Event(3, "document_sent"), *reading(rng, 3.2, 12, 60), Event(4.5, "document_signed")]
    for sent in range(31, YEAR, 30):
        events.append(Event(sent + 0.4, "document_sent"))
        read = sent + 0.4 + rng.uniform(0.1, 6)
        events += reading(rng, read, rng.randint(3, 12), 30) if read < end else []
    return events


def silent_report_reader(rng: random.Random) -> list[Event]:
    """Reads the reports until July, then none."""
    return report_reader(rng, FAREWELL)


# Whom a preset is made for, and their years scored by it.

READERS = [newsletter_reader, fan]
MACHINES = [robot, scanned]
SHOP = [
    *(monthly_buyer, weekly_buyer, buyer_who_ignores_mails, buyer_who_complains, buyer_who_unsubscribes),
    *(silent_monthly_buyer, silent_weekly_buyer, one_time_buyer, buyer_who_cancels),
]
PRODUCT = [daily_user, silent_daily_user, never_user, user_who_cancels, user_won_back]

WHO: dict[str, list[Person]] = {
    "customer_engagement_index": [*READERS, researcher, *MACHINES, *SHOP, *PRODUCT],
    "b2b_leads": [*READERS, researcher, applicant, lost_deal, *MACHINES, account, silent_account],
    "ecommerce": [*READERS, shopper, *MACHINES, *SHOP],
    "saas": [*READERS, researcher, trial_user, *MACHINES, *PRODUCT, weekly_user],
    "document_tracking": [skimmer, decider, report_reader, silent_report_reader],
}


def log_of(people: list[Person]) -> pl.DataFrame:
    """Return the events of some years of these people; a contact is called ``person/seed``."""
    rows = [
        (f"{person.__name__}/{seed}", event.type, moment(event.day), event.seconds)
        for person in people
        for seed in SEEDS
        for event in year_of(person, seed)
    ]
    names = ["contact", "type", "time", "seconds"]
    return pl.DataFrame(rows, names, orient="row", infer_schema_length=None)


@cache
def simulated(preset: str) -> pl.DataFrame:
    """Score every midnight of the years of a preset's people: columns person, seed, day and the results."""
    people = WHO[preset]
    nights = [
        (f"{person.__name__}/{seed}", moment(day), person.__name__, seed, day)
        for person in people
        for seed in SEEDS
        for day in range(1, YEAR + 1)
    ]
    at = pl.DataFrame(nights, ["contact", "at", "person", "seed", "day"], orient="row")
    return ek.presets.load(preset).score(log_of(people), at=at).frame
