"""Files that are there as a whole or not at all, and what a disk says that does not take them."""

import errno
import os
from pathlib import Path

FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
REFUSING = FULL | {errno.EACCES, errno.EPERM, errno.EROFS, errno.EIO, errno.ENOENT, errno.ENOTDIR}


def write_atomically(path: Path, content: bytes) -> None:
    """Replaces the whole file at once, or leaves the old one and nothing else."""
    unfinished = temporary(path)
    try:
        unfinished.write_bytes(content)
        os.replace(unfinished, path)
    except OSError as error:
        unfinished.unlink(missing_ok=True)
        raise OSError(error.errno, error.strerror, str(path)) from None  # a failing write does not say of which file


def temporary(path: Path) -> Path:
    """Where a file lies until it is complete."""
    return path.with_name(path.name + ".tmp")


def refused(error: BaseException) -> int | None:
    """Which of a disk's refusals an error is; None if it is of another kind. TensorStore, which writes checkpoints,
    raises errors of its own, with the system's words among many.
    """
    if isinstance(error, OSError) and error.errno in REFUSING:
        return error.errno
    return next((code for code in REFUSING if f"{os.strerror(code)} [os_error_code" in str(error)), None)


def refusal(error: BaseException) -> str | None:
    """What a disk has said, and what to do about it, in a line; None if the error is of another kind."""
    code = refused(error)
    if code is None:
        return None
    place = f"{error.filename}: " if isinstance(error, OSError) and error.filename else ""
    return f"{place}{os.strerror(code)}: " + ("make room" if code in FULL else "see to the folder and its disk")
