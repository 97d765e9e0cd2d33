"""``engagekit check``: what a model does, in plain words."""

import argparse
from typing import Any

from engagekit.cli.models import KNOWN, load_model
from engagekit.describe import describe


def add(commands: Any) -> None:
    """Add the command."""
    check = commands.add_parser("check", help="say in plain words what a model does, or list its faults")
    check.set_defaults(run=_check)
    check.add_argument("model", metavar="MODEL", help=KNOWN)


def _check(options: argparse.Namespace) -> None:
    model = load_model(options.model)
    print(describe(model))
    print(f"\nNo faults. Fingerprint: {model.fingerprint}")
