"""Files that are either the old one or the new one, never half of either."""

import contextlib
import errno
import os
import secrets
from pathlib import Path

from visuomotor.errors import VisuomotorError


def write_atomically(path: Path, data: bytes | str, new: bool = False) -> None:
    """Replace the file `path` by `data` (text is written as UTF-8), or leave it as it was.

    The bytes go to `<name>.<random>.partial` in the same folder, reach the disk, and only then take the name: whoever
    reads `path` at any moment, or after a power cut, finds a whole file, and two writers do not disturb each other. A
    link under either name is not followed: `path` itself becomes the file.

    Args:
        new: there must be no such file; of several writers, one wins.

    Raises:
        VisuomotorError: `path` is a folder, a device or a pipe; the disk is full or the folder cannot be written. The
            previous file is intact.
    """
    payload = data.encode() if isinstance(data, str) else data
    _check_is_file(path)
    partial = path.with_name(f"{path.name}.{secrets.token_hex(4)}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)  # O_EXCL follows no link
        try:
            with open(handle, "wb") as file:
                file.write(payload)
                file.flush()
                os.fsync(file.fileno())
            if new:
                _move_to_free_name(partial, path)
            else:
                os.replace(partial, path)
        except BaseException:  # Ctrl-C too must not leave rubbish
            with contextlib.suppress(OSError):
                partial.unlink(missing_ok=True)
            raise
        _sync_folder(path.parent)
    except OSError as error:
        raise VisuomotorError(_explain(error, path, len(payload))) from error


def check_writable_file(path: Path) -> None:
    """Raise the VisuomotorError of `write_atomically` that can be foreseen, before the work for `path` is done."""
    _check_is_file(path)
    folder = next(parent for parent in path.absolute().parents if os.path.lexists(parent))
    if not folder.is_dir():
        raise VisuomotorError(f"cannot write {path}: {folder} is no folder; give another name")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise VisuomotorError(f"cannot write {path}: nothing can be written into {folder}; give another name")


def _check_is_file(path: Path) -> None:
    if os.path.isdir(path):  # Path.is_dir raises where a name is too long
        raise VisuomotorError(f"cannot write {path}: it is a folder; give the name of a file")
    if os.path.exists(path) and not os.path.isfile(path):  # a device or a pipe: renaming would replace it
        raise VisuomotorError(f"cannot write {path}: it is no regular file; give the name of another one")


def _move_to_free_name(partial: Path, path: Path) -> None:
    try:
        os.link(partial, path)
    except FileExistsError:
        raise
    except OSError as error:  # a disk without hard links
        if path.exists():
            raise FileExistsError(errno.EEXIST, "File exists") from error
        os.replace(partial, path)
    else:
        partial.unlink()


def remove_partials(path: Path) -> None:
    """Delete what writers of `path` left behind that were killed. Nobody may be writing it now."""
    for partial in path.parent.glob(f"{path.name}.*.partial"):
        with contextlib.suppress(OSError):
            partial.unlink()


def _sync_folder(folder: Path) -> None:
    """Make a rename in `folder` survive a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _explain(error: OSError, path: Path, size: int) -> str:
    kept = "the previous file is intact" if path.exists() else "nothing was written"
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return (
            f"no room for {path} ({size / 1e6:.1f} MB): {error.strerror}; {kept}. "
            f"Free some space on the disk of {path.parent} (old runs under runs/ are safe to delete) and try again"
        )
    return (
        f"cannot write {path}: {error.strerror or error}; {kept}. Check the folder's permissions or choose another one"
    )
