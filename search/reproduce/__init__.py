"""The results page: every network, every figure, one cached command per number.

`python -m search.reproduce --data FOLDER` runs the steps of `plan` in a work folder (`runner`),
reads what they left (`findings`) into one file (`results`), and writes the page from that (`page`).
"""
