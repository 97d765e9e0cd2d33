"""A contacts table made by chance, and a fit of twenty criteria, for engagekit and for Polars."""

from typing import Any

import numpy as np
import polars as pl

import engagekit as ek
from engagekit.contacts import Contacts
from engagekit.leads import Leads

TRADES = ["machines", "chemicals", "software", "retail", *(f"trade {number}" for number in range(200))]
ROLES = ["owner", "director", "head of buying", "engineer", "student", "assistant"]


def table_of(contacts: int, *, seed: int = 7) -> pl.DataFrame:
    """Make a table of contacts: numbers, texts and flags, a tenth of each column null."""
    draw = np.random.default_rng(seed)
    columns: dict[str, Any] = {f"number_{k}": draw.normal(100, 50, contacts) for k in range(4)}
    columns |= {f"trade_{k}": draw.choice(TRADES, contacts) for k in range(2)}
    columns |= {"role": draw.choice(ROLES, contacts)}
    columns |= {f"flag_{k}": draw.random(contacts) < 0.5 for k in range(3)}
    table = pl.DataFrame(columns).with_columns(
        pl.when(pl.Series(draw.random(contacts) < 0.1)).then(None).otherwise(pl.col(name)).alias(name)
        for name in columns
    )
    return table.insert_column(0, pl.Series("contact", np.arange(contacts)))


def model_of() -> ek.Model:
    """Make a model with a fit of twenty criteria."""
    criteria = [
        ek.Criterion(name=f"number {k}", where=ek.field(f"number_{k % 4}") >= 20 * k, points=k + 1)
        for k in range(8)
    ]
    criteria += [
        ek.Criterion(name=f"trade {k}", where=ek.field(f"trade_{k % 2}").is_in(TRADES[k : k + 3]), points=5)
        for k in range(4)
    ]
    criteria += [
        ek.Criterion(name=f"role {k}", where=ek.field("role").contains(part), points=3)
        for k, part in enumerate(("owner", "buying", "dire", "e"))
    ]
    criteria += [
        ek.Criterion(name=f"flag {k}", where=ek.field(f"flag_{k % 3}") == (k != 3), points=(10, 2, -8, -4)[k])
        for k in range(4)
    ]
    assert len(criteria) == 20
    return ek.Model(
        rules=[ek.Rule(name="visit", on="visit", points=1)],
        fit=ek.Fit(criteria=criteria),
    )


def ours(model: ek.Model, table: pl.DataFrame) -> pl.DataFrame:
    """Fit every contact with engagekit: read the table, ask the criteria, without anything of events."""
    assert model.fit is not None
    nobody = ek.Events({"contact": np.empty(0, np.int64), "type": [], "time": np.empty(0, "datetime64[us]")})
    fitted = Leads(model, Contacts(table, nobody))
    return pl.DataFrame({"contact": table["contact"], "fit": fitted.fit, "fit_known": fitted.fit_known})


def by_polars(model: ek.Model, table: pl.DataFrame) -> pl.DataFrame:
    """Fit every contact with Polars, all criteria in one query."""
    assert model.fit is not None
    most = model.fit.points
    held = [(_expression(each.where), each) for each in model.fit.criteria]
    earned = pl.sum_horizontal(
        pl.when(holds.fill_null(value=False)).then(each.points).otherwise(0.0) for holds, each in held
    )
    known = pl.sum_horizontal(
        pl.when(pl.col(next(iter(each.where.fields))).is_not_null()).then(each.points).otherwise(0.0)
        for _, each in held
        if each.points > 0
    )
    return table.select("contact", fit=100 * earned.clip(0, most) / most, fit_known=known / most)


def _expression(test: Any) -> pl.Expr:
    column = pl.col(test.field)
    expressions = {
        "ge": lambda: column >= test.value,
        "eq": lambda: column == test.value,
        "in": lambda: column.is_in(list(test.value)),
        "contains": lambda: column.str.contains(test.value, literal=True),
    }
    return expressions[test.op]()
