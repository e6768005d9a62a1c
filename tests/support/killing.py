"""Scripts that run to their end, or do not."""

import time


def finish(process):
    """What a script printed, if all went well. Nothing on stderr: the console of a user is clean."""
    output, errors = process.communicate(timeout=300)
    assert process.returncode == 0 and not errors, errors
    return output


def kill_when(process, path):
    """Kills a process with SIGKILL as soon as a file or folder appears."""
    while not path.exists():
        assert process.poll() is None, process.communicate()
        time.sleep(0.002)
    process.kill()
    process.wait()
