#!/usr/bin/env python3
"""Broken configurations: each mistake is told once, at its place, in words that say what to do."""
import json
import os
import re
import stat
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "lib"))
from gomesh_test import *  # noqa: E402,F403

FILE = "proxy.yaml"
SHOWN_BYTES_MAX = 160  # a longer line of the file is not repeated
VARIABLES = {"GM_PORT": "abc", "GM_TEXT": "7s", "GM_EMPTY": ""}
NO_TABS = (
    "error: YAML syntax: found character that cannot start any token (while scanning for the next token); "
    "indent with blanks, YAML does not allow tabs"
)

# name, file, lines; the others are in 10config.txt
ODD = (
    ("a tab as indentation", "proxy:\n\tlisten_port: 8000\n", "2:1: " + NO_TABS),
    ("a tab among blanks", "proxy:\n  backend:\n\t  host: a\n", "3:1: " + NO_TABS),
    ("binary junk", b"\x00\x01\x02\xff\xfe", "1:1: error: YAML syntax: control characters are not allowed"),
    ("a program", b"\x7fELF\x02\x01\x01\x00", "1:1: error: YAML syntax: control characters are not allowed"),
    (
        "all bytes there are",
        bytes(range(256)) * 10,
        "1:1: error: YAML syntax: control characters are not allowed",
    ),
    (
        "a bare escape character, which must not reach the terminal",
        'proxy: { listen_port: "\x1b[31m" }\n',
        "1:24: error: YAML syntax: control characters are not allowed",
    ),
    (
        "a NUL byte",
        b"proxy:\n  backend:\n    host: a\x00b\n",
        "3:12: error: YAML syntax: control characters are not allowed",
    ),
    (
        "an escaped NUL",
        'proxy:\n  backend:\n    host: "a\\0b"\n',
        "3:11: error: this text contains a NUL byte",
    ),
    (
        "Latin-1",
        b"proxy:\n  backend:\n    host: caf\xe9\n",
        "3:14: error: YAML syntax: incomplete UTF-8 octet sequence; save the file as UTF-8",
    ),
    (
        "UTF-16",
        "\ufeffproxy:\n".encode("utf-16-le"),
        "1:1: error: YAML syntax: invalid leading UTF-8 octet; save the file as UTF-8",
    ),
    ("70 levels", "[" * 70 + "]" * 70 + "\n", "1:65: error: nested deeper than 64 levels"),
    (
        "70 levels below a key",
        "x-a: " + "[" * 70 + "]" * 70 + "\n",
        "1:69: error: nested deeper than 64 levels",
    ),
    ("more than 1 MiB", "# " + "x" * (1 << 20), "error: larger than 1 MiB"),
    (
        "tabs before it",
        "proxy: {\tlisten_port:\t0 }\n",
        "1:23: error: listen_port: 0 is out of range, expected 1 to 65535",
    ),
    (
        "Windows line ends",
        "proxy:\r\n  listen_port: 0\r\n  workers: 0\r\n",
        "2:16: error: listen_port: 0 is out of range, expected 1 to 65535",
        '3:12: error: workers: "0" is neither "auto" nor a whole number from 1 to 256',
    ),
    (
        "a byte order mark",
        "\ufeffproxy:\n  listen_port: 0\n",
        "2:16: error: listen_port: 0 is out of range, expected 1 to 65535",
    ),
    (
        "a long key is cut between characters",
        "proxy:\n  x%s: 1\n" % ("ö" * 60),
        '2:3: error: unknown key "x%s?" in proxy' % ("ö" * 31),
    ),
    (
        "a long line is not repeated",
        "proxy:\n  listen_port: 0 # %s\n" % ("a" * 300),
        "2:16: error: listen_port: 0 is out of range, expected 1 to 65535",
    ),
    (
        "too many routes",
        "routes:\n"
        + "".join(
            "  - {match: {path: {prefix: /r%d}}, backend: {host: a, port: 1}}\n" % number
            for number in range(4097)
        ),
        "4098:5: error: more than 4096 routes",
    ),
)


def written_cases():
    """Yields (group, [(name, file, lines)]) of 10config.txt."""
    with open(os.path.splitext(os.path.realpath(__file__))[0] + ".txt", encoding="utf-8") as file:
        groups = file.read().split("\n##### ")[1:]
    for group in groups:
        title, *cases = group.split("\n=== ")
        parsed = []
        for case in cases:
            name, *lines = case.rstrip("\n").split("\n")
            yaml = "".join(line + "\n" for line in lines if not line.startswith(">>> "))
            parsed.append((name, yaml, [line[4:] for line in lines if line.startswith(">>> ")]))
        yield title, parsed


def visible(line):
    return "".join(" " if ord(char) < 0x20 or char == "\x7f" else char for char in line)


def count(number, noun):
    return "%d %s%s" % (number, noun, "" if number == 1 else "s")


def whole_output(source, lines, file=FILE):
    """All of stderr: each expected line, below it the line of the file and the caret, last the sum."""
    source_lines = [line.split(b"\0")[0] for line in re.split(b"\r?\n", source)]
    out, sums = [], {"error": 0, "warning": 0}
    for line in lines:
        row, column, kind = re.fullmatch(r"(?:(\d+):(\d+): )?(error|warning): .*", line).groups()
        sums[kind] += 1
        out.append("%s:%s%s" % (file, "" if row else " ", line))
        if row and len(source_lines[int(row) - 1]) <= SHOWN_BYTES_MAX:
            text = source_lines[int(row) - 1].decode("utf-8", "replace").replace("\ufffd", "?")
            out += ["    " + visible(text), "    " + " " * (int(column) - 1) + "^"]
    if sums["error"]:
        total = count(sums["error"], "error")
        total += " and " + count(sums["warning"], "warning") if sums["warning"] else ""
        out.append("%s in %s" % (total, file))
    return out


def check(*arguments, file=FILE):
    return gomesh_run("-t", *arguments, "-config", file, cwd=temporary_folder(), env=VARIABLES)


def check_case(name, yaml, lines):
    source = yaml if isinstance(yaml, bytes) else yaml.encode()
    write_file(FILE, source)
    result = check()
    broken = any("error: " in line for line in lines)
    good = is_(result.err, whole_output(source, lines), name)
    if good and (result.code, result.out) != (
        (78, []) if broken else (0, ["configuration %s is valid" % FILE])
    ):
        is_((result.code, result.out), 78 if broken else 0, "%s: exit code and stdout" % name)


def table(cases):
    for name, yaml, lines in cases:
        check_case(name, yaml, lines)


def the_words_of_the_manual():
    os.makedirs(os.path.join(temporary_folder(), "config"))
    file = "config/proxy.yaml"
    write_file(file, 'proxy:\n  listen_host: ""\n  backend:\n    host: localhost\n  listen_prt: 8000\n')
    result = check(file=file)
    is_(
        result.err,
        [
            'config/proxy.yaml:5:3: error: unknown key "listen_prt" in proxy; did you mean "listen_port"?',
            "      listen_prt: 8000",
            "      ^",
            "1 error in config/proxy.yaml",
        ],
        "a typo is told with its place, what was meant, and a caret",
    )
    is_((result.code, result.out), (78, []), "exit code 78, and nothing on stdout")
    yaml = (
        "proxy:\n  listen_port: 70000\n  backend: { host: localhost, port: 3000 }\n"
        "  timeout:\n    read_timeout: 30\nlogs:\n  level: info\n"
    )
    write_file(file, yaml)
    lines = [
        "2:16: error: listen_port: 70000 is out of range, expected 1 to 65535",
        '5:19: error: read_timeout: "30" has no unit; did you mean "30s"?',
        '6:1: error: unknown key "logs" in the file; did you mean "log"?',
    ]
    result = check(file=file)
    is_(result.err, whole_output(yaml.encode(), lines, file), "three mistakes, in order")
    is_(len([line for line in result.err if ": error: " in line]), 3, "exactly three errors")
    is_(result.err[-1], "3 errors in config/proxy.yaml", "counted")
    for arguments in (
        ("-config", file),
        ("proxy", "-config", file),
        ("-T", "-config", file),
        ("demo", "-c", file),
    ):
        other = gomesh_run(*arguments, cwd=temporary_folder())
        is_((other.code, other.err), (78, result.err), "gomesh %s says the same" % " ".join(arguments))


def many():
    yaml = "proxy:\n" + "".join("  key%04d: 1\n" % number for number in range(1500))
    write_file(FILE, yaml)
    result = check()
    shown = [line for line in result.err if ": error: " in line]
    is_(len(shown), 100, "the first 100 of 1500 errors are shown")
    is_(result.err[-1], "1500 errors in %s; the first 100 are shown" % FILE, "and all are counted")
    write_file(FILE, "x: 1\n" * 20000)
    start = now()
    is_(check().err[-1], "20000 errors in %s; the first 100 are shown" % FILE, "the same key 20000 times")
    ok(elapsed_since(start) < 10000, "in bearable time")


VALID = (
    ("an empty file", ""),
    ("blank lines", "\n \n\n"),
    ("comments only", "# nothing\n   # at all\n"),
    ("an empty document", "---\n...\n"),
    ("null", "~\n"),
    ("sections without keys", "proxy:\n  tls:\n  timeout:\n  limits:\n  backend:\nroutes:\nlog:\n"),
    ("no routes", "routes: []\n"),
    ("x- keys of any kind", "x-a: 1\nx-b: [1, {c: 2}]\nx-c: { listen_prt: 8000 }\n"),
    ("a byte order mark", "\ufeffproxy: { listen_port: 8001 }\n"),
    ("Windows line ends", "proxy:\r\n  listen_port: 8001\r\n"),
    ("JSON", '{"proxy": {"listen_port": 8001, "timeout": {"read_timeout": "1s"}}}\n'),
    ("numbers in quotes", 'proxy: { listen_port: "8001", workers: "2" }\n'),
    (
        "exact and prefix of one path",
        "routes:\n  - {match: {path: {exact: /a}}, backend: {host: a, port: 1}}\n"
        "  - {match: {path: {prefix: /a}}, backend: {host: a, port: 1}}\n",
    ),
    ("64 levels", "x-a: " + "[" * 62 + "]" * 62 + "\n"),
    ("just 1 MiB", "#" * ((1 << 20) - 1) + "\n"),
    ("1000 anchors", "x-a:\n" + "".join("  - &a%d 1\n" % number for number in range(1000))),
)


def valid():
    for name, yaml in VALID:
        check_case(name, yaml, [])
    write_file("pipe.yaml", "proxy: { listen_port: 0 }\n")
    fifo = os.path.join(temporary_folder(), "fifo")
    os.mkfifo(fifo)
    feeding = background(lambda: open(fifo, "w").write("proxy: { listen_port: 8001 }\n"))
    is_(check(file=fifo).out, ["configuration %s is valid" % fifo], "a pipe, as <(...) of a shell makes one")
    feeding.result()


def dump(yaml, env=None):
    """What acts: the effective configuration as text, and the warnings."""
    write_file(FILE, yaml)
    result = gomesh_run("-T", "-config", FILE, cwd=temporary_folder(), env=env)
    return "\n".join(result.out), [line for line in result.err if re.match(r"%s:" % FILE, line)]


NAMED = '"%s" is accepted; its name here is "%s"'
PAIR = '"host:port" is accepted for "backend"; written out it is { host: %s, port: %d }'
LISTEN = '"listen" is accepted; its names here are "listen_host" and "listen_port"'
TLS_GUESS = "proxy:\n  tls: { %s }\n"
# yaml, place and text of the one warning, what the dump must have
GUESSES = (
    ("proxy:\n  port: 8001\n", "2:3", NAMED % ("port", "listen_port"), "  listen_port: 8001"),
    ("proxy:\n  host: 127.0.0.1\n", "2:3", NAMED % ("host", "listen_host"), '  listen_host: "127.0.0.1"'),
    (
        "proxy:\n  timeouts: { read_timeout: 7s }\n",
        "2:3",
        NAMED % ("timeouts", "timeout"),
        "    read_timeout: 7s",
    ),
    ("proxy:\n  timeout: { read: 7s }\n", "2:14", NAMED % ("read", "read_timeout"), "    read_timeout: 7s"),
    (
        "proxy:\n  timeout: { write: 7s }\n",
        "2:14",
        NAMED % ("write", "write_timeout"),
        "    write_timeout: 7s",
    ),
    ("proxy:\n  timeout: { idle: 7s }\n", "2:14", NAMED % ("idle", "idle_timeout"), "    idle_timeout: 7s"),
    (
        "proxy:\n  timeout: { connect: 7s }\n",
        "2:14",
        NAMED % ("connect", "connect_timeout"),
        "    connect_timeout: 7s",
    ),
    (
        "proxy:\n  timeout: { request: 7s }\n",
        "2:14",
        NAMED % ("request", "request_timeout"),
        "    request_timeout: 7s",
    ),
    (
        "proxy:\n  timeout: { total: 7s }\n",
        "2:14",
        NAMED % ("total", "request_timeout"),
        "    request_timeout: 7s",
    ),
    (
        "proxy:\n  timeout: { shutdown: 7s }\n",
        "2:14",
        NAMED % ("shutdown", "shutdown_timeout"),
        "    shutdown_timeout: 7s",
    ),
    (
        'proxy:\n  backend: "a.example:81"\n',
        "2:12",
        PAIR % ("a.example", 81),
        '    host: "a.example"\n    port: 81',
    ),
    ('proxy:\n  backend: "[::1]:81"\n', "2:12", PAIR % ("::1", 81), '    host: "::1"\n    port: 81'),
    (
        "proxy:\n  backend: { hostname: b.example }\n",
        "2:14",
        NAMED % ("hostname", "host"),
        '    host: "b.example"',
    ),
    (
        "proxy:\n  backend: { address: 192.0.2.1 }\n",
        "2:14",
        NAMED % ("address", "host"),
        '    host: "192.0.2.1"',
    ),
    ('proxy:\n  listen: ":8001"\n', "2:11", LISTEN, '  listen_host: ""\n  listen_port: 8001'),
    ('proxy:\n  listen: "[::1]:8001"\n', "2:11", LISTEN, '  listen_host: "::1"\n  listen_port: 8001'),
    (
        "proxy:\n  limits: { max_body_size: 7KB }\n",
        "2:13",
        NAMED % ("max_body_size", "max_request_body"),
        "    max_request_body: 7000",
    ),
    ("logging: { level: warn }\n", "1:1", NAMED % ("logging", "log"), 'log:\n  level: "warn"'),
    (
        'routes:\n  - {name: a, backend: "a.example:81"}\n',
        "2:24",
        PAIR % ("a.example", 81),
        '      host: "a.example"\n      port: 81',
    ),
)


def guesses():
    for yaml, place, warning, effect in GUESSES:
        text, warnings = dump(yaml)
        is_(warnings, ["%s:%s: warning: %s" % (FILE, place, warning)], "one warning: " + warning)
        ok(effect + "\n" in text + "\n", "and it acts: " + " ".join(effect.split()))
        check_case("it is valid", yaml, ["%s: warning: %s" % (place, warning)])


def anchors():
    text, warnings = dump(
        "x-quick: &quick { read_timeout: 5s, write_timeout: 6s }\n"
        "x-home: &home { host: a.example, port: 81 }\n"
        "proxy:\n  timeout:\n    <<: *quick\n    write_timeout: 7s\n  backend: *home\n"
        "routes:\n  - { name: b, match: { host: b.example }, backend: *home }\n"
    )
    is_(warnings, [], "anchors, aliases and merge keys are silent")
    for part in (
        "read_timeout: 5s",
        "write_timeout: 7s",
        '\n    host: "a.example"',
        '\n      host: "a.example"',
    ):
        ok(part in text, "effective: " + part.strip())
    is_(text.count("port: 81"), 2, "an alias acts wherever it stands")


def variables():
    env = {"GM_PORT": "8123", "GM_HOST": "c.example", "GM_TIME": "9s", "GM_EMPTY": ""}
    text, warnings = dump(
        'proxy:\n  listen_port: ${GM_PORT}\n  listen_host: "${GM_EMPTY}"\n'
        '  backend: { host: "a-${GM_HOST}", port: "${GM_UNSET:-80}${GM_EMPTY:-81}" }\n'
        "  timeout: { read_timeout: '${GM_TIME}', write_timeout: \"${GM_UNSET:-8s}\" }\n"
        'routes:\n  - { name: "$${GM_PORT}", match: { path: { prefix: "/${GM_PORT}" } }, backend: "b:1" }\n',
        env,
    )
    is_(len(warnings), 1, "no warning but that for host:port")
    for part in (
        "listen_port: 8123",
        'listen_host: ""',
        'host: "a-c.example"',
        "port: 8081",
        "read_timeout: 9s",
        "write_timeout: 8s",
        'name: "$${GM_PORT}"',
        'prefix: "/8123"',
    ):
        ok(part in text, "effective: " + part)


def path_outside_ascii():
    def answer(request):
        return http_message("HTTP/1.1 200 OK", [], request.target.encode())

    route = 'routes: [{ match: { path: { prefix: "%s" } }, backend: { host: 127.0.0.1, port: %d } }]\n'
    port, origin = free_port(), Origin(answering(answer))
    write_file(FILE, "proxy: { listen_port: %d }\n" % port + route % ("/größe", origin.port))
    refused = check().err
    written = re.search('write "(.*)"$', refused[0] if refused else "")
    if not ok(written, "it is refused, and what to write is told"):
        return
    write_file(FILE, "proxy: { listen_port: %d }\n" % port + route % (written.group(1), origin.port))
    proxy = gomesh("-config", FILE, cwd=temporary_folder())
    proxy.wait_line(r"Press Ctrl\+C")
    for target in ("/gr%C3%B6%C3%9Fe", "/gr%c3%b6%c3%9fe", "/%67r%c3%B6%C3%9fe"):
        is_(once(port, target=target).text, "/gr%C3%B6%C3%9Fe", "written so, it matches a request for " + target)
    is_(once(port, target="/gr%C3%B6e").status, 404, "and no other")
    is_(proxy.stop(), 0, "exit code 0")


# --- files of the TLS listener ------------------------------------------------------------------------------


def tls(cert, key, more=""):
    return "proxy:\n  tls:\n    cert_file: %s\n    key_file: %s\n%s" % (cert, key, more)


def make_files():
    folder = temporary_folder()
    certificate("good")
    certificate("other")
    expired_certificate("expired")
    write_file("text.pem", "no certificate at all\n")
    with open(os.path.join(folder, "good.crt")) as file:
        good = file.read()
    write_file("damaged.crt", good + "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
    os.makedirs(os.path.join(folder, "folder"))
    for arguments in (
        ("pkey", "-in", "good.key", "-aes256", "-passout", "pass:secret", "-out", "locked.key"),
        (
            "req",
            "-x509",
            "-newkey",
            "rsa:1024",
            "-nodes",
            "-subj",
            "/CN=weak",
            "-keyout",
            "weak.key",
            "-out",
            "weak.crt",
        ),
    ):
        paths = [
            os.path.join(folder, part) if part.endswith((".key", ".crt")) else part for part in arguments
        ]
        result = openssl(*paths)
        if result.returncode:
            raise AssertionError(result.stderr.decode())


def tls_files():
    want_tool("openssl")
    make_files()
    no_file, no_cert, no_key = (
        "No such file or directory",
        "-----BEGIN CERTIFICATE-----",
        "-----BEGIN PRIVATE KEY-----",
    )
    check_case("certificate and key", tls("good.crt", "good.key"), [])
    check_case(
        "neither is there",
        tls("nope.crt", "nope.key"),
        [
            '3:16: error: cert_file "nope.crt": ' + no_file,
            '4:15: error: key_file "nope.key": ' + no_file,
        ],
    )
    check_case(
        "no certificate", tls("nope.crt", "good.key"), ['3:16: error: cert_file "nope.crt": ' + no_file]
    )
    check_case("no key", tls("good.crt", "nope.key"), ['4:15: error: key_file "nope.key": ' + no_file])
    check_case(
        "a folder that is none",
        tls("text.pem/good.crt", "good.key"),
        ['3:16: error: cert_file "text.pem/good.crt": Not a directory'],
    )
    check_case("a folder", tls("folder", "good.key"), ['3:16: error: cert_file "folder": is a folder'])
    check_case(
        "a folder as the key", tls("good.crt", "folder"), ['4:15: error: key_file "folder": is a folder']
    )
    check_case(
        "no PEM certificate",
        tls("text.pem", "good.key"),
        ['3:16: error: cert_file "text.pem" has no PEM certificate (%s)' % no_cert],
    )
    check_case(
        "no PEM key",
        tls("good.crt", "text.pem"),
        ['4:15: error: key_file "text.pem" has no PEM private key (%s)' % no_key],
    )
    check_case(
        "the two exchanged",
        tls("good.key", "good.crt"),
        ['3:16: error: cert_file "good.key" has no PEM certificate (%s)' % no_cert],
    )
    check_case(
        "a key of another certificate",
        tls("good.crt", "other.key"),
        ['4:15: error: key_file "other.key" does not fit the certificate in "good.crt"'],
    )
    check_case(
        "a key with a passphrase",
        tls("good.crt", "locked.key"),
        ['4:15: error: key_file "locked.key" is protected by a passphrase; remove it with "openssl pkey"'],
    )
    check_case(
        "an expired certificate is a warning",
        tls("expired.crt", "expired.key"),
        ['3:16: warning: the certificate in "expired.crt" has expired; clients will refuse it'],
    )
    with open(os.path.join(temporary_folder(), "good.crt")) as file:
        line = file.read().count("\n") + 1
    check_case(
        "a damaged chain",
        tls("damaged.crt", "good.key"),
        [
            '3:16: error: cert_file "damaged.crt" is damaged: the certificate that begins in line %d cannot be '
            "decoded; copy the file again from where it was issued" % line
        ],
    )
    check_case(
        "a weak key",
        tls("weak.crt", "weak.key"),
        ['3:16: error: cert_file "weak.crt" cannot be used: ee key too small'],
    )
    check_case(
        "a file that is not there, besides other mistakes",
        tls("nope.crt", "good.key", '    min_version: "1.1"\n    listen_port: 8000\n'),
        [
            '3:16: error: cert_file "nope.crt": ' + no_file,
            '5:18: error: min_version: "1.1" is not one of 1.2, 1.3; did you mean "1.2"?',
            "6:18: error: tls.listen_port is the same as proxy.listen_port; they need two ports",
        ],
    )
    check_case(
        "the same port, where TLS has its default",
        "proxy:\n  listen_port: 8443\n  tls: { cert_file: good.crt, key_file: good.key }\n",
        ["2:16: error: tls.listen_port is the same as proxy.listen_port; they need two ports"],
    )
    check_case(
        "the TLS listener as its own backend",
        tls("good.crt", "good.key", "    listen_port: 3000\n"),
        ["5:18: error: the backend localhost:3000 is this proxy itself: requests would go round in a circle"],
    )
    for short, name in (
        ("cert", "cert_file"),
        ("certificate", "cert_file"),
        ("key", "key_file"),
        ("port", "listen_port"),
    ):
        keys = {"cert_file": "good.crt", "key_file": "good.key", "listen_port": "8444"}
        yaml = "proxy:\n  tls:\n    %s: %s\n" % (short, keys.pop(name))
        yaml += "".join("    %s: %s\n" % pair for pair in keys.items())
        check_case("%s for %s" % (short, name), yaml, ["3:5: warning: " + NAMED % (short, name)])
        ok("listen_port: 8444" in dump(yaml)[0], "and it acts")


def unreadable_files():
    if os.geteuid() == 0:
        raise Skip("root may read everything")
    certificate("closed")
    path = os.path.join(temporary_folder(), "closed.key")
    os.chmod(path, 0)
    check_case(
        "a key that only others may read",
        tls("closed.crt", "closed.key"),
        ['4:15: error: key_file "closed.key": Permission denied'],
    )
    os.chmod(path, stat.S_IRUSR)


def relative_names():
    certificate("near")
    os.makedirs(os.path.join(temporary_folder(), "sub"), exist_ok=True)
    file = "sub/relative.yaml"
    write_file(file, tls("../near.crt", "nope.key"))
    is_(
        check(file=file).err[0],
        '%s:4:15: error: key_file "sub/nope.key": No such file or directory' % file,
        "file names are relative to the configuration, not to where one stands",
    )
    path = os.path.join(temporary_folder(), "near.")
    write_file(file, tls(path + "crt", path + "key"))
    is_(check(file=file).code, 0, "absolute names stay as they are")


# --- the file itself, and JSON ------------------------------------------------------------------------------


def the_file_itself():
    folder = temporary_folder()
    for name, what, why in (
        ("missing.yaml", "a file that is not there", "cannot be opened: No such file or directory"),
        (folder, "a folder", "is not a file"),
        ("/dev/null", "a device", "is not a file"),
    ):
        result = check(file=name)
        is_(
            (result.code, result.out, result.err),
            (78, [], ["%s: error: %s" % (name, why), "1 error in %s" % name]),
            "%s: %s" % (what, why),
        )


def as_json():
    files = [(name, yaml, lines) for _group, cases in written_cases() for name, yaml, lines in cases][::6]
    files += [(name, yaml, list(lines)) for name, yaml, *lines in ODD]
    files += [
        ("valid", "proxy:\n", []),
        ("a warning alone", GUESSES[0][0], ["2:3: warning: " + GUESSES[0][2]]),
    ]
    files.append(("an escape", 'proxy: { "a\\e\\"b": 1 }\n', None))
    for name, yaml, lines in files:
        write_file(FILE, yaml)
        result = check("--json")
        answer = json.loads("\n".join(result.out))
        found = []
        for item in answer["errors"]:
            place = "%d:%d: " % (item["line"], item["column"]) if item["line"] else ""
            found.append("%s%s: %s" % (place, item["severity"], item["message"].replace("\ufffd", "?")))
            ok(
                item["file"] == FILE and set(item) == {"severity", "file", "line", "column", "message"},
                "members",
            )
        broken = any(item["severity"] == "error" for item in answer["errors"])
        if lines is None:
            is_(
                found,
                ['1:10: error: unknown key "a\x1b"b" in proxy'],
                "%s: what is in the file, unchanged" % name,
            )
        else:
            is_(found, lines, "%s: the same as JSON" % name)
        is_((answer["file"], answer["valid"]), (FILE, not broken), "%s: file and verdict" % name)
        is_(
            (result.code, result.err),
            (78 if broken else 0, []),
            "%s: exit code, and nothing on stderr" % name,
        )


total = len(ODD)
for group_title, group_cases in written_cases():
    total += len(group_cases)
    subtest(group_title, table, group_cases)
subtest("odd bytes", table, [(case[0], case[1], list(case[2:])) for case in ODD])
ok(total >= 150, "%d broken configurations" % total)
subtest("in the manual's words", the_words_of_the_manual)
subtest("very many mistakes", many)
subtest("valid files", valid)
subtest("what people guess", guesses)
subtest("anchors", anchors)
subtest("variables", variables)
subtest("a path outside ASCII", path_outside_ascii)
subtest("files for TLS", tls_files)
subtest("files that may not be read", unreadable_files)
subtest("relative file names", relative_names)
subtest("the file itself", the_file_itself)
subtest("--check --json", as_json)
done()
