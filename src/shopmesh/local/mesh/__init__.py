"""TODO: say what `shopmesh/local/mesh` is."""
