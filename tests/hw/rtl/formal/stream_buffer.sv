  // Safety of the buffer between a bus and its reader. The k-th beat in carries k.
  reg started = 0;
  always @(posedge clk) started <= 1;
  always @* if ($initstate) assume (rst);

  reg [3:0] entered, left;
  wire enters = source__valid & source__ready;
  wire leaves = sink__valid & sink__ready;
  wire [3:0] inside = entered - left;
  always @(posedge clk)
    if (rst) begin
      entered <= 0; left <= 0;
    end else begin
      entered <= entered + enters; left <= left + leaves;
    end
  always @* if (enters) assume (source__payload == entered);

  always @* if (started) begin
    beats_leave_in_order: assert (!sink__valid || sink__payload == left);
    nothing_without_a_beat: assert (sink__valid == (inside != 0));
    holds_two_beats: assert (inside <= 2 && source__ready == (inside < 2));
    spare_is_the_second: assert (!spared || (inside == 2 && spare == left + 4'd1));
  end
  always @(posedge clk) if (started && !$past(rst)) begin
    if ($past(sink__valid && !sink__ready)) offered_until_taken: assert (
      sink__valid && $stable(sink__payload));
  end

  always @(posedge clk) if (started && !rst) begin
    full: cover (inside == 2);
    smooth: cover ($past(enters && leaves) && enters && leaves);
    drained: cover ($past(inside == 2, 2) && inside == 0);
  end
