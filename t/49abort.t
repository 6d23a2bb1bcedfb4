#!/usr/bin/env python3
"""Clients and origins that leave or stall at any moment: who notices, how soon, and what is left behind."""
import os
import select
import socket
import ssl
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "lib"))
from gomesh_test import *  # noqa: E402,F403

if ENGINE == "h2o":
    skip_all("the library's server does not notice clients that leave")

MIB = 1 << 20
KIB = 1 << 10
LIMIT = 256 * KIB  # held for one transfer that stalls
HEAD = b"HTTP/1.1 200 OK\r\n"


def fine(request):
    return http_message("HTTP/1.1 200 OK", [], b"fine " + request.target.encode())


def last(request):
    """The same, from an origin that closes its connection behind it and says so."""
    return http_message("HTTP/1.1 200 OK", [("Connection", "close")], b"fine " + request.target.encode())


def fds(proxy):
    return len(os.listdir("/proc/%d/fd" % proxy.pid))


def warmed_up(proxy, origin):
    """Descriptors of a proxy that has served a request and keeps no connection of it."""
    is_(once(proxy.port, target="/alive").status, 200, "a request before")
    origin.wait(lambda self: not self.open, "the end of it")
    return fds(proxy)


def settled(proxy, count):
    """As many descriptors as before: nothing was left behind."""
    try:
        wait_until(lambda: fds(proxy) <= count, "descriptors to be closed", 5)
    except AssertionError:
        pass
    ok(fds(proxy) <= count, "no descriptor is left behind (%d before, %d now)" % (count, fds(proxy)))


class TlsProxy(Proxy):
    def __init__(self, backend, pair, **settings):
        self.tls_port = free_port()
        tls = {"listen_port": self.tls_port, "cert_file": pair[0], "key_file": pair[1]}
        super().__init__(backend, tls=tls, **settings)


class Waiting(Origin):
    """Begins an answer as the target says, then only watches its connection; tells when that ends."""

    def __init__(self):
        self.ended = {}

        def handler(wire):
            head = wire.read_request_head()
            if head is None:
                return
            if head.target.startswith("/whole"):
                wire.read_body(head, until_end=False)
            wire.origin.saw(head)
            if head.target == "/alive":
                wire.send(last(head))
                return
            if "-head" in head.target:
                wire.send(HEAD + b"Content-Length: 1000\r\n\r\n")
            if "-part" in head.target:
                wire.send(HEAD + b"Content-Length: 1000\r\n\r\nsome of it")
            if "-chunk" in head.target:
                wire.send(HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
            if "-deaf" in head.target:
                over.wait(deadline(30))
            else:
                try:
                    while wire.sock.recv(65536):
                        pass
                except ConnectionError:
                    pass
            with self.changed:
                self.ended[head.target] = now()
                self.changed.notify_all()

        over = threading.Event()
        super().__init__(handler)
        closing(over.set)
        self.over = over


GONE = {
    # what the client sent before it left, and how much of an answer it has
    "nothing yet": (b"GET /whole%s HTTP/1.1\r\nHost: a\r\n\r\n", "-none"),
    "a body sent": (b"POST /whole%s HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello", "-none"),
    "chunks sent": (
        b"POST /whole%s HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        "-none",
    ),
    "half a body sent": (b"POST /half%s HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nhello", "-none"),
    "half a chunk sent": (
        b"POST /half%s HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nhello", "-none"
    ),
    "the head received": (b"GET /whole%s HTTP/1.1\r\nHost: a\r\n\r\n", "-head"),
    "a part received": (b"GET /whole%s HTTP/1.1\r\nHost: a\r\n\r\n", "-part"),
    "a chunk received": (b"GET /whole%s HTTP/1.1\r\nHost: a\r\n\r\n", "-chunk"),
    "a part received in the middle of an upload": (
        b"POST /half%s HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nhello", "-part"
    ),
    "a second request sent": (
        b"GET /whole%s HTTP/1.1\r\nHost: a\r\n\r\nGET /never HTTP/1.1\r\nHost: a\r\n\r\n", "-none"
    ),
}


def clients_that_leave(pair):
    """The origin's connection ends within a second, so that it can stop working."""
    origin = Waiting()
    proxy = TlsProxy(origin.port, pair)
    context = ssl.create_default_context(cafile=pair[0])
    before = warmed_up(proxy, origin)
    serial = 0
    left = []
    for what, (request, kind) in GONE.items():
        for how in ("FIN", "RST", "FIN, TLS", "RST, TLS"):
            serial += 1
            target = "%s-%d" % (kind, serial)
            tls = context if "TLS" in how else None
            client = Client(proxy.tls_port if tls else proxy.port, tls=tls)
            client.send(request % target.encode())
            wanted = ("/whole" if b"/whole" in request else "/half") + target
            origin.wait(lambda self: any(seen.target == wanted for seen in self.requests), wanted)
            if kind != "-none":
                client.read_response_head()
                while kind != "-head" and not client.buffer and client.fill():
                    pass
            if "RST" in how:
                raw = client.sock.detach()
                raw = socket.socket(fileno=raw)
                raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
                raw.close()
            else:
                client.close()
            left.append((what, how, wanted, now()))
    for what, how, wanted, at in left:
        try:
            origin.wait(lambda self: wanted in self.ended, wanted, 5)
            ended = origin.ended[wanted] - at
            ok(ended < 3.0 * SLOW, "%s, %s: cancelled soon (%d ms)" % (what, how, ended * 1000))
        except AssertionError:
            ok(False, "%s, %s: cancelled" % (what, how))
    targets = {request.target for request in origin.requests}
    ok("/never" not in targets, "and what it had asked next is not done")
    settled(proxy, before)
    is_(once(proxy.port, target="/alive").status, 200, "the proxy serves")


def stalled_and_gone():
    """Also when the proxy has stopped reading from the client, because the origin takes nothing."""
    origin = Waiting()
    proxy = Proxy(origin.port)
    before = warmed_up(proxy, origin)
    for target, start in (
        ("/half-deaf-upload", "POST %s HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999\r\n\r\n"),
        ("/whole-pipeline", "GET %s HTTP/1.1\r\nHost: a\r\n\r\n"),
    ):
        client = Client(proxy.port)
        client.send(start % target)
        origin.wait(lambda self: any(request.target == target for request in self.requests), target)
        flood(client, b"GET /never HTTP/1.1\r\nHost: a\r\n\r\n" * 1000)
        client.reset()
        start = now()
        try:
            wait_until(lambda: fds(proxy) <= before, "the end", 5)
        except AssertionError:
            pass
        took = now() - start
        ok(fds(proxy) <= before, "%s: a reset ends the request" % target)
        ok(took < 3.0 * SLOW, "%s: soon (%d ms)" % (target, took * 1000))
    settled(proxy, before)


def flood(client, data, seconds=0.3):
    """Sends until nobody takes any more for a while. Returns the number of bytes."""
    client.sock.setblocking(False)
    sent, end = 0, now() + seconds * SLOW
    while now() < end:
        try:
            sent += client.sock.send(data)
            end = now() + seconds * SLOW
        except BlockingIOError:
            select.select([], [client.sock], [], 0.01)
        except ConnectionError:
            break
    client.sock.settimeout(deadline(20))
    return sent


def half_closed():
    """Who has nothing more to say may still listen: shutdown(SHUT_WR) is not leaving."""

    def handler(wire):
        request = wire.read_request()
        if request is None:
            return
        origin.saw(request)
        if request.target == "/slow":
            gate.wait_requests(1)
        if request.target == "/big":
            wire.send(http_message("HTTP/1.1 200 OK", [], b"x" * (4 * MIB)))
        else:
            wire.send(last(request))

    gate = Origin(answering(fine))
    origin = Origin(handler)
    proxy = Proxy(origin.port)
    for data, wanted in (
        (b"GET /get HTTP/1.1\r\nHost: a\r\n\r\n", "fine /get"),
        (b"GET /old HTTP/1.0\r\n\r\n", "fine /old"),
        (b"POST /post HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello", "fine /post"),
        (b"GET /big HTTP/1.1\r\nHost: a\r\n\r\n", "x" * (4 * MIB)),
    ):
        client = Client(proxy.port)
        client.send(data)
        client.half_close()
        ok(client.read_response().text == wanted, "%r, half-closed: answered" % data[:12])
        ok(client.ends(), "then the end")
    half = b"PUT /2 HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nx"
    for behind in (b"", b"\r\n", half[:20], half):
        client = Client(proxy.port)
        client.send(b"GET /1 HTTP/1.1\r\nHost: a\r\n\r\n" * 5 + behind)
        client.half_close()
        is_([client.read_response().text for _ in range(5)], ["fine /1"] * 5, "also a pipeline")
        ok(client.ends(), "then the end, with %r behind it" % behind[:9])
    ok(all(request.target != "/2" for request in origin.requests), "no half request was served")
    client = Client(proxy.port)
    client.send(b"GET /slow HTTP/1.1\r\nHost: a\r\n\r\n")
    client.half_close()
    origin.wait(lambda self: any(request.target == "/slow" for request in self.requests), "the slow one")
    end = now() + 0.8 * SLOW  # longer than it takes to notice a client that left
    wait_until(lambda: now() > end, "that time to pass")
    once(gate.port)
    is_(client.read_response().text, "fine /slow", "also one that takes its time")


REQUEST = (
    b"POST /request HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTrailer: X\r\n\r\n"
    b"5;x=y\r\nhello\r\n3\r\nabc\r\n0\r\nX: y\r\n\r\n"
)
RESPONSE = HEAD + b"Transfer-Encoding: chunked\r\nX: y\r\n\r\n5\r\nhello\r\n3\r\nabc\r\n0\r\nX: y\r\n\r\n"


def leave(wire, how):
    if how == "RST":
        wire.reset()
    else:
        wire.close()


def every_byte_of_a_request():
    origin = Origin(answering(fine))
    proxy = Proxy(origin.port)
    is_(once(proxy.port, target="/before").status, 200, "a request before")
    before = fds(proxy)
    for how in ("FIN", "RST"):
        for size in range(len(REQUEST)):
            client = Client(proxy.port)
            client.send(REQUEST[:size])
            leave(client, how)
            if size % 16 == 0:  # and one byte at a time
                client = Client(proxy.port)
                for byte in REQUEST[:size]:
                    client.send(bytes([byte]))
                leave(client, how)
        ok(proxy.alive(), "%s behind every byte of a request: the proxy is alive" % how)
    settled(proxy, before)
    seen = [request.target for request in origin.requests]
    is_(seen, ["/before"], "none of them looked whole to the origin")
    wrong = []
    for size in range(len(REQUEST)):  # in two pieces it is what it was
        client = Client(proxy.port)
        client.send(REQUEST[:size])
        if size % 8 == 0:
            once(proxy.port, target="/between")
        client.send(REQUEST[size:])
        if client.read_response().text != "fine /request":
            wrong.append(size)
        client.close()
    is_(wrong, [], "divided at every byte it is served")
    posts = [request for request in origin.requests if request.method == "POST"]
    bodies = {(request.body, tuple(request.trailers)) for request in posts}
    is_(len(bodies), 1, "and arrives the same")
    settled(proxy, before + 4)


def every_byte_of_a_response():
    """The client leaves after each byte of the answer; the origin after each byte of request and answer."""

    def handler(wire):
        request = wire.read_request()
        if request is None:
            return
        if request.target == "/alive":
            wire.send(last(request))
            return
        wire.send(RESPONSE[: int(request.target[1:])])
        if request.method == "PUT":
            wire.reset()
        elif request.method == "DELETE":
            wire.half_close()
            wire.ends()

    origin = Origin(handler)
    proxy = Proxy(origin.port)
    before = warmed_up(proxy, origin)
    whole = len(RESPONSE)
    client = Client(proxy.port)
    client.send("GET /%d HTTP/1.1\r\nHost: a\r\n\r\n" % whole)
    client.read_response()
    client.close()
    for how in ("FIN", "RST"):
        for size in range(0, whole + 40):
            client = Client(proxy.port)
            client.send("GET /%d HTTP/1.1\r\nHost: a\r\n\r\n" % whole)
            if size:
                client.sock.recv(size, socket.MSG_WAITALL)
            leave(client, how)
        ok(proxy.alive(), "%s of the client behind every byte of an answer: the proxy is alive" % how)
    for method in ("GET", "PUT", "DELETE"):
        wrong = []
        for size in range(whole):
            try:
                answer = once(proxy.port, method, "/%d" % size)
                if answer.status != 502:
                    wrong.append((size, answer.status))
            except (ProtocolError, ConnectionError):
                pass
        is_(wrong, [], "an origin that leaves behind every byte (%s): 502, or visibly cut" % method)
    settled(proxy, before)
    is_(once(proxy.port, target="/alive").status, 200, "the proxy serves")


def every_byte_at_the_origin():
    """The origin leaves after each byte of the request that it read."""

    def handler(wire):
        nonlocal count
        wire.read_exactly(limit)
        count += 1
        leave(wire, how)

    limit = count = 0
    origin = Origin(handler)
    proxy = Proxy(origin.port)
    how = "FIN"
    is_(once(proxy.port).status, 502, "a request before")
    wait_until(lambda: not origin.open, "the end of it")
    before = fds(proxy)
    for how in ("FIN", "RST"):
        statuses = []
        for limit in range(0, 150, 2):
            client = Client(proxy.port)
            client.send(REQUEST)
            try:
                statuses.append(client.read_response().status)
            except (ProtocolError, ConnectionError) as problem:
                statuses.append(repr(problem))
            client.close()
        is_(set(statuses), {502}, "%s behind every byte of what it reads: 502" % how)
    settled(proxy, before)


def stalled_peers():
    """Who makes no progress for longer than its timeout is let go, in every phase, and the other side too."""

    def handler(wire):
        head = wire.read_request_head()
        if head is None:
            return
        origin.saw(head)
        if head.target == "/alive":
            wire.send(last(head))
        elif head.target == "/download":
            try:
                wire.send(HEAD + b"Content-Length: %d\r\n\r\n" % (32 * MIB) + b"x" * (32 * MIB))
            except ConnectionError:
                pass
        elif head.target == "/deaf":
            over.wait(deadline(30))
        elif head.target == "/half-head":
            wire.send(b"HTTP/1.1 200 OK\r\nX:")
            wire.ends()
        else:
            wire.read_to_end()

    origin = Origin(handler)
    over = threading.Event()
    closing(over.set)
    timeout = {"read_timeout": duration(1000), "write_timeout": duration(300)}
    proxy = Proxy(origin.port, timeout=timeout)
    before = warmed_up(proxy, origin)

    reader = Client(proxy.port, receive_buffer=4096)
    reader.send_request(target="/download")
    deaf = Client(proxy.port)
    deaf.send(b"POST /deaf HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % (64 * MIB))
    flooding = background(flood, deaf, b"u" * 65536, 0.6)
    dripping = Client(proxy.port)
    dripping.send(b"GET /drip HTTP/1.1\r\n")
    half = Client(proxy.port)
    half.send_request(target="/half-head")
    quiet = Client(proxy.port)
    quiet.send(b"POST /quiet HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")

    dripped = 0
    for byte in trickle([b"X"] * 1000, 20):
        if dripping.readable():
            break
        dripping.send(byte)
        dripped += 1
    is_(dripping.read_response().status, 408, "a head that drips in: 408")
    ok(dripped < 1000, "while it drips (%d bytes)" % dripped)
    is_(quiet.read_response().status, 408, "an upload that stops: 408")
    is_(half.read_response().status, 504, "an origin that stops within its head: 504")
    flooding.result()
    answer = deaf.read_response()
    ok(answer.status == 504, "an origin that takes nothing of an upload: 504 (%s)" % answer.text.strip())
    wait_until(lambda: tcp_state(proxy.port, reader.local_port) != 1, "the stalled download to be cut", 5)
    ok(True, "a download that nobody takes is cut")
    for client in (reader, deaf, dripping, half, quiet):
        client.close()
    over.set()
    settled(proxy, before)
    is_(once(proxy.port, target="/alive").status, 200, "the proxy serves")


def slow_but_steady():
    """Progress, however slow, is not stalling: both ways take several times as long as every timeout."""
    data = some_bytes(600 * KIB)

    def handler(request):
        body = data if request.method == "GET" else request.sha256.encode()
        return http_message("HTTP/1.1 200 OK", [], body)

    timeout = {"read_timeout": duration(300), "write_timeout": duration(300)}
    proxy = Proxy(Origin(answering(handler)).port, timeout=timeout)
    up = Client(proxy.port)
    down = Client(proxy.port, receive_buffer=16384)
    start = now()
    down.send_request(target="/down")
    up.send(b"POST /up HTTP/1.1\r\nHost: a\r\nContent-Length: 12\r\n\r\n")
    body = b"slow, steady"
    for byte in trickle([body[at : at + 1] for at in range(len(body))], 100):
        up.send(byte)
        down.buffer += down.sock.recv(16384)
    ok(elapsed_since(start) > 1000, "longer than every timeout")
    is_(up.read_response().text, sha256(body), "an upload that drips arrives")
    is_(down.read_response().sha256, sha256(data), "a download that is taken slowly too")


def memory():
    """What 50 stalled transfers of 10 MiB hold in memory, each way."""
    if SLOW != 1:
        raise Skip("a sanitizer's memory tells nothing")
    taken = [0]

    def handler(wire):
        head = wire.read_request_head()
        if head is None:
            return
        origin.saw(head)
        if head.target == "/alive":
            return wire.send(last(head))
        if head.target == "/up":
            over.wait(30)
            return
        wire.send(HEAD + b"Content-Length: %d\r\n\r\n" % (10 * MIB))
        for _ in range(160):
            try:
                wire.send(b"x" * 65536)
            except ConnectionError:
                return
            with origin.changed:
                taken[0] += 65536

    origin = Origin(handler)
    over = threading.Event()
    closing(over.set)
    proxy = Proxy(origin.port, workers=1)
    before_fds = warmed_up(proxy, origin)
    warm = [Client(proxy.port) for _ in range(50)]
    for client in warm:
        client.close()
    before = proxy.resident_kib() * KIB
    clients = [Client(proxy.port, receive_buffer=4096) for _ in range(50)]
    for client in clients:
        client.send_request(target="/down")
    origin.wait_requests(51)
    still = -1
    while still != taken[0]:
        still = taken[0]
        select.select([], [], [], 0.1)
    held = (proxy.resident_kib() * KIB - before) // 50
    ok(still < 50 * 8 * MIB, "50 downloads have stalled (%d KiB passed)" % (still // KIB))
    ok(held <= LIMIT, "each of them holds 256 KiB at most (%d KiB)" % (held // KIB))
    for client in clients:
        client.reset()
    settled(proxy, before_fds)

    before = proxy.resident_kib() * KIB
    clients = [Client(proxy.port) for _ in range(50)]
    for client in clients:
        client.send(b"POST /up HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % (10 * MIB))
        client.sock.setblocking(False)
    origin.wait_requests(101)
    sent, still = 0, 0
    while still < 20:
        still += 1
        for client in clients:
            try:
                sent += client.sock.send(b"u" * 65536)
                still = 0
            except BlockingIOError:
                pass
        select.select([], [], [], 0.01)
    held = (proxy.resident_kib() * KIB - before) // 50
    ok(sent < 50 * 10 * MIB, "50 uploads have stalled (%d KiB sent)" % (sent // KIB))
    ok(held <= LIMIT, "each of them holds 256 KiB at most (%d KiB)" % (held // KIB))
    over.set()
    for client in clients:
        client.reset()
    settled(proxy, before_fds)


def all_tests():
    pair = certificate("good")
    subtest("clients that leave", clients_that_leave, pair)
    subtest("clients that leave while they are held back", stalled_and_gone)
    subtest("clients that close one side", half_closed)
    subtest("every byte of a request", every_byte_of_a_request)
    subtest("every byte of an answer", every_byte_of_a_response)
    subtest("every byte at the origin", every_byte_at_the_origin)
    subtest("peers that stall", stalled_peers)
    subtest("peers that are slow", slow_but_steady)
    subtest("memory of stalled transfers", memory)


all_tests()
done()
