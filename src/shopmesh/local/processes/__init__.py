"""TODO: say what `shopmesh/local/processes` is."""
