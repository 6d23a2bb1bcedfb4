#!/usr/bin/env python3
"""Every flag, every command, every exit code, as a user types them."""
import glob
import json
import os
import pty
import re
import signal
import socket
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "lib"))
from gomesh_test import *  # noqa: E402,F403
from gomesh_process import ROOT  # noqa: E402
from gomesh_schema import problems, read_yaml  # noqa: E402

MINIMAL = "proxy: { listen_port: %d, backend: { host: 127.0.0.1, port: 1 } }\nlog: { format: text }\nadmin: { listen: off }\n"


def text_of(process):
    return "\n".join(process.out), "\n".join(process.err)


def spellings():
    path = write_file("named.yaml", MINIMAL % 8001)
    for flags in (["-config", path], ["--config", path], ["-config=" + path], ["-c", path], ["--c=" + path]):
        run = gomesh_run("-t", *flags)
        is_((run.code, run.out), (0, ["configuration %s is valid" % path]), " ".join(flags[:1]))
    for flag in ("-t", "--t", "-check", "--check"):
        is_(gomesh_run(flag, "-config", path).code, 0, flag)
    for flag in ("-T", "--dump", "-dump"):
        ok("  listen_port: 8001" in gomesh_run(flag, "-config", path).out, flag)
    is_(gomesh_run("proxy", "-t", "-config", path).code, 0, "the command's name may be written")


def sources():
    folder = os.path.join(temporary_folder(), "place")
    os.makedirs(os.path.join(folder, "config"))
    named, by_variable = write_file("a.yaml", MINIMAL % 8001), write_file("b.yaml", MINIMAL % 8002)
    usual = os.path.join(folder, "config", "proxy.yaml")
    with open(usual, "w") as file:
        file.write(MINIMAL % 8003)

    def taken(*flags, env=None, cwd=folder):
        return gomesh_run("-t", *flags, env=env, cwd=cwd).out

    env = {"GOMESH_CONFIG": by_variable}
    is_(taken("-config", named, env=env), ["configuration %s is valid" % named], "first the flag")
    is_(taken(env=env), ["configuration %s is valid" % by_variable], "then $GOMESH_CONFIG")
    is_(taken(env={"GOMESH_CONFIG": ""}), ["configuration config/proxy.yaml is valid"], "then config/proxy.yaml")
    run = gomesh_run("-t", "-config", "missing.yaml", cwd=folder)
    is_((run.code, run.err[0]), (78, "missing.yaml: error: cannot be opened: No such file or directory"), "a named file that is missing")
    run = gomesh_run("-t", env={"GOMESH_CONFIG": "missing.yaml"}, cwd=folder)
    is_(run.code, 78, "also when the variable names it")
    os.remove(usual)
    os.symlink("nowhere", usual)
    run = gomesh_run("-t", cwd=folder)
    is_((run.code, run.err[0]), (78, "config/proxy.yaml: error: cannot be opened: No such file or directory"), "a link to nowhere is no lack of a file")
    if os.path.exists("/etc/gomesh/proxy.yaml"):
        skip("the defaults", "/etc/gomesh/proxy.yaml exists")
    else:
        empty = os.path.join(temporary_folder(), "empty")
        os.makedirs(empty)
        is_(taken(cwd=empty), ["no configuration file found; the defaults are valid"], "then the defaults")


def start_says_what_it_took():
    port = free_port()
    path = write_file("say.yaml", MINIMAL % port)
    proxy = gomesh("-config", path)
    proxy.wait_line(START_LINE)
    is_(proxy.out[0], "[INFO] Loading configuration from: " + path, "which file")
    is_(proxy.stop(), 0, "exit code 0")
    port = free_port()
    proxy = gomesh("proxy", "--from", "127.0.0.1:%d" % port, "--to", "localhost:1")
    proxy.wait_line(r"Press Ctrl\+C")
    ok(proxy.find(r'"msg":"Running without a configuration file"'), "or that there is none")
    is_(proxy.stop(), 0, "exit code 0")


def from_and_to():
    backend, port = Backend(), free_port()
    proxy = gomesh("proxy", "--from", ":%d" % port, "--to", "localhost:%d" % backend.port)
    proxy.wait_line(r"Press Ctrl\+C")
    is_(once(port, target="/health").text, "OK", "it forwards")
    is_(proxy.stop(), 0, "exit code 0")
    if has_ipv6():
        port = free_port()
        proxy = gomesh("proxy", "--from", "[::1]:%d" % port, "--to", "localhost:%d" % backend.port)
        proxy.wait_line(r"Press Ctrl\+C")
        is_(listening_hosts(port), {"::1"}, "one IPv6 address only")
    for flags in (["--from", "8000"], ["--to", "localhost"], ["--to", ":3000"], ["--from", ":99999"], ["--from", "a b:1"]):
        run = gomesh_run("proxy", *flags)
        ok(run.code == 64 and run.err[0].startswith("error: "), " ".join(flags) + ": " + run.err[0])
    run = gomesh_run("-t", "--from", ":8000", "--to", "localhost:3000")
    is_((run.code, run.out), (0, ['"--from" and "--to" are valid']), "they can be checked")
    run = gomesh_run("proxy", "--from", ":1", "-config", "x")
    is_(run.code, 64, "not together with -config")


def listening_hosts(port):
    hosts = set()
    for family, host in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
        with socket.socket(family) as client:
            if client.connect_ex((host, port)) == 0:
                hosts.add(host)
    return hosts


def dump():
    certificate("dump")
    text = (
        "proxy: { listen_port: 81, tls: { cert_file: dump.crt, key_file: dump.key }, workers: 3, timeout: { read: 90s } }\n"
        "routes:\n- match: { host: \"*.x\", path: { exact: /h } }\n  backend: { host: \"::1\", port: 2 }\n"
        "- name: rest\n  backend: { host: b, port: 3 }\n"
    )
    first = gomesh_run("-T", "-config", write_file("first.yaml", text))
    is_(first.code, 0, "exit code 0")
    is_(first.out[0], "# the effective configuration of %s" % os.path.join(temporary_folder(), "first.yaml"), "which it is")
    second = gomesh_run("-T", "-config", write_file("second.yaml", "\n".join(first.out) + "\n"))
    is_((second.code, second.out[1:], second.err), (0, first.out[1:], []), "the dump, loaded, gives the same dump and no warning")
    third = gomesh_run("-T", "-config", "first.yaml", cwd=temporary_folder())
    is_(third.out[1:], first.out[1:], "names of files are whole, wherever it is printed")
    is_(gomesh_run("-T", "--to", "a:1").out[0], "# the effective configuration of the command line", "without a file")
    ok("    read_timeout: 1m30s" in first.out and "  workers: 3" in first.out, "with the values given")
    ok("    write_timeout: 30s" in first.out and "    shutdown_timeout: 10s" in first.out, "and the defaults")
    ok('    name: "rest"' in first.out or '  - name: "rest"' in first.out, "and the routes")
    run = gomesh_run("-T", "-config", write_file("bad.yaml", "proxy: 1\n"))
    is_((run.code, run.out), (78, []), "nothing of a broken file")


def versions_and_help():
    run = gomesh_run("--version")
    like(text_of(run)[0], r"^GoMesh \d+\.\d+\.\d+ \(libh2o 2\.\d+\.\d+, OpenSSL 3\.\S+ .*libyaml \d+\.\d+\.\d+\)$", "three libraries")
    is_(run.code, 0, "exit code 0")
    for flags in (["--help"], ["-h"], ["help"], ["help", "help"], ["help", "-h"], ["help", "proxy"], ["proxy", "-help"]):
        run = gomesh_run(*flags)
        ok(run.code == 0 and any("usage: gomesh" in line for line in run.out), " ".join(flags))
    run = gomesh_run("--help")
    ok(len(run.out) <= 23, "the help fits a screen: %d lines" % len(run.out))
    is_([line for line in run.out if len(line) > 80], [], "80 columns")
    for word in ("proxy", "backend", "demo", "schema", "reference", "healthcheck", "status", "-config", "-check", "-dump", "-production", "-from", "-to"):
        ok(any(re.search(r"(^|\s)%s\b" % re.escape(word), line) for line in run.out), "it names " + word)
    for flags in (["backend", "-h"], ["help", "backend"]):
        ok("/sse" in "\n".join(gomesh_run(*flags).out), "the backend's help names its pages: " + " ".join(flags))
    for command, words in (("demo", ("-port", "-backend-port")), ("status", ("-admin", "-config")), ("healthcheck", ("-admin", "-ready"))):
        run = gomesh_run(command, "--help")
        is_([line for line in run.out if len(line) > 80], [], "80 columns: the help of " + command)
        for word in words:
            ok(any(re.match(r"  %s\b" % word, line) for line in run.out), "it names " + word)
        ok(not any("-production" in line for line in run.out), "and nothing that is not for it")


def mistakes():
    circle = "error: %s: the backend %s is this proxy itself: requests would go round in a circle; choose another port for one of them"
    for flags, wanted in (
        (["--verson"], 'error: unknown option "--verson"; did you mean "-version"?'),
        (["-confg", "x"], 'error: unknown option "-confg"; did you mean "-config"?'),
        (["prxy"], 'error: unknown command "prxy"; did you mean "proxy"?'),
        (["zebra"], 'error: unknown command "zebra"'),
        (["-config"], 'error: "-config" needs a value: FILE'),
        (["backend", "-config", "x"], 'error: "-config" does not go with this command'),
        (["proxy", "file.yaml"], 'error: unexpected argument "file.yaml"'),
        (["backend", "-port", "0"], "error: -port: 0 is out of range, expected 1 to 65535"),
        (["demo", "-port", "x"], None),
        (["-json"], 'error: "-json" goes with "-check"'),
        (["-t", "-T"], 'error: "-check" and "-dump" do not go together; "-dump" checks, too'),
        (["--from", "8000"], 'error: --from: "8000" has no port, expected host:port such as 127.0.0.1:8080 or [::1]:8080'),
        (["--from", ":-1"], 'error: --from: the port in ":-1": -1 is out of range, expected 1 to 65535, as in 127.0.0.1:8080'),
        (["--to", ":80"], 'error: --to: ":80" has no host, expected host:port such as 127.0.0.1:8080 or [::1]:8080'),
        (["--from", ":81", "--to", "localhost:81"], circle % ("--from :81 with --to localhost:81", "localhost:81")),
        (["--from", ":3000"], circle % ("--from :3000 with --to localhost:3000 (the default)", "localhost:3000")),
        (["-t", "--json", "--to", "[::1]:8000"], circle % ("--from :8000 (the default) with --to [::1]:8000", "[::1]:8000")),
        (["demo", "-port", "3000"], circle % ("-port 3000 with -backend-port 3000 (the default)", "localhost:3000")),
        (["demo", "-backend-port", "0"], "error: -backend-port: 0 is out of range, expected 1 to 65535"),
        (["help", "nope"], 'error: unknown command "nope"'),
        (["help", "demmo"], 'error: unknown command "demmo"; did you mean "demo"?'),
        (["version"], 'error: unknown command "version"; did you mean "--version"?'),
        (["-V"], 'error: unknown option "-V"; did you mean "-version"?'),
        (["backend", "-C"], 'error: unknown option "-C"'),
        (["hlep"], 'error: unknown command "hlep"; did you mean "help"?'),
        (["help", "demo", "x"], 'error: unexpected argument "x"'),
        (["-t", "-config", ""], 'error: "-config" needs a value: FILE'),
        (["demo", "-c="], 'error: "-config" needs a value: FILE'),
        (["demo", "-config", "x", "-port", "8001"], 'error: "-config" names a file with both ports; leave out "-port"'),
        (["demo", "-config", "x", "-backend-port", "3001"], 'error: "-config" names a file with both ports; leave out "-backend-port"'),
    ):
        run = gomesh_run(*flags, env={"GOMESH_CONFIG": "/dev/null"})
        ok(run.code == 64 and (wanted is None or run.err[0] == wanted), "%s: %s" % (" ".join(flags), run.err[0]))
        is_(run.out, [], "nothing on stdout")


def pages():
    with open(os.path.join(ROOT, "config", "proxy.schema.json"), encoding="utf-8") as file:
        committed = file.read()
    is_("\n".join(gomesh_run("schema").out) + "\n", committed, "config/proxy.schema.json is up to date")
    with open(os.path.join(ROOT, "config", "REFERENCE.md"), encoding="utf-8") as file:
        is_("\n".join(gomesh_run("reference").out) + "\n", file.read(), "config/REFERENCE.md is up to date")
    schema = json.loads(committed)
    is_(
        sorted(schema["properties"]),
        ["admin", "log", "metrics", "policies", "proxy", "routes", "tracing"],
        "the schema is JSON, with the sections",
    )
    with open(os.path.join(ROOT, "config", "proxy.yaml"), encoding="utf-8") as file:
        is_(file.readline(), "# yaml-language-server: $schema=./proxy.schema.json\n", "config/proxy.yaml names the schema")
    run = gomesh_run("-t", "-config", os.path.join(ROOT, "config", "proxy.yaml"))
    is_((run.code, run.err), (0, []), "config/proxy.yaml is valid")


def full_disk():
    path = write_file("full.yaml", MINIMAL % 8001)
    for flags in (["schema"], ["reference"], ["--help"], ["help"], ["backend", "-h"], ["--version"], ["-T", "-config", path], ["-t", "-config", path]):
        with open("/dev/full", "w") as full:
            run = gomesh_run(*flags, stdout=full)
        wanted = (1, ["error: standard output cannot be written: No space left on device"])
        is_((run.code, run.err), wanted, "full: " + flags[0])
    bad = write_file("bad.yaml", "proxy: 1\n")
    with open("/dev/full", "w") as full:
        run = gomesh_run("-t", "--json", "-config", bad, stdout=full)
    is_((run.code, len(run.err)), (78, 1), "what is wrong with the configuration remains the exit code")


def another(port):
    return port + 1 if port < 65534 else port - 1


def ports_in_use():
    taken = socket.socket()
    taken.bind(("127.0.0.1", 0))
    taken.listen()
    port = taken.getsockname()[1]
    path = write_file("taken.yaml", "proxy:\n  listen_port: %d\n  backend: { host: b, port: 1 }\n" % port)
    run = gomesh_run("-config", path)
    is_(run.code, 1, "exit code 1")
    is_(run.err[0], "error: port %d is already in use (proxy.listen_port, %s:2:16)" % (port, path), "which port, which key, where")
    like(run.err[1], r"Choose another port there.*ss -ltnp", "and what to do")
    crt, key = certificate("taken")
    path = write_file(
        "tls.yaml",
        "proxy:\n  listen_port: %d\n  tls:\n    listen_port: %d\n    cert_file: %s\n    key_file: %s\n" % (free_port(), port, crt, key),
    )
    run = gomesh_run("-config", path)
    is_(run.err[0], "error: port %d is already in use (proxy.tls.listen_port, %s:4:18)" % (port, path), "the TLS port")
    run = gomesh_run("backend", "-port", str(port))
    is_((run.code, run.err[0]), (1, "error: port %d is already in use (-port)" % port), "the backend's port")
    run = gomesh_run("demo", "-port", str(port), "-backend-port", str(free_port()))
    is_((run.code, run.err[0]), (1, "error: port %d is already in use (-port)" % port), "the demo's port")
    run = gomesh_run("demo", "-port", str(free_port()), "-backend-port", str(port))
    is_((run.code, run.err[0]), (1, "error: port %d is already in use (-backend-port)" % port), "the demo's backend port")
    run = gomesh_run("proxy", "--from", "127.0.0.1:%d" % port, "--to", "[::1]:1")
    is_((run.code, run.err[0]), (1, "error: port %d is already in use (--from)" % port), "the port of --from")
    advice = '  Try "gomesh proxy --from 127.0.0.1:%d --to [::1]:1", or stop the program that has it: ss -ltnp \'sport = :%d\''
    is_(run.err[1], advice % (another(port), port), "the advice keeps --to and the address of --from")
    run = gomesh_run("proxy", "--from", ":%d" % port, "--to", "localhost:%d" % (port + 1))
    like(run.err[1], r'--from :%d --to localhost:%d"' % (port + 2, port + 1), "and does not lead to a circle")
    first = Proxy(1)
    run = gomesh_run("-config", first.path)
    ok(run.code == 1 and "already in use (proxy.listen_port, " in run.err[0], "two proxies on one port are not shared")
    run = gomesh_run("proxy", "--from", "192.0.2.1:%d" % free_port(), "--to", "b:1")
    like(run.err[0], r"^error: port \d+ of 192\.0\.2\.1 cannot be opened: .* \(--from\)$", "an address that is not ours")
    path = write_file("other.yaml", "proxy: { listen_host: 192.0.2.1, listen_port: %d, backend: { host: b, port: 1 } }\n" % free_port())
    run = gomesh_run("-config", path)
    like(run.err[0], r"cannot be opened: .* \(proxy\.listen_port, %s:1:47\)$" % re.escape(path), "which key, where")
    taken.close()


def advice_on_ports():
    empty = os.path.join(temporary_folder(), "no-file")
    os.makedirs(empty)
    path = write_file("elsewhere.yaml", "proxy: { tls: { listen_port: %d, cert_file: %s, key_file: %s } }\n" % (free_port(), *certificate("advice")))
    occupy = "import socket, subprocess, sys; s = socket.socket(); s.bind(('', int(sys.argv[1]))); s.listen(); sys.exit(subprocess.call(sys.argv[2:]))"
    script = 'mount -t tmpfs none /etc; exec "$@"'
    for taken_port, flags, wanted in (
        (8000, ["-config", path], "  Set proxy.listen_port in %s, for example to 8001, or stop the program" % path),
        (8000, [], '  Set proxy.listen_port in a configuration file, try "gomesh proxy --from :8001 --to localhost:3000",'),
        (65535, ["proxy", "--from", ":65535", "--to", "b:1"], '  Try "gomesh proxy --from :65534 --to b:1", or stop'),
        (65535, ["demo", "-port", "65535"], "  Choose another port with -port 65534, or stop"),
        (2999, ["demo", "-port", "2999"], "  Choose another port with -port 3001, or stop"),
    ):
        run = Process(privately(script, sys.executable, "-c", occupy, str(taken_port), GOMESH, *flags), cwd=empty)
        is_(run.wait(), 1, "exit code 1")
        ok(any(line.startswith(wanted) for line in run.err), "advice: %s" % run.err[1:2])


def demo():
    port, backend_port = free_port(), free_port()
    both = gomesh("demo", "-port", str(port), "-backend-port", str(backend_port))
    both.wait_line(r"^\[INFO\] Try: curl http://localhost:%d/api/users$" % port)
    for line in (
        "[BACKEND] Starting test backend on :%d" % backend_port,
        "[BACKEND] Ready to receive requests from the proxy",
        "[INFO] GoMesh Proxy starting on port %d" % port,
        "[INFO] Forwarding all traffic to: http://localhost:%d" % backend_port,
        "[INFO] Press Ctrl+C to stop",
    ):
        ok(line in both.out, line)
    answer = json.loads(once(port, target="/api/users").text)
    is_((answer["message"], answer["path"], answer["method"]), ("Hello from the backend service!", "/api/users", "GET"), "the curl it names works")
    both.wait_line(r"^\[INFO\] Forwarding: GET /api/users → localhost:%d$" % backend_port)
    both.wait_line(r"^\[BACKEND\] Received: GET /api/users$")
    is_(both.stop(signal.SIGINT), 0, "Ctrl+C stops both, exit code 0")
    path = write_file("demo.yaml", "proxy: { listen_port: %d, backend: { host: localhost, port: %d } }\n" % (port, backend_port))
    both = gomesh("demo", "-config", path)
    both.wait_line(r"Try: curl http://localhost:%d/api/users" % port)
    ok("[INFO] Loading configuration from: " + path in both.out, "with a configuration it says which")
    is_(once(port, target="/health").text, "OK", "and uses it")


def closed_descriptors():
    """Started without standard input and output, nothing else takes their numbers."""
    port = free_port()
    path = write_file("closed.yaml", "proxy: { listen_port: %d, backend: { host: localhost, port: 1 } }\n" % port)
    process = Process(["sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh", GOMESH, "-config", path])
    wait_until(lambda: any(listening_sockets(process.pid, port).values()), "its listener")
    is_([os.readlink("/proc/%d/fd/%d" % (process.pid, fd)) for fd in range(3)], ["/dev/null"] * 3, "they are /dev/null")
    is_(once(port).status, 502, "and it serves")
    is_(process.stop(), 0, "exit code 0")


def to_a_socket():
    path = os.path.join(temporary_folder(), 'a "quoted" name')
    Origin(answering(lambda request: http_message("HTTP/1.1 200 OK", [], b"by socket")), host="unix:" + path)
    port = free_port()
    proxy = gomesh("proxy", "--from", ":%d" % port, "--to", "unix:" + path)
    proxy.wait_line(r"Press Ctrl\+C to stop")
    is_(once(port).text, "by socket", "--to unix:/path")
    is_(proxy.err, [], "without a word")


def demo_with_a_file():
    def start(text):
        path = write_file("own-demo.yaml", text)
        both = gomesh("demo", "-config", path)
        both.wait_line(r"Press Ctrl\+C to stop")
        both.stop()
        return both, path

    ca, _key = certificate("authority")
    tls = "proxy: { listen_port: %d, backend: { host: localhost, port: %d, tls: { ca_file: %s } } }\n"
    both, path = start(tls % (free_port(), free_port(), ca))
    line = "[BACKEND] Not started: proxy.backend in %s is to speak TLS, which the test backend does not" % path
    ok(line in both.out, "a backend with TLS: the same")
    like("\n".join(both.out), r"Forwarding all traffic to: https://localhost:\d+\n", "and the start line says https")
    log = write_file("log-demo.yaml", "proxy: { listen_port: %d, backend: { host: b, port: 1 } }\nlog: { level: warn }\n" % free_port())
    both = gomesh("demo", "-config", log)
    both.wait_line(r"Not started")
    both.stop()
    is_(both.count(r"\[INFO\]"), 0, "log.level of the file counts")
    listen, listed = "proxy: { listen_port: %d, listen_host: \"%s\"", "routes:\n- { name: api, match: { path: { prefix: /api } }, backend: { host: b.example, port: 80 } }\n"
    port, backend_port = free_port(), free_port()
    both, path = start((listen + ", backend: { host: b.example, port: 80 } }\n") % (port, ""))
    ok("[BACKEND] Not started: proxy.backend in %s is b.example:80, which is not localhost" % path in both.out, "a backend elsewhere: none is started, and it is said why")
    is_((both.count("Starting test backend"), both.count("Try: curl")), (0, 0), "and no curl is promised")
    both, path = start((listen + " }\n") % (port, "") + listed)
    ok("[BACKEND] Not started: %s has routes, but no proxy.backend" % path in both.out, "no proxy.backend: the same")
    is_((both.count("Starting test backend"), both.count("Try: curl")), (0, 0), "and no curl is promised")
    both, path = start((listen + ", backend: { host: localhost, port: %d } }\n") % (port, "", backend_port) + listed)
    ok("[INFO] Try a path that no route takes: /api/users goes to b.example:80" in both.out, "a route that takes the path of the curl")
    is_((both.count("Starting test backend"), both.count("Try: curl")), (1, 0), "with the backend")
    for listen_host, host in (("", "127.0.0.1"), ("0.0.0.0", "0.0.0.0"), ("127.0.0.2", "127.0.0.3"), ("localhost", "LocalHost")):
        path = write_file("own-demo.yaml", (listen + ", backend: { host: %s, port: %d } }\n") % (port, listen_host, host, backend_port))
        both = gomesh("demo", "-config", path)
        url = both.wait_line(r"Try: curl (http://\S+)").group(1)
        like(curl(url).stdout.decode(), "Hello from the backend service", "%s to %s: the curl works: %s" % (listen_host or "all", host, url))
        both.stop()


def on_terminal(*arguments):
    """Runs a gomesh with its stdout on a terminal until it has started; returns the lines."""
    leader, follower = pty.openpty()
    process = subprocess.Popen([GOMESH, *arguments], stdin=subprocess.DEVNULL, stdout=follower, stderr=subprocess.PIPE)
    os.close(follower)
    data = b""
    while b"Ctrl+C" not in data:
        data += os.read(leader, 4096)
    process.terminate()
    while True:
        try:
            more = os.read(leader, 4096)
        except OSError:  # the other end is closed
            break
        if not more:
            break
        data += more
    process.stderr.close()
    is_(process.wait(), 0, "exit code 0")
    os.close(leader)
    return data.decode().replace("\r\n", "\n").splitlines()


def formats():
    base = "proxy: { listen_port: %d, backend: { host: 127.0.0.1, port: 1 } }\n"
    path = write_file("auto.yaml", base % free_port())
    lines = on_terminal("-config", path)
    ok(lines and all(line.startswith("[INFO] ") for line in lines), "text on a terminal")
    lines = on_terminal("-production", "-config", path)
    ok(lines and all(json.loads(line)["level"] == "info" for line in lines), "-production: JSON on a terminal")
    port = free_port()
    proxy = gomesh("-config", write_file("pipe.yaml", base % port))
    proxy.wait_line(r"Ctrl\+C")
    once(port, target="/a%22b?%5Cx")
    proxy.wait_line("request completed")
    records = [json.loads(line) for line in proxy.out]
    ok(all(record["level"] in ("info", "error") and record["msg"] for record in records), "JSON where it is not a terminal")
    ok(all(re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$", record["timestamp"]) for record in records), "RFC 3339 times")
    failed = [record for record in records if record.get("failure")]
    is_(
        [(record["failure"], record["path"]) for record in failed],
        [("connect_refused", "/a%22b?%5Cx")] * 2,
        "the failure is a member, where it happened and where the request ended",
    )
    port = free_port()
    proxy = gomesh("-config", write_file("text.yaml", base % port + "log: { format: text, level: error }\n"))
    wait_until(lambda: listening_sockets(proxy.pid, port)["tcp"], "the port")
    once(port, target="/x")
    proxy.wait_line(r"^\[ERROR\] GET /x → 127\.0\.0\.1:1 failed: connect_refused")
    is_(proxy.count("INFO"), 0, "level error: no other lines")


def privately(script, *arguments):
    """argv that runs a shell script as root of namespaces of its own: no port and no mount of it is seen outside."""
    argv = ["unshare", "--map-root-user", "--mount", "--net", "sh", "-ec", script, "sh"]
    try:
        probe = subprocess.run(argv[:-2] + ["mount -t tmpfs none /etc"], capture_output=True, check=False)
    except FileNotFoundError:
        raise Skip("no unshare") from None
    if probe.returncode:
        raise Skip("namespaces are not allowed here: " + probe.stderr.decode().strip())
    return argv + list(arguments)


def system_wide():
    empty = os.path.join(temporary_folder(), "elsewhere")
    os.makedirs(os.path.join(empty, "other", "config"))
    path, usual = write_file("etc.yaml", MINIMAL % 8001), os.path.join(empty, "other", "config", "proxy.yaml")
    with open(usual, "w") as file:
        file.write(MINIMAL % 8002)
    script = 'mount -t tmpfs none /etc; mkdir /etc/gomesh; cp "$1" /etc/gomesh/proxy.yaml; shift; exec "$@"'
    for cwd, file in ((empty, "/etc/gomesh/proxy.yaml"), (os.path.dirname(os.path.dirname(usual)), "config/proxy.yaml")):
        run = Process(privately(script, path, GOMESH, "-t"), cwd=cwd)
        is_((run.wait(), run.out), (0, ["configuration %s is valid" % file]), "taken: " + file)
    run = Process(privately(script, path, GOMESH), cwd=empty)
    run.wait_line(START_LINE)
    is_(run.out[0], "[INFO] Loading configuration from: /etc/gomesh/proxy.yaml", "and the start says so")


def without_a_file():
    empty = os.path.join(temporary_folder(), "nothing")
    os.makedirs(empty)
    script = 'mount -t tmpfs none /etc; exec "$@"'
    run = Process(privately(script, GOMESH), cwd=empty)
    run.wait_line(r"Press Ctrl\+C")
    is_(
        [json.loads(line)["msg"] for line in run.out],
        [
            "No configuration file found, running on the defaults",
            "GoMesh Proxy starting on port 8000",
            "Forwarding all traffic to: http://localhost:3000",
            "Admin on http://127.0.0.1:9901",
            "Press Ctrl+C to stop",
        ],
        "the documented defaults, and it says so",
    )
    run = Process(privately(script, GOMESH, "demo"), cwd=empty)
    run.wait_line(r"^\[INFO\] Try: curl http://localhost:8000/api/users$")
    is_(
        run.out,
        [
            "[BACKEND] Starting test backend on :3000",
            "[BACKEND] Ready to receive requests from the proxy",
            "[INFO] No configuration file found, running on the defaults",
            "[INFO] GoMesh Proxy starting on port 8000",
            "[INFO] Forwarding all traffic to: http://localhost:3000",
            "[INFO] Admin on http://127.0.0.1:9901",
            "[INFO] Press Ctrl+C to stop",
            "[INFO] Try: curl http://localhost:8000/api/users",
        ],
        "gomesh demo, line by line",
    )


# JSON is YAML; each is one option and nothing that needs a look at others
SAMPLES = (
    [{"proxy": {"listen_port": port}} for port in (1, 65535, 0, 65536, -1, 1.5, "x", "${GM_PORT}", [1], None)]
    + [{"proxy": {"workers": workers}} for workers in ("auto", 1, 256, 0, 257, "many", {})]
    + [
        {"proxy": {"timeout": {"read_timeout": time}}}
        for time in ("30s", "1m30s", "1.5h", "250us", "250µs", 30, "30", "s", "-1s", "1d", "1 s", "", "${GM_TIME}")
    ]
    + [
        {"proxy": {"limits": {"max_request_body": size}}}
        for size in ("1", 1, "64KiB", "64kib", "10MB", "10mb", "1TiB", "10M", "10 MB", "1iB", "1.5MB", "MB", "", "-1")
    ]
    + [{"proxy": {"limits": {"max_connections": count}}} for count in (1, 1000000, 0, 1000001, "10k")]
    + [{"log": {"level": level}} for level in ("debug", "info", "warn", "error", "INFO", "verbose", 1)]
    + [{"log": {"format": name}} for name in ("auto", "text", "json", "xml")]
    + [{"routes": routes} for routes in ([], None, {}, "all", [1], [{}], [{"name": "a"}])]
    + [
        {"routes": [{"match": match, "backend": {"host": "b.example", "port": 1}}]}
        for match in (None, {}, {"host": "a.example"}, {"path": {"prefix": "/a"}}, {"path": "/a"}, {"paths": {}})
    ]
    + [{"routes": [{"backend": backend}]} for backend in ({"host": "b"}, {"port": 1}, {"host": "b", "port": 1}, [], 1)]
    + [{"proxy": None}, {"proxy": {}}, {"proxy": []}, {"proxy": {"tls": None}}, {"proxy": {"tls": {}}}]
    + [{"x-a": {"b": [1]}}, {"y-a": 1}, {"proxy": {"x-a": 1}}, {"prxy": {}}, {}]
)


def schema_and_parser():
    with open(os.path.join(ROOT, "config", "proxy.schema.json"), encoding="utf-8") as file:
        schema = json.load(file)
    files = glob.glob(os.path.join(ROOT, "config", "*.yaml")) + glob.glob(os.path.join(ROOT, "examples", "*", "*.yaml"))
    ok(len(files) >= 4, "there are files to check")
    for path in sorted(files):
        with open(path, encoding="utf-8") as file:
            is_(list(problems(schema, read_yaml(file.read()))), [], "%s conforms to the schema" % os.path.relpath(path, ROOT))
    verdicts = []
    for sample in SAMPLES:
        text = json.dumps(sample, ensure_ascii=False)
        run = gomesh_run("-t", "-config", write_file("sample.yaml", text), env={"GM_PORT": "80", "GM_TIME": "1s"})
        conforms = not list(problems(schema, sample))
        verdicts.append(conforms)
        is_(conforms, run.code == 0, "the schema and gomesh agree: %s is %s" % (text, "right" if run.code == 0 else "wrong"))
    ok(30 <= sum(verdicts) <= len(verdicts) - 30, "right and wrong ones: %d of %d" % (sum(verdicts), len(verdicts)))
    dumped = gomesh_run("-T", "-config", os.path.join(ROOT, "examples", "routes", "proxy.yaml"))
    is_(list(problems(schema, read_yaml("\n".join(dumped.out)))), [], "and a dump conforms")


def levels():
    for level, shown in (("debug", {"INFO", "ERROR"}), ("info", {"INFO", "ERROR"}), ("warn", {"ERROR"}), ("error", {"ERROR"})):
        port = free_port()
        text = MINIMAL.replace("text }", "text, level: %s }" % level) % port
        proxy = gomesh("-config", write_file("%s.yaml" % level, text))
        wait_until(lambda: listening_sockets(proxy.pid, port)["tcp"], "the port")
        is_(once(port).status, 502, "a request that fails")
        proxy.wait_line(r"connect_refused")
        found = {match.group(1) for match in (re.match(r"\[([A-Z]+)\]", line) for line in proxy.out) if match}
        is_(found - {"DEBUG"}, shown, "level %s" % level)
    path = write_file("production.yaml", MINIMAL % free_port())
    proxy = gomesh("-production", "-config", path)
    proxy.wait_line(r"Press Ctrl\+C")
    ok(all(json.loads(line)["msg"] for line in proxy.out), "-production wins over format: text")


def both_end():
    port, backend_port = free_port(), free_port()
    both = gomesh("demo", "-port", str(port), "-backend-port", str(backend_port))
    both.wait_line(r"Try: curl")
    both.send(signal.SIGINT)
    is_((both.wait(), both.out[-1]), (0, "[INFO] Stopped"), "Ctrl+C: exit code 0, in good order")
    is_([listening_hosts(port), listening_hosts(backend_port)], [set(), set()], "neither listens any more")


subtest("spellings", spellings)
subtest("where the configuration comes from", sources)
subtest("the start says what it took", start_says_what_it_took)
subtest("--from and --to", from_and_to)
subtest("--dump", dump)
subtest("closed descriptors", closed_descriptors)
subtest("--to a socket", to_a_socket)
subtest("--version and --help", versions_and_help)
subtest("mistakes", mistakes)
subtest("schema and reference", pages)
subtest("a full disk", full_disk)
subtest("ports in use", ports_in_use)
subtest("advice on ports in use", advice_on_ports)
subtest("demo", demo)
subtest("demo with a configuration of one's own", demo_with_a_file)
subtest("log formats", formats)
subtest("log levels", levels)
subtest("/etc/gomesh/proxy.yaml", system_wide)
subtest("without a configuration file", without_a_file)
subtest("demo ends as a whole", both_end)
subtest("the schema says what the parser does", schema_and_parser)
done()
