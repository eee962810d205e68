  // Safety of the sequencer, whatever words come and whatever the units report.
  // ACT_ROWS, SUM_ROWS, OUT_ROWS, BITS (of an address in each), and opcodes: of this accelerator.
  reg started = 0;
  always @(posedge clk) started <= 1;
  always @* if ($initstate) assume (rst);

  // --- the word that waits: the last one accepted, until something is issued for it ---
  reg waits;
  reg [63:0] code;
  wire [3:0] op = code[63:60];
  wire [23:0] a = code[59:36];
  wire [21:0] b = code[35:14];
  wire [12:0] beats = code[13:1];
  wire flag = code[0];
  wire commanded = load__valid | stream__valid | activate__valid | dma_in__valid | dma_out__valid;
  wire accepted = instructions__valid & instructions__ready;
  wire served = waits && op != HALT && (accepted || commanded);
  always @(posedge clk)
    if (rst) waits <= 0;
    else if (accepted) begin
      waits <= 1; code <= instructions__payload;
    end else if (issue) waits <= 0;

  // --- tiles: loaded and not taken; one taken since ROUTE ---
  reg loaded, taken;
  wire routes = issue && op == ROUTE;
  always @(posedge clk)
    if (rst) begin
      loaded <= 0; taken <= 0;
    end else begin
      if (load__valid && !load__payload) loaded <= 1;
      if (stream__valid) loaded <= 0;
      if (stream__valid) taken <= 1;
      if (routes) taken <= 0;
    end

  // --- what no program may ask for ---
  wire [31:0] out_rows = flag ? 4 * beats : beats;
  function outside(input [31:0] first, input [31:0] rows, input [31:0] size);
    outside = rows == 0 || first + rows > size;
  endfunction
  function split(input [31:0] first, input [31:0] rows);  // across banks of sums
    split = outside(first, rows, SUM_ROWS)
            || (first < SUM_ROWS / 2 && first + rows > SUM_ROWS / 2);
  endfunction
  wire bad = op > CONFIGURE
    || (op == CONFIGURE && a > REGISTERS - 1)
    || (op == ROUTE && loaded)
    || (op == LOAD_WEIGHTS && !flag && loaded)
    || (op == MATMUL && (split(b, beats) || outside(a, beats, ACT_ROWS) || !(loaded || taken)))
    || (op == ACTIVATE && (split(a, beats) || outside(b, out_rows, OUT_ROWS)))
    || (op == DMA_IN && outside(b, beats, ACT_ROWS))
    || (op == DMA_OUT && outside(b, beats, OUT_ROWS));

  // --- whether two ranges of rows share one: row by row ---
  function shares(input [2 * BITS + 1:0] span, input [31:0] first, input [31:0] rows);
    integer row;
    begin
      shares = 0;
      for (row = 0; row < 1 << BITS; row = row + 1)
        if (row >= span[BITS:0] && row < span[2 * BITS + 1:BITS + 1]
            && row >= first && row < first + rows) shares = 1;
    end
  endfunction
  wire quiet = !bank_busy && !loading && !streaming && !activating && !dma_in_busy
               && !dma_out_busy && sums_pending == 0 && !route__valid;

  always @* if (started && !rst) begin
    one_command_at_a_time: assert (load__valid + stream__valid + activate__valid + dma_in__valid
                                   + dma_out__valid <= 1 && stream__valid == landing__valid);
    nothing_issued_twice: assert (!issue || waits);
    commands_are_the_words: assert (
      load__valid == (issue && op == LOAD_WEIGHTS) && stream__valid == (issue && op == MATMUL)
      && activate__valid == (issue && op == ACTIVATE) && dma_in__valid == (issue && op == DMA_IN)
      && dma_out__valid == (issue && op == DMA_OUT));
    units_take_their_command: assert (
      !(load__valid && !load__ready) && !(stream__valid && !(stream__ready && landing__ready))
      && !(activate__valid && !activate__ready) && !(dma_in__valid && !dma_in__ready)
      && !(dma_out__valid && !dma_out__ready));
    if (load__valid) load_says: assert (load__payload == flag);
    if (stream__valid) matmul_says: assert (
      stream__payload == {loaded, beats, a[BITS - 1:0]} && landing__payload == {flag, beats, b[BITS - 1:0]});
    if (activate__valid) activate_says: assert (
      activate__payload == {flag, beats, b[BITS - 1:0], a[BITS - 1:0]});
    if (dma_in__valid) dma_in_says: assert (dma_in__payload == {beats, b[BITS - 1:0]});
    if (dma_out__valid) dma_out_says: assert (dma_out__payload == {beats, b[BITS - 1:0]});

    // Hazards between units.
    if (stream__valid) begin
      no_matmul_onto_rows_that_arrive: assert (!(dma_in_busy && shares(dma_in_span, a, beats)));
      no_matmul_into_sums_that_are_read: assert (!(activating && activate_bank == b[BITS - 1]));
      no_matmul_without_a_tile: assert (loaded || taken);
    end
    if (dma_in__valid)
      no_dma_in_over_rows_to_read: assert (!(stream_reading && shares(stream_span, b, beats)));
    if (activate__valid) begin
      no_activate_of_sums_under_way: assert (!sums_pending[a[BITS - 1]]);
      no_activate_while_constants_load: assert (!loading_constants);
      no_activate_over_rows_to_send: assert (!(dma_out_reading && shares(dma_out_span, b, out_rows)));
    end
    if (dma_out__valid)
      no_dma_out_of_rows_that_change: assert (!(activating && shares(activate_span, b, beats)));
    if (load__valid && load__payload)
      no_constants_while_activating: assert (!activating);
    if (routes) no_route_inside_a_tile: assert (!loading && !streaming && !loaded && !route__valid);
    if (issue && (op == SYNC || op == CONFIGURE || op == HALT)) barriers_wait: assert (quiet);
    no_bad_word_is_obeyed: assert (!issue || !bad);
    stopped_takes_nothing: assert (!((fault || halted) && (issue || instructions__ready)));
  end

  always @(posedge clk) if (started && !rst && !$past(rst)) begin
    if ($past(waits && bad && !halted && !fault)) bad_words_raise_the_fault: assert (fault);
    if (fault && !$past(fault)) fault_is_for_bad_words_only: assert ($past(waits && bad));
    if ($past(fault)) fault_is_sticky: assert (fault);
    if ($past(halted)) halt_is_sticky: assert (halted);
    if ($past(routes)) route_says: assert (
      route__valid && route__payload == ($past(a) < 31 ? $past(a) : 31));
    if ($past(route__valid && !route__ready)) route_is_offered_until_taken: assert (
      route__valid && $stable(route__payload));
    if (!$past(issue && op == SYNC)) layer_of_sync: assert ($stable(layer));
    else layer_says: assert (layer == $past(a));
    if (!$past(issue && op == CONFIGURE)) registers_of_configure_only: assert (
      $stable({act_zero_point, act_signed, out_zero_point, out_low, out_high}));
    else configure_says: assert (
      act_zero_point == ($past(a) == 0 ? $past(b[9:0]) : $past(act_zero_point))
      && act_signed == ($past(a) == 1 ? $past(b[0]) : $past(act_signed))
      && out_zero_point == ($past(a) == 2 ? $past(b[9:0]) : $past(out_zero_point))
      && out_low == ($past(a) == 3 ? $past(b[9:0]) : $past(out_low))
      && out_high == ($past(a) == 4 ? $past(b[9:0]) : $past(out_high)));
    if ($past(waits && !bad && !issue && !halted && !fault)) words_wait: assert (present && word == $past(code));
  end

  always @(posedge clk) if (started && !rst) begin
    did_matmul: cover (stream__valid && dma_in_busy && activating);
    did_activate: cover (activate__valid && dma_out_reading && sums_pending != 0);
    did_dma_in: cover (dma_in__valid && stream_reading);
    did_dma_out: cover (dma_out__valid && activating);
    did_constants: cover (load__valid && load__payload);
    did_route: cover (route__valid && taken);
    did_sync: cover (layer == 5);
    did_halt: cover (halted);
    did_fault: cover (fault);
  end
