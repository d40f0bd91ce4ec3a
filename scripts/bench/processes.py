"""Child processes of a benchmark run: started here, ended here, with bounded waits. Nothing else is ended."""

import atexit
import subprocess

STOP_SECONDS = 20
RUN_SECONDS = 3600

_running = []


def start(command, log_path, **options):
    """Starts a program whose standard error goes to log_path."""
    log = open(log_path, "ab")
    child = subprocess.Popen(command, stderr=log, **options)
    log.close()
    _running.append(child)
    return child


def stop(child):
    """Asks a child of ours to end, then insists."""
    if child.stdin and not child.stdin.closed:
        child.stdin.close()
    elif child.poll() is None:
        child.terminate()
    try:
        child.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait(STOP_SECONDS)
    if child.stdout and not child.stdout.closed:
        child.stdout.close()
    if child in _running:
        _running.remove(child)


def output_of(command, log_path, seconds=RUN_SECONDS, accept=(0,), **options):
    """Standard output of a program that ends by itself; RuntimeError with the log's name otherwise."""
    child = start(command, log_path, stdout=subprocess.PIPE, **options)
    try:
        out, _ = child.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        raise RuntimeError(f"{command[0]} did not end within {seconds} s; see {log_path}") from None
    finally:
        stop(child)
    if child.returncode not in accept:
        raise RuntimeError(f"{' '.join(map(str, command))}: exit code {child.returncode}; see {log_path}")
    return out.decode()


@atexit.register
def _stop_all():
    for child in list(_running):
        stop(child)
