  // Safety of the registers, whatever is written and whatever the accelerator does.
  reg started = 0;
  always @(posedge clk) started <= 1;
  always @* if ($initstate) assume (rst);

  wire low = write & write_strobe[0];
  wire [7:0] control = low && write_address[5:2] == 4 ? write_data[7:0] : 8'd0;
  wire [7:0] clears = low && write_address[5:2] == 6 ? write_data[7:0] : 8'd0;
  wire [7:0] serves = low && write_address[5:2] == 8 ? write_data[7:0] : 8'd0;
  wire busy = running | starting;
  wire begins = control[0] & !control[1] & !busy;
  wire ends = running & (fault | halted & !sending);

  always @* if (started) begin
    write_known_where_it_is: assert (write_known == (write_address[5:2] == 4
      || write_address[5:2] == 6 || write_address[5:2] == 7 || write_address[5:2] == 8));
    read_known_up_to_layer: assert (read_known == (read_address[5:2] <= 10));
    if (read_address[5:2] == 5) status_says: assert (
      read_data == {19'd0, selected, 6'd0, done, busy});
    if (read_address[5:2] == 6) errors_say: assert (read_data == errors);
    if (read_address[5:2] == 8) interrupts_say: assert (read_data == interrupts);
  end
  always @(posedge clk) if (started && !$past(rst)) begin
    clears_once_per_start_or_reset: assert (clear == $past(begins || control[1]));
    if (running && !$past(running)) opens_after_a_start: assert ($past(begins, 2) && !clear);
    if ($past(begins && !rst)) closed_while_it_clears: assert (clear && !running);
    if ($past(control[1])) reset_closes: assert (!busy && !done);
    if ($past(ends)) end_closes: assert (!running);
    if ($past(running && !ends && !control[1])) open_until_it_ends: assert (running);
    if (done && !$past(done)) done_without_a_fault: assert ($past(running && halted && !fault));
    errors_stay_until_cleared: assert (
      (errors & $past(errors & ~clears)) == $past(errors & ~clears));
    if ($past(running && fault)) fault_is_seen: assert (errors[0] && interrupts[1]);
    if ($past(running && route_error) && $past(!route_error, 2) && !$past(rst, 2))
      route_error_is_seen: assert (errors[1] && interrupts[1]);
    if ($past(misaligned)) misalignment_is_seen: assert (errors[2] && interrupts[1]);
    errors_of_events_only: assert (
      !(errors & ~$past(errors)) || $past(running && (fault || route_error) || misaligned));
    interrupts_stay_until_cleared: assert (
      (interrupts & $past(interrupts & ~serves)) == $past(interrupts & ~serves));
    if ($past(ends && !fault)) end_is_seen: assert (interrupts[0]);
    interrupt_of_enabled_flags: assert (irq == |$past(interrupts & enable));
    if ($past(running) && $past(cycles) != 32'hffffffff)
      counts_cycles: assert (cycles == $past(cycles) + 1);
    if ($past(!busy)) count_stands_still: assert ($stable(cycles));
  end
  always @(posedge clk) if (started && $past(rst)) begin
    reset_is_idle: assert (!busy && !done && !clear && !irq && !errors && !interrupts);
  end

  // What induction needs: a start is one cycle long.
  always @(posedge clk) if (started && !$past(rst)) begin
    start_lasts_a_cycle: assert (starting == $past(begins) && !(starting && running));
  end

  always @(posedge clk) if (started && !rst) begin
    ran: cover (done && irq && $past(running, 2));
    failed: cover (errors[0] && !running);
    again: cover (running && $past(done, 2));
    stopped: cover ($past(running) && !running && clear);
  end
