#!/usr/bin/env python3
"""Backends behind unix sockets: what is forwarded, what is logged, and what a failure says."""
import os
import socket
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "lib"))
from gomesh_test import *  # noqa: E402,F403

def socket_path(name):
    return "unix:" + os.path.join(temporary_folder(), name)


def named(name):
    return answering(lambda request: http_message("HTTP/1.1 200 OK", [], name.encode() + (request.body or b"")))


def forwarding():
    path = socket_path("a.sock")
    origin = Origin(named("a"), host=path)
    proxy = Proxy((path, None))
    ok(proxy.find(r"^\[INFO\] Forwarding all traffic to: %s$" % path), "the start line names the socket")
    client = Client(proxy.port)
    is_(client.request(host="shop.example").text, "a", "a request is answered")
    seen = origin.requests[0]
    is_(seen.all("host"), ["shop.example"], "Host is the client's")
    is_(seen.all("x-forwarded-for"), ["127.0.0.1"], "X-Forwarded-For as usual")
    is_(seen.all("x-forwarded-host"), ["shop.example"], "X-Forwarded-Host as usual")
    body = some_bytes(1 << 20)
    response = client.request("POST", body=body)
    is_(sha256(response.body[1:]), sha256(body), "a body of 1 MiB goes there and back")
    if ENGINE != "h2o":
        is_(origin.connections, 1, "on the same connection")
    ok(proxy.wait_line(r"^\[INFO\] Forwarding: GET / → %s$" % path), "the log names the socket")
    once(proxy.port, version="1.0", host=None)
    is_(origin.requests[-1].all("host"), ["localhost"], "a request without Host gets localhost")


def routes():
    sockets = [socket_path(name) for name in ("b.sock", "B.sock")]
    for path, name in zip(sockets, "bB"):
        Origin(named(name), host=path)
    proxy = Proxy(
        Origin(named("default")).port,
        routes=[
            {"name": "small", "match": {"path": {"prefix": "/small"}}, "backend": {"host": sockets[0]}},
            {"name": "large", "match": {"path": {"prefix": "/large"}}, "backend": sockets[1]},
        ],
    )
    ok(proxy.find(r"^\[INFO\] Route small: /small → %s$" % sockets[0]), "the start line of a route names it")
    for target, wanted in (("/small", "b"), ("/large", "B"), ("/", "default")):
        is_(once(proxy.port, target=target).text, wanted, target)


def failures():
    path = socket_path("c.sock")
    proxy = Proxy((path, None))
    line = r"GET / → %s" % path
    check_failure(once(proxy.port), 502, "connect_failed", proxy, line)
    ok(proxy.wait_line(r"connect_failed \(%s: No such file or directory\)$" % path[:80]), "in the system's words")
    like(once(proxy.port).text, r"(?m)^try: curl --unix-socket %s " % path[5:], "what to try is for a socket, too")
    abandoned = socket.socket(socket.AF_UNIX)
    abandoned.bind(path[5:])
    abandoned.close()
    check_failure(once(proxy.port), 502, "connect_refused", proxy, line)
    ok(proxy.wait_line(r"connect_refused \(%s: Connection refused\)$" % path[:80]), "in the system's words")
    os.unlink(path[5:])
    Origin(named("c"), host=path)
    is_(once(proxy.port).text, "c", "and once somebody listens, it is served")


subtest("forwarding", forwarding)
subtest("routes", routes)
subtest("failures", failures)
done()
