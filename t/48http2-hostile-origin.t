#!/usr/bin/env python3
"""
HTTP/2 origins that break the rules: that request fails with a name, the worker lives on, nobody else notices, and
neither floods nor bombs cost more than a bounded amount of memory.
"""
import os
import re
import select
import signal
import socket
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "lib"))
import gomesh_hpack as hpack  # noqa: E402
from gomesh_http2 import *  # noqa: E402,F403
from gomesh_http2_origin import H2Origin, backend_of, proxy_to  # noqa: E402
from gomesh_test import *  # noqa: E402,F403

if ENGINE == "h2o":
    skip_all("HTTP/2 is the engine gomesh's")

MIB = 1 << 20
OK = [(":status", "200")]
WORDS = r"^(stream_reset|stream_refused|response_malformed|connection_reset|connection_terminated|response_truncated|protocol_mismatch): \S"


def fine(stream):
    stream.wait_end()
    stream.answer(200, body=b"fine " + stream.target.encode())


class Scripted(H2Origin):
    """Answers "/N" by row N; keeps "/held" for the test; anything else is fine."""

    def __init__(self, rows, **more):
        def serve(stream):
            name = stream.target[1:]
            if name.isdigit():
                rows[int(name)][1](stream)
            elif name != "held":
                fine(stream)

        super().__init__(serve, **more)

    def close(self):
        self.problems.clear()  # whatever the proxy says to one who breaks the rules is no defect
        super().close()


def fields(*pairs, end=True):
    """An answer whose head is just this."""
    return lambda s: s.fields_as(list(pairs), end)


def raw(*frames):
    """Frames, each a function of the stream's number."""
    return lambda s: s.session.send(b"".join(each(s.number) for each in frames))


def block(data, flags=END_HEADERS | END_STREAM):
    return raw(lambda n: frame(HEADERS, flags, n, data))


HEAD = (lambda n: frame(HEADERS, END_HEADERS, n, b"\x88"))
BOMB = hpack.literal("x-bomb", "v" * 3900, keep=True)


# What is wrong with the head: the client gets 502, and the stream alone fails or the connection with it.
HEADS = [
    ("no :status", fields(("x", "1"))),
    ("no field at all", fields()),
    (":status twice", fields(*OK, *OK)),
    (":status twice, with two values", fields(*OK, (":status", "404"))),
    (":status behind a field", fields(("x", "1"), *OK)),
    (":status 101", fields((":status", "101"))),
    (":status 101 without an end", fields((":status", "101"), end=False)),
    (":path in an answer", fields(*OK, (":path", "/"))),
    (":unknown", fields(*OK, (":unknown", "1"))),
] + [
    (":status %r" % status, fields((":status", status)))
    for status in ("", "0", "20", "2000", "2x0", "-20", " 200", "200 ", "+20", "0200", "000", "099", "600", "999", "200 OK")
] + [
    ("1xx that ends the stream", fields((":status", "103"))),
    ("connection", fields(*OK, ("connection", "close"))),
    ("keep-alive", fields(*OK, ("keep-alive", "timeout=5"))),
    ("proxy-connection", fields(*OK, ("proxy-connection", "close"))),
    ("transfer-encoding", fields(*OK, ("transfer-encoding", "chunked"))),
    ("upgrade", fields(*OK, ("upgrade", "h2c"))),
    ("an upper-case name", fields(*OK, ("X-Upper", "1"))),
    ("an empty name", fields(*OK, ("", "1"))),
    ("a name with a blank", fields(*OK, ("x y", "1"))),
    ("a name with a colon", fields(*OK, ("x:y", "1"))),
    ("a name with CRLF", fields(*OK, ("x\r\ny", "1"))),
    ("a name with a byte above 127", fields(*OK, ("x\xe4", "1"))),
    ("a value with CR", fields(*OK, ("x", "a\rb"))),
    ("a value with LF", fields(*OK, ("x", "a\nset-cookie: b"))),
    ("a value with NUL", fields(*OK, ("x", "a\0b"))),
    ("content-length -1", fields(*OK, ("content-length", "-1"))),
    ("content-length 5x", fields(*OK, ("content-length", "5x"))),
    ("content-length twice", fields(*OK, ("content-length", "5"), ("content-length", "6"))),
    ("content-length of 30 digits", fields(*OK, ("content-length", "9" * 30))),
    ("content-length 5 and no body", fields(*OK, ("content-length", "5"))),
    ("a head of 100 KB", fields(*OK, *[("x-%d" % n, "v" * 1000) for n in range(100)])),
    ("a head of 3 MB", fields(*OK, *[("x-%d" % n, "v" * 1000) for n in range(3000)])),
    ("3,000 fields", fields(*OK, *[("x-%d" % n, "v") for n in range(3000)])),
    ("1xx without end", lambda s: [s.head(103, [("link", "</a>")]) for _ in range(2000)]),
    ("a large 103", fields((":status", "103"), ("x", "v" * 70000), end=False)),
    ("RST_STREAM", lambda s: s.reset("INTERNAL_ERROR")),
    ("DATA before HEADERS", raw(lambda n: frame(DATA, END_STREAM, n, b"hello"))),
    ("trailers only of trailers", lambda s: (s.head(103), s.fields_as([("x", "1")], True))),
] + [  # what breaks it comes along with a sound head: nothing of that is out by then
    ("RST_STREAM with the head", raw(HEAD, lambda n: frame(RST_STREAM, 0, n, number(2)))),
    ("trailers that do not end, with the head", raw(HEAD, lambda n: frame(HEADERS, END_HEADERS, n, hpack.encode([("x", "1")])))),
    ("upper case in trailers, with the head", raw(HEAD, lambda n: frame(
        HEADERS, END_HEADERS | END_STREAM, n, hpack.encode([("X-Upper", "1")])))),
    ("content-length 5 and an empty DATA, with the head", raw(
        lambda n: frame(HEADERS, END_HEADERS, n, hpack.encode([*OK, ("content-length", "5")])), lambda n: frame(DATA, END_STREAM, n))),
]
# What ends the whole connection, by RFC 9113 or 7541.
CONNECTIONS = [
    ("HPACK: a field that is not there", block(b"\xff\x80\x01")),
    ("HPACK: field 0", block(b"\x80")),
    ("HPACK: garbage", block(bytes(range(255, 0, -1)))),
    ("HPACK: a block that ends within a field", block(b"\x88\x00\x05ab")),
    ("HPACK: a number without end", block(b"\x88\xff" + b"\xff" * 20)),
    ("HPACK: a table above the limit", block(hpack.size_update(1 << 24) + b"\x88")),
    ("HPACK: wrong padding", block(b"\x88\x00\x01a\x81\x18")),
    ("HEADERS on an even stream", raw(lambda n: frame(HEADERS, END_HEADERS, 2, b"\x88"))),
    ("HEADERS on an idle stream", raw(lambda n: frame(HEADERS, END_HEADERS, n + 100, b"\x88"))),
    ("HEADERS on stream 0", raw(lambda n: frame(HEADERS, END_HEADERS, 0, b"\x88"))),
    ("DATA on an idle stream", raw(lambda n: frame(DATA, 0, n + 100, b"x"))),
    ("DATA on stream 0", raw(lambda n: frame(DATA, 0, 0, b"x"))),
    ("RST_STREAM on an idle stream", raw(lambda n: frame(RST_STREAM, 0, n + 100, number(8)))),
    ("RST_STREAM on stream 0", raw(lambda n: frame(RST_STREAM, 0, 0, number(8)))),
    ("RST_STREAM of 3 bytes", raw(lambda n: frame(RST_STREAM, 0, n, b"abc"))),
    ("PUSH_PROMISE", raw(lambda n: frame(PUSH_PROMISE, END_HEADERS, n, number(2) + hpack.encode(
        [(":method", "GET"), (":scheme", "http"), (":path", "/"), (":authority", "a")])))),
    ("PUSH_PROMISE on stream 0", raw(lambda n: frame(PUSH_PROMISE, END_HEADERS, 0, number(2) + b"\x82"))),
    ("a frame inside a field block", raw(lambda n: frame(HEADERS, 0, n, b"\x88"), lambda n: frame(PING, 0, 0, bytes(8)))),
    ("another stream's CONTINUATION", raw(lambda n: frame(HEADERS, 0, n, b"\x88"), lambda n: frame(CONTINUATION, END_HEADERS, n + 2, b""))),
    ("CONTINUATION of nothing", raw(lambda n: frame(CONTINUATION, END_HEADERS, n, b"\x88"))),
    ("CONTINUATION without end", raw(lambda n: frame(HEADERS, 0, n, b"\x88"), *[lambda n: frame(CONTINUATION, 0, n, b"")] * 3000)),
    ("CONTINUATION without end, of fields",
     raw(lambda n: frame(HEADERS, 0, n, b"\x88"), *[lambda n: frame(CONTINUATION, 0, n, hpack.literal("x", "v" * 8000))] * 500)),
    ("a frame above the size allowed", raw(lambda n: frame(HEADERS, END_HEADERS, n, b"\x88" + bytes(20000)))),
    ("a frame of 16 MB that never comes", raw(lambda n: frame(DATA, 0, n, b"", length=(1 << 24) - 1))),
    ("more padding than payload", raw(lambda n: frame(HEADERS, PADDED | END_HEADERS, n, b"\xff\x88"))),
    ("SETTINGS on a stream", raw(lambda n: frame(SETTINGS, 0, n, b""))),
    ("SETTINGS of 5 bytes", raw(lambda n: frame(SETTINGS, 0, 0, b"12345"))),
    ("SETTINGS: acknowledged with a payload", raw(lambda n: frame(SETTINGS, ACK, 0, settings_payload({MAX_STREAMS: 1})))),
    ("SETTINGS: a window above all", raw(lambda n: frame(SETTINGS, 0, 0, settings_payload({INITIAL_WINDOW: 1 << 31})))),
    ("SETTINGS: frames too small", raw(lambda n: frame(SETTINGS, 0, 0, settings_payload({MAX_FRAME: 16383})))),
    ("SETTINGS: a server that would be pushed to", raw(lambda n: frame(SETTINGS, 0, 0, settings_payload({ENABLE_PUSH: 1})))),
    ("PING of 7 bytes", raw(lambda n: frame(PING, 0, 0, b"1234567"))),
    ("PING on a stream", raw(lambda n: frame(PING, 0, n, bytes(8)))),
    ("GOAWAY on a stream", raw(lambda n: frame(GOAWAY, 0, n, bytes(8)))),
    ("GOAWAY of 7 bytes", raw(lambda n: frame(GOAWAY, 0, 0, bytes(7)))),
    ("WINDOW_UPDATE of 3 bytes", raw(lambda n: frame(WINDOW_UPDATE, 0, 0, b"abc"))),
    ("WINDOW_UPDATE of 0 on the connection", raw(lambda n: frame(WINDOW_UPDATE, 0, 0, number(0)))),
    ("a connection window above all", raw(*[lambda n: frame(WINDOW_UPDATE, 0, 0, number(BIGGEST_WINDOW))] * 2)),
    ("bytes that are no frames", raw(lambda n: b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello")),
    ("TLS records", raw(lambda n: b"\x15\x03\x03\x00\x02\x02\x46" * 10)),
]
# The head is fine, what follows is not: the client's answer has no end.
BODIES = [
    ("content-length 5, 4 bytes", lambda s: (s.head(200, [("content-length", "5")]), s.data(b"four", True))),
    ("content-length 5, 6 bytes", lambda s: (s.head(200, [("content-length", "5")]), s.data(b"sixsix", True))),
    ("content-length 5, 4 bytes and trailers", lambda s: (s.head(200, [("content-length", "5")]), s.data(b"four"), s.end([("x", "1")]))),
    ("HEADERS in the middle", lambda s: (s.head(200), s.data(b"some"), s.head(200), s.data(b"more", True))),
    ("trailers that do not end", lambda s: (s.head(200), s.data(b"some"), s.fields_as([("x", "1")]), s.data(b"more", True))),
    (":status in trailers", lambda s: (s.head(200), s.data(b"some"), s.end([(":status", "200")]))),
    ("upper case in trailers", lambda s: (s.head(200), s.data(b"some"), s.end([("X-Upper", "1")]))),
    ("CRLF in trailers", lambda s: (s.head(200), s.data(b"some"), s.end([("x", "a\r\nb: c")]))),
    ("trailers of 3 MB", lambda s: (s.head(200), s.data(b"some"), s.end([("x-%d" % n, "v" * 1000) for n in range(3000)]))),
    ("RST_STREAM", lambda s: (s.head(200), s.data(b"some"), s.reset("INTERNAL_ERROR"))),
    ("RST_STREAM NO_ERROR", lambda s: (s.head(200), s.data(b"some"), s.reset("NO_ERROR"))),
    ("the connection's end", lambda s: (s.head(200), s.data(b"some"), s.session.close())),
    ("the connection's reset", lambda s: (s.head(200), s.data(b"some"), s.session.close(True))),
    ("GOAWAY below it, and the end", lambda s: (s.head(200), s.data(b"some"), s.session.goaway(0), s.session.close())),
    ("a frame of nonsense", lambda s: (s.head(200), s.data(b"some"), s.session.send(frame(PING, 0, 0, b"short")))),
    ("DATA with more padding than payload", lambda s: (s.head(200), s.data(b"some"), s.send(DATA, PADDED, b"\x05x"))),
    ("a window for the stream of 0", lambda s: (s.head(200), s.data(b"some"), s.send(WINDOW_UPDATE, 0, number(0)), s.session.close())),
]


def both(proxy):
    return (("HTTP/1.1", Client(proxy.port)), ("HTTP/2", proxy.client()))


def with_neighbours(rows):
    """The origin in question, a proxy, and a sound origin with a request that stays open all the while."""
    origin, sound = Scripted(rows), Scripted([])
    routes = [{"name": "sound", "match": {"path": {"prefix": "/sound"}}, "backend": backend_of(sound)},
              {"name": "held", "match": {"path": {"prefix": "/held"}}, "backend": backend_of(sound)}]  # fmt: skip
    proxy = proxy_to(origin, routes=routes)
    neighbour = proxy.client()
    neighbour.held = neighbour.start(path="/held")
    sound.wait_stream(1)
    return origin, sound, proxy, neighbour


def unharmed(origin, sound, proxy, neighbour):
    ok(proxy.alive(), "the same process is alive")
    is_(once(proxy.port, target="/alive").text, "fine /alive", "the origin's sound answers pass")
    is_(neighbour.request("GET", "/sound/x").text, "fine /sound/x", "others are served")
    sound.requests[0].answer(200, body=b"held")
    is_(neighbour.response(neighbour.held).text, "held", "a request to another origin was open all the while")
    is_((len(sound.sessions), neighbour.goaways), (1, []), "on one connection")
    is_(proxy.stop(), 0, "an orderly end")


def whole_failures(rows):
    origin, sound, proxy, neighbour = with_neighbours(rows)
    clients = both(proxy)
    for index, (name, _function) in enumerate(rows):
        for version, client in clients:
            try:
                answer = client.request("GET", "/%d" % index)
                ok(answer.status == 502 and re.search(WORDS, answer.text), "%s: 502 for %s" % (name, version)) \
                    or note("%d %r" % (answer.status, answer.text[:80]))  # fmt: skip
                like(answer.get("proxy-status"), r"^gomesh; error=\w+; details=", "with Proxy-Status")
            except (ProtocolError, OSError) as problem:
                ok(False, "%s: 502 for %s (%r)" % (name, version, problem))
                clients = both(proxy)
                break
    requests = [stream.target for stream in origin.requests if stream.target[1:].isdigit()]
    once_each = [target for target in sorted(set(requests)) if requests.count(target) > 2]
    is_(once_each, [], "none was sent again")
    unharmed(origin, sound, proxy, neighbour)


def heads():
    whole_failures(HEADS)


def connections():
    whole_failures(CONNECTIONS)


def connection_errors_end_it():
    """A breach of the connection's own rules ends it: GOAWAY with an error, or at once."""
    for index, (name, _function) in enumerate(CONNECTIONS):
        if "never comes" in name or "would be pushed" in name:
            continue
        origin = Scripted(CONNECTIONS[index : index + 1])
        proxy = proxy_to(origin)
        is_(once(proxy.port, target="/0").status, 502, name)
        ok(origin.sessions[0].wait_end(), "ends the connection")
    ok(True, "all of them")


def streams_alone():
    """A breach within one answer leaves the other requests of that connection alone."""
    rows = [row for row in HEADS if not re.search("MB|KB|3,000|without end|large|DATA before|trailers only", row[0])]
    origin = Scripted(rows)
    proxy = proxy_to(origin)
    client = proxy.client()
    waiting = client.start(path="/held")
    seen = origin.wait_stream(1)
    for index, (name, _function) in enumerate(rows):
        is_(client.request("GET", "/%d" % index).status, 502, name)
    seen.answer(200, body=b"held")
    is_(client.response(waiting).text, "held", "who shares the connection is answered")
    is_(len(origin.sessions), 1, "one connection did for all of it")


def bodies():
    origin, sound, proxy, neighbour = with_neighbours(BODIES)
    for index, (name, _function) in enumerate(BODIES):
        for version in ("HTTP/1.1", "HTTP/2"):
            try:
                client = Client(proxy.port) if version == "HTTP/1.1" else proxy.client()
                answer = client.request("GET", "/%d" % index)
                ok(answer.status == 502, "%s: no whole answer for %s (%d %r)" % (name, version, answer.status, answer.text[:40]))
            except (ProtocolError, ConnectionError) as problem:
                unlike(str(problem), "nothing more|timed out", "%s: no whole answer for %s" % (name, version))
            client.close()
    unharmed(origin, sound, proxy, neighbour)


def beyond_the_window():
    """More DATA than the window allows, for a client that takes nothing."""

    def pour(stream):
        stream.head(200)
        while stream.error is None and not stream.session.ended:
            stream.session.send(frame(DATA, 0, stream.number, bytes(16384)))

    origin = Scripted([("pour", pour)])
    proxy = proxy_to(origin)
    is_(once(proxy.port, target="/alive").text, "fine /alive", "a sound answer first")
    for version in ("HTTP/1.1", "HTTP/2"):
        client = Client(proxy.port) if version == "HTTP/1.1" else proxy.client()
        count = len(origin.requests)
        if version == "HTTP/1.1":
            client.send_request("GET", "/0")
        else:
            client.start(path="/0")
        stream = origin.wait_stream(count + 1)
        is_(stream.wait_reset(30) in ("FLOW_CONTROL_ERROR", "ENHANCE_YOUR_CALM", "closed"), True, version + ": it ends")
        client.close()
    is_(once(proxy.port, target="/after").text, "fine /after", "and the proxy goes on")
    origin.problems.clear()


def no_body_where_none_may_be():
    """DATA in answers that have none: what becomes of them never leads to another answer's bytes."""
    rows = [
        ("204", lambda s: (s.head(204), s.data(b"STOLEN", True))),
        ("304", lambda s: (s.head(304), s.data(b"STOLEN", True))),
        ("HEAD", lambda s: (s.head(200, [("content-length", "6")]), s.data(b"STOLEN", True))),
    ]
    origin = Scripted(rows)
    proxy = proxy_to(origin)
    for index, (name, _function) in enumerate(rows):
        for version, client in both(proxy):
            method = "HEAD" if name == "HEAD" else "GET"
            try:
                answer = client.request(method, "/%d" % index)
                ok(b"STOLEN" not in answer.body, "%s with DATA, %s" % (name, version))
                is_(client.request("GET", "/next").text, "fine /next", "the next answer is the next one's")
            except (ProtocolError, ConnectionError):
                is_(once(proxy.port, target="/next").text, "fine /next", "%s with DATA, %s: cut" % (name, version))
    ok(proxy.alive(), "the proxy lives on")


FLOODS = [
    ("PING", lambda n: frame(PING, 0, 0, b"flooding")),
    ("SETTINGS", lambda n: frame(SETTINGS, 0, 0, settings_payload({MAX_STREAMS: 100}))),
    ("empty SETTINGS", lambda n: frame(SETTINGS)),
    ("empty DATA", lambda n: frame(DATA, 0, n)),
    ("DATA of padding alone", lambda n: frame(DATA, PADDED, n, b"\0")),
    ("1xx", lambda n: header_frames(n, hpack.encode([(":status", "103")]))),
    ("RST_STREAM of streams gone", lambda n: frame(RST_STREAM, 0, 1, number(8))),
    ("WINDOW_UPDATE of one byte", lambda n: frame(WINDOW_UPDATE, 0, 0, number(1))),
    ("PRIORITY", lambda n: frame(PRIORITY, 0, n, bytes(5))),
    ("frames that nobody knows", lambda n: frame(250, 0, 0, b"")),
    ("CONTINUATION", lambda n: frame(CONTINUATION, 0, n)),
]


def floods():
    """The connection ends within what a second of flooding sends, and the memory is back."""
    for name, of in FLOODS:
        sent = []

        def flood(stream):
            pieces = 0
            if "DATA" in name:
                stream.head(200)
            if name == "CONTINUATION":
                stream.send(HEADERS, 0, b"\x88")
            try:
                while pieces < 4000 and not stream.session.ended:
                    stream.session.send(of(stream.number) * 1000)
                    pieces += 1
            finally:
                sent.append(pieces * 1000)

        origin = Scripted([(name, flood)])
        proxy = proxy_to(origin, timeout={"read_timeout": duration(5000)})
        is_(once(proxy.port, target="/alive").text, "fine /alive", name + ": a sound answer first")
        before = proxy.resident_kib()
        client = proxy.client()
        stream = client.start(path="/0")
        record = client.streams[stream]
        ok(client.wait(lambda: record.ended or record.error is not None, 30), "its request ends")
        ok(record.error or record.status in (502, 504), "badly")
        wait_until(lambda: sent, "the flood's end", 30)
        ok(sent[0] < 4000000, "the connection ends it, after %d frames at most" % sent[0])
        if SLOW == 1:
            ok(proxy.resident_kib() - before < 16384, "within 16 MiB of memory")
        is_(client.request("GET", "/next").text, "fine /next", "the next request is served")
        is_(proxy.stop(), 0, "an orderly end")


def bombs():
    """Few bytes that become many: refused before they are many."""
    rows = [
        ("HPACK, one field 16,000 times", block(b"\x88" + BOMB + hpack.indexed(62) * 12000)),
        ("HPACK, in CONTINUATION", lambda s: s.fields_as(b"\x88" + BOMB + hpack.indexed(62) * 60000, True)),
        ("HPACK, Huffman", lambda s: s.fields_as(b"\x88" + hpack.literal("x", "0" * 200000, huffman=True), True)),
        ("trailers", lambda s: (s.head(200), s.fields_as(BOMB + hpack.indexed(62) * 12000, True))),
    ]
    origin = Scripted(rows)
    proxy = proxy_to(origin)
    once(proxy.port, target="/alive")
    before = proxy.resident_kib()
    for index, (name, _function) in enumerate(rows):
        for turn in range(5):
            try:
                answer = once(proxy.port, target="/%d" % index, headers=[("TE", "trailers")])
                ok(answer.status == 502, name)
            except (ProtocolError, ConnectionError):
                is_(name, "trailers", name)
    if SLOW == 1:
        ok(proxy.resident_kib() - before < 16384, "within 16 MiB of memory")
    is_(once(proxy.port, target="/after").text, "fine /after", "and it goes on")


def deaf():
    """An origin that reads nothing: what waits for it is bounded, and its requests end in time."""
    origin = H2Origin(fine)
    proxy = proxy_to(origin, timeout={"read_timeout": duration(1500), "write_timeout": duration(1500)})
    is_(once(proxy.port).text, "fine /", "an answer")
    session = origin.sessions[0]
    session.reading.clear()
    before = proxy.resident_kib()
    client = proxy.client()
    streams = [client.start("GET", "/%d" % n, [("x-long", "v" * 7000)]) for n in range(100)]
    uploads = [Client(proxy.port) for _ in range(4)]
    for each in uploads:
        each.send_request("POST", "/up", body=bytes(60000))
    got = []
    for stream in streams:
        record = client.streams[stream]
        client.wait(lambda: record.ended or record.error is not None, 20)
        got.append(record.status)
    # what its thread had read already may be answered
    ok(set(got) <= {200, 502, 503, 504} and 504 in got, "each of 100 requests ends, with a failure") or note(set(got))
    statuses = {each.read_response().status for each in uploads}
    ok(statuses <= {200, 502, 503, 504}, "uploads, too") or note(statuses)
    if SLOW == 1:
        ok(proxy.resident_kib() - before < 32768, "within 32 MiB of memory")
    session.reading.set()
    is_(proxy.stop(), 0, "an orderly end")
    origin.problems.clear()


def cancelled_while_answered():
    """Heads of answers that nobody wants any more were under way: no reason to end what others share."""
    origin = Scripted([])
    proxy = proxy_to(origin)
    client = proxy.client()
    kept = client.start(path="/held")
    session = origin.wait_stream(1).session
    for turn in range(4):
        other = proxy.client()
        other.wait(lambda: other.settings_seen)
        for _ in range(90):
            other.start(path="/held")
        origin.wait_stream(91 + 90 * turn)
        served = list(origin.requests)[-90:]
        other.close()
        for stream in served:
            stream.wait_reset()
        late = [frame(HEADERS, END_HEADERS, each.number, b"\x88") + frame(DATA, END_STREAM, each.number, b"late") for each in served]
        session.send(b"".join(late))
        ok(session.ping(), "90 requests are cancelled, and answered late")
    is_((len(origin.sessions), session.goaways), (1, []), "the connection goes on")
    origin.requests[0].answer(200, body=b"kept")
    is_(client.response(kept).text, "kept", "a request of somebody else is answered")
    session.send(frame(HEADERS, END_HEADERS, 3, b"\x88") * 500000)
    ok(session.wait_end(), "without end it is too much")
    is_(once(proxy.port, target="/next").text, "fine /next", "the next request is served")
    is_(proxy.stop(), 0, "an orderly end")


def has_stopped(pid):
    """Each of its threads: a signal says so before they do."""
    for task in os.listdir("/proc/%d/task" % pid):
        with open("/proc/%d/task/%s/stat" % (pid, task), encoding="latin-1") as file:
            if file.read().rpartition(")")[2].split()[0] != "T":
                return False
    return True


def offends_while_it_is_written_to():
    """It takes nothing for a while, then offends and takes all in the same moment: what was on its way has gone by then."""
    origin = Scripted([], settings={INITIAL_WINDOW: BIGGEST_WINDOW})
    proxy = proxy_to(origin)
    clients = [Client(proxy.port) for _ in range(12)]
    for each in clients:
        each.send(b"POST /held HTTP/1.1\r\nHost: a\r\nContent-Length: 100000000\r\n\r\n")
    session = origin.wait_stream(12).session
    session.grant(1 << 30)
    session.ping()
    session.reading.clear()
    blocked = set()
    while len(blocked) != len(clients):  # pieces that go out as they come, until nothing goes out
        for each in clients:
            try:
                select.select([], [each.sock], [], 0.01)[1] or blocked.add(each)
                each not in blocked and each.sock.send(bytes(9000), socket.MSG_DONTWAIT)
            except BlockingIOError:
                blocked.add(each)
    os.kill(proxy.pid, signal.SIGSTOP)
    try:
        wait_until(lambda: has_stopped(proxy.pid), "the proxy to stand still")
        session.send(frame(PRIORITY, 0, 1, bytes(5)) * 400)
        session.reading.set()
        origin.wait(lambda _origin: session.ended or not select.select([session.sock], [], [], 0.2)[0], "all to be taken")
    finally:
        os.kill(proxy.pid, signal.SIGCONT)
    ok(session.wait_end(), "the connection ends")
    is_({each.read_response().status for each in clients}, {502}, "with all its requests")
    is_(once(proxy.port, target="/next").text, "fine /next", "the next request is served")
    is_(proxy.stop(), 0, "an orderly end")


def at_the_start():
    """What is wrong with the first bytes."""
    for name, greet in (
        ("nothing, and the end", lambda s: s.close()),
        ("a reset", lambda s: s.close(True)),
        ("PING first", lambda s: s.send(frame(PING, 0, 0, bytes(8)))),
        ("acknowledged SETTINGS first", lambda s: s.send(frame(SETTINGS, ACK))),
        ("GOAWAY first", lambda s: (s.send(frame(SETTINGS)), s.goaway(0, "INADEQUATE_SECURITY"), s.close())),
        ("HTTP/1.1", lambda s: (s.send(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n"), s.close())),
        ("nonsense", lambda s: s.send(bytes(range(256)) * 8)),
        ("a client's preface", lambda s: s.send(PREFACE + frame(SETTINGS))),
    ):
        origin = H2Origin(fine, greet=greet)
        proxy = proxy_to(origin, timeout={"read_timeout": duration(3000)})
        for method in ("GET", "POST"):
            answer = once(proxy.port, method)
            status = 503 if name.startswith("GOAWAY") else 502  # not looked at, twice
            ok(answer.status == status and re.search(WORDS, answer.text), "%s: %s: %d" % (name, method, status)) or note(answer.text[:100])
        ok(len(origin.sessions) <= 4, "it is not tried for ever")
        origin.problems.clear()
        is_(proxy.stop(), 0, "an orderly end")
    origin = H2Origin(fine, greet=lambda s: None)
    proxy = proxy_to(origin, timeout={"read_timeout": duration(500), "connect_timeout": duration(500)})
    answer = once(proxy.port, target="/silent")
    ok(answer.status in (200, 502, 504), "an origin without SETTINGS does not hold its client for ever (%d)" % answer.status)


for what in (heads, connections, connection_errors_end_it, streams_alone, bodies, beyond_the_window, no_body_where_none_may_be, floods,
             bombs, deaf, cancelled_while_answered, offends_while_it_is_written_to, at_the_start):  # fmt: skip
    subtest(what.__name__.replace("_", " "), what)
done()
