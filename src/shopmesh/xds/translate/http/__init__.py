"""TODO: say what `shopmesh/xds/translate/http` is."""
