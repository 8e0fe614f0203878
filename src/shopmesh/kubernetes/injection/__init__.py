"""TODO: say what `shopmesh/kubernetes/injection` is."""
