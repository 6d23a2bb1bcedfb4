"""System calls per request: counted by perf on tracepoints, or by strace where these are not to be had."""
import os
import re
import subprocess
import time

from bench import BenchError, find_tool, log
from loads import COUNTED, LOADS, Generator, missing_tool
from measure import with_errors

TRACEFS = '/sys/kernel/tracing'
CALLS = (
    'accept accept4 brk clock_gettime clock_nanosleep close connect dup epoll_create1 epoll_ctl '
    'epoll_pwait epoll_pwait2 epoll_wait eventfd2 fcntl futex getpeername getrandom getsockname '
    'getsockopt ioctl madvise mmap munmap nanosleep pipe2 poll read readv recvfrom recvmsg sendfile64 '
    'sendmsg sendto setsockopt shutdown socket splice timerfd_settime write writev '
).split()
STRACE_SHARE = 4  # strace slows a proxy down: it gets that part of the requests
ATTACH_PATIENCE = 5


class PerfCounter:
    """perf stat around a generator: the proxy runs at almost full speed."""

    marked = False

    def __init__(self):
        self.calls = [
            call for call in CALLS if os.path.isdir('%s/events/syscalls/sys_enter_%s' % (TRACEFS, call))
        ]

    def count(self, peer, name):
        """{call: calls per request}, 'total' among them."""
        path = os.path.join(peer.folder, 'calls.csv')
        wrapper = [
            'perf',
            'stat',
            '-x',
            ',',
            '-o',
            path,
            '-p',
            ','.join(map(str, peer.process_ids())),
            '-e',
            'raw_syscalls:sys_enter',
        ]
        for call in self.calls:
            wrapper += ['-e', 'syscalls:sys_enter_' + call]
        requests = Generator(peer, name, 10, LOADS[name].count, wrapper + ['--']).finish().requests
        counts = {}
        with open(path) as file:
            for fields in (line.split(',') for line in file):
                if len(fields) > 2 and fields[0].isdigit():
                    event = fields[2].replace('raw_syscalls:sys_enter', 'total')
                    counts[event.replace('syscalls:sys_enter_', '')] = int(fields[0]) / requests
        if not counts.get('total'):
            raise BenchError('perf counted nothing')
        return counts


class StraceCounter:
    """strace -c on the proxy: it runs several times slower, and how much one wake-up serves differs."""

    marked = True

    def count(self, peer, name):
        """As above."""
        path = os.path.join(peer.folder, 'calls.txt')
        argv = ['strace', '-c', '-f', '-qq', '-o', path]
        for process_id in peer.process_ids():
            argv += ['-p', str(process_id)]
        tracer = peer.bench.spawn(argv, peer.bench.load_cpu, stderr=subprocess.DEVNULL)
        try:
            wait_until_traced(peer, tracer)
            requests = Generator(peer, name, 10, LOADS[name].count // STRACE_SHARE).finish().requests
        finally:
            peer.bench.stop(tracer)  # writes its table
        with open(path) as file:
            rows = re.findall(r'^ *[\d.]+ +[\d.]+ +\d+ +(\d+) +(?:\d+ +)?(\w+)$', file.read(), re.M)
        counts = {call: int(count) / requests for count, call in rows if call != 'total'}
        if not counts:
            raise BenchError('strace counted nothing')
        return dict(counts, total=sum(counts.values()))


def wait_until_traced(peer, tracer):
    """strace has attached to every thread, or BenchError."""
    end = time.monotonic() + ATTACH_PATIENCE
    while not all(is_traced(process_id) for process_id in peer.process_ids()):
        if tracer.poll() is not None or time.monotonic() > end:
            raise BenchError('strace cannot attach')
        time.sleep(0.02)


def is_traced(process_id):
    """Whether all its threads have a tracer."""
    folder = '/proc/%d/task' % process_id
    for thread in os.listdir(folder):
        with open('%s/%s/status' % (folder, thread)) as status:
            if 'TracerPid:\t0\n' in status.read():
                return False
    return True


def mount_tracefs(bench):
    """Makes the tracepoints visible; what is mounted here is unmounted at the end."""
    if os.path.isdir(TRACEFS + '/events'):
        return True
    mounted = subprocess.run(
        ['mount', '-t', 'tracefs', 'tracefs', TRACEFS], stderr=subprocess.DEVNULL, check=False
    )
    if mounted.returncode == 0:
        bench.cleanups.append(
            lambda: subprocess.run(['umount', TRACEFS], stderr=subprocess.DEVNULL, check=False)
        )
    return os.path.isdir(TRACEFS + '/events')


def perf_counts():
    """Whether perf can count a system call's tracepoint here."""
    if find_tool('perf') is None:
        return False
    trial = subprocess.run(
        ['perf', 'stat', '-x', ',', '-e', 'raw_syscalls:sys_enter', '--', 'true'],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        universal_newlines=True,
        check=False,
    )
    return trial.returncode == 0 and re.search(r'^[1-9]\d*,', trial.stderr, re.M) is not None


def choose_counter(bench, forced=None):
    """The best way to count that works here, or None; a note says when it is not the best."""
    if forced != 'strace' and mount_tracefs(bench) and perf_counts():
        return PerfCounter()
    if find_tool('strace'):
        bench.note(
            'system calls are counted with strace (marked *): no perf with tracepoints here, or not wanted'
        )
        return StraceCounter()
    bench.note('system calls are not counted: neither perf with tracepoints nor strace is to be had')
    return None


def measure_syscalls(bench, peers, names, errors, forced=None):
    """(counts are marked as rough, {load: {peer: {call: calls per request}}}), in runs of their own."""
    counter, results = choose_counter(bench, forced), {}
    if counter is None:
        return False, results
    for name in (name for name in COUNTED if name in names and missing_tool(name) is None):
        for peer in (peer for peer in peers if LOADS[name].ability in peer.abilities):

            def count(peer=peer, name=name):
                results.setdefault(name, {})[peer.column] = counter.count(peer, name)

            with_errors(errors, 'syscalls ' + name, peer, count)
    log('syscalls done')
    return counter.marked, results
