"""Canaries over HTTP, and the leases that their commands renew. The rules are in `shopmesh.canary`."""
