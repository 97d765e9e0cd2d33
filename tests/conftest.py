"""Settings of all tests: how hypothesis looks for counterexamples, and where the oracle is found."""

import os
import sys
from pathlib import Path

from hypothesis import HealthCheck, settings

# Test modules are imported by path (importlib mode), their helpers beside them by name.
sys.path.insert(0, str(Path(__file__).parent))

COMMON = {
    "deadline": None,
    "print_blob": True,
    "suppress_health_check": [
        HealthCheck.too_slow,
        HealthCheck.data_too_large,
        HealthCheck.large_base_example,
    ],
}
settings.register_profile("usual", max_examples=100, **COMMON)
# The same examples every time: what lands a change judges that change, not the luck of a draw.
settings.register_profile("ci", max_examples=100, derandomize=True, database=None, **COMMON)
settings.register_profile("thorough", max_examples=2000, **COMMON)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "usual"))
