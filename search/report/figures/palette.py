"""Colours by what they stand for, on a light and on a dark page.

Text, lines and marks have a contrast of at least 4.5:1 on page and card (WCAG 2.1, 1.4.3), which
`tests/search/report/test_page.py` computes from the finished page. `m0` to `m9` are those of
methods and parts: after Okabe and Ito's palette, darker or lighter until the contrast is there.
"""

from __future__ import annotations

from collections.abc import Mapping

LIGHT: Mapping[str, str] = {
    "page": "#f5f7f9", "card": "#ffffff", "ink": "#1c2733", "muted": "#55636f", "grid": "#e3e8ee",
    "accent": "#b93a06", "good": "#0b6b45", "warn": "#8a5a00", "off": "#626f7a",
    "tint": "#fff1e8", "m0": "#0068a8", "m1": "#00714f", "m2": "#a83f7b", "m3": "#87580a",
    "m4": "#4d5dbf", "m5": "#a33b1f", "m6": "#7a52a8", "m7": "#5c6670", "m8": "#7d3f4c",
    "m9": "#50690f", "shadow": "#9aa7b3", "h1": "#fff6ea", "h2": "#ffe9d2", "h3": "#ffdab8",
    "h4": "#ffc99b", "h5": "#ffb480", "h6": "#ff9d66"}
DARK: Mapping[str, str] = {
    "page": "#12181f", "card": "#1a222b", "ink": "#e7edf3", "muted": "#a9b6c2", "grid": "#33404d",
    "accent": "#ff9a5c", "good": "#5fd0a0", "warn": "#e8b75a", "off": "#95a3b0",
    "tint": "#3a2a20", "m0": "#6cb8f0", "m1": "#52c79c", "m2": "#ee93c4", "m3": "#e3b04f",
    "m4": "#a3b0ff", "m5": "#ff9d80", "m6": "#c9a6f2", "m7": "#b3bec8", "m8": "#e3a2ae",
    "m9": "#b4cf6a", "shadow": "#000000", "h1": "#231f1e", "h2": "#33241d", "h3": "#46291c",
    "h4": "#5a2e1b", "h5": "#6f331a", "h6": "#853818"}
METHODS = tuple(f"m{number}" for number in range(10))
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "p")  # beside the colours, in their order
DASHES = ((0, ()), (0, (5, 2)), (0, (1, 1.5)), (0, (5, 1.5, 1, 1.5)), (0, (8, 2)))
# Lines alone: circles and stars would be half a megabyte.
HATCHES = ("", "//", "--", "\\\\", "xx", "||", "++", "////", "----", "||||")
