"""Canaries that move by themselves and turn back by themselves: plans, verdicts and steps, with no I/O.

    plan ─► record (kept with the route) ─► stage ─► judge ─► the next stage, 100 %, or back

The control plane keeps the record and does what it says; the command that was started looks and judges.
"""
