"""HTTP: virtual hosts, routes, retries, and the connection manager. Start reading at `virtual_hosts`."""
