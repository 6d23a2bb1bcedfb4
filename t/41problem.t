#!/usr/bin/env python3
"""
Every row of the failure table is provoked, and what the client and the log are told is compared word for
word: status, Proxy-Status, text and problem JSON, to clients that are told all and to those that are not.
README.md explains each row.
"""
import json
import os
import re
import signal
import socket
import ssl
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "lib"))
from gomesh_test import *  # noqa: E402,F403
from gomesh_http2_origin import H2Origin, backend_of  # noqa: E402
from gomesh_process import ROOT  # noqa: E402
from gomesh_tools import issued_certificate  # noqa: E402

OURS = ENGINE == "gomesh"
JSON = ("Accept", "application/json")
PHRASES = {
    400: "Bad Request",
    404: "Not Found",
    403: "Forbidden",
    408: "Request Timeout",
    413: "Content Too Large",
    414: "URI Too Long",
    417: "Expectation Failed",
    431: "Request Header Fields Too Large",
    500: "Internal Server Error",
    501: "Not Implemented",
    502: "Bad Gateway",
    503: "Service Unavailable",
    504: "Gateway Timeout",
    505: "HTTP Version Not Supported",
}
PROVOKED = {}


class Told:
    """What is to be told of one failure."""

    def __init__(
        self, status, error, sentence, cause, next_step, retryable=False, is_public=False, is_read=True
    ):
        self.status, self.error, self.sentence = status, error, sentence
        self.cause, self.next_step = cause, next_step
        self.retryable = retryable
        self.is_public = is_public  # all clients are told the cause
        self.is_read = is_read  # the request's head was, so the proxy knows what the client accepts


class Scene:
    """A proxy at which requests fail in one way."""

    def __init__(self, proxy, ask, backend=None, request="GET /x"):
        self.proxy, self.ask, self.backend, self.request = proxy, ask, backend, request

    def log_line(self, name, cause):
        if self.backend:
            return "[ERROR] %s → %s failed: %s (%s)" % (self.request, self.backend, name, cause)
        return "[WARN] %s failed: %s (%s)" % (self.request, name, cause)


def provoked(name, told, ours_only=False):
    def register(provoke):
        PROVOKED[name] = (told, provoke, ours_only)
        return provoke

    return register


def scene(backend, settings, method="GET", target="/x", body=None, named=True, **more):
    """The usual one: a request of a connection of its own."""
    host, port = backend if isinstance(backend, tuple) else ("127.0.0.1", backend)
    proxy = Proxy((host, port), **dict(settings, **more))

    def ask(headers):
        return once(proxy.port, method, target, headers, body, seconds=60)

    authority = "%s:%d" % (host, port) if named else None
    return Scene(proxy, ask, authority, "%s %s" % (method, target))


def raw_scene(settings, request, line, backend=None, **more):
    """A request that no decent client would send; %s in it is where the fields belong."""
    backend = backend or Origin(answering(fine)).port
    proxy = Proxy(backend, **dict(settings, **more))

    def ask(headers):
        client = Client(proxy.port)
        client.send(request % "".join("%s: %s\r\n" % header for header in headers))
        return client.read_response()

    return Scene(proxy, ask, None, line)


def fine(_request):
    return http_message("HTTP/1.1 200 OK", [], b"fine")


def breaking(answer=b"", then=lambda wire: None):
    """An origin that sends this to each request, and then does that."""

    def handler(wire):
        wire.origin.saw(wire.read_request())
        wire.send(answer)
        then(wire)

    return Origin(handler).port


# --- a scene for each row -----------------------------------------------------------------------------------


@provoked(
    "bad_request",
    Told(
        400,
        "http_request_error",
        "the request cannot be understood",
        "a percent sign without two hexadecimal digits in the path",
        "the same request with curl -v, which shows what is sent",
        is_public=True,
    ),
)
def bad_request(settings):
    return scene(Origin(answering(fine)).port, settings, target="/%zz", named=False)


@provoked(
    "no_route",
    Told(
        404,
        "destination_not_found",
        "no route matches this request",
        "no route matches, and there is no proxy.backend",
        "a route for it, or proxy.backend for all other requests",
    ),
)
def no_route(settings):
    route = {"match": {"path": {"prefix": "/a"}}, "backend": {"host": "127.0.0.1", "port": 1}}
    proxy = Proxy(routes=[route], **settings)
    return Scene(proxy, lambda headers: once(proxy.port, target="/x", headers=headers))


@provoked(
    "access_denied",
    Told(
        403,
        "http_request_denied",
        "this client may not ask for this",
        "127.0.0.1 is denied by the policy access",
        "another address, or the policy access that the cause names",
    ),
)
def access_denied(settings):
    route = {"backend": {"host": "127.0.0.1", "port": 1}, "policies": [{"access": {"deny": ["127.0.0.1"]}}]}
    proxy = Proxy(routes=[route], **settings)
    return Scene(proxy, lambda headers: once(proxy.port, target="/x", headers=headers))


@provoked(
    "request_timeout",
    Told(
        408,
        "http_request_error",
        "the request did not arrive in time",
        "the request's body stopped arriving" if OURS else None,  # the library's is written past it
        "a longer proxy.timeout.read_timeout, if the client is only slow" if OURS else None,
        retryable=True,
        is_public=True,
        is_read=OURS,
    ),
)
def request_timeout(settings):
    head = "POST /x HTTP/1.1\r\nHost: a\r\n%sContent-Length: 10\r\n\r\nhalf"
    port = breaking()
    told = raw_scene(settings, head, "POST /x", port, timeout={"read_timeout": duration(300)})
    if OURS:
        told.backend = "127.0.0.1:%d" % port
    else:
        told.log_line = lambda name, _cause: (
            "[WARN] Connection from 127.0.0.1 ended: %s (a request stopped arriving)" % name
        )
    return told


@provoked(
    "payload_too_large",
    Told(
        413,
        "http_request_error",
        "the request body is larger than this proxy allows",
        "above proxy.limits.max_request_body",
        "a larger proxy.limits.max_request_body",
    ),
)
def payload_too_large(settings):
    return scene(
        Origin(answering(fine)).port,
        settings,
        "POST",
        body=b"x" * 1025,
        named=OURS,
        limits={"max_request_body": "1KiB"},
    )


@provoked(
    "uri_too_long",
    Told(
        414,
        "http_request_error",
        "the request's target is longer than this proxy allows",
        "a target that is too long",
        "a larger proxy.limits.max_target",
        is_public=True,
        is_read=False,
    ),
    ours_only=True,
)
def uri_too_long(settings):
    request = "GET /" + "x" * 1024 + " HTTP/1.1\r\nHost: a\r\n%s\r\n"
    return raw_scene(settings, request, "GET /" + "x" * 1023 + "…", limits={"max_target": "1KiB"})


@provoked(
    "expectation_failed",
    Told(
        417,
        "http_request_error",
        "only 100-continue can be expected",
        'an Expect other than "100-continue"' if OURS else "Expectation Failed",
        "the request without its Expect field",
        is_public=True,
        is_read=not OURS,
    ),
)
def expectation_failed(settings):
    request = "POST /x HTTP/1.1\r\nHost: a\r\nExpect: money\r\n%sContent-Length: 1\r\n\r\na"
    return raw_scene(settings, request, "POST /x")


@provoked(
    "header_too_large",
    Told(
        431,
        "http_request_error",
        "the request's head is larger than this proxy allows",
        "a field that is too long",
        "a larger proxy.limits.max_head, max_field or max_fields",
        is_public=True,
        is_read=False,
    ),
    ours_only=True,
)
def header_too_large(settings):
    request = "GET /x HTTP/1.1\r\nHost: a\r\n%sX-Long: " + "x" * 1024 + "\r\n\r\n"
    return raw_scene(settings, request, "GET /x", limits={"max_field": "1KiB"})


@provoked(
    "internal",
    Told(
        500,
        "proxy_internal_error",
        "the proxy made a mistake",
        "proxy.temp_dir: No such file or directory",
        "the proxy's log",
    ),
    ours_only=True,
)
def internal(settings):
    """Somebody takes the folder away that was there at the start."""
    folder = os.path.join(temporary_folder(), "taken-away")
    os.mkdir(folder)
    holding = {"request_buffering": True, "temp_dir": folder}
    view = scene(Origin(answering(fine)).port, settings, "POST", body=b"x" * 2000000, **holding)
    os.rmdir(folder)
    return view


@provoked(
    "not_implemented",
    Told(
        501,
        "http_request_denied",
        "the proxy does not serve this method",
        "the method CONNECT" if OURS else "CONNECT",
        "another method",
        is_public=True,
        is_read=not OURS,
    ),
)
def not_implemented(settings):
    request = "CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n%s\r\n"
    return raw_scene(settings, request, "CONNECT a:80")


@provoked(
    "version_not_supported",
    Told(
        505,
        "http_request_error",
        "the proxy does not speak this version of HTTP",
        "a version of HTTP other than 1.x",
        "HTTP/1.1",
        is_public=True,
        is_read=False,
    ),
    ours_only=True,
)
def version_not_supported(settings):
    return raw_scene(settings, "GET /x HTTP/3.0\r\nHost: a\r\n%s\r\n", "GET /x")


@provoked(
    "connect_refused",
    Told(
        502,
        "connection_refused",
        "the backend refused the connection",
        "{backend}: Connection refused",
        "curl http://{backend}/health",
        retryable=True,
    ),
)
def connect_refused(settings):
    return scene(free_port(), settings)


@provoked(
    "connect_failed",
    Told(
        502,
        "destination_ip_unroutable",
        "the backend cannot be reached",
        "{backend}: Network is unreachable",
        "curl http://{backend}/health",
        retryable=True,
    ),
)
def connect_failed(settings):
    return scene(("224.0.0.1", 80), settings)  # TCP knows no groups


@provoked(
    "connection_reset",
    Told(
        502,
        "connection_terminated",
        "the backend reset the connection",
        "reset before an answer",
        "curl -v http://{backend}/health",
        retryable=True,
    ),
    ours_only=True,  # the library tells no reset from an end
)
def connection_reset(settings):
    return scene(breaking(then=lambda wire: wire.reset()), settings)


@provoked(
    "connection_terminated",
    Told(
        502,
        "connection_terminated",
        "the backend closed the connection before it answered",
        "closed before an answer" if OURS else "I/O error (head)",
        "curl -v http://{backend}/health",
        retryable=True,
    ),
)
def connection_terminated(settings):
    return scene(breaking(b"HTTP/1.1 200 OK\r\nX-"), settings)


@provoked(
    "response_malformed",
    Told(
        502,
        "http_protocol_error",
        "the backend's answer is not valid HTTP",
        'a Transfer-Encoding other than "chunked"' if OURS else "failed to parse the response",
        "curl -v http://{backend}/health",
    ),
)
def response_malformed(settings):
    coding = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunk\r\n\r\n"  # this one ends the library's process
    return scene(breaking(coding if OURS else b"nonsense\r\n\r\n", lambda wire: wire.ends()), settings)


@provoked(
    "dns_failed",
    Told(
        502,
        "dns_error",
        "the backend's name cannot be resolved",
        "nosuch.test: Name or service not known",
        "getent hosts nosuch.test",
        retryable=True,
    ),
)
def dns_failed(settings):
    patience = {"connect_timeout": "60s"}
    return scene(("nosuch.test", 3000), settings, timeout=patience, wrapper=Hosts().wrapper)


def tls_scene(settings, origin):
    authority = issued_certificate("authority")
    config = proxy_config(free_port(), **settings)
    tls = {"ca_file": authority[0], "server_name": "backend.test"}
    config["proxy"]["backend"] = {"host": "127.0.0.1", "port": origin, "tls": tls}
    proxy = Proxy(yaml=to_yaml(config), port=config["proxy"]["listen_port"])
    return Scene(
        proxy,
        lambda headers: once(proxy.port, target="/x", headers=headers),
        "127.0.0.1:%d" % origin,
    )


@provoked(
    "tls_handshake_failed",
    Told(
        502,
        "tls_protocol_error",
        "the TLS handshake with the backend failed",
        "{backend}: ssl handshake failure",
        "openssl s_client -connect {backend}",
        retryable=True,
    ),
    ours_only=True,
)
def tls_handshake_failed(settings):
    def plain(wire):
        wire.send(b"this is no TLS")
        wire.ends()

    return tls_scene(settings, Origin(plain).port)


@provoked(
    "tls_certificate_invalid",
    Told(
        502,
        "tls_certificate_error",
        "the backend's certificate is not trusted",
        "{backend}: unable to get local issuer certificate",
        "openssl s_client -connect {backend}",
    ),
    ours_only=True,
)
def tls_certificate_invalid(settings):
    def secret(wire):
        try:
            wire.sock = context.wrap_socket(wire.sock, server_side=True)
        except ssl.SSLError:
            pass  # the proxy says why it leaves

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    strangers = issued_certificate("strangers")
    context.load_cert_chain(*issued_certificate("backend", strangers, "DNS:backend.test"))
    return tls_scene(settings, Origin(secret).port)


@provoked(
    "no_endpoint",
    Told(
        503,
        "destination_unavailable",
        "the backend's name has no address",
        "empty.test: No address associated with hostname",
        "getent ahosts empty.test",
        retryable=True,
    ),
)
def no_endpoint(settings):
    patience = {"connect_timeout": "60s"}
    return scene(("empty.test", 3000), settings, timeout=patience, wrapper=NameServer("empty.test").wrapper)


@provoked(
    "draining",
    Told(
        503,
        "proxy_internal_response",
        "the proxy is shutting down",
        "proxy.timeout.shutdown_timeout is over",
        "again in a second, or a longer proxy.timeout.shutdown_timeout",
        retryable=True,
    ),
    ours_only=True,
)
def draining(settings):
    """Asks again and again, so each time another proxy has to end."""
    origin = Origin(lambda wire: (wire.origin.saw(wire.read_request()), wire.ends()))
    last = Scene(None, None, "127.0.0.1:%d" % origin.port)

    def ask(headers):
        last.proxy = Proxy(origin.port, timeout={"shutdown_timeout": "0s"}, **settings)
        client = Client(last.proxy.port)
        seen = len(origin.requests)
        client.send_request(target="/x", headers=headers)
        origin.wait_requests(seen + 1)
        last.proxy.send(signal.SIGTERM)
        return client.read_response()

    last.ask = ask
    return last


@provoked(
    "overloaded",
    Told(
        503,
        "connection_limit_reached",
        "the proxy has no room for this request at the moment",
        "proxy.upstream.max_connections are in use, and none was free in time",
        "again in a second, or more room in what the cause names",
        retryable=True,
    ),
    ours_only=True,
)
def overloaded(settings):
    origin = Origin(lambda wire: (wire.origin.saw(wire.read_request()), wire.ends()))
    limit = {"max_connections": 1}
    busy = scene(origin.port, settings, workers=1, upstream=limit, timeout={"connect_timeout": duration(300)})
    Client(busy.proxy.port).send_request()
    origin.wait_requests(1)
    return busy


@provoked(
    "connect_timeout",
    Told(
        504,
        "connection_timeout",
        "the backend did not accept the connection in time",
        "{backend}: no answer within connect_timeout",
        "curl http://{backend}/health, or a longer proxy.timeout.connect_timeout",
        retryable=True,
    ),
)
def connect_timeout(settings):
    return scene(blackhole(), settings, timeout={"connect_timeout": duration(300)})


@provoked(
    "response_timeout",
    Told(
        504,
        "http_response_timeout",
        "the backend did not answer in time",
        "silent for read_timeout" if OURS else "I/O timeout",
        "curl http://{backend}/health, or a longer proxy.timeout.read_timeout",
        retryable=True,
    ),
)
def response_timeout(settings):
    port = breaking(then=lambda wire: wire.ends())
    return scene(port, settings, timeout={"read_timeout": duration(300)})


@provoked(
    "request_total_timeout",
    Told(
        504,
        "http_response_timeout",
        "the answer took longer than this proxy allows",
        "request_timeout is over",
        "curl http://{backend}/health, or a longer proxy.timeout.request_timeout",
        retryable=True,
    ),
)
def request_total_timeout(settings):
    port = breaking(then=lambda wire: wire.ends())
    return scene(port, settings, timeout={"request_timeout": duration(300)})


# --- what is compared ---------------------------------------------------------------------------------------


def quoted(text):
    """Inside a structured field's string."""
    return text.replace("\\", "\\\\").replace('"', '\\"')


def check_answer(name, told, stage, response, known, as_json):
    """known: the members that this client is told, in order."""
    is_(response.status, told.status, "status %d" % told.status)
    is_(response.reason, PHRASES[told.status], "reason phrase")
    is_(response.get("cache-control"), "no-store", "%s: nobody keeps it" % stage)
    details = "%s: %s" % (name, told.sentence)
    extra = "; ".join("%s: %s" % (key, quoted(known[key])) for key in ("backend", "cause") if key in known)
    is_(
        response.get("proxy-status"),
        'gomesh; error=%s; details="%s%s"' % (told.error, details, " (%s)" % extra if extra else ""),
        "%s: Proxy-Status" % stage,
    )
    if not as_json:
        is_(response.get("content-type"), "text/plain; charset=utf-8", "%s: Content-Type" % stage)
        lines = [details] + ["%s: %s" % item for item in known.items()]
        is_(response.text, "".join(line + "\n" for line in lines), "%s: the text" % stage)
        return
    is_(response.get("content-type"), "application/problem+json", "%s: Content-Type" % stage)
    problem = {"type": "about:blank", "title": PHRASES[told.status], "status": told.status}
    problem.update({"detail": told.sentence, "failure": name, "retryable": told.retryable}, **known)
    is_(json.loads(response.text), problem, "%s: the JSON" % stage)


def told_of(told, view):
    """What a client on this machine is told, in order."""
    known = {"backend": view.backend, "cause": told.cause, "try": told.next_step}
    return {key: text.replace("{backend}", view.backend or "") for key, text in known.items() if text}


def row(name):
    told, provoke, _ours_only = PROVOKED[name]
    view = provoke({})
    known = told_of(told, view)
    check_answer(name, told, "text", view.ask([]), known, False)
    check_answer(name, told, "JSON", view.ask([JSON]), known, told.is_read)
    if told.is_read:
        public = {"cause": known["cause"]} if told.is_public else {}
        for_another = [("X-Forwarded-For", "192.0.2.1")]
        check_answer(name, told, "text for another machine", view.ask(for_another), public, False)
        check_answer(name, told, "JSON for another machine", view.ask(for_another + [JSON]), public, True)
    line = view.log_line(name, known.get("cause"))
    ok(view.proxy.wait_line("^" + re.escape(line) + "$", seconds=5), "the log: " + line)
    view = provoke({"error_details": "none"})
    check_answer(name, told, "text without details", view.ask([]), {}, False)
    check_answer(name, told, "JSON without details", view.ask([JSON]), {}, told.is_read)


# --- rows that no answer tells of ---------------------------------------------------------------------------


def cut_off(answer, name, cause, then=lambda wire: None, **more):
    """The answer had begun: the client sees that it is not whole, and the log why."""
    view = scene(breaking(answer, then), {}, **more)
    try:
        view.ask([])
        ok(False, "the answer is not whole")
    except (ProtocolError, ConnectionError):
        ok(True, "the answer is not whole")
    line = view.log_line(name, cause)
    ok(view.proxy.wait_line("^" + re.escape(line) + "$", seconds=5), "the log: " + line)


def response_truncated():
    cut_off(
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf",
        "response_truncated",
        "the backend broke off within its answer" if OURS else "I/O error (body; content-length)",
    )


def response_timeout_late():
    cut_off(
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf",
        "response_timeout",
        "silent for read_timeout",
        lambda wire: wire.ends(),
        timeout={"read_timeout": duration(300)},
    )


def client_gone():
    origin = Origin(lambda wire: (wire.origin.saw(wire.read_request()), wire.ends()))
    proxy = Proxy(origin.port)
    client = Client(proxy.port)
    client.send_request(target="/x")
    origin.wait_requests(1)
    client.close()
    line = "[INFO] GET /x → 127.0.0.1:%d failed: client_gone (before its answer)" % origin.port
    ok(proxy.wait_line("^" + re.escape(line) + "$"), "the log: " + line)


def client_stalled():
    def handler(wire):
        wire.read_request()
        wire.send("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (64 << 20))
        for _ in range(1024):
            wire.send(b"x" * 65536)

    proxy = Proxy(Origin(handler).port, timeout={"write_timeout": duration(300)})
    client = Client(proxy.port, receive_buffer=4096)
    client.send_request(target="/x")
    line = "[WARN] Connection from 127.0.0.1 ended: client_stalled (it takes no bytes of its answer)"
    ok(proxy.wait_line("^" + re.escape(line) + "$"), "the log: " + line)


def tunnel_idle_timeout():
    switch = "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n"
    port = breaking(switch.encode(), lambda wire: wire.ends())
    proxy = Proxy(port, timeout={"tunnel_idle_timeout": duration(300)})
    client = Client(proxy.port)
    client.send_request(target="/x", headers=[("Connection", "upgrade"), ("Upgrade", "x")])
    is_(client.read_response_head().status, 101, "a tunnel opens")
    ok(client.ends(), "and ends")
    line = "[ERROR] GET /x → 127.0.0.1:%d failed: tunnel_idle_timeout (neither side said a word)" % port
    ok(proxy.wait_line("^" + re.escape(line) + "$"), "the log: " + line)


# --- only backends of HTTP/2 ---------------------------------------------------------------------------------


def scene_of_http2(serve, settings):
    origin = H2Origin(serve)
    proxy = Proxy(backend_of(origin), **settings)
    return Scene(proxy, lambda headers: once(proxy.port, "GET", "/x", headers, seconds=60), "127.0.0.1:%d" % origin.port, "GET /x")


@provoked(
    "stream_reset",
    Told(
        502,
        "http_response_incomplete",
        "the backend reset the stream of this request",
        "it reset the stream: INTERNAL_ERROR",
        "the backend's log",
        retryable=True,
    ),
    True,
)
def stream_reset(settings):
    return scene_of_http2(lambda stream: stream.reset("INTERNAL_ERROR"), settings)


@provoked(
    "stream_refused",
    Told(
        503,
        "connection_limit_reached",
        "the backend refused the request before it looked at it",
        "it refused the stream: REFUSED_STREAM",
        "again in a second, or the backend's limit of streams",
        retryable=True,
    ),
    True,
)
def stream_refused(settings):
    return scene_of_http2(lambda stream: stream.reset("REFUSED_STREAM"), settings)


@provoked(
    "protocol_mismatch",
    Told(
        502,
        "http_protocol_error",
        "the backend does not speak the HTTP version that it is configured for",
        "it does not speak HTTP/2",
        "protocol: http1 for this backend",
    ),
    True,
)
def protocol_mismatch(settings):
    origin = Origin(lambda wire: (wire.sock.recv(65536), wire.send(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"), wire.ends()))
    proxy = Proxy({"host": "127.0.0.1", "port": origin.port, "protocol": "h2"}, **settings)
    return Scene(proxy, lambda headers: once(proxy.port, "GET", "/x", headers, seconds=60), "127.0.0.1:%d" % origin.port, "GET /x")


def deadline_exceeded():
    """Only gRPC's clients give one, and theirs are other answers: see 55grpc.t."""
    origin = Origin(lambda wire: (wire.origin.saw(wire.read_request()), wire.ends()))
    proxy = Proxy(origin.port)
    fields = [("Content-Type", "application/grpc"), ("grpc-timeout", "%dm" % (300 * SLOW))]
    is_(once(proxy.port, "POST", "/x", fields, b"").get("grpc-status"), "4", "an answer of gRPC's")
    line = "[ERROR] POST /x → 127.0.0.1:%d failed: deadline_exceeded (its grpc-timeout is over)" % origin.port
    ok(proxy.wait_line("^" + re.escape(line) + "$"), "the log: " + line)


UNANSWERED = {
    "response_truncated": response_truncated,
    "client_gone": client_gone,
    "client_stalled": client_stalled,
    "tunnel_idle_timeout": tunnel_idle_timeout,
    "deadline_exceeded": deadline_exceeded,
}
OURS_ONLY = {"client_gone", "deadline_exceeded", "tunnel_idle_timeout"} | {name for name, entry in PROVOKED.items() if entry[2]}


# --- who is told what ---------------------------------------------------------------------------------------


def address_of_this_machine():
    """One that is not a loopback address, or None."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        try:
            sock.connect(("192.0.2.1", 9))  # sends nothing
            address = sock.getsockname()[0]
        except OSError:
            return None
    return None if address.startswith("127.") else address


def clients():
    port = free_port()
    short = "connect_refused: the backend refused the connection\n"
    long = short + "backend: 127.0.0.1:%d\ncause: 127.0.0.1:%d: Connection refused\n" % (port, port)
    long += "try: curl http://127.0.0.1:%d/health\n" % port
    views = {details: Proxy(port, error_details=details) for details in ("auto", "all", "none")}

    def text(details, headers=(), address="127.0.0.1"):
        return once(views[details].port, headers=headers, address=address).text

    is_(text("auto"), long, "auto: this machine is told all")
    is_(text("auto", address="127.0.0.2"), long, "auto: by each of its loopback addresses")
    if listening_sockets(views["auto"].pid, views["auto"].port)["tcp6"]:
        is_(text("auto", address="::1"), long, "auto: also by IPv6")
    for field in ("X-Forwarded-For: 192.0.2.1", "Forwarded: for=192.0.2.1", "Via: 1.1 front"):
        field = tuple(field.split(": "))
        is_(text("auto", [field]), short, "auto: not a request that another proxy hands on: %s" % field[0])
        is_(text("all", [field]), long, "all: that too")
    is_(text("none"), short, "none: nobody is")
    address = address_of_this_machine()
    if not address:
        skip("clients elsewhere", "this machine has no other address")
        return
    is_(text("auto", address=address), short, "auto: another machine is not")
    is_(text("all", address=address), long, "all: everybody is")
    proxy = Proxy(Origin(answering(fine)).port)
    like(
        once(proxy.port, target="/%zz", address=address).text,
        r"\Abad_request: [^\n]+\ncause: [^\n]+\n\Z",
        "what is wrong with their own requests all clients are told, but not what to try",
    )


def accepting():
    proxy = Proxy(free_port())
    for accept, is_json in (
        ("application/json", True),
        ("application/problem+json", True),
        ("application/vnd.api+json", True),
        ("application/json, text/plain, */*", True),
        ("application/json;q=0.2, text/plain;q=0.1", True),
        ("*/*", False),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", False),
        ("application/json;q=0.5, text/plain", False),
        ("application/json;q=0", False),
        ("", False),
    ):
        response = once(proxy.port, headers=[("Accept", accept)])
        wanted = "application/problem+json" if is_json else "text/plain; charset=utf-8"
        is_(response.get("content-type"), wanted, "Accept: " + accept)
    response = once(proxy.port, headers=[("Accept", "text/plain;q=0.5"), ("Accept", "application/json")])
    is_(response.get("content-type"), "application/problem+json", "two Accept fields")
    for accept in ("*/*", "application/json"):
        client = Client(proxy.port)
        head = client.request("HEAD", headers=[("Accept", accept)])
        get = client.request("GET", headers=[("Accept", accept)])
        is_((head.status, head.body), (502, b""), "HEAD: no body")
        for name in ("content-type", "content-length", "proxy-status"):
            is_(head.get(name), get.get(name), "HEAD: the %s of GET" % name)


# --- the table and the manual -------------------------------------------------------------------------------


def text_of(*names):
    with open(os.path.join(ROOT, *names), encoding="utf-8") as file:
        return file.read()


ROWS = re.findall(r'^    X\(\w+, +(\d+), "(\w+)", +(\w+),', text_of("src", "telemetry", "failure.h"), re.M)
TABLE = {name: status for status, name, _grpc in ROWS}
GRPC = {name: grpc for _status, name, grpc in ROWS}


def the_table():
    ok(len(TABLE) > 20, "the table has %d rows" % len(TABLE))
    known = set(PROVOKED) | set(UNANSWERED)
    is_(sorted(known), sorted(TABLE), "each row has its place here")
    for name, (told, _provoke, _ours_only) in PROVOKED.items():
        is_(TABLE[name], str(told.status), "%s: %d" % (name, told.status))


def the_manual():
    section = re.search(r"^## When a request fails\n(.*?)^## ", text_of("README.md"), re.M | re.S).group(1)
    rows = re.findall(r"^\| (`.+?`) \| (\d+|–) \| (\w+) \| \S.* \|$", section, re.M)
    listed = {name: status for names, status, _grpc in rows for name in re.findall(r"`(\w+)`", names)}
    wanted = {name: "–" if name in UNANSWERED else status for name, status in TABLE.items()}
    is_(listed, wanted, "README.md lists each row with its status, and no other")
    listed = {name: grpc for names, _status, grpc in rows for name in re.findall(r"`(\w+)`", names)}
    is_(listed, GRPC, "and with what clients of gRPC get")


for name in PROVOKED:
    if OURS or name not in OURS_ONLY:
        subtest(name, row, name)
for name, function in UNANSWERED.items():
    if OURS or name not in OURS_ONLY:
        subtest(name, function)
if OURS:
    subtest("response_timeout, within the answer", response_timeout_late)
subtest("who is told what", clients)
subtest("what is accepted", accepting)
subtest("the table", the_table)
subtest("the manual", the_manual)
done()
