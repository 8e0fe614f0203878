"""Clusters, their endpoints, and which of them are healthy. Start reading at `clusters`."""
