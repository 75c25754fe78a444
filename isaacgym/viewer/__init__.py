"""The web viewer: robots and ground of a simulation on a page, by way of the package viser."""
