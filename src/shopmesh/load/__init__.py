"""Load tests that know which version answered: an open loop, and what its figures prove.

    plan ─► engine ─► results ─┐
            (sockets)        ├─► report ─► text, JSON, HTML
    control plane ─► weights ┘

The engine alone does I/O. Its figures are counts in cells of a fixed number, so that memory does not grow with the
number of requests.

Start reading at `run`.
"""
