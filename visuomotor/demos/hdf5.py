"""Reads HDF5 files that anybody may have made: nothing is read before its type and size are known, and never what is
in another file."""

import errno
import math
import mmap
import struct
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import h5py
import numpy as np

from visuomotor.demos.schema import Numbers
from visuomotor.errors import VisuomotorError, one_line

_HEAP: Final = b"GCOL\x01\0\0\0"
_HARD: Final = 0  # H5L_TYPE_HARD
_LARGEST: Final = 2**33  # bytes, of all that is read of a file
_DEFLATE: Final = 1100  # gzip makes nothing smaller than by this factor
_SMALL: Final = 2**20  # bytes; numbers that were never written take no room in a file


class CheckedFile:
    """An open HDF5 file, whose entries are named by their whole path, such as data/demo_3/states.

    Each method raises a VisuomotorError, which begins with that path, where the entry is missing or is another thing.
    """

    def __init__(self, file: Any):
        self._file = file
        self._left = _LARGEST

    def __contains__(self, where: str) -> bool:
        parent, _, name = where.rpartition("/")
        return _link(self._find(parent, h5py.Group) if parent else self._file, name) is not None

    def is_group(self, where: str) -> bool:
        """Whether an entry is a group, and not a dataset."""
        return isinstance(self._find(where, object), h5py.Group)

    def names(self, where: str) -> list[str]:
        """What is in a group, sorted; nothing where there is no such group. "" is the whole file."""
        if where and where not in self:
            return []
        names = sorted(self._find(where, h5py.Group) if where else self._file)
        odd = next((name for name in names if not name.isprintable()), None)
        if odd is not None:
            raise VisuomotorError(f"{where} has an entry with the unreadable name {odd[:50]!a}")
        return names

    def attribute_names(self, where: str) -> list[str]:
        """Sorted names of a group's attributes. "" is the whole file."""
        return sorted((self._find(where, h5py.Group) if where else self._file).attrs)

    def whole_number(self, where: str, attribute: str, low: int, high: int) -> int:
        """An attribute of a group."""
        value = self._attribute(where, attribute)
        if not isinstance(value, int | np.integer | np.bool_) or not low <= value <= high:
            raise VisuomotorError(f"{where}.{attribute} is {_shown(value)}, expected a whole number, {low} to {high}")
        return int(value)

    def text(self, where: str, attribute: str) -> str:
        """An attribute of a group."""
        value = self._attribute(where, attribute)
        if isinstance(value, bytes):
            value = value.decode(errors="replace")
        if not isinstance(value, str):
            raise VisuomotorError(f"{where}.{attribute} is {_shown(value)}, expected text")
        return value

    def array(self, where: str, numbers: Numbers) -> np.ndarray:
        """A dataset, in the type of `numbers`."""
        dataset = self._dataset(where)
        numbers.check_form(dataset.dtype, dataset.shape, where)
        values = np.asarray(dataset[()])
        numbers.check_values(values, where)
        return values.astype(numbers.dtype or values.dtype, copy=False)

    def shape(self, where: str) -> tuple[int, ...]:
        """Shape of a dataset."""
        return tuple(self._dataset(where).shape)

    def texts(self, where: str) -> list[str]:
        """A dataset of strings."""
        dataset = self._dataset(where)
        if h5py.check_string_dtype(dataset.dtype) is None or len(dataset.shape) != 1:
            raise VisuomotorError(f"{where} has the shape {dataset.shape} of {dataset.dtype}, expected a list of text")
        return [value.decode(errors="replace") for value in dataset[()]]

    def _attribute(self, where: str, name: str) -> Any:
        group = self._find(where, h5py.Group)
        if name not in group.attrs:
            raise VisuomotorError(f"{where}.{name} is missing")
        form = group.attrs.get_id(name)
        if form.shape not in ((), (1,)):
            raise VisuomotorError(f"{where}.{name} has the shape {form.shape}, expected a single value")
        return group.attrs[name] if form.shape == () else group.attrs[name][0]

    def _dataset(self, where: str) -> Any:
        """A dataset that is safe to read whole."""
        dataset = self._find(where, h5py.Dataset)
        if dataset.external is not None or dataset.is_virtual:
            raise VisuomotorError(f"{where} keeps its numbers in another file, expected them in this one")
        if dataset.shape is None:
            raise VisuomotorError(f"{where} is empty")
        chunk = math.prod(dataset.chunks or ()) * dataset.dtype.itemsize  # is read whole, even for one number of it
        size = max(dataset.nbytes, chunk)
        if size > _SMALL + _DEFLATE * dataset.id.get_storage_size():
            raise VisuomotorError(
                f"{where} has the shape {dataset.shape} in chunks of {dataset.chunks}, expected fewer numbers in so "
                "small a file"
            )
        self._left -= size
        if self._left < 0:
            raise VisuomotorError(f"{where} is too large: no more than {_LARGEST / 2**30:.0f} GiB are read of a file")
        return dataset

    def _find(self, where: str, kind: type) -> Any:
        """Follows hard links only; the others lead out of the file, or anywhere in it."""
        found: Any = self._file
        parts = where.split("/")
        for depth, part in enumerate(parts, 1):
            place = "/".join(parts[:depth])
            link = _link(found, part) if isinstance(found, h5py.Group) else None
            if link is None:
                raise VisuomotorError(f"{place} is missing")
            if link != _HARD:
                raise VisuomotorError(f"{place} is a link to somewhere else, expected the entry itself")
            found = found[part]
        if not isinstance(found, kind):
            raise VisuomotorError(f"{where} is a {type(found).__name__}, expected a {kind.__name__}")
        return found


@contextmanager
def opened(path: Path) -> Generator[CheckedFile]:
    """A file, for reading.

    Raises:
        VisuomotorError: there is no such file; it is no regular one; it is no HDF5, damaged, or open for writing.
    """
    if not path.exists():
        raise VisuomotorError(
            f"there is no file {path}; generate demonstrations: visuomotor demos generate TASK --out {path}"
        )
    if not path.is_file():  # to open a pipe would wait for its writer
        raise VisuomotorError(f"{path} is a folder, a pipe or a device; give the name of a file of demonstrations")
    try:
        _check_heaps(path)
        with _open(path) as file:
            yield CheckedFile(file)
    except Exception as error:  # h5py raises errors of many types
        if isinstance(error, VisuomotorError):
            raise
        if isinstance(error, PermissionError):
            raise VisuomotorError(f"{path} may not be read: {error.strerror or one_line(error)}") from error
        if isinstance(error, BlockingIOError) or "already open for" in str(error):
            raise VisuomotorError(
                f"{path} is open for writing in another program, or was when that was killed; close it there (after a "
                f"kill: h5clear -s {path})"
            ) from error
        if isinstance(error, OSError) and not h5py.is_hdf5(path):
            raise VisuomotorError(
                f"{path} is not an HDF5 file; demonstrations are written by visuomotor demos generate"
            ) from error
        raise VisuomotorError(
            f"{path} is damaged or cut short ({one_line(error)}); copy it again or generate it again"
        ) from error


def _open(path: Path) -> Any:
    try:
        return h5py.File(path, "r")
    except OSError as error:
        if error.errno not in (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP):
            raise
        return h5py.File(path, "r", locking=False)  # a file system without locks, as some of clusters are


def _check_heaps(path: Path) -> None:
    """Refuse files on which HDF5 2.0 loops forever.

    HDF5 keeps strings of variable length in global heaps. A heap entry is an index (2 bytes), 6 other bytes, a size
    (8 bytes), then the content; an entry of size 0 never ends. Index 0 is the free space, whose size includes this
    header.

    Raises:
        OSError: there is such an entry, or there are more entries than fit into the file.
    """
    if not path.stat().st_size:
        return
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        left = len(content) // 16
        start = content.find(_HEAP)
        while start >= 0:
            place, end = start + 16, start + int.from_bytes(content[start + 8 : start + 16], "little")
            while place + 16 <= min(end, len(content)):
                number, _, size = struct.unpack_from("<H6sQ", content, place)
                step = size if number == 0 else 16 + -(-size // 8) * 8
                left -= 1
                if step == 0 or left < 0:
                    raise OSError(f"the text at byte {place} has the size {size}")
                place += step
            start = content.find(_HEAP, start + 1)


def _link(group: Any, name: str) -> int | None:
    """The type of an entry's link; None where there is no such entry. `name in group` would follow it, into a pipe
    that nobody writes, too."""
    links = group.id.links
    return links.get_info(name.encode()).type if links.exists(name.encode()) else None


def _shown(value: Any) -> str:
    return ascii(value)[:50]
