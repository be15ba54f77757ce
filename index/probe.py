"""A look at Chroma's files in a process of its own: what they may end is not the one that serves.

    python -m index.probe GENERATION

The exit status is 0 if every probed vector is found. Files with the hashes they were published with
were opened and probed once, by the build, and need no second look; they get one where another
version of Chroma is to read them than wrote them.
"""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

from index.generation import Generation, Manifest
from index.verify import verify_vectors

log = logging.getLogger(__name__)

SETTING = "chroma"  # of a record: the version that wrote the files beside it
TIMEOUT_S = 60.0  # damaged files can make Chroma wait for ever


def chroma_version() -> str:
    """Return the version of Chroma that is installed."""
    return version("chromadb")


def is_safe(generation: Generation) -> bool:
    """Say whether this process may load a generation's Chroma files, whose hashes are right."""
    if generation.manifest.settings.get(SETTING) == chroma_version():
        return True
    package_parent = str(Path(__file__).resolve().parents[1])
    path = os.pathsep.join(filter(None, [package_parent, os.environ.get("PYTHONPATH")]))
    command = [sys.executable, "-P", "-W", "ignore", "-m", "index.probe", str(generation.path)]
    try:
        done = subprocess.run(
            command,
            env={**os.environ, "PYTHONPATH": path},
            capture_output=True,
            timeout=TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        log.warning("Chroma's files at %s could not be read in %.0f s.", generation.path, TIMEOUT_S)
        return False
    return done.returncode == 0


def main() -> None:
    """Probe the generation named on the command line."""
    path = Path(sys.argv[1]).resolve()
    generation = Generation(path, Manifest.read(path))
    sys.exit(bool(verify_vectors(generation.record_path, generation.chroma_path, published=True)))


if __name__ == "__main__":
    main()
