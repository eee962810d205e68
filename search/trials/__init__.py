"""Where trials are kept: run folder, study, journal or database."""
