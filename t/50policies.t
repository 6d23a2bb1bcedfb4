#!/usr/bin/env python3
"""Policies as a user sees them: access, headers, redirect, rewrite, cors, on the way in and on the way out."""
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "lib"))
from gomesh_schema import read_yaml  # noqa: E402
from gomesh_test import *  # noqa: E402,F403

USED = set()


def key_paths(value, place=""):
    """The keys of a policy, written as the reference does: headers.request.set[].name."""
    if isinstance(value, list):
        return {path for item in value for path in key_paths(item, place[:-1] + "[].")}
    found = set()
    for name, item in value.items() if isinstance(value, dict) else ():
        found |= {place + name} | key_paths(item, place + name + ".")
    return found


def tell(request):
    """An answer that tells what arrived."""
    body = ("%s %s %s" % (request.method, request.target, request.get("host"))).encode("latin-1")
    fields = [("Server", "origin/1"), ("X-Origin", "1"), ("X-Twice", "a"), ("X-Twice", "b")]
    return http_message("HTTP/1.1 200 OK", fields, b"" if request.method == "HEAD" else body)


def start(policies="", routes="", backend=True, proxy="", function=tell):
    """An origin, and a proxy with these pieces of YAML; $PORT is the origin's, $LISTEN the proxy's."""
    origin = Origin(answering(function))
    port = free_port()
    text = "proxy:\n  listen_port: %d\n  engine: %s\n%s" % (port, ENGINE, proxy)
    if backend:
        text += "  backend: { host: 127.0.0.1, port: $PORT }\n"
    text += ("policies:\n" + policies if policies else "") + ("routes:\n" + routes if routes else "")
    text += "log: { level: info, format: text }\n"
    config = read_yaml(text)
    for policies in [config.get("policies")] + [route.get("policies") for route in config.get("routes", ())]:
        USED.update(key_paths(policies or [], "policies."))
    text = text.replace("$PORT", str(origin.port)).replace("$LISTEN", str(port))
    return origin, Proxy(yaml=text, port=port)


def places(response):
    return (response.status, response.get("location"))


# --- redirect -------------------------------------------------------------------------------------------------


def redirects():
    origin, proxy = start(
        routes="  - match: { path: { prefix: /old } }\n    policies: [{ redirect: { status: 308, prefix: /new/place } }]\n"
        "  - match: { path: { exact: /one } }\n    policies: [{ redirect: { path: /other, status: 301 } }]\n"
        "  - match: { path: { prefix: /away } }\n"
        "    policies: [{ redirect: { host: www.example, port: 8443, scheme: https, prefix: / } }]\n"
        "  - match: { path: { prefix: /six } }\n    policies: [{ redirect: { host: '::1' } }]\n"
        "  - match: { path: { prefix: /secure } }\n    policies: [{ redirect: { scheme: https, status: 307 } }]\n"
        "  - match: { path: { prefix: /see } }\n    policies: [{ redirect: { path: /there, status: 303 } }]\n"
    )
    for target, status, location in (
        ("/old", 308, "/new/place"),
        ("/old/", 308, "/new/place/"),
        ("/old/a/b?c=d&e", 308, "/new/place/a/b?c=d&e"),
        ("/old/a/../b?", 308, "/new/place/b?"),
        ("/one?x", 301, "/other?x"),
        ("/away/a?b", 302, "https://www.example:8443/a?b"),
        ("/away", 302, "https://www.example:8443/"),
        ("/six/a", 302, "http://[::1]:81/six/a"),
        ("/secure/a?b", 307, "https://shop.example/secure/a?b"),
        ("/see", 303, "/there"),
    ):
        response = once(proxy.port, target=target, host="shop.example:81")
        is_(places(response), (status, location), "%s → %s" % (target, location))
        is_(response.body, b"", "without a body")
    is_(places(once(proxy.port, "HEAD", "/old/a")), (308, "/new/place/a"), "HEAD is sent there, too")
    client = Client(proxy.port)
    response = client.request("POST", "/old/a", body=b"x" * 1000)
    is_(places(response), (308, "/new/place/a"), "POST too")
    if response.get("connection") != "close":
        is_(client.request("GET", "/old/b").status, 308, "and its connection lives on")
    is_(once(proxy.port, target="/older").status, 200, "whole segments: /older is another path")
    response = once(proxy.port, target="/secure", host=None, version="1.0")
    check_failure(response, 400, "bad_request")
    is_([request.target for request in origin.requests], ["/older"], "the backend saw nothing else")


def redirects_that_lead_elsewhere_than_they_say():
    _origin, proxy = start(
        routes="  - match: { path: { prefix: /old } }\n    policies: [{ redirect: { prefix: / } }]\n"
    )
    is_(places(once(proxy.port, target="/old/a")), (302, "/a"), "a prefix is taken away")
    is_(places(once(proxy.port, target="/old")), (302, "/"), "all of it")
    for target in ("/old//evil.example", "/old//", "/old/\\evil.example", "/old/%2e//evil.example"):
        response = once(proxy.port, target=target)
        ok(response.status in (302, 400), "%s: %d" % (target, response.status))
        unlike(response.get("location") or "", r"^/[/\\]", "nobody is sent to another host")
    check_failure(once(proxy.port, target="/old//evil.example"), 400, "bad_request", proxy)


def redirects_for_those_who_are_there():
    origin, proxy = start(
        policies="  - redirect: { host: www.example }\n",
        routes="  - match: { path: { prefix: /bare } }\n    policies: [{ redirect: { port: $LISTEN } }]\n",
    )
    response = once(proxy.port, target="/a?b", host="example:81")
    is_(places(response), (302, "http://www.example:81/a?b"), "another host is sent on, its port is kept")
    for host in ("www.example", "WWW.Example", "www.example:80"):
        is_(once(proxy.port, target="/a", host=host).status, 200, "Host: %s is there already" % host)
    is_(len(origin.requests), 3, "and reaches the backend")
    response = once(proxy.port, target="/bare", host="www.example:%d" % proxy.port)
    check_failure(response, 404, "no_route", proxy)
    is_(once(proxy.port, "OPTIONS", "*", host="else.example").status, 200, "OPTIONS * asks for no place")


def redirects_to_tls():
    cert, key = certificate("redirect")
    tls = free_port()
    tls_yaml = "  tls: { listen_port: %d, cert_file: '%s', key_file: '%s' }\n" % (tls, cert, key)
    _origin, proxy = start(policies="  - redirect: { scheme: https, port: %d }\n" % tls, proxy=tls_yaml)
    location = "https://localhost:%d/a" % tls
    is_(places(once(proxy.port, target="/a", host="localhost:%d" % proxy.port)), (302, location), "to HTTPS")
    done = curl("--cacert", cert, "-L", "-o", "/dev/null", "-w", "%{http_code} %{num_redirects}",
                "http://localhost:%d/a" % proxy.port)  # fmt: skip
    is_(done.stdout, b"200 1", "curl follows it to an answer")
    if ENGINE == "gomesh":
        _origin, proxy = start(policies="  - redirect: { scheme: https }\n", proxy="  trusted_proxies: 127.0.0.1\n")
        response = once(proxy.port, host="a.example:8000")
        is_(places(response), (302, "https://a.example/"), "the port of another scheme is its usual one")
        for said in ("https", "https, http", "HTTPS ,http,http"):
            response = once(proxy.port, headers=[("X-Forwarded-Proto", said)])
            is_(response.status, 200, "behind trusted proxies that took the TLS off nobody goes round in a circle: " + said)
        is_(once(proxy.port, headers=[("X-Forwarded-Proto", "http, https")]).status, 302, "but the client came without it")


# --- rewrite --------------------------------------------------------------------------------------------------


def rewrites():
    origin, proxy = start(
        routes="  - match: { path: { prefix: /api } }\n    backend: { host: 127.0.0.1, port: $PORT }\n"
        "    policies: [{ rewrite: { prefix: /, host: internal.example } }]\n"
        "  - match: { path: { prefix: /deep } }\n    backend: { host: 127.0.0.1, port: $PORT }\n"
        "    policies: [{ rewrite: { prefix: /a/b/ } }]\n"
        "  - match: { path: { exact: /one } }\n    backend: { host: 127.0.0.1, port: $PORT }\n"
        "    policies: [{ rewrite: { prefix: /two/, host: '::1' } }]\n"
    )
    for target, seen, host in (
        ("/api", "/", "internal.example"),
        ("/api/", "/", "internal.example"),
        ("/api/v1/x?y=/api&z", "/v1/x?y=/api&z", "internal.example"),
        ("/api?q", "/?q", "internal.example"),
        ("/api/a/../b%7e", "/b~", "internal.example"),
        ("/apis", "/apis", "shop.example:81"),
        ("/deep/x", "/a/b/x", "shop.example:81"),
        ("/deep", "/a/b/", "shop.example:81"),
        ("/one?q", "/two/?q", "[::1]"),
        ("/other", "/other", "shop.example:81"),
    ):
        response = once(proxy.port, target=target, host="shop.example:81")
        is_(response.text, "GET %s %s" % (seen, host), "%s arrives as %s at %s" % (target, seen, host))
        arrived = origin.requests[-1]
        is_(arrived.all("x-forwarded-host"), ["shop.example:81"], "X-Forwarded-Host is the client's")
    for target in ("/api//evil", "/api//"):
        check_failure(once(proxy.port, target=target), 400, "bad_request")
    response = once(proxy.port, "POST", "/api/up", body=b"x" * 100000)
    is_((response.status, len(origin.requests[-1].body)), (200, 100000), "with a body")
    is_(once(proxy.port, target="/api/a", host=None, version="1.0").text, "GET /a internal.example", "HTTP/1.0")


def rewrites_of_paths_that_are_kept():
    origin, proxy = start(
        proxy='  normalize_path: "off"\n',
        routes="  - match: { path: { prefix: /api } }\n    backend: { host: 127.0.0.1, port: $PORT }\n"
        "    policies: [{ rewrite: { prefix: /v2 } }]\n",
    )
    once(proxy.port, target="/x/../api/a%7E?q")
    once(proxy.port, target="/x/../other/a%7E?q")
    is_([request.target for request in origin.requests], ["/v2/a~?q", "/x/../other/a%7E?q"],
        "normalize_path off: what is rewritten is canonical, the rest as it came")  # fmt: skip


# --- headers --------------------------------------------------------------------------------------------------

HEADERS = """  - headers:
      request:
        remove: [X-Debug, x-secret]
        set: [{ name: X-Env, value: prod }, { name: X-Client, value: "for %{remote_addr}!" }]
        add: [{ name: X-Tag, value: "100%" }, { name: X-Real-IP, value: "%{remote_addr}" }]
      response:
        remove: [Server]
        set: [{ name: X-Twice, value: one }, { name: X-Route, value: "%{route}/%{cluster}" }]
        add: [{ name: X-Origin, value: "%%{2}" }]
"""


def changed_headers():
    origin, proxy = start(
        policies=HEADERS,
        routes="  - name: special\n    match: { path: { prefix: /special } }\n"
        "    backend: { host: 127.0.0.1, port: $PORT }\n"
        "    policies:\n"
        "      - headers:\n"
        "          request: { set: [{ name: x-env, value: test }] }\n"
        "          response: { set: [{ name: x-twice, value: two }] }\n"
        "      - headers: { request: { add: [{ name: X-All, value: '%{method} %{scheme} %{host} %{path} %{trace_id}|' }] } }\n",
    )
    sent = [("X-Debug", "1"), ("X-Secret", "2"), ("x-debug", "3"), ("X-Env", "mine"), ("x-env", "too"),
            ("X-Tag", "own"), ("X-Real-IP", "10.9.9.9")]  # fmt: skip
    response = once(proxy.port, headers=sent)
    seen = origin.requests[-1]
    is_((seen.get("x-debug"), seen.get("x-secret")), (None, None), "removed from the request")
    is_(seen.all("x-env"), ["prod"], "set: in the place of all others")
    is_(seen.all("x-client"), ["for 127.0.0.1!"], "with the client's address")
    is_(seen.all("x-tag"), ["own", "100%"], "added beside the client's")
    is_(seen.all("x-real-ip")[-1], "127.0.0.1", "X-Real-IP is ours to add")
    if ENGINE == "gomesh":
        is_(len(seen.all("x-real-ip")), 1, "the client's is not believed")
    is_(response.get("server"), None, "removed from the answer")
    is_(response.all("x-twice"), ["one"], "set in the answer")
    is_(response.all("x-route"), ["backend/backend"], "with the route and its cluster")
    is_(response.all("x-origin"), ["1", "%{2}"], "added to the answer; %%{ is %{")
    once(proxy.port, headers=[("Connection", "x-env, x-client, close")])
    is_(origin.requests[-1].all("x-env"), ["prod"], "no client's Connection takes away what a policy has set")
    response = once(proxy.port, target="/special/./x?y", host="shop.example:81", headers=sent)
    seen = origin.requests[-1]
    is_(seen.all("x-env"), ["test"], "a route's policies come after those for all")
    is_(seen.get("x-all"), "GET http shop.example:81 /special/x %s|" % seen.get("x-trace-id"), "facts of the request")
    is_(response.all("x-twice"), ["two"], "on the way out, too")
    is_(response.all("x-route"), ["special/backend"], "the route has a name")


def headers_of_our_own_answers():
    _origin, proxy = start(
        policies="  - headers: { response: { set: [{ name: X-Safe, value: 'yes %{path}' }], remove: [Cache-Control] } }\n",
        routes="  - match: { path: { prefix: /gone } }\n    backend: { host: 127.0.0.1, port: %d }\n"
        "  - match: { path: { prefix: /old } }\n    policies: [{ redirect: { prefix: /new } }]\n"
        "  - match: { path: { prefix: /mine } }\n    backend: { host: 127.0.0.1, port: $PORT }\n"
        "    policies: [{ access: { deny: 127.0.0.0/8 } }]\n" % free_port(),
        backend=False,
    )
    for method, target, headers, status, path in (
        ("GET", "/gone/a", [], 502, "/gone/a"),
        ("GET", "/old/a", [], 302, "/old/a"),
        ("GET", "/mine", [], 403, "/mine"),
        ("GET", "/nowhere?q", [], 404, "/nowhere"),
        ("OPTIONS", "/gone", [("Max-Forwards", "0")], 200, "/gone"),
        ("GET", "/%00", [], 400, None),
    ):
        response = once(proxy.port, method, target, headers)
        is_(response.status, status, "%s %s: %d" % (method, target, status))
        is_((response.all("x-safe"), response.get("cache-control")), (["yes " + (path or target)], None),
            "passes the policies")  # fmt: skip
    client = Client(proxy.port)
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n")
    response = client.read_response()
    is_(response.status, 400, "a head that is refused")
    is_(response.all("x-safe")[:1], ["yes /"], "passes those for all")


def headers_of_a_tunnel():
    if ENGINE == "h2o":
        skip("a tunnel", "engine h2o has none")
        return

    def switch(wire):
        wire.read_request()
        wire.send("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\nServer: o\r\n\r\n")
        wire.send(wire.read_exactly(4))

    origin = Origin(switch)
    port = free_port()
    text = "proxy: { listen_port: %d, backend: { host: 127.0.0.1, port: %d } }\npolicies:\n%s" % (
        port, origin.port, HEADERS.replace("%{route}", "%{path}%{path}%{path}"))  # fmt: skip
    proxy = Proxy(yaml=text + "log: { format: text }\n", port=port)
    upgrade = [("Connection", "Upgrade"), ("Upgrade", "echo")]
    client = Client(proxy.port)
    client.send_request(headers=upgrade)
    response = client.read_response_head()
    is_((response.status, response.get("server"), response.get("x-twice")), (101, None, "one"), "changed as others")
    client.send(b"ping")
    is_(client.read_exactly(4), b"ping", "and the tunnel works")
    client = Client(proxy.port)
    response = client.request(target="/" + "a" * 12000, headers=upgrade)
    check_failure(response, 500, "internal", proxy)


# --- failing --------------------------------------------------------------------------------------------------


def policies_that_fail():
    long = "%{path}" * 5
    for direction in ("request", "response"):
        origin, proxy = start(
            policies="  - headers: { %s: { set: [{ name: X-Long, value: '%s' }] } }\n" % (direction, long)
            + "  - headers: { response: { set: [{ name: X-Other, value: fine }] } }\n",
            function=lambda request: http_message("HTTP/1.1 200 OK", [("X-Origin", "1")], some_bytes(1 << 20)),
        )
        response = once(proxy.port, target="/" + "a" * 8000)
        check_failure(response, 500, "internal")
        proxy.wait_line(r"failed: internal \(policy headers: a value would be longer than 32768 bytes\)")
        ok(True, "%s: the log names the policy" % direction)
        is_(response.get("x-origin"), None, "nothing of the backend's answer is left")
        is_(response.get("x-other"), "fine", "the other policies have seen the failure")
        is_(len(origin.requests), 0 if direction == "request" else 1, "the backend was asked, or not")
        response = once(proxy.port, "HEAD", "/" + "a" * 8000)
        is_((response.status, response.body), (500, b""), "HEAD")
        response = once(proxy.port, target="/short")
        is_((response.status, response.sha256), (200, sha256(some_bytes(1 << 20))), "the next request is served")


# --- access ---------------------------------------------------------------------------------------------------


def access():
    origin, proxy = start(
        policies="  - access: { deny: 127.0.0.3 }\n",
        routes="  - match: { path: { prefix: /inner } }\n    backend: { host: 127.0.0.1, port: $PORT }\n"
        "    policies: [{ access: { allow: [127.0.0.2/31, 10.0.0.0/8], deny: ['127.0.0.4'] } }]\n",
        backend=False,
    )
    for source, target, status in (
        ("127.0.0.1", "/inner/a", 403),
        ("127.0.0.2", "/inner/a", 200),
        ("127.0.0.3", "/inner/a", 403),
        ("127.0.0.1", "/else", 404),
        ("127.0.0.3", "/else", 403),
    ):
        response = once(proxy.port, target=target, source=source)
        is_(response.status, status, "%s from %s: %d" % (target, source, status))
    check_failure(once(proxy.port, target="/inner", source="127.0.0.3"), 403, "access_denied", proxy)
    proxy.wait_line(r"GET /inner .*failed: access_denied \(127.0.0.3 is denied by the policy access\)")
    proxy.wait_line(r"access_denied \(127.0.0.1 is not among those that the policy access allows\)")
    response = once(proxy.port, target="/inner", source="127.0.0.1", headers=[("X-Forwarded-For", "127.0.0.2")])
    is_(response.status, 403, "what a stranger says about himself is not believed")
    response = once(proxy.port, "POST", "/inner", body=b"x" * 300000)
    is_(response.status, 403, "with a body")
    is_(len(origin.requests), 1, "the backend saw only who may")


def access_behind_proxies():
    if ENGINE == "h2o":
        skip("trusted proxies", "engine h2o has none")
        return
    origin, proxy = start(
        policies="  - access: { allow: ['10.1.0.0/16', '2001:db8::/32'], deny: 10.1.6.6 }\n"
        "  - headers: { request: { set: [{ name: X-Client, value: '%{remote_addr}' }] } }\n",
        proxy="  trusted_proxies: [127.0.0.2, 10.2.0.0/16]\n",
    )
    for said, client in (
        (["10.1.2.3"], "10.1.2.3"),
        (["10.1.6.6"], None),
        (["10.9.9.9, 10.1.2.3"], "10.1.2.3"),
        (["10.1.2.3, 10.9.9.9"], None),
        (["10.9.9.9", "10.1.2.3,10.2.3.4", "10.2.0.1"], "10.1.2.3"),
        (["10.1.2.3", "10.9.9.9 , 10.2.3.4"], None),
        (["[2001:db8::7]:4711"], "2001:db8::7"),
        (["10.1.2.3:4711"], "10.1.2.3"),
        (["::ffff:10.1.2.3"], "10.1.2.3"),
        (["10.1.2.3, unknown"], None),
        (["10.2.1.1"], None),
        ([], None),
    ):
        before = len(origin.requests)
        headers = [("X-Forwarded-For", value) for value in said]
        response = once(proxy.port, headers=headers, source="127.0.0.2")
        is_(response.status, 200 if client else 403, "%s: %s" % (said, "let in" if client else "denied"))
        if client:
            is_(origin.wait_requests(before + 1).get("x-client"), client, "it is %s" % client)
    response = once(proxy.port, headers=[("X-Forwarded-For", "10.1.2.3")], source="127.0.0.1")
    is_(response.status, 403, "only trusted proxies are believed")


# --- cors -----------------------------------------------------------------------------------------------------

CORS = """  - match: { path: { prefix: /api } }
    backend: { host: 127.0.0.1, port: $PORT }
    policies:
      - cors:
          allow_origins: ["https://app.example", "https://*.example.com", "http://localhost:3000"]
          allow_methods: [PUT, DELETE]
          allow_headers: [X-Token, Content-Type]
          expose_headers: [X-Origin]
          allow_credentials: true
          max_age: 1h
  - match: { path: { prefix: /open } }
    backend: { host: 127.0.0.1, port: $PORT }
    policies: [{ cors: { allow_origins: "*" } }]
"""
PREFLIGHT = [("Access-Control-Request-Method", "PUT"), ("Access-Control-Request-Headers", "x-token")]


def allowed(response):
    return {name.lower()[len("access-control-") :]: value for name, value in response.headers
            if name.lower().startswith("access-control-")}  # fmt: skip


def cors():
    def answer(request):
        fields = [("Access-Control-Allow-Origin", "https://wrong.example"), ("Vary", "Accept"), ("X-Origin", "1")]
        return http_message("HTTP/1.1 200 OK", fields, request.method.encode())

    origin, proxy = start(routes=CORS, function=answer)
    yes = {"allow-credentials": "true"}
    for who in ("https://app.example", "https://a.example.com", "https://a.b.example.com", "http://localhost:3000"):
        response = once(proxy.port, "OPTIONS", "/api/x", [("Origin", who)] + PREFLIGHT)
        is_((response.status, response.body, response.get("content-length")), (204, b"", None), "a preflight")
        is_(allowed(response), dict(yes, **{"allow-origin": who, "allow-methods": "PUT, DELETE",
            "allow-headers": "X-Token, Content-Type", "max-age": "3600"}), "%s may" % who)  # fmt: skip
        is_(response.tokens("vary"), ["origin"], "Vary: Origin")
    no = ("https://evil.example", "https://example.com", "https://evil-example.com", "http://app.example", "null",
          "https://app.example:444", "https://evil.example/.example.com", "https://evil.example:1@x.example.com",
          "https://.example.com", "https://app.example.evil")  # fmt: skip
    for who in no:
        response = once(proxy.port, "OPTIONS", "/api/x", [("Origin", who)] + PREFLIGHT)
        is_((response.status, allowed(response), response.tokens("vary")), (204, {}, ["origin"]), "%s may not" % who)
    is_(len(origin.requests), 0, "the backend hears of no preflight")
    client = Client(proxy.port)
    for number in range(2):
        is_(client.request("OPTIONS", "/api", [("Origin", no[0])] + PREFLIGHT).status, 204, "a connection lives on")

    response = once(proxy.port, target="/api/x", headers=[("Origin", "https://app.example")])
    is_(allowed(response), dict(yes, **{"allow-origin": "https://app.example", "expose-headers": "X-Origin"}),
        "an answer that scripts may read; the backend's word is replaced")  # fmt: skip
    is_(sorted(response.tokens("vary")), ["accept", "origin"], "Vary has both")
    response = once(proxy.port, target="/api/x", headers=[("Origin", "https://evil.example")])
    is_((response.status, allowed(response)), (200, {}), "an answer that they may not read")
    response = once(proxy.port, target="/api/x")
    is_((allowed(response), "origin" in response.tokens("vary")), ({}, True), "without an Origin: Vary all the same")
    response = once(proxy.port, "OPTIONS", "/api/x", [("Origin", "https://app.example")])
    is_((response.status, response.body), (200, b"OPTIONS"), "OPTIONS that is no preflight is forwarded")

    response = once(proxy.port, "OPTIONS", "/open/x", [("Origin", "https://any.example")] + PREFLIGHT)
    is_((response.status, allowed(response)), (204, {"allow-origin": "*", "max-age": "600"}), "* is for all")
    response = once(proxy.port, target="/open/x", headers=[("Origin", "null")])
    is_((allowed(response), response.tokens("vary")), ({"allow-origin": "*"}, ["accept"]), "and does not vary")


def cors_of_failures():
    _origin, proxy = start(
        policies="  - cors: { allow_origins: [https://app.example] }\n"
        "  - headers: { request: { remove: [Origin] } }\n",
        routes="  - match: { path: { prefix: /gone } }\n    backend: { host: 127.0.0.1, port: %d }\n" % free_port(),
        backend=False,
    )
    for target, status in (("/gone", 502), ("/nowhere", 404)):
        response = once(proxy.port, target=target, headers=[("Origin", "https://app.example")])
        is_(response.status, status, "%s: %d" % (target, status))
        is_(allowed(response), {"allow-origin": "https://app.example"}, "scripts may read why")


subtest("redirects", redirects)
subtest("redirects stay on this host", redirects_that_lead_elsewhere_than_they_say)
subtest("who is there already goes on", redirects_for_those_who_are_there)
subtest("redirects to TLS", redirects_to_tls)
subtest("rewrites", rewrites)
subtest("rewrites and normalize_path", rewrites_of_paths_that_are_kept)
subtest("headers", changed_headers)
subtest("headers of GoMesh's own answers", headers_of_our_own_answers)
subtest("headers of a tunnel", headers_of_a_tunnel)
subtest("policies that fail", policies_that_fail)
subtest("access", access)
subtest("access behind trusted proxies", access_behind_proxies)
subtest("cors", cors)
subtest("cors of failures", cors_of_failures)
rows = re.findall(r"(?m)^\| `(?:routes\[\]\.)?(policies\[\][^`]+)` \|", "\n".join(gomesh_run("reference").out))
# those that are always there have 50builtin-policies.t
rows = [row for row in rows if row.split(".")[1] not in ("recovery", "tracing", "metrics", "logging")]
ok(len(rows) > 20, "the reference has %d options of policies" % len(rows))
is_(sorted(set(rows) - USED), [], "each was used here")
done()
