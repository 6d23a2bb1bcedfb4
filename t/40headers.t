#!/usr/bin/env python3
"""What is forwarded of a request and of its answer: header fields, paths, targets."""
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "lib"))
from gomesh_test import *  # noqa: E402,F403


def plain(request):
    """An answer that tells the method and the target."""
    body = ("%s %s" % (request.method, request.target)).encode("latin-1")
    return http_message(
        "HTTP/1.1 200 OK", [("Content-Type", "text/plain")], b"" if request.method == "HEAD" else body
    )


def pair(function=plain, **settings):
    """An origin and a proxy in front of it."""
    origin = Origin(answering(function))
    return origin, Proxy(origin.port, **settings)


def arrived(port, origin, headers, address="127.0.0.1", **options):
    """A request as the origin sees it that is sent with these headers, on a connection of its own."""
    before = len(origin.requests)
    once(port, headers=headers, address=address, **options)
    return origin.wait_requests(before + 1)


def request_headers():
    origin, proxy = pair()
    seen = arrived(
        proxy.port,
        origin,
        [
            ("Accept", "text/html;q=0.9"),
            ("X-Empty", ""),
            ("X-Long", "v" * 4000),
            ("Cookie", "a=1"),
            ("Cookie", "b=2"),
            ("X-Bytes", "caf\xe9"),
        ],
        host="shop.example:8080",
    )
    is_(seen.all("host"), ["shop.example:8080"], "Host is kept")
    is_(seen.get("accept"), "text/html;q=0.9", "an ordinary field is kept")
    is_(seen.all("x-empty"), [""], "an empty one too")
    is_(seen.get("x-long"), "v" * 4000, "a long one too")
    is_(seen.get("x-bytes"), "caf\xe9", "and bytes above 127")
    like("; ".join(seen.all("cookie")), r"^a=1; b=2$", "both cookies, in order")
    is_(seen.all("x-forwarded-for"), ["127.0.0.1"], "X-Forwarded-For: the client's address")
    is_(seen.all("x-forwarded-proto"), ["http"], "X-Forwarded-Proto: http")
    is_(seen.all("x-forwarded-host"), ["shop.example:8080"], "X-Forwarded-Host: the client's Host")
    is_(seen.all("x-forwarded-by"), ["GoMesh-Proxy"], "X-Forwarded-By: GoMesh-Proxy")

    seen = arrived(
        proxy.port,
        origin,
        [
            ("X-Forwarded-For", "10.1.2.3"),
            ("X-Forwarded-Proto", "https"),
            ("X-Forwarded-Host", "forged.example"),
            ("X-Forwarded-By", "forged"),
            ("X-Forwarded-Port", "443"),
            ("X-Forwarded-Anything-Else", "forged"),
            ("X-Real-IP", "10.1.2.3"),
            ("X_Real_IP", "10.1.2.3"),
            ("X_Forwarded-Prefix", "/forged"),
            ("Forwarded", "for=10.1.2.3;host=forged.example"),
        ],
    )
    before = "10.1.2.3, " if ENGINE == "h2o" else ""
    is_(seen.get("x-forwarded-for"), before + "127.0.0.1", "X-Forwarded-For of a stranger is replaced")
    is_(seen.all("x-forwarded-proto"), ["http"], "a forged X-Forwarded-Proto is replaced")
    is_(seen.all("x-forwarded-host"), ["gomesh.test"], "a forged X-Forwarded-Host is replaced")
    is_(seen.all("x-forwarded-by"), ["GoMesh-Proxy"], "a forged X-Forwarded-By is replaced")
    if ENGINE == "gomesh":
        names = [name for name, _value in seen.headers if re.match("(?i)x.real|x.forwarded", name)]
        is_(sorted(names), ["x-forwarded-by", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto"], "and nothing of the kind passes")
    wanted = [] if ENGINE == "h2o" else [element("127.0.0.1")]
    is_(seen.all("forwarded"), wanted, "a forged Forwarded is, too")
    is_(arrived(proxy.port, origin, []).all("forwarded"), [], "where there is none, none is made")
    seen = arrived(proxy.port, origin, [("Forwarded", "for=a"), ("Forwarded", "for=b")], host="a.example:8080")
    wanted = [] if ENGINE == "h2o" else [element("127.0.0.1", "a.example:8080")]
    is_(seen.all("forwarded"), wanted, "also several of them")
    seen = arrived(proxy.port, origin, [("X-Forwarded-For", "10.1.2.3"), ("X-Forwarded-For", "10.4.5.6")])
    before = "10.1.2.3, 10.4.5.6, " if ENGINE == "h2o" else ""
    is_(seen.get("x-forwarded-for"), before + "127.0.0.1", "also several of them")
    if has_ipv6():
        seen = arrived(proxy.port, origin, [], "::1")
        is_(seen.get("x-forwarded-for"), "::1", "a client over IPv6")
    else:
        skip("a client over IPv6", "no IPv6 here")


SPOKEN_FOR = [
    ("X-Forwarded-For", "10.1.2.3"),
    ("X-Forwarded-For", "10.4.5.6, 10.7.8.9"),
    ("X-Forwarded-Proto", "https"),
    ("X-Forwarded-Host", "shop.example"),
    ("Forwarded", "for=10.1.2.3;proto=https"),
    ("X-Forwarded-By", "another"),
    ("X-Forwarded-Port", "443"),
    ("X-Real-IP", "10.1.2.3"),
]


def element(source, host="gomesh.test"):
    """What we say of a client in Forwarded (RFC 7239)."""
    who = '"[%s]"' % source if ":" in source else source
    return 'for=%s;host="%s";proto=http' % (who, host)


def check_forwarded(seen, who, wanted):
    for name, values in zip(("for", "proto", "host", "by"), wanted):
        is_(seen.all("x-forwarded-" + name), values, "%s: X-Forwarded-%s" % (who, name.capitalize()))
    is_(seen.all("forwarded"), wanted[4], "%s: Forwarded" % who)


def trusted_proxies():
    if ENGINE == "h2o":
        raise Skip("engine h2o cannot be told")
    origin, proxy = pair(trusted_proxies=["127.0.0.2", "127.1.0.0/16", "::1"])
    trusted = ["10.1.2.3, 10.4.5.6, 10.7.8.9, %s"], ["https"], ["shop.example"], ["GoMesh-Proxy"]
    for source, address in (
        ("127.0.0.2", "127.0.0.1"),
        ("127.1.2.3", "127.0.0.1"),
    ) + ((("::1", "::1"),) if has_ipv6() else ()):
        seen = arrived(proxy.port, origin, SPOKEN_FOR, address, source=source)
        is_((seen.get("x-forwarded-port"), seen.get("x-real-ip")), ("443", "10.1.2.3"), "and what else it says")
        said = ["for=10.1.2.3;proto=https, " + element(source)]
        wanted = [[trusted[0][0] % source], *trusted[1:], said]
        check_forwarded(seen, "trusted " + source, wanted)
    seen = arrived(proxy.port, origin, [], source="127.0.0.2")
    check_forwarded(
        seen, "trusted, but silent", [["127.0.0.2"], ["http"], ["gomesh.test"], ["GoMesh-Proxy"], []]
    )
    for source in ("127.0.0.1", "127.0.0.3", "127.2.0.0"):
        seen = arrived(proxy.port, origin, SPOKEN_FOR, source=source)
        wanted = [[source], ["http"], ["gomesh.test"], ["GoMesh-Proxy"], [element(source)]]
        check_forwarded(seen, "stranger " + source, wanted)
    client = Client(proxy.port, source="127.0.0.2")
    for number in (1, 2):
        client.request(headers=[("X-Forwarded-For", "10.0.0.%d" % number)])
        is_(
            origin.requests[-1].all("x-forwarded-for"),
            ["10.0.0.%d, 127.0.0.2" % number],
            "request %d of a connection" % number,
        )


def hop_by_hop_requests():
    origin, proxy = pair()
    seen = arrived(
        proxy.port,
        origin,
        [
            ("Connection", "keep-alive, X-Secret , x-other"),
            ("X-Secret", "1"),
            ("X-Other", "2"),
            ("Keep-Alive", "timeout=5"),
            ("Proxy-Connection", "keep-alive"),
            ("TE", "trailers"),
            ("Trailer", "X-Sum"),
            ("X-Kept", "yes"),
        ],
    )
    for name in ("X-Secret", "X-Other", "Keep-Alive", "Proxy-Connection", "Trailer"):
        is_(seen.get(name), None, name + " does not pass")
    if ENGINE == "gomesh":
        is_((seen.all("te"), seen.tokens("connection")), (["trailers"], ["te"]), "we take trailers, for a client that does")
    else:
        is_(seen.get("te"), None, "TE does not pass")
    is_(seen.get("x-kept"), "yes", "a field that is not named passes")
    unlike(seen.get("connection") or "", r"(?i)x-secret|x-other", "nor does what Connection said")
    seen = arrived(
        proxy.port,
        origin,
        [
            ("Connection", "Upgrade, HTTP2-Settings"),
            ("Upgrade", "h2c"),
            ("HTTP2-Settings", "AAMAAABkAAQAAP__"),
        ],
    )
    is_(
        (seen.get("upgrade"), seen.get("http2-settings")),
        (None, None),
        "an upgrade to h2c does not pass, nor happen",
    )
    seen = arrived(proxy.port, origin, [("Connection", "X-Forwarded-For, X-Forwarded-Proto, X-Forwarded-By")])
    is_(
        (seen.get("x-forwarded-for"), seen.get("x-forwarded-proto"), seen.get("x-forwarded-by")),
        ("127.0.0.1", "http", "GoMesh-Proxy"),
        "Connection cannot remove what the proxy says",
    )

    seen = arrived(
        proxy.port,
        origin,
        [
            ("content_length", "5"),
            ("transfer_encoding", "chunked"),
            ("X_Forwarded_For", "6.6.6.6"),
            ("x_forwarded_proto", "https"),
            ("x-forwarded_host", "forged.example"),
        ],
    )
    for name in (
        "content_length",
        "transfer_encoding",
        "x_forwarded_for",
        "x_forwarded_proto",
        "x-forwarded_host",
    ):
        is_(seen.get(name), None, "the twin %s does not pass" % name)
    is_(seen.all("x-forwarded-for"), ["127.0.0.1"], "and the real field tells the truth")


def response_headers():
    fields = [
        ("Connection", "keep-alive, X-Hop"),
        ("X-Hop", "1"),
        ("Keep-Alive", "timeout=5"),
        ("Proxy-Connection", "close"),
        ("Upgrade", "h2c"),
        ("Trailer", "X-Sum"),
        ("Server", "origin/1"),
        ("Date", "Sun, 06 Nov 1994 08:49:37 GMT"),
        ("Set-Cookie", "a=1; Path=/"),
        ("Set-Cookie", "b=2"),
        ("Content-Type", "text/plain"),
        ("X-Empty", ""),
        ("Location", "http://elsewhere.example/x"),
        ("ETag", 'W/"1"'),
        ("Cache-Control", "no-store"),
    ]
    origin, proxy = pair(
        lambda request: http_message("HTTP/1.1 200 Fine", [] if request.target == "/bare" else fields, b"ok")
    )
    client = Client(proxy.port)
    response = client.request()
    with known_limit("the library hides the answer's Connection field from its filters"):
        is_(response.get("X-Hop"), None, "X-Hop, which Connection names, does not pass")
    for name in ("Keep-Alive", "Proxy-Connection", "Upgrade", "Trailer"):
        is_(response.get(name), None, name + " does not pass")
    unlike(response.get("connection") or "", r"(?i)x-hop", "nor does what Connection said")
    is_(response.all("set-cookie"), ["a=1; Path=/", "b=2"], "both cookies, in order")
    for name in ("Content-Type", "Location", "ETag", "Cache-Control", "X-Empty"):
        is_(response.get(name), dict(fields)[name], name + " passes")
    is_(len(response.all("date")), 1, "one Date")
    is_(len(response.all("server")), 1, "one Server")
    is_(response.body, b"ok", "the body is right")
    is_(len(client.request(target="/bare").all("date")), 1, "one Date also when the origin sends none")

    def by_target(request):
        return http_message("HTTP/1.1 %s Word" % request.target[1:], [], b"as it is")

    proxy = Proxy(Origin(answering(by_target)).port)
    client = Client(proxy.port)
    for status in (200, 201, 206, 301, 400, 401, 403, 404, 418, 429, 500, 502, 503, 599):
        response = client.request(target="/%d" % status)
        is_(
            (response.status, response.body, response.get("proxy-status")),
            (status, b"as it is", None),
            "the origin's own %d passes as it is" % status,
        )


PATHS = (
    ("/a/b", "/a/b"),
    ("/", "/"),
    ("/%61%2d%2E%5f%7E", "/a-._~"),
    ("/x/%c3%a9", "/x/%C3%A9"),
    ("/a/./b/../c", "/a/c"),
    ("/a/b/..", "/a/"),
    ("/a/b/.", "/a/b/"),
    ("/a/%2e%2e/b", "/b"),
    ("/a/%2E/b", "/a/b"),
    ("/a/.%2e/b", "/b"),
    ("/a%2Fb", "/a%2Fb"),
    ("/a%2fb", "/a%2Fb"),
    ("//a//b", "//a//b"),
    ("/a//", "/a//"),
    ("/a%25b", "/a%25b"),
    ("/a%20b", "/a%20b"),
    ("/ADMIN", "/ADMIN"),
    ("/a;x=1", "/a;x=1"),
    ("/a...b/.../..c", "/a...b/.../..c"),
    ("/p?q=%7e%2f&x=../..", "/p?q=%7e%2f&x=../.."),
    ("/p?", "/p?"),
    ("/p?a?b", "/p?a?b"),
    ("/a/../b?c=d", "/b?c=d"),
    ("/q?percent=100%", "/q?percent=100%"),
    ("/a:b@c!$&'()*+,=", "/a:b@c!$&'()*+,="),
)
BAD_PATHS = (
    "/..",
    "/../",
    "/a/../../b",
    "/%2e%2e/x",
    "/.%2E",
    "/a%00b",
    "/%",
    "/a%4",
    "/a%zz",
    "/a%4gb",
)


def paths():
    origin, proxy = pair()
    client = Client(proxy.port)
    for sent, wanted in PATHS:
        try:
            response = client.request(target=sent)
            is_((response.status, response.text), (200, "GET " + wanted), "%s arrives as %s" % (sent, wanted))
        except (ProtocolError, OSError) as problem:
            ok(False, "%s arrives as %s (%r)" % (sent, wanted, problem))
        if client.readable():  # closed: the next one gets a connection of its own
            client = Client(proxy.port)
    served = len(origin.requests)
    for sent in BAD_PATHS:
        try:
            check_failure(once(proxy.port, target=sent), 400, "bad_request")
            ok(True, "%r is refused" % sent)
        except (ProtocolError, OSError) as problem:
            ok(False, "%r is refused with 400 (%r)" % (sent, problem))
    is_(len(origin.requests), served, "none of them reached the origin")


def paths_as_they_are():
    origin, elsewhere = Origin(answering(plain)), Origin(answering(plain))
    admin = {"match": {"path": {"prefix": "/admin"}}, "backend": {"host": "127.0.0.1", "port": elsewhere.port}}
    proxy = Proxy(origin.port, normalize_path="off", routes=[admin])
    for sent, _wanted in PATHS:
        response = once(proxy.port, target=sent)
        is_((response.status, response.text), (200, "GET " + sent), "%s arrives as it is" % sent)
    served = len(origin.requests)
    for sent in ("/admin/x", "/a/../admin", "/%61dmin?q=%7e", "/./admin/%2e%2e/admin", "/a/%2E%2e/admin"):
        is_(once(proxy.port, target=sent).text, "GET " + sent, "%s as well" % sent)
        is_(elsewhere.requests[-1].target, sent, "and takes the route of its canonical form")
    response = once(proxy.port, target="http://gomesh.test/a/../b?c", host="gomesh.test")
    is_(response.text, "GET /a/../b?c", "so does the path of an absolute-form target")
    served += 1
    for sent in BAD_PATHS:
        check_failure(once(proxy.port, target=sent), 400, "bad_request")
    is_(len(origin.requests), served, "what has no canonical form is refused all the same")
    ok(proxy.wait_line(r"Forwarding: GET /a/\./b/\.\./c → "), "the log tells what is forwarded")


def targets():
    origin, proxy = pair()
    client = Client(proxy.port)
    response = client.request(target="http://shop.example/abs?q=1", host="other.example")
    is_((response.status, response.text), (200, "GET /abs?q=1"), "an absolute-form target is rewritten")
    is_(origin.requests[-1].all("host"), ["shop.example"], "its host counts, not the field (RFC 9112, 3.2.2)")
    response = client.request(target="http://shop.example", host="shop.example")
    is_((response.status, response.text), (200, "GET /"), "and without a path it is /")
    response = once(proxy.port, target="http://shop.example:8000/a/../b", host="shop.example:8000")
    is_((response.status, response.text), (200, "GET /b"), "its path is made canonical as well")
    client = Client(proxy.port)
    client.send("CONNECT shop.example:443 HTTP/1.1\r\nHost: shop.example:443\r\n\r\n")
    check_failure(client.read_response(), 501, "not_implemented")
    served = len(origin.requests)
    check_failure(once(proxy.port, host=None), 400, "bad_request")
    is_(len(origin.requests), served, "nothing of that reached the origin")
    is_(once(proxy.port, target="/alive").status, 200, "the proxy lives on")


def malformed_heads():
    """What cannot be read as a request is refused by the library's server itself, in few words."""
    origin, proxy = pair()
    for head in (
        "GET /a\x01b HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /a\x7fb HTTP/1.1\r\nHost: a\r\n\r\n",
        "nonsense\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nno colon here\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nX: \x00\r\n\r\n",
        "GET /\r\n\r\n",
    ):
        note(repr(head))
        client = Client(proxy.port)
        client.send(head)
        is_(client.read_response().status, 400, "400")
        ok(client.ends(), "and the connection ends")
    is_(len(origin.requests), 0, "nothing of that reached the origin")
    is_(once(proxy.port, target="/alive").status, 200, "the proxy lives on")


subtest("request headers", request_headers)
subtest("what trusted proxies say", trusted_proxies)
subtest("hop-by-hop fields and underscore twins of requests", hop_by_hop_requests)
subtest("response headers", response_headers)
subtest("paths", paths)
subtest("paths as they are", paths_as_they_are)
subtest("request targets", targets)
subtest("heads that are not HTTP", malformed_heads)
done()
