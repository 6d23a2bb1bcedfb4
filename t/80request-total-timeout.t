#!/usr/bin/env python3
"""
request_timeout bounds the whole of a request: an answer that flows steadily and is taken as steadily outlived
it, because nobody was waiting at any moment, and so did the time before an answer.
"""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "lib"))
from gomesh_test import *  # noqa: E402,F403

LIMIT_MS = 400
PIECE = b"x" * 100
PIECES = 100  # 50 ms apart: 5 s
HEADS = {
    "chunked": "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
    "length": "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (PIECES * len(PIECE)),
}


def streams(wire):
    """Answers /fine at once, anything else in the framing that its path names, for 5 s."""
    framing = wire.read_request().target[1:]
    if framing not in HEADS:
        wire.send(http_message("HTTP/1.1 200 OK", [("Connection", "close")], b"fine"))
        return
    wire.send(HEADS[framing])
    for piece in trickle([PIECE] * PIECES, 50):
        wire.send(b"%x\r\n%s\r\n" % (len(piece), piece) if framing == "chunked" else piece)
    if framing == "chunked":
        wire.send(b"0\r\n\r\n")


def limited(backend_port):
    return Proxy(backend_port, timeout={"request_timeout": duration(LIMIT_MS)})


def is_cut(proxy, target, version="1.1"):
    """The answer begins, and its client can tell that it is not whole."""
    client = Client(proxy.port)
    start = now()
    client.send_request(target=target, version=version)
    response = client.read_response_head()
    is_(response.status, 200, "the answer begins")
    try:
        client.read_body(response, until_end=True)
        ok(False, "the client sees that the answer is not whole (got %d bytes)" % len(response.body))
    except (ProtocolError, ConnectionError):
        ok(True, "the client sees that the answer is not whole")
    took = elapsed_since(start)
    ok(took >= LIMIT_MS - 20, "not before request_timeout (%d ms)" % took)
    proxy.wait_line(
        r"^\[WARN\] Connection from 127\.0\.0\.1 ended: request_total_timeout \("
        if ENGINE == "h2o"
        else r"^\[ERROR\] GET /\S+ → \S+ failed: request_total_timeout \("
    )
    ok(True, "the log says why")


def of_an_origin(framing):
    origin = Origin(streams)
    proxy = limited(origin.port)
    is_cut(proxy, "/" + framing)
    origin.wait(lambda self: not self.open, "the end of the origin's connection", 4)
    ok(True, "the origin does not go on for nobody")
    is_(once(proxy.port, target="/fine").text, "fine", "the next request is served")
    is_(proxy.stop(), 0, "exit code 0")


def of_the_backend(version):
    backend = Backend()
    proxy = limited(backend.port)
    is_cut(proxy, "/stream/100/50ms", version)
    is_(once(proxy.port, target="/health").text, "OK", "the next request is served")


def within_the_limit():
    backend = Backend()
    proxy = Proxy(backend.port, timeout={"request_timeout": duration(5000)})
    client = Client(proxy.port)
    for _ in range(3):
        is_(
            client.request(target="/stream/3/10ms").text,
            "chunk 1\nchunk 2\nchunk 3\n",
            "an answer in time is whole",
        )
    is_(proxy.stop(), 0, "exit code 0")
    is_(proxy.find("request_total_timeout"), None, "and nothing is said")


def dribbles(wire):
    """Answers /fine at once. Anything else gets a head that never ends, in the way that its path names."""
    request = wire.read_request()
    if request is None:
        return
    if request.target == "/fine":
        wire.send(http_message("HTTP/1.1 200 OK", [("Connection", "close")], b"fine"))
    elif request.target == "/drip":
        wire.send("HTTP/1.1 200 OK\r\nX-Slow: ")
        for piece in trickle([b"x"] * 400, 50):
            wire.send(piece)
    elif request.target == "/interim":
        for piece in trickle([b"HTTP/1.1 102 Processing\r\n\r\n"] * 400, 50):
            wire.send(piece)
    else:
        wire.ends()


def before_the_answer(port, target, method="GET"):
    """Whatever a request waits for, its client is told when the time is over."""
    proxy = limited(port)
    start = now()
    client = Client(proxy.port)
    client.send_request(method, target)
    response = client.read_response(method)
    if method == "HEAD":
        is_((response.status, response.body), (504, b""), "504 without a body")
        proxy.wait_line("request_total_timeout")
    else:
        check_failure(response, 504, "request_total_timeout", proxy)
    took = elapsed_since(start)
    ok(LIMIT_MS - 20 <= took < 15000, "after request_timeout (%d ms)" % took)
    ok("close" not in response.tokens("connection") or client.ends(), "the connection ends if it says so")
    return proxy


def holding_backend(target, method="GET"):
    origin = Origin(dribbles)
    proxy = before_the_answer(origin.port, target, method)
    origin.wait(lambda self: not self.open, "the end of the origin's connection", 4)
    ok(True, "the origin does not go on for nobody")
    is_(once(proxy.port, target="/fine").text, "fine", "the next request is served")
    is_(proxy.stop(), 0, "exit code 0")


def never_connected():
    is_(before_the_answer(blackhole(), "/x").stop(), 0, "exit code 0")


def at_the_last_moment():
    """Answers that come just when the time is over: one or the other, never neither."""
    backend = Backend()
    proxy = limited(backend.port)
    seen = {}

    def one(number):
        status = once(proxy.port, target="/delay/%dms" % (LIMIT_MS - 10 + number % 20)).status
        seen[status] = seen.get(status, 0) + 1

    for run in [background(one, number) for number in range(100)]:
        run.result()
    is_(set(seen) - {200, 504}, set(), "every client gets an answer (%s)" % seen)
    is_(once(proxy.port, target="/health").text, "OK", "the proxy lives on")
    is_(proxy.stop(), 0, "exit code 0")


subtest("chunks of an origin", of_an_origin, "chunked")
subtest("a body of known length", of_an_origin, "length")
subtest("the test backend's stream", of_the_backend, "1.1")
subtest("the same to an HTTP/1.0 client, who has only the connection's end", of_the_backend, "1.0")
subtest("answers within the limit", within_the_limit)
subtest("a backend that never accepts", never_connected)
subtest("a backend that never says a word", holding_backend, "/silent")
subtest("a head that drips", holding_backend, "/drip")
subtest("a head that drips, of an answer to HEAD", holding_backend, "/drip", "HEAD")
subtest("interim answers without end", holding_backend, "/interim")
subtest("answers at the last moment", at_the_last_moment)
done()
