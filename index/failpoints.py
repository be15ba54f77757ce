"""Named moments of a build at which the fault tests end it.

`ARTICLE_QA_FAILPOINT=mid_embed:2` kills the building process when it comes to that moment for the
second time; `before_rename:1:full` lets the disk be full there. Unset, as always in use, a
failpoint is one look at a variable. The idea is that of PostgreSQL's injection points: much cheaper
than random kills to reproduce a failure with.
"""

from __future__ import annotations

import errno
import os
import signal
from collections import Counter

VARIABLE = "ARTICLE_QA_FAILPOINT"
NAMES = (
    "after_parse",  # a source is parsed, not stored
    "record_commit",  # a source is stored
    "mid_embed",  # vectors are computed, not stored
    "mid_vectors",  # Chroma holds some of the vectors
    "manifest_written",  # the staging folder is whole, not synced
    "before_rename",  # everything is on the disk
    "after_rename",  # the folder has its name, CURRENT still names the old one
    "before_prune",  # the new generation is in service, old ones are still there
)
_passed: Counter[str] = Counter()


def failpoint(name: str) -> None:
    """Do nothing, unless the tests chose this moment.

    Raises:
        OSError: ENOSPC, where the tests want the disk to be full.
    """
    chosen = os.environ.get(VARIABLE)
    if chosen is None:
        return
    wanted, _, rest = chosen.partition(":")
    if wanted != name:
        return
    number, _, action = rest.partition(":")
    _passed[name] += 1
    if _passed[name] == int(number or 1):
        if action == "full":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        os.kill(os.getpid(), signal.SIGKILL)
