"""A memory of rows: one write and one read per cycle."""

from __future__ import annotations

from amaranth.hdl import Module
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out

from hw.rtl.hierarchy import ModuleKind, Place


class RowMemory(wiring.Component):
    """One write port and one read port with a register behind it; contents start unknown.

    A row that is read in the cycle in which it is written gives the new value. `read_data`
    holds while `read_enable` is low.

    Latency: `read_data` one cycle after `read_enable`.

    Parameters
    ----------
    width : int
        Bits of a row.
    depth : int
        Rows, at least 2.

    Members
    -------
    write_enable, write_row, write_data : In(1), In(address bits), In(width)
    read_enable, read_row : In(1), In(address bits)
    read_data : Out(width)
    """

    def __init__(self, *, width: int, depth: int) -> None:
        self._width, self._depth = width, depth
        super().__init__(memory_signature(width, depth))

    def elaborate(self, platform: object) -> Module:
        """Return the memory, for Amaranth's simulator."""
        m = Module()
        m.submodules.rows = rows = memory.Memory(shape=self._width, depth=self._depth, init=[])
        write = rows.write_port()
        read = rows.read_port(transparent_for=[write])
        m.d.comb += [
            write.en.eq(self.write_enable), write.addr.eq(self.write_row),
            write.data.eq(self.write_data),
            read.en.eq(self.read_enable), read.addr.eq(self.read_row),
            self.read_data.eq(read.data),
        ]
        return m


def address_bits(depth: int) -> int:
    """Return the bits of a row number."""
    return (depth - 1).bit_length()


def memory_signature(width: int, depth: int) -> wiring.Signature:
    """Return the ports of a memory; see `RowMemory`."""
    address = address_bits(depth)
    return wiring.Signature({
        "write_enable": In(1), "write_row": In(address), "write_data": In(width),
        "read_enable": In(1), "read_row": In(address), "read_data": Out(width),
    })


def memory_kind(name: str, width: int, depth: int) -> ModuleKind:
    """Return the module `name`: `depth` rows of `width` bits."""
    def build(place: Place) -> RowMemory:
        return RowMemory(width=width, depth=depth)

    return ModuleKind(name=name, signature=memory_signature(width, depth), build=build,
                      verilog=lambda name: memory_verilog(name, width, depth))


def memory_verilog(name: str, width: int, depth: int) -> str:
    """Return the Verilog of a memory; Amaranth's has contents, a line per row."""
    row = f"[{address_bits(depth) - 1}:0]"
    return f"""module {name}(clk, write_enable, write_row, write_data, read_enable, read_row,
    read_data);
  input clk;
  input write_enable;
  input {row} write_row;
  input [{width - 1}:0] write_data;
  input read_enable;
  input {row} read_row;
  output [{width - 1}:0] read_data;
  reg [{width - 1}:0] rows [0:{depth - 1}];
  reg [{width - 1}:0] shown;
  assign read_data = shown;
  always @(posedge clk) begin
    if (write_enable) rows[write_row] <= write_data;
    // A row that is written in this cycle is read as it will be.
    if (read_enable) shown <= write_enable && write_row == read_row ? write_data : rows[read_row];
  end
endmodule
"""
