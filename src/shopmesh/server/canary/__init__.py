"""TODO: say what `shopmesh/server/canary` is."""
