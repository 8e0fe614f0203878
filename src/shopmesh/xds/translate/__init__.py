"""TODO: say what `shopmesh/xds/translate` is."""
