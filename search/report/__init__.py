"""What a run found, as data and as a page; `python -m search.report`."""
