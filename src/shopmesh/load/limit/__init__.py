"""The highest rate at which bounds hold: an adaptive search over loads of one rate each.

`search` decides what to measure next, `measure` runs it, `limit_report` says what was found. Only `measure` does I/O.

Start reading at `search`.
"""
