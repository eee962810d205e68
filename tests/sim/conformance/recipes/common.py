"""Where recipes put what they make, and the index of it."""

import hashlib
import json
from pathlib import Path

import onnx

FOLDER = Path(__file__).parents[1]
NETWORKS = FOLDER / "networks"
INDEX = FOLDER / "index.json"


def forget_sources(path):
    """Take out what an exporter notes about its own run: lines of files on one machine."""
    model = onnx.load(path, load_external_data=False)
    for node in model.graph.node:
        del node.metadata_props[:]
        node.doc_string = ""
    for entry in (*model.graph.value_info, *model.graph.input, *model.graph.output):
        del entry.metadata_props[:]
    del model.graph.metadata_props[:]
    onnx.save(model, path)


def record(name, shows, exporter, *, image):
    """Enter a file of `networks/` into the index.

    shows : what is special about it. exporter : program and version. image : shape of one image.
    What the network is expected to do (`mapped`, `outside`) is filled in by hand.
    """
    path = NETWORKS / name
    model = onnx.load(path, load_external_data=False)
    opset = next(entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx"))
    index = json.loads(INDEX.read_text()) if INDEX.exists() else {}
    beside = {entry.value for tensor in model.graph.initializer for entry in tensor.external_data
              if entry.key == "location"}
    files = [path, *(NETWORKS / location for location in sorted(beside))]
    index[name] = {**index.get(name, {}), "shows": shows, "exporter": exporter, "opset": opset,
                   "image": list(image),
                   "sha256": {file.name: hashlib.sha256(file.read_bytes()).hexdigest()
                              for file in files}}
    INDEX.write_text(json.dumps(dict(sorted(index.items())), indent=1) + "\n")
