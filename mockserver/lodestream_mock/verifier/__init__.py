"""`lodestream verify`: the contract run against any server, drift reported per endpoint."""
