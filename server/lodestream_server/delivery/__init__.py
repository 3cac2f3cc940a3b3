"""Telling others: webhooks, callbacks, subscriptions, e-mail and Slack. Tails of the event log with a stored cursor."""
