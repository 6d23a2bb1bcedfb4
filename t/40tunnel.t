#!/usr/bin/env python3
"""Protocols that a client switches to: WebSocket and any other that the origin accepts with 101."""
import os
import socket
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "lib"))
from gomesh_test import *  # noqa: E402,F403

UPGRADE = [("Connection", "Upgrade"), ("Upgrade", "echo/1")]
SWITCHED = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo/1\r\nX-Kept: yes\r\n\r\n"


def echoing(wire):
    """Switches, then sends back what comes, in capitals, until the client has nothing more to say."""
    request = wire.read_request()
    if request is None:
        return
    wire.origin.saw(request)
    if request.target == "/no":
        wire.send(http_message("HTTP/1.1 426 Upgrade Required", [("Upgrade", "other/2")], b"no"))
        return
    wire.send(SWITCHED + ("welcome" if request.target == "/talkative" else ""))
    if request.target == "/ends-first":
        wire.send("bye")
        wire.sock.shutdown(socket.SHUT_WR)
    while wire.buffer or wire.fill():
        data, wire.buffer = bytes(wire.buffer), bytearray()
        if request.target == "/ends-first":
            wire.origin.after = getattr(wire.origin, "after", b"") + data
        else:
            wire.send(data.upper())
    if request.target != "/ends-first":
        wire.send("END")


def read_all(wire, wanted):
    while len(wire.buffer) < wanted and wire.fill():
        pass
    data, wire.buffer = bytes(wire.buffer[:wanted]), wire.buffer[wanted:]
    return data


def opened(proxy, target="/", early=b"", **connection):
    client = Client(proxy.port if "port" not in connection else connection.pop("port"), **connection)
    head = "GET %s HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: echo/1\r\n\r\n" % target
    client.send(head.encode() + early)
    return client, client.read_response_head()


def switches():
    origin = Origin(echoing)
    proxy = Proxy(origin.port)
    client, response = opened(proxy)
    is_(
        (response.status, response.get("upgrade"), response.get("x-kept")),
        (101, "echo/1", "yes"),
        "101 with the protocol and the origin's fields",
    )
    is_(response.tokens("connection"), ["upgrade"], "Connection: upgrade")
    is_((response.get("content-length"), response.get("transfer-encoding")), (None, None), "no framing")
    seen = origin.requests[0]
    is_((seen.get("connection"), seen.get("upgrade")), ("upgrade", "echo/1"), "the origin was asked for it")
    for text in (b"one", b"two" * 1000, b"three"):
        client.send(text)
        is_(read_all(client, len(text)), text.upper(), "bytes go through, both ways")
    client.sock.shutdown(socket.SHUT_WR)
    is_(read_all(client, 3), b"END", "a client that ends still gets the origin's last words")
    ok(client.ends(), "and then the end")
    origin.wait(lambda self: not self.open, "the end at the origin")
    is_(once(proxy.port, target="/no").status, 426, "the next request is served")
    is_(proxy.find("failed"), None, "and none of it is a failure")


def early_data():
    proxy = Proxy(Origin(echoing).port)
    client, response = opened(proxy, early=b"hurry")
    is_((response.status, read_all(client, 5)), (101, b"HURRY"), "what came before the answer is not lost")
    client, response = opened(proxy, "/talkative")
    is_((response.status, read_all(client, 7)), (101, b"welcome"), "nor what the origin says at once")


def origin_ends_first():
    origin = Origin(echoing)
    proxy = Proxy(origin.port)
    client, response = opened(proxy, "/ends-first")
    is_(read_all(client, 3), b"bye", "the origin's last words")
    ok(client.ends(), "then its end")
    client.send("still here")
    client.sock.shutdown(socket.SHUT_WR)
    origin.wait(lambda self: not self.open, "the end at the origin")
    is_(getattr(origin, "after", b""), b"still here", "the client could go on to speak")


def refused():
    origin = Origin(echoing)
    proxy = Proxy(origin.port)
    client = Client(proxy.port)
    response = client.request(target="/no", headers=UPGRADE)
    is_((response.status, response.text), (426, "no"), "another answer is a plain answer")
    response = client.request(target="/no", headers=[("Connection", "Upgrade"), ("Upgrade", "h2c")])
    is_(origin.requests[-1].get("upgrade"), None, "an upgrade to h2c is not passed on")
    unasked = Origin(lambda wire: (wire.read_request(), wire.send(SWITCHED)))
    proxy = Proxy(unasked.port)
    check_failure(once(proxy.port), 502, "response_malformed", proxy)


def much_of_it():
    """More than all buffers hold, with a reader that waits: nothing is lost, and memory stays bounded."""
    size = 8 << 20
    proxy = Proxy(Origin(echoing).port)
    client, _ = opened(proxy)
    data = some_bytes(size).lower()
    sending = background(client.send, data)
    is_(sha256(read_all(client, size)), sha256(data.upper()), "8 MiB there and back")
    sending.result()


def idle():
    proxy = Proxy(Origin(echoing).port, timeout={"tunnel_idle_timeout": duration(400), "read_timeout": duration(60)})
    client, _ = opened(proxy)
    for piece in trickle([b"x"] * 8, 100):
        client.send(piece)
    is_(read_all(client, 8), b"X" * 8, "words now and then keep it open")
    ok(client.ends(), "silence ends it")
    proxy.wait_line("tunnel_idle_timeout")
    ok(True, "and the log says why")


def both_leave():
    origin = Origin(echoing)
    proxy = Proxy(origin.port)
    for _ in range(20):
        client, _ = opened(proxy)
        client.reset()
    origin.wait(lambda self: not self.open, "the origin's side to end")
    origin.tolerant = True
    ok(proxy.alive() and once(proxy.port, target="/no").status == 426, "resets do no harm")


subtest("switching", switches)
subtest("early data", early_data)
subtest("the origin ends first", origin_ends_first)
subtest("no switch", refused)
subtest("much of it", much_of_it)
subtest("tunnel_idle_timeout", idle)
subtest("clients that vanish", both_leave)
done()
