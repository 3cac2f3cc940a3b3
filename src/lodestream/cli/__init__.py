"""The command line: `lodestream …`. A module per noun; nothing here imports grpc before a command calls a server."""
