"""TODO: say what `shopmesh/cli/mesh` is."""
