"""Images of a source, decoded and preprocessed part by part."""

from __future__ import annotations

import copy
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from functools import cache, cached_property
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from hw.common.errors import InputError
from models.data import Labelled, load_digits_split
from sim.data.content import Content, Request, check_bytes, max_bytes
from sim.data.fit import check_fits
from sim.data.formats import cifar, folder, idx, imagenet, npz
from sim.data.formats.pictures import decode, strict
from sim.data.parallel import for_each
from sim.data.preprocessing import Preprocessing
from sim.data.source import Source, parse

BLOCK = 64  # images of an array that are preprocessed at once
UNLABELLED = -1  # no class
WHOLE_BYTES = 1 << 30  # of images that are kept rather than decoded again and again
_ONE_READER = threading.Lock()  # warning filters are process-wide


def _digits(request: Request) -> Content:
    assert request.source.split is not None
    data = load_digits_split(request.source.split)
    return Content(ready=data.images[:request.limit], labels=data.labels[:request.limit])


READERS = {"digits": _digits, "npz": npz.read, "folder": folder.read, "cifar10": cifar.read,
           "cifar100": cifar.read, "idx": idx.read, "imagenet": imagenet.read}


class LabelledImages(NamedTuple):
    """Images, decoded or not, and labels int64[n]; all `UNLABELLED` where none are."""

    images: Images
    labels: npt.NDArray[np.int64]


class Images:
    """Images, and labels where they were asked for, that become arrays when they are read.

    Use `open_images`. What has to be decoded stays encoded until then, so any number of images
    can be gone through in parts of bounded size. Slices and arrays of indices choose images without
    reading them; `np.asarray` reads.

    Attributes
    ----------
    source : Source
        Where they are.
    labels : int64[n], optional
        The classes.
    shape : tuple of int
        Of one image as the network takes it: (c, h, w), or (h, w, c) in layout `nhwc`; of arrays
        that are not preprocessed, such as vectors (k,), what they are.
    """

    def __init__(self, content: Content, source: Source, preprocessing: Preprocessing) -> None:
        self.source = source
        self.labels = content.labels
        self._content = content
        self._preprocessing = preprocessing
        self._chosen = np.arange(len(content))

    def __len__(self) -> int:
        return len(self._chosen)

    def __getitem__(self, which: slice | npt.NDArray[np.int64]) -> Images:
        """Return some of the images, unread."""
        some = copy.copy(self)
        some._chosen = self._chosen[which]
        some.labels = None if self.labels is None else self.labels[which]
        return some

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> npt.NDArray[Any]:
        """Read all of them."""
        with nullcontext() if self._decoded else _ONE_READER:
            return self.read(quiet=True).astype(dtype or np.float32, copy=False)

    @property
    def _decoded(self) -> bool:
        """Whether reading is arithmetic alone, without Pillow."""
        pixels = self._content.pixels
        return self._content.ready is not None or (
            pixels is not None and not self._preprocessing.draws(pixels.shape[3]))

    @property
    def nbytes(self) -> int:
        """Of all images as float32."""
        return 4 * len(self) * int(np.prod(self.shape))

    @property
    def kept_bytes(self) -> int:
        """Of all images as `in_memory` keeps them."""
        return self.nbytes // (4 if self.eight_bit else 1)

    @property
    def eight_bit(self) -> bool:
        """Whether the values come from 8-bit pixels, rather than from arrays ready to run."""
        return self._content.ready is None

    @cached_property
    def shape(self) -> tuple[int, ...]:
        """Of one image as the network takes it; the first image is decoded for it."""
        if self._content.ready is not None:
            return self._content.ready.shape[1:]
        height, width, channels = self._picture_shape
        return (channels, height, width) if self._preprocessing.layout == "nchw" \
            else (height, width, channels)

    def read(self, start: int = 0, stop: int | None = None, *, threads: int | None = None,
             quiet: bool = False) -> npt.NDArray[np.float32]:
        """Return images start to stop, float32[stop - start, *shape].

        threads : that decode (default: all cores); the result does not depend on it.
        quiet : show no progress.

        Raises InputError naming the image that is damaged or differs from the first in shape.
        """
        chosen = self._chosen[start:stop]
        if self._content.ready is not None:
            together = len(chosen) > 0 and bool((np.diff(chosen) == 1).all())
            return self._content.ready[slice(chosen[0], chosen[-1] + 1) if together else chosen]
        out = np.empty((len(chosen), *self.shape), np.float32)

        def normalise(pixels: npt.NDArray[np.uint8], part: slice) -> None:
            self._preprocessing.normalise(pixels, out[part])

        self._each(chosen, normalise, threads=threads, quiet=quiet)
        return out

    def in_memory(self) -> Images:
        """Return the same images with nothing left to decode or to resize.

        A byte a value is kept where they come from 8-bit pixels, which are normalised whenever
        they are read. Raises InputError as `read` does.
        """
        if self._decoded:
            return self
        pixels = np.empty((len(self), *self._picture_shape), np.uint8)

        def keep(found: npt.NDArray[np.uint8], part: slice) -> None:
            pixels[part] = self._red_first(found)

        self._each(self._chosen, keep)
        same = copy.copy(self)
        same._content = Content(pixels=pixels, labels=self.labels)
        same._preprocessing = replace(self._preprocessing, resize=None, crop=None, size=None)
        same._chosen = np.arange(len(self))
        return same

    def _each(self, chosen: npt.NDArray[np.int64],
              take: Callable[[npt.NDArray[np.uint8], slice], None], *,
              threads: int | None = None, quiet: bool = False) -> None:
        """Hand over the pictures of the chosen images, in parts, and where each part belongs."""
        step = 1 if self._content.pixels is None else BLOCK

        def hand_over(index: int) -> None:
            part = slice(index * step, (index + 1) * step)
            pixels = self._pixels(chosen[part])
            if pixels.shape[1:] != self._picture_shape:
                raise self._differs(int(chosen[index]), pixels.shape[1:])
            take(pixels, part)

        count = -(-len(chosen) // step)
        if self._decoded:
            for index in range(count):
                hand_over(index)
        else:
            for_each(hand_over, count, label=f"reading {self.source.path.name}", threads=threads,
                     quiet=quiet)

    def pixels(self, index: int) -> npt.NDArray[np.uint8]:
        """Return one image as a picture in the network's size, uint8[h, w, c], red first."""
        return self._red_first(self._pixels(self._chosen[index:index + 1])[0])

    def _red_first(self, pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        return pixels[..., ::-1] if self._preprocessing.channels == "bgr" else pixels

    def check_fits(self) -> None:
        """Refuse images that the network does not take; the first one is decoded for it.

        Nothing is checked where the preprocessing is not for a network.
        """
        takes = self._preprocessing.takes
        if takes is not None:
            check_fits(self.shape, takes, name=self.source.text, layout=None if
                       self._content.ready is not None else self._preprocessing.layout)

    @cached_property
    def _picture_shape(self) -> tuple[int, ...]:
        """(h, w, c) of the first image, which all others must have."""
        with strict():
            shape = self._pixels(np.zeros(1, np.int64)).shape[1:]
        try:
            self._preprocessing.check_channels(shape[2])
        except InputError as error:
            raise InputError(f"{self.source.text}: {error}") from None
        return shape

    def _pixels(self, chosen: npt.NDArray[np.int64]) -> npt.NDArray[np.uint8]:
        """Return uint8[n, h, w, c] in the network's colour and size; one image if it is encoded."""
        name = self.source.text
        try:
            if self._content.pixels is not None:
                return self._preprocessing.pictures(self._content.pixels[chosen])
            name, read = self._content.encoded[int(chosen[0])]
            with _named_failures(name):
                content = read()
            image = decode(content, name)
            return self._preprocessing.picture(image)[None]
        except InputError as error:
            message = str(error)
            raise InputError(message if name in message else f"{name}: {message}") from None

    def _differs(self, index: int, shape: tuple[int, ...]) -> InputError:
        name = self._content.encoded[index].name
        height, width, channels = self._picture_shape
        if shape[:2] != (height, width):
            return InputError(f"{name}: images must have one size, {height}x{width} as the first, "
                              f"not {shape[0]}x{shape[1]}; --size, or --resize and "
                              "--crop, make them equal (docs/data.md)")
        return InputError(f"{name}: images must all have {channels} channels as the first, not "
                          f"{shape[2]}; --channels rgb or grey makes them equal (docs/data.md)")


@contextmanager
def _named_failures(name: str) -> Iterator[None]:
    """Turn an OSError on a file into an InputError that names it."""
    try:
        yield
    except OSError as error:  # no permission, a loop of links, a name too long, a broken disk
        raise InputError(f"{error.filename or name}: {error.strerror or error}") from None


def open_images(source: str, preprocessing: Preprocessing, *, limit: int | None = None,
                labelled: bool = True) -> Images:
    """Return the images of a source without decoding them, but the first for its shape.

    source : `[KIND:]PATH[,FILE...][#SPLIT]`, see docs/data.md.
    limit : the first `limit` images. labelled : refuse a source without labels.

    Raises InputError naming the file and what is wrong with it.
    """
    if limit is not None and limit < 1:
        raise InputError(f"Limit must be at least 1, not {limit}")
    with _named_failures(source):
        found = parse(source)
        content = READERS[found.kind](Request(source=found, limit=limit, labelled=labelled))
    if content.ready is not None and preprocessing.asked:
        raise InputError(f"{source}: its arrays are taken as they are, so that "
                         f"{' and '.join(preprocessing.asked)} must not be given")
    images = Images(content, found, preprocessing)
    images.check_fits()
    if content.ready is None and preprocessing.missing:
        _say_once(f"notice: pixels enter the network as 0 to 255: no {preprocessing.missing} says "
                  "otherwise (docs/data.md#preprocessing)")
    return images


@cache
def _say_once(line: str) -> None:
    print(line, file=sys.stderr)


def labelled_images(source: str, preprocessing: Preprocessing, *, limit: int | None = None
                    ) -> LabelledImages:
    """Return images and labels as `load_data` does, of any number: too many to keep stay unread."""
    return kept(open_images(source, preprocessing, limit=limit))


def kept(images: Images) -> LabelledImages:
    """Return images with labels, `UNLABELLED` without; in memory if they are few enough for it."""
    labels = np.full(len(images), UNLABELLED) if images.labels is None else images.labels
    few = images.kept_bytes <= min(WHOLE_BYTES, max_bytes())
    return LabelledImages(images.in_memory() if few else images, labels)


def load_images(source: str, preprocessing: Preprocessing, *, limit: int | None = None,
                threads: int | None = None) -> npt.NDArray[np.float32]:
    """Return images float32[n, ...]; the arguments of `load_data`, but no labels are needed."""
    return _whole(open_images(source, preprocessing, limit=limit, labelled=False), threads)


def load_data(source: str, preprocessing: Preprocessing, *, limit: int | None = None,
              threads: int | None = None) -> Labelled:
    """Return images float32[n, ...], pictures as [n, c, h, w], and labels int64[n].

    Parameters
    ----------
    source : str
        `[KIND:]PATH[,FILE...][#SPLIT]`: `digits:SPLIT`, an `.npz` file, a folder of class
        folders, CIFAR batches, IDX files or an image folder with a list; see docs/data.md.
    preprocessing : Preprocessing
        What the network takes; floats of an `.npz` file are taken as they are.
    limit : int, optional
        Keep the first `limit` images.
    threads : int, optional
        That decode (default: all cores); the result does not depend on it.

    Raises
    ------
    InputError
        A file is missing, damaged or does not fit, or the images would not fit in memory (see
        `open_images` for going through them in parts); the message names the file.
    """
    images = open_images(source, preprocessing, limit=limit)
    assert images.labels is not None
    return Labelled(_whole(images, threads), images.labels)


def _whole(images: Images, threads: int | None) -> npt.NDArray[np.float32]:
    check_bytes(images.nbytes, len(images), images.source.text)
    return images.read(threads=threads)
