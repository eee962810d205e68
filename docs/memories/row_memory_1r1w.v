// `row_memory` on macros of a read and a write port that do not show what is written in the cycle
// of a read. Put this file in the place of the emitted one, and your macro in that of `sram_1r1w`.
module row_memory #(
  parameter WIDTH = 8,
  parameter DEPTH = 2,
  parameter ROW_BITS = 1
) (
  input wire clk,
  input wire write_enable,
  input wire [ROW_BITS-1:0] write_row,
  input wire [WIDTH-1:0] write_data,
  input wire read_enable,
  input wire [ROW_BITS-1:0] read_row,
  output wire [WIDTH-1:0] read_data
);
  // A row that is read while it is written comes from here: the macro does not see that read.
  wire same_row = write_enable && write_row == read_row;
  reg bypassed;
  reg [WIDTH-1:0] written;
  wire [WIDTH-1:0] stored;
  always @(posedge clk) if (read_enable) begin
    bypassed <= same_row;
    written <= write_data;
  end
  assign read_data = bypassed ? written : stored;

  sram_1r1w #(.WIDTH(WIDTH), .DEPTH(DEPTH), .ROW_BITS(ROW_BITS)) macro (
    .clk(clk),
    .write_enable(write_enable), .write_row(write_row), .write_data(write_data),
    .write_mask({WIDTH{1'b1}}),  // rows are written in full
    .read_enable(read_enable && !same_row), .read_row(read_row), .read_data(stored));
endmodule
