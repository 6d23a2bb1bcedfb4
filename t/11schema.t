#!/usr/bin/env python3
"""The pages printed from the option rows agree with each other, with what is in effect, and with the manual."""
import glob
import json
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "lib"))
from gomesh_test import *  # noqa: E402,F403
from gomesh_process import ROOT  # noqa: E402
from gomesh_schema import problems, read_yaml  # noqa: E402


def text_of(*names):
    with open(os.path.join(ROOT, *names), encoding="utf-8") as file:
        return file.read()


def schema_keys(schema, place=""):
    for name, part in schema.get("properties", {}).items():
        yield place + name
        yield from schema_keys(part, place + name + ".")
        yield from schema_keys(part.get("items", {}), place + name + "[].")


def key_paths(value, place=""):
    """The keys of a configuration, written as the reference does: routes[].match.host."""
    if isinstance(value, list):
        return {path for item in value for path in key_paths(item, place[:-1] + "[].")}
    found = set()
    for name, item in value.items() if isinstance(value, dict) else ():
        found |= {place + name} | key_paths(item, place + name + ".")
    return found


def dumped_keys(*arguments):
    return key_paths(read_yaml("\n".join(gomesh_run("-T", *arguments).out)))


def same_options():
    keys = list(schema_keys(json.loads(text_of("config", "proxy.schema.json"))))
    rows = re.findall(r"^\| (?:\*\*)?`([^`]+)`", text_of("config", "REFERENCE.md"), re.M)
    is_([re.sub(r"\[\]$", "", row) for row in rows], keys, "schema and reference list the same keys")
    certificate("all")
    full = (
        "proxy: { tls: { cert_file: all.crt, key_file: all.key } }\nroutes:\n"
        "  - { match: { host: a.x, path: { prefix: /a } }, backend: { host: b, port: 1 } }\n"
        "  - { match: { path: { exact: /b } }, backend: { host: b, port: 1 } }\n"
    )
    dumped = dumped_keys("-config", write_file("all.yaml", full))
    is_(
        sorted(dumped | {"proxy.backend.host", "proxy.backend.port", "proxy.backend"}),
        sorted(keys),
        "and a dump shows each of them",
    )


def shipped_files():
    files = glob.glob(os.path.join(ROOT, "config", "*.yaml")) + glob.glob(
        os.path.join(ROOT, "examples", "*", "*.yaml")
    )
    for path in sorted(files):
        name = os.path.relpath(path, ROOT)
        named = re.match(r"# yaml-language-server: \$schema=(\S+)\n", text_of(name))
        wanted = os.path.join(ROOT, "config", "proxy.schema.json")
        ok(
            named and os.path.samefile(os.path.join(os.path.dirname(path), named.group(1)), wanted),
            name + " names the schema",
        )
        run = gomesh_run("-t", "--json", "-config", path)
        errors = json.loads("\n".join(run.out))["errors"]
        # certificates are made when the example is tried
        left = [
            item["message"] for item in errors if not item["message"].endswith("No such file or directory")
        ]
        is_(left, [], name + " has no mistakes and no warnings")
        if run.code == 0:
            is_(
                sorted(key_paths(read_yaml(text_of(name))) - dumped_keys("-config", path)),
                [],
                "its keys are in effect",
            )


def the_manual():
    schema = json.loads(text_of("config", "proxy.schema.json"))
    blocks = re.findall(r"^```yaml\n(.*?)^```", text_of("README.md"), re.M | re.S)
    ok(len(blocks) >= 2, "%d configurations in README.md" % len(blocks))
    for number, text in enumerate(blocks, 1):
        is_(list(problems(schema, read_yaml(text))), [], "configuration %d in README.md conforms" % number)
    keys = set(schema_keys(schema))
    shown = set().union(*(key_paths(read_yaml(text)) for text in blocks))
    is_(
        sorted(keys - shown),
        ["routes[].match.path.exact"],
        "together they show every key but the other way to match a path",
    )


def guessed_names():
    schema = json.loads(text_of("config", "proxy.schema.json"))
    for text in ("port: 1", "timeouts: {}", "timeout: { read: 1s }", 'listen: ":1"', 'backend: "b:1"'):
        text = "proxy:\n  %s\n" % text
        run = gomesh_run("-t", "-config", write_file("guessed.yaml", text))
        is_(
            (run.code, bool(list(problems(schema, read_yaml(text))))),
            (0, True),
            "accepted, but an editor knows better: " + text.split("\n")[1],
        )


subtest("schema, reference and dump", same_options)
subtest("the files we ship", shipped_files)
subtest("the manual", the_manual)
subtest("names that are only guessed", guessed_names)
done()
