"""Files mapped into memory."""

from __future__ import annotations

import ctypes
import mmap
import os
import weakref

import numpy as np
import numpy.typing as npt


def map_file(handle: int, size: int) -> npt.NDArray[np.uint8]:
    """The first `size` bytes of an open file, mapped into memory, read-only; the file need not stay open.

    (Python's own `mmap` keeps a file open for as long as it is mapped, and a store has hundreds.)

    Raises:
        OSError: it cannot be mapped.
    """
    library = ctypes.CDLL(None, use_errno=True)
    library.mmap.restype = ctypes.c_void_p
    library.mmap.argtypes = (
        *(ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int),
        *(ctypes.c_int, ctypes.c_int, ctypes.c_long),
    )
    library.munmap.argtypes = (ctypes.c_void_p, ctypes.c_size_t)
    address = library.mmap(None, size, mmap.PROT_READ, mmap.MAP_SHARED, handle, 0)
    if address == ctypes.c_void_p(-1).value:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    buffer = (ctypes.c_ubyte * size).from_address(address)
    weakref.finalize(buffer, library.munmap, address, size).atexit = False
    found = np.frombuffer(memoryview(buffer), np.uint8)
    found.flags.writeable = False
    return found
