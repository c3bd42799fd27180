"""`examples.mounted_site`."""

from __future__ import annotations

from pathlib import Path
from unittest.mock import Mock

from twisted.web.resource import IResource
from twisted.web.static import File

from examples.mounted_site import Health, Site, resource


def test_a_directory_and_a_resource_are_mounted() -> None:
    """The extension mounts a directory that is there, and a resource that needs the rooms."""
    chat = Mock()
    found = Site().resources(chat)
    assert found["/site"] is resource
    assert isinstance(resource, File)
    assert Path(resource.path, "index.html").exists()
    assert all(IResource.providedBy(each) for each in found.values())


def test_the_page_says_why_messages_cannot_be_sent() -> None:
    """The page says why messages cannot be sent."""
    chat, request = Mock(), Mock()
    chat.trouble.return_value = None
    assert Health(chat).render_GET(request) == b"The chat is open.\n"
    chat.trouble.return_value = "the disk is full"
    assert Health(chat).render_GET(request) == b"the disk is full\n"
