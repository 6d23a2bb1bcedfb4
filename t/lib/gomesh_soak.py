"""HTTP/2 in the soak: an origin that drains and dies now and then, and clients with many streams. Used by t/soak."""
import os
import random
import signal
import socket
import ssl
import struct
import time

import gomesh_tap
from gomesh_http2 import H2Client, h2_context
from gomesh_http2_origin import H2Origin
from gomesh_tap import levels
from gomesh_wire import ProtocolError

# a soak lasts longer than a test, and ends by itself
gomesh_tap.watchdog.cancel()
signal.signal(signal.SIGTERM, signal.SIG_DFL)
signal.signal(signal.SIGINT, signal.default_int_handler)

STUCK_S = 60
SIZES = (0, 1, 1000, 70000, 1 << 20)
FAILED = (502, 503, 504)
FAILED_CALLS = ("13", "14")  # INTERNAL: a stream that was reset; UNAVAILABLE


# --- the origin, a process of its own


def serve(stream):
    """/bytes/N: so many bytes; anything else: what comes, as it comes, with a status in the trailers as gRPC has it."""
    path = stream.target[len("/h2") :]
    if path.startswith("/bytes/"):
        stream.wait_end(60)
        stream.answer(200, body=bytes(int(path[7:])), length=random.random() < 0.5)
    else:
        stream.head(200, [("content-type", "application/grpc")])
        at = 0
        while stream.is_open() and not (stream.ended and at == len(stream.body)):
            stream.wait(lambda self: len(self.body) > at or self.ended or not self.is_open(), "a message", 60)
            at += stream.data(bytes(stream.body[at:]))
        if stream.is_open():
            stream.end([("grpc-status", "0"), ("x-bytes", str(at))])
    stream.body = bytearray()
    del stream.session.frames[1:]


class SoakOrigin(H2Origin):
    """Remembers nothing of what it served, and asks a connection to go after some hundred streams."""

    def saw(self, request):
        session = request.session
        if session.last_stream > 800 and not session.leaving:
            session.leaving = True
            session.goaway()
        with self.changed:
            self.sessions = [each for each in self.sessions if not each.ended]

    def begin(self, stream):
        if not (stream.session.leaving and stream.number > stream.session.last_allowed):
            super().begin(stream)


def run_origin(port):
    """Until SIGTERM: then no connection takes more, and what is open may finish."""
    random.seed()
    levels[0].closers.clear()
    origin = SoakOrigin(serve, port=port)
    ending = []
    signal.signal(signal.SIGTERM, lambda *_: ending.append(1))
    while not ending:
        time.sleep(0.05)
    origin.listener.close()
    for session in list(origin.sessions):
        try:
            if not session.leaving:
                session.leaving = True
                session.goaway()
        except OSError:
            pass
    end = time.monotonic() + 2
    while time.monotonic() < end and any(session.open_streams() for session in list(origin.sessions)):
        time.sleep(0.02)
    os._exit(0)


# --- a client


class Http2Visitor:
    """One connection at a time, up to eight streams on it; who breaks off does so anywhere."""

    def __init__(self, ports, seed, counts):
        self.ports, self.random, self.counts, self.client, self.visits = ports, random.Random(seed), counts, None, 0

    def connect(self):
        is_tls = self.random.random() < 0.3
        self.client = H2Client(self.ports[is_tls], tls=h2_context() if is_tls else None, seconds=STUCK_S)
        levels[-1].closers.clear()  # there are too many for a list that is kept to the end
        self.visits = 0

    def leave(self, resets=False):
        if self.client is None:
            return
        if resets:
            self.client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.client.close()
        self.client = None

    def visit(self):
        if self.client is None:
            self.connect()
        self.visits += 1
        try:
            asked = [self.ask() for _ in range(self.random.randrange(1, 9))]
            if self.random.random() < 0.05:
                self.client.read_frame(1)
                self.counts["broken connections"] += 1
                return self.leave(self.random.random() < 0.5)
            for one in asked:
                self.finish(*one)
        except ProtocolError as problem:
            if "no window" in str(problem):
                self.counts["stuck"] += 1
            else:
                self.counts["wrong"] += 1
            print("HTTP/2: %s" % problem, flush=True)
            self.leave()
        if self.client and (self.client.ended or self.client.goaways or self.visits > 50 or self.random.random() < 0.05):
            self.leave()
        return None

    def ask(self):
        """Starts a request; returns its stream, the length of its answer (None: any), and its trailers if it has some."""
        size, prefix, kind = self.random.choice(SIZES), self.random.choice(("", "/h2")), self.random.random()
        if kind < 0.5:
            return self.client.start(path="%s/bytes/%d" % (prefix, size)), size, False
        if kind < 0.75 or not prefix:
            return self.client.start("POST", prefix + "/echo", [("te", "trailers")], bytes(size)), size if prefix else None, bool(prefix)
        return self.converse()

    def converse(self):
        """As gRPC does: messages there and back, one after another, and a status at the end."""
        headers = [("te", "trailers"), ("content-type", "application/grpc"), ("grpc-timeout", "60S")]
        stream = self.client.send_headers(None, self.client.fields("POST", "/h2/example.Echo/Chat", headers))
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
        if self.random.random() < 0.1 and not record.ended:
            client.read_frame(0.01)
            client.cancel(stream)
            self.counts["cancelled streams"] += 1
            client.streams[stream] = Ignored(record)
            return
        client.wait(lambda: record.ended or record.error is not None, STUCK_S)
        if record.ended:
            self.judge(record, wanted, has_status)
        elif record.error is not None:
            self.counts["reset streams"] += 1
        elif client.ended:
            self.counts["ended streams"] += 1
        else:
            self.counts["stuck"] += 1
            print("HTTP/2: a stream is stuck: %s, %d bytes of %s" % (record.status, len(record.body), wanted), flush=True)
        record.body = bytearray()

    def judge(self, record, wanted, has_status):
        fields = dict(record.headers)
        if record.status in FAILED:
            self.counts["status %d" % record.status] += 1
        elif has_status and record.status == 200 and "proxy-status" in fields and fields.get("grpc-status") in FAILED_CALLS:
            self.counts["failed calls"] += 1
        elif record.status != 200 or wanted not in (None, len(record.body)):
            self.counts["wrong"] += 1
            print("HTTP/2: %s with %d bytes instead of %s" % (record.status, len(record.body), wanted), flush=True)
        elif has_status and ("grpc-status", "0") not in record.trailers + record.headers:
            self.counts["wrong"] += 1
            print("HTTP/2: no status in %r" % record.trailers, flush=True)
        else:
            self.counts["good streams"] += 1


class Ignored:
    """A stream that we cancelled: what was on its way may still come."""

    def __init__(self, record):
        self.__dict__.update(record.__dict__)

    def __setattr__(self, name, value):
        if name not in ("ended", "error"):
            self.__dict__[name] = value
