#!/usr/bin/env python3
"""TAP test: the Makefile at the top, as people use it, with the build that is under test."""
import os
import re
import signal
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "lib"))
from gomesh_test import *  # noqa: E402,F403
from gomesh_process import ROOT, clean_environment  # noqa: E402

ENVIRONMENT = {key: value for key, value in clean_environment(None).items() if not re.match("MAKE|MFLAGS", key)}


def make(*arguments):
    done = subprocess.run(
        ["make", "--no-print-directory", *arguments],
        cwd=ROOT,
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=deadline(120),
        check=False,
    )
    return done.returncode, done.stdout


def plan(*arguments):
    """What make would do, and what it would have other makes do."""
    code, text = make("--dry-run", "MAKE=:", *arguments)
    is_(code, 0, "make %s: can be planned" % " ".join(arguments))
    return text


def helps():
    code, text = make("help")
    is_(code, 0, "exit code 0")
    with open(os.path.join(ROOT, "Makefile"), encoding="utf-8") as file:
        targets = re.search(r"^\.PHONY: (.*)$", file.read(), re.M).group(1).split()
    listed = re.findall(r"^  make (\S+) ", text, re.M)
    is_(sorted(set(listed) - set(targets)), [], "it lists nothing that there is not")
    for name in ("run", "check", "check-asan", "check-tsan", "bench", "format", "clean"):
        ok(name in listed, "it lists " + name)


def plans():
    like(plan("run"), r"build/gomesh demo$", "make run starts the demo")
    like(plan("check"), r"-C build check$", "make check is the target inside the build")
    like(plan("bench"), r"deps/install build bench\n.*t/bench/run --gomesh .*build/gomesh$", "make bench")
    like(plan("clean"), r"^rm -rf build ", "make clean")
    like(plan("format"), r"clang-format -i ", "make format")


def clean():
    folder = os.path.join(temporary_folder(), "tree")
    os.makedirs(os.path.join(folder, "build", "below"))
    done = subprocess.run(["make", "-C", folder, "-f", os.path.join(ROOT, "Makefile"), "clean"], env=ENVIRONMENT, check=False,
                          stdout=subprocess.DEVNULL)
    is_((done.returncode, os.listdir(folder)), (0, []), "what was built is gone")


def run():
    """With ports of its own, so that it does not matter who has 8000 and 3000."""
    folder = os.path.dirname(GOMESH)
    if folder != os.path.join(ROOT, "build"):
        raise Skip("another build is under test")
    text = plan("run")
    command = [line for line in text.splitlines() if line.endswith("gomesh demo")][-1].split()
    port = free_port()
    demo = Process(command + ["-port", str(port), "-backend-port", str(free_port())], name="demo")
    demo.wait_line(r"Try: curl http://localhost:%d/api/users" % port)
    like(once(port, target="/api/users").text, r"Hello from the backend service!", "the curl that it names is answered")
    is_(demo.stop(signal.SIGINT), 0, "Ctrl+C ends it")


subtest("make help", helps)
subtest("what the targets do", plans)
subtest("make clean", clean)
subtest("make run", run)
done()
