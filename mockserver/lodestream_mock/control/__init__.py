"""How tests steer the mock: the control service, over gRPC and under /__lodestream."""
