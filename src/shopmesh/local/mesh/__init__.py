"""The mesh of one machine: control plane, workloads and their Envoys as child processes. Start at `local_mesh`."""
