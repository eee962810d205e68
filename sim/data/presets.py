"""Named preprocessing settings in common use."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# Mean and deviation of the ImageNet training set in units of 255, as torchvision uses them.
_IMAGENET = {"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}
_GEOMETRY = {"resize": 256, "crop": 224}

PRESETS: Mapping[str, Mapping[str, Any]] = {
    # torchvision's classification weights of the first generation: ResNet, VGG, MobileNet, ...
    "torchvision-imagenet": {**_GEOMETRY, **_IMAGENET, "scale": 1 / 255, "channels": "rgb"},
    # The same numbers without resizing: images that already have the network's size.
    "imagenet-statistics": {**_IMAGENET, "scale": 1 / 255, "channels": "rgb"},
    # Keras' mode "tf": -1 to 1.
    "tf-imagenet": {**_GEOMETRY, "scale": 1 / 127.5, "mean": 1, "channels": "rgb"},
    # Keras' mode "caffe": blue first, the mean subtracted, no scaling.
    "caffe-imagenet": {**_GEOMETRY, "mean": [103.939, 116.779, 123.68], "channels": "bgr"},
    "torchvision-mnist": {"scale": 1 / 255, "mean": 0.1307, "std": 0.3081, "channels": "grey"},
    "unit": {"scale": 1 / 255},  # 0 to 1
}
