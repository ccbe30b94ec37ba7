"""Random access to a gzip file: decompression resumes from the last snapshot before the wanted bytes.

A deflate stream can only be read forwards. While it is read for the first time, the state of the decompressor (some 43
kilobytes: its window of 32 and its tables) is copied every 4 megabytes, so a later read decompresses at most that much
more than it needs.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from ...errors import UserError

PIECE = 1 << 16    # bytes of the file that are decompressed at once
SPACING = 4 << 20  # bytes of content between snapshots


class Snapshot(NamedTuple):
    position: int  # in the content
    packed: int    # in the file
    state: zlib._Decompress


class SeekableGzip:
    """`read` gives the content once, from its start to its end; then `read_at` gives any part of it.

    `read_at` opens the file anew and copies a snapshot, so it may be called from any thread or process.
    """

    def __init__(self, path: Path):
        self.path, self.snapshots = path, [Snapshot(0, 0, _decompressor())]
        self._pieces, self._rest = self._contents(self.snapshots[0]), b""

    def read(self, size: int) -> bytes:
        pieces = [self._rest]
        missing = size - len(self._rest)
        while missing > 0 and (piece := next(self._pieces, b"")):
            pieces.append(piece)
            missing -= len(piece)
        data = b"".join(pieces)
        self._rest = data[size:]
        return data[:size]

    def read_at(self, offset: int, size: int) -> bytes:
        start = max((s for s in self.snapshots if s.position <= offset), key=lambda s: s.position)
        skip, data = offset - start.position, bytearray()
        try:
            for piece in self._contents(start):
                data += piece[skip : skip + size - len(data)]
                skip = max(skip - len(piece), 0)
                if len(data) == size:
                    return bytes(data)
        except (OSError, EOFError, zlib.error) as error:
            raise UserError("truncated or damaged in its archive") from error
        raise UserError("truncated")

    def _contents(self, start: Snapshot) -> Iterator[bytes]:
        """The content from a snapshot on, in pieces; new snapshots are kept on the way."""
        position, state = start.position, start.state.copy()
        with open(self.path, "rb") as file:
            file.seek(start.packed)
            while packed := file.read(PIECE):
                while packed:
                    piece = state.decompress(packed, 2 * PIECE)
                    position, packed = position + len(piece), state.unconsumed_tail or state.unused_data.lstrip(b"\0")
                    if piece:
                        yield piece
                    if state.eof and packed:  # several gzip streams in a row are one
                        state = _decompressor()
                    elif not state.eof and position >= self.snapshots[-1].position + SPACING:
                        self.snapshots.append(Snapshot(position, file.tell() - len(packed), state.copy()))
        if not state.eof:
            raise EOFError("truncated")


def _decompressor():
    return zlib.decompressobj(wbits=31)  # a window of 2^15, with gzip's header and checksum
