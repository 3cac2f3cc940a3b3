"""Webhooks, callbacks and subscriptions of a session, really posted, in the order of the virtual clock."""
