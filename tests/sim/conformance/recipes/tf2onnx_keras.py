"""Keras networks by tf2onnx, float ones and TFLite's int8 ones.

pip install tensorflow-cpu==2.21.0 tf2onnx==1.17.0 onnx==1.23.2
"""

import os
import tempfile
from pathlib import Path

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["CUDA_VISIBLE_DEVICES"] = ""

import numpy as np
import onnx
import tensorflow as tf
import tf2onnx
from common import NETWORKS, record
from tensorflow import keras
from tensorflow.keras import layers

CLASSES = 6
IMAGE = (12, 12, 3)
EXPORTER = f"tf2onnx {tf2onnx.__version__.split('-')[0]} of Keras {keras.__version__}"
LITE = f"tf2onnx {tf2onnx.__version__.split('-')[0]} of TensorFlow Lite {tf.__version__}"


def conv(x, filters, kernel, *, strides=1, padding="same", act="relu", **options):
    x = layers.Conv2D(filters, kernel, strides, padding, use_bias=False, **options)(x)
    x = layers.BatchNormalization()(x)
    return layers.Activation(act)(x) if act else x


def plain(x):
    x = layers.MaxPooling2D()(conv(x, 8, 3, strides=2))
    x = layers.Conv2D(8, 3, activation="relu")(x)
    return layers.Dense(CLASSES)(layers.Flatten()(x))


def mobilenet(x):
    x = conv(x, 8, 3, strides=2, act="relu6")
    y = layers.DepthwiseConv2D(3, padding="same", use_bias=False)(x)
    y = layers.ReLU(6.0)(layers.BatchNormalization()(y))
    x = layers.Add()([x, conv(y, 8, 1, act=None)])
    x = layers.ZeroPadding2D(((0, 1), (0, 1)))(x)
    x = layers.DepthwiseConv2D(3, strides=2, activation="relu6")(x)
    return layers.Dense(CLASSES)(layers.GlobalAveragePooling2D()(x))


def residual(x):
    x = conv(x, 8, 3)
    y = conv(conv(x, 8, 3), 8, 3, act=None)
    x = layers.ReLU()(layers.Add()([x, y]))
    x = layers.Concatenate()([layers.AveragePooling2D(2)(x), conv(x, 6, 3, strides=2)])
    return layers.Dense(CLASSES, activation="softmax")(layers.GlobalAveragePooling2D()(x))


def squeeze_excite(x):
    x = conv(x, 8, 3, act="swish")
    y = layers.GlobalAveragePooling2D(keepdims=True)(x)
    y = layers.Conv2D(8, 1, activation="sigmoid")(layers.Conv2D(4, 1, activation="relu")(y))
    x = layers.Multiply()([x, y])
    x = layers.LeakyReLU(0.1)(layers.Conv2D(8, 3, strides=3, dilation_rate=1)(x))
    return layers.Dense(CLASSES)(layers.Flatten()(x))


def separable(x):
    x = layers.SeparableConv2D(8, 3, padding="same", activation="relu")(x)
    x = layers.Conv2D(8, 3, dilation_rate=2, padding="same", activation="elu")(x)
    x = layers.UpSampling2D(2, interpolation="nearest")(layers.MaxPooling2D()(x))
    x = layers.Conv2DTranspose(6, 3, strides=2, padding="same", activation="relu")(x)
    return layers.Dense(CLASSES)(layers.GlobalMaxPooling2D()(x))


def mlp(x):
    for width in (24, 16):
        x = layers.ReLU()(layers.BatchNormalization()(layers.Dense(width, use_bias=False)(x)))
    return layers.Dense(CLASSES)(x)


def conv_1d(x):
    x = layers.Conv1D(8, 5, strides=2, padding="same", activation="relu")(x)
    x = layers.Conv1D(8, 3, padding="causal", dilation_rate=2, activation="relu")(x)
    return layers.Dense(CLASSES)(layers.GlobalAveragePooling1D()(x))


def build(make, shape):
    """Return the network with statistics and scales of what passes through it."""
    keras.utils.set_random_seed(sum(map(ord, make.__name__)))
    images = np.random.default_rng(3).standard_normal((64, *shape)).astype(np.float32)
    start = keras.Input(shape, name="image")
    model = keras.Model(start, make(start), name=make.__name__)
    for layer in model.layers:
        if isinstance(layer, (layers.Conv2D, layers.Conv1D, layers.Dense, layers.DepthwiseConv2D)):
            out = _before_activation(model, layer, images)
            axes = tuple(range(out.ndim - 1))
            biased = len(layer.get_weights()) > 1 and not isinstance(layer, layers.SeparableConv2D)
            mean = out.mean(axes) if biased else 0 * out.mean(axes)
            scale = (out - mean).std() or 1.0
            weights = layer.get_weights()
            layer.set_weights([weights[0] / scale, *([(weights[1] - mean) / scale] if biased
                                                     else weights[1:])])
        if isinstance(layer, layers.BatchNormalization):
            out = keras.Model(model.input, layer.input)(images).numpy()
            axes, generator = tuple(range(out.ndim - 1)), np.random.default_rng(4)
            layer.set_weights([generator.uniform(0.5, 1.5, out.shape[-1]),
                               generator.uniform(-0.3, 0.3, out.shape[-1]),
                               out.mean(axes), out.var(axes)])
    return model


def _before_activation(model, layer, images):
    """What a layer computes before its activation function."""
    kept, layer.activation = layer.activation, keras.activations.linear
    try:
        return layer(keras.Model(model.input, layer.input)(images)).numpy()
    finally:
        layer.activation = kept


def save(name, model, shows, *, exporter=EXPORTER, shape=IMAGE):
    path = NETWORKS / f"keras_{name}.onnx"
    onnx.save(model, path)
    record(path.name, shows, exporter, image=shape)
    print(path.name, path.stat().st_size)


def export(make, opset, shows, *, shape=IMAGE, batch=None, suffix="", **options):
    model = build(make, shape)
    signature = [tf.TensorSpec((batch, *shape), tf.float32, name="image")]
    found, _ = tf2onnx.convert.from_function(
        tf.function(lambda image: model(image, training=False), input_signature=signature),
        input_signature=signature, opset=opset, **options)
    given = (shape[-1], *shape[:-1]) if options else shape
    save(f"{make.__name__}{suffix}", found, shows, shape=given)


def export_lite(make, opset, shows):
    """TFLite's full int8 quantisation, its input and output in float."""
    model = build(make, IMAGE)
    images = np.random.default_rng(3).standard_normal((64, *IMAGE)).astype(np.float32)
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: ([image[None]] for image in images)
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    with tempfile.NamedTemporaryFile(suffix=".tflite") as file:
        Path(file.name).write_bytes(converter.convert())
        found, _ = tf2onnx.convert.from_tflite(file.name, opset=opset)
    save(f"{make.__name__}_int8", found, shows, exporter=LITE)


export(plain, 13, "SAME padding of an even size, NHWC: Transposes at the input")
export(plain, 11, "images as NCHW, batch axis 1", batch=1, suffix="_nchw",
       inputs_as_nchw=["image"])
export(mobilenet, 15, "DepthwiseConv2D, relu6, one-sided ZeroPadding2D")
export(residual, 18, "concatenation and addition of different scales, Softmax as output")
export(squeeze_excite, 17, "squeeze and excitation, swish, stride 3")
export(separable, 12, "SeparableConv2D, dilation, UpSampling2D, Conv2DTranspose")
export(mlp, 13, "vectors; Dense without bias before BatchNormalization", shape=(16,))
export(mlp, 9, "vectors, opset 9, batch axis 1", shape=(16,), batch=1, suffix="_fixed")
export(conv_1d, 14, "Conv1D, causal and dilated", shape=(40, 3))
export_lite(plain, 13, "int8 of TensorFlow Lite: per channel, Transposes between layers")
export_lite(mobilenet, 17, "int8 of TensorFlow Lite: depthwise, addition of different scales")
export_lite(residual, 15, "int8 of TensorFlow Lite: concatenation, Softmax")
