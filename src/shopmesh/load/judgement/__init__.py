"""TODO: say what `shopmesh/load/judgement` is."""
