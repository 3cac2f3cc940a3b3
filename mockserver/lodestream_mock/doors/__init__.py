"""How calls come in: servicers of the contract, the interceptor that faults and journals them, and the ASGI shell."""
