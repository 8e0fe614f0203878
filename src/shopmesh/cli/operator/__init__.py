"""TODO: say what `shopmesh/cli/operator` is."""
