  // Safety of the ends of packets. One DMA_OUT, any one, is followed from the word to its last row.
  reg started = 0;
  always @(posedge clk) started <= 1;
  always @* if ($initstate) assume (rst);

  wire sends = passes && word[63:60] == DMA_OUT;
  wire [12:0] rows = word[13:1];
  wire ends = row & last;
  always @* assume (!passes || ready);
  always @* assume (!row || count != 0);  // rows come of a DMA_OUT that passed

  (* anyseq *) wire chosen;
  reg followed;
  reg [1:0] ahead;  // DMA_OUTs in front of it
  reg [12:0] left, gone;  // its rows; rows of the first one
  wire chooses = chosen & sends & !followed;
  always @(posedge clk)
    if (rst) begin
      followed <= 0; gone <= 0;
    end else begin
      if (chooses) begin
        followed <= 1; ahead <= count - ends; left <= rows;
      end else if (followed && ends) begin
        if (ahead == 0) followed <= 0; else ahead <= ahead - 1;
      end
      gone <= ends ? 0 : gone + row;
    end
  always @* if (chooses) assume (rows != 0);  // 0 is a fault

  always @* if (started) begin
    last_row_of_its_words: assert (
      !(followed && ahead == 0) || last == ({1'b0, gone} + 14'd1 == left));
    waits_while_full: assert (ready == (count != DEPTH));
    rows_are_counted: assert (sent == gone);
    order_is_kept: assert (!followed || (ahead < count && left == (
      ahead == 0 ? length0 : ahead == 1 ? length1 : length2)));
  end
  always @(posedge clk) if (started && !$past(rst))
    one_word_one_end: assert (count == $past(count) + $past(sends) - $past(ends));

  always @(posedge clk) if (started && !rst) begin
    full: cover (count == DEPTH);
    long: cover (ends && gone == 2);
    behind: cover (followed && ahead == 2);
    ended: cover ($past(followed && ahead == 0 && ends));
  end
