#!/usr/bin/env python3
"""An origin that ends its connections at the very edge of their reuse. Usage: race_origin.py PORT REPORT.

One thread and no library in the way, so that what it does comes when it is meant to. The first request of a
connection is always answered: whoever tries again on a fresh one succeeds. Behind each answer a fate is drawn:

    keep          nothing happens
    at-once       it closes right behind the answer, which did not say so
    idle          it closes after 0 to 3 ms, whatever has arrived by then
    first-byte    it closes when the first byte of the next request is there
    swallowed     it reads the next request whole, which counts as executed, and closes without an answer
    ...-reset     the same with RST

SIGTERM ends it; then REPORT has, as JSON, how often each request was executed, and what became of connections.
"""
import collections
import fcntl
import json
import random
import selectors
import signal
import socket
import struct
import sys
import termios
import time

FATES = {"keep": 40, "at-once": 9, "at-once-reset": 5, "idle": 16, "idle-reset": 8}
FATES.update({"first-byte": 8, "first-byte-reset": 5, "swallowed": 6, "swallowed-reset": 3})
LONGEST_IDLE = 0.003


class Connection:
    def __init__(self, sock):
        self.sock = sock
        self.buffer = b""
        self.fate = "keep"
        self.due = None


class Race:
    def __init__(self, port):
        self.selector = selectors.SelectSelector()  # select's timeout has microseconds, that of epoll has not
        self.listener = socket.create_server(("127.0.0.1", port), backlog=512)
        self.listener.setblocking(False)
        self.selector.register(self.listener, selectors.EVENT_READ, self.accept)
        self.idle = set()  # connections that have a time to end
        self.executed = collections.Counter()
        self.ends = collections.Counter()
        self.lost = collections.Counter()  # requests that had arrived, at least their first byte, and got no answer
        self.opened = 0
        self.stopping = False

    def stop_on_signal(self):
        reading, writing = socket.socketpair()
        writing.setblocking(False)
        signal.set_wakeup_fd(writing.fileno())
        signal.signal(signal.SIGTERM, lambda *_: None)
        self.selector.register(reading, selectors.EVENT_READ, self.stop)
        self.wakeup = writing

    def stop(self):
        self.stopping = True

    def accept(self):
        try:
            sock, _peer = self.listener.accept()
        except (BlockingIOError, ConnectionError):
            return
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.settimeout(30)
        self.opened += 1
        connection = Connection(sock)
        self.selector.register(sock, selectors.EVENT_READ, lambda: self.read(connection))

    def end(self, connection, how):
        self.ends[how] += 1
        self.selector.unregister(connection.sock)
        self.idle.discard(connection)
        if how.endswith("-reset"):
            connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.sock.close()

    def end_idle(self, connection):
        """Though a request may be there already: that is the race."""
        unread = struct.unpack("i", fcntl.ioctl(connection.sock, termios.FIONREAD, b"\0\0\0\0"))[0]
        self.lost["idle"] += unread != 0
        self.end(connection, connection.fate)

    def read(self, connection):
        if connection.sock.fileno() < 0:
            return  # it has just ended
        try:
            data = connection.sock.recv(1 if connection.fate.startswith("first-byte") else 262144)
        except ConnectionError:
            data = b""
        if not data:
            return self.end(connection, "by the peer")
        if connection.fate.startswith("first-byte"):
            self.lost["first byte of " + {b"G": "GET", b"P": "POST"}.get(data, "?")] += 1
            return self.end(connection, connection.fate)
        if connection.due is not None:
            self.idle.discard(connection)  # the request was faster
            connection.due, connection.fate = None, "keep"
        connection.buffer += data
        head, separator, body = connection.buffer.partition(b"\r\n\r\n")
        if separator and self.is_whole(head.lower(), body):
            connection.buffer = b""
            self.execute(connection, head, body)
        return None

    @staticmethod
    def is_whole(head, body):
        if b"\r\ntransfer-encoding: chunked" in head:
            return body.endswith(b"0\r\n\r\n")  # the clients' bodies have no such bytes
        at = head.find(b"\r\ncontent-length:")
        return at < 0 or len(body) >= int(head[at + 17 :].split(b"\r\n", 1)[0])

    def execute(self, connection, head, body):
        method, target, _version = head.split(b"\r\n", 1)[0].decode().split(" ")
        self.executed[method + " " + target] += 1
        if connection.fate.startswith("swallowed"):
            self.lost["whole " + method] += 1
            return self.end(connection, connection.fate)
        text = b"%s %s" % (method.encode(), target.encode()) + b"." * random.choice((0, 0, 10, 20000))
        try:
            self.answer(connection.sock, text)
        except OSError:
            return self.end(connection, "by the peer")
        connection.fate = random.choices(list(FATES), list(FATES.values()))[0]
        if connection.fate.startswith("at-once"):
            self.end(connection, connection.fate)
        elif connection.fate.startswith("idle"):
            connection.due = time.monotonic() + random.uniform(0, LONGEST_IDLE)
            self.idle.add(connection)
        return None

    @staticmethod
    def answer(sock, text):
        """In one piece or in two, by length or in chunks: where an answer ends is seen in different ways."""
        if random.random() < 0.3:
            head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
            text = b"%x\r\n%s\r\n0\r\n\r\n" % (len(text), text)
        else:
            head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(text)
        if random.random() < 0.3:
            sock.sendall(head)
            sock.sendall(text)
        else:
            sock.sendall(head + text)

    def run(self):
        while not self.stopping:
            next_due = min((connection.due for connection in self.idle), default=None)
            timeout = None if next_due is None else max(0, next_due - time.monotonic())
            events = self.selector.select(timeout)
            now = time.monotonic()
            for connection in [connection for connection in self.idle if connection.due <= now]:
                self.end_idle(connection)
            for key, _events in events:
                key.data()

    def report(self):
        return {"executed": self.executed, "ends": self.ends, "lost": self.lost, "opened": self.opened}


def main(port, path):
    race = Race(int(port))
    race.stop_on_signal()
    print("ready", flush=True)
    race.run()
    with open(path, "w") as file:
        json.dump(race.report(), file)


main(*sys.argv[1:])
