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
        "proxy:\n"
        "  tls:\n"
        "    { cert_file: all.crt, key_file: all.key, client_ca_file: all.crt, client_auth: optional,\n"
        "      certificates: [{ cert_file: all.crt, key_file: all.key, names: [a] }] }\n"
        "  backend: &b { host: b, port: 1, tls: { ca_file: all.crt, server_name: a, cert_file: all.crt,"
        " key_file: all.key } }\n"
        "log: { access: { path: access.log } }\n"
        "policies: &p\n"
        "  - { access: { allow: 10.0.0.0/8, deny: 10.0.0.1 } }\n"
        "  - headers: { request: &h { set: [&v { name: X-A, value: a }], add: [*v], remove: X-B }, response: *h }\n"
        "  - { redirect: { host: a, port: 1, path: /a } }\n"
        "  - { rewrite: { host: a } }\n"
        "  - { logging: {} }\n"
        "  - { recovery: {} }\n"
        "  - { tracing: {} }\n"
        "  - { metrics: {} }\n"
        "routes:\n"
        "  - { match: { path: { prefix: /c } }, policies: [{ redirect: { prefix: /d } }] }\n"
        "  - match: { path: { prefix: /e } }\n"
        "    backend: *b\n"
        "    policies: [{ rewrite: { prefix: /f } }, { cors: { allow_origins: '*' } }]\n"
        "  - { match: { host: a.x, path: { prefix: /a } }, backend: *b }\n"
        "  - { match: { path: { exact: /b } }, backend: { host: b, port: 1 }, policies: *p }\n"
        "admin: { socket: all.sock }\n"
        "tracing:\n"
        "  otlp: { endpoint: 'https://a', headers: [*v], tls: { ca_file: all.crt, server_name: a, cert_file: all.crt,"
        " key_file: all.key } }\n"
    )
    dumped = dumped_keys("-config", write_file("all.yaml", full))
    dumped |= dumped_keys("-config", write_file("cors.yaml", "policies: [{ cors: { allow_origins: '*' } }]\n"))
    # what the path of a route is replaced by has no place outside of one
    dumped |= {"policies[].redirect.prefix", "policies[].rewrite.prefix"}
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
    is_(sorted(shown - keys), [], "they show no key that does not exist")
    reference = text_of("config", "REFERENCE.md")
    is_([key for key in sorted(keys) if "`%s" % key not in reference], [], "the reference has every key")


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


ROUTE = "routes: [{ %s, backend: { host: b, port: 1 } }]\n"
HOSTS = (
    "a a.b a_b.c-d A.B. 1a 1-2 a.1b 127.0.0.1 '::1' 'fe80::1' true '${GM_UNSET:-a}' 'a-${GM_UNSET:-b}'",
    "5 1.5 '5' 127.1 256.1.1.1 'a b' '-a' a- a..b .a 'a:80' 'http://a' größe null ~ '$${A}' '${1}' [a] {} '*'",
)
PATHS = (
    "/ /a /a/b/ /a.b /... /.a /a;b=c '/a,b' '/a%2Fb' '/%C3%BC' //a '/${GM_UNSET:-a}' '/$${A}'",
    "a 5 true '' null '/a b' '/a?b' '/a#b' '/ü' '/%2f' '/%zz' '/%' '/%41' '/%7E' '/%00' /a/../b /a/. /.. /./a [/a]",
)
PATHS_OF_REDIRECTS = (PATHS[0].replace("//a ", ""), PATHS[1])
TEXTS = (
    "a 5 -1.5 true 'a b' größe 'null' '~' '${GM_UNSET:-a}' 2024-01-01",
    "'' null ~ [] {}",
)
# what comes behind "%s", then values that parser and schema take, then those that both refuse
VALUES = {
    "proxy: { listen_port: %s }\n": (
        "1 80 65535 '1' '80' '0080' '9999' '10000' '65535' '${GM_UNSET:-80}' '8${GM_UNSET:-0}'",
        "0 65536 -1 80.5 '' '0' '65536' '70000' '99999' '100000' '-1' '80.0' ' 80' '80a' abc true null ~ [80] {} "
        "'${' '$${A}'",
    ),
    "proxy: { workers: %s }\n": (
        "1 256 auto '1' '2' '99' '100' '199' '249' '256' 'auto' '${GM_UNSET:-2}'",
        "0 257 1.5 '0' '257' '260' '300' '1000' Auto '' true null",
    ),
    "proxy: { limits: { max_connections: %s } }\n": (
        "1 10000 1000000 '7' '999999' '1000000' '${GM_UNSET:-7}'",
        "0 1000001 '0' '1000001' '2000000' 10k 1.5 false ~",
    ),
    "proxy: { limits: { max_request_body: %s } }\n": (
        "0 0MB '0' 1 1024 1099511627776 '1' '0001' 1B 1b 10KB 10kb 64KiB 64kIb 10MB 128MiB 1GB 1024GiB 1TiB 1tib '1099511627776' "
        "1099GB 1099511627KB '${GM_UNSET:-1MB}' '${GM_UNSET:-1}MB'",
        "-1 1.5 1099511627777 '' 1TB 10M 10K 1.5MiB '10 MB' 2TiB 1025GiB 1100GB 1099511628KB "
        "'1099511627777' MB many true null [1]",
    ),
    "proxy: { timeout: { read_timeout: %s } }\n": (
        "1ms 1s 30s 1m30s 1h 24h 24.0h 23.9h 1440m 86400s 86400000ms 1.5s 1.s .5s 0.5s 00.50s 01s 100us 1ns 0.1ns "
        "5µs 5μs 1h0m0s 0h1s 1.5h30m .5m.5s 23h59m60s '${GM_UNSET:-1s}' '${GM_UNSET:-1}s'",
        "0 30 1.5 0s 0ms 0.0h 0h0m 0ns '' '30' -5s +5s 30sec 2d soon '30 s' .s . s 1..5s 1.5.5s 25h 24.5h 1441m 86401s "
        "86400001ms 99999999999h 1m30 ms5 true null [1s]",
    ),
    "proxy: { timeout: { request_timeout: %s } }\n": ("0s 0ms 0.0h 0h0m 0ns .0s 0.s 1s 24h", "0 25h s '' ~"),
    "proxy: { trusted_proxies: %s }\n": (
        "10.0.0.0/8 10.1.2.3 '::1' 'fd00::/8' [] null [10.0.0.0/8,·'::1'] ['${GM_UNSET:-10.0.0.1}'] 0.0.0.0/0 '::/128'",
        "'' 5 true a example.com 10.0.0.0/33 10.0.0.0/ 10.0.0/8 '::/129' {} {a:·b} [a] [null] [[]] [''] [10.0.0.1,·a]",
    ),
    "log: { level: %s }\n": ("debug info warn error 'info' '${GM_UNSET:-info}'", "INFO inf 5 true '' null [info]"),
    "proxy: { normalize_path: %s }\n": ("strict off 'off' '${GM_UNSET:-off}'", "on false Off '' null [off]"),
    "log: { format: %s }\n": ("auto text json", "xml 1 false null"),
    "proxy: { listen_host: %s }\n": (HOSTS[0] + " '' 0.0.0.0 '::'", HOSTS[1]),
    "proxy: { backend: { host: %s } }\n": (HOSTS[0], HOSTS[1] + " ''"),
    "proxy: { backend: { port: %s } }\n": ("1 '1' '65535'", "0 '0' '65536' null"),
    ROUTE % "name: %s": TEXTS,
    ROUTE % "match: { host: %s }": (HOSTS[0] + " '*.a' '*.a.b' '[::1]'", HOSTS[1] + " '' '*.' '*.*.a' 'a.*' '[a]'"),
    ROUTE % "match: { path: { prefix: %s } }": PATHS,
    ROUTE % "match: { path: { exact: %s } }": PATHS,
    "routes: [{ backend: { host: b, port: %s } }]\n": ("1 '1' '65535'", "0 '0' '65536' null"),
    "routes: [{ backend: { host: %s, port: 1 } }]\n": (HOSTS[0], HOSTS[1] + " ''"),
    "proxy: { backend: %s }\n": (
        "null {} unix:/run/a.sock {host:·a} {port:·81} {host:·'unix:/a'} '${GM_UNSET:-unix:/a}' {host:·'${GM_UNSET:-unix:/a}'}",
        "'' 5 true [] unix:a 'unix:' {host:·'unix:a'} {host:·'unix:/a',·port:·1}",
    ),
    "routes: [{ backend: %s }]\n": ("{host:·a,·port:·1} unix:/a {host:·'unix:/a'}", "{host:·'unix:/a',·port:·1} {host:·unix} null ~ '' {} [] 5 {host:·a} {port:·1}"),
    "routes: %s\n": ("null ~ []", "{} 5 yes [null] [5] [a] [[]] [{}] [{backend:·null}] [{name:·a}]"),
    "routes: [{ match: %s, backend: { host: b, port: 1 } }]\n": ("null {} {path:·null} {host:·a}", "5 [] '' {a:·1}"),
    "proxy: %s\n": ("null ~ {}", "5 [] a '' true"),
    "proxy: { tls: %s }\n": (
        "null {certificates:·[{cert_file:·table.crt,·key_file:·table.key}]}",
        "{} [] true 5 {cert_file:·a} {key_file:·a} {certificates:·[{}]} {certificates:·[a]} {certificates:·{}} "
        "{cert_file:·a,·certificates:·[{cert_file:·table.crt,·key_file:·table.key}]}",
    ),
    "proxy: { backend: { tls: %s } }\n": (
        "null {} {verify:·true} {verify:·'false'} {server_name:·a.b} {ca_file:·table.crt} {verify:·'${GM_UNSET:-true}'}",
        "true [] 5 '' {verify:·no} {verify:·1} {verify:·null} {verify:·''} {server_name:·'a:1'} {ca_file:·null}",
    ),
    "proxy: { tls: { certificates: [{ cert_file: table.crt, key_file: table.key, names: %s }] } }\n": (
        "null [] a [a.b,·'*.a.b'] ['${GM_UNSET:-a}']",
        "'' [null] [''] ['a·b'] [[]] [{}] {} 5",
    ),
    "proxy: { timeout: %s }\n": ("null {}", "30s 5 []"),
    "log: %s\n": ("null {}", "debug 5 []"),
    "log: { access: { request_headers: %s } }\n": ("a [] null [User-Agent,·x!] '${GM_UNSET:-a}'", "'' 'a·b' [''] [ü] [[]] {} [null]"),
    "log: { access: { redact: %s, response_headers: [Cookie] } }\n": ("a [] [User-Agent,·Cookie]", "'' 'a·b' {}"),
    "metrics: { path: %s }\n": (PATHS[0] + " ''", PATHS[1].replace(" '' ", " ")),
    "metrics: { max_series: %s }\n": ("1 10000 '200' '${GM_UNSET:-5}'", "0 10001 '0' '10001' 1.5 true '' null"),
    "metrics: %s\n": ("null {}", "/metrics 5 [] true"),
    "policies: %s\n": (
        "null [] [{access:·{deny:·1.2.3.4}}] [{rewrite:·{host:·a}},{rewrite:·{host:·b}}] [{tracing:·null}] [{logging:·{}},{metrics:·{}}]",
        "{} 5 a [a] [null] [{}] [{a:·{}}] [{access:·{deny:·1.2.3.4},rewrite:·{host:·a}}] [{cors:·null}] [{cors:·{}}] [{access:·5}]",
    ),
    "policies: [{ headers: { request: { remove: %s } } }]\n": ("a X-A [X-A,·x!] '${GM_UNSET:-a}' true", "'' 'a·b' ['a:'] [[]] {}"),
    "policies: [{ headers: { request: { set: %s } } }]\n": (
        "[{name:·X-A,·value:·a}] [{name:·X-A,·value:·5}]",
        "{} [a] [{}] [{name:·a}] [{value:·a}] [{name:·'a·b',·value:·a}] [{name:·a,·value:·''}] [{name:·a,·value:·[b]}]",
    ),
    "policies: [{ redirect: { path: /a, status: %s } }]\n": ("301 302 303 307 308 '308'", "300 304 200 true null"),
    "policies: [{ redirect: { path: %s } }]\n": PATHS_OF_REDIRECTS,
    "policies: [{ logging: { sample: %s } }]\n": ("0 1 0.25 '0.5' auto '${GM_UNSET:-auto}'", "2 -1 Auto '' true null"),
    "policies: [{ logging: { slower_than: %s } }]\n": ("0s 1s 24h auto", "25h 5 Auto '' null"),
    "policies: [{ tracing: { enabled: %s } }]\n": ("true false auto 'false'", "yes 1 '' null"),
    "policies: [{ recovery: { on_failure: %s } }]\n": ("answer pass auto", "true retry null"),
    "policies: [{ rewrite: { host: %s } }]\n": (HOSTS[0], HOSTS[1] + " ''"),
    "routes: [{ policies: %s }]\n": ("[{redirect:·{path:·/a,·host:·b}}]", "5 {} [{}] [5] [{redirect:·5}]"),
    "x-a: %s\n": ("1 null [] {} a {a:·1}", ""),
}
TLS = "proxy: { tls: { cert_file: table.crt, key_file: table.key, %s: %s } }\n"


def agree(schema, yaml, valid, what):
    run = gomesh_run("-t", "-config", write_file("table.yaml", yaml))
    wrong = list(problems(schema, read_yaml(yaml)))
    is_((run.code, "refused" if wrong else "taken"), (0, "taken") if valid else (78, "refused"), what)


def values():
    schema = json.loads("\n".join(gomesh_run("schema").out))
    certificate("table")
    tables = dict(VALUES)
    tables[TLS % ("min_version", "%s")] = ("1.2 1.3 '1.2' '${GM_UNSET:-1.3}'", "1.1 1 2 1.25 '1' '1.25' TLS1.2 true null")
    tables[TLS % ("client_auth", "%s")] = ("auto", "no 1 true null ''")
    tables[TLS % ("client_ca_file", "%s")] = ("table.crt", "'' null []")
    tables[TLS % ("listen_port", "%s")] = ("1 '8444'", "0 '65536' null")
    for yaml, groups in tables.items():
        for valid, group in zip((True, False), groups):
            for value in re.findall(r"'[^']*'|\S+", group):
                value = value.replace("·", " ")
                agree(schema, yaml % value, valid, ("" if valid else "not ") + (yaml % value).strip())


def defaults():
    def visit(part, place):
        for name, below in part.get("properties", {}).items():
            if "default" in below:
                found[place + name] = below["default"]
                is_(list(problems(below, below["default"])), [], "%s%s: its default conforms" % (place, name))
            visit(below, place + name + ".")

    found = {}
    visit(json.loads("\n".join(gomesh_run("schema").out)), "")
    for key, value in (
        ("proxy.listen_port", 8000),
        ("proxy.backend.port", 3000),
        ("proxy.limits.max_connections", 10000),
        ("proxy.workers", "auto"),
        ("proxy.limits.max_request_body", 0),
        ("proxy.timeout.request_timeout", "0s"),
        ("proxy.tls.min_version", "1.2"),
        ("proxy.listen_host", ""),
    ):
        is_(found.get(key), value, "the default of %s is %r" % (key, value))


subtest("schema, reference and dump", same_options)
subtest("the files we ship", shipped_files)
subtest("the manual", the_manual)
subtest("names that are only guessed", guessed_names)
subtest("values that parser and schema take or refuse", values)
subtest("defaults", defaults)
done()
