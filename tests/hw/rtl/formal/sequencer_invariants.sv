  // Ghosts of sequencer.sv and registers agree: what makes its properties inductive.
  always @* if (started) begin
    inv_word: assert (present == waits && (!waits || word == code));
    inv_tiles: assert (ahead == loaded && tile_open == taken);
  end
