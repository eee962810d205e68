"""ONNX files from anywhere: read, checked, freed of their batch, quantised."""
