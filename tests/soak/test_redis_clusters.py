"""The contract of backends in the clusters that people have."""

from __future__ import annotations

from twisted.trial.unittest import TestCase

from tests.backends.redis.cluster.contract import ClusterContract


class OneNodeContractTest(ClusterContract, TestCase):
    """A cluster of one node."""


class ReplicatedContractTest(ClusterContract, TestCase):
    """Three masters, and a replica for each."""

    masters = 3
    replicas = True
