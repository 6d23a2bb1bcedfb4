#!/usr/bin/env python3
"""Clients of the proxy in front of race_origin.py. Usage: race_client.py PORT NAME REQUESTS CONNECTIONS REPORT.

A few keep-alive connections in one thread, GET and POST in turns of chance, with pauses about as long as the
origin's. Each request has a target of its own, and the answer must be the one to it. REPORT has, as JSON, the POSTs
that were answered and those that the proxy refused, and in words whatever else went wrong.
"""
import collections
import json
import os
import random
import re
import selectors
import socket
import sys
import time

PATIENCE = 30 * float(os.environ.get("GM_TEST_SLOW") or 1)
REFUSED = re.compile(rb'(?im)^proxy-status: gomesh; error=\w+; details="(connection_reset|connection_terminated): ')
LENGTH = re.compile(rb"(?im)^content-length: *(\d+)\r?$")
CHUNKED = re.compile(rb"(?im)^transfer-encoding: *chunked\r?$")
CLOSE = re.compile(rb"(?im)^connection: *close\r?$")
BODIES = (1, 30, 30, 30, 30, 30, 30, 30, 1000, 200000)  # the last is more than the buffers on the way hold at once


def pause():
    return random.choice((0, 0, random.uniform(0, 0.001), random.uniform(0, 0.004)))


def dechunked(data):
    """The body, or None if it is not whole yet."""
    parts = []
    while True:
        size, separator, rest = data.partition(b"\r\n")
        if not separator:
            return None
        length = int(size, 16)
        if len(rest) < length + 2:
            return None
        if rest[length : length + 2] != b"\r\n":
            raise ValueError("a chunk is longer than it says")
        if not length:
            if len(rest) > 2:
                raise ValueError("bytes behind the answer")
            return b"".join(parts)
        parts.append(rest[:length])
        data = rest[length + 2 :]


class Visitor:
    """One connection at a time, one request after the other."""

    def __init__(self, crew):
        self.crew = crew
        self.sock = None
        self.next()

    def next(self):
        self.request = None  # (method, target), while one is under way
        self.pieces = []  # of it, that are still to be sent
        self.due = time.monotonic() + pause()
        self.crew.waiting.add(self)

    def ask(self):
        """Its time has come: a new request, or the body to a head."""
        self.crew.waiting.discard(self)
        if self.request is None:
            target = self.crew.next_target()
            if target is None:
                return self.close()
            if self.sock is None:
                self.connect()
            self.request = (random.choice(("GET", "GET", "GET", "POST", "POST")), target)
            self.pieces = self.message(*self.request)
            self.answer = b""
            self.since = time.monotonic()
        return self.send()

    def message(self, method, target):
        head = b"%s %s HTTP/1.1\r\nHost: race.test\r\n" % (method.encode(), target.encode())
        if method == "GET":
            return [head + b"\r\n"]
        body = b"b" * random.choice(BODIES)
        if random.random() < 0.3:
            head += b"Transfer-Encoding: chunked\r\n\r\n"
            body = b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
        else:
            head += b"Content-Length: %d\r\n\r\n" % len(body)
        return [head, body] if random.random() < 0.3 else [head + body]

    def connect(self):
        self.crew.opened += 1
        self.sock = socket.create_connection(("127.0.0.1", self.crew.port), PATIENCE)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock.setblocking(False)
        self.crew.selector.register(self.sock, selectors.EVENT_READ, self)

    def close(self):
        if self.sock is not None:
            self.crew.selector.unregister(self.sock)
            self.sock.close()
            self.sock = None

    def send(self):
        """Sends one piece as far as it goes; between two there is a pause."""
        try:
            count = self.sock.send(self.pieces[0])
        except BlockingIOError:
            count = 0
        except ConnectionError:
            self.pieces = []  # the answer may be there all the same
            return self.watch(selectors.EVENT_READ)
        rest = self.pieces[0][count:]
        if rest:
            self.pieces[0] = rest
            return self.watch(selectors.EVENT_READ | selectors.EVENT_WRITE)
        del self.pieces[0]
        if self.pieces:
            self.due = time.monotonic() + random.uniform(0, 0.002)
            self.crew.waiting.add(self)
        return self.watch(selectors.EVENT_READ)

    def watch(self, events):
        self.crew.selector.modify(self.sock, events, self)

    def on_event(self, events):
        if events & selectors.EVENT_READ:
            self.receive()
        elif events & selectors.EVENT_WRITE:
            self.send()

    def receive(self):
        try:
            data = self.sock.recv(262144)
        except BlockingIOError:
            return None
        except ConnectionError as problem:
            return self.fail(repr(problem))
        if not data or self.request is None:
            return self.fail("the connection ended" if not data else "bytes that nobody asked for: %r" % data[:100])
        self.answer += data
        head, separator, body = self.answer.partition(b"\r\n\r\n")
        if not separator:
            return None
        try:
            length = LENGTH.search(head)
            if CHUNKED.search(head):
                body = dechunked(body)
            elif len(body) < int(length.group(1)):
                return None
            elif len(body) > int(length.group(1)):
                raise ValueError("bytes behind the answer")
        except (ValueError, AttributeError) as problem:
            return self.fail("%s: %r" % (problem, self.answer[:300]))
        return None if body is None else self.judge(head, body)

    def judge(self, head, body):
        method, target = self.request
        status = int(head[9:12])
        refused = REFUSED.search(head)
        if status == 200 and body.rstrip(b".").decode() == "%s %s" % (method, target):
            self.crew.count(method, target, "answered")
        elif method == "POST" and status == 502 and refused:
            self.crew.count(method, target, refused.group(1).decode())
        else:
            return self.fail("%r" % (head + b"\r\n\r\n" + body)[:300])
        if self.pieces or CLOSE.search(head):  # answered before it was sent: nobody wants the rest
            self.close()
        self.next()
        return None

    def fail(self, what):
        self.crew.problem("%s: %s" % (" ".join(self.request or ["between requests"]), what))
        self.close()
        self.next()


class Crew:
    def __init__(self, port, name, requests, connections):
        self.port, self.name, self.requests = port, name, requests
        self.selector = selectors.SelectSelector()
        self.waiting = set()
        self.opened = self.started = 0
        self.done = collections.Counter()
        self.posts = {"answered": [], "refused": []}
        self.problems = []
        self.visitors = [Visitor(self) for _ in range(connections)]

    def next_target(self):
        if self.started == self.requests:
            return None
        self.started += 1
        return "/%s-%d" % (self.name, self.started)

    def count(self, method, target, what):
        self.done[method + " " + what] += 1
        if method == "POST":
            self.posts["answered" if what == "answered" else "refused"].append(target)

    def problem(self, what):
        self.problems.append(what)

    def run(self):
        while self.waiting or self.selector.get_map():
            next_due = min((visitor.due for visitor in self.waiting), default=None)
            timeout = PATIENCE if next_due is None else max(0, next_due - time.monotonic())
            for key, events in self.selector.select(timeout):
                key.data.on_event(events)
            now = time.monotonic()
            for visitor in [visitor for visitor in self.waiting if visitor.due <= now]:
                visitor.ask()
            late = [visitor for visitor in self.visitors if visitor.request and now - visitor.since > PATIENCE]
            for visitor in late:
                visitor.fail("no answer")

    def report(self):
        return {"done": self.done, "posts": self.posts, "problems": self.problems, "opened": self.opened}


def main(port, name, requests, connections, path):
    crew = Crew(int(port), name, int(requests), int(connections))
    crew.run()
    with open(path, "w") as file:
        json.dump(crew.report(), file)


main(*sys.argv[1:])
