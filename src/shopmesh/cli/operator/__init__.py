"""Commands for operators: `serve`, `keys`, `bootstrap`, `inject`, `crds`. Start reading at `serve`."""
