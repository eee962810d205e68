"""scikit-learn's perceptron by skl2onnx.

pip install scikit-learn==1.9.1 skl2onnx==1.20.0 onnx==1.23.2
"""

from importlib.metadata import version

import numpy as np
import onnx
from common import NETWORKS, record
from skl2onnx import to_onnx
from skl2onnx.helpers.onnx_helper import select_model_inputs_outputs
from sklearn.neural_network import MLPClassifier

generator = np.random.default_rng(5)
images = generator.standard_normal((400, 16)).astype(np.float32)
labels = (images @ generator.standard_normal((16, 6))).argmax(1)
network = MLPClassifier((24, 16), max_iter=40, random_state=1).fit(images, labels)
model = to_onnx(network, images[:1], options={"zipmap": False}, target_opset=15)
path = NETWORKS / "sklearn_mlp.onnx"
onnx.save(select_model_inputs_outputs(model, outputs=["probabilities"]), path)
record(path.name, "vectors; an output without a type, unused initialisers",
       f"skl2onnx {version('skl2onnx')} of scikit-learn {version('scikit-learn')}", image=(16,))
print(path.name, path.stat().st_size)
