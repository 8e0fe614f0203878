"""The API server of a cluster: requests, lists and watches, and the types of its resources. Start at `client`."""
