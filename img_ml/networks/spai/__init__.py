"""SPAI: the network that finds AI images by how well masked frequencies foretell each other."""
