"""TODO: say what `shopmesh/kubernetes/api` is."""
