"""Where trials are kept: run folder, study, database, and several workers on one."""
