"""The clients of the soak: they keep connections or leave them, and break off anywhere. Used by t/soak."""
import collections
import random
import socket
import ssl
import struct
import sys
import threading
import time

from gomesh_http2 import H2Client, h2_context
from gomesh_tap import levels
from gomesh_wire import ProtocolError

STUCK_S = 60
SIZES = (0, 1, 1000, 70000, 1 << 20)
FAILED = (502, 503, 504)  # a backend is away now and then
FAILED_CALLS = ("13", "14")  # INTERNAL: a stream that was reset; UNAVAILABLE
MIDDLE = "/middle"
CALL = [("te", "trailers"), ("content-type", "application/grpc"), ("grpc-timeout", "60S")]
# While one middle follows the other nobody listens; but whom it let in it serves. Between the two steps of its GOAWAY is a
# time, not a round trip: what a busy proxy begins after that is refused, and an upload that has begun cannot be sent again.
MIDDLE_FAILURES = ("connect_refused", "stream_refused")
LAST_FAILURES = {"/h2": ("stream_refused",)}  # of an origin whose GOAWAY has one step only


class LastCall:
    """The soaked proxy is to end while clients are busy: from the first request to the last, nothing may be lost."""

    def __init__(self, multiprocessing):
        self.stopping, self.answers = multiprocessing.Event(), multiprocessing.Value("i", 0)

    def count(self):
        with self.answers.get_lock():
            self.answers.value += 1


class Guest:
    """What clients of both kinds have in common. last: a LastCall, or None."""

    def __init__(self, ports, seed, counts, prefixes, last):
        self.ports, self.seed, self.counts, self.prefixes, self.last = ports, seed, counts, prefixes, last
        self.random, self.serial, self.is_done = random.Random(seed), 0, False

    def arrive(self, connect):
        """Once the port is closed this client has nothing more to do; before, nobody is refused."""
        try:
            return connect()
        except ConnectionRefusedError:
            self.is_done = self.last is not None
            if self.is_done and not self.last.stopping.is_set():
                self.wrong("refused before the end")
            raise

    def is_before_end(self):
        return self.last is not None and not self.last.stopping.is_set()

    def breaks_off(self, share):
        return self.last is None and self.random.random() < share

    def target(self, prefix, page):
        """At the end each has a number, by which the backends' records tell whether it came that far."""
        if self.last is None:
            return prefix + page
        self.serial += 1
        number = "%d-%d." % (self.seed, self.serial)
        return "%s%s?last=%s" % (prefix, page, number) if prefix else "/last/" + number

    def wrong(self, text):
        self.counts["wrong"] += 1
        print(text, file=sys.stderr, flush=True)

    def good(self, what):
        self.counts[what] += 1
        if self.last is not None:
            self.last.count()

    def failed(self, target, what, fields):
        """An answer that the proxy, or the middle, made itself: it is honest, but is there a reason for it?"""
        name = failure_name(fields.get("proxy-status", ""))
        if self.last is not None and name in LAST_FAILURES.get(target[:3], ()):
            self.counts["at the end: " + name] += 1
        elif self.last is not None:
            self.wrong("%s while nothing was away: %s, %s" % (target, what, name))
        elif target.startswith(MIDDLE):
            self.counts["middle: " + name] += 1
            if name not in MIDDLE_FAILURES:
                self.wrong("%s failed: %s, %s" % (target, what, fields.get("proxy-status")))
        else:
            self.counts[what] += 1

    def unanswered(self, target, what, may_be_sent_again):
        """may_be_sent_again: by the rules of HTTP, and if no backend has seen it."""
        if self.last is None:
            if target.startswith(MIDDLE):
                self.wrong("%s broke off: %s" % (target, what))
        elif may_be_sent_again:
            self.counts["unanswered " + target] += 1
        else:
            self.wrong("%s was lost: %s" % (target, what))


def failure_name(proxy_status):
    """The one word of the table of failures."""
    return proxy_status.partition('details="')[2].partition(":")[0] or "no name"


# --- HTTP/1.1


class Left(Exception):
    """The proxy ended the connection."""


class Visitor(Guest):
    def __init__(self, *guest):
        super().__init__(*guest)
        self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self.tls.check_hostname, self.tls.verify_mode = False, ssl.CERT_NONE
        self.sock, self.buffer, self.asked = None, b"", None

    def connect(self):
        is_tls = self.random.random() < 0.3
        self.buffer = b""
        self.sock = self.arrive(lambda: socket.create_connection(("127.0.0.1", self.ports[is_tls]), STUCK_S))
        if is_tls:
            self.sock = self.tls.wrap_socket(self.sock)

    def leave(self, resets=False):
        if self.sock is None:
            return
        if resets:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.sock.close()
        self.sock = None

    def fill(self):
        data = self.sock.recv(65536)
        if not data:
            raise Left
        self.buffer += data
        self.has_begun = True

    def read_answer(self):
        """The status, the fields and the length of the body; both framings."""
        while b"\r\n\r\n" not in self.buffer:
            self.fill()
        head, self.buffer = self.buffer.split(b"\r\n\r\n", 1)
        lines = head.decode("latin-1").split("\r\n")
        fields = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines[1:])}
        length = self.skip(int(fields["content-length"])) if "content-length" in fields else self.skip_chunks()
        return int(lines[0].split()[1]), fields, length

    def skip(self, length):
        left = length
        while left > len(self.buffer):
            left -= len(self.buffer)
            self.buffer = b""
            self.fill()
        self.buffer = self.buffer[left:]
        return length

    def skip_chunks(self):
        length = 0
        while True:
            while b"\r\n" not in self.buffer:
                self.fill()
            line, self.buffer = self.buffer.split(b"\r\n", 1)
            size = int(line, 16)
            self.skip(size + 2)
            length += size
            if size == 0:
                return length

    def message(self):
        """The target and the bytes of a request, and the length of the answer; None = any."""
        size, prefix = self.random.choice(SIZES), self.random.choice(self.prefixes)
        if self.random.random() < 0.6:
            target = self.target(prefix, "/bytes/%d" % size)
            return target, b"GET %s HTTP/1.1\r\nHost: soak\r\n\r\n" % target.encode(), size if "bytes" in target else None
        target, body = self.target(prefix, "/echo"), bytes(size)
        head = b"POST %s HTTP/1.1\r\nHost: soak\r\n" % target.encode()
        if self.random.random() < 0.5:
            return target, head + b"Content-Length: %d\r\n\r\n" % size + body, None
        chunk = b"%x\r\n%s\r\n" % (size, body) if size else b""
        return target, head + b"Transfer-Encoding: chunked\r\n\r\n" + chunk + b"0\r\n\r\n", None

    def visit(self):
        if self.sock is None:
            self.connect()
        target, message, wanted = self.message()
        if self.breaks_off(0.1):  # within the request
            self.sock.sendall(message[: self.random.randrange(len(message))])
            self.leave(self.random.random() < 0.5)
            self.counts["broken requests"] += 1
            return
        self.asked, self.has_begun, self.was_sent_before = target, False, False
        self.sock.sendall(message)
        self.was_sent_before = self.is_before_end()
        if self.breaks_off(0.1):  # within the answer
            self.asked = None
            self.sock.recv(self.random.choice((1, 100, 100000)))
            self.leave(self.random.random() < 0.5)
            self.counts["broken answers"] += 1
            return
        status, fields, length = self.read_answer()
        self.asked = None
        if status == 200 and wanted in (None, length):
            self.good("good")
        elif status in FAILED:
            self.failed(target, "status %d" % status, fields)
        else:
            self.wrong("wrong answer of %s: %d with %d bytes" % (target, status, length))
        if fields.get("connection", "").lower() == "close" or self.random.random() < 0.2:
            self.leave()

    def ended(self, problem):
        """
        The connection ended under a request. Only where the proxy closed it just then, having seen nothing of the request,
        is that in order (RFC 9112, 9.3.1).
        """
        if self.asked is not None and isinstance(problem, TimeoutError):
            self.counts["stuck"] += 1
            print("HTTP/1: %s is stuck" % self.asked, flush=True)
        elif self.asked is not None and (self.has_begun or self.last is not None):
            self.unanswered(self.asked, repr(problem), not self.has_begun and not self.was_sent_before)
        self.asked = None


# --- HTTP/2


class Http2Visitor(Guest):
    """One connection at a time, up to eight streams on it; who breaks off does so anywhere."""

    def __init__(self, *guest):
        super().__init__(*guest)
        self.prefixes = [prefix for prefix in self.prefixes for _ in range(1 if prefix == MIDDLE else 2)]
        self.client, self.visits, self.open = None, 0, {}  # open: targets by stream

    def connect(self):
        is_tls = self.random.random() < 0.3
        context = h2_context() if is_tls else None
        self.client = self.arrive(lambda: H2Client(self.ports[is_tls], tls=context, seconds=STUCK_S))
        levels[-1].closers.clear()  # there are too many for a list that is kept to the end
        self.visits = 0

    def leave(self, resets=False):
        if self.client is None:
            return
        if resets:
            self.client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.client.close()
        self.client = None
        self.open.clear()

    def visit(self):
        if self.client is None:
            self.connect()
        self.visits += 1
        try:
            asked = [self.ask() for _ in range(self.random.randrange(1, 9))]
            if self.breaks_off(0.05):
                self.client.read_frame(1)
                self.counts["broken connections"] += 1
                return self.leave(self.random.random() < 0.5)
            for one in asked:
                self.finish(*one)
        except ProtocolError as problem:
            self.counts["stuck"] += "no window" in str(problem)
            self.wrong("HTTP/2: %s" % problem)
            self.leave()
        if self.client and (self.client.ended or self.client.goaways or self.visits > 50 or self.random.random() < 0.05):
            self.leave()
        return None

    def ask(self):
        """Starts a request; returns its stream, the length of its answer (None: any), and its trailers if it has some."""
        size, prefix, kind = self.random.choice(SIZES), self.random.choice(self.prefixes), self.random.random()
        if kind < 0.5:
            target = self.target(prefix, "/bytes/%d" % size)
            return self.start("GET", target), size if "bytes" in target else None, False
        if kind < 0.75 or not prefix:
            stream = self.start("POST", self.target(prefix, "/echo"), [("te", "trailers")], bytes(size))
            return stream, size if prefix else None, bool(prefix)
        return self.converse(prefix)

    def start(self, method, target, headers=(), body=None):
        """As the client does; but it is known before its first byte, in case that is the last."""
        length = [("content-length", str(len(body)))] if body is not None else []
        stream = self.client.next_stream
        self.open[stream] = target
        self.client.send_headers(stream, self.client.fields(method, target, list(headers) + length), body is None)
        if body is not None:
            self.client.send_data(stream, body, True)
        return stream

    def converse(self, prefix):
        """As gRPC does: messages there and back, one after another, and a status at the end."""
        stream = self.client.next_stream
        self.open[stream] = self.target(prefix, "/example.Echo/Chat")
        self.client.send_headers(stream, self.client.fields("POST", self.open[stream], CALL))
        record, sent = self.client.streams[stream], 0
        is_over = lambda: record.ended or record.error is not None or self.client.ended  # noqa: E731
        for _ in range(self.random.randrange(1, 6)):
            sent += self.client.send_data(stream, bytes(self.random.choice((5, 500, 20000))))
            if not self.client.wait(lambda: len(record.body) >= sent or is_over(), STUCK_S):
                break
        if not is_over():
            self.client.send_data(stream, b"", True)
        return stream, sent, True

    def finish(self, stream, wanted, has_status):
        client, record = self.client, self.client.streams[stream]
        if self.breaks_off(0.1) and not record.ended:
            client.read_frame(0.01)
            client.cancel(stream)
            self.counts["cancelled streams"] += 1
            client.streams[stream] = Ignored(record)
            del self.open[stream]
            return
        client.wait(lambda: record.ended or record.error is not None, STUCK_S)
        if record.ended:
            self.judge(record, self.open.pop(stream), wanted, has_status)
        elif record.error is not None or client.ended:
            self.counts["reset streams" if record.error is not None else "ended streams"] += 1
            self.judge_unanswered(stream)
        else:
            self.counts["stuck"] += 1
            print("HTTP/2: a stream is stuck: %s, %d bytes of %s" % (record.status, len(record.body), wanted), flush=True)
        record.body = bytearray()

    def judge(self, record, target, wanted, has_status):
        fields = dict(record.headers)
        if record.status in FAILED:
            self.failed(target, "status %d" % record.status, fields)
        elif has_status and record.status == 200 and "proxy-status" in fields and fields.get("grpc-status") in FAILED_CALLS:
            self.failed(target, "failed calls", fields)
        elif record.status != 200 or wanted not in (None, len(record.body)):
            self.wrong("HTTP/2: %s with %d bytes of %s from %s" % (record.status, len(record.body), wanted, target))
        elif has_status and ("grpc-status", "0") not in record.trailers + record.headers:
            self.wrong("HTTP/2: no status in %r from %s" % (record.trailers, target))
        else:
            self.good("good streams")

    def judge_unanswered(self, stream):
        """GOAWAY and REFUSED_STREAM tell whose request was not looked at; a connection may also never have been served."""
        client, record = self.client, self.client.streams[stream]
        was_refused = record.error == "REFUSED_STREAM" or client.goaways and stream > client.goaways[-1][0]
        what = "%s, %s, %r" % (record.error, client.ended, client.goaways)
        self.unanswered(self.open.pop(stream), what, record.status is None and (was_refused or not client.settings_seen))

    def ended(self, _problem):
        """Sending failed; what came before is still there."""
        if self.client is None:
            return
        try:
            self.client.wait(lambda: False, 1)
        except ProtocolError as problem:
            self.wrong("HTTP/2: %s" % problem)
        for stream in list(self.open):
            if not self.client.streams[stream].ended:
                self.judge_unanswered(stream)


class Ignored:
    """A stream that we cancelled: what was on its way may still come."""

    def __init__(self, record):
        self.__dict__.update(record.__dict__)

    def __setattr__(self, name, value):
        if name not in ("ended", "error"):
            self.__dict__[name] = value


# --- a process of clients


def visit_until(ports, seed, end, has_http2, queue, last=None):
    counts = collections.Counter()
    prefixes = ("", "/h2", MIDDLE) if has_http2 else ("",)
    kinds = (Visitor, Visitor) + ((Http2Visitor,) * 2 if has_http2 else (Visitor,) * 2)
    visitors = [kind(ports, seed * 1000 + number, counts, prefixes, last) for number, kind in enumerate(kinds)]

    def run(visitor):
        while time.monotonic() < end and not visitor.is_done:
            try:
                visitor.visit()
            except (OSError, Left) as problem:  # idle too long, cut while the backend was away, and the like
                counts["ended connections"] += 1
                visitor.ended(problem)
                visitor.leave()
                time.sleep(0.01)  # if the proxy itself is away, that is not to be the load of the machine
        visitor.leave()

    threads = [threading.Thread(target=run, args=(visitor,)) for visitor in visitors]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if last is not None and not all(visitor.is_done for visitor in visitors):
        counts["clients that did not end"] += 1
    queue.put(dict(counts))
