"""TCP: which connections go to which targets. Start reading at `tcp_forwarding`."""
