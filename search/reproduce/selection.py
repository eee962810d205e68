"""Which steps a user asked for."""

from __future__ import annotations

from collections.abc import Sequence

from hw.common.errors import unknown_name
from search.reproduce.networks import NETWORKS
from search.reproduce.steps import Step, with_producers


def select(steps: Sequence[Step], networks: Sequence[str], names: Sequence[str]) -> list[Step]:
    """Return the steps of some networks and names, with all that they need.

    networks : none means all; steps of no network are left to `names`. names : of steps or of
    their groups (`tables`, `search/resnet8`); none means all.

    Raises InputError where a name is unknown.
    """
    for network in networks:
        if network not in NETWORKS:
            raise unknown_name("network", network, NETWORKS)
    known = {"/".join(step.name.split("/")[:depth]) for step in steps for depth in (1, 2, 3)}
    for name in names:
        if name not in known:
            raise unknown_name("step", name, known)
    chosen = [step for step in steps
              if _asked(step.name, names) and (not networks or step.about.get("network") in
                                               (*networks, None))]
    return with_producers(
        [step for step in chosen if names or step.about["kind"] != "prepare"], steps)


def _asked(name: str, wanted: Sequence[str]) -> bool:
    return not wanted or any(name == one or name.startswith(f"{one}/") for one in wanted)
