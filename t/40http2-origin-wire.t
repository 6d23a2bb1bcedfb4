#!/usr/bin/env python3
"""The tests' own HTTP/2 origin, against their own client: it serves, and it sees what a proxy does wrong."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "lib"))
import gomesh_hpack as hpack  # noqa: E402
from gomesh_http2 import *  # noqa: E402,F403
from gomesh_http2_origin import H2Origin  # noqa: E402
from gomesh_test import *  # noqa: E402,F403

MIB = 1 << 20


def echo(stream):
    stream.wait_end()
    stream.answer(200, [("x-path", stream.target)], bytes(stream.body), [("x-sum", str(len(stream.body)))])


def serves():
    for pair in (None, certificate("origin")):
        origin = H2Origin(echo, pair=pair)
        client = H2Client(origin.port, tls=h2_context() if pair else None)
        name = "TLS" if pair else "cleartext"
        for size in (0, 1, 70000, 3 * MIB):
            body = some_bytes(size)
            answer = client.request("POST", "/%d" % size, [("te", "trailers")], body, trailers=[("x-end", "1")])
            is_((answer.status, sha256(answer.body)), (200, sha256(body)), "%s: %d bytes there and back" % (name, size))
            is_(answer.trailers, [("x-sum", str(size))], "and trailers")
        is_(origin.requests[-1].trailers, [("x-end", "1")], "trailers of the request")
        is_([name for name, _value in origin.requests[0].fields[:4]], [":method", ":scheme", ":authority", ":path"], "fields in order")
        is_(origin.protocols, ["h2" if pair else None], "by " + name)
        streams = [client.start(path="/%d" % n) for n in range(50)]
        is_([client.response(stream).get("x-path") for stream in streams], ["/%d" % n for n in range(50)], "50 at once")


def by_hand():
    origin = H2Origin(settings={INITIAL_WINDOW: 10, MAX_STREAMS: 2}, credit=False)
    client = H2Client(origin.port)
    session = origin.wait_session()
    client.wait(lambda: client.settings_seen)
    session.wait_settled()
    stream = client.send_headers(None, client.fields("POST", "/up"))
    sending = background(client.send_data, stream, b"x" * 40, True)
    seen = origin.wait_stream()
    seen.wait_body(10)
    seen.grant(15)
    seen.wait_body(25)
    session.settings({INITIAL_WINDOW: 25})
    is_((sending.result(), len(seen.wait_end().body), sum(seen.pieces)), (40, 40, 40), "a window grows by credit, and by settings")
    session.settings({INITIAL_WINDOW: 0})
    seen.head(103, [("link", "</a>")])
    seen.head(200, [("x", "1")], split_into=3)
    seen.data(b"hello")
    seen.end([("x-end", "2")])
    answer = client.response(stream)
    is_((answer.text, answer.trailers, [each.status for each in answer.interim]), ("hello", [("x-end", "2")], [103]), "an answer step by step")
    other = client.start(path="/reset")
    origin.wait_stream(2).reset("REFUSED_STREAM")
    is_(client.wait_reset(other), "REFUSED_STREAM", "a reset")
    third = client.start(path="/cancelled")
    origin.wait_stream(3)
    client.cancel(third)
    is_(origin.requests[2].wait_reset(), "CANCEL", "one of theirs")
    ok(background(session.ping) and client.wait(lambda: session.pongs, 10), "a ping")
    session.goaway(3, "INTERNAL_ERROR", b"why")
    is_((client.wait_goaway(), client.goaways), ("INTERNAL_ERROR", [(3, "INTERNAL_ERROR", "why")]), "GOAWAY")
    session.close()
    is_((client.closed(), session.wait_end()), (True, "by us"), "the end")


def windows():
    """Its DATA stays within what the client allows, on the stream and on the connection."""
    origin = H2Origin(lambda stream: stream.answer(200, body=bytes(300000)))
    client = H2Client(origin.port, settings={INITIAL_WINDOW: 1000}, credit=False)
    first = client.start(path="/")
    ok(client.wait(lambda: len(client.streams[first].body) == 1000), "the stream's window")
    client.grant(400000, first)
    ok(client.wait(lambda: len(client.streams[first].body) == FIRST_WINDOW), "the connection's")
    client.grant(400000)
    is_(len(client.response(first).body), 300000, "and then all of it")


FIELDS = [(":method", "GET"), (":scheme", "http"), (":authority", "a"), (":path", "/")]


def head(*fields, end=True, stream=1, first=FIELDS):
    return header_frames(stream, hpack.encode(list(first) + list(fields)), end)


WRONG = [
    ("no preface", None, "not the preface"),
    ("no SETTINGS", frame(PING, 0, 0, bytes(8)), "the first frame"),
    ("a field's name", head(("Upper", "1")), "not a field"),
    ("a field's value", head(("x", "a\nb")), "not a field"),
    ("connection", head(("connection", "close")), "of a connection"),
    ("te", head(("te", "gzip")), "of a connection"),
    ("transfer-encoding", head(("transfer-encoding", "chunked")), "of a connection"),
    ("no :path", head(first=FIELDS[:3]), "missing"),
    ("an empty :path", head(first=FIELDS[:3] + [(":path", "")]), "missing"),
    (":path twice", head(first=FIELDS + [(":path", "/")]), "pseudo-fields"),
    (":status", head(first=FIELDS + [(":status", "200")]), "pseudo-fields"),
    ("a pseudo-field behind", head(first=FIELDS[:3] + [("x", "1"), (":path", "/")]), "pseudo-fields"),
    ("host disagrees", head(("host", "b")), "host"),
    ("too much DATA", head(end=False) + frame(DATA, 0, 1, bytes(16384)) * 5, "more DATA"),
    ("a frame too large", head(end=False) + frame(DATA, 0, 1, bytes(16385)), "a frame of 16385"),
    ("DATA behind the end", head() + frame(DATA, 0, 1, b"x"), "behind the end"),
    ("DATA on an idle stream", frame(DATA, 0, 5, b"x"), "idle"),
    ("an even stream", head(stream=2), "stream 2"),
    ("an older stream", head(stream=5) + head(stream=3), "stream 3"),
    ("content-length", head(("content-length", "5"), end=False) + frame(DATA, END_STREAM, 1, b"x"), "content-length"),
    ("content-length, no DATA", head(("content-length", "5")), "content-length"),
    ("trailers that do not end", head(end=False) + header_frames(1, hpack.encode([("x", "1")])), "trailers"),
    ("pseudo-fields in trailers", head(end=False) + header_frames(1, hpack.encode([(":path", "/")]), True), "not a field"),
    ("one stream too many", head(stream=1) + head(stream=3) + head(stream=5), "one more"),
    ("a window of nothing", frame(WINDOW_UPDATE, 0, 0, number(0)), "WINDOW_UPDATE"),
    ("a window above all", frame(WINDOW_UPDATE, 0, 0, number(BIGGEST_WINDOW)), "a window of"),
    ("a push", frame(PUSH_PROMISE, END_HEADERS, 1, number(2)), "kind 5"),
    ("HPACK", frame(HEADERS, END_HEADERS | END_STREAM, 1, b"\x80"), "HPACK"),
    ("a block that another interrupts", frame(HEADERS, END_STREAM, 1, b"") + frame(PING, 0, 0, bytes(8)), "inside"),
    ("an acknowledgement of nothing", frame(SETTINGS, ACK) * 3, "acknowledgement"),
    ("a table above the limit", head(end=True, first=[hpack.size_update(4097)] + FIELDS), "HPACK"),
    ("no word of a smaller table", None, "the table became smaller"),
]


def sees():
    for name, wrong, complaint in WRONG:
        settings = {MAX_STREAMS: 2}
        if complaint.startswith("the table"):
            settings[TABLE_SIZE], wrong = 100, head()
        origin = H2Origin(settings=settings, credit=False)
        client = H2Client(origin.port, start=False)
        if wrong is None:
            client.send(b"GET / HTTP/1.1\r\n\r\n123456789")
        else:
            client.send(PREFACE + (frame(SETTINGS) if "first" not in complaint else b""))
            client.wait(lambda: client.settings_seen)  # and acknowledges them
            client.send(wrong)
        origin.wait(lambda self: self.problems or not self.open and self.connections, "what is wrong with " + name)
        like("; ".join(origin.problems), complaint, "it sees " + name)
        origin.problems.clear()


def falls_back():
    def other(wire):
        wire.read_request()
        wire.send(http_message("HTTP/1.1 200 OK", [], b"one"))

    pair = certificate("other")
    for alpn, wanted in ((("h2", "http/1.1"), "h2"), (("http/1.1",), "http/1.1"), ((), None)):
        origin = H2Origin(echo, pair=pair, alpn=alpn, other=other)
        context = h2_context(protocols=("h2", "http/1.1"))
        client = (H2Client if wanted == "h2" else Client)(origin.port, tls=context)
        is_((client.request().status, origin.protocols), (200, [wanted]), "ALPN %r" % (alpn,))
    origin = H2Origin(echo, other=other)
    is_((once(origin.port).text, H2Client(origin.port).request().status), ("one", 200), "cleartext: the first bytes decide")


subtest("it serves", serves)
subtest("step by step", by_hand)
subtest("windows", windows)
subtest("what it sees", sees)
subtest("who speaks what", falls_back)
done()
