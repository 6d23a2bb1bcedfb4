#!/usr/bin/env python3
"""Timeouts, from both sides: each acts when its time has come, and none cuts what makes progress."""
import os
import socket
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "lib"))
from gomesh_test import *  # noqa: E402,F403

MIB = 1 << 20


def fine(request):
    return http_message("HTTP/1.1 200 OK", [], b"fine " + request.target.encode())


def where(origin_port, target="/x", method="GET", host="127.0.0.1"):
    return r"%s %s → %s:%d" % (method, target, host.replace(".", r"\."), origin_port)


def lives_on(proxy, port=None, target="/alive"):
    """The same process serves the next request."""
    ok(proxy.alive() and once(port or proxy.port, target=target).status == 200, "the proxy lives on")


def silent(wire):
    """Answers /fine; keeps quiet about anything else until the peer leaves."""
    while True:
        request = wire.read_request()
        if request is None:
            return
        wire.origin.saw(request)
        if request.target in ("/alive", "/fine"):
            wire.send(fine(request))
        elif request.target == "/head-only":
            wire.send("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhe")
        else:
            wire.ends()
            return


def silent_origin():
    origin = Origin(silent)
    proxy = Proxy(origin.port, timeout={"read_timeout": duration(300)})
    start = now()
    check_failure(once(proxy.port, target="/x"), 504, "response_timeout", proxy, where(origin.port))
    elapsed = elapsed_since(start)
    ok(elapsed >= 280, "not before read_timeout (%d ms)" % elapsed)
    origin.wait(lambda self: not self.open, "the end of the silent connection")
    ok(True, "the proxy hangs up on the backend")
    try:
        response = once(proxy.port, target="/head-only")
        ok(False, "silence inside the body ends the answer (status %d)" % response.status)
    except (ProtocolError, ConnectionError):
        ok(True, "silence inside the body ends the answer, visibly")
    lives_on(proxy)


def connecting_takes_too_long():
    port = blackhole()
    proxy = Proxy(port, timeout={"connect_timeout": duration(300)})
    start = now()
    check_failure(once(proxy.port, target="/x"), 504, "connect_timeout", proxy, where(port))
    elapsed = elapsed_since(start)
    ok(elapsed >= 280, "not before connect_timeout (%d ms)" % elapsed)
    ok(proxy.alive(), "the proxy lives on")


def total_timeout():
    origin = Origin(silent)
    backend = Backend()
    for port, target in ((origin.port, "/x"), (backend.port, "/delay/20s")):
        proxy = Proxy(port, timeout={"request_timeout": duration(400)})
        start = now()
        check_failure(
            once(proxy.port, target=target), 504, "request_total_timeout", proxy, where(port, target)
        )
        elapsed = elapsed_since(start)
        ok(380 <= elapsed < 15000, "after request_timeout (%d ms)" % elapsed)
        lives_on(proxy)
    backend.kill()  # its last answer is not worth waiting for


def client_too_slow():
    origin = Origin(answering(fine))
    proxy = Proxy(origin.port, timeout={"read_timeout": duration(400), "idle_timeout": duration(60000)})
    for what, part in (
        ("half a request line", "GET /x"),
        ("half a head", "GET /x HTTP/1.1\r\nHost: a\r\n"),
        ("half a body", "POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhalf"),
        ("half a chunk", "POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nha"),
    ):
        client = Client(proxy.port)
        start = now()
        client.send(part)
        try:
            check_failure(client.read_response(), 408, "request_timeout", proxy)
        except (ProtocolError, OSError) as problem:
            ok(False, "%s is answered with 408 (%r)" % (what, problem))
        elapsed = elapsed_since(start)
        ok(380 <= elapsed < 15000, "%s: after read_timeout (%d ms)" % (what, elapsed))
        try:
            ok(client.ends(), "%s: and the connection ends" % what)
        except OSError as problem:
            ok(False, "%s: and the connection ends (%r)" % (what, problem))
    is_(len(origin.requests), 0, "the origin saw no whole request")
    lives_on(proxy)


def idle():
    origin = Origin(answering(fine))
    proxy = Proxy(origin.port, timeout={"read_timeout": duration(60000), "idle_timeout": duration(400)})
    client = Client(proxy.port)
    is_(client.request(target="/x").status, 200, "a request")
    start = now()
    ok(client.ends(), "then the idle connection is closed, silently")
    elapsed = elapsed_since(start)
    ok(380 <= elapsed < 15000, "after idle_timeout (%d ms)" % elapsed)
    is_(proxy.count(r"\[(WARN|ERROR)\]"), 0, "without a line in the log")
    proxy = Proxy(origin.port, timeout={"read_timeout": duration(400), "idle_timeout": duration(400)})
    client = Client(proxy.port)
    start = now()
    ok(client.ends(), "a connection that never sends anything is closed, silently")
    elapsed = elapsed_since(start)
    ok(380 <= elapsed < 15000, "after the same time (%d ms)" % elapsed)


def slow_but_steady():
    """Each piece comes well within a timeout, the whole takes longer than any of them."""
    pieces, pause = [b"piece %02d." % number for number in range(20)], 100
    whole = b"".join(pieces)

    def handler(wire):
        while True:
            request = wire.read_request()
            if request is None:
                return
            if request.method == "POST":
                wire.send(http_message("HTTP/1.1 200 OK", [], request.body))
            else:
                wire.send(
                    "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(whole)
                    if request.target == "/length"
                    else "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                )
                for piece in trickle(pieces, pause):
                    wire.send(piece if request.target == "/length" else b"%x\r\n%s\r\n" % (len(piece), piece))
                wire.send(b"" if request.target == "/length" else b"0\r\n\r\n")

    proxy = Proxy(
        Origin(handler).port,
        timeout={
            name: duration(1000)
            for name in ("read_timeout", "write_timeout", "idle_timeout", "connect_timeout")
        },
    )
    backend = Backend()
    stream_proxy = Proxy(
        backend.port, timeout={"read_timeout": duration(1000), "idle_timeout": duration(1000)}
    )

    def upload(coding):
        client = Client(proxy.port)
        client.send_request("POST", "/up", [coding])
        for piece in trickle(pieces, pause):
            client.send(piece if coding[0] == "Content-Length" else b"%x\r\n%s\r\n" % (len(piece), piece))
        client.send(b"" if coding[0] == "Content-Length" else b"0\r\n\r\n")
        return client.read_response().body

    def slow_head():
        client = Client(proxy.port)
        for piece in trickle(
            ["GET /length HTTP/1.1\r\n"] + ["X-%d: y\r\n" % number for number in range(15)], pause / 8
        ):
            client.send(piece)
        client.send("Host: a\r\n\r\n")
        return client.read_response().body

    runs = [
        ("download with a length", whole, background(once, proxy.port, "GET", "/length")),
        ("download in chunks", whole, background(once, proxy.port, "GET", "/chunks")),
        ("upload with a length", whole, background(upload, ("Content-Length", str(len(whole))))),
        ("upload in chunks", whole, background(upload, ("Transfer-Encoding", "chunked"))),
        ("a head in pieces", whole, background(slow_head)),
    ]
    stream = background(once, stream_proxy.port, "GET", "/stream/%d/%s" % (20, duration(100)))
    for name, wanted, run in runs:
        try:
            result = run.result()
            is_(getattr(result, "body", result), wanted, "slow but steady: " + name)
        except Exception as problem:
            ok(False, "slow but steady: %s (%r)" % (name, problem))
    try:
        response = stream.result()
        is_(
            (response.status, response.framing),
            (200, "chunked"),
            "slow but steady: the test backend's /stream",
        )
    except Exception as problem:
        ok(False, "slow but steady: the test backend's /stream (%r)" % problem)


def early_head():
    """A backend that begins to answer, and goes on when the upload is complete, is not silent meanwhile."""

    def handler(wire):
        while b"\r\n\r\n" not in wire.buffer:
            wire.fill()
        wire.send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n")
        while b"the end" not in wire.buffer:
            if not wire.fill():
                return
        wire.send("done")

    proxy = Proxy(Origin(handler).port, timeout={"read_timeout": duration(300)})
    client = Client(proxy.port)
    pieces = [b"x" * 10] * 12 + [b"the end"]
    client.send("POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % sum(map(len, pieces)))
    for piece in trickle(pieces, 80):
        client.send(piece)
    is_(client.read_response().body, b"done", "an upload that takes longer than read_timeout")


def slow_reader():
    size = 64 * MIB

    def handler(wire):
        wire.origin.saw(wire.read_request())
        wire.send("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
        block = b"x" * 65536
        for _ in range(size // len(block)):
            wire.send(block)

    origin = Origin(handler)
    proxy = Proxy(origin.port, timeout={"write_timeout": duration(500)})
    client = Client(proxy.port, receive_buffer=4096)
    start = now()
    client.send_request(target="/big")
    is_(client.read_response_head().status, 200, "a download begins, and is read no further")
    wait_until(lambda: tcp_state(proxy.port, client.local_port) != 1, "the proxy to cut the connection", 20)
    elapsed = elapsed_since(start)
    ok(elapsed >= 480, "a client that does not read is cut, after write_timeout (%d ms)" % elapsed)
    received = len(client.buffer)
    try:
        while client.fill():
            received += len(client.buffer)
            client.buffer.clear()
    except (ConnectionError, socket.timeout):
        pass
    ok(received < size, "the answer is not whole (%d bytes)" % received)
    origin.wait(lambda self: not self.open, "the proxy to leave the origin")
    origin.handler = answering(fine)
    lives_on(proxy)


subtest("read_timeout: a silent origin", silent_origin)
if ENGINE != "h2o":
    subtest("read_timeout: an early head", early_head)
subtest("connect_timeout", connecting_takes_too_long)
subtest("request_timeout", total_timeout)
subtest("read_timeout: a client too slow", client_too_slow)
subtest("idle_timeout", idle)
subtest("slow but steady", slow_but_steady)
subtest("write_timeout: a client that stops reading", slow_reader)
done()
