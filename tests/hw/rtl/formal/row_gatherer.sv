  // Safety of the gathering of rows of 3 beats of 4 bits.
  reg started = 0;
  always @(posedge clk) started <= 1;
  always @* if ($initstate) assume (rst);
  // A beat that was offered stays.
  always @(posedge clk) if (started && !$past(rst) && $past(beats__valid && !beats__ready))
    assume (rst || (beats__valid && $stable(beats__payload)));

  reg [1:0] number;  // of beats of the row
  reg [3:0] first, second;
  wire beat = beats__valid & beats__ready;
  wire last = beats__payload[4];
  always @(posedge clk)
    if (rst) number <= 0;
    else if (beat) begin
      number <= number == 2 || last ? 0 : number + 1;
      if (number == 0) first <= beats__payload[3:0];
      if (number == 1) second <= beats__payload[3:0];
    end

  always @* if (started) begin
    row_is_its_beats: assert (
      !rows__valid || rows__payload == {beats__payload[3:0], second, first});
    rows_of_three_beats: assert (rows__valid == (beats__valid && number == 2));
    last_inside_a_row_is_misaligned: assert (misaligned == (beat && last && number != 2));
    waits_for_the_reader_only: assert (beats__ready == (number != 2 || rows__ready));
    counts: assert (number == count && number <= 2);
    holds: assert ((number != 1 || held[7:4] == first)
                   && (number != 2 || held == {second, first}));
  end
  always @(posedge clk) if (started && !$past(rst) && $past(rows__valid && !rows__ready))
    row_offered_until_taken: assert (rst || (rows__valid && $stable(rows__payload)));

  always @(posedge clk) if (started && !rst) begin
    dropped: cover ($past(misaligned) && rows__valid === 0);
    row_after_a_dropped_one: cover ($past(misaligned, 3) && rows__valid);
    waited: cover ($past(rows__valid && !rows__ready) && rows__ready);
  end
