"""An origin under the test's control: what a connection does is a Python function."""
import select
import socket
import threading
import time

from gomesh_ports import free_port
from gomesh_tap import closing, deadline, explain_failure, now, ok
from gomesh_wire import ProtocolError, Wire, http_message


class Origin:
    """
    Listens on host, or on unix:/path, and gives each connection (a Wire) to handler(wire) in a thread of its own. Counts the
    connections, and the requests that answering() reads. A handler that fails fails the test, unless the
    connection broke under it.
    """

    def __init__(self, handler, host="127.0.0.1", port=None):
        self.handler = handler
        self.host = host
        self.path = host[5:] if host.startswith("unix:") else None
        self.port = None if self.path else port or free_port()
        self.changed = threading.Condition()
        self.connections = 0
        self.requests = []
        self.problems = []
        self.open = set()
        self.start()
        closing(self.close)

    def start(self):
        """(Re)opens the port."""
        family = socket.AF_UNIX if self.path else socket.AF_INET6 if ":" in self.host else socket.AF_INET
        self.listener = socket.socket(family, socket.SOCK_STREAM)
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            self.listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        self.listener.bind(self.path or (self.host, self.port))
        self.listener.listen(512)
        self.stopped = False
        self.acceptor = threading.Thread(target=self.accept, args=(self.listener,), daemon=True)
        self.acceptor.start()

    def accept(self, listener):
        while True:
            try:
                sock, _peer = listener.accept()
            except OSError:
                return
            wire = Wire(sock, 60)
            wire.origin = self
            with self.changed:
                self.connections += 1
                self.open.add(wire)
                self.changed.notify_all()
            threading.Thread(target=self.serve, args=(wire,), daemon=True).start()

    def serve(self, wire):
        try:
            self.handler(wire)
        except ProtocolError as problem:
            if "end of stream" not in str(problem):
                self.problems.append(repr(problem))
        except OSError:
            pass  # the peer left, or stop() closed the socket
        except Exception as problem:
            self.problems.append(repr(problem))
        finally:
            with self.changed:
                self.open.discard(wire)
                self.changed.notify_all()
            wire.close()

    def saw(self, request):
        with self.changed:
            self.requests.append(request)
            self.changed.notify_all()

    def wait(self, condition, what, seconds=15):
        """Waits until condition(origin) holds; woken by each connection and each request."""
        end = now() + deadline(seconds)
        with self.changed:
            while not condition(self):
                left = end - now()
                if left <= 0:
                    raise AssertionError("the origin waited in vain for " + what)
                self.changed.wait(left)

    def wait_requests(self, count, seconds=15):
        self.wait(lambda self: len(self.requests) >= count, "%d request(s)" % count, seconds)
        return self.requests[count - 1]

    def stop(self):
        """Closes the port and all connections."""
        self.stopped = True
        try:
            self.listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.listener.close()
        self.acceptor.join(deadline(10))
        with self.changed:
            wires = list(self.open)
        for wire in wires:
            try:
                wire.sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        self.wait(lambda self: not self.open, "its connections to end")

    def close(self):
        self.stop()
        if self.problems:
            ok(False, "the origin received nothing but sound HTTP")
            explain_failure("\n".join(self.problems[:10]))


def answering(function):
    """A handler that reads request after request and sends function(request): bytes, or None to hang up."""

    def handler(wire):
        while True:
            request = wire.read_request()
            if request is None:
                return
            wire.origin.saw(request)
            answer = function(request)
            if answer is None:
                return
            wire.send(answer)
            if "close" in request.tokens("connection"):
                return

    return handler


def echo_body(request):
    """An answer with the request's body."""
    return http_message("HTTP/1.1 200 OK", [("Content-Type", "application/octet-stream")], request.body)


def trickle(pieces, pause_ms):
    """Yields pieces with a pause after each: the pace of a slow peer, not a wait for something to happen."""
    for piece in pieces:
        yield piece
        time.sleep(deadline(pause_ms / 1000))


def blackhole():
    """
    A port on 127.0.0.1 on which connecting neither succeeds nor fails: a listener that never accepts, its
    queue filled. Returns the port.
    """
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    port = free_port()
    listener.bind(("127.0.0.1", port))
    listener.listen(0)
    closing(listener.close)
    for _ in range(64):
        sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        closing(sock.close)
        sock.setblocking(False)
        sock.connect_ex(("127.0.0.1", port))
        if not select.select([], [sock], [], 0.3)[1]:
            return port
    raise AssertionError("the queue of a listener does not fill")
