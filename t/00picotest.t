#!/usr/bin/env python3
"""TAP test: deps/picotest, on which all unit tests stand: what passes, what fails, and what is said of it."""
import os
import shlex
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "lib"))
from gomesh_test import *  # noqa: E402,F403
from gomesh_process import ROOT  # noqa: E402

PICOTEST = os.path.join(ROOT, "deps", "picotest")


def outcome(body):
    """Exit code, stdout and stderr of a test with this main()."""
    source = write_file("own.c", '#include "picotest.h"\n#include <stddef.h>\n%s\n' % body)
    program = os.path.join(temporary_folder(), "own")
    compiler = shlex.split(os.environ.get("CC", "cc"))
    sources = [source, os.path.join(PICOTEST, "picotest.c")]
    subprocess.run(compiler + ["-I" + PICOTEST, "-o", program] + sources, check=True)
    done = subprocess.run([program], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)
    return done.returncode, done.stdout.splitlines(), done.stderr


def passing():
    code, out, err = outcome("int main(void) { ok(1); ok(2 > 1); return done_testing(); }")
    is_((code, len(out), err), (0, 3, ""), "exit code 0, a line for each check and the plan")
    like(out[0], r"^ok 1 - .*own\.c:3$", "which says where it stands")
    is_(out[-1], "1..2", "the plan")


def failing():
    code, out, err = outcome("int main(void) { ok(1); ok(1 > 2); ok(1); return done_testing(); }")
    is_(code, 1, "exit code 1")
    is_([line.split(" - ")[0] for line in out], ["ok 1", "not ok 2", "ok 3", "1..3"], "the checks behind it run")
    like(err, r"# failed: 1 > 2\n#     at: .*own\.c:3\n# 1 of 3 failed\n\Z", "what failed, and where")


def empty():
    code, out, _ = outcome("int main(void) { return done_testing(); }")
    is_((code, out), (1, ["1..0"]), "a test without a check fails")


def subtests():
    body = """
static void good(void) { ok(1); note("seen %d", 7); }
static void bad(void) { ok(0); }
static void nothing(void) {}
int main(void) { subtest("good", good); subtest("bad", bad); subtest("nothing", nothing); return done_testing(); }
"""
    code, out, _ = outcome(body)
    is_(code, 1, "exit code 1")
    top = [line for line in out if not line.startswith(("    ", "#"))]
    is_(top, ["ok 1 - good", "not ok 2 - bad", "not ok 3 - nothing", "1..3"], "one that is bad, or has no check, fails")
    ok("    # seen 7" in out and "    1..1" in out, "their own lines are indented")


subtest("checks that pass", passing)
subtest("a check that fails", failing)
subtest("no checks", empty)
subtest("subtests", subtests)
done()
