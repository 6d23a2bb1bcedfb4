#!/usr/bin/env python3
"""The page of metrics while requests are served: exact numbers, who may read it, and Prometheus itself."""
import json
import os
import re
import sys
import urllib.parse
import urllib.request

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "lib"))
from gomesh_process import ROOT  # noqa: E402
from gomesh_test import *  # noqa: E402,F403
from gomesh_tools import run, want_tool  # noqa: E402

PLAIN = http_message("HTTP/1.1 200 OK", [], b"hello")


def answer(request):
    if request.target.startswith("/missing"):
        return http_message("HTTP/1.1 404 Not Found", [], b"no")
    return PLAIN


def samples(text):
    """{'name{labels}': number}"""
    return {line.rsplit(" ", 1)[0]: float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if line[:1] != "#"}


def scrape(proxy, path="/metrics"):
    return samples(once(proxy.port, target=path).text)


def settled(proxy, name, value):
    """The samples once this one has its value: a request is counted just after its answer."""
    return wait_until(lambda: (lambda found: found if found.get(name) == value else None)(scrape(proxy)), name)


def numbers():
    origin = Origin(answering(answer))
    dead = free_port()
    proxy = Proxy(origin.port, routes=[
        {"name": "users", "match": {"path": {"prefix": "/users"}}, "backend": {"host": "127.0.0.1", "port": origin.port}},
        {"name": "dead", "match": {"path": {"prefix": "/dead"}}, "backend": {"host": "127.0.0.1", "port": dead}},
    ])
    client = Client(proxy.port)
    for _ in range(7):
        client.request("GET", "/users/1")
    for _ in range(3):
        client.request("POST", "/", body=b"abcd")
    client.request("GET", "/missing")
    for _ in range(2):
        client.request("GET", "/dead")
    found = settled(proxy, 'gomesh_requests_total{service="dead",status="5xx"}', 2)
    wanted = {
        'gomesh_requests_total{service="backend",status="2xx"}': 10,
        'gomesh_requests_total{service="backend",status="4xx"}': 1,
        'gomesh_errors_total{service="dead",error_type="connect_refused"}': 2,
        'gomesh_route_requests_total{route="users",cluster="backend",method="GET",code="200",failure=""}': 7,
        'gomesh_route_requests_total{route="backend",cluster="backend",method="POST",code="200",failure=""}': 3,
        'gomesh_route_requests_total{route="dead",cluster="dead",method="GET",code="502",failure="connect_refused"}': 2,
        'gomesh_request_duration_seconds_count{service="backend"}': 11,
        'gomesh_request_duration_seconds_bucket{service="backend",le="+Inf"}': 11,
        'gomesh_upstream_connections_total{cluster="backend",result="new"}': 1,
        'gomesh_upstream_connections_total{cluster="backend",result="reused"}': 10,
        'gomesh_upstream_connections_total{cluster="dead",result="failed"}': 2,
        'gomesh_upstream_connections_idle{cluster="backend"}': 1,
        'gomesh_bytes_total{direction="in"}': 12,
        "gomesh_requests_in_flight": 0,
        "gomesh_config_generation": 1,
    }
    is_({name: found.get(name) for name in wanted}, wanted, "every request is counted where it belongs, and the page is not")
    ok(found["process_resident_memory_bytes"] > 1e6 and found["process_open_fds"] > 5, "the process's own numbers")


def connections():
    proxy = Proxy(Origin(answering(answer)).port)
    clients = [Client(proxy.port) for _ in range(3)]
    for client in clients:
        client.request()
    # the one that asks is open, too
    found = settled(proxy, 'gomesh_connections_open{listener="http"}', 4)
    ok(found['gomesh_connections_total{listener="http"}'] >= 4, "connections are counted")
    for client in clients:
        client.close()
    settled(proxy, 'gomesh_connections_open{listener="http"}', 1)
    ok(True, "and those that are open")


def in_flight():
    origin = Origin(lambda wire: (wire.origin.saw(wire.read_request()), wire.ends()))
    proxy = Proxy(origin.port, routes=[])
    client = Client(proxy.port)
    client.send_request()
    origin.wait_requests(1)
    found = scrape(proxy)
    is_(found["gomesh_requests_in_flight"], 1, "one is being served, beside the one for the page")
    client.reset()
    settled(proxy, "gomesh_requests_in_flight", 0)
    is_(scrape(proxy)['gomesh_errors_total{service="backend",error_type="client_gone"}'], 1, "and then it left")


def page():
    origin = Origin(answering(answer))
    proxy = Proxy(origin.port)
    response = once(proxy.port, target="/metrics?x=1")
    is_(response.get("content-type"), "text/plain; version=0.0.4; charset=utf-8", "its type")
    head = once(proxy.port, "HEAD", "/metrics")
    is_((head.status, head.body), (200, b""), "HEAD")
    is_(once(proxy.port, "POST", "/metrics", body=b"x").text, "hello", "other methods are the backend's")
    is_(once(proxy.port, target="/metrics/x").text, "hello", "and other paths")
    proxy = Proxy(origin.port, metrics={"path": ""})
    is_(once(proxy.port, target="/metrics").text, "hello", "without a path, that one too")


def lost_lines():
    proxy = Proxy(Origin(answering(answer)).port, log={"format": "json", "access": {"path": "/dev/full"}})
    once(proxy.port)
    settled(proxy, "gomesh_log_dropped_total", 1)
    ok(True, "a line that could not be written is counted")


def live_page():
    tool = want_tool("promtool")
    proxy = Proxy(Origin(answering(answer)).port)
    for number in range(20):
        once(proxy.port, target="/%d" % number)
    done = run([tool, "check", "metrics"], input=once(proxy.port, target="/metrics").body)
    is_((done.returncode, (done.stdout + done.stderr).decode()), (0, ""), "promtool has nothing to say about it")


def query(port, expression):
    url = "http://127.0.0.1:%d/api/v1/query?%s" % (port, urllib.parse.urlencode({"query": expression}))
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(url, timeout=20) as response:
        result = json.load(response)["data"]["result"]
    return float(result[0]["value"][1]) if len(result) == 1 else None


def prometheus():
    """A real server scrapes while load runs, and answers with the numbers that the load has counted."""
    server = want_tool("prometheus")
    proxy = Proxy(Origin(answering(answer)).port, workers=2)
    port, folder = free_port(), temporary_folder()
    config = "scrape_configs:\n- job_name: gomesh\n  scrape_interval: 200ms\n  static_configs:\n  - targets: ['127.0.0.1:%d']\n"
    path = write_file("prometheus.yml", config % proxy.port)
    Process([server, "--config.file=" + path, "--web.listen-address=127.0.0.1:%d" % port,
             "--storage.tsdb.path=" + os.path.join(folder, "data")], name="prometheus")

    def load(number):
        client = Client(proxy.port)
        for turn in range(250):
            client.request(target="/missing" if turn % 5 == 0 else "/%d" % number)
        client.close()

    for running in [background(load, number) for number in range(4)]:
        running.result()

    def answered(expression):
        try:
            return query(port, expression)
        except OSError:
            return None

    wait_until(lambda: answered("sum(gomesh_requests_total)") == 1000, "the sum of all requests", 60)
    for expression, wanted in (
        ('sum(gomesh_requests_total{service="backend",status="4xx"})', 200),
        ('sum(gomesh_route_requests_total{code="200",method="GET",failure=""})', 800),
        ("sum(gomesh_request_duration_seconds_count)", 1000),
        ('sum(gomesh_request_duration_seconds_bucket{le="+Inf"})', 1000),
        ("sum(gomesh_upstream_connections_total)", 1000),
    ):
        is_(query(port, expression), wanted, expression)
    is_(query(port, "sum(up)"), 1, "no scrape has failed")
    dashboard(port)


def dashboard(port):
    """Each query of the dashboard that we ship is one that Prometheus understands, and nearly all have an answer."""
    with open(os.path.join(ROOT, "examples", "observability", "dashboard.json"), encoding="utf-8") as file:
        panels = json.load(file)["panels"]
    expressions = [target["expr"] for panel in panels for target in panel["targets"]]
    ok(len(expressions) > 20, "%d queries" % len(expressions))
    names = set(re.findall(r"gomesh_[a-z_]+?(?:_bucket|_count)?(?=[^a-z_])", " ".join(expressions)))
    ok(len(names) > 10, "about %d metrics" % len(names))
    awaited = [expression for expression in expressions if "errors_total" not in expression]

    def silent():
        return [expression for expression in awaited if not answers(port, expression.replace("$__rate_interval", "1m"))]

    wait_until(lambda: not silent(), "answers to all queries, but for those about failures, of which there were none", 30)
    for expression in set(expressions) - set(awaited):
        answers(port, expression.replace("$__rate_interval", "1m"))
    ok(True, "Prometheus understands all of them, and has answers")


def answers(port, expression):
    url = "http://127.0.0.1:%d/api/v1/query?%s" % (port, urllib.parse.urlencode({"query": expression}))
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(url, timeout=20) as response:
        return json.load(response)["data"]["result"]


for function in (numbers, connections, in_flight, page, lost_lines, live_page, prometheus):
    subtest(function.__name__.replace("_", " "), function)
done()
