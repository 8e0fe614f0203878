"""The one static file that an Envoy starts with: who it is, where its control plane is, what it reports.

    environment ─► Options ─► bootstrap_document() = control_plane + listeners + statistics + tracers + overrides

Start it with `--disable-hot-restart` (several Envoys on one host would share a base id). Written as JSON: Envoy's YAML
reads an unquoted `n`, `y`, `no` or `on` as a boolean.

Start reading at `document`.
"""

from shopmesh.xds.bootstrap.document import bootstrap_document
from shopmesh.xds.bootstrap.options import BootstrapError, Options

__all__ = ["BootstrapError", "Options", "bootstrap_document"]
