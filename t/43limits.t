#!/usr/bin/env python3
"""What happens at a limit: of connections in all and per client, of descriptors, of patience, of backends."""
import os
import re
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "lib"))
from gomesh_test import *  # noqa: E402,F403

NO_CLIENT_MAY_WAIT = 300  # milliseconds without an answer that show that there is none


def fine(request):
    return http_message("HTTP/1.1 200 OK", [], b"fine " + request.target.encode())


def is_turned_away(port, stays=False, **connection):
    try:
        client = Client(port, **connection)
        client.send_request()
        client.read_response()
        if not stays:
            client.close()
        return False
    except (ConnectionError, ProtocolError):
        return True


# ---- per client


def per_client(engine):
    proxy = Proxy(Origin(answering(fine)).port, engine=engine, workers=3, limits={"max_connections_per_ip": 3})
    clients = [Client(proxy.port) for _ in range(3)]
    is_([client.request().status for client in clients], [200] * 3, "three of one address are served")
    is_([is_turned_away(proxy.port) for _ in range(20)], [True] * 20, "twenty more are reset")
    others = [Client(proxy.port, source="127.0.0.2") for _ in range(3)]
    is_([client.request().status for client in others], [200] * 3, "another address has three of its own")
    ok(is_turned_away(proxy.port, source="127.0.0.2"), "and no more")
    is_([client.request().status for client in clients], [200] * 3, "those that were there go on")
    for ended, way in ((clients[0].close, "closes"), (clients[1].reset, "resets"), (clients[2].half_close, "half-closes")):
        ended()
        wait_until(lambda: not is_turned_away(proxy.port, stays=True), "the place of one that %s" % way)
        ok(True, "one that %s makes room for another" % way)
    pattern = r"127\.0\.0\.\d has 3 connections open \(proxy\.limits\.max_connections_per_ip\)"
    proxy.wait_line(pattern)
    is_(proxy.count(pattern), 1, "it is said once, not 21 times")
    is_(proxy.stop(), 0, "exit code 0")


def per_client_tls(engine):
    crt, key = certificate("limits")
    port = free_port()
    tls = {"listen_port": port, "cert_file": crt, "key_file": key}
    proxy = Proxy(Origin(answering(fine)).port, engine=engine, tls=tls, limits={"max_connections_per_ip": 2})
    plain = Client(proxy.port)
    is_(plain.request().status, 200, "one connection without TLS")
    is_(curl("-k", "https://127.0.0.1:%d/x" % port).stdout, b"fine /x", "and one with TLS")
    wait_until(lambda: not is_turned_away(proxy.port, stays=True), "the place of that one")
    ok(curl("-k", "https://127.0.0.1:%d/" % port).returncode != 0, "the third has none")
    plain.close()
    wait_until(lambda: curl("-k", "https://127.0.0.1:%d/" % port).returncode == 0, "a place")
    is_(proxy.stop(), 0, "exit code 0")


def per_network():
    """IPv6 clients have as many addresses as they like in their /64."""
    script = 'ip link set lo up; for a in "fd00:0:0:%d::1/64" "fd00:0:0:%d::2/64"; do ip addr add $a dev lo nodad; done'
    script = "; ".join(script % (net, net) for net in (1, 2)) + '; exec "$@"'
    wrapper = [want_tool("unshare"), "--map-root-user", "--net", "sh", "-ec", script, "sh"]
    want_tool("ip")
    if os.system(" ".join("'%s'" % word for word in wrapper + ["true"]) + " 2>/dev/null"):
        raise Skip("no network of our own is allowed here")
    config = proxy_config(8000, None, workers=2, limits={"max_connections_per_ip": 2})
    inside = write_file(
        "network.py",
        """
import os, socket, subprocess, sys
proxy = subprocess.Popen(sys.argv[1:], stdout=subprocess.PIPE, text=True)
while "to stop" not in proxy.stdout.readline():
    pass
kept = []
def served(source):
    sock = socket.socket(socket.AF_INET6)
    sock.bind((source, 0))
    try:
        sock.connect(("fd00:0:0:1::1", 8000))
        sock.send(b"GET / HTTP/1.1\\r\\nHost: a\\r\\n\\r\\n")
        if not sock.recv(9):
            return False
    except ConnectionError:
        return False
    kept.append(sock)
    return True
sources = ["fd00:0:0:1::1", "fd00:0:0:1::2", "fd00:0:0:1::1", "fd00:0:0:2::1", "fd00:0:0:2::2", "fd00:0:0:2::2"]
print(*[served(source) for source in sources], flush=True)
proxy.terminate()
proxy.wait()
""",
    )
    path = write_file("network.yaml", to_yaml(config))
    process = Process(wrapper + [sys.executable, inside, GOMESH, "proxy", "-config", path], name="network")
    is_(process.wait_line(r"True|False").string.split(), "True True False True True False".split(), "two per /64")
    process.wait()


# ---- in all


def full(engine):
    """At the limit the process sleeps, and says what is the matter once."""
    if SLOW > 1:
        raise Skip("a sanitizer does not run under strace")
    strace = want_tool("strace")
    path = os.path.join(temporary_folder(), "strace-" + engine)
    wrapper = [strace, "-D", "-f", "-qq", "-e", "trace=epoll_wait,accept,accept4", "-o", path]
    proxy = Proxy(Origin(answering(fine)).port, engine=engine, workers=1, limits={"max_connections": 2}, wrapper=wrapper)
    clients = [Client(proxy.port) for _ in range(2)]
    is_([client.request().status for client in clients], [200] * 2, "two are served")
    waiting = [Client(proxy.port) for _ in range(5)]
    for client in waiting:
        client.send_request(target="/waited")
    proxy.wait_line(r"2 connections are open \(proxy\.limits\.max_connections\): new clients wait")
    before, start = calls_in(path), time.monotonic()
    ok(not any(client.readable(0.2) for client in waiting), "five wait")
    rounds = (time.monotonic() - start) / 0.02  # it looks for a free place every 20 ms
    made = calls_in(path) - before
    ok(made < 4 * rounds + 100, "%d system calls of the loop while they do" % made)
    for client in clients:
        client.close()
    for client in waiting:
        is_(client.read_response().text, "fine /waited", "one after the other is served")
        client.close()
    is_(proxy.count("new clients wait"), 1, "it was said once")
    is_(proxy.stop(), 0, "exit code 0")


def calls_in(path):
    with open(path, encoding="utf-8", errors="replace") as file:
        return sum("(" in line for line in file)


def descriptors(engine):
    """No descriptor is left: clients wait, those that are in get an answer, and all is well afterwards."""
    prlimit = want_tool("prlimit")
    origin = Origin(answering(fine))
    limits = {"max_connections": 1000}
    proxy = Proxy(origin.port, engine=engine, workers=1, limits=limits, wrapper=[prlimit, "--nofile=40:40"])
    clients = [Client(proxy.port) for _ in range(60)]
    proxy.wait_line("New clients wait, for they cannot be accepted: Too many open files")
    failed = clients[0].request(target="/no-descriptor")
    check_failure(failed, *NO_DESCRIPTOR, proxy)
    is_(origin.connections, 0, "the backend has not heard of it")
    last = clients.pop()
    last.send_request(target="/last")
    ok(not last.readable(NO_CLIENT_MAY_WAIT / 1000), "the last client waits")
    ok(proxy.alive(), "the proxy lives")
    for client in clients:
        client.close()
    is_(last.read_response().status in (200, NO_DESCRIPTOR[0]), True, "it has an answer when others leave")
    wait_until(lambda: last.request(target="/last").text == "fine /last", "the backend's answer")
    is_([once(proxy.port, target="/%d" % i).status for i in range(100)], [200] * 100, "and everybody after it")
    is_(proxy.count("cannot be accepted"), 1, "it was said once")
    is_(proxy.stop(), 0, "exit code 0")


NO_DESCRIPTOR = (503, "overloaded")


def storm(engine):
    """Clients come and go while there are not enough descriptors for all of them."""
    prlimit = want_tool("prlimit")
    proxy = Proxy(Origin(answering(fine)).port, engine=engine, workers=2, wrapper=[prlimit, "--nofile=48:48"])

    def visit(number):
        seen = []
        for turn in range(20):
            try:
                seen.append(once(proxy.port, target="/%d/%d" % (number, turn), seconds=30).status)
            except (ConnectionError, ProtocolError) as problem:
                seen.append(repr(problem))
        return seen

    seen = sum((run.result() for run in [background(visit, number) for number in range(40)]), [])
    is_(sorted(set(seen) - {200, NO_DESCRIPTOR[0]}, key=str), [], "800 requests by 40 clients have an answer each")
    is_({once(proxy.port).status for _ in range(50)}, {200}, "and all is well afterwards")
    is_(proxy.stop(), 0, "exit code 0")


# ---- of connections to a backend


class Gate(Origin):
    """Answers a request when it is let go."""

    def __init__(self):
        self.gone = set()
        super().__init__(self.answer)

    def answer(self, wire):
        while True:
            request = wire.read_request()
            if request is None:
                return
            wire.origin.saw(request)
            self.wait(lambda self: request.target in self.gone, "permission for " + request.target, seconds=60)
            wire.send(fine(request))

    def let_go(self, *targets):
        with self.changed:
            self.gone.update(targets)
            self.changed.notify_all()

    def asked(self):
        return [request.target for request in self.requests]


def asking(proxy, target, method="GET", body=None):
    client = Client(proxy.port, seconds=60)
    client.send_request(method, target, body=body)
    return client


def queue():
    """Requests beyond the limit come to the backend in the order of their arrival."""
    origin = Gate()
    patience = {"connect_timeout": "30s"}
    proxy = Proxy(origin.port, engine="gomesh", workers=1, upstream={"max_connections": 2}, timeout=patience)
    clients = {}
    for number in range(8):
        target = "/%d" % number
        clients[target] = asking(proxy, target, *(("POST", b"b" * 100000) if number == 4 else ()))
        proxy.wait_line(r"Forwarding: \S+ %s " % target)
        origin.wait_requests(min(number + 1, 2))
    is_(origin.asked(), ["/0", "/1"], "two of eight are asked at once")
    for number in range(8):
        origin.let_go("/%d" % number)
        is_(clients["/%d" % number].read_response().text, "fine /%d" % number, "request %d is answered" % number)
        origin.wait_requests(min(number + 3, 8))
    is_(origin.asked(), ["/%d" % number for number in range(8)], "in the order of their arrival")
    is_(origin.connections, 2, "over two connections")
    is_(proxy.stop(), 0, "exit code 0")


def queue_late():
    """Who waits for too long gets 503, and who leaves is not forwarded."""
    origin = Gate()
    patience = {"connect_timeout": duration(500)}
    proxy = Proxy(origin.port, engine="gomesh", workers=1, upstream={"max_connections": 1}, timeout=patience)
    first = asking(proxy, "/first")
    origin.wait_requests(1)
    late, gone = asking(proxy, "/late"), asking(proxy, "/gone")
    proxy.wait_line("Forwarding: GET /gone")
    gone.reset()
    response = late.read_response()
    check_failure(response, 503, "overloaded", proxy, r"GET /late → 127\.0\.0\.1:%d" % origin.port)
    is_(response.get("retry-after"), "1", "Retry-After")
    proxy.wait_line("GET /gone .* failed: client_gone")
    next_one = asking(proxy, "/next")
    proxy.wait_line("Forwarding: GET /next")
    origin.let_go("/first", "/next", "/gone", "/late")
    is_(first.read_response().text, "fine /first", "the first has its answer")
    is_(next_one.read_response().text, "fine /next", "the place is free for another")
    is_(origin.asked(), ["/first", "/next"], "nobody else came to the backend")
    is_(late.request(target="/late").text, "fine /late", "the connection of the one that was late goes on")
    is_(proxy.stop(), 0, "exit code 0")


def queue_ends():
    """A place is free again, however its exchange ended."""
    def handler(wire):
        request = wire.read_request()
        wire.origin.saw(request)
        if request.target == "/close":
            return
        if request.target == "/nonsense":
            wire.send("HTTP/9 what\r\n\r\n")
        elif request.target == "/cut":
            wire.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")
        elif request.target == "/silent":
            wire.ends()
        elif request.target == "/upgrade":
            wire.send("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n")
            wire.ends()
        else:
            wire.send(fine(request))

    origin = Origin(handler)
    proxy = Proxy(origin.port, engine="gomesh", workers=1, upstream={"max_connections": 1}, timeout={"connect_timeout": "30s"})
    for turn in range(3):
        for target in ("/close", "/nonsense"):
            is_(once(proxy.port, target=target).status, 502, "502 for " + target)
        cut = asking(proxy, "/cut")
        cut.read_response_head()
        for target in ("/silent", "/upgrade"):
            client = Client(proxy.port)
            fields = [("Connection", "upgrade"), ("Upgrade", "x")]
            client.send_request(target=target, headers=fields)
            origin.wait(lambda self: self.requests[-1].target == target, target)
            client.reset()
        is_(once(proxy.port, target="/fine").text, "fine /fine", "and a good one has the place afterwards")
    is_(proxy.stop(), 0, "exit code 0")


def queue_storm():
    """Many clients, few connections, some clients leave: everybody who stays is answered."""
    origin = Origin(answering(fine))
    proxy = Proxy(origin.port, engine="gomesh", workers=2, upstream={"max_connections": 3}, timeout={"connect_timeout": "30s"})

    def visit(number):
        seen, client = [], None
        for turn in range(30):
            client = client or Client(proxy.port, seconds=60)
            if (turn + number) % 5 == 0:
                client.send_request(target="/leaves")
                client.reset()
                client = None
            else:
                seen.append(client.request(target="/%d" % turn).status)
        return seen

    seen = sum((run.result() for run in [background(visit, number) for number in range(30)]), [])
    is_(set(seen), {200}, "%d requests are answered" % len(seen))
    ok(len(origin.open) <= 6, "with at most three connections of each worker (%d)" % len(origin.open))
    is_(proxy.stop(), 0, "exit code 0")


# ---- of patience


def dripping(client, piece, is_chunked):
    """Sends pieces, each sooner than read_timeout, until there is an answer."""
    framing = "Transfer-Encoding: chunked" if is_chunked else "Content-Length: 100000000"
    client.send("POST /drip HTTP/1.1\r\nHost: a\r\n%s\r\n\r\n" % framing)
    data = b"%x\r\n%s\r\n" % (len(piece), piece) if is_chunked else piece
    pieces = 0
    while not client.readable(0.02):
        client.send(data)
        pieces += 1
    return pieces


def drip():
    limit, patience = {"min_body_rate": "100KiB"}, {"read_timeout": duration(400)}
    proxy = Proxy(Origin(answering(fine)).port, engine="gomesh", limits=limit, timeout=patience)
    for is_chunked in (False, True):
        client = Client(proxy.port)
        pieces = dripping(client, b"d" * 10, is_chunked)
        ok(pieces > 5, "a dripped body has its grace (%d pieces)" % pieces)
        response = client.read_response()
        check_failure(response, 408, "request_timeout", proxy, r"POST /drip → 127\.0\.0\.1:\d+")
        is_(response.tokens("connection"), ["close"], "and is the last")
    ok(proxy.wait_line("its body comes slower than proxy.limits.min_body_rate"), "the log says why")


def steady():
    """Faster than the rate, for longer than every timeout: nobody is in the way."""
    limit, patience = {"min_body_rate": "1KiB"}, {"read_timeout": duration(1000)}
    proxy = Proxy(Origin(answering(fine)).port, engine="gomesh", limits=limit, timeout=patience)
    client = Client(proxy.port)
    client.send("POST /steady HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n")
    for _ in range(100):
        client.send(b"s" * 1000)
        time.sleep(0.015 * SLOW)
    is_(client.read_response().text, "fine /steady", "a steady upload is answered")
    is_(once(proxy.port, method="POST", body=b"x").status, 200, "a body of one byte, too")


def slow_backend():
    """A backend that takes nothing for a while is not the client's fault."""
    limit = {"min_body_rate": "10MiB"}
    patience = {"read_timeout": duration(300), "write_timeout": "60s"}
    size = 20 << 20

    def handler(wire):
        wire.origin.saw(wire.read_request_head())
        time.sleep(3 * SLOW)
        wire.read_exactly(size)
        wire.send(http_message("HTTP/1.1 200 OK", [], b"took it"))
        wire.ends()

    proxy = Proxy(Origin(handler).port, engine="gomesh", limits=limit, timeout=patience)
    client = Client(proxy.port, seconds=60)
    client.send("POST /big HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % size)
    client.send(bytes(size))
    is_(client.read_response().text, "took it", "20 MiB, of which none moved for longer than read_timeout")


# ---- of the clock

CLOCK = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <sys/time.h>
#include <unistd.h>
int gettimeofday(struct timeval *restrict at, void *restrict zone)
{
    int (*real)(struct timeval *, void *) = (int (*)(struct timeval *, void *))dlsym(RTLD_NEXT, "gettimeofday");
    int ret = real(at, zone);
    if (access(getenv("JUMP"), F_OK) == 0)
        at->tv_sec -= 3600;
    return ret;
}
"""


def clock_jumps():
    """The system's clock goes back by an hour while a connection is being made and others wait."""
    if SLOW > 1:
        raise Skip("a sanitizer wants to be the first library")
    source, library = write_file("clock.c", CLOCK), os.path.join(temporary_folder(), "clock.so")
    if os.system("'%s' -shared -fPIC -o %s %s 2>/dev/null" % (want_tool("cc"), library, source)):
        raise Skip("nothing can be compiled here")
    jump = os.path.join(temporary_folder(), "jump")
    wrapper = ["env", "LD_PRELOAD=" + library, "JUMP=" + jump]
    route = {"name": "r", "match": {"path": {"prefix": "/fine"}}, "backend": {"host": "127.0.0.1", "port": Origin(answering(fine)).port}}
    patience = {"connect_timeout": "500ms", "idle_timeout": "1s"}
    limits = {"max_connections": 3}
    proxy = Proxy(blackhole(), engine="gomesh", workers=1, timeout=patience, limits=limits, routes=[route], wrapper=wrapper)
    connecting, idle, third = [Client(proxy.port) for _ in range(3)]
    is_(idle.request(target="/fine").status, 200, "a client that is idle then")
    waiting = Client(proxy.port)
    waiting.send_request(target="/fine/waiting")
    proxy.wait_line("new clients wait")
    connecting.send_request()
    proxy.wait_line("Forwarding: GET / ")
    write_file("jump", "")
    ok(os.path.exists(jump), "the clock jumps")
    check_failure(connecting.read_response(), 504, "connect_timeout", proxy)
    third.close()
    is_(waiting.read_response().text, "fine /fine/waiting", "a client that waited to be accepted is served")
    ok(idle.ends(), "the idle client's connection ends")
    is_(proxy.stop(), 0, "exit code 0")


for name in ("gomesh", "h2o"):
    subtest("max_connections_per_ip, engine " + name, per_client, name)
    subtest("max_connections_per_ip over TLS, engine " + name, per_client_tls, name)
    subtest("max_connections: no spinning, engine " + name, full, name)
    subtest("no descriptors, engine " + name, descriptors, name)
    subtest("too few descriptors under load, engine " + name, storm, name)
subtest("min_body_rate", drip)
subtest("min_body_rate: a steady upload", steady)
subtest("min_body_rate: a slow backend", slow_backend)
subtest("the clock jumps", clock_jumps)
subtest("upstream.max_connections: in order", queue)
subtest("upstream.max_connections: late and gone", queue_late)
subtest("upstream.max_connections: places are given back", queue_ends)
subtest("upstream.max_connections under load", queue_storm)
subtest("max_connections_per_ip counts networks of IPv6", per_network)
done()
