#!/usr/bin/env python3
"""What a user does once: install, build in the wrong place, run the dependency script."""
import os
import re
import shutil
import stat
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "lib"))
from gomesh_test import *  # noqa: E402,F403
from gomesh_process import ROOT  # noqa: E402


def run(*argv, env=None, cwd=ROOT):
    environment = dict(os.environ, **(env or {}))
    for name in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS"):  # of the make that runs the tests
        environment.pop(name, None)
    done = subprocess.run(
        argv,
        cwd=cwd,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=deadline(200),
        check=False,
    )
    return done.returncode, done.stdout.decode("utf-8", "replace")


def install(prefix):
    """Installs what is built beside the binary under test; returns the folder that stands for /."""
    target = os.path.join(temporary_folder(), "root-of-" + os.path.basename(prefix))
    build = os.path.dirname(GOMESH)
    code, text = run("cmake", "--install", build, "--prefix", prefix, env={"DESTDIR": target})
    if not is_(code, 0, "cmake --install --prefix " + prefix):
        note(text)
    return target


def unit_in(target, prefix):
    with open(os.path.join(target + prefix, "lib/systemd/system/gomesh.service"), encoding="utf-8") as file:
        return file.read()


def installation():
    target = install("/usr")
    binary = os.path.join(target, "usr/bin/gomesh")
    ok(os.stat(binary).st_mode & stat.S_IXUSR, "/usr/bin/gomesh")
    is_(run(binary, "--version")[0], 0, "it runs")
    config = os.path.join(target, "etc/gomesh/proxy.yaml")
    with open(config, encoding="utf-8") as file:
        schema = re.search(r"\$schema=(\S+)", file.read()).group(1)
    valid = (0, "configuration %s is valid\n" % config)
    is_(run(binary, "-t", "-config", config), valid, "/etc/gomesh/proxy.yaml is valid")
    with open(os.path.join(os.path.dirname(config), schema), encoding="utf-8") as file:
        is_(
            file.read(),
            run(binary, "schema")[1],
            "the schema that it names lies beside it, and is this binary's",
        )
    unit = unit_in(target, "/usr")
    pattern = r"(?m)^ExecStart=/usr/bin/gomesh -config /etc/gomesh/proxy\.yaml$"
    like(unit, pattern, "/usr/lib/systemd/system/gomesh.service with the right paths")
    like(unit, r"(?m)^Type=notify$", "that waits for READY")
    unlike(unit, r"@\w+@", "and nothing left to fill in")
    for name in ("README.md", "LICENSE"):
        ok(
            os.path.getsize(os.path.join(target, "usr/share/doc/gomesh", name)),
            "/usr/share/doc/gomesh/" + name,
        )
    if not shutil.which("systemd-analyze"):
        return skip("systemd-analyze verify", "systemd-analyze is not installed")
    local = write_file("gomesh.service", unit.replace("ExecStart=/usr/bin/gomesh", "ExecStart=" + binary))
    code, text = run("systemd-analyze", "verify", local)
    is_(code, 0, "systemd-analyze verify: " + text.strip()[:200])
    unlike(text, r"gomesh\.service:\d+: |Unknown", "and it has nothing to say about it")


def other_prefix():
    unit = unit_in(install("/usr/local"), "/usr/local")
    like(unit, r"(?m)^ExecStart=/usr/local/bin/gomesh -config /etc/gomesh/proxy.yaml$", "the unit follows the prefix")
    target = install("/home/me/.local")
    config = "/home/me/.local/etc/gomesh/proxy.yaml"
    like(unit_in(target, "/home/me/.local"), r" -config %s\n" % re.escape(config), "a prefix of one's own has its own etc")
    ok(os.path.exists(target + config), "with the configuration")
    ok(not os.path.exists(target + "/etc"), "and leaves /etc alone")
    with open(target + config, "a") as file:
        file.write("# mine\n")
    install("/home/me/.local")
    with open(target + config) as file:
        like(file.read(), "# mine\n\\Z", "a file that was edited stays")


def in_source_build():
    folder = os.path.join(temporary_folder(), "copy")
    os.makedirs(folder)
    shutil.copy(os.path.join(ROOT, "CMakeLists.txt"), folder)
    code, text = run("cmake", ".", cwd=folder)
    ok(code != 0, "cmake . fails")
    unlike(text, "compiler identification", "at once")
    like(
        re.sub(r"\s+", " ", text),
        r'GoMesh is not built inside its sources\. Run "make", or "cmake -S \. -B build"',
        "with a sentence that says what to do",
    )


def tool(folder, name, script=None):
    """Puts a program into a folder: this machine's own, or a shell script in its place."""
    path = os.path.join(folder, name)
    if script is None:
        os.symlink(shutil.which(name), path)
        return
    with open(path, "w", encoding="utf-8") as file:
        file.write("#!/bin/sh\n" + script)
    os.chmod(path, 0o755)


def tools():
    """A folder for $PATH with nothing in it but these."""
    folder = tempfile.mkdtemp(prefix="tools-", dir=temporary_folder())
    for name in ("sh", "sed", "awk", "dirname", "cat", "env"):
        tool(folder, name)
    return folder


def dependencies():
    """The package tools are scripts: no test installs anything, and what this machine has does not matter."""
    answer = "for name; do case $name in -*|*=*%s) ;; *) printf 'installed=%%s ' $name ;; esac; done\n"
    system = tools()
    tool(system, "apt-get", 'echo "apt-get $*"\n')
    tool(system, "id", "echo 0\n")
    tool(system, "dpkg-query", answer % "")
    is_(run("deps/install", env={"PATH": system}), (0, ""), "silent where nothing is missing")
    tool(system, "dpkg-query", answer % "|libyaml-dev")
    code, text = run("deps/install", "build", env={"PATH": system})
    is_(code, 0, "one package is missing: exit code 0")
    like(text, r"\Adeps/install: missing: libyaml-dev\n", "it is named")
    like(text, r"(?m)^apt-get .*install --no-install-recommends libyaml-dev$", "and installed, and no other")
    tool(system, "id", "echo 1000\n")
    code, text = run("deps/install", "build", env={"PATH": system})
    is_(code, 1, "neither root nor sudo: exit code 1")
    like(text, r"as root: apt-get install .*libyaml-dev$", "and the command to give to somebody who is")
    tool(system, "sudo", 'echo "sudo $*"\n')
    like(
        run("deps/install", "build", env={"PATH": system})[1],
        r"(?m)^sudo .*apt-get .*libyaml-dev$",
        "with sudo",
    )
    code, text = run("deps/install", env={"PATH": tools()})
    is_(code, 1, "without apt-get: exit code 1")
    ok("libh2o-evloop-dev" in text and "libyaml-dev" in text, "and the list of packages")
    is_(run("deps/install", "nonsense")[0], 64, "an unknown group: exit code 64")


subtest("cmake --install", installation)
subtest("another prefix", other_prefix)
subtest("a build inside the sources", in_source_build)
subtest("deps/install", dependencies)
done()
