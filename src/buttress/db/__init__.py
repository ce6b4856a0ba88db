"""The database room: URLs, embedded servers, connections, migrations.

Nothing is exported here: import from the module that holds it.
"""
