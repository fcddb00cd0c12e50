"""Headrace inside other frameworks, one module for each. None is loaded unless its framework asks for it."""
