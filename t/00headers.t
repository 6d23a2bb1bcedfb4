#!/usr/bin/env python3
"""TAP test: every header compiles alone, can be included twice, and says in its first line what it is.

Usage: t/00headers.t [ROOT]. $CC names the compiler, $CPPFLAGS adds to its flags.
"""
import concurrent.futures
import os
import pathlib
import re
import shlex
import subprocess
import sys
import tempfile

FLAGS = ["-std=gnu11", "-DH2O_USE_EPOLL=1", "-Isrc", "-fsyntax-only", "-Werror", "-Wall"]
FIRST_LINE = re.compile(r"/\* \S[^:]*: \S.* \*/$")


def first_line_problem(path):
    first = path.read_text(encoding="utf-8", errors="replace").partition("\n")[0]
    return None if FIRST_LINE.match(first) else "the first line is not '/* thing: what it is */': " + first


def compile_problem(root, header):
    """Twice, since a missing include guard shows only then."""
    command = shlex.split(os.environ.get("CC", "cc")) + FLAGS + shlex.split(os.environ.get("CPPFLAGS", ""))
    program = f'#include "{header}"\n#include "{header}"\n'
    done = subprocess.run(command + ["-x", "c", "-"], cwd=root, input=program, text=True, capture_output=True)
    return None if done.returncode == 0 else done.stderr.strip() or f"{command[0]} failed"


def check(root):
    """Yields (name, problem or None) per check."""
    headers = sorted((root / "src").rglob("*.h"))
    yield "there are headers", None if headers else f"no header under {root / 'src'}"
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        names = [header.relative_to(root / "src").as_posix() for header in headers]
        for header, name, problem in zip(headers, names, pool.map(lambda n: compile_problem(root, n), names)):
            yield f"src/{name}", "\n".join(filter(None, [first_line_problem(header), problem])) or None


def self_test():
    """Runs this file on a small tree of which it must refuse all headers but one."""
    files = {
        "good.h": "/* good: compiles */\n#ifndef G_H\n#define G_H\n#include <stddef.h>\nsize_t good(void);\n#endif\n",
        "dependent.h": "/* dependent: forgets an include */\nsize_t dependent(void);\n",
        "unguarded.h": "/* unguarded: no include guard */\nstruct unguarded { int x; };\n",
        "nameless.h": "#ifndef N_H\n#define N_H\n#endif\n",
    }
    with tempfile.TemporaryDirectory() as folder:
        source = pathlib.Path(folder, "src", "room")
        source.mkdir(parents=True)
        for name, text in files.items():
            (source / name).write_text(text)
        done = subprocess.run([sys.executable, __file__, folder], text=True, capture_output=True)
    refused = set(re.findall(r"^not ok \d+ - src/room/(\S+)", done.stdout, re.M))
    expected = set(files) - {"good.h"}
    if done.returncode == 1 and refused == expected:
        return None
    return f"refused {sorted(refused)}, not {sorted(expected)}; exit code {done.returncode}\n{done.stdout}{done.stderr}"


def main():
    results = list(check(pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else pathlib.Path(__file__).parents[1]))
    if len(sys.argv) == 1:
        results.append(("this test can fail", self_test()))
    for number, (name, problem) in enumerate(results, 1):
        print(f"{'ok' if problem is None else 'not ok'} {number} - {name}")
        for line in (problem or "").splitlines():
            print(f"#   {line}")
    print(f"1..{len(results)}")
    return 1 if any(problem is not None for _, problem in results) else 0


sys.exit(main())
