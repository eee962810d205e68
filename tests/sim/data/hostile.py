"""Files that no reader may stumble over: sources of every kind, damaged at random from a seed."""

import gzip
import io
import os
import pickle
import resource
import signal
import tarfile
import tempfile
import time
import traceback
import warnings
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from hw.common import memory
from hw.common.errors import InputError
from sim.data import Preprocessing, load_data
from tests.sim.data.writers import encoded, pixels, write_idx

SECONDS = 5
LIMIT = 512 << 20  # what the command is told that it may take
EXTREMES = [b"\xff", b"\x7f", b"\x00", b"\x80", b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff",
            b"\xff\xff\xff\x7f", bytes(4), b"\xff" * 8, b"\xff" * 7 + b"\x7f"]
PICTURES = ("PNG", "JPEG", "WEBP", "BMP", "PPM", "TIFF")


def bases(folder):
    """Write one valid source of every kind; yields (the text that names it, file to damage)."""
    x, y = pixels(4, 8, 9, 3), np.arange(4)
    files = [encoded(image) for image in x]
    packed = {"png": np.frombuffer(b"".join(files), np.uint8),
              "offset": np.cumsum([0, *map(len, files)])}
    arrays = {"pictures": {"x": x, "y": y}, "vectors": {"x": np.float32(x[:, 0, :, 0]), "y": y},
              "doubles": {"x": x[:, 0, :, 0] / 7, "y": y}, "packed": {**packed, "y": y}}
    for name, content in arrays.items():
        for save in (np.savez, np.savez_compressed):
            path = folder / f"{name}_{save.__name__}.npz"
            save(path, **content)
            yield str(path), path
    for kind in PICTURES:
        path = folder / f"set_{kind}" / "cat" / f"a.{kind.lower()}"
        path.parent.mkdir(parents=True)
        path.write_bytes(encoded(x[0], kind))
        yield str(path.parent.parent), path
    for gz in ("", ".gz"):
        images = write_idx(folder / f"a-images-idx3-ubyte{gz}", x[..., 0])
        labels = write_idx(folder / f"a-labels-idx1-ubyte{gz}", y.astype(np.uint8))
        yield f"idx:{images},{labels}", images
        yield f"idx:{images},{labels}", labels
    rows = np.column_stack([y.astype(np.uint8), pixels(4, 3072)])
    for kind, batch in (("test_batch.bin", rows.tobytes()), ("test_batch", pickle.dumps(
            {b"labels": y.tolist(), b"data": rows[:, 1:]}, 2))):
        (folder / kind).write_bytes(batch)
        yield f"cifar10:{folder / kind}", folder / kind
        for suffix, mode in ((".tar", "w"), (".tar.gz", "w:gz")):
            path = folder / f"cifar-10-{kind}{suffix}"
            with tarfile.open(path, mode) as archive:
                member = tarfile.TarInfo(kind)
                member.size = len(batch)
                archive.addfile(member, io.BytesIO(batch))
            yield f"{path}#test", path
    listed = folder / "list.txt"
    listed.write_text("a.png 3\n")
    yield f"imagenet:{folder / 'set_PNG' / 'cat'},{listed}", listed


def damaged(content, generator):
    """Return the bytes with a few random faults of the kinds that break readers."""
    found = bytearray(content)
    for _ in range(generator.integers(1, 4)):
        at = int(generator.integers(len(found) or 1))
        span = int(generator.integers(1, 65))
        match generator.integers(6):
            case 0 if found:
                found[at % len(found)] ^= 1 << int(generator.integers(8))
            case 1:
                del found[at:]
            case 2:
                found[at:at] = generator.bytes(span)
            case 3:
                extreme = EXTREMES[generator.integers(len(EXTREMES))]
                found[at:at + len(extreme)] = extreme
            case 4:
                found[at:at] = found[:span]
            case _:
                del found[at:at + span]
    return bytes(found)


def within_gzip(content, generator):
    """Return a gzip file whose checksums are right and whose content is damaged."""
    return gzip.compress(damaged(gzip.decompress(content), generator), 1)


def fault(source, names, load=load_data):
    """Return what is wrong with how a source is read or refused; None if nothing is.

    names : of the files of which a refusal must name one.
    """
    started = time.monotonic()
    try:
        signal.alarm(2 * SECONDS)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            warnings.simplefilter("ignore", DeprecationWarning)  # as Python does
            load(source, Preprocessing())
    except InputError as error:
        message = str(error)
        if not any(name in message for name in names):
            return f"names no file: {message}"
        if len(message) > 600 or len(message.splitlines()) > 1:
            return f"takes more than a line: {message}"
    except BaseException:  # whatever it is, it would be a traceback
        return traceback.format_exc()
    finally:
        signal.alarm(0)
    taken = time.monotonic() - started
    return f"takes {taken:.1f} s" if taken > SECONDS else None


def watched(work):
    """Return `work()` and what it wrote to stderr, done in a process of bounded memory."""
    ours, theirs = get_context("fork").Pipe(duplex=False)
    child = get_context("fork").Process(target=_confined, args=(work, theirs))
    child.start()
    theirs.close()
    try:
        return ours.recv()
    except EOFError:
        child.join()
        return f"the process ended with {child.exitcode}", ""
    finally:
        child.join()


def _confined(work, pipe):
    memory._chosen = LIMIT
    size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (size + 4 * LIMIT,) * 2)
    signal.signal(signal.SIGALRM, _late)
    with tempfile.TemporaryFile() as stderr:
        os.dup2(stderr.fileno(), 2)
        found = work()
        stderr.seek(0)
        pipe.send((found, stderr.read().decode()))


def _late(_number, _frame):
    raise TimeoutError("no answer")
