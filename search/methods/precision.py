"""The competitor: plain lower precision, with the bank and mapping that `milp` finds for it.

Arrays multiply exactly what is left of operands of at most 8 bits. Compensation is the same as for
approximate circuits, so what these save beyond it is due to their approximation.
"""

from __future__ import annotations

from search.methods import milp
from search.methods.base import Method

METHOD = Method(name="precision", search=milp.search, calibrated=True, bank="precision",
                settings=milp.Settings())
