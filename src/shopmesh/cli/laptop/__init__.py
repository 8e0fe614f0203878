"""TODO: say what `shopmesh/cli/laptop` is."""
