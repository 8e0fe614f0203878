"""The console: pages in a browser that show the mesh and change it, served by the control plane below /console/.

    browser ─► WebConsole ─┬─► assets          the shell and its files: they hold no data, so anybody gets them
                           ├─► sign_in         a code from `shopmesh console` is traded for a cookie
                           └─► gate ─► routes  a signed-in request, without the prefix /console/api
                    else ─► the API, which takes signatures only

It may import the server, the client's plans and all below them; only the command line and the control plane of a
cluster import it.
Start reading at `app.WebConsole`. What the browser runs is in `static`, without a build step.
"""

from shopmesh.console.app import WebConsole
from shopmesh.console.gate import Mode

__all__ = ["Mode", "WebConsole"]
