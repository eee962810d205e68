// Stand-ins for macros of a foundry, as unfriendly as they come: where a wrapper must not rely on
// what a macro shows, it shows the wrong bits.

// A read and a write port. A row that is written in the cycle in which it is read comes out wrong.
module sram_1r1w #(
  parameter WIDTH = 8,
  parameter DEPTH = 2,
  parameter ROW_BITS = 1
) (
  input wire clk,
  input wire write_enable,
  input wire [ROW_BITS-1:0] write_row,
  input wire [WIDTH-1:0] write_data,
  input wire [WIDTH-1:0] write_mask,
  input wire read_enable,
  input wire [ROW_BITS-1:0] read_row,
  output reg [WIDTH-1:0] read_data
);
  reg [WIDTH-1:0] rows [0:DEPTH-1];
  always @(posedge clk) begin
    if (write_enable)
      rows[write_row] <= write_data & write_mask | rows[write_row] & ~write_mask;
    if (read_enable)
      read_data <= write_enable && write_row == read_row ? ~write_data : rows[read_row];
  end
endmodule

// One port: a read or a write in a cycle. What is shown is wrong after a write.
module sram_1rw #(
  parameter WIDTH = 8,
  parameter DEPTH = 2,
  parameter ROW_BITS = 1
) (
  input wire clk,
  input wire enable,
  input wire write,
  input wire [ROW_BITS-1:0] row,
  input wire [WIDTH-1:0] write_data,
  output reg [WIDTH-1:0] read_data
);
  reg [WIDTH-1:0] rows [0:DEPTH-1];
  always @(posedge clk) if (enable) begin
    if (write) rows[row] <= write_data;
    read_data <= write ? ~write_data : rows[row];
  end
endmodule
