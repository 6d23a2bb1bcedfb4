"""CPU time per request, memory with idle connections, time to start."""
import dataclasses
import os
import random
import subprocess
import sys
import time

from bench import HERE, BenchError, log
from loads import LOADS, Generator, missing_tool

WARM_UP = 0.25  # seconds of load before the first sample
INTERVAL_MS = 10
RATE_DELAY = 0.2  # load -r connects before its first request
IDLE_CONNECTIONS = {'idle': (1000, 10000), 'idle_h2': (1000, 3000)}  # handshakes take time
SPARE_FILES = 500  # what a proxy opens besides
COLUMNS = {'requests': 2, 'bytes_out': 3, 'bytes_in': 4}  # of the probe's lines


@dataclasses.dataclass
class Slice:
    """A short stretch of one load on one peer; an interval is [length ns, CPU ns, units of work, spin ns]."""

    intervals: list
    rate: float
    p50_us: float
    p99_us: float


def take_slice(peer, name, seconds):
    """Loads the peer for a moment and samples it meanwhile."""
    bench, load = peer.bench, LOADS[name]
    seconds = max(seconds, load.seconds)
    generator = Generator(peer, name, seconds + WARM_UP + 0.2 + (RATE_DELAY if load.seconds else 0))
    time.sleep(WARM_UP + (RATE_DELAY if load.seconds else 0))
    argv = [os.path.join(bench.bin, 'probe'), peer.origin.counters, str(seconds), str(INTERVAL_MS)]
    argv += [str(bench.proxy_cpu)] + [str(process_id) for process_id in peer.process_ids()]
    probe = bench.spawn(argv, bench.proxy_cpu, stdout=subprocess.PIPE, universal_newlines=True)
    try:
        lines = bench.run_to_end(probe, seconds + 20).splitlines()
    finally:
        result = generator.finish()
    if len(lines) < 3:
        raise BenchError('the probe saw nothing')
    if lines[0] != 'scheduler fifo':
        bench.note('no SCHED_FIFO (not root?): samples come late and the classes F and S are less sharp')
    samples = [[int(field) for field in line.split()] for line in lines[1:]]
    column = COLUMNS[load.unit]
    intervals = [
        [b[0] - a[0], b[1] - a[1], b[column] - a[column], max(a[5], b[5])]
        for a, b in zip(samples, samples[1:])
    ]
    return Slice(intervals, result.rate, result.p50_us, result.p99_us)


def measure_load(bench, peers, name, rounds, seconds, errors):
    """{peer: [Slice]}; a new random order in each round, so that slow drifts hit all alike."""
    tool = missing_tool(name)
    able = [peer for peer in peers if LOADS[name].ability in peer.abilities]
    if tool:
        bench.note('%s is left out: %s is not installed' % (name, tool))
        return {}
    slices = {peer.column: [] for peer in able}
    for _ in range(rounds):
        random.shuffle(able)
        for peer in able:
            with_errors(
                errors, name, peer, lambda: slices[peer.column].append(take_slice(peer, name, seconds))
            )
    log(name, 'done')
    return slices


def with_errors(errors, what, peer, action):
    """Does it on a running peer; a failure is written down, and the rest of the bench goes on."""
    try:
        if not peer.is_running():
            peer.restart()
        action()
    except BenchError as error:
        text = str(error)
        if not peer.is_running():
            text += ' (it died; see %s/output)' % peer.folder
        errors.append([what, peer.name, text[:400]])
        log('error:', what, peer.name, text)


def holder_argv(peer, what, count):
    """What opens and holds them: our own generator, or for HTTP/2 over TLS a script."""
    bench = peer.bench
    if what == 'idle_h2':
        script = os.path.join(HERE, 'hold.py')
        return [
            sys.executable,
            script,
            str(peer.tls_port),
            str(count),
            bench.cert,
            peer.origin.body_file('/json'),
        ]
    return [
        os.path.join(bench.bin, 'load'),
        '-I',
        '-p',
        str(peer.port),
        '-c',
        str(count),
        '-d',
        '60',
        '-f',
        peer.origin.body_file('/json'),
    ]


def hold_idle(peer, what, count):
    """Memory with that many idle connections, each after one request."""
    bench = peer.bench
    argv = holder_argv(peer, what, count)
    holder = bench.spawn(
        argv, bench.load_cpu, stdin=subprocess.PIPE, stdout=subprocess.PIPE, universal_newlines=True
    )
    line = holder.stdout.readline()
    if not line.startswith('READY'):
        bench.stop(holder)
        raise BenchError('%d idle connections: %s' % (count, line.strip()))
    memory = peer.settled_memory()
    totals = bench.run_to_end(holder, 30)  # closes its stdin, which ends it
    if holder.returncode != 0:
        raise BenchError('%d idle connections: %s' % (count, totals.strip()))
    return memory


def measure_idle(bench, peers, what, errors):
    """{peer: {connections: [RSS, PSS]}} in KiB, on a fresh start; what: a key of IDLE_CONNECTIONS."""
    results = {}

    def measure(peer):
        peer.restart()
        result = results.setdefault(peer.name, {})
        result[0] = dataclasses.astuple(peer.settled_memory())
        for count in IDLE_CONNECTIONS[what]:
            if bench.max_files < count * (2 if 'paired' in peer.abilities else 1) + SPARE_FILES:
                bench.note(
                    '%s with %d idle connections is left out: only %d open files are allowed'
                    % (peer.name, count, bench.max_files)
                )
                continue
            result[count] = dataclasses.astuple(hold_idle(peer, what, count))

    for peer in peers:
        with_errors(errors, what, peer, lambda: measure(peer))
        peer.stop()  # what 10,000 connections left in it is no start for the next measurement
    log(what, 'done')
    return results


def measure_start(peers, rounds, errors):
    """{peer: [seconds from fork to the first right answer]}"""
    results = {peer.name: [] for peer in peers}
    for _ in range(rounds):
        for peer in peers:
            with_errors(errors, 'start', peer, lambda: results[peer.name].append(peer.restart()))
    log('start done')
    return results
