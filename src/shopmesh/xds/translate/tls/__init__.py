"""TLS between proxies: what listeners terminate and what callers originate. Start reading at `tls`."""
