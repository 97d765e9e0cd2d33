"""Programs that are interrupted as a user would do it."""

import signal
import subprocess
import sys


def assert_interruptible(program):
    """Start a program that says that it is ready, and see Ctrl-C end it."""
    with subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    assert process.returncode != 0
    assert "KeyboardInterrupt" in errors
