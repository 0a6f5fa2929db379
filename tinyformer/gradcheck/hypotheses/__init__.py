"""Hypotheses about a wrong gradient, one family in each file.

Each maps the evidence to a list of findings, empty if it does not fit.
"""
