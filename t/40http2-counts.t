#!/usr/bin/env python3
"""What clients of HTTP/2 do wrong is in the log and in the metrics: refused heads, resets, connections that end for it."""
import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "lib"))
import gomesh_hpack as hpack  # noqa: E402
from gomesh_http2 import *  # noqa: E402,F403
from gomesh_test import *  # noqa: E402,F403

if ENGINE == "h2o":
    skip_all("HTTP/2 is the engine gomesh's")

OFFENCES = 'gomesh_http2_offences_total{reason="%s"}'
RESETS = 'gomesh_http2_streams_reset_total{by="%s",code="%s"}'


def silent(wire):
    """Answers /fine and leaves everything else without an answer."""
    while True:
        request = wire.read_request()
        if request is None:
            return
        wire.origin.saw(request)
        if request.target != "/fine":
            wire.ends()
            return
        wire.send(http_message("HTTP/1.1 200 OK", [], b"fine"))



def scrape(proxy):
    lines = once(proxy.port, target="/metrics").text.splitlines()
    return {line.rsplit(" ", 1)[0]: float(line.rsplit(" ", 1)[1]) for line in lines if line[:1] != "#"}


def counted(proxy, series, value, name):
    got = wait_until(lambda: scrape(proxy).get(series) == value, series, seconds=5)
    ok(got, name) or note("%s is %r" % (series, scrape(proxy).get(series)))


def lines(proxy, message):
    return [line for line in map(json.loads, list(proxy.out)) if message in line.get("msg", "")]


def refused_heads():
    """nghttp2 itself refuses these: they never become a request, but are one to whoever looks for what failed."""
    origin = Origin(silent)
    proxy = H2Proxy(origin.port, log={"format": "json"})
    client = proxy.client()
    wrong = (
        ("a name in capitals", client.fields(path="/capitals") + [("X-Upper", "1")], "/capitals"),
        ("a pseudo-field behind others", client.fields(path="/order", headers=[("x", "1"), (":late", "2")]), "/order"),
        ("Connection", client.fields(path="/connection", headers=[("connection", "close")]), "/connection"),
        ("no :path", client.fields(path=None), "-"),
        ("nothing at all", [], "-"),
        ("a plain CONNECT", client.fields("CONNECT", None, scheme=None, authority=None), "-"),
    )
    for count, (name, fields, path) in enumerate(wrong, 1):
        fields = [field for field in fields if field[1] is not None]
        stream = client.send_headers(None, fields, True)
        is_(client.wait_reset(stream), "PROTOCOL_ERROR", "%s: the stream is reset" % name)
        seen = wait_until(lambda: len(lines(proxy, "failed: bad_request")) == count, "a line")
        ok(seen, "%s: a line says so" % name)
        line = lines(proxy, "failed: bad_request")[-1]
        is_(line["path"], path, "%s: with its path" % name)
        like(line.get("msg", ""), "rules of HTTP/2", "%s: and why" % name)
        seen = wait_until(lambda: len(lines(proxy, "request completed")) == count, "a record")
        ok(seen, "%s: and it has a record" % name)
    record = lines(proxy, "request completed")[0]
    is_((record["status"], record["protocol"], record.get("path")), (400, "HTTP/2", "/capitals"), "that is complete")
    counted(proxy, 'gomesh_errors_total{service="none",error_type="bad_request"}', len(wrong), "they are counted as failures")
    counted(proxy, RESETS % ("proxy", "protocol_error"), len(wrong), "and their streams as reset by the proxy")
    is_(client.request(path="/fine").text, "fine", "the connection goes on")
    is_([request.target for request in origin.requests if request.target != "/metrics"], ["/fine"], "the origin sees no such request")
    is_(proxy.stop(), 0, "an orderly end")


def resets():
    origin = Origin(silent)
    proxy = H2Proxy(origin.port)
    client = proxy.client()
    before = scrape(proxy)
    ok(not [series for series in before if "streams_reset" in series], "in the beginning nothing is reset")
    for at in range(3):
        stream = client.start(path="/hold")
        origin.wait_requests(at + 1)
        client.cancel(stream)
    counted(proxy, RESETS % ("client", "cancel"), 3, "streams that a client cancels")
    client.send_frame(RST_STREAM, 0, client.start(path="/hold"), number(4711))
    counted(proxy, RESETS % ("client", "other"), 1, "a code that nobody knows")
    stream = client.start("POST", "/hold", [("content-length", "1")])
    client.send_frame(RST_STREAM, 0, 1, number(8))  # of a stream that is over: nothing happens
    is_(client.request(path="/fine").text, "fine", "a request without any of that")
    is_(scrape(proxy)[RESETS % ("client", "cancel")], 3, "what is over is not counted again")


def ended_connections():
    origin = Origin(silent)
    proxy = H2Proxy(origin.port, log={"format": "json"})
    for at, (reason, frames) in enumerate((
        ("pings", [frame(PING, 0, 0, bytes(8))] * 200),
        ("priorities", [frame(PRIORITY, 0, 1001, bytes(4) + b"\1")] * 200),
        ("settings", [frame(SETTINGS)] * 200),
        ("nonsense", [frame(WINDOW_UPDATE, 0, 0, number(0))]),
        ("header_bomb", None),
    ), 1):  # fmt: skip
        client = proxy.client()
        if frames is None:
            block = hpack.encode(client.fields(path="/hold")) + hpack.literal("x", "y" * 4000, keep=True) + hpack.indexed(62) * 9000
            frames = [header_frames(client.open_stream(), block, True)]
        client.flood(frames)
        counted(proxy, OFFENCES % reason, 1, "a connection that ends for %s" % reason)
        ok(client.closed(), "it is closed")
        ok(wait_until(lambda: len(lines(proxy, "Connection from")) == at, "a line", seconds=5), "one line says so")
    found = scrape(proxy)
    is_(sum(value for series, value in found.items() if "http2_offences" in series), 5, "each is counted once")
    client = proxy.client()
    client.send_frame(GOAWAY, 0, 0, number(0) + number(1))
    ok(client.closed(), "a client that takes its leave")
    is_(sum(value for series, value in scrape(proxy).items() if "http2_offences" in series), 5, "is no offence")
    is_(proxy.stop(), 0, "an orderly end")


for what in (refused_heads, resets, ended_connections):
    subtest(what.__name__.replace("_", " "), what)
done()
