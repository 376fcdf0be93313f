"""Small connectors between two fingers: an overhead depth image and a contact image."""
