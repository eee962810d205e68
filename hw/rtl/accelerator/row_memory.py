"""A memory of rows: one write and one read per cycle."""

from __future__ import annotations

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
    holds while `read_enable` is low.

    Latency: `read_data` one cycle after `read_enable`.

    Members
    -------
    write_enable, write_row, write_data : In(1), In(address bits), In(width)
    read_enable, read_row : In(1), In(address bits)
    read_data : Out(width)
    """

    module: str
    width: int  # bits of a row
    depth: int  # rows, at least 2

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
        """Return the Verilog; Amaranth's has contents, a line per row."""
        row = f"[{address_bits(self.depth) - 1}:0]"
        return f"""module {name}(clk, write_enable, write_row, write_data, read_enable, read_row,
    read_data);
  input clk;
  input write_enable;
  input {row} write_row;
  input [{self.width - 1}:0] write_data;
  input read_enable;
  input {row} read_row;
  output [{self.width - 1}:0] read_data;
  reg [{self.width - 1}:0] rows [0:{self.depth - 1}];
  reg [{self.width - 1}:0] shown;
  assign read_data = shown;
  always @(posedge clk) begin
    if (write_enable) rows[write_row] <= write_data;
    // A row that is written in this cycle is read as it will be.
    if (read_enable) shown <= write_enable && write_row == read_row ? write_data : rows[read_row];
  end
endmodule
"""
