#!/usr/bin/env python3
"""Messages that two parsers could read differently: what the client is told, and what reaches the origin."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "lib"))
from gomesh_test import *  # noqa: E402,F403

if ENGINE == "h2o":
    skip_all("the library's server accepts what this refuses")

HIDDEN = b"GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"
LAST = b"GET /last HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"


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


def tell(request):
    """An answer that tells what was read."""
    told = "%s %s %s" % (request.method, request.target, request.body.decode("latin-1"))
    return http_message("HTTP/1.1 200 OK", [], b"" if request.method == "HEAD" else told.encode("latin-1"))


def recording(function=tell, **settings):
    """An origin that also keeps every byte it gets, in .tape, and a proxy in front of it."""

    def handler(wire):
        wire.sock = Tape(wire.sock, wire.origin.tape)
        answering(function)(wire)

    origin = Origin(handler)
    origin.tape = bytearray()
    # what begins like HTTP/2 is judged as HTTP/1 here
    return origin, Proxy(origin.port, http2={"enabled": False}, **settings)


def head(*lines, start="POST /x HTTP/1.1", host="Host: a"):
    fields = ([host] if host else []) + list(lines)
    return "".join(line + "\r\n" for line in [start] + fields).encode("latin-1") + b"\r\n"


def exchange(port, data, methods=()):
    """Sends the bytes and reads answers until the proxy ends the connection."""
    client = Client(port, seconds=8)
    try:
        client.send(data)
    except ConnectionError:
        pass  # it may have answered and closed already
    answers = []
    while client.buffer or client.fill():
        method = methods[len(answers)] if len(answers) < len(methods) else "GET"
        answers.append(client.read_response(method))
    client.close()
    return answers


def refused(origin, proxy, name, data, statuses=(400,)):
    """One answer, one of these statuses, then the end; nothing whole and nothing hidden at the origin."""
    before = len(origin.requests)
    try:
        answers = exchange(proxy.port, data + HIDDEN)
        got = [answer.status for answer in answers if answer.status != 100]
        ok(
            len(got) == 1 and got[0] in statuses,
            "%s: %s, then the end (got %s)" % (name, "/".join(map(str, statuses)), got),
        )
        if len(got) == 1:
            ok("close" in answers[-1].tokens("connection"), "%s: and says so" % name)
    except (ProtocolError, OSError) as problem:
        ok(False, "%s: refused, then the end (%r)" % (name, problem))
    seen = ["%s %s" % (request.method, request.target) for request in origin.requests[before:]]
    is_(seen, [], "%s: nothing reached the origin" % name) if seen else None
    ok(b"smuggled" not in origin.tape, "%s: nor what hid behind it" % name)


def all_refused(rows, whole=True):
    origin, proxy = recording()
    for name, data, *statuses in rows:
        refused(origin, proxy, name, data, tuple(statuses) or (400,))
    if whole:
        is_(bytes(origin.tape), b"", "not one byte of all that reached the origin")
    is_(once(proxy.port, target="/alive").text, "GET /alive ", "the proxy lives on")


CHUNKED = "Transfer-Encoding: chunked"
HELLO = b"5\r\nhello\r\n0\r\n\r\n"
FRAMING = [
    ("Content-Length, then Transfer-Encoding", head("Content-Length: 6", CHUNKED) + b"0\r\n\r\n"),
    ("Transfer-Encoding, then Content-Length", head(CHUNKED, "Content-Length: 6") + b"0\r\n\r\n"),
    ("and with a length of 0", head(CHUNKED, "Content-Length: 0") + b"0\r\n\r\n"),
    ("two lengths", head("Content-Length: 5", "Content-Length: 6") + b"hello!"),
    ("two lengths, the shorter one last", head("Content-Length: 6", "Content-Length: 5") + b"hello!"),
    ("two lengths, far apart", head("Content-Length: 5", "X: 1", "content-length: 0") + b"hello"),
    ("a list of two lengths", head("Content-Length: 5, 6") + b"hello!"),
    ("two codings", head(CHUNKED, CHUNKED) + HELLO),
    ("two codings, one of them unknown", head(CHUNKED, "Transfer-Encoding: identity") + HELLO, 400, 501),
    ("chunked twice", head("Transfer-Encoding: chunked, chunked") + HELLO, 400, 501),
    ("chunked, but not last", head("Transfer-Encoding: chunked, gzip") + HELLO, 400, 501),
    ("gzip, chunked", head("Transfer-Encoding: gzip, chunked") + HELLO, 400, 501),
    ("xchunked", head("Transfer-Encoding: xchunked") + HELLO, 400, 501),
    ("chunkedx", head("Transfer-Encoding: chunkedx") + HELLO, 400, 501),
    ("identity", head("Transfer-Encoding: identity") + HELLO, 400, 501),
    ("no coding", head("Transfer-Encoding:") + HELLO, 400, 501),
    ("a comma before chunked", head("Transfer-Encoding: ,chunked") + HELLO, 400, 501),
    ("quotes", head('Transfer-Encoding: "chunked"') + HELLO, 400, 501),
    ("a parameter", head("Transfer-Encoding: chunked;q=1") + HELLO, 400, 501),
    ("a vertical tab", head("Transfer-Encoding: \x0bchunked") + HELLO, 400, 501),
    ("a byte above 127", head("Transfer-Encoding: chunked\xa0") + HELLO, 400, 501),
    ("chunked in HTTP/1.0", head(CHUNKED, start="POST /x HTTP/1.0") + HELLO),
    ("both in HTTP/1.0", head(CHUNKED, "Content-Length: 5", start="POST /x HTTP/1.0") + HELLO),
    ("a blank before the colon", head("Transfer-Encoding : chunked") + HELLO),
    ("a tab before the colon", head("Content-Length\t: 5") + b"hello"),
    ("a folded coding", head("Transfer-Encoding:\r\n chunked") + HELLO),
    ("a folded length", head("Content-Length: 5\r\n 0") + b"hello"),
    ("an indented coding", head("X: 1\r\n Transfer-Encoding: chunked") + HELLO),
]
for length in ("-5", "+5", "5x", "0x5", "", "5 5", "1e1", "5.0", "'5'", "5,", ",5", "\x0b5", "5\xa0", "_5"):
    FRAMING.append(("Content-Length %r" % length, head("Content-Length: " + length) + b"hello"))
for length in ("18446744073709551616", "18446744073709551621", "99999999999999999999999"):
    FRAMING.append(("Content-Length " + length, head("Content-Length: " + length) + b"hello", 400, 413))

GET = "GET /x HTTP/1.1"
LINES = [
    ("LF alone everywhere", b"GET /x HTTP/1.1\nHost: a\n\n"),
    ("LF alone after the request line", b"GET /x HTTP/1.1\nHost: a\r\n\r\n"),
    ("LF alone after a field", b"GET /x HTTP/1.1\r\nHost: a\nX: 1\r\n\r\n"),
    ("LF alone at the end", b"GET /x HTTP/1.1\r\nHost: a\r\n\n"),
    ("LF alone after the last field", b"GET /x HTTP/1.1\r\nHost: a\n\r\n"),
    ("CR alone after the request line", b"GET /x HTTP/1.1\rHost: a\r\n\r\n"),
    ("CR alone in a value", head("X: a\rContent-Length: 5", start=GET)),
    ("CR CR LF", head("X: a\r", start=GET)),
    ("a folded line", head("X: a\r\n b", start=GET)),
    ("a folded line, tab", head("X: a\r\n\tb", start=GET)),
    ("a folded first line", b"GET /x HTTP/1.1\r\n Host: a\r\n\r\n"),
    ("a folded empty line", head("X: a\r\n ", start=GET)),
    ("no name", head(": x", start=GET)),
    ("no colon", head("Content-Length 5", start=GET)),
    ("a blank in a name", head("X Y: 1", start=GET)),
    ("a bracket in a name", head("X(: 1", start=GET)),
    ("a byte above 127 in a name", head("X\xe4: 1", start=GET)),
    ("NUL in a name", head("X\0: 1", start=GET)),
    ("NUL in a value", head("X: a\0b", start=GET)),
    ("a control character in a value", head("X: a\x01b", start=GET)),
    ("DEL in a value", head("X: a\x7fb", start=GET)),
    ("two blanks in the request line", head(start="GET  /x HTTP/1.1")),
    ("two blanks before the version", head(start="GET /x  HTTP/1.1")),
    ("a tab in the request line", head(start="GET\t/x\tHTTP/1.1")),
    ("a blank before the method", head(start=" GET /x HTTP/1.1")),
    ("a blank after the version", head(start="GET /x HTTP/1.1 ")),
    ("a blank in the target", head(start="GET /x y HTTP/1.1")),
    ("no version", b"GET /x\r\n\r\n"),
    ("no version, but a blank", b"GET /x \r\n\r\n"),
    ("no target", head(start="GET HTTP/1.1")),
    ("an empty target", head(start="GET  HTTP/1.1")),
    ("the version in small letters", head(start="GET /x http/1.1")),
    ("HTTP/1.10", head(start="GET /x HTTP/1.10")),
    ("HTTP/01.1", head(start="GET /x HTTP/01.1"), 400, 505),
    ("HTTP/1", head(start="GET /x HTTP/1"), 400, 505),
    ("HTTP/2.0", head(start="GET /x HTTP/2.0"), 400, 505),
    ("HTTP/0.9", head(start="GET /x HTTP/0.9"), 400, 505),
    ("HTTP/2's preface", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400, 505),
    ("an odd method", head(start="G@T /x HTTP/1.1")),
    ("a bracket in the method", head(start="G(T /x HTTP/1.1")),
    ("a byte above 127 in the method", head(start="G\xc4T /x HTTP/1.1")),
    ("NUL in the method", head(start="G\0T /x HTTP/1.1")),
    ("a blank line, then LF", b"\r\n\nGET /x HTTP/1.1\r\nHost: a\r\n\r\n"),
    ("binary", bytes(range(128, 256)) + b"\r\n\r\n"),
    ("a TLS ClientHello", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x11" * 64 + b"\r\n\r\n"),
]

HOSTS = [
    ("Host missing", head(start=GET, host=None)),
    ("Host twice", head("Host: b", start=GET)),
    ("Host twice, the same", head("Host: a", start=GET)),
    ("Host twice, HTTP/1.0", head("Host: b", start="GET /x HTTP/1.0")),
    ("Host twice, apart", head("X: 1", "hOST: b", start=GET)),
    ("absolute form without Host", head(start="GET http://a/x HTTP/1.1", host=None)),
]
for host in (
    "", "a, b", "a,b", "a b", "a/b", "a/", "u@a", "u:p@a", "a:99999", "a:65536", "a:x", "a:8x", "a:-1",
    "a:1:2", "[::1", "::1", "[::1]x", "[]", "a?b", "a#b", "a\\b", "a\tb", "http://a", "a\xe4", 'a"', "a<b>",
    "a%00", ":80"
):
    HOSTS.append(("Host %r" % host, head(start=GET, host="Host: " + host)))

TARGETS = [
    ("CONNECT", head(start="CONNECT a:443 HTTP/1.1"), 501),
    ("CONNECT with a path", head(start="CONNECT /x HTTP/1.1"), 400, 501),
    ("CONNECT with a body", head("Content-Length: 5", start="CONNECT a:443 HTTP/1.1") + b"hello", 400, 501),
]
for target in (
    "*", "x", "?x", "#x", "/x#y", "./x", "../x", "http:", "http:/x", "http://", "http:///x", "http://?x",
    "http://u:p@a/x", "http://u@a/x", "http://a:99999/x", "http://a:x/", "http://a b/", "http://a,b/x",
    "http://[::1/x", "http://a\\@b/x", "ftp://a/x", "file:///x", "a:443", "//", "/\0", "/a\x7f", "/a\x01",
    "/%00", "/a%00", "/%", "/%4", "/%zz", "/..", "/a/../..", "/%2e%2e/a", "/%2E./a", "/a/%2e%2e/%2e%2e/b"
):
    if target != "//":
        TARGETS.append(("target %r" % target, head(start="GET %s HTTP/1.1" % target)))


def chunk_rows():
    start = head(CHUNKED)
    five = b"5\r\nhello\r\n"
    sizes = [
        b"0x5", b"5g", b"g", b"+5", b"-5", b" 5", b"\t5", b"5 ", b"", b";a", b"5,5", b"5\0", b"5.", b"5h",
        b"5\r", b"fffffffffffffffff", b"10000000000000005", b"ffffffffffffffff", b"\xb5", b"5;a\rb", b"5;\0",
        b"5;a\x01b",
    ]
    rows = [("chunk size %r" % size, start + size + b"\r\nhello\r\n0\r\n\r\n", 400, 413) for size in sizes]
    rows += [("later chunk size %r" % size, start + five + size + b"\r\nhello\r\n0\r\n\r\n", 400, 413)
             for size in sizes[:8]]
    return rows + [
        ("LF alone after a size", start + b"5\nhello\r\n0\r\n\r\n"),
        ("LF alone after an extension", start + b"5;a\nhello\r\n0\r\n\r\n"),
        ("LF alone after data", start + b"5\r\nhello\n0\r\n\r\n"),
        ("CR alone after data", start + b"5\r\nhello\r0\r\n\r\n"),
        ("nothing after data", start + b"5\r\nhello0\r\n\r\n"),
        ("a chunk that is longer than it says", start + b"5\r\nhello!\r\n0\r\n\r\n"),
        ("LF alone after the last chunk", start + five + b"0\n\r\n"),
        ("LF alone at the end", start + five + b"0\r\n\n"),
        ("an endless extension", start + b"5;" + b"a" * 300000 + b"\r\nhello\r\n0\r\n\r\n", 400, 413, 431),
        ("many long extensions", start + (b"1;" + b"a" * 4000 + b"\r\nh\r\n") * 100, 400, 413, 431),
        ("zeros without end", start + b"0" * 100000 + b"5\r\nhello\r\n0\r\n\r\n", 400, 413, 431),
        ("a trailer without a name", start + five + b"0\r\n: x\r\n\r\n"),
        ("a trailer without a colon", start + five + b"0\r\nGET /x HTTP/1.1\r\n\r\n"),
        ("a folded trailer", start + five + b"0\r\nX: 1\r\n 2\r\n\r\n"),
        ("LF alone after a trailer", start + five + b"0\r\nX: 1\n\r\n"),
        ("a blank before a trailer's colon", start + five + b"0\r\nX : 1\r\n\r\n"),
        ("NUL in a trailer", start + five + b"0\r\nX: \0\r\n\r\n"),
        ("endless trailers", start + five + b"0\r\n" + b"X: 1\r\n" * 50000 + b"\r\n", 400, 413, 431),
        ("an endless trailer", start + five + b"0\r\nX: " + b"1" * 300000 + b"\r\n\r\n", 400, 413, 431),
    ]


def what_passes():
    """Rows of the same kinds that are legal: exactly one request reaches the origin, as it is meant."""
    origin, proxy = recording()
    end = "Connection: close"
    length = head("Content-Length: 5", end)
    for name, data, wanted in (
        ("a length", length + b"hello", "POST /x hello"),
        ("zeros before a length", head("Content-Length: 0005", end) + b"hello", "POST /x hello"),
        ("no blank", head("Content-Length:5", end) + b"hello", "POST /x hello"),
        ("tabs and blanks", head("Content-Length: \t 5 \t", end) + b"hello", "POST /x hello"),
        ("chunked", head(CHUNKED, end) + HELLO, "POST /x hello"),
        ("Chunked", head("transfer-encoding: Chunked", end) + HELLO, "POST /x hello"),
        ("blanks", head("Transfer-Encoding:\tchunked\t ", end) + HELLO, "POST /x hello"),
        ("hexadecimal", head(CHUNKED, end) + b"A\r\nhellohello\r\n00\r\n\r\n",
         "POST /x hellohello"),
        ("extensions", head(CHUNKED, end) + b'5;a=b;c="d;e"\r\nhello\r\n0;x\r\n\r\n',
         "POST /x hello"),
        ("Host with a port", head(end, start=GET, host="Host: a.b-c:8080"), "GET /x "),
        ("Host is IPv6", head(end, start=GET, host="Host: [2001:db8::1]:80"), "GET /x "),
        ("bytes above 127", head("X: \xe4\t\xff", end, start=GET), "GET /x "),
        ("an empty line before", b"\r\n" + head(end, start=GET), "GET /x "),
        ("HTTP/1.0 without Host", head(start="GET /x HTTP/1.0", host=None), "GET /x "),
        ("HTTP/1.0 with a length", head("Content-Length: 5", start="POST /x HTTP/1.0") + b"hello",
         "POST /x hello"),
        ("GET with a body", head("Content-Length: 5", end, start=GET) + b"hello", "GET /x hello"),
        ("a method of its own", head(end, start="M-SEARCH!$ /x HTTP/1.1"), "M-SEARCH!$ /x "),
    ):
        before = len(origin.requests)
        try:
            answers = exchange(proxy.port, data + HIDDEN)
            got = [(answer.status, answer.text) for answer in answers]
            is_(got, [(200, wanted)], name + ": served, once")
        except (ProtocolError, OSError) as problem:
            ok(False, "%s: served (%r)" % (name, problem))
        is_(len(origin.requests), before + 1, name + ": one request at the origin")
    ok(b"smuggled" not in origin.tape, "nothing behind the last request of a connection was served")


def either_way():
    """Where RFC 9110 leaves a choice, both are safe: refused, or one framing for both sides."""
    origin, proxy = recording()
    for name, data in (
        ("equal lengths", head("Content-Length: 5", "Content-Length: 5", "Connection: close") + b"hello"),
        ("a list of equal lengths", head("Content-Length: 5, 5", "Connection: close") + b"hello"),
        ("HTTP/1.2", head("Connection: close", start="POST /x HTTP/1.2")),
        ("Host with an empty port", head("Connection: close", host="Host: a:")),
        ("https in the absolute form", head("Connection: close", start="POST https://a/x HTTP/1.1")),
    ):
        before = len(origin.requests)
        answers = exchange(proxy.port, data + HIDDEN)
        got = [answer.status for answer in answers]
        ok(got in ([200], [400], [421], [505]), "%s: one answer, then the end (%s)" % (name, got))
        seen = origin.requests[before:]
        ok(len(seen) == (got == [200]), "%s: as many requests" % name)
        ok(all(len(request.all("content-length")) <= 1 for request in seen), "%s: one length at most" % name)
    ok(b"smuggled" not in origin.tape, "nothing that hid behind them was served")


def pipelines():
    """Every way to end a body, each followed by a request that must be found exactly there."""
    origin, proxy = recording()
    hidden = head("Content-Length: %d" % len(HIDDEN), start="POST /l HTTP/1.1") + HIDDEN
    kinds = {
        "none": (head(start="GET /none HTTP/1.1"), "GET /none "),
        "length": (hidden, "POST /l " + HIDDEN.decode()),
        "zero": (head("Content-Length: 0", start="POST /zero HTTP/1.1"), "POST /zero "),
        "chunked": (head(CHUNKED, start="PUT /c HTTP/1.1") + HELLO, "PUT /c hello"),
        "empty": (head(CHUNKED, start="PUT /e HTTP/1.1") + b"0\r\n\r\n", "PUT /e "),
        "trailers": (head(CHUNKED, start="PUT /t HTTP/1.1") + HELLO[:-2] + b"X: 1\r\n\r\n", "PUT /t hello"),
    }
    pairs = [(first, second) for first in kinds for second in kinds]
    data = b"".join(kinds[first][0] + kinds[second][0] for first, second in pairs) + LAST
    wanted = [kinds[kind][1] for pair in pairs for kind in pair] + ["GET /last "]
    answers = exchange(proxy.port, data)
    is_([answer.text for answer in answers], wanted, "each kind behind each kind, all sent at once")
    client = Client(proxy.port)
    for offset in range(0, len(data), 7):
        client.send(data[offset : offset + 7])
    answers = [client.read_response() for _ in wanted]
    is_([answer.text for answer in answers], wanted, "the same in pieces of seven bytes")
    ok(client.ends(), "and then the end")
    targets = {request.target for request in origin.requests}
    ok("/smuggled" not in targets, "a body that looks like a request is none")


def refused_in_a_pipeline():
    """After a refused request nothing more is served, whatever came before it, and that is served still."""
    origin, proxy = recording(limits={"max_request_body": "1KiB"})
    before = head(start="GET /before HTTP/1.1")
    for name, data, statuses in (
        ("a bad head", head("X : 1"), (400,)),
        ("a bad length", head("Content-Length: 5x") + b"hello", (400,)),
        ("a bad chunk", head(CHUNKED) + b"5g\r\nhello\r\n0\r\n\r\n", (400,)),
        ("a bad path", head(start="GET /%00 HTTP/1.1"), (400,)),
        ("a missing Host", head(start=GET, host=None), (400,)),
        ("CONNECT", head(start="CONNECT a:443 HTTP/1.1"), (501,)),
        ("a length above the limit", head("Content-Length: 1048576") + HIDDEN, (413,)),
        ("chunks above the limit", head(CHUNKED) + b"100000\r\n" + b"x" * 2048, (413,)),
        ("a head above the limit", head("X: " + "x" * 20000), (431,)),
    ):
        count = len(origin.requests)
        try:
            answers = exchange(proxy.port, before + data + HIDDEN)
            got = [answer.status for answer in answers]
            ok(len(got) == 2 and got[0] == 200 and got[1] in statuses, "%s: 200, %s, the end (%s)"
               % (name, statuses[0], got))
        except (ProtocolError, OSError) as problem:
            ok(False, "%s: 200, %s, the end (%r)" % (name, statuses[0], problem))
        is_([request.target for request in origin.requests[count:]], ["/before"], "%s: one was served" % name)
    ok(b"smuggled" not in origin.tape, "nothing behind a refused request was served")


def slow_origin_then_refused():
    """The refusal keeps its place: behind the answer to the request before it, though that comes late."""
    gate = Origin(answering(tell))

    def handler(request):
        if request.target == "/slow":
            gate.wait_requests(1)
        return tell(request)

    origin, proxy = recording(handler)
    client = Client(proxy.port)
    client.send(head(start="GET /slow HTTP/1.1") + head("X : 1") + HIDDEN)
    origin.wait_requests(1)
    ok(not client.readable(0.05), "no answer overtakes the first")
    once(gate.port)
    is_([client.read_response().status for _ in range(2)], [200, 400], "first the answer, then the refusal")
    ok(client.ends(), "then the end")
    is_(len(origin.requests), 1, "one request reached the origin")


def by_parts(rows, whole=True):
    return lambda: all_refused(rows, whole)


PATHS = (
    # sent, forwarded; None: refused or forwarded as it is, but never as /admin
    ("/admin", "/admin"),
    ("/a/../admin", "/admin"),
    ("/./admin", "/admin"),
    ("/%61dmin", "/admin"),
    ("/x/%2e%2e/admin", "/admin"),
    ("/x/%2E./admin", "/admin"),
    ("/admin/", "/admin/"),
    ("/admin/%2e", "/admin/"),
    ("/admin/x/..", "/admin/"),
    ("/admin/../public", "/public"),
    ("/admin/%2e%2e/public", "/public"),
    ("/ADMIN", "/ADMIN"),
    ("/admin%2fx", "/admin%2Fx"),
    ("/admin%5cx", "/admin%5Cx"),
    ("/%2561dmin", "/%2561dmin"),
    ("/x%2f..%2fadmin", None),
    ("/x/..%2fadmin", None),
    ("/x/..%5cadmin", None),
    ("/x/..;/admin", None),
    ("/x/..;a=b/admin", None),
    ("/admin;x", None),
    ("//admin", None),
    ("/\\admin", None),
    ("/x\\..\\admin", None),
    ("/x/..\\admin", None),
    ("/adm\xefn", None),
    ("/<admin>", None),
    ("/admin?x=/../y", "/admin?x=/../y"),
    ("/public?/../admin", "/public?/../admin"),
)


def canonical():
    """The route is chosen by the very path that is forwarded."""
    public, admin = Origin(answering(tell)), Origin(answering(tell))
    port = free_port()
    config = proxy_config(port, public.port)
    config["routes"] = [
        {
            "name": "admin",
            "match": {"path": {"prefix": "/admin"}},
            "backend": {"host": "127.0.0.1", "port": admin.port},
        }
    ]
    Proxy(port=port, yaml=to_yaml(config))
    for sent, wanted in PATHS:
        before = {origin: len(origin.requests) for origin in (public, admin)}
        try:
            answers = exchange(port, head("Connection: close", start="GET %s HTTP/1.1" % sent))
        except (ProtocolError, OSError) as problem:
            ok(False, "%r is answered (%r)" % (sent, problem))
            continue
        status = answers[0].status if answers else None
        reached = [
            (origin, request.target) for origin in before for request in origin.requests[before[origin] :]
        ]
        if not reached:
            ok(wanted is None and status == 400, "%r is refused (%s)" % (sent, status))
            continue
        origin, target = reached[0]
        is_((len(reached), status), (1, 200), "%r reaches one origin" % sent)
        path = target.split("?")[0]
        is_admin = path == "/admin" or path.startswith("/admin/")
        is_(origin is admin, is_admin, "%r: routed by what it becomes" % sent)
        canonical_path = wanted or sent.replace("%2f", "%2F").replace("%5c", "%5C")
        is_(target, canonical_path, "%r: forwarded canonically" % sent)
        ok("\\" not in target, "%r: without a backslash" % sent)


def absolute_form():
    origin, proxy = recording()
    for target, path, host in (
        ("http://shop.example/x?q=1", "/x?q=1", "shop.example"),
        ("HTTP://shop.example/x", "/x", "shop.example"),
        ("http://shop.example", "/", "shop.example"),
        ("http://shop.example?q=1", "/?q=1", "shop.example"),
        ("http://shop.example:8080/a/../b", "/b", "shop.example:8080"),
        ("http://[::1]:80/x", "/x", "[::1]:80"),
    ):
        before = len(origin.requests)
        start = "GET %s HTTP/1.1" % target
        answers = exchange(proxy.port, head("Connection: close", start=start, host="Host: other.example"))
        is_([answer.status for answer in answers], [200], target + " is served")
        seen = origin.requests[before:]
        is_([(request.target, request.all("host")) for request in seen], [(path, [host])], "as " + path)
    for start in ("OPTIONS * HTTP/1.1", "OPTIONS http://shop.example HTTP/1.1"):
        before = len(origin.requests)
        answers = exchange(proxy.port, head("Connection: close", start=start, host="Host: shop.example"))
        is_([answer.status for answer in answers], [200], start + " is served")
        seen = origin.requests[before:]
        is_([(request.method, request.target) for request in seen], [("OPTIONS", "*")], "and arrives as *")


def connection_fields():
    """What Connection names is dropped, but never what frames or places the message."""
    origin, proxy = recording()

    def arrived(*lines, body=b"", start="POST /x HTTP/1.1"):
        before = len(origin.requests)
        answers = exchange(proxy.port, head(*lines, start=start) + body + LAST)
        is_([answer.status for answer in answers], [200, 200], "%s: served, and what follows too" % lines[0])
        return origin.requests[before]

    seen = arrived("Connection: Content-Length", "Content-Length: 5", body=b"hello")
    is_((seen.body, seen.all("content-length")), (b"hello", ["5"]), "the length stays")
    seen = arrived("Connection: Transfer-Encoding", CHUNKED, body=HELLO)
    is_((seen.body, seen.framing != "none"), (b"hello", True), "the coding stays, or what stands for it")
    seen = arrived("Connection: Host", "Content-Length: 0")
    is_(seen.all("host"), ["a"], "Host stays")
    fields = ("Cookie: 1", "X-A: 2", "x-b: 3", "X-C: 4", "X-A: 5")
    seen = arrived("Connection: cookie,\tx-a,, ,X-B", *fields, start=GET)
    left = [seen.get(name) for name in ("cookie", "x-a", "x-b", "x-c")]
    is_(left, [None, None, None, "4"], "others are dropped")
    seen = arrived("X-A: 2", "Connection: x", "X: 1", "Connection: x-a", start=GET)
    is_((seen.get("x"), seen.get("x-a")), (None, None), "also what stands before it, and several of them")
    seen = arrived("content_length: 3", "transfer_encoding: chunked", "Content-Length: 5", body=b"hello")
    is_(
        (seen.body, seen.get("content_length"), seen.get("transfer_encoding")),
        (b"hello", None, None),
        "underscore twins neither frame nor pass",
    )
    seen = arrived("Host_: b", "x-forwarded_for: 6.6.6.6", "X_Forwarded_Host: b", "x_real_ip: 6", start=GET)
    is_(
        [name for name, _value in seen.headers if name.lower() in ("x-forwarded_for", "x_forwarded_host")],
        [],
        "nor forged addresses",
    )
    fields = ("Proxy-Connection: keep-alive", "Keep-Alive: timeout=9", "TE: gzip", "Trailer: X")
    seen = arrived(*fields, start=GET)
    is_(
        [seen.get(name) for name in ("proxy-connection", "keep-alive", "te", "trailer")],
        [None] * 4,
        "hop-by-hop fields are dropped without being named",
    )


def answers_without_a_body():
    """HEAD, 204 and 304 whatever they announce, in a pipeline: what follows must be found."""

    def handler(request):
        if request.target == "/last":
            return tell(request)
        framing = {
            "/length": [("Content-Length", "1000")],
            "/chunked": [("Transfer-Encoding", "chunked")],
            "/none": [],
        }
        status = {"PUT": "204 No Content", "GET": "304 Not Modified"}.get(request.method, "200 OK")
        return http_message("HTTP/1.1 " + status, framing[request.target])

    origin, proxy = recording(handler)
    methods = [method for method in ("HEAD", "PUT", "GET") for _ in range(3)]
    targets = ["/length", "/chunked", "/none"] * 3
    data = b"".join(head("Content-Length: 0", start="%s %s HTTP/1.1" % one) for one in zip(methods, targets))
    answers = exchange(proxy.port, data + LAST, methods)
    is_([answer.status for answer in answers], [200] * 3 + [204] * 3 + [304] * 3 + [200], "HEAD, 204 and 304")
    is_(answers[-1].text, "GET /last ", "in step behind them")
    is_(answers[0].get("content-length"), "1000", "HEAD tells the length")
    ok(all(answer.get("content-length") is None and answer.get("transfer-encoding") is None
           for answer in answers[3:6]), "204 has neither length nor coding")
    framings = [[answer.get("content-length"), answer.get("transfer-encoding")] for answer in answers[6:9]]
    ok(all(None in framing for framing in framings), "304 is not framed twice")
    answers = exchange(proxy.port, head(start="HEAD /length HTTP/1.0") + HIDDEN, ["HEAD"])
    is_([answer.status for answer in answers], [200], "HEAD of HTTP/1.0 ends with its head")


def http10():
    hints = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
    body = b"5\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\n"
    answer = hints + http_message("HTTP/1.1 200 OK", [("Transfer-Encoding", "chunked")], body)
    origin, proxy = recording(lambda request: answer)
    keep = ("Connection: keep-alive", "Content-Length: 5", "Expect: 100-continue", "TE: trailers")
    client = Client(proxy.port)
    client.send(head(*keep, start="POST /x HTTP/1.0") + b"hello" + HIDDEN)
    raw = client.read_to_end()
    is_(raw.count(b"HTTP/1.1 "), 1, "one answer, no interim one, not even to Expect")
    ok(raw.endswith(b"\r\n\r\nhello"), "no chunks and no trailers, then the end")
    ok(b"chunked" not in raw.lower(), "nor the word")
    is_(raw.lower().count(b"keep-alive"), 0, "and no promise to go on")
    ok(b"smuggled" not in origin.tape, "what followed was not served")
    is_([request.body for request in origin.requests], [b"hello"], "the body arrived")
    origin, proxy = recording()
    data = head("Connection: keep-alive", start="GET /1 HTTP/1.0") * 3 + head(start="GET /2 HTTP/1.0")
    answers = [answer.text for answer in exchange(proxy.port, data + HIDDEN)]
    is_(answers, ["GET /1 "] * 3 + ["GET /2 "], "a pipeline of HTTP/1.0, if asked for")
    ok(b"smuggled" not in origin.tape, "which ends with who does not ask")


def expect_continue():
    def impatient(wire):
        """Answers a head at once, whatever is to follow; or asks for the body itself."""
        request = wire.read_request_head()
        if request is None:
            return
        wire.origin.saw(request)
        if request.target == "/refuse":
            wire.send(http_message("HTTP/1.1 417 No", [("Connection", "close")], b"no"))
            return
        wire.send(b"HTTP/1.1 100 Continue\r\nX-From: origin\r\n\r\n")
        wire.read_body(request, until_end=False)
        wire.send(tell(request))

    proxy = Proxy(Origin(impatient).port)
    client = Client(proxy.port)
    client.send(head("Expect: 100-continue", "Content-Length: 5"))
    is_(client.read_response_head().status, 100, "the client is asked for its body")
    client.send(b"hello" + LAST)
    answer = client.read_response()
    is_((answer.interim, answer.text), ([], "POST /x hello"), "once, though the origin asks as well")
    is_(client.read_response().text, "GET /last ", "in step behind it")
    ok(client.ends(), "then the end")

    client = Client(proxy.port)
    length = "Content-Length: %d" % len(HIDDEN)
    client.send(head("Expect: 100-continue", length, start="PUT /refuse HTTP/1.1"))
    answer = client.read_response()
    is_(answer.status, 417, "an early final answer passes")
    ok(len(answer.interim) <= 1, "after one 100 at most")
    ok("close" in answer.tokens("connection"), "and ends the connection, as the body is still to come")
    try:
        client.send(HIDDEN + HIDDEN)
    except ConnectionError:
        pass
    ok(client.ends(), "nothing else is answered")
    origin, proxy = recording()
    client = Client(proxy.port)
    client.send(head("Expect: 100-continue", CHUNKED) + HELLO + LAST)
    answer = client.read_response()
    is_((answer.interim, answer.text), ([], "POST /x hello"), "no 100 for who did not wait")
    is_(client.read_response().text, "GET /last ", "in step behind it")
    is_(origin.requests[0].get("expect"), None, "Expect was answered here and goes no further")
    answers = exchange(proxy.port, head("Expect: 100-continue", "Connection: close", start=GET))
    is_([answer.status for answer in answers], [200], "GET that expects is answered")
    answers = exchange(proxy.port, head("Expect: something", "Content-Length: 5") + b"hello")
    is_([answer.status for answer in answers], [417], "what cannot be met is refused")


def trailers():
    forbidden = ("Content-Length: 9", "Transfer-Encoding: chunked", "Host: b", "X-Forwarded-For: 6.6.6.6",
                 "Connection: x", "Authorization: x", "Content-Type: x", "TE: x")
    sent = b"".join(line.encode() + b"\r\n" for line in ("X-Sum: 1", "x-more:2 ") + forbidden)

    def handler(request):
        fields = [("Transfer-Encoding", "chunked"), ("Trailer", "X-Sum")]
        return http_message("HTTP/1.1 200 OK", fields, b"5\r\nhello\r\n0\r\n" + sent + b"\r\n")

    origin, proxy = recording(handler)
    client = Client(proxy.port)
    client.send(head("TE: trailers", "Connection: TE", CHUNKED) + b"5\r\nhello\r\n0\r\n" + sent + b"\r\n")
    answer = client.read_response()
    wanted = [("x-sum", "1"), ("x-more", "2")]

    def lower(fields):
        return [(name.lower(), value) for name, value in fields]

    seen = origin.wait_requests(1)
    is_(lower(seen.trailers), wanted, "trailers of a request arrive, but for those that frame")
    is_(answer.body, b"hello", "an answer with trailers")
    is_(lower(answer.trailers), wanted, "they arrive too, but for those that frame")
    for number in range(2):
        client.send(head(CHUNKED) + b"5\r\nhello\r\n")
        client.send(b"0\r\nX-Late: 1\r\n" + b"X-Twice: 1\r\n" * (number + 1) + b"\r\n")
        answer = client.read_response()
        is_((answer.body, answer.trailers), (b"hello", []), "who did not ask for trailers gets none")
        is_(len(origin.requests[-1].trailers), number + 2, "and may send them")
        ok(all("x-late" != name.lower() for name, _value in origin.requests[-1].headers), "not as fields")


def early_hints():
    def handler(request):
        hints = b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\nConnection: X-Hop\r\nX-Hop: 1\r\n\r\n"
        return hints * 3 + tell(request)

    origin, proxy = recording(handler)
    for _ in range(2):
        client = Client(proxy.port)
        client.send(head(CHUNKED) + HELLO + LAST)
        answer = client.read_response()
        is_([interim.status for interim in answer.interim], [103] * 3, "103 passes, as often as it comes")
        is_([interim.get("link") for interim in answer.interim], ["</a.css>"] * 3, "with its fields")
        is_(answer.interim[0].get("x-hop"), None, "but for those of the connection")
        is_(answer.text, "POST /x hello", "the answer follows")
        is_(client.read_response().text, "GET /last ", "and the next")


subtest("framing that two could read differently", by_parts(FRAMING))
subtest("lines and fields", by_parts(LINES))
subtest("Host", by_parts(HOSTS))
subtest("targets", by_parts(TARGETS))
subtest("chunks", by_parts(chunk_rows(), False))
subtest("what is legal passes", what_passes)
subtest("what is left open is safe", either_way)
subtest("pipelines of every kind of body", pipelines)
subtest("a refused request in a pipeline", refused_in_a_pipeline)
subtest("a refused request behind a slow one", slow_origin_then_refused)
subtest("one canonical path", canonical)
subtest("absolute form and OPTIONS *", absolute_form)
subtest("fields named by Connection, and twins", connection_fields)
subtest("HEAD, 204, 304", answers_without_a_body)
subtest("HTTP/1.0", http10)
subtest("Expect: 100-continue", expect_continue)
subtest("trailers", trailers)
subtest("early hints", early_hints)
done()
