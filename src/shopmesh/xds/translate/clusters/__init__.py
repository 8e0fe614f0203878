"""TODO: say what `shopmesh/xds/translate/clusters` is."""
