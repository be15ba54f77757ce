"""What the building process does before it builds."""

import os
import subprocess
import sys
import time

import pytest

from index.worker import NICENESS


@pytest.mark.skipif(not hasattr(os, "getpriority"), reason="this system knows no niceness")
def test_it_lets_others_have_the_processor_first():
    command = [sys.executable, "-P", "-m", "index.worker"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        usual = os.getpriority(os.PRIO_PROCESS, 0)
        try:
            for _ in range(600):  # a second or two of imports come first
                found = os.getpriority(os.PRIO_PROCESS, process.pid)
                if found != usual:
                    break
                time.sleep(0.05)
            assert found == min(19, usual + NICENESS)
        finally:
            process.kill()
