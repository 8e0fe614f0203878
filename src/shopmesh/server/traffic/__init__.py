"""Traffic figures of the proxies: the metrics service, time series by caller and cluster, shares against weights.

Start reading at `figures`.
"""
