"""The layers of a network on torch."""

from __future__ import annotations

from collections import Counter

from hw.common.errors import InputError
from hw.common.wording import counted
from sim.network.layer import MappedLayer
from sim.tables import Table, adder_of, code_table
from sim.torch_backend.torch_product import TorchProduct, torch_device


class TorchProducts:
    """What `QuantNetwork.with_products` needs to run on a device of torch.

    Layers of the same table and coding share one product.

    Parameters
    ----------
    device : str
        `cpu`, `cuda`, `cuda:1`, ... Raises ToolError where it is missing, InputError where it
        is no device.
    """

    def __init__(self, device: str) -> None:
        torch_device(device)
        self.device = device
        self._products: dict[bytes, TorchProduct] = {}
        self._layers: dict[tuple[str, bytes], None] = {}

    def __call__(self, layer: MappedLayer, table: Table) -> TorchProduct:
        """Return the product of a layer with a multiplier's table."""
        if (adder := adder_of(table)) is not None:
            raise InputError(f"Layer {layer.name!r} must have an exact adder to run on "
                             f"{self.device!r}, not {adder}: it is simulated on the CPU alone")
        codes = code_table(table, layer.act_values, layer.weight_values)
        key = codes.tobytes()
        if key not in self._products:
            self._products[key] = TorchProduct(codes, layer.act_values, layer.weight_values,
                                               device=self.device)
        self._layers[layer.name, key] = None
        return self._products[key]

    def explain(self) -> list[str]:
        """Return a line for each way in which layers were computed, the most frequent first."""
        counts = Counter(self._products[key].explain() for _name, key in self._layers)
        return [f"{why}, {counted(count, 'layer')}" for why, count in counts.most_common()]
