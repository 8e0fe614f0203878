"""The one static file that an Envoy starts with: who it is, where its control plane is, what it reports.

    environment ─► Options ─► bootstrap() = control_plane + listeners + statistics + tracers, then what the user adds

Start it with `--disable-hot-restart` (several Envoys on one host would share a base id). Written as JSON: Envoy's YAML
reads an unquoted `n`, `y`, `no` or `on` as a boolean.
"""

from shopmesh.xds.bootstrap.document import bootstrap
from shopmesh.xds.bootstrap.options import BootstrapError, Options

__all__ = ["BootstrapError", "Options", "bootstrap"]
