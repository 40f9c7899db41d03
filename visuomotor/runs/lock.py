"""One process at a time trains into a run's folder."""

import errno
import fcntl
import os
from pathlib import Path
from types import TracebackType

from visuomotor.errors import VisuomotorError

_NO_LOCKS_HERE = (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS)  # some network disks


class RunLock:
    """Holds `.lock` in a folder while the context lasts. The system lets go of it when the process ends, however that
    happens, so a crash leaves nothing to clean up.

    Args:
        enabled: False does nothing, for the processes of a job that write nothing.

    Raises:
        VisuomotorError: another process holds it, or the folder cannot be written.
    """

    def __init__(self, folder: Path, enabled: bool = True):
        self._path, self._enabled = folder / ".lock", enabled
        self._handle: int | None = None

    def __enter__(self) -> "RunLock":
        if not self._enabled:
            return self
        try:
            self._handle = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o666)
            fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._release()
            raise VisuomotorError(
                f"another process is training into {self._path.parent}; wait for it or stop it, or train a new run"
            ) from None
        except OSError as error:
            self._release()
            if error.errno not in _NO_LOCKS_HERE:
                raise VisuomotorError(
                    f"cannot write {self._path}: {error.strerror}; check the folder's permissions, or copy the run to "
                    "a disk that can be written"
                ) from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._release()

    def _release(self) -> None:
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None
