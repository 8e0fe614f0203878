"""What the operators of the tests' control planes allow documents on the hosts of their Envoys."""

from __future__ import annotations

from shopmesh.appmesh.host_policy import HostPolicy

ANYTHING = HostPolicy(allow_patches=True, access_log_folders=("/",), certificate_folders=("/",))
"""For tests of what documents do where they may."""
