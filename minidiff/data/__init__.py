"""Images with captions: the built-in scenes, the user's folder, and batches of both."""
