#!/usr/bin/env python3
"""request_buffering: bodies that are held until they are whole, in memory and on disk, and sent again."""
import errno
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "lib"))
from gomesh_test import *  # noqa: E402,F403

MIB = 1 << 20


def digest(request):
    """What arrived: framing, length and hash."""
    text = "%s %d %s" % (request.framing, len(request.body), request.sha256)
    return http_message("HTTP/1.1 200 OK", [], text.encode())


def files_of(pid, folder):
    """The nameless files of a process below a folder."""
    found = []
    for fd in os.listdir("/proc/%d/fd" % pid):
        try:
            path = os.readlink("/proc/%d/fd/%s" % (pid, fd))
        except FileNotFoundError:
            continue
        if path.startswith(folder):
            found.append(path)
    return found


def buffering(port, **settings):
    return Proxy(port, request_buffering=True, temp_dir=temporary_folder(), **settings)


def sizes():
    origin = Origin(answering(digest))
    proxy = buffering(origin.port)
    client = Client(proxy.port, seconds=120)
    for size in (1, 70000, MIB - 1, MIB, MIB + 1, 3 * MIB + 7, 64 * MIB):
        body = some_bytes(size, size)
        wanted = "length %d %s" % (size, sha256(body))
        is_(client.request("POST", body=body).text, wanted, "%d bytes" % size)
        fields = [("Transfer-Encoding", "chunked")]
        response = client.request("POST", headers=fields, body=chunked(body, 65536))
        is_(response.text, wanted, "%d bytes in chunks, whose length is known in the end" % size)
    fields = [("Transfer-Encoding", "chunked")]
    is_(client.request("POST", headers=fields, body=b"0\r\n\r\n").text, "length 0 " + sha256(b""), "no bytes in chunks")
    is_(files_of(proxy.pid, temporary_folder()), [], "no file stays open")


def held():
    """Nothing goes to the backend before the body is whole."""
    origin = Origin(answering(digest))
    proxy = buffering(origin.port)
    body = some_bytes(2 * MIB)
    client = Client(proxy.port)
    client.send(
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\nExpect: 100-continue\r\n\r\n" % len(body)
    )
    is_(client.read_response_head().status, 100, "the body is asked for at once")
    client.send(body[:-1])
    wait_until(lambda: files_of(proxy.pid, temporary_folder()), "a file")
    (path,) = files_of(proxy.pid, temporary_folder())
    ok(path.endswith("(deleted)"), "it lies in a file without a name: %s" % path)
    is_([name for name in os.listdir(temporary_folder()) if name.startswith("gomesh-body")], [], "really")
    is_(origin.connections, 0, "the backend knows nothing of it")
    client.send(body[-1:])
    is_(client.read_response().text, "length %d %s" % (len(body), sha256(body)), "then it gets all of it")
    is_(origin.connections, 1, "on one connection")
    wait_until(lambda: not files_of(proxy.pid, temporary_folder()), "the file to be closed")


def trailers():
    def answer(request):
        return http_message("HTTP/1.1 200 OK", [], repr((request.framing, request.trailers)).encode())

    proxy = buffering(Origin(answering(answer)).port)
    client = Client(proxy.port)
    client.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
    once(proxy.port)
    client.send("0\r\nX-Sum: 5\r\n\r\n")
    is_(client.read_response().text, repr(("chunked", [("x-sum", "5")])), "trailers need chunks, and get them")


def memory():
    """A body on disk is not in memory, too."""
    proxy = buffering(Origin(answering(digest)).port, workers=1)
    client = Client(proxy.port, seconds=120)
    client.request("POST", body=some_bytes(MIB))
    before = proxy.resident_kib()
    body = some_bytes(64 * MIB)
    ok(client.request("POST", body=body).text.endswith(sha256(body)), "64 MiB arrive")
    grown = proxy.resident_kib() - before
    if SLOW == 1:  # a sanitizer keeps what was freed
        ok(grown < 8192, "and memory stays: %d KiB more" % grown)


def again():
    """A connection that was idle dies under a body that is larger than what is sent at once."""

    def handler(wire):
        for _ in range(2):
            request = wire.read_request_head()
            if request is None:
                return
            if request.method == "PUT" and wire.origin.requests and not wire.origin.requests[-1].method == "PUT":
                wire.origin.saw(request)
                wire.reset()
                return
            wire.read_body(request, until_end=False)
            wire.origin.saw(request)
            wire.send(digest(request))

    for size in (200000, 3 * MIB):
        for keeps in (True, False):
            origin = Origin(handler)
            proxy = Proxy(origin.port, request_buffering=keeps, temp_dir=temporary_folder(), workers=1)
            is_(once(proxy.port).status, 200, "a connection stays open")
            body = some_bytes(size)
            response = once(proxy.port, "PUT", body=body)
            if keeps:
                is_(response.text, "length %d %s" % (size, sha256(body)), "PUT: all of the body is sent again")
                is_(origin.connections, 2, "on a new connection")
            else:
                is_(response.status, 502, "without request_buffering what was sent is gone")


def not_again():
    """POST is not sent twice, however much of it is at hand."""

    origin = Origin(answering(lambda request: None if request.method == "POST" else digest(request)))
    proxy = buffering(origin.port, workers=1)
    once(proxy.port)
    is_(once(proxy.port, "POST", body=some_bytes(200000)).status, 502, "POST fails")
    is_([request.method for request in origin.requests], ["GET", "POST"], "and came once")


def budget():
    proxy = buffering(Origin(answering(digest)).port, limits={"max_buffered_bodies": "3MiB"})
    first = Client(proxy.port)
    first.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\nx" % (2 * MIB))
    second = []

    def refused():
        second[:] = [once(proxy.port, "POST", body=some_bytes(2 * MIB))]
        return second[0].status == 503

    wait_until(refused, "the first body to be promised its room")
    like(
        second[0].text,
        r"\Aoverloaded: .*\n.*\ncause: proxy\.limits\.max_buffered_bodies is used up\n",
        "a body for which there is no room is refused",
    )
    is_(second[0].get("retry-after"), "1", "for the moment")
    ok(proxy.wait_line(r"failed: overloaded \(proxy\.limits\.max_buffered_bodies is used up\)$"), "the log says so")
    is_(once(proxy.port, "POST", body=some_bytes(900000)).status, 200, "a smaller one finds room")
    first.close()
    wait_until(lambda: once(proxy.port, "POST", body=some_bytes(2 * MIB)).status == 200, "room")
    for size in (3 * MIB, 3 * MIB + 1):
        fields = [("Transfer-Encoding", "chunked")]
        status = once(proxy.port, "POST", headers=fields, body=chunked(some_bytes(size))).status
        is_(status, 200 if size == 3 * MIB else 503, "in chunks: %d bytes" % size)
    once(proxy.port, "POST", body=some_bytes(3 * MIB))
    is_(once(proxy.port, "POST", body=some_bytes(3 * MIB)).status, 200, "nothing is counted twice, or lost")


def full_disk():
    folder = os.path.join(temporary_folder(), "disk")
    os.mkdir(folder)
    script = 'mount -t tmpfs -o size=2m none "$1"; shift; exec "$@"'
    wrapper = [want_tool("unshare"), "--map-root-user", "--mount", "sh", "-ec", script, "sh", folder]
    proxy = Proxy(
        Origin(answering(digest)).port, request_buffering=True, temp_dir=folder, workers=1, wrapper=wrapper
    )
    response = once(proxy.port, "POST", body=some_bytes(3 * MIB))
    is_(response.status, 503, "no room on the disk")
    like(response.text, r"\ncause: proxy\.temp_dir: %s\n" % os.strerror(errno.ENOSPC), "it says so")
    body = some_bytes(MIB + 5)
    is_(once(proxy.port, "POST", body=body).text, "length %d %s" % (len(body), sha256(body)), "smaller ones fit")


def broken_off():
    origin = Origin(answering(digest))
    proxy = buffering(origin.port)
    for end in (Client.close, Client.reset):
        client = Client(proxy.port)
        client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9000000\r\n\r\n")
        client.send(some_bytes(2 * MIB))
        wait_until(lambda: files_of(proxy.pid, temporary_folder()), "a file")
        end(client)
        wait_until(lambda: not files_of(proxy.pid, temporary_folder()), "the file to go with its client")
    ok(proxy.wait_line(r"failed: client_gone "), "the log says so")
    is_(origin.connections, 0, "the backend was not bothered")


def too_large():
    origin = Origin(answering(digest))
    proxy = buffering(origin.port, limits={"max_request_body": "1MiB"})
    fields = [("Transfer-Encoding", "chunked")]
    check_failure(once(proxy.port, "POST", body=some_bytes(MIB + 1)), 413, "payload_too_large")
    response = once(proxy.port, "POST", headers=fields, body=chunked(some_bytes(MIB + 1)))
    check_failure(response, 413, "payload_too_large")
    client = Client(proxy.port)
    client.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nnonsense\r\n")
    check_failure(client.read_response(), 400, "bad_request")
    is_(origin.connections, 0, "the backend was not bothered")


def slow_client():
    proxy = buffering(Origin(answering(digest)).port, timeout={"read_timeout": duration(300)})
    client = Client(proxy.port)
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nx")
    check_failure(client.read_response(), 408, "request_timeout")


def by_route():
    def handler(wire):
        wire.origin.saw(wire.read_request_head())
        wire.read_to_end()

    origin = Origin(handler)
    backend = {"host": "127.0.0.1", "port": origin.port}
    routes = [
        {"match": {"path": {"prefix": "/held"}}, "request_buffering": True, "backend": backend},
        {"match": {"path": {"prefix": "/streamed"}}, "request_buffering": False, "backend": backend},
    ]
    for default, wanted in ((False, ["/streamed", "/"]), (True, ["/streamed"])):
        proxy = Proxy(origin.port, routes=routes, request_buffering=default, temp_dir=temporary_folder())
        before = len(origin.requests)
        for target in ("/held", "/streamed", "/"):
            client = Client(proxy.port)
            client.send("POST %s HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nx" % target)
        origin.wait_requests(before + len(wanted))
        proxy.wait_line(r"Forwarding: POST / ")
        is_(sorted(r.target for r in origin.requests[before:]), sorted(wanted), "by default: %s" % default)


subtest("bodies of all sizes", sizes)
subtest("held until it is whole", held)
subtest("trailers", trailers)
subtest("constant memory", memory)
subtest("sent again", again)
subtest("not sent again", not_again)
subtest("the budget", budget)
subtest("a full disk", full_disk)
subtest("clients that leave", broken_off)
subtest("bodies that are refused", too_large)
subtest("clients that stall", slow_client)
subtest("by route", by_route)
done()
