"""Use an installed engagekit with nothing but its own dependencies: no frame library, not the checkout."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import numpy as np

import engagekit as ek

for library in ("pandas", "polars", "pyarrow", "duckdb"):
    assert importlib.util.find_spec(library) is None, f"{library} is installed: this proves nothing"
checkout = Path(__file__).resolve().parent.parent
assert checkout not in Path(ek.__file__).resolve().parents, f"this is the checkout: {ek.__file__}"

model = ek.Model(
    name="smoke",
    rules=[
        ek.Rule(name="visit", on="visit", points=10, decay=ek.Decay.half_life("7d")),
        ek.Rule(name="order", on="order", points=1, amount=ek.Amount(), decay=ek.Decay.none()),
    ],
)
events = {
    "contact": np.array([1, 2, 1, 3]),
    "type": np.array(["visit", "visit", "order", "nothing"]),
    "time": np.array(["2026-01-01", "2026-01-08", "2026-01-08", "2026-01-08"], dtype="datetime64[us]"),
    "value": np.array([0.0, 0.0, 45.0, 0.0]),
}
scores = model.score(events, at="2026-01-08").frame
assert scores["contact"].tolist() == [1, 2, 3], scores
assert scores["score"].tolist() == [50.0, 10.0, 0.0], scores
assert scores["engagement"].tolist()[0] == 50.0, scores
assert list(scores["level"]) == ["high", "low", "none"], scores
card = model.score(events, at="2026-01-08").card(1)
assert "Why 50.0 points" in card.html and card.gauge.startswith("<svg"), card
assert ek.presets.load("saas").rules, "a preset that ships with the package has no rules"

command = Path(sys.executable).parent / "engagekit"
for call in ([str(command), "--help"], [sys.executable, "-m", "engagekit", "--help"]):
    shown = subprocess.run(call, check=True, capture_output=True, text=True).stdout
    assert "score" in shown, shown
checked = subprocess.run([str(command), "check", "saas"], check=True, capture_output=True, text=True).stdout
assert checked.strip(), "engagekit check printed nothing"
print(f"engagekit from {Path(ek.__file__).parent}: scored, checked, helped")
