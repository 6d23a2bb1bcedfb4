#!/usr/bin/env python3
"""Ten seconds of t/soak: mixed load leaves nothing behind. Memory is looked at in longer runs only."""
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "lib"))
from gomesh_test import *  # noqa: E402,F403

SOAK = os.path.join(os.path.dirname(os.path.realpath(__file__)), "soak")


def soak():
    command = [sys.executable, SOAK, "--seconds", "10", "--gomesh", GOMESH, "--engine", ENGINE]
    result = subprocess.run(command, capture_output=True, text=True, timeout=deadline(100))
    for line in (result.stdout + result.stderr).splitlines()[-20:]:
        note(line)
    is_(result.returncode, 0, "nothing is left behind, and every answer was right")


subtest("ten seconds of mixed load", soak)
done()
