#!/usr/bin/env python3
"""
HTTP/2 to backends, what goes over the wire: the start of a connection, requests and answers as they arrive, bodies,
interim answers, trailers, and which protocol is spoken with whom.
"""
import ctypes
import os
import re
import socket
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "lib"))
import gomesh_hpack as hpack  # noqa: E402
from gomesh_http2 import *  # noqa: E402,F403
from gomesh_http2_origin import H2Origin, backend_of, proxy_to  # noqa: E402
from gomesh_test import *  # noqa: E402,F403

if ENGINE == "h2o":
    skip_all("HTTP/2 is the engine gomesh's")

MIB = 1 << 20


def fine(stream):
    stream.wait_end()
    stream.answer(200, [("x-path", stream.target)], b"" if stream.method == "HEAD" else b"fine " + stream.target.encode())


def both(proxy):
    """A client of each version."""
    return (("HTTP/1.1", Client(proxy.port)), ("HTTP/2", proxy.client()))


# --- connections


def preface():
    origin = H2Origin(fine, settings={MAX_STREAMS: 50, 0x99: 7})
    proxy = proxy_to(origin)
    is_(once(proxy.port).text, "fine /", "an answer")
    session = origin.wait_session()
    is_(session.frames[0].kind, SETTINGS, "SETTINGS come first")
    is_(session.peer.get(ENABLE_PUSH), 0, "nothing may be pushed")
    session.wait_settled()
    ok(True, "ours are acknowledged, with one among them that nobody knows")
    session.send(frame(250, 255, 0, b"?") + frame(250, 255, 1, b"?") + frame(PRIORITY, 0, 1, bytes(5)))
    ok(session.ping(b"01234567"), "PING is answered, behind frames that nobody knows")
    session.settings({INITIAL_WINDOW: 100, MAX_FRAME: 20000})
    session.wait_settled()
    is_(once(proxy.port, target="/again").text, "fine /again", "settings may change")
    is_(len(origin.sessions), 1, "all on one connection")
    is_((session.goaways, session.count(RST_STREAM)), ([], 0), "and nothing was complained of")
    is_(proxy.stop(), 0, "an orderly end")


def tables():
    """The peer's HPACK table: none at all, a small one, and changes in between; the origin is strict about all of it."""
    for first, changes in ((0, (4096, 0)), (100, (0, 4096)), (4096, (0,)), (65536, (60,))):
        origin = H2Origin(fine, settings={TABLE_SIZE: first})
        client = Client(proxy_to(origin).port)
        session = None
        for size in (first,) + changes:
            if session:
                session.settings({TABLE_SIZE: size})
                session.wait_settled()
            for turn in range(3):
                answer = client.request(target="/%d-%d" % (size, turn), headers=[("X-Long", "v" * 50), ("X-Turn", str(turn))])
                is_(answer.status, 200, "a table of %d bytes, request %d" % (size, turn))
                is_(origin.requests[-1].get("x-turn"), str(turn), "its fields arrive")
            session = origin.wait_session()
        is_(len(origin.sessions), 1, "one connection")


# --- requests


def request_heads():
    origin = H2Origin(fine)
    proxy = proxy_to(origin)
    for name, client in both(proxy):
        names = (str.lower if name == "HTTP/2" else str)
        headers = [("Accept", "text/html;q=0.9"), ("X-Empty", ""), ("X-Long", "v" * 4000), ("Cookie", "a=1"), ("Cookie", "b=2"),
                   ("X-Twice", "1"), ("X-Twice", "2"), ("X-Bytes", "caf\xe9")]  # fmt: skip
        headers = [(names(key), value) for key, value in headers]
        more = {"authority": "shop.example:8080"} if name == "HTTP/2" else {"host": "shop.example:8080"}
        is_(client.request("GET", "/a%20b?x=1&y", headers, **more).status, 200, name + ": a request")
        seen = origin.requests[-1]
        is_(sorted(key for key, _value in seen.fields[:4]), [":authority", ":method", ":path", ":scheme"], "pseudo-fields come first")
        wanted = ("GET", "http", "shop.example:8080", "/a%20b?x=1&y")
        is_(tuple(seen.pseudo(key) for key in ("method", "scheme", "authority", "path")), wanted, ":authority is what Host would be")
        is_(seen.all("host"), [], "so there is no Host")
        is_([(key, value) for key, value in seen.headers if key in ("accept", "x-empty", "x-long", "x-twice", "x-bytes")],
            [(key.lower(), value) for key, value in headers if key.lower() != "cookie"], "fields keep their order and their bytes")  # fmt: skip
        is_("; ".join(seen.all("cookie")), "a=1; b=2", "cookies")
        is_(seen.all("x-forwarded-for"), ["127.0.0.1"], "X-Forwarded-For")
        is_(seen.all("x-forwarded-proto"), ["http"], "X-Forwarded-Proto")
        is_(seen.all("x-forwarded-host"), ["shop.example:8080"], "X-Forwarded-Host")
        is_(seen.all("x-forwarded-by"), ["GoMesh-Proxy"], "X-Forwarded-By")
        is_((seen.ended, seen.pieces, seen.all("content-length")), (True, [], []), "no body: the head is the end")
        client.request("GET", "/", [(names("Cookie"), "a=1"), (names("Cookie"), "")])
        is_([value for value in origin.requests[-1].all("cookie") if value], ["a=1"], "a cookie that is empty leaves no space behind")
        forged = [(names(key), "forged") for key in ("X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host", "X-Real-IP")]
        client.request("GET", "/", forged)
        is_([field for field in origin.requests[-1].headers if field[1] == "forged"], [], "what a stranger says of himself does not pass")
    client = Client(proxy.port)
    client.request(headers=[("Connection", "x-private, keep-alive"), ("X-Private", "1"), ("Keep-Alive", "timeout=5"), ("X-Kept", "1"),
                            ("Proxy-Connection", "keep-alive"), ("TE", "gzip")])  # fmt: skip
    seen = origin.requests[-1]
    gone = ("connection", "x-private", "keep-alive", "proxy-connection", "te")
    is_(([name for name in gone if seen.all(name)], seen.get("x-kept")), ([], "1"), "what was for the proxy alone stays here")
    for fields in ([("TE", "trailers")], [("TE", "gzip, trailers"), ("Connection", "te")]):
        client.request(headers=fields)
        is_(origin.requests[-1].all("te"), ["trailers"], "TE: trailers is all that passes of %r" % fields)
    client.request("OPTIONS", "*")
    is_((origin.requests[-1].method, origin.requests[-1].target), ("OPTIONS", "*"), "OPTIONS *")
    once(proxy.port, host=None, version="1.0")
    ok(origin.requests[-1].target == "/", "a request of HTTP/1.0 that has no Host")
    is_(len(origin.sessions), 1, "one connection took all of them")
    ok(proxy.wait_line(r"Forwarding: OPTIONS \* "), "the log has lines as ever")


def methods():
    origin = H2Origin(fine)
    proxy = proxy_to(origin)
    for name, client in both(proxy):
        for method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND", "BREW"):
            body = b"abc" if method in ("POST", "PUT", "PATCH") else None
            answer = client.request(method, "/" + method, [], body)
            seen = origin.requests[-1]
            is_((answer.status, seen.method, bytes(seen.body)), (200, method, body or b""), "%s: %s" % (name, method))


def request_bodies():
    origin = H2Origin(lambda stream: (stream.wait_end(), stream.answer(200, body=sha256(bytes(stream.body)).encode())))
    proxy = proxy_to(origin)
    for name, client in both(proxy):
        for size in (0, 1, 16384, 16385, 65535, 65536, MIB):
            body = some_bytes(size)
            is_(client.request("POST", "/", [], body).text, sha256(body), "%s: %d bytes" % (name, size))
            seen = origin.requests[-1]
            is_(seen.all("content-length"), [str(size)], "with their Content-Length")
    client = Client(proxy.port)
    client.send(http_message("POST /chunks HTTP/1.1", [("Host", "a"), ("Transfer-Encoding", "chunked")]) + chunked(some_bytes(MIB)))
    is_(client.read_response().text, sha256(some_bytes(MIB)), "chunks")
    is_(origin.requests[-1].all("content-length"), [], "have no length")
    client = proxy.client()
    stream = client.start("POST", "/none", body=some_bytes(70000), length=False)
    is_(client.response(stream).text, sha256(some_bytes(70000)), "HTTP/2 without a length")
    is_(origin.requests[-1].all("content-length"), [], "gets none")
    client.request("POST", "/nothing")
    is_((origin.requests[-1].ended, origin.requests[-1].pieces), (True, []), "no DATA at all")


def as_it_comes():
    """A body is passed on while it comes, and an answer while that comes."""
    origin = H2Origin()
    proxy = proxy_to(origin)
    for name, client in both(proxy):
        before = len(origin.requests)
        if name == "HTTP/2":
            number_of_stream = client.send_headers(None, client.fields("POST", "/steps"))
            say = lambda data, end=False: client.send_data(number_of_stream, data, end)  # noqa: E731
        else:
            client.send("POST /steps HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
            say = lambda data, end=False: client.send(b"%x\r\n%s\r\n" % (len(data), data) + (b"0\r\n\r\n" if end else b""))  # noqa: E731
        seen = origin.wait_stream(before + 1)
        is_((seen.ended, len(seen.body)), (False, 0), name + ": the head comes alone")
        say(b"one")
        is_(bytes(seen.wait_body(3).body), b"one", "a piece")
        say(b"two", True)
        is_(bytes(seen.wait_end().body), b"onetwo", "the rest")
        seen.head(200)
        if name == "HTTP/2":
            ok(client.wait(lambda: client.streams[number_of_stream].status == 200), "the answer's head comes alone")
            seen.data(b"three")
            ok(client.wait(lambda: client.streams[number_of_stream].body == b"three"), "a piece")
            seen.data(b"four", True)
            is_(client.response(number_of_stream).text, "threefour", "the rest")
        else:
            answer = client.read_response_head()
            is_((answer.status, answer.tokens("transfer-encoding")), (200, ["chunked"]), "the answer's head comes alone")
            seen.data(b"three")
            is_(client.read_exactly(10), b"5\r\nthree\r\n", "a piece")
            seen.data(b"four", True)
            is_(client.read_exactly(14), b"4\r\nfour\r\n0\r\n\r\n", "the rest")


# --- answers


def answers():
    rows = {
        "/plain": lambda s: s.answer(200, [("x-a", "1"), ("set-cookie", "a=1"), ("set-cookie", "b=2"), ("x-bytes", "\xe9")], b"hello"),
        "/none": lambda s: s.head(200, end=True),
        "/204": lambda s: s.head(204, end=True),
        "/304": lambda s: s.head(304, [("etag", '"1"'), ("content-length", "5")], True),
        "/599": lambda s: s.answer(599, body=b"odd"),
        "/head": lambda s: s.head(200, [("content-length", "12345")], True),
        "/empty-end": lambda s: (s.head(200), s.data(b"hello"), s.data(b"", True)),
        "/bytes": lambda s: (s.head(200), [s.data(b"x") for _ in range(300)], s.end()),
        "/padded": lambda s: (s.head(200), s.send(DATA, PADDED, padded(b"hel", 200)), s.send(DATA, PADDED | END_STREAM, padded(b"lo", 0))),
        "/head-padded": lambda s: s.send(HEADERS, PADDED | HAS_PRIORITY | END_HEADERS | END_STREAM, padded(bytes(5) + b"\x88", 7)),
        "/split": lambda s: s.head(200, [("x-long", "v" * 100)], True, split_into=6),
        "/large": lambda s: s.head(200, [("x-%d" % n, "v" * 1000) for n in range(40)], True),
        "/huffman": lambda s: s.fields_as(hpack.encode([(":status", "200"), ("x-long", "hello world")], True), True),
        "/table": lambda s: s.fields_as(b"\x88" + hpack.literal("x-kept", "1", keep=True) + hpack.indexed(62), True),
        "/resized": lambda s: s.fields_as(hpack.size_update(0) + hpack.size_update(4096) + b"\x88", True),
        "/never": lambda s: s.fields_as(b"\x88" + hpack.literal("x-secret", "1", never=True), True),
    }

    def serve(stream):
        stream.wait_end()
        rows[stream.target](stream)

    origin = H2Origin(serve)
    proxy = proxy_to(origin)
    for name, client in both(proxy):
        wanted = {
            "/plain": (200, b"hello"), "/none": (200, b""), "/204": (204, b""), "/304": (304, b""), "/599": (599, b"odd"),
            "/empty-end": (200, b"hello"), "/bytes": (200, b"x" * 300), "/padded": (200, b"hello"), "/head-padded": (200, b""),
            "/split": (200, b""), "/large": (200, b""), "/huffman": (200, b""), "/table": (200, b""), "/resized": (200, b""),
            "/never": (200, b""),
        }  # fmt: skip
        got = {}
        for path in wanted:
            got[path] = client.request("GET", path)
            is_((got[path].status, got[path].body), wanted[path], "%s: %s" % (name, path))
        plain = got["/plain"]
        is_((plain.get("x-a"), plain.all("set-cookie"), plain.get("x-bytes")), ("1", ["a=1", "b=2"], "\xe9"), "fields as they were")
        is_(plain.all("content-length"), ["5"], "a length stays one")
        is_(got["/304"].get("etag"), '"1"', "304 keeps its fields")
        is_(got["/204"].all("content-length"), [], "204 has no length")
        is_(len([1 for key, _value in got["/large"].headers if re.match(r"(?i)x-\d", key)]), 40, "40 KB of fields")
        is_(got["/table"].all("x-kept"), ["1", "1"], "the dynamic table")
        answer = client.request("HEAD", "/head")
        is_((answer.status, answer.get("content-length"), answer.body), (200, "12345", b""), "HEAD has the length of what would come")
        is_(client.request("HEAD", "/none").status, 200, "HEAD without one")
        if name == "HTTP/1.1":
            is_((got["/bytes"].framing, plain.framing), ("chunked", "length"), "without a length it comes in chunks")
    is_(len(origin.sessions), 1, "all on one connection")
    old = Client(proxy.port)
    old.send("GET /bytes HTTP/1.0\r\nHost: a\r\n\r\n")
    head = old.read_response_head()
    is_((head.all("transfer-encoding"), old.read_to_end()), ([], b"x" * 300), "HTTP/1.0 gets it without chunks")
    is_(proxy.stop(), 0, "an orderly end")


def made_values():
    """A policy's value may end in the space before a fact that is empty: HTTP/2 has none there (RFC 9113, 8.2.1)."""
    made = {"set": [{"name": "X-Made", "value": "trace %{trace_id}"}]}
    origin = H2Origin(fine)
    proxy = proxy_to(origin, tracing={"enabled": False}, policies=[{"headers": {"request": made, "response": made}}])
    for name, client in both(proxy):
        answer = client.request("GET", "/made")
        is_((answer.status, answer.get("x-made").strip()), (200, "trace"), "%s: an answer with it" % name)
        is_(origin.requests[-1].get("x-made"), "trace", "and a request")
    is_(answer.get("x-made"), "trace", "in HTTP/2 without the space")


def interim():
    def serve(stream):
        if stream.target == "/hints":
            stream.head(103, [("link", "</style.css>; rel=preload")])
            stream.head(103, [("link", "</more.css>; rel=preload")])
        elif stream.target == "/continue":
            stream.head(100)
        stream.wait_end()
        stream.answer(200, body=b"got " + bytes(stream.body))

    origin = H2Origin(serve)
    proxy = proxy_to(origin)
    for name, client in both(proxy):
        answer = client.request("GET", "/hints")
        links = [(each.status, each.get("link")) for each in answer.interim]
        is_((links, answer.text), ([(103, "</style.css>; rel=preload"), (103, "</more.css>; rel=preload")], "got "), name + ": 103 passes")
        is_(client.request("POST", "/continue", [], b"x").text, "got x", "100 that nobody asked for does no harm")
    client = Client(proxy.port)
    for path in ("/continue", "/silent"):
        client.send_request("POST", path, [("Expect", "100-continue"), ("Content-Length", "5")])
        is_(client.read_response_head().status, 100, "Expect: 100-continue: its 100 comes before the body")
        client.send(b"hello")
        is_(client.read_response().text, "got hello", "then the answer")
    client = proxy.client()
    stream = client.send_headers(None, client.fields("POST", "/continue", [("expect", "100-continue"), ("content-length", "5")]))
    ok(client.wait(lambda: [each for each in client.streams[stream].interim if each.status == 100]), "the same over HTTP/2")
    client.send_data(stream, b"hello", True)
    is_(client.response(stream).text, "got hello", "then the answer")


def trailers():
    """Both ways; those of a request never become fields."""

    def serve(stream):
        stream.wait_end()
        if stream.target == "/only":
            stream.head(200, [("grpc-status", "5")], True)
        elif stream.target == "/empty":
            stream.head(200)
            stream.end([("x-sum", "0")])
        else:
            stream.answer(200, [("trailer", "x-sum")], b"hello", [("x-sum", "5"), ("x-bin", "a b")], length=False)

    origin = H2Origin(serve)
    proxy = proxy_to(origin)
    client = proxy.client()
    for te in ([("te", "trailers")], []):
        answer = client.request("GET", "/", te)
        is_((answer.text, answer.trailers), ("hello", [("x-sum", "5"), ("x-bin", "a b")]), "HTTP/2 gets trailers, te %r" % te)
    is_(client.request("GET", "/empty").trailers, [("x-sum", "0")], "behind an empty body")
    answer = client.request("GET", "/only")
    is_((answer.get("grpc-status"), answer.trailers, answer.body), ("5", [], b""), "a head that is all")
    old = Client(proxy.port)
    answer = old.request(headers=[("TE", "trailers")])
    is_((answer.framing, answer.text, answer.trailers), ("chunked", "hello", [("x-sum", "5"), ("x-bin", "a b")]), "HTTP/1.1 with TE gets them")
    answer = old.request(target="/empty", headers=[("TE", "trailers")])
    is_((answer.body, answer.trailers), (b"", [("x-sum", "0")]), "behind an empty body")
    answer = old.request()
    is_((answer.text, answer.get("x-sum")), ("hello", None), "without TE the body comes all the same")
    answer = client.request("POST", "/", body=b"abc", trailers=[("x-end", "1"), ("x-more", "2")], length=False)
    seen = origin.requests[-1]
    is_((bytes(seen.body), seen.trailers, seen.get("x-end")), (b"abc", [("x-end", "1"), ("x-more", "2")], None), "a request's, by HTTP/2")
    old.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX-End: 1\r\nContent-Length: 9\r\n\r\n")
    is_(old.read_response().status, 200, "and by HTTP/1.1")
    seen = origin.requests[-1]
    is_((bytes(seen.body), seen.trailers, seen.get("x-end")), (b"abc", [("x-end", "1")], None), "only what a client may say")


# --- which protocol


def old_origin(wire):
    while True:
        request = wire.read_request()
        if request is None:
            return
        wire.send(http_message("HTTP/1.1 200 OK", [], b"one " + request.target.encode()))


def mismatch(proxy, name):
    for version, client in both(proxy):
        answer = client.request("GET", "/x")
        is_(answer.status, 502, "%s: 502 for %s" % (name, version))
        like(answer.text, r"(?ms)\Aprotocol_mismatch: \S.*^try: \S",
             "%s: with its name, and what to try" % name)  # fmt: skip
        like(answer.get("proxy-status"), r'^gomesh; error=\w+; details="protocol_mismatch: ', "and in Proxy-Status")
    proxy.wait_line(r"^\[ERROR\] GET /x → \S+ failed: protocol_mismatch \(.+\)$")
    ok(proxy.alive(), "the log says so")


def protocols():
    pair = certificate("origin")
    table = [  # what the origin speaks, protocol, what comes of it
        (("h2", "http/1.1"), "auto", "h2"), (("h2",), "auto", "h2"), (("http/1.1",), "auto", "http/1.1"), ((), "auto", None),
        (("h2", "http/1.1"), "h2", "h2"), (("h2", "http/1.1"), "http1", "not h2"), (("http/1.1",), "http1", "not h2"),
        ((), "http1", None),
    ]  # fmt: skip
    for alpn, protocol, wanted in table:
        origin = H2Origin(fine, pair=pair, alpn=alpn, other=old_origin)
        proxy = proxy_to(origin, protocol)
        name = "TLS, %s, with an origin of %s" % (protocol, " and ".join(alpn) or "no ALPN")
        for version, client in both(proxy):
            text = client.request("GET", "/x").text
            is_(text, "fine /x" if wanted == "h2" else "one /x", "%s: %s" % (name, version))
        if wanted == "not h2":
            ok(set(origin.protocols) <= {"http/1.1", None}, "by ALPN: %r" % origin.protocols)
        else:
            is_(set(origin.protocols), {wanted}, "by ALPN")
        if wanted == "h2":
            is_(origin.requests[-1].pseudo("scheme"), "https", ":scheme agrees with the connection")
    for alpn in (("http/1.1",), ()):
        mismatch(proxy_to(H2Origin(fine, pair=pair, alpn=alpn, other=old_origin), "h2"), "TLS, h2, origin of %s" % (alpn,))
    for protocol in ("auto", "http1"):
        origin = H2Origin(fine, other=old_origin)
        is_(once(proxy_to(origin, protocol).port, target="/x").text, "one /x", "cleartext: %s is HTTP/1.1" % protocol)
    origin = H2Origin(fine, other=old_origin)
    is_(once(proxy_to(origin).port, target="/x").text, "fine /x", "cleartext: h2 is prior knowledge")


def echoes(wire):
    """Switches to a protocol that says everything again."""
    request = wire.read_request()
    if request.get("upgrade") != "echo/1":
        wire.send(http_message("HTTP/1.1 200 OK", [], b"one " + request.target.encode()))
        return
    wire.send(b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: echo/1\r\n\r\n")
    while wire.buffer or wire.fill():
        wire.send(wire.read_exactly(len(wire.buffer)))


def upgrades():
    """Only HTTP/1.1 switches to other protocols: auto opens a connection of it for them, beside those of HTTP/2."""
    switch = [("Connection", "upgrade"), ("Upgrade", "echo/1")]
    origin = H2Origin(fine, pair=certificate("origin"), alpn=("h2", "http/1.1"), other=echoes)
    proxy = proxy_to(origin, "auto")
    is_(once(proxy.port, target="/x").text, "fine /x", "HTTP/2")
    client = Client(proxy.port)
    client.send_request("GET", "/up", switch)
    is_(client.read_response_head().status, 101, "the protocol is switched")
    client.send(b"hello")
    is_(client.read_exactly(5), b"hello", "and the tunnel goes both ways")
    is_(once(proxy.port, target="/y").text, "fine /y", "other requests go by HTTP/2 as before")
    is_(sorted(origin.protocols), ["h2", "http/1.1"], "two connections")
    client.close()
    origin = H2Origin(fine)
    answer = once(proxy_to(origin).port, target="/x", headers=switch)
    is_((answer.status, answer.text), (200, "fine /x"), "a backend of h2 alone answers without switching")
    is_([origin.requests[-1].all(name) for name in ("upgrade", "connection")], [[], []], "and sees no Upgrade")


def refuses_preface(wire):
    """What servers of HTTP/1.1 say to HTTP/2's preface."""
    while b"\r\n\r\n" not in wire.buffer and wire.fill():
        pass
    wire.origin.saw(bytes(wire.buffer))
    wire.send(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 3\r\nConnection: close\r\n\r\nbad")


def says_505(wire):
    while b"\r\n\r\n" not in wire.buffer and wire.fill():
        pass
    wire.send(b"HTTP/1.0 505 Version Not Supported\r\n\r\n")


def mismatches():
    for name, handler in (("400", refuses_preface), ("505", says_505)):
        origin = Origin(handler)
        mismatch(proxy_to(origin), "cleartext, h2, an origin of HTTP/1.1 that says %s" % name)
    proxy = proxy_to(Origin(refuses_preface), timeout={"read_timeout": duration(2000)})
    statuses = []
    threads = [threading.Thread(target=lambda: statuses.append(once(proxy.port, "POST", "/x", body=b"x").status)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(deadline(20))
    is_(statuses, [502] * 8, "eight at once, each gets its 502")
    client = Client(proxy_to(H2Origin(greet=lambda session: session.send(frame(PING, 0, 0, bytes(8))))).port)
    is_(client.request().status, 502, "an origin whose first frame is no SETTINGS")


def by_route():
    one, two = Origin(lambda wire: old_origin(wire)), H2Origin(fine)
    routes = [{"name": "two", "match": {"path": {"prefix": "/two"}}, "backend": backend_of(two)}]
    proxy = H2Proxy(backend_of(one, "http1"), routes=routes)
    for name, client in both(proxy):
        got = [client.request("GET", path).text for path in ("/one", "/two", "/one", "/two")]
        is_(got, ["one /one", "fine /two", "one /one", "fine /two"], name + ": each route has its own")
    for where, wrong in (("proxy", "h3"), ("route", "HTTP/2"), ("proxy", "")):
        keys = dict(backend_of(one), protocol=wrong)
        config = proxy_config(free_port(), keys if where == "proxy" else one.port)
        if where == "route":
            config["routes"] = [dict(routes[0], backend=keys)]
        run = gomesh_run("proxy", "-config", write_file("wrong.yaml", to_yaml(config)))
        is_(run.code, 78, "protocol: %r is refused" % wrong)
        like("\n".join(run.out + run.err), r"wrong\.yaml:\d+:\d+: .*protocol", "with its place")


def chain():
    """A proxy behind a proxy, HTTP/2 all the way, by cleartext and by TLS."""
    pair = certificate("chain")
    origin = H2Origin(fine)
    inner = proxy_to(origin, pair=pair)
    inner.context, inner.pair = True, pair
    tls = dict(backend_of(inner), port=inner.tls_port)
    plain = {"host": "127.0.0.1", "port": inner.port, "protocol": "h2"}
    for name, backend in (("cleartext", plain), ("TLS", tls)):
        outer = H2Proxy(backend, pair=pair)
        for version, client in both(outer) + (("HTTP/2 over TLS", outer.tls_client()),):
            answer = client.request("POST", "/x", [], b"abc")
            is_((answer.status, answer.text), (200, "fine /x"), "%s: %s" % (name, version))
    is_(bytes(origin.requests[-1].body), b"abc", "and the body")


def kernel_watches():
    """What the kernel is asked to look after: silence, and bytes that nobody acknowledges."""
    origin = H2Origin(fine)
    proxy = proxy_to(origin, timeout={"write_timeout": "7s"})
    is_(once(proxy.port).text, "fine /", "an answer")
    found = [sock for sock in sockets_of(proxy.pid) if peer_port(sock) == origin.port]
    if not found:
        note("the kernel does not lend us its sockets here")
        return
    sock = found[0]
    is_(sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE), 1, "TCP keep-alive")
    is_(sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT), 7000, "TCP_USER_TIMEOUT is write_timeout")


def sockets_of(pid):
    """Copies of another process's sockets (pidfd_getfd); none where that is not allowed."""
    libc = ctypes.CDLL(None, use_errno=True)
    pidfd = libc.syscall(434, pid, 0)
    for name in os.listdir("/proc/%d/fd" % pid):
        fd = libc.syscall(438, pidfd, int(name), 0)
        if fd >= 0 and os.fstat(fd).st_mode & 0o170000 == 0o140000:
            yield socket.socket(fileno=fd)
        elif fd >= 0:
            os.close(fd)


def peer_port(sock):
    try:
        return sock.getpeername()[1]
    except (OSError, IndexError):
        return None


def options():
    """The options of HTTP/2 to backends are used here and in 40http2-origin-streams.t."""
    rows = re.findall(r"(?m)^\| `([^`]+)` \|", "\n".join(gomesh_run("reference").out))
    rows = {row for row in rows if re.search(r"backend\.protocol|upstream\.(max_streams|ping)_", row)}
    is_(rows, {"proxy.backend.protocol", "routes[].backend.protocol", "proxy.upstream.max_streams_per_connection",
               "proxy.upstream.ping_interval"}, "there are no others")  # fmt: skip


for what in (preface, tables, request_heads, methods, request_bodies, as_it_comes, answers, made_values, interim, trailers, protocols, upgrades, mismatches,
             by_route, chain, kernel_watches, options):  # fmt: skip
    subtest(what.__name__.replace("_", " "), what)
done()
