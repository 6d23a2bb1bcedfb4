#!/usr/bin/env python3
"""WebSocket over HTTP/2 (RFC 8441) to backends that speak HTTP/1.1: the handshake, bytes both ways, and every end."""
import base64
import hashlib
import json
import os
import signal
import socket
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "lib"))
from gomesh_http2 import *  # noqa: E402,F403
from gomesh_test import *  # noqa: E402,F403
from gomesh_tools import certificate  # noqa: E402

if ENGINE == "h2o":
    skip_all("HTTP/2 is the engine gomesh's")

KIB, MIB = 1 << 10, 1 << 20
VERSION = ("sec-websocket-version", "13")


def accept_of(request):
    key = request.get("sec-websocket-key") or ""
    return base64.b64encode(hashlib.sha1((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest()).decode()


def switched(request, accept=None, more=""):
    said = accept_of(request) if accept is None else accept
    said = "Sec-WebSocket-Accept: %s\r\n" % said if said else ""
    return "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n%sX-Kept: yes\r\n%s\r\n" % (said, more)


def echoing(wire):
    """Switches and sends back what comes, in capitals, until the client has ended; then END. The path says what else."""
    while True:
        request = wire.read_request_head()
        if request is None:
            return
        wire.origin.saw(request)
        kind = request.target[1:]
        if kind == "plain":
            wire.send(http_message("HTTP/1.1 200 OK", [], b"plain"))
            continue
        if kind == "refused":
            wire.send(http_message("HTTP/1.1 426 Upgrade Required", [("Sec-WebSocket-Version", "13")], b"not this version"))
            continue
        if kind.startswith("accept-"):
            wire.send(switched(request, kind[7:] if kind != "accept-none" else ""))
            wire.ends()
            return
        break
    wire.send(switched(request, more="Sec-WebSocket-Protocol: chat\r\n") + {"greets": "hello", "greets-and-ends": "bye"}.get(kind, ""))
    if kind in ("ends", "greets-and-ends"):
        wire.sock.shutdown(socket.SHUT_WR)
    if kind == "cuts":
        wire.read_exactly(1)
        wire.reset()
        return
    if kind == "deaf":
        wire.origin.deaf = wire
        wire.origin.go_on.wait(deadline(60))
    wire.after = bytearray()
    wire.origin.last = wire
    try:
        while wire.buffer or wire.fill():
            data, wire.buffer = bytes(wire.buffer), bytearray()
            wire.after += data
            if kind in ("ends", "greets-and-ends", "deaf"):
                continue
            wire.send(bytes(2 * MIB) if kind == "pours" else data.upper())
        wire.origin.ended = "end"
        if kind not in ("ends", "greets-and-ends"):
            wire.send("END")
    except ConnectionError:
        wire.origin.ended = "reset"


def start(**settings):
    origin = Origin(echoing)
    origin.go_on = threading.Event()
    closing(origin.go_on.set)
    return origin, H2Proxy(origin.port, workers=1, **settings)


def ask(client, path="/", headers=(VERSION,), end=False, **more):
    fields = client.fields("CONNECT", path, [(":protocol", more.pop("protocol", "websocket"))] + list(headers), **more)
    return client.send_headers(None, fields, end)


def opened(client, path="/", **more):
    stream = ask(client, path, **more)
    client.wait(lambda: client.streams[stream].status is not None or client.streams[stream].error)
    is_(client.streams[stream].status, 200, "a WebSocket is open") or note(client.streams[stream].error)
    return stream


def gets(client, stream, wanted, name):
    record = client.streams[stream]
    client.wait(lambda: len(record.body) >= len(wanted) or record.error is not None)
    got = bytes(record.body[: len(wanted)])
    del record.body[: len(wanted)]
    is_(sha256(got), sha256(wanted), name) if len(wanted) > 100 else is_(got, wanted, name)


def ended(client, stream):
    record = client.streams[stream]
    return client.wait(lambda: record.ended or record.error is not None) and record.error is None


def echo():
    origin, proxy = start(pair=certificate("websocket"), log={"format": "json"})
    for what, client in (("plain", proxy.client()), ("TLS", proxy.tls_client())):
        stream = opened(client, "/a?b=c", headers=[
            VERSION, ("sec-websocket-protocol", "chat, talk"), ("origin", "http://a.test"), ("cookie", "a=1"), ("cookie", "b=2"),
            ("sec-websocket-key", "bm90IG1hZGUgaGVyZSE="), ("sec-websocket-accept", "x")])  # fmt: skip
        record = client.streams[stream]
        is_((record.response().get("x-kept"), record.response().get("sec-websocket-protocol")), ("yes", "chat"), what + ": the origin's fields")
        is_([name for name, _value in record.headers if name in ("sec-websocket-accept", "upgrade", "connection", "content-length")], [],
            what + ": but not those of HTTP/1's handshake")  # fmt: skip
        seen = origin.requests[-1]
        is_((seen.method, seen.target, seen.get("connection"), seen.get("upgrade"), seen.get("host")),
            ("GET", "/a?b=c", "upgrade", "websocket", "gomesh.test"), what + ": the origin is asked to switch")  # fmt: skip
        is_((seen.all("sec-websocket-version"), seen.all("sec-websocket-protocol"), seen.get("cookie"), seen.get("origin")),
            (["13"], ["chat, talk"], "a=1; b=2", "http://a.test"), what + ": with the client's fields")  # fmt: skip
        is_((len(seen.all("sec-websocket-key")), len(base64.b64decode(seen.get("sec-websocket-key")))), (1, 16), what + ": and a key")
        ok(seen.get("sec-websocket-key") != "bm90IG1hZGUgaGVyZSE=", what + ": of the proxy's own")
        is_((seen.get("sec-websocket-accept"), seen.get("content-length"), seen.get("transfer-encoding")), (None, None, None), what + ": nothing else")
        for data in (b"one", b"two" * 1000, some_bytes(300 * KIB).lower()):
            client.send_data(stream, data)
            gets(client, stream, data.upper(), what + ": %d bytes there and back" % len(data))
        is_(client.request(path="/plain").text, "plain", what + ": other requests go beside it")
        client.send_data(stream, b"last", True)
        ok(ended(client, stream), what + ": the client ends, and gets an end")
        is_(bytes(client.streams[stream].body), b"LASTEND", what + ": behind the origin's last words")
    origin.wait(lambda self: len(self.open) <= 1, "the end at the origin")
    keys = [request.get("sec-websocket-key") for request in origin.requests if request.get("upgrade")]
    is_(len(set(keys)), 2, "each has a key of its own")
    ok(wait_until(lambda: proxy.count('"request completed"') >= 4, "lines"), "records")
    records = [json.loads(line) for line in proxy.out if '"request completed"' in line]
    record = next(record for record in records if record["path"] == "/a?b=c")
    is_((record["method"], record["status"], record["protocol"], record["failure"]), ("GET", 101, "HTTP/2", None), "the record is an upgrade's")
    ok(record["bytes_in"] > 300 * KIB and record["bytes_out"] > 300 * KIB, "with the bytes of both directions")
    is_(proxy.stop(), 0, "an orderly end")


def hurried():
    origin, proxy = start()
    client = proxy.client()
    stream = ask(client)
    client.send_data(stream, b"hurry")
    gets(client, stream, b"HURRY", "bytes that are sent ahead of the answer are not lost")
    stream = ask(client)
    client.send_data(stream, b"all", True)
    ok(ended(client, stream), "and everything, the end included")
    is_(bytes(client.streams[stream].body), b"ALLEND", "arrives")
    stream = ask(client, end=True)
    ok(ended(client, stream), "a client that has nothing to say")
    is_(bytes(client.streams[stream].body), b"END", "may listen")
    stream = opened(client, "/greets")
    gets(client, stream, b"hello", "an origin that speaks at once is heard")


def origin_ends_first():
    origin, proxy = start()
    for path, said in (("/ends", b""), ("/greets-and-ends", b"bye")):
        origin.last = origin.ended = None
        client = proxy.client()
        stream = ask(client, path)
        ok(ended(client, stream), "%s: the client sees the end" % path)
        is_((client.streams[stream].status, bytes(client.streams[stream].body)), (200, said), "%s: behind all that was said" % path)
        client.send_frame(DATA, 0, stream, b"still ")
        client.ping()
        origin.wait(lambda self: self.last and bytes(self.last.after) == b"still ", "what the client says after that")
        for at in range(3):
            client.send_frame(DATA, 0, stream, b"here ")
        client.send_frame(DATA, END_STREAM, stream, b"x" * 15000)
        origin.wait(lambda self: self.ended, "the client's end")
        is_((origin.ended, sha256(bytes(origin.last.after))), ("end", sha256(b"still " + b"here " * 3 + b"x" * 15000)), "%s: all of it arrives" % path)
        is_((client.streams[stream].error, client.goaways), (None, []), "%s: nothing is amiss" % path)
        is_(client.request(path="/plain").text, "plain", "%s: the connection goes on" % path)
    is_(proxy.find("failed"), None, "none of it is a failure")
    is_(proxy.stop(), 0, "an orderly end")


def refusals():
    origin, proxy = start(log={"level": "info"})
    client = proxy.client()
    response = client.response(ask(client, "/refused"))
    is_((response.status, response.text, response.get("sec-websocket-version")), (426, "not this version", "13"), "a refusal passes as it is")
    response = client.response(ask(client, "/plain", headers=[]))
    is_((response.status, response.text), (200, "plain"), "so does an answer that does not switch")
    is_(origin.requests[-1].get("sec-websocket-version"), None, "a version is not made up")
    stream = ask(client, "/refused")
    client.send_data(stream, b"x" * 30000)
    is_(client.response(stream).status, 426, "with bytes that nobody wants")
    client.cancel(stream)
    for path, name in (("/accept-none", "none"), ("/accept-AAAAAAAAAAAAAAAAAAAAAAAAAAA=", "another"),
                       ("/accept-s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", "that of the RFC's example")):  # fmt: skip
        response = client.response(ask(client, path))
        is_((response.status, "response_malformed" in response.text), (502, True), "Sec-WebSocket-Accept: " + name)
    ok(wait_until(lambda: proxy.find("does not belong to the key", "err") or proxy.find("does not belong to the key"), "a line"), "the log says why")
    is_(client.outcome(ask(client, protocol="webtransport")), "answer 501", "another protocol")
    is_(client.response(ask(client, protocol="WebSocket", path="/plain")).status, 200, "its name has no case")
    is_(client.request(path="/plain").text, "plain", "the connection goes on")
    dead = H2Proxy(free_port()).client()
    is_(dead.response(ask(dead)).status, 502, "no backend")
    stream = client.start("GET", "/plain", [("sec-websocket-key", "x"), VERSION])
    is_((client.response(stream).status, origin.requests[-1].get("sec-websocket-key"), origin.requests[-1].get("upgrade")), (200, "x", None), "a request like others")
    is_(proxy.stop(), 0, "an orderly end")


def routed():
    """Routes see the GET that it becomes."""
    origin, other = Origin(echoing), Origin(answering(lambda request: http_message("HTTP/1.1 200 OK", [], b"other")))
    proxy = H2Proxy(other.port, routes=[{"match": {"path": {"prefix": "/chat"}}, "backend": {"host": "127.0.0.1", "port": origin.port}}])
    client = proxy.client()
    stream = opened(client, "/chat/1")
    client.send_data(stream, b"x")
    gets(client, stream, b"X", "by its path")
    is_(client.response(ask(client, "/x")).text, "other", "or to proxy.backend, where nothing else fits")


def cuts():
    origin, proxy = start(timeout={"tunnel_idle_timeout": duration(400)})
    client = proxy.client()
    stream = opened(client)
    client.send_data(stream, b"x")
    gets(client, stream, b"X", "bytes")
    client.cancel(stream)
    origin.wait(lambda self: not self.open, "the end at the origin")
    ok(True, "a client that resets its stream: the origin sees an end")
    stream = opened(client, "/cuts")
    client.send_data(stream, b"x")
    is_(client.wait_reset(stream), "CANCEL", "an origin that resets its connection: so does the stream")
    stream = opened(client)
    start_ms = now()
    is_(client.wait_reset(stream), "CANCEL", "tunnel_idle_timeout (%d ms)" % elapsed_since(start_ms))
    stream = opened(client)
    client.send_headers(stream, [("x", "1")], True)
    is_(client.wait_reset(stream), "PROTOCOL_ERROR", "trailers do not belong there")
    is_(client.request(path="/plain").text, "plain", "the connection goes on")
    stream = opened(client)
    client.close()
    origin.wait(lambda self: len(self.open) <= 1, "the end at the origin")
    ok(True, "a connection that goes takes its WebSockets along")
    is_(proxy.stop(), 0, "an orderly end")


def back_pressure():
    origin, proxy = start(http2={"stream_window": "64KiB", "connection_window": "128KiB"})
    client = proxy.client()
    stream = opened(client, "/deaf")
    before = proxy.resident_kib()
    sent = 0
    while sent < 20 * MIB and client.wait(lambda: client.streams[stream].send_window > 0, 0.5):
        size = min(client.streams[stream].send_window, client.send_window)
        sent += client.send_data(stream, bytes(size))
    ok(sent < 12 * MIB, "a backend that takes nothing: %d KiB are sent" % (sent // KIB))
    ok(SLOW != 1 or proxy.resident_kib() - before < 1500, "and little is held (%d KiB)" % (proxy.resident_kib() - before))
    is_(client.request(path="/plain").text, "plain", "others go on")
    client.send_frame(DATA, 0, stream, bytes(16384))
    for _ in range(20):
        client.answer(DATA, 0, stream, bytes(16384))
    got = client.outcome(stream, False)
    ok(got in ("RST_STREAM FLOW_CONTROL_ERROR", "GOAWAY FLOW_CONTROL_ERROR"), "more than the window allows: " + got)
    origin.go_on.set()
    other = proxy.client(credit=False)
    stream = opened(other, "/pours")
    other.send_data(stream, b"x")
    ok(other.wait(lambda: other.window == 0), "a client that gives no credit gets a window's worth")
    other.ping()
    is_(len(other.streams[stream].body), FIRST_WINDOW, "and not a byte more")
    is_(proxy.client().request(path="/plain").text, "plain", "the proxy lives on")


def many():
    """On one connection, and cut in every state."""
    origin, proxy = start()
    client = proxy.client()
    streams = [ask(client) for _ in range(60)]
    ok(client.wait(lambda: all(client.streams[stream].status == 200 for stream in streams)), "60 WebSockets on a connection")
    for at, stream in enumerate(streams):
        client.send_data(stream, b"n%d" % at)
    ok(client.wait(lambda: all(bytes(client.streams[stream].body) == b"N%d" % at for at, stream in enumerate(streams))), "each has its own echo")
    for at, stream in enumerate(streams):
        if at % 3 == 0:
            client.cancel(stream)
        elif at % 3 == 1:
            client.send_data(stream, b"", True)
    rest = [stream for at, stream in enumerate(streams) if at % 3 == 1]
    ok(client.wait(lambda: all(client.streams[stream].ended for stream in rest)), "some end")
    origin.wait(lambda self: len(self.open) <= 20 + 1, "their ends at the origin")
    is_(client.request(path="/plain").text, "plain", "the connection goes on")
    client.close()
    origin.wait(lambda self: len(self.open) <= 1, "the end of all")
    is_(proxy.stop(), 0, "an orderly end")


def drained():
    origin, proxy = start(timeout={"shutdown_timeout": duration(500)})
    client = proxy.client()
    stream, other = opened(client), opened(client)
    proxy.send(signal.SIGTERM)
    is_(client.wait_goaway(), "NO_ERROR", "the proxy drains")
    client.send_data(stream, b"still open")
    gets(client, stream, b"STILL OPEN", "what is open stays so")
    client.send_data(stream, b"", True)
    ok(ended(client, stream), "until it ends")
    is_(client.wait_reset(other), "CANCEL", "or shutdown_timeout is over")
    ok(client.closed(), "the connection is closed")
    is_(proxy.wait(), 0, "exit code 0")


for what in (echo, hurried, origin_ends_first, refusals, routed, cuts, back_pressure, many, drained):
    subtest(what.__name__.replace("_", " "), what)
done()
