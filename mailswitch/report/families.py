"""Metric families with mailswitch's prefix, each sample at its labels."""

from __future__ import annotations

from collections.abc import Mapping

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

__all__ = ["Labels", "counter", "gauge"]

Labels = tuple[str, ...]


def gauge(name: str, text: str, labels: Labels, values: Mapping[Labels, float]) -> Metric:
    """Return what goes up and down; ``labels`` are the labels' names, the keys of ``values`` their values."""
    found = GaugeMetricFamily(f"mailswitch_{name}", text, labels=labels)
    for key in sorted(values):
        found.add_metric(key, values[key])
    return found


def counter(name: str, text: str, labels: Labels, values: Mapping[Labels, int]) -> Metric:
    """Return what only grows."""
    found = CounterMetricFamily(f"mailswitch_{name}", text, labels=labels)
    for key in sorted(values):
        found.add_metric(key, values[key])
    return found
