"""TODO: say what `shopmesh/xds/translate/tcp` is."""
