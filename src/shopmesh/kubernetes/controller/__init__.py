"""TODO: say what `shopmesh/kubernetes/controller` is."""
