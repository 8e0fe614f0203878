"""Child processes: started, restarted, logged, stopped in order, and ended when `up` itself was killed.

Knows nothing of a mesh. Start reading at `supervisor`.
"""
