  // Safety of the bank, whatever its streams do. ROWS, COLS, ARRAYS, STAGES: of this bank, whose
  // PEs have MACS rows each: row r belongs to row r / MACS of PEs.
  // Every operand that enters carries where it belongs, and is asked for it wherever it is used.
  // pe_*, act_lane, swap_lane, weight_lane: registers of the arrays and of the skew.
  reg started = 0;
  always @(posedge clk) started <= 1;
  always @* if ($initstate) assume (rst);
  always @* if (rst) assume (!route__valid && !weights__valid && !acts__valid);

  // --- what the streams have brought, counted beside the bank ---
  localparam PAST = ROWS + COLS + 2;
  wire advance = !results__valid || results__ready;
  wire routed = route__valid && route__ready;
  wire weighed = weights__valid && weights__ready;
  wire acted = acts__valid && acts__ready;
  wire opened = acted && acts__payload[9 * ROWS];
  reg [3:0] tile;    // tiles begun; the one that is being loaded has this number
  reg [3:0] words;   // rows of weights since the last tile began
  reg open;          // a tile has begun since reset or ROUTE
  reg [7:0] inside;  // act beats whose results have not been taken
  reg [7:0] quiet;   // steps since the last beat or ROUTE
  always @(posedge clk)
    if (rst) begin
      tile <= 0; words <= 0; open <= 0; inside <= 0; quiet <= 0;
    end else begin
      tile <= tile + opened;
      words <= opened ? weighed : words + weighed;
      open <= (open && !routed) || opened;
      inside <= inside + acted - (results__valid && results__ready);
      if (weighed || acted || routed) quiet <= 0;
      else if (advance && quiet != 8'hff) quiet <= quiet + 1;
    end

  // --- the same as it was 0, 1, 2, ... steps of the pipeline ago, since reset or ROUTE ---
  reg [PAST:1] known_before, open_before;
  reg [4 * PAST - 1:0] tile_before, words_before;
  wire [PAST:0] known_h = {known_before, 1'b1}, open_h = {open_before, open};
  wire [4 * PAST + 3:0] tile_h = {tile_before, tile}, words_h = {words_before, words};
  always @(posedge clk)
    if (rst || routed) known_before <= 0;
    else if (advance) begin
      known_before <= known_h; open_before <= open_h;
      tile_before <= tile_h; words_before <= words_h;
    end

  // Bits of an operand: tile, row (of weights: the word's place in its tile), column.
  function [8:0] tag(input [3:0] of_tile, input [2:0] row, input [1:0] col);
    tag = {of_tile, row, col};
  endfunction
  integer r, c, a, d, e;
  always @* begin
    for (c = 0; c < COLS; c = c + 1)
      if (weighed) assume (weights__payload[9 * c +: 9] == tag(tile + opened, opened ? 0 : words, c));
    for (r = 0; r < ROWS; r = r + 1)
      if (acted) assume (acts__payload[9 * r +: 9] == tag(opened ? tile : tile - 1, r, 0));
  end

  // --- what a user relies on ---
  reg isolated, paired;
  always @* begin
    isolated = 1; paired = 1;
    for (a = 0; a < ARRAYS; a = a + 1) begin
      if (selected != a && (array_en[a] || array_operands[a])) isolated = 0;
      if (selected == a)
        for (r = 0; r < ROWS; r = r + 1)
          for (c = 0; c < COLS; c = c + 1)
            if (in_flight[1 + r / MACS + c] && (
                pe_act[9 * ((a * ROWS + r) * COLS + c) +: 9]
                   != tag(tile_h[4 * (1 + r / MACS + c) +: 4] - 1, r, 0)
                || pe_weight[9 * ((a * ROWS + r) * COLS + c) +: 9]
                   != tag(tile_h[4 * (1 + r / MACS + c) +: 4] - 1, ROWS - 1 - r, c))) paired = 0;
    end
  end
  always @* if (started) begin
    one_array_enabled: assert ((array_en & (array_en - 1)) == 0 && selected < ARRAYS);
    idle_arrays_see_nothing: assert (isolated);
    clock_stops_when_nothing_travels: assert (quiet < STAGES || quiet < ROWS + COLS || !array_en);
    tile_begins_with_all_its_weights: assert (!opened || words == ROWS);
    acts_enter_an_open_tile: assert (!acted || opened || (open && !routed));
    no_weights_beyond_a_tile: assert (words <= ROWS);
    route_when_empty_only: assert (!routed || (inside == 0 && words == 0));
    results_of_acts_only: assert (!results__valid || inside != 0);
    busy_until_results_are_taken: assert (busy == (inside != 0));
    every_act_meets_its_own_weight: assert (paired);
  end
  always @(posedge clk) if (started && !$past(rst)) begin
    if (selected != $past(selected)) selected_changes_by_route_only: assert ($past(routed));
    if (!rst && $past(results__valid && !results__ready))
      results_wait: assert (results__valid && $stable(results__payload));
  end

  always @(posedge clk) if (started && !rst) begin
    ran_on_both: cover (inside == 1 && tile == 2 && selected == 1 && $past(results__ready));
    tile_behind_tile: cover (opened && weighed && inside != 0 && tile == 1);
    stalled: cover (opened && tile == 2 && $past(results__valid && !results__ready));
    route_waited: cover (routed && $past(route__valid && !route__ready));
    unknown: cover (route_error && opened);
  end
