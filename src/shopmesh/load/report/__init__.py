"""TODO: say what `shopmesh/load/report` is."""
