#!/usr/bin/env python3
"""Why did this request fail, and where did its time go? The admin window's pages about requests and metrics."""
import json
import os
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "lib"))
from gomesh_test import *  # noqa: E402,F403

ID = "0af7651916cd43dd8448eb211c80319c"


class Seen(Proxy):
    def __init__(self, backend, **settings):
        self.admin = free_port()
        super().__init__(backend, admin={"listen": "127.0.0.1:%d" % self.admin}, **settings)

    def ask(self, target):
        return once(self.admin, target=target, host="localhost")

    def requests(self, query="", count=None):
        def found():
            response = self.ask("/requests" + query)
            requests = json.loads(response.text)["requests"]
            return requests if count is None or len(requests) == count else None

        return wait_until(found, "%r requests" % count) if count is not None else found()


def one_word_everywhere():
    """After one request to a stopped backend, four places say the same."""
    proxy = Seen(free_port(), log={"format": "json"})
    response = once(proxy.port, target="/api/users", headers=[("X-Trace-ID", ID)])
    word = "connect_refused"
    is_(response.status, 502, "a stopped backend")
    like(response.text, r"^%s: " % word, "the body names the failure")
    like(response.text, r"(?m)^try: curl ", "and a next step")
    like(response.get("proxy-status"), r'details="%s: ' % word, "so does Proxy-Status")
    proxy.wait_line(r'"request completed".*"failure":"%s"' % word)
    like(once(proxy.port, target="/metrics").text, r'(?m)^gomesh_errors_total\{service="backend",error_type="%s"\} 1$' % word, "so do metrics")
    page = json.loads(proxy.ask("/requests/" + ID).text)["requests"]
    is_([(r["failure"], r["trace_id"], r["path"]) for r in page], [(word, ID, "/api/users")], "and the window")
    ok(abs(sum(page[0]["phases"].values()) - page[0]["latency_ms"]) <= 0.001, "with all its time in phases")
    text = proxy.ask("/requests/%s?text" % ID).text
    like(text, r"(?m)^\[INFO\] request completed: GET /api/users 502 ", "as text: the request")
    like(text, r"(?m)^  connect +\d+\.\d+ ms +\d+\.\d %$", "a line for each phase")
    like(text, r"(?m)^  %s: the backend refused the connection$" % word, "and what failed")


def lists():
    gate = threading.Event()

    def answer(request):
        if request.target == "/slow":
            gate.wait(20)
        return http_message("HTTP/1.1 200 OK", [], b"x")

    proxy = Seen(Origin(answering(answer)).port, workers=2)
    slow = background(once, proxy.port, "GET", "/slow")
    for number in range(5):
        once(proxy.port, target="/%d" % number)
    client = Client(proxy.port)
    client.send(b"GARBAGE\r\n\r\n")
    client.read_response()
    proxy.requests(count=6)
    gate.set()
    slow.result()
    is_(proxy.requests(count=7)[0]["path"], "/slow", "the last to end comes first")
    is_(proxy.requests("?slow")[0]["path"], "/slow", "?slow: the slowest first")
    is_([r["failure"] for r in proxy.requests("?failed")], ["bad_request"], "?failed: those alone")
    is_(len(proxy.requests("?limit=2")), 2, "?limit")
    is_([r["failure"] for r in proxy.requests("?slow=1&failed=true&limit=5")], ["bad_request"], "words may have a value")
    is_([len(proxy.ask("/requests?" + query).text.splitlines()) for query in ("slow&failed&text", "text&failed&slow&limit=1", "failed&&&text=1", "text&slowly&failedx&limit=7")], [1, 1, 1, 7], "all at once")
    is_(len(proxy.ask("/requests?text&limit=3").text.splitlines()), 3, "?text: a line each")
    for target, status in (("/requests?limit=0", 400), ("/requests?limit=x", 400), ("/requests/abc", 400), ("/requests/" + "f" * 32, 404),
                           ("/requests/" + "0" * 32, 400), ("/requests/" + "x" * 3000, 414)):
        is_(proxy.ask(target).status, status, target[:40])


def the_last_thousand():
    proxy = Seen(Origin(answering(lambda request: http_message("HTTP/1.1 200 OK", [], b"x"))).port, workers=1)
    client = Client(proxy.port)
    for number in range(1100):
        client.request(target="/%d" % number)
    requests = proxy.requests("?limit=10000", count=1000)
    wait_until(lambda: proxy.requests("?limit=1")[0]["path"] == "/1099", "the last one")
    is_([r["path"] for r in proxy.requests("?limit=10000")], ["/%d" % n for n in range(1099, 99, -1)], "a thousand are kept")
    ok(requests, "and no more")


def metrics():
    proxy = Seen(Origin(answering(lambda request: http_message("HTTP/1.1 200 OK", [], b"x"))).port, metrics={"path": ""})
    is_(once(proxy.port, target="/metrics").text, "x", "not on the proxy's port")
    once(proxy.port)
    wanted = 'gomesh_requests_total{service="backend",status="2xx"} 2'
    wait_until(lambda: wanted in proxy.ask("/metrics").text, wanted)
    is_(proxy.ask("/metrics").get("content-type"), "text/plain; version=0.0.4; charset=utf-8", "but in the window")


subtest("one word everywhere", one_word_everywhere)
subtest("lists", lists)
subtest("the last thousand", the_last_thousand)
subtest("metrics", metrics)
done()
