"""Turns results into Markdown tables."""
import statistics

from loads import LOADS, PER_REQUEST

ENOUGH = 20  # intervals in a class before its figure is worth printing
CLASSES = ('F', 'S', 'all')


def find_classes(spins):
    """{class: (least, most) ns of the probe's spin}: F full speed, S a core shared with another guest."""
    ordered = sorted(spins)
    fast = ordered[len(ordered) // 100] if ordered else 1  # not the very first: a clock may slip once
    return {'F': (0, fast * 1.5), 'S': (fast * 1.6, fast * 2.3), 'all': (0, float('inf'))}


def cost(intervals, limits):
    """(CPU ns per unit of work or None, number of intervals) over those whose spin lies within the limits."""
    chosen = [interval for interval in intervals if limits[0] <= interval[3] <= limits[1]]
    units = sum(interval[2] for interval in chosen)
    return (sum(interval[1] for interval in chosen) / units if units else None), len(chosen)


def half_spread(values):
    """Half the distance between the quartiles."""
    ordered = sorted(value for value in values if value is not None)
    return (ordered[-1 - len(ordered) // 4] - ordered[len(ordered) // 4]) / 2 if len(ordered) > 2 else None


def median(values):
    """None if there are none."""
    known = [value for value in values if value is not None]
    return statistics.median(known) if known else None


def reduce_slices(slices, classes):
    """The figures of one load on one peer."""
    intervals = [interval for piece in slices for interval in piece.intervals]
    costs = {name: cost(intervals, limits) for name, limits in classes.items()}
    return {
        'cpu': {name: value for name, (value, _) in costs.items()},
        'intervals': {name: count for name, (_, count) in costs.items()},
        'spread': half_spread([cost(piece.intervals, classes['all'])[0] for piece in slices]),
        'busy': sum(interval[1] for interval in intervals)
        / max(1, sum(interval[0] for interval in intervals)),
        'rate': median([piece.rate for piece in slices]),
        'p50_us': median([piece.p50_us for piece in slices]),
        'p99_us': median([piece.p99_us for piece in slices]),
    }


def reduce_loads(raw):
    """{load: {peer: [Slice]}} -> what results.json keeps."""
    classes = find_classes(
        [
            interval[3]
            for by_peer in raw.values()
            for slices in by_peer.values()
            for piece in slices
            for interval in piece.intervals
        ]
    )
    loads = {
        name: {peer: reduce_slices(slices, classes) for peer, slices in by_peer.items() if slices}
        for name, by_peer in raw.items()
    }
    return {name: by_peer for name, by_peer in loads.items() if by_peer}


def number(value, digits=2):
    """'-' for what is not known."""
    return '-' if value is None else '%.*f' % (digits, value)


def table(head, rows, left=1):
    """A Markdown table, aligned for reading as text too; the first `left` columns are text."""
    widths = [max(len(str(row[column])) for row in [head] + rows) for column in range(len(head))]

    def line(row):
        cells = [
            str(cell).ljust(width) if column < left else str(cell).rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths))
        ]
        return '| ' + ' | '.join(cells) + ' |'

    rule = (
        '|'
        + '|'.join(
            '-' * (width + 2) if column < left else '-' * (width + 1) + ':'
            for column, width in enumerate(widths)
        )
        + '|'
    )
    return '\n'.join([line(head), rule] + [line(row) for row in rows])


def scale_of(load):
    """(ns per printed unit, its name, digits)"""
    if LOADS[load].unit == PER_REQUEST:
        return 1e3, 'us/request', 2
    return 1e9 / 2**30, 's/GiB', 3


def common_class(by_peer):
    """The class in which all peers have the most intervals, so that a row compares like with like."""
    best = max(('F', 'S'), key=lambda name: min(figures['intervals'][name] for figures in by_peer.values()))
    enough = min(figures['intervals'][best] for figures in by_peer.values()) >= ENOUGH
    return best if enough else 'all'


def cpu_of(by_peer, peer, kind):
    """CPU ns per unit of work, or None."""
    return by_peer[peer]['cpu'][kind] if peer in by_peer else None


def known_baselines(baselines, peers):
    """[peers]: each baseline as the peers it names, joined with +, as far as they were measured."""
    groups = [[name for name in baseline.split('+') if name in peers] for baseline in baselines]
    return [group for group in groups if group]


def cpu_tables(results, baselines):
    """The summary: a row per load, a column per peer; then the same against each baseline."""
    peers, rows = results['peers'], []
    ratios = [(group, []) for group in known_baselines(baselines, peers)]
    for name, by_peer in results['loads'].items():
        kind, (scale, unit, digits) = common_class(by_peer), scale_of(name)
        values = {peer: cpu_of(by_peer, peer, kind) for peer in peers}
        rows.append(
            ['%s, %s' % (name, unit), kind]
            + [number(value / scale if value else None, digits) for value in values.values()]
        )
        for group, lines in ratios:
            base = min((values[peer] for peer in group if values[peer]), default=None)
            lines.append(
                [name, kind] + [number(value / base if value and base else None) for value in values.values()]
            )
    if not rows:
        return []
    parts = ['## CPU time of the proxy', table(['load, unit', 'class'] + peers, rows)]
    for group, lines in ratios:
        name = group[0] if len(group) == 1 else 'the best of ' + ', '.join(group)
        parts += [
            '## CPU time against %s (less than 1: cheaper)' % name,
            table(['load', 'class'] + peers, lines),
        ]
    return parts


def detail_table(peers, name, by_peer):
    """All figures of one load."""
    scale, unit, digits = scale_of(name)
    rows = []
    for peer in (peer for peer in peers if peer in by_peer):
        figures = by_peer[peer]
        cells = []
        for kind in CLASSES:
            value = figures['cpu'][kind] if figures['intervals'][kind] >= ENOUGH else None
            cells.append(number(value / scale if value else None, digits))
        spread = figures['spread']
        rows.append(
            [peer]
            + cells
            + [
                number(spread / scale if spread is not None else None, digits),
                number(figures['busy']),
                number(figures['rate'], 0),
                number(figures['p50_us'], 0),
                number(figures['p99_us'], 0),
                '%d/%d' % (figures['intervals']['F'], figures['intervals']['S']),
            ]
        )
    return [
        '### %s: %s; CPU in %s' % (name, LOADS[name].about, unit),
        table(
            ['proxy', 'F', 'S', 'all', '+-', 'core busy', 'requests/s', 'p50 us', 'p99 us', 'intervals F/S'],
            rows,
        ),
    ]


def syscall_tables(results):
    """Totals, then which calls."""
    peers, mark = results['peers'], '*' if results['syscalls_marked'] else ''
    counts = results['syscalls']
    if not counts:
        return []
    totals, which = [], []
    for name, by_peer in counts.items():
        totals.append(
            [name] + [number(by_peer[peer]['total']) + mark if peer in by_peer else '-' for peer in peers]
        )
        for peer in (peer for peer in peers if peer in by_peer):
            calls = sorted(by_peer[peer].items(), key=lambda item: -item[1])
            which.append(
                [
                    name,
                    peer,
                    ', '.join(
                        '%s %.2f' % (call, count)
                        for call, count in calls
                        if call != 'total' and count >= 0.05
                    ),
                ]
            )
    return [
        '## System calls per request',
        table(['load'] + peers, totals),
        table(['load', 'proxy', 'which'], which, 3),
    ]


def idle_table(results, what, title):
    """Memory; what: the key of the results."""
    rows, found = [], results.get(what, {})  # results of an older bench have no HTTP/2
    numbers = sorted({int(count) for sizes in found.values() for count in sizes} - {0})
    for peer in (peer for peer in results['peers'] if found.get(peer)):
        sizes = {int(count): size for count, size in found[peer].items()}  # JSON made them strings
        counts = sorted(sizes)
        each = None
        if len(counts) > 1:
            first, last = counts[-2], counts[-1]
            each = (sizes[last][0] - sizes[first][0]) / (last - first)
        rows.append(
            [peer, sizes[0][0], sizes[0][1]]
            + [sizes.get(count, '-')[0] for count in numbers]
            + [number(each)]
        )
    if not rows:
        return []
    head = ['proxy', 'RSS, idle', 'PSS, idle'] + ['RSS, {:,}'.format(count) for count in numbers]
    return ['## Memory in KiB, with idle connections' + title, table(head + ['each more'], rows)]


def start_table(results):
    """From fork to the first right answer."""
    rows = [
        [peer] + [number(1e3 * pick(times), 1) for pick in (statistics.median, min, max)]
        for peer, times in results['start'].items()
        if times
    ]
    return (
        ['## Start to first answer, in ms', table(['proxy', 'median', 'least', 'most'], rows)] if rows else []
    )


def report(results, baselines):
    """The whole report."""
    parts = ['# Proxies side by side', results['machine']]
    if results['notes']:
        parts.append('\n'.join('- note: ' + note for note in results['notes']))
    parts += (
        cpu_tables(results, baselines)
        + syscall_tables(results)
        + idle_table(results, 'idle', '')
        + idle_table(results, 'idle_h2', ' of HTTP/2 over TLS')
        + start_table(results)
    )
    if results['loads']:
        parts.append('## Each load')
    for name, by_peer in results['loads'].items():
        parts += detail_table(results['peers'], name, by_peer)
    wrong = ['- %s left out: %s' % item for item in results['failed'].items()]
    wrong += ['- %s, %s: %s' % tuple(error) for error in results['errors']]
    if wrong:
        parts += ['## Errors', '\n'.join(wrong)]
    return '\n\n'.join(parts)
