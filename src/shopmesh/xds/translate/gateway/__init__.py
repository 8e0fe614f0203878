"""TODO: say what `shopmesh/xds/translate/gateway` is."""
