"""The origin and the proxies before it: how they start, whether they answer rightly, what memory they use."""
import dataclasses
import http.client
import os
import re
import shlex
import socket
import ssl
import subprocess
import time

from bench import GO_HELPER, H2_HELPER, HERE, HOST, BenchError, find_tool, log, session_members
from h2 import first_request, read_answer
from loads import GRPC_FIELDS, GRPC_PATH

PATHS = ('/json', '/1k', '/10k', '/100k', '/1m', '/10m', '/chunks')
START_PATIENCE = 15
H2_ABILITIES = {'h2', 'h2c', 'h2h2', 'grpc'}
H2_SUFFIX = '.h2'  # of a peer's name: its origin speaks HTTP/2
GRPC_MESSAGE = 100
FIRST_REQUEST = b'GET /json HTTP/1.1\r\nHost: bench.local\r\nConnection: close\r\n\r\n'


@dataclasses.dataclass
class Memory:
    """In KiB; summed over a proxy's processes. PSS counts shared pages once."""

    rss: int = 0
    pss: int = 0


def fetch(port, path, cert=None, body=None):
    """(status, body) of one request on a new connection; over TLS if there is a certificate to trust."""
    if cert:
        context = ssl.create_default_context(cafile=cert)
        context.check_hostname = False
        connection = http.client.HTTPSConnection(HOST, port, timeout=10, context=context)
    else:
        connection = http.client.HTTPConnection(HOST, port, timeout=10)
    try:
        connection.request(
            'GET' if body is None else 'POST', path, body=body, headers={'Host': 'bench.local'}
        )
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


class Origin:
    """The server behind all proxies. Its bodies are kept, also as files, to compare answers with."""

    helper = 'origin'

    def __init__(self, bench):
        self.bench, self.h2_sibling = bench, None
        self.port, self.counters = bench.free_port(), os.path.join(bench.out, self.helper + '.counters')
        self.process = bench.spawn(
            [os.path.join(bench.bin, self.helper), str(self.port), self.counters], bench.load_cpu
        )
        self.wait_until_ready()
        self.bodies = self.read_bodies()
        for path, body in self.bodies.items():
            with open(self.body_file(path), 'wb') as file:
                file.write(body)

    def h2(self):
        """The server of the same bodies over HTTP/2, started when first asked for."""
        if self.h2_sibling is None:
            self.bench.build_h2_helper()
            self.h2_sibling = OriginH2(self)
        return self.h2_sibling

    def read_bodies(self):
        """{path: body}"""
        bodies = {}
        for path in PATHS:
            status, bodies[path] = fetch(self.port, path)
            if status != 200:
                raise BenchError('the origin answers %d to %s' % (status, path))
        return bodies

    def wait_until_ready(self):
        """Polls until it answers."""
        end = time.monotonic() + START_PATIENCE
        while True:
            try:
                self.try_once()
                return
            except OSError:
                if self.process.poll() is not None or time.monotonic() > end:
                    raise BenchError('the %s did not start' % self.helper) from None
            time.sleep(0.01)

    def try_once(self):
        """OSError while it does not answer."""
        fetch(self.port, '/json')

    def body_file(self, path):
        """Where the body of `path` lies."""
        return os.path.join(self.bench.out, 'body' + path.replace('/', '-'))

    def requests(self):
        """How many requests it has answered."""
        with open(self.counters, 'rb') as file:
            return int.from_bytes(file.read(8), 'little')


class OriginH2(Origin):
    """The server behind proxies that speak HTTP/2 to it. Its bodies are those of the other one, byte for byte."""

    helper = H2_HELPER

    def __init__(self, other):
        self.other = other
        super().__init__(other.bench)

    def read_bodies(self):
        """Also what a unary call of gRPC sends and gets: length and message."""
        message = self.other.bodies['/1k'][:GRPC_MESSAGE]
        call = b'\0' + len(message).to_bytes(4, 'big') + message
        return dict(self.other.bodies, **{GRPC_PATH: call})

    def try_once(self):
        """Every proxy's answers are compared with what is known; here it need only be there."""
        socket.create_connection((HOST, self.port), 5).close()


class Peer:
    """A proxy under test, made from one line of peers.conf."""

    def __init__(self, bench, origin, line):
        self.name, abilities, command = split_line(line)
        self.column = self.name[: -len(H2_SUFFIX)] if self.name.endswith(H2_SUFFIX) else self.name
        origin = origin if self.column == self.name else origin.h2()
        self.bench, self.origin, self.process = bench, origin, None
        self.abilities = set(abilities.replace(' ', '').split(','))
        self.folder = os.path.join(bench.out, self.name)
        self.port, self.tls_port, self.h2c_port = (bench.free_port() for _ in range(3))
        self.words = {
            'port': self.port,
            'tls_port': self.tls_port,
            'h2c_port': self.h2c_port,
            'bport': origin.port,
            'run': self.folder,
            'bin': bench.bin,
            'gomesh': bench.gomesh,
            'cert': bench.cert,
            'key': bench.key,
            'pem': bench.pem,
        }
        os.makedirs(self.folder, exist_ok=True)
        self.used_words = set()
        self.argv = [self.fill(word) for word in shlex.split(command)]
        if 'h2c_port' not in self.used_words:
            self.h2c_port = self.port
        place = program_place(self.argv)
        self.program = self.argv[place]
        if self.program == os.path.join(bench.bin, GO_HELPER):
            bench.build_go_helper()
        self.argv[place] = find_tool(self.program)
        if self.argv[place] is None:
            raise FileNotFoundError(self.program)

    def fill(self, text, more=()):
        """Replaces {word} by its value; {conf:...} by the path of a configuration made from conf/."""
        words = dict(self.words, **dict(more))

        def replace(match):
            if match.group(1).startswith('conf:'):
                return self.make_conf(match.group(1)[5:])
            if match.group(1) not in words:
                raise BenchError('%s: unknown word %s' % (self.name, match.group(0)))
            self.used_words.add(match.group(1))
            return str(words[match.group(1)])

        return re.sub(r'\{(\w+|conf:[^}]+)\}', replace, text)

    def make_conf(self, spec):
        """Writes conf/NAME for this proxy; spec is 'NAME,word=value,...'."""
        name, *settings = spec.split(',')
        path = os.path.join(self.folder, name)
        with open(os.path.join(HERE, 'conf', name)) as template, open(path, 'w') as file:
            file.write(self.fill(template.read(), (setting.split('=', 1) for setting in settings)))
        return path

    def start(self, wrapper=(), patience=START_PATIENCE):
        """Seconds from fork to the first right answer."""
        begin = time.perf_counter()
        with open(
            os.devnull if 'quiet' in self.abilities else os.path.join(self.folder, 'output'), 'ab'
        ) as output:
            self.process = self.bench.spawn(
                list(wrapper) + self.argv,
                self.bench.proxy_cpu,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd=self.folder,
            )
        while not self.answers():
            if self.process.poll() is not None or time.perf_counter() - begin > patience:
                self.stop()
                raise BenchError(
                    'did not start; see %s/output, or run: %s' % (self.folder, shlex.join(self.argv))
                )
            time.sleep(0.0003)
        return time.perf_counter() - begin

    def answers(self):
        """Whether one small request is answered rightly now."""
        answer = b''
        try:
            if 'http' not in self.abilities:
                with socket.create_connection((HOST, self.h2c_port), 5) as connection:
                    connection.sendall(first_request('http'))
                    return read_answer(connection, self.origin.bodies['/json'])
            with socket.create_connection((HOST, self.port), 5) as connection:
                connection.sendall(FIRST_REQUEST)
                while not answer.endswith(self.origin.bodies['/json']):
                    piece = connection.recv(65536)
                    if not piece:
                        return False
                    answer += piece
        except OSError:
            return False
        return answer.startswith(b'HTTP/1.1 200')

    def stop(self, patience=1.5):
        """Ends it and its children; by force after `patience` seconds."""
        if self.process is not None:
            self.bench.stop(self.process, patience)
            self.process = None

    def restart(self):
        """Seconds to the first answer of a new start."""
        self.stop()
        return self.start()

    def is_running(self):
        """False after a crash."""
        return self.process is not None and self.process.poll() is None

    def process_ids(self):
        """Its processes: master, workers."""
        return session_members(self.process.pid)

    def memory(self):
        """What it uses now."""
        total = Memory()
        for process_id in self.process_ids():
            try:
                with open('/proc/%d/smaps_rollup' % process_id) as rollup:
                    sizes = dict(re.findall(r'^(Rss|Pss): +(\d+)', rollup.read(), re.M))
            except OSError as error:
                raise BenchError('cannot read its memory: %s' % error) from None
            total.rss += int(sizes.get('Rss', 0))
            total.pss += int(sizes.get('Pss', 0))
        return total

    def settled_memory(self):
        """What it uses once two readings agree, or after two seconds."""
        last = self.memory()
        for _ in range(20):
            time.sleep(0.1)
            now = self.memory()
            if now == last:
                break
            last = now
        return last

    def verify(self):
        """BenchError unless every size and method comes back byte for byte, on each transport."""
        if 'http' in self.abilities:
            self.verify_transport(self.port, None)
        if 'tls' in self.abilities:
            self.verify_transport(self.tls_port, self.bench.cert)
        if self.abilities & H2_ABILITIES and find_tool('curl') is None:
            self.bench.note(
                'curl is not installed: HTTP/2 answers are not checked, so HTTP/2 is not measured'
            )
            self.abilities -= H2_ABILITIES
        if self.abilities & {'h2', 'h2h2'}:
            self.verify_h2('https://%s:%d' % (HOST, self.tls_port), ['--cacert', self.bench.cert, '--http2'])
        if self.abilities & {'h2c', 'grpc'}:
            self.verify_h2('http://%s:%d' % (HOST, self.h2c_port), ['--http2-prior-knowledge'])
        if 'grpc' in self.abilities:
            self.verify_grpc()

    def verify_transport(self, port, cert):
        """HTTP/1.1, plain or over TLS."""
        over = 'over TLS' if cert else 'in the clear'
        try:
            for path, body in self.origin.bodies.items():
                status, got = fetch(port, path, cert)
                if status != 200 or got != body:
                    raise BenchError(
                        'wrong answer to GET %s %s: %d, %d bytes' % (path, over, status, len(got))
                    )
            for size in (0, 1024, 1 << 20):
                status, got = fetch(port, '/upload', cert, body=b'z' * size)
                if status != 200 or got != self.origin.bodies['/json']:
                    raise BenchError('wrong answer to a POST of %d bytes %s: %d' % (size, over, status))
            status, _ = fetch(port, '/nosuch', cert)
            if status != 404:
                raise BenchError('a 404 came through as %d %s' % (status, over))
        except (OSError, http.client.HTTPException) as error:
            raise BenchError('no answer %s: %r' % (over, error)) from None

    def verify_h2(self, url, options):
        """HTTP/2 on one transport, with curl."""
        for path in ('/json', '/1m', '/chunks'):
            if curl(options + [url + path]) != self.origin.bodies[path] + b'2':
                raise BenchError('wrong answer over HTTP/2 to GET %s%s' % (url, path))
        upload = ['--data-binary', '@' + self.origin.body_file('/1m'), url + '/upload']
        if curl(options + upload) != self.origin.bodies['/json'] + b'2':
            raise BenchError('wrong answer over HTTP/2 to a POST of 1 MiB to %s' % url)

    def verify_grpc(self):
        """A unary call: its message comes back, and then its status, which is a trailer."""
        fields = os.path.join(self.folder, 'grpc.fields')
        options = ['--http2-prior-knowledge', '--data-binary', '@' + self.origin.body_file(GRPC_PATH)]
        for field in GRPC_FIELDS:
            options += ['-H', field]
        got = curl(options + ['-D', fields, 'http://%s:%d%s' % (HOST, self.h2c_port, GRPC_PATH)])
        if got != self.origin.bodies[GRPC_PATH] + b'2':
            raise BenchError('wrong answer to a call of gRPC')
        with open(fields) as file:
            head, _, trailers = file.read().partition('\n\n')
        if 'grpc-status: 0' not in trailers or 'grpc-status' in head:
            raise BenchError('the answer to a call of gRPC came without its trailers')


def curl(options):
    """The body that came, and behind it the version of HTTP."""
    argv = ['curl', '-s', '-m', '10', '-w', '%{http_version}'] + options
    return subprocess.run(argv, stdout=subprocess.PIPE, check=False).stdout


def program_place(argv):
    """Where in argv the proxy's program stands: behind `env NAME=value`, which becomes it by exec."""
    place = 0
    if argv[0] == 'env':
        place = next((i for i, word in enumerate(argv) if i and '=' not in word), 0)
    return place


def split_line(line):
    """A line of peers.conf -> (name, abilities, command)."""
    parts = [part.strip() for part in line.split('|', 2)]
    if len(parts) != 3 or not re.fullmatch(r'\w+(\.h2)?', parts[0]):
        raise SystemExit('not a peer, want NAME | ABILITIES | COMMAND: ' + line.strip())
    return parts


def read_lines(extra):
    """{name: line} of peers.conf and of the command line."""
    with open(os.path.join(HERE, 'peers.conf')) as file:
        lines = [line for line in file if line.strip() and not line.startswith('#')]
    return {split_line(line)[0]: line for line in lines + list(extra)}


def open_peers(bench, origin, names, extra):
    """The wanted peers (names None: all) that are installed; a note for each of the others."""
    lines, peers = read_lines(extra), []
    known = set(lines) | {name[: -len(H2_SUFFIX)] for name in lines if name.endswith(H2_SUFFIX)}
    unknown = set(names or ()) - known
    if unknown:
        raise SystemExit('unknown peer: ' + ', '.join(sorted(unknown)))
    for name, line in lines.items():
        if names is None or name in names or name.replace(H2_SUFFIX, '') in names or line in extra:
            try:
                peers.append(Peer(bench, origin, line))
            except FileNotFoundError as missing:
                bench.note('%s is left out: %s is not installed' % (name, missing))
    return peers


def start_verified(peers):
    """Starts all -> (those that answer rightly, {name: error} of the others, which are not measured)."""
    sound, failed = [], {}
    for peer in peers:
        try:
            peer.start()
            peer.verify()
            sound.append(peer)
        except BenchError as error:
            failed[peer.name] = str(error)
            log('left out:', peer.name, error)
            peer.stop()
    return sound, failed
