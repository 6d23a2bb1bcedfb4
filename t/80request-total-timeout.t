#!/usr/bin/env python3
"""
An answer that flows steadily and is taken as steadily outlived request_timeout: nobody was waiting at any
moment.
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
    proxy.wait_line(r"^\[WARN\] Connection from 127\.0\.0\.1 ended: request_total_timeout \(")
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


subtest("chunks of an origin", of_an_origin, "chunked")
subtest("a body of known length", of_an_origin, "length")
subtest("the test backend's stream", of_the_backend, "1.1")
subtest("the same to an HTTP/1.0 client, who has only the connection's end", of_the_backend, "1.0")
subtest("answers within the limit", within_the_limit)
done()
