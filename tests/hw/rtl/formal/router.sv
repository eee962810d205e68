  // Safety of the router. ARRAYS, FALLBACK: of this bank.
  reg started = 0;
  always @(posedge clk) started <= 1;
  always @* if ($initstate) assume (rst);

  wire accepted = route__valid & route__ready;
  wire known = route__payload < ARRAYS;

  always @* if (started) begin
    one_array_enabled: assert (enable == (1 << selected));
    selected_exists: assert (selected < ARRAYS);
    accepts_when_idle_only: assert (route__ready == idle);
  end

  always @(posedge clk) if (started && !$past(rst)) begin
    if (!$past(accepted)) held_without_route: assert ($stable(selected) && $stable(route_error));
    if ($past(accepted && known))
      route_obeyed: assert (selected == $past(route__payload) && $stable(route_error));
    if ($past(accepted && !known))
      unknown_route_falls_back: assert (selected == FALLBACK && route_error);
    if ($past(route_error)) error_is_sticky: assert (route_error);
    if (selected != $past(selected)) changes_when_idle_only: assert ($past(idle));
  end
  always @(posedge clk) if (started && $past(rst))
    reset_clears: assert (selected == 0 && !route_error);

  always @(posedge clk) if (started && !rst) begin
    fell_back: cover (route_error && selected == FALLBACK);
    last_array: cover (selected == ARRAYS - 1);
    waited: cover ($past(route__valid && !idle) && accepted);
    recovered: cover (route_error && $past(accepted && known));
  end
