"""What we use of connexion, in one place: it ships no types, and importing it warns about things that are its own
affair (a deprecated part of jsonschema, a test client that wants another httpx), even where warnings are errors.
"""

import warnings

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from connexion import ConnexionMiddleware
    from connexion.http_facts import METHODS
    from connexion.middleware.abstract import ROUTING_CONTEXT, RoutedAPI, RoutedMiddleware, SpecMiddleware
    from connexion.operations import AbstractOperation
    from connexion.resolver import Resolution, Resolver
    from connexion.spec import Specification

__all__ = [
    "METHODS",
    "ROUTING_CONTEXT",
    "AbstractOperation",
    "ConnexionMiddleware",
    "Resolution",
    "Resolver",
    "RoutedAPI",
    "RoutedMiddleware",
    "SpecMiddleware",
    "Specification",
]
