"""A whole mesh on one machine: the control plane, the services and their sidecars as child processes.

Start reading at `up`, then `mesh.local_mesh`.
"""
