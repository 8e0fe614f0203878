"""TODO: say what `shopmesh/server/api` is."""
