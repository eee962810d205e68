  // Ghosts of sequencer.sv and registers agree: what makes its properties inductive.
  wire static_bad = op > CONFIGURE
    || (op == CONFIGURE && a > REGISTERS - 1)
    || (op == MATMUL && (split(b, beats) || outside(a, beats, ACT_ROWS)))
    || (op == ACTIVATE && (split(a, beats) || outside(b, out_rows, OUT_ROWS)))
    || (op == DMA_IN && outside(b, beats, ACT_ROWS))
    || (op == DMA_OUT && outside(b, beats, OUT_ROWS));
  wire moves_rows = op == MATMUL || op == ACTIVATE || op == DMA_IN || op == DMA_OUT;
  wire [31:0] last_row_and_one = (op == MATMUL ? a : b) + (op == ACTIVATE ? out_rows : beats);
  always @* if (started) begin
    inv_word: assert (present == waits && (!waits || word == code));
    inv_tiles: assert (ahead == loaded && tile_open == taken);
    inv_unfit: assert (!waits || unfit == static_bad);
    inv_end: assert (!(waits && moves_rows && !unfit) || rows_end == last_row_and_one);
  end
