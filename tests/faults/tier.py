"""How often each fault is tried: a little in every test run, much by `make faults`.

`ARTICLE_QA_FAULTS=t1` chooses the large sizes. With no failure in n tries, the rate of failures is
below 3 / n with 95 % certainty: 300 kills say "less than one in a hundred".
"""

from __future__ import annotations

import os
from dataclasses import dataclass

VARIABLE = "ARTICLE_QA_FAULTS"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tier:
    """The sizes of every test in this folder."""

    articles: int  # in the index that is killed at a random time
    kills: int  # at a random time
    files_share: float  # of the killed builds, those that read files
    per_failpoint: int  # kills at each named moment
    call_faults: int  # system calls made to fail, of all calls and errors together
    disks: tuple[int, ...]  # sizes of a small disk, in MB
    repairs: int  # builds over damaged files, at most
    server_kills: int  # during 20 answers
    writers: int  # times that two builds meet
    swaps: int  # generations published under four reading threads
    examples: int  # of the state machine
    steps: int  # of each example
    operations: int  # of the long run
    corpora: int  # random ones whose words are counted by hand
    timeout_s: int  # of one test


T0 = Tier(
    articles=30,
    kills=3,
    files_share=0.2,
    per_failpoint=1,
    call_faults=0,
    disks=(12,),
    repairs=2,
    server_kills=1,
    writers=2,
    swaps=4,
    examples=3,
    steps=8,
    operations=60,
    corpora=100,
    timeout_s=300,
)
T1 = Tier(
    articles=200,
    kills=300,
    files_share=0.2,
    per_failpoint=10,
    call_faults=40,
    disks=(4, 6, 8, 10, 12, 16, 24, 32),
    repairs=100,
    server_kills=50,
    writers=50,
    swaps=50,
    examples=200,
    steps=40,
    operations=5_000,
    corpora=5_000,
    timeout_s=3_600,
)
# Read when the tests are collected: later on, the settings of whoever runs them are forgotten.
TIER = {"t0": T0, "t1": T1}[os.environ.get(VARIABLE, "t0")]
