#!/usr/bin/env python3
"""A backend that takes a body slowly but steadily is not silent, however much of it lies in the kernel."""
import os
import socket
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "lib"))
from gomesh_test import *  # noqa: E402,F403

SIZE = 1 << 20


def slow(wire):
    """Takes 32 KiB every 60 ms: two seconds for a body that the kernel has taken long before."""
    if wire.sock.family != socket.AF_UNIX:  # so that most of the body lies in the proxy's kernel
        wire.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
    request = wire.read_request_head()
    if request is None:
        return
    left = int(request.get("content-length"))
    for _ in trickle(range(SIZE // 32768), 60):
        got = wire.read_exactly(min(left, 32768))
        left -= len(got)
    wire.read_exactly(left)
    wire.send(http_message("HTTP/1.1 200 OK", [], b"taken"))


def deaf(wire):
    wire.read_request_head()
    while not wire.origin.stopped:
        for _ in trickle([None], 50):
            pass


def steady(host):
    origin = Origin(slow, **({"host": host} if host else {}))
    proxy = Proxy((host, None) if host else origin.port, timeout={"read_timeout": duration(500), "write_timeout": duration(500)})
    response = once(proxy.port, "POST", body=some_bytes(SIZE), seconds=60)
    is_((response.status, response.text), (200, "taken"), "1 MiB, four times as long as each timeout")


def silent(host):
    origin = Origin(deaf, **({"host": host} if host else {}))
    proxy = Proxy((host, None) if host else origin.port, timeout={"read_timeout": duration(500), "write_timeout": duration(500)})
    for size in (0, 1000, 8 * SIZE):
        response = once(proxy.port, "PUT", body=some_bytes(size), seconds=60)
        is_(response.status, 504, "one that takes nothing and says nothing: %d bytes" % size)


if ENGINE == "h2o":
    skip_all("the library has one timeout for all")
for name, host in (("TCP", None), ("a unix socket", "unix:" + os.path.join(temporary_folder(), "slow.sock"))):
    subtest("steady, over " + name, steady, host)
for name, host in (("TCP", None), ("a unix socket", "unix:" + os.path.join(temporary_folder(), "deaf.sock"))):
    subtest("silent, over " + name, silent, host)
done()
