#!/usr/bin/env python3
"""Clients that send their last byte: those that wait get all of their answer, for those that left the backend stops."""
import os
import socket
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "lib"))
from gomesh_test import *  # noqa: E402,F403

PIECE = b"x" * 10000


class Slow(Origin):
    """Answers as the target says; .left counts the connections that ended before their answer did."""

    def __init__(self):
        self.left = 0
        super().__init__(self.answer)

    def answer(self, wire):
        request = wire.read_request_head()
        if request is None:
            return
        self.saw(request)
        kind = request.target.strip("/")
        if kind == "never":
            wire.read_to_end()
            self.gone()
        elif kind.startswith("upgrade"):
            pause(300)
            wire.send("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n")
            pause(1000)
            wire.send(b"late")
            wire.half_close()
            wire.read_to_end()
        elif kind == "steady":
            wire.send("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (60 * len(PIECE)))
            for piece in trickle([PIECE] * 60, 25):
                wire.send(piece)
        elif kind == "quiet":
            wire.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n")
            for piece in ("6\r\nsecond\r\n", "5\r\nthird\r\n"):
                pause(1500)
                wire.send(piece)
            pause(1500)
            wire.send("0\r\n\r\n")
        elif kind == "silent":
            wire.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n")
            wire.read_to_end()
            self.gone()

    def gone(self):
        with self.changed:
            self.left += 1
            self.changed.notify_all()


def pause(milliseconds):
    for _ in trickle([None], milliseconds):
        pass


def asking(proxy, target, version="1.1", more=""):
    client = Client(proxy.port, seconds=60)
    client.send("GET /%s HTTP/%s\r\nHost: a\r\n%s\r\n" % (target, version, more))
    return client


def those_that_wait():
    origin = Slow()
    proxy = Proxy(origin.port)
    clients = [(version, asking(proxy, "steady", version)) for version in ("1.0", "1.1")]
    quiet = asking(proxy, "quiet")
    upgrade = asking(proxy, "upgrade", more="Connection: upgrade\r\nUpgrade: x\r\n")
    for client in [client for _version, client in clients] + [quiet, upgrade]:
        client.half_close()
    for version, client in clients:
        is_(client.read_response().body, PIECE * 60, "HTTP/%s: a steady answer comes to its end" % version)
    response = quiet.read_response()
    is_((response.framing, response.body), ("chunked", b"firstsecondthird"), "an answer with long pauses, too")
    while upgrade.read_response_head().status != 101:
        pass
    is_(upgrade.read_to_end(), b"late", "and what comes through a tunnel that opened later")


def those_that_left():
    origin = Slow()
    proxy = Proxy(origin.port)
    gone = 0
    for what, target, version, pipelined in (
        ("HTTP/1.1, before the head", "never", "1.1", 0),
        ("HTTP/1.0, before the head", "never", "1.0", 0),
        ("within a quiet answer", "silent", "1.1", 0),
        ("with a full pipeline behind", "never", "1.1", 900),
    ):
        client = asking(proxy, target, version)
        if target == "silent":
            client.read_response_head()
        client.send("GET /next HTTP/1.1\r\nHost: a\r\n\r\n" * pipelined)
        origin.wait_requests(gone + 1)
        client.close()
        gone += 1
        try:
            origin.wait(lambda self: self.left == gone, "the end of it", seconds=5)
            ok(True, "%s: the backend's connection ends" % what)
        except AssertionError:
            ok(False, "%s: the backend's connection ends" % what)
            origin.left = gone


def those_that_are_refused():
    """A client that is still sending when its answer comes, and goes on for a while, can still read it."""
    origin = Origin(lambda wire: (wire.read_request_head(), wire.send("HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n\r\nbig"), wire.read_to_end()))
    client = Client(Proxy(origin.port).port)
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n")
    for piece in trickle([b"x" * 1000] * 15, 250):
        client.send(piece)
    response = client.read_response()
    is_((response.status, response.text), (413, "big"), "3.75 s later")


def those_that_are_cut_short():
    """A request that is on its way when the proxy closes by itself must not take the answer before it away."""
    proxy = Proxy(Origin(answering(lambda request: http_message("HTTP/1.1 200 OK", [], PIECE))).port, limits={"max_requests_per_connection": 1})
    bad = []
    for _ in range(200):
        client = Client(proxy.port)
        client.send_request()
        head = client.read_response_head()
        try:
            client.send_request()  # crosses the end
            client.read_body(head, until_end=True)
            if head.body != PIECE or not client.ends():
                bad.append("short")
        except (ConnectionError, ProtocolError) as problem:
            bad.append(repr(problem))
        client.close()
    is_(bad, [], "200 answers with a request behind them arrive whole")


if ENGINE == "h2o":
    skip_all("the library's server does not notice clients that leave")
subtest("those that wait", those_that_wait)
subtest("those that left", those_that_left)
subtest("those that are refused", those_that_are_refused)
subtest("those that are cut short", those_that_are_cut_short)
done()
