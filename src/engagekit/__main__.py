"""Run the command line: ``python -m engagekit``."""

import sys

from engagekit.cli import main

if __name__ == "__main__":
    sys.exit(main())
