"""The images to label: files, a page that shows them, and the labels that come back."""

from __future__ import annotations

import csv
import html
import io
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from hw.common.errors import InputError, unknown_name
from hw.common.files import read_bytes, write_bytes, write_text
from hw.common.wording import counted
from sim.data import Images

FOLDER, PAGE, TEMPLATE = "to_label", "label.html", "labels.csv"
COLUMNS = ("image", "label")
STYLE = """body { font: 16px/1.5 system-ui, sans-serif; margin: 24px; color: #1c2733; }
main { display: grid; gap: 12px; grid-template-columns: repeat(auto-fill, minmax(170px, 1fr)); }
figure { margin: 0; border: 1px solid #e3e8ee; border-radius: 8px; padding: 8px; }
img { width: 100%; image-rendering: pixelated; }
figcaption { font-variant-numeric: tabular-nums; text-align: center; }
ol { columns: 4 12em; }"""


def write_images(folder: Path, images: npt.NDArray[np.float32] | Images,
                 which: npt.NDArray[np.int64], classes: Sequence[str]) -> None:
    """Write the chosen images, a page that shows them with the classes, and a list to fill in.

    Nothing says what any network answered, or which design differs. Arrays that are no pictures
    are written as `.npy`.
    """
    place, shown = folder / FOLDER, []
    place.mkdir(exist_ok=True)
    for index in which:
        name = f"{index:06d}"
        picture = _picture(images, int(index))
        content = io.BytesIO()
        if picture is None:
            np.save(content, np.asarray(images[int(index):int(index) + 1])[0])
            write_bytes(place / f"{name}.npy", content.getvalue(), durable=False)
            shown.append(f"<figure><figcaption>{name}.npy</figcaption></figure>")
            continue
        picture.save(content, "PNG")
        write_bytes(place / f"{name}.png", content.getvalue(), durable=False)
        shown.append(f'<figure><img src="{name}.png" alt="image {name}" loading="lazy">'
                     f"<figcaption>{name}</figcaption></figure>")
    listed = "".join(f'<li value="{number}">{html.escape(name)}</li>'
                     for number, name in enumerate(classes))
    write_text(place / PAGE, (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{counted(len(which), 'image')} to label</title><style>{STYLE}</style></head>"
        f"<body><h1>{counted(len(which), 'image')} to label</h1>"
        f"<p>Write the class of each, its number or its name, into <code>{TEMPLATE}</code>.</p>"
        f"<details><summary>{len(classes)} classes</summary><ol>{listed}</ol></details>"
        f"<main>\n{chr(10).join(shown)}\n</main></body></html>\n"))
    if not (place / TEMPLATE).exists():  # labels that were begun are nobody's to overwrite
        write_text(place / TEMPLATE, "\n".join(
            [",".join(COLUMNS), *(f"{index:06d}," for index in which), ""]))


def _picture(images: npt.NDArray[np.float32] | Images, index: int) -> Image.Image | None:
    """Return an image as a picture: pixels, or floats spread over 8 bits; None if it is none."""
    if isinstance(images, Images) and images.eight_bit:
        pixels = images.pixels(index)
    else:
        values = np.asarray(images[index:index + 1])[0]
        if values.ndim != 3 or (values.shape[0] not in (1, 3) and values.shape[2] not in (1, 3)):
            return None
        values = values.transpose(1, 2, 0) if values.shape[0] in (1, 3) else values
        low, high = float(values.min()), float(values.max())
        pixels = ((values - low) * (255 / max(high - low, 1e-9))).round().astype(np.uint8)
    return Image.fromarray(np.ascontiguousarray(
        pixels[..., 0] if pixels.shape[2] == 1 else pixels))


def read_labels(path: Path, which: npt.NDArray[np.int64], classes: Sequence[str]
                ) -> npt.NDArray[np.int64]:
    """Return the class of each of the chosen images, int64[m].

    Raises InputError where an image has no label, is there twice or was not asked for, or a label
    is no class: nothing is said from part of the labels.
    """
    numbers = {f"{index:06d}": place for place, index in enumerate(which)}
    names = {name: number for number, name in enumerate(classes)}
    found: dict[int, int] = {}
    try:
        rows = list(csv.DictReader(io.StringIO(read_bytes(path).decode("utf-8-sig"))))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: must be a CSV file ({error})") from None
    for line, row in enumerate(rows, 2):
        if set(row) != set(COLUMNS):
            raise InputError(f"{path}: line {line} must have {' and '.join(COLUMNS)}")
        image, label = row["image"].strip(), (row["label"] or "").strip()
        if image not in numbers:
            raise InputError(f"{path}: line {line}: {image!r} is not one of the "
                             f"{counted(len(which), 'image')} to label")
        if numbers[image] in found:
            raise InputError(f"{path}: line {line}: image {image} must be labelled once")
        if label:
            found[numbers[image]] = _class(label, names, f"{path}: line {line}")
    if len(found) < len(which):
        raise InputError(f"{path}: {len(which) - len(found)} of {counted(len(which), 'image')} "
                         "have no label yet; nothing is certified from part of the labels")
    return np.array([found[place] for place in range(len(which))], np.int64)


def _class(label: str, names: Mapping[str, int], where: str) -> int:
    if label in names:
        return names[label]
    if label.isdigit() and int(label) < len(names):
        return int(label)
    if label.isdigit():
        raise InputError(f"{where}: label must be a class below {len(names)}, not {label}")
    try:
        raise unknown_name("class", label, names)
    except InputError as error:
        raise InputError(f"{where}: {error}") from None
