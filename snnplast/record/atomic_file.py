"""A file for h5py that goes from one consistent state to the next, so that a killed run leaves a readable file.

HDF5 updates its metadata in place, one small write after another; a process killed between two of them leaves a file
that reads wrongly or not at all. `AtomicFile` stands between h5py and the disk. Until `commit`

  - what HDF5 writes past the committed end goes to disk at once: nothing in the committed part points there;
  - what it writes inside the committed part is held back in memory.

`commit` then writes the held-back bytes as a journal (`record.journal`) behind the end of the file, applies them in
place, and cuts the journal off. When the process is killed

  - before the journal is complete, the file is the previous state and some bytes that HDF5 ignores;
  - after that, `record.reader` reads the new state through the journal, and the next AtomicFile writes it in place.

Only a kill at some moments of the journal's application (some tens of microseconds in all) needs the journal; at every
other moment any HDF5 reader opens the file. (Arrays that are replaced, such as those of a checkpoint, may read as half
replaced for as long as that takes.) This relies on the kernel keeping what a killed process has written. Nothing is
synced to the disk, so a power failure is another matter. POSIX only.
"""

from __future__ import annotations

import io
import os

from snnplast.record.claim import Claim
from snnplast.record.journal import Overlay, apply, journal, merged, read_journal, write_all

_PIECE = 2**20


class AtomicFile(Overlay):
    """File object for `h5py.File(AtomicFile(claim), "w")`; it appears in its place with its first `commit`.

    A claim on an existing file goes on with it, for `h5py.File(..., "r+")`: a journal that its writer left is applied,
    and bytes that HDF5 ignores go with the first commit.

    A failed write is kept as `failure` and raised by the next `commit`, since h5py cannot always hand it on; what it
    writes after that is dropped. The file is then still in its last committed state, and `abandon` leaves it there.
    A file that is deleted or replaced while it is open is written anew by the next commit, where `Claim.elsewhere`
    says; `notice` is then a sentence about it. Closing it gives up the claim.
    """

    def __init__(self, claim: Claim):
        self.claim = claim
        self.failure: OSError | None = None
        self.notice = ""
        found = read_journal(claim.fd)
        if found:
            apply(claim.fd, *found)
        self._committed = os.fstat(claim.fd).st_size
        super().__init__(claim.fd, self._committed, [])
        self._owner = os.getpid()
        self._abandoned = False
        self._journal_complete = False

    def commit(self) -> None:
        """Makes what h5py has flushed so far the state of the file; OSError where not all of it could be written."""
        if self.failure:
            raise self.failure
        try:
            place = self.claim.path
            if self.claim.lost():
                self._move()
            end = max(self._size, self._committed)
            os.truncate(self._fd, end)
            writes = merged(self, self._held, self._size)
            if writes:
                start = end
                for piece in journal(writes, end, self._size):
                    write_all(self._fd, piece, start)
                    start += len(piece)
            self._journal_complete = True
            apply(self._fd, writes, self._size)
            self._journal_complete = False
            self.claim.publish()
            if self.claim.path != place and not self.notice:
                self.notice = (
                    f"something else has come to '{place}', or it was moved: the run goes on in '{self.claim.path}'"
                )
        except OSError as error:
            self.failure = error
            raise
        self._committed, self._held = self._size, []

    def _move(self) -> None:
        """Goes on in a new file with the same content."""
        old, new = self.claim, self.claim.elsewhere()
        try:
            for start in range(0, os.fstat(old.fd).st_size, _PIECE):
                write_all(new.fd, os.pread(old.fd, _PIECE, start), start)
        except BaseException:
            new.close()
            raise
        again = "it is written anew" if new.path == old.path else f"the run goes on in '{new.path}'"
        self.notice = f"'{old.path}' was deleted or replaced while the run wrote it: {again}"
        self.claim, self._fd = new, new.fd
        old.close()

    def abandon(self) -> None:
        """Drops what was not committed and all that h5py may still write; without any commit no file is left."""
        self._abandoned = True
        if not self._journal_complete:
            os.truncate(self._fd, self._committed)

    def close(self) -> None:
        if not self.closed and hasattr(self, "claim"):
            self.claim.close()
            self._fd = -1
        io.RawIOBase.close(self)

    def writable(self) -> bool:
        return True

    def write(self, data) -> int:
        data, start = bytes(data), self._position
        self._position += len(data)
        self._size = max(self._size, self._position)
        forked = os.getpid() != self._owner  # a child must not touch its parent's file
        if self._abandoned or self.failure or forked:
            return len(data)
        inside = max(0, min(len(data), self._committed - start))
        if inside:
            self._held.append((start, data[:inside]))
        try:
            write_all(self._fd, data[inside:], start + inside)
        except OSError as error:
            self.failure = error
        return len(data)

    def truncate(self, size: int | None = None) -> int:
        self._size = self._position if size is None else size
        return self._size
