"""``engagekit demo``: an example, scored."""

import argparse
from pathlib import Path
from typing import Any

from engagekit import datafiles, demo, presets
from engagekit.cli.models import load_model
from engagekit.cli.reading import score_files
from engagekit.cli.score import deliver


def add(commands: Any) -> None:
    """Add the command."""
    shown = commands.add_parser("demo", help="score an example and show what comes out")
    shown.set_defaults(run=_demo)
    shown.add_argument("-o", "--output", metavar="OUT", help="where to write the full table")


def _demo(options: argparse.Namespace) -> None:
    example = demo.shipped_example()
    if options.output is not None:
        datafiles.check_target(options.output)
    if example is not None:
        print("A year of a real grocery shop: purchases, campaign mailings and coupons of its households.\n")
        events, contacts, model = (
            _from_here(path) for path in (example.events, example.contacts, example.model)
        )
        print(f"$ engagekit score {events} \\\n    --contacts {contacts} \\")
        print(f"    --model {model} --at latest\n")
        scores = score_files(
            load_model(str(example.model)), [example.events], contacts=example.contacts, at="latest"
        )
    else:
        print("A year of a dozen people, made up to be shown. The real example, a year of a grocery shop,")
        print("comes with the source: pip download --no-deps --no-binary engagekit engagekit\n")
        print(f"They are scored by the preset {demo.PRESET}; to see what it does:\n")
        print(f"$ engagekit check {demo.PRESET}\n")
        scores = presets.load(demo.PRESET).score(demo.made_up_events(), at=demo.AT)
    deliver(scores, output=options.output, top=10 if example is not None else len(scores))


def _from_here(path: Path) -> Path:
    """Name a file as one would type it."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
