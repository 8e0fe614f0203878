"""Virtual gateways and gateway routes. Start reading at `gateways`."""
