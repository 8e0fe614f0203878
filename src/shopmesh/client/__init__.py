"""The only way in for all tools: App Mesh's API by boto3, what is beside it by HTTP."""
