"""The workloads: what is asked of a proxy, which generator asks it, and how its output is read."""
import dataclasses
import json
import math
import os
import re
import subprocess

from bench import HOST, BenchError, find_tool

GRPC_PATH = '/bench.Echo/Say'
GRPC_FIELDS = ('content-type: application/grpc', 'te: trailers')
CLEAR = ('h2c', 'grpc')  # abilities that are asked for without TLS
PER_REQUEST, PER_BYTE_OUT, PER_BYTE_IN = (
    'requests',
    'bytes_out',
    'bytes_in',
)  # the counter that divides CPU time


@dataclasses.dataclass(frozen=True)
class Load:
    """One row of LOADS."""

    ability: str  # what a proxy must be able to do
    generator: str  # key of GENERATORS
    options: str  # of the generator
    path: str
    unit: str = PER_REQUEST
    seconds: float = 0  # least length of a slice
    count: int = 20000  # requests in a run that counts system calls
    about: str = ''


LOADS = {
    'json': Load('http', 'load', '-c 64', '/json', about='small GET, 64 keep-alive connections'),
    'newconn': Load(
        'http',
        'load',
        '-c 32 -C',
        '/json',
        count=5000,
        about='a new connection for each small GET, 32 at a time',
    ),
    'get10k': Load('http', 'load', '-c 64', '/10k', about='GET of 10 KiB, 64 connections'),
    'get1m': Load(
        'http', 'load', '-c 8', '/1m', PER_BYTE_OUT, count=400, about='GET of 1 MiB, 8 connections'
    ),
    'chunked': Load(
        'http', 'load', '-c 64 -k', '/chunks', about='GET of 10 chunks of 1 KiB, 64 keep-alive connections'
    ),
    'post1k': Load('http', 'load', '-c 64 -b 1024', '/json', about='POST of 1 KiB, 64 connections'),
    'post1m': Load(
        'http',
        'load',
        '-c 8 -b 1048576',
        '/json',
        PER_BYTE_IN,
        count=400,
        about='POST of 1 MiB, 8 connections',
    ),
    'tls': Load('tls', 'wrk', '-t1 -c64', '/json', about='small GET over TLS, 64 keep-alive connections'),
    'tlsnew': Load(
        'tls', 's_time', '', '/json', about='a full TLS handshake for each small GET, one at a time'
    ),
    'h2': Load(
        'h2', 'h2load', '-c10 -m10', '/json', about='small GET over HTTP/2, 10 connections of 10 streams'
    ),
    'h2c': Load(
        'h2c', 'h2load', '-c10 -m10', '/json', about='as h2, but without TLS, by prior knowledge'
    ),
    'h2h2': Load(
        'h2h2', 'h2load', '-c10 -m10', '/json', about='as h2, but to an origin that speaks HTTP/2, without TLS'
    ),
    'h2get1m': Load(
        'h2',
        'h2load',
        '-c4 -m2',
        '/1m',
        PER_BYTE_OUT,
        count=400,
        about='GET of 1 MiB over TLS and HTTP/2, 4 connections of 2 streams',
    ),
    'grpc': Load(
        'grpc',
        'h2load',
        '-c10 -m10',
        GRPC_PATH,
        about='unary call of gRPC, 100 bytes each way, no TLS, 10 connections of 10 streams',
    ),
    'rate5k': Load(
        'http', 'load', '-c 64 -r 5000', '/json', seconds=2, about='small GET, open loop, 5,000 in a second'
    ),
}
QUICK = ('json', 'newconn', 'get1m', 'post1m', 'tls')
H2_STREAMS = 100  # at once, in any load of h2load
COUNTED = (
    'json',
    'newconn',
    'get10k',
    'get1m',
    'chunked',
    'post1k',
    'post1m',
    'tls',
    'h2',
    'h2c',
    'h2h2',
    'h2get1m',
    'grpc',
)  # system calls; rate depends on luck


@dataclasses.dataclass
class Result:
    """What a generator saw; times in microseconds, None where it does not tell."""

    requests: int
    rate: float
    p50_us: float = None
    p99_us: float = None


def load_argv(peer, load, seconds, count):
    """Our own generator; with a count it ends when that many requests are answered."""
    argv = [
        os.path.join(peer.bench.bin, 'load'),
        '-p',
        str(peer.port),
        '-u',
        load.path,
        '-d',
        str(seconds),
        '-f',
        peer.origin.body_file(load.path),
    ]
    return argv + (['-n', str(count)] if count else []) + load.options.split()


def load_result(output, _):
    """Every answer was checked by the generator."""
    try:
        got = json.loads(output.strip().splitlines()[-1])
    except (IndexError, ValueError):
        raise BenchError('no result from the load generator') from None
    if got['errors'] or not got['requests']:
        raise BenchError('%d errors, the first: %s' % (got['errors'], got['error'] or 'no answer'))
    return Result(got['requests'], got['rate'], got['p50_us'], got['p99_us'])


def url_of(peer, load):
    """The URL of a load that is not plain HTTP/1.1."""
    if load.ability in CLEAR:
        return 'http://%s:%d%s' % (HOST, peer.h2c_port, load.path)
    return 'https://%s:%d%s' % (HOST, peer.tls_port, load.path)


def wrk_argv(peer, load, seconds, _):
    """wrk knows whole seconds only."""
    return ['wrk', '-d%d' % math.ceil(seconds), '--latency'] + load.options.split() + [url_of(peer, load)]


def wrk_result(output, _):
    """wrk says when an answer is not 2xx or 3xx, and when a socket fails."""
    requests, rate = re.search(r'(\d+) requests in', output), re.search(r'Requests/sec: +([\d.]+)', output)
    if (
        not requests
        or not rate
        or int(requests.group(1)) == 0
        or 'Non-2xx' in output
        or 'Socket errors' in output
    ):
        raise BenchError('wrk: ' + output[-300:])
    scale = {'us': 1, 'ms': 1e3, 's': 1e6}
    times = {
        share: float(value) * scale[unit]
        for share, value, unit in re.findall(r'^ +(50|99)% +([\d.]+)(us|ms|s)$', output, re.M)
    }
    return Result(int(requests.group(1)), float(rate.group(1)), times.get('50'), times.get('99'))


def s_time_argv(peer, load, seconds, _):
    """openssl s_time ends its request line with HTTP/1.0; the last field here swallows that."""
    request = load.path + ' HTTP/1.1\r\nHost: bench.local\r\nConnection: close\r\nX: '
    return [
        'openssl',
        's_time',
        '-connect',
        '%s:%d' % (HOST, peer.tls_port),
        '-new',
        '-time',
        str(math.ceil(seconds)),
        '-www',
        request,
    ]


def s_time_result(output, body):
    """Each connection must have brought more than the body."""
    found = re.search(r'(\d+) connections in (\d+) real seconds, (\d+) bytes read per connection', output)
    if not found or int(found.group(1)) < 50 or int(found.group(3)) < len(body) + 50:
        raise BenchError('openssl s_time: ' + output[-300:])
    requests = int(found.group(1))
    return Result(requests, requests / max(1, int(found.group(2))))


def h2load_argv(peer, load, seconds, count):
    """h2load speaks HTTP/2 and nothing else here."""
    amount = ['-n', str(count)] if count else ['-D', '%dms' % (seconds * 1000)]
    if load.path == GRPC_PATH:
        amount += ['-d', peer.origin.body_file(GRPC_PATH)]
        for field in GRPC_FIELDS:
            amount += ['-H', field]
    return ['h2load'] + amount + load.options.split() + [url_of(peer, load)]


def h2load_result(output, body):
    """A request that failed, bytes that are missing, or a connection that is not HTTP/2, spoil the run."""
    found = re.search(r'requests: .* (\d+) succeeded, (\d+) failed, (\d+) errored', output)
    rate = re.search(r'finished in .*?, ([\d.]+) req/s', output)
    status = re.search(r'status codes: (\d+) 2xx, 0 3xx, 0 4xx, 0 5xx', output)
    data = re.search(r', \S+ \((\d+)\) data', output)
    if (
        not found
        or not rate
        or not status
        or not data
        or int(found.group(1)) == 0
        or found.group(2) != '0'
        or found.group(3) != '0'
        or 'Application protocol: h2' not in output
    ):
        raise BenchError('h2load: ' + output[-300:])
    answered = int(found.group(1))
    # it has compared each with its content-length; at the end of its time it leaves those that are under way
    if not 0 <= int(data.group(1)) - answered * len(body) <= H2_STREAMS * len(body):
        raise BenchError('h2load: %s bytes in %d answers of %d' % (data.group(1), answered, len(body)))
    return Result(int(found.group(1)), float(rate.group(1)))


# name: (program to find, or None for our own; argv; result)
GENERATORS = {
    'load': (None, load_argv, load_result),
    'wrk': ('wrk', wrk_argv, wrk_result),
    's_time': ('openssl', s_time_argv, s_time_result),
    'h2load': ('h2load', h2load_argv, h2load_result),
}


def missing_tool(name):
    """The program that a workload needs and that is not installed, or None."""
    tool = GENERATORS[LOADS[name].generator][0]
    return tool if tool and find_tool(tool) is None else None


class Generator:
    """A generator at work on one peer."""

    def __init__(self, peer, name, seconds, count=0, wrapper=()):
        self.bench, self.load, self.seconds = peer.bench, LOADS[name], seconds
        self.body = peer.origin.bodies[self.load.path]
        _, argv, self.result = GENERATORS[self.load.generator]
        self.process = self.bench.spawn(
            list(wrapper) + argv(peer, self.load, seconds, count),
            self.bench.load_cpu,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            universal_newlines=True,
        )

    def finish(self):
        """Waits for its end -> Result; BenchError unless all its answers were right."""
        return self.result(self.bench.run_to_end(self.process, self.seconds + 30), self.body)
