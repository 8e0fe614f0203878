"""The open loop: requests leave when they are due, over a pool of connections. Start reading at `open_loop`."""
