"""The command line: score files of events, report, explain, compare, say what a model does, show one."""

import argparse
import os
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from engagekit import __version__, _core
from engagekit.cli import check, compare, example, explain, react, report, score
from engagekit.errors import EngagekitError

INTERRUPTED = 130
"""The exit code after Ctrl-C, as shells have it: 128 and the signal's number."""
WRONG_USAGE = 2
"""The exit code where the command cannot be told, as argparse has it."""
COMMANDS = (score, report, explain, compare, react, check, example)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    arguments
        What was typed after the program's name. None: of this process.

    Returns
    -------
    int
        0; or 1 if something about the input is wrong, told on standard error. Wrong usage exits with 2;
        so does no word at all, which shows the commands.
    """
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a terminal that cannot show a letter shows its number
            stream.reconfigure(errors="backslashreplace")
    if not (sys.argv[1:] if arguments is None else arguments):
        _parser().print_help(sys.stderr)
        return WRONG_USAGE
    options = _parser().parse_args(arguments)
    if arguments is None:  # in a process of its own, whose memory is the system's again soon
        _core.keep_memory()
    try:
        with _warnings_as_notes(quiet=getattr(options, "quiet", False)):
            options.run(options)
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever read the summary (`| head`) has seen enough. Python would complain once more when it exits.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except KeyboardInterrupt:
        print("engagekit: interrupted", file=sys.stderr)
        return INTERRUPTED
    except (EngagekitError, OSError, MemoryError) as error:
        print(f"engagekit: {_told(error)}", file=sys.stderr)
        return 1
    return 0


def _told(error: Exception) -> str:
    if isinstance(error, MemoryError):
        return "not enough memory; score fewer files at a time"
    return str(error)


@contextmanager
def _warnings_as_notes(*, quiet: bool) -> Iterator[None]:
    """Tell what the library warns of in the words of the command line, and nothing of other libraries."""
    with warnings.catch_warnings(record=True) as raised:
        warnings.simplefilter("ignore")
        warnings.filterwarnings("always", category=UserWarning, module="engagekit")
        yield
    for warning in raised if not quiet else ():
        said = str(warning.message).replace('at="latest"', "--at latest")
        print(f"engagekit: note: {said}", file=sys.stderr)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="engagekit",
        description="Score how engaged each contact is, from the events in files.",
        epilog="Try: engagekit demo",
    )
    parser.add_argument("--version", action="version", version=f"engagekit {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for command in COMMANDS:
        command.add(commands)
    return parser
