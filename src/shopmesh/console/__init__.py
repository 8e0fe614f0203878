"""The console: pages in a browser that show the mesh and change it, served by the control plane below /console/.

    browser ─► Console ─┬─► assets          the shell and its files: they hold no data, so anybody gets them
                        ├─► sign_in         a code from `shopmesh console` is traded for a cookie
                        └─► gate ─► routes  a signed-in request, without the prefix /console/api
                 else ─► the API, which takes signatures only

It may import the server and all below it; only the command line and the control plane of a cluster import it.
Start reading at `app.Console`. What the browser runs is in `static`, without a build step.
"""

from shopmesh.console.app import Console
from shopmesh.console.gate import Mode

__all__ = ["Console", "Mode"]
