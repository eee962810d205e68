"""Self-test bitstreams of a design's bank: `python -m hw.rtl.boards`, see docs/boards.md."""
