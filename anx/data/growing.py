"""Files of NumPy's format that grow: rows are added at the end, and the file can be read as it is at any time."""

import os
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.lib import format as npy
from numpy.typing import DTypeLike

from anx.envs.vector import Array


class Growing:
    """An array [rows, ...] on disk.

    Args:
        path: of the .npy file; it is made, if there is none.
        row: the shape of one.
        dtype: of the numbers.
        rows: that the file has; what is behind them is cut off.
    """

    def __init__(self, path: Path, row: tuple[int, ...], dtype: DTypeLike, rows: int = 0) -> None:
        self.row = row
        self.dtype = np.dtype(dtype)
        self.rows = rows
        self.file: BinaryIO = path.open("rb+" if path.exists() else "wb+")
        self._write_header()
        self.begin = self.file.tell()
        self.file.truncate(self.begin + rows * self.bytes)

    @property
    def bytes(self) -> int:
        """Of a row."""
        return int(np.prod(self.row)) * self.dtype.itemsize

    def append(self, rows: Array) -> None:
        """Add rows [n, ...]; they are on disk afterwards."""
        assert rows.shape[1:] == self.row, "rows have one shape"
        self.file.seek(self.begin + self.rows * self.bytes)
        self.file.write(np.ascontiguousarray(rows, dtype=self.dtype).data)
        self.rows += len(rows)
        self._write_header()
        os.fsync(self.file.fileno())

    def _write_header(self) -> None:
        """NumPy leaves room in it for the number of rows to grow."""
        header = {"descr": npy.dtype_to_descr(self.dtype), "fortran_order": False, "shape": (self.rows, *self.row)}
        self.file.seek(0)
        npy.write_array_header_1_0(self.file, header)
        self.file.flush()

    def close(self) -> None:
        self.file.close()
