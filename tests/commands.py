"""The command line as tests call it: arguments in, exit code, output and errors out."""

from collections.abc import Callable

import pytest

from engagekit.cli import main

Out = Callable[..., tuple[int, str, str]]


def runner(capsys: pytest.CaptureFixture[str]) -> Out:
    """Return a function that runs a command and gives its exit code, output and errors."""

    def run(*arguments: str) -> tuple[int, str, str]:
        capsys.readouterr()
        try:
            code = main(list(arguments))
        except SystemExit as stop:
            code = int(stop.code or 0)
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run
