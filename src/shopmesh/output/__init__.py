"""TODO: say what `shopmesh/output` is."""
