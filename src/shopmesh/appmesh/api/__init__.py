"""TODO: say what `shopmesh/appmesh/api` is."""
