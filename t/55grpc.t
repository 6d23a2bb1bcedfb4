#!/usr/bin/env python3
"""
gRPC through the proxy, its client by raw frames, its service an HTTP/1.1 origin with trailers: what passes, what the
proxy's own failures look like, deadlines, and what logs, metrics, spans and the admin window say.
"""
import json
import os
import re
import signal
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "lib"))
from gomesh_http2 import *  # noqa: E402,F403
from gomesh_test import *  # noqa: E402,F403
from gomesh_tools import Hosts  # noqa: E402

if ENGINE == "h2o":
    skip_all("gRPC is the engine gomesh's")

CALL = [("content-type", "application/grpc"), ("te", "trailers")]
CODES = ["OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND", "ALREADY_EXISTS",
         "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE", "UNIMPLEMENTED",
         "INTERNAL", "UNAVAILABLE", "DATA_LOSS", "UNAUTHENTICATED"]  # fmt: skip
HEAD = "HTTP/1.1 200 OK\r\nContent-Type: application/grpc\r\n"
CHUNKED = HEAD + "Transfer-Encoding: chunked\r\n\r\n"
JSON_LOG = {"level": "info", "format": "json"}


def message(data):
    """One message of gRPC's, not compressed."""
    return b"\0" + len(data).to_bytes(4, "big") + data


def chunk(data):
    return b"%x\r\n%s\r\n" % (len(data), data)


def ending(*fields):
    return "0\r\n%s\r\n" % "".join("%s: %s\r\n" % field for field in fields)


class Service(Origin):
    """The method of a path's last segment serves it: on_Echo(wire, head)."""

    def __init__(self, **options):
        super().__init__(self.dispatch, **options)

    def dispatch(self, wire):
        while True:
            head = wire.read_request_head()
            if head is None:
                return
            name = "on_" + head.target.split("/")[-1]
            if name == "on_Chat":  # the body comes bit by bit
                self.saw(head)
                return self.on_Chat(wire, head)
            wire.read_body(head, until_end=False)
            self.saw(head)
            getattr(self, name)(wire, head)

    def on_Echo(self, wire, head):
        wire.send(CHUNKED.encode() + (chunk(head.body) if head.body else b"") + ending(("grpc-status", "0"), ("grpc-message", "fine"), ("x-bin", "AAEC")).encode())

    def on_NotFound(self, wire, _head):
        wire.send(HEAD + "grpc-status: 5\r\ngrpc-message: no such thing\r\nContent-Length: 0\r\n\r\n")

    def on_Late(self, wire, _head):
        wire.send(CHUNKED.encode() + chunk(message(b"x")) + ending(("grpc-status", "10")).encode())

    def on_Strange(self, wire, _head):
        wire.send(CHUNKED + ending(("grpc-status", "99")))

    def on_Bare(self, wire, _head):
        wire.send(CHUNKED.encode() + chunk(message(b"x")) + b"0\r\n\r\n")

    def on_Page(self, wire, _head):
        wire.send("HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/html\r\nContent-Length: 4\r\n\r\nbusy")

    def on_Hang(self, wire, _head):
        wire.ends()

    def on_Half(self, wire, _head):
        wire.send(CHUNKED.encode() + chunk(message(b"half")))
        wire.ends()

    def on_Truncated(self, wire, _head):
        wire.send(CHUNKED.encode() + chunk(message(b"half")) + b"5\r\nab")
        raise ConnectionError("hangs up")

    def on_Chat(self, wire, _head):
        """Answers each chunk with a chunk, and the end with the end."""
        wire.send(CHUNKED)
        while True:
            size = int(wire.read_line(), 16)
            if size == 0:
                break
            wire.send(chunk(wire.read_exactly(size)))
            wire.read_line()
        wire.read_line()
        wire.send(ending(("grpc-status", "0")))


def call(client, method, headers=(), body=message(b"hello"), path=None, **more):
    return client.request("POST", path or "/t.Service/" + method, CALL + list(headers), body, length=False, **more)


def lines_of(proxy, count):
    """What the log says of the requests that are over, as soon as there are so many."""
    pattern = r'^\{.*"msg":"request completed".*"protocol":"HTTP/'
    wait_until(lambda: proxy.count(pattern) >= count, "%d lines" % count)
    return [json.loads(line) for line in proxy.out if re.search(pattern, line)]


def facts(line):
    return tuple(line.get("grpc_" + name) for name in ("service", "method", "status"))


def samples(proxy):
    page = once(proxy.port, target="/metrics").text
    found = re.findall(r'^gomesh_grpc_requests_total\{service="(.*)",method="(.*)",grpc_status="(.*)"\} (\d+)$', page, re.M)
    return {found[:3]: int(found[3]) for found in found}


def status_of(response):
    """The code of an answer without a body, in words; checks its form."""
    is_trailers_only = response.body == b"" and not response.trailers and len(response.all("grpc-status")) == 1
    if (response.status, response.get("content-type"), is_trailers_only) != (200, "application/grpc", True):
        return "%d %r %r %r" % (response.status, response.headers, response.body, response.trailers)
    return CODES[int(response.get("grpc-status"))]


def check_refusal(response, code, failure, what=None):
    is_(status_of(response), code, "%s: %s" % (what or failure, code))
    like(response.get("grpc-message"), r"\A%s: [ -~]+\Z" % failure, "grpc-message names %s" % failure)
    like(response.get("proxy-status"), r'details="%s: ' % failure, "so does Proxy-Status")
    is_((response.get("content-length"), response.get("cache-control")), (None, "no-store"), "and it is an answer of gRPC's")


# --- what passes --------------------------------------------------------------------------------------------------------------


def what_passes():
    service = Service()
    proxy = H2Proxy(service.port)
    client = proxy.client()
    metadata = [
        ("x-token-bin", "AAECAwT/"), ("x-two", "1"), ("x-custom", "a, b"), ("x-two", "2"), ("x-token-bin", "//79"),
        ("grpc-encoding", "gzip"), ("grpc-accept-encoding", "identity,deflate,gzip"), ("user-agent", "grpc-test/1"),
    ]  # fmt: skip
    body = message(b"one") + b"\1\0\0\0\4\x1f\x8b\x08\0"
    response = call(client, "Echo", metadata, body)
    is_((response.status, response.body), (200, body), "the answer's messages, compressed ones too")
    is_(response.trailers, [("grpc-status", "0"), ("grpc-message", "fine"), ("x-bin", "AAEC")], "and its trailers")
    is_(response.get("content-type"), "application/grpc", "its head")
    seen = service.requests[-1]
    mine = {name for name, _value in metadata}
    is_([(n.lower(), v) for n, v in seen.headers if n.lower() in mine], metadata, "metadata arrives as it was sent, in its order")
    is_((seen.get("te"), seen.get("content-type"), seen.body), ("trailers", "application/grpc", body), "TE: trailers, and the request's messages")
    response = client.request("POST", "/t.Service/Echo", CALL[:1], body, length=False)
    is_(dict(response.trailers).get("grpc-status"), "0", "trailers reach a client of HTTP/2 that did not ask for them")
    large = message(some_bytes(5 << 20))
    response = call(client, "Echo", body=large)
    ok(response.body == large, "a message of 5 MiB, both ways")
    is_(call(client, "NotFound").get("grpc-message"), "no such thing", "an answer without a body is the service's own")
    is_(call(client, "Page").text, "busy", "one that is not of gRPC's passes as it is")


def both_ways():
    service = Service()
    proxy = H2Proxy(service.port, log=JSON_LOG)
    client = proxy.client()
    stream = client.send_headers(None, client.fields("POST", "/t.Service/Chat", CALL))
    got = client.streams[stream]
    for number in range(1, 6):
        client.send_data(stream, message(b"%d" % number))
        client.wait(lambda: len(got.body) == 6 * number)
        is_(bytes(got.body[-6:]), message(b"%d" % number), "message %d is answered while both sides go on" % number)
    ok(not got.ended, "the stream stays open")
    client.send_data(stream, b"", end_stream=True)
    is_(client.response(stream).trailers, [("grpc-status", "0")], "the client's end is answered with the service's")
    line = lines_of(proxy, 1)[0]
    is_((facts(line), line["bytes_in"], line["bytes_out"]), (("t.Service", "Chat", "OK"), 30, 30), "its line")


def the_same_by_http1():
    service = Service()
    proxy = H2Proxy(service.port, log=JSON_LOG)
    client = Client(proxy.port)
    response = client.request("POST", "/t.Service/Echo", CALL[:1] + [("Connection", "te"), ("TE", "trailers")], message(b"x"))
    is_((response.status, dict(response.trailers).get("grpc-status")), (200, "0"), "trailers for who accepts them")
    response = client.request("POST", "/t.Service/Late", CALL[:1], message(b"x"))
    is_((response.status, response.trailers), (200, []), "none for who does not")
    is_([facts(line)[2] for line in lines_of(proxy, 2)], ["OK", "ABORTED"], "the log knows of both")
    proxy = H2Proxy(free_port())
    response = once(proxy.port, "POST", "/t.Service/Echo", CALL[:1], message(b"x"))
    is_((status_of(response), response.get("content-length")), ("UNAVAILABLE", "0"), "a failure: in the head, without a body")


def who_speaks_grpc():
    proxy = H2Proxy(free_port())
    client = proxy.client()
    for kind in ("application/grpc", "application/grpc+proto", "application/grpc+json", "application/grpc;x=y"):
        response = client.request("POST", "/a.B/C", [("content-type", kind)], b"", length=False)
        is_(status_of(response), "UNAVAILABLE", kind)
    for kind in ("application/grpc-web", "application/grpc-web+proto", "application/grpcs", "application/json"):
        response = client.request("POST", "/a.B/C", [("content-type", kind)], b"", length=False)
        is_((response.status, response.get("grpc-status")), (502, None), kind + " is something else")
    is_(client.request("PUT", "/a.B/C", CALL, b"").status, 502, "so is another method")
    is_(client.request("POST", "/a.B/C", [], b"").status, 502, "and a request without a type")


# --- failures -----------------------------------------------------------------------------------------------------------------


def failures():
    here = "127.0.0.1"
    service = Service()
    proxy = H2Proxy(
        None,
        limits={"max_request_body": "1KiB", "max_head": "4KiB", "max_field": "2KiB", "max_target": "1KiB"},
        timeout={"read_timeout": duration(400)},
        log=JSON_LOG,
        routes=[
            {"match": {"path": {"prefix": "/down"}}, "backend": {"host": here, "port": free_port()}},
            {"match": {"path": {"prefix": "/up"}}, "backend": {"host": here, "port": service.port}},
            {"match": {"path": {"prefix": "/denied"}}, "backend": {"host": here, "port": service.port}, "policies": [{"access": {"deny": [here]}}]},
        ],
    )
    client = proxy.client()
    large = message(b"x" * 2000)
    many = [("x-%d" % number, "x" * 500) for number in range(12)]
    cases = [
        ("connect_refused", "UNAVAILABLE", "/down/M", {}),
        ("no_route", "UNIMPLEMENTED", "/else/M", {}),
        ("access_denied", "PERMISSION_DENIED", "/denied/M", {}),
        ("payload_too_large", "RESOURCE_EXHAUSTED", "/up/Echo", {"body": large}),
        ("response_timeout", "DEADLINE_EXCEEDED", "/up/Hang", {}),
        ("uri_too_long", "RESOURCE_EXHAUSTED", "/up/" + "x" * 2000, {}),
        ("header_too_large", "RESOURCE_EXHAUSTED", "/up/Echo", {"headers": many}),
        ("bad_request", "INTERNAL", "/up/Echo", {"headers": [("host", "another.test")]}),
    ]
    for failure, code, path, more in cases:
        check_refusal(call(client, None, path=path, **more), code, failure)
    lines = lines_of(proxy, len(cases))
    # one that is answered before its client has sent all may end later
    got = sorted((line["failure"], line["grpc_status"]) for line in lines)
    is_(got, sorted(case[:2] for case in cases), "the log has their words, and gRPC's")
    is_({line["status"] for line in lines}, {200}, "the status is what the client got")
    stream = client.start("POST", "/up/Truncated", CALL, message(b"x"), length=False)
    ok(client.wait_reset(stream), "an answer that breaks off resets its stream")
    stream = client.start("POST", "/up/Half", CALL, message(b"x"), length=False)
    ok(client.wait_reset(stream), "one that stops, too")
    lines = lines_of(proxy, len(cases) + 2)[-2:]
    is_([(line["failure"], line["grpc_status"]) for line in lines], [("response_truncated", "UNAVAILABLE"), ("response_timeout", "DEADLINE_EXCEEDED")], "their lines")
    stream = client.send_headers(None, client.fields("POST", "/up/Echo", CALL))
    client.send_data(stream, message(b"x"))
    check_refusal(client.response(stream), "DEADLINE_EXCEEDED", "request_timeout")
    is_(call(client, None, path="/up/Echo").status, 200, "the connection goes on")


def without_a_name():
    proxy = H2Proxy(("nosuch.test", 3000), wrapper=Hosts().wrapper)
    check_refusal(call(proxy.client(), "M"), "UNAVAILABLE", "dns_failed")


def draining():
    service = Service()
    proxy = H2Proxy(service.port, timeout={"shutdown_timeout": duration(200)})
    client = proxy.client()
    stream = client.start("POST", "/t.Service/Hang", CALL, message(b"x"), length=False)
    service.wait_requests(1)
    proxy.send(signal.SIGTERM)
    check_refusal(client.response(stream), "UNAVAILABLE", "draining")


def overloaded():
    service = Service()
    proxy = H2Proxy(service.port, workers=1, upstream={"max_connections": 1}, timeout={"connect_timeout": duration(300)})
    client = proxy.client()
    client.start("POST", "/t.Service/Hang", CALL, message(b"x"), length=False)
    service.wait_requests(1)
    response = call(client, "Echo")
    check_refusal(response, "UNAVAILABLE", "overloaded")
    is_(response.get("retry-after"), "1", "with Retry-After, as every failure of its kind")


def messages():
    proxy = H2Proxy(None, routes=[{"match": {"path": {"prefix": "/x"}}, "backend": {"host": "127.0.0.1", "port": 1}}])
    client = proxy.client()
    is_(call(client, "M", [("x-forwarded-for", "192.0.2.1")]).get("grpc-message"), "no_route: no route matches this request", "another machine is told less")
    proxy = H2Proxy(1, error_details="none")
    is_(call(proxy.client(), "M").get("grpc-message"), "connect_refused: the backend refused the connection", "error_details holds here, too")


def answers_of_policies():
    service = Service()
    routes = [
        {"match": {"path": {"prefix": "/old"}}, "policies": [{"redirect": {"prefix": "/new"}}]},
        {"match": {"path": {"prefix": "/set"}}, "backend": {"host": "127.0.0.1", "port": service.port}, "policies": [{"headers": {"request": {"set": [{"name": "grpc-timeout", "value": "7S"}]}}}]},
    ]
    proxy = H2Proxy(None, routes=routes, log=JSON_LOG)
    client = proxy.client()
    response = call(client, None, path="/old/M?a=%c3")
    is_(status_of(response), "UNKNOWN", "a redirect is none that a client of gRPC follows")
    like(response.get("grpc-message"), r"\A30\d [A-Za-z ]+: /new/M\?a=%25c3\Z", "it is told where it leads")
    line = lines_of(proxy, 1)[0]
    is_((line["status"], line["failure"], line["grpc_status"]), (200, None, "UNKNOWN"), "its line")
    is_(client.request("POST", "/old/M", [], b"").status // 100, 3, "other clients are redirected")
    call(client, None, [("grpc-timeout", "20S")], path="/set/Echo")
    is_(service.requests[-1].all("grpc-timeout"), ["7S"], "a policy has the last word about what the backend is told")


# --- deadlines ----------------------------------------------------------------------------------------------------------------

NS = {"n": 1, "u": 10**3, "m": 10**6, "S": 10**9, "M": 60 * 10**9, "H": 3600 * 10**9}


def nanoseconds(text):
    if not re.match(r"\A[0-9]{1,8}[HMSmun]\Z", text or ""):
        ok(False, "a grpc-timeout: %r" % text)
        return 0
    return int(text[:-1]) * NS[text[-1]]


def what_the_backend_is_told():
    service = Service()
    proxy = H2Proxy(service.port)
    client = proxy.client()
    for text in ("99999999H", "99999999M", "1000H", "20S", "00000020S", "30000m", "99999999u", "10M"):
        is_(call(client, "Echo", [("grpc-timeout", text)]).status, 200, text)
        told = service.requests[-1].all("grpc-timeout")
        left, asked = nanoseconds(told[0]), nanoseconds(text)
        known = min(asked, 2**63)
        ok(len(told) == 1 and 0 < left <= asked and left > known - known // 100 - 10 * SLOW * 10**9, "%s becomes %s" % (text, told))
    call(client, "Echo")
    is_(service.requests[-1].all("grpc-timeout"), [], "without one there is none")
    client.request("POST", "/t.Service/Echo", [("grpc-timeout", "nonsense")], b"", length=False)
    is_(service.requests[-1].all("grpc-timeout"), ["nonsense"], "to other requests it is a field as any other")


def told_after_waiting():
    """What a turn has taken is missing from what the backend is told."""
    service = Service()
    proxy = H2Proxy(service.port, workers=1, upstream={"max_connections": 1}, timeout={"connect_timeout": duration(20000)})
    client = proxy.client()
    hanging = client.start("POST", "/t.Service/Hang", CALL, message(b"x"), length=False)
    service.wait_requests(1)
    start = now()
    stream = client.start("POST", "/t.Service/Echo", CALL + [("grpc-timeout", "60S")], message(b"x"), length=False)
    client.ping()
    for _ in trickle([0], 300):
        pass
    client.cancel(hanging)
    is_(client.response(stream).status, 200, "it had its turn")
    left = nanoseconds(service.requests[-1].get("grpc-timeout"))
    waited = 1000 * (now() - start)
    ok(60000 - waited - 10 <= left / 1e6 <= 60000 - 290, "what it waited is missing: %.3f s" % (left / 1e9))


def over_before_the_answer():
    service = Service()
    proxy = H2Proxy(service.port, log=JSON_LOG)
    client = proxy.client()
    start = now()
    wait = "%dm" % (300 * SLOW)
    check_refusal(call(client, "Hang", [("grpc-timeout", wait)]), "DEADLINE_EXCEEDED", "deadline_exceeded")
    ok(300 <= elapsed_since(start) < 3000, "after the time, and soon after it")
    line = lines_of(proxy, 1)[0]
    is_((line["failure"], line["detail"]), ("deadline_exceeded", "its grpc-timeout is over"), "its line")
    check_refusal(call(client, "Echo", [("grpc-timeout", "0S")]), "DEADLINE_EXCEEDED", "deadline_exceeded", "none at all")
    is_(len(service.requests), 1, "such a one goes nowhere")
    stream = client.send_headers(None, client.fields("POST", "/t.Service/Chat2", CALL + [("grpc-timeout", wait)]))
    check_refusal(client.response(stream), "DEADLINE_EXCEEDED", "deadline_exceeded", "while the request is still sent")
    is_(call(client, "Echo", [("grpc-timeout", "20S")]).status, 200, "the connection goes on")
    many = [client.start("POST", "/t.Service/Hang", CALL + [("grpc-timeout", "%dm" % (SLOW * (100 + 37 * n % 200)))], message(b"x"), length=False) for n in range(50)]
    is_({status_of(client.response(stream)) for stream in many}, {"DEADLINE_EXCEEDED"}, "fifty at once, in any order")
    is_(set(samples(proxy).items()) & {(("t.Service", "Hang", "DEADLINE_EXCEEDED"), 51)}, {(("t.Service", "Hang", "DEADLINE_EXCEEDED"), 51)}, "and counted")


def over_while_waiting():
    """For a connection that nobody accepts, for a turn, for a body that is held."""
    service = Service()
    wait = [("grpc-timeout", "%dm" % (300 * SLOW))]
    check_refusal(call(H2Proxy(blackhole()).client(), "M", wait), "DEADLINE_EXCEEDED", "deadline_exceeded", "for a connection")
    client = H2Proxy(service.port, workers=1, upstream={"max_connections": 1}, timeout={"connect_timeout": duration(20000)}).client()
    client.start("POST", "/t.Service/Hang", CALL, message(b"x"), length=False)
    service.wait_requests(1)
    check_refusal(call(client, "Echo", wait), "DEADLINE_EXCEEDED", "deadline_exceeded", "for a turn")
    client = H2Proxy(None, routes=[{"match": {"path": {"prefix": "/"}}, "request_buffering": True, "backend": {"host": "127.0.0.1", "port": service.port}}]).client()
    stream = client.send_headers(None, client.fields("POST", "/t.Service/Echo", CALL + wait))
    client.send_data(stream, message(b"x"))
    check_refusal(client.response(stream), "DEADLINE_EXCEEDED", "deadline_exceeded", "for a body that is held")
    is_(len(service.requests), 1, "the service knows of none of these")


def over_within_the_answer():
    service = Service()
    proxy = H2Proxy(service.port, log=JSON_LOG)
    client = proxy.client()
    stream = client.start("POST", "/t.Service/Half", CALL + [("grpc-timeout", "%dm" % (400 * SLOW))], message(b"x"), length=False)
    ok(client.wait_reset(stream), "the stream is reset")
    is_(bytes(client.streams[stream].body), message(b"half"), "after what had come")
    line = lines_of(proxy, 1)[0]
    is_((line["failure"], line["status"], line["grpc_status"]), ("deadline_exceeded", 200, "DEADLINE_EXCEEDED"), "its line")
    proxy = H2Proxy(service.port, timeout={"request_timeout": duration(300)})
    check_refusal(call(proxy.client(), "Hang", [("grpc-timeout", "1H")]), "DEADLINE_EXCEEDED", "request_total_timeout", "a shorter request_timeout rules")


def malformed_deadlines():
    service = Service()
    proxy = H2Proxy(service.port)
    client = proxy.client()
    for text in ("", "1", "S", "123456789S", "1 S", "-1S", "1s", "1h", "1ms", "1.5S", "1S,2S"):
        check_refusal(call(client, "Echo", [("grpc-timeout", text)]), "INTERNAL", "bad_request", "grpc-timeout %r" % text)
    check_refusal(call(client, "Echo", [("grpc-timeout", "1S"), ("grpc-timeout", "1S")]), "INTERNAL", "bad_request", "two of them")
    is_(service.requests, [], "none of it reaches the service")


def refused_beside_calls():
    """The memory of one head serves the next: nothing of the last one may be seen in it."""
    service = Service()
    client = H2Proxy(service.port, workers=1).client()
    is_(dict(call(client, "Echo").trailers)["grpc-status"], "0", "a call")
    response = client.request("POST", "/", scheme="https")
    is_((response.status, response.get("content-type")), (400, "text/plain; charset=utf-8"), "a refused request without fields is none")
    check_refusal(client.request("POST", "/t.Service/Echo", CALL, scheme="https"), "INTERNAL", "bad_request", "a refused call is one")


# --- retries ------------------------------------------------------------------------------------------------------------------


def never_twice():
    """A connection dies under a call that was sent: nobody knows whether it was executed."""
    calls = []

    def once_then_silent(wire):
        while True:
            request = wire.read_request()
            if request is None:
                return
            calls.append(request.target)
            if request.target.endswith("Die"):
                return wire.reset()
            wire.send(CHUNKED + ending(("grpc-status", "0")))

    proxy = H2Proxy(Origin(once_then_silent).port, workers=1)
    client = proxy.client()
    is_(dict(call(client, "Fine").trailers), {"grpc-status": "0"}, "a connection that will be used again")
    response = call(client, "Die")
    is_((status_of(response), calls), ("UNAVAILABLE", ["/t.Service/Fine", "/t.Service/Die"]), "the client decides on another try")


# --- what is said of them -----------------------------------------------------------------------------------------------------


def records():
    service = Service()
    admin = free_port()
    proxy = H2Proxy(service.port, log=JSON_LOG, workers=1, admin={"listen": "127.0.0.1:%d" % admin})
    client = proxy.client()
    expected = [
        ("Echo", "OK"), ("NotFound", "NOT_FOUND"), ("Late", "ABORTED"), ("Strange", "UNKNOWN"), ("Bare", "UNKNOWN"), ("Page", "UNAVAILABLE"),
    ]  # fmt: skip
    for method, _status in expected:
        call(client, method)
    lines = lines_of(proxy, len(expected))
    is_([facts(line) for line in lines], [("t.Service",) + pair for pair in expected], "service, method and status")
    missing = [line["grpc_method"] for line in lines if line.get("grpc_status_missing")]
    is_(missing, ["Bare", "Page"], "who had no status is marked")
    is_([line["failure"] for line in lines], [None] * len(lines), "none of this is a failure of the proxy's")
    stream = client.start("POST", "/t.Service/Half", CALL, message(b"x"), length=False)
    client.wait(lambda: client.streams[stream].body)
    client.cancel(stream)
    line = lines_of(proxy, len(expected) + 1)[-1]
    is_((facts(line), line["failure"]), (("t.Service", "Half", "CANCELLED"), "client_gone"), "one that its client cancelled")
    for path in ("/a", "/a/b/c", "/a//b", "/a%20b/c", "/"):
        call(client, None, path=path + "/Echo" if path != "/" else "/Echo")
    lines = lines_of(proxy, len(expected) + 6)[-5:]
    is_([facts(line) for line in lines][0], ("a", "Echo", "OK"), "any names will do")
    is_([facts(line) for line in lines][1:], [(None, None, "OK")] * 4, "other paths have none")
    client.request("POST", "/t.Service/Echo", [], b"x")
    line = lines_of(proxy, len(expected) + 7)[-1]
    is_([name for name in line if name.startswith("grpc")], [], "other requests have nothing of it")
    counted = samples(proxy)
    is_(counted.get(("t.Service", "Echo", "OK")), 1, "metrics: a sample per method and status")
    is_(counted.get(("t.Service", "Half", "CANCELLED")), 1, "a cancelled one")
    is_((counted.get(("a", "Echo", "OK")), counted.get(("other", "other", "OK"))), (1, 4), "those without names are others")
    is_(sum(counted.values()), len(expected) + 6, "and all are counted once")
    page = json.loads(once(admin, target="/requests", host="localhost").text)["requests"]
    shown = {facts(request) for request in page}
    ok({("t.Service",) + pair for pair in expected} <= shown and (None, None, "OK") in shown, "the admin window shows the same")
    text = once(admin, target="/requests?text", host="localhost").text
    like(text, r"(?m)^\[INFO\] request completed: POST /t.Service/NotFound 200 \S+ms grpc_status=NOT_FOUND remote_addr=", "as text, too")


def made_up_names():
    """Who asks for what does not exist takes no room from those who do not."""
    service = Service()
    proxy = H2Proxy(None, routes=[
        {"match": {"path": {"prefix": "/t.Service"}}, "backend": {"host": "127.0.0.1", "port": service.port}}], metrics={"max_series": 80})  # fmt: skip
    client = proxy.client()
    for number in range(100):
        call(client, None, path="/made.Up/M%d" % number, body=None)
    call(client, "Echo")
    call(client, "NotFound")
    counted = samples(proxy)
    is_(sum(1 for key in counted if key[0] == "made.Up"), 11, "an eighth of the room is for names that nobody answered")
    is_(counted[("other", "other", "UNIMPLEMENTED")], 89, "the others are counted together")
    is_((counted[("t.Service", "Echo", "OK")], counted[("t.Service", "NotFound", "NOT_FOUND")]), (1, 1), "real ones have their own")


def spans():
    service = Service()
    collector = Origin(answering(lambda request: http_message("HTTP/1.1 200 OK", [], b"{}")))
    proxy = H2Proxy(
        None,
        tracing={"otlp": {"endpoint": "http://127.0.0.1:%d" % collector.port, "sample": 1, "delay": "10ms"}},
        routes=[
            {"match": {"path": {"prefix": "/down"}}, "backend": {"host": "127.0.0.1", "port": free_port()}},
            {"match": {"path": {"prefix": "/"}}, "backend": {"host": "127.0.0.1", "port": service.port}},
        ],
    )
    client = proxy.client()
    for path in ("/t.Service/Echo", "/t.Service/NotFound", "/t.Service/Bare", "/down/M", "/a/b/Echo"):
        call(client, None, path=path)
    is_(proxy.stop(), 0, "all spans are out")
    found = {}
    for request in collector.requests:
        for span in json.loads(request.body)["resourceSpans"][0]["scopeSpans"][0]["spans"]:
            values = {pair["key"]: next(iter(pair["value"].values())) for pair in span["attributes"]}
            path = values.get("url.path") or re.sub(r"^http://[^/]+", "", values["url.full"])
            names = ("rpc.system", "rpc.service", "rpc.method", "rpc.grpc.status_code", "error.type")
            found[(path, span["kind"])] = [values.get(name) for name in names] + [span.get("status", {}).get("code")]
    expected = {
        ("/t.Service/Echo", 2): ["grpc", "t.Service", "Echo", "0", None, None],
        ("/t.Service/Echo", 3): ["grpc", "t.Service", "Echo", "0", None, None],
        ("/t.Service/NotFound", 2): ["grpc", "t.Service", "NotFound", "5", None, None],
        ("/t.Service/NotFound", 3): ["grpc", "t.Service", "NotFound", "5", "NOT_FOUND", 2],
        ("/t.Service/Bare", 2): ["grpc", "t.Service", "Bare", "2", "UNKNOWN", 2],
        ("/t.Service/Bare", 3): ["grpc", "t.Service", "Bare", "2", "UNKNOWN", 2],
        ("/down/M", 2): ["grpc", "down", "M", "14", "connect_refused", 2],
        ("/down/M", 3): ["grpc", "down", "M", None, "connect_refused", 2],
        ("/a/b/Echo", 2): ["grpc", None, None, "0", None, None],
        ("/a/b/Echo", 3): ["grpc", None, None, "0", None, None],
    }
    for key, values in expected.items():
        is_(found.get(key), values, "%s, kind %d" % key)


for what in (what_passes, both_ways, the_same_by_http1, who_speaks_grpc, failures, without_a_name, draining, overloaded, messages,
             answers_of_policies, what_the_backend_is_told, told_after_waiting, over_before_the_answer, over_while_waiting,
             over_within_the_answer, malformed_deadlines, refused_beside_calls, never_twice, records, made_up_names, spans):  # fmt: skip
    subtest(what.__name__.replace("_", " "), what)
done()
