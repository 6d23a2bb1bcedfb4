#!/usr/bin/env python3
"""
Ten seconds of t/soak, or $GM_SOAK_SECONDS: mixed load leaves nothing behind, and drains cost nobody a request. Memory is
looked at in longer runs only.
"""
import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "lib"))
import gomesh_tap  # noqa: E402
from gomesh_test import *  # noqa: E402,F403

SECONDS = float(os.environ.get("GM_SOAK_SECONDS") or 10)
SOAK = os.path.join(os.path.dirname(os.path.realpath(__file__)), "soak")


def soak():
    command = [sys.executable, SOAK, "--seconds", "%g" % SECONDS, "--gomesh", GOMESH, "--engine", ENGINE]
    result = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS + deadline(180))
    for line in (result.stdout + result.stderr).splitlines()[-20:]:
        note(line)
    is_(result.returncode, 0, "nothing is left behind, and every answer was right")
    report = re.search(r"(?m)^drains under load: .*$", result.stdout)
    drains = re.findall(r"[1-9]\d* of the (proxy|middle)", report.group() if report else "")
    if ENGINE == "gomesh":  # the other one does not speak HTTP/2 to backends
        ok("middle" in drains, "a proxy behind it was drained while it served")
    ok("proxy" in drains, "and it was drained itself, under load")


if SECONDS > 60:
    gomesh_tap.watchdog.cancel()  # the soak has a time of its own
subtest("%g seconds of mixed load" % SECONDS, soak)
done()
