"""Commands and reports of `python -m hw.ppa`."""
