"""TODO: say what `shopmesh/files` is."""
