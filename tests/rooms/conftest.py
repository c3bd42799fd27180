"""A site that is asked about messages, for tests of rooms."""

from __future__ import annotations

import pytest

from tests.support.asked import AskedSite


@pytest.fixture
def there() -> AskedSite:
    """The site, which answers what the test says."""
    return AskedSite("send")
