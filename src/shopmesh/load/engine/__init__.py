"""TODO: say what `shopmesh/load/engine` is."""
