#!/usr/bin/env python3
"""The supervisor: a serving process that dies is replaced, and no client in the queues is lost."""
import ctypes
import json
import os
import signal
import socket
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "lib"))
from gomesh_test import *  # noqa: E402,F403

DIED = r"The serving process died by SIG%s after \S+; starting another"


def is_sanitized():
    with open(GOMESH, "rb") as file:
        return b"__asan_" in (program := file.read()) or b"__tsan_" in program


SANITIZED = is_sanitized()
# a sanitizer takes the other signals, and its report is a failure
CRASH = signal.SIGKILL if SANITIZED else signal.SIGSEGV
NAME = "KILL" if SANITIZED else "SEGV"


def fine(request):
    return http_message("HTTP/1.1 200 OK", [], b"fine " + request.target.encode())


def supervised(backend, **settings):
    return Proxy(backend, supervise=True, **settings)


def serving(proxy):
    """The id of the process that serves; waits for one."""
    return wait_until(proxy.children, "a serving process")[0]


def is_gone(pid):
    try:
        with open("/proc/%d/stat" % pid) as file:
            return file.read().rsplit(")", 1)[1].split()[0] in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return True


def crash(proxy, number=CRASH):
    """Kills the serving process and waits for the next; returns after how many milliseconds there is one."""
    pid = serving(proxy)
    lines = len(proxy.out)
    start = now()
    os.kill(pid, number)
    wait_until(lambda: proxy.children() not in ([], [pid]), "another serving process")
    elapsed = elapsed_since(start)
    proxy.wait_line(r"Serving again", start=lines)
    return elapsed


def proc_status(pid, name):
    with open("/proc/%d/status" % pid) as file:
        return next(line.split()[1] for line in file if line.startswith(name + ":"))


def stand_still(pid):
    os.kill(pid, signal.SIGSTOP)
    wait_until(lambda: proc_status(pid, "State") in "Tt", "it to stand still")


class Crowd:
    """Clients that connect, ask once and leave, over and over, in threads."""

    def __init__(self, port, count):
        self.port = port
        self.stopping = threading.Event()
        self.results = {}
        self.lock = threading.Lock()
        self.threads = [threading.Thread(target=self.run, daemon=True) for _ in range(count)]
        for thread in self.threads:
            thread.start()

    def note(self, what):
        with self.lock:
            self.results[what] = self.results.get(what, 0) + 1

    def ask(self):
        """What became of one: answered; broken, as the process that had accepted it died; or what must not be."""
        try:
            sock = socket.create_connection(("127.0.0.1", self.port), deadline(30))
        except OSError as problem:
            return "not let in: %s" % problem
        with sock:
            try:
                sock.sendall(b"GET /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
                answer = b""
                while piece := sock.recv(65536):
                    answer += piece
            except socket.timeout:
                return "never answered"
            except OSError:
                return "broken"
        return "answered" if answer.startswith(b"HTTP/1.1 200 ") else "broken" if not answer else repr(answer[:60])

    def run(self):
        while not self.stopping.is_set():
            self.note(self.ask())

    def stop(self):
        self.stopping.set()
        for thread in self.threads:
            thread.join(deadline(40))
        return self.results


def crowd_meets_crashes():
    origin = Origin(answering(fine))
    proxy = supervised(origin.port, workers=2)
    crowd = Crowd(proxy.port, 8)
    closing(crowd.stopping.set)
    answered = 0
    for _ in range(4):
        wait_until(lambda: crowd.results.get("answered", 0) >= answered + 50, "answers")
        crash(proxy)
        answered = crowd.results.get("answered", 0)
    wait_until(lambda: crowd.results.get("answered", 0) >= answered + 50, "answers")
    results = crowd.stop()
    note(results)
    is_(set(results) - {"answered", "broken"}, set(), "nobody is refused, and nobody waits in vain")
    ok(results.get("broken", 0) <= 4 * 8, "at most those break that the dead process served")


def queue_survives():
    """Nobody accepts while the process stands still: all these clients are in the queues when it dies."""
    origin = Origin(answering(fine))
    proxy = supervised(origin.port, workers=2)
    pid = serving(proxy)
    stand_still(pid)
    clients = [Client(proxy.port) for _ in range(60)]
    for client in clients:
        client.send_request(target="/queued")
    os.kill(pid, signal.SIGKILL)
    is_([client.read_response().status for client in clients], [200] * 60, "all that waited are answered")
    is_(proxy.stop(), 0, "exit code 0")


def tls_queue_survives():
    cert, key = certificate("queue")
    port = free_port()
    proxy = supervised(Origin(answering(fine)).port, tls={"listen_port": port, "cert_file": cert, "key_file": key})
    crash(proxy)
    result = curl("--cacert", cert, "https://localhost:%d/x" % port)
    is_(result.stdout, b"fine /x", "the next process speaks TLS")


def in_time():
    origin = Origin(answering(fine))
    for _ in range(5):  # on a busy machine it is the test that is late
        proxy = supervised(origin.port)
        elapsed = crash(proxy)
        if elapsed < 100:
            break
    ok(elapsed < 100, "another process within 100 ms (%d)" % elapsed)
    like("\n".join(proxy.out), r"(?m)^\[ERROR\] " + DIED % NAME + r" \(crash 1\)$", "the log says so")
    is_(once(proxy.port, target="/x").status, 200, "and it serves")
    is_(proxy.count("Press Ctrl"), 1, "start lines are printed once")
    is_(proxy.count("Serving again"), 1, "and then that it serves again")
    like(once(proxy.port, target="/metrics").text, r"(?m)^gomesh_crashes_total 1$", "the metrics count it")


def back_off():
    proxy = supervised(Origin(answering(fine)).port)
    waits = [crash(proxy) for _ in range(4)]
    lines = [line for line in proxy.out if "starting another" in line]
    is_([line.split("starting another")[1] for line in lines],
        [" (crash 1)", " in 100ms (crash 2)", " in 200ms (crash 3)", " in 400ms (crash 4)"], "each wait is logged")
    ok(waits[1] * SLOW >= 99 and waits[2] * SLOW >= 199 and waits[3] * SLOW >= 399, "and waited for: %r" % waits)


def json_lines():
    text = to_yaml(proxy_config(free_port(), 1, supervise=True)).replace("format: text", "format: json")
    proxy = Process([GOMESH, "proxy", "-config", write_file("json.yaml", text)], name="proxy")
    proxy.wait_line(r"Press Ctrl\+C to stop")
    os.kill(serving(proxy), signal.SIGKILL)
    proxy.wait_line("Serving again")
    found = [json.loads(line) for line in proxy.out]
    found = [line for line in found if "died" in line["msg"]]
    is_([line["level"] for line in found], ["error"], "JSON where the log is JSON")
    ok(set(found[0]) >= {"level", "timestamp", "msg"}, "with its members")


def log_in_file():
    path = os.path.join(temporary_folder(), "supervised.log")
    config = proxy_config(free_port(), 1, supervise=True)
    config["log"]["output"] = path
    proxy = Process([GOMESH, "proxy", "-config", write_file("file.yaml", to_yaml(config))], name="proxy")
    read = lambda: open(path).read() if os.path.exists(path) else ""
    wait_until(lambda: "Press Ctrl" in read(), "start lines")
    os.kill(serving(proxy), signal.SIGKILL)
    wait_until(lambda: "Serving again" in read(), "the next process")
    like(read(), DIED % "KILL", "the line is in the file")
    is_(proxy.out, [], "and nowhere else")
    os.rename(path, path + ".1")
    proxy.send(signal.SIGUSR1)
    wait_until(lambda: os.path.exists(path), "a file by the old name")
    ok(True, "SIGUSR1 is passed on")


def drains(number):
    gate = threading.Event()
    closing(gate.set)

    def answer(request):
        if request.target == "/wait":
            gate.wait(deadline(60))
        return fine(request)

    origin = Origin(answering(answer))
    proxy = supervised(origin.port, timeout={"shutdown_timeout": "30s"})
    child = serving(proxy)
    client, idle = Client(proxy.port), Client(proxy.port)
    client.send_request(target="/wait")
    origin.wait_requests(1)
    proxy.send(number)
    proxy.wait_line(r"Shutting down: waiting up to 30s for 1 request")
    ok(idle.ends(), "idle connections end")
    start = now()
    try:
        Client(proxy.port).close()
        refused = False
    except ConnectionRefusedError:
        refused = True
    ok(refused and elapsed_since(start) < 500, "new clients are refused, and at once")
    ok(proxy.alive() and not is_gone(child), "both wait for the request")
    gate.set()
    is_(client.read_response().text, "fine /wait", "which is answered")
    is_(proxy.wait(), 0, "exit code 0")
    ok(is_gone(child), "nobody is left")
    is_(proxy.out[-1], "[INFO] Stopped", "the last line")


def silent(wire):
    """Takes what is sent and never answers."""
    while wire.fill():
        pass


def second_signal():
    origin = Origin(silent)
    proxy = supervised(origin.port, timeout={"shutdown_timeout": "60s"})
    client = Client(proxy.port)
    client.send_request(target="/wait")
    wait_until(lambda: proxy.find("Forwarding: GET /wait"), "the request")
    proxy.send(signal.SIGTERM)
    proxy.wait_line("Shutting down")
    wait_until(lambda: proxy.send(signal.SIGTERM) or not proxy.alive(), "the end", seconds=20)
    is_(proxy.wait(), 0, "exit code 0")
    ok(proxy.find("Stopped at once by a second signal"), "the log says why")


def signal_while_waiting():
    """With no serving process at that moment; the queues are served before the end."""
    proxy = supervised(Origin(answering(fine)).port)
    for _ in range(6):
        crash(proxy)
    os.kill(serving(proxy), CRASH)
    proxy.wait_line(r"starting another in 3.2s \(crash 7\)")
    client = Client(proxy.port)
    client.send_request(target="/x")
    start = now()
    proxy.send(signal.SIGTERM)
    is_(client.read_response().status, 200, "a client in the queue is served")
    is_(proxy.wait(), 0, "exit code 0")
    ok(elapsed_since(start) < 3000, "without waiting")


def dies_when_told_to_end():
    """Before it has looked at the signal: the next one serves who waits, then ends in its place."""
    proxy = supervised(Origin(answering(fine)).port, workers=2)
    pid = serving(proxy)
    stand_still(pid)
    clients = [Client(proxy.port) for _ in range(20)]
    for client in clients:
        client.send_request(target="/x")
    proxy.send(signal.SIGTERM)
    wait_until(lambda: int(proc_status(pid, "ShdPnd"), 16) >> signal.SIGTERM - 1 & 1, "the signal to be passed on")
    os.kill(pid, signal.SIGKILL)
    is_([client.read_response().status for client in clients], [200] * 20, "all that waited are answered")
    is_(proxy.wait(), 0, "exit code 0")


def keyboard():
    """Ctrl+C reaches both processes, and is one wish all the same, also to a process that is late."""
    setsid = want_tool("setsid")
    terminal, end = os.openpty()
    closing(lambda: os.close(terminal))
    origin = Origin(silent)
    port = free_port()
    path = write_file("keyboard.yaml", to_yaml(proxy_config(port, origin.port, supervise=True, timeout={"shutdown_timeout": "60s"})))
    proxy = Process([setsid, "-c", GOMESH, "proxy", "-config", path], name="proxy", stdin=end)
    os.close(end)
    proxy.wait_line(START_LINE)
    client = Client(port)
    client.send_request(target="/wait")
    wait_until(lambda: proxy.find("Forwarding: GET /wait"), "the request")
    pid = serving(proxy)
    os.write(terminal, b"\x03")
    proxy.wait_line("Shutting down: waiting up to 1m for 1 request")
    start = now()
    wait_until(lambda: now() > start + 0.3 or not proxy.alive(), "a later signal to count as a second one")
    ok(proxy.alive() and not is_gone(pid), "it waits for the request")
    os.write(terminal, b"\x03")
    is_(proxy.wait(), 0, "Ctrl+C again ends it at once")
    ok(proxy.find("Stopped at once by a second signal"), "and the log says so") or note(proxy.out)


def child_told_to_end():
    proxy = supervised(Origin(answering(fine)).port)
    os.kill(serving(proxy), signal.SIGTERM)
    is_(proxy.wait(), 0, "when the serving process ends in good order, so does the parent")
    is_(proxy.out[-1], "[INFO] Stopped", "it is not replaced")


def parent_killed():
    proxy = supervised(1)
    child = serving(proxy)
    proxy.kill()
    wait_until(lambda: is_gone(child), "the end of the serving process")
    ok(True, "a parent that is killed takes the serving process with it")


def crash_while_ending():
    origin = Origin(silent)
    proxy = supervised(origin.port, timeout={"shutdown_timeout": "60s"})
    client = Client(proxy.port)
    client.send_request(target="/wait")
    wait_until(lambda: proxy.find("Forwarding: GET /wait"), "the request")
    child = serving(proxy)
    proxy.send(signal.SIGTERM)
    proxy.wait_line("Shutting down")
    os.kill(child, signal.SIGKILL)
    is_(proxy.wait(), 1, "exit code 1")
    like(proxy.out[-1], r"^\[ERROR\] The serving process died by SIGKILL while it was ending$", "the log says why")


def cannot_start():
    busy = socket.socket()
    busy.bind(("127.0.0.1", 0))
    busy.listen()
    closing(busy.close)
    for value in ("true", "false"):
        text = "proxy: { listen_host: 127.0.0.1, listen_port: %d, backend: { host: 127.0.0.1, port: 1 }, supervise: %s }\n"
        path = write_file("busy.yaml", text % (busy.getsockname()[1], value) + "log: { format: text }\n")
        process = Process([GOMESH, "proxy", "-config", path], name="proxy")
        is_(process.wait(), 1, "supervise: %s: exit code 1" % value)
        like(process.err[0], r"^error: port \d+ is already in use \(proxy.listen_port, .*busy.yaml:1:\d+\)$", "why")
        is_(process.out, ["[INFO] Loading configuration from: " + path], "the start line before it, once")
    path = write_file("wrong.yaml", "proxy: { supervise: perhaps }\n")
    process = Process([GOMESH, "proxy", "-config", path], name="proxy")
    is_(process.wait(), 78, "a wrong configuration: exit code 78")
    like("\n".join(process.err), r"wrong.yaml:1:\d+: .*supervise", "with the place")


def worker_of(pid):
    """The id of its first worker's thread."""
    for thread in os.listdir("/proc/%d/task" % pid):
        with open("/proc/%d/task/%s/comm" % (pid, thread)) as file:
            if file.read() == "gm-worker-0\n":
                return int(thread)
    raise AssertionError("no worker")


def fault(pid, thread, number):
    """A signal for this thread, as a fault of its own would be."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.tgkill(pid, thread, int(number)) != 0:
        raise OSError(ctypes.get_errno(), "tgkill")


def report(number):
    if SANITIZED:
        raise Skip("a sanitizer makes its own report")
    proxy = supervised(Origin(silent).port, engine="gomesh", workers=1)
    busy, posting, heading, idle = [Client(proxy.port) for _ in range(4)]
    busy.send_request(target="/busy?a=1")
    proxy.wait_line("Forwarding: GET /busy")
    posting.send("POST /upload HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhello")
    proxy.wait_line("Forwarding: POST /up")
    heading.send("PUT /half HTTP/1.1\r\nHo")
    pid = serving(proxy)
    worker = worker_of(pid)
    # the head's first bytes are with the worker once another request, sent later, has passed
    idle.send_request(target="/later")
    proxy.wait_line("Forwarding: GET /later")
    fault(pid, worker, number)
    proxy.wait_line("Serving again")
    proxy.wait_line("end of report", stream="err")
    text = "\n".join(proxy.err)
    like(text, r"(?m)^GoMesh [\d.]+ dies by %s \(process %d, thread gm-worker-0\)$" % (number.name, pid), "its name and its version")
    like(text, r"(?m)^backtrace:\n.*gomesh\(\+?\w*\+0x[0-9a-f]+\)", "a backtrace")
    like(text, r"(?m)^  GET /busy\?a=1 \(no answer yet, client 127\.0\.0\.1\)$", "a request that waits")
    like(text, r"(?m)^  POST /upload \(the body is on its way, client 127\.0\.0\.1\)$", "one with a body")
    like(text, r"(?m)^  PUT /half HTTP/1\.1 \(the head is on its way, client 127\.0\.0\.1\)$", "a head")
    is_(proxy.count("end of report", "err"), 1, "one report")
    ok(proxy.find(DIED % number.name[3:]), "and it dies by that signal")


def other_threads():
    if SANITIZED:
        raise Skip("a sanitizer makes its own report")
    proxy = supervised(1)
    pid = serving(proxy)
    fault(pid, pid, signal.SIGBUS)
    proxy.wait_line("Serving again")
    proxy.wait_line("end of report", stream="err")
    like("\n".join(proxy.err), r"dies by SIGBUS \(process \d+, thread gomesh\)\nbacktrace:\n(.*\n)+end of report", "the main thread")


def stuck_reader():
    """Nobody reads stderr, and its pipe is full."""
    if SANITIZED:
        raise Skip("a sanitizer makes its own report")
    read, write = os.pipe()
    os.set_blocking(write, False)
    try:
        while True:
            os.write(write, b"x" * 4096)
    except BlockingIOError:
        pass
    os.set_blocking(write, True)
    path = write_file("stuck.yaml", to_yaml(proxy_config(free_port(), 1, supervise=True)))
    proxy = Process(["sh", "-c", 'exec "$@" 2>/proc/self/fd/%d' % write, "sh", GOMESH, "proxy", "-config", path], name="proxy", pass_fds=[write])
    proxy.wait_line("Press Ctrl")
    ok(crash(proxy) < 1500, "the report waits for nobody")
    is_(proxy.stop(), 0, "exit code 0")
    os.close(read)
    os.close(write)


def one_process():
    is_(Proxy(1, supervise=False).children(), [], "supervise: false: one process")
    is_(len(Proxy(1, supervise="auto").children()), 1, "auto: two")
    is_(Proxy(1, supervise="auto", env={"INVOCATION_ID": "0123"}).children(), [], "auto under systemd: one")
    path = os.path.join(temporary_folder(), "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(path)
        is_(Proxy(1, supervise="auto", env={"NOTIFY_SOCKET": path}).children(), [], "with NOTIFY_SOCKET as well")


def notified():
    path = os.path.join(temporary_folder(), "notify-parent")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(path)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        sock.settimeout(deadline(20))

        def receive():
            data, control, _, _ = sock.recvmsg(1000, 100)
            return data.decode(), int.from_bytes(control[0][2][:4], sys.byteorder)

        proxy = supervised(1, env={"NOTIFY_SOCKET": path})
        is_(receive(), ("READY=1", proxy.pid), "the parent says that it is ready")
        crash(proxy)
        is_(proxy.stop(), 0, "exit code 0")
        text, pid = receive()
        ok(text.startswith("STOPPING=1\nEXTEND_TIMEOUT_USEC=") and pid == proxy.pid, "then that it ends, and no more")


def orphans():
    """As process 1 of a container it reaps whoever has lost his parent."""
    unshare = want_tool("unshare")
    if Process([unshare, "--map-root-user", "--pid", "--fork", "--kill-child", "true"], name="unshare").wait() != 0:
        raise Skip("process namespaces are not allowed here")
    script = '(sleep 0.2 & echo orphan) ; exec "$@"'
    wrapper = [unshare, "--map-root-user", "--pid", "--fork", "--kill-child", "sh", "-c", script, "sh"]
    proxy = supervised(Origin(answering(fine)).port, wrapper=wrapper)
    first = wait_until(proxy.children, "process 1")[0]

    def children():
        with open("/proc/%d/task/%d/children" % (first, first)) as file:
            return file.read().split()

    wait_until(lambda: len(children()) == 1, "the orphan to be reaped")
    os.kill(int(children()[0]), signal.SIGKILL)
    proxy.wait_line("Serving again")
    is_(once(proxy.port, target="/x").status, 200, "process 1 supervises, too")
    os.kill(first, signal.SIGTERM)
    is_(proxy.wait(), 0, "and ends in good order")


def small():
    if SANITIZED:
        raise Skip("a sanitizer's memory tells nothing")
    proxy = supervised(Origin(answering(fine)).port)
    once(proxy.port, target="/x")

    def own_memory(pid):
        """Without program and libraries, which it shares with the child, and with whoever else runs them."""
        with open("/proc/%d/smaps_rollup" % pid) as file:
            return next(int(line.split()[1]) for line in file if line.startswith("Pss_Anon:"))

    ok(own_memory(proxy.pid) < 1024, "the parent takes %d KiB of memory" % own_memory(proxy.pid))
    is_(len(os.listdir("/proc/%d/task" % proxy.pid)), 1, "and has one thread")


subtest("a crowd of clients, and a process that dies now and then", crowd_meets_crashes)
subtest("who waits in a queue is served by the next process", queue_survives)
subtest("TLS", tls_queue_survives)
subtest("another process at once", in_time)
subtest("back-off", back_off)
subtest("the log as JSON", json_lines)
subtest("the log in a file", log_in_file)
for each in (signal.SIGTERM, signal.SIGINT):
    subtest("%s drains" % each.name, drains, each)
subtest("a second signal", second_signal)
subtest("a signal while no process serves", signal_while_waiting)
subtest("it dies when it is told to end", dies_when_told_to_end)
subtest("the keyboard", keyboard)
subtest("the serving process is told to end", child_told_to_end)
subtest("the parent is killed", parent_killed)
subtest("a crash while it ends", crash_while_ending)
subtest("what cannot start is not started again", cannot_start)
for each in (signal.SIGSEGV, signal.SIGABRT, signal.SIGFPE):
    subtest("the report of %s" % each.name, report, each)
subtest("other threads", other_threads)
subtest("nobody reads the report", stuck_reader)
subtest("one process", one_process)
subtest("sd_notify", notified)
subtest("process 1", orphans)
subtest("memory", small)
done()
