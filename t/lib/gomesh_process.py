"""Processes of the end-to-end tests: started, watched line by line, ended by their id."""
import os
import re
import signal
import subprocess
import threading

from gomesh_ports import free_port
from gomesh_tap import ENGINE, closing, deadline, explain, explain_failure, give_up, now, ok, temporary_folder

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))
GOMESH = os.path.abspath(os.environ.get("GOMESH") or os.path.join(ROOT, "build", "gomesh"))
START_LINE = r"""(\[INFO\] |"msg":")Press Ctrl\+C to stop"""
SANITIZER = re.compile(r"ERROR: AddressSanitizer|runtime error:|WARNING: ThreadSanitizer|LeakSanitizer")
if not os.access(GOMESH, os.X_OK):
    give_up("there is a program to test: %s" % GOMESH)
serial = iter(range(1, 1000000))


def clean_environment(extra):
    environment = {
        name: value
        for name, value in os.environ.items()
        if not re.match(r"GOMESH|NOTIFY_SOCKET$|INVOCATION_ID$|(https?|all|no)_proxy$", name, re.I)
    }
    environment.update(extra or {})
    return environment


class Process:
    """
    A running command whose output lines can be waited for. It ends with the subtest that started it; that
    it ends when told to, and without a sanitizer's report, is checked wherever it is ended.
    """

    def __init__(self, argv, name=None, env=None, cwd=None, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, pass_fds=()):
        self.name = name or os.path.basename(argv[0])
        self.out = []
        self.err = []
        self.changed = threading.Condition()
        self.closed = False
        self.popen = subprocess.Popen(
            argv,
            stdin=stdin,
            stdout=stdout,
            stderr=subprocess.PIPE,
            env=clean_environment(env),
            cwd=cwd,
            pass_fds=pass_fds,
        )
        self.pid = self.popen.pid
        self.readers = [
            threading.Thread(target=self.read, args=(stream, lines), daemon=True)
            for stream, lines in ((self.popen.stdout, self.out), (self.popen.stderr, self.err))
            if stream
        ]
        self.reading = len(self.readers)
        for reader in self.readers:
            reader.start()
        closing(self.close)

    def read(self, stream, lines):
        for line in stream:
            with self.changed:
                lines.append(line.decode("utf-8", "replace").rstrip("\n"))
                self.changed.notify_all()
        with self.changed:
            self.reading -= 1
            self.changed.notify_all()

    def find(self, pattern, stream="out", start=0):
        """The match of pattern in the first line from number start on that has one, or None."""
        for line in list(self.out if stream == "out" else self.err)[start:]:
            match = re.search(pattern, line)
            if match:
                return match
        return None

    def count(self, pattern, stream="out"):
        return sum(1 for line in list(self.out if stream == "out" else self.err) if re.search(pattern, line))

    def wait_count(self, pattern, wanted, seconds=15):
        """How many lines there are, when they are as many as wanted, say that some were lost, or it took too long."""
        end = now() + deadline(seconds)
        with self.changed:
            while self.count(pattern) < wanted and not self.find(r"(?i)lost|dropped") and now() < end:
                self.changed.wait(max(0, min(end - now(), 1)))
        return self.count(pattern)

    def wait_line(self, pattern, stream="out", seconds=15, start=0):
        """Waits for a line; fails at once if the process ends without it."""
        end = now() + deadline(seconds)
        with self.changed:
            while True:
                match = self.find(pattern, stream, start)
                if match:
                    return match
                left = end - now()
                if not self.reading or left <= 0:
                    break
                self.changed.wait(left)
        explain(self)
        raise AssertionError("%s did not print %r" % (self.name, pattern))

    def alive(self):
        return self.popen.poll() is None

    def children(self):
        """The ids of its own processes; the one that serves, where there is a supervisor."""
        with open("/proc/%d/task/%d/children" % (self.pid, self.pid)) as file:
            return [int(word) for word in file.read().split()]

    def resident_kib(self):
        """How much memory it has, as the system counts it; with a sanitizer that tells nothing."""
        with open("/proc/%d/status" % self.pid) as file:
            return next(int(line.split()[1]) for line in file if line.startswith("VmRSS:"))

    def send(self, number):
        """Sends a signal to this process, by its id."""
        if self.alive():
            self.popen.send_signal(number)

    def wait(self, seconds=30):
        """Waits for the end; returns the exit code (negative: the signal), with all output collected."""
        code = self.popen.wait(deadline(seconds))
        for reader in self.readers:
            reader.join(deadline(10))
        self.inspect()
        return code

    def stop(self, number=signal.SIGTERM, seconds=30):
        """Ends the process in good order; returns the exit code, or None (a failed check) if it would not."""
        self.send(number)
        try:
            return self.wait(seconds)
        except subprocess.TimeoutExpired:
            self.popen.kill()
            self.wait()
            ok(False, "%s ends when told to" % self.name)
            explain(self)
            return None

    def kill(self):
        """Ends the process as a crash would."""
        self.popen.kill()
        self.wait()

    def inspect(self):
        if self.closed:
            return
        self.closed = True
        reports = [line for line in self.err if SANITIZER.search(line)]
        if reports:
            ok(False, "%s runs without a sanitizer's report" % self.name)
            explain_failure("\n".join(self.err[-60:]))

    def close(self):
        if not self.closed:
            code = self.stop()
            if code not in (0, None):
                ok(False, "%s ends with exit code 0 (not %d)" % (self.name, code))
                explain(self)
        for stream in (self.popen.stdout, self.popen.stderr):
            if stream:
                stream.close()


def gomesh(*arguments, **options):
    """Starts a gomesh command."""
    name = next((argument for argument in arguments if not argument.startswith("-")), "gomesh")
    return Process([GOMESH] + list(arguments), name=options.pop("name", name), **options)


def gomesh_run(*arguments, **options):
    """Runs a gomesh command that ends by itself; returns it, with its exit code as .code."""
    process = gomesh(*arguments, **options)
    process.code = process.wait()
    return process


# --- configurations -----------------------------------------------------------------------------------------


def scalar(value):
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)) or re.fullmatch(r"[A-Za-z][A-Za-z0-9_.-]*|[0-9]+(ms|s|m|h|KiB|MiB|GiB)", value):
        return str(value)
    return '"%s"' % value.replace("\\", "\\\\").replace('"', '\\"')


def to_yaml(node, indent=""):
    """A configuration of dictionaries, lists and scalars, in the block style people write."""
    text = ""
    for key, value in node.items():
        if isinstance(value, dict):
            text += "%s%s:\n%s" % (indent, key, to_yaml(value, indent + "  "))
        elif isinstance(value, list):
            text += "%s%s:\n" % (indent, key)
            for item in value:
                block = to_yaml(item, indent + "    ") if isinstance(item, dict) else scalar(item) + "\n"
                text += indent + "  - " + (block[len(indent) + 4 :] if isinstance(item, dict) else block)
        else:
            text += "%s%s: %s\n" % (indent, key, scalar(value))
    return text


def write_file(name, content):
    path = os.path.join(temporary_folder(), name)
    with open(path, "wb") as file:
        file.write(content if isinstance(content, bytes) else content.encode())
    return path


TOP_LEVEL = ("routes", "log", "tracing", "metrics", "policies", "admin")  # the other settings go below proxy


def proxy_config(listen_port, backend=None, timeout=None, limits=None, **settings):
    """
    The usual configuration, without an admin window unless one is asked for; backend is a port on 127.0.0.1,
    (host, port), (unix:/path, None), or all of its keys.
    """
    # one process, so that what is measured, signalled or traced by its id is the one that serves
    proxy = {"listen_port": listen_port, "engine": ENGINE, "supervise": False}
    if isinstance(backend, dict):
        proxy["backend"] = backend
    elif backend is not None:
        host, port = backend if isinstance(backend, tuple) else ("127.0.0.1", backend)
        proxy["backend"] = {"host": host, "port": port} if port else host
    proxy.update({name: settings[name] for name in settings if name not in TOP_LEVEL})
    if timeout:
        proxy["timeout"] = timeout
    if limits:
        proxy["limits"] = limits
    config = {"proxy": proxy, "log": {"level": "info", "format": "text"}, "admin": {"listen": ""}}
    config.update({name: settings[name] for name in settings if name in TOP_LEVEL})
    return config


class Proxy(Process):
    """A proxy that has started: Proxy(backend_port), Proxy(("localhost", port), timeout={…}, limits={…})."""

    def __init__(self, backend=None, yaml=None, env=None, wrapper=(), **settings):
        self.port = settings.pop("port", None) or free_port()
        text = yaml or to_yaml(proxy_config(self.port, backend, **settings))
        self.path = write_file("proxy-%d.yaml" % next(serial), text)
        super().__init__(list(wrapper) + [GOMESH, "proxy", "-config", self.path], name="proxy", env=env)
        self.wait_line(START_LINE)


class Backend(Process):
    """The test backend, ready."""

    def __init__(self, port=None, host=None):
        self.port = port or free_port()
        arguments = ["-port", str(self.port)] + (["-host", host] if host else [])
        super().__init__([GOMESH, "backend"] + arguments, name="backend")
        self.wait_line(r"\[BACKEND\] Ready to receive requests")
