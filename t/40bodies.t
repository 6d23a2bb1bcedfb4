#!/usr/bin/env python3
"""Through the test backend and by real clients; bodies from nothing to 64 MiB, compared by their hash."""
import http.client
import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "lib"))
from gomesh_test import *  # noqa: E402,F403

MIB = 1 << 20


def through_backend():
    backend = Backend()
    proxy = Proxy(backend.port)
    client = Client(proxy.port)
    answer = json.loads(
        client.request(
            "POST", "/echo?q=1", [("X-Test", "yes"), ("Content-Type", "text/plain")], b"hello"
        ).body
    )
    is_(
        (answer["method"], answer["path"], answer["query"], answer["body_length"]),
        ("POST", "/echo", "q=1", 5),
        "/echo",
    )
    is_(answer["body_sha256"], sha256(b"hello"), "/echo: the body's hash")
    names = {field["name"].lower(): field["value"] for field in answer["headers"]}
    is_(
        {
            name: names.get(name)
            for name in (
                "host",
                "x-test",
                "x-forwarded-for",
                "x-forwarded-proto",
                "x-forwarded-host",
                "x-forwarded-by",
            )
        },
        {
            "host": "gomesh.test",
            "x-test": "yes",
            "x-forwarded-for": "127.0.0.1",
            "x-forwarded-proto": "http",
            "x-forwarded-host": "gomesh.test",
            "x-forwarded-by": "GoMesh-Proxy",
        },
        "/echo: the header rules hold",
    )
    answer = json.loads(client.request(target="/api/users").body)
    is_(
        (answer["message"], answer["path"], answer["method"]),
        ("Hello from the backend service!", "/api/users", "GET"),
        "the backend's page through the proxy",
    )
    like(answer["timestamp"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", "with a timestamp")
    backend.wait_line(r"^\[BACKEND\] Received: GET /api/users$")
    is_(client.request(target="/health").text.strip(), "OK", "/health")
    is_(client.request(target="/status/503").status, 503, "/status/503 is the backend's own, not the proxy's")
    response = client.request(target="/stream/3/10ms")
    is_(response.framing, "chunked", "/stream comes in chunks")
    is_(once(proxy.port, target="/close").status, 502, "/close drops the connection: 502")
    python = http.client.HTTPConnection("127.0.0.1", proxy.port, timeout=deadline(20))
    for number in range(3):
        python.request(
            "PUT",
            "/echo",
            body=iter([b"ab", b"cd"]),
            headers={"Transfer-Encoding": "chunked"},
            encode_chunked=True,
        )
        is_(
            json.loads(python.getresponse().read())["body_sha256"],
            sha256(b"abcd"),
            "http.client, request %d" % (number + 1),
        )
    result = curl(
        "http://127.0.0.1:%d/api/users" % proxy.port,
        "http://127.0.0.1:%d/echo" % proxy.port,
        "-w",
        "%{num_connects}",
    )
    is_(result.returncode, 0, "curl")
    like(result.stdout.decode(), r"Hello from the backend service!", "curl shows the page")
    like(result.stdout.decode(), r"0$", "and keeps its connection")


def bodies():
    backend = Backend()

    def handler(request):
        size = int(request.target.rsplit("/", 1)[1])
        return http_message(
            "HTTP/1.1 200 OK", [("Transfer-Encoding", "chunked")], chunked(large[:size], 60000)
        )

    large = some_bytes(64 * MIB)
    letters = bytes(range(97, 123)) * (64 * MIB // 26 + 1)
    chunking = Origin(answering(handler))
    proxy = Proxy(backend.port)
    chunk_proxy = Proxy(chunking.port)
    client, chunk_client = Client(proxy.port, seconds=60), Client(chunk_proxy.port, seconds=60)
    for size in (0, 1, 1023, 64 << 10, MIB, 64 * MIB):
        data = large[:size]
        answer = json.loads(client.request("POST", "/echo", body=data).body)
        is_(
            (answer["body_length"], answer["body_sha256"]),
            (size, sha256(data)),
            "upload of %d bytes with a length" % size,
        )
        client.send_request("POST", "/echo", [("Transfer-Encoding", "chunked")], chunked(data, 50000))
        answer = json.loads(client.read_response("POST").body)
        is_(
            (answer["body_length"], answer["body_sha256"]),
            (size, sha256(data)),
            "upload of %d bytes in chunks" % size,
        )
        response = client.request(target="/bytes/%d" % size)
        is_(
            (len(response.body), response.sha256),
            (size, sha256(letters[:size])),
            "download of %d bytes with a length" % size,
        )
        response = chunk_client.request(target="/%d" % size)
        is_(
            (len(response.body), response.sha256),
            (size, sha256(data)),
            "download of %d bytes in chunks" % size,
        )
    is_((proxy.stop(), chunk_proxy.stop()), (0, 0), "exit codes 0")


def endless():
    """An upload of a gigabyte goes through as it comes."""
    if SLOW != 1:
        raise Skip("a sanitizer's memory tells nothing")
    block = b"x" * MIB

    def handler(wire):
        while True:
            request = wire.read_request_head()
            if request is None:
                return
            left = int(request.get("content-length"))
            while left:
                left -= len(wire.sock.recv(min(left, MIB))) if not wire.buffer else len(wire.read_exactly(len(wire.buffer)))
            wire.send(http_message("HTTP/1.1 200 OK", [], b"all of it"))

    proxy = Proxy(Origin(handler).port, workers=1)
    client = Client(proxy.port, seconds=120)
    client.request("POST", body=block * 4)
    before = proxy.resident_kib()
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % (1024 * MIB))
    most = before
    for number in range(1024):
        client.send(block)
        if number % 64 == 0:
            most = max(most, proxy.resident_kib())
    is_(client.read_response().text, "all of it", "1 GiB arrives")
    ok(most - before < 1024, "and memory does not grow: %d KiB" % (most - before))


subtest("through the test backend", through_backend)
subtest("bodies from 0 B to 64 MiB", bodies)
if ENGINE == "gomesh":
    subtest("a body of 1 GiB", endless)
done()
