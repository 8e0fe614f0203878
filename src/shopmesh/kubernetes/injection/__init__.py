"""Sidecars for pods: the mutating webhook, and `shopmesh inject` for files. Start reading at `pod_injection`."""
