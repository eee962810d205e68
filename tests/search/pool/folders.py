"""A run folder by hand: the digits network on one rough array."""

import numpy as np

from hw.common.files import write_bytes
from hw.machine.design import BankConfig, Design
from hw.multipliers import get
from models.data import load_digits_split
from search.certify.earlier_looks import Look, images_of, write
from search.problem.repeated_images import fingerprints
from search.problem.workload import DEFAULT_MODEL
from sim.network.quant_network import QuantNetwork

NONE = np.zeros(0, np.uint64)


def run_folder(folder, name="mul8u_trunc_c9", chosen_on="search"):
    """Write design, network and the images that the design was chosen on; return the folder."""
    folder.mkdir(parents=True)
    network = QuantNetwork.load(DEFAULT_MODEL, load_digits_split("calibrate").images)
    write_bytes(folder / "network.onnx", network.model.SerializeToString(deterministic=True))
    Design(name="rough", bank=BankConfig(rows=4, cols=4, arrays=(name,)),
           multipliers={name: get(name)},
           mapping={layer.name: 0 for layer in network.layers}).save(folder / "design.json")
    keys = fingerprints(load_digits_split(chosen_on).images, eight_bit=False).keys
    write(folder, Look(run=folder.name, images=NONE, chosen_on=images_of([keys])), [])
    return folder
