"""VGG16 on a folder of images: options, training, testing, and what it shows."""
