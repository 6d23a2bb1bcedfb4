#!/usr/bin/env python3
"""The test backend: each of its pages, asked directly."""
import hashlib
import json
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "lib"))
from gomesh_test import *  # noqa: E402,F403

backend = Backend()


def ask(target, method="GET", **more):
    return once(backend.port, method=method, target=target, **more)


def greeting():
    response = ask("/api/users?x=1", headers=[("X-Trace-ID", "abc")])
    answer = json.loads(response.text)
    is_(response.get("content-type"), "application/json", "JSON")
    is_(sorted(answer), ["message", "method", "path", "timestamp", "trace_id"], "the original's members")
    is_(
        (answer["message"], answer["path"], answer["method"], answer["trace_id"]),
        ("Hello from the backend service!", "/api/users", "GET", "abc"),
        "and what they say",
    )
    like(answer["timestamp"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", "RFC 3339")
    ok("trace_id" not in json.loads(ask("/x").text), "no trace_id without the field")
    head = ask("/x", "HEAD")
    ok(head.status == 200 and head.body == b"" and int(head.get("content-length")) > 50, "HEAD")
    is_(ask("/health").text, "OK", "/health")


def lines():
    is_(
        backend.out[:2],
        [
            "[BACKEND] Starting test backend on :%d" % backend.port,
            "[BACKEND] Ready to receive requests from the proxy",
        ],
        "its first lines",
    )
    raw = Client(backend.port)
    raw.send(b"GET /\x1b[31mred HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    raw.read_to_end()
    client = Client(backend.port)
    wanted = [
        ("GET", "/lines/one"),
        ("POST", "/lines/two"),
        ("HEAD", "/health"),
        ("GET", "/%1b[31m"),
        ("GET", "/last"),
    ]
    for method, path in wanted:
        client.request(method, path + "?x=1", body=b"body" if method == "POST" else None)
    backend.wait_line(r"Received: GET /last$")
    received = [line for line in backend.out if line.startswith("[BACKEND] Received: ")]
    is_(
        received[-len(wanted) :],
        ["[BACKEND] Received: %s %s" % pair for pair in wanted],
        "one line for each request, with method and path",
    )
    ok(
        all(char.isprintable() for line in backend.out for char in line),
        "no byte of a client reaches the terminal raw",
    )


def delays():
    start = now()
    is_(json.loads(ask("/delay/200ms").text)["path"], "/delay/200ms", "/delay")
    ok((now() - start) * 1000 >= 199, "not before the time")
    with_head = now()
    is_(ask("/delay/100ms", "HEAD").body, b"", "HEAD")
    ok((now() - with_head) * 1000 >= 99, "it waits as well")
    is_([ask("/delay/" + bad).status for bad in ("5", "x", "", "11m")], [400] * 4, "what is no duration")


def statuses():
    for status in (200, 201, 204, 304, 400, 404, 418, 500, 503, 599):
        response = ask("/status/%d" % status)
        is_(response.status, status, "/status/%d" % status)
        is_(bool(response.body), status not in (204, 304), "with a body or without")
    head = ask("/status/503", "HEAD")
    is_((head.status, head.body), (503, b""), "HEAD")
    is_(ask("/status/302").get("location"), "/", "redirects say where")
    is_([ask("/status/" + bad).status for bad in ("100", "600", "abc", "")], [400] * 4, "what is no status")


def sizes():
    pattern = bytes(ord("a") + i % 26 for i in range(26))
    for text, size in (
        ("0", 0),
        ("1", 1),
        ("1000", 1000),
        ("64KiB", 65536),
        ("1048576", 1 << 20),
        ("8MiB", 8 << 20),
    ):
        response = ask("/bytes/" + text)
        wanted = (pattern * (size // 26 + 1))[:size]
        ok(response.get("content-length") == str(size) and response.body == wanted, "/bytes/" + text)
    head = ask("/bytes/4GiB", "HEAD")
    is_((head.status, head.get("content-length"), head.body), (200, str(4 << 30), b""), "HEAD of 4 GiB")
    is_([ask("/bytes/" + bad).status for bad in ("-1", "x", "", "5GiB")], [400] * 4, "what is no size")


def streams():
    patient = Backend()
    client = Client(patient.port)
    client.send_request(target="/stream/2/9m")
    client.read_response_head()
    is_(
        client.read_exactly(13),
        b"8\r\nchunk 1\n\r\n",
        "the first chunk comes when the last is due in minutes",
    )
    patient.kill()
    client = Client(backend.port)
    client.send_request(target="/stream/3/50ms")
    response = client.read_response_head()
    is_(
        (response.status, response.get("transfer-encoding"), response.get("content-length")),
        (200, "chunked", None),
        "chunked",
    )
    is_(client.read_exactly(13), b"8\r\nchunk 1\n\r\n", "three chunks: the first")
    first = now()
    is_(client.read_exactly(31), b"8\r\nchunk 2\n\r\n8\r\nchunk 3\n\r\n0\r\n\r\n", "the others and the end")
    took = (now() - first) * 1000
    ok(took >= 90, "not before their time (%d ms)" % took)
    head = client.request("HEAD", "/stream/3/9m")
    is_((head.status, head.body), (200, b""), "HEAD, at once")
    is_(client.request(target="/health").text, "OK", "the connection goes on")
    response = once(backend.port, target="/stream/2/1ms", version="1.0")
    is_(response.text, "chunk 1\nchunk 2\n", "without chunks for HTTP/1.0")
    is_(
        [ask("/stream/" + bad).status for bad in ("x/1s", "1", "1/x", "100001/1s")],
        [400] * 4,
        "what is no stream",
    )


def events():
    response = ask("/sse?interval=10ms&count=3")
    is_(response.get("content-type"), "text/event-stream", "its type")
    numbers = [json.loads(part[6:])["n"] for part in response.text.split("\n\n") if part]
    is_(numbers, [1, 2, 3], "three events")
    client = Client(backend.port)
    client.send_request(target="/sse?interval=10ms")
    client.read_response_head()
    like(client.read_line().decode(), r"^[0-9a-f]+$", "an endless one begins")
    client.close()
    is_(ask("/health").text, "OK", "its client may leave")
    patient = Backend()
    client = Client(patient.port)
    client.send_request(target="/sse?interval=9m")
    client.read_response_head()
    like(client.read_exactly(16).decode(), r'data: \{"n"', "an event comes when the next is due in minutes")
    patient.kill()
    is_(ask("/sse", "HEAD").get("content-type"), "text/event-stream", "HEAD, at once")
    is_(
        [ask("/sse?" + bad).status for bad in ("interval=5", "count=x", "count=0")],
        [400] * 3,
        "what is no wish",
    )


def echoes():
    for size in (0, 1, 100000, 20 << 20):
        body = some_bytes(size)
        answer = json.loads(ask("/echo?a=b", "PUT", body=body, headers=[("X-Odd", 'a"\\b')]).text)
        is_(
            (
                answer["method"],
                answer["path"],
                answer["query"],
                answer["version"],
                answer["body_length"],
                answer["body_sha256"],
            ),
            ("PUT", "/echo", "a=b", "HTTP/1.1", size, hashlib.sha256(body).hexdigest()),
            "%d bytes" % size,
        )
        ok({"name": "x-odd", "value": 'a"\\b'} in answer["headers"], "the fields, names in lower case")


def drops():
    for target in ("/close", "/panic"):
        client = Client(backend.port)
        client.send_request(target=target)
        try:
            ok(client.ends(), target + ": the end without an answer")
        except ConnectionError:
            ok(True, target + ": reset without an answer")
    is_(ask("/health").text, "OK", "the backend lives on")


def one_address():
    other = Backend(host="127.0.0.1")
    is_(once(other.port, target="/health").text, "OK", "-host")
    try:
        Client(other.port, address="127.0.0.2").close()
        ok(False, "and no other")
    except ConnectionRefusedError:
        ok(True, "and no other")
    is_(once(backend.port, address="127.0.0.2", target="/health").text, "OK", "without it, all of them")
    taken = gomesh_run("backend", "-port", str(backend.port))
    is_(taken.code, 1, "a port that is taken: exit code 1")
    like("\n".join(taken.err), r"port %d is already in use" % backend.port, "and it is named")


PAGES = {  # as its help lists them
    "/health": greeting,
    "/delay/<duration>": delays,
    "/status/<200..599>": statuses,
    "/bytes/<size>": sizes,
    "/stream/<count>/<duration>": streams,
    "/sse?interval=<duration>&count=<number>": events,
    "/echo": echoes,
    "/close": drops,
    "/panic": drops,
    "any other path": greeting,
}


listed = re.findall(r"(?m)^  ([^:]+): ", "\n".join(gomesh_run("backend", "--help").out))
is_(sorted(listed), sorted(PAGES), "each page of the help has a check here")
for check in dict.fromkeys(PAGES.values()):
    subtest(", ".join(page for page in PAGES if PAGES[page] is check), check)
subtest("its lines", lines)
subtest("-host and -port", one_address)
is_(backend.stop(), 0, "exit code 0")
done()
