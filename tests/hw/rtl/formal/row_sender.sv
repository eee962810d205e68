  // Safety of the sending of rows in 3 beats of 4 bits.
  reg started = 0;
  always @(posedge clk) started <= 1;
  always @* if ($initstate) assume (rst);

  reg [1:0] number;  // of beats that are to come
  reg [11:0] row;
  reg ending;
  wire taken = rows__valid & rows__ready;
  wire beat = beats__valid & beats__ready;
  wire [1:0] place = 3 - number;
  always @(posedge clk)
    if (rst) number <= 0;
    else if (taken) begin
      number <= 3; row <= rows__payload[11:0]; ending <= rows__payload[12];
    end else if (beat) number <= number - 1;

  always @* if (started) begin
    beats_are_the_row: assert (!beats__valid || beats__payload[3:0] == row[4 * place +: 4]);
    last_ends_a_row_that_ends_a_packet: assert (
      !beats__valid || beats__payload[4] == (ending && number == 1));
    no_beat_without_a_row: assert (beats__valid == (number != 0));
    row_taken_when_the_last_has_gone: assert (rows__ready == (number == 0 || number == 1 && beat));
    counts: assert (number == left);
    keeps: assert (number == 0 || (ends == ending && rest == row >> 4 * place));
  end
  always @(posedge clk) if (started && !$past(rst) && $past(beats__valid && !beats__ready))
    offered_until_taken: assert (beats__valid && $stable(beats__payload));

  always @(posedge clk) if (started && !rst) begin
    row_behind_row: cover ($past(beats__payload[4] && beat) && beats__valid);
    waited: cover ($past(beats__valid && !beats__ready, 2) && beat);
  end
