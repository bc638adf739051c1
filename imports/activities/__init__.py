"""Importing activities: whose they are, which are known already, and the totals by the batch.

Each row gives what `activities.services.record` would. Most are written by the batch, by COPY where
there is one; those that speak of bookings or invites, or may start something, go through the
service (`service`).
"""
