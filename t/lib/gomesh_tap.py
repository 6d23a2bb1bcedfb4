"""TAP output, clean-up and time for the end-to-end tests; see gomesh_test.py."""
import atexit
import faulthandler
import os
import re
import shutil
import signal
import sys
import tempfile
import threading
import time
import traceback

SLOW = float(os.environ.get("GM_TEST_SLOW") or 1)
WATCHDOG_SECONDS = 240


class Skip(Exception):
    """Raised inside a subtest to skip the rest of it, with the reason."""


class Level:
    """One plan: the file's own, or that of the subtest that is running."""

    def __init__(self):
        self.count = 0
        self.failed = 0
        self.closers = []
        self.limit = None


levels = [Level()]
main_thread = threading.current_thread()


def put(line):
    indent = "    " * (len(levels) - 1)
    sys.stdout.write("".join(indent + part + "\n" for part in line.split("\n")))
    sys.stdout.flush()


def note(text):
    put("\n".join("# " + line for line in str(text).split("\n")))


def explain_failure(text):
    """Where prove shows it, too: on a machine that only keeps what was printed, that is all there will be."""
    name = os.path.basename(sys.argv[0])
    note(text)
    if not levels[-1].limit:
        sys.stderr.write("".join("# %s: %s\n" % (name, line) for line in str(text).split("\n")))
        sys.stderr.flush()


def escape(name):
    return name.replace("#", "\\#").replace("\n", "\\n")


def report(passed, name, directive=""):
    level = levels[-1]
    level.count += 1
    if level.limit and not directive:
        directive = " # TO" "DO " + level.limit  # TAP's word for: may fail, and prove says when it passes
    else:
        level.failed += not passed
    put(("ok" if passed else "not ok") + " %d - %s%s" % (level.count, escape(name), directive))


def caller():
    for frame in reversed(traceback.extract_stack()):
        if frame.filename.endswith(".t"):
            return "%s line %d" % (frame.filename, frame.lineno)
    return "unknown place"


def ok(condition, name):
    """A check: passes if condition is true. Only the main thread may check."""
    assert threading.current_thread() is main_thread, "checks belong to the main thread"
    report(bool(condition), name)
    if not condition:
        explain_failure("failed at %s: %s" % (caller(), name))
    return bool(condition)


def shorten(value):
    text = repr(value)
    return text if len(text) <= 2000 else text[:1000] + " ... " + text[-500:]


def is_(got, want, name):
    if not ok(got == want, name):
        explain_failure("     got: %s\nexpected: %s" % (shorten(got), shorten(want)))
        return False
    return True


def like(text, pattern, name):
    if not ok(text is not None and re.search(pattern, text), name):
        explain_failure("          got: %s\ndoes not match: %s" % (shorten(text), pattern))
        return False
    return True


def unlike(text, pattern, name):
    if not ok(not re.search(pattern, text), name):
        explain_failure("  got: %s\nmatches: %s" % (shorten(text), pattern))
        return False
    return True


def skip(name, reason):
    report(True, name, " # SKIP " + reason)


def skip_all(reason):
    print("1..0 # SKIP " + reason)
    sys.exit(0)


def give_up(reason):
    """Fails the whole file at once."""
    print("not ok 1 - %s\n1..1" % reason)
    sys.exit(1)


ENGINE = os.environ.get("GM_ENGINE", "gomesh")  # the whole file runs with this engine


class known_limit:
    """`with known_limit("why"):` marks checks that the engine h2o fails for a reason that is documented."""

    def __init__(self, why):
        self.why = why

    def __enter__(self):
        levels[-1].limit = self.why if ENGINE == "h2o" else None

    def __exit__(self, *_):
        levels[-1].limit = None


def closing(close):
    """Registers a function to call when the running subtest (or the file) ends; latest first."""
    levels[-1].closers.append(close)


def close_all(level):
    while level.closers:
        close = level.closers.pop()
        try:
            close()
        except Exception:  # a failing clean-up is a failing test, and must not keep the others from running
            ok(False, "clean-up works")
            explain_failure(traceback.format_exc())


def subtest(name, function, *arguments):
    """Runs function(*arguments) as one check of the level above; an exception in it is a failed check."""
    level = Level()
    levels.append(level)
    skipped = None
    try:
        function(*arguments)
    except Skip as reason:
        skipped = str(reason)
    except Exception as problem:
        ok(False, "no exception")
        explain_failure(
            "".join(traceback.format_exception(type(problem), problem, problem.__traceback__.tb_next)).strip()
        )
    close_all(level)
    if skipped is None or level.failed:
        if level.count == 0:
            ok(False, "at least one check ran")
        put("1..%d" % level.count)
    levels.pop()
    report(not level.failed, name, "" if skipped is None or level.failed else " # SKIP " + skipped)


def done():
    """Ends the file: cleans up, prints the plan, exits with 1 if any check failed."""
    level = levels[0]
    close_all(level)
    put("1..%d" % level.count)
    sys.stdout.flush()
    os._exit(1 if level.failed or not level.count else 0)


# --- time ---------------------------------------------------------------------------------------------------


def deadline(seconds):
    """A time to wait at most; generous, as it only ends tests that fail anyway."""
    return seconds * SLOW


def duration(milliseconds):
    """A timeout for a configuration file, in GoMesh's spelling, stretched for slow builds."""
    return "%dms" % (milliseconds * SLOW)


now = time.monotonic


def elapsed_since(start):
    """Milliseconds since start (from now()), as the unstretched configuration counts them."""
    return (now() - start) * 1000 / SLOW


def wait_until(condition, what, seconds=10):
    """Polls where nothing announces the change (kernel tables); returns what condition() returned."""
    end = now() + deadline(seconds)
    while True:
        result = condition()
        if result:
            return result
        if now() > end:
            raise AssertionError("waited in vain for " + what)
        time.sleep(0.005)


class Background:
    """A function in a thread of its own; result() waits for what it returns or raises it."""

    def __init__(self, function, arguments):
        self.value = None
        self.problem = None
        self.thread = threading.Thread(target=self.run, args=(function, arguments), daemon=True)
        self.thread.start()

    def run(self, function, arguments):
        try:
            self.value = function(*arguments)
        except BaseException as problem:
            self.problem = problem

    def result(self, seconds=60):
        self.thread.join(deadline(seconds))
        if self.thread.is_alive():
            raise AssertionError("a background thread did not finish in time")
        if self.problem is not None:
            raise self.problem
        return self.value


def background(function, *arguments):
    return Background(function, arguments)


# --- the file's own life ------------------------------------------------------------------------------------


class Folder:
    path = None


def temporary_folder():
    """The test file's own folder; removed at its end."""
    if Folder.path is None:
        Folder.path = tempfile.mkdtemp(prefix="gomesh-test-")
        levels[0].closers.insert(0, lambda: shutil.rmtree(Folder.path, ignore_errors=True))
    return Folder.path


def explain(*processes):
    """Prints the last lines of processes, after a failure."""
    for process in processes:
        for line in process.out[-4:] + process.err[-12:]:
            explain_failure("%s: %s" % (process.name, line))


def end_everything():
    for level in reversed(levels):
        while level.closers:
            try:
                level.closers.pop()()
            except Exception:
                pass


def on_signal(number, _frame):
    end_everything()
    os._exit(128 + number)


def on_watchdog():
    print("# the test file hangs", flush=True)
    faulthandler.dump_traceback(all_threads=True)
    threading.Timer(20, lambda: os._exit(255)).start()  # in case the clean-up hangs as well
    end_everything()
    os._exit(255)


atexit.register(end_everything)  # for an exception outside any subtest; done() has nothing left to end
watchdog = threading.Timer(WATCHDOG_SECONDS * SLOW, on_watchdog)
watchdog.daemon = True
watchdog.start()
signal.signal(signal.SIGTERM, on_signal)
signal.signal(signal.SIGINT, on_signal)
