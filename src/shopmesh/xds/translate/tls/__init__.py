"""TODO: say what `shopmesh/xds/translate/tls` is."""
