"""A small endpoint in front of DataHub Lite that takes what DataHub's emitters send. It is not DataHub.

settings, errors: what it is told, and how it refuses
patch:            keyed JSON Patch, and adding up of lineage
store:            DataHub Lite on SQLite, with lineage in both directions
names, openlineage: OpenLineage events to changes of the store
auth, api, pages, app: HTTP
"""
