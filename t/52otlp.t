#!/usr/bin/env python3
"""Spans on their way to a collector: what they say, which ones, and that a collector can do no harm."""
import json
import os
import re
import ssl
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "lib"))
from gomesh_test import *  # noqa: E402,F403
from gomesh_tools import certificate, issued_certificate  # noqa: E402

ID = "0af7651916cd43dd8448eb211c80319c"
PARENT = "b7ad6b7169203331"
SAMPLED, NOT_SAMPLED = "00-%s-%s-01" % (ID, PARENT), "00-%s-%s-00" % (ID, PARENT)
SERVER, CLIENT = 2, 3
ACCEPTED = http_message("HTTP/1.1 200 OK", [("Content-Type", "application/json")], b"{}")


def value(value):
    ((kind, content),) = value.items()
    return int(content) if kind == "intValue" else content


def attributes(of):
    pairs = [(pair["key"], value(pair["value"])) for pair in of["attributes"]]
    if len(pairs) != len(dict(pairs)):
        ok(False, "no attribute comes twice: %r" % pairs)
    return dict(pairs)


class Collector(Origin):
    """Takes what OTLP/HTTP sends; answer(number of the request, counted from 1) may be another than 200."""

    def __init__(self, answer=lambda number: ACCEPTED, **options):
        self.answer = answer
        super().__init__(answering(lambda request: self.answer(len(self.requests))), **options)

    def spans(self):
        found = []
        for request in list(self.requests):
            for resource in json.loads(request.body)["resourceSpans"]:
                for scope in resource["scopeSpans"]:
                    found += scope["spans"]
        return found

    def wait_spans(self, count):
        self.wait(lambda self: len(self.spans()) >= count, "%d spans" % count)
        return self.spans()


USED = set()


def use(otlp):
    """The settings, which are noted as tested."""
    USED.update(otlp)
    for name, parts in (("headers[]", otlp.get("headers", [{}])[0]), ("tls", otlp.get("tls", {}))):
        USED.update("%s.%s" % (name, part) for part in parts)
    return {"otlp": otlp}


def exporting(collector, backend=None, **otlp):
    settings = {"endpoint": "http://127.0.0.1:%d" % collector.port, "sample": 1, "delay": "10ms"}
    settings.update(otlp)
    backend = backend or Origin(answering(lambda request: http_message("HTTP/1.1 200 OK", [], b"hello")))
    return backend, Proxy(backend.port, tracing=use(settings), log={"format": "json"})


def send(proxy, head):
    client = Client(proxy.port)
    client.send(head)
    return client.read_response()


def metric(proxy, name):
    return int(re.search(r"(?m)^%s (\d+)$" % name, once(proxy.port, target="/metrics").body.decode()).group(1))


def one_request():
    """Two spans: what the proxy did, and what it asked of the backend."""
    collector = Collector()
    backend, proxy = exporting(collector, service_name="shop")
    response = once(
        proxy.port,
        "POST",
        "/a/b?c=d",
        [("traceparent", SAMPLED), ("tracestate", "a=1"), ("User-Agent", 'me "x"')],
        b"12345",
        host="shop.example:81",
    )
    is_(response.status, 200, "an answer")
    server, client = collector.wait_spans(2)
    request = collector.requests[0]
    is_((request.method, request.target, request.get("content-type")), ("POST", "/v1/traces", "application/json"),
        "where OTLP/HTTP goes")  # fmt: skip
    resource = attributes(json.loads(request.body)["resourceSpans"][0]["resource"])
    is_((resource["service.name"], resource["process.pid"]), ("shop", proxy.pid), "who we are")
    ids = [span["traceId"] for span in (server, client)]
    is_((ids, server["parentSpanId"], client["parentSpanId"]), ([ID, ID], PARENT, server["spanId"]), "a chain of parents")
    is_(backend.requests[0].all("traceparent"), ["00-%s-%s-01" % (ID, client["spanId"])], "and the backend is the next")
    is_((server["kind"], client["kind"]), (SERVER, CLIENT), "kinds")
    is_((server["name"], client["name"]), ("POST /", "POST"), "names, of which there are few")
    is_([span.get("traceState") for span in (server, client)], ["a=1"] * 2, "the state of the trace")
    is_((server["flags"], client["flags"]), (0x301, 0x101), "sampled; the parent of the first is remote")
    is_([span.get("status") for span in (server, client)], [None, None], "no error")
    check_times(server, client)
    of = attributes(server)
    phases = [of.pop(key) for key in list(of) if key.startswith("gomesh.phase.")]
    took = (int(server["endTimeUnixNano"]) - int(server["startTimeUnixNano"])) / 1e6
    ok(abs(sum(phases) - took) < 0.001, "the phases add up to the span")
    want = {"http.request.method": "POST", "url.scheme": "http", "url.path": "/a/b", "url.query": "c=d",
            "server.address": "shop.example", "server.port": 81, "client.address": "127.0.0.1",
            "network.peer.address": "127.0.0.1", "network.protocol.version": "1.1", "user_agent.original": 'me "x"',
            "http.route": "/", "http.response.status_code": 200, "http.request.body.size": 5,
            "http.response.body.size": 5, "gomesh.route": "backend", "gomesh.cluster": "backend", "gomesh.attempts": 1}  # fmt: skip
    asked = {"http.request.method": "POST", "url.full": "http://127.0.0.1:%d/a/b?c=d" % backend.port,
         "server.address": "127.0.0.1", "server.port": backend.port, "network.peer.address": "127.0.0.1",
         "network.peer.port": backend.port, "network.protocol.version": "1.1", "http.response.status_code": 200}  # fmt: skip
    if ENGINE == "h2o":  # which does not tell
        want["http.request.body.size"] = 0
        asked = {key: asked[key] for key in asked if not key.startswith("network.peer.")}
    is_(of, want, "what the server span knows")
    is_(attributes(client), asked, "what the client span knows")


def check_times(server, client):
    times = [int(span[key]) for span in (server, client) for key in ("startTimeUnixNano", "endTimeUnixNano")]
    ok(times[0] <= times[2] <= times[3] <= times[1], "an attempt lies within its request: %r" % times)


def which_ones():
    """A client's word counts for its own trace; for others the share."""
    collector = Collector()
    _backend, proxy = exporting(collector, sample=0)
    for headers in ([], [("X-Trace-ID", "1" * 32)], [("traceparent", NOT_SAMPLED)], [("traceparent", "nonsense")]):
        once(proxy.port, headers=headers)
    once(proxy.port, headers=[("traceparent", SAMPLED)])
    once(proxy.port, target="/metrics", headers=[("traceparent", SAMPLED)])
    once(proxy.port, headers=[("traceparent", SAMPLED.replace(PARENT, "c" * 16))])
    collector.wait_spans(4)
    proxy.stop()
    is_([span["traceId"] for span in collector.spans()], [ID] * 4, "with a share of nothing, only what a client wants")
    collector = Collector()
    backend, proxy = exporting(collector, sample=0.25)
    client = Client(proxy.port)
    for number in range(256):
        client.request(headers=[("X-Trace-ID", "%016x%016x" % (7, number << 48))])
    proxy.stop()
    exported = {int(span["traceId"][18:], 16) >> 48 for span in collector.spans()}
    is_((min(exported), len(exported)), (192, 64), "of ids, the highest quarter of what 56 bits hold, as others choose")
    flags = [seen.get("traceparent")[-2:] for seen in backend.requests]
    is_((flags[:192], flags[192:]), (["00"] * 192, ["01"] * 64), "and the backend knows which")


def a_quarter_of_all():
    """Ids that are made here are spread evenly."""
    collector = Collector()
    _backend, proxy = exporting(collector, sample=0.25, batch=2000)
    client = Client(proxy.port)
    for _ in range(1000):
        client.request()
    proxy.stop()
    count = len(collector.spans()) // 2
    ok(150 < count < 350, "of 1,000 about 250: %d" % count)


def failures():
    """The word is the one in the answer and in the log."""
    collector = Collector()
    refused = free_port()
    proxy = Proxy(refused, tracing={"otlp": {"endpoint": "http://127.0.0.1:%d/" % collector.port, "sample": 1,
                                             "delay": "10ms"}})  # fmt: skip
    is_(once(proxy.port).status, 502, "a backend that is down")
    server, client = collector.wait_spans(2)
    for span, name in ((server, "server"), (client, "client")):
        is_((span["status"]["code"], attributes(span)["error.type"]), (2, "connect_refused"), name + ": an error")
        like(span["status"]["message"], r"^connect_refused: 127\.0\.0\.1:%d: " % refused, name + ": and why")
    is_(attributes(server)["http.response.status_code"], 502, "the answer's status")
    ok("http.response.status_code" not in attributes(client), "the backend gave none")
    send(proxy, b"BREW / HTTP/1.1\r\nHost: a b\r\n\r\n")
    refusal = collector.wait_spans(3)[2]
    is_((refusal["kind"], attributes(refusal)["error.type"]), (SERVER, "bad_request"), "a head that was refused has one span")


def statuses():
    """What a backend itself says: 404 is the client's mistake, not the server's."""
    answers = {"/404": (None, 2), "/500": (2, 2), "/200": (None, None)}
    backend = Origin(answering(lambda request: http_message("HTTP/1.1 %s Such" % request.target[1:], [], b"")))
    collector = Collector()
    _backend, proxy = exporting(collector, backend)
    for target in answers:
        once(proxy.port, target=target)
    spans = collector.wait_spans(6)
    got = {}
    for span in spans:
        path = attributes(span).get("url.path") or "/" + attributes(span)["url.full"].rsplit("/", 1)[1]
        got.setdefault(path, []).append(span.get("status", {}).get("code"))
    is_({path: tuple(codes) for path, codes in got.items()}, answers, "errors as the conventions have them")
    types = [str(attributes(span).get("error.type")) for span in spans]  # of several workers: in any order
    is_(sorted(types), ["404", "500", "500", "None", "None", "None"], "error.type")


def another_try():
    """An idle connection that was dead: a span for each attempt, and the backend sees the last."""
    def serve(wire):
        request = wire.read_request()
        wire.origin.saw(request)
        wire.send(http_message("HTTP/1.1 200 OK", [], b"x"))
        if len(wire.origin.requests) == 1:
            wire.read_request()  # and hangs up: the connection was idle, and is dead

    backend, collector = Origin(serve), Collector()
    _backend, proxy = exporting(collector, backend)
    client = Client(proxy.port)
    client.request()
    client.request()
    server, first, second = collector.wait_spans(5)[2:]
    is_([first["parentSpanId"], second["parentSpanId"]], [server["spanId"]] * 2, "both are parts of the request")
    is_((attributes(first)["error.type"], first["status"]["code"]), ("connection_terminated", 2), "the first failed")
    is_((attributes(second)["http.request.resend_count"], second.get("status")), (1, None), "the second did not")
    ok(first["spanId"] != second["spanId"], "each has its own id")
    is_(backend.requests[-1].get("traceparent")[36:52], second["spanId"], "which the backend is told")
    ok(int(first["endTimeUnixNano"]) <= int(second["startTimeUnixNano"]), "one after the other")
    is_((attributes(server)["gomesh.attempts"], server.get("status")), (2, None), "and the request went well")


def oddities():
    """Whatever clients send, batches are JSON and their spans are whole."""
    collector = Collector()
    _backend, proxy = exporting(collector)
    for agent, host, target in (
        ("\xff\xfe\x80", "a:80808", "/%22%5C"),
        ("x" * 9000, "a:", "/" + "y" * 9000 + "?" + "z" * 5000),
        ("", "[2001:db8::1]:8080", "/?"),
    ):
        once(proxy.port, headers=[("User-Agent", agent)], target=target, host=host)
    send(proxy, b"PROPFIND /x HTTP/1.1\r\nHost: h\r\n\r\n")
    is_(once(proxy.port).status, 200, "and the proxy goes on")
    proxy.stop()
    spans = [attributes(span) for span in collector.spans() if span["kind"] == SERVER]
    odd = [span.get("http.request.method_original") for span in spans if span["http.request.method"] == "_OTHER"]
    ok("PROPFIND" in odd, "a method that few know: %r" % odd)
    ok(all(len(str(text)) <= 2048 for span in spans for text in span.values()), "long texts are cut")
    v6 = [(span["server.address"], span.get("server.port")) for span in spans if "db8" in span.get("server.address", "")]
    is_(v6, [("2001:db8::1", 8080)], "an address of IPv6 without brackets")


def batches():
    """As many as are there go at once; a full batch does not wait."""
    collector = Collector()
    _backend, proxy = exporting(collector, batch=10, delay="1m")
    client = Client(proxy.port)
    for _ in range(5):
        client.request()
    collector.wait_requests(1)
    is_(len(collector.spans()), 10, "a full batch goes out long before the delay is over")
    client.request()
    is_(proxy.stop(), 0, "an orderly end")
    is_(len(collector.spans()), 12, "takes along what was left")
    is_(collector.connections, 1, "all on one connection")


def again_later():
    """503 and 429 are tried again with the same spans, 400 is not."""
    def answer(number):
        if number == 1:
            return http_message("HTTP/1.1 503 Busy", [("Retry-After", "1")], b"")
        return http_message("HTTP/1.1 400 Bad", [], b"no") if number == 3 else ACCEPTED

    collector = Collector(answer)
    _backend, proxy = exporting(collector, delay="10ms")
    once(proxy.port)
    collector.wait_requests(2)
    is_(collector.requests[0].body, collector.requests[1].body, "the same batch once more")
    wait_until(lambda: metric(proxy, "gomesh_spans_exported_total") == 2, "it counts as exported")
    once(proxy.port)
    collector.wait_requests(3)
    wait_until(lambda: metric(proxy, "gomesh_spans_dropped_total") == 2, "what is refused is dropped")
    is_(len(collector.requests), 3, "and not sent again")
    proxy.wait_line(r"spans do not reach .*status 503.*they wait")
    proxy.wait_line(r"spans reach http://127.0.0.1:\d+ again; 0 were dropped meanwhile")
    proxy.wait_line(r"spans do not reach .*status 400")


def away():
    """Nobody is there: the queue fills, the rest is counted, requests are served as if nothing were."""
    port = free_port()
    backend = Origin(answering(lambda request: http_message("HTTP/1.1 200 OK", [], b"hello")))
    proxy = Proxy(backend.port, tracing={"otlp": {"endpoint": "http://127.0.0.1:%d" % port, "sample": 1, "queue": 20,
                                                  "batch": 10, "delay": "10ms"}})  # fmt: skip
    client = Client(proxy.port)
    is_({client.request().status for _ in range(100)}, {200}, "requests are served")
    wait_until(lambda: metric(proxy, "gomesh_spans_dropped_total") >= 200 - 30, "what found no room is counted")
    proxy.wait_line(r"spans do not reach http://127.0.0.1:%d: connect_refused" % port)
    is_(proxy.count(r"spans do not reach"), 1, "one line, not one for each batch")
    collector = Collector(port=port)
    collector.wait_requests(1)
    proxy.wait_line(r"spans reach .* again; \d+ were dropped meanwhile")
    is_(proxy.stop(), 0, "an orderly end")
    ok(10 <= len(collector.spans()) <= 30, "what was kept arrived: %d" % len(collector.spans()))


def silent():
    """A collector that takes everything and never answers: neither requests nor the end wait for it."""
    def take(wire):
        while wire.sock.recv(65536):
            wire.origin.saw("a piece")

    collector = Origin(take)
    _backend, proxy = exporting(collector, timeout="1h", queue=50, batch=10)
    client = Client(proxy.port)
    is_({client.request().status for _ in range(100)}, {200}, "requests are served")
    collector.wait_requests(1)
    is_(proxy.stop(), 0, "an orderly end, which does not wait for it")


def hostile():
    """A collector's answers are as little trusted as anybody's."""
    for answer in (b"nonsense\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
                   b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * (3 << 20), b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz",
                   b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"):  # fmt: skip
        collector = Collector(lambda number, answer=answer: answer if number == 1 else ACCEPTED)
        _backend, proxy = exporting(collector, timeout="200ms")
        once(proxy.port)
        collector.wait_requests(1)
        is_((once(proxy.port).status, proxy.stop()), (200, 0), "nothing happens after %r" % answer[:40])


def by_tls():
    """An https endpoint, with the same checks as for backends, and with what authorizes."""
    cert, key = certificate("collector")
    collector = Origin(tls_answering(cert, key, lambda request: ACCEPTED))
    backend = Origin(answering(lambda request: http_message("HTTP/1.1 200 OK", [], b"hello")))
    otlp = {"endpoint": "https://localhost:%d/in" % collector.port, "sample": 1, "delay": "10ms",
            "headers": [{"name": "Authorization", "value": "Bearer ${TOKEN}"}], "tls": {"ca_file": cert}}  # fmt: skip
    window = free_port()
    proxy = Proxy(backend.port, tracing=use(otlp), env={"TOKEN": "s3cret"}, admin={"listen": "127.0.0.1:%d" % window})
    once(proxy.port)
    request = collector.wait_requests(1)
    is_((request.target, request.get("authorization")), ("/in", "Bearer s3cret"), "a path and a header of one's own")
    for target in ("/config", "/config?text"):
        shown = once(window, target=target, host="localhost").body.decode()
        ok("[hidden]" in shown and "s3cret" not in shown, "%s keeps it secret" % target)
    proxy.stop()
    del otlp["tls"]
    proxy = Proxy(backend.port, tracing={"otlp": otlp}, env={"TOKEN": "x"})
    is_(once(proxy.port).status, 200, "with a certificate that nobody knows")
    proxy.wait_line(r"spans do not reach .*tls_certificate_invalid")
    is_(len(collector.requests), 1, "nothing is sent")


def by_tls_otherwise():
    """The other settings of TLS, which are those of backends."""
    authority = issued_certificate("authority")
    cert, key = issued_certificate("spans", authority, "DNS:spans.example")
    mine = issued_certificate("me", authority)
    backend = Origin(answering(lambda request: http_message("HTTP/1.1 200 OK", [], b"hello")))
    asking = Origin(tls_answering(cert, key, lambda request: ACCEPTED, authority[0]))
    plain = Origin(tls_answering(cert, key, lambda request: ACCEPTED))
    for collector, tls, name in (
        (plain, {"verify": False}, "any certificate"),
        (plain, {"ca_file": authority[0], "server_name": "spans.example"}, "another name"),
        (asking, {"verify": False, "cert_file": mine[0], "key_file": mine[1]}, "a certificate of our own"),
    ):
        before = len(collector.requests)
        otlp = {"endpoint": "https://127.0.0.1:%d" % collector.port, "sample": 1, "delay": "10ms", "tls": tls}
        proxy = Proxy(backend.port, tracing=use(otlp))
        once(proxy.port)
        collector.wait_requests(before + 1)
        ok(True, name)


def mistakes():
    """Each has its place and says what would be right."""
    for otlp, said in (
        ("{}", r'3:\d+: error: .*"endpoint" is missing'),
        ("{ endpoint: localhost:4318 }", r"error: endpoint: .*begins with http://"),
        ("{ endpoint: 'http://localhost:8000' }", r"3:21: error: endpoint: this is a port of this proxy itself"),
        ("{ endpoint: 'http://a', headers: [{ name: Host, value: x }] }", r"error: name: "),
        ("{ endpoint: 'http://a', headers: [{ name: X, value: \"a\\nb\" }] }", r"error: value: it has a control character"),
        ("{ endpoint: 'http://a', batch: 100, queue: 10 }", r"error: batch: it is larger than queue"),
        ("{ endpoint: 'http://a', tls: {} }", r"error: tls: the endpoint is an http URL"),
        ("{ endpoint: 'https://a', tls: { cert_file: x.crt } }", r'error: tracing.otlp.tls: "key_file" is missing'),
        ("{ endpoint: 'http://a', sampel: 1 }", r'unknown key "sampel" in tracing.otlp; did you mean "sample"'),
    ):
        config = write_file("mistake.yaml", "proxy: { listen_port: 8000 }\ntracing:\n  otlp: %s\n" % otlp)
        run = gomesh_run("-t", "-config", config)
        is_(run.code, 78, "refused: " + otlp)
        like("\n".join(run.out + run.err), said, "with the reason")
    config = write_file("off.yaml", "tracing: { enabled: false, otlp: { endpoint: 'http://a' } }\n")
    like("\n".join(gomesh_run("-t", "-config", config).err), r"1:21: error: enabled: without traces", "no traces, no spans")


def tls_answering(cert, key, function, client_authority=None):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    if client_authority:
        context.load_verify_locations(client_authority)
        context.verify_mode = ssl.CERT_REQUIRED
    plain = answering(function)

    def handler(wire):
        try:
            wire.sock = context.wrap_socket(wire.sock, server_side=True)
        except OSError:
            return
        plain(wire)

    return handler


for function in (one_request, which_ones, a_quarter_of_all, failures, statuses, another_try, oddities, batches, again_later,
                 away, silent, hostile, by_tls, by_tls_otherwise, mistakes):  # fmt: skip
    subtest(function.__name__.replace("_", " "), function)
rows = re.findall(r"(?m)^\| `tracing\.otlp\.([^`]+)` \|", "\n".join(gomesh_run("reference").out))
ok(len(rows) > 10, "the reference has %d options" % len(rows))
is_(sorted(set(rows) - USED), [], "each was used here")
done()
