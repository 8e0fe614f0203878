"""TODO: say what `shopmesh/server/traffic` is."""
