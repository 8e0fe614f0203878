"""Commands that ask a running control plane: `get`, `apply`, `route`, `status`, `canary`, `load`, `doctor` and others.

They work alike on a laptop, in Compose and in a cluster. Start reading at `status`.
"""
