#!/usr/bin/env python3
"""Ending the proxy: signals, requests in flight, the time limit, sd_notify, and all of it under load."""
import os
import signal
import socket
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "lib"))
from gomesh_test import *  # noqa: E402,F403

CLIENTS = 32
BEFORE = 2000  # requests answered before the shutdown under load begins


def fine(request):
    return http_message("HTTP/1.1 200 OK", [], b"fine " + request.target.encode())


class Gate:
    """An origin that answers /wait... only after open()."""

    def __init__(self):
        self.opened = threading.Event()
        self.origin = Origin(answering(self.answer))
        closing(self.opened.set)
        self.port = self.origin.port

    def answer(self, request):
        if request.target.startswith("/wait"):
            self.opened.wait(deadline(60))
        return fine(request)


def ends_unclean(client):
    """Whether the connection is reset, now or behind what is in the client's buffer."""
    try:
        while client.fill():
            pass
        return False
    except ConnectionError:
        return True


def refuses(port):
    try:
        Client(port).close()
    except ConnectionRefusedError:
        return True
    except OSError:
        pass
    return False


def idle_connections(number):
    proxy = Proxy(Origin(answering(fine)).port)
    clients = [Client(proxy.port) for _ in range(10)]
    is_(
        [client.request(target="/x").status for client in clients[:5]],
        [200] * 5,
        "5 used connections, 5 unused",
    )
    start = now()
    is_(proxy.stop(number), 0, "exit code 0")
    ok(elapsed_since(start) < 8000, "at once, not after shutdown_timeout")
    is_([client.ends() for client in clients], [True] * 10, "idle connections are closed silently")
    ok(
        proxy.find(r"^\[INFO\] Shutting down: waiting up to 10s for \d+ request(s|\(s\))?$"),
        "the line when it begins",
    )
    is_(proxy.out[-1], "[INFO] Stopped", "the last line")
    is_(proxy.err, [], "nothing on stderr")


def in_flight(number):
    gate = Gate()
    proxy = Proxy(gate.port, timeout={"shutdown_timeout": "30s"})
    idle, client, second = [Client(proxy.port) for _ in range(3)]
    is_(
        [idle.request(target="/idle").status, client.request(target="/before").status],
        [200, 200],
        "requests before",
    )
    client.send_request(target="/wait/1")
    second.send_request("POST", "/wait/2", body=b"abc")
    gate.origin.wait_requests(4)
    proxy.send(number)
    proxy.wait_line(r"^\[INFO\] Shutting down: waiting up to 30s for 2 request(s|\(s\))?$")
    ok(idle.ends(), "an idle connection is closed at once")
    wait_until(lambda: refuses(proxy.port), "new connections to be refused")
    ok(proxy.alive(), "it waits for what is in flight, and accepts nothing more")
    gate.opened.set()
    for which, target in ((client, "/wait/1"), (second, "/wait/2")):
        response = which.read_response()
        is_((response.status, response.text), (200, "fine " + target), "%s gets its whole answer" % target)
        ok("close" in response.tokens("connection"), "with Connection: close")
        ok(which.ends(), "and the connection ends")
    is_(proxy.wait(), 0, "exit code 0")
    is_(proxy.out[-1], "[INFO] Stopped", "the last line")


def delayed_backend():
    backend = Backend()
    proxy = Proxy(backend.port)
    client = Client(proxy.port)
    client.send_request(target="/delay/" + duration(1000))
    backend.wait_line(r"^\[BACKEND\] Received: GET /delay/")
    proxy.send(signal.SIGTERM)
    response = client.read_response()
    is_(
        (response.status, response.tokens("connection")),
        (200, ["close"]),
        "/delay/1s is answered, with Connection: close",
    )
    ok(response.framing in ("length", "chunked") and response.body, "whole, in a framing that shows it")
    is_(proxy.wait(), 0, "exit code 0")


def body_in_flight():
    """When the shutdown begins the client has half of its answer, and the proxy half of an upload."""
    go_on = threading.Event()

    def handler(wire):
        request = wire.read_request()
        wire.origin.saw(request)
        if request.method == "POST":
            wire.send(http_message("HTTP/1.1 200 OK", [], request.body))
            return
        wire.send(b"HTTP/1.1 200 OK\r\nContent-Length: 200000\r\n\r\n" + b"x" * 100000)
        go_on.wait(deadline(60))
        wire.send(b"y" * 100000)

    origin = Origin(handler)
    closing(go_on.set)
    proxy = Proxy(origin.port, timeout={"shutdown_timeout": "30s"})
    client, uploader = Client(proxy.port), Client(proxy.port)
    client.send_request(target="/x")
    while len(client.buffer) < 100000:
        client.fill()
    uploader.send_request("POST", "/up", [("Content-Length", "10"), ("Expect", "100-continue")])
    is_(uploader.read_response_head().status, 100, "an upload begins")
    uploader.send(b"hello")
    proxy.send(signal.SIGTERM)
    line = proxy.wait_line(r"^\[INFO\] Shutting down: waiting up to 30s for (\d+) request(s|\(s\))?$")
    is_(line.group(1), "2", "a request whose body is still arriving counts as one")
    uploader.send(b"world")
    is_(uploader.read_response().body, b"helloworld", "the upload is finished and answered")
    go_on.set()
    is_(client.read_response().body, b"x" * 100000 + b"y" * 100000, "the download is finished")
    is_(proxy.wait(), 0, "exit code 0")


def too_long():
    gate = Gate()
    limit = duration(500)
    proxy = Proxy(gate.port, timeout={"shutdown_timeout": limit})
    clients = [Client(proxy.port) for _ in range(3)]
    for client in clients:
        client.send_request(target="/wait")
    gate.origin.wait_requests(3)
    start = now()
    proxy.send(signal.SIGTERM)
    is_(proxy.wait(), 0, "exit code 0")
    elapsed = elapsed_since(start)
    ok(480 <= elapsed < 15000, "after shutdown_timeout (%d ms)" % elapsed)
    like(
        proxy.out[-1],
        r"^\[WARN\] Cut 3 request(s|\(s\))? that did not finish within \S+$",
        "it says what was cut",
    )
    for client in clients:
        if ENGINE == "gomesh":
            response = client.read_response()
            is_((response.status, response.get("retry-after")), (503, "1"), "a request without an answer gets one")
            like(response.text, r"\Adraining: ", "that says why")
            ok(client.ends(), "and the connection ends")
        else:
            ok(ends_unclean(client), "a request that was cut sees its connection break")


def too_long_for_some():
    """Each phase that a request can be in when the time is over."""

    def handler(wire):
        wire.origin.saw(wire.read_request_head())
        if wire.origin.requests[-1].target == "/part":
            wire.send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\npart")
        wire.read_to_end()

    origin = Origin(handler)
    proxy = Proxy(origin.port, timeout={"shutdown_timeout": "0s"}, workers=1)
    part, head, upload = [Client(proxy.port) for _ in range(3)]
    part.send_request(target="/part")
    while not part.buffer.endswith(b"part"):
        part.fill()
    upload.send("POST /upload HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\npart")
    origin.wait_requests(2)
    head.send("GET /late HTTP/1.1\r\n")
    once(proxy.port, target="/%")  # so the bytes before it have arrived
    proxy.send(signal.SIGTERM)
    is_(proxy.wait(), 0, "exit code 0")
    ok(ends_unclean(part), "an answer that has begun breaks off, visibly")
    is_(upload.read_response().status, 503, "an upload is answered")
    is_(head.read_response().status, 503, "half a head is answered")
    is_(proxy.out[-1], "[WARN] Cut 3 requests that did not finish within 0s", "all of them count")
    is_(proxy.count(r" failed: draining \("), 3, "each has a line in the log")
    is_(proxy.count(r" failed: client_gone "), 0, "and is not the client's fault")


def second_signal(first, second):
    gate = Gate()
    proxy = Proxy(gate.port, timeout={"shutdown_timeout": "50s"})
    client = Client(proxy.port)
    client.send_request(target="/wait")
    gate.origin.wait_requests(1)
    proxy.send(first)
    proxy.wait_line(r"^\[INFO\] Shutting down: waiting up to 50s for 1 request(s|\(s\))?$")
    start = now()

    def ended():
        proxy.send(second)  # not only once: signals that come together are one wish
        return not proxy.alive()

    wait_until(ended, "the end")
    is_(proxy.wait(), 0, "exit code 0")
    ok(elapsed_since(start) < 20000, "at once")
    is_(proxy.out[-1], "[WARN] Stopped at once by a second signal", "and it says so")


def one_wish():
    """timeout(1) and some supervisors send a signal to the process, and again to its group."""
    gate = Gate()
    proxy = Proxy(gate.port)
    client = Client(proxy.port)
    client.send_request(target="/wait")
    gate.origin.wait_requests(1)
    for number in (signal.SIGTERM, signal.SIGTERM, signal.SIGINT):
        proxy.send(number)
    proxy.wait_line(r"^\[INFO\] Shutting down: ")
    gate.opened.set()
    is_(client.read_response().text, "fine /wait", "what is in flight is finished")
    is_(proxy.wait(), 0, "exit code 0")
    is_(proxy.out[-1], "[INFO] Stopped", "in good order")


def hang_up():
    """Without a terminal SIGHUP is somebody's wish for a reload."""
    proxy = Proxy(Origin(answering(fine)).port, wrapper=[want_tool("setsid")])
    proxy.send(signal.SIGHUP)
    proxy.wait_line(r"^\[WARN\] SIGHUP changes nothing: a new configuration needs a restart$")
    is_(once(proxy.port).status, 200, "it goes on serving")
    is_(proxy.stop(), 0, "exit code 0")


def broken_pipe():
    """SIGPIPE: clients that vanish under a big answer do not end the proxy."""
    proxy = Proxy(Origin(answering(lambda request: http_message("HTTP/1.1 200 OK", [], b"x" * 3000000))).port)
    for _ in range(20):
        client = Client(proxy.port)
        client.send_request(target="/big")
        client.read_line()
        client.reset()
    is_(len(once(proxy.port).body), 3000000, "clients that reset their connections do no harm")
    is_(proxy.stop(), 0, "exit code 0")


def notify_socket(abstract):
    path = os.path.join(temporary_folder(), "notify")
    name = "@gomesh-test-%d" % os.getpid() if abstract else path
    receiver = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    closing(receiver.close)
    receiver.bind("\0" + name[1:] if abstract else name)
    receiver.settimeout(deadline(15))
    origin = Origin(answering(fine))
    proxy = Proxy(origin.port, env={"NOTIFY_SOCKET": name})
    states = receiver.recv(4096).decode().split("\n")
    ok("READY=1" in states, "READY=1")
    is_(once(proxy.port).status, 200, "when it is ready it serves")
    proxy.send(signal.SIGTERM)
    states = receiver.recv(4096).decode().split("\n")
    is_(states, ["STOPPING=1", "EXTEND_TIMEOUT_USEC=15000000"], "STOPPING=1, and for how long")
    is_(proxy.wait(), 0, "exit code 0")


class LoadClient:
    """Sends requests on one keep-alive connection after another until a connect is refused."""

    def __init__(self, number, load):
        self.number, self.load = number, load
        self.sent = self.answered = self.races = 0
        self.problems = []
        self.run = background(self.loop)

    def loop(self):
        while True:
            try:
                client = Client(self.load.proxy.port)
            except ConnectionRefusedError:
                if not self.load.stopping.is_set():
                    self.problems.append("refused before the shutdown")
                return
            except ConnectionResetError:
                continue  # it was in the kernel's queue and never accepted
            self.use(client)
            client.close()

    def use(self, client):
        first = True
        while first or not client.readable():  # what is readable between two requests can only be the end
            target = "/load/%d/%d" % (self.number, self.sent)
            self.sent += 1
            before = not self.load.stopping.is_set()
            try:
                client.send_request(target=target)
                before = before and not self.load.stopping.is_set()
                response = client.read_response()
            except (ProtocolError, OSError) as problem:
                self.unanswered(target, problem, client, before)
                return
            if (response.status, response.text) != (200, "fine " + target):
                self.problems.append("%s: %d %s" % (target, response.status, response.text[:80]))
                return
            self.answered += 1
            self.load.count()
            first = False
            if "close" in response.tokens("connection"):
                return

    def unanswered(self, target, problem, client, before):
        """
        A connection may end while the next request is on its way: HTTP/1.1 has no cure for that but to send
        it again (RFC 9112, 9.3.1). So it is no failure if the request was sent after the signal, nothing of
        an answer came, and it was never forwarded. Anything else is a request that failed.
        """
        self.races += 1
        if before or client.buffer or self.load.reached(target):
            self.problems.append("%s: %r (before the signal: %s)" % (target, problem, before))


class Load:
    def __init__(self):
        self.origin = Origin(answering(fine))
        self.proxy = Proxy(self.origin.port, timeout={"shutdown_timeout": "30s"})
        self.stopping = threading.Event()
        self.changed = threading.Condition()
        self.answers = 0

    def count(self):
        with self.changed:
            self.answers += 1
            if self.answers == BEFORE:
                self.changed.notify_all()

    def reached(self, target):
        with self.origin.changed:
            return any(request.target == target for request in self.origin.requests[-2000:])


def under_load():
    load = Load()
    clients = [LoadClient(number, load) for number in range(CLIENTS)]
    with load.changed:
        ok(load.changed.wait_for(lambda: load.answers >= BEFORE, deadline(60)), "%d answers before" % BEFORE)
    load.stopping.set()
    load.proxy.send(signal.SIGTERM)
    for client in clients:
        client.run.result()
    is_(load.proxy.wait(), 0, "exit code 0")
    is_(load.proxy.out[-1], "[INFO] Stopped", "nothing was cut")
    ok(all(client.answered > 0 for client in clients), "all %d clients were served" % CLIENTS)
    is_([problem for client in clients for problem in client.problems], [], "not one request failed")
    note(
        "%d requests; %d met a connection that was just being closed"
        % (sum(client.sent for client in clients), sum(client.races for client in clients))
    )


subtest("SIGTERM with idle connections", idle_connections, signal.SIGTERM)
subtest("SIGINT with idle connections", idle_connections, signal.SIGINT)
subtest("SIGTERM with requests in flight", in_flight, signal.SIGTERM)
subtest("SIGINT with requests in flight", in_flight, signal.SIGINT)
subtest("SIGTERM while the test backend takes its time", delayed_backend)
subtest("bodies in flight", body_in_flight)
subtest("a request that takes longer than shutdown_timeout", too_long)
if ENGINE == "gomesh":
    subtest("requests in each phase when the time is over", too_long_for_some)
subtest("a second signal", second_signal, signal.SIGTERM, signal.SIGTERM)
subtest("a second signal of the other kind", second_signal, signal.SIGINT, signal.SIGTERM)
subtest("signals that come together", one_wish)
subtest("SIGHUP", hang_up)
subtest("SIGPIPE", broken_pipe)
subtest("NOTIFY_SOCKET, a path", notify_socket, False)
subtest("NOTIFY_SOCKET, an abstract name", notify_socket, True)
subtest("under load", under_load)
done()
