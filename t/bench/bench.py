"""The workbench: scratch folder, helpers, certificate, processes, notes on what this machine cannot do."""
import argparse
import ctypes
import os
import random
import resource
import shutil
import signal
import socket
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
REPOSITORY = os.path.dirname(os.path.dirname(HERE))
HOST = '127.0.0.1'
HELPERS = {
    'origin': ['origin.c'],
    'relay': ['relay.c'],
    'probe': ['probe.c'],
    'load': ['load.c', 'plan.c', 'dechunk.c'],
}
GO_HELPER = 'goproxy'
H2_HELPER = 'origin_h2'
HEADERS = ['bodies.h', 'clock.h', 'counters.h', 'dechunk.h', 'loopback.h', 'plan.h']
CFLAGS = '-std=gnu11 -O2 -g -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla'.split()
WANTED_FILES = 65536  # open files, so that 10,000 idle connections fit into every process
PR_SET_PDEATHSIG = 1
LIBC = ctypes.CDLL(None)


class BenchError(Exception):
    """One measurement, or one proxy, failed; the others go on."""


def log(*words):
    """A line of progress for the person who waits."""
    print(time.strftime('%H:%M:%S'), *words, file=sys.stderr, flush=True)


def find_tool(name):
    """The path of an installed program, or None. Daemons live in sbin, which is not on everybody's path."""
    return shutil.which(name, path=os.environ.get('PATH', '') + ':/usr/local/sbin:/usr/sbin:/sbin')


def add_arguments(parser):
    """The options that run, instructions and profile share."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument(
        '--gomesh',
        metavar='PATH',
        default=os.path.join(REPOSITORY, 'build', 'gomesh'),
        help='the gomesh binary (default: build/gomesh in the repository)',
    )
    parser.add_argument(
        '--scratch',
        metavar='DIR',
        default=os.path.join(REPOSITORY, 'build', 'bench'),
        help='for helpers, certificate and output (default: build/bench in the repository)',
    )
    parser.add_argument(
        '--peer',
        metavar='LINE',
        action='append',
        default=[],
        help="one more proxy: 'NAME | ABILITIES | COMMAND', as in peers.conf",
    )


class Bench:
    """A context: what was started in it is ended, and what was mounted is unmounted, when it is left."""

    def __init__(self, scratch, gomesh, title):
        self.bin = os.path.abspath(scratch)
        self.gomesh = os.path.abspath(gomesh)
        self.out = os.path.join(self.bin, 'out', time.strftime('%Y%m%d-%H%M%S-') + title)
        self.notes, self.children, self.used_ports = [], [], set()
        self.cleanups = []  # functions, called last first
        cpus = sorted(os.sched_getaffinity(0))
        self.proxy_cpu, self.load_cpu = cpus[0], cpus[-1]
        self.cert, self.key, self.pem = (
            os.path.join(self.bin, name) for name in ('cert.pem', 'key.pem', 'both.pem')
        )

    def __enter__(self):
        os.makedirs(self.out, exist_ok=True)
        for number in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, lambda *_: sys.exit(1))
        self.max_files = raise_file_limit()
        self.build_helpers()
        self.make_certificate()
        if self.proxy_cpu == self.load_cpu:
            self.note('only one CPU: the proxy shares it, and its caches, with load and origin')
        os.sched_setaffinity(0, {self.load_cpu})
        return self

    def __exit__(self, *_):
        for process in list(self.children):
            self.stop(process)
        while self.cleanups:
            self.cleanups.pop()()

    def note(self, text):
        """Something the reader of the tables must know; said once."""
        if text not in self.notes:
            self.notes.append(text)
            log('note:', text)

    def build_helpers(self):
        """Compiles the C helpers that are missing or older than their sources."""
        for name, files in HELPERS.items():
            self.build_helper(name, files)

    def build_helper(self, name, files, libraries=()):
        """Compiles one of them if need be."""
        headers = [os.path.join(HERE, header) for header in HEADERS]
        binary, sources = os.path.join(self.bin, name), [os.path.join(HERE, file) for file in files]
        if is_stale(binary, sources + headers):
            argv = [os.environ.get('CC', 'cc')] + CFLAGS + ['-o', binary] + sources
            subprocess.run(argv + ['-l' + library for library in libraries], check=True)

    def build_h2_helper(self):
        """Compiles it if need be; the only one in C that wants a library, so the others do without."""
        try:
            self.build_helper(H2_HELPER, [H2_HELPER + '.c'], ['nghttp2'])
        except subprocess.CalledProcessError:
            raise FileNotFoundError('libnghttp2-dev') from None

    def build_go_helper(self):
        """Compiles it if need be, for the peer that asks for it only: the first time takes a while."""
        binary, source = os.path.join(self.bin, GO_HELPER), os.path.join(HERE, GO_HELPER + '.go')
        if not is_stale(binary, [source]):
            return
        go = find_tool('go')
        if go is None:
            raise FileNotFoundError('go')
        folder = os.path.join(self.bin, 'go')  # Go's cache and settings would lie in the home directory
        env = dict(os.environ, GOCACHE=folder, GOPATH=folder, GOENV='off', GOFLAGS='', GO111MODULE='off')
        log('building', GO_HELPER)
        subprocess.run([go, 'build', '-o', binary, source], env=dict(env, CGO_ENABLED='0'), check=True)

    def make_certificate(self):
        """A self-signed P-256 certificate, made once per scratch folder."""
        if os.path.exists(self.pem):
            return
        subprocess.run(
            [
                'openssl',
                'req',
                '-x509',
                '-newkey',
                'ec',
                '-pkeyopt',
                'ec_paramgen_curve:prime256v1',
                '-nodes',
                '-keyout',
                self.key,
                '-out',
                self.cert,
                '-days',
                '3650',
                '-subj',
                '/CN=bench.local',
                '-addext',
                'subjectAltName=DNS:bench.local,IP:127.0.0.1',
            ],
            check=True,
            stderr=subprocess.DEVNULL,
        )
        with open(self.pem, 'w') as both:
            for path in (self.cert, self.key):
                with open(path) as part:
                    both.write(part.read())

    def spawn(self, argv, cpu, **options):
        """Starts argv on one CPU, as the leader of a session of its own."""

        def prepare():
            os.sched_setaffinity(0, {cpu})
            LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)  # even if we are killed nothing stays behind

        process = subprocess.Popen(argv, preexec_fn=prepare, start_new_session=True, **options)
        self.children.append(process)
        return process

    def stop(self, process, patience=1.5):
        """Ends a process started here and the rest of its session; by force after `patience` seconds."""
        for number, limit in ((signal.SIGTERM, patience), (signal.SIGKILL, 3)):
            if not signal_group(process, number):
                break
            end = time.monotonic() + limit
            while signal_group(process, 0) and time.monotonic() < end:
                time.sleep(0.01)
        process.wait()
        if process in self.children:
            self.children.remove(process)

    def forget(self, process):
        """Its end has been seen."""
        if process in self.children:
            self.children.remove(process)

    def run_to_end(self, process, patience):
        """Output of a process started by spawn(); BenchError if it takes longer than `patience` seconds."""
        try:
            return process.communicate(timeout=patience)[0]
        except subprocess.TimeoutExpired:
            raise BenchError('%s did not end' % os.path.basename(process.args[0])) from None
        finally:
            self.stop(process)

    def free_port(self):
        """A port nobody listens on, below those the kernel gives to clients."""
        while True:
            port = random.randint(20000, 30000)
            with socket.socket() as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                try:
                    probe.bind((HOST, port))
                except OSError:
                    continue
            if port not in self.used_ports:
                self.used_ports.add(port)
                return port


def is_stale(binary, sources):
    """Whether it is missing or older than one of its sources."""
    if not os.path.exists(binary):
        return True
    made = os.path.getmtime(binary)
    return any(os.path.getmtime(path) >= made for path in sources)


def raise_file_limit():
    """As many open files as wanted, or as allowed; inherited by all processes started here."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (WANTED_FILES, max(hard, WANTED_FILES)))
        return WANTED_FILES
    except (ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        return hard


def signal_group(process, number):
    """Signals the process group; False once nobody is left in it."""
    process.poll()  # or the leader would stay in the group as a zombie
    try:
        os.killpg(process.pid, number)
        return True
    except (ProcessLookupError, PermissionError):
        return False


def session_members(leader):
    """The ids of all processes in the session that `leader` leads."""
    members = []
    for name in filter(str.isdigit, os.listdir('/proc')):
        try:
            with open('/proc/%s/stat' % name) as stat:
                fields = stat.read().rpartition(')')[2].split()
        except OSError:  # gone meanwhile
            continue
        if int(fields[3]) == leader and fields[0] != 'Z':
            members.append(int(name))
    return members
