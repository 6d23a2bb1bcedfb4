#!/usr/bin/env python3
"""nginx as the origin: what a server that was not written for us answers arrives as it is."""
import email.utils
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "lib"))
from gomesh_test import *  # noqa: E402,F403

MIB = 1 << 20
DATA = some_bytes(MIB, 45)
SETTINGS = """
    keepalive_requests 100000;
    location /moved { return 301 http://elsewhere.example/; }
    location /private { return 401; }
    location /seen { return 200 "$host|$http_x_forwarded_for|$http_x_forwarded_by|$request_uri"; }
    location /gz { gzip on; gzip_types *; gzip_min_length 1; alias %s; }
    location /put { client_max_body_size 64m; dav_methods PUT; root %s; }
"""


def start():
    folder = temporary_folder()
    os.makedirs(os.path.join(folder, "uploads", "put"), exist_ok=True)
    text = write_file("text", "a line of text that shrinks\n" * 4000)
    nginx = NginxOrigin(
        {"data.bin": DATA, "small.txt": b"small\n", "empty.txt": b""},
        SETTINGS % (text, os.path.join(folder, "uploads")),
    )
    return nginx, Proxy(nginx.port)


def static_files(nginx, proxy):
    client = Client(proxy.port)
    response = client.request(target="/data.bin")
    is_(
        (response.status, response.get("content-length"), response.sha256),
        (200, str(MIB), sha256(DATA)),
        "1 MiB",
    )
    like(response.get("server"), r"^nginx", "Server is nginx's")
    is_(len(response.all("date")), 1, "one Date")
    tag, modified = response.get("etag"), response.get("last-modified")
    ok(tag and modified, "ETag and Last-Modified pass")
    response = client.request("HEAD", "/data.bin")
    is_(
        (response.status, response.get("content-length"), response.get("etag")),
        (200, str(MIB), tag),
        "HEAD: the same, no body",
    )
    is_(client.request(target="/small.txt").body, b"small\n", "the connection is in step")
    response = client.request(target="/empty.txt")
    is_((response.status, response.body), (200, b""), "an empty file")
    response = client.request(target="/data.bin", headers=[("Range", "bytes=1000-1999")])
    is_(
        (response.status, response.get("content-range"), response.body),
        (206, "bytes 1000-1999/%d" % MIB, DATA[1000:2000]),
        "a range",
    )
    response = client.request(target="/data.bin", headers=[("Range", "bytes=0-9,100-109")])
    is_(response.status, 206, "two ranges")
    like(response.get("content-type"), r"^multipart/byteranges; boundary=", "as multipart/byteranges")
    ok(DATA[:10] in response.body and DATA[100:110] in response.body, "both of them")
    response = client.request(target="/data.bin", headers=[("Range", "bytes=%d-" % (2 * MIB))])
    is_(
        (response.status, response.get("content-range")),
        (416, "bytes */%d" % MIB),
        "a range beyond the end: 416",
    )
    response = client.request(target="/data.bin", headers=[("If-Modified-Since", modified)])
    is_((response.status, response.body, response.get("etag")), (304, b"", tag), "If-Modified-Since: 304")
    response = client.request(target="/data.bin", headers=[("If-None-Match", tag)])
    is_(response.status, 304, "If-None-Match: 304")
    long_ago = email.utils.formatdate(0, usegmt=True)
    response = client.request(target="/data.bin", headers=[("If-Modified-Since", long_ago)])
    is_((response.status, response.sha256), (200, sha256(DATA)), "modified since: 200")


def as_they_are(nginx, proxy):
    client = Client(proxy.port)
    direct = Client(nginx.port)
    for method, target, status in (
        ("GET", "/missing", 404),
        ("GET", "/private", 401),
        ("DELETE", "/data.bin", 405),
        ("GET", "/moved", 301),
    ):
        through, straight = client.request(method, target), direct.request(method, target)
        is_(
            (through.status, through.body, through.get("content-type"), through.get("location")),
            (status, straight.body, straight.get("content-type"), straight.get("location")),
            "%s %s is nginx's own %d" % (method, target, status),
        )
        is_(through.get("proxy-status"), None, "and no failure of the proxy")
    response = client.request(
        target="/seen?a=%2F", headers=[("X-Forwarded-For", "10.9.8.7")], host="shop.example"
    )
    seen_for = "10.9.8.7, 127.0.0.1" if ENGINE == "h2o" else "127.0.0.1"
    is_(response.text, "shop.example|%s|GoMesh-Proxy|/seen?a=%%2F" % seen_for, "what nginx sees")
    response = client.request(target="/gz", headers=[("Accept-Encoding", "gzip")])
    is_(
        (response.status, response.get("content-encoding"), response.framing, response.body[:2]),
        (200, "gzip", "chunked", b"\x1f\x8b"),
        "a compressed, chunked answer stays so",
    )
    response = client.request(target="/gz")
    is_((response.get("content-encoding"), len(response.body)), (None, 112000), "and the plain one is plain")
    name = "/put/%d" % os.getpid()
    response = client.request("PUT", name, body=DATA)
    is_(response.status, 201, "PUT of 1 MiB")
    client.send_request("PUT", name, [("Transfer-Encoding", "chunked")], chunked(DATA[:100000]))
    is_(client.read_response("PUT").status, 204, "PUT in chunks, answered with 204")
    is_(client.request(target=name).sha256, sha256(DATA[:100000]), "it is there")


def connections_are_reused(nginx, _proxy):
    proxy = Proxy(nginx.port, workers=1)
    before = len(nginx.access_log())
    client = Client(proxy.port)
    for _ in range(50):
        client.request(target="/small.txt")
    lines = wait_until(
        lambda: len(nginx.access_log()) >= before + 50 and nginx.access_log(), "nginx to log them"
    )[before:]
    is_(
        len({connection for connection, _request, _status in lines}),
        1,
        "50 requests, one connection to nginx",
    )
    is_(
        {(request, status) for _connection, request, status in lines},
        {("GET /small.txt HTTP/1.1", 200)},
        "all of them HTTP/1.1",
    )
    before = len(nginx.access_log())
    for _ in range(20):
        once(proxy.port, target="/small.txt")
    lines = wait_until(
        lambda: len(nginx.access_log()) >= before + 20 and nginx.access_log(), "nginx to log them"
    )[before:]
    ok(len({connection for connection, _request, _status in lines}) <= 2, "20 clients in a row share it")


def curl_through(_nginx, proxy):
    path = os.path.join(temporary_folder(), "resumed")
    with open(path, "wb") as file:
        file.write(DATA[:300000])
    result = curl("-C", "-", "-o", path, "http://localhost:%d/data.bin" % proxy.port)
    with open(path, "rb") as file:
        is_((result.returncode, sha256(file.read())), (0, sha256(DATA)), "curl resumes a download")
    result = curl("--parallel", "--parallel-max", "20", *["http://localhost:%d/data.bin" % proxy.port] * 20)
    is_((result.returncode, len(result.stdout)), (0, 20 * MIB), "curl, 20 downloads at once")


try:
    want_tool("nginx")
    want_tool("curl")
except Skip as reason:
    skip_all(str(reason))
both = start()
subtest("static files", static_files, *both)
subtest("answers as they are", as_they_are, *both)
subtest("connections to nginx are reused", connections_are_reused, *both)
subtest("curl", curl_through, *both)
is_(both[1].stop(), 0, "the proxy ends with exit code 0")
is_(both[0].stop(), 0, "nginx too")
done()
