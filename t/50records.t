#!/usr/bin/env python3
"""One record per request: what its line says, where the time went, and what becomes of the line on a bad day."""
import json
import os
import re
import resource
import signal
import socket
import ssl
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "lib"))
from gomesh_tap import deadline, elapsed_since  # noqa: E402
from gomesh_test import *  # noqa: E402,F403
from gomesh_tools import NameServer, certificate  # noqa: E402

PAUSE_MS = 400
KIB = 1024
PHASES = "head route body queue dns connect tls sent first_byte last_byte".split()
PLAIN = http_message("HTTP/1.1 200 OK", [], b"hello")


def logging(backend, **settings):
    return Proxy(backend, log={"level": "debug", "format": "json"}, **settings)


def completed(proxy, count=1):
    """The records of the requests that are over, once there are so many."""
    wait_until(lambda: proxy.count(r'"request completed"') >= count, "%d lines" % count)
    records = [json.loads(line) for line in proxy.out]
    return [record for record in records if record["msg"] == "request completed"]


def pause():
    threading.Event().wait(duration_s(PAUSE_MS))


def duration_s(ms):
    return deadline(ms) / 1000


def check_phase(record, phase):
    """All time is in some phase, most of it where the pause was injected."""
    phases = record["phases"]
    ok(abs(sum(phases.values()) - record["latency_ms"]) <= 0.001, "the phases add up to the microsecond")
    ok(phases.get(phase, 0) >= 500 * duration_s(PAUSE_MS), "%s has the pause (%s)" % (phase, phases))
    is_(max(phases, key=phases.get), phase, "and no other")


def unverified():
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


# --- what a line says ----------------------------------------------------------------------------------------


def line_of_a_request():
    origin = Origin(answering(lambda request: http_message("HTTP/1.1 201 Created", [], b"hello")))
    proxy = logging(origin.port, routes=[{"name": "users", "match": {"path": {"prefix": "/users"}},
                                          "backend": {"host": "127.0.0.1", "port": origin.port}}])
    client = Client(proxy.port)
    client.request("POST", "/users/7?x='1'", body=b"abc")
    client.request("GET", "/other")
    first, second = completed(proxy, 2)
    wanted = {
        "level": "info", "method": "POST", "host": "gomesh.test", "path": "/users/7?x='1'", "status": 201,
        "remote_addr": "127.0.0.1", "bytes_in": 3, "bytes_out": 5, "protocol": "HTTP/1.1", "tls": None,
        "route": "users", "cluster": "backend", "endpoint": "127.0.0.1:%d" % origin.port, "attempts": 1,
        "reused": False, "failure": None,
    }
    is_({name: first.get(name) for name in wanted}, wanted, "its facts")
    ok("detail" not in first, "and no detail of a failure")
    is_((second["route"], second["reused"], second["bytes_in"]), ("backend", True, 0), "the connection was used again")
    ok(proxy.wait_line(r'"Request started: POST /users/7'), "at debug, a line when it starts")
    like(first["timestamp"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$", "a time with microseconds")


def text_line():
    origin = Origin(answering(lambda request: PLAIN))
    proxy = Proxy(origin.port)
    once(proxy.port, target="/a")
    proxy.wait_line(
        r"^\[INFO\] request completed: GET /a 200 \d+\.\d{3}ms remote_addr=127\.0\.0\.1 route=backend "
        r"endpoint=127\.0\.0\.1:%d trace_id=[0-9a-f]{32}$" % origin.port
    )
    ok(True, "the text form")
    client = Client(proxy.port)
    client.send(b"GET /\xff\xc2\x9b%0a HTTP/1.1\r\nHost: a\r\n\r\n")
    client.read_response()
    proxy.wait_line(r"^\[INFO\] request completed: GET /\\xff\\xc2\\x9b%0a 400 ")
    proxy.wait_line(r"^\[WARN\] GET /\\xff\\xc2\\x9b%0a failed: bad_request ")
    once(proxy.port, target="/last")
    proxy.wait_line(r"request completed: GET /last")
    is_([line for line in proxy.out if not line.startswith("[")], [], "bytes of clients begin no line")


def over_tls():
    certificate("records")
    origin = Origin(answering(lambda request: PLAIN))
    port = free_port()
    tls = {"listen_port": port, "cert_file": "records.crt", "key_file": "records.key"}
    proxy = logging(origin.port, tls=tls)
    once(port, tls=unverified())
    like(completed(proxy)[0]["tls"], r"^TLSv1\.[23]$", "the version of TLS")


def failures():
    port = free_port()
    proxy = logging(port)
    is_(once(proxy.port).status, 502, "nobody listens there")
    record = completed(proxy)[0]
    is_((record["status"], record["failure"], record["attempts"], record["endpoint"]),
        (502, "connect_refused", 1, None), "the failure by its word")
    like(record["detail"], r"Connection refused", "and what the system said")
    client = Client(proxy.port)
    client.send(b"GARBAGE\r\n\r\n")
    client.read_response()
    is_([r["failure"] for r in completed(proxy, 2)], ["connect_refused", "bad_request"], "refused requests too")


def refused(head, **settings):
    """What lines and the window show of a head that is refused: method, path and host, then a line's beginning."""
    window = free_port()
    origin = Origin(answering(lambda request: PLAIN))
    proxy = logging(origin.port, admin={"listen": "127.0.0.1:%d" % window}, **settings)
    client = Client(proxy.port)
    client.send(head)
    client.read_response()
    record = completed(proxy)[0]
    failures = [json.loads(line) for line in proxy.out if " failed: " in line]
    is_([(one["method"], one["path"]) for one in failures], [(record["method"], record["path"])], "both lines say the same")
    page = once(window, target="/requests/" + record["trace_id"], host="localhost", headers=[("Accept", "application/json")])
    kept = json.loads(page.text)["requests"][0]
    is_((kept["method"], kept["path"]), (record["method"], record["path"][:160]), "and so does the window")
    is_(origin.requests, [], "the backend sees nothing of it")
    numbers = once(proxy.port, target="/metrics").text
    return record["method"], record["path"], record["host"], numbers


def refused_heads():
    for head, method, path, what in (
        (b"GET /a?b=1 HTTP/1.1\r\nHost: a/b\r\n\r\n", "GET", "/a?b=1", "a bad Host"),
        (b"POST /f HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", "POST", "/f", "two framings"),
        (b"GET /many HTTP/1.1\r\nHost: a\r\n" + b"A: b\r\n" * 101 + b"\r\n", "GET", "/many", "too many fields"),
        (b"GET http://a/b HTTP/1.1\r\nHost: a\r\nA b: c\r\n\r\n", "GET", "http://a/b", "a bad field behind a URL"),
        (b"GET /lf HTTP/1.1\nHost: a\n\n", "GET", "/lf", "bare line feeds"),
        (b"PUT /v HTTP/4.2\r\nHost: a\r\n\r\n", "PUT", "/v", "an unknown version"),
        (b"\r\nGET /0.9\r\n\r\n", "GET", "/0.9", "no version"),
        (b"BR\xc3\xa9W /x HTTP/1.1\r\nHost: a\r\n\r\n", "-", "-", "what is no method"),
        (b"GARBAGE\r\n\r\n", "-", "-", "a line that is no request's"),
        (b"GET  HTTP/1.1\r\nHost: a\r\n\r\n", "GET", "-", "no target"),
        (b"\x16\x03\x01\x00\xc8\x01\x00\x00", "-", "-", "TLS on the plain port"),
        (b"GET /\x1b[31m\"\\\xff\xc2\x9b HTTP/1.1\r\nHost: a\r\n\r\n", "GET", '/\x1b[31m"\\\ufffd\x9b', "odd bytes"),
        (b"GET /" + b"x" * 17000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", "GET", "/" + "x" * 1023 + "…", "a long target"),
        (b"X" * 65 + b" / HTTP/1.1\r\nHost: a\r\n\r\n", "-", "-", "a long method"),
    ):
        is_(refused(head)[:3], (method, path, None), what)


def unfinished_heads():
    for head, method, path in ((b"GET /part", "GET", "/part…"), (b"GET /whole HTT", "GET", "/whole"), (b"GE", "-", "-")):
        seen = refused(head, timeout={"read_timeout": duration(PAUSE_MS)})
        is_(seen[:2], (method, path), "%s without an end" % head.decode())


def refused_words_in_metrics():
    numbers = refused(b"EVIL /evil HTTP/1.1\r\nHost: evil host\r\n\r\n")[3]
    is_(re.findall(r"(?im)^.*evil.*$", numbers), [], "no label has the words of a refused head")


def client_that_left():
    origin = Origin(lambda wire: (wire.origin.saw(wire.read_request()), wire.ends()))
    proxy = logging(origin.port)
    client = Client(proxy.port)
    client.send_request()
    origin.wait_requests(1)
    client.reset()
    record = completed(proxy)[0]
    is_((record["status"], record["failure"]), (499, "client_gone"), "nobody was left to answer")


def broken_off():
    origin = Origin(lambda wire: (wire.read_request(), wire.send(
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"), wire.close()))
    proxy = logging(origin.port)
    try:
        once(proxy.port)
    except (ProtocolError, ConnectionError):
        pass
    record = completed(proxy)[0]
    is_((record["status"], record["failure"], record["bytes_out"]), (200, "response_truncated", 4),
        "the status that went out, and why it is not whole")


def second_attempt():
    connections = []

    def handler(wire):
        connections.append(wire)
        if wire.read_request() is not None:
            wire.send(PLAIN)
            wire.read_request()  # and then it closes without a word
            if len(connections) > 1:
                wire.ends()

    origin = Origin(handler)
    proxy = logging(origin.port)
    client = Client(proxy.port)
    client.request()
    client.request()
    is_([record["attempts"] for record in completed(proxy, 2)], [1, 2], "a second attempt is counted")


# --- where the time went -------------------------------------------------------------------------------------


def slow_head():
    proxy = logging(Origin(answering(lambda request: PLAIN)).port)
    client = Client(proxy.port)
    client.send(b"GET / HTTP/1.1\r\n")
    pause()
    client.send(b"Host: a\r\n\r\n")
    client.read_response()
    check_phase(completed(proxy)[0], "head")


def head_without_an_end():
    """It is the client who is slow, also where nothing comes of it."""
    proxy = logging(Origin(answering(lambda request: PLAIN)).port, timeout={"read_timeout": duration(PAUSE_MS)})
    client = Client(proxy.port)
    client.send(b"GET / HTTP/1.1\r\nHo")
    is_(client.read_response().status, 408, "a head that does not arrive")
    check_phase(completed(proxy)[0], "head")


def slow_body():
    proxy = logging(Origin(answering(lambda request: PLAIN)).port)
    client = Client(proxy.port)
    client.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nab")
    pause()
    client.send(b"cd")
    client.read_response()
    check_phase(completed(proxy)[0], "body")


def slow_turn():
    arrived, leave = threading.Event(), threading.Event()

    def answer(request):
        if request.target == "/first":
            arrived.set()
            leave.wait(20)
        return PLAIN

    proxy = logging(Origin(answering(answer)).port, workers=1, upstream={"max_connections": 1})
    first = background(once, proxy.port, "GET", "/first")
    ok(arrived.wait(20), "one request has the only connection")
    second = background(once, proxy.port, "GET", "/second")
    proxy.wait_line(r"Request started: GET /second")
    pause()
    leave.set()
    first.result(), second.result()
    check_phase([r for r in completed(proxy, 2) if r["path"] == "/second"][0], "queue")


def slow_name():
    server = NameServer(is_silent=True)
    proxy = logging(("slow.test", 80), wrapper=server.wrapper, timeout={"connect_timeout": duration(PAUSE_MS)})
    is_(once(proxy.port).status, 502, "no name server answers")
    check_phase(completed(proxy)[0], "dns")


def slow_accept():
    """The kernel drops what does not fit into a full queue, and the client's kernel tries again a second later."""
    listener = socket.socket()
    closing(listener.close)
    listener.bind(("127.0.0.1", 0))
    listener.listen(0)
    fillers = [socket.socket() for _ in range(4)]
    for filler in fillers:
        closing(filler.close)
        filler.setblocking(False)
        filler.connect_ex(listener.getsockname())
    proxy = logging(listener.getsockname()[1])
    answer = background(once, proxy.port)
    proxy.wait_line(r"Request started")
    pause()

    def serve():
        listener.settimeout(20)
        while True:
            conn = listener.accept()[0]
            closing(conn.close)
            conn.settimeout(0.1)
            try:
                if conn.recv(100):
                    conn.sendall(PLAIN)
                    return
            except (TimeoutError, ConnectionError):
                pass

    background(serve)
    is_(answer.result().status, 200, "accepted in the end")
    check_phase(completed(proxy)[0], "connect")


def slow_handshake():
    listener = socket.create_server(("127.0.0.1", 0))
    closing(listener.close)
    tls = {"ca_file": "nobody.crt"}
    certificate("nobody")
    backend = {"host": "127.0.0.1", "port": listener.getsockname()[1], "tls": tls}
    proxy = logging(None, routes=[{"name": "tls", "backend": backend}])
    answer = background(once, proxy.port)
    conn = listener.accept()[0]
    conn.recv(10)
    pause()
    conn.close()
    is_(answer.result().status, 502, "a handshake that ends badly")
    record = completed(proxy)[0]
    is_(record["failure"], "tls_handshake_failed", "is told")
    check_phase(record, "tls")


def slow_taking():
    full = threading.Event()

    def handler(wire):
        wire.read_request_head()
        full.wait(20)
        pause()
        wire.read_exactly(16 * KIB * KIB)
        wire.send(PLAIN)

    proxy = logging(Origin(handler).port)
    client = Client(proxy.port)
    sending = background(
        client.send, b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % (16 * KIB * KIB) + bytes(16 * KIB * KIB)
    )
    proxy.wait_line(r"Request started")
    full.set()
    sending.result()
    client.read_response()
    check_phase(completed(proxy)[0], "sent")


def slow_answer():
    def answer(_request):
        pause()
        return PLAIN

    proxy = logging(Origin(answering(answer)).port)
    once(proxy.port)
    check_phase(completed(proxy)[0], "first_byte")


def slow_rest():
    def handler(wire):
        wire.read_request()
        wire.send(PLAIN[:-2])
        pause()
        wire.send(PLAIN[-2:])

    proxy = logging(Origin(handler).port)
    once(proxy.port)
    check_phase(completed(proxy)[0], "last_byte")


# --- what becomes of lines -----------------------------------------------------------------------------------


def rotated():
    folder = temporary_folder()
    paths = {name: os.path.join(folder, name) for name in ("proxy.log", "access.log")}
    origin = Origin(answering(lambda request: PLAIN))
    port = free_port()
    config = proxy_config(port, origin.port, log={
        "format": "json", "output": paths["proxy.log"], "access": {"path": paths["access.log"]}})
    proxy = gomesh("-config", write_file("rotated.yaml", to_yaml(config)))

    def lines(name):
        return open(os.path.join(folder, name), encoding="utf-8").read().splitlines() if os.path.exists(
            os.path.join(folder, name)) else []

    wait_until(lambda: any("Press Ctrl" in line for line in lines("proxy.log")), "the start")
    once(port, target="/before")
    wait_until(lambda: len(lines("access.log")) == 1, "its line")
    for name in paths:
        os.rename(paths[name], paths[name] + ".1")
    proxy.send(signal.SIGUSR1)
    wait_until(lambda: all(os.path.exists(path) for path in paths.values()), "new files")
    once(port, target="/after")
    wait_until(lambda: len(lines("access.log")) == 1, "a line in the new one")
    is_(proxy.stop(), 0, "exit code 0")
    is_([json.loads(line)["path"] for line in lines("access.log.1") + lines("access.log")], ["/before", "/after"],
        "each line is in one file")
    is_(json.loads(lines("proxy.log")[-1])["msg"], "Stopped", "the other log went on in its new file")


def unwritable():
    for log, place in (({"output": "/nowhere/x.log"}, "log.output"), ({"access": {"path": "/nowhere/x.log"}}, "log.access.path")):
        config = proxy_config(free_port(), free_port(), log=log)
        result = gomesh_run("-config", write_file("unwritable.yaml", to_yaml(config)))
        is_(result.code, 1, "%s that cannot be opened ends the start" % place)
        like("\n".join(result.err), r"^error: /nowhere/x\.log cannot be opened: No such file or directory \(%s" % place,
             "and says why")


def full_disk():
    """No room for lines: requests are served, and once there is room the count of the lost lines is told."""
    path = os.path.join(temporary_folder(), "access.log")
    origin = Origin(answering(lambda request: PLAIN))
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    proxy = Proxy(origin.port, log={"format": "text", "access": {"path": path}})
    resource.prlimit(proxy.pid, resource.RLIMIT_FSIZE, (1000, limit[1]))
    client = Client(proxy.port)
    is_({client.request(target="/%d" % i).status for i in range(100)}, {200}, "a hundred requests are served")
    wait_until(lambda: os.path.getsize(path) == 1000, "the file is full")
    resource.prlimit(proxy.pid, resource.RLIMIT_FSIZE, limit)
    wait_until(lambda: b"log lines were lost" in open(path, "rb").read(), "the count", 15)
    client.request(target="/last")
    wait_until(lambda: b"/last" in open(path, "rb").read(), "further lines")
    text = open(path, encoding="utf-8").read()
    whole = len(re.findall(r"(?m)^\[INFO\] request completed: .* trace_id=[0-9a-f]{32}$", text))
    lost = sum(int(count) for count in re.findall(r"(\d+) log lines? w", text))
    is_(whole + lost, 101, "every line is there or counted")


for function in (line_of_a_request, text_line, over_tls, failures, refused_heads, unfinished_heads, refused_words_in_metrics, client_that_left, broken_off, second_attempt,
                 slow_head, head_without_an_end, slow_body, slow_turn, slow_name, slow_accept, slow_handshake, slow_taking, slow_answer, slow_rest,
                 rotated, unwritable, full_disk):
    subtest(function.__name__.replace("_", " "), function)
done()
