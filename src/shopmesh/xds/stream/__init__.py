"""TODO: say what `shopmesh/xds/stream` is."""
