// Runs what stranger.py wrote on `accelerator_axi`, twice without a reset; every channel of the bus
// waits in a random part of the cycles. Prints PASS, or what is wrong.
`timescale 1ns / 1ps

module bench;
  `include "sizes.vh"

  reg clk = 0, rst = 1;
  always #5 clk = !clk;

  // --- streams ---
  reg go = 0;
  wire [63:0] words_data;
  wire [BITS-1:0] weights_data, acts_data, results_data;
  wire words_valid, words_ready, weights_valid, weights_ready, acts_valid, acts_ready;
  wire results_valid, results_last;
  reg results_ready = 0;
  source #(64, WORDS, "words.hex") words (clk, go, words_data, words_valid, words_ready);
  source #(BITS, WEIGHTS, "weights.hex") weights (clk, go, weights_data, weights_valid,
                                                  weights_ready);
  source #(BITS, ACTS, "acts.hex") acts (clk, go, acts_data, acts_valid, acts_ready);

  reg [BITS:0] expected [0:RESULTS-1];
  initial $readmemh("results.hex", expected);
  integer taken = 0, errors = 0;
  always @(posedge clk) begin
    results_ready <= $urandom % 3 != 0;
    if (results_valid && results_ready) begin
      if (taken == RESULTS || {results_last, results_data} !== expected[taken]) begin
        $display("beat %0d: last %b, %h", taken, results_last, results_data);
        errors = errors + 1;
      end
      taken = taken + 1;
    end
  end

  // --- registers ---
  reg [5:0] awaddr, araddr;
  reg [31:0] wdata;
  reg awvalid = 0, wvalid = 0, bready = 0, arvalid = 0, rready = 0;
  wire awready, wready, bvalid, arready, rvalid, irq;
  wire [1:0] bresp, rresp;
  wire [31:0] rdata;

  task check(input ok, input [8*24-1:0] what);
    if (!ok) begin
      $display("wrong: %0s", what);
      errors = errors + 1;
    end
  endtask

  // Inputs change at falling edges; a channel passes at the rising edge behind one where both are
  // high, as no ready of the page depends on an input in the same cycle.
  task write(input [5:0] address, input [31:0] value);
    begin
      awaddr = address; awvalid = 1;
      while (!awready) @(negedge clk);
      @(negedge clk) awvalid = 0;
      wdata = value; wvalid = 1;
      while (!wready) @(negedge clk);
      @(negedge clk) wvalid = 0;
      bready = 1;
      while (!bvalid) @(negedge clk);
      check(bresp == 0, "write response");
      @(negedge clk) bready = 0;
    end
  endtask

  task read(input [5:0] address, output [31:0] value);
    begin
      araddr = address; arvalid = 1;
      while (!arready) @(negedge clk);
      @(negedge clk) arvalid = 0;
      rready = 1;
      while (!rvalid) @(negedge clk);
      check(rresp == 0, "read response");
      value = rdata;
      @(negedge clk) rready = 0;
    end
  endtask

  task expect_register(input [5:0] address, input [31:0] value, input [8*24-1:0] what);
    reg [31:0] found;
    begin
      read(address, found);
      check(found == value, what);
    end
  endtask

  integer run, waited;
  initial begin
    repeat (4) @(negedge clk);
    rst = 0;
    @(negedge clk);
    expect_register(6'h00, 32'h41415058, "IDENTIFICATION");
    expect_register(6'h08, ARRAY_COLS << 16 | ARRAY_ROWS, "SHAPE");
    expect_register(6'h0C, ARRAYS << 16 | BITS, "STREAMS");
    write(6'h1C, 3);
    for (run = 0; run < 2; run = run + 1) begin
      taken = 0;
      write(6'h10, 1);
      go = 1;
      for (waited = 0; !irq && waited < 20000; waited = waited + 1) @(negedge clk);
      check(irq, "no interrupt");
      go = 0;
      expect_register(6'h20, 1, "INTERRUPTS");
      expect_register(6'h18, 0, "ERRORS");
      expect_register(6'h14, 3 << 8 | 2, "STATUS");
      expect_register(6'h28, 3, "LAYER");
      check(taken == RESULTS, "number of results");
      write(6'h20, 1);
      repeat (2) @(negedge clk);
      check(!irq, "interrupt not cleared");
    end
    if (errors == 0) $display("PASS");
    $finish;
  end

  accelerator_axi dut (
    .clk(clk), .rst(rst), .irq(irq),
    .s_axis_instructions_tdata(words_data), .s_axis_instructions_tvalid(words_valid),
    .s_axis_instructions_tready(words_ready),
    .s_axis_weights_tdata(weights_data), .s_axis_weights_tvalid(weights_valid),
    .s_axis_weights_tready(weights_ready), .s_axis_weights_tlast(1'b0),
    .s_axis_in_tdata(acts_data), .s_axis_in_tvalid(acts_valid), .s_axis_in_tready(acts_ready),
    .s_axis_in_tlast(1'b0),
    .m_axis_out_tdata(results_data), .m_axis_out_tvalid(results_valid),
    .m_axis_out_tready(results_ready), .m_axis_out_tlast(results_last),
    .s_axil_awaddr(awaddr), .s_axil_awprot(3'b0), .s_axil_awvalid(awvalid),
    .s_axil_awready(awready), .s_axil_wdata(wdata), .s_axil_wstrb(4'hF), .s_axil_wvalid(wvalid),
    .s_axil_wready(wready), .s_axil_bresp(bresp), .s_axil_bvalid(bvalid), .s_axil_bready(bready),
    .s_axil_araddr(araddr), .s_axil_arprot(3'b0), .s_axil_arvalid(arvalid),
    .s_axil_arready(arready), .s_axil_rdata(rdata), .s_axil_rresp(rresp), .s_axil_rvalid(rvalid),
    .s_axil_rready(rready));
endmodule

// Sends the beats of a file from `go` on, each after a random wait, until `go` falls.
module source #(parameter WIDTH = 8, parameter COUNT = 1, parameter FILE = "") (
  input clk, input go, output reg [WIDTH-1:0] data, output reg valid, input ready
);
  reg [WIDTH-1:0] beats [0:COUNT-1];
  integer next = 0;
  initial begin
    $readmemh(FILE, beats);
    valid = 0;
  end
  always @(posedge clk)
    if (!go) begin
      next <= 0;
      valid <= 0;
    end else if (!valid || ready) begin
      valid <= 0;
      if (next < COUNT && $urandom % 4 != 0) begin
        valid <= 1;
        data <= beats[next];
        next <= next + 1;
      end
    end
endmodule
