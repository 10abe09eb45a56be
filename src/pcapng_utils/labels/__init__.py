"""Whose code is it: SDKs known by the packages of their classes and by the hosts they talk to."""
