"""Resources as the console's pages show and edit them, and manifests as the API's requests: everything that reads or
writes YAML, which a browser cannot.

    list_resources ─► a table      describe_resource ─► one page      plan_manifests ─► requests, which the page sends

Nothing here writes: a plan is what `POST /shopmesh/v1/requests` takes, with the versions that it was made for.
Start reading at `routes`.
"""
