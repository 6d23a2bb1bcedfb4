#!/usr/bin/env python3
"""
A request that is cancelled before it went out to its HTTP/2 backend: HEADERS and RST_STREAM of the client in one piece.
The library then tells of the frame that was not sent, and of the stream's end: memory must not be used between the two.
"""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "lib"))
import gomesh_hpack as hpack  # noqa: E402
from gomesh_http2 import *  # noqa: E402,F403
from gomesh_http2_origin import H2Origin, proxy_to  # noqa: E402
from gomesh_test import *  # noqa: E402,F403

if ENGINE == "h2o":
    skip_all("HTTP/2 is the engine gomesh's")


def serve(stream):
    if stream.target != "/gone":
        stream.wait_end()
        stream.answer(200, body=b"fine " + stream.target.encode())


def gone(client, method="GET"):
    """The bytes of a request that is taken back at once."""
    stream = client.open_stream()
    client.streams[stream].error = "CANCEL"
    head = header_frames(stream, hpack.encode(client.fields(method, "/gone")), method == "GET")
    return head + frame(RST_STREAM, 0, stream, number(ERRORS.index("CANCEL")))


def cancelled(warm):
    origin = H2Origin(serve)
    proxy = proxy_to(origin)
    if warm:
        is_(once(proxy.port, target="/warm").text, "fine /warm", "a first answer")
    client = proxy.client()
    client.wait(lambda: client.settings_seen)
    for turn in range(8):
        before = gone(client, "POST" if turn % 2 else "GET")
        kept = client.open_stream()
        request = header_frames(kept, hpack.encode(client.fields(path="/kept")), True)
        client.send(before + request + gone(client))
        is_(client.response(kept).text, "fine /kept", "a request between two that were taken back")
    ok(proxy.alive(), "the proxy lives on")
    if warm:
        is_((len(origin.sessions), origin.sessions[0].goaways), (1, []), "on one connection")
    is_(proxy.stop(), 0, "an orderly end")


def with_goaway():
    """The same while the origin asks the connection to go."""
    origin = H2Origin(serve)
    proxy = proxy_to(origin)
    client = proxy.client()
    client.wait(lambda: client.settings_seen)
    for turn in range(20):
        is_(client.request("GET", "/warm").text, "fine /warm", "an answer")
        session = origin.requests[-1].session
        client.send(gone(client))
        session.goaway()
        client.send(gone(client) + gone(client, "POST"))
        is_(client.request("GET", "/next").text, "fine /next", "the next one")
    is_(proxy.stop(), 0, "an orderly end")


subtest("on a connection in use", cancelled, True)
subtest("on a connection that is not there yet", cancelled, False)
subtest("with GOAWAY", with_goaway)
done()
