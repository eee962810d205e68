"""The sections of the page: each module has `lines(results, folder)`."""
