#!/usr/bin/env python3
"""
The examples, as their READMEs say: every ```sh block is run in a copy, with free ports. A line that ends in
" &" is a program that stays; an ```output block is what the commands before it print, where … stands for
anything; a ```log block is what the proxy logs.
"""
import os
import re
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "lib"))
from gomesh_test import *  # noqa: E402,F403
from gomesh_process import ROOT, clean_environment  # noqa: E402

PORTS = ("8000", "8443", "3000", "3001", "3002", "50051")


def copy_with_ports():
    """A folder like the repository, with examples/ whose ports are free; returns it and the ports."""
    folder = os.path.join(temporary_folder(), "root")
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(
        os.path.join(ROOT, "examples"),
        os.path.join(folder, "examples"),
        ignore=shutil.ignore_patterns("*.pem", "node_modules"),
    )
    ports = {port: str(free_port()) for port in PORTS}
    for place, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(place, name)
            with open(path, encoding="utf-8") as file:
                text = file.read()
            with open(path, "w", encoding="utf-8") as file:
                file.write(re.sub(r"\b(%s)\b" % "|".join(PORTS), lambda match: ports[match.group()], text))
    return folder


def start(line, folder):
    """A program that stays, until it says that it is ready."""
    arguments = line[: -len(" &")].split()
    ok(arguments[0] in ("build/gomesh", "node"), line)
    process = gomesh(*arguments[1:], cwd=folder) if arguments[0] != "node" else Process(arguments, cwd=folder)
    process.wait_line(r"Press Ctrl\+C|Ready to receive")
    return process


NPM = {"npm_config_fetch_retries": "0", "npm_config_update_notifier": "false", "npm_config_ignore_scripts": "true"}


def run_line(line, folder):
    """Runs a command to its end; returns what it prints, as whole lines. Skips what needs a registry that is away."""
    program = line.split()[0]
    if program in ("npm", "node"):
        want_tool(program)
    done = subprocess.run(
        ["sh", "-c", line],
        cwd=folder,
        env=clean_environment(dict(NPM, CURL_HOME=folder, npm_config_cache=os.path.join(folder, "npm"))),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        timeout=deadline(120),
        check=False,
    )
    if program == "npm" and done.returncode:
        raise Skip("the npm registry is away, or does not have what the example needs")
    if not is_(done.returncode, 0, line):
        note("%s: %s" % (program, done.stderr.decode("utf-8", "replace")))
    text = done.stdout.decode()
    return text if text.endswith("\n") or not text else text + "\n"


def run_readme(name):
    folder = copy_with_ports()
    with open(os.path.join(folder, "examples", name, "README.md"), encoding="utf-8") as file:
        blocks = re.findall(r"^```(\w+)\n(.*?)^```$", file.read(), re.M | re.S)
    kinds = [kind for kind, _text in blocks]
    is_(set(kinds) - {"sh", "output", "log"}, set(), "every block is one that this test knows")
    ok("sh" in kinds and "output" in kinds, "it has commands, and says what they print")
    printed, proxy = "", None
    for kind, text in blocks:
        if kind == "sh":
            printed = ""
            for line in text.splitlines():
                if line.endswith(" &"):
                    process = start(line, folder)
                    proxy = process if "-config" in line else proxy
                else:
                    printed += run_line(line, folder)
        elif kind == "output":
            pattern = re.escape(text).replace("…", ".+")
            ok(re.fullmatch(pattern, printed), "they print what the README says") or note(printed)
        elif kind == "log":
            for line in text.splitlines():
                proxy.wait_line(re.escape(line) + "$|" + re.escape(line) + r"\W")
                ok(True, "the log shows: " + line)


names = sorted(
    name
    for name in os.listdir(os.path.join(ROOT, "examples"))
    if os.path.isdir(os.path.join(ROOT, "examples", name))
)
ok(len(names) >= 3, "there are examples")
for name in names:
    subtest(name, run_readme, name)
with open(os.path.join(ROOT, "examples", "README.md"), encoding="utf-8") as file:
    listed = re.findall(r"^\| \[(\w+)\]", file.read(), re.M)
is_(sorted(listed), names, "examples/README.md lists them all")
if shutil.which("git") and os.path.exists(os.path.join(ROOT, ".git")):
    listed = subprocess.check_output(["git", "ls-files", "examples"], cwd=ROOT).decode().splitlines()
    ok("examples/README.md" in listed, "git knows the examples")
    is_(
        [path for path in listed if path.endswith((".pem", ".key", ".crt"))],
        [],
        "but no key and no certificate",
    )
done()
