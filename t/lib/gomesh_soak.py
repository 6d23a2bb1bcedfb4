"""
What the soak has around the proxy: HTTP/2 origins, of which one drains and dies now and then; the middle, a second proxy that
is drained and replaced; and what is held open meanwhile. Used by t/soak.
"""
import os
import random
import signal
import socket
import subprocess
import time

import gomesh_tap
from gomesh_http2 import H2Client
from gomesh_http2_origin import H2Origin
from gomesh_soak_clients import CALL, MIDDLE, STUCK_S
from gomesh_tap import deadline, levels
from gomesh_wire import Client, ProtocolError

# a soak lasts longer than a test, and ends by itself
gomesh_tap.watchdog.cancel()
signal.signal(signal.SIGTERM, signal.SIG_DFL)
signal.signal(signal.SIGINT, signal.default_int_handler)

SHUTDOWN_S = int(deadline(30))
MIDDLE_CONFIG = """
proxy:
  listen_host: "127.0.0.1"
  listen_port: %(port)d
  workers: 2
  supervise: false
  backend: { host: "127.0.0.1", port: %(origin)d, protocol: h2 }
  timeout: { read_timeout: 20s, write_timeout: 20s, connect_timeout: 10s, shutdown_timeout: %(shutdown)ds }
log: { level: warn, format: text }
admin: { listen: "", socket: "%(socket)s" }
"""


# --- the origin, a process of its own


def serve(stream):
    """/bytes/N: so many bytes; anything else: what comes, as it comes, with a status in the trailers as gRPC has it."""
    path = "/" + stream.target.partition("?")[0].split("/", 2)[2]
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
    """
    Remembers nothing of what it served but in the file of the last requests; is_steady: asks no connection to go after some
    hundred streams.
    """

    is_steady, record = False, None

    def saw(self, request):
        session = request.session
        if "?last=" in request.target:
            os.write(self.record, (request.target + "\n").encode())
        if session.last_stream > 800 and not session.leaving and not self.is_steady:
            session.leaving = True
            session.goaway()
        with self.changed:
            self.sessions = [each for each in self.sessions if not each.ended]

    def begin(self, stream):
        if not (stream.session.leaving and stream.number > stream.session.last_allowed):
            super().begin(stream)


def run_origin(port, record, is_steady=False):
    """Until SIGTERM: then no connection takes more, and what is open may finish."""
    random.seed()
    levels[0].closers.clear()
    SoakOrigin.is_steady, SoakOrigin.record = is_steady, os.open(record, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
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


# --- the middle


def is_free(port):
    """Whether a new process may listen there: those of old connections do not matter."""
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            sock.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def post_drain(path):
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(STUCK_S)
        sock.connect(path)
        sock.sendall(b"POST /drain HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n")
        return sock.recv(4096)


class Middle:
    """
    A proxy that speaks HTTP/2 on both sides. It is told to drain, and as soon as its port is free the next one listens there,
    while it serves to the end what it let in.
    """

    def __init__(self, gomesh, folder, port, origin_port, wait_for_port):
        self.gomesh, self.folder, self.port, self.origin_port = gomesh, folder, port, origin_port
        self.wait_for_port = wait_for_port
        self.drains, self.leaving, self.problems = {"SIGTERM": 0, "/drain": 0}, [], []
        self.start()

    def name(self, ending):
        return os.path.join(self.folder, "middle-%d.%s" % (sum(self.drains.values()), ending))

    def start(self):
        values = {"port": self.port, "origin": self.origin_port, "shutdown": SHUTDOWN_S, "socket": self.name("socket")}
        with open(self.name("yaml"), "w", encoding="ascii") as file:
            file.write(MIDDLE_CONFIG % values)
        with open(self.name("log"), "wb") as log:
            command = [self.gomesh, "proxy", "-config", self.name("yaml")]
            self.process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
        self.wait_for_port(self.port)

    def drain(self):
        """Tells this one to go. What it said is looked at when it has ended."""
        way = min(self.drains, key=self.drains.get)
        self.leaving.append((self.process, self.name("log"), time.monotonic()))
        if way == "SIGTERM":
            self.process.terminate()
        elif b" 202 " not in (answer := post_drain(self.name("socket"))) and b" 200 " not in answer:
            self.problems.append("POST /drain: %r" % answer)
        self.drains[way] += 1

    def replace(self, proxy_port):
        """With a call open from before to after."""
        old, held = self.process, HeldCall(proxy_port, MIDDLE)
        held.begin()
        self.drain()
        end = time.monotonic() + STUCK_S
        while not is_free(self.port) and time.monotonic() < end:
            time.sleep(0.001)
        self.start()
        if old.poll() is not None:
            self.problems.append("a middle did not wait for what was open")
        self.problems += held.finish()

    def look(self, to_the_end=False):
        """At those that leave."""
        for one in list(self.leaving):
            process, log, since = one
            if to_the_end or time.monotonic() > since + SHUTDOWN_S + 10:
                try:
                    process.wait(max(1, since + SHUTDOWN_S + 10 - time.monotonic()))
                except subprocess.TimeoutExpired:
                    self.problems.append("a middle did not end in its shutdown time")
                    process.kill()
                    process.wait()
            if process.poll() is not None:
                self.leaving.remove(one)
                self.judge(process.returncode, log)

    def judge(self, code, log):
        with open(log, encoding="utf-8", errors="replace") as file:
            said = file.read()
        os.unlink(log)
        if code != 0 or "Cut " in said or "Sanitizer" in said or "runtime error" in said:
            self.problems.append("a middle ended with %s: %s" % (code, said[-8000:]))

    def kill(self):
        for process in [self.process] + [one[0] for one in self.leaving]:
            if process.poll() is None:
                process.kill()
                process.wait()


# --- what is open before a drain begins, and ends well after it


class Held:
    """A request of which a half is sent before, and the other after; what goes wrong is told by finish()."""

    def __init__(self, port, prefix=""):
        self.port, self.prefix, self.client, self.problems, self.got = port, prefix, None, [], None

    def attempt(self, step):
        try:
            if not self.problems and not step():
                self.problems.append("it was not answered as it should be: %r" % self.got)
        except (OSError, ProtocolError) as problem:
            self.problems.append(repr(problem))
        levels[-1].closers.clear()

    def begin(self):
        self.attempt(self.send_first)

    def finish(self):
        """A list of what is wrong."""
        self.attempt(self.send_second)
        if self.client is not None:
            self.client.close()
        return ["what was open when a drain began: %s%s: %s" % (type(self).__name__, self.prefix, each) for each in self.problems]


class HeldCall(Held):
    """Messages there and back, as gRPC has them."""

    def send_first(self):
        self.client = H2Client(self.port, seconds=STUCK_S)
        fields = self.client.fields("POST", self.prefix + "/example.Echo/Held", CALL)
        self.stream = self.client.send_headers(None, fields)
        return self.talk(1000)

    def talk(self, total):
        self.client.send_data(self.stream, bytes(1000))
        record = self.client.streams[self.stream]
        self.got = record.__dict__
        self.client.wait(lambda: len(record.body) >= total or record.ended or record.error, STUCK_S)
        return len(record.body) == total

    def send_second(self):
        if not self.talk(2000):
            return False
        self.client.send_data(self.stream, b"", True)
        response = self.client.response(self.stream, STUCK_S)
        return response.status == 200 and ("grpc-status", "0") in response.trailers


class HeldUpload(Held):
    """Half of a body before, half after."""

    def send_first(self):
        self.client = Client(self.port, seconds=STUCK_S)
        self.client.send_request("POST", "/echo", [("Content-Length", "10"), ("Expect", "100-continue")])
        self.got = self.client.read_response_head().__dict__
        self.client.send("hello")  # who sends before it was asked to may not be asked
        return self.got["status"] == 100

    def send_second(self):
        self.client.send("world")
        response = self.client.read_response()
        self.got = response.__dict__
        return response.status == 200 and "close" in response.tokens("connection")
