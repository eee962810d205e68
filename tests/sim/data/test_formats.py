"""No file makes a traceback, hangs, fills the memory or is refused without its name.

Every test runs in a process of its own, whose memory is bounded.
"""

import gzip
import io
import os
import pickle
import struct
import tarfile

import numpy as np
import pytest
from PIL import Image

from hw.common.errors import InputError
from sim.data import Preprocessing, load_data
from tests.sim.data import hostile
from tests.sim.data.writers import encoded, pixels, write_idx

pytestmark = pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")  # no thread matters
SEED = 2020
DAMAGED = 60  # files for each of the 25 bases


def test_damaged_files_of_every_kind_are_read_or_refused_by_name(tmp_path):
    def work():
        faults = []
        for index, (source, path) in enumerate(list(hostile.bases(tmp_path))):
            whole = path.read_bytes()
            assert hostile.fault(source, []) is None, source
            names = {path.name, path.name.replace("images", "labels"),
                     path.name.replace("labels", "images"), str(path.parent.parent), "a.png"}
            for number in range(DAMAGED):
                generator = np.random.default_rng((SEED, index, number))
                change = hostile.within_gzip if path.suffix == ".gz" and number % 3 else \
                    hostile.damaged
                path.write_bytes(change(whole, generator))
                if wrong := hostile.fault(source, names):
                    faults.append((path.name, number, wrong))
            path.write_bytes(whole)
        return faults

    assert hostile.watched(work) == ([], "")


def folder_of(tmp_path, content=b""):
    """A class folder with a good image and an odd one, and where the odd one is."""
    (tmp_path / "set" / "cat").mkdir(parents=True)
    (tmp_path / "set" / "cat" / "good.png").write_bytes(encoded(pixels(4, 4, 3)))
    odd = tmp_path / "set" / "cat" / "odd.png"
    if content:
        odd.write_bytes(content)
    return odd


def zeros(path, head, size):
    """A gzip file of `head` and `size` zero bytes."""
    with gzip.open(path, "wb", 1) as stream:
        stream.write(head)
        for _ in range(size >> 20):
            stream.write(bytes(1 << 20))
    return path


def idx_head(*shape):
    return bytes([0, 0, 8, len(shape)]) + struct.pack(f">{len(shape)}I", *shape)


def pipe_of(kind):
    def make(tmp_path):
        os.mkfifo(tmp_path / "odd")
        write_idx(tmp_path / "i", pixels(2, 4, 4))
        folder_of(tmp_path)
        return kind.format(tmp_path)
    return make


def link_to(target):
    def make(tmp_path):
        odd = folder_of(tmp_path)
        odd.symlink_to(target)
        return str(tmp_path / "set")
    return make


def image_of(content):
    def make(tmp_path):
        folder_of(tmp_path, content)
        return str(tmp_path / "set")
    return make


def npz_of(**arrays):
    def make(tmp_path):
        np.savez_compressed(tmp_path / "odd.npz", **arrays)
        return str(tmp_path / "odd.npz")
    return make


def gzip_bomb(tmp_path):
    write_idx(tmp_path / "l", np.zeros(80 << 10, np.uint8))
    return f"idx:{zeros(tmp_path / 'odd.gz', idx_head(80 << 10, 32, 32), 80 << 20)}," \
           f"{tmp_path / 'l'}"


def gzip_claim(tmp_path):
    (tmp_path / "odd.gz").write_bytes(gzip.compress(idx_head(1 << 20, 32, 32) + bytes(4000)))
    write_idx(tmp_path / "l", np.zeros(1 << 20, np.uint8))
    return f"idx:{tmp_path / 'odd.gz'},{tmp_path / 'l'}"


def label_bomb(tmp_path):
    write_idx(tmp_path / "i", pixels(2, 4, 4))
    return f"idx:{tmp_path / 'i'},{zeros(tmp_path / 'odd.gz', idx_head(1 << 28), 1 << 28)}"


def tar_of(*members, pad=1024):
    """An archive of headers, each a type and a size, that has no more than `pad` zeros behind."""
    def make(tmp_path):
        content = b""
        for kind, size in members:
            member = tarfile.TarInfo("test_batch.bin")
            member.type, member.size = kind, size
            content += member.tobuf()
        (tmp_path / "cifar-10-odd.tar.gz").write_bytes(gzip.compress(content + bytes(pad), 1))
        return f"{tmp_path / 'cifar-10-odd.tar.gz'}#test"
    return make


def pickle_of(content):
    def make(tmp_path):
        (tmp_path / "odd").write_bytes(content)
        return f"cifar10:{tmp_path / 'odd'}"
    return make


# Tuples of 100 tuples, 12 levels deep, remembered as 12: to hash or print them takes for ever.
TOWER = b"K\x01\x85" + b"".join(
    b"q%c(" % level + b"h%c" % level * 100 + b"t" for level in range(12)) + b"q\x0c"
ARRAY = b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R"
BATCH = {"data": pixels(2, 3072), "labels": [0, 1]}
RGB16 = b"P6 4 4 65535\n" + bytes(96)

REFUSED = {
    "pipe npz": (pipe_of("npz:{0}/odd"), r"/odd: must be a file, not a device$"),
    "pipe idx": (pipe_of("idx:{0}/odd,{0}/i"), r"/odd: must be a file, not a device$"),
    "pipe labels": (pipe_of("idx:{0}/i,{0}/odd"), r"/odd: must be a file, not a device$"),
    "pipe cifar": (pipe_of("cifar10:{0}/odd"), r"/odd: must be followed by #train or #test$"),
    "pipe list": (pipe_of("imagenet:{0}/set,{0}/odd"), r"/odd: must be a file, not a device$"),
    "pipe classes": (pipe_of("folder:{0}/set,{0}/odd"), r"/odd: must be a file, not a device$"),
    "folder npz": (lambda path: f"npz:{path}", r": must be a file, not a folder$"),
    "link to itself": (link_to("odd.png"), r"odd\.png: Too many levels of symbolic links$"),
    "name too long": (lambda path: f"{path / ('x' * 300)}.npz", r"x\.npz: File name too long$"),
    "gzip bomb": (gzip_bomb, r"odd\.gz: must not unpack to more than 200 times its .*, as to 80 M"),
    "gzip claim": (gzip_claim, r"odd\.gz: 1048576 images would take 1 GiB of memory, more than"),
    "label bomb": (label_bomb, r"odd\.gz: must have a label for each of 2 images of .*/i, not 26"),
    "zip bomb": (npz_of(x=np.zeros((20 << 10, 64, 64, 1), np.uint8), y=np.zeros(20 << 10, int)),
                 r"odd\.npz: x: must not unpack to more than 200 times"),
    "packed labels": (npz_of(png=np.zeros(99, np.uint8), offset=np.array([0, 5, 9]),
                             y=np.zeros(1 << 25, np.uint8)), r"odd\.npz: 33554432 .* take 256 MiB"),
    "packed offsets": (npz_of(png=np.zeros(1 << 20, np.uint8), offset=np.arange(1 << 20),
                              y=np.zeros(5, int)), r"odd\.npz: 1048575 images would take 512 MiB"),
    "tar headers": (tar_of(*[(tarfile.DIRTYPE, 0)] * 2000), r"must have at most 1000 members$"),
    "tar attributes": (tar_of((tarfile.XHDTYPE, 1 << 20), pad=2 << 20),
                       r"\.gz: damaged archive \(header of 1048576 bytes\)$"),
    "tar long name": (tar_of((tarfile.GNUTYPE_LONGNAME, 1 << 20), pad=2 << 20),
                      r"\.gz: damaged archive \(header of 1048576 bytes\)$"),
    "pickle hash": (pickle_of(b"\x80\x02(" + TOWER + b"}h\x0cK\x01st."), r"not keys that are nei"),
    "pickle hashes": (pickle_of(b"\x80\x02(" + TOWER + b"}(h\x0cK\x01ut."), r"not keys that are n"),
    "pickle call": (pickle_of(b"\x80\x02(" + TOWER + b"c_codecs\nencode\nh\x0cRt."),
                    r"not a call of encode$"),
    "pickle name": (pickle_of(b"\x80\x04(" + TOWER + b"h\x0ch\x0c\x93t."), r"tuple instead of str"),
    "pickle shape": (pickle_of(b"\x80\x02(" + TOWER + ARRAY + b"(K\x01h\x0ccnumpy\ndtype\nU\x02u1"
                               b"K\x00K\x01\x87R\x89U\x01atbt."), r"not an array of a shape that"),
    "pickle texts": (pickle_of(b"\x80\x02(X" + struct.pack("<I", 1 << 20) + b"a" * (1 << 20)
                               + b"q\x00X\x06\x00\x00\x00latin1q\x02" + b"c_codecs\nencode\nh\x00"
                               b"h\x02\x86R" * 2000 + b"l."), r"not copies of a text$"),
    "pickle lists": (pickle_of(b"\x80\x02" + b"]" * 240_000 + b"a" * 239_999 + b"."),
                     r"must be a batch with data"),
    "pickle length": (pickle_of(b"\x80\x02(" + b"N" * 600_000 + b"l."), r"more than 500000 instr"),
    "pickle labels": (pickle_of(pickle.dumps({**BATCH, "labels": [0, True]}, 2)),
                      r"must have labels, a class number for each of 2 images$"),
    "blank image": (image_of(encoded(Image.new("L", (9000, 9000)), "PNG")),
                    r"odd\.png: image must fit in 512 MiB of memory \(--max-memory\)"),
    "16 bits": (image_of(RGB16), r"odd\.png: image must have 8 bits per channel, not more$"),
    "gif": (image_of(encoded(Image.new("L", (4, 4)), "GIF")), r"odd\.png: must be an image \("),
    "cmyk": (image_of(encoded(Image.new("CMYK", (4, 4)), "TIFF")), r"odd\.png: image must be "),
    "no picture": (image_of(b"\xff\xd8\xff\xe0" + bytes(50)), r"odd\.png: "),
    "large labels": (npz_of(x=pixels(2, 4, 4, 1), y=np.array([0, 2**64 - 1], np.uint64)),
                     r"odd\.npz: labels must be 0 to 2147483647, not 18446744073709551615$"),
    "many labels": (npz_of(x=pixels(2, 4, 4, 1), y=np.arange(3)), r"y must have shape \[2\]"),
    "nan labels": (npz_of(x=pixels(2, 4, 4, 1), y=np.array([0, np.nan])), r"must hold integer"),
    "boolean labels": (npz_of(x=pixels(2, 4, 4, 1), y=np.array([False, True])), r"must hold "),
}


@pytest.mark.parametrize("name", REFUSED)
def test_traps_are_refused_at_once_in_one_line(tmp_path, name):
    make, message = REFUSED[name]
    source = make(tmp_path)

    def work():
        wrong = hostile.fault(source, ["odd", str(tmp_path)])
        try:
            load_data(source, Preprocessing())
        except InputError as error:
            return wrong, str(error)
        return wrong, "was read"

    (wrong, refusal), _said = hostile.watched(work)
    assert wrong is None
    with pytest.raises(InputError, match=message):
        raise InputError(refusal)


@pytest.mark.parametrize("target", ["/dev/zero", "/nowhere", "."])
def test_links_that_lead_to_no_file_are_left_out(tmp_path, target):
    folder_of(tmp_path).symlink_to(target)
    assert len(load_data(str(tmp_path / "set"), Preprocessing()).labels) == 1


def test_a_line_break_in_a_name_is_none_on_the_screen(tmp_path, capsys):
    folder_of(tmp_path).with_name("a\nb").write_bytes(b"")
    load_data(str(tmp_path / "set"), Preprocessing())
    assert capsys.readouterr().err.splitlines() == [
        f"{tmp_path / 'set'}: 1 file is no image, left out: cat/a b"]


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF"])
def test_of_animations_and_pages_the_first_is_taken(tmp_path, kind):
    frames = [Image.fromarray(image) for image in pixels(3, 8, 8, 3)]
    buffer = io.BytesIO()
    frames[0].save(buffer, kind, save_all=True, append_images=frames[1:], lossless=True)
    folder_of(tmp_path).with_name("good.png").write_bytes(buffer.getvalue())
    got = load_data(str(tmp_path / "set"), Preprocessing()).images
    np.testing.assert_array_equal(got, np.asarray(frames[0]).transpose(2, 0, 1)[None])


def test_a_file_without_permission_is_named(tmp_path):
    path = tmp_path / "d.npz"
    np.savez(path, x=pixels(2, 4, 4, 1), y=np.arange(2))
    path.chmod(0)
    if os.access(path, os.R_OK):  # as root
        pytest.skip("every file may be read here")
    with pytest.raises(InputError, match=r"d\.npz: Permission denied$"):
        load_data(str(path), Preprocessing())
