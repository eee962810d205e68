// `row_memory` on pairs of macros with one port. Both are as deep as the memory; a bit for each row
// says which of them holds it. A write goes to the one that is not being read. Put this file in the
// place of the emitted one, and your macro in that of `sram_1rw`.
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
  reg [DEPTH-1:0] holder;  // macro of each row; rows that were never written hold nothing
  wire same_row = write_enable && write_row == read_row;
  wire reads = read_enable && !same_row;
  wire from = holder[read_row];
  wire into = reads ? !from : holder[write_row];

  reg fresh, bypassed, shown_from;
  reg [WIDTH-1:0] kept;
  wire [WIDTH-1:0] stored0, stored1;
  wire [WIDTH-1:0] shown = fresh && !bypassed ? (shown_from ? stored1 : stored0) : kept;
  always @(posedge clk) begin
    if (write_enable) holder[write_row] <= into;
    fresh <= read_enable;
    bypassed <= same_row;
    shown_from <= from;
    // A macro that is written loses what it shows.
    kept <= read_enable && same_row ? write_data : shown;
  end
  assign read_data = shown;

  sram_1rw #(.WIDTH(WIDTH), .DEPTH(DEPTH), .ROW_BITS(ROW_BITS)) macro0 (
    .clk(clk), .enable(reads && !from || write_enable && !into), .write(write_enable && !into),
    .row(write_enable && !into ? write_row : read_row), .write_data(write_data),
    .read_data(stored0));
  sram_1rw #(.WIDTH(WIDTH), .DEPTH(DEPTH), .ROW_BITS(ROW_BITS)) macro1 (
    .clk(clk), .enable(reads && from || write_enable && into), .write(write_enable && into),
    .row(write_enable && into ? write_row : read_row), .write_data(write_data),
    .read_data(stored1));
endmodule
