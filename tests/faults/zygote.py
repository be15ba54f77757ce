"""A process that has imported everything and opened nothing; it forks one child per task.

Starting a builder costs two seconds of imports, a fork costs none of them. Nothing of Chroma and no
thread of ours exists here, so a child is as good as new: it may open an index, be killed at any
moment, or be ended by a damaged file.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import sys
import traceback
import warnings
from pathlib import Path

PR_SET_PDEATHSIG = 1


def main() -> None:
    """Serve requests, a JSON object a line: `{"act": …}` forks a child, `{"reap": …}` buries it."""
    requests = os.fdopen(os.dup(0), encoding="utf-8")
    replies = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)  # nothing that a library prints may get between the replies
    warnings.simplefilter("ignore")
    _warm_up()
    for line in requests:
        request = json.loads(line)
        if "reap" in request:
            _, status = os.waitpid(request["reap"], 0)
            answer = {"status": os.waitstatus_to_exitcode(status)}
        else:
            answer = {"pid": _forked(request)}
        replies.write(json.dumps(answer) + "\n")
        replies.flush()


def _warm_up() -> None:
    import chromadb.api.shared_system_client  # noqa: F401
    from chromadb import PersistentClient  # noqa: F401

    from index.chunk import chunk
    from tests.faults import acts
    from tests.faults.world import article

    chunk(article(0, 0))  # loads the vocabulary
    assert acts.ACTS


def _forked(request: dict[str, object]) -> int:
    pid = os.fork()
    if pid:
        return pid
    status = 1
    try:
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        status = _act(request)
    except BaseException:  # noqa: BLE001 - the child ends here, whatever it was
        traceback.print_exc()
    os._exit(status)


def _act(request: dict[str, object]) -> int:
    from tests.faults.acts import ACTS

    result = ACTS[str(request["act"])](request["values"])
    path = Path(str(request["out"]))
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps(result), encoding="utf-8")
    partial.rename(path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
