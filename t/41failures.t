#!/usr/bin/env python3
"""Failures of the backend and refusals: what the client, the log and the next request see of each."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "lib"))
from gomesh_test import *  # noqa: E402,F403


def fine(request):
    return http_message("HTTP/1.1 200 OK", [], b"fine " + request.target.encode())


def where(origin_port, target="/x", method="GET", host="127.0.0.1"):
    return r"%s %s → %s:%d" % (method, target, host.replace(".", r"\."), origin_port)


def lives_on(proxy):
    """The same process serves the next request."""
    try:
        served = once(proxy.port, target="/alive").status == 200
    except (ProtocolError, OSError):
        served = False
    ok(served and proxy.alive(), "the proxy lives on")


def refused_and_back():
    port = free_port()
    proxy = Proxy(port)
    client = Client(proxy.port)
    check_failure(client.request(target="/x?y=1"), 502, "connect_refused", proxy, where(port, r"/x\?y=1"))
    check_failure(
        client.request("POST", "/x", body=b"abc"), 502, "connect_refused", proxy, where(port, method="POST")
    )
    response = client.request("HEAD", "/head")
    is_((response.status, response.body), (502, b""), "HEAD has the status and no body")
    origin = Origin(answering(fine), port=port)
    is_(
        client.request(target="/back").text,
        "fine /back",
        "the backend came up: served, on the same connection",
    )
    origin.stop()
    check_failure(once(proxy.port, target="/gone"), 502, "connect_refused", proxy, where(port, "/gone"))
    origin.start()
    is_([once(proxy.port, target="/again").status for _ in range(5)], [200] * 5, "it came back: served again")
    ok(proxy.alive(), "by the same process")
    is_(proxy.stop(), 0, "exit code 0")


def breaking_origin(wire):
    """Reads a request and breaks in the way the target names; other targets are answered."""
    while True:
        request = wire.read_request()
        if request is None:
            return
        wire.origin.saw(request)
        if request.target == "/reset":
            return wire.reset()
        if request.target == "/closed":
            return None
        if request.target == "/half-head":
            return wire.send("HTTP/1.1 200 OK\r\nContent-Le")
        if request.target == "/half-head-reset":
            wire.send("HTTP/1.1 200 OK\r\nX-")
            return wire.reset()
        if request.target == "/interim-then-closed":
            return wire.send("HTTP/1.1 100 Continue\r\n\r\n")
        wire.send(fine(request))


# the library's client does not tell the two apart
RESET = "connection_terminated" if ENGINE == "h2o" else "connection_reset"


def broken_before_the_head():
    origin = Origin(breaking_origin)
    proxy = Proxy(origin.port)
    client = Client(proxy.port)
    for target, name in (
        ("/closed", "connection_terminated"),
        ("/reset", RESET),
        ("/half-head", "connection_terminated"),
        ("/half-head-reset", RESET),
        ("/interim-then-closed", "connection_terminated"),
    ):
        note("origin: " + target)
        check_failure(client.request(target=target), 502, name, proxy, where(origin.port, target))
        is_(
            client.request(target="/next").text, "fine /next", "the next request on that connection is served"
        )
    check_failure(
        client.request("POST", "/reset", body=b"x" * 100000),
        502,
        RESET,
        proxy,
        where(origin.port, "/reset", "POST"),
    )
    lives_on(proxy)


def broken_body(wire):
    request = wire.read_request()
    if request.target == "/short":
        wire.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + b"x" * 60000)
    elif request.target == "/short-reset":
        wire.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + b"x" * 60000)
        wire.reset()
    elif request.target == "/chunk":
        wire.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n100\r\nhalf a chu")
    elif request.target == "/bad-chunk":
        wire.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nnonsense\r\n")
    else:
        wire.send(fine(request))


def broken_in_the_body():
    proxy = Proxy(Origin(broken_body).port)
    for target in ("/short", "/short-reset", "/chunk", "/bad-chunk"):
        try:
            response = once(proxy.port, target=target)
            ok(
                response.status == 502,
                "%s: the client sees that the answer is not whole (status %d, %d bytes)"
                % (target, response.status, len(response.body)),
            )
        except (ProtocolError, ConnectionError):
            ok(True, "%s: the client sees that the answer is not whole" % target)
    lives_on(proxy)


MALFORMED = (
    b"nonsense\r\n\r\n",
    b"HTTP/1.1 abc OK\r\n\r\n",
    b"HTTP/1.1\r\n\r\n",
    b"SSH-2.0-OpenSSH_9.2\r\n",
    b"HTTP/1.1 200 OK\r\nno colon here\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nBad\x00Name: 1\r\n\r\n",
)
# Framing that cannot be trusted: a proxy that guesses here splits answers (RFC 9112, section 6.3).
TOLERATED = (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",)
# The library's client passes the last of these on, and ends the process at the others.
UNFRAMED = (
    b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\nhello",
    b"HTTP/1.1 200 OK\r\nContent-Length: +5\r\n\r\nhello",
    b"HTTP/1.1 200 OK\r\nContent-Length: 5x\r\n\r\nhello",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: xchunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
)


def malformed(answers):
    def handler(wire):
        request = wire.read_request()
        if request is None:
            return
        wire.send(answers[int(request.target[1:])] if request.target[1:].isdigit() else fine(request))
        wire.half_close()
        wire.ends()

    origin = Origin(handler)
    for number, answer in enumerate(answers):
        proxy = Proxy(origin.port)  # one for each, as a dead one is a possible outcome
        try:
            check_failure(
                once(proxy.port, target="/%d" % number),
                502,
                "response_malformed",
                proxy,
                where(origin.port, "/%d" % number),
            )
            lives_on(proxy)
        except (ProtocolError, OSError) as problem:
            ok(False, "%r is answered with 502 (%r)" % (answer[:70], problem))
            lives_on(proxy)
            explain(proxy)
            proxy.wait()


def known_malformed():
    with known_limit("framing errors of origins are beyond the library's client"):
        malformed(UNFRAMED)


def unresolvable():
    proxy = Proxy(("nosuch.invalid", 3000))
    client = Client(proxy.port, seconds=60)
    check_failure(client.request(target="/x"), 502, "dns_failed", proxy, where(3000, host="nosuch.invalid"))
    ok(proxy.alive(), "the proxy lives on")


def too_big():
    limit = 65536
    origin = Origin(answering(fine))
    proxy = Proxy(origin.port, limits={"max_request_body": "64KiB"})

    def refused(what, headers, *parts):
        note(what)
        client = Client(proxy.port)
        client.send_request("POST", "/x", headers)
        try:
            for part in parts:
                client.send(part)
        except ConnectionError:
            pass  # the answer came before all was sent
        check_failure(client.read_response(), 413, "payload_too_large", proxy)

    refused("far too long, known from the head", [("Content-Length", str(1 << 30))])
    refused("one byte too long", [("Content-Length", str(limit + 1))], b"x" * (limit + 1))
    refused("one byte too long, in chunks", [("Transfer-Encoding", "chunked")], chunked(b"x" * (limit + 1)))
    refused(
        "a chunk that announces far too much",
        [("Transfer-Encoding", "chunked")],
        b"10000000\r\n",
        b"x" * limit * 4,
    )
    client = Client(proxy.port)
    client.send_request("POST", "/x", [("Content-Length", "9999999999999999999999")])
    response = client.read_response()
    ok(response.status in (400, 413), "a length beyond all numbers is refused (%d)" % response.status)
    is_(len(origin.requests), 0, "the origin saw none of them")
    client = Client(proxy.port)
    is_(client.request("POST", "/x", body=b"x" * limit).status, 200, "the limit itself is allowed")
    client.send_request("POST", "/x", [("Transfer-Encoding", "chunked")], chunked(b"x" * limit))
    is_(client.read_response().status, 200, "also in chunks")


def no_route():
    origin = Origin(answering(fine))
    port = free_port()
    config = {
        "proxy": {"listen_port": port},
        "routes": [
            {
                "name": "users",
                "match": {"host": "api.example.com", "path": {"prefix": "/users"}},
                "backend": {"host": "127.0.0.1", "port": origin.port},
            }
        ],
        "log": {"format": "text"},
    }
    proxy = Proxy(port=port, yaml=to_yaml(config))
    ok(
        proxy.find(r"^\[INFO\] Route users: api\.example\.com/users → 127\.0\.0\.1:%d$" % origin.port),
        "the route's start line",
    )
    is_(once(port, target="/users/1", host="api.example.com").text, "fine /users/1", "a route that matches")
    check_failure(once(port, target="/users/1", host="www.example.com"), 404, "no_route", proxy)
    check_failure(once(port, target="/other", host="api.example.com"), 404, "no_route", proxy)


subtest("connections that break before the answer's head", broken_before_the_head)
subtest("connections that break in the answer's body", broken_in_the_body)
subtest("answers that are not HTTP", malformed, MALFORMED)
subtest("answers with two lengths", malformed, TOLERATED)
subtest("answers with broken framing", known_malformed)
subtest("a name that does not resolve", unresolvable)
subtest("max_request_body", too_big)
subtest("no route", no_route)
done()
