"""The App Mesh API as functions: a request in, an answer out, over a transaction of the store.

    request ─► rest_json ─► validation ─► operations ─► verbs ─► Transaction
                   └─ preview: the 2018-10-01 form, translated at the edge

`model` is the model that botocore publishes; everything else follows it. Start reading at `operations`.
"""
