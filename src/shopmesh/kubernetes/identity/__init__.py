"""TODO: say what `shopmesh/kubernetes/identity` is."""
