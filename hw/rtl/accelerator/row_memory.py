"""A memory of rows: one write and one read per cycle. The one module that SRAM macros replace."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Module
from amaranth.lib import memory
from amaranth.lib.wiring import In, Out

from hw.rtl.hierarchy import Ports, Unit


def address_bits(depth: int) -> int:
    """Return the bits of a row number."""
    return (depth - 1).bit_length()


class RowMemory(Unit):
    """One write port and one read port with a register behind it; contents start unknown.

    A row that is read in the cycle in which it is written gives the new value. `read_data`
    holds while `read_enable` is low. In Verilog one module with parameters serves every size, so
    that there is one place to bind a macro (docs/integration.md).

    Latency: `read_data` one cycle after `read_enable`.

    Members
    -------
    write_enable, write_row, write_data : In(1), In(address bits), In(width)
    read_enable, read_row : In(1), In(address bits)
    read_data : Out(width)
    """

    width: int  # bits of a row
    depth: int  # rows, at least 2
    module = "row_memory"

    @property
    def identity(self) -> tuple[Any, ...]:
        """The class alone: sizes are parameters."""
        return (type(self),)

    @property
    def parameters(self) -> dict[str, int]:
        """The sizes."""
        return {"WIDTH": self.width, "DEPTH": self.depth, "ROW_BITS": address_bits(self.depth)}

    def ports(self) -> Ports:
        """Return the ports."""
        address = address_bits(self.depth)
        return {
            "write_enable": In(1), "write_row": In(address), "write_data": In(self.width),
            "read_enable": In(1), "read_row": In(address), "read_data": Out(self.width),
        }

    def elaborate(self, platform: object) -> Module:
        """Return the memory, for Amaranth's simulator."""
        m = Module()
        m.submodules.rows = rows = memory.Memory(shape=self.width, depth=self.depth, init=[])
        write = rows.write_port()
        read = rows.read_port(transparent_for=[write])
        m.d.comb += [
            write.en.eq(self.write_enable), write.addr.eq(self.write_row),
            write.data.eq(self.write_data),
            read.en.eq(self.read_enable), read.addr.eq(self.read_row),
            self.read_data.eq(read.data),
        ]
        return m

    def verilog(self, name: str) -> str:
        """Return the Verilog, a model of behaviour."""
        return f"""module {name} #(
  parameter WIDTH = 8,    // bits of a row
  parameter DEPTH = 2,    // rows
  parameter ROW_BITS = 1  // of a row number
) (
  input wire clk,
  input wire write_enable,
  input wire [ROW_BITS-1:0] write_row,
  input wire [WIDTH-1:0] write_data,
  input wire read_enable,
  input wire [ROW_BITS-1:0] read_row,
  output wire [WIDTH-1:0] read_data
);
  reg [WIDTH-1:0] rows [0:DEPTH-1];
  reg [WIDTH-1:0] shown;
  assign read_data = shown;
  always @(posedge clk) begin
    if (write_enable) rows[write_row] <= write_data;
    // A row that is written in this cycle is read as it will be.
    if (read_enable) shown <= write_enable && write_row == read_row ? write_data : rows[read_row];
  end
endmodule
"""
