"""Images and labels from files of many kinds, and their preprocessing (docs/data.md)."""

from pathlib import Path

import models
from sim.data.images import (
    Images,
    LabelledImages,
    kept,
    labelled_images,
    load_data,
    load_images,
    open_images,
)
from sim.data.preprocessing import Preprocessing
from sim.data.presets import PRESETS

DIGITS_MODEL = Path(models.__file__).parent / "zoo" / "digits.onnx"

__all__ = ["DIGITS_MODEL", "PRESETS", "Images", "LabelledImages", "Preprocessing", "kept",
           "labelled_images", "load_data", "load_images", "open_images"]
