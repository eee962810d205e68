"""Table products in torch: exact, on a GPU or the CPU."""

from sim.torch_backend.layers import TorchProducts
from sim.torch_backend.torch_product import Method, TorchProduct, torch_device

__all__ = ["Method", "TorchProduct", "TorchProducts", "torch_device"]
