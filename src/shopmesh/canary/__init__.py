"""Canaries that are promoted and rolled back by themselves: plans, verdicts and transitions, with no I/O.

    plan ─► canary_state (stored with the route) ─► transitions ─► apply_stage ─► weights of the route
                                                        ▲
                                      judge (counts to a verdict: good, bad, too few requests)

The control plane stores the state and applies the stages; the command that was started reads the counts and judges.
Start reading at `transitions`; `apply_stage` computes the weights, with `shopmesh.appmesh.weights`.
"""
