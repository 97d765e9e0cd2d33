"""Build the one extension module; everything else about the package stands in pyproject.toml.

Switches, read from the environment (any non-empty value turns one on):

``ENGAGEKIT_DEBUG``
    check bounds, indices and uninitialised views in the kernel; keep symbols, optimise little
``ENGAGEKIT_SANITIZE``
    compile with the address and undefined-behaviour sanitizers; ``thread``: with the thread sanitizer
``ENGAGEKIT_COVERAGE``
    trace lines, so that coverage reports reach into the Cython source
"""

import os
from pathlib import Path

from setuptools import Extension, setup

HERE = Path(__file__).resolve().parent
DEBUG, SANITIZE, COVERAGE = (
    bool(os.environ.get(f"ENGAGEKIT_{name}")) for name in ("DEBUG", "SANITIZE", "COVERAGE")
)

directives = {
    "language_level": "3",
    "boundscheck": DEBUG,
    "wraparound": False,
    "initializedcheck": DEBUG,
    "cdivision": True,
    "embedsignature": False,
    "autotestdict": False,
    "auto_pickle": False,
    "linetrace": COVERAGE,
}

# The same bits on every machine: no -march=native, no -ffast-math, no contraction into fused operations.
compile_flags = ["-std=gnu11", "-ffp-contract=off", "-fno-trapping-math", "-fno-math-errno"]
compile_flags += ["-Wno-unused-function"]
compile_flags += ["-O1", "-g", "-UNDEBUG"] if DEBUG or SANITIZE else ["-O3", "-g0"]
link_flags: list[str] = []
if SANITIZE:
    found = "thread" if os.environ["ENGAGEKIT_SANITIZE"] == "thread" else "address,undefined"
    sanitizers = [f"-fsanitize={found}", "-fno-sanitize-recover=undefined", "-fno-omit-frame-pointer"]
    compile_flags += sanitizers
    link_flags += sanitizers


def parts() -> list[str]:
    """List the files that the extension's one source includes, relative to this folder as setuptools asks."""
    package = HERE / "src" / "engagekit"
    found = sorted([*package.glob("*.pxi"), *package.glob("*.h")])
    return [path.relative_to(HERE).as_posix() for path in found]


core = Extension(
    "engagekit._core",
    sources=["src/engagekit/_core.pyx"],
    depends=parts(),
    include_dirs=["src/engagekit"],
    libraries=["m"],
    define_macros=[("CYTHON_TRACE_NOGIL", "1")] if COVERAGE else [],
    extra_compile_args=compile_flags,
    extra_link_args=link_flags,
)
core.cython_directives = directives  # read by Cython's build_ext, which setuptools uses for a .pyx

# Forced, because a change of a switch shows in no file's date: a debug build would be taken for a release.
setup(ext_modules=[core], options={"build_ext": {"force": True}})
