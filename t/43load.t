#!/usr/bin/env python3
"""Many at once: 1,000 keep-alive clients, a backend that restarts under load, limits and workers."""
import os
import re
import resource
import select
import selectors
import shutil
import subprocess
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "lib"))
from gomesh_test import *  # noqa: E402,F403

CLIENTS = 1000
ROUNDS = 4
FILES = 2 * CLIENTS + 500  # the proxy holds two sockets for each client


def fine(request):
    return http_message("HTTP/1.1 200 OK", [], b"fine " + request.target.encode())


def allow_files(count):
    """Raises this process's limit, which its children inherit; skips where the hard limit forbids it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < count:
        raise Skip("only %d open files are allowed" % hard)
    if soft != resource.RLIM_INFINITY and soft < count:
        resource.setrlimit(resource.RLIMIT_NOFILE, (count, hard))


class Visitor:
    """One of the 1,000, driven by the selector: asks for pages of its own and checks that it gets those."""

    def __init__(self, number, port):
        self.number, self.client = number, Client(port)
        self.client.sock.setblocking(False)
        self.round = 0
        self.answer = b""

    def ask(self):
        self.answer = b""
        self.target = "/echo?client=%d&round=%d" % (self.number, self.round)
        self.client.sock.send(
            http_message("GET %s HTTP/1.1" % self.target, [("Host", "a"), ("X-Client", str(self.number))])
        )

    def on_readable(self):
        """True when the answer is whole and right, False when more is to come; raises if it is wrong."""
        data = self.client.sock.recv(65536)
        if not data:
            raise AssertionError("client %d, round %d: the connection ended" % (self.number, self.round))
        self.answer += data
        head, separator, body = self.answer.partition(b"\r\n\r\n")
        if not separator:
            return False
        length = re.search(rb"(?i)\r\ncontent-length: (\d+)", head)
        if length:
            if len(body) < int(length.group(1)):
                return False
        elif not body.endswith(b"0\r\n\r\n"):
            return False
        if (
            not head.startswith(b"HTTP/1.1 200 ")
            or b'client=%d&round=%d"' % (self.number, self.round) not in body
        ):
            raise AssertionError("client %d, round %d: %r" % (self.number, self.round, self.answer[:300]))
        self.round += 1
        return True


def thousand_clients():
    allow_files(FILES)
    backend = Backend()
    proxy = Proxy(backend.port)
    visitors = [Visitor(number, proxy.port) for number in range(CLIENTS)]
    problems = []
    for number in range(ROUNDS):
        selector = selectors.DefaultSelector()
        for visitor in visitors:
            selector.register(visitor.client.sock, selectors.EVENT_READ, visitor)
            visitor.ask()
        end = now() + deadline(60)
        while selector.get_map() and now() < end:
            for key, _events in selector.select(1):
                try:
                    if key.data.on_readable():
                        selector.unregister(key.fileobj)
                except (AssertionError, OSError) as problem:
                    problems.append(str(problem))
                    selector.unregister(key.fileobj)
        answered = sum(visitor.round == number + 1 for visitor in visitors)
        selector.close()
        is_(answered, CLIENTS, "round %d: %d clients, all connected, all answered" % (number + 1, CLIENTS))
    is_(problems[:10], [], "every answer was the right one")
    lines = proxy.wait_count(r"Forwarding: GET /echo", CLIENTS * ROUNDS)
    if proxy.find(r"(?i)lost|dropped"):
        skip("a line for each request", "the log says it lost lines")
    else:
        is_(lines, CLIENTS * ROUNDS, "a line for each request, or a line that counts the lost")
    for visitor in visitors:
        visitor.client.close()
    is_(once(proxy.port, target="/health").status, 200, "the proxy lives on")
    is_((proxy.stop(), backend.stop()), (0, 0), "exit codes 0")


class Hammer:
    """Threads that keep asking until told to stop; what they got, by time."""

    def __init__(self, port, threads=16):
        self.port = port
        self.changed = threading.Condition()
        self.good = self.bad = 0
        self.names = {}
        self.problems = []
        self.stopping = False
        self.runs = [background(self.loop) for _ in range(threads)]

    def loop(self):
        client = None
        while not self.stopping:
            try:
                client = client or Client(self.port)
                response = client.request(target="/bytes/1000")
                self.record(response)
                if "close" in response.tokens("connection"):
                    client = client.close()
            except (ProtocolError, OSError) as problem:
                self.problems.append(repr(problem))
                client = None

    def record(self, response):
        match = re.match(r'gomesh; error=\w+; details="(\w+): ', response.get("proxy-status") or "")
        with self.changed:
            if response.status == 200 and len(response.body) == 1000:
                self.good += 1
            elif response.status == 502 and match:
                self.bad += 1
                self.names[match.group(1)] = self.names.get(match.group(1), 0) + 1
            else:
                self.problems.append("%d %s" % (response.status, response.text[:100]))
            self.changed.notify_all()

    def wait_more(self, good=0, bad=0):
        with self.changed:
            good, bad = self.good + good, self.bad + bad
            if not self.changed.wait_for(lambda: self.good >= good and self.bad >= bad, deadline(30)):
                raise AssertionError(
                    "%d good and %d bad answers, waited for %d and %d; %r"
                    % (self.good, self.bad, good, bad, self.problems[:5])
                )

    def stop(self):
        self.stopping = True
        for run in self.runs:
            run.result()


def backend_restarts(crash):
    port = free_port()
    backend = Backend(port)
    proxy = Proxy(port)
    hammer = Hammer(proxy.port)
    closing(hammer.stop)
    hammer.wait_more(good=300)
    is_(hammer.bad, 0, "no error while the backend is there")
    for _ in range(2):
        backend.kill() if crash else backend.stop()
        hammer.wait_more(bad=100)
        backend = Backend(port)
        hammer.wait_more(good=100)
    with hammer.changed:
        before = hammer.bad
    hammer.wait_more(good=500)
    is_(hammer.bad, before, "no error any more once it is back")
    hammer.stop()
    wrong = sorted(set(hammer.names) - {"connect_refused", "connection_reset", "connection_terminated"})
    is_(wrong, [], "only 502 while it is away, and for the right reason: %r" % hammer.names)
    for name in wrong:
        note(proxy.wait_line(r"^.*failed: %s .*$" % name).group(0))
    is_(hammer.problems[:5], [], "every answer was whole")
    ok(proxy.alive(), "by one and the same proxy")
    is_(proxy.stop(), 0, "exit code 0")


def connection_limit():
    origin = Origin(answering(fine))
    proxy = Proxy(origin.port, workers=1, limits={"max_connections": 4})
    clients = [Client(proxy.port) for _ in range(4)]
    is_(
        [client.request(target="/x").status for client in clients],
        [200] * 4,
        "as many as max_connections are served",
    )
    waiting = [Client(proxy.port) for _ in range(2)]
    for client in waiting:
        client.send_request(target="/waiting")
    for _ in range(50):
        for client in clients:
            client.request(target="/y")
    ok(
        not any(client.readable(0.2) for client in waiting),
        "further ones wait while 200 requests are served on these",
    )
    is_(len(origin.requests), 204, "and none of theirs is forwarded")
    for number, client in enumerate(waiting):
        clients[number].close()
        is_(client.read_response().text, "fine /waiting", "one closes, a waiting one is served")
    is_([client.request(target="/z").status for client in clients[2:] + waiting], [200] * 4, "all four go on")
    for client in clients + waiting:
        client.close()
    is_(
        [once(proxy.port, target="/%d" % number).status for number in range(20)],
        [200] * 20,
        "and it recovers",
    )
    is_(proxy.stop(), 0, "exit code 0")


def worker_names(proxy):
    names = []
    for task in os.listdir("/proc/%d/task" % proxy.pid):
        with open("/proc/%d/task/%s/comm" % (proxy.pid, task)) as file:
            names.append(file.read().strip())
    return sorted(name for name in names if name.startswith("gm-worker"))


def workers_by_quota():
    """A container's quota counts, not the processors of the machine."""
    script = 'mount -t tmpfs none /sys/fs/cgroup; cd /sys/fs/cgroup; %s; exec "$0" "$@"'
    for what, quota in (
        ("cgroup v2", "echo 50000 100000 >cpu.max"),
        ("cgroup v1", "mkdir cpu; echo 100000 >cpu/cpu.cfs_quota_us; echo 100000 >cpu/cpu.cfs_period_us"),
    ):
        wrapper = ["unshare", "--map-root-user", "--mount", "sh", "-ec"]
        probe = subprocess.run(wrapper + ["mount -t tmpfs none /sys/fs/cgroup"], capture_output=True, check=False)
        if probe.returncode:
            raise Skip("mounts of our own are not allowed here: " + probe.stderr.decode().strip())
        wrapper += [script % quota]
        proxy = Proxy(Origin(answering(fine)).port, workers="auto", wrapper=wrapper)
        is_(len(worker_names(proxy)), 1, "%s: a quota of one processor is one worker" % what)
        is_(once(proxy.port).status, 200, "%s: it serves" % what)


def workers():
    origin = Origin(answering(fine))
    for setting, count, wrapper in (
        (1, 1, ()),
        (2, 2, ()),
        (3, 3, ()),
        ("auto", None, ()),
        ("auto", 1, ("taskset", "-c")),
    ):
        if wrapper:
            if not shutil.which("taskset"):
                skip("auto on one processor", "taskset is not installed")
                continue
            wrapper += (str(min(os.sched_getaffinity(0))),)
        proxy = Proxy(origin.port, workers=setting, wrapper=wrapper)
        names = worker_names(proxy)
        if count is None:
            count = len(names)
            ok(
                1 <= count <= len(os.sched_getaffinity(0)),
                "workers: auto is no more than the processors allowed (%d)" % count,
            )
        what = "workers: %s%s" % (setting, " on one processor" if wrapper else "")
        is_(len(names), count, "%s: %d thread(s): %s" % (what, count, " ".join(names)))
        is_(len(set(names)), count, "%s: each has its own name" % what)
        sockets = listening_sockets(proxy.pid, proxy.port)
        ok(
            sum(sockets.values()) and all(number in (0, count) for number in sockets.values()),
            "%s: one listening socket each: %r" % (what, sockets),
        )
        is_(
            [once(proxy.port, target="/%d" % number).status for number in range(20)],
            [200] * 20,
            "%s: it serves" % what,
        )
        is_(proxy.stop(), 0, "%s: exit code 0" % what)


def slow_log():
    """Nobody reads the proxy's output: it must go on serving, and say later what it could not say."""
    origin = Origin(answering(fine))
    reader, writer = os.pipe()
    closing(lambda: os.close(reader))
    port = free_port()
    path = write_file("stuck.yaml", to_yaml(proxy_config(port, origin.port)))
    proxy = gomesh("proxy", "-config", path, stdout=writer)
    os.close(writer)
    wait_until(lambda: any(listening_sockets(proxy.pid, port).values()), "its listener")
    client = Client(port)
    is_(
        {client.request(target="/%d/%s" % (number, "x" * 2000)).status for number in range(1000)},
        {200},
        "1,000 requests, while their lines wait in a pipe that nobody reads",
    )
    drain = background(lambda: b"".join(iter(lambda: os.read(reader, 65536), b"")))
    is_(proxy.stop(), 0, "exit code 0")
    text = drain.result().decode()
    like(text, r"\[INFO\] Stopped\n\Z", "the end of the log is there when it is read")
    lines = text.count("Forwarding: GET ") + text.count("request completed: GET ")
    ok(lines < 1000, "of 4 MB the buffer holds one, the pipe less")
    is_(lines + lost_in(text), 2000, "and no line is lost in silence (%d are there)" % lines)


def lost_in(text):
    """How many lines a log says it has lost."""
    return sum(map(int, re.findall(r"^\[WARN\] (\d+) log lines? (?:was|were) lost: ", text, re.M)))


def logging_to(fd):
    """A proxy that logs there, and its port; it listens when this returns."""
    port = free_port()
    path = write_file("log-%d.yaml" % port, to_yaml(proxy_config(port, Origin(answering(fine)).port)))
    proxy = gomesh("proxy", "-config", path, stdout=fd)
    os.close(fd)
    wait_until(lambda: any(listening_sockets(proxy.pid, port).values()), "its listener")
    return proxy, port


def writes_of_log(pid):
    """How often the thread that writes the log has called write()."""
    for task in os.listdir("/proc/%d/task" % pid):
        with open("/proc/%d/task/%s/comm" % (pid, task)) as file:
            name = file.read().strip()
        if name == "gm-log":
            with open("/proc/%d/task/%s/io" % (pid, task)) as file:
                return int(re.search(r"syscw: (\d+)", file.read()).group(1))
    raise AssertionError("there is no such thread")


def full_log():
    """A disk without room: it is tried again now and then, and not all the time."""
    proxy, port = logging_to(os.open("/dev/full", os.O_WRONLY))
    wait_until(lambda: writes_of_log(proxy.pid) > 0, "the first line")
    before = writes_of_log(proxy.pid)
    is_({once(port).status for _ in range(200)}, {200}, "requests are served")
    writes = writes_of_log(proxy.pid) - before
    ok(writes < 20, "200 lines, and %d tries to write" % writes)
    is_(proxy.stop(), 0, "exit code 0")


def absent_log():
    """The reader of the log goes, and another one comes."""
    path = os.path.join(temporary_folder(), "log.fifo")
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    proxy, port = logging_to(os.open(path, os.O_WRONLY))
    text = []

    def read():
        ready = select.select([reader], [], [], 0.05)[0]
        text.append(os.read(reader, 65536).decode() if ready else "")
        return "".join(text)

    wait_until(lambda: "Ctrl+C" in read(), "the start lines")
    before = writes_of_log(proxy.pid)
    os.close(reader)
    is_({once(port, target="/%d" % number).status for number in range(50)}, {200}, "nobody reads, all are served")
    wait_until(lambda: writes_of_log(proxy.pid) > before, "a write that failed")
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    closing(lambda: os.close(reader))
    for number in range(50, 60):
        once(port, target="/%d" % number)
    wait_until(lambda: "completed: GET /59 " in read(), "the last line")
    lost = lost_in("".join(text))
    lines = sum("".join(text).count(kind + ": GET ") for kind in ("Forwarding", "request completed"))
    ok(lost > 0, "%d lines were lost, and the next reader is told" % lost)
    is_(lost + lines, 120, "none in silence")
    is_(proxy.stop(), 0, "exit code 0")


def ten_thousand():
    """Ten thousand clients that have had an answer and keep their connection."""
    try:
        allow_files(10300)
    except (ValueError, OSError) as problem:
        raise Skip("not enough descriptors: %s" % problem) from None
    proxy = Proxy(Origin(answering(fine)).port, workers=2, limits={"max_connections": 10100})
    once(proxy.port)
    before = proxy.resident_kib()
    clients = []
    for number in range(10000):
        client = Client(proxy.port)
        clients.append(client)
        if client.request(target="/%d" % number).status != 200:
            raise AssertionError("client %d is not served" % number)
    each = (proxy.resident_kib() - before) * 1024 // 10000
    ok(each <= 1400 or SLOW != 1, "10,000 idle connections hold %d bytes each" % each)
    is_({client.request().status for client in clients[::100]}, {200}, "all are served again")
    for client in clients:
        client.close()
    is_(once(proxy.port).status, 200, "and everybody after them")
    is_(proxy.stop(), 0, "exit code 0")


subtest("1,000 concurrent keep-alive clients", thousand_clients)
subtest("the backend restarts under load", backend_restarts, False)
subtest("the backend crashes under load", backend_restarts, True)
subtest("max_connections", connection_limit)
if ENGINE == "gomesh":
    subtest("10,000 idle clients", ten_thousand)
subtest("workers", workers)
subtest("workers by quota", workers_by_quota)
subtest("a log that nobody reads", slow_log)
subtest("a log for which there is no room", full_log)
subtest("a log whose reader goes", absent_log)
done()
