  // Safety of the AXI4-Lite port, whatever the manager does (AMBA AXI, A3.2 and B1.1).
  reg started = 0;
  always @(posedge clk) started <= 1;
  always @* if ($initstate) assume (rst);

  // --- what was accepted and has not been written yet ---
  reg has_address, has_data;
  reg [5:0] address;
  reg [35:0] supply;
  wire takes_address = awvalid & awready;
  wire takes_data = wvalid & wready;
  always @(posedge clk) begin
    if (rst || write) has_address <= 0;
    if (rst || write) has_data <= 0;
    if (!rst && takes_address) begin
      has_address <= 1; address <= awaddr;
    end
    if (!rst && takes_data) begin
      has_data <= 1; supply <= {wstrb, wdata};
    end
  end

  always @* if (started) begin
    nothing_accepted_is_lost: assert (!(awready && has_address) && !(wready && has_data));
    requests_wait: assert (addressed == has_address && supplied == has_data);
    write_once_per_request: assert (!write || (has_address && has_data));
    write_is_what_was_asked: assert (
      (!has_address || write_address == address)
      && (!has_data || {write_strobe, write_data} == supply));
    write_waits_for_the_last_response_only: assert (write == (has_address && has_data && !bvalid));
    reads_one_at_a_time: assert (!(arready && rvalid));
    read_is_what_is_asked: assert (read_address == araddr);
  end
  always @(posedge clk) if (started && !$past(rst)) begin
    if ($past(write)) write_has_its_response: assert (
      bvalid && bresp == ($past(write_known) ? 2'd0 : 2'd2));
    if (bvalid && !$past(bvalid)) no_response_without_a_write: assert ($past(write));
    if ($past(bvalid && !bready)) write_response_until_taken: assert (bvalid && $stable(bresp));
    if ($past(bvalid && bready)) one_response_per_write: assert (!bvalid);
    if ($past(arvalid && arready)) read_has_its_response: assert (
      rvalid && rdata == $past(read_data) && rresp == ($past(read_known) ? 2'd0 : 2'd2));
    if (rvalid && !$past(rvalid)) no_response_without_a_read: assert ($past(arvalid && arready));
    if ($past(rvalid && !rready)) read_response_until_taken: assert (
      rvalid && $stable(rdata) && $stable(rresp));
    if ($past(rvalid && rready)) one_response_per_read: assert (!rvalid);
  end
  always @(posedge clk) if (started && $past(rst))
    reset_is_idle: assert (!bvalid && !rvalid && !write && awready && wready && arready);

  always @(posedge clk) if (started && !rst) begin
    address_before_data: cover ($past(has_address && !has_data, 2) && bvalid);
    data_before_address: cover ($past(has_data && !has_address, 2) && bvalid);
    request_behind_a_response: cover (bvalid && has_address && has_data);
    both_sides: cover (bvalid && rvalid);
  end
