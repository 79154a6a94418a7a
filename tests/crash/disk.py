# SPDX-License-Identifier: MIT
"""What a disk could hold after a power cut: read from a log of record.c, every change up to a
moment is either durable (flushed since) or pending, and pending ones reach the disk as the
chosen mode says. Of what was pending when a flush failed some reaches the disk by chance and the
rest never does, whatever later flushes say. Names are held apart from content: a new name is
durable only once its folder has been flushed. Metadata keeps its order, as in every journalling
file system."""
import os
import struct

HEAD = struct.Struct("<IIQQQ")
MAGIC = 0x7EC07D
CREATE, WRITE, FLUSH, RENAME, UNLINK, TRUNCATE, FLUSH_FOLDER, FLUSH_FAILED = range(1, 9)
SECTOR = 512
HEADER = b"tmailjrn"  # what a file of the journal begins with
MODES = ("none", "all", "random", "torn")


class File:
    def __init__(self):
        self.durable, self.pending = bytearray(), []
        self.failed = self.journal = False

    def lose(self, chance):
        """Its flush failed. What makes it longer is metadata, and comes through."""
        self.pending = [c for c in self.pending if c[1] is None or chance.random() < 0.5]
        self.flush()
        self.failed = True

    def flush(self):
        for change in self.pending:
            apply(self.durable, change)
        self.pending = []


def apply(content, change):
    offset, data = change
    if data is None:  # truncated, or made longer
        del content[offset:]
        content.extend(bytes(offset - len(content)))
        return
    if len(content) < offset:
        content.extend(bytes(offset - len(content)))
    content[offset:offset + len(data)] = data


class Disk:
    """A log, played up to a position; then images of it."""

    def __init__(self, log, chance):
        self.log, self.chance = open(log, "rb"), chance
        self.files, self.names, self.name_changes = {}, {}, []
        self.writes = self.flushes = self.failures = 0
        self.trusted = 0  # writes to a file after a flush of it had failed
        self.unsettled = False  # since a flush failed, no later file has said what became of it

    def play(self, position):
        """On from where it stands, up to the last whole record that ends by then."""
        while self.log.tell() + HEAD.size <= position:
            start = self.log.tell()
            magic, kind, inode, offset, length = HEAD.unpack(self.log.read(HEAD.size))
            assert magic == MAGIC, "the log is damaged"
            if start + HEAD.size + length > position:
                self.log.seek(start)
                return
            self.change(kind, inode, offset, self.log.read(length))

    def change(self, kind, inode, offset, data):
        if kind == CREATE:
            self.files[inode] = File()
            self.name_changes.append(("add", data.decode(), inode))
        elif kind in (RENAME, UNLINK):
            self.name_changes.append((kind, *data.decode().split("\0"), None)[:3])
        elif kind == FLUSH_FOLDER:
            self.folder_flush(data.decode())
        elif inode in self.files:
            file = self.files[inode]
            if kind == FLUSH:
                self.flushes += 1
                if not file.failed and any(d and d.startswith(HEADER) for _, d in file.pending):
                    self.unsettled = False  # it says how far the files before it count
                file.flush()
            elif kind == FLUSH_FAILED:
                self.failures += 1
                self.unsettled |= file.journal
                file.lose(self.chance)
            else:
                self.writes += kind == WRITE
                self.trusted += kind == WRITE and file.failed
                file.journal |= kind == WRITE and offset == 0 and data.startswith(HEADER)
                file.pending.append((offset, data if kind == WRITE else None))

    def folder_flush(self, folder):
        """Changes of names are one sequence: a later one on the disk means the earlier ones too."""
        last = 0
        for i, change in enumerate(self.name_changes, 1):
            if os.path.dirname(change[1]) == folder:
                last = i
        for change in self.name_changes[:last]:
            rename(self.names, change)
        del self.name_changes[:last]

    def image(self, mode, source, target):
        """Writes the files that would be found, from paths below source to below target."""
        names = dict(self.names)
        count = {"none": 0, "all": len(self.name_changes)}.get(
            mode, self.chance.randint(0, len(self.name_changes)))
        for change in self.name_changes[:count]:
            rename(names, change)
        os.makedirs(target, exist_ok=True)
        for path, inode in names.items():
            content = bytearray(self.files[inode].durable)
            for written in survivors(self.files[inode].pending, mode, self.chance):
                apply(content, written)
            place = os.path.join(target, os.path.relpath(path, source))
            os.makedirs(os.path.dirname(place), exist_ok=True)
            with open(place, "wb") as f:
                f.write(content)


def rename(names, change):
    kind, path, other = change
    if kind == "add":
        names[path] = other
    elif kind == UNLINK:
        names.pop(path, None)
    elif path in names:
        names[other] = names.pop(path)


def survivors(pending, mode, chance):
    if mode == "none":
        return
    for i, (offset, data) in enumerate(pending):
        if mode != "all" and chance.random() < 0.5:
            continue
        if mode == "torn" and data and len(data) > SECTOR and i >= len(pending) - 2:
            first = -offset % SECTOR  # sectors reach the disk whole, in any order
            cuts = [0] + list(range(first or SECTOR, len(data), SECTOR)) + [len(data)]
            for a, b in zip(cuts, cuts[1:]):
                if chance.random() < 0.5:
                    yield offset + a, data[a:b]
            continue
        yield offset, data
