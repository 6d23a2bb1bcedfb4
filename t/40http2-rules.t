#!/usr/bin/env python3
"""
HTTP/2 by its rules (RFC 9113): each broken one has the right error, on the stream or on the connection; what reaches
the origin is what was asked for, once. Where the RFC leaves a choice, every choice is accepted:

  - a malformed request (8.1.1) may be answered with 400 or end in RST_STREAM PROTOCOL_ERROR; the connection goes on;
  - some errors on streams that are over may be of the stream or of the connection (5.1), and any error of a stream
    may be made one of the connection (5.4.1) where that is said below;
  - a preface that is none may get a GOAWAY, nothing, or HTTP/1's answer (3.4).
"""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "lib"))
import gomesh_hpack as hpack  # noqa: E402
from gomesh_http2 import *  # noqa: E402,F403
from gomesh_test import *  # noqa: E402,F403

if ENGINE == "h2o":
    skip_all("HTTP/2 is the engine gomesh's")

MALFORMED = ["RST_STREAM PROTOCOL_ERROR", "answer 400"]
PROTOCOL = ["GOAWAY PROTOCOL_ERROR"]
SIZE = ["GOAWAY FRAME_SIZE_ERROR"]
FLOW = ["GOAWAY FLOW_CONTROL_ERROR"]
COMPRESSION = ["GOAWAY COMPRESSION_ERROR"]
STREAM_CLOSED = ["RST_STREAM STREAM_CLOSED", "GOAWAY STREAM_CLOSED"]
IGNORED = ["ignored"]
LAST = (("upload", "POST /upload firstlast"), ("good", "GET /good "))


def tell(request):
    """An answer that tells what was read."""
    told = "%s %s %s" % (request.method, request.target, request.body.decode("latin-1"))
    return http_message("HTTP/1.1 200 OK", [], b"" if request.method == "HEAD" else told.encode("latin-1"))


class Tape:
    """A socket whose received bytes are kept."""

    def __init__(self, sock, tape):
        self.sock, self.tape = sock, tape

    def recv(self, size):
        data = self.sock.recv(size)
        self.tape += data
        return data

    def __getattr__(self, name):
        return getattr(self.sock, name)


def telling(wire):
    """Answers every request but /hold, which waits for its end."""
    wire.sock = Tape(wire.sock, wire.origin.tape)

    def function(request):
        if request.target == "/hold":
            wire.ends()
            return None
        return tell(request)

    answering(function)(wire)


class Bench:
    """An origin that keeps every byte it gets, a proxy in front of it, and one connection that everything spares."""

    def __init__(self, **settings):
        self.origin = Origin(telling)
        self.origin.tape = bytearray()
        self.proxy = H2Proxy(self.origin.port, **settings)
        self.other = self.proxy.client()

    def seen_since(self, before):
        return [request.target for request in self.origin.requests[before:] if request.target not in ("/before", "/hold")]

    def check(self, name, send, want, answers=True, **options):
        """
        Sends something on a connection that has an upload half done (client.upload). One of the outcomes in want
        must come. If it is the connection's, that ends, and others do not; otherwise the upload arrives, and a good
        request after it.
        """
        before = len(self.origin.requests)
        got = None
        try:
            client = self.proxy.client(**options)
            client.upload = client.send_headers(None, client.fields("POST", "/upload"))
            client.send_data(client.upload, b"first")
            try:
                stream = send(client)
            except ConnectionError:
                stream = None  # it was quick
            got = client.outcome(stream if isinstance(stream, int) else None, answers)
            if not ok(got in want, "%s: %s" % (name, got)):
                note("wanted: %s; %s" % (" or ".join(want), client.goaways))
            if got.startswith("GOAWAY"):
                rest, good = (client.closed(), self.other.request(path="/good").status), (True, 200)
            else:
                client.send_data(client.upload, b"last", True)
                rest = [client.response(client.upload).text, client.request(path="/good").text]
                rest, good = (rest, self.seen_since(before)), (["POST /upload firstlast", "GET /good "], ["/upload", "/good"])
            if rest != good:
                is_(rest, good, "%s: and what else there is, is served" % name)
            client.close()
        except (ProtocolError, OSError, AssertionError) as problem:
            ok(False, "%s: %s, then %r" % (name, got, problem))


def end(c, fields):
    return c.send_headers(None, fields, True)


# --- requests that are malformed ------------------------------------------------------------------------------

M, S, A, P = (":method", "GET"), (":scheme", "http"), (":authority", "gomesh.test"), (":path", "/bad")
CRLF = "\r\nX: smuggled\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"

PSEUDO = [
    ("no :method", [S, A, P]),
    ("no :scheme", [M, A, P]),
    ("no :path", [M, S, A]),
    ("no field at all", []),
    ("neither :authority nor host", [M, S, P]),
    ("two :method", [M, M, S, A, P]),
    ("two :scheme", [M, S, S, A, P]),
    ("two :path", [M, S, A, P, P]),
    ("two :path that differ", [M, S, A, P, (":path", "/other")]),
    ("two :authority", [M, S, A, A, P]),
    ("a pseudo-field behind a field", [M, S, A, ("x", "1"), P]),
    (":authority behind a field", [M, S, P, ("x", "1"), A]),
    ("an unknown pseudo-field", [M, S, A, P, (":who", "knows")]),
    (":status", [M, S, A, P, (":status", "200")]),
    (":protocol without CONNECT", [M, S, A, P, (":protocol", "websocket")]),
    ("a pseudo-field in upper case", [M, S, A, (":Path", "/bad")]),
    ("a pseudo-field without a name", [M, S, A, P, (":", "x")]),
    ("an empty :method", [(":method", ""), S, A, P]),
    ("an empty :scheme", [M, (":scheme", ""), A, P]),
    ("an empty :path", [M, S, A, (":path", "")]),
    ("an empty :authority", [M, S, (":authority", ""), P]),
    ("CONNECT with a path", [(":method", "CONNECT"), S, A, P]),
    ("CONNECT without :authority", [(":method", "CONNECT")]),
]
for text in ("bad", "?bad", "*", "http://gomesh.test/bad", "/b d", " /bad", "/bad ", "/b\td", "/b\0d", "/b\x7fd", "/b\rd",
             "/b\nd", "/bad HTTP/1.1" + CRLF, "/bad" + CRLF, "/b\xe9d", "/bad#x", "/%00", "/%zz", "/../bad"):
    PSEUDO.append((":path %r" % text, [M, S, A, (":path", text)]))
for text in ("G ET", "GET ", " GET", "G\tET", "G\0ET", "GET\r\n", "G(ET", "G\xc9T", "GET /smuggled HTTP/1.1\r\nX: "):
    PSEUDO.append((":method %r" % text, [(":method", text), S, A, P]))
for text in ("a b", "a/b", "a?b", "user@gomesh.test", "u:p@gomesh.test", "a\0b", "a\r\nX: smuggled", "a,b", "a:x", "a:99999",
             "[::1", "a\\b", "a#b", " a", "a ", "\x7f", "http://a"):
    PSEUDO.append((":authority %r" % text, [M, S, (":authority", text), P]))
for text in ("ht tp", "http:", "ht\0tp", "http\r\n", "://"):
    PSEUDO.append((":scheme %r" % text, [M, (":scheme", text), A, P]))

FIELDS = [
    ("an upper-case name", ("X-Upper", "1")),
    ("one upper-case letter", ("x-uppeR", "1")),
    ("an empty name", ("", "1")),
    ("Connection", ("connection", "close")),
    ("Connection that names a field", ("connection", "x-secret")),
    ("an empty Connection", ("connection", "")),
    ("Keep-Alive", ("keep-alive", "timeout=5")),
    ("Proxy-Connection", ("proxy-connection", "keep-alive")),
    ("Transfer-Encoding", ("transfer-encoding", "chunked")),
    ("Transfer-Encoding: identity", ("transfer-encoding", "identity")),
    ("Upgrade", ("upgrade", "websocket")),
    ("TE: gzip", ("te", "gzip")),
    ("TE: trailers and more", ("te", "trailers, deflate")),
    ("Host that differs", ("host", "other.test")),
    ("Host with another port", ("host", "gomesh.test:99")),
    ("an empty Host", ("host", "")),
]
for text in ("x y", "x:y", "x\0y", "x\ry", "x\ny", "x\r\nsmuggled: 1\r\nx", "x\x7f", "x\xe9", "x\ty", " x", "x ", "x(", 'x"', "x/y",
             "x: smuggled\r\ny", "\x01"):
    FIELDS.append(("name %r" % text, (text, "1")))
for text in ("a\0b", "\0", "a\rb", "a\nb", "a\r\nsmuggled: 1", "a" + CRLF, "a\r\n", "\r", "\n", "a\x01b", "a\x1bb", "a\x7fb",
             " a", "a ", "\ta", "a\t", " "):
    FIELDS.append(("value %r" % text, ("x-value", text)))
for text in ("x", "-1", "+1", "", "0x1", "1 1", "1, 2", "99999999999999999999999", "1\0", "１".encode().decode("latin-1")):
    FIELDS.append(("content-length %r" % text, ("content-length", text)))


def malformed_heads():
    bench = Bench()
    for name, fields in PSEUDO:
        bench.check(name, lambda c: end(c, fields), MALFORMED)
    for name, field in FIELDS:
        bench.check(name, lambda c: end(c, [M, S, A, P, field]), MALFORMED)
    two = [("content-length", "0"), ("content-length", "1")]
    bench.check("two content-lengths", lambda c: end(c, [M, S, A, P] + two), MALFORMED)
    hosts = [("host", "gomesh.test")] * 2
    bench.check("two Host", lambda c: end(c, [M, S, P] + hosts), MALFORMED)
    bench.check("two Host beside :authority", lambda c: end(c, [M, S, A, P] + hosts), MALFORMED)
    bench.check("a bad Huffman-coded name", lambda c: end(c, hpack.encode([M, S, A, P, ("X", "1")], True)), MALFORMED)
    ok(b"smuggled" not in bench.origin.tape, "nothing of it has reached the origin")
    is_(bench.proxy.stop(), 0, "exit code 0")


def schemes():
    """A scheme that is not the connection's (8.3.1): refused, but how is not said."""
    bench = Bench(pair=certificate("rules"))
    refused = MALFORMED + ["answer 421"]
    for scheme in ("https", "ftp", "HTTPS", "ws"):
        bench.check("http: %s" % scheme, lambda c: end(c, c.fields(path="/bad", scheme=scheme)), refused)
    client = bench.proxy.tls_client()
    got = client.outcome(end(client, client.fields(path="/bad", scheme="http")))
    ok(got in refused, "https: http: %s" % got)
    is_(client.request(path="/good").text, "GET /good ", "and https is served")
    is_(bench.other.request(path="/good", scheme="HTTP").status in (200, 400), True, "HTTP may be read as http")


def connects():
    """Only for WebSocket (40http2-websocket.t); the form of a plain one is sound, so a status tells it best."""
    bench = Bench()
    refused = MALFORMED + ["answer 405", "answer 501"]
    for name, fields, want in (
        ("CONNECT", [(":method", "CONNECT"), (":authority", "gomesh.test:443")], refused),
        ("extended CONNECT to something else", [(":method", "CONNECT"), S, A, P, (":protocol", "connect-udp")], refused),
        ("one without :path", [(":method", "CONNECT"), S, A, (":protocol", "websocket")], MALFORMED),
        ("one without :authority", [(":method", "CONNECT"), S, P, (":protocol", "websocket"), ("host", "a")], MALFORMED),
        ("one without :scheme", [(":method", "CONNECT"), A, P, (":protocol", "websocket")], MALFORMED),
        (":protocol with GET", [(":method", "GET"), S, A, P, (":protocol", "websocket")], MALFORMED),
        ("two protocols", [(":method", "CONNECT"), S, A, P, (":protocol", "websocket"), (":protocol", "websocket")], MALFORMED),
        ("one with a length", [(":method", "CONNECT"), S, A, P, (":protocol", "websocket"), ("content-length", "3")], MALFORMED),
        ("one for another scheme", [(":method", "CONNECT"), (":scheme", "https"), A, P, (":protocol", "websocket")], MALFORMED),
    ):
        bench.check(name, lambda c: end(c, fields), want)
        bench.check(name + " that goes on", lambda c: c.send_headers(None, fields), want)
    bench.other.ping()
    is_(bench.other.peer.get(8, 0), 1, "SETTINGS promise extended CONNECT")


# --- bodies ----------------------------------------------------------------------------------------------------


def with_body(length, *parts, end_stream=True, headers_end=False):
    def send(client):
        stream = client.send_headers(None, [(":method", "POST"), S, A, P, ("content-length", length)], headers_end)
        for part in parts:
            is_last = end_stream and part is parts[-1]
            client.send_frame(DATA, END_STREAM if is_last else 0, stream, part)
        return stream

    return send


def lengths():
    bench = Bench()
    bench.check("a length, but the head is the end", with_body("5", headers_end=True), MALFORMED)
    bench.check("less than said", with_body("5", b"abc"), MALFORMED)
    bench.check("less than said, in two", with_body("5", b"abc", b""), MALFORMED)
    bench.check("more than said", with_body("3", b"abcde"), MALFORMED)
    bench.check("more than said, in two", with_body("5", b"abc", b"defg"), MALFORMED)
    bench.check("more than said, no end", with_body("3", b"abcde", end_stream=False), MALFORMED)
    client = bench.other
    # a head that says that nothing follows is a whole request; it may be answered before the byte comes
    got = client.outcome(with_body("0", b"a")(client))
    ok(got in MALFORMED + ["answer 200"], "a byte, said none: " + got)
    is_(client.request(path="/good").text, "GET /good ", "and the connection goes on")
    before = len(bench.origin.requests)
    stream = with_body("5", b"he", b"", b"llo")(client)
    is_(client.response(stream).text, "POST /bad hello", "the length is right")
    stream = with_body("0", b"")(client)
    is_(client.response(stream).text, "POST /bad ", "no byte, as said")
    stream = with_body("0", headers_end=True)(client)
    is_(client.response(stream).text, "POST /bad ", "the same, at the head's end")
    seen = [(request.body, request.framing) for request in bench.origin.requests[before:]]
    # one that was reset above may have got through late
    is_(seen[-3:], [(b"hello", "length"), (b"", "length"), (b"", "length")], "and lengths are passed on")
    is_(client.request("POST", "/x", body=b"hello", length=False).text, "POST /x hello", "no length is needed")
    is_(bench.origin.requests[-1].framing, "chunked", "then the body goes on in chunks")
    is_(client.request("GET", "/x").text, "GET /x ", "without a body")
    is_(bench.origin.requests[-1].framing, "none", "there is none")


def with_trailers(fields, end_stream=True, **options):
    def send(client):
        stream = client.send_headers(None, [(":method", "POST"), S, A, P])
        client.send_frame(DATA, 0, stream, b"body")
        return client.send_headers(stream, fields, end_stream, **options)

    return send


def arrived(request):
    return [(name.lower(), value) for name, value in request.trailers]


def trailers():
    bench = Bench()
    for name, fields in (
        ("a pseudo-field", [(":path", "/smuggled")]),
        (":status", [(":status", "200")]),
        ("an upper-case name", [("X-Sum", "1")]),
        ("CR LF", [("x-sum", "1\r\nsmuggled: 1")]),
        ("NUL in a name", [("x\0", "1")]),
        ("Connection", [("connection", "close")]),
        ("Transfer-Encoding", [("transfer-encoding", "chunked")]),
        ("a field, then a pseudo-field", [("x-sum", "1"), (":method", "PUT")]),
    ):
        bench.check("trailers: " + name, with_trailers(fields), MALFORMED)
    bench.check("trailers that are not the end", with_trailers([("x-sum", "1")], end_stream=False), MALFORMED)
    ok(b"smuggled" not in bench.origin.tape, "nothing of it has reached the origin")
    client = bench.other
    fine = [("x-sum", "5"), ("x-late", "yes")]
    is_(client.response(with_trailers(fine)(client)).text, "POST /bad body", "good ones")
    request = bench.origin.requests[-1]
    is_((request.framing, arrived(request)), ("chunked", fine), "arrive as trailers")
    is_([request.get(name) for name, _value in fine], [None, None], "and not as fields")
    is_(client.response(with_trailers(fine, split_into=5)(client)).status, 200, "in five frames")
    is_(arrived(bench.origin.requests[-1]), fine, "too")
    forged = [("host", "evil"), ("content-length", "99"), ("x-forwarded-for", "10.0.0.1"), ("forwarded", "for=10.0.0.1"),
              ("x-sum", "5")]
    got = client.outcome(with_trailers(forged)(client))
    if got == "answer 200":
        is_(arrived(bench.origin.requests[-1]), [("x-sum", "5")], "of forged ones what a client may say")
    else:
        ok(got in MALFORMED, "or forged ones are refused: " + got)
    stream = client.start("POST", "/x", body=b"", trailers=fine, length=False)
    is_(client.response(stream).text, "POST /x ", "without a body")
    stream = client.send_headers(None, client.fields("POST", "/x", [("te", "trailers")]))
    is_(client.response(client.send_headers(stream, fine, True)).text, "POST /x ", "without any DATA")
    is_(arrived(bench.origin.requests[-1]), fine, "they arrive, too")


# --- frames and streams ------------------------------------------------------------------------------------------


def raw(*arguments):
    return lambda c: c.send_frame(*arguments)


def on_finished(*frames):
    """Frames on a stream whose request has been answered."""

    def send(client):
        stream = client.start(path="/before")
        client.response(stream)
        client.drain()
        client.streams[stream].error = None
        for kind, flags, payload in frames:
            client.send_frame(kind, flags, stream, payload)
        return stream

    return send


def on_half_closed(kind, flags, payload):
    """A frame behind the end of a request that has no answer yet."""

    def send(client):
        stream = client.start(path="/hold")
        client.send_frame(kind, flags, stream, payload)
        return stream

    return send


def on_cancelled(kind, flags, payload):
    def send(client):
        stream = client.send_headers(None, client.fields("POST", "/hold"))
        client.cancel(stream)
        client.send_frame(kind, flags, stream, payload)
        return stream

    return send


BLOCK = hpack.encode([M, S, A, P])


def lower_stream(client):
    client.next_stream = 9
    client.request(path="/before")
    return client.send_headers(5, BLOCK, True)


def stream_states():
    bench = Bench()
    for name, kind, payload in (("DATA", DATA, b"x"), ("HEADERS", HEADERS, BLOCK), ("PRIORITY", PRIORITY, bytes(5)),
                                ("RST_STREAM", RST_STREAM, number(8)), ("CONTINUATION", CONTINUATION, BLOCK)):
        bench.check(name + " on stream 0", raw(kind, END_HEADERS if kind == HEADERS else 0, 0, payload), PROTOCOL, False)
    for name, kind, payload in (("SETTINGS", SETTINGS, b""), ("PING", PING, bytes(8)), ("GOAWAY", GOAWAY, bytes(8))):
        bench.check(name + " on a stream", raw(kind, 0, 1, payload), PROTOCOL, False)
    for name, kind, payload in (("DATA", DATA, b"x"), ("RST_STREAM", RST_STREAM, number(8)),
                                ("WINDOW_UPDATE", WINDOW_UPDATE, number(1)), ("CONTINUATION", CONTINUATION, BLOCK)):
        bench.check(name + " on an idle stream", raw(kind, 0, 101, payload), PROTOCOL, False)
        bench.check(name + " on an idle stream of the server's", raw(kind, 0, 2, payload), PROTOCOL, False)
    bench.check("a stream with an even number", lambda c: c.send_headers(2, BLOCK, True), PROTOCOL, False)
    # 5.1 and 5.1.1 want the connection to end. Who forgets streams that are over, as libnghttp2 does, cannot tell such
    # a frame from one that was under way when it reset the stream, which is no error. What counts here is that nothing
    # comes of it; floods of such frames are in 40http2-limits.t.
    again = (HEADERS, END_HEADERS | END_STREAM, BLOCK)
    bench.check("a number below the last", lower_stream, PROTOCOL + STREAM_CLOSED + IGNORED, False)
    bench.check("HEADERS on a finished stream", on_finished(again), PROTOCOL + STREAM_CLOSED + IGNORED, False)
    bench.check("DATA on a finished stream", on_finished((DATA, 0, b"x")), STREAM_CLOSED + IGNORED, False)
    bench.check("DATA on a half-closed stream", on_half_closed(DATA, 0, b"x"), STREAM_CLOSED, False)
    bench.check("HEADERS on a half-closed stream", on_half_closed(*again), STREAM_CLOSED, False)
    # what was under way when a stream was cancelled harms nobody; it may be told again that the stream is closed
    bench.check("DATA on a cancelled stream", on_cancelled(DATA, 0, b"x"), STREAM_CLOSED + IGNORED, False)
    bench.check("HEADERS on a cancelled stream", on_cancelled(*again), PROTOCOL + STREAM_CLOSED + IGNORED, False)
    for name, kind, payload in (("WINDOW_UPDATE", WINDOW_UPDATE, number(9)), ("RST_STREAM", RST_STREAM, number(8)),
                                ("PRIORITY", PRIORITY, bytes(4) + b"\7")):
        bench.check(name + " on a finished stream", on_finished((kind, 0, payload)), IGNORED, False)
    bench.check("RST_STREAM twice", on_cancelled(RST_STREAM, 0, number(8)), IGNORED, False)


def frame_forms():
    bench = Bench()
    for name, kind, stream, payload in (
        ("PING of 7 bytes", PING, 0, bytes(7)),
        ("PING of 9 bytes", PING, 0, bytes(9)),
        ("SETTINGS of 5 bytes", SETTINGS, 0, bytes(5)),
        ("SETTINGS of 7 bytes", SETTINGS, 0, bytes(7)),
        ("RST_STREAM of 3 bytes", RST_STREAM, 1, bytes(3)),
        ("RST_STREAM of 5 bytes", RST_STREAM, 1, bytes(5)),
        ("WINDOW_UPDATE of 3 bytes", WINDOW_UPDATE, 0, bytes(3)),
        ("WINDOW_UPDATE of 5 bytes", WINDOW_UPDATE, 1, bytes(5)),
        ("GOAWAY of 7 bytes", GOAWAY, 0, bytes(7)),
    ):
        bench.check(name, raw(kind, 0, stream, payload), SIZE, False)
    bench.check("SETTINGS, acknowledged with a payload", raw(SETTINGS, ACK, 0, bytes(6)), SIZE, False)
    # 6.3: of the stream; 4.2 allows to end the connection for any error of a stream
    bench.check("PRIORITY of 4 bytes", lambda c: raw(PRIORITY, 0, 1, bytes(4))(c) or 1, SIZE + ["RST_STREAM FRAME_SIZE_ERROR"], False)
    large = bytes(16385)
    for name, kind, stream in (("HEADERS", HEADERS, 3), ("SETTINGS", SETTINGS, 0), ("an unknown frame", 99, 0)):
        bench.check("%s of 16385 bytes" % name, raw(kind, 0, stream, large), SIZE, False)
    bench.check("a frame of 16 MiB is announced", lambda c: c.send(frame(DATA, 0, 1, b"x", (1 << 24) - 1)), SIZE, False)
    bench.check("an unknown frame of 16384 bytes", raw(99, 255, 0, large[1:]), IGNORED, False)
    for kind in (11, 99, 255):
        for stream in (0, 1, 77, 78):
            bench.check("an unknown frame, kind %d on stream %d" % (kind, stream), raw(kind, 255, stream, b"abc"), IGNORED, False)
    for name, payload, stream in (("a stream", bytes(4) + b"\7", 1), ("an idle stream", bytes(4) + b"\7", 77),
                                  ("a stream that leans on others", number(1 << 31 | 5) + b"\7", 3)):
        bench.check("PRIORITY of " + name, raw(PRIORITY, 0, stream, payload), IGNORED, False)
    # an error by RFC 7540, nothing by RFC 9113
    bench.check("PRIORITY of a stream that leans on itself", raw(PRIORITY, 0, 77, number(77) + b"\7"),
                IGNORED + PROTOCOL + ["RST_STREAM PROTOCOL_ERROR"], False)
    bench.check("PING that is an answer", raw(PING, ACK, 0, bytes(8)), IGNORED, False)
    # the RFC has no word about an answer to what nobody sent
    bench.check("SETTINGS that are an answer", raw(SETTINGS, ACK), IGNORED + PROTOCOL, False)
    bench.check("PUSH_PROMISE", raw(PUSH_PROMISE, END_HEADERS, 1, number(2) + BLOCK), PROTOCOL, False)
    bench.check("PUSH_PROMISE on stream 0", raw(PUSH_PROMISE, END_HEADERS, 0, number(2) + BLOCK), PROTOCOL, False)


def paddings():
    bench = Bench()
    for name, kind, stream, flags, payload in (
        ("DATA: as much padding as payload", DATA, 1, PADDED, b"\4abcd"[:4]),
        ("DATA: more", DATA, 1, PADDED, b"\xffabc"),
        ("HEADERS: more padding than payload", HEADERS, 3, PADDED | END_HEADERS, b"\xff" + BLOCK),
        ("HEADERS: more with a priority", HEADERS, 3, PADDED | HAS_PRIORITY | END_HEADERS, b"\5" + bytes(5) + b"abc"),
    ):
        bench.check(name, raw(kind, flags, stream, payload), PROTOCOL, False)
    short = PROTOCOL + SIZE  # 4.2: too short for its fields; 6.1: padding
    bench.check("DATA: no room for the padding's length", raw(DATA, PADDED, 1), short, False)
    bench.check("HEADERS: no room for it", raw(HEADERS, PADDED | END_HEADERS, 3), short, False)
    bench.check("HEADERS: no room for a priority", raw(HEADERS, HAS_PRIORITY | END_HEADERS, 3, bytes(4)), short, False)


def continuations():
    bench = Bench()
    begin = frame(HEADERS, END_STREAM, 3, BLOCK[:9])
    more, rest = (frame(CONTINUATION, flags, 3, BLOCK[9:]) for flags in (0, END_HEADERS))
    for name, frames in (
        ("behind a whole head", header_frames(3, BLOCK, True) + rest),
        ("behind its end", begin + rest + rest),
        ("of another stream", begin + frame(CONTINUATION, END_HEADERS, 5, BLOCK[9:])),
        ("of stream 0", begin + frame(CONTINUATION, END_HEADERS, 0, BLOCK[9:])),
        ("DATA between", begin + frame(DATA, 0, 1, b"x") + rest),
        ("PING between", begin + frame(PING, 0, 0, bytes(8)) + rest),
        ("an unknown frame between", begin + more + frame(99, 0, 3, b"x") + rest),
        ("HEADERS between", begin + header_frames(5, BLOCK, True) + rest),
        ("HEADERS of the same stream between", begin + begin + rest),
        ("SETTINGS between", begin + frame(SETTINGS) + rest),
        ("of DATA", frame(DATA, 0, 1, b"x") + frame(CONTINUATION, END_HEADERS, 1, BLOCK)),
    ):
        bench.check("CONTINUATION: " + name, lambda c: c.send(frames), PROTOCOL, False)


def settings():
    bench = Bench()
    for name, key, value, want in (
        ("ENABLE_PUSH 2", ENABLE_PUSH, 2, PROTOCOL),
        ("INITIAL_WINDOW_SIZE 2^31", INITIAL_WINDOW, 1 << 31, FLOW),
        ("INITIAL_WINDOW_SIZE 2^32-1", INITIAL_WINDOW, (1 << 32) - 1, FLOW),
        ("MAX_FRAME_SIZE 0", MAX_FRAME, 0, PROTOCOL),
        ("MAX_FRAME_SIZE 16383", MAX_FRAME, 16383, PROTOCOL),
        ("MAX_FRAME_SIZE 2^24", MAX_FRAME, 1 << 24, PROTOCOL),
        ("MAX_FRAME_SIZE 2^24-1", MAX_FRAME, (1 << 24) - 1, IGNORED),
        ("ENABLE_PUSH 1", ENABLE_PUSH, 1, IGNORED),
        ("MAX_CONCURRENT_STREAMS 0", MAX_STREAMS, 0, IGNORED),
        ("HEADER_TABLE_SIZE 2^32-1", TABLE_SIZE, (1 << 32) - 1, IGNORED),
        ("HEADER_TABLE_SIZE 0", TABLE_SIZE, 0, IGNORED),
        ("MAX_HEADER_LIST_SIZE 2^32-1", MAX_HEADER_LIST, (1 << 32) - 1, IGNORED),
        ("an unknown setting", 0xABCD, 77, IGNORED),
        ("setting 0", 0, 1, IGNORED),
    ):
        bench.check(name, raw(SETTINGS, 0, 0, settings_payload([(key, value)])), want, False)
    client = bench.proxy.client(settings={TABLE_SIZE: 0})
    is_([client.request(path="/good").text for _ in range(3)], ["GET /good "] * 3, "a client without a table is served")
    client.send_frame(SETTINGS, 0, 0, settings_payload([(INITIAL_WINDOW, 0), (INITIAL_WINDOW, 9), (99, 1)]))
    ok(client.wait(lambda: client.acknowledged == 2), "each SETTINGS is acknowledged")
    first = bench.proxy.client()
    is_(first.read_frame().kind, SETTINGS, "the proxy's first frame is SETTINGS")
    told = [first.peer.get(key) for key in (MAX_STREAMS, MAX_HEADER_LIST, ENABLE_PUSH)]
    is_(told[:2], [128, 65536], "they tell the limits")
    ok(told[2] in (None, 0), "and promise no push")
    ok(first.ping(b"12345678"), "PING is answered, with what it carried")


def windows():
    bench = Bench()

    def on_upload(*updates):
        def send(client):
            for update in updates:
                client.send_frame(WINDOW_UPDATE, 0, client.upload, number(update))
            return client.upload

        return send

    for name, frames in (
        ("WINDOW_UPDATE of 0", [number(0)]),
        ("of 0, with the reserved bit", [number(1 << 31)]),
    ):
        bench.check("connection: " + name, raw(WINDOW_UPDATE, 0, 0, frames[0]), PROTOCOL, False)
    bench.check("connection: a window above 2^31-1", raw(WINDOW_UPDATE, 0, 0, number(BIGGEST_WINDOW)), FLOW, False)
    for name, updates, error in (("WINDOW_UPDATE of 0", [0], "PROTOCOL_ERROR"),
                                 ("a window above 2^31-1", [BIGGEST_WINDOW], "FLOW_CONTROL_ERROR"),
                                 ("the same in two", [1 << 30, 1 << 30], "FLOW_CONTROL_ERROR")):
        # an error of the stream (6.9), though of 0 some make one of the connection
        client = bench.proxy.client()
        client.upload = client.send_headers(None, client.fields("POST", "/hold"))
        got = client.outcome(on_upload(*updates)(client), False)
        ok(got in ["RST_STREAM " + error] + (PROTOCOL if error[0] == "P" else []), "stream: %s: %s" % (name, got))
        if got in PROTOCOL:
            ok(client.closed(), "and that is the end")
        else:
            is_(client.request(path="/good").text, "GET /good ", "and the connection goes on")
    widest = BIGGEST_WINDOW - FIRST_WINDOW

    client = bench.proxy.client()
    stream = client.send_headers(None, client.fields("POST", "/hold"))
    client.send_frame(WINDOW_UPDATE, 0, stream, number(widest))
    client.send_frame(SETTINGS, 0, 0, settings_payload({INITIAL_WINDOW: FIRST_WINDOW + 1}))
    # of the connection by 6.9.2; libnghttp2 ends the stream alone, which leaves no window wrong either
    got = client.outcome(stream, False)
    ok(got in FLOW + ["RST_STREAM FLOW_CONTROL_ERROR"], "SETTINGS lift a window above 2^31-1: " + got)
    bench.check("the widest window", lambda c: raw(WINDOW_UPDATE, 0, 0, number(widest))(c), IGNORED, False)
    is_(bench.proxy.stop(), 0, "exit code 0")


def window_overrun():
    """A body that nobody takes, as the only connection to the backend is somebody else's, and more than its window."""
    bench = Bench(workers=1, upstream={"max_connections": 1}, timeout={"connect_timeout": "60s"})
    before = len(bench.origin.requests)
    bench.other.start(path="/hold")
    wait_until(lambda: b"/hold" in bench.origin.tape, "the connection to be taken")
    client = bench.proxy.client()
    ok(client.wait(lambda: client.settings_seen) and client.ping() and client.ping(), "the proxy's windows are known")
    stream = client.send_headers(None, client.fields("POST", "/bad"))
    record = client.streams[stream]
    room = min(record.send_window, client.send_window)
    client.send_data(stream, bytes(room))
    client.ping()
    ok(record.error is None and not client.goaways, "a window full of DATA (%d bytes)" % room)
    client.send_frame(DATA, 0, stream, b"x")
    got = client.outcome(stream, False)
    ok(got in FLOW + ["RST_STREAM FLOW_CONTROL_ERROR"], "a byte beyond it: " + got)
    client = bench.proxy.client()
    ok(client.ping() and client.ping(), "the same for the connection")
    while client.send_window > 0:
        stream = client.send_headers(None, client.fields("POST", "/bad"))
        client.send_data(stream, bytes(min(client.streams[stream].send_window, client.send_window)))
    client.ping()
    is_(client.goaways, [], "all streams' windows together")
    stream = client.send_headers(None, client.fields("POST", "/bad"))
    client.send_frame(DATA, 0, stream, b"x")
    is_([client.outcome(stream, False)], FLOW, "a byte beyond it")
    is_(bench.seen_since(before), [], "the origin has seen none of them")


# --- HPACK -------------------------------------------------------------------------------------------------------


def compression():
    bench = Bench()
    limit = bench.other.wait(lambda: bench.other.settings_seen) and bench.other.peer.get(TABLE_SIZE, 4096)
    for name, block in (
        ("field 0", b"\x80"),
        ("a field that is not there", hpack.indexed(100)),
        ("a name that is not there", hpack.literal(100, "x")),
        ("a string longer than the block", b"\0\5abc"),
        ("the end in the middle of a field", BLOCK[:-1]),
        ("a number without end", b"\xff" + b"\xff" * 12 + b"\x0f"),
        ("a length beyond 2^32", b"\0\x7f" + b"\xff" * 5 + b"\x0f"),
        ("a table above the limit", hpack.size_update(limit + 1) + BLOCK),
        ("a size update behind a field", BLOCK + hpack.size_update(0)),
        ("EOS in a string", b"\0\1a\x84\xff\xff\xff\xff"),
        ("Huffman padding with zeros", b"\0\1a\x81\x18"),
        ("Huffman padding of a whole byte", b"\0\1a\x82\x1f\xff"),
    ):
        bench.check("HPACK: " + name, lambda c: c.send_headers(None, block, True), COMPRESSION, False)
    client = bench.proxy.client()
    kept = hpack.literal("x-kept", "for later", keep=True)
    got = client.outcome(end(client, hpack.encode([M, S, A, P, ("X", "1")]) + kept))
    ok(got in MALFORMED, "a malformed request that fills the table: " + got)
    stream = client.send_headers(None, hpack.encode([M, S, A, (":path", "/good")]) + hpack.indexed(62), True)
    is_(client.response(stream).text, "GET /good ", "the next request may use it")
    is_(bench.origin.requests[-1].get("x-kept"), "for later", "and has the field")
    client.cancel(end(client, hpack.encode([M, S, A, (":path", "/hold")]) + hpack.literal("x-two", "2", keep=True)))
    stream = client.send_headers(None, hpack.encode([M, S, A, (":path", "/good")]) + hpack.indexed(62), True)
    is_(client.response(stream).status, 200, "the same with one that was cancelled")
    is_(bench.origin.requests[-1].get("x-two"), "2", "and has the field")
    block = hpack.size_update(0) + hpack.size_update(100) + hpack.encode([M, S, A, (":path", "/good")], huffman=True)
    is_(client.response(client.send_headers(None, block, True)).text, "GET /good ", "size updates where they belong")


# --- what is right, though unusual ---------------------------------------------------------------------------------


def unusual():
    bench = Bench()
    client, origin = bench.other, bench.origin

    def arrives(name, send, method="GET", target="/good", **fields):
        before = len(origin.requests)
        response = client.response(send())
        seen = origin.requests[before:]
        is_((response.status, [(one.method, one.target) for one in seen]), (200, [(method, target)]), name)
        got = {key: seen[0].get(key.replace("_", "-")) for key in fields} if seen else None
        is_(got, fields, name + ": as it was sent")

    good = hpack.encode([M, S, A, (":path", "/good")])
    whole = END_HEADERS | END_STREAM
    for name, flags, payload, reserved in (
        ("HEADERS with padding", PADDED, padded(good, 200), 0),
        ("HEADERS with a priority", HAS_PRIORITY, bytes(4) + b"\x10" + good, 0),
        ("HEADERS with both", PADDED | HAS_PRIORITY, b"\x09" + bytes(4) + b"\x10" + good + bytes(9), 0),
        ("flags that mean nothing", 0xD2, good, 0),
        ("the reserved bit", 0, good, 1 << 31),
    ):

        def send():
            stream = client.open_stream()
            client.send_frame(HEADERS, whole | flags, stream | reserved, payload)
            return stream

        arrives(name, send)
    for parts in (2, 5, 8):
        arrives("a head in %d frames" % parts, lambda: client.send_headers(None, good, True, split_into=parts))
    empty = frame(HEADERS, END_STREAM, client.next_stream) + frame(CONTINUATION, 0, client.next_stream)
    rest = frame(CONTINUATION, END_HEADERS, client.next_stream, good)
    arrives("a head whose first frames are empty", lambda: [client.open_stream(), client.send(empty + rest)][0])
    arrives("by Huffman's code", lambda: end(client, hpack.encode([M, S, A, (":path", "/good")], huffman=True)))
    stream = client.send_headers(None, client.fields("POST", "/good"))
    client.send_frame(DATA, PADDED, stream, padded(b"he", 255))
    client.send_frame(DATA, PADDED, stream, padded(b"", 0))
    client.send_frame(DATA, PADDED | END_STREAM, stream, padded(b"llo", 1))
    is_(client.response(stream).text, "POST /good hello", "DATA with padding")
    arrives("Host beside the same :authority", lambda: client.start(path="/good", headers=[("host", "gomesh.test")]))
    is_(origin.requests[-1].all("host"), ["gomesh.test"], "one Host arrives")
    arrives("Host instead", lambda: client.start(path="/good", headers=[("host", "a.test:8080")], authority=None), host="a.test:8080")
    arrives(":authority with a port", lambda: client.start(path="/good", authority="a.test:81"), host="a.test:81")
    arrives("an address", lambda: client.start(path="/good", authority="[::1]:81"), host="[::1]:81")
    arrives("OPTIONS *", lambda: client.start("OPTIONS", "*"), "OPTIONS", "*")
    arrives("another method", lambda: client.start("PROPFIND", "/good"), "PROPFIND")
    arrives("TE: trailers", lambda: client.start(path="/good", headers=[("te", "trailers")]), te="trailers")
    arrives("a query", lambda: client.start(path="/good?a=b&c=%20?/"), target="/good?a=b&c=%20?/")
    odd = [("x-empty", ""), ("x-tab", "a\tb"), ("x-high", "caf\xe9"), ("x!#$%&'*+-.^_`|~0", "1")]
    arrives("odd values", lambda: client.start(path="/good", headers=odd), **{"x_empty": "", "x_tab": "a\tb", "x_high": "caf\xe9"})
    stream = client.start("HEAD", "/good")
    is_((client.response(stream).status, client.streams[stream].body), (200, b""), "HEAD")


# --- how a connection begins and ends --------------------------------------------------------------------------------


def begins_with(bench, name, data):
    """The connection ends: by GOAWAY, silently, or as HTTP/1 does it."""
    client = bench.proxy.client(start=False)
    client.flood([data])
    client.try_to_fill(deadline(10))
    if client.buffer.startswith(b"HTTP/1"):
        status = client.read_response_head().status
        ok(400 <= status < 600, "%s: %d" % (name, status))
    else:
        ok(client.wait_goaway(5) in ("PROTOCOL_ERROR", None), name + ": PROTOCOL_ERROR, if anything is said")
        ok(client.closed(), name + ": and the end")


def prefaces():
    bench = Bench(pair=certificate("preface"))
    begins_with(bench, "a preface cut short", PREFACE[:-2] + b"xx" + frame(SETTINGS))
    begins_with(bench, "a preface of something else", b"PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n" + frame(SETTINGS))
    begins_with(bench, "the first frame is PING", PREFACE + frame(PING, 0, 0, bytes(8)))
    begins_with(bench, "the first frame is HEADERS", PREFACE + header_frames(1, BLOCK, True))
    begins_with(bench, "the first frame is an answer to SETTINGS", PREFACE + frame(SETTINGS, ACK))
    begins_with(bench, "HTTP/1 behind the preface", PREFACE + b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    begins_with(bench, "PRI with a field", b"PRI * HTTP/2.0\r\nHost: a\r\n\r\n")
    is_(once(bench.proxy.port, target="/one").text, "GET /one ", "HTTP/1.1 is spoken on the same port")
    upgrade = [("Connection", "Upgrade, HTTP2-Settings"), ("Upgrade", "h2c"), ("HTTP2-Settings", "AAMAAABkAAQAAP__")]
    response = once(bench.proxy.port, target="/one", headers=upgrade)
    is_((response.status, response.text), (200, "GET /one "), "Upgrade: h2c is not taken, as RFC 9113 has none")
    client = bench.proxy.client(start=False)
    for byte in PREFACE + frame(SETTINGS):
        client.send(bytes([byte]))
    is_(client.request(path="/good").text, "GET /good ", "a preface that comes byte by byte")
    client = bench.proxy.client(start=False)
    client.open_stream()
    client.send(PREFACE + frame(SETTINGS) + header_frames(1, hpack.encode(client.fields(path="/good")), True))
    is_(client.response(1).text, "GET /good ", "and one with a request in the same segment")
    client = bench.proxy.tls_client()
    is_((client.sock.selected_alpn_protocol(), client.request(path="/good").text), ("h2", "GET /good "), "TLS: ALPN chooses h2")
    old = Client(bench.proxy.tls_port, tls=h2_context(protocols=("http/1.1",)))
    is_((old.sock.selected_alpn_protocol(), old.request().status), ("http/1.1", 200), "TLS: or HTTP/1.1")
    both = Client(bench.proxy.tls_port, tls=h2_context(protocols=("http/1.1", "h2")))
    is_(both.sock.selected_alpn_protocol(), "h2", "TLS: the proxy prefers h2")
    client = H2Client(bench.proxy.tls_port, tls=h2_context(), start=False)
    client.flood([b"GET / HTTP/1.1\r\nHost: a\r\n\r\n" + bytes(40)])
    ok(client.closed(), "TLS: HTTP/1 where h2 was chosen ends the connection")
    is_(bench.proxy.stop(), 0, "exit code 0")


def switched_off():
    origin = Origin(answering(tell))
    pair = certificate("off")
    for http2 in ({"enabled": False}, {"enabled": True, "cleartext": False}):
        proxy = H2Proxy(origin.port, http2=dict({"cleartext": False}, **http2), pair=pair)
        client = proxy.client()
        try:
            client.start()
            client.drain()
            got = client.outcome(1, seconds=5)
        except (ProtocolError, ConnectionError):
            got = "no HTTP/2"
        ok(got in ("no HTTP/2", "closed"), "%s: the preface is refused on the plain port (%s)" % (http2, got))
        is_(once(proxy.port).status, 200, "HTTP/1.1 is served there")
        wire = Client(proxy.tls_port, tls=h2_context(protocols=("h2", "http/1.1")))
        is_(wire.sock.selected_alpn_protocol(), "h2" if http2["enabled"] else "http/1.1", "TLS: what ALPN chooses")
    is_(origin.requests and {request.method for request in origin.requests}, {"GET"}, "the origin saw only good ones")


def client_leaves():
    """GOAWAY of a client: what it asked for is finished, then the connection ends."""
    bench = Bench()
    client = bench.proxy.client()
    stream = client.send_headers(None, client.fields("POST", "/upload"))
    client.send_frame(GOAWAY, 0, 0, number(0) + number(0) + b"bye")
    client.send_data(stream, b"all of it", True)
    is_(client.response(stream).text, "POST /upload all of it", "a request under way is answered")
    ok(client.closed(), "and the connection ends")


for what in (malformed_heads, schemes, connects, lengths, trailers, stream_states, frame_forms, paddings, continuations,
             settings, windows, window_overrun, compression, unusual, prefaces, switched_off, client_leaves):
    subtest(what.__name__.replace("_", " "), what)
done()
