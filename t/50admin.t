#!/usr/bin/env python3
"""The admin window: its pages, who may look through it, and the commands that do."""
import json
import os
import random
import re
import signal
import socket
import stat
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "lib"))
from gomesh_test import *  # noqa: E402,F403

GARBAGE = 1000
CROWD = 200  # the window has room for 64
DEFAULT_PORT = 9901
PAGES = ["/", "/healthz", "/readyz", "/config", "/clusters", "/workers", "/metrics", "/requests", "/requests/", "/version", "/log/level", "/drain"]


def fine(request):
    return http_message("HTTP/1.1 200 OK", [], b"fine")


class Seen(Proxy):
    """A proxy with a window on a port of its own."""

    def __init__(self, backend, **settings):
        self.admin = free_port()
        options = dict({"listen": "127.0.0.1:%d" % self.admin}, **settings.pop("window", {}))
        super().__init__(backend, admin=options, **settings)

    def ask(self, target, method="GET", headers=(), host="localhost", **options):
        return once(self.admin, method, target, headers, host=host, **options)

    def json(self, target):
        response = self.ask(target)
        is_(response.get("content-type"), "application/json", target + " is JSON")
        return json.loads(response.text)


class Gate:
    """An origin that answers only after open()."""

    def __init__(self):
        self.opened = threading.Event()
        self.origin = Origin(answering(self.answer))
        closing(self.opened.set)

    def answer(self, request):
        self.opened.wait(deadline(60))
        return fine(request)


def by_socket(path, request=b"GET /healthz HTTP/1.1\r\nHost: any.example\r\n\r\n"):
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    wire = Wire(sock)
    closing(wire.close)
    sock.connect(path)
    wire.send(request)
    return wire.read_response()


def in_flight(proxy, number):
    wait_until(
        lambda: sum(row.get("requests_in_flight", 0) for row in json.loads(proxy.ask("/workers").text)["workers"])
        == number,
        "%d requests in flight" % number,
    )


def all_pages():
    proxy = Seen(Origin(answering(fine)).port, workers=2)
    like("\n".join(proxy.out), r"\[INFO\] Admin on http://127\.0\.0\.1:%d\n\[INFO\] Press" % proxy.admin, "the start says where")
    is_([page["path"] for page in proxy.json("/")["pages"]], PAGES, "/ lists the pages")
    is_(proxy.ask("/healthz").text, '{"status":"ok"}\n', "/healthz")
    is_(proxy.ask("/readyz").text, '{"status":"ready"}\n', "/readyz")
    config = proxy.json("/config")
    is_(config["proxy"]["listen_port"], proxy.port, "/config: numbers")
    is_(config["proxy"]["timeout"]["read_timeout"], "30s", "and defaults")
    is_(config["admin"]["ready_needs_backend"], False, "and booleans")
    version = proxy.json("/version")
    is_((version["pid"], version["config_file"]), (proxy.pid, proxy.path), "/version: process and file")
    ok(version["libh2o"] and version["openssl"] and 0 <= version["uptime_s"] < 600, "versions and uptime")
    is_(proxy.json("/log/level"), {"level": "info"}, "/log/level")
    for page in PAGES:
        if page in ("/drain", "/metrics", "/requests/"):  # these have tests of their own
            continue
        response = proxy.ask(page + "?text")
        is_((response.status, response.get("content-type")), (200, "text/plain; charset=utf-8"), page + "?text")
        ok(response.text[-1:] in ("\n", "") and not response.text.startswith("{"), "is text: " + response.text[:40])
        is_(response.get("cache-control"), "no-store", "and kept by nobody")
        head = proxy.ask(page, method="HEAD")
        is_((head.status, head.body), (200, b""), "HEAD " + page)
    dumped = gomesh_run("-T", "-config", proxy.path).out
    is_(proxy.ask("/config?text").text.split("\n"), dumped + [""], "/config?text is what -dump prints")


def workers_and_clusters():
    gate = Gate()
    routes = [{"match": {"path": {"prefix": "/u"}}, "backend": {"host": "unix:/nowhere/at/all"}}]
    proxy = Seen(gate.origin.port, workers=2, routes=routes)
    is_([row["state"] for row in proxy.json("/workers")["workers"]], ["serving"] * 2, "two workers serve")
    client = Client(proxy.port)
    client.send_request()
    in_flight(proxy, 1)
    rows = proxy.json("/workers")["workers"]
    is_(sorted(row["connections"] for row in rows), [0, 1], "one has a connection")
    like(proxy.ask("/workers?text").text, r"(?m)^worker \d: serving, 1 connection, 1 request in flight$", "as text")
    gate.opened.set()
    is_(client.read_response().status, 200, "its request is answered")
    in_flight(proxy, 0)
    clusters = {row["name"]: row for row in proxy.json("/clusters")["clusters"]}
    is_(clusters["backend"]["addresses"], ["127.0.0.1:%d" % gate.origin.port], "the backend's address")
    is_((clusters["backend"]["look_up"], clusters["backend"]["addresses_version"]), ("not needed", 1), "needs no look-up")
    is_(sorted(clusters["backend"]["idle_connections"]), [0, 1], "one idle connection, of one worker")
    is_((clusters["backend"]["last_failure"], clusters["backend"]["reachable"]), (None, True), "that has not failed, and is reachable")
    is_(clusters["route-1"]["reachable"], None, "nobody knows of the other")
    is_(clusters["route-1"]["addresses"], ["unix:/nowhere/at/all"], "a socket")
    is_(client.request(target="/u").status, 502, "nobody is there")
    row = [row for row in proxy.json("/clusters")["clusters"] if row["name"] == "route-1"][0]
    failed = row["last_failure"]
    is_(row["reachable"], False, "not reachable")
    ok(failed["failure"] in ("connect_refused", "connect_failed"), "and that is known: %s" % failed)
    like(proxy.ask("/clusters?text").text, r"(?m)^  last failure: connect_\w+, 20\d\d-.*Z$", "as text, too")
    proxy = Seen(gate.origin.port, engine="h2o")
    is_(set(proxy.json("/clusters")["clusters"][0]["idle_connections"]), {None}, "engine h2o keeps no count")


def names():
    proxy = Seen(("gomesh-test.invalid", 1), window={"ready_needs_backend": True})
    wait_until(lambda: "no endpoint is reachable" in proxy.ask("/readyz").text, "a failed look-up")
    response = proxy.ask("/readyz?text")
    is_((response.status, response.text), (503, "not ready: no endpoint is reachable\n"), "a name that nobody knows: not ready")
    cluster = proxy.json("/clusters")["clusters"][0]
    is_((cluster["look_up"], cluster["addresses"]), ("failed", []), "/clusters tells of the look-up")
    ok(cluster["look_up_error"], "and why: " + cluster["look_up_error"])
    is_(Seen(("gomesh-test.invalid", 1)).ask("/readyz").status, 200, "without ready_needs_backend that does not matter")
    routes = [{"match": {"path": {"prefix": "/x"}}, "backend": {"host": "gomesh-test.invalid", "port": 1}}]
    proxy = Seen(Origin(answering(fine)).port, routes=routes, window={"ready_needs_backend": True})
    wait_until(lambda: proxy.ask("/readyz").status == 200, "a backend that is reachable")
    wait_until(lambda: any(row["look_up"] == "failed" for row in proxy.json("/clusters")["clusters"]), "a failed look-up")
    is_(proxy.ask("/readyz").status, 200, "one is enough")


def reach(proxy, name="backend"):
    return [row["reachable"] for row in proxy.json("/clusters")["clusters"] if row["name"] == name][0]


def readiness(engine):
    """Down from the start, up, down again, and up again without any traffic."""
    origin = Origin(answering(fine))
    origin.stop()
    proxy = Seen(origin.port, window={"ready_needs_backend": True}, engine=engine, workers=1)
    is_(reach(proxy), None, "nobody has tried")
    response = proxy.ask("/readyz?text")
    is_((response.status, response.text), (503, "not ready: no endpoint is reachable\n"), "down from the start: not ready")
    is_(reach(proxy), False, "/clusters says the same")
    is_(proxy.ask("/readyz?text", "HEAD").status, 503, "HEAD, too")
    origin.start()
    wait_until(lambda: proxy.ask("/readyz").status == 200, "readiness without traffic")
    is_(reach(proxy), True, "up: reachable")
    origin.wait(lambda self: self.connections, "the probe")
    is_((origin.connections, origin.requests), (1, []), "found out by one connection, without a request")
    for _ in range(3):
        proxy.ask("/readyz")
    is_(once(proxy.port).status, 200, "traffic")
    is_(origin.connections, 2, "once it is known, nobody is asked again")
    like(proxy.ask("/clusters?text").text, r"(?m)^cluster backend: \S+, look-up not needed, reachable$", "as text")
    like("\n".join(gomesh_run("status", "-config", proxy.path).out), r"(?m)^ready$[^$]*^cluster backend: \S+, look-up not needed, reachable$", "gomesh status")
    origin.stop()
    is_(proxy.ask("/readyz").status, 200, "nobody has noticed that it stopped")
    is_(once(proxy.port).status, 502, "until a request")
    is_(proxy.ask("/readyz").text, '{"status":"not ready","reason":"no endpoint is reachable"}\n', "fails: not ready")
    run = gomesh_run("status", "-config", proxy.path)
    like("\n".join(run.out), r"(?m)^not ready: no endpoint is reachable$[^$]*^cluster backend: \S+, look-up not needed, not reachable$", "gomesh status")
    is_(gomesh_run("healthcheck", "-ready", "-config", proxy.path).code, 1, "nor is healthcheck -ready content")
    origin.start()
    wait_until(lambda: proxy.ask("/readyz").status == 200, "readiness without traffic")
    ok(reach(proxy), "up again")
    proxy = Seen(origin.port, engine=engine)
    origin.connections = 0
    is_((proxy.ask("/readyz").status, origin.connections), (200, 0), "without ready_needs_backend nobody is asked")


def silent_backend():
    """Whose queue is full: packets get no answer. The window serves others meanwhile, and does not wait for long."""
    full = socket.socket()
    full.bind(("127.0.0.1", 0))
    full.listen(0)
    closing(full.close)
    port = full.getsockname()[1]
    for _ in range(4):
        sock = socket.socket()
        closing(sock.close)
        sock.setblocking(False)
        sock.connect_ex(("127.0.0.1", port))
    proxy = Seen(port, window={"ready_needs_backend": True})
    began = now()
    clients = [Client(proxy.admin) for _ in range(10)]
    for client in clients:
        client.send_request(target="/readyz", host="localhost")
    clients.pop().reset()
    is_(proxy.ask("/healthz").status, 200, "others are answered meanwhile")
    ok(not any(client.readable() for client in clients), "while those who ask for readiness wait")
    is_([client.read_response().status for client in clients], [503] * 9, "not ready")
    ok(now() - began < deadline(4), "after a second")
    proxy.ask("/readyz")
    proxy.stop()
    origin = Origin(answering(fine))
    proxy = Seen(origin.port, window={"ready_needs_backend": True})
    answers = [background(proxy.ask, "/readyz") for _ in range(20)]
    is_({answer.result().status for answer in answers}, {200}, "many ask at once")
    origin.wait(lambda self: self.connections, "the probe")
    is_(origin.connections, 1, "and the backend is asked once")


def broken_tls():
    """Who can be connected to is reachable, whatever it speaks."""
    def slam(wire):
        wire.fill()
        wire.close()

    origin = Origin(slam)
    route = {"match": {"path": {"prefix": "/"}}, "backend": {"host": "127.0.0.1", "port": origin.port, "tls": {"verify": False}}}
    proxy = Seen(free_port(), routes=[route])
    is_(once(proxy.port).status, 502, "no TLS there")
    is_(reach(proxy, "route-1"), True, "but somebody")


def log_levels():
    proxy = Seen(Origin(answering(fine)).port)
    once(proxy.port, target="/a")
    proxy.wait_line("GET /a")
    is_(json.loads(proxy.ask("/log/level?level=debug", "POST").text), {"level": "debug"}, "POST /log/level?level=debug")
    proxy.ask("/healthz")
    proxy.wait_line(r"^\[DEBUG\] Admin: GET /healthz → 200$")
    ok(True, "acts, and the window logs at that level only")
    is_(proxy.ask("/log/level?text&level=error", "POST").text, "error\n", "other parameters may come before")
    seen = len(proxy.out)
    client = Client(proxy.port)
    client.request(target="/b")
    client.request(target="/next")  # the line of a request is written before the next one is looked at
    proxy.ask("/log/level?level=info", "POST")
    once(proxy.port, target="/c")
    proxy.wait_line("GET /c")
    ok(not proxy.find("GET /b ", start=seen), "fewer lines, then more again")
    for target in ("/log/level", "/log/level?level=", "/log/level?level=all", "/log/level?level=" + "x" * 99, "/log/level?xlevel=debug"):
        response = proxy.ask(target, "POST")
        is_(response.status, 400, "refused: POST " + target[:40])
        is_(response.get("content-type"), "application/problem+json", "with a problem")
    is_(proxy.json("/log/level"), {"level": "info"}, "and nothing has changed")


def refusals():
    proxy = Seen(Origin(answering(fine)).port)
    for method, target, status, allow in (
        ("GET", "/nothing", 404, None),
        ("GET", "/healthz/", 404, None),
        ("GET", "/healthz%20", 404, None),
        ("GET", "/../healthz", 404, None),
        ("GET", "//healthz", 404, None),
        ("POST", "/healthz", 405, "GET, HEAD"),
        ("DELETE", "/workers", 405, "GET, HEAD"),
        ("OPTIONS", "/config", 405, "GET, HEAD"),
        ("GET", "/drain", 405, "POST"),
        ("HEAD", "/drain", 405, "POST"),
        ("PUT", "/log/level", 405, "GET, HEAD, POST"),
        ("get", "/healthz", 405, "GET, HEAD"),
    ):
        response = proxy.ask(target, method)
        is_((response.status, response.get("allow")), (status, allow), "%s %s" % (method, target))
        if method != "HEAD":
            problem = json.loads(response.text)
            is_(problem["status"], status, "the problem says the same: " + problem["detail"])
    is_(proxy.ask("/nothing?text").text, "there is no such page; / lists those that there are\n", "as text")
    client = Client(proxy.admin)
    for target in ("/healthz", "/workers", "/nothing", "/clusters", "/version"):
        client.send_request(target=target, host="localhost")
    is_([client.read_response().status for _ in range(5)], [200, 200, 404, 200, 200], "pipelined, in order")
    is_(proxy.ask("/healthz", "POST", body=b"x" * 100000).status, 405, "a body changes nothing")
    response = once(proxy.admin, target="/" + "x" * 3000, host="localhost")
    is_(response.status, 414, "a long target")
    is_(once(proxy.admin, headers=[("X-A", "x" * 20000)], host="localhost").status, 431, "a large head")
    is_(once(proxy.admin, version="1.0", host=None).status, 200, "HTTP/1.0 without a Host")
    is_(proxy.ask("/readyz").status, 200, "and it is still ready")


def foreign_pages():
    """What a browser on this machine would send for somebody else's page."""
    proxy = Seen(Origin(answering(fine)).port)
    port = proxy.admin
    for host in ("localhost", "localhost:%d" % port, "LOCALHOST", "127.0.0.1:%d" % port, "[::1]:1", "10.1.2.3", "localhost.localdomain"):
        is_(proxy.ask("/config", host=host).status, 200, "served: Host: " + host)
    for host in ("gomesh.test", "evil.example:%d" % port, "localhost.evil.example", "127.0.0.1.evil.example", "0x7f.1"):
        response = proxy.ask("/config", host=host)
        is_(response.status, 403, "refused: Host: " + host)
        unlike(response.text, "listen_port", "nothing is told")
    is_(once(port, target="http://evil.example/config", host="localhost").status, 403, "absolute form: its host counts")
    for name, value, status in (
        ("Origin", "http://evil.example", 403),
        ("Origin", "null", 403),
        ("Sec-Fetch-Site", "cross-site", 403),
        ("Sec-Fetch-Site", "same-site", 403),
        ("Sec-Fetch-Site", "none", 200),
    ):
        is_(proxy.ask("/log/level?level=info", "POST", [(name, value)]).status, status, "POST with %s: %s" % (name, value))
    is_(proxy.ask("/drain", "POST", [("Origin", "http://evil.example")]).status, 403, "nobody's page ends it")
    for fields, status in (
        ([("Sec-Fetch-Site", "cross-site"), ("Sec-Fetch-Mode", "no-cors"), ("Sec-Fetch-Dest", "image")], 403),
        ([("Sec-Fetch-Site", "same-site"), ("Sec-Fetch-Mode", "cors"), ("Sec-Fetch-Dest", "empty"), ("Origin", "http://localhost:3000")], 403),
        ([("Sec-Fetch-Site", "cross-site"), ("Sec-Fetch-Mode", "navigate"), ("Sec-Fetch-Dest", "iframe")], 403),
        ([("Sec-Fetch-Site", "cross-site"), ("Sec-Fetch-Mode", "navigate"), ("Sec-Fetch-Dest", "document")], 200),
        ([("Sec-Fetch-Site", "none"), ("Sec-Fetch-Mode", "navigate"), ("Sec-Fetch-Dest", "document")], 200),
        ([("Sec-Fetch-Site", "same-origin"), ("Sec-Fetch-Mode", "cors"), ("Sec-Fetch-Dest", "empty")], 200),
        ([("Origin", "http://evil.example")], 403),
    ):
        is_(proxy.ask("/requests", headers=fields).status, status, "GET with %s" % ", ".join("%s: %s" % field for field in fields))
    is_(once(port, target="/readyz", headers=[("Sec-Fetch-Site", "cross-site")], host="localhost").status, 403, "nor asks the backends for it")
    response = proxy.ask("/config")
    is_((response.get("cross-origin-resource-policy"), response.get("x-frame-options")), ("same-origin", "DENY"), "nor are answers shown in another page")
    ok(proxy.alive(), "it goes on")


def mutated(chance):
    """A request with something wrong, or bytes of no meaning at all."""
    if chance.random() < 0.3:
        return chance.randbytes(chance.randint(1, 300))
    target = chance.choice(PAGES + ["*", "", "http://a/", "/%00", "/?text=&&=&level=\xff", "/log/level?level=%64"])
    text = bytearray(
        b"%s %s HTTP/1.%d\r\nHost: localhost\r\n%s\r\n"
        % (
            chance.choice([b"GET", b"POST", b"HEAD", b"PRI", b"CONNECT", b""]).replace(b"POST", b"PATCH"),
            target.encode("latin-1"),
            chance.randint(0, 2),
            chance.choice([b"", b"Content-Length: 5\r\n", b"Transfer-Encoding: chunked\r\n", b"Expect: 100-continue\r\n"]),
        )
    )
    for _ in range(chance.randint(0, 4)):
        text[chance.randrange(len(text))] = chance.randrange(256)
    return bytes(text) + chance.randbytes(chance.choice([0, 0, 20]))


def garbage():
    proxy = Seen(Origin(answering(fine)).port)
    chance, odd = random.Random(9901), []
    for _ in range(GARBAGE):
        client = Client(proxy.admin)
        data = mutated(chance)
        try:
            client.send(data)
            client.half_close()
            answer = client.read_to_end()
        except ConnectionError:
            answer = b""
        client.close()
        match = re.match(rb"(?:HTTP/1\.1 100 Continue\r\n\r\n)?HTTP/1\.[01] (\d+) ", answer)
        if answer and not (match and (200 <= int(match.group(1)) < 300 or 400 <= int(match.group(1)) < 506)):
            odd.append((data, answer[:60]))
    is_(odd, [], "%d odd requests: an answer that is one, or none" % GARBAGE)
    is_(proxy.ask("/healthz").status, 200, "and the window is alive")
    is_(once(proxy.port).status, 200, "the proxy, too")


def many_at_once():
    proxy = Seen(Origin(answering(fine)).port, workers=2)
    clients = [Client(proxy.admin) for _ in range(40)]
    for client in clients:
        for _ in range(5):
            client.send_request(target="/workers", host="localhost")
    for client in clients[::2]:
        client.reset()  # while the workers are asked
    answers = [client.read_response().status for client in clients[1::2] for _ in range(5)]
    is_(answers, [200] * 100, "those who stay get their answers")
    late = Client(proxy.admin)
    late.send("GET /he")
    ok(Client(proxy.admin).request(target="/healthz", host="localhost").status == 200, "a slow one holds up nobody")
    ok(late.read_response().status == 408, "and is told so")


def has_ended(client):
    """Whether a connection is over, whatever was sent on it before."""
    try:
        while client.sock.recv(65536):
            pass
    except ConnectionError:
        pass
    except OSError:  # nothing came, nor did its end
        return False
    return True


def crowds():
    """More connections than there is room for, which say nothing, or half of something, or only take their time."""
    proxy = Seen(Origin(answering(fine)).port)
    busy = Client(proxy.admin)
    for begin in (b"", b"GET /he", b"\r\n", b"POST /healthz HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n"):
        crowd = [Client(proxy.admin) for _ in range(CROWD)]
        for client in crowd:
            try:
                client.send(begin)
            except ConnectionError:
                pass  # it had to make room already
        answers = [proxy.ask("/healthz").status for _ in range(5)]
        is_(answers, [200] * 5, "%d connections with %r: others are answered" % (CROWD, begin[:10]))
        ok(has_ended(crowd[0]), "in the place of who had waited for longest")
        for client in crowd:
            client.close()
    busy.close()
    visitor = Client(proxy.port)
    for number in range(400):  # so that there is something that a client can leave untaken
        visitor.request(target="/%d/%s" % (number, "x" * 400))
    stalled = [Client(proxy.admin, receive_buffer=4096) for _ in range(CROWD)]
    for client in stalled:
        try:
            client.send(b"GET /requests?limit=10000 HTTP/1.1\r\nHost: localhost\r\n\r\n" * 100)
        except ConnectionError:
            pass
    is_([proxy.ask("/healthz").status for _ in range(5)], [200] * 5, "%d that do not take their answers" % CROWD)
    ok(has_ended(stalled[0]), "in the place of who had waited for longest")
    for client in stalled:
        client.close()
    ok(not proxy.find("max_connections"), "nor does it complain of limits of the proxy's")


def unix_socket():
    path = os.path.join(temporary_folder(), "admin.sock")
    window = {"listen": "", "socket": path}
    proxy = Seen(Origin(answering(fine)).port, window=window)
    ok(proxy.find(r"^\[INFO\] Admin on unix:" + re.escape(path)), "the start says where")
    is_(stat.S_IMODE(os.stat(path).st_mode), 0o600, "mode 0600")
    is_(by_socket(path).text, '{"status":"ok"}\n', "it answers, to any Host")
    is_(by_socket(path, b"GET /workers HTTP/1.1\r\nHost: a\r\n\r\n").status, 200, "all pages")
    try:
        Client(proxy.admin).close()
        ok(False, "no port is open")
    except ConnectionRefusedError:
        ok(True, "no port is open")
    config = write_file("second.yaml", to_yaml(proxy_config(free_port(), free_port(), admin=window)))
    run = gomesh_run("-config", config)
    is_((run.code, run.count("another process has it", "err"), run.count(r"admin\.socket, .*:\d+:\d+", "err")), (1, 1, 1), "a second one on it is an error, at its place")
    is_(by_socket(path).status, 200, "and does no harm")
    for command in (["status"], ["healthcheck"], ["healthcheck", "-ready"]):
        is_(gomesh_run(*command, "-admin", "unix:" + path).code, 0, " ".join(command) + " -admin unix:/path")
    is_(gomesh_run("healthcheck", "-config", proxy.path).code, 0, "and from the configuration")
    proxy.kill()
    ok(os.path.exists(path), "a crash leaves it behind")
    proxy = Seen(Origin(answering(fine)).port, window=window)
    is_(by_socket(path).status, 200, "the next one takes its place")
    proxy.stop()
    ok(not os.path.exists(path), "and removes it in the end")
    with open(path, "w") as file:
        file.write("mine")
    run = gomesh_run("-config", config)
    is_((run.code, run.count("no socket", "err")), (1, 1), "a file of that name is an error")
    with open(path) as file:
        is_(file.read(), "mine", "and stays")


def ports():
    taken = socket.create_server(("127.0.0.1", 0))
    closing(taken.close)
    number = taken.getsockname()[1]
    config = write_file("taken.yaml", to_yaml(proxy_config(free_port(), free_port(), admin={"listen": "127.0.0.1:%d" % number})))
    run = gomesh_run("-config", config)
    is_(run.code, 1, "a port that was asked for and is taken: an error")
    like("\n".join(run.err), r"error: port %d is already in use \(admin\.listen, .*taken\.yaml:\d+:\d+\)\n  Choose another port there" % number, "with its place")

    def default_is_ours():
        try:
            return socket.create_server(("127.0.0.1", DEFAULT_PORT))
        except OSError:
            return None  # of a test that runs beside this one

    holder = wait_until(default_is_ours, "the default port", seconds=120)
    closing(holder.close)
    port, origin = free_port(), Origin(answering(fine))
    yaml = "proxy: { listen_port: %d, backend: { host: 127.0.0.1, port: %d } }\nlog: { format: text }\n" % (port, origin.port)
    proxy = Proxy(yaml=yaml, port=port)
    ok(proxy.find(r"^\[WARN\] No admin window on 127\.0\.0\.1:9901, its default address: another program has it; "), "the default that is taken: a warning")
    is_(once(port).status, 200, "and the proxy serves")
    path = os.path.join(temporary_folder(), "beside.sock")
    proxy = Proxy(yaml=yaml.replace(str(port), str(free_port())) + "admin: { socket: beside.sock }\n")
    is_(by_socket(path).status, 200, "a socket serves all the same")
    ok(proxy.find(r"\[WARN\] No admin window on 127"), "with the warning")


def on_all_addresses():
    port, admin = free_port(), free_port()
    config = proxy_config(port, free_port(), admin={"listen": ":%d" % admin})
    proxy = Proxy(yaml=to_yaml(config), port=port)
    ok(proxy.find("warning: listen: .* is not on loopback", "err"), "allowed, with a warning")
    is_(once(admin, target="/healthz", host="10.0.0.1").status, 200, "it answers")
    is_(gomesh_run("healthcheck", "-config", proxy.path).code, 0, "healthcheck finds it on loopback")
    config["admin"]["listen"] = "localhost:%d" % free_port()
    proxy = Proxy(yaml=to_yaml(dict(config, proxy=dict(config["proxy"], listen_port=free_port()))))
    is_(proxy.err, [], "localhost is loopback: not a word")


def draining():
    gate = Gate()
    proxy = Seen(gate.origin.port, workers=2, timeout={"shutdown_timeout": duration(30000)})
    client = Client(proxy.port)
    client.send_request()
    in_flight(proxy, 1)
    response = proxy.ask("/drain", "POST")
    is_((response.status, response.text), (202, '{"status":"draining"}\n'), "POST /drain: 202")
    proxy.wait_line(r"Shutting down: waiting up to \S+ for 1 request$")
    response = proxy.ask("/readyz")
    is_((response.status, response.text), (503, '{"status":"not ready","reason":"draining"}\n'), "/readyz while it drains")
    is_(proxy.ask("/healthz").status, 200, "/healthz: it lives")
    wait_until(lambda: "ended" in proxy.ask("/workers").text, "the other worker's end")
    is_(sorted(row["state"] for row in proxy.json("/workers")["workers"]), ["draining", "ended"], "/workers: one waits")
    is_(proxy.ask("/drain", "POST").status, 202, "asked again: the same")
    proxy.send(signal.SIGTERM)
    ok(not client.readable(1.0 * SLOW), "nor does the first signal after it cut anything")
    ok(proxy.alive() and proxy.ask("/readyz").status == 503, "the window shows it to the end")
    gate.opened.set()
    is_(client.read_response().status, 200, "the request in flight is answered")
    is_((proxy.wait(), proxy.count(r"^\[INFO\] Stopped$")), (0, 1), "then the end, in good order")


def second_signal():
    gate = Gate()
    proxy = Seen(gate.origin.port, timeout={"shutdown_timeout": duration(30000)})
    client = Client(proxy.port)
    client.send_request()
    in_flight(proxy, 1)
    proxy.ask("/drain", "POST")
    proxy.wait_line("Shutting down")
    proxy.send(signal.SIGTERM)
    ok(not client.readable(0.5 * SLOW), "drain, then a signal: it waits")
    proxy.send(signal.SIGTERM)
    is_((proxy.wait(), proxy.count("Stopped at once by a second signal")), (0, 1), "a second signal ends it")


def commands():
    proxy = Seen(Origin(answering(fine)).port)
    here = "127.0.0.1:%d" % proxy.admin
    for arguments in (["-admin", here], ["-config", proxy.path]):
        run = gomesh_run("healthcheck", *arguments)
        is_((run.code, run.out, run.err), (0, ["ok"], []), "healthcheck " + arguments[0])
        run = gomesh_run("healthcheck", "-ready", *arguments)
        is_((run.code, run.out), (0, ["ready"]), "healthcheck -ready " + arguments[0])
        run = gomesh_run("status", *arguments)
        is_((run.code, run.err), (0, []), "status " + arguments[0])
        for pattern in (r"^GoMesh \d", r"^pid %d, up \w+, " % proxy.pid, "^ready$", "^worker 0: serving", "^cluster backend: 127"):
            ok(run.find(pattern), "it shows " + pattern)
    run = gomesh_run("healthcheck", env={"GOMESH_CONFIG": proxy.path})
    is_(run.code, 0, "$GOMESH_CONFIG counts")
    proxy.stop()
    for command in ("healthcheck", "status"):
        run = gomesh_run(command, "-admin", here)
        is_(run.code, 1, command + ": nobody there")
        like("\n".join(run.err), r"\Aerror: no answer from the admin window at %s: Connection refused\n  .*-admin" % here, "in words")
    off = write_file("off.yaml", to_yaml(proxy_config(1234, 1235)))
    run = gomesh_run("status", "-config", off)
    is_((run.code, run.err[:1]), (1, ["error: %s has no admin window" % off]), "a configuration without a window")
    bad = write_file("bad.yaml", "proxy: 1\n")
    run = gomesh_run("healthcheck", "-config", bad)
    ok(run.code == 78 and run.find("-admin ADDRESS", "err"), "a wrong configuration: 78")
    is_(gomesh_run("healthcheck", "-admin", "nonsense").code, 1, "no address: 1")
    is_(gomesh_run("healthcheck", "-production").code, 64, "wrong usage: 64")
    is_(gomesh_run("proxy", "-ready").code, 64, "-ready is not for proxy")


def deaf_windows():
    """What answers at the address may be anything."""
    silent = socket.create_server(("127.0.0.1", 0))
    closing(silent.close)
    began = now()
    run = gomesh_run("healthcheck", "-admin", "127.0.0.1:%d" % silent.getsockname()[1])
    ok(run.code == 1 and run.find("no answer in time", "err"), "nobody answers: 1")
    ok(now() - began < deadline(8), "after two seconds")
    for name, answer in (
        ("not HTTP", b"SSH-2.0-x\r\n"),
        ("nothing", b""),
        ("broken off", b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc"),
        ("without an end", b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * (5 << 20)),
    ):

        def serve(wire, answer=answer):
            wire.read_request()
            wire.send(answer)
            wire.close()

        run = gomesh_run("healthcheck", "-admin", "127.0.0.1:%d" % Origin(serve).port)
        is_((run.code, run.count("^error: ", "err")), (1, 1), "an answer that is %s: 1" % name)

    def rude(wire):
        wire.read_request()
        wire.send(http_message("HTTP/1.1 404 Not Found", [], b"\x1b]0;mine\x07\r\xc2\x9bwhat?\n\n\xc3\xa4\0"))
        wire.close()

    here = "127.0.0.1:%d" % Origin(rude).port
    seen = "\\x1b]0;mine\\x07\\x0d\\xc2\\x9bwhat?"
    run = gomesh_run("healthcheck", "-admin", here)
    is_((run.code, run.err, run.out), (1, [], [seen, "", "ä\\x00"]), "another server's 404: 1, and what it says is shown, not obeyed")
    is_(gomesh_run("status", "-admin", here).out[:3], [seen, "", "ä\\x00" + seen], "by status, too")


def demo():
    port, backend = free_port(), free_port()
    path = write_file("demo.yaml", to_yaml(proxy_config(port, ("localhost", backend), admin={"listen": "127.0.0.1:%d" % free_port()})))
    both = gomesh("demo", "-config", path)
    both.wait_line(r"Try: curl")
    is_(gomesh_run("healthcheck", "-ready", "-config", path).code, 0, "a demo has a window, too")
    is_(both.stop(), 0, "exit code 0")


subtest("all pages, as JSON and as text", all_pages)
subtest("workers and clusters", workers_and_clusters)
subtest("names of backends and readiness", names)
subtest("readiness", readiness, "gomesh")
subtest("readiness, engine h2o", readiness, "h2o")
subtest("readiness, a silent backend", silent_backend)
subtest("readiness, no TLS", broken_tls)
subtest("the log's level", log_levels)
subtest("what is refused", refusals)
subtest("other people's pages", foreign_pages)
subtest("garbage", garbage)
subtest("many at once", many_at_once)
subtest("crowds", crowds)
subtest("a unix socket", unix_socket)
subtest("ports that are taken", ports)
subtest("on all addresses", on_all_addresses)
subtest("draining", draining)
subtest("draining, then two signals", second_signal)
subtest("healthcheck and status", commands)
subtest("other servers at its address", deaf_windows)
subtest("demo", demo)
done()
