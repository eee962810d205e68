"""Images and labels from files of many kinds, and their preprocessing (docs/data.md)."""

from models import ZOO
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

DIGITS_MODEL = ZOO / "digits.onnx"

__all__ = ["DIGITS_MODEL", "PRESETS", "Images", "LabelledImages", "Preprocessing", "kept",
           "labelled_images", "load_data", "load_images", "open_images"]
