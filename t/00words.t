#!/usr/bin/env python3
"""TAP test: no text file names a place on somebody's machine, and none carries invisible or forgotten things.

Looks at what git tracks or would track; without git, at the whole tree. Usage: t/00words.t [ROOT].
"""
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

LATER = "TO" + "DO"  # in two parts, so that this file passes its own test
RULES = [
    # name, files that it applies to, what must not occur
    ("no machine paths", r".*", re.compile(r"(?:(?<![\w.~}-])|(?<=-[IL]))/(?:work|root|farm)/")),
    ("no tabs in C files", r".*\.[ch]$", re.compile(r"\t")),
    ("no trailing blanks", r".*", re.compile(r"[ \t]+\r?$")),
    (f"every {LATER} has an issue number", r".*", re.compile(rf"(?<!`)\b{LATER}\b(?![ (:]{{0,2}}#\d+)")),
]
NOT_TEXT_OF_OURS = re.compile(r"t/fuzz/corpus/")  # bytes as they are
BUILT = re.compile(r"(build[^/]*|\.git|__pycache__)(/|$)")


def git(*arguments):
    """Of a hook that runs this test, git's variables would point to another repository."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    return subprocess.run(["git", *arguments], capture_output=True, env=clean)


def tracked_files(root):
    done = git("-C", str(root), "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    return [os.fsdecode(name) for name in done.stdout.split(b"\0") if name] if done.returncode == 0 else []


def all_files(root):
    names = (path.relative_to(root).as_posix() for path in root.rglob("*"))
    return [name for name in names if not any(BUILT.match(name[at:]) for at in [0] + slashes(name))]


def slashes(name):
    return [found.end() for found in re.finditer("/", name)]


def texts(root):
    """Yields (name, lines) of each text file of the project."""
    has_git = shutil.which("git") is not None and (root / ".git").exists()
    names = (tracked_files(root) if has_git else []) or all_files(root)
    for name in sorted(names):
        path = root / name
        if NOT_TEXT_OF_OURS.match(name) or path.is_symlink() or not path.is_file():
            continue
        content = path.read_bytes()
        if b"\0" not in content:
            yield name, content.decode("utf-8", errors="replace").split("\n")


def check(root):
    """Returns [(name, problems)]."""
    problems = {name: [] for name, _, _ in RULES}
    count = 0
    for name, lines in texts(root):
        count += 1
        for rule, applies_to, forbidden in RULES:
            if not re.match(applies_to, name):
                continue
            for number, line in enumerate(lines, 1):
                if forbidden.search(line):
                    problems[rule].append(f"{name}:{number}: {line.strip()[:100]}")
    found = [] if count else [f"no text file under {root}"]
    return [("there are files to check", found)] + list(problems.items())


BAD_TREE = {
    "path.md": "see /wo" + "rk/notes\n",
    "quoted.py": "open('/ro" + "ot/x')\nopen('file:///fa" + "rm/x')\n",
    "flags.txt": "cc -I/wo" + "rk/include\n",
    "src/tab.c": "\tint x;\n",
    "blank.txt": "fine\nnot fine \n",
    "windows.txt": "not fine \r\n",
    "later.c": f"/* {LATER}: some day */\n",
    "good.c": f"/* {LATER}(#12): known; {LATER} #13: too */\n",
    "good.md": f"frame/wo" + f"rk/x, $HOME/wo" + f"rk/x, `{LATER}` is a word\n\ttabs may be here\n",
    "data.bin": "\0 /wo" + "rk/ \n",
    "t/fuzz/corpus/seed": "/ro" + "ot/ \n",
    "build/log.txt": "/wo" + "rk/ \n",
}
BAD_LINES = ["blank.txt:2", "flags.txt:1", "later.c:1", "path.md:1", "quoted.py:1", "quoted.py:2", "src/tab.c:1", "windows.txt:1"]


def self_test(with_git):
    """Runs this file on a small tree that breaks every rule, and has look-alikes that break none."""
    with tempfile.TemporaryDirectory() as folder:
        for name, text in BAD_TREE.items():
            path = pathlib.Path(folder, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text.encode())
        if with_git:
            pathlib.Path(folder, ".gitignore").write_text("/build/\n")
            git("init", "-q", folder)
        done = subprocess.run([sys.executable, __file__, folder], text=True, capture_output=True)
    refused = sorted(re.findall(r"^#   (\S+?:\d+)", done.stdout, re.M))
    if done.returncode == 1 and refused == BAD_LINES:
        return []
    return [f"refused {refused}, not {BAD_LINES}; exit code {done.returncode}"] + done.stderr.splitlines()


def main():
    results = check(pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else pathlib.Path(__file__).parents[1])
    if len(sys.argv) == 1:
        results.append(("this test can fail", self_test(with_git=False)))
        if shutil.which("git"):
            results.append(("this test can fail in a git repository", self_test(with_git=True)))
    for number, (name, problems) in enumerate(results, 1):
        print(f"{'not ok' if problems else 'ok'} {number} - {name}")
        for problem in problems:
            print(f"#   {problem}")
    print(f"1..{len(results)}")
    return 1 if any(problems for _, problems in results) else 0


sys.exit(main())
