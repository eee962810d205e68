  // What makes `every_act_meets_its_own_weight` inductive: the content of every register, told
  // from what was accepted as many steps ago as the register lies behind the input.
  reg fills, history, beats, act_lanes, swap_lanes, weight_lanes, loads, tokens, weights, shadows;
  reg travels;
  reg moved;  // a row of weights entered between two steps
  integer ones, f, h;
  always @* begin
    fills = fill == words && open == tile_open;
    history = 1; act_lanes = 1; swap_lanes = 1; weight_lanes = 1; tokens = 1; weights = 1; shadows = 1;
    beats = 1; ones = 0; moved = 0;
    for (d = 0; d < STAGES; d = d + 1) begin
      ones = ones + in_flight[d];
      if (d <= PAST && in_flight[d] && !(known_h[d] && open_h[d])) beats = 0;
    end
    if (ones != inside) beats = 0;
    for (d = 0; d < PAST; d = d + 1) begin
      if (known_h[d + 1] && !known_h[d]) history = 0;
      if (known_h[d] && !known_h[d + 1] && (open_h[d] || words_h[4 * d +: 4] != 0)) history = 0;
      if (known_h[d] && words_h[4 * d +: 4] > ROWS) history = 0;
      // A step brings one row of weights, begins at most one tile, and that closes none.
      if (known_h[d + 1]) begin
        if (open_h[d + 1] && !open_h[d]) history = 0;
        if (tile_h[4 * d +: 4] != tile_h[4 * (d + 1) +: 4]) begin
          if (tile_h[4 * d +: 4] != tile_h[4 * (d + 1) +: 4] + 4'd1 || !open_h[d]
              || words_h[4 * d +: 4] > 1 || words_h[4 * (d + 1) +: 4] != ROWS) history = 0;
        end else if (words_h[4 * d +: 4] != words_h[4 * (d + 1) +: 4]
                     && words_h[4 * d +: 4] != words_h[4 * (d + 1) +: 4] + 4'd1) history = 0;
        if (open_h[d] && !open_h[d + 1] && tile_h[4 * d +: 4] == tile_h[4 * (d + 1) +: 4]) history = 0;
      end
      for (e = 0; d + e <= PAST && e < ROWS; e = e + 1)
        if (known_h[d + e] && words_h[4 * d +: 4] > e
            && tile_h[4 * (d + e) +: 4] != tile_h[4 * d +: 4]) history = 0;
    end

    // The clock of the array runs while anything may travel in it.
    travels = 1;
    for (d = 0; d < ROWS + COLS; d = d + 1) begin
      moved = tile_h[4 * d +: 4] != tile_h[4 * (d + 1) +: 4] ? words_h[4 * d +: 4] == 1
            : words_h[4 * d +: 4] != words_h[4 * (d + 1) +: 4];
      if (travelling[d] != (moved || !known_h[d + 1])) travels = 0;
      if (known_h[d + 1] && tile_h[4 * d +: 4] != tile_h[4 * (d + 1) +: 4] && !in_flight[d])
        travels = 0;
      if (travelling[d] && quiet > d) travels = 0;
    end
    for (d = 0; d < STAGES; d = d + 1) if (in_flight[d] && quiet > d) travels = 0;

    // Input registers and skew: lane n, register e lies e + 1 steps behind the input.
    for (r = 0; r < ROWS; r = r + 1) for (e = 0; e <= r / MACS; e = e + 1) begin
      if (in_flight[e] && act_lane[9 * (r * ROWS + e) +: 9] != tag(tile_h[4 * e +: 4] - 1, r, 0))
        act_lanes = 0;
      if (known_h[e + 1] && swap_lane[r * ROWS + e]
          != (tile_h[4 * e +: 4] != tile_h[4 * (e + 1) +: 4])) swap_lanes = 0;
    end
    for (c = 0; c < COLS; c = c + 1) for (e = 0; e <= c; e = e + 1) begin
      moved = tile_h[4 * e +: 4] != tile_h[4 * (e + 1) +: 4] ? words_h[4 * e +: 4] == 1
            : words_h[4 * e +: 4] != words_h[4 * (e + 1) +: 4];
      if (known_h[e + 1] && moved && weight_lane[9 * (c * COLS + e) +: 9]
          != tag(tile_h[4 * e +: 4], words_h[4 * e +: 4] - 1, c)) weight_lanes = 0;
    end

    // PEs of the selected array: row r, column c is h steps behind, its shadow 1 + c. Row f is the
    // first of its PE.
    for (a = 0; a < ARRAYS; a = a + 1) if (selected == a)
      for (r = 0; r < ROWS; r = r + 1) for (c = 0; c < COLS; c = c + 1) begin
        f = r / MACS * MACS; h = 1 + r / MACS + c;
        if (known_h[h + 1] && pe_swap[(a * ROWS + r) * COLS + c]
            != (tile_h[4 * h +: 4] != tile_h[4 * (h + 1) +: 4])) tokens = 0;
        moved = tile_h[4 * (1 + c) +: 4] != tile_h[4 * (2 + c) +: 4] ? words_h[4 * (1 + c) +: 4] == 1
              : words_h[4 * (1 + c) +: 4] != words_h[4 * (2 + c) +: 4];
        if (known_h[2 + c] && pe_load[(a * ROWS + r) * COLS + c]
            != (moved && words_h[4 * (1 + c) +: 4] > f)) tokens = 0;
        if (known_h[h] && open_h[h]
            && pe_weight[9 * ((a * ROWS + r) * COLS + c) +: 9]
               != tag(tile_h[4 * h +: 4] - 1, ROWS - 1 - r, c)) weights = 0;
        if (known_h[1 + c] && words_h[4 * (1 + c) +: 4] > r
            && pe_shadow[9 * ((a * ROWS + r) * COLS + c) +: 9]
               != tag(tile_h[4 * (1 + c) +: 4], words_h[4 * (1 + c) +: 4] - 1 - r, c)) shadows = 0;
        if (known_h[h] && words_h[4 * (1 + c) +: 4] <= f
            && tile_h[4 * h +: 4] != tile_h[4 * (1 + c) +: 4]
            && pe_shadow[9 * ((a * ROWS + r) * COLS + c) +: 9]
               != tag(tile_h[4 * (1 + c) +: 4] - 1, ROWS - 1 - r, c)) shadows = 0;
      end
    loads = 1;
    moved = tile_h[3:0] != tile_h[7:4] ? words_h[3:0] == 1 : words_h[3:0] != words_h[7:4];
    for (r = 0; r < ROWS; r = r + MACS)
      if (known_h[1] && load[r / MACS] != (moved && words > r)) loads = 0;
  end
  always @* if (started) begin
    inv_fills: assert (fills);
    inv_beats: assert (beats);
    inv_history: assert (history);
    inv_travels: assert (travels);
    inv_act_lanes: assert (act_lanes);
    inv_swap_lanes: assert (swap_lanes);
    inv_weight_lanes: assert (weight_lanes);
    inv_loads: assert (loads);
    inv_tokens: assert (tokens);
    inv_weights: assert (weights);
    inv_shadows: assert (shadows);
  end
