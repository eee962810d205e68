"""Table products in torch: exact, on a GPU or the CPU."""

from sim.torch_backend.product import Method, TorchProduct, torch_device

__all__ = ["Method", "TorchProduct", "torch_device"]
