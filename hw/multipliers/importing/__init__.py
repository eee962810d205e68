"""Import of users' multipliers: a file of any supported format becomes a `Multiplier`.

Nothing in a file is executed. What may be wrong with it is one line that names the file.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from hw.common.errors import InputError
from hw.multipliers.base import Multiplier, ProductTable, check_name
from hw.multipliers.importing import (
    blif,
    cgp,
    conventions,
    meaning,
    ports,
    tables,
)
from hw.multipliers.importing.circuit import MAX_TABLE_BITS, Circuit, Port, to_netlist
from hw.multipliers.importing.expectation import Expectation, check
from hw.multipliers.importing.source import Source, shown
from hw.multipliers.importing.verilog import reader as verilog
from hw.multipliers.importing.verilog import yosys_json
from hw.multipliers.metrics import ErrorMetrics, error_metrics
from hw.netlist import Netlist

__all__ = ["CIRCUITS", "FORMATS", "ORDERS", "TABLES", "Expectation", "Imported", "import_file"]

CIRCUITS: dict[str, tuple[str, Callable[[Source, str | None], Circuit]]] = {
    ".v": ("Verilog", verilog.read),
    ".sv": ("Verilog", verilog.read),
    ".blif": ("BLIF", lambda source, _top: blif.read(source)),
    ".json": ("Yosys JSON", yosys_json.read),
    ".cgp": ("CGP chromosome", lambda source, _top: cgp.read(source)),
    ".chr": ("CGP chromosome", lambda source, _top: cgp.read(source)),
}
TABLES: dict[str, tuple[str, Callable[[Source], tables.Products]]] = {
    ".bin": ("16-bit product table", tables.read_bin),
    ".npy": ("NumPy product table", tables.read_npy),
    ".csv": ("CSV product table", tables.read_csv),
}
FORMATS = (*CIRCUITS, *TABLES)
ORDERS = ("act,weight", "weight,act")
FAMILY = "imported"


@dataclass(frozen=True, kw_only=True)
class Imported:
    """An imported multiplier and what was found out about it.

    Parameters
    ----------
    multiplier : Multiplier
    format, width : str
        The format of the file and the widths of the operands, in words.
    act, weight, product : str
        Which port of the file each is.
    commutative : bool
        f(a, w) = f(w, a): the order of the operands does not matter. False where unknown, for
        circuits of more than 10 bits per operand.
    metrics : ErrorMetrics, optional
        Error figures; None unless the circuit is 8x8.
    warning : str, optional
        What is likely wrong with a table, one line without its name; None without suspicion.
    """

    multiplier: Multiplier
    format: str
    width: str
    act: str
    weight: str
    product: str
    commutative: bool
    metrics: ErrorMetrics | None
    warning: str | None = None


def import_file(path: Path, *, name: str, operands: Sequence[str] | None = None,
                order: str = ORDERS[0], signed: bool | None = None,
                expect: Iterable[Expectation] = (), allow_constant: bool = False,
                top: str | None = None) -> Imported:
    """Return the multiplier of a user's file; nothing is written.

    Parameters
    ----------
    path : Path
        Its suffix says the format: one of `FORMATS`.
    name : str
        Name of the multiplier.
    operands : two names, optional
        The operand ports, first one first; by default in the order of the file.
    order : str
        What the first and the second operand are, one of `ORDERS`.
    signed : bool, optional
        By default detected: the reading in which the products are nearest to exact ones.
    expect : iterable of Expectation
        Published figures that must be met.
    allow_constant : bool
        Accept a product that does not depend on the operands.
    top : str, optional
        The module to import where a file has several.

    Raises
    ------
    InputError
        The file or an argument is at fault.
    ToolError
        A program that the format needs is missing.
    """
    check_name(name)
    if order not in ORDERS:
        raise InputError(f"Order must be {' or '.join(ORDERS)}, not {shown(order)}")
    if operands is not None and len(operands) != 2:
        raise InputError(f"Operands must be two names, not {shown(','.join(operands))}")
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in FORMATS:
        raise InputError(f"{path}: multiplier file must end in {', '.join(FORMATS)}")
    source = Source.read(path)
    request = _Request(order=order, signed=signed, operands=operands, top=top,
                       allow_constant=allow_constant)
    importer = _import_table if suffix in TABLES else _import_circuit
    imported = importer(source, suffix, request)
    multiplier = replace(
        imported.multiplier, name=name, parameters={
            "file": re.sub(r"[^\w.+-]", "_", path.name, flags=re.ASCII)[:100],
            "sha256": hashlib.sha256(source.content).hexdigest(), "order": order})
    imported = replace(imported, multiplier=multiplier)
    expectations = tuple(expect)
    if expectations:
        if imported.metrics is None:
            raise source.error("published figures can be compared for 8x8 circuits only")
        try:
            check(imported.metrics, expectations)
        except InputError as error:
            raise source.error(str(error)) from None
    return imported


@dataclass(frozen=True, kw_only=True)
class _Request:
    """The arguments of `import_file` that decide how a file is read."""

    order: str
    signed: bool | None
    operands: Sequence[str] | None
    top: str | None
    allow_constant: bool


def _import_table(source: Source, suffix: str, request: _Request) -> Imported:
    """Return the multiplier of a truth table."""
    if request.operands is not None:
        raise source.error("a table has no operand names; --order says which is which")
    words, read = TABLES[suffix]
    products = read(source)
    if not request.allow_constant and (products.words == products.words[0, 0]).all():
        raise _constant(source)
    signed, order = request.signed, request.order
    allowed = [reading for reading in (False, True)
               if (products.signed if reading else products.unsigned)]
    if signed is None:
        signed = meaning.clearly_nearest(
            allowed, lambda reading: meaning.table_distance(products.table(signed=reading),
                                                            signed=reading))
        if signed is None:
            raise _unclear(source, conventions.suspicion(products.words, signed=False))
    elif signed not in allowed:
        raise source.error(f"products must fit {'' if signed else 'un'}signed 16-bit words")
    table = products.table(signed=signed)
    warning = conventions.suspicion(table, signed=signed)
    if order != ORDERS[0]:
        table = table.T
    metrics = error_metrics(table, signed=signed)
    multiplier = Multiplier(name="", family=FAMILY, source=ProductTable.of(table, signed=signed))
    names = ("rows", "columns") if order == ORDERS[0] else ("columns", "rows")
    return Imported(multiplier=multiplier, format=words, width="8x8", act=names[0], weight=names[1],
                    product="entries", commutative=metrics.commutative, metrics=metrics,
                    warning=warning)


def _import_circuit(source: Source, suffix: str, request: _Request) -> Imported:
    """Return the multiplier of a circuit."""
    words, read = CIRCUITS[suffix]
    circuit = read(source, request.top)
    try:
        first, second, product = ports.choose(circuit, request.operands)
        netlist = to_netlist(circuit, first, second, product)
    except ValueError as error:
        raise source.error(str(error)) from None
    if not request.allow_constant and _is_constant(netlist):
        raise _constant(source)
    note = ""
    if suffix in (".cgp", ".chr"):
        netlist, note = _product_order(netlist)
    netlist = replace(netlist, signed=_signedness(source, netlist, first, second,
                                                  request.signed))
    act, weight = first, second
    if request.order != ORDERS[0]:
        act, weight = second, first
        netlist = netlist.swapped()
    multiplier = Multiplier(name="", family=FAMILY, source=netlist)
    square = netlist.act_width == netlist.weight_width
    table = netlist.table() if square and netlist.act_width <= 10 else None
    return Imported(
        multiplier=multiplier, format=words, act=act.name, weight=weight.name,
        width=f"{netlist.act_width}x{netlist.weight_width}",
        product=product.name + note,
        commutative=table is not None and bool((table == table.T).all()),
        metrics=error_metrics(table, signed=netlist.signed)
        if table is not None and netlist.act_width == 8 else None)


def _product_order(netlist: Netlist) -> tuple[Netlist, str]:
    """Return a chromosome's netlist with the outputs in the order that multiplies."""
    def distance(candidate: Netlist) -> float:
        return min(meaning.netlist_distance(candidate, signed=signed) for signed in (False, True))

    other = replace(netlist, outputs=netlist.outputs[::-1])
    if meaning.clearly_nearest((netlist, other), distance) is other:
        return other, " (outputs reversed)"
    return netlist, ""


def _signedness(source: Source, netlist: Netlist, first: Port, second: Port,
                signed: bool | None) -> bool:
    """Return whether a circuit is signed: as asked, else as its products say."""
    if signed is not None:
        return signed
    found = meaning.clearly_nearest(
        (False, True), lambda reading: meaning.netlist_distance(netlist, signed=reading))
    declared = first.signed and second.signed
    if found is None or (declared and not found):
        raise _unclear(source)
    return found


def _unclear(source: Source, suspicion: str | None = None) -> InputError:
    return source.error("products are about as near to signed as to unsigned ones; "
                        "--signed or --unsigned must say which they are"
                        + (f"; {suspicion}" if suspicion else ""))


def _constant(source: Source) -> InputError:
    return source.error("product must depend on the operands, not be constant "
                        "(--allow-constant accepts it)")


def _is_constant(netlist: Netlist) -> bool:
    """Whether the product is the same for all operands; exact up to 20 operand bits."""
    if netlist.act_width + netlist.weight_width > MAX_TABLE_BITS:
        return all(net < 2 for net in netlist.outputs)
    table = netlist.table()
    return bool((table == table[0, 0]).all())
